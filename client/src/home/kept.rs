//! The files of a home that its backups hold, and how a new home takes them in.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::deid;
use super::{Config, DEID, ETHEREUM, Error, Home, MAX_FILE, OPENPGP, Result, io_at};
use crate::papers::backup::Kept;
use crate::papers::letter::MAX_LETTER_BYTES;
use pcim_core::{Address, LockCost, Passphrase, Secret, SecretBytes, private};
use pcim_ledger::Account;
use pcim_seal::UnlockedKey;

/// Contact cards.
const CONTACTS: &str = "contacts";
/// Letters with shares and keys of others' backups.
const HELD: &str = "held";
/// The keys of the home's own backups.
const BACKUP: &str = "backup.pgp";
/// The custodians of the home's images.
const CUSTODIANS: &str = "custodians.json";
/// Most characters of a file's name.
const MAX_NAME: usize = 100;
/// Most files of one folder.
const MAX_FILES: usize = 10_000;
/// Most bytes of a file of notes: a document, and what wrapping takes.
const MAX_NOTES: usize = pcim_seal::DOCUMENT_MAX + 256 * 1024;

impl Home {
    /// Names the file with the keys of the home's backups.
    pub fn backup_path(&self) -> PathBuf {
        self.dir.join(BACKUP)
    }

    /// Names the folder of what the home holds for others; it may be missing.
    pub fn held_dir(&self) -> PathBuf {
        self.dir.join(HELD)
    }

    /// Names the file with the custodians of the home's images; it may be missing.
    pub fn custodians_path(&self) -> PathBuf {
        self.dir.join(CUSTODIANS)
    }

    /// Names the file with the key by which the home is the guardian of a patient; it may be missing.
    pub fn guardian_path(&self, patient: Address) -> PathBuf {
        self.held_dir().join(format!("guardian-{patient:#x}.pgp"))
    }

    /// Reads notes, contacts, what is held for others, and the keys of the backups.
    pub(crate) fn kept_files(&self) -> Result<Vec<Kept>> {
        let mut names: Vec<String> = (0..16)
            .map(|digit| format!("notes-{digit:x}.pgp"))
            .collect();
        names.extend([BACKUP, CUSTODIANS].map(str::to_owned));
        for folder in [CONTACTS, HELD] {
            names.extend(self.names_in(folder)?);
        }
        let mut files = Vec::new();
        for name in names.into_iter().filter(|name| self.has_place(name)) {
            let path = self.dir.join(&name);
            match private::read_limited(&path, MAX_NOTES) {
                Ok(bytes) => files.push(Kept {
                    name,
                    bytes: SecretBytes(Zeroizing::new(bytes)),
                }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_at(&path)(error)),
            }
        }
        Ok(files)
    }

    /// The files of a folder, sorted.
    fn names_in(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.dir.join(folder);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_at(&path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries.take(MAX_FILES) {
            let entry = entry.map_err(io_at(&path))?;
            if entry.file_type().map_err(io_at(&path))?.is_file()
                && let Some(name) = entry.file_name().to_str()
            {
                names.push(format!("{folder}/{name}"));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Says whether a backup may hold a file of this name.
    pub(crate) fn has_place(&self, name: &str) -> bool {
        let plain = |name: &str| {
            !name.is_empty()
                && name.chars().count() <= MAX_NAME
                && !name.starts_with('.')
                && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\'))
        };
        match name.split_once('/') {
            Some((CONTACTS, card)) => plain(card) && card.ends_with(".card"),
            Some((HELD, file)) => plain(file),
            Some(_) => false,
            None => {
                let digit = name
                    .strip_prefix("notes-")
                    .and_then(|it| it.strip_suffix(".pgp"));
                let notes = digit.is_some_and(|it| {
                    it.len() == 1 && it.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                });
                notes || name == BACKUP || name == CUSTODIANS
            }
        }
    }

    /// Puts a file of a backup into its place. A card or letter of that name that the home has already stays: false.
    pub(crate) fn put_kept(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let path = self.dir.join(name);
        if let Some((folder, _)) = name.split_once('/') {
            let folder = self.dir.join(folder);
            std::fs::create_dir_all(&folder).map_err(io_at(&folder))?;
            if path.exists() {
                let here = private::read_limited(&path, MAX_LETTER_BYTES).map_err(io_at(&path))?;
                return Ok(here == bytes);
            }
        }
        private::replace(&path, bytes).map_err(io_at(&path))?;
        Ok(true)
    }

    /// The configuration of a backup, with this home's own address, listening addresses, and the patient for whom it acts already.
    pub(crate) fn adopted(&self, toml: &str) -> std::result::Result<Config, String> {
        if toml.len() > MAX_FILE {
            return Err(format!("{} bytes; at most {MAX_FILE} are read", toml.len()));
        }
        let own = self.config();
        let kept = Config::from_toml(toml.as_bytes())?;
        Ok(Config {
            address: own.address,
            listen: own.listen.clone(),
            // A recovery that was finished before made this home act for her.
            patient: own.patient.or(kept.patient),
            ..kept
        })
    }

    /// Replaces the OpenPGP key and the key of de-identification, and the Ethereum key if one is given: all, or none if the
    /// process is killed.
    pub(crate) fn put_keys(
        &self,
        openpgp: &UnlockedKey,
        deid: &Secret,
        account: Option<&Account>,
        passphrase: &Passphrase,
    ) -> Result<()> {
        let stored = passphrase.normalized();
        let passphrase = stored.as_ref().unwrap_or(passphrase);
        let locked = openpgp
            .lock(passphrase, LockCost::FULL)
            .map_err(Error::OpenPgp)?;
        let deid = deid::seal(deid.expose(), openpgp).map_err(Error::OpenPgp)?;
        let mut files = vec![(OPENPGP, locked.to_armored()), (DEID, deid)];
        if let Some(account) = account {
            let keystore = account.to_keystore(passphrase, LockCost::FULL);
            files.push((ETHEREUM, keystore.map_err(Error::Ethereum)?));
        }
        self.renew(&files)
    }

    /// Gives the OpenPGP key a subkey that withstands quantum computers, unless it has one; tells whether it was added.
    ///
    /// # Errors
    /// [`Error::OpenPgp`], [`Error::Io`]
    pub fn add_post_quantum_subkey(&self, passphrase: &Passphrase) -> Result<bool> {
        let key = self.openpgp()?;
        if key.certificate().is_post_quantum() {
            return Ok(false);
        }
        let locked = key
            .unlock(passphrase)
            .and_then(|key| key.with_post_quantum_subkey())
            .and_then(|key| key.lock(passphrase, LockCost::FULL));
        let file = locked.map_err(Error::OpenPgp)?.to_armored();
        self.renew(&[(OPENPGP, file)])?;
        Ok(true)
    }
}
