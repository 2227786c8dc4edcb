//! `kill -9` at random moments of every flow, then `pcim resume`: nothing is lost, nothing is there twice, nothing is half.
//!
//! `PCIM_TEST_KILLS` is how often (a few unless it is set), `PCIM_TEST_KILL_SEED` which moments. Each kill is logged.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::interrupted::count;
use crate::program::{Actor, Process, Serving, names};
use crate::repo;
use crate::stage::{IMAGE, Stage};

/// Kills when nobody says how many.
const FEW: usize = 4;
/// The moments when nobody says which.
const SEED: u64 = 0x5eed;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Flow {
    Approve,
    Rekey,
    Seal,
    Register,
    Open,
    Request,
    Revoke,
    Fetch,
    Deny,
}

const FLOWS: [Flow; 9] = [
    Flow::Approve,
    Flow::Rekey,
    Flow::Seal,
    Flow::Register,
    Flow::Open,
    Flow::Request,
    Flow::Revoke,
    Flow::Fetch,
    Flow::Deny,
];

/// One flow on a stage of its own.
struct Scene {
    flow: Flow,
    stage: Stage,
    actor: Actor,
    args: Vec<String>,
    /// Transactions of the actor before.
    nonce: u64,
    /// Who serves what the flow needs.
    served: Option<Serving>,
}

impl Scene {
    fn new(flow: Flow) -> Self {
        let stage = Stage::new();
        let image = stage.known.image.clone();
        let address = |name| stage.actor(name).address;
        let out = stage.results().join("result");
        let out = out.to_str().unwrap();
        let (card, fresh) = (stage.file("patient.card"), stage.file("fresh.handover"));
        let file = stage.file("image.dcm");
        let (doctor, clinic) = (address("doctor"), address("clinic"));
        let (who, args): (_, Vec<&str>) = match flow {
            Flow::Approve => ("patient", vec!["patient", "approve", &image, &doctor]),
            Flow::Deny => ("patient", vec!["patient", "deny", &image, &doctor]),
            Flow::Revoke => ("patient", vec!["patient", "revoke", &image, &clinic]),
            Flow::Rekey => (
                "patient",
                vec!["patient", "revoke", &image, &doctor, "--rekey"],
            ),
            Flow::Open => ("patient", vec!["patient", "open", &image, "--out", out]),
            Flow::Fetch => ("clinic", vec!["requestor", "fetch", &image, "--out", out]),
            Flow::Register => ("patient", vec!["patient", "register", &fresh]),
            Flow::Request => (
                "radiologist",
                vec![
                    "requestor",
                    "request",
                    "--patient",
                    &card,
                    "--image",
                    &image,
                    "--purpose",
                    "TREAT",
                ],
            ),
            Flow::Seal => (
                "radiologist",
                vec![
                    "radiologist",
                    "seal",
                    &file,
                    "--no-deid",
                    "--to",
                    &card,
                    "--out",
                    out,
                ],
            ),
        };
        let args = args.into_iter().map(str::to_owned).collect();
        let actor = stage.actor(who);
        let served = match flow {
            Flow::Fetch => Some(stage.actor("patient").serve()),
            Flow::Register => Some(stage.actor("radiologist").serve()),
            _ => None,
        };
        if let Some(served) = &served {
            actor.knows(&served.address);
        }
        // Closes the journal of a home whose node was killed.
        actor.run(["resume"]).json();
        let nonce = stage.nonce(&actor);
        Self {
            flow,
            stage,
            actor,
            args,
            nonce,
            served,
        }
    }

    /// Runs it to its end; tells how long it worked with its keys unlocked.
    fn run(&self) -> Duration {
        let mut process = self.spawn();
        self.wait_until_unlocked(&mut process);
        let start = Instant::now();
        assert!(process.0.wait().unwrap().success(), "{:?}", self.flow);
        start.elapsed()
    }

    /// Kills it `moment` after it was begun, or after its keys were unlocked; tells whether it had ended by then.
    fn kill(&self, moment: Duration, unlocked: bool) -> bool {
        let mut process = self.spawn();
        if unlocked {
            self.wait_until_unlocked(&mut process);
        }
        thread::sleep(moment);
        process.0.try_wait().unwrap().is_some()
    }

    fn spawn(&self) -> Process {
        let mut command = self.actor.command();
        command.args(&self.args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Process(command.spawn().unwrap())
    }

    /// The journal is opened once the keys are unlocked.
    fn wait_until_unlocked(&self, process: &mut Process) {
        let wal = self.actor.home.join("journal.sqlite-wal");
        while !wal.exists() && process.0.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How often what it is for has happened.
    fn happened(&self) -> usize {
        let result = || self.stage.results().join("result");
        let patient = self.stage.actor("patient");
        let image = &*self.stage.known.image;
        let events = |name, image: &str, who: Option<&str>| {
            // The fresh image has no record until it is registered.
            let audit = patient.run(["patient", "audit"]).json()["entries"].clone();
            count(&audit, name, image, who)
        };
        let address = |name| self.stage.actor(name).address;
        match self.flow {
            Flow::Approve => events("Approved", image, Some(&address("doctor"))),
            Flow::Deny => events("Reason", image, Some(&address("doctor"))),
            Flow::Revoke => events("UserRemoved", image, Some(&address("clinic"))),
            Flow::Rekey => {
                // Each step once, if it is begun at all.
                let resealed = events("ImageResealed", image, None);
                let reshared = events("Reshared", image, Some(&address("clinic")));
                let removed = events("UserRemoved", image, Some(&address("doctor")));
                assert!(
                    resealed == reshared && resealed == removed,
                    "{:?}",
                    self.flow
                );
                resealed
            }
            Flow::Register => events("ContractCreated", &self.stage.known.fresh, None),
            Flow::Request => {
                let hospital = address("radiologist");
                events("RequestedForApproval", image, Some(&hospital))
            }
            Flow::Open | Flow::Fetch | Flow::Seal => usize::from(result().exists()),
        }
    }

    fn transactions(&self) -> u64 {
        match self.flow {
            Flow::Open | Flow::Fetch | Flow::Seal => 0,
            Flow::Rekey => 3,
            _ => 1,
        }
    }

    /// Done once, wholly, with as many pins as a run that nobody killed.
    fn check(&self, pins: usize) {
        let flow = self.flow;
        assert_eq!(self.happened(), 1, "{flow:?}");
        let sent = self.stage.nonce(&self.actor) - self.nonce;
        assert_eq!(sent, self.transactions(), "{flow:?}");
        assert_eq!(repo::pins(&self.actor.home).len(), pins, "{flow:?}");
        let left = repo::temporary(&self.stage.results());
        assert!(left.is_empty(), "{flow:?} {left:?}");
        let left = repo::temporary(&self.actor.home);
        assert!(left.is_empty(), "{flow:?} {left:?}");
        let results = self.stage.results();
        match flow {
            Flow::Open | Flow::Fetch => {
                assert_eq!(fs::read(results.join("result")).unwrap(), IMAGE, "{flow:?}");
            }
            Flow::Rekey | Flow::Register => {
                let image = match flow {
                    Flow::Rekey => &self.stage.known.image,
                    _ => &self.stage.known.fresh,
                };
                let out = results.join("own.dcm");
                let open = ["patient", "open", image, "--out", out.to_str().unwrap()];
                self.actor.run(open).json();
                assert_eq!(fs::read(out).unwrap(), IMAGE, "{flow:?}");
            }
            // The patient can register what the handover is for.
            Flow::Seal => {
                let patient = self.stage.actor("patient");
                let served = self.actor.serve();
                patient.knows(&served.address);
                let handover = results.join("result");
                let register = ["patient", "register", handover.to_str().unwrap()];
                patient.run(register).json();
            }
            _ => assert!(names(&results).is_empty(), "{flow:?}"),
        }
    }
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn number(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |value| value.parse().unwrap())
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_doubles_nothing() {
    let kills = number("PCIM_TEST_KILLS", FEW as u64) as usize;
    let seed = number("PCIM_TEST_KILL_SEED", SEED);
    let mut state = seed;
    let mut whole: BTreeMap<Flow, (Duration, usize)> = BTreeMap::new();
    let mut fates: BTreeMap<String, usize> = BTreeMap::new();
    for kill in 0..kills {
        let flow = FLOWS[kill % FLOWS.len()];
        let (time, pins) = *whole.entry(flow).or_insert_with(|| {
            let scene = Scene::new(flow);
            let time = scene.run();
            let pins = repo::pins(&scene.actor.home).len();
            scene.check(pins);
            (time, pins)
        });
        // Few while keys are unlocked: nothing is stored or sent then.
        let unlocked = kill % 8 != 7;
        let moment = time.mul_f64((random(&mut state) % 1000) as f64 / 900.0);
        let scene = Scene::new(flow);
        let ended = scene.kill(moment, unlocked);

        let resumed = scene.actor.run(["resume"]).json();
        let told = |it: &Value| format!("{} {}", it["operation"], it["fate"]).replace('"', "");
        let told: Vec<_> = resumed.as_array().unwrap().iter().map(told).collect();
        assert!(!told.iter().any(|it| it.contains("waiting")), "{resumed}");
        let again = scene.actor.run(["resume"]).json();
        assert!(again.as_array().unwrap().is_empty(), "{flow:?} {again}");
        let left = repo::temporary(&scene.stage.results());
        assert!(left.is_empty(), "{flow:?} {left:?}");
        let happened = scene.happened();
        assert!(happened <= 1, "{flow:?}");
        if happened == 0 {
            scene.run();
        }
        scene.check(pins);
        drop(scene.served);
        let fate = match (ended, happened) {
            (true, _) => "it had ended".to_owned(),
            (_, 0) if told.is_empty() => "nothing was begun".to_owned(),
            (_, 1) if told.is_empty() => "it was done".to_owned(),
            _ => told.join(", "),
        };
        println!(
            "kill {kill:3} of seed {seed:#x}: {flow:?} after {} of {} ms{}: {fate}",
            moment.as_millis(),
            time.as_millis(),
            if unlocked { "" } else { ", locked" }
        );
        *fates.entry(fate).or_default() += 1;
    }
    println!("{kills} kills of seed {seed:#x}: {fates:#?}");
}
