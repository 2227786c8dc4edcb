//! A guardian's share, or a follower's X, sealed again to the card of the patient's next key.

use serde::Serialize;

use crate::backup::error::Error as Refused;
use crate::backup::make::Backups;
use crate::error::Result;
use crate::papers::backup::{Backup, KeyDocument};
use crate::papers::card::Card;
use crate::papers::letter;
use crate::papers::share::ShareDocument;
use pcim_core::{Address, Hex};
use pcim_seal::UnlockedKey;

/// The thing that is given on.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// The letter that the patient sent her guardian.
    Share(&'a [u8]),
    /// A backup of hers, which has her follower's letter.
    Backup(&'a [u8]),
}

/// A share or X, sealed again.
#[derive(Debug, Serialize)]
pub struct GivenOn {
    /// The patient whose backup it is for.
    pub patient: Address,
    /// The backup's set.
    pub set: Hex<16>,
    /// The number of the share; `None` for X.
    pub share: Option<u8>,
    /// Whom it was sealed to.
    pub to: Address,
    /// The letter.
    #[serde(skip)]
    pub letter: Vec<u8>,
}

impl Backups<'_> {
    /// Seals what is held for a patient to the card of her next key. Only people can know that the card is hers.
    ///
    /// # Errors
    /// [`Error::NoLetter`](Refused::NoLetter) if the backup has none for this home; [`Error::Classic`](Refused::Classic).
    pub fn give_on(&self, given: Given<'_>, to: &Card) -> Result<GivenOn> {
        let keys = self.0.keys;
        let reader = &to.certificate;
        if !reader.is_post_quantum() {
            reader.check_reader()?;
            let address = to.address;
            return Err(Refused::Classic { address }.into());
        }
        let card = Card::issue(&keys.account, &keys.openpgp, Vec::new())?;
        let (patient, set, share, letter) = match given {
            Given::Share(sealed) => {
                let mut document = open_share(sealed, &keys.openpgp)?;
                document.card = card;
                let letter = letter::seal(&document, &keys.openpgp, reader);
                let (name, index) = (document.set.name, document.share.index);
                (document.patient, name, Some(index), letter)
            }
            Given::Backup(json) => {
                let backup = Backup::read(json).map_err(Refused::from)?;
                let mut document = self.own_letter(&backup)?;
                document.card = card;
                let letter = letter::seal(&document, &keys.openpgp, reader);
                (document.patient, document.set, None, letter)
            }
        };
        Ok(GivenOn {
            patient,
            set,
            share,
            to: to.address,
            letter: letter.map_err(Refused::from)?,
        })
    }

    /// The letter of a backup that is for this home.
    fn own_letter(&self, backup: &Backup) -> Result<KeyDocument> {
        let key = &self.0.keys.openpgp;
        for sealed in &backup.keys {
            match letter::open::<KeyDocument>(sealed, key) {
                Ok((document, author)) => {
                    check_author(document.patient, &author)?;
                    check_author(backup.author.address, &author)?;
                    if document.set != backup.set {
                        return Err(Refused::OtherSet {
                            wanted: backup.set,
                            found: document.set,
                        }
                        .into());
                    }
                    return Ok(document);
                }
                Err(letter::Error::OpenPgp(pcim_seal::Error::NotForReader { .. })) => {}
                Err(other) => return Err(Refused::from(other).into()),
            }
        }
        let found = backup.keys.len();
        Err(Refused::NoLetter { found }.into())
    }
}

/// Opens the letter with a share that a patient sent her guardian.
pub(crate) fn open_share(sealed: &[u8], key: &UnlockedKey) -> Result<ShareDocument> {
    let opened = letter::open::<ShareDocument>(sealed, key);
    let (document, author) = opened.map_err(Refused::from)?;
    check_author(document.patient, &author)?;
    Ok(document)
}

/// Only the patient herself hands out what opens her backup.
fn check_author(wanted: Address, author: &Card) -> Result<()> {
    match author.address == wanted {
        true => Ok(()),
        false => Err(Refused::OtherAuthor {
            wanted,
            found: author.address,
        }
        .into()),
    }
}
