//! Bad files, bad passphrases, bad handovers.

use std::fs;

use serde_json::Value;

use crate::program::{Run, names, pcim, write_secret};
use crate::stage::{IMAGE, PATIENT_NAME, Stage, block_files};

#[test]
fn what_is_not_a_whole_dicom_file_is_not_sealed() {
    let stage = Stage::new();
    let radiologist = stage.actor("radiologist");
    let stored = block_files(&radiologist.home).len();
    let results = stage.results();
    let out = results.join("handover.pgp");
    let write = |name: &str, content: &[u8]| {
        let path = stage.file(name);
        fs::write(&path, content).unwrap();
        path
    };
    let letter = format!("Dear colleague, {PATIENT_NAME} ").repeat(100);
    let letter = write("letter.txt", letter.as_bytes());
    let cut = write("cut.dcm", &IMAGE[..IMAGE.len() - 1000]);
    let whole = stage.file("image.dcm");
    let missing = stage.file("nowhere.dcm");
    for (args, why) in [
        (vec![&letter], "letter.txt: not a DICOM file"),
        (
            vec![&cut],
            "cut.dcm: the DICOM file is cut short or malformed",
        ),
        (
            vec![&whole, &cut],
            "cut.dcm: the DICOM file is cut short or malformed",
        ),
        (vec![&missing], "nowhere.dcm: No such file"),
    ] {
        for how in [None, Some("--no-deid")] {
            let mut command = radiologist.command();
            command.args(["radiologist", "seal"]).args(&args).args(how);
            command
                .args(["--to", &stage.file("patient.card"), "--out"])
                .arg(&out);
            Run::of(&mut command).refused(1, why);
            assert!(names(&results).is_empty());
        }
    }
    assert_eq!(
        block_files(&radiologist.home).len(),
        stored,
        "something was stored"
    );
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let stage = Stage::new();
    let mut patient = stage.actor("patient");
    patient.passphrase = stage.file("wrong").into();
    write_secret(&patient.passphrase, "seven loud herons\n");
    let before = stage.nonce(&patient);
    let doctor = stage.actor("doctor").address;
    let run = patient.run(["patient", "approve", &stage.known.image, &doctor]);
    run.refused(1, "does not open with this passphrase");
    assert!(!run.stderr.contains("herons"), "{run:?}");
    assert_eq!(stage.nonce(&patient), before);

    fs::write(&patient.passphrase, "\n").unwrap();
    patient.run(["card"]).refused(2, "is empty");
    patient.passphrase = stage.file("nowhere").into();
    patient.run(["card"]).refused(1, "nowhere: No such file");
    let mut without = patient.command();
    without.env_remove("PCIM_PASSPHRASE_FILE").arg("card");
    Run::of(&mut without).refused(2, "no terminal to ask for the passphrase");
}

#[test]
fn handovers_that_are_not_right_are_not_registered() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let before = stage.nonce(&patient);
    let stored = block_files(&patient.home).len();
    let fresh = fs::read(stage.file("fresh.handover")).unwrap();
    let mut broken = fresh.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    fs::write(stage.file("broken.handover"), broken).unwrap();
    for (name, why) in [
        (
            "other.handover",
            "the handover is for someone else: this home's key does not open it",
        ),
        (
            "misaddressed.handover",
            "the handover is for someone else: for 0x",
        ),
        ("forged.handover", "the attestation is forged: signed by 0x"),
        ("broken.handover", "the handover does not open"),
        ("image.dcm", "the handover does not open"),
        ("nowhere.handover", "nowhere.handover: No such file"),
    ] {
        patient
            .run(["patient", "register", &stage.file(name)])
            .refused(1, why);
    }
    patient
        .run([
            "patient",
            "register",
            &stage.file("fresh.handover"),
            "--chain-id",
            "1",
        ])
        .refused(
            1,
            "the handover is for chain 412346, and this home is set up for chain 1",
        );
    assert_eq!(stage.nonce(&patient), before);
    assert_eq!(
        block_files(&patient.home).len(),
        stored,
        "something was stored"
    );
}

#[test]
fn cards_that_are_not_right_are_not_sealed_to() {
    let stage = Stage::new();
    let radiologist = stage.actor("radiologist");
    let card = fs::read_to_string(stage.file("patient.card")).unwrap();
    let thief = stage.actor("doctor").address;
    let stolen = card.replace(
        &stage.actor("patient").address.to_lowercase(),
        &thief.to_lowercase(),
    );
    assert_ne!(card, stolen);
    fs::write(stage.file("stolen.card"), stolen).unwrap();
    let out = stage.results().join("handover.pgp");
    for name in ["stolen.card", "image.dcm", "nowhere.card"] {
        let mut command = radiologist.command();
        command.args([
            "radiologist",
            "seal",
            &stage.file("image.dcm"),
            "--to",
            &stage.file(name),
        ]);
        Run::of(command.arg("--out").arg(&out)).refused(1, name);
    }
    assert!(names(&stage.results()).is_empty());
}

#[test]
fn nothing_is_overwritten() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let thesis = stage.results().join("thesis");
    fs::write(&thesis, "mine").unwrap();
    let path = thesis.to_str().unwrap();
    let wanted = "exists already";
    patient.run(["card", "--out", path]).refused(1, wanted);
    patient
        .run(["patient", "open", &stage.known.image, "--out", path])
        .refused(1, wanted);
    stage
        .actor("radiologist")
        .run([
            "radiologist",
            "seal",
            &stage.file("image.dcm"),
            "--to",
            &stage.file("patient.card"),
            "--out",
            path,
        ])
        .refused(1, wanted);
    patient.run(["init"]).refused(1, wanted);
    assert_eq!(fs::read(&thesis).unwrap(), b"mine");
    assert_eq!(names(&stage.results()), ["thesis"]);
}

#[test]
fn a_directory_that_is_no_home_is_said_to_be_none() {
    let stage = Stage::new();
    let mut nobody = stage.actor("patient");
    nobody.home = stage.results();
    nobody
        .run(["patient", "images"])
        .refused(1, "is not a pcim home");
    assert!(names(&stage.results()).is_empty());

    let patient = stage.actor("patient");
    fs::write(patient.home.join("config.toml"), "address = 7\n").unwrap();
    patient
        .run(["patient", "images"])
        .refused(1, "config.toml: line 1");
}

#[test]
fn wrong_usage_is_code_2() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let mixed = "0xF39fd6e51aad88F6F4ce6aB8827279cffFb92266";
    for args in [
        &["patient", "images", "--network", "mainnet"][..],
        &["patient", "images", "--contract", "0x12"],
        &["patient", "open", "QmNonsense", "--out", "x"],
        &["patient", "approve", &stage.known.image, mixed],
        &["patient", "approve"],
        &["nonsense"],
        &[],
    ] {
        let run = Run::of(patient.command().args(args));
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        let error: Value = serde_json::from_str(run.stderr.lines().last().unwrap()).unwrap();
        assert!(error["error"].is_string(), "{run:?}");
    }
    // A home that has not been told where its chain is.
    let home = stage.file("new");
    let mut init = pcim();
    init.env("PCIM_PASSPHRASE_FILE", &patient.passphrase);
    let made = Run::of(init.args(["--json", "--home", &home, "init"])).json();
    let mut images = pcim();
    images.args(["--json", "--home", &home, "patient", "images"]);
    Run::of(&mut images).refused(2, "this home has no rpc_url set");
    assert!(made["address"].as_str().unwrap().starts_with("0x"));
}
