//! Nodes that are away, blocks that are wrong, homes that are in use.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program::names;
use crate::stage::{Stage, block_files};

#[test]
fn a_peer_that_is_away_is_waited_for_no_longer_than_told() {
    let stage = Stage::new();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let before = stage.nonce(&patient);
    patient
        .run([
            "patient",
            "register",
            &stage.file("fresh.handover"),
            "--wait",
            "1s",
        ])
        .refused(1, "did not arrive: nothing came for 1 s");
    assert_eq!(stage.nonce(&patient), before);
    let out = stage.results().join("image.dcm");
    let out = out.to_str().unwrap();
    clinic
        .run([
            "requestor",
            "fetch",
            &stage.known.image,
            "--out",
            out,
            "--wait",
            "1s",
        ])
        .refused(1, "did not arrive: nothing came for 1 s");
    assert!(names(&stage.results()).is_empty());

    // The peer comes, and the same command goes through.
    let served = patient.serve();
    clinic.knows(&served.address);
    clinic
        .run(["requestor", "fetch", &stage.known.image, "--out", out])
        .json();
    assert_eq!(fs::read(out).unwrap(), crate::stage::IMAGE);
}

#[test]
fn a_block_that_does_not_match_its_cid_is_never_used() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    // The largest block is the image's own.
    let files = block_files(&patient.home);
    let largest = files
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let mut block = fs::read(largest).unwrap();
    let middle = block.len() / 2;
    block[middle] ^= 1;
    fs::write(largest, &block).unwrap();

    let out = stage.results().join("image.dcm");
    let open = [
        "patient",
        "open",
        &stage.known.image,
        "--out",
        out.to_str().unwrap(),
    ];
    patient
        .run(open)
        .refused(1, "is damaged: its bytes hash to");
    assert!(names(&stage.results()).is_empty());

    // A node with a damaged block does not pass it on either.
    let clinic = stage.actor("clinic");
    let served = patient.serve();
    clinic.knows(&served.address);
    let fetch = [
        "requestor",
        "fetch",
        &stage.known.image,
        "--out",
        out.to_str().unwrap(),
    ];
    let run = clinic.run([
        fetch[0], fetch[1], fetch[2], fetch[3], fetch[4], "--wait", "3s",
    ]);
    run.refused(1, "did not arrive: nothing came for 3 s");
    assert!(names(&stage.results()).is_empty());
    drop(served);

    block[middle] ^= 1;
    fs::write(largest, &block).unwrap();
    patient.run(open).json();
}

#[test]
fn a_home_in_use_is_left_alone() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let lock = fs::File::open(patient.home.join("lock")).unwrap();
    lock.lock().unwrap();
    let why = "is open in another process (pid ";
    patient.run(["patient", "images"]).refused(1, why);
    let doctor = stage.actor("doctor").address;
    patient
        .run(["patient", "approve", &stage.known.image, &doctor])
        .refused(1, why);
    patient.run(["node"]).refused(1, why);
    drop(lock);
    patient.run(["patient", "images"]).json();
}

#[test]
fn a_node_that_serves_lets_the_homes_other_commands_in() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let socket = patient.home.join("node.sock");
    let served = patient.serve();
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let card = patient.run(["card"]).json();
    assert_eq!(card["peers"][0], *served.address);
    patient
        .run(["node"])
        .refused(1, "is in use by another process");

    // The doctor's document comes over the running node, the new header goes into it, and the doctor fetches from it.
    let doctor = stage.actor("doctor");
    let doctors = doctor.serve();
    patient.knows(&doctors.address);
    let approve = ["patient", "approve", &stage.known.image, &doctor.address];
    patient.run(approve).json();
    let out = stage.results().join("image.dcm");
    let out = out.to_str().unwrap();
    doctor.knows(&served.address);
    doctor
        .run(["requestor", "fetch", &stage.known.image, "--out", out])
        .json();
    assert_eq!(fs::read(out).unwrap(), crate::stage::IMAGE);

    // The running node asks the doctor's, for a command that has no connections of its own.
    let ask = ["patient", "replicas", &stage.known.image, "--reader"];
    let told = patient.run([ask[0], ask[1], ask[2], ask[3], &doctor.address]);
    let told = told.json();
    assert!(
        told["complete"] == 1 && told["nodes"][0]["silent"] == 0,
        "{told}"
    );

    // One that is killed leaves its socket, and nobody minds.
    drop(served);
    assert!(socket.exists());
    patient
        .run([
            "patient",
            "open",
            &stage.known.image,
            "--out",
            &format!("{out}.2"),
        ])
        .json();
    drop(patient.serve());
}
