//! Parts that several targets share: keys, changes to good artefacts, inputs to begin with.

mod actor;
mod edits;
mod seeds;

pub use actor::{account, key, signer};
pub use edits::edited;
pub use seeds::write;
