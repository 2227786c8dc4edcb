//! Errors of the contract's ABI as refusals.

use alloy_sol_types::SolInterface;

use super::Revert;
use crate::abi::v1::IPcac::IPcacErrors as First;
use crate::abi::v2::IPcac::IPcacErrors as E;
use crate::types::{ImageFlags, Nonce, NotesDigest};
use pcim_core::{B256, ImageDigest};

impl From<E> for Revert {
    fn from(error: E) -> Self {
        let image = |digest: B256| ImageDigest(digest.0);
        match error {
            E::PcacNotPatient(e) => Self::NotPatient {
                caller: e.caller,
                patient: e.acting,
            },
            E::PcacNotRequesterOrPatient(e) => Self::NotRequestorOrPatient { caller: e.caller },
            E::PcacNotConsortium(e) => Self::NotConsortium { caller: e.caller },
            E::PcacUnknownImage(e) => Self::UnknownImage {
                image: image(e.image),
            },
            E::PcacImageTaken(e) => Self::ImageTaken {
                image: image(e.image),
                owner: e.owner,
            },
            E::PcacWrongOwner(e) => Self::WrongOwner {
                image: image(e.image),
                wanted: e.wanted,
                owner: e.owner,
            },
            E::PcacBadAttestation(e) => Self::BadAttestation {
                radiologist: e.radiologist,
            },
            E::PcacNotAccredited(e) => Self::NotAccredited {
                radiologist: e.radiologist,
            },
            E::PcacNoRequest(e) => Self::NoRequest {
                requestor: e.requester,
                image: image(e.image),
            },
            E::PcacNotApproved(e) => Self::NotApproved {
                requestor: e.requester,
                image: image(e.image),
            },
            E::PcacOwnImage(_) => Self::OwnImage,
            E::PcacApprovalLimitReached(e) => Self::ApprovalLimitReached {
                limit: e.limit,
                retry_at: e.retryAt,
            },
            E::PcacBadLimit(e) => Self::BadLimit {
                approvals: e.approvals,
                window_seconds: e.windowSeconds,
            },
            E::PcacBadExpiry(e) => Self::BadExpiry {
                expires_at: e.expiresAt,
                now: e.now,
                latest: Some(e.latest),
            },
            E::PcacTextTooLong(e) => Self::TextTooLong {
                length: e.length.saturating_to(),
                max: e.max.saturating_to(),
            },
            E::PcacZero(e) => Self::Zero {
                argument: e.argument,
            },
            E::PcacExpired(e) => Self::Expired {
                deadline: e.deadline,
                now: e.now,
            },
            E::PcacBadNonce(e) => Self::BadNonce {
                signer: e.signer,
                nonce: Nonce::Free(e.nonce),
                next: None,
            },
            E::PcacBadSignature(e) => Self::BadSignature { signer: e.signer },
            E::PcacNotDesk(e) => Self::NotDesk {
                caller: e.caller,
                desk: e.desk,
            },
            E::PcacNotSuccessor(e) => Self::NotSuccessor {
                caller: e.caller,
                successor: e.successor,
            },
            E::PcacNotAttester(e) => Self::NotAttester { caller: e.caller },
            E::PcacOwnRequest(e) => Self::OwnRequest { caller: e.caller },
            E::PcacWithdrawn(e) => Self::Withdrawn {
                image: image(e.image),
                flags: ImageFlags(e.flags),
            },
            E::PcacBadStatus(e) => Self::BadStatus {
                status: e.status,
                since: e.since,
            },
            E::PcacRequestChanged(e) => Self::RequestChanged {
                at: e.at,
                public_key: e.publicKey.0,
                notes_digest: NotesDigest(e.notesDigest.0),
            },
            E::PcacRoundChanged(e) => Self::RoundChanged {
                wanted: e.wanted,
                round: e.round,
            },
            E::PcacTooSoon(e) => Self::TooSoon {
                retry_at: e.retryAt,
            },
            E::PcacBadHours(e) => Self::BadHours {
                found: e.found,
                least: e.least,
                most: e.most,
            },
            E::PcacLocked(e) => Self::Locked {
                patient: e.patient,
                until: e.until,
            },
            E::PcacPending(e) => Self::Pending {
                kind: e.kind,
                ripe: e.ripe,
            },
            E::PcacNothingPending(e) => Self::NothingPending { patient: e.patient },
            E::PcacNotRipe(e) => Self::NotRipe {
                ripe: e.ripe,
                now: e.now,
            },
            E::PcacBadSuccessor(e) => Self::BadSuccessor {
                successor: e.successor,
            },
            E::PcacBadGuardians(e) => Self::BadGuardians {
                commitment: e.commitment.0,
                found: e.found.0,
            },
            E::PcacTooFewGuardians(e) => Self::TooFewGuardians {
                signed: e.signed.saturating_to(),
                threshold: e.threshold.saturating_to(),
            },
            E::PcacNoPredecessor(_) => Self::NoPredecessor,
            E::PcacPredecessorFailed(e) => Self::PredecessorFailed {
                predecessor: e.predecessor,
            },
            E::PcacNested(e) => Self::Nested {
                selector: e.selector.0,
            },
        }
    }
}

impl From<First> for Revert {
    /// Errors that version 2 has not, or has otherwise; the rest is read as version 2's.
    fn from(error: First) -> Self {
        match error {
            First::PcacKeyChanged(e) => Self::KeyChanged {
                wanted: e.wanted,
                requested: e.requested.0,
            },
            First::PcacBadExpiry(e) => Self::BadExpiry {
                expires_at: e.expiresAt,
                now: e.now,
                latest: None,
            },
            First::PcacBadNonce(e) => Self::BadNonce {
                signer: e.signer,
                nonce: Nonce::Ordered(e.nonce),
                next: Some(e.next),
            },
            alike => Self::Unknown {
                data: alike.abi_encode(),
            },
        }
    }
}
