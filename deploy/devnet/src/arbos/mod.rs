//! ArbOS: the chain's own state, in real storage slots of a reserved account, and its precompiles.

use alloy_primitives::{Address, U256, address};

use self::address_set::AddressSet;
use crate::evm::db::{ChainDb, StateError};

pub(crate) mod address_set;
pub(crate) mod l1;
pub(crate) mod outbox;
pub(crate) mod params;
pub(crate) mod precompiles;
pub(crate) mod pricer;
pub(crate) mod programs;
pub(crate) mod storage;

/// The account whose storage is ArbOS's state.
pub(crate) const ARBOS: Address = address!("A4B05FffffFffFFFFfFFfffFfffFFfffFfFfFFFf");
/// The ArbOS version that the chain starts with and stays at.
pub(crate) const ARBOS_VERSION: u64 = 51;
/// The local development chain, where `console` host functions exist.
pub(crate) const LOCAL_CHAIN_ID: u64 = 412_346;
/// Where base fees and data fees go: the sequencer.
const NETWORK_FEE_ACCOUNT: Address = address!("A4b000000000000000000073657175656e636572");

/// The chain's first owner: the account that Arbitrum-style development nodes fund.
const FIRST_OWNER: Address = address!("3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E");

/// Programs without a dictionary and with one begin so; a byte that tells them apart follows.
const PROGRAM_PREFIX: [u8; 3] = [0xef, 0xf0, 0x00];

/// Fields directly under the root of ArbOS's state.
mod root {
    pub(super) const VERSION: u64 = 0;
    pub(super) const NETWORK_FEE_ACCOUNT: u64 = 3;
    pub(super) const INFRA_FEE_ACCOUNT: u64 = 6;
}

/// Key spaces directly under the root.
mod space {
    pub(super) const ADDRESS_TABLE: u8 = 3;
    pub(super) const CHAIN_OWNERS: u8 = 4;
    pub(super) const L1_HASHES: u8 = 6;
}

/// The addresses that have an index.
pub(crate) fn address_table() -> storage::Space {
    storage::ROOT.child(space::ADDRESS_TABLE)
}

/// The slot of the account that base fees go to.
pub(crate) fn network_fee_slot() -> U256 {
    storage::ROOT.field(root::NETWORK_FEE_ACCOUNT)
}

/// The slot of the account that a part of the base fees could go to; none does.
pub(crate) fn infra_fee_slot() -> U256 {
    storage::ROOT.field(root::INFRA_FEE_ACCOUNT)
}

/// Who may change the chain's parameters.
pub(crate) fn chain_owners() -> AddressSet {
    AddressSet(storage::ROOT.child(space::CHAIN_OWNERS))
}

/// The slot of an L1 block's hash; the last 256 of them have one.
pub(crate) fn l1_hash_slot(number: u64) -> U256 {
    storage::ROOT
        .child(space::L1_HASHES)
        .field(1 + number % 256)
}

/// Whether account code is a Stylus program.
pub(crate) fn is_program(code: &[u8]) -> bool {
    code.len() > PROGRAM_PREFIX.len() && code.starts_with(&PROGRAM_PREFIX)
}

/// The storage a chain starts with: (account, slot, value). The accounts need nonce 1, or they count as empty.
pub(crate) fn genesis_storage() -> Vec<(Address, U256, U256)> {
    let mut slots = vec![
        (
            storage::ROOT.field(root::VERSION),
            U256::from(ARBOS_VERSION),
        ),
        (
            network_fee_slot(),
            U256::from_be_slice(NETWORK_FEE_ACCOUNT.as_slice()),
        ),
        (params::slot(), params::Params::DEFAULT.pack()),
    ];
    slots.extend(pricer::genesis());
    slots.extend(chain_owners().genesis(FIRST_OWNER));
    slots.extend(programs::cache_managers().genesis(precompiles::CACHE_MANAGER));
    slots
        .into_iter()
        .map(|(slot, value)| (ARBOS, slot, value))
        .collect()
}

/// The price of posting to the parent chain, wei per unit.
pub(crate) fn l1_price<D: revm::DatabaseRef>(db: &D) -> U256 {
    db.storage_ref(ARBOS, l1::price_slot()).unwrap_or_default()
}

/// Whether an account is warm from the start of every transaction: precompiles, and who collects the fees.
pub(crate) fn is_always_warm(address: Address) -> bool {
    let ethereum = address[..18].iter().all(|byte| *byte == 0) && !address.is_zero();
    ethereum || address == NETWORK_FEE_ACCOUNT || address == precompiles::CACHE_MANAGER
}

/// The accounts that hold precompiles; each has the code `0xfe`.
pub(crate) fn precompile_addresses() -> Vec<Address> {
    precompiles::RESERVED
        .into_iter()
        .map(precompiles::at)
        .chain([precompiles::CACHE_MANAGER])
        .collect()
}

/// The ArbOS version in force.
pub(crate) fn version(db: &ChainDb<'_>) -> Result<u64, StateError> {
    let version =
        db.0.storage_ref(ARBOS, storage::ROOT.field(root::VERSION))?;
    Ok(version.saturating_to())
}

/// Who gets the base fees.
pub(crate) fn network_fee_account(db: &ChainDb<'_>) -> Result<Address, StateError> {
    let word = db.0.storage_ref(ARBOS, network_fee_slot())?;
    Ok(Address::from_word(word.into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn genesis_sits_in_the_slots_that_arbitrum_one_uses() {
        let slots = genesis_storage();
        let value = |slot: &str| {
            let slot: U256 = slot.parse().unwrap();
            slots.iter().find(|entry| entry.1 == slot).map(|e| e.2)
        };
        // Slots and values as recorded from the public chain at block 485279792.
        assert_eq!(
            value("0x15fed0451499512d95f3ec5a41c878b9de55f21878b5b4e190d4667ec709b400"),
            Some(U256::from(51))
        );
        assert_eq!(
            value("0xfb3a65ee2a3cc0d9ce98ddab7e30ebb719b46a87b8706ff1bf3aef1dcfb0e300"),
            Some(
                "0x0002002710000055f0000203e80080450b3232016d001f002000020000000000"
                    .parse()
                    .unwrap()
            )
        );
        assert_eq!(
            value("0x32f3a25635b90f501d25f654cd2ff8f009d6c539bf8691682a31ded63f25ed01"),
            Some(U256::from(34_865))
        );
    }

    #[test]
    fn only_the_program_prefix_makes_a_program() {
        assert!(is_program(&[0xef, 0xf0, 0, 0, 1]));
        assert!(!is_program(&[0xef, 0xf0, 0]));
        assert!(!is_program(&[0xef, 0x01, 0, 0]));
        assert!(!is_program(&[0x60, 0x00]));
    }
}
