//! The contract's events as values (protocol §3), names as in the ABI.

use serde::{Deserialize, Serialize};

use super::{Address, B256, BlockDigest, ImageDigest, Seal};

/// One event of the contract, with the values of protocol §3, names as in the ABI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    ContractCreated {
        patient: Address,
        image: ImageDigest,
        radiologist: Address,
        seal: Seal,
        info: String,
    },
    RequestedForApproval {
        requester: Address,
        patient: Address,
        image: ImageDigest,
        public_key: BlockDigest,
        info: String,
    },
    Requestaccepted {
        patient: Address,
        image: ImageDigest,
        info: String,
    },
    Approved {
        requester: Address,
        image: ImageDigest,
        public_key: BlockDigest,
        shared_image: ImageDigest,
        expires_at: u64,
        info: String,
    },
    Requestdenied {
        patient: Address,
        image: ImageDigest,
        info: String,
    },
    Reason {
        requester: Address,
        image: ImageDigest,
        info: String,
    },
    AuthorizationSuccess {
        requester: Address,
        image: ImageDigest,
        info: String,
        patient: Address,
    },
    AuthorizationFailed {
        requester: Address,
        image: ImageDigest,
        info: String,
        patient: Address,
    },
    UserRemoved {
        requester: Address,
        patient: Address,
        image: ImageDigest,
        info: String,
    },
    Reshared {
        requester: Address,
        image: ImageDigest,
        shared_image: ImageDigest,
        expires_at: u64,
    },
    ImageResealed {
        image: ImageDigest,
        root: ImageDigest,
    },
    ApprovalLimitSet {
        image: ImageDigest,
        approvals: u32,
        window_seconds: u32,
    },
    RadiologistAccredited {
        radiologist: Address,
        accredited: bool,
    },
    ConsortiumTransferred {
        from: Address,
        to: Address,
    },
}
/// An event and where it stands on the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedEvent {
    pub block: u64,
    /** unix seconds */
    pub timestamp: Option<u64>,
    pub tx: B256,
    pub log_index: u64,
    #[serde(flatten)]
    pub event: Event,
}
