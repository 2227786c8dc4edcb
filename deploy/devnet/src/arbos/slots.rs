//! Where ArbOS keeps what: a tree of key spaces hashed into the slots of one account.

use std::cell::RefCell;
use std::collections::HashMap;

use alloy_primitives::{Address, B256, U256, address, keccak256};

/// The account whose storage is ArbOS's state.
pub(crate) const ARBOS: Address = address!("A4B05FffffFffFFFFfFFfffFfffFFfffFfFfFFFf");
/// The key space of the parent chain's block hashes, under the root.
const L1_HASHES: u8 = 6;

/// The most hashes that a thread keeps.
const KEPT: usize = 4096;

thread_local! {
    /// Hashes of what was asked for before: each transaction reads the same fields again.
    static HASHES: RefCell<HashMap<[u8; 64], B256>> = RefCell::default();
}

/// A key space. The root's is empty, every child's is a hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space(Option<B256>);

/// The root of ArbOS's state.
pub(crate) const ROOT: Space = Space(None);

impl Space {
    /// The sub-space `id`.
    pub(crate) fn child(self, id: u8) -> Self {
        self.keyed(&[id])
    }

    /// The sub-space of a key of any length.
    pub(crate) fn keyed(self, key: &[u8]) -> Self {
        Self(Some(self.hash(key)))
    }

    /// The sub-space without a name.
    pub(crate) fn unnamed(self) -> Self {
        Self(Some(self.hash(&[])))
    }

    /// The slot of the small-numbered field `offset`.
    pub(crate) fn field(self, offset: u64) -> U256 {
        self.slot(B256::from(U256::from(offset)))
    }

    /// The slot of `key`: all but its last byte is hashed, so that neighbours stay neighbours.
    pub(crate) fn slot(self, key: B256) -> U256 {
        let mut slot = self.hash(&key[..31]);
        slot[31] = key[31];
        slot.into()
    }

    fn hash(&self, key: &[u8]) -> B256 {
        let prefix = self.prefix();
        let whole = || keccak256([prefix, key].concat());
        // What is hashed, its length behind it.
        let mut known = [0; 64];
        let length = prefix.len() + key.len();
        if length >= known.len() {
            return whole();
        }
        known[..prefix.len()].copy_from_slice(prefix);
        known[prefix.len()..length].copy_from_slice(key);
        known[63] = length as u8;
        HASHES.with_borrow_mut(|hashes| {
            if hashes.len() >= KEPT {
                hashes.clear();
            }
            *hashes.entry(known).or_insert_with(whole)
        })
    }

    fn prefix(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |key| key.as_slice())
    }
}

/// The slot of a parent chain block's hash; the last 256 of them have one.
pub(crate) fn l1_hash_slot(number: u64) -> U256 {
    ROOT.child(L1_HASHES).field(1 + number % 256)
}
