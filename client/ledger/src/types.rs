//! Values that go to the chain and come from it.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::{Bytes, keccak256};
use serde::{Deserialize, Serialize};

use pcim_core::{Address, B256, BlockDigest, GrantStatus, ImageDigest, LoggedEvent, Seal, U256};

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

/// The version of a contract, which is that of its signing domain (format.md §3.3, §3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Version 1.
    V1,
    /// Version 2.
    V2,
}

impl Version {
    /// Returns its text, as the contract and the signing domain have it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The digest of a request's notes: the first ten bytes of their keccak-256. Zero while no request is open, and at version 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotesDigest(pub [u8; 10]);

impl NotesDigest {
    /// Hashes notes.
    #[must_use]
    pub fn of(notes: &str) -> Self {
        let mut first = [0; 10];
        first.copy_from_slice(&keccak256(notes)[..10]);
        Self(first)
    }
}

/// The number of a signed call. As JSON a number at version 1, `0x…` at version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Nonce {
    /// Version 1: each comes after the one before.
    Ordered(u64),
    /// Version 2: bit n mod 256 of word n div 256, in any order.
    Free(U256),
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordered(nonce) => nonce.fmt(f),
            Self::Free(nonce) => write!(f, "{nonce:#x}"),
        }
    }
}

/// The text is no number of a signed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number of a signed call: decimal, or 0x and hex digits")]
pub struct BadNonce;

impl FromStr for Nonce {
    type Err = BadNonce;

    fn from_str(text: &str) -> Result<Self, BadNonce> {
        let read = match text.strip_prefix("0x") {
            Some(hex) => U256::from_str_radix(hex, 16).ok().map(Self::Free),
            None => text.parse().ok().map(Self::Ordered),
        };
        read.ok_or(BadNonce)
    }
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
        /// When it was requested, Unix seconds. Version 1 takes none.
        requested_at: u64,
        /// The digest of the request's notes. Version 1 takes none.
        notes_digest: NotesDigest,
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
        /// The decision that is changed, Unix seconds. Version 1 takes none.
        decided_at: u64,
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
        /// The digest of the emergency object, zero for none. Version 1 takes none.
        emergency: B256,
        /// The image's round. Version 1 takes none.
        round: u32,
    },
    /// `set_approval_limit` (paper §4.5).
    SetApprovalLimit {
        /// The image.
        image: ImageDigest,
        /// Approvals a window; 0 lifts the limit.
        approvals: u32,
        /// The window's length in seconds.
        window_seconds: u32,
        /// The image's round. Version 1 takes none.
        round: u32,
    },
    /// `withdraw_image`: the patient stops all access but her own.
    WithdrawImage {
        /// The image.
        image: ImageDigest,
    },
    /// `restore_image`: the patient ends a withdrawal.
    RestoreImage {
        /// The image.
        image: ImageDigest,
        /// Its round.
        round: u32,
    },
    /// `retract_image`: the radiologist takes the attestation back.
    RetractImage {
        /// The image.
        image: ImageDigest,
        /// A code of the radiologist's.
        reason: u8,
    },
    /// `import_image`: the patient takes an image over from the predecessor.
    ImportImage {
        /// The image.
        image: ImageDigest,
    },
    /// `set_guardians`.
    SetGuardians {
        /// The patient.
        patient: Address,
        /// The account's round.
        round: u32,
        /// The commitment to them; zero ends the set.
        commitment: [u8; 24],
        /// Hours that a change waits; 0 with a zero commitment.
        hours: u16,
    },
    /// `move_account`: the acting key hands the account over.
    MoveAccount {
        /// The patient.
        patient: Address,
        /// The account's round.
        round: u32,
        /// The key that is to act.
        successor: Address,
    },
    /// `set_emergency`.
    SetEmergency {
        /// The patient.
        patient: Address,
        /// The account's round.
        round: u32,
        /// The desk; zero for none.
        desk: Address,
        /// Hours of an emergency access; 0 with a zero desk.
        hours: u8,
    },
    /// `start_recovery`: guardians have the account moved.
    StartRecovery(Recovery),
    /// `cancel_change`: the acting key ends what is pending.
    CancelChange {
        /// The patient.
        patient: Address,
    },
    /// `finish_change`: a ripe change comes into effect.
    FinishChange {
        /// The patient.
        patient: Address,
    },
    /// `set_delegate`.
    SetDelegate {
        /// The patient.
        patient: Address,
        /// The account's round.
        round: u32,
        /// The delegate.
        delegate: Address,
        /// The end of his time, Unix seconds; 0 ends it now.
        until: u64,
    },
    /// `break_glass`: the emergency desk opens an image.
    BreakGlass {
        /// The requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
        /// The key that was requested.
        public_key: BlockDigest,
        /// When it was requested, Unix seconds.
        requested_at: u64,
        /// The end, Unix seconds.
        until: u64,
        /// The desk's code.
        reason: B256,
    },
    /// `accredit_radiologist`: the consortium vouches, or no longer does.
    AccreditRadiologist {
        /// The radiologist.
        radiologist: Address,
        /// Version 1 knows accredited or not.
        status: Accreditation,
        /// Unix seconds; 0 for [`Accreditation::Accredited`]. Version 1 takes none.
        since: u64,
    },
    /// `transfer_consortium`: the consortium hands its role over (version 1), or offers it.
    TransferConsortium {
        /// The account that takes it over.
        to: Address,
    },
    /// `accept_consortium`: takes the role that was offered.
    AcceptConsortium,
    /// `void_nonces`: signed calls of the sender that can no longer be relayed.
    VoidNonces {
        /// The word of the nonces.
        word: U256,
        /// A bit for each.
        mask: U256,
    },
    /// `relay`: a call that another signed is done in his name.
    Relay(RelayCall),
    /// `multicall`: several calls in the sender's name, all of them or none.
    Batch(Vec<Call>),
}

/// The arguments of `start_recovery`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The patient.
    pub patient: Address,
    /// The key that is to act.
    pub successor: Address,
    /// True if the acting key is stopped until then.
    pub lock: bool,
    /// All guardians, ascending.
    pub guardians: Vec<Address>,
    /// Signatures that are needed.
    pub threshold: u8,
    /// The salt of the commitment.
    pub salt: B256,
    /// The last second in which it may be sent, Unix.
    pub deadline: u64,
    /// A signature of each guardian, in their order; empty for those who are absent.
    pub signatures: Vec<Bytes>,
}

/// A radiologist's accreditation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accreditation {
    /// Never accredited, or (version 1) no longer.
    None = 0,
    /// May attest.
    Accredited = 1,
    /// Attestations are taken until a day.
    Retired = 2,
    /// May not attest, for good. At version 1: not accredited.
    Revoked = 3,
}

impl Accreditation {
    /// Reads the contract's number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        let all = [Self::None, Self::Accredited, Self::Retired, Self::Revoked];
        all.into_iter().find(|status| *status as u8 == number)
    }
}

/// `accreditation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccreditationRecord {
    /// How the radiologist stands.
    pub status: Accreditation,
    /// When he was first accredited, Unix seconds; 0 at version 1.
    pub accredited_at: u64,
    /// Of a retired one the end, of a revoked one the beginning of doubt, Unix seconds.
    pub since: u64,
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
    /// The window's length in seconds.
    pub window_seconds: u32,
    /// Withdrawn or retracted; neither at version 1.
    pub flags: ImageFlags,
    /// The first 56 bits of keccak256(radiologist ‖ image); 0 for one of version 1.
    pub tag: u64,
    /// The round of what is decided on the image; 0 at version 1.
    pub round: u32,
}

/// Why nobody but the patient has access to an image: the contract's bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFlags(pub u8);

impl ImageFlags {
    /// Returns true if the patient withdrew it.
    #[must_use]
    pub fn withdrawn(self) -> bool {
        self.0 & 1 != 0
    }

    /// Returns true if the radiologist retracted it.
    #[must_use]
    pub fn retracted(self) -> bool {
        self.0 & 2 != 0
    }
}

impl fmt::Display for ImageFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.withdrawn(), self.retracted()) {
            (false, false) => "in use",
            (true, false) => "withdrawn by its patient",
            (false, true) => "retracted by its radiologist",
            (true, true) => "withdrawn by its patient and retracted by its radiologist",
        })
    }
}

/// `account`: who decides for a patient, and what is pending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The key that decides.
    pub acting: Address,
    /// Raised by each call of the account.
    pub round: u32,
    /// Raised by each move and recovery.
    pub epoch: u16,
    /// The counter that guardians sign.
    pub recovery: u16,
    /// Unix seconds; 0 for no lock.
    pub locked_until: u64,
    /// To the guardians; zero for none.
    #[serde(with = "alloy_primitives::serde_hex")]
    pub commitment: [u8; 24],
    /// How long their changes wait, in hours.
    pub hours: u16,
    /// The change that is pending.
    pub pending: Option<Pending>,
}

/// A change of an account that is not in effect yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The part that it changes.
    pub kind: ChangeKind,
    /// When it can be finished, Unix seconds.
    pub ripe: u64,
    /// Hours of new guardians or of a desk.
    pub hours: u16,
    /// Commitment, or an account in the last 20 bytes.
    #[serde(with = "alloy_primitives::serde_hex")]
    pub data: [u8; 24],
}

impl Pending {
    /// Reads the account that is named: a successor or a desk.
    #[must_use]
    pub fn account(&self) -> Address {
        Address::from_slice(&self.data[4..])
    }
}

/// The part of an account that a pending change changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The guardians.
    Guardians = 1,
    /// The acting key, by itself.
    Move = 2,
    /// The emergency desk.
    Desk = 3,
    /// The acting key, by its guardians.
    Recovery = 4,
    /// The acting key, by a single guardian.
    SingleRecovery = 5,
}

impl ChangeKind {
    /// Reads the contract's number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        let all = [
            Self::Guardians,
            Self::Move,
            Self::Desk,
            Self::Recovery,
            Self::SingleRecovery,
        ];
        all.into_iter().find(|kind| *kind as u8 == number)
    }
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
    /// The digest of the notes of an open request.
    pub notes_digest: NotesDigest,
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
    /// Only events of these names, as in the ABI; of any, if there are none. Logs of other events are not asked for: strangers can
    /// make as many as they pay for.
    pub events: &'static [&'static str],
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
    pub nonce: Nonce,
    /// The last second in which it may be done, unix.
    pub deadline: u64,
    /// Selector and arguments.
    pub call: Bytes,
    /// The signer's.
    pub signature: Bytes,
}
