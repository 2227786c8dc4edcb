//! Keys for the targets that open what is encrypted and signed.

use crate::domain::Passphrase;
use crate::seal::{KeyVersion, LockedKey, UnlockedKey};

/// A new key. What was sealed for it in an earlier run opens no more, so nothing in a corpus rests on it.
pub fn key() -> UnlockedKey {
    let passphrase = Passphrase::new("fuzz".to_owned());
    let key = LockedKey::generate(KeyVersion::V6, None, &passphrase).expect("keys are made");
    key.unlock(&passphrase).expect("it is unlocked by its passphrase")
}
