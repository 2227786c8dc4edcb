//! A backup, back into a new home.

use serde::Serialize;

use crate::backup::error::Error as Refused;
use crate::backup::make::Backups;
use crate::error::Result;
use crate::papers::backup::{Backup, Error as Document, HomeContents, KeyDocument};
use crate::papers::card::Card;
use crate::papers::letter;
use crate::papers::share::{self, ShareDocument};
use crate::papers::sheet;
use pcim_core::{Address, Passphrase, Secret};
use pcim_ledger::Account;
use pcim_seal::UnlockedKey;

/// The parts that open a backup.
#[derive(Debug)]
pub struct Restoring<'a> {
    /// The backup, as a file.
    pub backup: &'a [u8],
    /// The guardians' letters to this home.
    pub shares: &'a [Vec<u8>],
    /// The seed of sheet A, in their place.
    pub seed: Option<&'a Secret>,
    /// X.
    pub key: Key<'a>,
}

/// X, as it came.
#[derive(Debug)]
pub enum Key<'a> {
    /// A follower's letter to this home.
    Letter(&'a [u8]),
    /// Sheet B.
    Sheet(&'a Secret),
}

/// A home with a backup's keys and files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The patient whose backup it was.
    pub patient: Address,
    /// The backup's number.
    pub number: u64,
    /// When it was made, unix seconds.
    pub at: u64,
    /// The fingerprint of the OpenPGP key that this home has now.
    pub fingerprint: String,
    /// True if the home had that key already: nothing was done.
    pub already: bool,
    /// Files of the new home that were left as they are, though the backup has others of their names.
    pub kept: Vec<String>,
}

impl Backups<'_> {
    /// Restores a backup into this home, which must be new: its OpenPGP key, which the guardians and followers sealed to, is
    /// replaced last, so that the same call goes on after a kill. The Ethereum key stays.
    ///
    /// # Errors
    /// [`Error`](Refused), naming the share or letter at fault.
    pub fn restore(&self, given: &Restoring<'_>, passphrase: &Passphrase) -> Result<Restored> {
        let backup = Backup::read(given.backup).map_err(Refused::from)?;
        let mut restored = Restored {
            patient: backup.author.address,
            number: backup.number,
            at: backup.at,
            fingerprint: backup.author.certificate.fingerprint(),
            already: true,
            kept: Vec::new(),
        };
        if self.0.keys.openpgp.certificate() == backup.author.certificate {
            return Ok(restored);
        }
        self.check_new()?;
        let secret = self.secret(&backup, given)?;
        let key = self.key(&backup, &given.key)?;
        let contents = backup.open(&secret, &key).map_err(Refused::from)?;
        restored.kept = self.install(&contents, &backup.author, None, passphrase)?;
        restored.already = false;
        Ok(restored)
    }

    /// A home that holds something is not overwritten.
    pub(super) fn check_new(&self) -> Result<()> {
        let images = self.0.journal.images()?.len();
        let operations = self.0.journal.unfinished()?.len();
        match images + operations {
            0 => Ok(()),
            _ => Err(Refused::InUse { images, operations }.into()),
        }
    }

    /// S: from the guardians' letters, or from sheet A.
    fn secret(&self, backup: &Backup, given: &Restoring<'_>) -> Result<Secret> {
        let kept = |wanted| Refused::from(Document::Kept { wanted });
        let Some(shares) = &backup.shares else {
            let seed = given.seed.ok_or_else(|| kept("on sheet A"))?;
            return Ok(sheet::from_seed(seed)?.secret);
        };
        if given.seed.is_some() {
            return Err(kept("in shares at the guardians").into());
        }
        let mut documents = Vec::new();
        for sealed in given.shares {
            let opened = letter::open::<ShareDocument>(sealed, &self.0.keys.openpgp);
            let (document, _) = opened.map_err(Refused::from)?;
            check_patient(backup, document.patient)?;
            documents.push(document);
        }
        let joined = share::combine(shares, &backup.commitments, &documents);
        Ok(joined.map_err(Refused::from)?)
    }

    /// X: from a follower's letter, or from sheet B.
    fn key(&self, backup: &Backup, given: &Key<'_>) -> Result<Secret> {
        let sealed = match given {
            Key::Sheet(key) => return Ok((*key).clone()),
            Key::Letter(sealed) => sealed,
        };
        let opened = letter::open::<KeyDocument>(sealed, &self.0.keys.openpgp);
        let (document, _) = opened.map_err(Refused::from)?;
        check_patient(backup, document.patient)?;
        if document.set != backup.set {
            return Err(Refused::OtherSet {
                wanted: backup.set,
                found: document.set,
            }
            .into());
        }
        Ok(document.key)
    }

    /// Puts keys and files into the home, the OpenPGP key last; tells which of its own files were left.
    pub(super) fn install(
        &self,
        contents: &HomeContents,
        author: &Card,
        account: Option<&Account>,
        passphrase: &Passphrase,
    ) -> Result<Vec<String>> {
        let key = UnlockedKey::from_exposed(&contents.openpgp.0)?;
        let found = key.certificate();
        if found != author.certificate {
            return Err(Refused::OtherKey {
                wanted: author.certificate.fingerprint(),
                found: found.fingerprint(),
            }
            .into());
        }
        let home = &self.0.home;
        let config = home
            .adopted(&contents.config)
            .map_err(|reason| Refused::Config { reason })?;
        if !contents.files.iter().all(|file| home.has_place(&file.name)) {
            return Err(Refused::Name.into());
        }
        let mut kept = Vec::new();
        for file in &contents.files {
            if !home.put_kept(&file.name, &file.bytes.0)? {
                kept.push(file.name.clone());
            }
        }
        let mut config = config;
        if let Some(account) = account {
            config.address = account.address();
        }
        home.set_config(config)?;
        home.put_keys(&key, &contents.deid, account, passphrase)?;
        Ok(kept)
    }
}

fn check_patient(backup: &Backup, found: Address) -> Result<()> {
    let wanted = backup.author.address;
    match found == wanted {
        true => Ok(()),
        false => Err(Refused::from(Document::OtherPatient { wanted, found }).into()),
    }
}
