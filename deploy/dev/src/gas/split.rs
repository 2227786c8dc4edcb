//! Where a transaction's gas went, from its traces, its receipt and the known prices.
//!
//! Every host call of the program reports its ink before and after. Ink that is known to be its own price is host-call
//! ink; the rest was bought in gas, for storage, for a log, for a call. For storage and logs the price is known
//! by other means too ([`super::storage`], [`super::floor`]), and so is the refund: anything that differs is an error. Ink
//! between host calls is the program's own.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::Add;

use alloy_primitives::{Address, B256, LogData};
use serde::Serialize;
use stylus_devnet::ArbOs;

use super::abi::ARB_WASM;
use super::chain::{Chain, Frame, Mined, Step};
use super::floor::{self, TRANSACTION};
use super::storage::Storage;
use super::{DEPLOYMENT, Error};

/// Ink of a unit of gas.
const INK: u64 = 10_000;
/// Of what was used, the part that refunds may be (EIP-3529).
const REFUND_QUOTIENT: u64 = 5;
/// What ArbWasm takes for an activation, whatever the module; and since ArbOS 59 for looking up what its owners add.
const ACTIVATION: u64 = 1_747_826;
const ADDED_ACTIVATION: u64 = 800;

/// Gas by what it was paid for. The sum of all fields is the transaction's gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Split {
    /// 21,000 for each transaction
    pub(crate) intrinsic: u64,
    /// 4 for a zero byte, 16 for any other
    pub(crate) calldata: u64,
    /// entering the program: its cached cost, its initialisation if it is not cached, its memory
    pub(crate) program_init: u64,
    /// instructions, ink rounded up to gas with the host calls'
    pub(crate) wasm: u64,
    /// the host calls' own ink, rounded down to gas
    pub(crate) host_calls: u64,
    /// loads and stores
    pub(crate) storage: u64,
    /// topics and data
    pub(crate) logs: u64,
    /// calls to precompiles: ecrecover, and at deployment ArbWasm
    pub(crate) precompiles: u64,
    /// accounts created, 200 for each byte of code
    pub(crate) creation: u64,
    /// EVM code: StylusDeployer's
    pub(crate) evm: u64,
    /// given back for cleared storage, at most zero
    pub(crate) refund: i64,
}

impl Split {
    /// The sum.
    pub(crate) fn total(&self) -> i64 {
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
    arbos: ArbOs,
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
    if creation == 0 || activation < fixed_activation(arbos) {
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
pub(super) fn variable_part(activation: u64, arbos: ArbOs) -> u64 {
    activation - fixed_activation(arbos)
}

fn fixed_activation(arbos: ArbOs) -> u64 {
    match arbos < ArbOs::V59 {
        true => ACTIVATION,
        false => ACTIVATION + ADDED_ACTIVATION,
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Gas at the entry of a program, before and after what entering costs.
    const GAS: u64 = 100_000;
    const ENTERED: u64 = 98_000;
    /// Ink of the program's own before each host call.
    const OWN: u64 = 1_234;

    /// A run with these host calls: name, arguments, ink.
    fn steps(calls: &[(&str, String, u64)]) -> Vec<Step> {
        let mut ink = ENTERED * INK;
        let mut step = |name: &str, args: &str, spent: u64| {
            ink -= if spent == 0 { 0 } else { OWN };
            let start = ink;
            ink -= spent;
            let step = json!({"name": name, "args": args, "startInk": start, "endInk": ink});
            serde_json::from_value(step).unwrap()
        };
        let mut steps = vec![step("user_entrypoint", "0x", 0)];
        steps.extend(calls.iter().map(|(name, args, ink)| step(name, args, *ink)));
        steps.push(step("user_returned", "0x", 0));
        steps
    }

    fn word(n: u8) -> String {
        format!("{n:064x}")
    }

    fn split(calls: &[(&str, String, u64)]) -> Result<(Split, i64), Error> {
        let held = [(B256::with_last_byte(1), B256::with_last_byte(9))];
        let mut storage = Storage::new(held.into());
        let split = of_program("test", GAS, &steps(calls), &mut storage)?;
        Ok((split, storage.refund))
    }

    /// Loads slot 1, clears it, logs two topics and 10 bytes, calls ecrecover with 128 bytes.
    fn calls() -> Vec<(&'static str, String, u64)> {
        let log = format!("0x00000002{}{}{}", word(1), word(2), "ab".repeat(10));
        let call = format!(
            "0x{}{}{}",
            "00".repeat(20),
            "00".repeat(8),
            "cd".repeat(128)
        );
        vec![
            ("msg_sender", "0x".into(), 13_440),
            (
                "storage_load_bytes32",
                format!("0x{}", word(1)),
                18_480 + 2_105 * INK,
            ),
            (
                "storage_cache_bytes32",
                format!("0x{}{}", word(1), word(0)),
                18_480,
            ),
            ("storage_flush_cache", "0x01".into(), 68_073 + 2_900 * INK),
            (
                "emit_log",
                log,
                68_073 + 16_381 + 55 * 42 + (375 * 3 + 80) * INK,
            ),
            (
                "static_call_contract",
                call,
                83_193 + 2 * (16_381 + 55 * 96) + 3_100 * INK,
            ),
        ]
    }

    #[test]
    fn what_a_program_used_is_taken_apart() {
        let calls = calls();
        let (split, refund) = split(&calls).unwrap();
        assert_eq!(refund, 4_800);
        assert_eq!(split.program_init, GAS - ENTERED);
        assert_eq!(
            (split.storage, split.logs, split.precompiles),
            (5_005, 1_205, 3_100)
        );
        let bought = (5_005 + 1_205 + 3_100) * INK;
        let ink: u64 = calls.iter().map(|(.., ink)| ink).sum();
        assert_eq!(split.host_calls, (ink - bought) / INK);
        let used = (ink + OWN * calls.len() as u64).div_ceil(INK);
        assert_eq!(split.total() as u64, GAS - ENTERED + used);
        assert_eq!(split.wasm, used - 5_005 - 1_205 - 3_100 - split.host_calls);
    }

    #[test]
    fn a_price_that_is_not_the_known_one_is_an_error() {
        for (at, off) in [
            (1, 2_000 * INK),
            (1, 1),
            (3, INK),
            (3, 17),
            (4, 8 * INK),
            (5, 5),
        ] {
            let mut calls = calls();
            calls[at].2 += off;
            let name = calls[at].0;
            match split(&calls) {
                Err(Error::Unexplained { what, .. }) => assert_eq!(what, name),
                other => panic!("{name} by {off}: {other:?}"),
            }
        }
        let mut unending = steps(&calls());
        unending.pop();
        let error = of_program("test", GAS, &unending, &mut Storage::default());
        assert!(matches!(error, Err(Error::Trace { .. })));
    }

    #[test]
    fn splits_add_part_by_part() {
        let one = split(&calls()).unwrap().0;
        let two: Split = [one, Split { refund: -7, ..one }].into_iter().sum();
        assert_eq!(two.total(), 2 * one.total() - 7);
        assert_eq!(two.logs, 2 * one.logs);
    }
}
