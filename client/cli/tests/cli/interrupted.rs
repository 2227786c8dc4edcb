//! `kill -9` at the worst moments of a write, and the same command again.

use std::process::Stdio;

use serde_json::Value;

use crate::program::{Actor, Process};
use crate::rpc::{Fault, Proxy};
use crate::stage::{IMAGE, Stage};

/// Killed when the transaction is neither signed nor recorded.
const BEFORE: Fault = Fault::LoseRequest("eth_estimateGas");
/// Killed when it is recorded, and the chain does not have it.
const UNSENT: Fault = Fault::LoseRequest("eth_sendRawTransaction");
/// Killed when the chain has it, and the sender does not know.
const SENT: Fault = Fault::LoseAnswer("eth_sendRawTransaction");

/// Kills a command at the fault; tells how many transactions it got to the chain.
pub(crate) fn kill<const N: usize>(
    stage: &Stage,
    actor: &Actor,
    args: [&str; N],
    fault: Fault,
) -> u64 {
    let before = stage.nonce(actor);
    let proxy = Proxy::start(stage.chain.url(), fault);
    let mut command = actor.through(&proxy.url).command();
    command
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = Process(command.spawn().unwrap());
    proxy.wait();
    drop(process);
    stage.nonce(actor) - before
}

/// How often an event of this name about this image and requestor is on the chain.
pub(crate) fn count(audit: &Value, name: &str, image: &str, requestor: Option<&str>) -> usize {
    let events = audit.as_array().unwrap().iter();
    events
        .filter(|event| {
            let text = event.to_string().to_lowercase();
            event.to_string().contains(&format!("\"{name}\""))
                && text.contains(&image.to_lowercase())
                && requestor.is_none_or(|it| {
                    let found = event["requester"].as_str();
                    found.is_some_and(|found| found.eq_ignore_ascii_case(it))
                })
        })
        .count()
}

#[test]
fn an_approval_is_sent_once() {
    for (fault, sent) in [(BEFORE, 0), (UNSENT, 0), (SENT, 1)] {
        let stage = Stage::new();
        let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
        let image = &*stage.known.image;
        let before = stage.nonce(&patient);
        let approve = ["patient", "approve", image, &doctor.address];
        assert_eq!(kill(&stage, &patient, approve, fault), sent, "{fault:?}");

        let approved = patient.run(approve).json();
        let recorded = fault != BEFORE;
        assert_eq!(approved["resumed"], recorded, "{fault:?}");
        assert_eq!(stage.nonce(&patient), before + 1, "{fault:?}");
        patient
            .run(approve)
            .refused(1, "is authorized to open image");
        assert_eq!(stage.nonce(&patient), before + 1, "{fault:?}");
        let audit = patient.run(["patient", "audit", image]).json()["entries"].clone();
        assert_eq!(count(&audit, "Approved", image, Some(&doctor.address)), 1);

        // What the chain names is what the patient's node serves.
        let out = stage.results().join("image.dcm");
        let served = patient.serve();
        doctor.knows(&served.address);
        let fetch = ["requestor", "fetch", image, "--out", out.to_str().unwrap()];
        doctor.run(fetch).json();
        assert_eq!(std::fs::read(out).unwrap(), IMAGE, "{fault:?}");
    }
}

#[test]
fn a_registration_is_sent_once() {
    for (fault, sent) in [(UNSENT, 0), (SENT, 1)] {
        let stage = Stage::new();
        let patient = stage.actor("patient");
        let radiologist = stage.actor("radiologist").serve();
        patient.knows(&radiologist.address);
        let image = &*stage.known.fresh;
        let before = stage.nonce(&patient);
        let handover = stage.file("fresh.handover");
        let register = ["patient", "register", &handover];
        assert_eq!(kill(&stage, &patient, register, fault), sent, "{fault:?}");

        // Whoever has the image does not need the radiologist again.
        drop(radiologist);
        let registered = patient.run(register).json();
        assert_eq!(registered["resumed"], true, "{fault:?}");
        assert_eq!(registered["image"], image);
        assert_eq!(stage.nonce(&patient), before + 1, "{fault:?}");
        patient.run(register).refused(1, "is already registered");
        assert_eq!(stage.nonce(&patient), before + 1, "{fault:?}");
        let audit = patient.run(["patient", "audit", image]).json()["entries"].clone();
        assert_eq!(count(&audit, "ContractCreated", image, None), 1);
        let out = stage.results().join("image.dcm");
        patient
            .run(["patient", "open", image, "--out", out.to_str().unwrap()])
            .json();
        assert_eq!(std::fs::read(out).unwrap(), IMAGE, "{fault:?}");
    }
}

#[test]
fn a_request_is_sent_once() {
    let stage = Stage::new();
    let hospital = stage.actor("radiologist");
    let before = stage.nonce(&hospital);
    let (card, image) = (stage.file("patient.card"), &*stage.known.image);
    let request = [
        "requestor",
        "request",
        "--patient",
        &card,
        "--image",
        image,
        "--purpose",
        "TREAT",
    ];
    assert_eq!(kill(&stage, &hospital, request, SENT), 1);
    assert_eq!(hospital.run(request).json()["resumed"], true);
    assert_eq!(stage.nonce(&hospital), before + 1);
    let audit = stage
        .actor("patient")
        .run(["patient", "audit", image])
        .json()["entries"]
        .clone();
    assert_eq!(
        count(
            &audit,
            "RequestedForApproval",
            image,
            Some(&hospital.address)
        ),
        1
    );
}
