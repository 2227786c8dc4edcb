//! `pcim requestor fetch --receipt`: one transaction for each file, wherever the fetch is cut off.

use std::fs;

use serde_json::json;

use crate::interrupted::{count, kill};
use crate::program::Actor;
use crate::rpc::Fault;
use crate::stage::{IMAGE, Stage};

/// A clinic that is approved, and the patient's node.
fn scene() -> (Stage, Actor, crate::program::Serving, String) {
    let stage = Stage::new();
    let clinic = stage.actor("clinic");
    let served = stage.actor("patient").serve();
    clinic.knows(&served.address);
    let out = stage.results().join("image.dcm");
    let out = out.to_str().unwrap().to_owned();
    (stage, clinic, served, out)
}

fn traces(stage: &Stage) -> usize {
    let image = &*stage.known.image;
    let who = stage.actor("clinic").address;
    let patient = stage.actor("patient");
    let audit = patient.run(["audit", "--image", image]).json();
    count(&audit["entries"], "AuthorizationSuccess", image, Some(&who))
}

#[test]
fn a_receipt_is_one_trace_by_the_requestor() {
    let (stage, clinic, _served, out) = scene();
    let image = &*stage.known.image;
    let before = stage.nonce(&clinic);
    clinic
        .run(["requestor", "fetch", image, "--out", &out])
        .json();
    assert_eq!(stage.nonce(&clinic), before, "no receipt was asked for");
    let fetch = ["requestor", "fetch", image, "--out", &out, "--receipt"];
    clinic.run(fetch).refused(1, "exists");
    assert_eq!(stage.nonce(&clinic), before, "nothing was fetched");

    let again = [
        "requestor",
        "fetch",
        image,
        "--out",
        &out,
        "--receipt",
        "--force",
    ];
    let fetched = clinic.run(again).json();
    assert_eq!(fetched["receipt"]["resumed"], false);
    let event = &fetched["receipt"]["events"][0];
    assert_eq!(event["event"], "AuthorizationSuccess");
    assert_eq!(
        event["requester"].as_str().unwrap().to_lowercase(),
        clinic.address.to_lowercase()
    );
    assert_eq!(fs::read(&out).unwrap(), IMAGE);
    assert_eq!((stage.nonce(&clinic), traces(&stage)), (before + 1, 1));
    clinic.run(again).json();
    assert_eq!((stage.nonce(&clinic), traces(&stage)), (before + 2, 2));
    assert_eq!(clinic.run(["resume"]).json(), json!([]));

    let patient = stage.actor("patient");
    patient
        .run(["patient", "revoke", image, &clinic.address])
        .json();
    clinic
        .run(again)
        .refused(4, "the patient removed the access");
    assert_eq!(
        stage.nonce(&clinic),
        before + 2,
        "a refusal needs no receipt"
    );
}

#[test]
fn a_fetch_that_is_cut_off_and_given_again_has_one_receipt() {
    let unsent = Fault::LoseRequest("eth_sendRawTransaction");
    let sent = Fault::LoseAnswer("eth_sendRawTransaction");
    for (fault, reached) in [(unsent, 0), (sent, 1)] {
        let (stage, clinic, _served, out) = scene();
        let fetch = [
            "requestor",
            "fetch",
            &stage.known.image,
            "--out",
            &out,
            "--receipt",
        ];
        let before = stage.nonce(&clinic);
        assert_eq!(kill(&stage, &clinic, fetch, fault), reached, "{fault:?}");
        assert!(!fs::exists(&out).unwrap(), "no file without its receipt");
        let fetched = clinic.run(fetch).json();
        assert_eq!(fetched["receipt"]["resumed"], true, "{fault:?}");
        assert_eq!(fs::read(&out).unwrap(), IMAGE);
        // What is left of the first try is its half-written file, not a second receipt.
        let resumed = clinic.run(["resume"]).json();
        let left = resumed.as_array().unwrap().iter();
        assert!(
            left.clone().all(|it| it["operation"] == "open"),
            "{resumed}"
        );
        assert_eq!(
            (stage.nonce(&clinic), traces(&stage)),
            (before + 1, 1),
            "{fault:?}"
        );
    }
}

#[test]
fn an_old_receipt_does_not_stand_for_a_new_fetch() {
    let (stage, clinic, _served, out) = scene();
    let fetch = [
        "requestor",
        "fetch",
        &stage.known.image,
        "--out",
        &out,
        "--receipt",
    ];
    let before = stage.nonce(&clinic);
    let lost = Fault::LoseAnswer("eth_sendRawTransaction");
    assert_eq!(kill(&stage, &clinic, fetch, lost), 1);
    stage.pass(2 * 24 * 3600);
    assert_eq!(clinic.run(fetch).json()["receipt"]["resumed"], false);
    assert_eq!((stage.nonce(&clinic), traces(&stage)), (before + 2, 2));

    let (stage, clinic, _served, out) = scene();
    let fetch = [
        "requestor",
        "fetch",
        &stage.known.image,
        "--out",
        &out,
        "--receipt",
    ];
    let unsent = Fault::LoseRequest("eth_sendRawTransaction");
    assert_eq!(kill(&stage, &clinic, fetch, unsent), 0);
    let resumed = clinic.run(["resume"]).json();
    // The file under way is deleted, and the receipt of what was opened is sent.
    let fates: Vec<_> = resumed.as_array().unwrap().iter().collect();
    let receipt = fates
        .iter()
        .find(|it| it["operation"] == "receipt")
        .unwrap();
    assert_eq!(receipt["fate"], "finished", "{resumed}");
    assert_eq!(traces(&stage), 1);
    assert_eq!(clinic.run(["resume"]).json(), json!([]));
}
