//! Names for addresses: the reader's own, bound to an address by a contact card that both keys signed.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::report::text::visible;
use crate::papers::card::Card;
use pcim_core::Address;

/// Most characters of a name; a longer one is cut.
pub const MAX_NAME_CHARS: usize = 100;

/// Whom the reader knows by name. A card names no person: the name is what the reader calls its owner.
#[derive(Clone, Debug, Default)]
pub struct Contacts {
    names: BTreeMap<Address, String>,
    /// The fingerprints of the cards' OpenPGP keys.
    keys: BTreeMap<Address, BTreeSet<String>>,
}

impl Contacts {
    /// Makes an empty book.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls the owner of a verified card by a name. The first name of an address stays.
    pub fn add(&mut self, card: &Card, name: &str) {
        self.insert(card.address, name);
        let keys = self.keys.entry(card.address).or_default();
        keys.insert(card.certificate.fingerprint());
    }

    /// Says whether a key is that of a card of its owner; `None` if there is no card of the owner.
    pub fn vouches(&self, owner: Address, fingerprint: &str) -> Option<bool> {
        let keys = self.keys.get(&owner)?;
        Some(keys.contains(fingerprint))
    }

    pub(super) fn insert(&mut self, address: Address, name: &str) {
        let name: String = name.trim().chars().take(MAX_NAME_CHARS).collect();
        if !name.is_empty() {
            self.names.entry(address).or_insert_with(|| visible(&name));
        }
    }

    /// Lists the names with their addresses.
    pub fn names(&self) -> impl Iterator<Item = (Address, &str)> {
        self.names
            .iter()
            .map(|(address, name)| (*address, name.as_str()))
    }

    /// Finds the name of an address.
    pub fn name(&self, address: Address) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }
}
