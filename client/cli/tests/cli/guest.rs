//! Links for guests: shared by a patient, opened by one who has no home.

use std::fs;

use serde_json::{Value, json};

use crate::network::signed;
use crate::program::{Run, pcim, write_secret};
use crate::stage::Stage;

/// `pcim visit` of someone who has nothing but the link and the PIN.
fn visit(stage: &Stage, link: &str, pin: &str, out: &str) -> Run {
    let file = stage.file("pin");
    write_secret(&file, pin);
    let mut command = pcim();
    command
        .env("HOME", stage.dir())
        .args(["--json", "visit", link, "--pin-file", &file, "--out"])
        .arg(stage.file(out));
    Run::of(&mut command)
}

#[test]
fn a_guest_opens_an_image_by_a_link_and_a_pin_until_it_ends() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let image = &*stage.known.image;
    let share = |name: &str, expires: &str| {
        patient.run([
            "patient",
            "share",
            image,
            "--guest",
            name,
            "--expires",
            expires,
        ])
    };
    share("Dr Ito", "7d").refused(1, "this home has joined no network");
    let file = signed(&stage, "guests.network", |_| {});
    patient.run(["network", "join", &file]).json();
    assert_eq!(patient.run(["patient", "guests"]).json(), json!([]));

    let served = patient.serve();
    let before = stage.nonce(&patient);
    let run = share("Dr Ito", "7d");
    assert!(run.stderr.contains("no address at which others"), "{run:?}");
    let shared = run.json();
    assert_eq!(stage.nonce(&patient), before + 2, "two calls");
    let text = |field: &str| shared[field].as_str().unwrap().to_owned();
    let (link, pin, account) = (text("link"), text("pin"), text("account"));
    assert!(link.contains(&served.address), "{link}");

    // Half of the key is the link's, and stands nowhere in the home.
    let half = hex::decode(link.rsplit('#').next().unwrap()).unwrap();
    for name in ["guests.sqlite", "guests.sqlite-wal", "journal.sqlite-wal"] {
        let kept = fs::read(patient.home.join(name)).unwrap_or_default();
        assert!(!kept.windows(32).any(|part| part == half), "{name}");
    }
    let opened = visit(&stage, &link, &pin, "seen.dcm").json();
    assert_eq!(
        fs::read(stage.file("seen.dcm")).unwrap(),
        crate::stage::IMAGE
    );
    assert_eq!(
        opened["radiologist"],
        json!(stage.actor("radiologist").address)
    );
    // In a file, and again; the same name is not written twice.
    fs::write(stage.file("link"), &link).unwrap();
    visit(&stage, &stage.file("link"), &pin, "again.dcm").json();
    visit(&stage, &link, &pin, "again.dcm").refused(1, "exists already");
    let listed = patient.run(["patient", "guests"]).json();
    let row = &listed[0];
    assert_eq!(
        (&row["called"], &row["account"]),
        (&json!("Dr Ito"), &json!(account))
    );
    assert_eq!((&row["opened"], &row["tries"]), (&json!(3), &json!(5)));

    // A wrong PIN is said and counted, over a restart of the node; then nothing opens it any more.
    let second = share("Dr No", "1d").json();
    let other = second["link"].as_str().unwrap();
    let wrong = match second["pin"] == "000000" {
        true => "000001",
        false => "000000",
    };
    visit(&stage, other, wrong, "no.dcm").refused(1, "the PIN is wrong; 4 tries are left");
    visit(&stage, other, &pin[..5], "no.dcm").refused(1, "a PIN has 6 digits");
    visit(&stage, &link.replace('#', "#00"), &pin, "no.dcm").refused(1, "not a link for a guest");
    visit(
        &stage,
        &format!("{}{}", &link[..link.len() - 64], "11".repeat(32)),
        &pin,
        "no.dcm",
    )
    .refused(1, "does not belong to this link");
    drop(served);
    visit(&stage, other, wrong, "no.dcm").refused(1, "the host's node does not answer");
    let port = link
        .split("/tcp/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    patient.run(["config", "set", "listen", &listen]).json();
    let served = patient.serve();
    assert!(link.contains(&served.address), "{link}");
    for left in [3, 2, 1] {
        visit(&stage, other, wrong, "no.dcm").refused(1, &format!("{left} tries are left"));
    }
    visit(&stage, other, wrong, "no.dcm").refused(1, "wrong too often");
    let right = second["pin"].as_str().unwrap();
    visit(&stage, other, right, "no.dcm").refused(1, "wrong too often");

    // Revoked and expired are said; nothing is written.
    patient.run(["patient", "revoke", image, &account]).json();
    visit(&stage, &link, &pin, "no.dcm").refused(1, "the access was revoked");
    let third = share("Dr Late", "1h").json();
    let text = |field: &str| third[field].as_str().unwrap().to_owned();
    visit(&stage, &text("link"), &text("pin"), "late.dcm").json();
    stage.pass(3_700);
    visit(&stage, &text("link"), &text("pin"), "no.dcm").refused(1, "the link expired at");
    assert!(!fs::exists(stage.file("no.dcm")).unwrap());
    let mut plain = pcim();
    plain
        .arg("--home")
        .arg(&patient.home)
        .args(["patient", "guests"]);
    let listed = Run::of(&mut plain).stdout;
    assert!(
        listed.contains("Dr Late\n") && listed.contains("opened     1 times"),
        "{listed}"
    );
    let requests: Value = patient.run(["patient", "requests"]).json();
    assert!(!requests.to_string().contains(&account), "{requests}");
}
