//! Notes of a home about its images, for itself: words to find them by that do not belong on the chain.
//!
//! Notes lie in sixteen files of the home, by the image's first digit, each an OpenPGP message that the home's own key
//! signed and only it opens; the passphrase is needed to read and to write them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::ImageDigest;

/// Most bytes of one note.
pub const MAX_NOTE_BYTES: usize = 4096;
/// Most bytes of an encrypted file of notes: a document, and what wrapping takes.
const MAX_FILE: usize = pcim_seal::DOCUMENT_MAX + 256 * 1024;
const VERSION: u32 = 1;

/// A note about an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The image.
    pub image: ImageDigest,
    /// When it was written, unix seconds.
    pub at: u64,
    /// Its author.
    pub by: Author,
    /// Its text.
    pub text: String,
}

/// The author of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    /// The owner's own.
    Owner,
    /// The radiologist's, from the handover or from the image that he signed.
    Radiologist,
}

#[derive(Serialize, Deserialize)]
struct File {
    #[serde(rename = "pcim-notes")]
    version: u32,
    notes: Vec<Note>,
}

impl Session {
    /// Says whether there is any note: without one no passphrase is needed to search.
    pub fn has_notes(&self) -> bool {
        (0..16).any(|digit| self.home.notes_path(digit).exists())
    }
}

impl Unlocked<'_> {
    /// Notes something about an image.
    ///
    /// # Errors
    /// [`Error::NoteTooLong`], [`Error::Seal`], [`Error::File`]
    pub fn note(&self, image: &ImageDigest, by: Author, text: &str) -> Result<Note> {
        if text.len() > MAX_NOTE_BYTES {
            return Err(Error::NoteTooLong {
                found: text.len(),
                max: MAX_NOTE_BYTES,
            });
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let note = Note {
            image: *image,
            at: now.map_or(0, |now| now.as_secs()),
            by,
            text: text.to_owned(),
        };
        let path = self.notes_path(image.0[0] >> 4);
        let mut file = self.read_notes(&path)?;
        // A registration that is resumed says the same again.
        let same = |known: &&Note| (known.image, known.by, &known.text) == (*image, by, &note.text);
        if let Some(known) = file.notes.iter().find(same) {
            return Ok(known.clone());
        }
        file.notes.push(note.clone());
        self.write_notes(&path, &file)?;
        Ok(note)
    }

    /// Deletes the notes about an image.
    ///
    /// # Errors
    /// [`Error::Seal`], [`Error::File`]
    pub(crate) fn forget_notes(&self, image: &ImageDigest) -> Result<()> {
        let path = self.notes_path(image.0[0] >> 4);
        let mut file = self.read_notes(&path)?;
        let before = file.notes.len();
        file.notes.retain(|note| note.image != *image);
        match file.notes.len() == before {
            true => Ok(()),
            false => self.write_notes(&path, &file),
        }
    }

    fn write_notes(&self, path: &Path, file: &File) -> Result<()> {
        let key = &self.keys.openpgp;
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(file)?);
        let sealed = pcim_seal::encrypt_document(&plain, key, &[&key.certificate()])?;
        let at = |source| Error::File {
            path: path.to_path_buf(),
            source,
        };
        pcim_core::private::replace(path, &sealed).map_err(at)
    }

    /// Reads all notes, by image, oldest first.
    ///
    /// # Errors
    /// [`Error::Seal`] for a file that is damaged or another's, [`Error::File`]
    pub fn notes(&self) -> Result<BTreeMap<ImageDigest, Vec<Note>>> {
        let mut notes: BTreeMap<ImageDigest, Vec<Note>> = BTreeMap::new();
        for digit in 0..16 {
            for note in self.read_notes(&self.notes_path(digit))?.notes {
                notes.entry(note.image).or_default().push(note);
            }
        }
        Ok(notes)
    }

    fn notes_path(&self, digit: u8) -> PathBuf {
        self.home.notes_path(digit)
    }

    fn read_notes(&self, path: &Path) -> Result<File> {
        let sealed = match pcim_core::private::read_limited(path, MAX_FILE) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(File {
                    version: VERSION,
                    notes: Vec::new(),
                });
            }
            Err(source) => {
                return Err(Error::File {
                    path: path.to_path_buf(),
                    source,
                });
            }
        };
        let key = &self.keys.openpgp;
        let own = key.certificate();
        let plain = pcim_seal::decrypt_document(&sealed, key, |_| Ok(own))?;
        let plain = zeroize::Zeroizing::new(plain);
        let file: File = serde_json::from_slice(&plain)?;
        if file.version != VERSION {
            return Err(Error::NotesVersion {
                found: file.version,
            });
        }
        Ok(file)
    }
}
