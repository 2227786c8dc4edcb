//! Errors of mail.

use crate::mail::wire::Refusal;
use crate::papers::mail as letters;
use pcim_core::hint::{Hint, Hints};
use pcim_core::{Address, ImageDigest};

/// Why mail was not left or fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The letter.
    #[error(transparent)]
    Letter(#[from] letters::Error),
    /// The network names no follower that could keep mail.
    #[error("this home's network names no follower, so nothing keeps mail for others")]
    NoMailbox,
    /// No follower keeps a document.
    #[error("no follower keeps the document: {}", reasons.join("; "))]
    NotLeft {
        /// What each said.
        reasons: Vec<String>,
    },
    /// A follower refused.
    #[error("the mailbox at {mailbox} refuses: {refusal}")]
    Refused {
        /// The follower's multiaddr.
        mailbox: String,
        /// Why.
        refusal: Refusal,
    },
    /// A follower answered something else than it was asked.
    #[error("the mailbox at {mailbox} gives an answer that makes no sense")]
    Strange {
        /// The follower's multiaddr.
        mailbox: String,
    },
    /// An image that this home did not seal, or whose handover's file is not known.
    #[error("this home knows no handover of image {image}")]
    NoHandover {
        /// The image.
        image: ImageDigest,
    },
    /// A card of another than the patient for whom the image was sealed.
    #[error("image {image} was sealed for {wanted}, and the card is of {found}")]
    OtherPatient {
        /// The image.
        image: ImageDigest,
        /// Hex address of the patient.
        wanted: String,
        /// Whose the card is.
        found: Address,
    },
}

impl Hint for Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Letter(_) => "give the file itself: a handover needs no follower",
            Self::NoMailbox => {
                "give and take the file itself, or join a network whose file names followers: `pcim network show`"
            }
            Self::NotLeft { .. } | Self::Refused { .. } | Self::Strange { .. } => {
                "try again later, or give the file itself; a follower keeps mail while it runs `pcim node --follow-chain`"
            }
            Self::NoHandover { .. } => {
                "see `pcim radiologist list`; --handover names the file that sealing wrote"
            }
            Self::OtherPatient { .. } => "give the card of the patient for whom it was sealed",
        };
        vec![hint.into()]
    }
}
