//! Words of the protocol as types, parsed once at the edge; private files, pipes and buffers for the crates above.
//!
//! Depends on no key, no network and no foreign format.

pub mod buffers;
pub mod chance;
pub mod date;
pub mod direct;
pub mod hint;
pub mod parallel;
pub mod pipe;
pub mod private;
#[cfg(unix)]
pub mod socket;
pub mod text;

mod body;
mod digest;
mod event;
mod passphrase;
mod secret;
mod status;

pub use alloy_primitives::{Address, B256, U256};
pub use body::BodyRef;
pub use digest::{BlockDigest, ImageDigest, ParseError, Seal};
pub use event::{About, Event, LoggedEvent};
pub use hint::Hint;
pub use passphrase::{LockCost, Passphrase};
pub use secret::{Hex, Secret, SecretBytes, Wiped};
pub use status::GrantStatus;
