//! Chains that are wrong, absent or absurd, and what the contract refuses.

use std::net::TcpListener;

use crate::program::names;
use crate::rpc::{Fault, Proxy};
use crate::stage::Stage;

#[test]
fn the_wrong_chain_or_contract_is_told_from_the_right_one() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let images = |more: [&str; 2]| patient.run(["patient", "images", more[0], more[1]]);
    let ok = images(["--chain-id", "412346"]).json();
    assert_eq!(ok.as_array().unwrap().len(), 1);
    images(["--chain-id", "1"]).refused(1, "this is chain 412346, wanted chain 1");
    let nobody = "0x000000000000000000000000000000000000dEaD";
    images(["--contract", nobody]).refused(1, "there is no contract at 0x0000");
    // The factory is a contract, but another one.
    let factory = "0xcEcba2F1DC234f70Dd89F2041029807F8D03A990";
    images(["--contract", factory]).refused(1, "is not Pcac");

    // A program's activation ends a year after it was made.
    stage.pass(366 * 24 * 3600);
    let why = "is not activated (or its activation expired)";
    images(["--chain-id", "412346"]).refused(1, why);
    let before = stage.nonce(&patient);
    let doctor = stage.actor("doctor").address;
    patient
        .run(["patient", "approve", &stage.known.image, &doctor])
        .refused(1, why);
    assert_eq!(stage.nonce(&patient), before);
}

#[test]
fn a_chain_that_is_down_or_talks_nonsense() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let down = patient.through(&format!("http://{free}"));
    down.run(["patient", "images"])
        .refused(1, "does not answer");
    let doctor = stage.actor("doctor").address;
    down.run(["patient", "approve", &stage.known.image, &doctor])
        .refused(1, "does not answer");
    for fault in [Fault::WebPage, Fault::Nonsense] {
        let proxy = Proxy::start(stage.chain.url(), fault);
        patient
            .through(&proxy.url)
            .run(["patient", "images"])
            .refused(1, "with nonsense");
    }
    patient
        .through("ftp://example.org")
        .run(["patient", "images"])
        .refused(1, "is not an RPC address");
    // A password in the address is not for others to read.
    let secret = patient.through(&format!("http://user:hunter2@{free}/?key=hunter3"));
    let run = secret.run(["patient", "images"]);
    run.refused(1, "does not answer");
    assert!(!run.stderr.contains("hunter"), "{run:?}");
}

#[test]
fn what_the_contract_would_refuse_is_not_sent() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let before = (stage.nonce(&patient), stage.nonce(&doctor));
    let image = &*stage.known.image;
    let stranger = "0x000000000000000000000000000000000000dEaD";
    patient
        .run(["patient", "register", &stage.file("taken.handover")])
        .refused(1, "is already registered");
    patient
        .run(["patient", "approve", image, stranger])
        .refused(1, "has no open request");
    patient
        .run(["patient", "deny", image, stranger])
        .refused(1, "has no open request");
    patient
        .run(["patient", "revoke", image, stranger])
        .refused(1, "has neither a request nor an approval");
    let clinic = stage.actor("clinic").address;
    patient
        .run(["patient", "approve", image, &clinic])
        .refused(1, "is authorized to open image");
    patient
        .run(["patient", "approve", &stage.known.fresh, &clinic])
        .refused(1, "is registered");
    doctor
        .run(["patient", "deny", image, &clinic])
        .refused(1, "belongs to");
    doctor
        .run(["consortium", "accredit", stranger])
        .refused(1, "the contract refused");
    assert_eq!((stage.nonce(&patient), stage.nonce(&doctor)), before);
}

#[test]
fn the_consortium_is_handed_over_once_and_for_good() {
    let stage = Stage::new();
    let (old, new) = (stage.actor("consortium"), stage.actor("clinic"));
    let (card, someone) = (
        stage.file("new.card"),
        "0x00000000000000000000000000000000000000aa",
    );
    new.run(["card", "--out", &card]).json();
    new.run(["consortium", "transfer", &card])
        .refused(1, "the contract refused");
    let handed = old.run(["consortium", "transfer", &card]).json();
    let event = &handed["events"][0];
    assert_eq!(event["event"], "ConsortiumOffered", "{handed}");
    // Nobody else takes it, and until it is taken it is the old one's.
    let doctor = stage.actor("doctor");
    doctor
        .run(["consortium", "accept"])
        .refused(1, "the contract refused");
    let taken = new.run(["consortium", "accept"]).json();
    assert_eq!(
        taken["events"][0]["event"], "ConsortiumTransferred",
        "{taken}"
    );
    old.run(["consortium", "accredit", someone])
        .refused(1, "the contract refused");
    old.run(["consortium", "transfer", someone])
        .refused(1, "the contract refused");
    new.run(["consortium", "accredit", someone]).json();
}

#[test]
fn who_is_not_authorized_fetches_nothing() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let image = &*stage.known.image;
    let out = stage.results().join("image.dcm");
    let fetch = || doctor.run(["requestor", "fetch", image, "--out", out.to_str().unwrap()]);
    let before = stage.nonce(&doctor);
    fetch().refused(4, "the patient has not decided yet");

    patient
        .run([
            "patient",
            "approve",
            image,
            &doctor.address,
            "--expires",
            "12h",
        ])
        .json();
    stage.pass(13 * 3600);
    fetch().refused(4, "the approval expired at");
    let status = doctor.run(["requestor", "status", image]).json();
    assert_eq!(status["status"], "approved");
    assert_eq!(status["authorized"], false);
    assert_eq!(stage.nonce(&doctor), before);

    // The trace is an answer and a refusal: the document and exit code 4.
    let traced = doctor.run(["trace", image]);
    traced.explained(4, "is not authorized");
    assert_eq!(traced.document()["authorized"], false);
    assert_eq!(stage.nonce(&doctor), before + 1);
    assert!(names(&stage.results()).is_empty());
}
