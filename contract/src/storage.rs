//! Where things stand in storage.
//!
//! | what | slot |
//! |---|---|
//! | the consortium | 0 |
//! | an image's record | keccak256(image ‖ 1) |
//! | the counter of its approval limit | the slot after |
//! | whether a radiologist is accredited | keccak256(radiologist ‖ 2) |
//! | a signer's next nonce | keccak256(signer ‖ 3) |
//! | a requestor's standing with an image | keccak256(image ‖ requestor ‖ 4) |
//! | what was shared with him | the slot after |

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
    pub(crate) const CONSORTIUM: Self = Self(Word::ZERO);

    pub(crate) fn image(image: Word) -> Self {
        Self(hash(&[image, Word::number(1)]))
    }

    pub(crate) fn accreditation(radiologist: Word) -> Self {
        Self(hash(&[radiologist, Word::number(2)]))
    }

    pub(crate) fn nonce(signer: Word) -> Self {
        Self(hash(&[signer, Word::number(3)]))
    }

    pub(crate) fn grant(image: Word, requester: Word) -> Self {
        Self(hash(&[image, requester, Word::number(4)]))
    }

    /// The slot after. (A hash that ends in eight bytes of ones does not carry over: they start again at zero.)
    pub(crate) fn next(self) -> Self {
        let [a, b, c, d] = self.0.limbs();
        Self(Word::from_limbs([a, b, c, d.wrapping_add(1)]))
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
