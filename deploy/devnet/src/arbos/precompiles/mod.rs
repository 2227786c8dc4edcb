//! Arbitrum's precompiles beside Ethereum's: dispatch, gas and the rules that all of them follow.
//!
//! A call pays 3 gas per word of arguments, 800 to open ArbOS's state and 3 per word of its result (also of a Solidity
//! error). An unknown function, bad arguments, value sent to a function that takes none, a write in a static call
//! and acting for another address burn all gas.

use std::collections::HashMap;
use std::sync::OnceLock;

use alloy_primitives::{Address, Bytes, Log, LogData, U256, address};
use alloy_sol_types::abi::token::TokenSeq;
use alloy_sol_types::{SolEvent, SolType, SolValue};
use revm::context::{ContextTr, JournalTr};
use revm::handler::{EthPrecompiles, PrecompileProvider};
use revm::interpreter::{CallInputs, CallScheme, Gas, InstructionResult, InterpreterResult};
use revm::precompile::Precompiles;
use revm::precompile::secp256r1::P256VERIFY;
use revm::primitives::AddressSet as Warm;
use revm::primitives::hardfork::SpecId;

use crate::arbos::address_set::AddressSet;
use crate::arbos::params::Params;
use crate::arbos::{storage, version};
use crate::evm::context::{Ctx, State};
use crate::evm::db::StateError;

mod cache_manager;
mod debug;
pub(crate) mod errors;
mod filtering;
mod gas_info;
mod info;
mod owner;
mod statistics;
mod sys;
mod table;
mod wasm;
mod wasm_cache;

/// The last bytes of the addresses that Arbitrum reserves for precompiles, whatever the version.
const RESERVED: [u8; 16] = [
    0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0xff,
];
/// The addresses that hold precompiles under an ArbOS version.
pub(crate) fn reserved(arbos: u64) -> impl Iterator<Item = Address> {
    let added = (0..=arbos).flat_map(version::added_precompiles).copied();
    RESERVED.into_iter().chain(added).map(at)
}

/// Where development nodes have the contract that sells places in the cache of programs.
pub(crate) const CACHE_MANAGER: Address = address!("2F8Bd4EaB69764c105aDd7dE7CB0402557a44E6f");

/// Gas of each word copied in or out.
const COPY_WORD: u64 = 3;
/// Gas of reading and of writing a slot of ArbOS's state, of a code hash.
const READ: u64 = 800;
const WRITE: u64 = 20_000;
const CODE_HASH: u64 = 2600;
/// Gas of the parameters, which everything needs.
const PARAMS: u64 = 100;
/// Gas of an event, of each topic and of each byte.
const LOG: u64 = 375;
const LOG_BYTE: u64 = 8;

/// The reserved address that ends in `byte`.
pub(crate) fn at(byte: u8) -> Address {
    Address::with_last_byte(byte)
}

/// How a precompile call fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A Solidity error; gas is kept.
    #[error("reverted")]
    Solidity(Vec<u8>),
    /// Burns all gas and says nothing.
    #[error("burnt")]
    Burn,
    #[error("out of gas")]
    OutOfGas,
    /// Reverts without data; gas is kept.
    #[error("refused")]
    Refused,
    /// Burns all gas; the sender of the transaction learns why.
    #[error("{0}")]
    Halt(String),
    /// The machine itself failed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The powers of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purity {
    /// Does not open ArbOS's state.
    Pure,
    View,
    Write,
    Payable,
}

/// A call to a precompile.
pub(super) struct Invocation<'c, 'a> {
    pub(super) ctx: &'c mut Ctx<'a>,
    pub(super) caller: Address,
    /// The precompile itself.
    pub(super) own: Address,
    pub(super) value: U256,
    /// Arguments, without selector.
    pub(super) args: &'c [u8],
    is_static: bool,
    delegated: bool,
    gas_left: u64,
    /// `true` if it costs nothing.
    free: bool,
}

type Done<T = ()> = Result<T, Failure>;

impl<'a> Invocation<'_, 'a> {
    pub(super) fn state(&mut self) -> &mut State<'a> {
        self.ctx.journal_mut()
    }

    pub(super) fn burn(&mut self, gas: u64) -> Done {
        if self.free {
            return Ok(());
        }
        match self.gas_left.checked_sub(gas) {
            Some(left) => {
                self.gas_left = left;
                Ok(())
            }
            None => {
                self.gas_left = 0;
                Err(Failure::OutOfGas)
            }
        }
    }

    /// Checks what the function allows, takes its arguments and opens ArbOS's state.
    pub(super) fn open<T>(&mut self, purity: Purity) -> Done<T>
    where
        T: SolValue + From<<T::SolType as SolType>::RustType>,
        for<'de> <T::SolType as SolType>::Token<'de>: TokenSeq<'de>,
    {
        let sends = !self.value.is_zero() && purity != Purity::Payable;
        let writes = matches!(purity, Purity::Write | Purity::Payable);
        if (self.delegated && purity != Purity::Pure) || sends || (self.is_static && writes) {
            return Err(Failure::Burn);
        }
        self.burn(COPY_WORD * self.args.len().div_ceil(32) as u64)?;
        if purity != Purity::Pure {
            self.burn(READ)?;
        }
        T::abi_decode_params_validate(self.args).map_err(|_| Failure::Burn)
    }

    pub(super) fn params(&mut self) -> Done<Params> {
        self.burn(PARAMS)?;
        Ok(Params::load(self.state())?)
    }

    pub(super) fn gas_left(&self) -> u64 {
        match self.free {
            true => u64::MAX,
            false => self.gas_left,
        }
    }

    /// The ArbOS version in force.
    pub(super) fn arbos(&self) -> u64 {
        self.ctx.chain.arbos
    }

    /// Burns all gas unless ArbOS is at least `version`: older ones do not have the function.
    pub(super) fn since(&self, version: u64) -> Done {
        match self.arbos() >= version {
            true => Ok(()),
            false => Err(Failure::Burn),
        }
    }

    /// Reads a slot of ArbOS's state.
    pub(super) fn read(&mut self, slot: U256) -> Done<U256> {
        self.burn(READ)?;
        Ok(storage::read(self.state(), slot)?)
    }

    pub(super) fn now(&self) -> u64 {
        self.ctx.block.timestamp.saturating_to()
    }

    pub(super) fn contains(&mut self, set: AddressSet, address: Address) -> Done<bool> {
        self.burn(READ)?;
        Ok(set.contains(self.state(), address)?)
    }

    pub(super) fn members(&mut self, set: AddressSet) -> Done<Vec<Address>> {
        let members = set.members(self.state())?;
        self.burn(READ * (1 + members.len() as u64))?;
        Ok(members)
    }

    pub(super) fn insert(&mut self, set: AddressSet, address: Address) -> Done {
        if self.contains(set, address)? {
            return Ok(());
        }
        self.burn(2 * READ + 3 * WRITE)?;
        Ok(set.insert(self.state(), address)?)
    }

    pub(super) fn emit(&mut self, event: &impl SolEvent) -> Done {
        self.emit_from(self.own, event.encode_log_data())
    }

    fn emit_from(&mut self, address: Address, data: LogData) -> Done {
        let topics = data.topics().len() as u64;
        self.burn(LOG * (1 + topics) + LOG_BYTE * data.data.len() as u64)?;
        self.state().log(Log { address, data });
        Ok(())
    }
}

type Function = fn(&mut Invocation<'_, '_>, [u8; 4]) -> Done<Vec<u8>>;

/// Finds the function that answers at an address.
fn function(address: Address, arbos: u64, debug: bool) -> Option<Function> {
    if address == CACHE_MANAGER {
        return Some(cache_manager::run);
    }
    let (byte, zeros) = address.split_last()?;
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(match byte {
        0x64 => sys::run,
        0x65 => info::run,
        0x66 => table::run,
        0x6b => owner::run_public,
        0x6c => gas_info::run,
        0x6f => statistics::run,
        0x70 => owner::run,
        0x71 => wasm::run,
        0x72 => wasm_cache::run,
        0x74 if arbos >= version::FRAGMENTS => filtering::run,
        0xff if debug => debug::run,
        _ => return None,
    })
}

/// The ArbOS versions since which P256VERIFY is there, and Ethereum's Osaka, which has it at another price.
const P256_SINCE: u64 = 30;
const OSAKA_SINCE: u64 = 50;

/// The precompiles of Prague and P256VERIFY at its first price: those of ArbOS 40 to 49.
static PRAGUE_WITH_P256: OnceLock<Precompiles> = OnceLock::new();

/// Ethereum's precompiles and Arbitrum's.
#[derive(Debug)]
pub(crate) struct ArbPrecompiles {
    ethereum: EthPrecompiles,
    warm: Warm,
    /// Addresses where another address's precompile answers, or none.
    moved: HashMap<Address, Option<Address>>,
}

impl ArbPrecompiles {
    pub(crate) fn new(spec: SpecId, arbos: u64, moved: HashMap<Address, Option<Address>>) -> Self {
        let mut ethereum = EthPrecompiles::new(spec);
        if (P256_SINCE..OSAKA_SINCE).contains(&arbos) && spec == SpecId::PRAGUE {
            ethereum.precompiles = PRAGUE_WITH_P256.get_or_init(|| {
                let mut precompiles = ethereum.precompiles.clone();
                precompiles.extend([P256VERIFY]);
                precompiles
            });
        }
        let mut warm = Warm::default();
        warm.clone_from(ethereum.warm_addresses());
        warm.extend(reserved(arbos));
        warm.extend(moved.keys().copied());
        Self {
            ethereum,
            warm,
            moved,
        }
    }
}

impl ArbPrecompiles {
    /// Says whether a precompile answers at an address.
    pub(crate) fn contains(&self, address: &Address) -> bool {
        self.warm.contains(address)
    }
}

impl<'a> PrecompileProvider<Ctx<'a>> for ArbPrecompiles {
    type Output = InterpreterResult;

    /// The rules are chosen once; there are no others to change to.
    fn set_spec(&mut self, _spec: SpecId) -> bool {
        false
    }

    fn warm_addresses(&self) -> &Warm {
        &self.warm
    }

    fn run(
        &mut self,
        ctx: &mut Ctx<'a>,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        let address = match self.moved.get(&inputs.bytecode_address) {
            None => inputs.bytecode_address,
            Some(Some(original)) => *original,
            Some(None) => return Ok(None),
        };
        let Some(run) = function(address, ctx.chain.arbos, ctx.chain.debug) else {
            let inputs = CallInputs {
                bytecode_address: address,
                ..inputs.clone()
            };
            return self.ethereum.run(ctx, &inputs);
        };
        let input = inputs.input.bytes_local(&ctx.local);
        let (selector, args) = match input.split_first_chunk::<4>() {
            Some((selector, args)) => (Some(*selector), args),
            None => (None, &[][..]),
        };
        let mut call = Invocation {
            caller: inputs.caller,
            own: inputs.bytecode_address,
            value: inputs.value.get(),
            args,
            is_static: inputs.is_static,
            delegated: matches!(
                inputs.scheme,
                CallScheme::DelegateCall | CallScheme::CallCode
            ),
            gas_left: inputs.gas_limit,
            free: false,
            ctx,
        };
        let done = match selector {
            Some(selector) => run(&mut call, selector),
            None => Err(Failure::Burn),
        }
        .and_then(|output| {
            call.burn(COPY_WORD * output.len().div_ceil(32) as u64)?;
            Ok(output)
        });
        let (result, output, left) = match done {
            Ok(output) => (InstructionResult::Return, output, call.gas_left),
            Err(Failure::Solidity(error)) => {
                match call.burn(COPY_WORD * error.len().div_ceil(32) as u64) {
                    Ok(()) => (InstructionResult::Revert, error, call.gas_left),
                    Err(_) => (InstructionResult::PrecompileOOG, Vec::new(), 0),
                }
            }
            Err(Failure::Refused) => (InstructionResult::Revert, Vec::new(), call.gas_left),
            Err(Failure::Burn) => (InstructionResult::Revert, Vec::new(), 0),
            Err(Failure::OutOfGas) => (InstructionResult::PrecompileOOG, Vec::new(), 0),
            Err(Failure::Halt(text)) => {
                if ctx.journal().depth() == 1 {
                    ctx.chain.halt_text = Some(text);
                }
                (InstructionResult::PrecompileError, Vec::new(), 0)
            }
            Err(Failure::State(error)) => return Err(error.to_string()),
        };
        let mut gas = Gas::new_with_regular_gas_and_reservoir(inputs.gas_limit, inputs.reservoir);
        gas.set_remaining(left);
        Ok(Some(InterpreterResult::new(
            result,
            Bytes::from(output),
            gas,
        )))
    }
}
