//! The contract's costs: the protocol run once on a fresh development chain, and each operation's gas taken
//! apart to the last unit.
//!
//! The inputs are always the same: the description `CT CHEST`, the notes `TREAT`, a reason of 13 bytes, digests
//! without a zero byte, an accredited radiologist whose account is a key, no expiry, no limit unless the
//! operation's name says so, slots that are written for the first time. A run is therefore repeatable digit by
//! digit on a chain that starts from the same genesis.

mod abi;
mod chain;
mod floor;
mod ground;
mod protocol;
mod size;
mod split;
mod storage;
mod timing;

use alloy_primitives::Address;
use serde::Serialize;

pub(crate) use self::ground::{ACCOUNTS, CYCLE, DEPLOYMENT, Error, FIVE_CALLS, Ground, PATIENTS};
pub(crate) use self::size::Size;
pub(crate) use self::split::Split;
pub(crate) use self::timing::{Figures, Recorded, Timed};

use pcim_deploy::deploy::{self, Record};
use pcim_ledger::{Account, Version};

use self::abi::IArbWasmCache;
use self::chain::{Chain, Mined};
use self::floor::Floor;
use self::protocol::Stage;

/// Gas in the paper's Table 1, in the order of [`FIVE_CALLS`].
const PAPER: [u64; 5] = [67_394, 246_908, 170_412, 34_266, 59_358];

/// Gas of the published contract, measured again under the rules of Ethereum's Cancun, in the order of [`FIVE_CALLS`].
const PUBLISHED: [u64; 5] = [25_903, 28_158, 147_921, 31_156, 44_278];

/// Gas of the published contract's deployment, under the same rules. It is deployed once for each image.
const PUBLISHED_DEPLOYMENT: u64 = 1_611_871;

/// The table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Costs {
    /// one for each operation, then the cycle and the deployment
    pub(crate) rows: Vec<Row>,
}

/// What an operation costs, in L2 gas, refunds taken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    /// as the interface names it; see also [`CYCLE`] and [`DEPLOYMENT`]
    pub(crate) operation: &'static str,
    /// with the program in the chain's cache; a deployment finds nothing there
    pub(crate) cached: u64,
    /// with the program not in the cache
    pub(crate) uncached: u64,
    /// what no program can do it for less
    pub(crate) floor: u64,
    /// the paper's Table 1
    pub(crate) paper: Option<u64>,
    /// the published contract, measured again
    pub(crate) published: Option<u64>,
    /// what `cached` is made of
    pub(crate) split: Split,
    /// bytes that are posted to the parent chain: the signed transaction, Brotli level 1, window 22, no dictionary
    #[serde(skip)]
    pub(crate) l1_bytes: usize,
}

/// Runs the protocol twice on the same state, with the program not cached and cached, and tells what it cost.
///
/// # Errors
/// If something does not come out as the interface says, or costs what the known prices do not explain.
pub(crate) async fn measure(ground: Ground<'_>) -> Result<(Costs, Size), Error> {
    let chain = Chain::connect(&ground).await?;
    begin(&chain).await?;
    let record = publish(&ground).await?;
    let (deployment, size) = measure_deployment(&chain, &ground, &record).await?;
    let snapshot = chain.snapshot().await?;
    let uncached = run(&chain, record.contract).await?;
    chain.revert(snapshot).await?;
    cache(&chain, record.contract).await?;
    let cached = run(&chain, record.contract).await?;

    let mut rows: Vec<_> = cached.into_iter().zip(&uncached).map(join).collect();
    rows.push(cycle(&rows));
    rows.push(deployment);
    Ok((Costs { rows }, size))
}

/// Times the protocol for five patients, five times over, and tells gas and block size of each transaction.
///
/// # Errors
/// If something does not come out as the interface says.
pub(crate) async fn time(ground: Ground<'_>) -> Result<Figures, Error> {
    let chain = Chain::connect(&ground).await?;
    timing::run(&chain, &ground).await
}

async fn publish(ground: &Ground<'_>) -> Result<Record, Error> {
    let keys = ground.keys;
    let (Some(owner), Some(consortium)) = (keys.first(), keys.get(1)) else {
        return Err(Error::Keys { found: keys.len() });
    };
    Ok(deploy::deploy(&deploy::Request {
        rpc_url: ground.rpc_url,
        chain_id: ground.chain_id,
        deployer_key: owner,
        consortium: Account::from_private_key(consortium)
            .map_err(|_| Error::Keys { found: 1 })?
            .address(),
        predecessor: None,
        wasm: ground.wasm,
        max_fee: deploy::MAX_FEE,
        records: None,
    })
    .await?)
}

/// Sets the clock to where the operations that name times begin.
async fn begin(chain: &Chain) -> Result<(), Error> {
    match chain.version() {
        Version::V1 => Ok(()),
        Version::V2 => chain.set_clock(protocol::CLOCK).await,
    }
}

/// Puts the program into the chain's cache.
async fn cache(chain: &Chain, program: Address) -> Result<(), Error> {
    let call = IArbWasmCache::cacheProgramCall { program };
    let mined = chain.send(Stage::OWNER, abi::ARB_WASM_CACHE, &call).await?;
    mined.succeeded("cacheProgram")
}

/// An operation, measured.
struct Measured {
    operation: &'static str,
    gas_used: u64,
    floor: u64,
    split: Split,
    l1_bytes: usize,
}

/// Runs the whole protocol, each operation once.
async fn run(chain: &Chain, contract: Address) -> Result<Vec<Measured>, Error> {
    let mut measured = Vec::new();
    for operation in protocol::operations(chain, contract)? {
        let mined = operation.send(chain, contract).await?;
        if !operation.listed {
            continue;
        }
        let split = split::of_call(chain, contract, operation.name, &mined).await?;
        measured.push(Measured {
            operation: operation.name,
            gas_used: mined.gas_used,
            floor: operation.floor().gas(),
            split,
            l1_bytes: mined.l1_bytes(),
        });
    }
    Ok(measured)
}

fn join((cached, uncached): (Measured, &Measured)) -> Row {
    let of = |figures: &[u64; 5]| {
        let at = FIVE_CALLS.iter().position(|it| *it == cached.operation)?;
        figures.get(at).copied()
    };
    Row {
        operation: cached.operation,
        cached: cached.gas_used,
        uncached: uncached.gas_used,
        floor: cached.floor,
        paper: of(&PAPER),
        published: of(&PUBLISHED),
        split: cached.split,
        l1_bytes: cached.l1_bytes,
    }
}

/// The sum of the five calls.
fn cycle(rows: &[Row]) -> Row {
    let five = || {
        rows.iter()
            .filter(|row| FIVE_CALLS.contains(&row.operation))
    };
    Row {
        operation: CYCLE,
        cached: five().map(|row| row.cached).sum(),
        uncached: five().map(|row| row.uncached).sum(),
        floor: five().map(|row| row.floor).sum(),
        paper: Some(PAPER.iter().sum()),
        published: Some(PUBLISHED.iter().sum()),
        split: five().map(|row| row.split).sum(),
        l1_bytes: five().map(|row| row.l1_bytes).sum(),
    }
}

async fn measure_deployment(
    chain: &Chain,
    ground: &Ground<'_>,
    record: &Record,
) -> Result<(Row, Size), Error> {
    let mined: Mined = chain.mined(record.tx).await?;
    let (split, activation) =
        split::of_deployment(chain, record.contract, &mined, ground.arbos).await?;
    let size = Size::of(
        chain,
        ground.wasm,
        record.contract,
        activation,
        ground.arbos,
    )
    .await?;
    let floor = Floor {
        calldata: mined.data.clone(),
        slots: protocol::CONSTRUCTED,
        logs: protocol::constructed(chain.address(Stage::CONSORTIUM)),
        created_bytes: Some(size.code_bytes),
        activation,
        ..Floor::default()
    };
    let row = Row {
        operation: DEPLOYMENT,
        cached: mined.gas_used,
        uncached: mined.gas_used,
        floor: floor.gas(),
        paper: None,
        published: Some(PUBLISHED_DEPLOYMENT),
        split,
        l1_bytes: mined.l1_bytes(),
    };
    Ok((row, size))
}
