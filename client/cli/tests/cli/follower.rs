//! A node that follows the chain keeps what the patient seals again, while the patient is away.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

use crate::program::{Actor, PATIENCE, Process, Run, names};
use crate::repo;
use crate::stage::{IMAGE, Stage};

/// `pcim node --follow-chain` at work.
pub(crate) struct Follower {
    actor: Actor,
    pub(crate) address: String,
    told: Receiver<Value>,
    _process: Process,
}

impl Follower {
    /// Follows until it is dropped; it asks these nodes.
    pub(crate) fn start(actor: &Actor, peers: &[&str]) -> Self {
        actor.knows_all(peers);
        let mut command = actor.command();
        command.args(["node", "--follow-chain"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let said = crate::program::first_document(&mut child);
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines() {
                // One document a line, and a log's lines between them.
                if let Ok(event) = serde_json::from_str(&line.unwrap()) {
                    let _ = tell.send(event);
                }
            }
        });
        let addresses = said["addresses"].as_array().unwrap().iter();
        let mut addresses = addresses.map(|it| it.as_str().unwrap());
        Self {
            actor: actor.clone(),
            address: addresses
                .find(|it| it.contains("/p2p/"))
                .unwrap()
                .to_owned(),
            told,
            _process: Process(child),
        }
    }

    /// Waits until it has told all of these: what it did, and with what.
    fn wait_for(&self, wanted: &[(&str, &str)]) {
        let mut missing = wanted.to_vec();
        while !missing.is_empty() {
            let event = self.told.recv_timeout(PATIENCE);
            let event = event.unwrap_or_else(|_| panic!("it never told {missing:?}"));
            missing.retain(|(what, cid)| event["follow"] != *what || event["cid"] != *cid);
        }
    }
}

impl Follower {
    /// Waits until it has pinned the body of an image and this block.
    pub(crate) fn wait_for_body_and(&self, image: &str, block: &str) {
        let (mut body, mut found) = (false, false);
        while !(body && found) {
            let event = self.told.recv_timeout(PATIENCE);
            let event = event.unwrap_or_else(|_| panic!("body {body}, block {found}"));
            let pinned = event["follow"] == "pinned";
            body |= pinned && event["kind"] == "body" && event["image"] == *image;
            found |= pinned && event["cid"] == *block;
        }
    }
}

fn shared(patient: &Actor, image: &str, requestor: &Actor) -> String {
    let status = [
        "requestor",
        "status",
        image,
        "--requestor",
        &requestor.address,
    ];
    let status = patient.run(status).json();
    status["shared_image"].as_str().unwrap().to_owned()
}

/// The body under a root, as a node that has both exports it: the third block of the file.
fn body_of(stage: &Stage, actor: &Actor, root: &str) -> String {
    let car = stage.file(&format!("{root}.car"));
    actor.run(["node", "export", root, "--out", &car]).json();
    let mut decoder = pcim_node::car::Decoder::default();
    decoder.push(&std::fs::read(car).unwrap());
    let mut blocks = Vec::new();
    while let Some((cid, _)) = decoder.next_block().unwrap() {
        blocks.push(cid.to_string());
    }
    assert_eq!(blocks.len(), 3);
    blocks.remove(2)
}

#[test]
fn a_follower_serves_what_was_sealed_anew_while_the_patient_is_away() {
    let stage = Stage::new();
    let (patient, doctor, clinic) = (
        stage.actor("patient"),
        stage.actor("doctor"),
        stage.actor("clinic"),
    );
    let image = &*stage.known.image;
    let clinics = shared(&patient, image, &clinic);
    let old_body = body_of(&stage, &patient, image);

    let follower = stage.newcomer("follower", 7, &[]);
    let config = follower.home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("poll_seconds = 5"), "{text}");
    std::fs::write(
        &config,
        text.replace("poll_seconds = 5", "poll_seconds = 1"),
    )
    .unwrap();
    let patients = patient.serve();
    let following = Follower::start(&follower, &[&patients.address]);
    let pinned = [image, &*clinics, &*old_body];
    following.wait_for(&pinned.map(|root| ("pinned", root)));
    // The doctor is away, and the patient's node has been started since she saw his request. The approval is done once the
    // follower has what he will fetch.
    let to = &*doctor.address;
    let approve = ["patient", "approve", image, to, "--replicas", "1"];
    let approved = Run::of(patient.command().args(approve).args(["--expires", "never"]));
    assert_eq!(approved.json()["replicas"], 1);
    let doctors = shared(&patient, image, &doctor);
    following.wait_for(&[("pinned", &doctors)]);
    let old = [image.to_owned(), doctors, clinics];
    // A home has one follower.
    follower
        .run(["node", "--follow-chain"])
        .refused(1, "is in use by another process");

    // It pins the new body and drops the readers' roots that led to the old one.
    patient
        .run(["patient", "revoke", image, &clinic.address, "--rekey"])
        .json();
    let new = shared(&patient, image, &doctor);
    let new_body = body_of(&stage, &patient, &new);
    assert_ne!(new_body, old_body);
    let mut changed = vec![("pinned", &*new), ("pinned", &new_body)];
    let [first, readers @ ..] = &old;
    changed.extend(readers.iter().map(|root| ("dropped", &**root)));
    following.wait_for(&changed);
    let ask = ["patient", "replicas", image, "--reader", &doctor.address];
    assert_eq!(patient.run(ask).json()["complete"], 1);
    drop(patients);

    // The patient is away; who remains fetches from the follower, and opens what the radiologist attested.
    doctor.knows(&following.address);
    let out = stage.results().join("image.dcm");
    let fetch = ["requestor", "fetch", image, "--out", out.to_str().unwrap()];
    doctor.run(fetch).json();
    assert_eq!(std::fs::read(&out).unwrap(), IMAGE);
    std::fs::remove_file(&out).unwrap();

    // Nobody who cooperates has anything for the one who was removed.
    let patients = patient.serve();
    clinic.knows_all(&[&following.address, &patients.address]);
    clinic
        .run(fetch)
        .refused(4, "the patient removed the access");
    let car = stage.results().join("old.car");
    let export = ["node", "export", &old[2], "--out", car.to_str().unwrap()];
    let [node, export, root, flag, file] = export;
    clinic
        .run([node, export, root, flag, file, "--wait", "2s"])
        .refused(1, "did not arrive");
    assert!(names(&stage.results()).is_empty());
    // What was replaced goes on the thirtieth day: a stolen key destroys nothing.
    let replaced = [("dropped", &**first), ("dropped", &*old_body)];
    assert!(repo::blocks(&follower.home).contains(&old_body));
    stage.pass(30 * 86_400);
    following.wait_for(&replaced);
    drop((patients, following));
    for keeper in [&patient, &follower] {
        let blocks = repo::blocks(&keeper.home);
        let gone = old.iter().chain([&old_body]);
        assert!(
            gone.into_iter().all(|cid| !blocks.contains(cid)),
            "{blocks:?}"
        );
        assert!(blocks.contains(&new) && blocks.contains(&new_body));
    }

    // What it keeps, it keeps over its next start, and over one that does not follow.
    let pins = repo::pins(&follower.home);
    drop(follower.serve());
    let following = Follower::start(&follower, &[]);
    assert_eq!(
        following.actor.run(["patient", "images"]).json(),
        Value::Array(vec![])
    );
    drop(following);
    assert_eq!(repo::pins(&follower.home), pins);
}
