//! Role by function by state: who may do what when, as tables, each cell compared with the model.

use alloy_primitives::{Address, B256, Bytes, FixedBytes};
use alloy_sol_types::SolInterface;

use super::chain::{
    Actor, Chain, IPcac, IPcac::IPcacCalls as Function, KEY, Refusal, SEAL, SHARED, digest,
    notes_digest,
};
use super::machine::act_data;
use super::model::{Act, Answer, Call, GuardianSet, HOUR, MONTH, Model};

/// The same calls to a chain and to the model.
struct Scene {
    chain: Chain,
    people: Vec<Actor>,
    model: Model,
}

impl Scene {
    async fn done(&mut self, who: usize, act: Act) {
        let from = &self.people[who];
        let data = act_data(&self.chain, &self.people, self.chain.contract, &act, 0);
        let receipt = self.chain.send_raw(from, data.abi_encode()).await;
        assert_eq!(receipt.status.unwrap().as_u64(), 1, "{act:?}");
        let now = self.chain.now().await;
        let address = from.address;
        self.model.call(address, now, &Call::Plain(act)).unwrap();
    }

    async fn does(&mut self, who: usize, function: Function) {
        self.done(who, Act::plain(function)).await;
    }

    /// The result of a call now, by the chain and by the model, as a cell.
    async fn cell(&self, who: usize, act: &Act, now: u64) -> String {
        let from = &self.people[who];
        let call = Call::Plain(act.clone());
        let wanted = self.model.clone().call(from.address, now, &call);
        let contract = self.chain.contract;
        let data = act_data(&self.chain, &self.people, contract, act, 0).abi_encode();
        let found = self.chain.ask(from, contract, data, "latest").await;
        match (&wanted, &found) {
            (Ok((Answer::Flag(flag), _)), Ok(data)) => {
                let word = B256::with_last_byte(u8::from(*flag));
                assert_eq!(data[..], word[..], "{act:?}");
                flag.to_string()
            }
            (Ok((Answer::Nothing, _)), Ok(data)) => {
                assert!(data.is_empty(), "{act:?}");
                "done".to_owned()
            }
            (Err(refusal), Err(data)) => {
                assert_eq!(data[..], refusal.abi_encode(), "{act:?}: {refusal:?}");
                name(refusal)
            }
            other => panic!("{act:?}: {other:?}"),
        }
    }

    async fn table(&self, state: &str, roles: &[(&str, usize)], acts: &[(&str, Act)]) {
        let now = self.chain.now().await;
        let heads: String = roles
            .iter()
            .map(|(role, _)| format!("{role:<21}"))
            .collect();
        println!("\n{state:<21}{}", heads.trim_end());
        for (name, act) in acts {
            let mut row = format!("{name:<21}");
            for (_, who) in roles {
                row += &format!("{:<21}", self.cell(*who, act, now).await);
            }
            println!("{}", row.trim_end());
        }
    }
}

fn name(refusal: &Refusal) -> String {
    let shown = format!("{refusal:?}");
    let name = shown.split(['(', ' ']).next().unwrap_or_default();
    name.trim_start_matches("Pcac").to_owned()
}

const CONSORTIUM: usize = 0;
const RADIOLOGIST: usize = 1;
const PATIENT: usize = 2;
const DOCTOR: usize = 3;
const STRANGER: usize = 4;
const DELEGATE: usize = 5;
const DESK: usize = 6;
const SUCCESSOR: usize = 7;
/// One patient for each state of an account.
const PATIENTS: [(&str, usize); 4] = [
    ("free", PATIENT),
    ("own change pending", 8),
    ("recovery pending", 9),
    ("locked", 10),
];

async fn scene() -> Scene {
    let chain = Chain::deployed().await;
    let people: Vec<Actor> = (1..=10).chain([0]).map(|n| chain.actor(n)).collect();
    let model = Model {
        consortium: chain.consortium.address,
        ..Model::default()
    };
    let mut scene = Scene {
        chain,
        people,
        model,
    };
    let accredit = scene.chain.accreditation();
    scene
        .does(CONSORTIUM, Function::accredit_radiologist(accredit))
        .await;
    scene
}

impl Scene {
    fn at(&self, who: usize) -> Address {
        self.people[who].address
    }

    fn create(&self, patient: usize, image: B256) -> Act {
        let record = self.model.images.get(&image);
        let retracted = record.filter(|record| record.flags & 2 != 0);
        Act {
            replaces: retracted.map_or(0, |record| record.registered_at),
            ..Act::plain(Function::create_contract(IPcac::create_contractCall {
                image,
                patient: self.at(patient),
                seal: SEAL,
                radiologist: self.at(RADIOLOGIST),
                attestation: Bytes::new(),
                description: String::new(),
            }))
        }
    }

    fn request(&self, patient: usize, image: B256) -> Function {
        Function::requesting_access(IPcac::requesting_accessCall {
            patient: self.at(patient),
            image,
            publicKey: KEY,
            notes: "TREAT".into(),
        })
    }

    fn approve(&self, image: B256, expires_at: u64) -> Function {
        let requester = self.at(DOCTOR);
        Function::approve_IRs(IPcac::approve_IRsCall {
            requester,
            image,
            publicKey: KEY,
            requestedAt: self.model.grant(image, requester).requested_at,
            notesDigest: notes_digest("TREAT"),
            sharedImage: SHARED,
            expiresAt: expires_at,
            notes: String::new(),
        })
    }

    fn glass(&self, image: B256, until: u64) -> Function {
        let requester = self.at(DOCTOR);
        Function::break_glass(IPcac::break_glassCall {
            requester,
            image,
            publicKey: KEY,
            requestedAt: self.model.grant(image, requester).requested_at,
            until,
            reasonCode: B256::ZERO,
        })
    }

    /// The functions that are about an image and its requestor.
    fn decisions(&self, patient: usize, image: B256, until: u64) -> Vec<(&'static str, Act)> {
        let requester = self.at(DOCTOR);
        let round = self
            .model
            .images
            .get(&image)
            .map_or(0, |record| record.round);
        let mut acts = vec![("create_contract", self.create(patient, image))];
        let functions = vec![
            ("requesting_access", self.request(patient, image)),
            ("approve_IRs", self.approve(image, until)),
            (
                "deny_IRs",
                Function::deny_IRs(IPcac::deny_IRsCall {
                    requester,
                    image,
                    reason: String::new(),
                }),
            ),
            (
                "trace_authorization",
                Function::trace_authorization(IPcac::trace_authorizationCall {
                    patient: self.at(patient),
                    requester,
                    image,
                }),
            ),
            (
                "remove_IRs",
                Function::remove_IRs(IPcac::remove_IRsCall { requester, image }),
            ),
            (
                "reshare_IRs",
                Function::reshare_IRs(IPcac::reshare_IRsCall {
                    requester,
                    image,
                    decidedAt: self.model.grant(image, requester).decided_at,
                    sharedImage: SEAL,
                    expiresAt: until,
                }),
            ),
            ("break_glass", self.glass(image, until)),
            (
                "reseal_image",
                Function::reseal_image(IPcac::reseal_imageCall {
                    image,
                    root: SEAL,
                    emergency: B256::ZERO,
                    round,
                }),
            ),
            (
                "set_approval_limit",
                Function::set_approval_limit(IPcac::set_approval_limitCall {
                    image,
                    approvals: 1,
                    windowSeconds: 1,
                    round,
                }),
            ),
            (
                "withdraw_image",
                Function::withdraw_image(IPcac::withdraw_imageCall { image }),
            ),
            (
                "restore_image",
                Function::restore_image(IPcac::restore_imageCall { image, round }),
            ),
            (
                "retract_image",
                Function::retract_image(IPcac::retract_imageCall { image, reason: 1 }),
            ),
        ];
        acts.extend(
            functions
                .into_iter()
                .map(|(name, it)| (name, Act::plain(it))),
        );
        acts
    }

    fn emergency(&self, patient: usize, desk: Address, hours: u8) -> Function {
        let patient = self.at(patient);
        Function::set_emergency(IPcac::set_emergencyCall {
            patient,
            round: self.model.account(patient).round,
            desk,
            maxHours: hours,
        })
    }

    fn delegate(&self, patient: usize, until: u64) -> Function {
        let patient = self.at(patient);
        Function::set_delegate(IPcac::set_delegateCall {
            patient,
            round: self.model.account(patient).round,
            delegate: self.at(DELEGATE),
            until,
        })
    }

    fn moving(&self, patient: usize) -> Function {
        let patient = self.at(patient);
        Function::move_account(IPcac::move_accountCall {
            patient,
            round: self.model.account(patient).round,
            successor: self.at(SUCCESSOR),
        })
    }

    fn set(&self) -> GuardianSet {
        let mut guardians: Vec<Address> = (0..3).map(|who| self.at(who)).collect();
        guardians.sort();
        GuardianSet {
            guardians,
            threshold: 2,
            salt: SEAL,
        }
    }

    fn guardians(&self, patient: usize, commitment: FixedBytes<24>) -> Function {
        let patient = self.at(patient);
        Function::set_guardians(IPcac::set_guardiansCall {
            patient,
            round: self.model.account(patient).round,
            commitment,
            delayHours: 72,
        })
    }

    fn recovery(&self, patient: usize, lock: bool, deadline: u64) -> Act {
        let set = self.set();
        let patient = self.at(patient);
        let call = IPcac::start_recoveryCall {
            patient,
            successor: self.at(SUCCESSOR),
            lock,
            guardians: set.guardians,
            threshold: set.threshold,
            salt: set.salt,
            deadline,
            signatures: vec![Bytes::new(); 3],
        };
        Act {
            guardians: vec![Some(true), None, Some(true)],
            recovery: self.model.account(patient).recovery,
            ..Act::plain(Function::start_recovery(call))
        }
    }
}

#[tokio::test]
async fn role_by_function_by_state_of_an_image() {
    let mut scene = scene().await;
    let start = scene.chain.now().await;
    scene
        .does(PATIENT, scene.emergency(PATIENT, scene.at(DESK), 72))
        .await;
    scene.chain.later(72 * HOUR).await;
    let patient = scene.at(PATIENT);
    let finish = IPcac::finish_changeCall { patient };
    scene.does(STRANGER, Function::finish_change(finish)).await;
    let delegate = scene.delegate(PATIENT, start + 12 * MONTH);
    scene.does(PATIENT, delegate).await;

    let now = scene.chain.now().await;
    let (soon, far) = (now + 10 * HOUR, now + 60 * HOUR);
    let states = [
        "unknown",
        "none",
        "requested",
        "approved",
        "approval expired",
        "denied",
        "removed",
        "emergency",
        "emergency expired",
        "withdrawn",
        "retracted",
    ];
    for (n, state) in states.iter().enumerate() {
        let image = digest(n as u64);
        if n >= 1 {
            scene.done(PATIENT, scene.create(PATIENT, image)).await;
        }
        if n >= 2 {
            scene.does(DOCTOR, scene.request(PATIENT, image)).await;
        }
        let requester = scene.at(DOCTOR);
        match *state {
            "approved" | "withdrawn" | "retracted" => {
                scene.does(PATIENT, scene.approve(image, 0)).await;
            }
            "approval expired" => scene.does(PATIENT, scene.approve(image, soon)).await,
            "denied" => {
                let reason = String::new();
                let call = IPcac::deny_IRsCall {
                    requester,
                    image,
                    reason,
                };
                scene.does(PATIENT, Function::deny_IRs(call)).await;
            }
            "removed" => {
                let call = IPcac::remove_IRsCall { requester, image };
                scene.does(DOCTOR, Function::remove_IRs(call)).await;
            }
            "emergency" => scene.does(DESK, scene.glass(image, far)).await,
            "emergency expired" => scene.does(DESK, scene.glass(image, soon)).await,
            _ => {}
        }
        match *state {
            "withdrawn" => {
                let call = IPcac::withdraw_imageCall { image };
                scene.does(PATIENT, Function::withdraw_image(call)).await;
            }
            "retracted" => {
                let call = IPcac::retract_imageCall { image, reason: 1 };
                scene.does(RADIOLOGIST, Function::retract_image(call)).await;
            }
            _ => {}
        }
    }
    scene.chain.later(11 * HOUR).await;
    let roles = [
        ("acting key", PATIENT),
        ("delegate", DELEGATE),
        ("desk", DESK),
        ("requestor", DOCTOR),
        ("radiologist", RADIOLOGIST),
        ("stranger", STRANGER),
    ];
    for (n, state) in states.iter().enumerate() {
        let image = digest(n as u64);
        let acts = scene.decisions(PATIENT, image, soon + 20 * HOUR);
        scene.table(state, &roles, &acts).await;
        // The cells that matter most, whatever the model says.
        let view = IPcac::is_authorizedCall {
            patient: scene.at(PATIENT),
            requester: scene.at(DOCTOR),
            image,
        };
        let sees = scene.chain.call(&scene.people[STRANGER], &view).await;
        assert_eq!(sees.unwrap(), matches!(*state, "approved" | "emergency"));
    }
}

#[tokio::test]
async fn role_by_function_by_state_of_an_account() {
    let mut scene = scene().await;
    let now = scene.chain.now().await;
    let commitment = scene.set().commitment();
    for (n, (state, patient)) in PATIENTS.into_iter().enumerate() {
        let image = digest(n as u64);
        scene.done(patient, scene.create(patient, image)).await;
        scene.does(DOCTOR, scene.request(patient, image)).await;
        let desk = scene.emergency(patient, scene.at(DESK), 24);
        scene.does(patient, desk).await;
        scene.chain.later(72 * HOUR).await;
        let finish = IPcac::finish_changeCall {
            patient: scene.at(patient),
        };
        scene.does(STRANGER, Function::finish_change(finish)).await;
        scene
            .does(patient, scene.delegate(patient, now + 12 * MONTH))
            .await;
        scene
            .does(patient, scene.guardians(patient, commitment))
            .await;
        let deadline = scene.chain.now().await + 20 * 24 * HOUR;
        match state {
            "own change pending" => scene.does(patient, scene.moving(patient)).await,
            "recovery pending" => {
                let recovery = scene.recovery(patient, false, deadline);
                scene.done(STRANGER, recovery).await;
            }
            "locked" => {
                let recovery = scene.recovery(patient, true, deadline);
                scene.done(STRANGER, recovery).await;
            }
            _ => {}
        }
    }
    let deadline = scene.chain.now().await + HOUR;
    for (n, (state, patient)) in PATIENTS.into_iter().enumerate() {
        let address = scene.at(patient);
        let cancel = IPcac::cancel_changeCall { patient: address };
        let finish = IPcac::finish_changeCall { patient: address };
        let plain = |function| Act::plain(function);
        let mut acts = vec![
            (
                "set_guardians",
                plain(scene.guardians(patient, FixedBytes::repeat_byte(9))),
            ),
            ("move_account", plain(scene.moving(patient))),
            (
                "desk on",
                plain(scene.emergency(patient, scene.at(STRANGER), 24)),
            ),
            (
                "desk off",
                plain(scene.emergency(patient, Address::ZERO, 0)),
            ),
            (
                "delegate on",
                plain(scene.delegate(patient, now + 12 * MONTH)),
            ),
            ("delegate off", plain(scene.delegate(patient, 0))),
            ("start_recovery", scene.recovery(patient, true, deadline)),
            ("cancel_change", plain(Function::cancel_change(cancel))),
            ("finish_change", plain(Function::finish_change(finish))),
        ];
        let image = digest(n as u64);
        acts.extend(scene.decisions(patient, image, now + 11 * MONTH));
        let roles = [
            ("acting key", patient),
            ("delegate", DELEGATE),
            ("successor", SUCCESSOR),
            ("desk", DESK),
            ("stranger", STRANGER),
        ];
        scene.table(state, &roles, &acts).await;
    }
    // A lock stops what gives, and nothing else.
    let locked = PATIENTS[3].1;
    let now = scene.chain.now().await;
    let image = digest(3);
    for (name, act) in scene.decisions(locked, image, now + MONTH) {
        let cell = scene.cell(locked, &act, now).await;
        let stopped = [
            "create_contract",
            "approve_IRs",
            "reshare_IRs",
            "reseal_image",
            "set_approval_limit",
            "withdraw_image",
            "restore_image",
        ];
        assert_eq!(cell == "Locked", stopped.contains(&name), "{name}: {cell}");
    }
}
