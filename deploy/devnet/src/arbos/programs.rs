//! Records of activated programs, and activation.

use alloy_primitives::{Address, B256, U256};
use revm::context_interface::JournalTr;

use super::address_set::AddressSet;
use super::code::{Code, NotWasm, Root, unpack_classic};
use super::params::{Params, programs_space};
use super::storage;
use crate::evm::context::State;
use crate::evm::db::StateError;
use crate::wasm::{self, ActivationParams};

/// When the first Arbitrum chain's clock begins, unix seconds.
const EPOCH: u64 = 1_421_388_000;
const HOUR: u64 = 3600;
/// Seconds in a day.
pub(crate) const DAY: u64 = 24 * HOUR;

/// The chain's record of an activated program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The Stylus version it was activated for; 0 is never activated.
    pub(crate) version: u16,
    pub(crate) init_cost: u16,
    pub(crate) cached_cost: u16,
    /** pages */
    pub(crate) footprint: u16,
    /// Hours since the epoch of Arbitrum's clock.
    pub(crate) activated_at: u32,
    pub(crate) asm_kb: u32,
    /// `true` if a cache manager keeps it.
    pub(crate) cached: bool,
}

/// Why a program cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Inactive {
    #[error("program not activated")]
    NotActivated,
    #[error("program needs upgrade: has version {have}, wants {want}")]
    NeedsUpgrade { have: u16, want: u16 },
    #[error("program expired: age {age} seconds")]
    Expired { age: u64 },
}

/// Returns the accounts that may put programs into the cache and out of it.
pub(crate) fn cache_managers() -> AddressSet {
    AddressSet(programs_space().child(4))
}

/// The slot of the gas that every activation pays besides, since ArbOS 59.
pub(crate) fn activation_gas_slot() -> U256 {
    programs_space().child(5).field(0)
}

fn record_slot(code_hash: B256) -> U256 {
    programs_space().child(1).slot(code_hash)
}

impl Record {
    /// The record of a code hash as it is, active or not.
    pub(crate) fn load(state: &mut State<'_>, code_hash: B256) -> Result<Self, StateError> {
        Ok(Self::unpack(storage::read(state, record_slot(code_hash))?))
    }

    /// Writes the record.
    pub(crate) fn store(&self, state: &mut State<'_>, code_hash: B256) -> Result<(), StateError> {
        storage::write(state, record_slot(code_hash), self.pack())
    }

    /// Checks that the program may run at the time `now`.
    pub(crate) fn check(&self, params: &Params, now: u64) -> Result<(), Inactive> {
        if self.version == 0 {
            return Err(Inactive::NotActivated);
        }
        if self.version != params.version {
            return Err(Inactive::NeedsUpgrade {
                have: self.version,
                want: params.version,
            });
        }
        let age = self.age(now);
        if age > u64::from(params.expiry_days) * DAY {
            return Err(Inactive::Expired { age });
        }
        Ok(())
    }

    /// Seconds since activation.
    pub(crate) fn age(&self, now: u64) -> u64 {
        now.saturating_sub(EPOCH + u64::from(self.activated_at) * HOUR)
    }

    fn pack(&self) -> U256 {
        let mut word = [0; 32];
        word[0..2].copy_from_slice(&self.version.to_be_bytes());
        word[2..4].copy_from_slice(&self.init_cost.to_be_bytes());
        word[4..6].copy_from_slice(&self.cached_cost.to_be_bytes());
        word[6..8].copy_from_slice(&self.footprint.to_be_bytes());
        word[8..11].copy_from_slice(&self.activated_at.to_be_bytes()[1..]);
        word[11..14].copy_from_slice(&self.asm_kb.to_be_bytes()[1..]);
        word[14] = self.cached.into();
        U256::from_be_bytes(word)
    }

    fn unpack(word: U256) -> Self {
        let word: [u8; 32] = word.to_be_bytes();
        let u16_at = |at: usize| u16::from_be_bytes([word[at], word[at + 1]]);
        let u24_at = |at: usize| u32::from_be_bytes([0, word[at], word[at + 1], word[at + 2]]);
        Self {
            version: u16_at(0),
            init_cost: u16_at(2),
            cached_cost: u16_at(4),
            footprint: u16_at(6),
            activated_at: u24_at(8),
            asm_kb: u24_at(11),
            cached: word[14] != 0,
        }
    }
}

/// Hours on Arbitrum's clock at the unix time `now`.
pub(crate) fn hours(now: u64) -> u32 {
    u32::try_from(now.saturating_sub(EPOCH) / HOUR).unwrap_or(u32::MAX)
}

/// Records the hash of the module that a code hash was activated to.
pub(crate) fn store_module_hash(
    state: &mut State<'_>,
    code_hash: B256,
    module_hash: B256,
) -> Result<(), StateError> {
    let slot = programs_space().child(2).slot(code_hash);
    storage::write(state, slot, module_hash.into())
}

/// The code and its hash at an address, read without making the account warm.
pub(crate) fn code_of(
    state: &mut State<'_>,
    address: Address,
) -> Result<(B256, Vec<u8>), StateError> {
    let account = state.load_account_with_code(address)?;
    let cold = account.is_cold;
    let code = account.info.code.clone().unwrap_or_default();
    let hash = account.info.code_hash;
    if cold && let Some(account) = state.inner.state.get_mut(&address) {
        account.mark_cold();
    }
    Ok((hash, code.original_byte_slice().to_vec()))
}

/// Why the WASM of a program cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WasmError {
    #[error(transparent)]
    NotWasm(#[from] NotWasm),
    #[error(transparent)]
    State(#[from] StateError),
}

/// The WASM of a program that is active. Reading its fragments is free and leaves them as cold as they were.
pub(crate) fn wasm_of(
    state: &mut State<'_>,
    code: &[u8],
    params: &Params,
    arbos: u64,
) -> Result<Vec<u8>, WasmError> {
    let root = match Code::of(code, arbos) {
        Code::Classic(body) => return Ok(unpack_classic(body, params)?),
        Code::Root(code) => Root::read(code, params)?,
        _ => return Err(NotWasm::NoProgram.into()),
    };
    let mut packed = Vec::new();
    for address in &root.fragments {
        let (_, code) = code_of(state, *address)?;
        let Code::Fragment(payload) = Code::of(&code, arbos) else {
            return Err(NotWasm::NoFragment(*address).into());
        };
        packed.extend_from_slice(payload);
    }
    Ok(root.unpack(&packed)?)
}

/// The rules that programs are activated under and instrumented by.
pub(crate) fn activation_params(
    params: &Params,
    arbos: u64,
    pages_open: u16,
    debug: bool,
) -> ActivationParams {
    wasm::ActivationParams {
        version: params.version,
        arbos,
        page_limit: params.page_limit.saturating_sub(pages_open),
        debug,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A record written on Arbitrum One in block 485279792.
    const RECORD: &str = "0x000235d30d8300110189e70004fb000000000000000000000000000000000000";

    #[test]
    fn a_record_of_the_public_chain_reads_and_writes_back() {
        let word: U256 = RECORD.parse().unwrap();
        let record = Record::unpack(word);
        assert_eq!(
            record,
            Record {
                version: 2,
                init_cost: 13_779,
                cached_cost: 3459,
                footprint: 17,
                activated_at: hours(1_784_410_905),
                asm_kb: 1275,
                cached: false,
            }
        );
        assert_eq!(record.pack(), word);
    }

    #[test]
    fn a_record_grows_old() {
        let params = Params::DEFAULT;
        let now = 1_784_410_905;
        let record = Record {
            version: 2,
            activated_at: hours(now),
            ..Record::default()
        };
        assert_eq!(record.check(&params, now), Ok(()));
        let age = 365 * DAY + HOUR;
        assert!(matches!(
            record.check(&params, now + age),
            Err(Inactive::Expired { .. })
        ));
        assert_eq!(
            Record::default().check(&params, now),
            Err(Inactive::NotActivated)
        );
        let old = Record {
            version: 1,
            ..record
        };
        assert_eq!(
            old.check(&params, now),
            Err(Inactive::NeedsUpgrade { have: 1, want: 2 })
        );
    }
}
