//! Access requests: the purpose on the chain, everything personal in an encrypted document.
//!
//! The contract's `notes` of a request read `PURPOSE` or `PURPOSE CID`: a code of [`Purpose`], and the raw
//! block that holds the request document. Neither names anyone. The document is JSON, signed by the
//! certificate the request publishes and encrypted to the patient and to the requestor; it is bound to
//! one chain, contract, image and requestor, so that it cannot be passed off as another request's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use pcim_core::{Address, BlockDigest, ImageDigest};
use pcim_seal::{Certificate, UnlockedKey};

/// Most bytes of an encrypted request document.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Most bytes of a published certificate.
pub const MAX_CERTIFICATE_BYTES: usize = 256 * 1024;
/// Most bytes of the requestor's name.
const MAX_NAME_BYTES: usize = 256;
/// Most bytes of the note to the patient.
const MAX_NOTE_BYTES: usize = 8 * 1024;

/// The purpose of a request (HL7 v3 ActReason).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Purpose {
    /// Treatment.
    Treat,
    /// Healthcare research.
    Hresch,
    /// Healthcare payment.
    Hpaymt,
    /// Emergency treatment.
    Etreat,
}

/// The `notes` of a request, taken apart. Text of any other form stands in `purpose` alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// A code of [`Purpose`], unless the request was made by other means.
    pub purpose: String,
    /// The block of the request document.
    pub document: Option<BlockDigest>,
}

/// The subject of a request; the document is valid for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The chain's id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
    /// The image asked for.
    pub image: ImageDigest,
    /// The requestor.
    #[serde(rename = "requester")]
    pub requestor: Address,
}

/// The part of a request that only the patient is to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDocument {
    #[serde(rename = "pcim-request")]
    version: u32,
    /// The subject.
    #[serde(flatten)]
    pub subject: Subject,
    /// The purpose.
    pub purpose: Purpose,
    /// The requestor's own word for the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A word to the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Multiaddrs of the requestor's node.
    #[serde(default)]
    pub peers: Vec<String>,
}

/// Why a request document is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a code of [`Purpose`].
    #[error("`{found}` is not a purpose; wanted TREAT, HRESCH, HPAYMT or ETREAT")]
    Purpose {
        /// The text that was given.
        found: String,
    },
    /// A field is too long.
    #[error("the {field} is {found} bytes long; at most {max} are allowed")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Most bytes.
        max: usize,
        /// Its length in bytes.
        found: usize,
    },
    /// It does not decrypt or is not signed by the published certificate.
    #[error("the request document does not open: {0}")]
    OpenPgp(#[source] pcim_seal::Error),
    /// Not the JSON of a request document.
    #[error("not a request document: {0}")]
    Format(#[from] serde_json::Error),
    /// A later format.
    #[error("a request document of version {found}; this program reads version 1")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It says another purpose than the chain.
    #[error("the request document says {found}, and the request on the chain {wanted}")]
    OtherPurpose {
        /// The part of a request that stands on the chain.
        wanted: Purpose,
        /// The document's value.
        found: Purpose,
    },
    /// It was written for another request.
    #[error(
        "the request document was written for another request: {found:?} instead of {wanted:?}"
    )]
    OtherRequest {
        /// The chain's value.
        wanted: Box<Subject>,
        /// The document's value.
        found: Box<Subject>,
    },
}

impl RequestDocument {
    /// Writes a document about `subject`.
    pub fn new(
        subject: Subject,
        purpose: Purpose,
        name: Option<String>,
        note: Option<String>,
        peers: Vec<String>,
    ) -> Result<Self, Error> {
        let document = Self {
            version: 1,
            subject,
            purpose,
            name,
            note,
            peers,
        };
        document.check_lengths()?;
        Ok(document)
    }

    /// Signs it and encrypts it to those who decide, the patient and her delegates, and to the requestor.
    pub fn seal(&self, key: &UnlockedKey, deciding: &[&Certificate]) -> Result<Vec<u8>, Error> {
        let plain = serde_json::to_vec(self)?;
        let own = key.certificate();
        let readers = [deciding, &[&own]].concat();
        let sealed = pcim_seal::encrypt_document(&plain, key, &readers).map_err(Error::OpenPgp)?;
        limit("request document", sealed.len(), MAX_REQUEST_BYTES)?;
        Ok(sealed)
    }

    /// Opens one: it must be signed by `signer`, the published certificate, and be about `subject`.
    pub fn open(
        sealed: &[u8],
        key: &UnlockedKey,
        signer: &Certificate,
        subject: &Subject,
    ) -> Result<Self, Error> {
        limit("request document", sealed.len(), MAX_REQUEST_BYTES)?;
        let plain = pcim_seal::decrypt_document(sealed, key, |_| Ok(signer.clone()))
            .map_err(Error::OpenPgp)?;
        let document: Self = serde_json::from_slice(&plain)?;
        if document.version != 1 {
            return Err(Error::Version {
                found: document.version,
            });
        }
        if document.subject != *subject {
            return Err(Error::OtherRequest {
                wanted: Box::new(*subject),
                found: Box::new(document.subject),
            });
        }
        document.check_lengths()?;
        Ok(document)
    }

    /// Checks that the document says the purpose that stands on the chain.
    ///
    /// # Errors
    /// [`Error::OtherPurpose`]; [`Error::Purpose`] if the chain has none.
    pub fn check_purpose(&self, notes: &Notes) -> Result<(), Error> {
        let wanted = notes.purpose.parse()?;
        if self.purpose != wanted {
            return Err(Error::OtherPurpose {
                wanted,
                found: self.purpose,
            });
        }
        Ok(())
    }

    fn check_lengths(&self) -> Result<(), Error> {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        limit("name", length(&self.name), MAX_NAME_BYTES)?;
        limit("note", length(&self.note), MAX_NOTE_BYTES)
    }
}

impl Notes {
    /// Reads the text of a `RequestedForApproval` event; never fails, since anyone may write anything.
    pub fn parse(text: &str) -> Self {
        if let Some((purpose, cid)) = text.split_once(' ')
            && let (Ok(purpose), Ok(digest)) = (purpose.parse::<Purpose>(), cid.parse())
        {
            return Self {
                purpose: purpose.to_string(),
                document: Some(digest),
            };
        }
        Self {
            purpose: text.to_owned(),
            document: None,
        }
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.purpose)?;
        match &self.document {
            Some(document) => write!(f, " {document}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Treat => "TREAT",
            Self::Hresch => "HRESCH",
            Self::Hpaymt => "HPAYMT",
            Self::Etreat => "ETREAT",
        })
    }
}

impl FromStr for Purpose {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "TREAT" => Self::Treat,
            "HRESCH" => Self::Hresch,
            "HPAYMT" => Self::Hpaymt,
            "ETREAT" => Self::Etreat,
            _ => {
                return Err(Error::Purpose {
                    found: text.to_owned(),
                });
            }
        })
    }
}

fn limit(field: &'static str, found: usize, max: usize) -> Result<(), Error> {
    if found > max {
        return Err(Error::TooLong { field, max, found });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::papers::card::tests::actor;

    fn subject(requestor: Address) -> Subject {
        Subject {
            chain_id: 412_346,
            contract: Address::repeat_byte(5),
            image: ImageDigest([1; 32]),
            requestor,
        }
    }

    #[test]
    fn notes_are_a_code_and_an_opaque_name() {
        let digest = BlockDigest([7; 32]);
        let notes = Notes {
            purpose: Purpose::Treat.to_string(),
            document: Some(digest),
        };
        let text = notes.to_string();
        assert!(text.starts_with("TREAT b") && text.len() < 256, "{text}");
        assert_eq!(Notes::parse(&text), notes);
        for text in ["TREAT", "", "hello world", "TREAT nonsense"] {
            let parsed = Notes::parse(text);
            assert_eq!((parsed.purpose.as_str(), parsed.document), (text, None));
        }
    }

    #[test]
    fn mutated_documents_are_read_as_they_were_written_or_refused() {
        let (patient, requestor) = (actor(), actor());
        let subject = subject(requestor.0.address());
        let note = Some("please".to_owned());
        let document =
            RequestDocument::new(subject, Purpose::Treat, None, note, Vec::new()).unwrap();
        let signer = requestor.1.certificate();
        let sealed = document.seal(&requestor.1, &[&patient.1.certificate()]);
        let (sealed, plain) = (sealed.unwrap(), serde_json::to_vec(&document).unwrap());
        let open = |sealed: &[u8]| RequestDocument::open(sealed, &patient.1, &signer, &subject);
        let mut numbers = pcim_core::chance::Numbers(0x5eed_0008);
        for round in 0..pcim_core::chance::mutations() {
            if let Ok(opened) = open(&numbers.mutated(&sealed)) {
                assert_eq!(opened, document);
            }
            // Signed by the requestor as it is: the form alone is in its way. A signature takes its time.
            if round % 10 == 0 {
                let readers = [&patient.1.certificate()];
                let plain = numbers.mutated(&plain);
                let sealed = pcim_seal::encrypt_document(&plain, &requestor.1, &readers).unwrap();
                if let Ok(opened) = open(&sealed) {
                    assert_eq!(opened.subject, subject);
                }
            }
            let notes = numbers
                .mutated(b"TREAT bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
            let notes = String::from_utf8_lossy(&notes);
            assert_eq!(Notes::parse(&notes).to_string(), notes);
        }
    }

    #[test]
    fn a_document_is_valid_for_its_request_only() {
        let (patient, requestor, stranger) = (actor(), actor(), actor());
        let subject = subject(requestor.0.address());
        let name = Some("Dr. Who".to_owned());
        let document =
            RequestDocument::new(subject, Purpose::Etreat, name, None, Vec::new()).unwrap();
        let sealed = document
            .seal(&requestor.1, &[&patient.1.certificate()])
            .unwrap();
        let signer = requestor.1.certificate();
        let opened = RequestDocument::open(&sealed, &patient.1, &signer, &subject).unwrap();
        assert_eq!(opened, document);
        let notes = |purpose: Purpose| Notes {
            purpose: purpose.to_string(),
            document: None,
        };
        assert!(opened.check_purpose(&notes(Purpose::Etreat)).is_ok());
        assert!(matches!(
            opened.check_purpose(&notes(Purpose::Hresch)),
            Err(Error::OtherPurpose {
                wanted: Purpose::Hresch,
                found: Purpose::Etreat
            })
        ));

        let other = self::subject(stranger.0.address());
        assert!(matches!(
            RequestDocument::open(&sealed, &patient.1, &signer, &other),
            Err(Error::OtherRequest { .. })
        ));
        let forger = stranger.1.certificate();
        assert!(matches!(
            RequestDocument::open(&sealed, &patient.1, &forger, &subject),
            Err(Error::OpenPgp(_))
        ));
        assert!(RequestDocument::open(&sealed, &stranger.1, &signer, &subject).is_err());
    }

    #[test]
    fn texts_are_limited() {
        let note = Some("x".repeat(MAX_NOTE_BYTES + 1));
        let subject = subject(Address::ZERO);
        assert!(matches!(
            RequestDocument::new(subject, Purpose::Treat, None, note, Vec::new()),
            Err(Error::TooLong { field: "note", .. })
        ));
    }
}
