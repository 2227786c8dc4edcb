//! Errors of making and restoring backups.

use crate::papers::{backup, letter, share};
use pcim_core::{Address, Hex};

/// Why a backup was not made, given on or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The backup itself, its shares or its letters.
    #[error(transparent)]
    Document(#[from] backup::Error),
    /// No backup was made in this home yet.
    #[error("this home has made no backup yet, and no guardians were named")]
    NoSet,
    /// A party that was named twice.
    #[error("{address} was named twice")]
    NamedTwice {
        /// Its address.
        address: Address,
    },
    /// The home's own card.
    #[error("{address} is this home's own address: a backup's keys are kept by others")]
    Own {
        /// The address.
        address: Address,
    },
    /// A party whose certificate falls to a quantum computer.
    #[error(
        "the certificate of {address} is not post-quantum: what is sealed to it now can be opened later"
    )]
    Classic {
        /// Its address.
        address: Address,
    },
    /// Too few or too many followers.
    #[error(
        "{found} followers; wanted 2 to {}, or sheet B beside fewer",
        backup::MAX_KEYS
    )]
    Followers {
        /// How many were named.
        found: usize,
    },
    /// The home holds something already.
    #[error(
        "this home has {images} images and {operations} operations in flight; a backup is restored into a new home"
    )]
    InUse {
        /// Images that its journal knows.
        images: usize,
        /// Operations in flight.
        operations: usize,
    },
    /// A letter of the home's that the backup does not have.
    #[error("none of the backup's {found} letters is for this home")]
    NoLetter {
        /// How many there are.
        found: usize,
    },
    /// Written by another than was expected.
    #[error("it was written by {found}; wanted {wanted}")]
    OtherAuthor {
        /// The expected address.
        wanted: Address,
        /// The author's.
        found: Address,
    },
    /// For another set.
    #[error("it is for set {found}; the backup is of set {wanted}")]
    OtherSet {
        /// The backup's.
        wanted: Hex<16>,
        /// The letter's.
        found: Hex<16>,
    },
    /// A file that has no place in a home.
    #[error("the backup holds a file that has no place in a home")]
    Name,
    /// The key in the backup is another than its author's.
    #[error("the backup holds key {found}; its author's is {wanted}")]
    OtherKey {
        /// The author's fingerprint.
        wanted: String,
        /// The fingerprint of the key in it.
        found: String,
    },
    /// The configuration in it does not read.
    #[error("the configuration in the backup does not read: {reason}")]
    Config {
        /// The fault, and its place.
        reason: String,
    },
}

impl From<share::Error> for Error {
    fn from(error: share::Error) -> Self {
        Self::Document(error.into())
    }
}

impl From<letter::Error> for Error {
    fn from(error: letter::Error) -> Self {
        Self::Document(error.into())
    }
}
