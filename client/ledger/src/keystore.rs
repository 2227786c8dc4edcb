//! Web3 Secret Storage, version 3: one private key, locked with a passphrase.
//!
//! The library reads and writes files, so a private folder that lives for one call stands between; it only
//! ever holds the locked form.

use std::fs;
use std::io::Write;

use ethers::core::rand::thread_rng;
use ethers::signers::{LocalWallet, WalletError};
use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Error, Result};
use pcim_core::private::create_new;
use pcim_core::{Address, Passphrase};

/// Real keystores have about 500 bytes.
const MAX_BYTES: usize = 16 << 10;
/// 128·n·r bytes are worked on.
const MAX_SCRYPT_BYTES: u64 = 1 << 30;
const MAX_SCRYPT_LANES: u64 = 16;
const MAX_PBKDF2_ROUNDS: u64 = 10_000_000;

const NAME: &str = "key.json";

/// Opens a keystore: the key, and the address that the file names, if it does.
pub(super) fn open(
    json: &[u8],
    passphrase: &Passphrase,
) -> Result<(Zeroizing<[u8; 32]>, Option<Address>)> {
    let document = parse(json)?;
    let named = check(&document)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(NAME);
    create_new(&path)?.write_all(document.to_string().as_bytes())?;
    let wallet =
        LocalWallet::decrypt_keystore(&path, passphrase.expose()).map_err(|e| match e {
            WalletError::EthKeystoreError(inner) if inner.to_string() == MAC_MISMATCH => {
                Error::Passphrase
            }
            other => Error::Keystore {
                reason: other.to_string(),
            },
        })?;
    let key = Zeroizing::new(wallet.signer().to_bytes().into());
    Ok((key, named))
}

/// Locks a key.
pub(super) fn lock(key: &[u8; 32], address: Address, passphrase: &Passphrase) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    LocalWallet::encrypt_keystore(
        folder.path(),
        &mut thread_rng(),
        key,
        passphrase.expose(),
        Some(NAME),
    )
    .map_err(keystore)?;
    let json = fs::read(folder.path().join(NAME))?;
    let mut json: Value = serde_json::from_slice(&json).map_err(keystore)?;
    // Optional in the format; other wallets show it without the passphrase.
    json["address"] = hex::encode(address).into();
    serde_json::to_vec_pretty(&json).map_err(keystore)
}

/// The library's words for a wrong passphrase; its error type is not exported.
const MAC_MISMATCH: &str = "Mac Mismatch";

fn keystore(e: impl std::fmt::Display) -> Error {
    Error::Keystore {
        reason: e.to_string(),
    }
}

#[derive(Deserialize)]
struct Document {
    version: u64,
    address: Option<String>,
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    ciphertext: String,
    cipherparams: CipherParams,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: u64,
    salt: String,
    // scrypt
    n: Option<u64>,
    r: Option<u64>,
    p: Option<u64>,
    // pbkdf2
    c: Option<u64>,
    prf: Option<String>,
}

/// Reads the file's members, whose names may differ in case: ethers 6 writes `Crypto`, and the library reads `crypto`.
fn parse(json: &[u8]) -> Result<Value> {
    if json.len() > MAX_BYTES {
        return Err(keystore(format!(
            "{} bytes, at most {MAX_BYTES}",
            json.len()
        )));
    }
    let members: Map<String, Value> = serde_json::from_slice(json).map_err(keystore)?;
    let mut lower = Map::new();
    for (name, value) in members {
        let name = name.to_ascii_lowercase();
        if lower.contains_key(&name) {
            return Err(keystore(format!("the member `{name}` twice")));
        }
        lower.insert(name, value);
    }
    Ok(lower.into())
}

/// Checks all that the library takes on trust: sizes, names, and how much work the file asks for.
fn check(document: &Value) -> Result<Option<Address>> {
    let bad = |reason: String| Error::Keystore { reason };
    let document = Document::deserialize(document).map_err(keystore)?;
    if document.version != 3 {
        return Err(bad(format!("version {}", document.version)));
    }
    let Crypto {
        cipher,
        ciphertext,
        cipherparams,
        kdf,
        kdfparams,
        mac,
    } = document.crypto;
    if cipher != "aes-128-ctr" {
        return Err(bad(format!("cipher `{cipher}`, wanted `aes-128-ctr`")));
    }
    for (what, text, wanted) in [
        ("ciphertext", &ciphertext, 32),
        ("iv", &cipherparams.iv, 16),
        ("mac", &mac, 32),
    ] {
        let found = hex::decode(text).map_err(|_| bad(format!("{what} is not hex")))?;
        if found.len() != wanted {
            return Err(bad(format!(
                "{what} has {} bytes, wanted {wanted}",
                found.len()
            )));
        }
    }
    if hex::decode(&kdfparams.salt).is_err() {
        return Err(bad("salt is not hex".into()));
    }
    if kdfparams.dklen != 32 {
        return Err(bad(format!("dklen {}, wanted 32", kdfparams.dklen)));
    }
    match (kdf.as_str(), kdfparams) {
        (
            "scrypt",
            KdfParams {
                n: Some(n),
                r: Some(r),
                p: Some(p),
                c: None,
                ..
            },
        ) => {
            let bytes = n.checked_mul(128).and_then(|b| b.checked_mul(r));
            let fits = bytes.is_some_and(|b| b <= MAX_SCRYPT_BYTES);
            if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 || p > MAX_SCRYPT_LANES || !fits {
                return Err(bad(format!("scrypt with n {n}, r {r}, p {p}")));
            }
        }
        (
            "pbkdf2",
            KdfParams {
                c: Some(c), prf, ..
            },
        ) => {
            if c == 0 || c > MAX_PBKDF2_ROUNDS || prf.as_deref() != Some("hmac-sha256") {
                return Err(bad(format!("pbkdf2 with {c} rounds")));
            }
        }
        _ => return Err(bad(format!("key derivation `{kdf}`"))),
    }
    document
        .address
        .map(|text| text.trim_start_matches("0x").parse::<Address>())
        .transpose()
        .map_err(|_| bad("the address is not one".into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Account;
    use super::*;

    fn pass(text: &str) -> Passphrase {
        Passphrase::new(text.into())
    }

    /// The PBKDF2 vector of the Web3 Secret Storage Definition, and the same key under scrypt as geth asks
    /// for it, made with Python's hashlib and the openssl command.
    fn vectors() -> [(Value, &'static str); 2] {
        let key = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
        let pbkdf2 = serde_json::json!({
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
                "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
                "kdf": "pbkdf2",
                "kdfparams": {
                    "c": 262144, "dklen": 32, "prf": "hmac-sha256",
                    "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"
                },
                "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
            },
            "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3
        });
        let scrypt = serde_json::json!({
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": {"iv": "000102030405060708090a0b0c0d0e0f"},
                "ciphertext": "afe85c3df0b509e866393a7d991cee6f7a871201a3838305fea6c51f7395d892",
                "kdf": "scrypt",
                "kdfparams": {
                    "dklen": 32, "n": 262144, "r": 8, "p": 1,
                    "salt": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                },
                "mac": "6da7a4fe178d4b2a9cbb21a0188190e21a64b0c3eb8ce685624eced36a45e089"
            },
            "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3
        });
        [(pbkdf2, key), (scrypt, key)]
    }

    #[test]
    fn what_others_locked_opens() {
        for (document, key) in vectors() {
            let json = serde_json::to_vec(&document).unwrap();
            let (found, named) = open(&json, &pass("testpassword")).unwrap();
            assert_eq!(hex::encode(*found), key);
            assert_eq!(named, None);
        }
    }

    /// ethers 6.17.0 writes the member `Crypto` (findings/ethers-keystore-crypto.sh).
    #[test]
    fn the_case_of_a_member_does_not_matter() {
        let (document, key) = &vectors()[0];
        let text = document.to_string();
        let upper = text.replace("\"crypto\"", "\"Crypto\"");
        let (found, _) = open(upper.as_bytes(), &pass("testpassword")).unwrap();
        assert_eq!(hex::encode(*found), *key);
        let both = text.replacen('{', "{\"Crypto\":{},", 1);
        let refused = open(both.as_bytes(), &pass("testpassword")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            keystore("the member `crypto` twice").to_string()
        );
    }

    #[test]
    fn a_key_comes_back_and_only_with_its_passphrase() {
        let account = Account::generate();
        let json = account.to_keystore(&pass("correct horse")).unwrap();
        let document: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(document["version"], 3);
        assert_eq!(document["address"], hex::encode(account.address()));
        let again = Account::from_keystore(&json, &pass("correct horse")).unwrap();
        assert_eq!(again.address(), account.address());
        assert!(matches!(
            Account::from_keystore(&json, &pass("wrong horse")),
            Err(Error::Passphrase)
        ));
        assert_ne!(json, account.to_keystore(&pass("correct horse")).unwrap());

        let mut other = document;
        other["address"] = "00000000000000000000000000000000000000aa".into();
        let other = serde_json::to_vec(&other).unwrap();
        assert!(matches!(
            Account::from_keystore(&other, &pass("correct horse")),
            Err(Error::KeystoreAddress { .. })
        ));
    }

    #[test]
    fn what_would_crash_or_stall_the_reader_is_refused_first() {
        let (scrypt, pbkdf2) = (&vectors()[1].0, &vectors()[0].0);
        let cases: [(&Value, &str, Value); 14] = [
            (scrypt, "/version", 1.into()),
            (scrypt, "/crypto/cipher", "aes-256-gcm".into()),
            (scrypt, "/crypto/ciphertext", "d1".into()),
            (scrypt, "/crypto/ciphertext", "zz".repeat(32).into()),
            (scrypt, "/crypto/cipherparams/iv", "00".into()),
            (scrypt, "/crypto/mac", "".into()),
            (scrypt, "/crypto/kdf", "argon2".into()),
            (scrypt, "/crypto/kdfparams/dklen", 16.into()),
            (scrypt, "/crypto/kdfparams/n", (1u64 << 40).into()),
            (scrypt, "/crypto/kdfparams/n", 262_143.into()),
            (scrypt, "/crypto/kdfparams/r", u64::MAX.into()),
            (scrypt, "/crypto/kdfparams/p", 0.into()),
            (pbkdf2, "/crypto/kdfparams/c", 4_000_000_000u64.into()),
            (pbkdf2, "/crypto/kdfparams/prf", "hmac-md5".into()),
        ];
        for (document, path, value) in cases {
            let mut document = document.clone();
            *document.pointer_mut(path).unwrap() = value;
            let json = serde_json::to_vec(&document).unwrap();
            let found = open(&json, &pass("testpassword"));
            assert!(matches!(found, Err(Error::Keystore { .. })), "{path}");
        }
        for json in [&b""[..], b"{}", b"[1]", &[b' '; MAX_BYTES + 1]] {
            assert!(matches!(
                open(json, &pass("x")),
                Err(Error::Keystore { .. })
            ));
        }
    }
}
