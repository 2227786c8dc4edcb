//! `kill -9` at random moments of every flow, then `pcim resume`: nothing is lost, nothing is there twice, nothing is half.
//!
//! `PCIM_TEST_KILLS` is how often (a few unless it is set), `PCIM_TEST_KILL_SEED` which moments. Each kill is logged, with what
//! stood in the journal and how many transactions were on the chain.
//!
//! Most moments are counted from the journal's first word of the operation, and lie anywhere between it and the end, as long
//! as that took when nobody killed it: how long is measured at first, and again whenever a flow is repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use pcim_client::home::Home;
use pcim_client::journal::{Journal, Verdict};
use pcim_node::block_digest;
use serde_json::Value;

use crate::interrupted::count;
use crate::program::{Actor, Process, Serving, names};
use crate::repo;
use crate::stage::{CHAIN_ID, IMAGE, Stage};

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

use Flow::{Approve, Deny, Fetch, Open, Register, Rekey, Request, Revoke, Seal};

/// What is killed in turn: eight times round are 200 kills.
const TURNS: [Flow; 25] = [
    Approve, Rekey, Seal, Register, Request, Revoke, Fetch, Open, Deny, //
    Approve, Rekey, Seal, Register, Request, Revoke, Fetch, Open, Deny, //
    Approve, Rekey, Seal, Register, Request, Revoke, Fetch,
];

/// How long a flow takes when nobody kills it.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// From its start to the journal's first word of it: keys are unlocked, the node is opened, the chain is asked.
    before: Duration,
    /// From there to its end.
    within: Duration,
}

impl Times {
    /// As the machine is now, and was a while ago.
    fn adapt(&mut self, now: Times) {
        self.before = (self.before + now.before) / 2;
        self.within = (self.within + now.within) / 2;
    }
}

/// One flow on a stage of its own.
struct Scene {
    flow: Flow,
    stage: Stage,
    actor: Actor,
    args: Vec<String>,
    /// Transactions of the actor before.
    nonce: u64,
    /// What was pinned before.
    pins: BTreeSet<String>,
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
        let pins = repo::pins(&actor.home);
        Self {
            flow,
            stage,
            actor,
            args,
            nonce,
            pins,
            served,
        }
    }

    /// Runs it to its end.
    fn run(&self) -> Times {
        let start = Instant::now();
        let mut process = self.spawn();
        self.wait_until_begun(&mut process);
        let begun = Instant::now();
        assert!(process.0.wait().unwrap().success(), "{:?}", self.flow);
        Times {
            before: begun - start,
            within: begun.elapsed(),
        }
    }

    /// Kills it `moment` after its start, or after the journal's first word of it; tells whether it had ended by then.
    fn kill(&self, moment: Duration, begun: bool) -> bool {
        let mut process = self.spawn();
        if begun {
            self.wait_until_begun(&mut process);
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

    /// Every operation's key begins with the chain's id. The journal's side file was empty before.
    fn wait_until_begun(&self, process: &mut Process) {
        let wal = self.actor.home.join("journal.sqlite-wal");
        let key = format!("{CHAIN_ID}:").into_bytes();
        let begun = || {
            let bytes = fs::read(&wal).unwrap_or_default();
            bytes.windows(key.len()).any(|part| part == key)
        };
        while !begun() && process.0.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What stands in the journal of operations that have not ended, and what the chain has of them.
    fn interrupted(&self) -> String {
        let copy = tempfile::tempdir().unwrap();
        for name in ["journal.sqlite", "journal.sqlite-wal"] {
            let from = self.actor.home.join(name);
            if from.exists() {
                fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        let journal = Journal::open(&copy.path().join("journal.sqlite")).unwrap();
        let unfinished = journal.unfinished().unwrap();
        let said = unfinished.iter().map(|it| {
            let what = it.key.split(':').nth(2).unwrap_or_default();
            let stored = journal.noted(it.id, Verdict::Failed).unwrap().len();
            let state = match (&it.plan, &it.signed_call) {
                (Some(_), _) => "planned",
                (None, Some(_)) => "signed",
                (None, None) => "begun",
            };
            format!("{what} {state}, {stored} noted")
        });
        let said: Vec<_> = said.collect();
        let sent = self.stage.nonce(&self.actor) - self.nonce;
        match said.is_empty() {
            true => format!("nothing open, {sent} sent"),
            false => format!("{}, {sent} sent", said.join("; ")),
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

    /// What is pinned is what was pinned before. Who requests publishes his own certificate, the same for every request.
    fn check_rolled_back(&self) {
        let mut pins = repo::pins(&self.actor.home);
        if self.flow == Flow::Request {
            let home = Home::open(&self.actor.home).unwrap();
            let certificate = home.openpgp().unwrap().certificate();
            let digest = block_digest(&certificate.to_published_bytes());
            pins.remove(&digest.to_string());
        }
        assert_eq!(pins, self.pins, "{:?}", self.flow);
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
    let mut whole: BTreeMap<Flow, (Times, usize)> = BTreeMap::new();
    let mut fates: BTreeMap<(Flow, String), usize> = BTreeMap::new();
    for kill in 0..kills {
        let flow = TURNS[kill % TURNS.len()];
        let (times, pins) = whole.entry(flow).or_insert_with(|| {
            let scene = Scene::new(flow);
            let times = scene.run();
            let pins = repo::pins(&scene.actor.home).len();
            scene.check(pins);
            (times, pins)
        });
        // Few before the journal knows of it: nothing is stored or sent then.
        let begun = kill % 10 != 9;
        let span = if begun { times.within } else { times.before };
        let moment = span.mul_f64((random(&mut state) % 1000) as f64 / 1000.0);
        let scene = Scene::new(flow);
        let ended = scene.kill(moment, begun);
        let interrupted = scene.interrupted();

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
            scene.check_rolled_back();
            times.adapt(scene.run());
        } else if ended && begun {
            times.within = (times.within + moment) / 2;
        }
        scene.check(*pins);
        drop(scene.served);
        let fate = match (ended, happened) {
            (true, _) => "it had ended".to_owned(),
            (_, 0) if told.is_empty() => "nothing was begun".to_owned(),
            (_, 1) if told.is_empty() => "it was done".to_owned(),
            _ => told.join(", "),
        };
        println!(
            "kill {kill:3} of seed {seed:#x}: {flow:?} {} ms of {} {}: {interrupted}: {fate}",
            moment.as_millis(),
            span.as_millis(),
            if begun {
                "after it was begun"
            } else {
                "before"
            },
        );
        *fates.entry((flow, fate)).or_default() += 1;
    }
    println!("{kills} kills of seed {seed:#x}:");
    for ((flow, fate), count) in fates {
        println!("{count:4}  {flow:?}: {fate}");
    }
}
