//! `Pcac`: patient-centric access control for medical images, as a Stylus contract.
//!
//! One deployment serves every patient and every image. Patients register their images, each attested by an
//! accredited radiologist, and decide who may see them; the consortium accredits radiologists and nothing else.
//! The promise to the outside is `abi/IPcac.sol`; this file is its Rust side, each function handed to the
//! module that keeps its rules.
//!
//! The deployer calls the constructor as `stylus_constructor()`, 0x5585258d, followed by the encoded
//! consortium address: 36 bytes in all.

// The entry point that the SDK generates has no documentation.
#![cfg_attr(target_arch = "wasm32", allow(missing_docs))]

extern crate alloc;

mod attestation;
mod consent;
mod consortium;
mod interface;
mod limit;
mod record;
#[cfg(test)]
mod tests;
mod trace;
mod word;

use alloc::{string::String, vec, vec::Vec};

use alloy_primitives::{Address, Bytes, B256};
use stylus_sdk::{
    prelude::*,
    storage::{StorageAddress, StorageBool, StorageMap},
};

use consent::{Grants, HalfDigest};
pub use interface::{Error, IPcac, MAX_ATTESTATION, MAX_TEXT};
use record::Images;

/// The contract's storage.
#[cfg_attr(target_arch = "wasm32", entrypoint)]
#[storage]
pub struct Pcac {
    consortium: StorageAddress,
    accredited: StorageMap<Address, StorageBool>,
    images: Images,
    grants: Grants,
}

/// The functions of `IPcac`, in its order.
#[public]
impl Pcac {
    /// Sets the consortium. Runs once.
    ///
    /// # Errors
    /// `PcacZero`.
    ///
    /// # Events
    /// `ConsortiumTransferred` from the zero address.
    #[constructor]
    pub fn constructor(&mut self, consortium: Address) -> Result<(), Error> {
        self.found(consortium)
    }

    /// Registers the caller's image, attested by an accredited radiologist. Always true.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacNotPatient`, `PcacImageTaken`, `PcacNotAccredited`, `PcacBadAttestation`.
    ///
    /// # Events
    /// `ContractCreated`.
    #[selector(name = "create_contract")]
    pub fn create_contract(
        &mut self,
        image: B256,
        patient: Address,
        seal: B256,
        radiologist: Address,
        attestation: Bytes,
        description: String,
    ) -> Result<bool, Error> {
        self.register(image, patient, seal, radiologist, attestation, description)
    }

    /// Asks for access; true if the caller is authorized already.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacUnknownImage`, `PcacOwnImage`, `PcacWrongOwner`.
    ///
    /// # Events
    /// `RequestedForApproval`, unless authorized.
    #[selector(name = "requesting_access")]
    pub fn requesting_access(
        &mut self,
        patient: Address,
        image: B256,
        public_key: B256,
        notes: String,
    ) -> Result<bool, Error> {
        self.request(patient, image, public_key, notes)
    }

    /// Grants an open request for the key that was requested; false if already authorized.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacUnknownImage`, `PcacNotPatient`, `PcacBadExpiry`, `PcacNoRequest`,
    /// `PcacKeyChanged`, `PcacApprovalLimitReached`.
    ///
    /// # Events
    /// `Requestaccepted`, then `Approved`; none if already authorized.
    #[selector(name = "approve_IRs")]
    pub fn approve_irs(
        &mut self,
        requester: Address,
        image: B256,
        public_key: B256,
        shared_image: B256,
        expires_at: u64,
        notes: String,
    ) -> Result<bool, Error> {
        self.approve(
            requester,
            image,
            public_key,
            shared_image,
            expires_at,
            notes,
        )
    }

    /// Denies an open request; false if there is none.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacUnknownImage`, `PcacNotPatient`.
    ///
    /// # Events
    /// `Requestdenied`, then `Reason`; none without an open request.
    #[selector(name = "deny_IRs")]
    pub fn deny_irs(
        &mut self,
        requester: Address,
        image: B256,
        reason: String,
    ) -> Result<bool, Error> {
        self.deny(requester, image, reason)
    }

    /// Records whether the requester is authorized now, and returns it.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotRequesterOrPatient`, `PcacWrongOwner`.
    ///
    /// # Events
    /// `AuthorizationSuccess` or `AuthorizationFailed`.
    #[selector(name = "trace_authorization")]
    pub fn trace_authorization(
        &mut self,
        patient: Address,
        requester: Address,
        image: B256,
    ) -> Result<bool, Error> {
        self.trace(patient, requester, image)
    }

    /// Ends a request or an approval, expired or not; false if there is neither.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`.
    ///
    /// # Events
    /// `UserRemoved`, then `Reason`; none if there is neither.
    #[selector(name = "remove_IRs")]
    pub fn remove_irs(&mut self, requester: Address, image: B256) -> Result<bool, Error> {
        self.remove(requester, image)
    }

    /// Replaces the shared image and the expiry of an approval in force. Always true.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacBadExpiry`, `PcacNotApproved`.
    ///
    /// # Events
    /// `Reshared`.
    #[selector(name = "reshare_IRs")]
    pub fn reshare_irs(
        &mut self,
        requester: Address,
        image: B256,
        shared_image: B256,
        expires_at: u64,
    ) -> Result<bool, Error> {
        self.reshare(requester, image, shared_image, expires_at)
    }

    /// Announces the root of the image's new body.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`.
    ///
    /// # Events
    /// `ImageResealed`.
    #[selector(name = "reseal_image")]
    pub fn reseal_image(&mut self, image: B256, root: B256) -> Result<(), Error> {
        self.announce_reseal(image, root)
    }

    /// Limits the approvals in a window of time; 0 approvals lifts the limit.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacBadLimit`.
    ///
    /// # Events
    /// `ApprovalLimitSet`.
    #[selector(name = "set_approval_limit")]
    pub fn set_approval_limit(
        &mut self,
        image: B256,
        approvals: u32,
        window_seconds: u32,
    ) -> Result<(), Error> {
        self.set_limit(image, approvals, window_seconds)
    }

    /// Accredits a radiologist, or withdraws it.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotConsortium`.
    ///
    /// # Events
    /// `RadiologistAccredited`.
    #[selector(name = "accredit_radiologist")]
    pub fn accredit_radiologist(
        &mut self,
        radiologist: Address,
        accredited: bool,
    ) -> Result<(), Error> {
        self.accredit(radiologist, accredited)
    }

    /// Hands the consortium's role over.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotConsortium`.
    ///
    /// # Events
    /// `ConsortiumTransferred`.
    #[selector(name = "transfer_consortium")]
    pub fn transfer_consortium(&mut self, to: Address) -> Result<(), Error> {
        self.transfer(to)
    }

    /// Whether the requester may see the image now. Never reverts.
    #[selector(name = "is_authorized")]
    pub fn is_authorized(&self, patient: Address, requester: Address, image: B256) -> bool {
        self.authorized(patient, requester, image)
    }

    /// The image's patient, registration time, approval limit and window; all zero if unknown.
    #[selector(name = "image_record")]
    pub fn image_record(&self, image: B256) -> (Address, u64, u32, u32) {
        let record = self.record(image);
        (
            record.patient,
            record.registered_at,
            record.limit,
            record.window,
        )
    }

    /// The requester's status, times of request, decision and expiry, key and shared image.
    #[selector(name = "grant")]
    pub fn grant(&self, image: B256, requester: Address) -> (u8, u64, u64, u64, HalfDigest, B256) {
        let standing = self.standing(image, requester);
        let shared_image = self
            .grants
            .getter(image)
            .getter(requester)
            .shared_image
            .get();
        (
            standing.status as u8,
            standing.requested_at,
            standing.decided_at,
            standing.expires_at,
            standing.key,
            shared_image,
        )
    }

    /// Who accredits radiologists.
    #[selector(name = "consortium")]
    pub fn consortium(&self) -> Address {
        self.consortium.get()
    }

    /// Whether the radiologist is accredited now.
    #[selector(name = "is_accredited")]
    pub fn is_accredited(&self, radiologist: Address) -> bool {
        self.accredited.get(radiologist)
    }
}
