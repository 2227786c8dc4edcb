//! Removals until they are final: a reorganisation that takes one back is found, and what was decided since is left alone.

use serde_json::json;

use crate::rpc::{Fault, Proxy, ask};
use crate::stage::Stage;

#[test]
fn a_denial_that_a_reorganisation_takes_back_is_sent_again_and_a_later_approval_stays() {
    let stage = Stage::new();
    let (image, doctor) = (&*stage.known.image, stage.actor("doctor"));
    let url = stage.chain.url();
    let young = Proxy::start(url, Fault::NothingFinal);
    let patient = stage.actor("patient").through(&young.url);
    let status = || {
        let asked = ["requestor", "status", image, "--requestor", &doctor.address];
        patient.run(asked).json()["status"]
            .as_str()
            .unwrap()
            .to_lowercase()
    };
    let moment = || ask(url, "evm_snapshot", json!([]));
    let reorganise = |to| {
        assert_eq!(ask(url, "evm_revert", json!([to])), true);
        ask(url, "anvil_mine", json!(["0x2"]));
    };
    let resumed = || patient.run(["resume"]).json();
    let deny = ["patient", "deny", image, &doctor.address];

    let before = moment();
    assert_eq!(patient.run(deny).json()["final"], false);
    assert_eq!(status(), "denied");
    let seen = resumed();
    assert_eq!(
        (&seen[0]["operation"], &seen[0]["fate"]),
        (&json!("deny"), &json!("not_final"))
    );
    assert_eq!(seen.as_array().unwrap().len(), 1);
    reorganise(before);
    assert_eq!(status(), "requested");
    let again = resumed();
    assert_eq!(again[0]["fate"], "not_final");
    let note = again[0]["note"].as_str().unwrap();
    assert!(note.contains("it was sent again"), "{again}");
    assert_eq!(status(), "denied");

    // Final, it is forgotten.
    let settled = stage.actor("patient").run(["resume"]);
    assert_eq!(settled.json(), json!([]));
    assert_eq!(resumed(), json!([]));
}

#[test]
fn what_she_approved_after_a_lost_denial_is_not_taken_away() {
    let stage = Stage::new();
    let (image, doctor) = (&*stage.known.image, stage.actor("doctor"));
    let url = stage.chain.url();
    let young = Proxy::start(url, Fault::NothingFinal);
    let patient = stage.actor("patient").through(&young.url);
    let before = ask(url, "evm_snapshot", json!([]));
    let deny = ["patient", "deny", image, &doctor.address];
    patient.run(deny).json();
    assert_eq!(ask(url, "evm_revert", json!([before])), true);
    patient
        .run(["patient", "approve", image, &doctor.address])
        .json();
    assert_eq!(patient.run(["resume"]).json(), json!([]));
    let nonce = stage.nonce(&patient);
    let revoked = patient.run(["patient", "revoke", image, &doctor.address]);
    assert_eq!(revoked.json()["final"], false);
    assert_eq!(stage.nonce(&patient), nonce + 1);
    let sure = stage.actor("patient").run(["resume"]);
    assert_eq!(sure.json(), json!([]), "final");
}
