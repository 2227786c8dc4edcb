//! The words of the protocol as types: pure values, parsed once at the edge.

mod event;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use alloy_primitives::{Address, B256, U256};
pub use event::{Event, LoggedEvent};

/// The sha2-256 digest of a dag-pb root CID: how the chain names an image (a sealed root).
///
/// Reads `0x` + 64 hex digits, CIDv0 (`Qm…`) or CIDv1 (`bafy…`, dag-pb, sha2-256); displays as CIDv1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageDigest(pub [u8; 32]);

/// The sha2-256 digest of a raw block's CID: how the chain names a published certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockDigest(pub [u8; 32]);

/// The SHA-256 of the radiologist's OpenPGP signature packet inside a sealed image (protocol, "seal").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seal(pub [u8; 32]);

/// A passphrase: zeroized on drop, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// Wraps a passphrase that the user gave.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The bytes, for a key derivation function and nothing else.
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
    /// Neither hex, CIDv0 nor CIDv1 of the wanted codec.
    #[error("`{found}` is not {wanted}")]
    Digest {
        /// What would have been accepted.
        wanted: &'static str,
        /// What was given.
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

impl fmt::Debug for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Debug for BlockDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for ImageDigest {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl fmt::Display for BlockDigest {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}
impl FromStr for ImageDigest {
    type Err = ParseError;
    fn from_str(_s: &str) -> Result<Self, ParseError> {
        todo!()
    }
}
impl FromStr for BlockDigest {
    type Err = ParseError;
    fn from_str(_s: &str) -> Result<Self, ParseError> {
        todo!()
    }
}
macro_rules! serde_as_text {
    ($t:ty) => {
        impl Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_text!(ImageDigest);
serde_as_text!(BlockDigest);
