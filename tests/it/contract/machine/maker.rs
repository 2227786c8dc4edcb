//! Random calls: mostly sensible ones in the state that the model is in, and every kind of wrong one.

use alloy_primitives::{Address, B256, Bytes};

use super::super::model::{Act, Call, Model};
use super::IMAGES;
use crate::chain::{Actor, IPcac, IPcac::IPcacCalls as Function, digest};

/// A small pseudo-random generator (SplitMix64): the same calls for the same seed, everywhere.
pub(in crate::contract) struct Random(pub(in crate::contract) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(in crate::contract) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Once in `times`.
    pub(super) fn once(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(in crate::contract) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// Makes calls: mostly sensible ones in the state that the model is in, and every kind of wrong one.
pub(super) struct Maker<'a> {
    pub(super) random: Random,
    pub(super) people: &'a [Actor],
    pub(super) epoch: u64,
}

impl Maker<'_> {
    fn image(&mut self) -> B256 {
        match self.random.below(40) {
            0 => B256::ZERO,
            1 => digest(999_999),
            _ => digest(1_000 + IMAGES * self.epoch + self.random.below(IMAGES)),
        }
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

    /// A function, and who would be right to call it.
    fn act(&mut self, model: &Model, now: u64) -> (Act, Option<Address>) {
        let image = self.image();
        let owner = model.images.get(&image).map(|image| image.patient);
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
        let mut attested = false;
        let (function, right) = match self.random.below(100) {
            0..10 => {
                attested = !self.random.once(4);
                let patient = self.person();
                let radiologist = self.person();
                attested &= !radiologist.is_zero();
                let call = IPcac::create_contractCall {
                    image,
                    patient,
                    seal: self.word(),
                    radiologist,
                    attestation: Bytes::new(),
                    description: self.text(),
                };
                (Function::create_contract(call), Some(patient))
            }
            10..35 => {
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
            35..60 => {
                let requestor = likely(&requested, &mut self.random);
                let call = IPcac::approve_IRsCall {
                    requester: requestor,
                    image,
                    publicKey: self.word(),
                    sharedImage: self.word(),
                    expiresAt: self.expiry(now),
                    notes: self.text(),
                };
                (Function::approve_IRs(call), owner)
            }
            60..67 => {
                let requestor = likely(&requested, &mut self.random);
                let reason = self.text();
                let call = IPcac::deny_IRsCall {
                    requester: requestor,
                    image,
                    reason,
                };
                (Function::deny_IRs(call), owner)
            }
            67..76 => {
                let requestor = likely(&approved, &mut self.random);
                let call = IPcac::remove_IRsCall {
                    requester: requestor,
                    image,
                };
                (Function::remove_IRs(call), owner)
            }
            76..84 => {
                let requestor = likely(&approved, &mut self.random);
                let patient = match owner {
                    Some(owner) if !self.random.once(12) => owner,
                    _ => self.person(),
                };
                let call = IPcac::trace_authorizationCall {
                    patient,
                    requester: requestor,
                    image,
                };
                (Function::trace_authorization(call), Some(requestor))
            }
            84..90 => {
                let requestor = likely(&approved, &mut self.random);
                let call = IPcac::reshare_IRsCall {
                    requester: requestor,
                    image,
                    sharedImage: self.word(),
                    expiresAt: self.expiry(now),
                };
                (Function::reshare_IRs(call), owner)
            }
            90..92 => {
                let root = self.word();
                let call = IPcac::reseal_imageCall { image, root };
                (Function::reseal_image(call), owner)
            }
            92..95 => {
                let call = IPcac::set_approval_limitCall {
                    image,
                    approvals: *self
                        .random
                        .of(&[0, 0, 1, 2, (1 << 24) - 1, 1 << 24, u32::MAX]),
                    windowSeconds: *self.random.of(&[0, 1, 100, 10_000, u32::MAX]),
                };
                (Function::set_approval_limit(call), owner)
            }
            95..99 => {
                let call = IPcac::accredit_radiologistCall {
                    radiologist: someone,
                    accredited: !self.random.once(4),
                };
                (Function::accredit_radiologist(call), Some(model.consortium))
            }
            _ => {
                let call = IPcac::transfer_consortiumCall { to: someone };
                (Function::transfer_consortium(call), Some(model.consortium))
            }
        };
        (Act { function, attested }, right)
    }

    /// Who sends what.
    pub(super) fn call(&mut self, model: &Model, now: u64) -> (Actor, Call) {
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
                let next = model.nonces.get(&signer).copied().unwrap_or_default();
                let nonce = if self.random.once(10) {
                    next.wrapping_sub(1)
                } else {
                    next
                };
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
