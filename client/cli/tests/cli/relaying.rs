//! `pcim relay serve`: homes of a network with a relay see no ether.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::network::signed;
use crate::program::{Actor, Process, first_document};
use crate::rpc::{ask, post};
use crate::stage::Stage;

/// A relay at work.
struct Relay {
    url: String,
    _process: Process,
}

impl Relay {
    fn of(actor: &Actor, options: &[&str]) -> Self {
        let mut child = actor
            .command()
            .args(["relay", "serve"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = first_document(&mut child);
        Self {
            url: said["url"].as_str().unwrap().to_owned(),
            _process: Process(child),
        }
    }

    fn give(&self, document: &[u8]) -> Value {
        serde_json::from_slice(&post(&self.url, document)).unwrap()
    }
}

#[test]
fn members_of_a_network_with_a_relay_see_no_ether() {
    let stage = Stage::new();
    let [patient, doctor, clinic] = ["patient", "doctor", "clinic"].map(|it| stage.actor(it));
    let chain = stage.chain.url();
    for actor in [&patient, &doctor] {
        ask(chain, "anvil_setBalance", json!([actor.address, "0x0"]));
    }
    let before = stage.nonce(&patient);
    let image = &*stage.known.image;
    let limits = ["--listen", "127.0.0.1:0", "--per-signer", "3"];
    let relay = Relay::of(&clinic, &limits);
    let file = signed(&stage, "relay.network", |file| {
        file.relay = Some(relay.url.clone());
    });
    for actor in [&patient, &doctor] {
        actor.run(["network", "join", &file]).json();
    }
    let looked = patient.run(["doctor"]).json().to_string();
    assert!(looked.contains("pays for your calls, 3 a day"), "{looked}");
    assert!(!looked.contains("wei at"), "{looked}");

    // The same commands as everywhere; nobody types of relaying.
    let served = stage.actor("radiologist").serve();
    patient.knows(&served.address);
    let handover = stage.file("fresh.handover");
    let done = patient.run(["patient", "register", &handover]).json();
    assert_eq!(done["events"][0]["event"], "ContractCreated");
    drop(served);
    let served = doctor.serve();
    patient.knows(&served.address);
    patient.run(["patient", "requests"]).json();
    let approved = patient
        .run(["patient", "approve", image, &doctor.address])
        .json();
    drop(served);
    let sender = |tx: &Value| {
        let found = ask(chain, "eth_getTransactionByHash", json!([tx]));
        found["from"].as_str().unwrap().to_lowercase()
    };
    for tx in [&done["tx"], &approved["tx"]] {
        assert_eq!(sender(tx), clinic.address.to_lowercase());
    }
    let served = patient.serve();
    doctor.knows(&served.address);
    let out = stage.file("opened.dcm");
    let fetch = ["requestor", "fetch", image, "--receipt", "--out", &out];
    let fetched = doctor.run(fetch).json();
    assert!(fetched.to_string().contains("\"tx\""), "{fetched}");
    drop(served);

    // A forged signature uses up nothing of the one whose name it bears; neither does what is no call.
    let limit = |approvals: &'static str| {
        [
            "patient",
            "limit",
            image,
            "--approvals",
            approvals,
            "--per",
            "30d",
        ]
    };
    let forged = stage.file("forged.json");
    let [a, b, c, d, e, f, g] = limit("7");
    patient
        .run([a, b, c, d, e, f, g, "--sign-only", &forged])
        .json();
    let good: Value = serde_json::from_slice(&fs::read(&forged).unwrap()).unwrap();
    for change in ["signature", "contract", "deadline", "function"] {
        let mut call = good.clone();
        call[change] = match change {
            "signature" => json!(format!("0x{}1b", "11".repeat(64))),
            "contract" => json!("0x000000000000000000000000000000000000dEaD"),
            "deadline" => json!(1),
            _ => json!("approve_IRs"),
        };
        let answer = relay.give(call.to_string().as_bytes());
        assert_eq!(answer["outcome"], "refused", "{change}: {answer}");
        assert_eq!(answer["later"], false, "{change}: {answer}");
    }
    for nonsense in [&b"{}"[..], b"\xff\xfe", &vec![b' '; 70_000]] {
        assert_eq!(relay.give(nonsense)["outcome"], "refused");
    }
    let sent = stage.nonce(&clinic);
    patient.run(limit("2")).json();
    assert_eq!(stage.nonce(&clinic), sent + 1);

    // The fourth call of the day waits, and is the same one when there is room for it.
    patient
        .run(limit("4"))
        .refused(1, "3 calls of one signer in a day");
    let waiting = patient.run(["resume"]);
    let report = waiting.document();
    assert_eq!(report[0]["fate"], "waiting", "{report}");
    let address = relay.url.trim_start_matches("http://").to_owned();
    drop(relay);
    patient.run(limit("4")).refused(1, "does not send the call");
    let sent = stage.nonce(&clinic);
    let relay = Relay::of(&clinic, &["--listen", &address, "--per-signer", "3"]);
    patient
        .run(limit("4"))
        .refused(1, "3 calls of one signer in a day");
    drop(relay);
    let relay = Relay::of(&clinic, &["--listen", &address, "--per-signer", "5"]);
    let resumed = patient.run(["resume"]).json();
    assert_eq!(resumed[0]["fate"], "finished", "{resumed}");
    assert_eq!(stage.nonce(&clinic), sent + 1, "nothing is sent twice");
    assert_eq!(sender(&resumed[0]["tx"]), clinic.address.to_lowercase());
    let calls = patient.run(["signed", "list"]).json();
    let fates = calls.as_array().unwrap().iter().map(|it| &it["fate"]);
    assert_eq!(fates.filter(|fate| *fate == "done").count(), 4, "{calls}");
    drop(relay);

    // A home that pays itself needs ether again.
    patient.run(["config", "set", "pays_itself", "true"]).json();
    patient.run(limit("5")).refused(1, "has 0 wei");
    let balance = ask(chain, "eth_getBalance", json!([patient.address, "latest"]));
    assert_eq!((stage.nonce(&patient), balance), (before, json!("0x0")));
}
