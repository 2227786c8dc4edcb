//! ArbOS: the chain's own state, in real storage slots of a reserved account, and its precompiles.

use alloy_primitives::{Address, B256, U256, address};

use self::address_set::AddressSet;
pub(crate) use self::slots::ARBOS;
pub use self::version::{ArbOs, UnknownArbOs};
use crate::evm::db::{ChainDb, StateError};

pub(crate) mod address_set;
pub(crate) mod code;
pub(crate) mod filtering;
pub(crate) mod l1;
pub(crate) mod l2;
pub(crate) mod outbox;
pub(crate) mod params;
pub(crate) mod precompiles;
pub(crate) mod pricer;
pub(crate) mod programs;
pub(crate) mod recent;
pub(crate) mod slots;
pub(crate) mod storage;
pub(crate) mod version;

/// The local development chain, where `console` host functions exist.
pub(crate) const LOCAL_CHAIN_ID: u64 = 412_346;
/// Where base fees and data fees go: the sequencer.
const NETWORK_FEE_ACCOUNT: Address = address!("A4b000000000000000000073657175656e636572");

/// The chain's first owners, as on Arbitrum's own development nodes: nobody, and the account that they fund.
const FIRST_OWNERS: [Address; 2] = [
    Address::ZERO,
    address!("3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E"),
];

/// Fields directly under the root of ArbOS's state.
mod root {
    pub(super) const NETWORK_FEE_ACCOUNT: u64 = 3;
    pub(super) const INFRA_FEE_ACCOUNT: u64 = 6;
    pub(super) const TIPS: u64 = 11;
}

/// Key spaces directly under the root.
mod space {
    pub(super) const ADDRESS_TABLE: u8 = 3;
    pub(super) const CHAIN_OWNERS: u8 = 4;
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

/// The slot that says whether senders pay the tips that they offer, since ArbOS 60.
pub(crate) fn tips_slot() -> U256 {
    storage::ROOT.field(root::TIPS)
}

/// Returns the accounts that may change the chain's parameters.
pub(crate) fn chain_owners() -> AddressSet {
    AddressSet(storage::ROOT.child(space::CHAIN_OWNERS))
}

/// The storage that a chain starts with under an ArbOS version: (account, slot, value). The accounts need nonce 1, or they count as empty.
pub(crate) fn genesis_storage(arbos: u64) -> Vec<(Address, U256, U256)> {
    let mut slots = vec![
        (version::version_slot(), U256::from(arbos)),
        (
            network_fee_slot(),
            U256::from_be_slice(NETWORK_FEE_ACCOUNT.as_slice()),
        ),
        (params::slot(), version::params_of(arbos).pack()),
    ];
    slots.extend(pricer::genesis());
    slots.extend(chain_owners().genesis(&FIRST_OWNERS));
    slots.extend(programs::cache_managers().genesis(&[precompiles::CACHE_MANAGER]));
    slots
        .into_iter()
        .map(|(slot, value)| (ARBOS, slot, value))
        .collect()
}

/// The price of posting to the parent chain, wei per unit.
pub(crate) fn l1_price<D: revm::DatabaseRef>(db: &D) -> U256 {
    db.storage_ref(ARBOS, l1::price_slot()).unwrap_or_default()
}

/// Says whether an account is warm from the start of every transaction: precompiles, and the collector of the fees.
pub(crate) fn is_always_warm(address: Address) -> bool {
    let ethereum = address[..18].iter().all(|byte| *byte == 0) && !address.is_zero();
    ethereum || address == NETWORK_FEE_ACCOUNT || address == precompiles::CACHE_MANAGER
}

/// The accounts that hold precompiles; each has the code `0xfe`.
pub(crate) fn precompile_addresses(arbos: u64) -> Vec<Address> {
    precompiles::reserved(arbos)
        .chain([precompiles::CACHE_MANAGER])
        .collect()
}

/// Says whether senders pay the tips that they offer.
pub(crate) fn tips(db: &ChainDb<'_>) -> Result<bool, StateError> {
    Ok(!db.0.storage_ref(ARBOS, tips_slot())?.is_zero())
}

/// Says whether a transaction is mined without being executed.
pub(crate) fn is_filtered(db: &ChainDb<'_>, hash: B256) -> Result<bool, StateError> {
    let listed = db.0.storage_ref(filtering::LIST, filtering::slot(hash))?;
    Ok(!listed.is_zero())
}

/// The ArbOS version in force.
pub(crate) fn version(db: &ChainDb<'_>) -> Result<u64, StateError> {
    let version = db.0.storage_ref(ARBOS, version::version_slot())?;
    Ok(version.saturating_to())
}

/// Returns the account that gets the base fees.
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
        let slots = genesis_storage(51);
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
}
