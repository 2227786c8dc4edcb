//! Invitations: two people who know nothing of each other meet by eight words.

use std::fs;

use pcim_client::home::Home;
use pcim_core::Passphrase;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::mail::join;
use crate::program::{Actor, Run};
use crate::stage::{PASSPHRASE, Stage};

/// The twelve words of an actor's own card.
fn words_of(stage: &Stage, actor: &Actor, name: &str) -> Value {
    let path = stage.file(name);
    actor.run(["card", "--out", &path]).json();
    actor.run(["card", "show", &path]).json()["words"].clone()
}

#[test]
fn two_people_meet_by_eight_words_and_a_code_is_good_once() {
    let stage = Stage::new();
    let actors = ["radiologist", "patient", "doctor", "clinic"].map(|name| stage.actor(name));
    let [radiologist, patient, doctor, follower] = &actors;
    radiologist
        .run(["invite", "--name", "Anna"])
        .refused(1, "names no follower");
    let node = follower.serve_with(&["--follow-chain"]);
    join(&stage, &node.address, &[radiologist]);

    let made = radiologist.run(["invite", "--name", "Anna"]).json();
    let (words, text) = (
        made["words"].as_str().unwrap(),
        made["text"].as_str().unwrap(),
    );
    assert_eq!(words.split(' ').count(), 8);
    assert_eq!(
        text,
        format!("pcim:{}@{}", words.replace(' ', "-"), node.address)
    );
    let answers = || radiologist.run(["invite", "--answers"]);
    assert_eq!(answers().json()[0]["answered"], Value::Null);

    // A wrong word, too few, and words alone where no follower is known.
    let last = words.rsplit(' ').next().unwrap();
    let other = if last == "zoo" { "able" } else { "zoo" };
    let wrong = text.replace(&format!("-{last}@"), &format!("-{other}@"));
    let tries = |actor: &Actor, code: &str| actor.run(["join", code, "--name", "Hospital"]);
    tries(patient, &wrong).refused(1, "no invitation waits under these words");
    let few = tries(patient, "able zoo");
    few.refused(1, "2 words; an invitation has 8");
    tries(patient, words).refused(1, "names no follower");

    // Another one reads the words, too, and answers a moment later.
    let runtime = Runtime::new().unwrap();
    let (second, offer) = runtime.block_on(async {
        let passphrase = Passphrase::new(PASSPHRASE.to_owned());
        let home = Home::open(&doctor.home).unwrap();
        let second = pcim_client::Actor::open(home, passphrase).await.unwrap();
        let offer = second.unlocked().find_offer(text).await.unwrap();
        (second, offer)
    });
    let joined = tries(patient, text).json();
    assert_eq!(joined["network"], "clinic");
    assert_eq!(joined["words"], words_of(&stage, radiologist, "own.card"));
    runtime.block_on(async {
        second.unlocked().answer_offer(&offer).await.unwrap();
        second.shutdown().await;
    });

    // The first one wins and is shown with her words; that there was another is reported.
    let seen: Run = radiologist.run(["invite", "--answers", "--until-answered"]);
    let first = &seen.json()[0];
    assert_eq!(first["answered"], json!(patient.address));
    assert_eq!(first["words"], words_of(&stage, patient, "her.card"));
    assert_eq!(first["others"], json!([doctor.address]));
    assert!(
        seen.stderr.contains("others answered this invitation"),
        "{seen:?}"
    );
    assert_eq!(
        answers().json()[0]["others"],
        json!([doctor.address]),
        "shown again"
    );
    // A used code, by those who come later.
    doctor
        .run(["join", text, "--name", "Another"])
        .refused(1, "answered already");

    // Neither side typed an address: a handover goes by the names that they chose.
    let (image, out) = (stage.file("image.dcm"), stage.file("met.handover"));
    let sealed = radiologist.run([
        "radiologist",
        "seal",
        &image,
        "--no-deid",
        "--to",
        "Anna",
        "--out",
        &out,
    ]);
    assert_eq!(sealed.json()["left"]["followers"], json!([node.address]));
    let inbox = patient.run(["patient", "inbox"]).json();
    assert_eq!(inbox[0]["sender"], json!(radiologist.address));
    radiologist
        .run(["invite", "--name", "Anna"])
        .refused(2, "a contact is called `Anna` already");

    // The follower has learned neither words, cards nor names.
    let address = patient.address.trim_start_matches("0x");
    for file in ["mailbox.sqlite", "mailbox.sqlite-wal"] {
        let kept = fs::read(follower.home.join(file)).unwrap_or_default();
        for secret in [
            "pcim-card",
            "pcim-offer",
            "pcim-network",
            "Anna",
            words,
            &text[5..30],
            address,
        ] {
            let secret = secret.as_bytes();
            assert!(!kept.windows(secret.len()).any(|part| part == secret));
        }
    }
    let own = fs::read(radiologist.home.join("invitations.pgp")).unwrap();
    assert!(!own.windows(4).any(|part| part == b"Anna"));
}
