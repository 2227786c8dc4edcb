//! Why the contract refuses: its errors with the values that failed (format.md §3.1).

mod read;
#[cfg(test)]
mod tests;

use alloy_sol_types::{Panic, Revert as RevertString, SolError, SolInterface};

use super::abi::{v1, v2};
use super::text::printable;
use super::types::{ImageFlags, Nonce, NotesDigest};
use pcim_core::{Address, B256, ImageDigest};

/// A refusal of the contract. [`Revert::name`] is the error's name in the ABI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Revert {
    /// `PcacNotPatient`
    #[error("{caller} does not act for the patient, {patient} does")]
    NotPatient {
        /// The caller.
        caller: Address,
        /// The account that may.
        patient: Address,
    },
    /// `PcacNotRequesterOrPatient`
    #[error("{caller} is neither the requestor nor the patient")]
    NotRequestorOrPatient {
        /// The caller.
        caller: Address,
    },
    /// `PcacNotConsortium`
    #[error("{caller} is not the consortium")]
    NotConsortium {
        /// The caller.
        caller: Address,
    },
    /// `PcacUnknownImage`
    #[error("no image {image} is registered")]
    UnknownImage {
        /// The image asked for.
        image: ImageDigest,
    },
    /// `PcacImageTaken`
    #[error("image {image} is already registered by {owner}")]
    ImageTaken {
        /// The image.
        image: ImageDigest,
        /// Its owner.
        owner: Address,
    },
    /// `PcacWrongOwner`
    #[error("image {image} belongs to {owner}, not to {wanted}")]
    WrongOwner {
        /// The image.
        image: ImageDigest,
        /// The account that was named.
        wanted: Address,
        /// Its owner.
        owner: Address,
    },
    /// `PcacBadAttestation`
    #[error("the attestation is not the signature of radiologist {radiologist}")]
    BadAttestation {
        /// The account that was named.
        radiologist: Address,
    },
    /// `PcacNotAccredited`
    #[error("radiologist {radiologist} is not accredited")]
    NotAccredited {
        /// The account that was named.
        radiologist: Address,
    },
    /// `PcacNoRequest`
    #[error("{requestor} has no open request for image {image}")]
    NoRequest {
        /// The account that was named.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// `PcacNotApproved`
    #[error("{requestor} has no unexpired approval for image {image}")]
    NotApproved {
        /// The account that was named.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// `PcacKeyChanged`
    #[error(
        "the request is for key 0x{}…, not for {wanted}",
        hex::encode(requested)
    )]
    KeyChanged {
        /// The key that was to be approved.
        wanted: B256,
        /// The first half of the one that is requested.
        requested: [u8; 16],
    },
    /// `PcacOwnImage`
    #[error("the patient cannot request an image of his own")]
    OwnImage,
    /// `PcacApprovalLimitReached`
    #[error("the limit of {limit} approvals is reached; again at {retry_at} (unix seconds)")]
    ApprovalLimitReached {
        /// Approvals a window.
        limit: u32,
        /// Unix seconds when the window ends.
        retry_at: u64,
    },
    /// `PcacBadLimit`
    #[error("not a limit: {approvals} approvals in {window_seconds} seconds")]
    BadLimit {
        /// Approvals a window.
        approvals: u32,
        /// The window's length.
        window_seconds: u32,
    },
    /// `PcacBadExpiry`
    #[error("not an expiry: {expires_at} (now is {now}{}, unix seconds)", latest.map(|it| format!(", at the latest {it}")).unwrap_or_default())]
    BadExpiry {
        /// The value that was given.
        expires_at: u64,
        /// The chain's time.
        now: u64,
        /// The latest that is allowed; version 1 does not say it.
        latest: Option<u64>,
    },
    /// `PcacTextTooLong`
    #[error("the text has {length} bytes, at most {max} are allowed")]
    TextTooLong {
        /// Bytes found.
        length: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// `PcacZero`
    #[error("argument {argument} is zero")]
    Zero {
        /// The argument's position.
        argument: u8,
    },
    /// `PcacExpired`
    #[error("the signed call was to be relayed by {deadline} (now is {now}, unix seconds)")]
    Expired {
        /// The last second.
        deadline: u64,
        /// The chain's time.
        now: u64,
    },
    /// `PcacBadNonce`
    #[error("number {nonce} of {signer} is used or void{}", next.map(|it| format!("; the next is {it}")).unwrap_or_default())]
    BadNonce {
        /// The signer.
        signer: Address,
        /// The nonce given.
        nonce: Nonce,
        /// The nonce wanted, at version 1.
        next: Option<u64>,
    },
    /// `PcacBadSignature`
    #[error("not the signature of {signer} over this call")]
    BadSignature {
        /// The account that was named.
        signer: Address,
    },
    /// `PcacNested`
    #[error(
        "function 0x{} may not be called inside of another call",
        hex::encode(selector)
    )]
    Nested {
        /// The function.
        selector: [u8; 4],
    },
    /// `PcacNotDesk`
    #[error("{caller} is not the emergency desk {desk}")]
    NotDesk {
        /// The caller.
        caller: Address,
        /// The desk in effect; zero for none.
        desk: Address,
    },
    /// `PcacNotSuccessor`
    #[error("{caller} is not the successor {successor}")]
    NotSuccessor {
        /// The caller.
        caller: Address,
        /// The account that is to act.
        successor: Address,
    },
    /// `PcacNotAttester`
    #[error("{caller} did not attest this image")]
    NotAttester {
        /// The caller.
        caller: Address,
    },
    /// `PcacOwnRequest`
    #[error("{caller} cannot decide on a request of his own")]
    OwnRequest {
        /// The delegate, or the desk.
        caller: Address,
    },
    /// `PcacWithdrawn`
    #[error("image {image} is {flags}")]
    Withdrawn {
        /// The image.
        image: ImageDigest,
        /// Why.
        flags: ImageFlags,
    },
    /// `PcacBadStatus`
    #[error("not a change of an accreditation: status {status}, {since} (unix seconds)")]
    BadStatus {
        /// The status that was given.
        status: u8,
        /// The time that was given.
        since: u64,
    },
    /// `PcacRequestChanged`
    #[error("the request or decision is of {at} (unix seconds), key 0x{}…, notes' digest 0x{}", hex::encode(public_key), hex::encode(notes_digest.0))]
    RequestChanged {
        /// When it was made, Unix seconds.
        at: u64,
        /// The first half of its key.
        public_key: [u8; 16],
        /// The digest of its notes.
        notes_digest: NotesDigest,
    },
    /// `PcacRoundChanged`
    #[error("the state has changed: round {wanted} was meant, this is round {round}")]
    RoundChanged {
        /// The round that was named.
        wanted: u32,
        /// The round now.
        round: u32,
    },
    /// `PcacTooSoon`
    #[error("the chain's clock has not moved on; again at {retry_at} (unix seconds)")]
    TooSoon {
        /// Unix seconds.
        retry_at: u64,
    },
    /// `PcacBadHours`
    #[error("{found} hours; wanted {least} to {most}")]
    BadHours {
        /// The hours given.
        found: u16,
        /// At least.
        least: u16,
        /// At most.
        most: u16,
    },
    /// `PcacLocked`
    #[error("the account of {patient} is locked until {until} (unix seconds)")]
    Locked {
        /// The patient.
        patient: Address,
        /// Unix seconds.
        until: u64,
    },
    /// `PcacPending`
    #[error("another change is pending (kind {kind}), to be finished from {ripe} (unix seconds)")]
    Pending {
        /// Its kind.
        kind: u8,
        /// Unix seconds.
        ripe: u64,
    },
    /// `PcacNothingPending`
    #[error("no change is pending for {patient}")]
    NothingPending {
        /// The patient.
        patient: Address,
    },
    /// `PcacNotRipe`
    #[error("the change can be finished from {ripe} (now is {now}, unix seconds)")]
    NotRipe {
        /// Unix seconds.
        ripe: u64,
        /// The chain's time.
        now: u64,
    },
    /// `PcacBadSuccessor`
    #[error("{successor} acts already, or cannot be locked out")]
    BadSuccessor {
        /// The account that was named.
        successor: Address,
    },
    /// `PcacBadGuardians`
    #[error(
        "these are not the guardians that were committed to, or they cannot do this: commitment 0x{}, found 0x{}",
        hex::encode(commitment),
        hex::encode(found)
    )]
    BadGuardians {
        /// The account's.
        commitment: [u8; 24],
        /// That of what was given.
        found: [u8; 24],
    },
    /// `PcacTooFewGuardians`
    #[error("{signed} guardians agreed, {threshold} are needed")]
    TooFewGuardians {
        /// How many signed.
        signed: u64,
        /// How many are needed.
        threshold: u64,
    },
    /// `PcacNoPredecessor`
    #[error("the contract has no predecessor")]
    NoPredecessor,
    /// `PcacPredecessorFailed`
    #[error(
        "the predecessor {predecessor} does not answer as it should, or a change is pending there"
    )]
    PredecessorFailed {
        /// The contract.
        predecessor: Address,
    },
    /// A reason in words, not one of the contract's own errors.
    #[error("{0}")]
    Text(String),
    /// Anything else.
    #[error("no reason that is known (0x{})", short(data))]
    Unknown {
        /// The revert data, at most 4 KiB of it.
        data: Vec<u8>,
    },
}

impl Revert {
    /// Returns the error's name in the ABI, if it is one of the contract's own.
    pub fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotPatient { .. } => "PcacNotPatient",
            Self::NotRequestorOrPatient { .. } => "PcacNotRequesterOrPatient",
            Self::NotConsortium { .. } => "PcacNotConsortium",
            Self::UnknownImage { .. } => "PcacUnknownImage",
            Self::ImageTaken { .. } => "PcacImageTaken",
            Self::WrongOwner { .. } => "PcacWrongOwner",
            Self::BadAttestation { .. } => "PcacBadAttestation",
            Self::NotAccredited { .. } => "PcacNotAccredited",
            Self::NoRequest { .. } => "PcacNoRequest",
            Self::NotApproved { .. } => "PcacNotApproved",
            Self::KeyChanged { .. } => "PcacKeyChanged",
            Self::OwnImage => "PcacOwnImage",
            Self::ApprovalLimitReached { .. } => "PcacApprovalLimitReached",
            Self::BadLimit { .. } => "PcacBadLimit",
            Self::BadExpiry { .. } => "PcacBadExpiry",
            Self::TextTooLong { .. } => "PcacTextTooLong",
            Self::Zero { .. } => "PcacZero",
            Self::Expired { .. } => "PcacExpired",
            Self::BadNonce { .. } => "PcacBadNonce",
            Self::BadSignature { .. } => "PcacBadSignature",
            Self::Nested { .. } => "PcacNested",
            Self::NotDesk { .. } => "PcacNotDesk",
            Self::NotSuccessor { .. } => "PcacNotSuccessor",
            Self::NotAttester { .. } => "PcacNotAttester",
            Self::OwnRequest { .. } => "PcacOwnRequest",
            Self::Withdrawn { .. } => "PcacWithdrawn",
            Self::BadStatus { .. } => "PcacBadStatus",
            Self::RequestChanged { .. } => "PcacRequestChanged",
            Self::RoundChanged { .. } => "PcacRoundChanged",
            Self::TooSoon { .. } => "PcacTooSoon",
            Self::BadHours { .. } => "PcacBadHours",
            Self::Locked { .. } => "PcacLocked",
            Self::Pending { .. } => "PcacPending",
            Self::NothingPending { .. } => "PcacNothingPending",
            Self::NotRipe { .. } => "PcacNotRipe",
            Self::BadSuccessor { .. } => "PcacBadSuccessor",
            Self::BadGuardians { .. } => "PcacBadGuardians",
            Self::TooFewGuardians { .. } => "PcacTooFewGuardians",
            Self::NoPredecessor => "PcacNoPredecessor",
            Self::PredecessorFailed { .. } => "PcacPredecessorFailed",
            Self::Text(_) | Self::Unknown { .. } => return None,
        })
    }

    /// Reads revert data; what is not known is kept as it is.
    pub(super) fn decode(data: &[u8]) -> Self {
        const KEPT: usize = 4096;
        let unknown = || Self::Unknown {
            data: data[..data.len().min(KEPT)].to_vec(),
        };
        if data.len() > KEPT {
            return unknown();
        }
        if let Ok(text) = RevertString::abi_decode(data) {
            return Self::Text(printable(&text.reason));
        }
        if let Ok(panic) = Panic::abi_decode(data) {
            return Self::Text(format!("panic {:#x}", panic.code));
        }
        let Some((selector, body)) = data.split_first_chunk::<4>() else {
            return unknown();
        };
        // An error that both versions have is the same.
        if let Ok(error) = v2::IPcac::IPcacErrors::abi_decode_raw_validate(*selector, body) {
            return error.into();
        }
        match v1::IPcac::IPcacErrors::abi_decode_raw_validate(*selector, body) {
            Ok(error) => error.into(),
            Err(_) => unknown(),
        }
    }
}

fn short(data: &[u8]) -> String {
    const SHOWN: usize = 36;
    let cut = if data.len() > SHOWN { "…" } else { "" };
    format!("{}{cut}", hex::encode(&data[..data.len().min(SHOWN)]))
}
