//! The record of a study beside its objects: who is to get it, why it waits, how it ended.

use pcim_dicom::arrival::Arrival;
use serde::{Deserialize, Serialize};

/// A study's record, encrypted on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StudyRecord {
    /// The identifiers of its first object.
    pub(crate) arrival: Arrival,
    /// Its first sender.
    pub(crate) sender: String,
    /// When its first object came, in seconds, unix.
    pub(crate) at: u64,
    /// The card of the patient that it was assigned to, hex.
    pub(crate) card: Option<String>,
    /// True once its sender asked for storage commitment.
    pub(crate) committed: bool,
    /// Instances that came a second time with other content, which was refused.
    pub(crate) conflicts: Vec<String>,
    /// Why sealing failed the last time.
    pub(crate) failure: Option<String>,
    pub(crate) state: State,
}

/// How a study stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its objects are in the spool.
    Waiting,
    /// It is being sealed; the handover's file appears when that is done.
    Sealing { handover: String },
    /// It was sealed, and its objects are gone.
    Sealed {
        /// The image; none if the program ended before it could be recorded.
        image: Option<String>,
        handover: String,
        at: u64,
        /// Its instances with the SHA-256 of their data sets, hex.
        instances: Vec<(String, String)>,
        /// Bytes of their data sets; 0 in records of earlier programs.
        #[serde(default)]
        bytes: u64,
    },
    /// A person rejected it, and its objects are gone.
    Rejected { reason: String, at: u64 },
}

impl StudyRecord {
    /// Makes the record of a study that begins.
    pub(crate) fn of(arrival: &Arrival, sender: &str, at: u64) -> Self {
        Self {
            arrival: arrival.clone(),
            sender: sender.to_owned(),
            at,
            card: None,
            committed: false,
            conflicts: Vec::new(),
            failure: None,
            state: State::Waiting,
        }
    }

    /// Says whether its objects are gone.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.state, State::Sealed { .. } | State::Rejected { .. })
    }

    /// Says whether it holds nothing but what its objects say.
    pub(crate) fn is_plain(&self) -> bool {
        let kept = self.card.is_some() || self.committed || self.failure.is_some();
        !kept && self.conflicts.is_empty() && self.state == State::Waiting
    }

    /// The instances that were sealed, with the SHA-256 of each.
    pub(crate) fn sealed_instances(&self) -> Vec<(String, [u8; 32])> {
        let State::Sealed { instances, .. } = &self.state else {
            return Vec::new();
        };
        let read = |(instance, hash): &(String, String)| {
            let mut sha256 = [0; 32];
            hex::decode_to_slice(hash, &mut sha256).ok()?;
            Some((instance.clone(), sha256))
        };
        instances.iter().filter_map(read).collect()
    }
}
