//! The life of a deployed program: Stylus programs expire 365 days after their activation unless they are kept
//! alive, cost less to call while the chain keeps them ready to run, and are as good as the build that they equal.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolCall, SolError};
use pcim_ledger::{Account, Chain, Mined};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Error;
use super::abi::{self, ARB_WASM, ARB_WASM_CACHE, IArbWasm, IArbWasmCache, ICacheManager, Pcac};
use super::chain::{self, Payment, view};
use super::program::{self, Program};
use crate::{artifact, networks};

const DAY: u64 = 86_400;
/// The most that is bid unless an amount is given, in wei: 0.001 ether.
const MAX_BID: U256 = U256::from_limbs([1_000_000_000_000_000, 0, 0, 0]);

/// A deployed contract, and the build that it is compared with.
pub struct Deployed<'a> {
    /// `http://` or `https://`
    pub rpc_url: &'a str,
    /// refuse any other chain
    pub chain_id: u64,
    /// where it is
    pub contract: Address,
    /// the module that it should be, uncompressed
    pub wasm: &'a [u8],
}

/// How a program stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// It runs.
    Active,
    /// Its time is over: it does not run until it is activated again.
    Expired,
    /// It was never activated, or by an older version of Stylus: it does not run until it is activated.
    Inactive,
}

/// The report of `pcim deploy status`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// the contract
    pub contract: Address,
    /// who accredits radiologists, if it can be asked
    pub consortium: Option<Address>,
    /// the contract's own, if it can be asked
    pub version: Option<String>,
    /// whether it runs
    pub activation: Activation,
    /// the version of Stylus that it was activated by, and the chain's
    pub stylus_version: (u16, u16),
    /// seconds until it stops running
    pub time_left: u64,
    /// when it stops running, unix seconds by the chain's clock; 0 if it does not run
    pub expires_at: u64,
    /// seconds until it can be kept alive
    pub keepalive_in: u64,
    /// whether the chain keeps it ready to run
    pub cached: bool,
    /// wei for which it would be kept ready now, if the chain has a cache manager and it runs
    pub least_bid: Option<String>,
    /// Keccak-256 of the account's code
    pub code_hash: B256,
    /// bytes of the account's code
    pub code_bytes: usize,
    /// SHA-256 of the module in it, hex; none if there is no module in it
    pub wasm_sha256: Option<String>,
    /// Keccak-256 that the code of the local build has
    pub local_code_hash: B256,
    /// SHA-256 of the local build's module, hex
    pub local_wasm_sha256: String,
    /// whether the two are the same
    pub is_local_build: bool,
}

/// An act of upkeep, and its cost.
#[derive(Clone, Debug, Serialize)]
pub struct Upkeep {
    /// the contract
    pub contract: Address,
    /// `kept_alive`, `activated`, `cached`, or `nothing` if there was nothing to do
    pub done: &'static str,
    /// the transaction
    pub tx: Option<B256>,
    /// gas, the L1 part included
    pub gas_used: u64,
    /// wei paid beside the gas: for the activation, or as the bid
    pub paid: String,
}

/// Looks at a deployed contract; costs nothing.
///
/// # Errors
/// [`Error::NoContract`], and those of the RPC.
pub async fn status(deployed: &Deployed<'_>) -> Result<Status, Error> {
    let chain = Chain::connect(deployed.rpc_url, deployed.chain_id).await?;
    let contract = deployed.contract;
    let code = chain.code(contract).await?;
    if code.is_empty() {
        return Err(Error::NoContract { contract });
    }
    let chain_version = view(&chain, ARB_WASM, IArbWasm::stylusVersionCall {}).await?;
    let chain_version = chain_version.ok_or(Error::NoStylus)?;
    let codehash = keccak256(&code);
    // A deployment of version 1 is compared with version 1.
    let first = Program::new(artifact::V1_WASM)?;
    let (local, wasm) = match first.code_hash() == codehash {
        true => (first, artifact::V1_WASM),
        false => (Program::new(deployed.wasm)?, deployed.wasm),
    };
    let (activation, time_left) = standing(&chain, contract).await?;
    let activated = activated_by(&chain, codehash).await?;
    let lifetime = view(&chain, ARB_WASM, IArbWasm::expiryDaysCall {}).await?;
    let young = view(&chain, ARB_WASM, IArbWasm::keepaliveDaysCall {}).await?;
    let age = (u64::from(lifetime.unwrap_or_default()) * DAY).saturating_sub(time_left);
    let keepalive_in = (u64::from(young.unwrap_or_default()) * DAY).saturating_sub(age);
    let now = chain.now().await?;
    let cached = is_cached(&chain, codehash).await?;
    let least_bid = match manager(&chain).await? {
        Some(manager) => least_bid(&chain, manager, contract).await?,
        None => None,
    };
    let module = program::module_of(&code);
    let (mut consortium, mut version) = (None, None);
    // A program that does not run answers nothing, not even with a revert.
    if activation == Activation::Active {
        consortium = abi::consortium(&chain, contract).await?;
        version = view(&chain, contract, Pcac::versionCall {}).await?;
    }
    Ok(Status {
        contract,
        consortium,
        version,
        activation,
        stylus_version: (activated, chain_version),
        time_left,
        expires_at: if time_left > 0 { now + time_left } else { 0 },
        keepalive_in: if time_left > 0 { keepalive_in } else { 0 },
        cached,
        least_bid: least_bid.map(|wei| wei.to_string()),
        code_hash: codehash,
        code_bytes: code.len(),
        wasm_sha256: module.map(|module| hex::encode(Sha256::digest(module))),
        local_code_hash: local.code_hash(),
        local_wasm_sha256: hex::encode(Sha256::digest(wasm)),
        is_local_build: local.code_hash() == codehash,
    })
}

/// Extends a program's life to the full term again; activates it if it does not run any more.
///
/// # Errors
/// [`Error::TooYoung`] if it was activated or kept alive less than about a month ago, [`Error::NoContract`],
/// [`Error::Funds`], and those of the RPC.
pub async fn keepalive(
    deployed: &Deployed<'_>,
    key: &[u8; 32],
    max_fee: U256,
) -> Result<Upkeep, Error> {
    let payer = Account::from_private_key(key)?;
    let chain = Chain::connect(deployed.rpc_url, deployed.chain_id).await?;
    let contract = deployed.contract;
    let code = chain.code(contract).await?;
    if code.is_empty() {
        return Err(Error::NoContract { contract });
    }
    let codehash = keccak256(&code);
    let (activation, _) = standing(&chain, contract).await?;
    let (done, data) = match activation {
        Activation::Active => (
            "kept_alive",
            IArbWasm::codehashKeepaliveCall { codehash }.abi_encode(),
        ),
        Activation::Expired | Activation::Inactive => (
            "activated",
            IArbWasm::activateProgramCall { program: contract }.abi_encode(),
        ),
    };
    let fee = fee(&chain, payer.address(), &data).await?;
    let value = fee + fee / U256::from(5);
    let mined = pay(&chain, &payer, (ARB_WASM, value, data), max_fee).await?;
    Ok(Upkeep {
        contract,
        done,
        tx: Some(mined.tx),
        gas_used: mined.gas_used,
        paid: chain::data_fee(&chain, &mined).await?.to_string(),
    })
}

/// Bids for a place in the chain's cache: the least that wins, at most 0.001 ether, unless another amount of wei is given.
/// A program that is in the cache stays as it is.
///
/// # Errors
/// [`Error::NoCacheManager`], [`Error::EmptyCacheManager`], [`Error::OtherCacheManager`], [`Error::HighBid`],
/// [`Error::LowBid`], [`Error::NotActive`], [`Error::Funds`], and those of the RPC.
pub async fn cache_bid(
    deployed: &Deployed<'_>,
    key: &[u8; 32],
    bid: Option<U256>,
    max_fee: U256,
) -> Result<Upkeep, Error> {
    let payer = Account::from_private_key(key)?;
    let chain = Chain::connect(deployed.rpc_url, deployed.chain_id).await?;
    let contract = deployed.contract;
    let code = chain.code(contract).await?;
    if code.is_empty() {
        return Err(Error::NoContract { contract });
    }
    if is_cached(&chain, keccak256(&code)).await? {
        return Ok(Upkeep {
            contract,
            done: "nothing",
            tx: None,
            gas_used: 0,
            paid: "0".to_owned(),
        });
    }
    let manager = manager(&chain).await?.ok_or(Error::NoCacheManager)?;
    check_manager(&chain, deployed.chain_id, manager).await?;
    let least = least_bid(&chain, manager, contract).await?;
    let least = least.ok_or(Error::NotActive { contract })?;
    if bid.is_none() && least > MAX_BID {
        return Err(Error::HighBid {
            least,
            max: MAX_BID,
        });
    }
    let bid = bid.unwrap_or(least);
    if bid < least {
        return Err(Error::LowBid { bid, least });
    }
    let call = ICacheManager::placeBidCall { program: contract };
    let mined = pay(&chain, &payer, (manager, bid, call.abi_encode()), max_fee).await?;
    Ok(Upkeep {
        contract,
        done: "cached",
        tx: Some(mined.tx),
        gas_used: mined.gas_used,
        paid: bid.to_string(),
    })
}

/// Refuses a cache manager without code, and for a known chain any but its own: what is bid goes to it.
async fn check_manager(chain: &Chain, chain_id: u64, manager: Address) -> Result<(), Error> {
    let known = networks::all()
        .into_iter()
        .find(|it| it.chain_id == chain_id);
    if let Some(wanted) = known.and_then(|network| network.cache_manager)
        && wanted != manager
    {
        return Err(Error::OtherCacheManager {
            wanted,
            found: manager,
        });
    }
    match chain.code(manager).await?.is_empty() {
        true => Err(Error::EmptyCacheManager { manager }),
        false => Ok(()),
    }
}

/// Reads the version of Stylus that a program was activated by, also where the chain's is a newer one; 0 if it does not say.
async fn activated_by(chain: &Chain, codehash: B256) -> Result<u16, Error> {
    let call = IArbWasm::codehashVersionCall { codehash };
    let version = match chain.call(None, ARB_WASM, &call.abi_encode()).await? {
        Ok(data) => IArbWasm::codehashVersionCall::abi_decode_returns_validate(&data).ok(),
        Err(reason) => IArbWasm::ProgramNeedsUpgrade::abi_decode(&reason)
            .ok()
            .map(|old| old.version),
    };
    Ok(version.unwrap_or_default())
}

/// Whether a program runs, and for how many seconds.
async fn standing(chain: &Chain, program: Address) -> Result<(Activation, u64), Error> {
    let left = IArbWasm::programTimeLeftCall { program };
    Ok(
        match chain.call(None, ARB_WASM, &left.abi_encode()).await? {
            Ok(data) => {
                let left = IArbWasm::programTimeLeftCall::abi_decode_returns_validate(&data);
                let left =
                    left.map_err(|e| chain.nonsense("eth_call", format!("programTimeLeft: {e}")))?;
                (Activation::Active, left)
            }
            Err(data) if data.starts_with(&IArbWasm::ProgramExpired::SELECTOR) => {
                (Activation::Expired, 0)
            }
            Err(_) => (Activation::Inactive, 0),
        },
    )
}

/// What `ArbWasm` takes for a call, in wei: it says so when it is offered nothing.
async fn fee(chain: &Chain, from: Address, data: &[u8]) -> Result<U256, Error> {
    let reason = match chain.call(Some(from), ARB_WASM, data).await? {
        Ok(_) => return Ok(U256::ZERO),
        Err(reason) => reason,
    };
    if let Ok(wanted) = IArbWasm::ProgramInsufficientValue::abi_decode(&reason) {
        return Ok(wanted.want);
    }
    if let Ok(young) = IArbWasm::ProgramKeepaliveTooSoon::abi_decode(&reason) {
        return Err(Error::TooYoung {
            age: young.ageInSeconds,
        });
    }
    Err(Error::Refused {
        reason: abi::reason(&reason),
    })
}

async fn is_cached(chain: &Chain, codehash: B256) -> Result<bool, Error> {
    let call = IArbWasmCache::codehashIsCachedCall { codehash };
    Ok(view(chain, ARB_WASM_CACHE, call).await?.unwrap_or_default())
}

/// The contract that sells places in the cache; the one that was named last, where there are several.
async fn manager(chain: &Chain) -> Result<Option<Address>, Error> {
    let managers = view(
        chain,
        ARB_WASM_CACHE,
        IArbWasmCache::allCacheManagersCall {},
    )
    .await?;
    Ok(managers.and_then(|managers| managers.last().copied()))
}

/// Wei for which a program gets a place now; none if it does not run.
async fn least_bid(
    chain: &Chain,
    manager: Address,
    program: Address,
) -> Result<Option<U256>, Error> {
    let call = ICacheManager::getMinBidCall { program };
    Ok(view(chain, manager, call).await?.map(U256::from))
}

/// Sends data and wei to a contract, if the account can pay for it.
async fn pay(
    chain: &Chain,
    payer: &Account,
    (to, value, data): (Address, U256, Vec<u8>),
    max_fee: U256,
) -> Result<Mined, Error> {
    let payment = Payment {
        to,
        value,
        data,
        typical_gas: 0,
    };
    let call = chain::sign(chain, payer, payment, max_fee).await?;
    chain::submit(chain, &call).await
}
