//! Strangers are believed only when that is said: radiologists without accreditation, words for the chain, contract accounts that
//! burn gas, endpoints that anyone on the way can change.

use std::fs;

use serde_json::{Value, json};

use crate::program::pcim;
use crate::program::{Actor, Run};
use crate::rpc::{Fault, Proxy, ask};
use crate::stage::{Stage, WORDY};

fn config(actor: &Actor) -> String {
    fs::read_to_string(actor.home.join("config.toml")).unwrap()
}

#[test]
fn a_handover_of_a_radiologist_without_accreditation_is_opened_only_when_that_is_said() {
    let stage = Stage::new();
    let (patient, quack) = (stage.actor("patient"), stage.newcomer("quack", 6, &[]));
    let handover = stage.file("quack.handover");
    let mut seal = quack.command();
    seal.args(["radiologist", "seal", &stage.file("image.dcm"), "--no-deid"]);
    seal.args(["--to", &stage.file("patient.card"), "--out", &handover]);
    Run::of(&mut seal).json();
    let served = quack.serve();
    patient.knows(&served.address);

    let before = config(&patient);
    let out = stage.results().join("opened.dcm");
    let open = |more: &[&str]| {
        let mut open = patient.command();
        open.args(["patient", "open", "--handover", &handover, "--out"]);
        Run::of(open.arg(&out).args(more))
    };
    open(&[]).refused(1, "is not accredited");
    assert_eq!(config(&patient), before, "his peers are not kept");
    assert!(!out.exists());

    let opened = open(&["--unaccredited"]).json();
    assert_eq!(
        opened["radiologist"].as_str().unwrap().to_lowercase(),
        quack.address
    );
    // Those of the handover now stand beside the one that she named.
    let peers = |text: &str| text.matches("/p2p/").count();
    assert_eq!(peers(&config(&patient)), peers(&before) + 1);
    drop(served);
}

#[test]
fn peers_of_a_handover_that_does_not_open_are_not_kept() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let before = config(&patient);
    // The radiologist is away.
    let mut open = patient.command();
    open.args([
        "--wait",
        "1s",
        "patient",
        "open",
        "--handover",
        &stage.file("fresh.handover"),
    ]);
    let out = stage.results().join("opened.dcm");
    let run = Run::of(open.arg("--out").arg(out));
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(config(&patient), before);
}

#[test]
fn words_about_the_patient_do_not_go_on_the_chain() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let served = stage.actor("radiologist").serve();
    patient.knows(&served.address);
    let (wordy, before) = (stage.file("wordy.handover"), stage.nonce(&patient));
    let refused = patient.run(["patient", "register", &wordy]);
    refused.explained(2, "may only have modality and body part codes");
    assert_eq!(stage.nonce(&patient), before);
    let own = ["patient", "register", &wordy, "--description", "Anna"];
    patient.run(own).explained(2, "may only have modality");

    let told = patient.run(["patient", "register", &wordy, "--description", "MR BRAIN"]);
    assert!(
        told.stderr.contains("for everyone to read: `MR BRAIN`"),
        "{told:?}"
    );
    assert_eq!(told.json()["description"], "MR BRAIN");
    let block = ask(
        stage.chain.url(),
        "eth_getBlockByNumber",
        json!(["latest", true]),
    );
    assert!(!block.to_string().contains(&hex::encode(WORDY)), "{block}");
    assert!(
        block.to_string().contains(&hex::encode("MR BRAIN")),
        "{block}"
    );
    drop(served);
}

/// The code of a contract account that takes every signature (ERC-1271) after `rounds` of 26 gas.
fn burner(rounds: u32) -> String {
    // A counter that is taken down to 0, then the magic value.
    format!(
        "0x63{rounds:08x}5b600190038060055763{}60e01b60005260206000f3",
        "1626ba7e"
    )
}

#[test]
fn a_contract_account_cannot_burn_the_relayers_gas() {
    let stage = Stage::new();
    let (doctor, clinic) = (stage.actor("doctor"), stage.actor("clinic"));
    let signer = "0x00000000000000000000000000000000b0071e55";
    ask(
        stage.chain.url(),
        "anvil_setCode",
        json!([signer, burner(125_000)]),
    );
    let file = stage.file("burning.json");
    let mut request = doctor.command();
    request.args([
        "requestor",
        "request",
        "--patient",
        &stage.file("patient.card"),
    ]);
    request.args([
        "--image",
        &stage.known.image,
        "--purpose",
        "HRESCH",
        "--sign-only",
        &file,
    ]);
    let signed = Run::of(&mut request);
    assert_eq!(signed.code, Some(0), "{signed:?}");
    let mut call: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    call["signer"] = json!(signer);
    fs::write(&file, call.to_string()).unwrap();

    let relay = |more: &[&str]| {
        let mut relay = clinic.command();
        Run::of(relay.arg("relay").arg(&file).args(more))
    };
    let before = stage.nonce(&clinic);
    let refused = relay(&[]);
    refused.explained(1, "1 of 1 calls were not relayed");
    let why = refused.document()[0]["error"].to_string();
    assert!(why.contains("at most 1000000 is paid for"), "{why}");
    let poor = relay(&["--max-gas", "9000000", "--gas-budget", "8000000"]);
    poor.explained(1, "1 of 1 calls were not relayed");
    assert!(
        poor.stdout
            .contains("8000000 gas of this run's --gas-budget is left"),
        "{poor:?}"
    );
    assert_eq!(stage.nonce(&clinic), before);
    let paid = relay(&["--max-gas", "9000000"]).json();
    assert!(paid[0]["gas_used"].as_u64().unwrap() > 3_000_000, "{paid}");
}

#[test]
fn an_endpoint_in_plain_text_is_for_this_machine_alone() {
    let stage = Stage::new();
    // Nothing is sent there: a test network of RFC 5737.
    let patient = stage.actor("patient").through("http://192.0.2.1:8547");
    let wanted = "another machine's, over http:// without encryption";
    patient.run(["patient", "images"]).refused(2, wanted);
    let compared = stage.actor("patient");
    let compared = compared.run(["audit", "--compare-rpc-url", "http://192.0.2.1:8547"]);
    compared.explained(2, wanted);
    let mut deploy = patient.command();
    deploy.args([
        "--chain-id",
        "1",
        "--contract",
        &stage.known.contract,
        "deploy",
        "status",
    ]);
    Run::of(&mut deploy).refused(2, wanted);
}

#[test]
fn warnings_are_printed_with_nothing_that_steers() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let served = stage.actor("radiologist").serve();
    patient.knows(&served.address);
    // Notes cannot be kept: the image is registered all the same.
    for digit in 0..16 {
        let notes = patient.home.join(format!("notes-{digit:x}.pgp"));
        let _ = fs::remove_file(&notes);
        fs::create_dir(notes).unwrap();
    }
    let mut register = patient.command();
    register.args(["patient", "register", &stage.file("wordy.handover")]);
    let run = Run::of(register.args(["--description", "MR BRAIN"]));
    assert_eq!(run.code, Some(0), "{run:?}");
    let warning = run
        .stderr
        .lines()
        .find(|line| line.starts_with("warning: "));
    let warning = warning.unwrap_or_else(|| panic!("{run:?}"));
    assert!(
        warning.contains("the description was not recorded"),
        "{warning}"
    );
}

/// Where the development chain's contract stands that sells places in the cache, and a place without code.
const MANAGER: &str = "2f8bd4eab69764c105add7de7cb0402557a44e6f";
const NOWHERE: &str = "00000000000000000000000000000000000bad00";

#[test]
fn a_bid_does_not_go_wherever_the_provider_says() {
    let stage = Stage::new();
    let key = stage.file("key");
    let payer = stage.chain.account(0, "address");
    let balance = || {
        ask(
            stage.chain.url(),
            "eth_getBalance",
            json!([payer, "latest"]),
        )
    };
    let before = balance();
    let lying = Proxy::start(stage.chain.url(), Fault::Swap(MANAGER, NOWHERE));
    let mut bid = pcim();
    bid.args(["--json", "--network", "devnet", "--rpc-url", &lying.url]);
    bid.args([
        "--contract",
        &stage.known.contract,
        "deploy",
        "cache-bid",
        "--key-file",
        &key,
    ]);
    Run::of(&mut bid).refused(1, "that this chain names has no code");
    assert_eq!(balance(), before);
}

#[test]
fn a_card_is_looked_at_and_sealing_says_for_whom() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let card = stage.file("patient.card");
    let show = |file: &str, json: bool| {
        let mut show = pcim();
        if json {
            show.arg("--json");
        }
        Run::of(show.args(["card", "show", file]))
    };
    let shown = show(&card, true).json();
    assert_eq!(
        shown["address"].as_str().unwrap().to_lowercase(),
        patient.address
    );
    let fingerprint = shown["fingerprint"].as_str().unwrap();
    let text = show(&card, false).stdout;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("OpenPGP key  "))
        .unwrap();
    assert_eq!(line.replace(' ', ""), fingerprint);
    assert!(line.split(' ').all(|group| group.len() == 4), "{line}");

    let changed = fs::read_to_string(&card)
        .unwrap()
        .replace(&fingerprint[..8], "00000000");
    let forged = stage.file("forged.card");
    let other = changed.replacen("0x", "0x1", 1);
    fs::write(&forged, other).unwrap();
    assert_eq!(show(&forged, true).code, Some(1));

    let mut seal = stage.actor("radiologist").command();
    seal.args([
        "radiologist",
        "seal",
        &stage.file("image.dcm"),
        "--no-deid",
        "--to",
        &card,
    ]);
    let sealed = Run::of(seal.args(["--out", &stage.file("to.handover")]));
    assert!(sealed.stderr.contains(line), "{sealed:?}");
}

#[test]
fn a_request_that_another_provider_has_otherwise_is_not_approved() {
    let stage = Stage::new();
    let (image, patient) = (&*stage.known.image, stage.actor("patient"));
    let doctor = stage.actor("doctor");
    let asked = ["requestor", "status", image, "--requestor", &doctor.address];
    let asked = patient.run(asked).json()["requested_at"].as_u64().unwrap();
    // One of the two says that it was asked a second later: which of them lies is for her to find out.
    let word = |at: u64| &*format!("{at:064x}").leak();
    let fault = Fault::Swap(word(asked), word(asked + 1));
    let other = Proxy::start(stage.chain.url(), fault);
    let confirm = |url: &str| {
        let set = ["config", "set", "confirm_rpc_urls", url];
        patient.run(set).json();
    };
    let approve = ["patient", "approve", image, &doctor.address];
    let nonce = stage.nonce(&patient);
    confirm(&other.url);
    patient
        .run(approve)
        .refused(1, "another provider (number 1) says something else");
    let (list, reviewed) = (
        patient.run(["patient", "requests"]).json(),
        stage.file("reviewed.json"),
    );
    fs::write(&reviewed, list.to_string()).unwrap();
    let all = patient.run(["patient", "approve", "--reviewed", &reviewed]);
    all.refused(1, "another provider (number 1) says something else");
    // One that does not answer confirms nothing.
    confirm("http://127.0.0.1:1");
    let away = patient.run(approve);
    assert_eq!(away.code, Some(1), "{away:?}");
    assert_eq!(stage.nonce(&patient), nonce, "nothing was sent");
    let honest = Proxy::start(stage.chain.url(), Fault::None);
    confirm(&honest.url);
    patient.run(approve).json();
}

#[test]
fn an_account_that_another_provider_has_not_moved_is_not_acted_for() {
    let stage = Stage::new();
    let (patient, heir) = (stage.actor("patient"), stage.newcomer("heir", 6, &[]));
    patient.run(["account", "move", &heir.address]).json();
    let digits = |actor: &Actor| &*actor.address.to_lowercase()[2..].to_owned().leak();
    let confirm = |url: &str| {
        heir.run(["config", "set", "confirm_rpc_urls", url]).json();
    };
    // One of the two says that the key before acts still.
    let fault = Fault::Swap(digits(&heir), digits(&patient));
    let other = Proxy::start(stage.chain.url(), fault);
    confirm(&other.url);
    let finish = ["account", "finish", "--patient", &patient.address];
    let wanted = "another provider (number 1) says something else of who acts for";
    heir.run(finish).refused(1, wanted);
    let acts = || config(&heir).to_lowercase().contains(digits(&patient));
    assert!(!acts(), "{}", config(&heir));
    // It is on the chain by now; what was missing is the second word.
    heir.run(finish).refused(1, wanted);
    let honest = Proxy::start(stage.chain.url(), Fault::None);
    confirm(&honest.url);
    let done = heir.run(finish).json();
    assert_eq!(
        done["acts_for"].as_str().unwrap().to_lowercase(),
        patient.address
    );
    assert!(acts());
    heir.run(finish).refused(1, "no change of the account");
}
