//! Filtered transactions (ArbOS 60): hashes that a chain's filterers have named are mined without being executed.

use alloy_primitives::{Address, B256, U256, address};

use super::{address_set::AddressSet, slots::ROOT};

/// The account whose storage is the list of hashes.
pub(crate) const LIST: Address = address!("A4B0500000000000000000000000000000000001");

/// The time from which on there may be filterers; 0 is never.
const ENABLED_FROM: u64 = 9;
/// The account that value of filtered transactions goes to.
const FUNDS_RECIPIENT: u64 = 10;
/// The key space of the filterers.
const FILTERERS: u8 = 11;

/// The slot of [`LIST`] that is 1 if a transaction is filtered.
pub(crate) fn slot(hash: B256) -> U256 {
    ROOT.slot(hash)
}

/// The slot of the time from which on there may be filterers.
pub(crate) fn enabled_from_slot() -> U256 {
    ROOT.field(ENABLED_FROM)
}

/// The slot of the account that value of filtered transactions goes to.
pub(crate) fn recipient_slot() -> U256 {
    ROOT.field(FUNDS_RECIPIENT)
}

/// Returns the accounts that may name transactions.
pub(crate) fn filterers() -> AddressSet {
    AddressSet(ROOT.child(FILTERERS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;

    #[test]
    fn the_slot_is_the_public_chains() {
        // A transaction of block 8409353 of an Arbitrum chain at ArbOS 61, and the slot that named it.
        let hash = b256!("0xa4535f23d63bd3605b47d5e4bccd69a3812804added97e0392cf9c8b72c95b67");
        let want = b256!("0xb172fabf734a1cb2ec92c63a304dac0b618a03bcfb344f25f3a2c11142d18767");
        assert_eq!(B256::from(slot(hash)), want);
    }
}
