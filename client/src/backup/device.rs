//! A further device of the same person: all keys, the Ethereum key too, from the device that has them to a new home.

use serde::{Deserialize, Serialize};

use crate::backup::error::Error as Refused;
use crate::backup::make::{Backups, now};
use crate::backup::restore::Restored;
use crate::error::Result;
use crate::papers::backup::{
    Backup, BackupDocument, BackupFacts, Error as Document, MAX_BACKUP_BYTES,
};
use crate::papers::card::{Card, CardDocument};
use crate::papers::letter::{self, Letter, MAX_LETTER_BYTES};
use pcim_core::{Hex, Passphrase, Secret};
use pcim_ledger::Account;

/// Most bytes of the file that a device gives another one.
const MAX_DEVICE_BYTES: usize = MAX_BACKUP_BYTES + 2 * MAX_LETTER_BYTES;

/// The file: what a backup holds, under keys that stand in a letter to the new device alone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceDocument {
    #[serde(rename = "pcim-device")]
    version: u32,
    backup: BackupDocument,
    /// Hex.
    letter: String,
}

/// The letter to the new device.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceKeys {
    #[serde(rename = "pcim-device-keys")]
    version: u32,
    ethereum: Secret,
    secret: Secret,
    key: Secret,
    card: CardDocument,
}

impl Letter for DeviceKeys {
    fn version(&self) -> u32 {
        self.version
    }

    fn card(&self) -> &CardDocument {
        &self.card
    }
}

impl Backups<'_> {
    /// Makes the file with which the home of this card becomes a further device of this one.
    ///
    /// # Errors
    /// [`Error::Classic`](Refused::Classic) for a card whose certificate is not post-quantum.
    pub fn add_device(&self, to: &Card) -> Result<Vec<u8>> {
        to.certificate.check_reader()?;
        if !to.certificate.is_post_quantum() {
            let address = to.address;
            return Err(Refused::Classic { address }.into());
        }
        let keys = self.0.keys;
        let card = Card::issue(&keys.account, &keys.openpgp, Vec::new())?;
        let (secret, key) = (Secret::random(), Secret::random());
        let facts = BackupFacts {
            card: &card,
            number: 0,
            at: now(),
            set: Hex::random(),
            threshold: None,
            commitments: &[],
            keys: &[],
        };
        let contents = self.contents()?;
        let backup = BackupDocument::seal(facts, &contents, (&secret, &key), &keys.openpgp);
        let letter = DeviceKeys {
            version: 1,
            ethereum: Secret::new(*keys.account.expose_key()),
            secret,
            key,
            card,
        };
        let letter = letter::seal(&letter, &keys.openpgp, &to.certificate);
        let document = DeviceDocument {
            version: 1,
            backup: backup.map_err(Refused::from)?,
            letter: hex::encode(letter.map_err(Refused::from)?),
        };
        Ok(serde_json::to_vec(&document)?)
    }

    /// Makes this home, which must be new, a further device of the one whose card is `from`: it has all keys of that one
    /// then, and its own are gone. After a kill the same call goes on.
    ///
    /// # Errors
    /// [`Error::OtherAuthor`](Refused::OtherAuthor) if another wrote the file; [`Error::InUse`](Refused::InUse).
    pub fn accept_device(
        &self,
        file: &[u8],
        from: &Card,
        passphrase: &Passphrase,
    ) -> Result<Restored> {
        let too_large = Refused::from(Document::TooLarge {
            what: "a device's file",
            found: file.len(),
            max: MAX_DEVICE_BYTES,
        });
        if file.len() > MAX_DEVICE_BYTES {
            return Err(too_large.into());
        }
        let malformed = |error: serde_json::Error| Refused::from(Document::Format(error));
        let document: DeviceDocument = serde_json::from_slice(file).map_err(malformed)?;
        if document.version != 1 {
            let found = document.version;
            return Err(Refused::from(Document::Version { found }).into());
        }
        let json = serde_json::to_vec(&document.backup)?;
        let backup = Backup::read(&json).map_err(Refused::from)?;
        let author = &backup.author;
        if author.address != from.address || author.certificate != from.certificate {
            return Err(Refused::OtherAuthor {
                wanted: from.address,
                found: author.address,
            }
            .into());
        }
        let mut restored = Restored {
            patient: author.address,
            number: backup.number,
            at: backup.at,
            fingerprint: author.certificate.fingerprint(),
            already: true,
            kept: Vec::new(),
        };
        if self.0.keys.openpgp.certificate() == author.certificate {
            return Ok(restored);
        }
        self.check_new()?;
        let field = |_| Refused::from(Document::Field { field: "letter" });
        let letter = hex::decode(&document.letter).map_err(field)?;
        let opened = letter::open::<DeviceKeys>(&letter, &self.0.keys.openpgp);
        let (keys, writer) = opened.map_err(Refused::from)?;
        if writer.address != author.address || writer.certificate != author.certificate {
            return Err(Refused::OtherAuthor {
                wanted: author.address,
                found: writer.address,
            }
            .into());
        }
        let account = Account::from_private_key(keys.ethereum.expose())?;
        if account.address() != author.address {
            return Err(Refused::OtherAuthor {
                wanted: author.address,
                found: account.address(),
            }
            .into());
        }
        let contents = backup
            .open(&keys.secret, &keys.key)
            .map_err(Refused::from)?;
        restored.kept = self.install(&contents, author, Some(&account), passphrase)?;
        restored.already = false;
        Ok(restored)
    }
}
