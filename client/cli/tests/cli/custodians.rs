//! Custodians of a patient's images: an emergency, its drill, and kills.

use std::time::Instant;

use pcim_core::chance::{Numbers, rounds};
use serde_json::json;

use crate::backup::killed;
use crate::follower::Follower;
use crate::program::{Actor, Run};
use crate::rescue::{HOUR, card, helpers, run};
use crate::stage::{IMAGE, Stage};

/// Which moments are killed.
const SEED: u64 = 0x5eed_0016;

/// A drill of this name that these answer; what the patient hears.
fn drilled(stage: &Stage, name: &str, by: &[&Actor]) -> Run {
    let patient = stage.actor("patient");
    let drill = stage.file(&format!("{name}.json"));
    run(&patient, &["emergency", "drill", "--out", &drill]).json();
    let mut judge = patient.command();
    judge.args(["emergency", "drill", "--drill", &drill]);
    for (number, actor) in by.iter().enumerate() {
        let answer = stage.file(&format!("{name}-{number}.answer"));
        run(actor, &["custodian", "drill", &drill, "--out", &answer]).json();
        judge.arg(answer);
    }
    Run::of(&mut judge)
}

#[test]
fn an_unconscious_patients_image_opens_to_the_desk_and_two_custodians_and_is_hers_again() {
    let stage = Stage::new();
    let (image, patient) = (&*stage.known.image, stage.actor("patient"));
    let (desk, doctor) = (stage.actor("consortium"), stage.actor("doctor"));
    let (custodians, cards) = helpers(&stage);
    let [mother, friend, old] = &custodians[..] else {
        panic!("three custodians");
    };
    run(
        &patient,
        &["patient", "emergency", &desk.address, "--hours", "24"],
    )
    .json();
    stage.pass(72 * HOUR);
    run(&patient, &["account", "finish"]).json();
    let entrust = |cards: &[String]| {
        let mut name = patient.command();
        name.args(["patient", "custodians", "--threshold", "2"]);
        Run::of(name.args(cards)).json()
    };
    let named = entrust(&cards);
    assert_eq!(named["entrusted"][0]["image"], json!(image));
    let again = entrust(&cards);
    assert_eq!(again["entrusted"], json!([]), "nothing is sent twice");
    assert_eq!(again["unchanged"], json!([image]));
    // An image that is registered later is entrusted by itself.
    let radiologist = stage.actor("radiologist");
    let served = radiologist.serve();
    patient.knows(&served.address);
    let register = run(
        &patient,
        &["patient", "register", &stage.file("fresh.handover")],
    )
    .json();
    assert_eq!(register["entrusted"]["events"][0]["event"], "ImageResealed");
    drop(served);

    // A follower has what she cannot serve herself any more.
    let follower = stage.newcomer("follower", 9, &[]);
    let at_home = patient.serve();
    let following = Follower::start(&follower, &[&at_home.address]);
    let object = named["entrusted"][0]["events"][0]["emergency"]
        .as_str()
        .unwrap();
    let object = block(object);
    following.wait_for_body_and(image, &object);
    let followers: [&str; 1] = [&following.address];
    for home in [mother, friend, old, &doctor] {
        home.knows_all(&followers);
    }
    desk.knows_all(&followers);
    drop(at_home);

    // Rehearsed: nothing is opened, and what is missing is said.
    let good = drilled(&stage, "whole", &[mother, friend, old, &desk]).json();
    assert_eq!(good["standing"], "good", "{good}");
    assert_eq!(good["desk_answered"], true);
    assert_eq!(good["images"].as_array().unwrap().len(), 2);
    assert_eq!(good["images"][0]["opened"], 3);
    let close = drilled(&stage, "close", &[mother, old, &desk]).json();
    assert_eq!(close["standing"], "close", "{close}");
    assert_eq!(close["absent"], json!([friend.address]));
    let few = [
        ("alone", &[mother, &desk][..]),
        ("no-desk", &[mother, friend, old]),
    ];
    for (name, few) in few {
        let failed = drilled(&stage, name, few);
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert_eq!(failed.document()["standing"], "would_fail");
        assert!(failed.stderr.contains("would not work"), "{failed:?}");
    }
    let twice = ["close-0.answer", "close-1.answer"].map(|it| stage.file(it));
    let earlier = stage.file("whole.json");
    let other = [
        "emergency",
        "drill",
        "--drill",
        &earlier,
        &twice[0],
        &twice[1],
    ];
    run(&patient, &other).refused(1, "is to another drill");
    let stranger = card(&stage, old, "old");
    let mut forged: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&earlier).unwrap()).unwrap();
    forged["card"] = serde_json::from_slice(&std::fs::read(stranger).unwrap()).unwrap();
    let path = stage.file("forged.json");
    std::fs::write(&path, forged.to_string()).unwrap();
    let answer = stage.file("forged.answer");
    let answer = ["custodian", "drill", &path, "--out", &answer];
    run(mother, &answer).refused(1, "does not act for");

    let to = stage.file("doctor.card");
    let letter = |name: &str| stage.file(&format!("{name}.letter"));
    let consent = |by: &Actor, image: &str, name: &str| {
        let out = letter(name);
        run(
            by,
            &["custodian", "consent", image, "--to", &to, "--out", &out],
        )
    };
    let out = stage.results().join("doctors.dcm");
    let fetch = |image: &str, names: &[&str]| {
        let mut fetch = doctor.command();
        fetch
            .args(["requestor", "fetch", image, "--force", "--out"])
            .arg(&out);
        for name in names {
            fetch.args(["--consent", &letter(name)]);
        }
        Run::of(&mut fetch)
    };
    consent(mother, image, "mother").refused(1, "no emergency opened image");
    run(&desk, &["requestor", "emergency", image, &doctor.address]).json();
    fetch(image, &[]).refused(4, "not authorized");
    consent(mother, image, "mother").json();
    fetch(image, &["mother"]).refused(1, "1 shares; 2 are wanted");
    let given = consent(friend, image, "friend").json();
    assert_eq!(
        (&given["share"], &given["threshold"]),
        (&json!(2), &json!(2))
    );
    fetch(&stage.known.fresh, &["mother", "friend"]).refused(4, "not authorized");
    assert!(!out.exists());
    fetch(image, &["mother", "friend"]).json();
    assert_eq!(std::fs::read(&out).unwrap(), IMAGE);
    std::fs::remove_file(&out).unwrap();
    let clinic = stage.actor("clinic");
    let mut stranger = clinic.command();
    stranger
        .args(["requestor", "fetch", image, "--out"])
        .arg(&out);
    stranger.args([
        "--consent",
        &letter("mother"),
        "--consent",
        &letter("friend"),
    ]);
    assert_ne!(
        Run::of(&mut stranger).code,
        Some(0),
        "an approval is no emergency"
    );

    // She is awake: it is the first thing that she sees, and she removes it.
    let seen = run(&patient, &["patient", "audit"]).json();
    assert!(seen.to_string().contains("EmergencyOpened"), "{seen}");
    let shut = run(
        &patient,
        &["patient", "revoke", image, &doctor.address, "--rekey"],
    );
    shut.json();
    fetch(image, &["mother", "friend"]).refused(4, "not authorized");
    consent(old, image, "old").refused(1, "no emergency opened image");
    // Another emergency has another key: the same consents open nothing.
    let at_home = patient.serve();
    doctor.knows_all(&[&following.address, &at_home.address]);
    stage.pass(2);
    let card = stage.file("patient.card");
    let ask = [
        "requestor",
        "request",
        "--patient",
        &card,
        "--image",
        image,
        "--purpose",
        "ETREAT",
    ];
    run(&doctor, &ask).json();
    run(&desk, &["requestor", "emergency", image, &doctor.address]).json();
    fetch(image, &["mother", "friend"]).refused(1, "is of set");
    assert!(!out.exists());
}

#[test]
fn killed_at_any_moment_custodians_get_their_shares_once() {
    let (stage, mut numbers) = (Stage::new(), Numbers(SEED));
    let patient = stage.actor("patient");
    let (_, cards) = helpers(&stage);
    let command = |round: usize| {
        let mut name = patient.command();
        let threshold = ["2", "3"][round % 2];
        name.args(["patient", "custodians", "--threshold", threshold]);
        name.args(&cards);
        name
    };
    let pins = || crate::repo::pins(&patient.home).len();
    let begun = Instant::now();
    Run::of(&mut command(0)).json();
    let (took, pinned) = (begun.elapsed(), pins());
    let (kills, mut cut) = (rounds("PCIM_TEST_KILLS", 12), 0);
    for round in 1..=kills {
        let nonce = stage.nonce(&patient);
        let after = took.mul_f64(numbers.below(1_000) as f64 / 950.0);
        cut += usize::from(killed(&mut command(round), after));
        let done = Run::of(&mut command(round)).json();
        assert_eq!(done["threshold"], json!(2 + round % 2));
        assert_eq!(stage.nonce(&patient), nonce + 1, "{round}");
        let again = Run::of(&mut command(round)).json();
        assert_eq!(again["entrusted"], json!([]), "{round}");
        assert_eq!(pins(), pinned, "{round}: one object, not more");
    }
    println!("{cut} of {kills} were killed");
    assert!(cut > 0);
}

/// The CID of a raw block by its digest in hex.
fn block(hex: &str) -> String {
    let digest: pcim_core::B256 = hex.parse().unwrap();
    pcim_core::BlockDigest(digest.0).to_string()
}
