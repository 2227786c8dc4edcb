//! The contract against the model: the same random calls to both, every answer, refusal, event and view compared, and
//! the protocol's invariants checked after each call.
//!
//! `PCAC_MODEL_CALLS` (10,000 unless set) and `PCAC_MODEL_SEED` say how many calls and which. If `PCAC_TWIN` names the
//! init code of the Solidity twin (hex, from `tests/reference/build.mjs OUT.hex`), it runs along, and the gas of both is shown.

mod maker;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::{SolCall, SolInterface};
use serde_json::json;

pub(super) use self::maker::{Maker, sets};
use self::view::{Replay, Seen, see, wanted};
use super::chain::{Actor, Chain, Event, IPcac, IPcac::IPcacCalls as Function, Refusal};
use super::model::{Act, Answer, Call, Model};
use super::random::{Random, setting};
use super::signed::{FAULTS, attestation, digest as signing_digest, message, recovery, wrong};

/// Images that calls are about at a time, and after how many calls others follow.
const IMAGES: u64 = 3;
const EPOCH: u64 = 400;
pub(super) const PEOPLE: usize = 6;

/// An implementation under test.
struct Target {
    name: &'static str,
    contract: Address,
    gas: BTreeMap<&'static str, (u64, u64)>,
}

/// The calldata of a call for one contract: signatures are over its address.
pub(super) fn calldata(
    chain: &Chain,
    people: &[Actor],
    to: Address,
    call: &Call,
    fault: u8,
) -> Vec<u8> {
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
            let message = message(&function, *signer, *nonce, *deadline);
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

pub(super) fn act_data(
    chain: &Chain,
    people: &[Actor],
    to: Address,
    act: &Act,
    fault: u8,
) -> Function {
    let person = |who: Address| people.iter().find(|person| person.address == who);
    match act.function.clone() {
        Function::create_contract(mut call) => {
            let message = attestation(call.image, call.patient, call.seal, act.replaces);
            let radiologist = person(call.radiologist);
            call.attestation = sign(chain, radiologist, to, message, act.attested, fault);
            Function::create_contract(call)
        }
        Function::start_recovery(mut call) => {
            let message = recovery(
                call.patient,
                call.successor,
                call.lock,
                act.recovery,
                call.deadline,
            );
            let each = call.guardians.iter().zip(&act.guardians);
            for (signature, (guardian, how)) in call.signatures.iter_mut().zip(each) {
                if let Some(right) = how {
                    *signature = sign(chain, person(*guardian), to, message, *right, fault);
                }
            }
            Function::start_recovery(call)
        }
        other => other,
    }
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

/// Only who may decide changes the grants of an image, but for a request, which its requestor makes; owners stay, and a locked or
/// withdrawn image gives nothing.
fn check_invariants(before: &Seen, after: &Seen, actor: Address, now: u64) {
    for (image, record) in &before.images {
        let owner = after.images.get(image).map(|record| record.0);
        assert_eq!(owner, Some(record.0), "an owner changed");
    }
    let keys: BTreeSet<_> = before.grants.keys().chain(after.grants.keys()).collect();
    for key in keys {
        let (old, new) = (before.grants.get(key), after.grants.get(key));
        let Some(new) = new.filter(|new| old != Some(new)) else {
            continue;
        };
        let patient = after.images[&key.0].0;
        // A batch may have changed the account before.
        let accounts = [&before.accounts[&patient], &after.accounts[&patient]];
        let decides = accounts
            .iter()
            .any(|account| account.acting == actor || account.delegates.contains_key(&actor));
        let allowed = match new.status {
            1 => actor == key.1,
            4 => decides || actor == key.1,
            5 => accounts.iter().any(|account| account.desk.0 == actor),
            _ => decides,
        };
        assert!(allowed, "{actor} changed {key:?} to {new:?}");
        let gave = matches!(new.status, 2 | 5);
        if gave && before.images[&key.0].4 != 0 {
            assert_eq!(after.images[&key.0].4, 0, "given while withdrawn: {key:?}");
        }
    }
    for (image, record) in &after.images {
        let acting = after.accounts[&record.0].acting;
        for key in after.grants.keys().filter(|key| key.0 == *image) {
            let granted = record.4 == 0 && after.grants[key].authorized(now);
            let allowed = granted || key.1 == acting;
            assert_eq!(after.authorized.contains(key), allowed, "{key:?}");
        }
    }
}

/// The events, and of each registration the attestation taken out, which was sent.
fn without_signatures(mut events: Vec<Event>, sent: &[u8]) -> Vec<Event> {
    for event in &mut events {
        if let Event::ContractCreated(event) = event {
            let attestation = std::mem::take(&mut event.attestation);
            let mut places = sent.windows(attestation.len().max(1));
            assert!(places.any(|bytes| bytes == &attestation[..]));
        }
    }
    events
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
    init.extend(B256::ZERO);
    let receipt = chain.create(&chain.stranger, init).await;
    let twin = receipt.contract_address.unwrap().0.into();
    Some(twin)
}

/// The answer or refusal of a call, were it mined at `now`.
async fn ask_at(
    chain: &Chain,
    from: &Actor,
    to: Address,
    data: &[u8],
    now: u64,
) -> Result<Bytes, Bytes> {
    chain
        .ask_with(from, to, data, json!({ "time": format!("{now:#x}") }))
        .await
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
    let chain = Chain::deployed().await;
    let people: Vec<Actor> = (1..=PEOPLE).map(|n| chain.actor(n)).collect();
    let mut targets = targets(&chain).await;
    let mut model = Model {
        consortium: chain.consortium.address,
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
        sets: sets(&people),
    };
    let mut now = chain.now().await + 1_000;
    let mut seen = see(&chain, chain.contract, &people, 0, &model);
    let mut outcomes: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut nonces = BTreeMap::new();
    for person in &people {
        nonces.insert(person.address, chain.sent(person).await);
    }

    for n in 0..calls {
        if n / EPOCH != maker.epoch {
            maker.epoch = n / EPOCH;
            seen = see(&chain, chain.contract, &people, maker.epoch, &model);
        }
        // Less than the 365 days after which a program expires, in 10,000 calls.
        now += match maker.random.below(10_000) {
            0..2 => 31 * 24 * 3_600,
            2..40 => 72 * 3_600,
            n => [0, 0, 1, 10, 100, 1_000][n as usize % 6],
        };
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
            let answer = ask_at(&chain, &sender, target.contract, &data, now).await;
            let wanted = match &done {
                Ok((answer, _)) => Ok(Bytes::from(encoded(answer))),
                Err(refusal) => Err(Bytes::from(refusal.abi_encode())),
            };
            assert_eq!(answer, wanted, "{}: {}", target.name, what());
            if done.is_err() && !send_refused {
                continue;
            }
            let at: Result<serde_json::Value, _> = chain
                .provider
                .request("evm_setNextBlockTimestamp", [now])
                .await;
            at.unwrap();
            let nonce = nonces.entry(sender.address).or_default();
            let sent = data.clone();
            let receipt = chain.mine_as(&sender, *nonce, target.contract, data).await;
            *nonce += 1;
            let succeeded = receipt.status.unwrap().as_u64() == 1;
            assert_eq!(succeeded, done.is_ok(), "{}: {}", target.name, what());
            let events = chain.events_of(target.contract, &receipt);
            let events = without_signatures(events, &sent);
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
        let after = see(&chain, chain.contract, &people, maker.epoch, &model);
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
            let twin = see(&chain, target.contract, &people, maker.epoch, &model);
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
        // Every function was called, and every refusal was met but those of a predecessor.
        let names: BTreeSet<_> = outcomes.keys().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), 27, "{names:?}");
        let refusals: BTreeSet<_> = outcomes.keys().map(|(_, outcome)| *outcome).collect();
        for refusal in Refusal::SELECTORS {
            let name = Refusal::name_by_selector(*refusal).unwrap();
            assert!(
                name == "PcacPredecessorFailed" || refusals.contains(name),
                "{name} was never met"
            );
        }
    }
}
