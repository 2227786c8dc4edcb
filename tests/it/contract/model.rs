//! The rules of the contract as a state machine: no storage, no ABI, no chain. Signatures are true or false here.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, FixedBytes, U256};

use crate::chain::{Event, IPcac, IPcac::IPcacCalls as Function, Refusal};

/// One function of the protocol and its arguments. An attestation is what `attested` says; its bytes do not count.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) function: Function,
    pub(super) attested: bool,
}

/// What somebody sends.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Plain(Act),
    Relayed {
        signer: Address,
        nonce: u64,
        deadline: u64,
        act: Act,
        /// whether the signature is the signer's over just this
        signed: bool,
    },
    Batch(Vec<Act>),
}

/// What a call returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Flag(bool),
    Nothing,
    Relayed(Box<Answer>),
    Batch(Vec<Answer>),
}

/// An image's record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) patient: Address,
    pub(super) registered_at: u64,
    pub(super) limit: u32,
    pub(super) window: u32,
    pub(super) opened: u64,
    pub(super) used: u32,
}

/// A requestor's standing with an image: 0 none, 1 requested, 2 approved, 3 denied, 4 removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) status: u8,
    pub(super) requested_at: u64,
    pub(super) decided_at: u64,
    pub(super) expires_at: u64,
    pub(super) key: FixedBytes<16>,
    pub(super) shared: B256,
}

impl Grant {
    pub(super) fn authorized(&self, now: u64) -> bool {
        self.status == 2 && (self.expires_at == 0 || now < self.expires_at)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) consortium: Address,
    pub(super) accredited: BTreeSet<Address>,
    pub(super) images: BTreeMap<B256, Image>,
    pub(super) grants: BTreeMap<(B256, Address), Grant>,
    pub(super) nonces: BTreeMap<Address, u64>,
}

type Done = Result<(Answer, Vec<Event>), Refusal>;

fn half(digest: B256) -> FixedBytes<16> {
    FixedBytes::from_slice(&digest[..16])
}

fn nonzero(arguments: &[&[u8]]) -> Result<(), Refusal> {
    let zero = arguments
        .iter()
        .position(|argument| argument.iter().all(|byte| *byte == 0));
    zero.map_or(Ok(()), |argument| {
        let argument = argument as u8;
        Err(Refusal::PcacZero(IPcac::PcacZero { argument }))
    })
}

fn short(text: &str) -> Result<(), Refusal> {
    if text.len() > 256 {
        let (length, max) = (U256::from(text.len()), U256::from(256));
        return Err(Refusal::PcacTextTooLong(IPcac::PcacTextTooLong {
            length,
            max,
        }));
    }
    Ok(())
}

fn expiry(expires_at: u64, now: u64) -> Result<(), Refusal> {
    if expires_at != 0 && (expires_at <= now || expires_at >= 1 << 40) {
        return Err(Refusal::PcacBadExpiry(IPcac::PcacBadExpiry {
            expiresAt: expires_at,
            now,
        }));
    }
    Ok(())
}

fn silent(flag: bool) -> Done {
    Ok((Answer::Flag(flag), vec![]))
}

impl Model {
    /// Does a call, or refuses it and stays as it was.
    pub(super) fn call(&mut self, caller: Address, now: u64, call: &Call) -> Done {
        let before = self.clone();
        let done = self.try_call(caller, now, call);
        if done.is_err() {
            *self = before;
        }
        done
    }

    fn try_call(&mut self, caller: Address, now: u64, call: &Call) -> Done {
        match call {
            Call::Plain(act) => self.act(caller, now, act),
            Call::Batch(acts) => {
                let (mut answers, mut events) = (vec![], vec![]);
                for act in acts {
                    let (answer, mut emitted) = self.act(caller, now, act)?;
                    answers.push(answer);
                    events.append(&mut emitted);
                }
                Ok((Answer::Batch(answers), events))
            }
            Call::Relayed {
                signer,
                nonce,
                deadline,
                act,
                signed,
            } => {
                let (signer, nonce, deadline) = (*signer, *nonce, *deadline);
                nonzero(&[signer.as_slice()])?;
                if now > deadline {
                    return Err(Refusal::PcacExpired(IPcac::PcacExpired { deadline, now }));
                }
                let next = self.nonces.get(&signer).copied().unwrap_or_default();
                if nonce != next {
                    let error = IPcac::PcacBadNonce {
                        signer,
                        nonce,
                        next,
                    };
                    return Err(Refusal::PcacBadNonce(error));
                }
                if !signed {
                    let error = IPcac::PcacBadSignature { signer };
                    return Err(Refusal::PcacBadSignature(error));
                }
                self.nonces.insert(signer, next + 1);
                let (answer, events) = self.act(signer, now, act)?;
                Ok((Answer::Relayed(Box::new(answer)), events))
            }
        }
    }

    fn known(&self, image: B256) -> Result<Image, Refusal> {
        let known = self.images.get(&image).cloned();
        known.ok_or(Refusal::PcacUnknownImage(IPcac::PcacUnknownImage { image }))
    }

    fn owned(&self, caller: Address, image: B256) -> Result<Image, Refusal> {
        let record = self.known(image)?;
        only_patient(caller, record.patient)?;
        Ok(record)
    }

    fn of_consortium(&self, caller: Address) -> Result<(), Refusal> {
        if caller != self.consortium {
            return Err(Refusal::PcacNotConsortium(IPcac::PcacNotConsortium {
                caller,
            }));
        }
        Ok(())
    }

    pub(super) fn grant(&self, image: B256, requestor: Address) -> Grant {
        let grant = self.grants.get(&(image, requestor)).cloned();
        grant.unwrap_or_default()
    }

    pub(super) fn authorized(
        &self,
        patient: Address,
        requestor: Address,
        image: B256,
        now: u64,
    ) -> bool {
        let owner = self.images.get(&image).map(|image| image.patient);
        owner == Some(patient)
            && (requestor == patient || self.grant(image, requestor).authorized(now))
    }

    fn act(&mut self, caller: Address, now: u64, act: &Act) -> Done {
        match act.function.clone() {
            Function::create_contract(c) => {
                nonzero(&[
                    c.image.as_slice(),
                    c.patient.as_slice(),
                    c.seal.as_slice(),
                    c.radiologist.as_slice(),
                ])?;
                short(&c.description)?;
                only_patient(caller, c.patient)?;
                if let Some(Image { patient: owner, .. }) = self.images.get(&c.image).cloned() {
                    let image = c.image;
                    return Err(Refusal::PcacImageTaken(IPcac::PcacImageTaken {
                        image,
                        owner,
                    }));
                }
                let radiologist = c.radiologist;
                if !self.accredited.contains(&radiologist) {
                    let error = IPcac::PcacNotAccredited { radiologist };
                    return Err(Refusal::PcacNotAccredited(error));
                }
                if !act.attested {
                    let error = IPcac::PcacBadAttestation { radiologist };
                    return Err(Refusal::PcacBadAttestation(error));
                }
                let record = Image {
                    patient: caller,
                    registered_at: now,
                    ..Image::default()
                };
                self.images.insert(c.image, record);
                let event = IPcac::ContractCreated {
                    patient: caller,
                    image: c.image,
                    radiologist,
                    seal: c.seal,
                    info: c.description,
                };
                Ok((Answer::Flag(true), vec![Event::ContractCreated(event)]))
            }
            Function::requesting_access(c) => {
                nonzero(&[
                    c.patient.as_slice(),
                    c.image.as_slice(),
                    c.publicKey.as_slice(),
                ])?;
                short(&c.notes)?;
                let owner = self.known(c.image)?.patient;
                if caller == owner {
                    return Err(Refusal::PcacOwnImage(IPcac::PcacOwnImage {}));
                }
                wrong_owner(c.image, c.patient, owner)?;
                let before = self.grant(c.image, caller);
                if before.authorized(now) {
                    return silent(true);
                }
                let requested_at = if before.status == 1 {
                    before.requested_at
                } else {
                    now
                };
                let grant = Grant {
                    status: 1,
                    requested_at,
                    key: half(c.publicKey),
                    ..Grant::default()
                };
                self.grants.insert((c.image, caller), grant);
                let event = IPcac::RequestedForApproval {
                    requester: caller,
                    patient: owner,
                    image: c.image,
                    publicKey: c.publicKey,
                    info: c.notes,
                };
                Ok((
                    Answer::Flag(false),
                    vec![Event::RequestedForApproval(event)],
                ))
            }
            Function::approve_IRs(c) => self.approve(caller, now, c),
            Function::deny_IRs(c) => {
                nonzero(&[c.requester.as_slice(), c.image.as_slice()])?;
                short(&c.reason)?;
                let patient = self.owned(caller, c.image)?.patient;
                if self.grant(c.image, c.requester).status != 1 {
                    return silent(false);
                }
                self.decide(c.image, c.requester, 3, now);
                let denied = IPcac::Requestdenied {
                    patient,
                    image: c.image,
                    info: "Failed to be approved by patient".into(),
                };
                let reason = IPcac::Reason {
                    requester: c.requester,
                    image: c.image,
                    info: c.reason,
                };
                let events = vec![Event::Requestdenied(denied), Event::Reason(reason)];
                Ok((Answer::Flag(true), events))
            }
            Function::remove_IRs(c) => {
                nonzero(&[c.requester.as_slice(), c.image.as_slice()])?;
                let patient = self.owned(caller, c.image)?.patient;
                if !matches!(self.grant(c.image, c.requester).status, 1 | 2) {
                    return silent(false);
                }
                self.decide(c.image, c.requester, 4, now);
                let removed = IPcac::UserRemoved {
                    requester: c.requester,
                    patient,
                    image: c.image,
                    info: "removed".into(),
                };
                let reason = IPcac::Reason {
                    requester: c.requester,
                    image: c.image,
                    info: "Contract expired".into(),
                };
                let events = vec![Event::UserRemoved(removed), Event::Reason(reason)];
                Ok((Answer::Flag(true), events))
            }
            Function::trace_authorization(c) => {
                nonzero(&[
                    c.patient.as_slice(),
                    c.requester.as_slice(),
                    c.image.as_slice(),
                ])?;
                let owner = self.known(c.image)?.patient;
                if caller != c.requester && caller != owner {
                    let error = IPcac::PcacNotRequesterOrPatient { caller };
                    return Err(Refusal::PcacNotRequesterOrPatient(error));
                }
                wrong_owner(c.image, c.patient, owner)?;
                let authorized = self.authorized(owner, c.requester, c.image, now);
                let (requestor, image, patient) = (c.requester, c.image, owner);
                let event = if authorized {
                    Event::AuthorizationSuccess(IPcac::AuthorizationSuccess {
                        requester: requestor,
                        image,
                        info: "Authorized to access image".into(),
                        patient,
                    })
                } else {
                    Event::AuthorizationFailed(IPcac::AuthorizationFailed {
                        requester: requestor,
                        image,
                        info: "Image is not authorized to access".into(),
                        patient,
                    })
                };
                Ok((Answer::Flag(authorized), vec![event]))
            }
            Function::reshare_IRs(c) => {
                let (requestor, image) = (c.requester, c.image);
                nonzero(&[
                    requestor.as_slice(),
                    image.as_slice(),
                    c.sharedImage.as_slice(),
                ])?;
                self.owned(caller, image)?;
                expiry(c.expiresAt, now)?;
                let before = self.grant(image, requestor);
                if !before.authorized(now) {
                    let error = IPcac::PcacNotApproved {
                        requester: requestor,
                        image,
                    };
                    return Err(Refusal::PcacNotApproved(error));
                }
                let grant = Grant {
                    shared: c.sharedImage,
                    expires_at: c.expiresAt,
                    ..before
                };
                self.grants.insert((image, requestor), grant);
                let event = IPcac::Reshared {
                    requester: requestor,
                    image,
                    sharedImage: c.sharedImage,
                    expiresAt: c.expiresAt,
                };
                Ok((Answer::Flag(true), vec![Event::Reshared(event)]))
            }
            Function::reseal_image(c) => {
                nonzero(&[c.image.as_slice(), c.root.as_slice()])?;
                self.owned(caller, c.image)?;
                let (image, root) = (c.image, c.root);
                let event = Event::ImageResealed(IPcac::ImageResealed { image, root });
                Ok((Answer::Nothing, vec![event]))
            }
            Function::set_approval_limit(c) => {
                nonzero(&[c.image.as_slice()])?;
                let record = self.owned(caller, c.image)?;
                let (approvals, window) = (c.approvals, c.windowSeconds);
                if approvals >= 1 << 24 || (approvals > 0 && window == 0) {
                    return Err(Refusal::PcacBadLimit(IPcac::PcacBadLimit {
                        approvals,
                        windowSeconds: window,
                    }));
                }
                let record = Image {
                    limit: approvals,
                    window,
                    opened: 0,
                    used: 0,
                    ..record
                };
                self.images.insert(c.image, record);
                let event = IPcac::ApprovalLimitSet {
                    image: c.image,
                    approvals,
                    windowSeconds: window,
                };
                Ok((Answer::Nothing, vec![Event::ApprovalLimitSet(event)]))
            }
            Function::accredit_radiologist(c) => {
                nonzero(&[c.radiologist.as_slice()])?;
                self.of_consortium(caller)?;
                if c.accredited {
                    self.accredited.insert(c.radiologist);
                } else {
                    self.accredited.remove(&c.radiologist);
                }
                let event = IPcac::RadiologistAccredited {
                    radiologist: c.radiologist,
                    accredited: c.accredited,
                };
                Ok((Answer::Nothing, vec![Event::RadiologistAccredited(event)]))
            }
            Function::transfer_consortium(c) => {
                nonzero(&[c.to.as_slice()])?;
                self.of_consortium(caller)?;
                let event = IPcac::ConsortiumTransferred {
                    from: self.consortium,
                    to: c.to,
                };
                self.consortium = c.to;
                Ok((Answer::Nothing, vec![Event::ConsortiumTransferred(event)]))
            }
            other => panic!("not a function that changes something: {other:?}"),
        }
    }

    fn approve(&mut self, caller: Address, now: u64, c: IPcac::approve_IRsCall) -> Done {
        let (requestor, image) = (c.requester, c.image);
        nonzero(&[
            requestor.as_slice(),
            image.as_slice(),
            c.publicKey.as_slice(),
            c.sharedImage.as_slice(),
        ])?;
        short(&c.notes)?;
        let mut record = self.owned(caller, image)?;
        expiry(c.expiresAt, now)?;
        let before = self.grant(image, requestor);
        if before.authorized(now) {
            return silent(false);
        }
        if before.status != 1 {
            return Err(Refusal::PcacNoRequest(IPcac::PcacNoRequest {
                requester: requestor,
                image,
            }));
        }
        if half(c.publicKey) != before.key {
            return Err(Refusal::PcacKeyChanged(IPcac::PcacKeyChanged {
                wanted: c.publicKey,
                requested: before.key,
            }));
        }
        if record.limit > 0 {
            let end = record.opened + u64::from(record.window);
            if record.used == 0 || now >= end {
                (record.opened, record.used) = (now, 0);
            } else if record.used >= record.limit {
                let error = IPcac::PcacApprovalLimitReached {
                    limit: record.limit,
                    retryAt: end,
                };
                return Err(Refusal::PcacApprovalLimitReached(error));
            }
            record.used += 1;
        }
        let patient = record.patient;
        self.images.insert(image, record);
        let grant = Grant {
            status: 2,
            decided_at: now,
            expires_at: c.expiresAt,
            shared: c.sharedImage,
            ..before
        };
        self.grants.insert((image, requestor), grant);
        let accepted = IPcac::Requestaccepted {
            patient,
            image,
            info: "approved by patient.".into(),
        };
        let approved = IPcac::Approved {
            requester: requestor,
            image,
            publicKey: c.publicKey,
            sharedImage: c.sharedImage,
            expiresAt: c.expiresAt,
            info: if c.notes.is_empty() {
                "Authorized to access image".into()
            } else {
                c.notes
            },
        };
        let events = vec![Event::Requestaccepted(accepted), Event::Approved(approved)];
        Ok((Answer::Flag(true), events))
    }

    /// A request or an approval ends. Its expiry stays; what was shared does not.
    fn decide(&mut self, image: B256, requestor: Address, status: u8, now: u64) {
        let grant = Grant {
            status,
            decided_at: now,
            shared: B256::ZERO,
            ..self.grant(image, requestor)
        };
        self.grants.insert((image, requestor), grant);
    }
}

fn only_patient(caller: Address, patient: Address) -> Result<(), Refusal> {
    if caller != patient {
        return Err(Refusal::PcacNotPatient(IPcac::PcacNotPatient {
            caller,
            patient,
        }));
    }
    Ok(())
}

fn wrong_owner(image: B256, wanted: Address, owner: Address) -> Result<(), Refusal> {
    if wanted != owner {
        return Err(Refusal::PcacWrongOwner(IPcac::PcacWrongOwner {
            image,
            wanted,
            owner,
        }));
    }
    Ok(())
}
