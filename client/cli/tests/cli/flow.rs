//! Every command in its turn, each with one JSON document: a hospital asks for a new image.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::program::{Actor, Run, names, write_secret};
use crate::stage::{PATIENT_NAME, Stage};

/// A fifth party that joins: a home made by `pcim init` with a funded key.
fn hospital(stage: &Stage) -> Actor {
    let key = stage.file("key");
    write_secret(&key, stage.chain.account(8, "private_key"));
    let hospital = Actor {
        home: stage.file("hospital").into(),
        address: stage.chain.account(8, "address").to_owned(),
        ..stage.actor("patient")
    };
    let made = hospital
        .run([
            "init",
            "--network",
            "devnet",
            "--contract",
            &stage.known.contract,
            "--import-key",
            &key,
            "--user-id",
            "St. Elsewhere <x@example.org>",
        ])
        .json();
    assert_eq!(made["address"], hospital.address);
    assert_eq!(made["fingerprint"].as_str().unwrap().len(), 64);
    hospital
}

#[test]
fn every_command_writes_one_document() {
    let stage = Stage::new();
    let (radiologist, patient) = (stage.actor("radiologist"), stage.actor("patient"));
    let hospital = hospital(&stage);
    let card = hospital.run(["card"]).json();
    assert!(
        !card.to_string().contains("Elsewhere"),
        "a card names no person: {card}"
    );
    let accredited = stage
        .actor("consortium")
        .run(["consortium", "accredit", &hospital.address]);
    assert_eq!(
        accredited.json()["events"][0]["event"],
        "RadiologistAccredited"
    );

    let results = stage.results();
    let (handover, to) = (
        stage.file("results/new.handover"),
        stage.file("patient.card"),
    );
    let sealed = radiologist.run([
        "radiologist",
        "seal",
        &stage.file("image.dcm"),
        "--to",
        &to,
        "--out",
        &handover,
    ]);
    assert!(
        sealed
            .stderr
            .contains("note: the file does not say whether"),
        "{sealed:?}"
    );
    let sealed = sealed.json();
    let image = sealed["image"].as_str().unwrap();
    assert!(
        sealed["deidentified"]["removed"].as_u64().unwrap() > 0,
        "{sealed}"
    );
    let sha256 = sealed["payload_sha256"].as_str().unwrap();
    let content = fs::read(&handover).unwrap();
    assert!(!String::from_utf8_lossy(&content).contains(PATIENT_NAME));

    let served = radiologist.serve();
    patient.knows(&served.address);
    let registered = patient.run(["patient", "register", &handover]).json();
    assert_eq!(registered["events"][0]["event"], "ContractCreated");
    assert_eq!(registered["payload_sha256"], sha256);
    drop(served);
    let images = patient.run(["patient", "images"]).json();
    let known: Vec<_> = images
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["image"])
        .collect();
    assert_eq!(known, [&json!(stage.known.image), &json!(image)]);
    let open = [
        "patient",
        "open",
        image,
        "--out",
        &stage.file("results/own.dcm"),
    ];
    assert_eq!(patient.run(open).json()["sha256"], sha256);

    let request = [
        "requestor",
        "request",
        "--patient",
        &to,
        "--image",
        image,
        "--purpose",
        "TREAT",
        "--name",
        "Dr. Howard",
    ];
    let requested = hospital.run(request).json();
    assert_eq!(requested["events"][0]["event"], "RequestedForApproval");
    assert!(!requested.to_string().contains("Howard"), "{requested}");
    let served = hospital.serve();
    patient.knows(&served.address);
    let requests = patient.run(["patient", "requests"]).json();
    let request = requests
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["image"] == image)
        .unwrap();
    assert_eq!(request["requestor"], hospital.address);
    assert_eq!(request["document"]["name"], "Dr. Howard", "{request}");
    let status = |wanted: &str, authorized: bool| {
        let status = patient.run([
            "requestor",
            "status",
            image,
            "--requestor",
            &hospital.address,
        ]);
        let status = status.json();
        assert_eq!(
            (&status["status"], &status["authorized"]),
            (&json!(wanted), &json!(authorized))
        );
    };
    status("requested", false);
    let approve = [
        "patient",
        "approve",
        image,
        &hospital.address,
        "--expires",
        "30d",
    ];
    let approved = patient.run(approve).json();
    assert!(
        approved["new_bytes"].as_u64().unwrap() <= 2048,
        "{approved}"
    );
    status("approved", true);
    drop(served);

    let traced = hospital.run(["trace", image]).json();
    assert_eq!(
        (&traced["authorized"], &traced["events"][0]["event"]),
        (&json!(true), &json!("AuthorizationSuccess"))
    );
    let served = patient.serve();
    hospital.knows(&served.address);
    let out = stage.file("results/opened.dcm");
    let opened = hospital
        .run(["requestor", "fetch", image, "--out", &out])
        .json();
    assert_eq!(opened["sha256"], sha256);
    assert_eq!(hex::encode(Sha256::digest(fs::read(&out).unwrap())), sha256);
    drop(served);
    assert_eq!(names(&results), ["new.handover", "opened.dcm", "own.dcm"]);

    let revoked = patient
        .run(["patient", "revoke", image, &hospital.address])
        .json();
    assert_eq!(revoked["events"][0]["event"], "UserRemoved");
    status("removed", false);
    let limit = [
        "patient",
        "limit",
        image,
        "--approvals",
        "2",
        "--per",
        "30d",
    ];
    assert!(patient.run(limit).json()["tx"].is_string());
    let doctor = stage.actor("doctor").address;
    let deny = ["patient", "deny", &stage.known.image, &doctor];
    assert_eq!(
        patient.run(deny).json()["events"][0]["event"],
        "Requestdenied"
    );

    let audit = patient.run(["patient", "audit", image]).json()["entries"].clone();
    let story: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["event"])
        .collect::<Vec<&Value>>();
    let story: Vec<_> = story.into_iter().filter_map(Value::as_str).collect();
    let wanted = [
        "ContractCreated",
        "RequestedForApproval",
        "Requestaccepted",
        "Approved",
        "AuthorizationSuccess",
        "UserRemoved",
    ];
    assert_eq!(
        story
            .iter()
            .filter(|it| wanted.contains(it))
            .copied()
            .collect::<Vec<_>>(),
        wanted
    );

    // Without --json the same is text.
    let mut text = std::process::Command::new(env!("CARGO_BIN_EXE_pcim"));
    text.arg("--home").arg(&patient.home).args([
        "--rpc-url",
        stage.chain.url(),
        "patient",
        "images",
    ]);
    let text = Run::of(&mut text);
    assert!(
        text.code == Some(0) && text.stdout.contains(image),
        "{text:?}"
    );
}
