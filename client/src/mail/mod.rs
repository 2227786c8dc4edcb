//! Mailboxes: sealed documents that a follower keeps for a receiver who is away.
//!
//! | module | what it does |
//! |---|---|
//! | [`wire`] | questions and answers as bytes |
//! | [`store`] | the documents of a node, on its disk |
//! | [`desk`] | what a node takes and gives, and its limits |

pub mod desk;
mod error;
pub mod store;
#[cfg(test)]
mod tests;
pub mod wire;

use crate::papers::invitation;

pub use error::Error;

/// Seconds for which a document is kept: 30 days.
pub const KEPT_SECONDS: u64 = 30 * 86_400;
/// Most bytes of a sealed document.
pub const MAX_SEALED: usize = 272 * 1024;

/// Says whether a node keeps these bytes: an encrypted OpenPGP document of limited size, or a part of an invitation.
pub fn is_sealed(document: &[u8]) -> bool {
    document.len() <= MAX_SEALED
        && (invitation::is_part(document) || pcim_seal::is_document(document))
}
