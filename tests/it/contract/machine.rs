//! The contract against the model: the same random calls to both, every answer, refusal, event and view compared, and
//! the protocol's invariants checked after each call.
//!
//! `PCAC_MODEL_CALLS` (10,000 unless told) and `PCAC_MODEL_SEED` say how many calls and which. If `PCAC_TWIN` names the
//! init code of the Solidity twin (hex, from `tests/reference/build`), it runs along, and the gas of both is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::{SolCall, SolInterface};

use super::model::{Act, Answer, Call, Grant, Image, Model};
use super::signed::{FAULTS, attestation, digest as signing_digest, message, wrong};
use crate::chain::{Actor, Chain, Event, IPcac, IPcac::IPcacCalls as Function, Refusal, digest};

/// A small pseudo-random generator (SplitMix64): the same calls for the same seed, everywhere.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Once in `times`.
    fn once(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// Images that calls are about at a time, and after how many calls others follow.
const IMAGES: u64 = 3;
const EPOCH: u64 = 400;
const PEOPLE: usize = 6;

/// Makes calls: mostly sensible ones in the state that the model is in, and every kind of wrong one.
struct Maker<'a> {
    random: Random,
    people: &'a [Actor],
    epoch: u64,
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
                let requester = likely(&requested, &mut self.random);
                let call = IPcac::approve_IRsCall {
                    requester,
                    image,
                    publicKey: self.word(),
                    sharedImage: self.word(),
                    expiresAt: self.expiry(now),
                    notes: self.text(),
                };
                (Function::approve_IRs(call), owner)
            }
            60..67 => {
                let requester = likely(&requested, &mut self.random);
                let reason = self.text();
                let call = IPcac::deny_IRsCall {
                    requester,
                    image,
                    reason,
                };
                (Function::deny_IRs(call), owner)
            }
            67..76 => {
                let requester = likely(&approved, &mut self.random);
                let call = IPcac::remove_IRsCall { requester, image };
                (Function::remove_IRs(call), owner)
            }
            76..84 => {
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
            84..90 => {
                let requester = likely(&approved, &mut self.random);
                let call = IPcac::reshare_IRsCall {
                    requester,
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
    fn call(&mut self, model: &Model, now: u64) -> (Actor, Call) {
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

/// An implementation under test.
struct Target {
    name: &'static str,
    contract: Address,
    gas: BTreeMap<&'static str, (u64, u64)>,
}

/// The calldata of a call for one contract: signatures are over its address.
fn calldata(chain: &Chain, people: &[Actor], to: Address, call: &Call, fault: u8) -> Vec<u8> {
    match call {
        Call::Plain(act) => act_data(chain, people, to, act, fault).abi_encode(),
        Call::Batch(acts) => IPcac::multicallCall {
            calls: acts
                .iter()
                .map(|act| act_data(chain, people, to, act, fault).abi_encode().into())
                .collect(),
        }
        .abi_encode(),
        Call::Relayed {
            signer,
            nonce,
            deadline,
            act,
            signed,
        } => {
            let function = act_data(chain, people, to, act, fault);
            let message = message(&function, *nonce, *deadline);
            let person = people.iter().find(|person| person.address == *signer);
            let signature = sign(chain, person, to, message, *signed, fault);
            IPcac::relayCall {
                signer: *signer,
                nonce: *nonce,
                deadline: *deadline,
                call: function.abi_encode().into(),
                signature,
            }
            .abi_encode()
        }
    }
}

fn act_data(chain: &Chain, people: &[Actor], to: Address, act: &Act, fault: u8) -> Function {
    let Function::create_contract(mut call) = act.function.clone() else {
        return act.function.clone();
    };
    let message = attestation(call.image, call.patient, call.seal);
    let radiologist = people
        .iter()
        .find(|person| person.address == call.radiologist);
    call.attestation = sign(chain, radiologist, to, message, act.attested, fault);
    Function::create_contract(call)
}

fn sign(
    chain: &Chain,
    who: Option<&Actor>,
    to: Address,
    message: B256,
    right: bool,
    fault: u8,
) -> Bytes {
    match who {
        Some(who) if right => who.sign(signing_digest(chain.devnet.chain_id(), to, message)),
        Some(who) => wrong(chain, to, who, message, fault),
        None => Bytes::new(),
    }
}

fn encoded(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Flag(flag) => B256::with_last_byte((*flag).into()).to_vec(),
        Answer::Nothing => vec![],
        Answer::Relayed(answer) => IPcac::relayCall::abi_encode_returns(&encoded(answer).into()),
        Answer::Batch(answers) => {
            let each = answers.iter().map(|answer| encoded(answer).into());
            IPcac::multicallCall::abi_encode_returns(&each.collect())
        }
    }
}

/// What the views say about the people and an epoch's images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    consortium: Address,
    accredited: BTreeSet<Address>,
    nonces: BTreeMap<Address, u64>,
    images: BTreeMap<B256, (Address, u64, u32, u32)>,
    grants: BTreeMap<(B256, Address), Grant>,
    authorized: BTreeSet<(B256, Address)>,
}

fn images(epoch: u64) -> Vec<B256> {
    let first = 1_000 + IMAGES * epoch;
    (first..first + IMAGES).map(digest).collect()
}

/// Reads all of it by one call.
async fn see(chain: &Chain, to: Address, people: &[Actor], epoch: u64, model: &Model) -> Seen {
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
    let answer = chain.ask(&people[0], to, batch, "latest").await.unwrap();
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
fn wanted(model: &Model, people: &[Actor], epoch: u64, now: u64) -> Seen {
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
struct Replay {
    model: Model,
    denied: bool,
}

impl Replay {
    fn event(&mut self, at: u64, event: &Event) {
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

/// Only the patient changes the grants of his images, but for a request, which its requester makes; owners stay.
fn check_invariants(before: &Seen, after: &Seen, actor: Address, now: u64) {
    for (image, record) in &before.images {
        let owner = after.images.get(image).map(|record| record.0);
        assert_eq!(owner, Some(record.0), "an owner changed");
    }
    let keys: BTreeSet<_> = before.grants.keys().chain(after.grants.keys()).collect();
    for key in keys {
        let (old, new) = (before.grants.get(key), after.grants.get(key));
        if old != new {
            let patient = after.images[&key.0].0;
            let request = new.is_some_and(|grant| grant.status == 1) && actor == key.1;
            assert!(actor == patient || request, "{actor} changed {key:?}");
        }
    }
    for (image, (patient, ..)) in &after.images {
        let people = after.grants.keys().filter(|key| key.0 == *image);
        for key in people {
            let allowed = after.grants[key].authorized(now) || key.1 == *patient;
            assert_eq!(after.authorized.contains(key), allowed, "{key:?}");
        }
    }
}

/// A number that the environment may set.
pub(super) fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {value}")),
        Err(_) => otherwise,
    }
}

fn function_name(call: &Call) -> &'static str {
    match call {
        Call::Batch(_) => "multicall",
        Call::Relayed { .. } => "relay",
        Call::Plain(act) => Function::name_by_selector(act.function.selector()).unwrap(),
    }
}

fn refusal_name(refusal: &Refusal) -> &'static str {
    Refusal::name_by_selector(refusal.selector()).unwrap()
}

/// Deploys the Solidity twin if `PCAC_TWIN` names its init code, and accredits the radiologist there too.
pub(super) async fn twin(chain: &Chain) -> Option<Address> {
    let Ok(path) = std::env::var("PCAC_TWIN") else {
        println!("without the Solidity twin: PCAC_TWIN names no init code");
        return None;
    };
    let code = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut init = hex::decode(code.trim()).unwrap();
    init.extend(chain.consortium.address.into_word());
    let receipt = chain.create(&chain.stranger, init).await;
    let twin = receipt.contract_address.unwrap().0.into();
    let accredit = IPcac::accredit_radiologistCall {
        radiologist: chain.radiologist.address,
        accredited: true,
    };
    chain
        .mine(&chain.consortium, twin, accredit.abi_encode())
        .await;
    Some(twin)
}

async fn targets(chain: &Chain) -> Vec<Target> {
    chain.cache().await;
    let mut targets = vec![("WASM", chain.contract)];
    targets.extend(twin(chain).await.map(|twin| ("Solidity", twin)));
    let targets = targets.into_iter().map(|(name, contract)| Target {
        name,
        contract,
        gas: BTreeMap::new(),
    });
    targets.collect()
}

#[tokio::test]
async fn the_contract_is_the_model() {
    let (calls, seed) = (
        setting("PCAC_MODEL_CALLS", 10_000),
        setting("PCAC_MODEL_SEED", 1),
    );
    let started = Instant::now();
    let chain = Chain::start().await;
    let people: Vec<Actor> = (1..=PEOPLE).map(|n| chain.actor(n)).collect();
    let mut targets = targets(&chain).await;
    let mut model = Model {
        consortium: chain.consortium.address,
        accredited: [chain.radiologist.address].into(),
        ..Model::default()
    };
    let mut replay = Replay {
        model: model.clone(),
        ..Replay::default()
    };
    let mut maker = Maker {
        random: Random(seed),
        people: &people,
        epoch: 0,
    };
    let mut now = chain.now().await + 1_000;
    let mut seen = see(&chain, chain.contract, &people, 0, &model).await;
    let mut outcomes: BTreeMap<(&str, &str), u64> = BTreeMap::new();

    for n in 0..calls {
        if n / EPOCH != maker.epoch {
            maker.epoch = n / EPOCH;
            seen = see(&chain, chain.contract, &people, maker.epoch, &model).await;
        }
        now += [0, 0, 1, 10, 100, 1_000][maker.random.below(6) as usize];
        let (sender, call) = maker.call(&model, now);
        let fault = maker.random.below(FAULTS.into()) as u8;
        let send_refused = maker.random.once(20);
        let name = function_name(&call);
        let actor = match &call {
            Call::Relayed { signer, .. } => *signer,
            _ => sender.address,
        };
        let what = || format!("call {n} of seed {seed}, at {now}, from {actor}: {call:?}");

        let done = model.call(sender.address, now, &call);
        let outcome = match &done {
            Ok((Answer::Flag(false), _)) => "false",
            Ok(_) => "done",
            Err(refusal) => refusal_name(refusal),
        };
        *outcomes.entry((name, outcome)).or_default() += 1;
        for target in &mut targets {
            let data = calldata(&chain, &people, target.contract, &call, fault);
            let at: Result<serde_json::Value, _> = chain
                .provider
                .request("evm_setNextBlockTimestamp", [now])
                .await;
            at.unwrap();
            let answer = chain
                .ask(&sender, target.contract, data.clone(), "pending")
                .await;
            let wanted = match &done {
                Ok((answer, _)) => Ok(Bytes::from(encoded(answer))),
                Err(refusal) => Err(Bytes::from(refusal.abi_encode())),
            };
            assert_eq!(answer, wanted, "{}: {}", target.name, what());
            if done.is_err() && !send_refused {
                continue;
            }
            let receipt = chain.mine(&sender, target.contract, data).await;
            let succeeded = receipt.status.unwrap().as_u64() == 1;
            assert_eq!(succeeded, done.is_ok(), "{}: {}", target.name, what());
            let events = chain.events_of(target.contract, &receipt);
            let emitted = done.as_ref().map_or(&[][..], |(_, events)| events);
            assert_eq!(events, emitted, "{}: {}", target.name, what());
            if succeeded && outcome == "done" {
                let gas = target.gas.entry(name).or_default();
                *gas = (gas.0 + 1, gas.1 + receipt.gas_used.unwrap().as_u64());
            }
        }
        let Ok((_, events)) = &done else { continue };
        for event in events {
            replay.event(now, event);
        }
        let after = see(&chain, chain.contract, &people, maker.epoch, &model).await;
        assert_eq!(
            after,
            wanted(&model, &people, maker.epoch, now),
            "{}",
            what()
        );
        replay.model.nonces.clone_from(&model.nonces);
        assert_eq!(
            after,
            wanted(&replay.model, &people, maker.epoch, now),
            "replayed: {}",
            what()
        );
        check_invariants(&seen, &after, actor, now);
        for target in &targets[1..] {
            let twin = see(&chain, target.contract, &people, maker.epoch, &model).await;
            assert_eq!(twin, after, "{}: {}", target.name, what());
        }
        seen = after;
    }

    for ((name, outcome), count) in &outcomes {
        println!("{name:<24} {outcome:<26} {count:>7}");
    }
    for target in &targets {
        for (name, (count, gas)) in &target.gas {
            println!(
                "{:<10} {name:<24} {:>8} gas on average of {count}",
                target.name,
                gas / count
            );
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{calls} calls of seed {seed} in {seconds:.1} s, no divergence");
    if calls >= 10_000 {
        // Every function went through, and every refusal but that of nested calls was met.
        let names: BTreeSet<_> = outcomes.keys().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), 13, "{names:?}");
        let refusals: BTreeSet<_> = outcomes.keys().map(|(_, outcome)| *outcome).collect();
        for refusal in Refusal::SELECTORS {
            let name = Refusal::name_by_selector(*refusal).unwrap();
            assert!(
                name == "PcacNested" || refusals.contains(name),
                "{name} was never met"
            );
        }
    }
}
