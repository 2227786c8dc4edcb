//! The contract's events as values (format.md §3.1), names as in the ABI.

use alloy_primitives::{Address, B256};
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
    },
    /// The patient limited how many approvals a window allows.
    ApprovalLimitSet {
        /// The image, as registered.
        image: ImageDigest,
        /// How many approvals; 0 lifts the limit.
        approvals: u32,
        /// In how many seconds.
        window_seconds: u32,
    },
    /// The consortium accredited a radiologist, or withdrew that.
    RadiologistAccredited {
        /// The radiologist.
        radiologist: Address,
        /// True if accredited from now on.
        accredited: bool,
    },
    /// The consortium handed over its role.
    ConsortiumTransferred {
        /// The consortium before.
        from: Address,
        /// The consortium now.
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
            | Self::ConsortiumTransferred { .. } => None,
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
            | Self::Requestdenied { patient, image, .. } => {
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
            Self::ImageResealed { image, .. } | Self::ApprovalLimitSet { image, .. } => {
                about(Some(image), None, None, None)
            }
            Self::RadiologistAccredited { radiologist, .. } => {
                about(None, None, None, Some(radiologist))
            }
            Self::ConsortiumTransferred { .. } => About::default(),
        }
    }
}
