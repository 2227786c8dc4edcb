//! Signed calls at version 1 of the contract, which have an order.

use std::fs;

use serde_json::Value;

use crate::program::{Actor, Run, pcim};
use crate::stage::Stage;

/// Deploys version 1 for the stage's consortium, and has every home named point at it.
fn version_1(stage: &Stage, actors: &[&Actor]) {
    let mut deploy = pcim();
    deploy.args(["--json", "--network", "devnet", "--rpc-url"]);
    deploy.args([stage.chain.url(), "deploy", "--contract-version", "1"]);
    deploy.args(["--consortium", stage.chain.account(1, "address")]);
    deploy.args(["--key-file", &stage.file("key")]);
    deploy.args(["--record-dir", &stage.file("first")]);
    let record = Run::of(&mut deploy).json();
    let contract = record["contract"].as_str().unwrap();
    for actor in actors {
        let path = actor.home.join("config.toml");
        let config = fs::read_to_string(&path).unwrap();
        let lines = config
            .lines()
            .map(|line| match line.starts_with("contract = ") {
                true => format!("contract = {contract:?}\n"),
                false => format!("{line}\n"),
            });
        let changed: String = lines.collect();
        assert!(changed.contains(contract), "{config}");
        fs::write(path, changed).unwrap();
    }
}

fn outcomes(report: &Value) -> Vec<&str> {
    let each = report.as_array().unwrap().iter();
    each.map(|it| it["outcome"].as_str().unwrap_or("none"))
        .collect()
}

#[test]
fn signed_calls_of_version_1_are_sent_in_their_order_and_two_of_one_number_never() {
    let stage = Stage::new();
    let (consortium, radiologist) = (stage.actor("consortium"), stage.actor("radiologist"));
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    version_1(&stage, &[&consortium, &radiologist, &patient, &clinic]);
    consortium
        .run(["consortium", "accredit", &radiologist.address])
        .json();
    let (file, card) = (stage.file("image.dcm"), stage.file("patient.card"));
    let handover = stage.file("first.handover");
    let mut seal = radiologist.command();
    seal.args(["radiologist", "seal", &file, "--no-deid", "--to", &card]);
    let sealed = Run::of(seal.args(["--out", &handover])).json();
    let image = sealed["image"].as_str().unwrap();
    let served = radiologist.serve();
    patient.knows(&served.address);
    patient.run(["patient", "register", &handover]).json();
    drop(served);
    let request = ["requestor", "request", "--patient", &card, "--image", image];
    let mut ask = clinic.command();
    Run::of(ask.args(request).args(["--purpose", "TREAT"])).json();
    let served = clinic.serve();
    patient.knows(&served.address);
    patient.run(["patient", "requests"]).json();

    let calls = stage.file("calls");
    fs::create_dir(&calls).unwrap();
    // Named against their order.
    let (approval, removal) = (stage.file("calls/b.json"), stage.file("calls/a.json"));
    let sign = |what: &str, file: &str, more: &[&str]| {
        let mut command = patient.command();
        command.args(["patient", what, image, &clinic.address]);
        Run::of(command.args(["--sign-only", file]).args(more))
    };
    let signed = sign("approve", &approval, &[]).json();
    assert_eq!(signed["nonce"], 0, "{signed}");
    let next = sign("revoke", &removal, &["--nonce", "1"]).json();
    assert_eq!(next["nonce"], 1, "{next}");
    drop(served);

    // The second alone waits for the first.
    let alone = clinic.run(["relay", &removal]);
    alone.explained(1, "1 of 1 calls were not relayed");
    let why = alone.document()[0]["error"].to_string();
    assert!(why.contains("cannot be done before call 0"), "{why}");
    let done = clinic.run(["relay", &calls]).json();
    assert_eq!(outcomes(&done), ["sent", "sent"]);
    assert_eq!(done[0]["events"][1]["event"], "Approved");
    assert_eq!(done[1]["events"][0]["event"], "UserRemoved");
    let again = clinic.run(["relay", &calls]).json();
    assert_eq!(outcomes(&again), ["found", "found"]);

    // Of two that were signed with one number, the second is lost, and that is said.
    let pair = stage.file("pair");
    fs::create_dir(&pair).unwrap();
    for (name, approvals) in [("pair/one.json", "1"), ("pair/two.json", "2")] {
        let mut command = patient.command();
        command.args(["patient", "limit", image, "--approvals", approvals]);
        let signed = Run::of(command.args(["--sign-only", &stage.file(name)])).json();
        assert_eq!(signed["nonce"], 2, "{signed}");
    }
    let run = clinic.run(["relay", &pair]);
    run.explained(1, "1 of 2 calls were not relayed");
    let report = run.document();
    let mut found = outcomes(&report);
    found.sort_unstable();
    assert_eq!(found, ["sent", "used"]);
}
