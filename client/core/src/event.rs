//! The contract's events as values (format.md §3.1), names as in the ABI.

use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

use super::digest::{BlockDigest, ImageDigest, Seal};

/// One event of the contract, with the values of format.md §3.1, names as in the ABI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    /// A patient registered an image.
    ContractCreated {
        /// The image's owner.
        patient: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The radiologist.
        radiologist: Address,
        /// The attested seal.
        seal: Seal,
        /// The attestation (version 2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attestation: Option<Bytes>,
        /// When the retracted registration was made that this one replaces, in Unix seconds; 0 for none (version 2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<u64>,
        /// The text given, not interpreted.
        info: String,
    },
    /// A requestor asked a patient for an image.
    RequestedForApproval {
        /// The requestor.
        #[serde(rename = "requester")]
        requestor: Address,
        /// The image's owner.
        patient: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The raw block with the requestor's certificate.
        public_key: BlockDigest,
        /// The text given, not interpreted.
        info: String,
    },
    /// The patient accepted the request that the next event names.
    Requestaccepted {
        /// The image's owner.
        patient: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The text given, not interpreted.
        info: String,
    },
    /// The patient shared an image with a requestor.
    Approved {
        /// The requestor.
        #[serde(rename = "requester")]
        requestor: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The raw block with the requestor's certificate.
        public_key: BlockDigest,
        /// The root made for the requestor.
        shared_image: ImageDigest,
        /// When it ends, in Unix seconds; 0 is never.
        expires_at: u64,
        /// The text given, not interpreted.
        info: String,
    },
    /// The patient denied the request; the next event says why.
    Requestdenied {
        /// The image's owner.
        patient: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The text given, not interpreted.
        info: String,
    },
    /// Why a request was denied or an approval removed.
    Reason {
        /// The requestor.
        #[serde(rename = "requester")]
        requestor: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The text given, not interpreted.
        info: String,
    },
    /// A trace found the requestor authorized.
    AuthorizationSuccess {
        /// The requestor.
        #[serde(rename = "requester")]
        requestor: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The text given, not interpreted.
        info: String,
        /// The image's owner.
        patient: Address,
    },
    /// A trace found the requestor not authorized.
    AuthorizationFailed {
        /// The requestor.
        #[serde(rename = "requester")]
        requestor: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The text given, not interpreted.
        info: String,
        /// The image's owner.
        patient: Address,
    },
    /// The patient removed a request or an approval.
    UserRemoved {
        /// The requestor.
        #[serde(rename = "requester")]
        requestor: Address,
        /// The image's owner.
        patient: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The text given, not interpreted.
        info: String,
    },
    /// The patient replaced the shared root or the expiry of an approval.
    Reshared {
        /// The requestor.
        #[serde(rename = "requester")]
        requestor: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The root made for the requestor.
        shared_image: ImageDigest,
        /// When it ends, in Unix seconds; 0 is never.
        expires_at: u64,
    },
    /// The patient announced a new sealed root for an image.
    ImageResealed {
        /// The image, as registered.
        image: ImageDigest,
        /// The new root.
        root: ImageDigest,
        /// The digest of the emergency object, zero for none (version 2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emergency: Option<B256>,
        /// The image's round now (version 2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round: Option<u32>,
    },
    /// The patient limited how many approvals a window allows.
    ApprovalLimitSet {
        /// The image, as registered.
        image: ImageDigest,
        /// How many approvals; 0 lifts the limit.
        approvals: u32,
        /// In how many seconds.
        window_seconds: u32,
        /// The image's round now (version 2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round: Option<u32>,
    },
    /// The consortium accredited a radiologist, or withdrew that.
    RadiologistAccredited {
        /// The radiologist.
        radiologist: Address,
        /// True if accredited from now on.
        accredited: bool,
        /// 1 accredited, 2 retired, 3 revoked (version 2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u8>,
        /// Until when a retired one's attestations are taken, or since when a revoked one's are doubted, in Unix seconds
        /// (version 2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
    },
    /// The consortium handed over its role.
    ConsortiumTransferred {
        /// The consortium before.
        from: Address,
        /// The consortium now.
        to: Address,
    },
    /// The consortium offered its role; to its own address: no longer.
    ConsortiumOffered {
        /// The consortium.
        from: Address,
        /// The account that may take the role.
        to: Address,
    },
    /// A patient took an image over from the contract's predecessor.
    ImageImported {
        /// The image's owner.
        patient: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// When it was registered there, in Unix seconds.
        registered_at: u64,
        /// 1 withdrawn, 2 retracted.
        flags: u8,
        /// The tag of the radiologist who attested it; 0 if the predecessor had none.
        tag: u64,
    },
    /// An image was withdrawn, restored or retracted.
    ImageFlagged {
        /// The image, as registered.
        image: ImageDigest,
        /// The sender.
        by: Address,
        /// 1 withdrawn, 2 retracted.
        flags: u8,
        /// The radiologist's code of a retraction.
        reason: u8,
        /// The image's round now.
        round: u32,
    },
    /// The emergency desk opened an image.
    EmergencyOpened {
        /// The requestor.
        #[serde(rename = "requester")]
        requestor: Address,
        /// The image's owner.
        patient: Address,
        /// The image, as registered.
        image: ImageDigest,
        /// The raw block with the requestor's certificate.
        public_key: BlockDigest,
        /// When it ends, in Unix seconds.
        until: u64,
        /// The desk's code.
        reason_code: B256,
    },
    /// The decision before was made by another key than the patient's own address.
    Acted {
        /// The patient.
        patient: Address,
        /// The account that decided.
        by: Address,
    },
    /// A patient's account changed, or a change of it is pending.
    AccountChanged {
        /// The patient.
        patient: Address,
        /// The sender.
        by: Address,
        /// 1 guardians, 2 move, 3 desk, 4 recovery, 5 recovery by a threshold of 1, 6 cancelled, 7 finished, 8 delegate,
        /// 9 taken over from the predecessor.
        kind: u8,
        /// The account's round now.
        round: u32,
        /// When it can be finished, in Unix seconds; 0 if nothing is pending by it.
        ripe: u64,
        /// When a lock ends, in Unix seconds; 0 for none.
        locked_until: u64,
        /// Commitment, account and hours (format.md §3.8.4).
        data: B256,
    },
    /// Another key acts for a patient.
    AccountMoved {
        /// The patient.
        patient: Address,
        /// The key before.
        from: Address,
        /// The key now.
        to: Address,
    },
}

/// An event and where it stands on the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// The block's number.
    pub block: u64,
    /// When the block was made, in Unix seconds, if it was looked up.
    pub timestamp: Option<u64>,
    /// The transaction's hash.
    pub tx: B256,
    /// The log's place in its block.
    pub log_index: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// The image and the accounts that an event is about, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The image, as registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageDigest>,
    /// The image's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<Address>,
    /// The requestor.
    #[serde(default, rename = "requester", skip_serializing_if = "Option::is_none")]
    pub requestor: Option<Address>,
    /// The radiologist who attested or was accredited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radiologist: Option<Address>,
}

impl Event {
    /// Returns the text that its sender chose, as it came: up to 256 bytes of anything.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::ContractCreated { info, .. }
            | Self::RequestedForApproval { info, .. }
            | Self::Requestaccepted { info, .. }
            | Self::Approved { info, .. }
            | Self::Requestdenied { info, .. }
            | Self::Reason { info, .. }
            | Self::AuthorizationSuccess { info, .. }
            | Self::AuthorizationFailed { info, .. }
            | Self::UserRemoved { info, .. } => Some(info),
            Self::Reshared { .. }
            | Self::ImageResealed { .. }
            | Self::ApprovalLimitSet { .. }
            | Self::RadiologistAccredited { .. }
            | Self::ConsortiumTransferred { .. }
            | Self::ConsortiumOffered { .. }
            | Self::ImageImported { .. }
            | Self::ImageFlagged { .. }
            | Self::EmergencyOpened { .. }
            | Self::Acted { .. }
            | Self::AccountChanged { .. }
            | Self::AccountMoved { .. } => None,
        }
    }

    /// Returns what the event itself names: `Approved`, for example, does not name the owner.
    pub fn about(&self) -> About {
        let about = |image, patient, requestor, radiologist| About {
            image,
            patient,
            requestor,
            radiologist,
        };
        match *self {
            Self::ContractCreated {
                patient,
                image,
                radiologist,
                ..
            } => about(Some(image), Some(patient), None, Some(radiologist)),
            Self::Requestaccepted { patient, image, .. }
            | Self::Requestdenied { patient, image, .. }
            | Self::ImageImported { patient, image, .. } => {
                about(Some(image), Some(patient), None, None)
            }
            Self::RequestedForApproval {
                requestor,
                patient,
                image,
                ..
            }
            | Self::AuthorizationSuccess {
                requestor,
                image,
                patient,
                ..
            }
            | Self::AuthorizationFailed {
                requestor,
                image,
                patient,
                ..
            }
            | Self::UserRemoved {
                requestor,
                patient,
                image,
                ..
            }
            | Self::EmergencyOpened {
                requestor,
                patient,
                image,
                ..
            } => about(Some(image), Some(patient), Some(requestor), None),
            Self::Approved {
                requestor, image, ..
            }
            | Self::Reason {
                requestor, image, ..
            }
            | Self::Reshared {
                requestor, image, ..
            } => about(Some(image), None, Some(requestor), None),
            Self::ImageResealed { image, .. }
            | Self::ApprovalLimitSet { image, .. }
            | Self::ImageFlagged { image, .. } => about(Some(image), None, None, None),
            Self::Acted { patient, .. }
            | Self::AccountChanged { patient, .. }
            | Self::AccountMoved { patient, .. } => about(None, Some(patient), None, None),
            Self::RadiologistAccredited { radiologist, .. } => {
                about(None, None, None, Some(radiologist))
            }
            Self::ConsortiumTransferred { .. } | Self::ConsortiumOffered { .. } => About::default(),
        }
    }
}
