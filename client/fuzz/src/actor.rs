//! Keys for the targets that open what is encrypted and signed.

use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::crypto::KeyPair;
use openpgp::parse::Parse;

use pcim_ledger::Account;
use pcim_seal::{KeyKind, UnlockedKey};

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
    let key = UnlockedKey::generate(KeyKind::Hybrid, None).expect("keys are made");
    let bytes = key.expose().expect("a key that was made is written");
    let cert = Cert::from_bytes(&bytes).expect("a key that was made reads");
    let signing = cert.primary_key().key().clone().parts_into_secret();
    let pair = signing.and_then(|signing| signing.into_keypair());
    (key, pair.expect("its secret is not locked"))
}
