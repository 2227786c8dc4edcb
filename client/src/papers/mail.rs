//! Mail: a document for one receiver in a letter, as a follower keeps it (format.md §13.14).
//!
//! The letter hides whose document it is, of what kind and how long: it is filled up to one of a few sizes.

use serde::{Deserialize, Serialize};

use crate::papers::card::{Card, CardDocument};
use crate::papers::letter::{self, Letter, secret_json};
use pcim_core::Address;
use pcim_seal::UnlockedKey;

/// The sizes that mail is filled up to before it is encrypted, in bytes.
pub const SIZES: [usize; 3] = [32 * 1024, 96 * 1024, 240 * 1024];
/// Most bytes of a document that travels as mail.
pub const MAX_DOCUMENT: usize = 80 * 1024;

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    /// A handover.
    Handover,
}

/// A document and its sender.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    #[serde(rename = "pcim-mail")]
    version: u32,
    /// Whom it is for.
    to: Address,
    /// When it was left, unix seconds, as the sender says.
    sent_at: u64,
    kind: MailKind,
    /// Hex.
    document: String,
    /// The sender's.
    card: CardDocument,
}

/// Mail whose sender's signatures were verified.
#[derive(Clone, Debug)]
pub struct OpenedMail {
    /// When it was left, unix seconds, as the sender says.
    pub sent_at: u64,
    /// The kind of the document.
    pub kind: MailKind,
    /// The document.
    pub document: Vec<u8>,
    /// The sender.
    pub sender: Card,
}

/// Why mail is not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A document that is too long.
    #[error("a document of {found} bytes; at most {MAX_DOCUMENT} travel as mail")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// The letter.
    #[error(transparent)]
    Letter(#[from] letter::Error),
    /// It is for another receiver.
    #[error("the letter is for {found}, and this home is {wanted}")]
    NotForYou {
        /// This home's address.
        wanted: Address,
        /// Whom it names.
        found: Address,
    },
    /// Its document is not hex.
    #[error("not mail: `document` is malformed")]
    Document,
}

impl Letter for Mail {
    fn version(&self) -> u32 {
        self.version
    }

    fn card(&self) -> &CardDocument {
        &self.card
    }
}

/// Seals a document to the owner of a card. `card` is the sender's own, issued by the key that signs.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Letter`]
pub fn seal(
    kind: MailKind,
    document: &[u8],
    sent_at: u64,
    (card, key): (CardDocument, &UnlockedKey),
    to: &Card,
) -> Result<Vec<u8>, Error> {
    let too_large = || Error::TooLarge {
        found: document.len(),
    };
    if document.len() > MAX_DOCUMENT {
        return Err(too_large());
    }
    let mail = Mail {
        version: 1,
        to: to.address,
        sent_at,
        kind,
        document: hex::encode(document),
        card,
    };
    let mut plain = secret_json(&mail).map_err(letter::Error::Format)?;
    let size = SIZES.into_iter().find(|size| *size >= plain.len());
    // White space at the end is JSON's.
    plain.resize(size.ok_or_else(too_large)?, b' ');
    let sealed = pcim_seal::encrypt_document(&plain, key, &[&to.certificate]);
    Ok(sealed.map_err(letter::Error::OpenPgp)?)
}

/// Opens mail for `me`, and verifies its sender.
///
/// # Errors
/// [`Error`]
pub fn open(sealed: &[u8], key: &UnlockedKey, me: Address) -> Result<OpenedMail, Error> {
    let (mail, sender): (Mail, _) = letter::open(sealed, key)?;
    if mail.to != me {
        return Err(Error::NotForYou {
            wanted: me,
            found: mail.to,
        });
    }
    Ok(OpenedMail {
        sent_at: mail.sent_at,
        kind: mail.kind,
        document: hex::decode(&mail.document).map_err(|_| Error::Document)?,
        sender,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::papers::card::tests::actor;
    use pcim_core::chance::{Numbers, mutations};

    fn card_of((account, key): &(pcim_ledger::Account, UnlockedKey)) -> CardDocument {
        Card::issue(account, key, Vec::new()).unwrap()
    }

    #[test]
    fn mail_tells_its_sender_and_is_as_long_as_other_mail() {
        let (sender, receiver) = (actor(), actor());
        let to = Card::verify(&card_of(&receiver)).unwrap();
        let seal = |document: &[u8]| {
            let own = (card_of(&sender), &sender.1);
            super::seal(MailKind::Handover, document, 7, own, &to)
        };
        let (short, long) = (seal(b"a").unwrap(), seal(&[1; 9000]).unwrap());
        assert_eq!(short.len(), long.len());
        assert!(seal(&[1; MAX_DOCUMENT]).unwrap().len() > long.len());
        let found = seal(&[1; MAX_DOCUMENT + 1]).unwrap_err();
        assert!(matches!(found, Error::TooLarge { .. }), "{found}");

        let opened = open(&long, &receiver.1, to.address).unwrap();
        assert_eq!((opened.sent_at, opened.kind), (7, MailKind::Handover));
        assert_eq!(opened.document, [1; 9000]);
        assert_eq!(opened.sender.address, sender.0.address());
        let elsewhere = open(&long, &receiver.1, sender.0.address());
        assert!(matches!(elsewhere, Err(Error::NotForYou { .. })));
        assert!(open(&long, &sender.1, to.address).is_err());
        // A card of another, in a letter that its key did not sign.
        let forged = super::seal(
            MailKind::Handover,
            b"a",
            7,
            (card_of(&receiver), &sender.1),
            &to,
        );
        let forged = open(&forged.unwrap(), &receiver.1, to.address);
        assert!(matches!(
            forged,
            Err(Error::Letter(letter::Error::OpenPgp(_)))
        ));
    }

    #[test]
    fn mutated_mail_is_refused() {
        let (sender, receiver) = (actor(), actor());
        let to = Card::verify(&card_of(&receiver)).unwrap();
        let own = (card_of(&sender), &sender.1);
        let good = super::seal(MailKind::Handover, b"document", 7, own, &to).unwrap();
        let (mut numbers, mut read) = (Numbers(0x5eed_2062), 0);
        for round in 0..mutations() {
            if let Ok(opened) = open(&numbers.mutated(&good), &receiver.1, to.address) {
                assert_eq!(opened.document, b"document", "{round}");
                read += 1;
            }
        }
        println!("{read} of {} mutated letters were read", mutations());
        assert!(read < mutations() / 20);
    }
}
