//! A question to the index.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::audit::entry::EventKind;
use crate::audit::error::Error;
use pcim_core::{Address, ImageDigest};

/// Which entries are wanted: those that fit everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// About this image.
    pub image: Option<ImageDigest>,
    /// About images of this patient, or naming him.
    pub patient: Option<Address>,
    /// About requests of this requestor.
    pub requestor: Option<Address>,
    /// Naming this radiologist, or about an image that he attested.
    pub radiologist: Option<Address>,
    /// Concerning this address in any part: patient, requestor or radiologist.
    pub party: Option<Address>,
    /// Of one of these kinds; of any if there are none.
    pub kinds: Vec<EventKind>,
    /// About requests that stand so, at `now`.
    pub standing: Option<Standing>,
    /// The moment taken for now when `standing` is wanted, unix seconds; the last synced block's time if it is not given.
    pub now: Option<u64>,
    /// Not before, unix seconds.
    pub from: Option<u64>,
    /// Before, unix seconds.
    pub to: Option<u64>,
    /// The most entries: the latest ones.
    pub limit: Option<usize>,
}

/// Which images are wanted: those that fit everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageQuery {
    /// One of these.
    pub images: Option<Vec<ImageDigest>>,
    /// Registered by this patient.
    pub patient: Option<Address>,
    /// That this requestor ever asked for.
    pub asked_by: Option<Address>,
    /// Concerning this address in any part: registered or attested by it, or ever asked for.
    pub party: Option<Address>,
}

/// How a request stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Open: the patient has not decided.
    Requested,
    /// The requestor may open the image.
    Approved,
    /// It was approved, and the approval ended by itself.
    Expired,
    /// The patient denied it.
    Denied,
    /// The patient removed it, or the approval.
    Removed,
    /// An emergency desk opened the image to the requestor.
    Emergency,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Requested,
        Self::Approved,
        Self::Expired,
        Self::Denied,
        Self::Removed,
        Self::Emergency,
    ];

    /// Names the standing in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::Removed => "removed",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Standing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.into_iter();
        all.find(|standing| standing.name() == text)
            .ok_or_else(|| Error::StandingName {
                found: super::escaped(text.chars().take(64)),
            })
    }
}
