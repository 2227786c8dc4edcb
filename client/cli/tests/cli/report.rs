//! `pcim report`: whom the reports name, in which forms, and how fresh they are.

use std::fs;

use crate::program::{Run, pcim};
use crate::stage::Stage;

#[test]
fn reports_name_whom_the_home_has_a_card_of() {
    let stage = Stage::new();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let image = &*stage.known.image;
    let contacts = patient.home.join("contacts");
    fs::create_dir(&contacts).unwrap();
    let card = contacts.join("North Clinic.card");
    clinic.run(["card", "--out", card.to_str().unwrap()]).json();
    fs::write(contacts.join("Forged.card"), "{}").unwrap();
    let run = Run::of(patient.command().args(["report", "consent"]));
    assert!(
        run.stderr.contains("no name is taken from a card"),
        "{run:?}"
    );
    let bundle = run.document();
    let consents = bundle["entry"].as_array().unwrap();
    assert_eq!(consents.len(), 2);
    let of = |status: &str| {
        let mut found = consents
            .iter()
            .map(|it| &it["resource"])
            .filter(|it| it["status"] == status);
        found.next().unwrap()["provision"][0]["actor"][0]["reference"].clone()
    };
    assert_eq!(of("active")["display"], "North Clinic");
    assert!(of("draft").get("display").is_none());
    fs::remove_file(contacts.join("Forged.card")).unwrap();
    let events = patient.run(["report", "fhir", "--image", image]).json();
    assert_eq!(
        events["entry"].as_array().unwrap().len(),
        5,
        "registered, asked twice, accepted, approved"
    );
    let page = stage.file("page.html");
    patient
        .run(["report", "disclosures", "--html", "--out", &page])
        .refused(2, "cannot be used with");
    // Without --json, which asks for another form.
    let text = |args: &[&str]| {
        let mut plain = pcim();
        plain
            .arg("--home")
            .arg(&patient.home)
            .args(["--rpc-url", &patient.rpc_url, "report"])
            .args(args);
        Run::of(&mut plain)
    };
    let html = text(&["disclosures", "--html"]);
    assert!(
        html.stdout.contains("North Clinic (0x") && html.stdout.contains("treatment (TREAT)"),
        "{html:?}"
    );
    assert!(html.stdout.starts_with("<!DOCTYPE html>"));
    let csv = text(&["ehds", "--csv"]);
    assert_eq!(csv.stdout.lines().count(), 2, "{csv:?}");
    assert!(csv.stdout.starts_with("\"Who\",\"When\",\"What\""));
    let plain = text(&["ehds"]);
    assert!(
        plain
            .stdout
            .contains("could access from then on (approved)"),
        "{plain:?}"
    );
    // Another's home tells what names it.
    let other = clinic.run(["report", "ehds"]).json();
    assert_eq!(other["rows"].as_array().unwrap().len(), 1);
    // When the chain is away, what was read last.
    let mut away = patient.through("http://127.0.0.1:1").command();
    let stale = Run::of(away.args(["report", "ehds"]));
    assert!(
        stale
            .stderr
            .contains("the chain does not answer; as of block"),
        "{stale:?}"
    );
    assert_eq!(stale.document()["rows"].as_array().unwrap().len(), 1);
}
