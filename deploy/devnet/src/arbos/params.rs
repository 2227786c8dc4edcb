//! The parameters of Stylus, packed in one word.

use alloy_primitives::U256;

use super::storage::{self, ROOT, Space};
use crate::evm::context::State;
use crate::evm::db::StateError;

/// The key space of everything about programs.
pub(crate) fn programs_space() -> Space {
    ROOT.child(8)
}

/// The slot of the packed word.
pub(crate) fn slot() -> U256 {
    programs_space().child(0).field(0)
}

/// Units of [`Params::min_init_gas`], in gas.
pub(crate) const MIN_INIT_UNIT: u64 = 128;
/// Units of [`Params::min_cached_gas`], in gas.
pub(crate) const MIN_CACHED_UNIT: u64 = 32;
/// Units of the two cost scalars, in percent.
pub(crate) const SCALAR_UNIT: u64 = 2;
/// The exponential memory price's ramp; recorded, while the price itself is a table.
pub(crate) const PAGE_RAMP: u64 = 620_674_314;

/// Stylus parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Params {
    pub(crate) version: u16,
    /** ink per gas */
    pub(crate) ink_price: u32,
    /** words */
    pub(crate) max_stack_depth: u32,
    pub(crate) free_pages: u16,
    pub(crate) page_gas: u16,
    pub(crate) page_limit: u16,
    /** units of 128 gas */
    pub(crate) min_init_gas: u8,
    /** units of 32 gas */
    pub(crate) min_cached_gas: u8,
    /** units of 2 percent */
    pub(crate) init_cost_scalar: u8,
    /** units of 2 percent */
    pub(crate) cached_cost_scalar: u8,
    pub(crate) expiry_days: u16,
    pub(crate) keepalive_days: u16,
    pub(crate) block_cache_size: u16,
    /** bytes, decompressed */
    pub(crate) max_wasm_size: u32,
    pub(crate) max_fragments: u8,
}

impl Params {
    /// ArbOS 51 as Arbitrum One runs it.
    pub(crate) const DEFAULT: Self = Self {
        max_stack_depth: 22_000,
        ..Self::INITIAL
    };

    /// The parameters since Stylus 2 came, with ArbOS 31.
    pub(crate) const INITIAL: Self = Self {
        version: 2,
        ink_price: 10_000,
        max_stack_depth: 262_144,
        free_pages: 2,
        page_gas: 1000,
        page_limit: 128,
        min_init_gas: 69,
        min_cached_gas: 11,
        init_cost_scalar: 50,
        cached_cost_scalar: 50,
        expiry_days: 365,
        keepalive_days: 31,
        block_cache_size: 32,
        max_wasm_size: 131_072,
        max_fragments: 0,
    };

    /// The parameters in force.
    pub(crate) fn load(state: &mut State<'_>) -> Result<Self, StateError> {
        let params = Self::unpack(storage::read(state, slot())?);
        Ok(match params.max_wasm_size {
            // ArbOS keeps the size since version 40; before it was the same for all chains.
            0 => Self {
                max_wasm_size: Self::DEFAULT.max_wasm_size,
                ..params
            },
            _ => params,
        })
    }

    /// Puts these parameters in force.
    pub(crate) fn store(&self, state: &mut State<'_>) -> Result<(), StateError> {
        storage::write(state, slot(), self.pack())
    }

    /// Big-endian fields from the left, zeros behind.
    pub(crate) fn pack(&self) -> U256 {
        let mut word = [0; 32];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            word[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&self.version.to_be_bytes());
        put(&self.ink_price.to_be_bytes()[1..]);
        put(&self.max_stack_depth.to_be_bytes());
        put(&self.free_pages.to_be_bytes());
        put(&self.page_gas.to_be_bytes());
        put(&self.page_limit.to_be_bytes());
        put(&[
            self.min_init_gas,
            self.min_cached_gas,
            self.init_cost_scalar,
            self.cached_cost_scalar,
        ]);
        put(&self.expiry_days.to_be_bytes());
        put(&self.keepalive_days.to_be_bytes());
        put(&self.block_cache_size.to_be_bytes());
        put(&self.max_wasm_size.to_be_bytes());
        put(&[self.max_fragments]);
        U256::from_be_bytes(word)
    }

    /// The inverse of [`Params::pack`].
    pub(crate) fn unpack(word: U256) -> Self {
        let word: [u8; 32] = word.to_be_bytes();
        let mut at = 0;
        let mut take = |len: usize| {
            let value = word[at..at + len]
                .iter()
                .fold(0u32, |value, byte| value << 8 | u32::from(*byte));
            at += len;
            value
        };
        Self {
            version: take(2) as u16,
            ink_price: take(3),
            max_stack_depth: take(4),
            free_pages: take(2) as u16,
            page_gas: take(2) as u16,
            page_limit: take(2) as u16,
            min_init_gas: take(1) as u8,
            min_cached_gas: take(1) as u8,
            init_cost_scalar: take(1) as u8,
            cached_cost_scalar: take(1) as u8,
            expiry_days: take(2) as u16,
            keepalive_days: take(2) as u16,
            block_cache_size: take(2) as u16,
            max_wasm_size: take(4),
            max_fragments: take(1) as u8,
        }
    }

    /// Gas for entering a program that is not in the cache, on top of [`Params::cached_gas`].
    pub(crate) fn init_gas(&self, init_cost: u16) -> u64 {
        let scaled = u64::from(init_cost) * u64::from(self.init_cost_scalar) * SCALAR_UNIT;
        self.min_init() + scaled.div_ceil(100)
    }

    /// Gas for entering a program that is in the cache.
    pub(crate) fn cached_gas(&self, cached_cost: u16) -> u64 {
        let scaled = u64::from(cached_cost) * u64::from(self.cached_cost_scalar) * SCALAR_UNIT;
        self.min_cached() + scaled.div_ceil(100)
    }

    /// The least that [`Params::init_gas`] can be.
    pub(crate) fn min_init(&self) -> u64 {
        u64::from(self.min_init_gas) * MIN_INIT_UNIT
    }

    /// The least that [`Params::cached_gas`] can be.
    pub(crate) fn min_cached(&self) -> u64 {
        u64::from(self.min_cached_gas) * MIN_CACHED_UNIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_is_the_inverse_of_unpacking() {
        assert_eq!(Params::unpack(Params::DEFAULT.pack()), Params::DEFAULT);
    }

    #[test]
    fn entering_costs_what_it_costs_on_the_public_chain() {
        // A program with init cost 13 779 and cached cost 3 459.
        assert_eq!(Params::DEFAULT.cached_gas(3459), 3811);
        assert_eq!(Params::DEFAULT.init_gas(13_779), 22_611);
    }
}
