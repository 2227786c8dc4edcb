//! Version 2's operations, each in a second that is set: what gives names the second of what was decided on.

mod account;

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256};
use alloy_sol_types::{SolCall, SolEvent};
use pcim_ledger::{Attestation, Call, Deployment, Nonce, NotesDigest, Version};

use super::super::abi::v2::IPcac;
use super::super::chain::Chain;
use super::super::floor::Slots;
use super::super::{Error, PATIENTS};
use super::{
    CLOCK, DEADLINE, DESCRIPTION, KEY, LIMIT, NOTES, Operation, REASON, ROOT, SEAL, SHARED,
    SHARED_AGAIN, Stage, WINDOW_SECONDS, image, operation, slots,
};

/// Seconds between two operations.
const STEP: u64 = 60;
const HOUR: u64 = 3_600;
/// Hours that a change of an account waits: those of the guardians.
const DELAY: u16 = 72;
const EMERGENCY: B256 = B256::repeat_byte(0x88);
/// Operations, one after the other on the chain's clock.
struct Schedule {
    clock: u64,
    operations: Vec<Operation>,
}

impl Schedule {
    fn new() -> Self {
        Self {
            clock: CLOCK,
            operations: Vec::new(),
        }
    }

    /// Adds an operation; tells its second.
    fn add(&mut self, operation: Operation) -> u64 {
        self.clock += STEP;
        self.operations.push(Operation {
            at: Some(self.clock),
            ..operation
        });
        self.clock
    }

    /// The second of the operation that is added next.
    fn next(&self) -> u64 {
        self.clock + STEP
    }

    /// Waits for a change that was made in this second.
    fn wait(&mut self, made: u64) {
        self.clock = ripe(made);
    }
}

fn ripe(made: u64) -> u64 {
    made + u64::from(DELAY) * HOUR
}

/// Every operation once, in an order in which each finds the state it needs.
pub(super) fn operations(chain: &Chain, contract: Address) -> Result<Vec<Operation>, Error> {
    let cast = Cast::new(chain, contract, 0);
    let (one, other, third, fourth) = (image(0, 0), image(0, 1), image(0, 2), image(0, 3));
    let (doctor, second) = (Stage::REQUESTOR, Stage::OTHER);
    let mut s = Schedule::new();
    s.add(cast.accredit());
    s.add(cast.create(one)?);
    let asked = s.add(cast.request(doctor, one));
    let decided = s.add(cast.approve(doctor, one, asked));
    s.add(cast.trace(doctor, one));
    s.add(cast.reshare(doctor, one, decided));
    s.add(cast.reseal(one));
    s.add(cast.remove(doctor, one));
    s.add(cast.request(second, one).unlisted());
    s.add(cast.deny(second, one));
    s.add(cast.create(other)?.unlisted());
    s.add(cast.limit(other));
    for (requestor, name) in [
        (doctor, "approve_IRs (limit, first)"),
        (second, "approve_IRs (limit, next)"),
    ] {
        let asked = s.add(cast.request(requestor, other).unlisted());
        let approval = cast.approve(requestor, other, asked);
        // The counter, which the limit has set.
        let slots = slots(2, 1, 2);
        s.add(Operation { slots, ..approval }.named(name));
    }
    s.add(cast.create(third)?.unlisted());
    let asked = s.add(cast.request(doctor, third).unlisted());
    s.add(cast.relayed(doctor, third, asked)?);
    s.add(cast.create(fourth)?.unlisted());
    let asked = [doctor, second].map(|it| s.add(cast.request(it, fourth).unlisted()));
    s.add(cast.both([doctor, second], fourth, asked));
    s.add(cast.void());
    s.add(cast.withdraw(one, 2));
    s.add(cast.restore(one, 3));
    cast.account(&mut s, one)?;
    s.add(cast.retract(one, 4));
    s.add(cast.transfer());
    s.add(cast.accept());
    Ok(s.operations)
}

/// What must be done before the patients come.
pub(super) fn accreditation(chain: &Chain, contract: Address) -> Operation {
    Operation {
        at: Some(CLOCK + STEP),
        ..Cast::new(chain, contract, 0).accredit()
    }
}

/// The five calls of the paper's Table 1 for one of the patients, counted from 0.
pub(super) fn five_calls(
    chain: &Chain,
    contract: Address,
    patient: usize,
) -> Result<[Operation; 5], Error> {
    let cast = Cast::new(chain, contract, patient % PATIENTS);
    let image = image(patient, 0);
    // The accreditation came first.
    let first = CLOCK + STEP * (2 + 5 * patient as u64);
    let requestor = Stage::REQUESTOR;
    let calls = [
        cast.create(image)?,
        cast.request(requestor, image),
        cast.approve(requestor, image, first + STEP),
        cast.trace(requestor, image),
        cast.remove(requestor, image),
    ];
    let mut at = first;
    Ok(calls.map(|call| {
        let timed = Operation {
            at: Some(at),
            ..call
        };
        at += STEP;
        timed
    }))
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

    fn owner(&self) -> Address {
        self.address(self.patient)
    }

    /// Reads the consortium, sets the radiologist's word.
    fn accredit(&self) -> Operation {
        let radiologist = self.address(Stage::RADIOLOGIST);
        let (status, since) = (1, 0);
        let call = IPcac::accredit_radiologistCall {
            radiologist,
            status,
            since,
        };
        let event = IPcac::RadiologistAccredited {
            radiologist,
            status,
            since,
        };
        let slots = slots(1, 1, 0);
        operation("accredit_radiologist", Stage::CONSORTIUM, &call, slots)
            .logs(vec![event.encode_log_data()])
    }

    /// Reads the radiologist's word and the account, sets the record, recovers the radiologist.
    fn create(&self, image: B256) -> Result<Operation, Error> {
        let patient = self.owner();
        let radiologist = self.address(Stage::RADIOLOGIST);
        let attested = Attestation {
            version: Version::V2,
            chain_id: self.chain.chain_id(),
            contract: self.contract,
            image: image.into(),
            patient,
            seal: SEAL.into(),
            replaces: 0,
        };
        let attestation = self.chain.account(Stage::RADIOLOGIST).attest(&attested)?;
        let attestation: Bytes = attestation.to_vec().into();
        let call = IPcac::create_contractCall {
            image,
            patient,
            seal: SEAL,
            radiologist,
            attestation: attestation.clone(),
            description: DESCRIPTION.into(),
        };
        let event = IPcac::ContractCreated {
            patient,
            image,
            radiologist,
            seal: SEAL,
            attestation,
            replaces: 0,
            info: DESCRIPTION.into(),
        };
        let create = operation("create_contract", self.patient, &call, slots(2, 1, 0))
            .logs(vec![event.encode_log_data()]);
        Ok(Operation {
            recoveries: 1,
            ..create
        })
    }

    /// Reads the record, sets the standing.
    fn request(&self, requestor: usize, image: B256) -> Operation {
        let patient = self.owner();
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

    /// Reads record and account, changes the standing, sets the shared image.
    fn approve(&self, requestor: usize, image: B256, asked: u64) -> Operation {
        let call = IPcac::approve_IRsCall {
            requester: self.address(requestor),
            image,
            publicKey: KEY,
            requestedAt: asked,
            notesDigest: FixedBytes(NotesDigest::of(NOTES).0),
            sharedImage: SHARED,
            expiresAt: 0,
            notes: NOTES.into(),
        };
        let accepted = IPcac::Requestaccepted {
            patient: self.owner(),
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
        operation("approve_IRs", self.patient, &call, slots(2, 1, 1))
            .logs(vec![accepted.encode_log_data(), approved.encode_log_data()])
    }

    /// An approval that the patient signs and another sends: recovers her, sets a word of her nonces.
    fn relayed(&self, requestor: usize, image: B256, asked: u64) -> Result<Operation, Error> {
        let approval = self.approve(requestor, image, asked);
        let here = Deployment {
            rpc_url: String::new(),
            chain_id: self.chain.chain_id(),
            contract: self.contract,
        };
        let signed = Call::ApproveIrs {
            requestor: self.address(requestor),
            image: image.into(),
            public_key: KEY.into(),
            requested_at: asked,
            notes_digest: NotesDigest::of(NOTES),
            shared_image: SHARED.into(),
            expires_at: 0,
            notes: NOTES.into(),
        };
        let patient = self.chain.account(self.patient);
        let nonce = U256::ZERO;
        let signed = patient.sign_call(&here, &signed, Nonce::Free(nonce), DEADLINE)?;
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
            slots: slots(2, 2, 1),
            recoveries: 1,
            ..approval
        })
    }

    /// Two approvals for one image at once: record and account are read once.
    fn both(&self, requestors: [usize; 2], image: B256, asked: [u64; 2]) -> Operation {
        let approvals = [0, 1].map(|n| self.approve(requestors[n], image, asked[n]));
        let calls = approvals.iter().map(|it| it.data.clone().into()).collect();
        let call = IPcac::multicallCall { calls };
        let logs = approvals.into_iter().flat_map(|it| it.logs).collect();
        let name = "multicall (2 approve_IRs)";
        operation(name, self.patient, &call, slots(2, 2, 2)).logs(logs)
    }

    /// Sets a word of nonces that none was used of.
    fn void(&self) -> Operation {
        let call = IPcac::void_noncesCall {
            word: U256::from(7),
            mask: U256::from(1),
        };
        operation("void_nonces", self.patient, &call, slots(0, 1, 0))
    }

    /// Reads the record and the standing.
    fn trace(&self, requestor: usize, image: B256) -> Operation {
        let patient = self.owner();
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

    /// Reads record and account, changes the standing and the shared image.
    fn reshare(&self, requestor: usize, image: B256, decided: u64) -> Operation {
        let call = IPcac::reshare_IRsCall {
            requester: self.address(requestor),
            image,
            decidedAt: decided,
            sharedImage: SHARED_AGAIN,
            expiresAt: 0,
        };
        let event = IPcac::Reshared {
            requester: call.requester,
            image,
            sharedImage: SHARED_AGAIN,
            expiresAt: 0,
        };
        operation("reshare_IRs", self.patient, &call, slots(2, 0, 2))
            .logs(vec![event.encode_log_data()])
    }

    /// Reads record and account, sets the counter's round.
    fn reseal(&self, image: B256) -> Operation {
        let call = IPcac::reseal_imageCall {
            image,
            root: ROOT,
            emergency: EMERGENCY,
            round: 0,
        };
        let event = IPcac::ImageResealed {
            image,
            root: ROOT,
            emergency: EMERGENCY,
            round: 1,
        };
        operation("reseal_image", self.patient, &call, slots(2, 1, 0))
            .logs(vec![event.encode_log_data()])
    }

    /// Reads record and account, changes the standing. The shared image may stay: its view hides it.
    fn remove(&self, requestor: usize, image: B256) -> Operation {
        let call = IPcac::remove_IRsCall {
            requester: self.address(requestor),
            image,
        };
        let removed = IPcac::UserRemoved {
            requester: call.requester,
            patient: self.owner(),
            image,
            info: "removed".into(),
        };
        let reason = IPcac::Reason {
            requester: call.requester,
            image,
            info: "Contract expired".into(),
        };
        operation("remove_IRs", self.patient, &call, slots(2, 0, 1))
            .logs(vec![removed.encode_log_data(), reason.encode_log_data()])
    }

    /// Reads record and account, changes the standing.
    fn deny(&self, requestor: usize, image: B256) -> Operation {
        let call = IPcac::deny_IRsCall {
            requester: self.address(requestor),
            image,
            reason: REASON.into(),
        };
        let denied = IPcac::Requestdenied {
            patient: self.owner(),
            image,
            info: "Failed to be approved by patient".into(),
        };
        let reason = IPcac::Reason {
            requester: call.requester,
            image,
            info: REASON.into(),
        };
        operation("deny_IRs", self.patient, &call, slots(2, 0, 1))
            .logs(vec![denied.encode_log_data(), reason.encode_log_data()])
    }

    /// Reads the account, changes the record, sets the counter.
    fn limit(&self, image: B256) -> Operation {
        let call = IPcac::set_approval_limitCall {
            image,
            approvals: LIMIT,
            windowSeconds: WINDOW_SECONDS,
            round: 0,
        };
        let event = IPcac::ApprovalLimitSet {
            image,
            approvals: LIMIT,
            windowSeconds: WINDOW_SECONDS,
            round: 1,
        };
        operation("set_approval_limit", self.patient, &call, slots(1, 1, 1))
            .logs(vec![event.encode_log_data()])
    }

    /// Reads the account, changes the record and the counter's round.
    fn withdraw(&self, image: B256, round: u32) -> Operation {
        let call = IPcac::withdraw_imageCall { image };
        self.flagged("withdraw_image", self.patient, &call, (image, 1, 0, round))
    }

    /// Reads the account, changes the record and the counter's round.
    fn restore(&self, image: B256, round: u32) -> Operation {
        let named = round - 1;
        let call = IPcac::restore_imageCall {
            image,
            round: named,
        };
        self.flagged("restore_image", self.patient, &call, (image, 0, 0, round))
    }

    /// Reads the radiologist's word, changes the record and the counter's round.
    fn retract(&self, image: B256, round: u32) -> Operation {
        let reason = 1;
        let call = IPcac::retract_imageCall { image, reason };
        let flagged = (image, 2, reason, round);
        self.flagged("retract_image", Stage::RADIOLOGIST, &call, flagged)
    }

    fn flagged(
        &self,
        name: &'static str,
        from: usize,
        call: &impl SolCall,
        (image, flags, reason, round): (B256, u8, u8, u32),
    ) -> Operation {
        let event = IPcac::ImageFlagged {
            image,
            by: self.address(from),
            flags,
            reason,
            round,
        };
        operation(name, from, call, slots(1, 0, 2)).logs(vec![event.encode_log_data()])
    }

    /// Reads the consortium, sets the offer.
    fn transfer(&self) -> Operation {
        let to = self.address(Stage::OTHER);
        let call = IPcac::transfer_consortiumCall { to };
        let event = IPcac::ConsortiumOffered {
            from: self.address(Stage::CONSORTIUM),
            to,
        };
        let slots = slots(1, 1, 0);
        operation("transfer_consortium", Stage::CONSORTIUM, &call, slots)
            .logs(vec![event.encode_log_data()])
    }

    /// Changes the consortium and the offer.
    fn accept(&self) -> Operation {
        let event = IPcac::ConsortiumTransferred {
            from: self.address(Stage::CONSORTIUM),
            to: self.address(Stage::OTHER),
        };
        let call = IPcac::accept_consortiumCall {};
        operation("accept_consortium", Stage::OTHER, &call, slots(0, 0, 2))
            .logs(vec![event.encode_log_data()])
    }
}
