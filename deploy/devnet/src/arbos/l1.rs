//! The price of posting transactions to the parent chain: the price in ArbOS's state, and the gas that it makes.
//!
//! A transaction pays for its bytes as the batch poster would carry them: packed by Brotli at level 1, window 22,
//! without a dictionary, 16 units for each byte that is left.

use std::io::Write as _;

use alloy_primitives::{Address, U256, address};

use super::storage::ROOT;

/// The account that collects the payments for posting.
pub(crate) const FUNDS_POOL: Address = address!("A4B00000000000000000000000000000000000f6");
/// Units that a byte counts for.
pub(crate) const UNITS_PER_BYTE: u64 = 16;
const LEVEL: u32 = 1;
const WINDOW: u32 = 22;

/// Units, and parts in a hundred, that an estimate adds for what may still change.
const PADDING_UNITS: u64 = 256;
const PADDING_PERCENT: u64 = 1;
/// Per cent that it adds to the cost, and the part of the gas price that it divides by.
const COST_PERCENT: u64 = 10;
const PRICE_PART: (u64, u64) = (7, 8);

/// The slot of the price of a unit, wei.
pub(crate) fn price_slot() -> U256 {
    ROOT.child(0).field(7)
}

/// The units that a transaction's bytes count for.
fn units(raw: &[u8]) -> u64 {
    let mut packed = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut packed, 4096, LEVEL, WINDOW);
    // Writing to memory cannot fail; what was not written would only cost less.
    let _ = writer.write_all(raw);
    drop(writer);
    UNITS_PER_BYTE * packed.len() as u64
}

/// Gas that pays for posting `raw` at `price` wei per unit, with `gas_price` wei per gas.
pub(crate) fn poster_gas(price: U256, raw: &[u8], gas_price: u64) -> u64 {
    if price.is_zero() || gas_price == 0 {
        return 0;
    }
    let cost = price.saturating_mul(U256::from(units(raw)));
    (cost / U256::from(gas_price)).saturating_to()
}

/// [`poster_gas`] as an estimate sees it: enough also when bytes and prices move a little.
pub(crate) fn padded_poster_gas(price: U256, raw: &[u8], gas_price: u64) -> u64 {
    if price.is_zero() || gas_price == 0 {
        return 0;
    }
    let units = (units(raw) + PADDING_UNITS) * (100 + PADDING_PERCENT) / 100;
    let cost = price.saturating_mul(U256::from(units));
    let cost = cost.saturating_mul(U256::from(100 + COST_PERCENT)) / U256::from(100);
    let gas_price =
        (u128::from(gas_price) * u128::from(PRICE_PART.0) / u128::from(PRICE_PART.1)).max(1);
    (cost / U256::from(gas_price)).saturating_to()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_is_where_arbitrum_one_keeps_it() {
        // As recorded from the public chain at block 485279792, where the price was 0xf0d3a.
        let slot = "0xa9f6f085d78d1d37c5819e5c16c9e03198bd14e08cd1f6f8191bc6207b9e9707";
        assert_eq!(Ok(price_slot()), slot.parse());
    }

    #[test]
    fn gas_is_the_cost_of_the_packed_bytes() {
        let raw: Vec<u8> = (0..200u8).collect();
        let units = units(&raw);
        assert!((16 * 150..=16 * 220).contains(&units), "{units}");
        let price = U256::from(1_000_000);
        let gas = poster_gas(price, &raw, 100_000_000);
        assert_eq!(gas, units * 1_000_000 / 100_000_000);
        let padded = padded_poster_gas(price, &raw, 100_000_000);
        let cost = (units + 256) * 101 / 100 * 1_000_000 * 110 / 100;
        assert_eq!(padded, cost / 87_500_000);
        assert_eq!(poster_gas(U256::ZERO, &raw, 1), 0);
        assert_eq!(poster_gas(U256::MAX, &raw, 1), u64::MAX);
        assert_eq!(padded_poster_gas(U256::MAX, &raw, 1), u64::MAX);
    }
}
