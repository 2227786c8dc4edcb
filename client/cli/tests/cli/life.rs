//! The life of an image after its approval: sealed again without a reader, replaced by a newer version, and what commands
//! that were killed leave.

use std::fs;

use serde_json::{Value, json};

use crate::program::{Actor, Run};
use crate::repo;
use crate::rpc::Fault;
use crate::stage::{IMAGE, Stage};

/// Serves one home and has another open the image from it.
fn fetched(stage: &Stage, from: &Actor, reader: &Actor, name: &str) -> Vec<u8> {
    let out = stage.file(name);
    let served = from.serve();
    reader.knows(&served.address);
    reader
        .run(["requestor", "fetch", &stage.known.image, "--out", &out])
        .json();
    fs::read(out).unwrap()
}

#[test]
fn sealing_anew_leaves_the_removed_reader_nothing_and_the_others_everything() {
    let stage = Stage::new();
    let (patient, doctor, clinic) = (
        stage.actor("patient"),
        stage.actor("doctor"),
        stage.actor("clinic"),
    );
    let image = &*stage.known.image;
    patient
        .run([
            "patient",
            "approve",
            image,
            &doctor.address,
            "--expires",
            "30d",
        ])
        .json();
    let status = ["requestor", "status", image, "--requestor", &doctor.address];
    let before = patient.run(status).json();
    let (blocks, pins) = (repo::blocks(&patient.home), repo::pins(&patient.home));
    let nonce = stage.nonce(&patient);

    let revoke = ["patient", "revoke", image, &clinic.address, "--rekey"];
    let revoked = patient.run(revoke).json();
    assert_eq!(revoked["events"][0]["event"], "UserRemoved");
    let rekeyed = &revoked["rekeyed"];
    assert_eq!(rekeyed["left_out"], json!([]));
    assert_eq!(rekeyed["readers"].as_array().unwrap().len(), 1);
    assert_eq!(rekeyed["readers"][0]["requestor"], doctor.address);
    assert_eq!(stage.nonce(&patient), nonce + 3, "remove, reseal, reshare");

    // Of what was pinned for the image nothing is left, and as much has come in its place, less the clinic's header and root.
    let after = repo::pins(&patient.home);
    assert_eq!(after.len(), pins.len() - 2);
    assert!(pins.is_disjoint(&after));
    assert!(!repo::blocks(&patient.home).contains(image));
    assert!(blocks.contains(image));
    let own = patient.run(status).json();
    assert_eq!(own["expires_at"], before["expires_at"]);
    assert_ne!(own["shared_image"], before["shared_image"]);

    // The same picture for those who remain, and nothing for the clinic, who knows her old root.
    let out = stage.file("own.dcm");
    patient
        .run(["patient", "open", image, "--out", &out])
        .json();
    assert_eq!(fs::read(out).unwrap(), IMAGE);
    assert_eq!(fetched(&stage, &patient, &doctor, "doctor.dcm"), IMAGE);
    clinic
        .run(["requestor", "fetch", image, "--out", &stage.file("no.dcm")])
        .refused(4, "the patient removed the access");
    patient
        .run(revoke)
        .refused(1, "neither a request nor an approval");
    assert_eq!(patient.run(["resume"]).json(), json!([]));

    // A later reader gets a header for the new body.
    let hospital = stage.actor("radiologist");
    let card = stage.file("patient.card");
    let request = ["requestor", "request", "--patient", &card, "--image", image];
    let mut command = hospital.command();
    Run::of(command.args(request).args(["--purpose", "TREAT"])).json();
    let served = hospital.serve();
    patient.knows(&served.address);
    let approve = ["patient", "approve", image, &hospital.address];
    let approved = patient.run(approve).json();
    drop(served);
    assert!(approved["new_bytes"].as_u64().unwrap() <= 2048);
    assert_eq!(fetched(&stage, &patient, &hospital, "later.dcm"), IMAGE);
}

fn seal(stage: &Stage, to: &str, replaces: &str, name: &str) -> Value {
    let mut command = stage.actor("radiologist").command();
    command.args(["radiologist", "seal", &stage.file("image.dcm"), "--no-deid"]);
    command.args(["--to", &stage.file(to), "--out", &stage.file(name)]);
    command.args(["--replaces", replaces]);
    Run::of(&mut command).json()
}

#[test]
fn versions_are_walked_back_and_another_patients_image_is_none_of_them() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let first = &*stage.known.image;
    let second = seal(&stage, "patient.card", first, "second.handover");
    let second = second["image"].as_str().unwrap();
    let third = seal(&stage, "patient.card", second, "third.handover");
    let third = third["image"].as_str().unwrap();
    let never = seal(&stage, "patient.card", first, "never.handover");
    let never = never["image"].as_str().unwrap();
    let fourth = seal(&stage, "patient.card", never, "fourth.handover");
    let fourth = fourth["image"].as_str().unwrap();
    let theirs = seal(&stage, "doctor.card", first, "theirs.handover");
    let theirs = theirs["image"].as_str().unwrap();
    seal(&stage, "patient.card", theirs, "forged.handover2");

    let served = stage.actor("radiologist").serve();
    let doctor = stage.actor("doctor");
    for actor in [&patient, &doctor] {
        actor.knows(&served.address);
    }
    for name in ["second.handover", "third.handover", "fourth.handover"] {
        let handover = stage.file(name);
        let registered = patient.run(["patient", "register", &handover]).json();
        assert!(registered["predecessor"].is_string(), "{registered}");
    }
    let history = patient.run(["patient", "history", third]).json();
    let versions = history.as_array().unwrap();
    let images: Vec<_> = versions.iter().map(|it| &it["image"]).collect();
    assert_eq!(images, [third, second, first]);
    assert!(
        versions.iter().all(|it| it["signer"].is_string()),
        "{history}"
    );
    assert_eq!(versions[2]["predecessor"], Value::Null);
    // One that nobody registered ends the walk.
    let history = patient.run(["patient", "history", fourth]).json();
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!(history[1]["registered_at"], Value::Null);
    let out = stage.file("third.dcm");
    let opened = patient
        .run(["patient", "open", third, "--out", &out])
        .json();
    assert_eq!(opened["predecessor"], second);

    // The doctor's image replaces the patient's, says its signature; and the patient's the doctor's.
    doctor
        .run(["patient", "register", &stage.file("theirs.handover")])
        .refused(1, "which belongs to");
    // A registration that fails leaves nothing.
    assert_eq!(doctor.run(["resume"]).json(), json!([]));
    assert!(!repo::blocks(&doctor.home).contains(theirs));
}

#[test]
fn what_a_killed_command_stored_is_dropped_or_finished() {
    for (fault, fate) in [
        (Fault::LoseRequest("eth_estimateGas"), "rolled_back"),
        (Fault::LoseRequest("eth_sendRawTransaction"), "finished"),
        (Fault::LoseAnswer("eth_sendRawTransaction"), "finished"),
    ] {
        let stage = Stage::new();
        let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
        let image = &*stage.known.image;
        let (pins, nonce) = (repo::pins(&patient.home), stage.nonce(&patient));
        let approve = ["patient", "approve", image, &doctor.address];
        crate::interrupted::kill(&stage, &patient, approve, fault);
        assert_eq!(repo::pins(&patient.home).len(), pins.len() + 2);

        let resumed = patient.run(["resume"]).json();
        assert_eq!(resumed.as_array().unwrap().len(), 1, "{resumed}");
        assert_eq!(resumed[0]["operation"], "approve");
        assert_eq!(resumed[0]["fate"], fate, "{fault:?} {resumed}");
        assert_eq!(patient.run(["resume"]).json(), json!([]));
        let done = fate == "finished";
        assert_eq!(resumed[0]["tx"].is_string(), done);
        assert_eq!(stage.nonce(&patient), nonce + u64::from(done), "{fault:?}");
        let now = repo::pins(&patient.home).len();
        assert_eq!(now, pins.len() + if done { 2 } else { 0 }, "{fault:?}");
    }
}

#[test]
fn what_cannot_be_resumed_now_is_kept() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let image = &*stage.known.image;
    let approve = ["patient", "approve", image, &doctor.address];
    let sent = Fault::LoseAnswer("eth_sendRawTransaction");
    crate::interrupted::kill(&stage, &patient, approve, sent);
    let away = patient.through("http://127.0.0.1:9");
    away.run(["resume"])
        .explained(1, "`approve` is still unfinished");
    let resumed = patient.run(["resume"]).json();
    assert_eq!(resumed[0]["fate"], "finished");
}
