//! Where a transaction's gas went, from its traces, its receipt and the known prices.
//!
//! Every host call of the program tells its ink before and after. What is known to be its own price is host-call
//! ink; the rest was bought in gas, for storage, for a log, for a call. For storage and logs the price is known
//! by other means too ([`super::storage`], [`super::floor`]), and so is the refund: anything that differs is an error. Ink
//! between host calls is the program's own.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::Add;

use alloy_primitives::{Address, B256, LogData};
use serde::Serialize;

use super::abi::ARB_WASM;
use super::chain::{Chain, Frame, Mined, Step};
use super::floor::{self, TRANSACTION};
use super::storage::Storage;
use super::{DEPLOYMENT, Error};

/// Ink of a unit of gas.
const INK: u64 = 10_000;
/// Of what was used, the part that refunds may be (EIP-3529).
const REFUND_QUOTIENT: u64 = 5;
/// What ArbWasm takes for an activation, whatever the module.
const ACTIVATION: u64 = 1_747_826;

/// Gas by what it was paid for. The sum of all fields is the transaction's gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Split {
    /// 21,000 for each transaction
    pub intrinsic: u64,
    /// 4 for a zero byte, 16 for any other
    pub calldata: u64,
    /// entering the program: its cached cost, its initialisation if it is not cached, its memory
    pub program_init: u64,
    /// instructions, ink rounded up to gas with the host calls'
    pub wasm: u64,
    /// the host calls' own ink, rounded down to gas
    pub host_calls: u64,
    /// loads and stores
    pub storage: u64,
    /// topics and data
    pub logs: u64,
    /// calls to precompiles: ecrecover, and at deployment ArbWasm
    pub precompiles: u64,
    /// accounts created, 200 for each byte of code
    pub creation: u64,
    /// EVM code: StylusDeployer's
    pub evm: u64,
    /// given back for cleared storage, at most zero
    pub refund: i64,
}

impl Split {
    /// The sum.
    pub fn total(&self) -> i64 {
        let spent = [
            self.intrinsic,
            self.calldata,
            self.program_init,
            self.wasm,
            self.host_calls,
            self.storage,
            self.logs,
            self.precompiles,
            self.creation,
            self.evm,
        ];
        spent.into_iter().sum::<u64>() as i64 + self.refund
    }
}

impl Add for Split {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            intrinsic: self.intrinsic + other.intrinsic,
            calldata: self.calldata + other.calldata,
            program_init: self.program_init + other.program_init,
            wasm: self.wasm + other.wasm,
            host_calls: self.host_calls + other.host_calls,
            storage: self.storage + other.storage,
            logs: self.logs + other.logs,
            precompiles: self.precompiles + other.precompiles,
            creation: self.creation + other.creation,
            evm: self.evm + other.evm,
            refund: self.refund + other.refund,
        }
    }
}

impl Sum for Split {
    fn sum<I: Iterator<Item = Self>>(splits: I) -> Self {
        splits.fold(Self::default(), Add::add)
    }
}

/// The split of a transaction to the contract.
pub(super) async fn of_call(
    chain: &Chain,
    contract: Address,
    operation: &'static str,
    mined: &Mined,
) -> Result<Split, Error> {
    let steps = chain.steps(mined.tx).await?;
    let calldata = floor::calldata(&mined.data);
    let entry = mined.gas_limit - TRANSACTION - calldata;
    let mut storage = storage(chain, contract, &steps, mined.block).await?;
    let program = of_program(operation, entry, &steps, &mut storage)?;
    let split = Split {
        intrinsic: TRANSACTION,
        calldata,
        ..program
    };
    close(operation, mined, split, &storage)
}

/// The split of the deployment, and what activating the module took.
pub(super) async fn of_deployment(
    chain: &Chain,
    contract: Address,
    mined: &Mined,
) -> Result<(Split, u64), Error> {
    let missing = |what| Error::Trace {
        operation: DEPLOYMENT,
        what,
    };
    let top = chain.frames(mined.tx).await?;
    let steps = chain.steps(mined.tx).await?;
    let used = |frames: &dyn Fn(&&Frame) -> bool| {
        let frames = top.calls.iter().filter(frames);
        frames.map(Frame::gas_used).sum::<u64>()
    };
    let creation = used(&|frame| frame.r#type.starts_with("CREATE"));
    let precompiles = used(&|frame| frame.to == Some(ARB_WASM));
    let activations = top.calls.iter().filter(|frame| frame.to == Some(ARB_WASM));
    let activation = activations.map(Frame::gas_used).max().unwrap_or_default();
    if creation == 0 || activation < ACTIVATION {
        return Err(missing("creation and activation"));
    }

    let constructor = top
        .calls
        .iter()
        .find(|frame| frame.r#type == "CALL" && frame.to == Some(contract))
        .ok_or_else(|| missing("constructor"))?;
    let inner = steps
        .iter()
        .find(|step| step.address == Some(contract) && !step.steps.is_empty())
        .map(|step| step.steps.as_slice())
        .ok_or_else(|| missing("host calls of the constructor"))?;
    let mut storage = storage(chain, contract, inner, mined.block).await?;
    let program = of_program(DEPLOYMENT, constructor.gas(), inner, &mut storage)?;
    let refund = -refund(&storage, mined);
    let known = Split {
        intrinsic: TRANSACTION,
        calldata: floor::calldata(&mined.data),
        precompiles: program.precompiles + precompiles,
        creation,
        refund,
        ..program
    };
    let rest = mined.gas_used as i64 - known.total();
    let evm = u64::try_from(rest).map_err(|_| missing("gas for the factory"))?;
    Ok((Split { evm, ..known }, activation))
}

/// What activating took beyond the part that every module pays.
pub(super) fn variable_part(activation: u64) -> u64 {
    activation - ACTIVATION
}

/// Takes the refund off, and checks that nothing is left over.
fn close(
    operation: &'static str,
    mined: &Mined,
    split: Split,
    storage: &Storage,
) -> Result<Split, Error> {
    let before = split.total() as u64;
    let refund = storage.refund.min((before / REFUND_QUOTIENT) as i64);
    let split = Split {
        refund: -refund,
        ..split
    };
    if split.total() != mined.gas_used as i64 {
        return Err(Error::Unexplained {
            operation,
            what: "the whole, refund taken off,".into(),
            wanted: split.total() as u64,
            found: mined.gas_used,
        });
    }
    Ok(split)
}

/// Of a constructor, which clears nothing that it did not set.
fn refund(storage: &Storage, mined: &Mined) -> i64 {
    storage
        .refund
        .min((mined.gas_used / REFUND_QUOTIENT) as i64)
}

/// The slots that the host calls name, as they were before the block.
async fn storage(
    chain: &Chain,
    contract: Address,
    steps: &[Step],
    block: u64,
) -> Result<Storage, Error> {
    let mut original = BTreeMap::new();
    for key in steps.iter().filter_map(slot) {
        if let std::collections::btree_map::Entry::Vacant(slot) = original.entry(key) {
            slot.insert(chain.slot(contract, key, block.saturating_sub(1)).await?);
        }
    }
    Ok(Storage::new(original))
}

fn slot(step: &Step) -> Option<B256> {
    let named = matches!(
        step.name.as_str(),
        "storage_load_bytes32" | "storage_cache_bytes32"
    );
    named
        .then(|| step.args.get(..32).map(B256::from_slice))
        .flatten()
}

/// The part of a program that was entered with `gas`.
fn of_program(
    operation: &'static str,
    gas: u64,
    steps: &[Step],
    storage: &mut Storage,
) -> Result<Split, Error> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return Err(Error::Trace {
            operation,
            what: "host calls",
        });
    };
    if (first.name.as_str(), last.name.as_str()) != ("user_entrypoint", "user_returned") {
        return Err(Error::Trace {
            operation,
            what: "entry and return",
        });
    }
    let mut split = Split::default();
    let mut host_ink = 0;
    for step in steps {
        let ink = step.start_ink.saturating_sub(step.end_ink);
        let price = price(step, storage);
        let bought = ink.saturating_sub(price.ink) / INK;
        let unexplained = |wanted| Error::Unexplained {
            operation,
            what: step.name.clone(),
            wanted,
            found: bought,
        };
        if price.ink + bought * INK != ink && price.part != Part::Own {
            return Err(unexplained(price.gas.unwrap_or_default()));
        }
        if let Some(wanted) = price.gas.filter(|gas| *gas != bought) {
            return Err(unexplained(wanted));
        }
        host_ink += match price.part {
            Part::Own => ink,
            _ => price.ink,
        };
        match price.part {
            Part::Own => {}
            Part::Storage => split.storage += bought,
            Part::Logs => split.logs += bought,
            Part::Calls => split.precompiles += bought,
        }
    }
    split.program_init = gas.saturating_sub(first.start_ink / INK);
    split.host_calls = host_ink / INK;
    let used = gas.saturating_sub(last.end_ink / INK);
    // Ink left is rounded down to gas, so what was used is rounded up.
    split.wasm = used.saturating_sub(split.total() as u64);
    Ok(split)
}

/// What a host call's gas is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It is the call's own ink, all of it.
    Own,
    Storage,
    Logs,
    Calls,
}

/// A host call's price: its own ink, and the gas that is bought besides where that is known.
struct Price {
    part: Part,
    ink: u64,
    gas: Option<u64>,
}

/// Entering the host, a pointer of 32 bytes, reaching for the chain's state: what host calls' own ink is made of.
const HOST: u64 = 8_400;
const POINTER: u64 = 5_040;
const STATE: u64 = 59_673;

/// Reading so many bytes of the program's memory.
fn reading(bytes: usize) -> u64 {
    16_381 + 55 * (bytes as u64).saturating_sub(32)
}

fn price(step: &Step, storage: &mut Storage) -> Price {
    let args = &step.args;
    let word = |at: usize| args.get(at..at + 32).map(B256::from_slice);
    let (part, ink, gas) = match (step.name.as_str(), word(0), word(32)) {
        ("storage_load_bytes32", Some(key), _) => {
            (Part::Storage, HOST + 2 * POINTER, Some(storage.load(key)))
        }
        ("storage_cache_bytes32", Some(key), Some(value)) => (
            Part::Storage,
            HOST + 2 * POINTER,
            Some(storage.store(key, value)),
        ),
        ("storage_flush_cache", ..) => {
            let clear = args.first().is_some_and(|flag| *flag != 0);
            (Part::Storage, HOST + STATE, Some(storage.flush(clear)))
        }
        // Behind the number of topics come the topics and the data.
        ("emit_log", ..) => {
            let bytes = args.get(4..).unwrap_or_default();
            let topics = args.get(3).map_or(0, |topics| usize::from(*topics));
            let data = bytes.get(32 * topics..).unwrap_or_default().to_vec();
            let log = LogData::new_unchecked(vec![B256::ZERO; topics], data.into());
            let ink = HOST + STATE + reading(bytes.len());
            (Part::Logs, ink, Some(floor::log(&log)))
        }
        // Behind the address and the gas, for an ordinary call the value too, comes the input, which is read twice.
        ("call_contract", ..) => (Part::Calls, calling(args.len().saturating_sub(60)), None),
        ("static_call_contract" | "delegate_call_contract", ..) => {
            (Part::Calls, calling(args.len().saturating_sub(28)), None)
        }
        _ => (Part::Own, 0, None),
    };
    Price { part, ink, gas }
}

fn calling(bytes: usize) -> u64 {
    HOST + 3 * POINTER + STATE + 2 * reading(bytes)
}
