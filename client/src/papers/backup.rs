//! The backup: what a home holds, encrypted under two keys that are kept by different people.
//!
//! ```text
//! key, nonce = HKDF-SHA256(salt, S ‖ X)      S: in shares at the guardians, or on sheet A
//!                                            X: whole at each follower, and on sheet B
//! ```
//!
//! The document is public: its author's card, a number, the shares' commitments, a letter to each follower with X, the
//! ciphertext, and a signature over all of it. It tells who made it and how many keep its keys, and nothing else.

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::papers::card::{self, Card, CardDocument};
use crate::papers::letter::{self, Letter, MAX_LETTER_BYTES};
use crate::papers::share::{self, MAX_SHARES, ShareSet};
use pcim_core::{Address, Hex, Secret, SecretBytes};
use pcim_seal::UnlockedKey;

/// Most bytes of a backup.
pub const MAX_BACKUP_BYTES: usize = 32 * 1024 * 1024;
/// Most bytes of what is in it.
pub const MAX_CONTENTS_BYTES: usize = 8 * 1024 * 1024;
/// Most followers who have its key.
pub const MAX_KEYS: usize = 5;
/// Bytes of the tag behind the ciphertext.
const TAG: usize = 16;

/// A backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupDocument {
    #[serde(rename = "pcim-backup")]
    version: u32,
    /// The patient whose it is.
    card: CardDocument,
    /// One more than that of the backup before.
    number: u64,
    /// When it was made, unix seconds.
    at: u64,
    /// The set of S; without a threshold it is on sheet A.
    set: Hex<16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<u8>,
    /// Of each share, the first one's first.
    commitments: Vec<Hex<32>>,
    salt: Hex<32>,
    /// Hex of letters to followers.
    keys: Vec<String>,
    /// Hex of the ciphertext.
    sealed: String,
    /// Hex of a detached signature over the statement.
    signature: String,
}

/// A backup whose signature was verified.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its author.
    pub author: Card,
    /// Its number.
    pub number: u64,
    /// When it was made, unix seconds.
    pub at: u64,
    /// Names the set of S.
    pub set: Hex<16>,
    /// How S is kept: in shares of this set, or on sheet A.
    pub shares: Option<ShareSet>,
    /// Of each share, the first one's first.
    pub commitments: Vec<Hex<32>>,
    /// The followers' letters.
    pub keys: Vec<Vec<u8>>,
    salt: Hex<32>,
    sealed: Vec<u8>,
    head: Vec<u8>,
}

/// The key X on its way: to a follower, or from a follower to the patient's next key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDocument {
    #[serde(rename = "pcim-backup-key")]
    version: u32,
    /// The patient whose backup it is for.
    pub patient: Address,
    /// The backup's set.
    pub set: Hex<16>,
    /// X.
    pub key: Secret,
    /// The card of the one who sealed it.
    pub card: CardDocument,
}

/// The part of a home that is not on the chain.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeContents {
    #[serde(rename = "pcim-contents")]
    pub(crate) version: u32,
    /// The OpenPGP key, its secrets in clear.
    pub(crate) openpgp: SecretBytes,
    /// The key of de-identification.
    pub(crate) deid: Secret,
    /// `config.toml`.
    pub(crate) config: String,
    /// Contacts, notes, keys and shares that are held for others.
    pub(crate) files: Vec<Kept>,
}

/// A file of the home.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub(crate) name: String,
    pub(crate) bytes: SecretBytes,
}

/// The parts of a new backup.
#[derive(Clone, Copy)]
pub struct BackupFacts<'a> {
    /// Its author's card.
    pub card: &'a CardDocument,
    /// Its number.
    pub number: u64,
    /// Now, unix seconds.
    pub at: u64,
    /// Names the set of S.
    pub set: Hex<16>,
    /// How many shares give S back; `None` for sheet A.
    pub threshold: Option<u8>,
    /// Of each share.
    pub commitments: &'a [Hex<32>],
    /// The followers' letters.
    pub keys: &'a [Vec<u8>],
}

/// Why a backup is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than its limit.
    #[error("{what} of {found} bytes; at most {max} are read")]
    TooLarge {
        /// `a backup`, or what is in it.
        what: &'static str,
        /// Its length in bytes.
        found: usize,
        /// Most bytes.
        max: usize,
    },
    /// Not the JSON of a backup.
    #[error("not a backup: {0}")]
    Format(#[from] serde_json::Error),
    /// A later format.
    #[error("a backup of version {found}; this program reads version 1")]
    Version {
        /// Its version.
        found: u32,
    },
    /// A field is not what it should be.
    #[error("not a backup: `{field}` is malformed")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// The card in it.
    #[error("the backup's author: {0}")]
    Card(#[from] card::Error),
    /// The signature over it.
    #[error("the backup's signature is not good: {0}")]
    Signature(#[source] pcim_seal::Error),
    /// The shares.
    #[error(transparent)]
    Share(#[from] share::Error),
    /// A letter with a share or with X.
    #[error(transparent)]
    Letter(#[from] letter::Error),
    /// S or X is of another backup.
    #[error(
        "backup {number} does not open with these keys: the shares or sheet A, or the key or sheet B, are of another set than {set}"
    )]
    WrongKeys {
        /// The backup's number.
        number: u64,
        /// Its set.
        set: Hex<16>,
    },
    /// Shares where sheet A was wanted, or the other way round.
    #[error("this backup's secret is {wanted}")]
    Kept {
        /// How it is kept.
        wanted: &'static str,
    },
    /// A letter of another patient's backup.
    #[error("the letter is for the backup of {found}; this one is of {wanted}")]
    OtherPatient {
        /// The backup's.
        wanted: Address,
        /// The letter's.
        found: Address,
    },
}

impl BackupDocument {
    /// Encrypts and signs a backup.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more than 8 MiB of contents; [`Error::Signature`] if the key cannot sign.
    pub fn seal(
        facts: BackupFacts<'_>,
        contents: &HomeContents,
        (secret, key): (&Secret, &Secret),
        signer: &UnlockedKey,
    ) -> Result<Self, Error> {
        let mut plain = letter::secret_json(contents)?;
        check_size("what is in the backup", plain.len(), MAX_CONTENTS_BYTES)?;
        let mut document = Self {
            version: 1,
            card: facts.card.clone(),
            number: facts.number,
            at: facts.at,
            set: facts.set,
            threshold: facts.threshold,
            commitments: facts.commitments.to_vec(),
            salt: Hex::random(),
            keys: facts.keys.iter().map(hex::encode).collect(),
            sealed: String::new(),
            signature: String::new(),
        };
        let author = Card::verify(facts.card)?;
        let head = document.head(&author, facts.keys);
        let (cipher, nonce) = cipher(&document.salt, secret, key);
        let tag = cipher.encrypt_in_place_detached(&nonce, &head, &mut plain);
        let tag = tag.map_err(|_| Error::Field { field: "sealed" })?;
        // What was plain is ciphertext now.
        let sealed = [&plain[..], &tag].concat();
        let statement = statement(head, &sealed);
        let signature = pcim_seal::sign_detached(&statement, signer).map_err(Error::Signature)?;
        document.sealed = hex::encode(sealed);
        document.signature = hex::encode(signature);
        Ok(document)
    }

    /// The first lines of the statement: what the ciphertext is bound to.
    fn head(&self, author: &Card, keys: &[Vec<u8>]) -> Vec<u8> {
        let mut text = format!(
            "pcim backup 1\naddress {:#x}\ncertificate {}\nnumber {}\nat {}\nset {}\nthreshold {}\n",
            author.address,
            author.certificate.fingerprint(),
            self.number,
            self.at,
            self.set,
            self.threshold.unwrap_or(0)
        );
        for commitment in &self.commitments {
            text.push_str(&format!("commitment {commitment}\n"));
        }
        text.push_str(&format!("salt {}\n", self.salt));
        for key in keys {
            text.push_str(&format!(
                "key sha256 {}\n",
                hex::encode(Sha256::digest(key))
            ));
        }
        text.into_bytes()
    }
}

impl Backup {
    /// Reads a backup and verifies card and signature; nothing is decrypted.
    ///
    /// # Errors
    /// [`Error`]
    pub fn read(json: &[u8]) -> Result<Self, Error> {
        check_size("a backup", json.len(), MAX_BACKUP_BYTES)?;
        let document: BackupDocument = serde_json::from_slice(json)?;
        if document.version != 1 {
            return Err(Error::Version {
                found: document.version,
            });
        }
        let field = |field| Error::Field { field };
        let shares = document.commitments.len();
        let shares = match document.threshold {
            None if shares == 0 => None,
            Some(threshold) if (1..=usize::from(MAX_SHARES)).contains(&shares) => Some(ShareSet {
                name: document.set,
                threshold,
                shares: shares as u8,
            }),
            _ => return Err(field("commitments")),
        };
        if document.keys.len() > MAX_KEYS {
            return Err(field("keys"));
        }
        let mut keys = Vec::new();
        for key in &document.keys {
            let key = hex::decode(key).map_err(|_| field("keys"))?;
            check_size("a follower's letter", key.len(), MAX_LETTER_BYTES)?;
            keys.push(key);
        }
        let sealed = hex::decode(&document.sealed).map_err(|_| field("sealed"))?;
        let max = MAX_CONTENTS_BYTES + TAG;
        check_size("what is in the backup", sealed.len(), max)?;
        if sealed.len() < TAG {
            return Err(field("sealed"));
        }
        let author = Card::verify(&document.card)?;
        let head = document.head(&author, &keys);
        let signature = hex::decode(&document.signature).map_err(|_| field("signature"))?;
        let statement = statement(head.clone(), &sealed);
        pcim_seal::verify_detached(&statement, &signature, &author.certificate)
            .map_err(Error::Signature)?;
        Ok(Self {
            author,
            number: document.number,
            at: document.at,
            set: document.set,
            shares,
            commitments: document.commitments,
            keys,
            salt: document.salt,
            sealed,
            head,
        })
    }

    /// Decrypts what is in it, with S and X.
    ///
    /// # Errors
    /// [`Error::WrongKeys`]; [`Error::Format`] if the author wrote something else than contents.
    pub fn open(&self, secret: &Secret, key: &Secret) -> Result<HomeContents, Error> {
        let (cipher, nonce) = cipher(&self.salt, secret, key);
        let (sealed, tag) = self.sealed.split_at(self.sealed.len() - TAG);
        let mut plain = Zeroizing::new(sealed.to_vec());
        cipher
            .decrypt_in_place_detached(&nonce, &self.head, &mut plain, tag.into())
            .map_err(|_| Error::WrongKeys {
                number: self.number,
                set: self.set,
            })?;
        let contents: HomeContents = serde_json::from_slice(&plain)?;
        match contents.version {
            1 => Ok(contents),
            found => Err(Error::Version { found }),
        }
    }
}

impl KeyDocument {
    /// Writes X down for its way. `card` is that of the one who seals it.
    #[must_use]
    pub fn new(patient: Address, set: Hex<16>, key: Secret, card: CardDocument) -> Self {
        Self {
            version: 1,
            patient,
            set,
            key,
            card,
        }
    }
}

impl Letter for KeyDocument {
    fn version(&self) -> u32 {
        self.version
    }

    fn card(&self) -> &CardDocument {
        &self.card
    }
}

/// The statement that is signed.
fn statement(mut head: Vec<u8>, sealed: &[u8]) -> Vec<u8> {
    let hash = hex::encode(Sha256::digest(sealed));
    head.extend(format!("sealed sha256 {hash}\n").bytes());
    head
}

/// The cipher and its nonce. The salt is new with each backup, so that neither comes twice.
fn cipher(salt: &Hex<32>, secret: &Secret, key: &Secret) -> (ChaCha20Poly1305, Nonce) {
    let mut joined = Zeroizing::new([0; 64]);
    joined[..32].copy_from_slice(secret.expose());
    joined[32..].copy_from_slice(key.expose());
    let mut out = Zeroizing::new([0; 44]);
    Hkdf::<Sha256>::new(Some(&salt.0), joined.as_ref())
        .expand(b"pcim backup 1", out.as_mut())
        .expect("44 bytes are less than HKDF gives");
    let cipher = ChaCha20Poly1305::new(Key::from_slice(&out[..32]));
    (cipher, *Nonce::from_slice(&out[32..]))
}

fn check_size(what: &'static str, found: usize, max: usize) -> Result<(), Error> {
    match found > max {
        true => Err(Error::TooLarge { what, found, max }),
        false => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::papers::card::tests::actor;
    use pcim_core::chance::{Numbers, mutations};

    struct Scene {
        document: BackupDocument,
        secret: Secret,
        key: Secret,
        signer: UnlockedKey,
    }

    fn contents() -> HomeContents {
        HomeContents {
            version: 1,
            openpgp: SecretBytes(Zeroizing::new(vec![3; 100])),
            deid: Secret::new([4; 32]),
            config: "name = \"Ada\"\n".to_owned(),
            files: vec![Kept {
                name: "contacts/doctor.card".to_owned(),
                bytes: SecretBytes(Zeroizing::new(b"{}".to_vec())),
            }],
        }
    }

    fn scene() -> Scene {
        let (account, signer) = actor();
        let card = Card::issue(&account, &signer, Vec::new()).unwrap();
        let (secret, key) = (Secret::random(), Secret::random());
        let facts = BackupFacts {
            card: &card,
            number: 3,
            at: 1_790_000_000,
            set: Hex([9; 16]),
            threshold: Some(2),
            commitments: &[Hex([1; 32]), Hex([2; 32]), Hex([3; 32])],
            keys: &[b"a letter".to_vec()],
        };
        let document = BackupDocument::seal(facts, &contents(), (&secret, &key), &signer).unwrap();
        Scene {
            document,
            secret,
            key,
            signer,
        }
    }

    fn read(document: &BackupDocument) -> Result<Backup, Error> {
        Backup::read(&serde_json::to_vec(document).unwrap())
    }

    #[test]
    fn a_backup_opens_with_both_keys_only() {
        let scene = scene();
        let backup = read(&scene.document).unwrap();
        assert_eq!((backup.number, backup.keys.len()), (3, 1));
        let found = backup.open(&scene.secret, &scene.key).unwrap();
        assert_eq!(*found.openpgp.0, [3; 100]);
        assert_eq!(found.files[0].name, "contacts/doctor.card");
        let other = Secret::random();
        for (secret, key) in [
            (&scene.secret, &other),
            (&other, &scene.key),
            (&scene.key, &scene.secret),
        ] {
            assert!(matches!(
                backup.open(secret, key),
                Err(Error::WrongKeys { number: 3, .. })
            ));
        }
        let text = serde_json::to_string(&scene.document).unwrap();
        for secret in [&scene.secret, &scene.key, &Secret::new([4; 32])] {
            assert!(!text.contains(&hex::encode(secret.expose())));
        }
        assert!(!format!("{found:?}{backup:?}").contains(&"04".repeat(32)));
    }

    #[test]
    fn nothing_in_a_backup_can_be_changed() {
        type Change = fn(&mut BackupDocument, &BackupDocument);
        let (good, other) = (scene(), scene());
        let changes: [Change; 9] = [
            |it, _| it.number += 1,
            |it, _| it.at += 1,
            |it, _| it.set = Hex([8; 16]),
            |it, _| it.threshold = Some(1),
            |it, _| it.commitments.swap(0, 1),
            |it, other| it.salt = other.salt,
            |it, _| it.keys.clear(),
            |it, other| it.sealed = other.sealed.clone(),
            |it, other| it.card = other.card.clone(),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut bad = good.document.clone();
            change(&mut bad, &other.document);
            let refused = read(&bad).unwrap_err();
            assert!(
                matches!(refused, Error::Signature(_)),
                "{number}: {refused}"
            );
        }
        let mut bad = good.document.clone();
        bad.version = 2;
        assert!(matches!(read(&bad), Err(Error::Version { found: 2 })));
        let malformed: [fn(&mut BackupDocument); 6] = [
            |it| it.threshold = None,
            |it| it.commitments.clear(),
            |it| it.commitments = vec![Hex([0; 32]); 16],
            |it| it.keys = vec![String::new(); 6],
            |it| it.sealed.truncate(2),
            |it| it.sealed.push('x'),
        ];
        for change in malformed {
            let mut bad = good.document.clone();
            change(&mut bad);
            assert!(matches!(read(&bad), Err(Error::Field { .. })));
        }
        let large = vec![b' '; MAX_BACKUP_BYTES + 1];
        assert!(matches!(Backup::read(&large), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn more_than_is_read_is_not_written() {
        let scene = scene();
        let mut large = contents();
        large.config = " ".repeat(MAX_CONTENTS_BYTES);
        let facts = BackupFacts {
            card: &scene.document.card,
            number: 4,
            at: 0,
            set: Hex([9; 16]),
            threshold: None,
            commitments: &[],
            keys: &[],
        };
        let keys = (&scene.secret, &scene.key);
        let refused = BackupDocument::seal(facts, &large, keys, &scene.signer);
        assert!(matches!(refused, Err(Error::TooLarge { .. })));
    }

    #[test]
    fn mutated_backups_are_refused_or_open_as_they_were() {
        let scene = scene();
        let good = serde_json::to_vec(&scene.document).unwrap();
        let (mut numbers, mut opened) = (Numbers(0x5eed_2042), 0);
        for round in 0..mutations() {
            let Ok(backup) = Backup::read(&numbers.mutated(&good)) else {
                continue;
            };
            let found = backup.open(&scene.secret, &scene.key).unwrap();
            assert_eq!(
                (backup.number, *found.deid.expose()),
                (3, [4; 32]),
                "{round}"
            );
            opened += 1;
        }
        println!("{opened} of {} mutated backups opened", mutations());
        assert!(opened < mutations() / 10);
    }
}
