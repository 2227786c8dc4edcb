//! Images, requests for them, and what is made of those.

use alloy_primitives::{Address, B256, FixedBytes, keccak256};

use super::{
    Account, Act, Done, Event, Grant, HOUR, IPcac, Image, Model, RETRACTED, Refusal, WITHDRAWN,
    account::{only_acting, unlocked},
    ends, flag, later, nonzero, nonzero_at, nothing, refuse, same_round, short,
};

const FOREVER: u64 = (1 << 40) - 1;

fn half(digest: B256) -> FixedBytes<16> {
    FixedBytes::from_slice(&digest[..16])
}

fn available(image: B256, record: &Image) -> Result<(), Refusal> {
    match record.flags {
        0 => Ok(()),
        flags => refuse!(PcacWithdrawn { image, flags }),
    }
}

fn wrong_owner(image: B256, wanted: Address, owner: Address) -> Result<(), Refusal> {
    if wanted != owner {
        return refuse!(PcacWrongOwner {
            image,
            wanted,
            owner
        });
    }
    Ok(())
}

/// The event that says who decided, if it was not the patient's own address.
fn acted(events: &mut Vec<Event>, patient: Address, by: Address) {
    if by != patient {
        events.push(Event::Acted(IPcac::Acted { patient, by }));
    }
}

/// Refuses an end that is not one; a delegate's is at most `until`, or the stored one.
fn may_end(end: u64, now: u64, until: Option<u64>, stored: Option<u64>) -> Result<(), Refusal> {
    match until {
        Some(until) if stored != Some(end) => ends(end, now, until),
        _ if end == 0 => Ok(()),
        _ => ends(end, now, FOREVER),
    }
}

impl Model {
    fn known(&self, image: B256) -> Result<Image, Refusal> {
        match self.images.get(&image).cloned() {
            Some(record) => Ok(record),
            None => refuse!(PcacUnknownImage { image }),
        }
    }

    fn owned(&self, caller: Address, image: B256) -> Result<(Image, Account), Refusal> {
        let record = self.known(image)?;
        let account = self.account(record.patient);
        only_acting(&account, caller)?;
        Ok((record, account))
    }

    /// By the acting key or a delegate, with the end of his time.
    fn decided(
        &self,
        caller: Address,
        now: u64,
        image: B256,
    ) -> Result<(Image, Account, Option<u64>), Refusal> {
        let record = self.known(image)?;
        let account = self.account(record.patient);
        let until = account.delegates.get(&caller).copied();
        if caller == account.acting {
            return Ok((record, account, None));
        }
        match until {
            Some(until) if now < until => Ok((record, account, Some(until))),
            _ => Err(only_acting(&account, caller).unwrap_err()),
        }
    }

    fn may_give(&self, now: u64, image: B256, record: &Image) -> Result<(), Refusal> {
        unlocked(record.patient, &self.account(record.patient), now)?;
        available(image, record)
    }

    pub(super) fn create(
        &mut self,
        caller: Address,
        now: u64,
        act: &Act,
        c: IPcac::create_contractCall,
    ) -> Done {
        nonzero(&[
            c.image.as_slice(),
            c.patient.as_slice(),
            c.seal.as_slice(),
            c.radiologist.as_slice(),
        ])?;
        short(&c.description)?;
        let account = self.account(c.patient);
        only_acting(&account, caller)?;
        unlocked(c.patient, &account, now)?;
        let (image, radiologist) = (c.image, c.radiologist);
        let mut record = Image::default();
        if let Some(before) = self.images.get(&image) {
            if before.patient != c.patient || before.flags & RETRACTED == 0 {
                let owner = before.patient;
                return refuse!(PcacImageTaken { image, owner });
            }
            if before.flags & WITHDRAWN != 0 {
                available(image, before)?;
            }
            later(now, before.registered_at)?;
            record = before.clone();
        }
        let replaces = record.registered_at;
        if !self.attests(radiologist, now) {
            return refuse!(PcacNotAccredited { radiologist });
        }
        if !act.attested || act.replaces != replaces {
            return refuse!(PcacBadAttestation { radiologist });
        }
        record = Image {
            patient: c.patient,
            registered_at: now,
            flags: record.flags & !RETRACTED,
            radiologist,
            ..record
        };
        self.images.insert(image, record);
        let event = IPcac::ContractCreated {
            patient: c.patient,
            image,
            radiologist,
            seal: c.seal,
            attestation: c.attestation,
            replaces,
            info: c.description,
        };
        let mut events = vec![Event::ContractCreated(event)];
        acted(&mut events, c.patient, caller);
        flag(true, events)
    }

    pub(super) fn request(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::requesting_accessCall,
    ) -> Done {
        nonzero(&[
            c.patient.as_slice(),
            c.image.as_slice(),
            c.publicKey.as_slice(),
        ])?;
        short(&c.notes)?;
        let record = self.known(c.image)?;
        if caller == record.patient && caller == self.account(caller).acting {
            return refuse!(PcacOwnImage {});
        }
        available(c.image, &record)?;
        wrong_owner(c.image, c.patient, record.patient)?;
        let before = self.grant(c.image, caller);
        if before.authorized(now) {
            return flag(true, vec![]);
        }
        let key = half(c.publicKey);
        let notes = FixedBytes::from_slice(&keccak256(&c.notes)[..10]);
        if before.status == 1 && (before.key, before.notes) == (key, notes) {
            return flag(false, vec![]);
        }
        if before.status != 0 {
            later(now, before.requested_at.max(before.decided_at))?;
        }
        let grant = Grant {
            status: 1,
            requested_at: now,
            key,
            notes,
            ..Grant::default()
        };
        self.grants.insert((c.image, caller), grant);
        let event = IPcac::RequestedForApproval {
            requester: caller,
            patient: c.patient,
            image: c.image,
            publicKey: c.publicKey,
            info: c.notes,
        };
        flag(false, vec![Event::RequestedForApproval(event)])
    }

    pub(super) fn approve(&mut self, caller: Address, now: u64, c: IPcac::approve_IRsCall) -> Done {
        let (requester, image) = (c.requester, c.image);
        nonzero(&[
            requester.as_slice(),
            image.as_slice(),
            c.publicKey.as_slice(),
        ])?;
        nonzero_at(5, c.sharedImage.as_slice())?;
        short(&c.notes)?;
        let (mut record, _, until) = self.decided(caller, now, image)?;
        if requester == caller {
            return refuse!(PcacOwnRequest { caller });
        }
        self.may_give(now, image, &record)?;
        may_end(c.expiresAt, now, until, None)?;
        let before = self.grant(image, requester);
        if before.authorized(now) {
            return flag(false, vec![]);
        }
        if before.status != 1 {
            return refuse!(PcacNoRequest { requester, image });
        }
        if (half(c.publicKey), c.requestedAt, c.notesDigest)
            != (before.key, before.requested_at, before.notes)
        {
            return refuse!(PcacRequestChanged {
                at: before.requested_at,
                publicKey: before.key,
                notesDigest: before.notes,
            });
        }
        if record.limit > 0 {
            let end = record.opened + u64::from(record.window);
            if record.used == 0 || now >= end {
                (record.opened, record.used) = (now, 0);
            } else if record.used >= record.limit {
                return refuse!(PcacApprovalLimitReached {
                    limit: record.limit,
                    retryAt: end,
                });
            }
            record.used += 1;
        }
        let patient = record.patient;
        self.images.insert(image, record);
        let grant = Grant {
            status: 2,
            decided_at: now.max(before.requested_at),
            expires_at: c.expiresAt,
            shared: c.sharedImage,
            notes: FixedBytes::ZERO,
            ..before
        };
        self.grants.insert((image, requester), grant);
        let accepted = IPcac::Requestaccepted {
            patient,
            image,
            info: "approved by patient.".into(),
        };
        let approved = IPcac::Approved {
            requester,
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
        let mut events = vec![Event::Requestaccepted(accepted), Event::Approved(approved)];
        acted(&mut events, patient, caller);
        flag(true, events)
    }

    pub(super) fn deny(&mut self, caller: Address, now: u64, c: IPcac::deny_IRsCall) -> Done {
        let (requester, image) = (c.requester, c.image);
        nonzero(&[requester.as_slice(), image.as_slice()])?;
        short(&c.reason)?;
        let patient = self.decided(caller, now, image)?.0.patient;
        if self.grant(image, requester).status != 1 {
            return flag(false, vec![]);
        }
        self.end(image, requester, 3, now);
        let denied = IPcac::Requestdenied {
            patient,
            image,
            info: "Failed to be approved by patient".into(),
        };
        let reason = IPcac::Reason {
            requester,
            image,
            info: c.reason,
        };
        let mut events = vec![Event::Requestdenied(denied), Event::Reason(reason)];
        acted(&mut events, patient, caller);
        flag(true, events)
    }

    pub(super) fn remove(&mut self, caller: Address, now: u64, c: IPcac::remove_IRsCall) -> Done {
        let (requester, image) = (c.requester, c.image);
        nonzero(&[requester.as_slice(), image.as_slice()])?;
        let patient = if caller == requester {
            self.known(image)?.patient
        } else {
            self.decided(caller, now, image)?.0.patient
        };
        if !matches!(self.grant(image, requester).status, 1 | 2 | 5) {
            return flag(false, vec![]);
        }
        self.end(image, requester, 4, now);
        let removed = IPcac::UserRemoved {
            requester,
            patient,
            image,
            info: "removed".into(),
        };
        let reason = IPcac::Reason {
            requester,
            image,
            info: "Contract expired".into(),
        };
        let mut events = vec![Event::UserRemoved(removed), Event::Reason(reason)];
        acted(&mut events, patient, caller);
        flag(true, events)
    }

    /// A request, an approval or an emergency access ends. Its expiry stays; what was shared does not.
    fn end(&mut self, image: B256, requester: Address, status: u8, now: u64) {
        let before = self.grant(image, requester);
        let grant = Grant {
            status,
            decided_at: now.max(before.decided_at).max(before.requested_at),
            shared: B256::ZERO,
            notes: FixedBytes::ZERO,
            ..before
        };
        self.grants.insert((image, requester), grant);
    }

    pub(super) fn trace(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::trace_authorizationCall,
    ) -> Done {
        nonzero(&[
            c.patient.as_slice(),
            c.requester.as_slice(),
            c.image.as_slice(),
        ])?;
        let patient = self.known(c.image)?.patient;
        if caller != c.requester && caller != self.account(patient).acting {
            return refuse!(PcacNotRequesterOrPatient { caller });
        }
        wrong_owner(c.image, c.patient, patient)?;
        let authorized = self.authorized(patient, c.requester, c.image, now);
        let (requester, image) = (c.requester, c.image);
        let event = if authorized {
            Event::AuthorizationSuccess(IPcac::AuthorizationSuccess {
                requester,
                image,
                info: "Authorized to access image".into(),
                patient,
            })
        } else {
            Event::AuthorizationFailed(IPcac::AuthorizationFailed {
                requester,
                image,
                info: "Image is not authorized to access".into(),
                patient,
            })
        };
        flag(authorized, vec![event])
    }

    pub(super) fn reshare(&mut self, caller: Address, now: u64, c: IPcac::reshare_IRsCall) -> Done {
        let (requester, image) = (c.requester, c.image);
        nonzero(&[requester.as_slice(), image.as_slice()])?;
        nonzero_at(3, c.sharedImage.as_slice())?;
        let (record, _, until) = self.decided(caller, now, image)?;
        if until.is_some() && requester == caller {
            return refuse!(PcacOwnRequest { caller });
        }
        self.may_give(now, image, &record)?;
        let before = self.grant(image, requester);
        let in_force = before.status == 2 && before.authorized(now);
        may_end(
            c.expiresAt,
            now,
            until,
            in_force.then_some(before.expires_at),
        )?;
        if !in_force {
            return refuse!(PcacNotApproved { requester, image });
        }
        if c.decidedAt != before.decided_at {
            return refuse!(PcacRequestChanged {
                at: before.decided_at,
                publicKey: before.key,
                notesDigest: FixedBytes::ZERO,
            });
        }
        later(now, before.decided_at)?;
        let grant = Grant {
            shared: c.sharedImage,
            expires_at: c.expiresAt,
            decided_at: now,
            ..before
        };
        self.grants.insert((image, requester), grant);
        let event = IPcac::Reshared {
            requester,
            image,
            sharedImage: c.sharedImage,
            expiresAt: c.expiresAt,
        };
        let mut events = vec![Event::Reshared(event)];
        acted(&mut events, record.patient, caller);
        flag(true, events)
    }

    pub(super) fn reseal(&mut self, caller: Address, now: u64, c: IPcac::reseal_imageCall) -> Done {
        nonzero(&[c.image.as_slice(), c.root.as_slice()])?;
        let (mut record, _) = self.owned(caller, c.image)?;
        self.may_give(now, c.image, &record)?;
        same_round(c.round, record.round)?;
        record.round += 1;
        let event = IPcac::ImageResealed {
            image: c.image,
            root: c.root,
            emergency: c.emergency,
            round: record.round,
        };
        let mut events = vec![Event::ImageResealed(event)];
        acted(&mut events, record.patient, caller);
        self.images.insert(c.image, record);
        nothing(events)
    }

    pub(super) fn set_limit(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::set_approval_limitCall,
    ) -> Done {
        nonzero(&[c.image.as_slice()])?;
        let (record, _) = self.owned(caller, c.image)?;
        self.may_give(now, c.image, &record)?;
        let (approvals, window) = (c.approvals, c.windowSeconds);
        if approvals >= 1 << 24 || (approvals > 0 && window == 0) {
            return refuse!(PcacBadLimit {
                approvals,
                windowSeconds: window,
            });
        }
        same_round(c.round, record.round)?;
        let record = Image {
            limit: approvals,
            window,
            opened: 0,
            used: 0,
            round: record.round + 1,
            ..record
        };
        let event = IPcac::ApprovalLimitSet {
            image: c.image,
            approvals,
            windowSeconds: window,
            round: record.round,
        };
        let mut events = vec![Event::ApprovalLimitSet(event)];
        acted(&mut events, record.patient, caller);
        self.images.insert(c.image, record);
        nothing(events)
    }

    pub(super) fn withdraw(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::withdraw_imageCall,
    ) -> Done {
        nonzero(&[c.image.as_slice()])?;
        let (record, account) = self.owned(caller, c.image)?;
        unlocked(record.patient, &account, now)?;
        let flags = record.flags | WITHDRAWN;
        self.flagged(caller, c.image, record, flags, 0)
    }

    pub(super) fn restore(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::restore_imageCall,
    ) -> Done {
        nonzero(&[c.image.as_slice()])?;
        let (record, account) = self.owned(caller, c.image)?;
        unlocked(record.patient, &account, now)?;
        same_round(c.round, record.round)?;
        let flags = record.flags & !WITHDRAWN;
        self.flagged(caller, c.image, record, flags, 0)
    }

    pub(super) fn retract(&mut self, caller: Address, c: IPcac::retract_imageCall) -> Done {
        nonzero(&[c.image.as_slice()])?;
        let record = self.known(c.image)?;
        if caller != record.radiologist {
            return refuse!(PcacNotAttester { caller });
        }
        if !matches!(self.accredited.get(&caller), Some((1 | 2, ..))) {
            let radiologist = caller;
            return refuse!(PcacNotAccredited { radiologist });
        }
        let flags = record.flags | RETRACTED;
        self.flagged(caller, c.image, record, flags, c.reason)
    }

    fn flagged(
        &mut self,
        by: Address,
        image: B256,
        mut record: Image,
        flags: u8,
        reason: u8,
    ) -> Done {
        let changed = flags != record.flags;
        record.flags = flags;
        record.round += 1;
        let event = IPcac::ImageFlagged {
            image,
            by,
            flags,
            reason,
            round: record.round,
        };
        self.images.insert(image, record);
        flag(changed, vec![Event::ImageFlagged(event)])
    }

    pub(super) fn break_glass(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::break_glassCall,
    ) -> Done {
        let (requester, image) = (c.requester, c.image);
        nonzero(&[
            requester.as_slice(),
            image.as_slice(),
            c.publicKey.as_slice(),
        ])?;
        let record = self.known(image)?;
        let (desk, hours) = self.account(record.patient).desk;
        if desk.is_zero() || caller != desk {
            return refuse!(PcacNotDesk { caller, desk });
        }
        if requester == caller {
            return refuse!(PcacOwnRequest { caller });
        }
        available(image, &record)?;
        ends(c.until, now, now + u64::from(hours) * HOUR)?;
        let before = self.grant(image, requester);
        if before.authorized(now) {
            return flag(false, vec![]);
        }
        if before.status != 1 {
            return refuse!(PcacNoRequest { requester, image });
        }
        if (half(c.publicKey), c.requestedAt) != (before.key, before.requested_at) {
            return refuse!(PcacRequestChanged {
                at: before.requested_at,
                publicKey: before.key,
                notesDigest: before.notes,
            });
        }
        let grant = Grant {
            status: 5,
            decided_at: now.max(before.requested_at),
            expires_at: c.until,
            notes: FixedBytes::ZERO,
            ..before
        };
        self.grants.insert((image, requester), grant);
        let event = IPcac::EmergencyOpened {
            requester,
            patient: record.patient,
            image,
            publicKey: c.publicKey,
            until: c.until,
            reasonCode: c.reasonCode,
        };
        flag(true, vec![Event::EmergencyOpened(event)])
    }
}
