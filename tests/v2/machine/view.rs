//! The contract's views, the model's, and those that follow from the events.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256};
use alloy_sol_types::SolCall;

use super::super::chain::{Actor, Chain, Event, IPcac, digest};
use super::super::model::{Account, Grant, Image, Model, Pending};
use super::IMAGES;

/// Status, time of the first accreditation, since; and whether attestations are taken.
type Accreditation = (u8, u64, u64, bool);

/// Patient, time of registration, limit and its window, flags, tag, round.
type Record = (Address, u64, u32, u32, u8, u64, u32);

/// The views of the people and an epoch's images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) consortium: (Address, Address),
    pub(super) accredited: BTreeMap<Address, Accreditation>,
    pub(super) nonces: BTreeMap<(Address, U256), U256>,
    pub(super) images: BTreeMap<B256, Record>,
    pub(super) grants: BTreeMap<(B256, Address), Grant>,
    pub(super) authorized: BTreeSet<(B256, Address)>,
    pub(super) accounts: BTreeMap<Address, Account>,
}

pub(super) fn images(epoch: u64) -> Vec<B256> {
    let first = 1_000 + IMAGES * epoch;
    (first..first + IMAGES).map(digest).collect()
}

/// The mark of a radiologist in an image's record.
fn tag(radiologist: Address, image: B256) -> u64 {
    let hash = keccak256([radiologist.into_word(), image].concat());
    let mut bytes = [0; 8];
    bytes[1..].copy_from_slice(&hash[..7]);
    u64::from_be_bytes(bytes).max(1)
}

/// Words of nonces that calls use.
const WORDS: [u64; 2] = [0, 1];

/// Reads all of it by one call.
pub(super) fn see(chain: &Chain, to: Address, people: &[Actor], epoch: u64, model: &Model) -> Seen {
    let images = images(epoch);
    let mut calls: Vec<Bytes> = vec![IPcac::consortiumCall {}.abi_encode().into()];
    for person in people {
        let (radiologist, signer) = (person.address, person.address);
        let patient = person.address;
        calls.push(IPcac::accreditationCall { radiologist }.abi_encode().into());
        calls.push(IPcac::is_accreditedCall { radiologist }.abi_encode().into());
        for word in WORDS.map(U256::from) {
            calls.push(IPcac::noncesCall { signer, word }.abi_encode().into());
        }
        calls.push(IPcac::accountCall { patient }.abi_encode().into());
        calls.push(IPcac::emergencyCall { patient }.abi_encode().into());
        for other in people {
            let who = other.address;
            calls.push(IPcac::delegateCall { patient, who }.abi_encode().into());
        }
    }
    for image in images.iter().copied() {
        calls.push(IPcac::image_recordCall { image }.abi_encode().into());
        let record = model.images.get(&image);
        let patient = record.map_or(people[0].address, |record| record.patient);
        for person in people {
            let requester = person.address;
            calls.push(IPcac::grantCall { image, requester }.abi_encode().into());
            let asked = IPcac::is_authorizedCall {
                patient,
                requester,
                image,
            };
            calls.push(asked.abi_encode().into());
        }
    }
    let batch = IPcac::multicallCall { calls }.abi_encode();
    let answer = chain.devnet.call(people[0].address, to, batch.into());
    let answer = answer.unwrap();
    let answers = IPcac::multicallCall::abi_decode_returns_validate(&answer).unwrap();
    let mut answers = answers.iter();
    let mut next = || answers.next().unwrap();
    let role = IPcac::consortiumCall::abi_decode_returns_validate(next()).unwrap();
    let mut seen = Seen {
        consortium: (role.holder, role.offered),
        ..Seen::default()
    };
    for person in people {
        let patient = person.address;
        let a = IPcac::accreditationCall::abi_decode_returns_validate(next()).unwrap();
        let attests = IPcac::is_accreditedCall::abi_decode_returns_validate(next()).unwrap();
        if a.status != 0 {
            let accreditation = (a.status, a.accreditedAt, a.since, attests);
            seen.accredited.insert(patient, accreditation);
        }
        for word in WORDS.map(U256::from) {
            let used = IPcac::noncesCall::abi_decode_returns_validate(next()).unwrap();
            if used != U256::ZERO {
                seen.nonces.insert((patient, word), used);
            }
        }
        let a = IPcac::accountCall::abi_decode_returns_validate(next()).unwrap();
        let desk = IPcac::emergencyCall::abi_decode_returns_validate(next()).unwrap();
        let mut account = Account {
            acting: a.acting,
            round: a.round,
            epoch: a.epoch,
            recovery: a.recovery,
            locked_until: a.lockedUntil,
            commitment: a.commitment,
            hours: a.delayHours,
            pending: Pending {
                kind: a.pendingKind,
                ripe: a.pendingRipe,
                hours: a.pendingHours,
                data: a.pendingData,
            },
            desk: (desk.desk, desk.maxHours),
            delegates: BTreeMap::new(),
        };
        for other in people {
            let until = IPcac::delegateCall::abi_decode_returns_validate(next()).unwrap();
            if until != 0 {
                account.delegates.insert(other.address, until);
            }
        }
        seen.accounts.insert(patient, account);
    }
    for image in images {
        let r = IPcac::image_recordCall::abi_decode_returns_validate(next()).unwrap();
        if !r.patient.is_zero() {
            let record = (
                r.patient,
                r.registeredAt,
                r.approvalLimit,
                r.windowSeconds,
                r.flags,
                r.tag,
                r.round,
            );
            seen.images.insert(image, record);
        }
        for person in people {
            let g = IPcac::grantCall::abi_decode_returns_validate(next()).unwrap();
            let grant = Grant {
                status: g.status,
                requested_at: g.requestedAt,
                decided_at: g.decidedAt,
                expires_at: g.expiresAt,
                key: g.publicKey,
                shared: g.sharedImage,
                notes: g.notesDigest,
            };
            if grant != Grant::default() {
                seen.grants.insert((image, person.address), grant);
            }
            if IPcac::is_authorizedCall::abi_decode_returns_validate(next()).unwrap() {
                seen.authorized.insert((image, person.address));
            }
        }
    }
    seen
}

/// The views as the model has them.
pub(super) fn wanted(model: &Model, people: &[Actor], epoch: u64, now: u64) -> Seen {
    let mut seen = Seen {
        consortium: (model.consortium, model.offered),
        ..Seen::default()
    };
    let nonces = model.nonces.iter().filter(|(_, used)| !used.is_zero());
    seen.nonces = nonces.map(|(key, used)| (*key, *used)).collect();
    for (who, (status, at, since)) in &model.accredited {
        let accreditation = (*status, *at, *since, model.attests(*who, now));
        seen.accredited.insert(*who, accreditation);
    }
    for person in people {
        let mut account = model.account(person.address);
        account.pending = account.pending.at(now);
        account.locked_until = account.lock(now);
        seen.accounts.insert(person.address, account);
    }
    for image in images(epoch) {
        let Some(r) = model.images.get(&image) else {
            continue;
        };
        let record = (
            r.patient,
            r.registered_at,
            r.limit,
            r.window,
            r.flags,
            tag(r.radiologist, image),
            r.round,
        );
        seen.images.insert(image, record);
        for person in people {
            let grant = model.grant(image, person.address);
            if model.authorized(r.patient, person.address, image, now) {
                seen.authorized.insert((image, person.address));
            }
            if grant != Grant::default() {
                seen.grants.insert((image, person.address), grant);
            }
        }
    }
    seen
}

/// The views' state, rebuilt from nothing but the events and the times of their blocks.
#[derive(Default)]
pub(super) struct Replay {
    pub(super) model: Model,
    pub(super) denied: bool,
}

impl Replay {
    pub(super) fn event(&mut self, at: u64, event: &Event) {
        let model = &mut self.model;
        let denied = std::mem::replace(&mut self.denied, matches!(event, Event::Requestdenied(_)));
        match event {
            Event::ContractCreated(e) => {
                let image = model.images.entry(e.image).or_default();
                assert_eq!(image.registered_at, e.replaces);
                *image = Image {
                    patient: e.patient,
                    registered_at: at,
                    radiologist: e.radiologist,
                    flags: image.flags & !2,
                    ..image.clone()
                };
            }
            Event::ImageFlagged(e) => {
                let image = model.images.entry(e.image).or_default();
                (image.flags, image.round) = (e.flags, e.round);
            }
            Event::RequestedForApproval(e) => {
                let grant = Grant {
                    status: 1,
                    requested_at: at,
                    key: FixedBytes::from_slice(&e.publicKey[..16]),
                    notes: FixedBytes::from_slice(&keccak256(&e.info)[..10]),
                    ..Grant::default()
                };
                model.grants.insert((e.image, e.requester), grant);
            }
            Event::Approved(e) => {
                let grant = model.grants.entry((e.image, e.requester)).or_default();
                grant.decided_at = at.max(grant.requested_at);
                (grant.status, grant.notes) = (2, FixedBytes::ZERO);
                (grant.expires_at, grant.shared) = (e.expiresAt, e.sharedImage);
            }
            Event::EmergencyOpened(e) => {
                let grant = model.grants.entry((e.image, e.requester)).or_default();
                grant.decided_at = at.max(grant.requested_at);
                (grant.status, grant.notes) = (5, FixedBytes::ZERO);
                grant.expires_at = e.until;
            }
            Event::Reason(e) if denied => self.end(e.image, e.requester, 3, at),
            Event::UserRemoved(e) => self.end(e.image, e.requester, 4, at),
            Event::Reshared(e) => {
                let grant = model.grants.entry((e.image, e.requester)).or_default();
                (grant.expires_at, grant.shared) = (e.expiresAt, e.sharedImage);
                grant.decided_at = at;
            }
            Event::ImageResealed(e) => model.images.entry(e.image).or_default().round = e.round,
            Event::ApprovalLimitSet(e) => {
                let image = model.images.entry(e.image).or_default();
                (image.limit, image.window) = (e.approvals, e.windowSeconds);
                image.round = e.round;
            }
            Event::AccountChanged(e) => self.account(e),
            Event::RadiologistAccredited(e) => {
                let before = model.accredited.get(&e.radiologist).map_or(0, |it| it.1);
                let first = if before == 0 && e.status == 1 {
                    at
                } else {
                    before
                };
                let accreditation = (e.status, first, e.since);
                model.accredited.insert(e.radiologist, accreditation);
            }
            Event::ConsortiumOffered(e) => {
                model.offered = if e.from == e.to { Address::ZERO } else { e.to };
            }
            Event::ConsortiumTransferred(e) => {
                assert_eq!(e.from, model.consortium);
                (model.consortium, model.offered) = (e.to, Address::ZERO);
            }
            Event::AccountMoved(e) => {
                let acting = model.account(e.patient).acting;
                assert_eq!(acting, e.to, "the change before said so");
            }
            Event::ImageImported(_) => panic!("there is no predecessor"),
            Event::Requestaccepted(_)
            | Event::Requestdenied(_)
            | Event::Reason(_)
            | Event::Acted(_)
            | Event::AuthorizationSuccess(_)
            | Event::AuthorizationFailed(_) => {}
        }
    }

    fn end(&mut self, image: B256, requester: Address, status: u8, at: u64) {
        let grant = self.model.grants.entry((image, requester)).or_default();
        grant.decided_at = at.max(grant.decided_at).max(grant.requested_at);
        (grant.status, grant.shared, grant.notes) = (status, B256::ZERO, FixedBytes::ZERO);
    }

    fn account(&mut self, e: &IPcac::AccountChanged) {
        let mut account = self.model.account(e.patient);
        let address = Address::from_slice(&e.data[12..]);
        let hours = u16::from_be_bytes([e.data[6], e.data[7]]);
        let data = FixedBytes::from_slice(&e.data[8..]);
        let pending = Pending {
            kind: e.kind,
            ripe: e.ripe,
            hours: if e.kind < 4 { hours } else { 0 },
            data,
        };
        match (e.kind, e.ripe) {
            (1, 0) => {
                account.recovery += 1;
                (account.commitment, account.hours) = (data, hours);
                account.pending = Pending::default();
            }
            (3, 0) => {
                account.desk = (address, hours as u8);
                if account.pending.kind == 3 {
                    account.pending = Pending::default();
                }
            }
            (1..=3, _) => account.pending = pending,
            (4 | 5, ripe) => {
                account.recovery += 1;
                account.pending = if ripe == 0 {
                    Pending::default()
                } else {
                    pending
                };
            }
            (6, _) => account.pending = Pending::default(),
            (7, _) => match std::mem::take(&mut account.pending).kind {
                1 => {
                    account.recovery += 1;
                    (account.commitment, account.hours) = (data, hours);
                }
                3 => account.desk = (address, hours as u8),
                kind => account.hand_to(address, kind != 2),
            },
            (8, _) => {
                let mut until = [0; 8];
                until[3..].copy_from_slice(&e.data[7..12]);
                match u64::from_be_bytes(until) {
                    0 => account.delegates.remove(&address),
                    until => account.delegates.insert(address, until),
                };
            }
            other => panic!("no such change: {other:?}"),
        }
        (account.round, account.locked_until) = (e.round, e.lockedUntil);
        self.model.accounts.insert(e.patient, account);
    }
}
