//! One log, as the index keeps it.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::audit::error::Error;
use pcim_core::{About, B256, Event, LoggedEvent};

/// One log of the contract, and where it stands on the chain. As JSON it is flat: the place, `about`, and the event's own
/// fields with its name in `event`; of a log that is not understood, `unknown`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The block's number.
    pub block: u64,
    /// The block's hash.
    pub block_hash: B256,
    /// When the block was made, unix seconds.
    pub timestamp: u64,
    /// The transaction's hash.
    pub tx: B256,
    /// The log's place in its block.
    pub log_index: u64,
    /// Which image and whom it is about: what the log names, and what follows from earlier ones (an image's owner) and
    /// from the log that comes right after it (whose request was accepted or denied).
    #[serde(default)]
    pub about: About,
    /// The event.
    #[serde(flatten)]
    pub what: What,
}

/// The meaning of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum What {
    /// An event of the contract's interface.
    Event(Event),
    /// A log of the contract that this program does not understand.
    Unknown {
        /// As it came.
        unknown: UnknownLog,
    },
}

/// A log of the contract that is none of its known events, or has the wrong shape for the one it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownLog {
    /// At most four; the first usually says which event it is.
    pub topics: Vec<B256>,
    /// The data that is not indexed.
    pub data: Bytes,
    /// Why a known event could not be read; `None` for an event of a later contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which event an entry is. Reads and displays as the contract's name of it; reading ignores case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the events of the contract, and `Unknown`")]
#[non_exhaustive]
pub enum EventKind {
    ContractCreated,
    RequestedForApproval,
    Requestaccepted,
    Approved,
    Requestdenied,
    Reason,
    AuthorizationSuccess,
    AuthorizationFailed,
    UserRemoved,
    Reshared,
    ImageResealed,
    ApprovalLimitSet,
    RadiologistAccredited,
    ConsortiumTransferred,
    Unknown,
    ConsortiumOffered,
    ImageImported,
    ImageFlagged,
    EmergencyOpened,
    Acted,
    AccountChanged,
    AccountMoved,
}

impl EventKind {
    /// All of them. Their places are their numbers in the index's file.
    pub const ALL: [Self; 22] = [
        Self::ContractCreated,
        Self::RequestedForApproval,
        Self::Requestaccepted,
        Self::Approved,
        Self::Requestdenied,
        Self::Reason,
        Self::AuthorizationSuccess,
        Self::AuthorizationFailed,
        Self::UserRemoved,
        Self::Reshared,
        Self::ImageResealed,
        Self::ApprovalLimitSet,
        Self::RadiologistAccredited,
        Self::ConsortiumTransferred,
        Self::Unknown,
        Self::ConsortiumOffered,
        Self::ImageImported,
        Self::ImageFlagged,
        Self::EmergencyOpened,
        Self::Acted,
        Self::AccountChanged,
        Self::AccountMoved,
    ];

    /// Names the event as the contract's interface does.
    pub fn name(self) -> &'static str {
        match self {
            Self::ContractCreated => "ContractCreated",
            Self::RequestedForApproval => "RequestedForApproval",
            Self::Requestaccepted => "Requestaccepted",
            Self::Approved => "Approved",
            Self::Requestdenied => "Requestdenied",
            Self::Reason => "Reason",
            Self::AuthorizationSuccess => "AuthorizationSuccess",
            Self::AuthorizationFailed => "AuthorizationFailed",
            Self::UserRemoved => "UserRemoved",
            Self::Reshared => "Reshared",
            Self::ImageResealed => "ImageResealed",
            Self::ApprovalLimitSet => "ApprovalLimitSet",
            Self::RadiologistAccredited => "RadiologistAccredited",
            Self::ConsortiumTransferred => "ConsortiumTransferred",
            Self::Unknown => "Unknown",
            Self::ConsortiumOffered => "ConsortiumOffered",
            Self::ImageImported => "ImageImported",
            Self::ImageFlagged => "ImageFlagged",
            Self::EmergencyOpened => "EmergencyOpened",
            Self::Acted => "Acted",
            Self::AccountChanged => "AccountChanged",
            Self::AccountMoved => "AccountMoved",
        }
    }

    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::ContractCreated { .. } => Self::ContractCreated,
            Event::RequestedForApproval { .. } => Self::RequestedForApproval,
            Event::Requestaccepted { .. } => Self::Requestaccepted,
            Event::Approved { .. } => Self::Approved,
            Event::Requestdenied { .. } => Self::Requestdenied,
            Event::Reason { .. } => Self::Reason,
            Event::AuthorizationSuccess { .. } => Self::AuthorizationSuccess,
            Event::AuthorizationFailed { .. } => Self::AuthorizationFailed,
            Event::UserRemoved { .. } => Self::UserRemoved,
            Event::Reshared { .. } => Self::Reshared,
            Event::ImageResealed { .. } => Self::ImageResealed,
            Event::ApprovalLimitSet { .. } => Self::ApprovalLimitSet,
            Event::RadiologistAccredited { .. } => Self::RadiologistAccredited,
            Event::ConsortiumTransferred { .. } => Self::ConsortiumTransferred,
            Event::ConsortiumOffered { .. } => Self::ConsortiumOffered,
            Event::ImageImported { .. } => Self::ImageImported,
            Event::ImageFlagged { .. } => Self::ImageFlagged,
            Event::EmergencyOpened { .. } => Self::EmergencyOpened,
            Event::Acted { .. } => Self::Acted,
            Event::AccountChanged { .. } => Self::AccountChanged,
            Event::AccountMoved { .. } => Self::AccountMoved,
        }
    }
}

impl Entry {
    /// Returns the event's kind.
    pub fn kind(&self) -> EventKind {
        self.event().map_or(EventKind::Unknown, EventKind::of)
    }

    /// Returns the event, if it is understood.
    pub fn event(&self) -> Option<&Event> {
        match &self.what {
            What::Event(event) => Some(event),
            What::Unknown { .. } => None,
        }
    }

    /// Returns the event as the ledger reports it, if it is understood.
    pub fn logged(&self) -> Option<LoggedEvent> {
        Some(LoggedEvent {
            block: self.block,
            timestamp: Some(self.timestamp),
            tx: self.tx,
            log_index: self.log_index,
            event: self.event()?.clone(),
        })
    }

    /// Returns the text that its sender chose, as it came: up to 256 bytes of anything. See [`super::escaped`].
    pub fn text(&self) -> Option<&str> {
        self.event()?.text()
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for EventKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::EventName {
                found: super::escaped(text.chars().take(64)),
            })
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}
