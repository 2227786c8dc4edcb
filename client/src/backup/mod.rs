//! Keys that survive a lost device: backups, what guardians and followers give back, restoring, further devices.
//!
//! ```text
//! begin:    S in shares to guardians, or on sheet A;  X to followers, or on sheet B      kept in backup.pgp
//! renew:    the home's keys and files, encrypted under S ‖ X, numbered, signed
//! give on:  a guardian's share, a follower's X, sealed again to the patient's next card
//! restore:  enough shares and one X → the OpenPGP key and the files, in a new home with an Ethereum key of its own
//! ```
//!
//! The Ethereum key is not in a backup: an account moves to a new key on the chain. Only a further device of the same
//! person gets it, from the device that has it.

pub(crate) mod error;

mod device;
mod give;
mod make;
mod restore;
mod set;

pub use error::Error;
pub(crate) use give::open_share;
pub use give::{Given, GivenOn};
pub use make::{Backups, Keeping, Made, ShareLetter};
pub use restore::{Key, Restored, Restoring};
pub use set::Keepers;
pub(crate) use set::check_keepers;

#[cfg(test)]
mod tests;
