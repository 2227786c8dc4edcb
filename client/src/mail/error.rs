//! Errors of mail.

use crate::mail::wire::Refusal;
use crate::papers::invitation;
use crate::papers::mail as letters;
use pcim_core::date::time;
use pcim_core::hint::{Hint, Hints};
use pcim_core::text::escaped;
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
        /// The answer of each.
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
    /// An invitation, or its words.
    #[error(transparent)]
    Invitation(#[from] invitation::Error),
    /// Too many open invitations.
    #[error("{max} invitations are open; more are not made")]
    TooManyInvitations {
        /// The most.
        max: usize,
    },
    /// Nothing waits under a code.
    #[error("no invitation waits under these words")]
    NoOffer,
    /// The invitation was answered by another.
    #[error("this invitation was answered already")]
    OfferUsed,
    /// The invitation's time is over.
    #[error("this invitation was good until {}", time(*at))]
    OfferOver {
        /// When it ended, unix seconds.
        at: u64,
    },
    /// Another contact has the name that was kept for who answers.
    #[error("an invitation was answered, and another contact is called `{}`", escaped(name.chars()))]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A card of another than the patient for whom the image was sealed.
    #[error("image {image} was sealed for {wanted}, and the card is of {found}")]
    OtherPatient {
        /// The image.
        image: ImageDigest,
        /// Hex address of the patient.
        wanted: String,
        /// The owner of the card.
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
            Self::Invitation(_) => {
                "type the eight words again, or paste the whole text that `pcim invite` printed"
            }
            Self::TooManyInvitations { .. } => "wait until some are over: `pcim invite --answers`",
            Self::NoOffer => {
                "a word is another one, or the invitation is over or not there yet: compare the words with the inviter"
            }
            Self::OfferUsed => {
                "another one had the words: tell the inviter by telephone, and ask for a new invitation"
            }
            Self::OfferOver { .. } => "ask for a new invitation",
            Self::NameTaken { .. } => {
                "`pcim card remove NAME` makes room; then `pcim invite --answers` keeps the answer"
            }
            Self::NoHandover { .. } => {
                "see `pcim radiologist list`; --handover names the file that sealing wrote"
            }
            Self::OtherPatient { .. } => "give the card of the patient for whom it was sealed",
        };
        vec![hint.into()]
    }
}
