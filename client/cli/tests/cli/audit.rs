//! `pcim audit` and `pcim search`: what each actor is shown, with the chain and without it.

use std::fs;

use serde_json::Value;

use crate::program::{Actor, Run};
use crate::stage::Stage;

/// The command's text.
fn text(actor: &Actor, args: &[&str]) -> Run {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcim"));
    command
        .env("PCIM_PASSPHRASE_FILE", &actor.passphrase)
        .arg("--home")
        .arg(&actor.home)
        .args(["--rpc-url", &actor.rpc_url])
        .args(args);
    Run::of(&mut command)
}

fn names(report: &Value) -> Vec<&str> {
    let entries = report["entries"].as_array().unwrap().iter();
    entries.map(|it| it["event"].as_str().unwrap()).collect()
}

#[test]
fn every_actor_is_shown_what_concerns_him_and_it_is_what_the_contract_says() {
    let stage = Stage::new();
    let image = stage.known.image.as_str();
    let (patient, doctor, clinic) = (
        stage.actor("patient"),
        stage.actor("doctor"),
        stage.actor("clinic"),
    );
    let report = patient.run(["audit"]).json();
    assert!(report["checked"] == true && report["differences"] == serde_json::json!([]));
    let all = names(&report);
    for name in ["ContractCreated", "RequestedForApproval", "Approved"] {
        assert!(all.contains(&name), "{all:?}");
    }
    assert!(!all.contains(&"RadiologistAccredited"), "{all:?}");
    let everything = patient.run(["audit", "--all"]).json();
    assert!(names(&everything).contains(&"RadiologistAccredited"));
    // The doctor waits: what the clinic was given does not concern him.
    let report = doctor.run(["audit"]).json();
    assert_eq!(names(&report), ["RequestedForApproval"]);
    let mine = doctor.run(["audit", "--mine"]).json();
    assert_eq!(mine["mine"][0]["standing"], "requested");
    let mine = clinic.run(["audit", "--mine"]).json();
    assert_eq!(mine["mine"][0]["standing"], "approved");
    let who = patient.run(["audit", "--who"]).json();
    assert_eq!(who["who"].as_array().unwrap().len(), 1);
    assert_eq!(
        who["who"][0]["requester"].as_str().unwrap().to_lowercase(),
        clinic.address.to_lowercase()
    );

    // Filters, and the same without the chain.
    let some = [
        "audit",
        "--event",
        "approved",
        "--requester",
        &clinic.address,
    ];
    assert_eq!(names(&patient.run(some).json()), ["Approved"]);
    let open = patient.run(["audit", "--status", "requested"]).json();
    assert_eq!(names(&open), ["RequestedForApproval"]);
    let none = patient.run(["audit", "--to", "2001-01-01"]).json();
    assert!(names(&none).is_empty());
    let online = patient.run(["audit", "--image", image]).json();
    let away = patient.through("http://127.0.0.1:1");
    let offline = away.run(["audit", "--offline", "--image", image]).json();
    assert_eq!(offline["entries"], online["entries"]);
    assert_eq!(offline["checked"], false);
    assert_eq!(offline["freshness"]["block"], online["freshness"]["block"]);
    let shown = text(&away, &["audit", "--offline"]);
    assert!(shown.stdout.contains("offline: not compared"), "{shown:?}");
    assert_eq!(away.run(["audit"]).code, Some(1));
    let bad = patient.run(["audit", "--from", "yesterday"]);
    assert_eq!(bad.code, Some(2), "{bad:?}");

    // A second provider that tells the same.
    let url = stage.chain.url();
    let compared = patient.run(["audit", "--compare-rpc-url", url]).json();
    assert!(compared["compared"]["logs"].as_u64().unwrap() >= 5);

    for args in [&["audit"][..], &["audit", "--who"], &["audit", "--all"]] {
        let shown = text(&patient, args);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let longest = shown.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest.unwrap() <= 100, "{}", shown.stdout);
        assert!(shown.stdout.contains("as of block"), "{shown:?}");
    }
}

#[test]
fn words_on_the_chain_cannot_steer_a_terminal_and_damage_is_told() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let image = stage.known.image.as_str();
    let hostile = "\u{1b}[2J\u{202e}<script>\r\nfake line\u{7}";
    let deny = [
        "patient",
        "deny",
        image,
        &doctor.address,
        "--reason",
        hostile,
    ];
    patient.run(deny).json();
    let shown = text(&patient, &["audit"]);
    assert!(
        shown
            .stdout
            .contains(r"\u{1b}[2J\u{202e}<script>\r\nfake line\u{7}"),
        "{shown:?}"
    );
    assert!(!shown.stdout.contains('\u{1b}') && !shown.stdout.contains('\u{202e}'));

    let file = fs::read_dir(&patient.home)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("audit-") && name.ends_with(".sqlite")
        })
        .unwrap();
    fs::write(&file, "something else entirely, and long enough").unwrap();
    let again = text(&patient, &["audit"]);
    assert!(
        again.stderr.contains("damaged") && again.code == Some(0),
        "{again:?}"
    );
    let timeline = |run: &Run| {
        let lines: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
        lines
            .into_iter()
            .filter(|line| !line.starts_with("as of"))
            .collect::<Vec<_>>()
    };
    assert_eq!(timeline(&again), timeline(&shown));
}

#[test]
fn images_are_found_by_what_the_chain_and_the_notes_say() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let image = stage.known.image.as_str();
    let found = |run: Run| -> Vec<String> {
        let found = run.json();
        let images = found.as_array().unwrap().iter();
        images
            .map(|it| it["image"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(found(patient.run(["search"])), [image]);
    assert!(found(patient.run(["search", "left knee"])).is_empty());
    let words = "Left KNEE after the fall, Dr. Grün\u{1b}[31m";
    patient.run(["patient", "note", image, words]).json();
    for args in [["search", "left knee"], ["search", "grün"]] {
        assert_eq!(found(patient.run(args)), [image]);
    }
    assert!(found(patient.run(["search", "knee", "--modality", "ZZ"])).is_empty());
    assert!(found(patient.run(["search", "knee", "--no-notes"])).is_empty());
    assert!(found(patient.run(["search", "--to", "2001-01-01"])).is_empty());
    let clinic = stage.actor("clinic").address;
    assert_eq!(
        found(patient.run(["search", "--requester", &clinic])),
        [image]
    );
    assert_eq!(found(patient.run(["search", "--offline"])), [image]);
    let shown = text(&patient, &["search", "knee"]);
    assert!(
        shown.stdout.contains("Left KNEE") && !shown.stdout.contains('\u{1b}'),
        "{shown:?}"
    );

    // Nothing of it lies there in clear.
    for entry in fs::read_dir(&patient.home).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            assert!(
                !bytes.windows(4).any(|four| four == b"KNEE"),
                "{}",
                path.display()
            );
        }
    }
}
