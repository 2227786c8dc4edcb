//! Mail: a handover goes from a radiologist to a patient by a follower, which learns neither.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::network::signed;
use crate::program::{Actor, Run, pcim};
use crate::stage::Stage;

/// Joins every actor to a network whose follower is at `address`.
pub(crate) fn join(stage: &Stage, address: &str, actors: &[&Actor]) {
    let file = signed(stage, "mail.network", |file| {
        file.followers = vec![address.to_owned()];
    });
    for actor in actors {
        actor.run(["network", "join", &file]).json();
    }
}

/// Says whether a file below a folder has these bytes in it.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, bytes),
            false => {
                fs::read(&path).is_ok_and(|all| all.windows(bytes.len()).any(|part| part == bytes))
            }
        }
    })
}

#[test]
fn a_handover_goes_by_a_follower_and_is_registered_by_the_senders_name() {
    let stage = Stage::new();
    let actors = ["radiologist", "patient", "doctor", "clinic"].map(|name| stage.actor(name));
    let [radiologist, patient, doctor, follower] = &actors;
    let node = follower.serve_with(&["--follow-chain"]);
    let card = |actor: &Actor, name: &str| {
        let path = stage.file(name);
        let run = actor.run(["card", "--out", &path]);
        assert!(!run.stderr.contains("token"), "{run:?}");
        run.json();
        path
    };
    // The radiologist's card has dates. The follower is shown the patient's token with her card, and hears nothing of him.
    let from = card(radiologist, "hospital.card");
    join(&stage, &node.address, &[radiologist, patient, doctor]);
    let to = card(patient, "new.card");
    let shown = patient.run(["card", "show", &from]).json();
    let dates = ["issued_at", "expires_at"].map(|field| shown[field].as_u64().unwrap());
    assert_eq!(dates[1] - dates[0], 730 * 86_400);
    patient
        .run(["card", "add", &from, "--name", "Hospital"])
        .json();
    let empty = patient.run(["patient", "inbox"]);
    assert_eq!(empty.json(), json!([]));

    let seal = |out: &str| {
        let (image, out) = (stage.file("image.dcm"), stage.file(out));
        radiologist.run([
            "radiologist",
            "seal",
            &image,
            "--no-deid",
            "--to",
            &to,
            "--out",
            &out,
        ])
    };
    let sealed = seal("one.handover").json();
    assert_eq!(sealed["left"]["followers"], json!([node.address]));
    let image = sealed["image"].as_str().unwrap().to_owned();
    let listed = |image: &str| {
        let all = radiologist.run(["radiologist", "list"]).json();
        let all = all.as_array().unwrap().clone();
        all.into_iter().find(|one| one["image"] == image).unwrap()
    };
    assert_eq!(listed(&image)["fetched"]["state"], "waits");
    assert_eq!(listed(&image)["registered_at"], Value::Null);
    // The story's first image was registered before there was a follower.
    let first = listed(&stage.known.image);
    assert_eq!(
        (&first["left_at"], first["registered_at"].is_u64()),
        (&Value::Null, true)
    );
    // The follower learns neither card nor handover: not from what it has, and it is sent no more than that.
    let address = radiologist.address.trim_start_matches("0x").to_lowercase();
    let raw: Vec<u8> = (0..40)
        .step_by(2)
        .map(|at| u8::from_str_radix(&address[at..at + 2], 16).unwrap())
        .collect();
    let handover = fs::read(stage.file("one.handover")).unwrap();
    for path in ["mailbox.sqlite", "mailbox.sqlite-wal"].map(|name| follower.home.join(name)) {
        let kept = fs::read(&path).unwrap_or_default();
        for secret in [
            &raw[..],
            address.as_bytes(),
            &handover[60..120],
            b"pcim-card",
            b"Hospital",
        ] {
            assert!(
                !kept.windows(secret.len()).any(|part| part == secret),
                "{}",
                path.display()
            );
        }
    }
    assert!(follower.home.join("mailbox.sqlite").exists());

    // Another's inbox does not show it; hers does, verified, with the sender's standing.
    assert_eq!(doctor.run(["patient", "inbox"]).json(), json!([]));
    let inbox = patient.run(["patient", "inbox"]).json();
    let letter = &inbox[0];
    assert_eq!(
        (&letter["image"], &letter["sender"]),
        (&json!(image), &json!(radiologist.address))
    );
    let standing = (
        &letter["accredited"],
        &letter["registered"],
        &letter["problem"],
    );
    assert_eq!(
        standing,
        (&json!(true), &json!(false), &Value::Null),
        "{inbox}"
    );
    assert_eq!(listed(&image)["fetched"]["state"], "yes");
    let mut plain = pcim();
    plain
        .env("PCIM_PASSPHRASE_FILE", &patient.passphrase)
        .arg("--home")
        .arg(&patient.home)
        .args(["patient", "inbox", "--offline"]);
    let text = Run::of(&mut plain).stdout;
    assert!(
        text.contains("  Hospital\n") && text.contains("signed by an accredited radiologist"),
        "{text}"
    );

    // Two letters of one sender: the name is not enough, an id is.
    let second = seal("two.handover").json()["image"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        patient
            .run(["patient", "inbox"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let served = radiologist.serve();
    patient.knows(&served.address);
    patient
        .run(["patient", "register", "hospital"])
        .refused(2, "several letters are meant");
    patient
        .run(["patient", "register", "nobody"])
        .refused(2, "neither a file nor a letter");
    let id = letter["id"].as_str().unwrap();
    let done = patient.run(["patient", "register", &id[..12]]).json();
    assert_eq!(done["image"], json!(image));
    let done = patient.run(["patient", "register", "hospital"]).json();
    assert_eq!(done["image"], json!(second));
    assert_eq!(patient.run(["patient", "inbox"]).json(), json!([]));
    assert!(listed(&image)["registered_at"].is_u64());
    drop(served);

    // Left again, it is shown as registered, and dropped.
    let again = ["radiologist", "send", &image, "--to", &to];
    radiologist.run(again).json();
    let other = stage.file("doctor.card");
    radiologist
        .run(["radiologist", "send", &image, "--to", &other])
        .refused(1, "and the card is of");
    let inbox = patient.run(["patient", "inbox"]).json();
    assert_eq!(inbox[0]["registered"], true);
    let id = inbox[0]["id"].as_str().unwrap();
    patient.run(["patient", "inbox", "drop", id]).json();
    assert_eq!(
        patient.run(["patient", "inbox", "--offline"]).json(),
        json!([])
    );

    // A document that was left outlives a kill of the follower; while it is away, the file is there all the same.
    radiologist.run(again).json();
    drop(node);
    let alone = seal("three.handover");
    assert!(
        alone.stderr.contains("the handover is only in its file"),
        "{alone:?}"
    );
    assert_eq!(alone.json()["left"], Value::Null);
    assert!(Path::new(&stage.file("three.handover")).exists());
    let silent = patient.run(["patient", "inbox"]);
    assert!(silent.stderr.contains("note: not fetched"), "{silent:?}");
    let node = follower.serve_with(&["--follow-chain"]);
    join(&stage, &node.address, &[patient]);
    let inbox: Run = patient.run(["patient", "inbox"]);
    assert_eq!(inbox.json()[0]["image"], json!(image), "{inbox:?}");
    // A follower without a mailbox says so.
    drop(node);
    let node = follower.serve_with(&["--follow-chain", "--no-mailbox"]);
    join(&stage, &node.address, &[patient]);
    let none = patient.run(["patient", "inbox"]);
    assert!(none.stderr.contains("no answer from a mailbox"), "{none:?}");
    assert!(!holds(&patient.home.join("inbox"), b"pcim-handover"));
}
