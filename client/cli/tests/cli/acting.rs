//! Delegates who decide for a patient, keys that change, images that are shredded or were another's.

use std::path::PathBuf;
use std::time::Duration;

use pcim_core::chance::{Numbers, rounds};
use serde_json::{Value, json};

use crate::backup::killed;
use crate::program::{Actor, Run, names};
use crate::repo::{blocks, pins};
use crate::rpc::ask;
use crate::stage::{IMAGE, Stage, copy};

const HOUR: u64 = 3_600;
/// Which moments are killed.
const SEED: u64 = 0x5eed_0161;

/// Runs a command of an actor, whose arguments are made up.
fn run(actor: &Actor, args: &[&str]) -> Run {
    Run::of(actor.command().args(args))
}

/// An output of a test's own, as text.
fn out(stage: &Stage, name: &str) -> String {
    let path: PathBuf = stage.results().join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_clinic_decides_for_a_patient_within_its_rights_and_within_its_time() {
    let stage = Stage::new();
    let image = &*stage.known.image;
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let (doctor, radiologist) = (stage.actor("doctor"), stage.actor("radiologist"));
    let her = &*patient.address;
    let list = ["patient", "requests", "--for", her];
    run(&clinic, &list).refused(1, "is no delegate of");
    let name = ["patient", "delegate", &clinic.address, "--until", "10d"];
    run(&patient, &name).json();

    // The doctor's first request is for her alone; the next one, which names the clinic's card, the clinic reads as she does.
    let approve = ["patient", "approve", image, &doctor.address, "--for", her];
    let at_doctors = doctor.serve();
    clinic.knows(&at_doctors.address);
    let unread = run(&clinic, &approve);
    assert_eq!(unread.code, Some(1), "{unread:?}");
    drop(at_doctors);
    let to_clinic = stage.file("clinic.card");
    run(&clinic, &["card", "--out", &to_clinic]).json();
    stage.pass(2);
    let card = stage.file("patient.card");
    let mut request = vec!["requestor", "request", "--patient", &card, "--image", image];
    request.extend(["--purpose", "TREAT", "--name", "Dr. Ada"]);
    request.extend(["--delegate", &to_clinic]);
    run(&doctor, &request).json();
    let (at_doctors, at_hers) = (doctor.serve(), patient.serve());
    clinic.knows_all(&[&at_doctors.address, &at_hers.address]);
    let listed = run(&clinic, &list).json();
    assert_eq!(listed[0]["document"]["name"], "Dr. Ada", "{listed}");
    let approved = run(&clinic, &approve);
    assert!(approved.stderr.contains("your own time"), "{approved:?}");
    let approved = approved.json();
    let standing = run(&doctor, &["requestor", "status", image]).json();
    assert_eq!(standing["authorized"], true);
    assert_eq!(standing["expires_at"], approved["expires_at"]);
    drop((at_doctors, at_hers));

    // The header is on the clinic's node, the body where it was.
    let (at_clinic, at_radiologists) = (clinic.serve(), radiologist.serve());
    doctor.knows_all(&[&at_clinic.address, &at_radiologists.address]);
    let opened = out(&stage, "doctors.dcm");
    let fetch = ["requestor", "fetch", image, "--force", "--out", &opened];
    run(&doctor, &fetch).json();
    assert_eq!(std::fs::read(&opened).unwrap(), IMAGE);
    drop((at_clinic, at_radiologists));

    // It has no right to more.
    let own = [
        "patient",
        "extend",
        image,
        &clinic.address,
        "--expires",
        "9d",
        "--for",
        her,
    ];
    let refused = run(&clinic, &own);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for more in [
        &["patient", "withdraw", image][..],
        &["patient", "limit", image, "--approvals", "1"],
    ] {
        let refused = run(&clinic, more);
        assert_ne!(refused.code, Some(0), "{refused:?}");
    }

    // The doctor's key is stolen: he gives up what it opens, and asks again with nothing but that key; the clinic denies.
    let thief = Actor {
        home: stage.results().join("thief"),
        ..doctor.clone()
    };
    copy(&doctor.home, &thief.home);
    run(&doctor, &["requestor", "give-up", image]).json();
    run(&thief, &fetch).refused(4, "not authorized");
    stage.pass(2);
    run(&thief, &request).json();
    let deny = ["patient", "deny", image, &doctor.address, "--for", her];
    run(&clinic, &deny).json();
    run(&doctor, &["requestor", "give-up", image]).refused(1, "");

    // She sees who decided, and ends it.
    let seen = run(&patient, &["audit", "--event", "acted"]).json();
    let acted = seen["entries"].as_array().unwrap().iter();
    let by_clinic = acted.filter(|it| {
        let text = it["by"].as_str().unwrap();
        text.eq_ignore_ascii_case(&clinic.address)
    });
    assert_eq!(by_clinic.count(), 2, "an approval and a denial: {seen}");
    run(&patient, &["patient", "delegate", &clinic.address, "--off"]).json();
    run(&clinic, &deny).refused(1, "is no delegate of");
    run(&clinic, &list).refused(1, "is no delegate of");
}

/// Gives a key ether.
fn fund(stage: &Stage, address: &str) {
    let ether = "0xde0b6b3a7640000";
    ask(
        stage.chain.url(),
        "anvil_setBalance",
        json!([address, ether]),
    );
}

/// Kills a command at random moments, until `done` says that one came through.
fn kill_some(actor: &Actor, args: &[&str], longest: usize, done: impl Fn() -> bool) {
    let mut numbers = Numbers(SEED);
    for _ in 0..rounds("PCIM_TEST_KILLS", 6) {
        let after = Duration::from_millis(numbers.below(longest) as u64);
        killed(actor.command().args(args), after);
        if done() {
            return;
        }
    }
}

#[test]
fn a_key_is_rotated_wherever_it_is_killed_and_the_one_before_is_nobody() {
    let stage = Stage::new();
    let image = &*stage.known.image;
    let (patient, clinic, doctor) = (
        stage.actor("patient"),
        stage.actor("clinic"),
        stage.actor("doctor"),
    );
    let her = patient.address.clone();
    let delegate = ["patient", "delegate", &clinic.address, "--until", "30d"];
    run(&patient, &delegate).json();
    let before = Actor {
        home: stage.results().join("before"),
        ..patient.clone()
    };
    copy(&patient.home, &before.home);

    run(&patient, &["account", "rotate-key"]).refused(2, "give --yes");
    let rotate = ["account", "rotate-key", "--yes"];
    let nonce = stage.nonce(&patient);
    let (rotation, former) = (
        patient.home.join("rotation.pgp"),
        patient.home.join("former"),
    );
    let changed = || former.exists() && !rotation.exists();
    kill_some(&patient, &rotate, 2_500, changed);
    if !changed() {
        assert_eq!(run(&patient, &rotate).json()["done"], true);
    }
    assert_eq!(stage.nonce(&patient), nonce + 2, "a move and its finish");
    let kept = format!("{}.json", her.to_lowercase());
    assert!(names(&former).contains(&kept), "{kept}");
    let standing = run(&patient, &["account", "show"]).json();
    let acting = standing["acting"].as_str().unwrap().to_owned();
    assert_ne!(acting.to_lowercase(), her.to_lowercase());
    assert_eq!(
        standing["patient"].as_str().unwrap().to_lowercase(),
        her.to_lowercase()
    );

    // The key before and its delegates are nobody; her images are hers, and she decides by the new one.
    let deny = ["patient", "deny", image, &doctor.address];
    let nobody = run(&before, &deny);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    run(&clinic, &["patient", "requests", "--for", &her]).refused(1, "is no delegate of");
    let opened = out(&stage, "own.dcm");
    run(&patient, &["patient", "open", image, "--out", &opened]).json();
    assert_eq!(std::fs::read(&opened).unwrap(), IMAGE);
    fund(&stage, &acting);
    run(&patient, &deny).json();

    // With guardians it waits, and the key of now acts meanwhile.
    let set = stage.file("guardians.json");
    let mut name = vec!["patient", "guardians", "--threshold", "1", "--hours", "72"];
    name.extend(["--out", &set, &doctor.address]);
    run(&patient, &name).json();
    let waiting = run(&patient, &rotate).json();
    assert_eq!(waiting["done"], false);
    assert!(waiting["ripe"].is_u64(), "{waiting}");
    run(&patient, &["patient", "limit", image, "--approvals", "9"]).json();
    let again = run(&patient, &rotate).json();
    assert_eq!(again["to"], waiting["to"]);
    assert_eq!(again["written"], json!([]), "nothing is sent twice");
    stage.pass(72 * HOUR);
    let done = run(&patient, &rotate).json();
    assert_eq!(done["done"], true);
    let standing = run(&patient, &["account", "show"]).json();
    assert_eq!(standing["acting"], done["to"]);
    assert_eq!(done["to"], waiting["to"]);
}

#[test]
fn a_shredded_image_opens_to_nobody_and_nothing_of_it_is_left_here() {
    let stage = Stage::new();
    let image = &*stage.known.image;
    let (patient, clinic, doctor) = (
        stage.actor("patient"),
        stage.actor("clinic"),
        stage.actor("doctor"),
    );
    run(&patient, &["patient", "note", image, "of the knee"]).json();
    let nonce = stage.nonce(&patient);
    let (held, begun) = (blocks(&patient.home), pins(&patient.home));
    assert!(!begun.is_empty());

    let shred = |more: &[&str]| run(&patient, &[&["patient", "shred", image][..], more].concat());
    let would = shred(&["--dry-run"]).json();
    assert_eq!(would["done"], false);
    for said in ["withdraw it", &clinic.address, &doctor.address, "2 notes"] {
        let said = said.to_lowercase();
        assert!(would.to_string().to_lowercase().contains(&said), "{would}");
    }
    shred(&[]).refused(2, "give --yes");
    assert_eq!(stage.nonce(&patient), nonce);
    assert_eq!(blocks(&patient.home), held);

    let record = out(&stage, "record.json");
    let done = ["patient", "shred", image, "--yes"];
    kill_some(&patient, &done, 1_500, || false);
    shred(&["--yes", "--out", &record]).json();
    assert_eq!(
        stage.nonce(&patient),
        nonce + 2,
        "a withdrawal and removals"
    );
    let record: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    assert_eq!(record["image"], json!(image));
    let remains = record["remains"].as_array().unwrap();
    assert!(
        remains
            .iter()
            .any(|it| it.as_str().unwrap().contains("on the chain"))
    );

    for reader in [&clinic, &doctor] {
        let standing = run(reader, &["requestor", "status", image]).json();
        assert_eq!(standing["authorized"], false, "{standing}");
        assert_eq!(standing["status"], "removed");
    }
    let listed = run(&patient, &["patient", "images"]).json();
    assert_eq!(listed[0]["image"], json!(image));
    assert_eq!(listed[0]["withdrawn"], true, "the chain keeps it: {listed}");
    let opened = out(&stage, "own.dcm");
    let open = ["--wait", "1s", "patient", "open", image, "--out", &opened];
    let gone = run(&patient, &open);
    assert_eq!(gone.code, Some(1), "{gone:?}");
    let left = blocks(&patient.home);
    assert!(
        left.is_subset(&held) && left.len() + 3 <= held.len(),
        "{left:?}"
    );
    let found = run(&patient, &["search", "knee"]).json();
    assert!(!found.to_string().contains(image), "{found}");

    let again = shred(&["--yes"]).json();
    assert_eq!(
        (&again["written"], &again["body_bytes"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(stage.nonce(&patient), nonce + 2);
}

#[test]
fn an_image_of_a_wrong_patient_is_retracted_sealed_to_the_right_one_and_attested_again() {
    let stage = Stage::new();
    let image = &*stage.known.image;
    let (patient, radiologist) = (stage.actor("patient"), stage.actor("radiologist"));
    let (clinic, right) = (stage.actor("clinic"), stage.actor("doctor"));
    let opened = out(&stage, "clinics.dcm");
    let fetch = ["requestor", "fetch", image, "--force", "--out", &opened];
    run(&radiologist, &["radiologist", "retract", image]).json();
    run(&clinic, &fetch).refused(4, "not authorized");
    let limit = run(&patient, &["patient", "limit", image, "--approvals", "1"]);
    limit.refused(1, "retracted");

    // Its study is sealed to the right one, as another image.
    let (file, card) = (stage.file("image.dcm"), stage.file("doctor.card"));
    let handover = out(&stage, "right.handover");
    let seal = [
        "radiologist",
        "seal",
        &file,
        "--no-deid",
        "--to",
        &card,
        "--out",
        &handover,
    ];
    let sealed = run(&radiologist, &seal).json();
    let other = sealed["image"].as_str().unwrap();
    assert_ne!(other, image);
    let served = radiologist.serve();
    right.knows(&served.address);
    run(&right, &["patient", "register", &handover]).json();
    let own = out(&stage, "own.dcm");
    run(&right, &["patient", "open", other, "--out", &own]).json();
    assert_eq!(std::fs::read(&own).unwrap(), IMAGE);
    drop(served);

    // It was hers after all: attested again and registered again, and the clinic's approval stands.
    let (card, again) = (stage.file("patient.card"), out(&stage, "again.handover"));
    let reattest = [
        "radiologist",
        "reattest",
        image,
        "--patient",
        &card,
        "--out",
        &again,
    ];
    run(&radiologist, &reattest).json();
    run(&patient, &["patient", "register", &again]).json();
    let standing = run(&clinic, &["requestor", "status", image]).json();
    assert_eq!(standing["authorized"], true, "{standing}");
    let twice = out(&stage, "twice.handover");
    let twice = [
        "radiologist",
        "reattest",
        image,
        "--patient",
        &card,
        "--out",
        &twice,
    ];
    run(&radiologist, &twice).refused(1, "is not retracted");
}
