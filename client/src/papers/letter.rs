//! Letters: documents that are signed by the card that they carry and encrypted to the card of one reader.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::papers::card::{self, Card, CardDocument};
use pcim_core::Wiped;
use pcim_seal::{Certificate, UnlockedKey};

/// Most bytes of a letter: a card, and what else it says.
pub const MAX_LETTER_BYTES: usize = 896 * 1024;

/// Why a letter is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than the limit.
    #[error("a letter of {found} bytes; at most {max} are read")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
        /// Most bytes.
        max: usize,
    },
    /// It does not decrypt with this key, or is not signed by the card in it.
    #[error("the letter does not open: {0}")]
    OpenPgp(#[source] pcim_seal::Error),
    /// Not the JSON that was wanted.
    #[error("not the letter that was wanted: {0}")]
    Format(#[from] serde_json::Error),
    /// The card in it.
    #[error("the letter's author: {0}")]
    Card(#[from] card::Error),
    /// A later format.
    #[error("a letter of version {found}; this program reads version 1")]
    Version {
        /// Its version.
        found: u32,
    },
}

/// A document that can travel as a letter.
pub trait Letter: Serialize + DeserializeOwned {
    /// Most bytes of the encrypted letter.
    const MAX: usize = MAX_LETTER_BYTES;

    /// Returns the version that it says.
    fn version(&self) -> u32;

    /// Returns the card of its author.
    fn card(&self) -> &CardDocument;
}

/// Seals a letter to its reader.
///
/// # Errors
/// [`Error::OpenPgp`] if the key cannot sign or the certificate cannot be encrypted to; [`Error::TooLarge`].
pub fn seal<L: Letter>(
    letter: &L,
    key: &UnlockedKey,
    reader: &Certificate,
) -> Result<Vec<u8>, Error> {
    let plain = secret_json(letter)?;
    let sealed = pcim_seal::encrypt_document(&plain, key, &[reader]).map_err(Error::OpenPgp)?;
    check_size::<L>(&sealed)?;
    Ok(sealed)
}

/// Seals a letter as [`seal`], without naming its reader on the outside.
///
/// # Errors
/// As [`seal`].
pub fn seal_anonymously<L: Letter>(
    letter: &L,
    key: &UnlockedKey,
    reader: &Certificate,
) -> Result<Vec<u8>, Error> {
    let plain = secret_json(letter)?;
    let sealed = pcim_seal::encrypt_document_anonymously(&plain, key, reader);
    let sealed = sealed.map_err(Error::OpenPgp)?;
    check_size::<L>(&sealed)?;
    Ok(sealed)
}

/// Opens a letter; tells also who wrote it.
///
/// # Errors
/// [`Error`], if it is not for this key, not signed by the card in it, or something else.
pub fn open<L: Letter>(sealed: &[u8], key: &UnlockedKey) -> Result<(L, Card), Error> {
    check_size::<L>(sealed)?;
    let document = pcim_seal::open_document(sealed, key).map_err(Error::OpenPgp)?;
    let letter: L = serde_json::from_slice(document.peek())?;
    if letter.version() != 1 {
        return Err(Error::Version {
            found: letter.version(),
        });
    }
    // Nothing in it is believed before the signature of the card that it names is verified.
    let author = Card::verify(letter.card())?;
    let verified = document.verify(&author.certificate);
    drop(Zeroizing::new(verified.map_err(Error::OpenPgp)?));
    Ok((letter, author))
}

/// Writes JSON that holds secrets, in memory that is wiped.
pub(crate) fn secret_json(value: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Wiped::default();
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes.into_bytes())
}

fn check_size<L: Letter>(sealed: &[u8]) -> Result<(), Error> {
    match sealed.len() > L::MAX {
        true => Err(Error::TooLarge {
            found: sealed.len(),
            max: L::MAX,
        }),
        false => Ok(()),
    }
}
