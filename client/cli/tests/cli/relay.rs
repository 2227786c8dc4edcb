//! Calls that are signed in one home and sent from another; many approvals at once.

use std::fs;

use serde_json::{Value, json};

use crate::program::{Actor, Run};
use crate::repo;
use crate::rpc::ask;
use crate::stage::Stage;

/// A stage on which the patient owns nothing.
fn without_ether() -> Stage {
    let stage = Stage::new();
    let patient = stage.actor("patient").address;
    ask(
        stage.chain.url(),
        "anvil_setBalance",
        json!([patient, "0x0"]),
    );
    stage
}

fn balance(stage: &Stage) -> Value {
    let patient = stage.actor("patient").address;
    ask(
        stage.chain.url(),
        "eth_getBalance",
        json!([patient, "latest"]),
    )
}

/// What became of each file, in the order of the report.
fn outcomes(report: &Value) -> Vec<&str> {
    let each = report.as_array().unwrap().iter();
    each.map(|it| it["outcome"].as_str().unwrap_or("none"))
        .collect()
}

#[test]
fn a_patient_without_ether_registers_approves_and_removes() {
    let stage = without_ether();
    let (patient, clinic, doctor) = (
        stage.actor("patient"),
        stage.actor("clinic"),
        stage.actor("doctor"),
    );
    let image = &*stage.known.image;
    let before = stage.nonce(&patient);
    patient
        .run(["patient", "approve", image, &doctor.address])
        .refused(1, "has 0 wei");

    let calls = stage.file("calls");
    fs::create_dir(&calls).unwrap();
    let (first, second) = (stage.file("calls/b.json"), stage.file("calls/a.json"));
    let handover = stage.file("fresh.handover");
    let served = stage.actor("radiologist").serve();
    patient.knows(&served.address);
    let sign = ["patient", "register", &handover, "--sign-only", &first];
    let signed = patient.run(sign).json();
    drop(served);
    assert_eq!(signed["function"], "create_contract");
    assert!(
        signed["nonce"].as_str().unwrap().starts_with("0x"),
        "{signed}"
    );
    let written: Value = serde_json::from_slice(&fs::read(&first).unwrap()).unwrap();
    assert_eq!(written["signature"], signed["signature"]);
    patient.run(sign).refused(1, "exists already");
    let sign = [
        "patient",
        "approve",
        image,
        &doctor.address,
        "--sign-only",
        &second,
    ];
    let [a, b, c, d, e, f] = sign;
    patient
        .run([a, b, c, d, e, f, "--nonce", "1"])
        .refused(1, "they have no order");
    let other = patient.run(sign).json();
    assert_ne!(other["nonce"], signed["nonce"]);
    let listed = patient.run(["signed", "list"]).json();
    let fates: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["fate"])
        .collect();
    assert_eq!(fates, ["open", "open"]);

    // Of a directory, the order is that of the numbers.
    let paid = stage.nonce(&clinic);
    let done = clinic.run(["relay", &calls]).json();
    assert_eq!(outcomes(&done), ["sent", "sent"]);
    assert_eq!(done[0]["events"][0]["event"], "ContractCreated");
    assert_eq!(done[1]["events"][1]["event"], "Approved");
    assert_eq!(stage.nonce(&clinic), paid + 2);
    let again = clinic.run(["relay", &calls]).json();
    assert_eq!(outcomes(&again), ["found", "found"]);
    assert_eq!(again[1]["tx"], done[1]["tx"]);
    assert_eq!(stage.nonce(&clinic), paid + 2, "nothing is sent twice");

    assert_eq!(
        patient
            .run(["patient", "images"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // What was shared before it was relayed is there to be fetched.
    let served = patient.serve();
    doctor.knows(&served.address);
    let out = stage.file("opened.dcm");
    doctor
        .run(["requestor", "fetch", image, "--out", &out])
        .json();
    drop(served);

    let third = stage.file("revoke.json");
    let sign = [
        "patient",
        "revoke",
        image,
        &doctor.address,
        "--sign-only",
        &third,
    ];
    patient.run(sign).json();
    // The reader's header stays while the removal may still be sent, and goes when it was.
    let shared = done[1]["events"][1]["shared_image"].as_str().unwrap();
    patient.run(["resume"]).explained(1, "not on the chain yet");
    assert!(repo::blocks(&patient.home).contains(shared));
    let done = clinic.run(["relay", &third]).json();
    assert_eq!(done[0]["events"][0]["event"], "UserRemoved");
    let resumed = patient.run(["resume"]).json();
    assert_eq!(
        (&resumed[0]["operation"], &resumed[0]["fate"]),
        (&json!("removal"), &json!("finished"))
    );
    assert!(!repo::blocks(&patient.home).contains(shared));
    assert_eq!(patient.run(["resume"]).json(), json!([]));
    let status = doctor.run(["requestor", "status", image]).json();
    assert_eq!(status["status"], "removed");
    assert_eq!(
        (stage.nonce(&patient), balance(&stage)),
        (before, json!("0x0"))
    );
}

#[test]
fn what_is_no_signed_call_of_this_contract_is_not_sent() {
    let stage = without_ether();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let doctor = stage.actor("doctor").address;
    let calls = stage.file("calls");
    fs::create_dir(&calls).unwrap();
    let good = stage.file("calls/good.json");
    let sign = [
        "patient",
        "deny",
        &stage.known.image,
        &doctor,
        "--sign-only",
        &good,
    ];
    let call = {
        patient.run(sign).json();
        serde_json::from_slice::<Value>(&fs::read(&good).unwrap()).unwrap()
    };
    let write = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut changed = call.clone();
        change(&mut changed);
        fs::write(
            stage.file(&format!("calls/{name}.json")),
            changed.to_string(),
        )
        .unwrap();
    };
    let stranger = "0x000000000000000000000000000000000000dEaD";
    write("chain", &|call| call["chain_id"] = json!(1));
    write("contract", &|call| call["contract"] = json!(stranger));
    write("signer", &|call| call["signer"] = json!(stranger));
    write("deadline", &|call| call["deadline"] = json!(1));
    write("later", &|call| {
        call["deadline"] = json!(call["deadline"].as_u64().unwrap() + 1);
    });
    write("named", &|call| call["function"] = json!("approve_IRs"));
    fs::write(stage.file("calls/none.json"), "{}").unwrap();
    fs::write(stage.file("calls/large.json"), vec![b' '; 70_000]).unwrap();
    fs::write(stage.file("calls/other.txt"), "not looked at").unwrap();

    let before = stage.nonce(&clinic);
    let run = clinic.run(["relay", &calls]);
    run.explained(1, "8 of 9 calls were not relayed");
    let report = run.document();
    let of = |name: &str| {
        let mut each = report.as_array().unwrap().iter();
        let found = each.find(|it| {
            it["file"]
                .as_str()
                .unwrap()
                .ends_with(&format!("/{name}.json"))
        });
        found.unwrap_or_else(|| panic!("{name}: {report}"))
    };
    for (name, why) in [
        ("chain", "on chain 1"),
        ("contract", "signed for contract 0x0000"),
        ("signer", "sign"),
        ("deadline", "was to be relayed by 1970-01-01T00:00:01Z "),
        ("named", "its call is `deny_IRs`"),
        ("none", "not a signed call"),
        ("large", "70000 bytes"),
    ] {
        let error = of(name)["error"].as_str().unwrap();
        assert!(error.contains(why), "{name}: {error}");
    }
    assert_eq!(of("good")["outcome"], "sent");
    assert_eq!(of("later")["outcome"], "used", "the same nonce");
    assert_eq!(stage.nonce(&clinic), before + 1);

    // Too late is too late.
    let late = stage.file("late.json");
    let sign = [
        "patient",
        "limit",
        &stage.known.image,
        "--approvals",
        "1",
        "--sign-only",
        &late,
        "--deadline",
        "1h",
    ];
    patient.run(sign).json();
    stage.pass(3_700);
    let run = clinic.run(["relay", &late]);
    run.explained(1, "1 of 1 calls");
    let why = run.document()[0]["error"].to_string();
    assert!(why.contains("was to be relayed by"), "{why}");
    clinic
        .run(["relay", &stage.file("absent.json")])
        .refused(1, "absent.json");
}

#[test]
fn many_requests_are_approved_by_one_transaction_or_none_is() {
    let stage = Stage::new();
    let (patient, clinic, doctor) = (
        stage.actor("patient"),
        stage.actor("clinic"),
        stage.actor("doctor"),
    );
    let image = &*stage.known.image;
    patient
        .run(["patient", "revoke", image, &clinic.address])
        .json();
    let request = [
        "requestor",
        "request",
        "--patient",
        &stage.file("patient.card"),
        "--image",
        image,
        "--purpose",
        "HRESCH",
    ];
    clinic.run(request).json();
    let served = [clinic.serve(), doctor.serve()];
    patient.knows_all(&[&served[0].address, &served[1].address]);

    let before = stage.nonce(&patient);
    let stranger = "0x000000000000000000000000000000000000dEaD";
    patient
        .run([
            "patient",
            "approve",
            image,
            &doctor.address,
            image,
            stranger,
        ])
        .refused(1, "nothing was done: 0x0000");
    patient
        .run(["patient", "approve", image, &doctor.address, image])
        .refused(2, "names no requestor");
    assert_eq!(stage.nonce(&patient), before);
    // What she has looked at is approved, and only as it was then.
    let reviewed = stage.file("reviewed.json");
    let mut list = patient.run(["patient", "requests"]).json();
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    let was = list[0]["requested_at"].take();
    list[0]["requested_at"] = json!(was.as_u64().unwrap() - 1);
    fs::write(&reviewed, list.to_string()).unwrap();
    let approve = ["patient", "approve", "--reviewed", &reviewed];
    patient
        .run(approve)
        .refused(1, "the request was made again at");
    assert_eq!(stage.nonce(&patient), before);
    list[0]["requested_at"] = was;
    fs::write(&reviewed, list.to_string()).unwrap();
    let done = patient.run(approve).json();
    let end = done["approvals"][0]["expires_at"].as_u64().unwrap();
    let now = ask(
        stage.chain.url(),
        "eth_getBlockByNumber",
        json!(["latest", false]),
    );
    let now = now["timestamp"].as_str().unwrap().trim_start_matches("0x");
    let now = u64::from_str_radix(now, 16).unwrap();
    assert!(
        (29 * 86_400..=30 * 86_400).contains(&(end - now)),
        "{end} at {now}"
    );
    assert_eq!(done["approvals"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(done["events"].as_array().unwrap().len(), 4);
    assert!(done["new_bytes"].as_u64().unwrap() > 0);
    assert_eq!(stage.nonce(&patient), before + 1);
    drop(served);
    let served = patient.serve();
    for actor in [&doctor, &clinic] {
        actor.knows(&served.address);
        let out = actor.home.join("opened.dcm");
        let fetched = Run::of(
            actor
                .command()
                .args(["requestor", "fetch", image, "--out"])
                .arg(&out),
        );
        fetched.json();
    }
    drop(served);

    patient
        .run(approve)
        .explained(1, "authorized to open image");
    let list = stage.file("pairs");
    fs::write(&list, format!("{image} {}\n", doctor.address)).unwrap();
    patient
        .run(["patient", "approve", "--file", &list])
        .refused(1, "nothing was done");
    let run = patient.run([
        "patient",
        "approve",
        "--reviewed",
        &reviewed,
        "--sign-only",
        &list,
    ]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("cannot be used with"), "{run:?}");
}

#[test]
fn many_are_removed_or_denied_by_one_transaction_or_none_is() {
    let stage = Stage::new();
    let (patient, clinic, doctor) = (
        stage.actor("patient"),
        stage.actor("clinic"),
        stage.actor("doctor"),
    );
    let image = &*stage.known.image;
    let stranger = "0x000000000000000000000000000000000000dEaD";
    let status = |actor: &Actor| actor.run(["requestor", "status", image]).json()["status"].clone();
    assert_eq!(
        (status(&clinic), status(&doctor)),
        (json!("approved"), json!("requested"))
    );
    let pairs = stage.file("pairs");
    fs::write(
        &pairs,
        format!("{image} {}\n{image} {}\n", clinic.address, doctor.address),
    )
    .unwrap();

    // The clinic has no open request, and nobody knows the stranger: then nothing is done.
    let before = stage.nonce(&patient);
    patient
        .run(["patient", "deny", "--file", &pairs])
        .refused(1, "nothing was done: ");
    patient
        .run(["patient", "revoke", image, &doctor.address, image, stranger])
        .refused(1, "nothing was done: 0x0000");
    patient
        .run(["patient", "revoke"])
        .refused(2, "no image and requestor");
    let (one, other) = (&*doctor.address, &*clinic.address);
    patient
        .run(["patient", "revoke", "--rekey", image, one, image, other])
        .refused(2, "one removal at a time");
    let signed = stage.file("signed.json");
    let deny = [
        "patient",
        "deny",
        "--sign-only",
        &signed,
        image,
        one,
        image,
        other,
    ];
    patient.run(deny).refused(2, "one decision at a time");
    assert_eq!(stage.nonce(&patient), before);

    let headers = repo::blocks(&patient.home);
    let done = patient.run(["patient", "revoke", "--file", &pairs]).json();
    assert_eq!(done["ended"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(done["ended"][0]["requestor"], json!(clinic.address));
    assert_eq!(done["events"].as_array().unwrap().len(), 4);
    assert_eq!(stage.nonce(&patient), before + 1);
    assert_eq!(
        (status(&clinic), status(&doctor)),
        (json!("removed"), json!("removed"))
    );
    // The clinic's root and header.
    let left = repo::blocks(&patient.home);
    assert!(left.is_subset(&headers) && left.len() < headers.len());

    for actor in [&clinic, &doctor] {
        let request = [
            "requestor",
            "request",
            "--patient",
            &stage.file("patient.card"),
            "--image",
            image,
            "--purpose",
            "HRESCH",
        ];
        actor.run(request).json();
    }
    let deny = ["patient", "deny", "--all", "--reason", "not now"];
    let done = patient.run(deny).json();
    assert_eq!(done["ended"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(done["events"][1]["info"], "not now");
    assert_eq!(stage.nonce(&patient), before + 2);
    assert_eq!(
        (status(&clinic), status(&doctor)),
        (json!("denied"), json!("denied"))
    );
    patient.run(deny).refused(1, "no open request");
    assert_eq!(stage.nonce(&patient), before + 2);
}
