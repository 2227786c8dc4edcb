//! Emergency objects: the session key of one image in shares, each sealed to a custodian (format.md §13.17).
//!
//! An object is public and is pinned by followers. It has no signature of its own: the chain names its digest. Custodians, whom it
//! does not name, take a share out of it when the chain says that an emergency opened the image, and seal it to that requestor.

pub mod drill;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::papers::card::{self, Card, CardDocument};
use crate::papers::letter::{self, Letter};
use crate::papers::share::{self, MAX_SHARES, Share, ShareDocument, ShareSet};
use pcim_core::{Address, BodyRef, Hex, ImageDigest};
use pcim_seal::{BodyVersion, SessionKey, UnlockedKey};

/// Most bytes of an emergency object: one block.
pub const MAX_EMERGENCY_BYTES: usize = 960 * 1024;

/// Custodians of a patient's images, as her home keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custodians {
    #[serde(rename = "pcim-custodians")]
    version: u32,
    /// Names them.
    pub name: Hex<16>,
    /// How many of them open an image.
    pub threshold: u8,
    /// Their cards, in the order of their shares.
    pub cards: Vec<CardDocument>,
}

/// An emergency object, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmergencyDocument {
    #[serde(rename = "pcim-emergency")]
    version: u32,
    chain_id: u64,
    contract: Address,
    patient: Address,
    image: ImageDigest,
    body: BodyRef,
    /// The version of the body's container.
    container: u8,
    set: ShareSet,
    /// Of each share, the first one's first.
    commitments: Vec<Hex<32>>,
    /// Hex of letters to custodians, in the order of the shares.
    shares: Vec<String>,
    card: CardDocument,
}

/// The image that an emergency object is about, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyFacts {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
    /// The patient.
    pub patient: Address,
    /// The image.
    pub image: ImageDigest,
    /// The body that the session key opens.
    pub body: BodyRef,
}

/// An emergency object that was read.
#[derive(Clone, Debug)]
pub struct EmergencyObject {
    /// The image that it is about, and its place.
    pub facts: EmergencyFacts,
    /// The body's container.
    pub container: BodyVersion,
    /// Which shares belong together.
    pub set: ShareSet,
    /// Of each share, the first one's first.
    pub commitments: Vec<Hex<32>>,
    /// The letters to the custodians.
    pub letters: Vec<Vec<u8>>,
    /// The card of the one who made it.
    pub author: Card,
}

/// Why an emergency object, or what custodians give of it, is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than [`MAX_EMERGENCY_BYTES`].
    #[error("an emergency object of {found} bytes; at most {MAX_EMERGENCY_BYTES} are read")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// Not its JSON.
    #[error("not an emergency object: {0}")]
    Format(#[from] serde_json::Error),
    /// A later format.
    #[error("an emergency object of version {found}; this program reads version 1")]
    Version {
        /// Its version.
        found: u32,
    },
    /// A field is not what it should be.
    #[error("not an emergency object: `{field}` is malformed")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// The card in it, or a custodian's.
    #[error(transparent)]
    Card(#[from] card::Error),
    /// The shares.
    #[error(transparent)]
    Share(#[from] share::Error),
    /// A letter with a share.
    #[error(transparent)]
    Letter(#[from] letter::Error),
    /// Made for another image, patient, chain or contract.
    #[error(
        "the emergency object is about another {what} than the one that the chain names it for"
    )]
    Other {
        /// The part that differs.
        what: &'static str,
    },
    /// A share of another image's key.
    #[error("share {index} is of the key of another image")]
    OtherImage {
        /// Its number.
        index: u8,
    },
    /// Not a drill that this program reads.
    #[error("not the drill of an emergency: {reason}")]
    Drill {
        /// Why.
        reason: String,
    },
    /// An answer to another drill.
    #[error("the answer of {address} is to another drill")]
    OtherDrill {
        /// The author's address.
        address: Address,
    },
    /// No image that a drill could be about.
    #[error("no image of this home has its key with custodians")]
    NothingToDrill,
    /// No share for this home.
    #[error("none of the {found} shares is for this home")]
    NotCustodian {
        /// How many there are.
        found: usize,
    },
}

impl Error {
    /// Says whether it is about a drill.
    pub(crate) fn is_of_drill(&self) -> bool {
        matches!(
            self,
            Self::Drill { .. } | Self::OtherDrill { .. } | Self::NothingToDrill
        )
    }
}

impl Custodians {
    /// Names custodians. The cards are verified where they are used.
    #[must_use]
    pub fn new(threshold: u8, cards: Vec<CardDocument>) -> Self {
        Self {
            version: 1,
            name: Hex::random(),
            threshold,
            cards,
        }
    }

    /// Reads the home's file.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let read: Self = serde_json::from_slice(json)?;
        match read.version {
            1 => Ok(read),
            found => Err(Error::Version { found }),
        }
    }

    /// Returns the name that the set of an image's shares has: other custodians or another body mean another set.
    #[must_use]
    pub fn set_of(&self, image: &ImageDigest, body: &BodyRef) -> Hex<16> {
        let hash = Sha256::new()
            .chain_update(b"pcim emergency set 1")
            .chain_update(self.name.0)
            .chain_update(image.0)
            .chain_update(body.cid.as_bytes());
        let mut name = [0; 16];
        name.copy_from_slice(&hash.finalize()[..16]);
        Hex(name)
    }
}

impl EmergencyObject {
    /// Cuts an image's session key into shares, seals each to its custodian, and writes the object.
    ///
    /// # Errors
    /// [`Error::Share`] for numbers that cannot be; [`Error::Card`], [`Error::Letter`]; [`Error::TooLarge`].
    pub fn make(
        facts: &EmergencyFacts,
        key: &SessionKey,
        custodians: &Custodians,
        signer: &UnlockedKey,
        card: &CardDocument,
    ) -> Result<Vec<u8>, Error> {
        let shares = u8::try_from(custodians.cards.len()).unwrap_or(u8::MAX);
        let set = ShareSet {
            name: custodians.set_of(&facts.image, &facts.body),
            threshold: custodians.threshold,
            shares,
        };
        let cut = share::split(&key.to_secret(), set.threshold, shares)?;
        let commitments = cut.iter().map(Share::commitment).collect();
        let mut letters = Vec::new();
        for (share, custodian) in cut.into_iter().zip(&custodians.cards) {
            let reader = Card::verify(custodian)?.certificate;
            let document = ShareDocument::new(facts.patient, set, share, card.clone());
            let document = document.of_image(facts.image);
            let sealed = letter::seal_anonymously(&document, signer, &reader)?;
            letters.push(hex::encode(sealed));
        }
        let document = EmergencyDocument {
            version: 1,
            chain_id: facts.chain_id,
            contract: facts.contract,
            patient: facts.patient,
            image: facts.image,
            body: facts.body.clone(),
            container: match key.version() {
                BodyVersion::V1 => 1,
                BodyVersion::V2 => 2,
            },
            set,
            commitments,
            shares: letters,
            card: card.clone(),
        };
        let json = serde_json::to_vec(&document)?;
        check_size(json.len())?;
        Ok(json)
    }

    /// Reads an object and verifies the card in it; nothing is decrypted.
    ///
    /// # Errors
    /// [`Error`]
    pub fn read(json: &[u8]) -> Result<Self, Error> {
        check_size(json.len())?;
        let document: EmergencyDocument = serde_json::from_slice(json)?;
        if document.version != 1 {
            let found = document.version;
            return Err(Error::Version { found });
        }
        let field = |field| Error::Field { field };
        let container = match document.container {
            1 => BodyVersion::V1,
            2 => BodyVersion::V2,
            _ => return Err(field("container")),
        };
        let set = document.set;
        if set.shares > MAX_SHARES || set.threshold == 0 || set.threshold > set.shares {
            return Err(field("set"));
        }
        let shares = usize::from(set.shares);
        if document.commitments.len() != shares {
            return Err(field("commitments"));
        }
        if document.shares.len() != shares {
            return Err(field("shares"));
        }
        let letters = document.shares.iter().map(hex::decode);
        let letters = letters.collect::<Result<Vec<_>, _>>();
        Ok(Self {
            facts: EmergencyFacts {
                chain_id: document.chain_id,
                contract: document.contract,
                patient: document.patient,
                image: document.image,
                body: document.body,
            },
            container,
            set,
            commitments: document.commitments,
            letters: letters.map_err(|_| field("shares"))?,
            author: Card::verify(&document.card)?,
        })
    }

    /// Checks that the object is about this image.
    ///
    /// # Errors
    /// [`Error::Other`]
    pub fn check(
        &self,
        (chain_id, contract): (u64, Address),
        patient: Address,
        image: &ImageDigest,
    ) -> Result<(), Error> {
        let found = &self.facts;
        let what = match () {
            () if (found.chain_id, found.contract) != (chain_id, contract) => "contract",
            () if found.patient != patient => "patient",
            () if found.image != *image => "image",
            () => return Ok(()),
        };
        Err(Error::Other { what })
    }

    /// Takes out the share that is for this key.
    ///
    /// # Errors
    /// [`Error::NotCustodian`]; [`Error::Letter`], [`Error::Share`], [`Error::OtherImage`] for a share that is not what the
    /// object says.
    pub fn own_share(&self, key: &UnlockedKey) -> Result<ShareDocument, Error> {
        for sealed in &self.letters {
            match letter::open::<ShareDocument>(sealed, key) {
                Ok((document, author)) => {
                    if author.certificate != self.author.certificate {
                        return Err(Error::Other { what: "author" });
                    }
                    self.check_share(&document)?;
                    return Ok(document);
                }
                Err(letter::Error::OpenPgp(pcim_seal::Error::NotForReader { .. })) => {}
                Err(other) => return Err(other.into()),
            }
        }
        let found = self.letters.len();
        Err(Error::NotCustodian { found })
    }

    /// Joins shares to the session key.
    ///
    /// # Errors
    /// [`Error::Share`], [`Error::OtherImage`], naming the share at fault.
    pub fn join(&self, given: &[ShareDocument]) -> Result<SessionKey, Error> {
        for document in given {
            self.check_share(document)?;
        }
        let secret = share::combine(&self.set, &self.commitments, given)?;
        Ok(SessionKey::from_secret(&secret, self.container))
    }

    fn check_share(&self, document: &ShareDocument) -> Result<(), Error> {
        if document.image != Some(self.facts.image) {
            let index = document.share.index;
            return Err(Error::OtherImage { index });
        }
        Ok(document.check(&self.set, &self.commitments)?)
    }
}

fn check_size(found: usize) -> Result<(), Error> {
    match found > MAX_EMERGENCY_BYTES {
        true => Err(Error::TooLarge { found }),
        false => Ok(()),
    }
}

/// The key of one image on its way to its patient's new key: a header that another reader made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderDocument {
    #[serde(rename = "pcim-header")]
    version: u32,
    /// The patient.
    pub patient: Address,
    /// The image.
    pub image: ImageDigest,
    /// The body that it opens.
    pub body: BodyRef,
    /// Hex of the header.
    header: String,
    /// The card of the one who made it.
    pub card: CardDocument,
}

impl HeaderDocument {
    /// Writes a header down for its way. `card` is that of the one who made it.
    #[must_use]
    pub fn new(
        patient: Address,
        image: ImageDigest,
        body: BodyRef,
        header: &[u8],
        card: CardDocument,
    ) -> Self {
        Self {
            version: 1,
            patient,
            image,
            body,
            header: hex::encode(header),
            card,
        }
    }

    /// Returns the header.
    ///
    /// # Errors
    /// [`Error::Field`]
    pub fn header(&self) -> Result<Vec<u8>, Error> {
        hex::decode(&self.header).map_err(|_| Error::Field { field: "header" })
    }
}

impl Letter for HeaderDocument {
    fn version(&self) -> u32 {
        self.version
    }

    fn card(&self) -> &CardDocument {
        &self.card
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
