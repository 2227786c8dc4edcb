//! Web3 Secret Storage, version 3: one private key, locked with a passphrase.

use openssl::hash::MessageDigest;
use openssl::pkcs5::{pbkdf2_hmac, scrypt};
use openssl::symm::{Cipher, Crypter, Mode};
// Named so that this library is built along, not looked for on the machine.
use openssl_sys as _;
use rand::RngCore;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{Error, Result};
use alloy_primitives::keccak256;
use pcim_core::{Address, Passphrase};

/// Real keystores have about 500 bytes.
const MAX_BYTES: usize = 16 << 10;
/// 128·n·r bytes are worked on.
const MAX_SCRYPT_BYTES: u64 = 1 << 30;
const MAX_SCRYPT_LANES: u64 = 16;
/// The memory that all of it may take.
const MAX_WORK: u64 = MAX_SCRYPT_BYTES + (16 << 20);
const MAX_PBKDF2_ROUNDS: u64 = 10_000_000;

/// The n of keystores of the first homes, whose guesses cost 28 ms.
const FIRST_SCRYPT_N: u64 = 8192;

/// Opens a keystore: the key, and the address that the file names, if it does.
pub(super) fn open(
    json: &[u8],
    passphrase: &Passphrase,
) -> Result<(Zeroizing<[u8; 32]>, Option<Address>)> {
    let store = Store::read(json)?;
    let derived = store.work.derive(passphrase, &store.salt)?;
    let mac = keccak256([&derived[16..], &store.ciphertext].concat());
    if mac.as_slice() != store.mac {
        return Err(Error::Passphrase);
    }
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&store.ciphertext);
    cipher(&derived, &store.iv, &mut key)?;
    Ok((key, store.address))
}

/// Locks a key with scrypt, n being two to the power of `log_n`.
pub(super) fn lock(
    key: &[u8; 32],
    address: Address,
    passphrase: &Passphrase,
    log_n: u8,
) -> Result<Vec<u8>> {
    let mut random = [0; 64];
    rand::rng().fill_bytes(&mut random);
    let (salt, rest) = random.split_at(32);
    let (iv, id) = rest.split_at(16);
    let n = 1_u64.checked_shl(log_n.into()).unwrap_or(0);
    let derived = Work::scrypt(n, 8, 1)?.derive(passphrase, salt)?;
    let mut ciphertext = *key;
    cipher(&derived, iv, &mut ciphertext)?;
    let mac = keccak256([&derived[16..], &ciphertext].concat());
    let document = json!({
        // Optional in the format; other wallets show it without the passphrase.
        "address": hex::encode(address),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": hex::encode(iv) },
            "ciphertext": hex::encode(ciphertext),
            "kdf": "scrypt",
            "kdfparams": { "dklen": 32, "n": n, "r": 8, "p": 1, "salt": hex::encode(salt) },
            "mac": hex::encode(mac),
        },
        "id": uuid(id),
        "version": 3,
    });
    serde_json::to_vec_pretty(&document).map_err(keystore)
}

/// Encrypts or decrypts: AES-128-CTR under the first half of the derived key.
fn cipher(derived: &[u8; 32], iv: &[u8], text: &mut [u8; 32]) -> Result<()> {
    let aes = Cipher::aes_128_ctr();
    let mut out = Zeroizing::new([0; 32]);
    let done = Crypter::new(aes, Mode::Encrypt, &derived[..16], Some(iv))
        .and_then(|mut crypter| crypter.update(text, out.as_mut()));
    done.map_err(keystore)?;
    text.copy_from_slice(out.as_ref());
    Ok(())
}

/// Says whether a keystore costs as little to guess at as those of the first homes.
pub(super) fn is_lightly_locked(json: &[u8]) -> bool {
    let work = Store::read(json).map(|store| store.work);
    matches!(work, Ok(Work::Scrypt(FIRST_SCRYPT_N, ..)))
}

/// A random UUID (RFC 9562, version 4) of 16 random bytes.
fn uuid(random: &[u8]) -> String {
    let mut bytes = random.to_vec();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let part = |from: usize, to: usize| &text[from..to];
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

fn keystore(e: impl std::fmt::Display) -> Error {
    Error::Keystore {
        reason: e.to_string(),
    }
}

/// How a passphrase becomes a key.
enum Work {
    /// With n, r and p.
    Scrypt(u64, u64, u64),
    /// With HMAC-SHA-256, in this many rounds.
    Pbkdf2(usize),
}

impl Work {
    /// Refuses what the library would not take, and what is more work than any owner asks for.
    fn scrypt(n: u64, r: u64, p: u64) -> Result<Self> {
        let bytes = n.checked_mul(128).and_then(|b| b.checked_mul(r));
        let fits = bytes.is_some_and(|b| b <= MAX_SCRYPT_BYTES);
        let sound = n.is_power_of_two() && n >= 2 && r > 0 && p > 0 && p <= MAX_SCRYPT_LANES;
        match sound && fits {
            true => Ok(Self::Scrypt(n, r, p)),
            false => Err(keystore(format!("scrypt with n {n}, r {r}, p {p}"))),
        }
    }

    fn pbkdf2(rounds: u64) -> Result<Self> {
        match usize::try_from(rounds) {
            Ok(narrow) if rounds > 0 && rounds <= MAX_PBKDF2_ROUNDS => Ok(Self::Pbkdf2(narrow)),
            _ => Err(keystore(format!("pbkdf2 with {rounds} rounds"))),
        }
    }

    fn derive(&self, passphrase: &Passphrase, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
        let pass = passphrase.expose().as_bytes();
        let mut key = Zeroizing::new([0; 32]);
        match self {
            Self::Scrypt(n, r, p) => scrypt(pass, salt, *n, *r, *p, MAX_WORK, key.as_mut()),
            Self::Pbkdf2(rounds) => {
                pbkdf2_hmac(pass, salt, *rounds, MessageDigest::sha256(), key.as_mut())
            }
        }
        .map_err(keystore)?;
        Ok(key)
    }
}

/// A keystore that was read, all of it checked.
struct Store {
    address: Option<Address>,
    work: Work,
    salt: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    mac: Vec<u8>,
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

/// Reads the file's members, whose names may differ in case: ethers 6 writes `Crypto`, and others `crypto`.
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

impl Store {
    fn read(json: &[u8]) -> Result<Self> {
        let document = Document::deserialize(parse(json)?).map_err(keystore)?;
        if document.version != 3 {
            return Err(keystore(format!("version {}", document.version)));
        }
        let crypto = document.crypto;
        if crypto.cipher != "aes-128-ctr" {
            let cipher = crypto.cipher;
            return Err(keystore(format!("cipher `{cipher}`, wanted `aes-128-ctr`")));
        }
        let bytes = |what: &str, text: &str, wanted: usize| {
            let found = hex::decode(text).map_err(|_| keystore(format!("{what} is not hex")))?;
            match found.len() == wanted {
                true => Ok(found),
                false => {
                    let found = found.len();
                    Err(keystore(format!(
                        "{what} has {found} bytes, wanted {wanted}"
                    )))
                }
            }
        };
        let derivation = crypto.kdfparams;
        if derivation.dklen != 32 {
            return Err(keystore(format!("dklen {}, wanted 32", derivation.dklen)));
        }
        let work = match (crypto.kdf.as_str(), &derivation) {
            (
                "scrypt",
                &KdfParams {
                    n: Some(n),
                    r: Some(r),
                    p: Some(p),
                    c: None,
                    ..
                },
            ) => Work::scrypt(n, r, p)?,
            (
                "pbkdf2",
                KdfParams {
                    c: Some(c),
                    prf: Some(prf),
                    ..
                },
            ) if prf == "hmac-sha256" => Work::pbkdf2(*c)?,
            (name, _) => return Err(keystore(format!("key derivation `{name}`"))),
        };
        let address = document
            .address
            .map(|text| text.trim_start_matches("0x").parse::<Address>())
            .transpose()
            .map_err(|_| keystore("the address is not one"))?;
        Ok(Self {
            address,
            work,
            salt: hex::decode(&derivation.salt).map_err(|_| keystore("salt is not hex"))?,
            iv: bytes("iv", &crypto.cipherparams.iv, 16)?,
            ciphertext: bytes("ciphertext", &crypto.ciphertext, 32)?,
            mac: bytes("mac", &crypto.mac, 32)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Account;
    use super::*;
    use pcim_core::LockCost;

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
        let json = account
            .to_keystore(&pass("correct horse"), LockCost::LIGHT)
            .unwrap();
        let document: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(document["version"], 3);
        assert_eq!(document["address"], hex::encode(account.address()));
        let again = Account::from_keystore(&json, &pass("correct horse")).unwrap();
        assert_eq!(again.address(), account.address());
        assert!(matches!(
            Account::from_keystore(&json, &pass("wrong horse")),
            Err(Error::Passphrase)
        ));
        assert_ne!(
            json,
            account
                .to_keystore(&pass("correct horse"), LockCost::LIGHT)
                .unwrap()
        );

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
