//! Random calls: mostly sensible ones in the state that the model is in, and every kind of wrong one.

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256};

use super::super::chain::{Actor, IPcac, IPcac::IPcacCalls as Function, digest};
use super::super::model::{Act, Call, GuardianSet, HOUR, MONTH, Model, RETRACTED, place};
use super::IMAGES;
use crate::random::Random;

/// Makes calls: mostly sensible ones in the state that the model is in, and every kind of wrong one.
pub(crate) struct Maker<'a> {
    pub(crate) random: Random,
    pub(crate) people: &'a [Actor],
    pub(crate) epoch: u64,
    /// guardians that may be named: in order, and not
    pub(crate) sets: Vec<GuardianSet>,
}

/// Sets of guardians among the people.
pub(crate) fn sets(people: &[Actor]) -> Vec<GuardianSet> {
    let mut all: Vec<Address> = people.iter().map(|person| person.address).collect();
    all.sort();
    let set = |guardians: &[Address], threshold, salt| GuardianSet {
        guardians: guardians.to_vec(),
        threshold,
        salt: B256::repeat_byte(salt),
    };
    vec![
        set(&all[..3], 2, 1),
        set(&all[1..4], 1, 2),
        set(&all[3..], 3, 3),
        set(&all[..1], 1, 4),
        set(&[all[2], all[0]], 2, 5),
        set(&all[..2], 3, 6),
    ]
}

impl Maker<'_> {
    fn image(&mut self) -> B256 {
        match self.random.below(40) {
            0 => B256::ZERO,
            1 => digest(999_999),
            _ => digest(1_000 + IMAGES * self.epoch + self.random.below(IMAGES)),
        }
    }

    /// Mostly one that is registered.
    fn known_image(&mut self, model: &Model) -> B256 {
        let first = 1_000 + IMAGES * self.epoch;
        let known: Vec<B256> = (first..first + IMAGES)
            .map(digest)
            .filter(|image| model.images.contains_key(image))
            .collect();
        if known.is_empty() || self.random.once(6) {
            return self.image();
        }
        *self.random.of(&known)
    }

    /// Mostly one whose attestations are taken.
    fn radiologist(&mut self, model: &Model, now: u64) -> Address {
        let attest: Vec<Address> = self
            .people
            .iter()
            .map(|person| person.address)
            .filter(|who| model.attests(*who, now))
            .collect();
        if attest.is_empty() || self.random.once(4) {
            return self.person();
        }
        *self.random.of(&attest)
    }

    fn word(&mut self) -> B256 {
        match self.random.below(40) {
            0 => B256::ZERO,
            _ => digest(self.random.below(2)),
        }
    }

    fn person(&mut self) -> Address {
        if self.random.once(40) {
            return Address::ZERO;
        }
        self.random.of(self.people).address
    }

    fn text(&mut self) -> String {
        match self.random.below(40) {
            0 => "x".repeat(257),
            1 => "\u{e4}".repeat(128),
            2..8 => String::new(),
            n => "HPAYMT: \u{20ac} a longer purpose"[..n as usize % 8].to_owned(),
        }
    }

    fn expiry(&mut self, now: u64) -> u64 {
        match self.random.below(12) {
            0 => now,
            1 => now - 1,
            2 => 1 << 40,
            3 => (1 << 40) - 1,
            4..7 => 0,
            n => now + [1, 10, 100, 1_000, 100_000][n as usize - 7],
        }
    }

    /// Mostly what is right.
    fn mostly<T>(&mut self, right: T, wrong: T) -> T {
        if self.random.once(10) { wrong } else { right }
    }

    /// A function on an image's standings, and who would be right to call it.
    fn decision(&mut self, model: &Model, now: u64) -> (Function, Option<Address>) {
        let image = self.known_image(model);
        let owner = model.images.get(&image).map(|image| image.patient);
        let acting = owner.map(|owner| model.account(owner).acting);
        let someone = self.person();
        let open = |status: u8| -> Vec<Address> {
            let people = self.people.iter().map(|person| person.address);
            people
                .filter(|who| model.grant(image, *who).status == status)
                .collect()
        };
        let (requested, approved) = (open(1), open(2));
        let likely = |these: &[Address], random: &mut Random| {
            if these.is_empty() || random.once(4) {
                someone
            } else {
                *random.of(these)
            }
        };
        // A delegate, sometimes.
        let decides = owner.and_then(|owner| {
            let delegates = model.account(owner).delegates;
            let of = delegates.keys().next().copied();
            if self.random.once(3) { of } else { None }
        });
        let decides = decides.or(acting);
        match self.random.below(66) {
            0..22 => {
                let patient = match owner {
                    Some(owner) if !self.random.once(12) => owner,
                    _ => someone,
                };
                let call = IPcac::requesting_accessCall {
                    patient,
                    image,
                    publicKey: self.word(),
                    notes: self.text(),
                };
                (Function::requesting_access(call), None)
            }
            22..42 => {
                let requester = likely(&requested, &mut self.random);
                let open = model.grant(image, requester);
                let key = (0..2).map(digest).find(|key| key[..16] == open.key[..]);
                let call = IPcac::approve_IRsCall {
                    requester,
                    image,
                    publicKey: key.unwrap_or(digest(self.random.below(2))),
                    requestedAt: self.mostly(open.requested_at, now),
                    notesDigest: self.mostly(open.notes, FixedBytes::ZERO),
                    sharedImage: self.word(),
                    expiresAt: self.expiry(now),
                    notes: self.text(),
                };
                (Function::approve_IRs(call), decides)
            }
            42..47 => {
                let requester = likely(&requested, &mut self.random);
                let reason = self.text();
                let call = IPcac::deny_IRsCall {
                    requester,
                    image,
                    reason,
                };
                (Function::deny_IRs(call), decides)
            }
            47..53 => {
                let requester = likely(&approved, &mut self.random);
                let call = IPcac::remove_IRsCall { requester, image };
                let by = if self.random.once(4) {
                    Some(requester)
                } else {
                    decides
                };
                (Function::remove_IRs(call), by)
            }
            53..59 => {
                let requester = likely(&approved, &mut self.random);
                let patient = match owner {
                    Some(owner) if !self.random.once(12) => owner,
                    _ => self.person(),
                };
                let call = IPcac::trace_authorizationCall {
                    patient,
                    requester,
                    image,
                };
                (Function::trace_authorization(call), Some(requester))
            }
            _ => {
                let requester = likely(&approved, &mut self.random);
                let before = model.grant(image, requester);
                let end = self.expiry(now);
                let call = IPcac::reshare_IRsCall {
                    requester,
                    image,
                    decidedAt: self.mostly(before.decided_at, now),
                    sharedImage: self.word(),
                    expiresAt: self.mostly(end, before.expires_at),
                };
                (Function::reshare_IRs(call), decides)
            }
        }
    }

    /// A function on an image, and who would be right to call it.
    fn upkeep(&mut self, model: &Model, now: u64) -> (Act, Option<Address>) {
        let image = match self.random.once(2) {
            true => self.image(),
            false => self.known_image(model),
        };
        let record = model.images.get(&image).cloned().unwrap_or_default();
        let account = model.account(record.patient);
        let acting = Some(account.acting);
        let round = self.mostly(record.round, record.round.wrapping_sub(1));
        let act = Act::plain;
        match self.random.below(30) {
            0..12 => {
                let retracted = record.flags & RETRACTED != 0;
                let patient = if retracted {
                    record.patient
                } else {
                    self.person()
                };
                let radiologist = self.radiologist(model, now);
                let attested = !self.random.once(4) && !radiologist.is_zero();
                let replaces = if retracted { record.registered_at } else { 0 };
                let call = IPcac::create_contractCall {
                    image,
                    patient,
                    seal: self.word(),
                    radiologist,
                    attestation: Bytes::new(),
                    description: self.text(),
                };
                let act = Act {
                    attested,
                    replaces: self.mostly(replaces, now),
                    ..act(Function::create_contract(call))
                };
                (act, Some(model.account(patient).acting))
            }
            12..14 => {
                let call = IPcac::reseal_imageCall {
                    image,
                    root: self.word(),
                    emergency: self.word(),
                    round,
                };
                (act(Function::reseal_image(call)), acting)
            }
            14..17 => {
                let call = IPcac::set_approval_limitCall {
                    image,
                    approvals: *self
                        .random
                        .of(&[0, 1, 1, 1, 2, (1 << 24) - 1, 1 << 24, u32::MAX]),
                    windowSeconds: *self.random.of(&[0, 1, 100, 10_000, u32::MAX, u32::MAX]),
                    round,
                };
                (act(Function::set_approval_limit(call)), acting)
            }
            17..19 => {
                let call = IPcac::withdraw_imageCall { image };
                (act(Function::withdraw_image(call)), acting)
            }
            19..23 => {
                let call = IPcac::restore_imageCall { image, round };
                (act(Function::restore_image(call)), acting)
            }
            23..25 => {
                let reason = self.random.below(256) as u8;
                let call = IPcac::retract_imageCall { image, reason };
                (act(Function::retract_image(call)), Some(record.radiologist))
            }
            25 => {
                let call = IPcac::import_imageCall { image };
                (act(Function::import_image(call)), acting)
            }
            _ => {
                let people: Vec<Address> = self.people.iter().map(|it| it.address).collect();
                let open = people
                    .into_iter()
                    .find(|who| model.grant(image, *who).status == 1);
                let someone = self.person();
                let requester = open.unwrap_or(someone);
                let before = model.grant(image, requester);
                let key = (0..2).map(digest).find(|key| key[..16] == before.key[..]);
                let until = *self.random.of(&[HOUR, HOUR, HOUR, 0, 100 * HOUR]);
                let call = IPcac::break_glassCall {
                    requester,
                    image,
                    publicKey: key.unwrap_or(digest(1)),
                    requestedAt: self.mostly(before.requested_at, now),
                    until: now + until,
                    reasonCode: self.word(),
                };
                (act(Function::break_glass(call)), Some(account.desk.0))
            }
        }
    }

    /// A call on an account, and who would be right to make it.
    fn account(&mut self, model: &Model, now: u64) -> (Act, Option<Address>) {
        let patient = self.person();
        let account = model.account(patient);
        let acting = Some(account.acting);
        let round = self.mostly(account.round, account.round.wrapping_sub(1));
        let act = Act::plain;
        match self.random.below(100) {
            0..14 => {
                let set = self.random.of(&self.sets).commitment();
                let (commitment, hours) = match self.random.below(8) {
                    0 => (FixedBytes::ZERO, 0),
                    1 => (FixedBytes::ZERO, 72),
                    2 => (set, *self.random.of(&[0, 71, 721, u16::MAX])),
                    _ => (set, *self.random.of(&[72, 72, 100, 720])),
                };
                let call = IPcac::set_guardiansCall {
                    patient,
                    round,
                    commitment,
                    delayHours: hours,
                };
                (act(Function::set_guardians(call)), acting)
            }
            14..26 => {
                let call = IPcac::move_accountCall {
                    patient,
                    round,
                    successor: self.person(),
                };
                (act(Function::move_account(call)), acting)
            }
            26..42 => {
                let (desk, max_hours) = match self.random.below(6) {
                    0 => (Address::ZERO, 0),
                    1 => (account.desk.0, account.desk.1.saturating_sub(1)),
                    _ => (self.person(), *self.random.of(&[24, 24, 72, 1, 0, 73, 255])),
                };
                let call = IPcac::set_emergencyCall {
                    patient,
                    round,
                    desk,
                    maxHours: max_hours,
                };
                (act(Function::set_emergency(call)), acting)
            }
            42..58 => {
                let until =
                    *self
                        .random
                        .of(&[0, now + HOUR, now + 10 * MONTH, now + MONTH, now, 1 << 40]);
                let call = IPcac::set_delegateCall {
                    patient,
                    round,
                    delegate: self.person(),
                    until,
                };
                (act(Function::set_delegate(call)), acting)
            }
            58..64 => {
                let call = IPcac::cancel_changeCall { patient };
                (act(Function::cancel_change(call)), acting)
            }
            64..82 => {
                let successor = Address::from_slice(&account.pending.data[4..]);
                let call = IPcac::finish_changeCall { patient };
                (act(Function::finish_change(call)), Some(successor))
            }
            _ => self.recovery(model, patient, now),
        }
    }

    fn recovery(&mut self, model: &Model, patient: Address, now: u64) -> (Act, Option<Address>) {
        let account = model.account(patient);
        let matching = self
            .sets
            .iter()
            .find(|set| set.commitment() == account.commitment);
        let set = match matching {
            Some(set) if !self.random.once(10) => set.clone(),
            _ => self.random.of(&self.sets).clone(),
        };
        let guardians = set
            .guardians
            .iter()
            .map(|_| match self.random.below(24) {
                0 => Some(false),
                1..5 => None,
                _ => Some(true),
            })
            .collect::<Vec<_>>();
        let mut signatures = vec![Bytes::new(); guardians.len()];
        if self.random.once(30) {
            signatures.pop();
        }
        let successor = if self.random.once(5) {
            account.acting
        } else {
            self.person()
        };
        let call = IPcac::start_recoveryCall {
            patient,
            successor,
            lock: self.random.once(2) && set.threshold != 1 || self.random.once(20),
            guardians: set.guardians,
            threshold: set.threshold,
            salt: set.salt,
            deadline: now + *self.random.of(&[0, HOUR, MONTH, MONTH, MONTH + 1]),
            signatures,
        };
        let recovery = account.recovery;
        let act = Act {
            guardians,
            recovery: if self.random.once(20) {
                recovery.wrapping_sub(1) & 0x7fff
            } else {
                recovery
            },
            ..Act::plain(Function::start_recovery(call))
        };
        (act, None)
    }

    /// A call of the consortium, or one that voids, and who would be right to make it.
    fn other(&mut self, model: &Model, now: u64) -> (Act, Option<Address>) {
        let (function, right) = match self.random.below(12) {
            0..7 => {
                let status = *self.random.of(&[1, 1, 1, 1, 2, 3, 0, 4]);
                let since = match (status, self.random.below(8)) {
                    (2, 0) => now - 1,
                    (2, _) => now + 1_000_000,
                    (_, 0) => 1 << 40,
                    (3, _) => now,
                    _ => 0,
                };
                let call = IPcac::accredit_radiologistCall {
                    radiologist: self.person(),
                    status: if self.random.once(3) { 1 } else { status },
                    since,
                };
                (Function::accredit_radiologist(call), Some(model.consortium))
            }
            7 => {
                let to = self.person();
                let call = IPcac::transfer_consortiumCall { to };
                (Function::transfer_consortium(call), Some(model.consortium))
            }
            8 => {
                let call = IPcac::accept_consortiumCall {};
                (Function::accept_consortium(call), Some(model.offered))
            }
            _ => {
                let call = IPcac::void_noncesCall {
                    word: U256::from(self.random.below(2)),
                    mask: U256::from(1) << self.random.below(256),
                };
                (Function::void_nonces(call), None)
            }
        };
        (Act::plain(function), right)
    }

    /// A function, and who would be right to call it.
    fn act(&mut self, model: &Model, now: u64) -> (Act, Option<Address>) {
        match self.random.below(100) {
            0..46 => {
                let (function, right) = self.decision(model, now);
                (Act::plain(function), right)
            }
            46..66 => self.upkeep(model, now),
            66..93 => self.account(model, now),
            _ => self.other(model, now),
        }
    }

    /// A call and its sender.
    pub(crate) fn call(&mut self, model: &Model, now: u64) -> (Actor, Call) {
        let (act, right) = self.act(model, now);
        let anyone = self.random.of(self.people).clone();
        let who = match right {
            Some(right) if !self.random.once(6) => {
                let person = self.people.iter().find(|person| person.address == right);
                person.cloned().unwrap_or(anyone)
            }
            _ => anyone,
        };
        match self.random.below(10) {
            0 => {
                let more = self.random.below(4);
                let mut acts = vec![act];
                acts.extend((0..more).map(|_| self.act(model, now).0));
                if self.random.once(10) {
                    acts.clear();
                }
                (who, Call::Batch(acts))
            }
            1 | 2 => {
                let signer = who.address;
                let mut nonce = U256::from(self.random.below(512));
                let (word, bit) = place(nonce);
                // Mostly one that is not used, if there is one in the word.
                if model.used(signer, word) & bit != U256::ZERO && !self.random.once(4) {
                    let free = (0..256_u64).find(|n| {
                        let bit = U256::from(1) << *n;
                        model.used(signer, word) & bit == U256::ZERO
                    });
                    nonce = free.map_or(nonce, |n| (word << 8) | U256::from(n));
                }
                let deadline = *self
                    .random
                    .of(&[now, now + 1, now + 1_000, u64::MAX, now - 1]);
                let signed = !self.random.once(6);
                let call = Call::Relayed {
                    signer,
                    nonce,
                    deadline,
                    act,
                    signed,
                };
                (self.random.of(self.people).clone(), call)
            }
            _ => (who, Call::Plain(act)),
        }
    }
}
