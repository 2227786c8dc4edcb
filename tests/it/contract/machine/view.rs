//! The contract's views, the model's, and those that follow from the events.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolCall;

use super::super::model::{Grant, Image, Model};
use super::IMAGES;
use crate::chain::{Actor, Chain, Event, IPcac, digest};

/// What the views say about the people and an epoch's images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) consortium: Address,
    pub(super) accredited: BTreeSet<Address>,
    pub(super) nonces: BTreeMap<Address, u64>,
    pub(super) images: BTreeMap<B256, (Address, u64, u32, u32)>,
    pub(super) grants: BTreeMap<(B256, Address), Grant>,
    pub(super) authorized: BTreeSet<(B256, Address)>,
}

pub(super) fn images(epoch: u64) -> Vec<B256> {
    let first = 1_000 + IMAGES * epoch;
    (first..first + IMAGES).map(digest).collect()
}

/// Reads all of it by one call.
pub(super) fn see(chain: &Chain, to: Address, people: &[Actor], epoch: u64, model: &Model) -> Seen {
    let images = images(epoch);
    let mut calls: Vec<Bytes> = vec![IPcac::consortiumCall {}.abi_encode().into()];
    for person in people {
        let (radiologist, signer) = (person.address, person.address);
        calls.push(IPcac::is_accreditedCall { radiologist }.abi_encode().into());
        calls.push(IPcac::noncesCall { signer }.abi_encode().into());
    }
    for image in images.iter().copied() {
        calls.push(IPcac::image_recordCall { image }.abi_encode().into());
        let record = model.images.get(&image);
        let patient = record.map_or(people[0].address, |record| record.patient);
        for person in people {
            let requestor = person.address;
            calls.push(
                IPcac::grantCall {
                    image,
                    requester: requestor,
                }
                .abi_encode()
                .into(),
            );
            let asked = IPcac::is_authorizedCall {
                patient,
                requester: requestor,
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
    let mut seen = Seen {
        consortium: IPcac::consortiumCall::abi_decode_returns_validate(next()).unwrap(),
        ..Seen::default()
    };
    for person in people {
        if IPcac::is_accreditedCall::abi_decode_returns_validate(next()).unwrap() {
            seen.accredited.insert(person.address);
        }
        let nonce = IPcac::noncesCall::abi_decode_returns_validate(next()).unwrap();
        if nonce > 0 {
            seen.nonces.insert(person.address, nonce);
        }
    }
    for image in images {
        let r = IPcac::image_recordCall::abi_decode_returns_validate(next()).unwrap();
        if !r.patient.is_zero() {
            let record = (r.patient, r.registeredAt, r.approvalLimit, r.windowSeconds);
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

/// What the views should say by the model.
pub(super) fn wanted(model: &Model, people: &[Actor], epoch: u64, now: u64) -> Seen {
    let mut seen = Seen {
        consortium: model.consortium,
        accredited: model.accredited.clone(),
        nonces: model.nonces.clone(),
        ..Seen::default()
    };
    for image in images(epoch) {
        let Some(r) = model.images.get(&image) else {
            continue;
        };
        let record = (r.patient, r.registered_at, r.limit, r.window);
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
                let image = Image {
                    patient: e.patient,
                    registered_at: at,
                    ..Image::default()
                };
                assert_eq!(
                    model.images.insert(e.image, image),
                    None,
                    "an owner changed"
                );
            }
            Event::RequestedForApproval(e) => {
                let before = model.grant(e.image, e.requester);
                let grant = Grant {
                    status: 1,
                    requested_at: if before.status == 1 {
                        before.requested_at
                    } else {
                        at
                    },
                    key: alloy_primitives::FixedBytes::from_slice(&e.publicKey[..16]),
                    ..Grant::default()
                };
                model.grants.insert((e.image, e.requester), grant);
            }
            Event::Approved(e) => {
                let grant = model.grants.entry((e.image, e.requester)).or_default();
                (grant.status, grant.decided_at) = (2, at);
                (grant.expires_at, grant.shared) = (e.expiresAt, e.sharedImage);
            }
            Event::Reason(e) if denied => {
                let grant = model.grants.entry((e.image, e.requester)).or_default();
                (grant.status, grant.decided_at) = (3, at);
            }
            Event::UserRemoved(e) => {
                let grant = model.grants.entry((e.image, e.requester)).or_default();
                (grant.status, grant.decided_at, grant.shared) = (4, at, B256::ZERO);
            }
            Event::Reshared(e) => {
                let grant = model.grants.entry((e.image, e.requester)).or_default();
                (grant.expires_at, grant.shared) = (e.expiresAt, e.sharedImage);
            }
            Event::ApprovalLimitSet(e) => {
                let image = model.images.entry(e.image).or_default();
                (image.limit, image.window) = (e.approvals, e.windowSeconds);
            }
            Event::RadiologistAccredited(e) if e.accredited => {
                model.accredited.insert(e.radiologist);
            }
            Event::RadiologistAccredited(e) => {
                model.accredited.remove(&e.radiologist);
            }
            Event::ConsortiumTransferred(e) => {
                assert_eq!(e.from, model.consortium);
                model.consortium = e.to;
            }
            Event::Requestaccepted(_)
            | Event::Requestdenied(_)
            | Event::Reason(_)
            | Event::ImageResealed(_)
            | Event::AuthorizationSuccess(_)
            | Event::AuthorizationFailed(_) => {}
        }
    }
}
