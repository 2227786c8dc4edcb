//! Words of the protocol as types, parsed once at the edge; private files, pipes and buffers for the crates above.
//!
//! Depends on no key, no network and no foreign format.

pub mod buffers;
pub mod chance;
pub mod direct;
pub mod hint;
pub mod parallel;
pub mod pipe;
pub mod private;

mod body;
mod digest;
mod event;

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use alloy_primitives::{Address, B256, U256};
pub use body::BodyRef;
pub use digest::{BlockDigest, ImageDigest, Seal};
pub use event::{About, Event, LoggedEvent};
pub use hint::Hint;

/// A passphrase: zeroized on drop, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// Wraps a passphrase that the user gave.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for a key derivation function and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Why a text is not a value of the protocol.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Neither hex, CIDv0 nor CIDv1 of the wanted codec and hash.
    #[error("`{found}` is not {wanted}")]
    Digest {
        /// What would have been accepted.
        wanted: &'static str,
        /// What was given, cut to 128 characters.
        found: String,
    },
}

/// What became of a request (protocol §3, "Status").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantStatus {
    /// Never asked.
    None = 0,
    /// Open.
    Requested = 1,
    /// Approved (perhaps expired).
    Approved = 2,
    /// Denied.
    Denied = 3,
    /// Removed by the patient.
    Removed = 4,
}
