//! The price of activation data: rises with demand, falls with time.

use alloy_primitives::U256;

use super::params::programs_space;
use super::storage::{self, Space};
use crate::evm::context::State;
use crate::evm::db::StateError;

/// Fields of the pricer's key space.
mod field {
    pub(super) const DEMAND: u64 = 0;
    pub(super) const BYTES_PER_SECOND: u64 = 1;
    pub(super) const LAST_UPDATE: u64 = 2;
    pub(super) const MIN_PRICE: u64 = 3;
    pub(super) const INERTIA: u64 = 4;
}

/// Demand that drains away each second, in bytes.
const BYTES_PER_SECOND: u64 = 34_865;
/// When the first Arbitrum chain's clock begins, unix seconds.
const EPOCH: u64 = 1_421_388_000;
/// Wei for each byte at no demand.
const MIN_PRICE: u64 = 82_928_201;
/// Demand that multiplies the price by e.
const INERTIA: u64 = 21_360_419;
/// Fixed point: basis points.
const ONE: u64 = 10_000;
/// Terms of the exponential's series.
const TERMS: u64 = 12;

fn space() -> Space {
    programs_space().child(3)
}

/// The slots that the pricer starts with.
pub(super) fn genesis() -> Vec<(U256, U256)> {
    [
        (field::BYTES_PER_SECOND, BYTES_PER_SECOND),
        (field::LAST_UPDATE, EPOCH),
        (field::MIN_PRICE, MIN_PRICE),
        (field::INERTIA, INERTIA),
    ]
    .map(|(offset, value)| (space().field(offset), U256::from(value)))
    .into()
}

/// Adds `bytes` of demand at the time `now` and returns what they cost, in wei.
pub(crate) fn charge(state: &mut State<'_>, bytes: u32, now: u64) -> Result<U256, StateError> {
    let space = space();
    let mut get = |offset| -> Result<u64, StateError> {
        Ok(storage::read(state, space.field(offset))?.saturating_to())
    };
    let demand = get(field::DEMAND)?;
    let rate = get(field::BYTES_PER_SECOND)?;
    let last = get(field::LAST_UPDATE)?;
    let min_price = get(field::MIN_PRICE)?;
    let inertia = get(field::INERTIA)?;

    let drained = rate.saturating_mul(now.saturating_sub(last));
    let demand = demand.saturating_sub(drained).saturating_add(bytes.into());
    storage::write(state, space.field(field::DEMAND), U256::from(demand))?;
    storage::write(state, space.field(field::LAST_UPDATE), U256::from(now))?;
    Ok(fee(demand, bytes, min_price, inertia))
}

fn fee(demand: u64, bytes: u32, min_price: u64, inertia: u64) -> U256 {
    let exponent = ONE.saturating_mul(demand).checked_div(inertia);
    let factor = exponential(exponent.unwrap_or(u64::MAX));
    let per_byte = min_price.saturating_mul(factor) / ONE;
    U256::from(per_byte) * U256::from(bytes)
}

/// e^x in basis points by Horner's rule.
fn exponential(x: u64) -> u64 {
    (1..TERMS).rev().fold(ONE + x / TERMS, |sum, term| {
        ONE.saturating_add(sum.saturating_mul(x) / (term * ONE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_is_the_one_on_the_public_chain() {
        // Arbitrum One, block 485279792: demand 0xe85b4 had drained away, the program's estimate is 0x13ebc7 bytes.
        assert_eq!(
            fee(0x13_ebc7, 0x13_ebc7, MIN_PRICE, INERTIA),
            U256::from(115_087_110_388_611u64)
        );
    }

    #[test]
    fn the_exponential_is_one_at_zero_and_e_at_one() {
        assert_eq!(exponential(0), 10_000);
        assert!((27_170..=27_183).contains(&exponential(10_000)));
    }
}
