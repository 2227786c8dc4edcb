//! Keys for the targets that open what is encrypted and signed.

use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::crypto::{KeyPair, Password};
use openpgp::parse::Parse;

use pcim_core::Passphrase;
use pcim_ledger::Account;
use pcim_seal::{KeyKind, LockedKey, UnlockedKey};

const PASSPHRASE: &str = "fuzz";

/// Makes an account whose private key is 32 times this byte.
pub fn account(byte: u8) -> Account {
    Account::from_private_key(&[byte; 32]).expect("a small number is a key")
}

/// Makes a new key. A message to the key of an earlier run opens no more, so nothing in a corpus rests on it.
pub fn key() -> UnlockedKey {
    signer().0
}

/// Makes a new key, and the pair that signs with it below the client.
pub fn signer() -> (UnlockedKey, KeyPair) {
    let passphrase = Passphrase::new(PASSPHRASE.to_owned());
    let locked = LockedKey::generate(KeyKind::Hybrid, None, &passphrase).expect("keys are made");
    let cert = Cert::from_bytes(&locked.to_armored()).expect("a key that was made reads");
    let key = cert.primary_key().key().clone().parts_into_secret();
    let key = key
        .expect("it has a secret")
        .decrypt_secret(&Password::from(PASSPHRASE));
    let pair = key
        .and_then(|key| key.into_keypair())
        .expect("it is unlocked by its passphrase");
    (
        locked
            .unlock(&passphrase)
            .expect("it is unlocked by its passphrase"),
        pair,
    )
}
