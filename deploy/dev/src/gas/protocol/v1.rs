//! Version 1's operations.

use alloy_primitives::{Address, B256};
use alloy_sol_types::{SolCall, SolEvent};
use pcim_ledger::{Attestation, Call, Deployment, Nonce, NotesDigest, Version};

use super::super::abi::v1::IPcac;
use super::super::chain::Chain;
use super::super::floor::Slots;
use super::super::{Error, PATIENTS};
use super::{
    DEADLINE, DESCRIPTION, KEY, LIMIT, NOTES, Operation, REASON, ROOT, SEAL, SHARED, SHARED_AGAIN,
    Stage, WINDOW_SECONDS, image, operation, slots,
};

/// Every operation once, in an order in which each finds the state it needs.
pub(super) fn operations(chain: &Chain, contract: Address) -> Result<Vec<Operation>, Error> {
    let cast = Cast::new(chain, contract, 0);
    let (one, other, third, fourth) = (image(0, 0), image(0, 1), image(0, 2), image(0, 3));
    let (doctor, second) = (Stage::REQUESTOR, Stage::OTHER);
    Ok(vec![
        cast.accredit(),
        cast.create(one)?,
        cast.request(doctor, one),
        cast.approve(doctor, one),
        cast.trace(doctor, one),
        cast.reshare(doctor, one),
        cast.reseal(one),
        cast.remove(doctor, one),
        cast.request(second, one).unlisted(),
        cast.deny(second, one),
        cast.create(other)?.unlisted(),
        cast.limit(other),
        cast.request(doctor, other).unlisted(),
        cast.counted(doctor, other, slots(0, 1, 0))
            .named("approve_IRs (limit, first)"),
        cast.request(second, other).unlisted(),
        cast.counted(second, other, slots(0, 0, 1))
            .named("approve_IRs (limit, next)"),
        cast.create(third)?.unlisted(),
        cast.request(doctor, third).unlisted(),
        cast.relayed(doctor, third)?,
        cast.create(fourth)?.unlisted(),
        cast.request(doctor, fourth).unlisted(),
        cast.request(second, fourth).unlisted(),
        cast.both([doctor, second], fourth),
        cast.transfer(),
    ])
}

/// What must be done before the patients come.
pub(super) fn accreditation(chain: &Chain, contract: Address) -> Operation {
    Cast::new(chain, contract, 0).accredit()
}

/// The five calls of the paper's Table 1 for one of the patients, counted from 0.
pub(super) fn five_calls(
    chain: &Chain,
    contract: Address,
    patient: usize,
) -> Result<[Operation; 5], Error> {
    let cast = Cast::new(chain, contract, patient % PATIENTS);
    let image = image(patient, 0);
    Ok([
        cast.create(image)?,
        cast.request(Stage::REQUESTOR, image),
        cast.approve(Stage::REQUESTOR, image),
        cast.trace(Stage::REQUESTOR, image),
        cast.remove(Stage::REQUESTOR, image),
    ])
}

/// Who takes part, around one patient.
struct Cast<'a> {
    chain: &'a Chain,
    contract: Address,
    patient: usize,
}

impl<'a> Cast<'a> {
    fn new(chain: &'a Chain, contract: Address, patient: usize) -> Self {
        Self {
            chain,
            contract,
            patient: Stage::PATIENT + patient,
        }
    }

    fn address(&self, account: usize) -> Address {
        self.chain.address(account)
    }

    /// Reads the consortium, sets the radiologist's flag.
    fn accredit(&self) -> Operation {
        let radiologist = self.address(Stage::RADIOLOGIST);
        let call = IPcac::accredit_radiologistCall {
            radiologist,
            accredited: true,
        };
        let event = IPcac::RadiologistAccredited {
            radiologist,
            accredited: true,
        };
        let slots = slots(1, 1, 0);
        operation("accredit_radiologist", Stage::CONSORTIUM, &call, slots)
            .logs(vec![event.encode_log_data()])
    }

    /// Reads the radiologist's flag, sets the record, recovers the radiologist.
    fn create(&self, image: B256) -> Result<Operation, Error> {
        let patient = self.address(self.patient);
        let radiologist = self.address(Stage::RADIOLOGIST);
        let attested = Attestation {
            version: Version::V1,
            chain_id: self.chain.chain_id(),
            contract: self.contract,
            image: image.into(),
            patient,
            seal: SEAL.into(),
            replaces: 0,
        };
        let attestation = self.chain.account(Stage::RADIOLOGIST).attest(&attested)?;
        let call = IPcac::create_contractCall {
            image,
            patient,
            seal: SEAL,
            radiologist,
            attestation: attestation.to_vec().into(),
            description: DESCRIPTION.into(),
        };
        let event = IPcac::ContractCreated {
            patient,
            image,
            radiologist,
            seal: SEAL,
            info: DESCRIPTION.into(),
        };
        let slots = slots(1, 1, 0);
        let create = operation("create_contract", self.patient, &call, slots)
            .logs(vec![event.encode_log_data()]);
        Ok(Operation {
            recoveries: 1,
            ..create
        })
    }

    /// Reads the record, sets the grant.
    fn request(&self, requestor: usize, image: B256) -> Operation {
        let patient = self.address(self.patient);
        let call = IPcac::requesting_accessCall {
            patient,
            image,
            publicKey: KEY,
            notes: NOTES.into(),
        };
        let event = IPcac::RequestedForApproval {
            requester: self.address(requestor),
            patient,
            image,
            publicKey: KEY,
            info: NOTES.into(),
        };
        operation("requesting_access", requestor, &call, slots(1, 1, 0))
            .logs(vec![event.encode_log_data()])
    }

    /// Reads the record, changes the grant, sets the shared image.
    fn approve(&self, requestor: usize, image: B256) -> Operation {
        let call = IPcac::approve_IRsCall {
            requester: self.address(requestor),
            image,
            publicKey: KEY,
            sharedImage: SHARED,
            expiresAt: 0,
            notes: NOTES.into(),
        };
        let accepted = IPcac::Requestaccepted {
            patient: self.address(self.patient),
            image,
            info: "approved by patient.".into(),
        };
        let approved = IPcac::Approved {
            requester: call.requester,
            image,
            publicKey: KEY,
            sharedImage: SHARED,
            expiresAt: 0,
            info: NOTES.into(),
        };
        operation("approve_IRs", self.patient, &call, slots(1, 1, 1))
            .logs(vec![accepted.encode_log_data(), approved.encode_log_data()])
    }

    /// An approval that the patient signs and another sends: recovers her, sets her nonce, which is her first.
    fn relayed(&self, requestor: usize, image: B256) -> Result<Operation, Error> {
        let approval = self.approve(requestor, image);
        let here = Deployment {
            rpc_url: String::new(),
            chain_id: self.chain.chain_id(),
            contract: self.contract,
        };
        let signed = Call::ApproveIrs {
            requestor: self.address(requestor),
            image: image.into(),
            public_key: KEY.into(),
            requested_at: 0,
            notes_digest: NotesDigest::default(),
            shared_image: SHARED.into(),
            expires_at: 0,
            notes: NOTES.into(),
        };
        let patient = self.chain.account(self.patient);
        let nonce = 0;
        let signed = patient.sign_call(&here, &signed, Nonce::Ordered(nonce), DEADLINE)?;
        let call = IPcac::relayCall {
            signer: signed.signer,
            nonce,
            deadline: signed.deadline,
            call: signed.call,
            signature: signed.signature,
        };
        Ok(Operation {
            name: "relay (approve_IRs)",
            from: Stage::CONSORTIUM,
            data: call.abi_encode(),
            slots: slots(1, 2, 1),
            recoveries: 1,
            ..approval
        })
    }

    /// Two approvals for one image at once: the record is read once.
    fn both(&self, requestors: [usize; 2], image: B256) -> Operation {
        let approvals = requestors.map(|requestor| self.approve(requestor, image));
        let calls = approvals.iter().map(|it| it.data.clone().into()).collect();
        let call = IPcac::multicallCall { calls };
        let logs = approvals.into_iter().flat_map(|it| it.logs).collect();
        let name = "multicall (2 approve_IRs)";
        operation(name, self.patient, &call, slots(1, 2, 2)).logs(logs)
    }

    /// An approval, and the slot of the limit's counter.
    fn counted(&self, requestor: usize, image: B256, counter: Slots) -> Operation {
        let approval = self.approve(requestor, image);
        let slots = slots(
            approval.slots.read,
            approval.slots.set + counter.set,
            approval.slots.changed + counter.changed,
        );
        Operation { slots, ..approval }
    }

    /// Reads the record and the grant.
    fn trace(&self, requestor: usize, image: B256) -> Operation {
        let patient = self.address(self.patient);
        let call = IPcac::trace_authorizationCall {
            patient,
            requester: self.address(requestor),
            image,
        };
        let event = IPcac::AuthorizationSuccess {
            requester: call.requester,
            image,
            info: "Authorized to access image".into(),
            patient,
        };
        operation("trace_authorization", requestor, &call, slots(2, 0, 0))
            .logs(vec![event.encode_log_data()])
    }

    /// Reads the record and the grant, changes the shared image.
    fn reshare(&self, requestor: usize, image: B256) -> Operation {
        let call = IPcac::reshare_IRsCall {
            requester: self.address(requestor),
            image,
            sharedImage: SHARED_AGAIN,
            expiresAt: 0,
        };
        let event = IPcac::Reshared {
            requester: call.requester,
            image,
            sharedImage: SHARED_AGAIN,
            expiresAt: 0,
        };
        operation("reshare_IRs", self.patient, &call, slots(2, 0, 1))
            .logs(vec![event.encode_log_data()])
    }

    /// Reads the record.
    fn reseal(&self, image: B256) -> Operation {
        let call = IPcac::reseal_imageCall { image, root: ROOT };
        let event = IPcac::ImageResealed { image, root: ROOT };
        operation("reseal_image", self.patient, &call, slots(1, 0, 0))
            .logs(vec![event.encode_log_data()])
    }

    /// Reads the record, changes the grant. The shared image may stay: its view hides it.
    fn remove(&self, requestor: usize, image: B256) -> Operation {
        let call = IPcac::remove_IRsCall {
            requester: self.address(requestor),
            image,
        };
        let removed = IPcac::UserRemoved {
            requester: call.requester,
            patient: self.address(self.patient),
            image,
            info: "removed".into(),
        };
        let reason = IPcac::Reason {
            requester: call.requester,
            image,
            info: "Contract expired".into(),
        };
        operation("remove_IRs", self.patient, &call, slots(1, 0, 1))
            .logs(vec![removed.encode_log_data(), reason.encode_log_data()])
    }

    /// Reads the record, changes the grant.
    fn deny(&self, requestor: usize, image: B256) -> Operation {
        let call = IPcac::deny_IRsCall {
            requester: self.address(requestor),
            image,
            reason: REASON.into(),
        };
        let denied = IPcac::Requestdenied {
            patient: self.address(self.patient),
            image,
            info: "Failed to be approved by patient".into(),
        };
        let reason = IPcac::Reason {
            requester: call.requester,
            image,
            info: REASON.into(),
        };
        operation("deny_IRs", self.patient, &call, slots(1, 0, 1))
            .logs(vec![denied.encode_log_data(), reason.encode_log_data()])
    }

    /// Changes the record, reads the counter: a window of an earlier limit would have to end.
    fn limit(&self, image: B256) -> Operation {
        let call = IPcac::set_approval_limitCall {
            image,
            approvals: LIMIT,
            windowSeconds: WINDOW_SECONDS,
        };
        let event = IPcac::ApprovalLimitSet {
            image,
            approvals: LIMIT,
            windowSeconds: WINDOW_SECONDS,
        };
        operation("set_approval_limit", self.patient, &call, slots(1, 0, 1))
            .logs(vec![event.encode_log_data()])
    }

    /// Changes the consortium.
    fn transfer(&self) -> Operation {
        let to = self.address(Stage::OTHER);
        let call = IPcac::transfer_consortiumCall { to };
        let event = IPcac::ConsortiumTransferred {
            from: self.address(Stage::CONSORTIUM),
            to,
        };
        let slots = slots(0, 0, 1);
        operation("transfer_consortium", Stage::CONSORTIUM, &call, slots)
            .logs(vec![event.encode_log_data()])
    }
}
