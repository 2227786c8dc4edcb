//! The requests as a patient sees them before she decides, and changes between her look and her decision.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::Run;
use crate::rpc::ask;
use crate::stage::Stage;

#[test]
fn a_requestor_is_shown_by_her_own_name_for_him_or_as_what_he_says_to_be() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let list = || {
        let mut requests = patient.command();
        let plain = requests
            .args(["patient", "requests"])
            .get_args()
            .map(ToOwned::to_owned);
        let plain: Vec<_> = plain.filter(|it| it != "--json").collect();
        let mut requests = crate::program::pcim();
        requests.env("PCIM_PASSPHRASE_FILE", &patient.passphrase);
        Run::of(requests.args(plain))
    };
    let unknown = list();
    assert_eq!(unknown.code, Some(0), "{unknown:?}");
    assert!(!unknown.stdout.contains("known as"), "{unknown:?}");
    let contacts = patient.home.join("contacts");
    fs::create_dir(&contacts).unwrap();
    fs::copy(stage.file("doctor.card"), contacts.join("Dr Grün.card")).unwrap();
    let known = list();
    assert!(
        known
            .stdout
            .contains("known as     Dr Grün\nrequestor    0x"),
        "{known:?}"
    );
    let json = patient.run(["patient", "requests"]).json();
    assert_eq!(json[0]["known_as"], "Dr Grün");
}

/// The account that asks may have another holder by now, or the card may have been changed after she read it.
#[test]
fn a_request_with_another_certificate_than_the_cards_is_not_approved_unless_it_is_named() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    // The doctor's account, with another OpenPGP key.
    let renewed = stage.newcomer("renewed", 4, &[]);
    assert_eq!(renewed.address, doctor.address);
    let contacts = patient.home.join("contacts");
    fs::create_dir(&contacts).unwrap();
    let card = contacts.join("Dr Grün.card");
    renewed
        .run(["card", "--out", card.to_str().unwrap()])
        .json();
    let request = |known: &str| {
        let listed = patient.run(["patient", "requests"]).json()[0].take();
        assert_eq!(listed["certificate_of_card"].to_string(), known);
        listed["public_key"].as_str().unwrap().to_owned()
    };
    let certificate = request("false");
    let nonce = stage.nonce(&patient);
    let approve = ["patient", "approve", &stage.known.image, &doctor.address];
    let wanted = "names another certificate";
    patient.run(approve).refused(2, wanted);
    let reviewed = stage.file("reviewed.json");
    let list = patient.run(["patient", "requests"]).json();
    fs::write(&reviewed, list.to_string()).unwrap();
    let all = patient.run(["patient", "approve", "--reviewed", &reviewed]);
    all.refused(2, wanted);
    assert_eq!(stage.nonce(&patient), nonce);

    fs::copy(stage.file("doctor.card"), contacts.join("newer.card")).unwrap();
    request("true");
    fs::remove_file(contacts.join("newer.card")).unwrap();
    let [a, b, c, d] = approve;
    patient
        .run([a, b, c, d, "--certificate", &certificate])
        .json();
}

#[test]
fn an_old_request_is_approved_only_when_that_is_said() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    stage.pass(91 * 86_400);
    let approve = ["patient", "approve", &stage.known.image, &doctor.address];
    let before = stage.nonce(&patient);
    patient.run(approve).refused(2, "91 days old");
    assert_eq!(stage.nonce(&patient), before);
    let [a, b, c, d] = approve;
    let approved = patient
        .run([a, b, c, d, "--old", "--expires", "never"])
        .json();
    assert_eq!(approved["expires_at"], 0);
}

/// Strangers who are never there cannot make her wait, however many they are.
#[test]
fn all_requests_together_are_waited_for_once() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let chain = |method: &str, params: Value| ask(stage.chain.url(), method, params);
    let last = chain("eth_blockNumber", json!([]));
    let last = u64::from_str_radix(last.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let asked = (0..=last)
        .flat_map(|number| {
            let number = format!("{number:#x}");
            let block = chain("eth_getBlockByNumber", json!([number, true]));
            block["transactions"].as_array().unwrap().clone()
        })
        .find(|tx| {
            tx["from"]
                .as_str()
                .is_some_and(|from| from.eq_ignore_ascii_case(&doctor.address))
        });
    let asked = asked.unwrap()["input"].as_str().unwrap().to_owned();
    // requesting_access(address,bytes32,bytes32,string): the third word names a certificate that nobody has.
    let input = [
        &asked[..2 + 2 * 68],
        &"ab".repeat(32),
        &asked[2 + 2 * 100..],
    ]
    .concat();
    for number in 0..70 {
        let from = format!("0x{:040x}", 0xa_11ce_0000_u64 + number);
        chain("anvil_setBalance", json!([from, "0xde0b6b3a7640000"]));
        chain("anvil_impersonateAccount", json!([from]));
        let call =
            json!({ "from": from, "to": stage.known.contract, "data": input, "gas": "0x100000" });
        chain("eth_sendTransaction", json!([call]));
    }
    let started = Instant::now();
    let mut requests = patient.command();
    let listed = Run::of(requests.args(["--wait", "3s", "patient", "requests"])).json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 71);
    let silent = listed.iter().filter(|it| !it["document_error"].is_null());
    assert_eq!(silent.count(), 70);
    // Sixteen at a time for three seconds each would be fifteen.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
}
