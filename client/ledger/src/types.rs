//! Values that go to the chain and come from it.

use alloy_primitives::Bytes;
use serde::{Deserialize, Serialize};

use pcim_core::{Address, B256, BlockDigest, GrantStatus, ImageDigest, LoggedEvent, Seal};

/// The place of a contract: endpoint, chain and address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// `http://` or `https://`; may carry credentials, so it is never shown whole.
    pub rpc_url: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The `Pcac` contract.
    pub contract: Address,
}

/// A transaction signed and ready: recorded before it is sent, so that a retry sends the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCall {
    /// The transaction's hash.
    pub tx: B256,
    /// The sender's nonce.
    pub nonce: u64,
    /// The signed transaction (EIP-2718 envelope); hex in JSON.
    #[serde(with = "alloy_primitives::serde_hex")]
    pub raw: Vec<u8>,
    /// The value that a simulation of the same call returned: of a batch, true if any of its calls returned true; `None` for
    /// what returns no answer.
    pub returns: Option<bool>,
}

/// A mined call that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mined {
    /// The transaction's hash.
    pub tx: B256,
    /// The block that holds it.
    pub block: u64,
    /// Gas, the L1 part included.
    pub gas_used: u64,
    /// Wei per gas.
    pub gas_price: u128,
    /// The value that the simulation returned (a transaction itself returns nothing to its sender);
    /// `None` when it is not known or the function returns nothing.
    pub returns: Option<bool>,
    /// The contract's events in this transaction, in order.
    pub events: Vec<LoggedEvent>,
}

/// One call of the contract's state-changing functions (format.md §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `create_contract`: the patient registers an image.
    CreateContract {
        /// The sealed root.
        image: ImageDigest,
        /// The sender.
        patient: Address,
        /// The seal that the radiologist attested.
        seal: Seal,
        /// The radiologist.
        radiologist: Address,
        /// The EIP-712 signature.
        attestation: Vec<u8>,
        /// At most 256 bytes, nothing personal.
        description: String,
    },
    /// `requesting_access`: a requestor asks.
    RequestingAccess {
        /// The image's owner.
        patient: Address,
        /// The image.
        image: ImageDigest,
        /// The block of the requestor's certificate.
        public_key: BlockDigest,
        /// A purpose code.
        notes: String,
    },
    /// `approve_IRs`: the patient approves an open request.
    ApproveIrs {
        /// The requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
        /// The key that was requested.
        public_key: BlockDigest,
        /// The requestor's own sealed root.
        shared_image: ImageDigest,
        /// Unix seconds; 0 never expires.
        expires_at: u64,
        /// At most 256 bytes.
        notes: String,
    },
    /// `deny_IRs`: the patient denies an open request.
    DenyIrs {
        /// The requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
        /// At most 256 bytes.
        reason: String,
    },
    /// `trace_authorization`: puts on the chain if the requestor is authorized.
    TraceAuthorization {
        /// The image's owner.
        patient: Address,
        /// The requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// `remove_IRs`: the patient withdraws an approval or an open request.
    RemoveIrs {
        /// The requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// `reshare_IRs`: the patient replaces a reader's root or expiry.
    ReshareIrs {
        /// The requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
        /// The requestor's new sealed root.
        shared_image: ImageDigest,
        /// Unix seconds; 0 never expires.
        expires_at: u64,
    },
    /// `reseal_image`: the patient announces a new body's root.
    ResealImage {
        /// The image, as registered.
        image: ImageDigest,
        /// The new root.
        root: ImageDigest,
    },
    /// `set_approval_limit` (paper §4.5).
    SetApprovalLimit {
        /// The image.
        image: ImageDigest,
        /// Approvals a window; 0 lifts the limit.
        approvals: u32,
        /// The window's length.
        window_seconds: u32,
    },
    /// `accredit_radiologist`: the consortium vouches, or no longer does.
    AccreditRadiologist {
        /// The radiologist.
        radiologist: Address,
        /// True if the radiologist may attest.
        accredited: bool,
    },
    /// `transfer_consortium`: the consortium hands its role over.
    TransferConsortium {
        /// The account that takes it over.
        to: Address,
    },
    /// `relay`: a call that another signed is done in his name.
    Relay(RelayCall),
    /// `multicall`: several calls in the sender's name, all of them or none.
    Batch(Vec<Call>),
}

/// `image_record`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The owner.
    pub patient: Address,
    /// Unix seconds.
    pub registered_at: u64,
    /// Approvals a window; 0 is no limit.
    pub approval_limit: u32,
    /// The window's length.
    pub window_seconds: u32,
}

/// `grant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The status of the request.
    pub status: GrantStatus,
    /// Unix seconds, 0 if never.
    pub requested_at: u64,
    /// Unix seconds, 0 if never.
    pub decided_at: u64,
    /// Unix seconds, 0 if the approval never expires.
    pub expires_at: u64,
    /// The first half of the digest of the requested key's block.
    pub public_key_prefix: [u8; 16],
    /// The requestor's own sealed root, once approved.
    pub shared_image: Option<ImageDigest>,
}

/// A choice of events. An event passes if it carries every value that is given: one that has no such
/// field does not (the owner's name is not in `Approved`, for example: to see all about an image, give the image).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only about this image.
    pub image: Option<ImageDigest>,
    /// Only events that name this patient.
    pub patient: Option<Address>,
    /// Only events that name this requestor.
    pub requestor: Option<Address>,
    /// The first block.
    pub from_block: u64,
    /// The last block, inclusive; the latest if none is given.
    pub to_block: Option<u64>,
}

/// A call that its signer signed, and that anyone may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayCall {
    #[serde(rename = "pcim-signed-call")]
    pub(super) version: u32,
    /// The chain that it is for.
    pub chain_id: u64,
    /// The contract that it is for.
    pub contract: Address,
    /// The function's name, as in the ABI.
    pub function: String,
    /// The account in whose name it is done.
    pub signer: Address,
    /// The signer's nonce at the contract.
    pub nonce: u64,
    /// The last second in which it may be done, unix.
    pub deadline: u64,
    /// Selector and arguments.
    pub call: Bytes,
    /// The signer's.
    pub signature: Bytes,
}
