//! Where things stand in storage.
//!
//! | what | slot |
//! |---|---|
//! | the consortium | 0 |
//! | who its role is offered to | 1 |
//! | the predecessor | 2 |
//! | an image's record | keccak256(image ‖ 1) |
//! | its round, and the counter of its approval limit | the slot after |
//! | a radiologist's accreditation | keccak256(radiologist ‖ 2) |
//! | 256 of a signer's nonces | keccak256(signer ‖ word ‖ 3) |
//! | a requestor's standing with an image | keccak256(image ‖ requestor ‖ 4) |
//! | what was shared with him | the slot after |
//! | a patient's account | keccak256(patient ‖ 5) |
//! | its pending change, guardians and desk | the three slots after |
//! | a delegate of hers | keccak256(patient ‖ delegate ‖ 6) |

use alloy_primitives::{B256, U256};
use stylus_sdk::storage::StorageKey;

use crate::{
    word::{hash, Word},
    Pcac,
};

/// The place of one word in storage.
#[derive(Clone, Copy)]
pub(crate) struct Slot(Word);

impl Slot {
    pub(crate) const CONSORTIUM: Self = Self(Word::number(0));
    pub(crate) const OFFERED: Self = Self(Word::number(1));
    pub(crate) const PREDECESSOR: Self = Self(Word::number(2));

    #[inline(never)]
    pub(crate) fn image(image: Word) -> Self {
        Self(hash(&[image, Word::number(1)]))
    }

    #[inline(never)]
    pub(crate) fn accreditation(radiologist: Word) -> Self {
        Self(hash(&[radiologist, Word::number(2)]))
    }

    #[inline(never)]
    pub(crate) fn nonces(signer: Word, word: Word) -> Self {
        Self(hash(&[signer, word, Word::number(3)]))
    }

    #[inline(never)]
    pub(crate) fn grant(image: Word, requester: Word) -> Self {
        Self(hash(&[image, requester, Word::number(4)]))
    }

    #[inline(never)]
    pub(crate) fn account(patient: Word) -> Self {
        Self(hash(&[patient, Word::number(5)]))
    }

    #[inline(never)]
    pub(crate) fn delegate(patient: Word, delegate: Word) -> Self {
        Self(hash(&[patient, delegate, Word::number(6)]))
    }

    /// The slot after.
    pub(crate) fn next(self) -> Self {
        self.after(1)
    }

    /// A slot after. (A hash that ends in eight bytes of ones does not carry over: they start again at zero.)
    #[inline(never)]
    pub(crate) fn after(self, slots: u64) -> Self {
        let [a, b, c, d] = self.0.limbs();
        Self(Word::from_limbs([a, b, c, d.wrapping_add(slots)]))
    }
}

impl StorageKey for Slot {
    /// The slot itself, wherever the map lies.
    fn to_slot(&self, _root: B256) -> U256 {
        let [a, b, c, d] = self.0.limbs();
        U256::from_limbs([d, c, b, a])
    }
}

impl Pcac {
    #[inline(never)]
    pub(crate) fn cell(&self, slot: Slot) -> Word {
        self.cells.getter(slot).get().into()
    }

    #[inline(never)]
    pub(crate) fn set_cell(&mut self, slot: Slot, word: Word) {
        self.cells.setter(slot).set(word.into());
    }
}
