//! A radiologist whose accredited address is a contract account (ERC-1271).

use serde_json::json;

use crate::program::Run;
use crate::rpc::ask;
use crate::stage::{IMAGE, Stage};

/// Where the account is.
const ACCOUNT: &str = "0x00000000000000000000000000000000000a11ce";

/// The code of an account that takes the signatures of one key: `isValidSignature` recovers the signer of r, s and v, which
/// stand at 100, 132 and 164 of the call, and returns its own selector if it is the owner, and 0 otherwise.
fn account_of(owner: &str) -> String {
    let owner = owner.strip_prefix("0x").unwrap();
    [
        "600435600052",               // memory[0] = the hash
        "60a43560001a602052",         // memory[32] = v
        "606435604052",               // memory[64] = r
        "608435606052",               // memory[96] = s
        "602060006080600060015afa50", // memory[0] = ecrecover
        "60005173",
        owner,
        "14",                 // is it the owner?
        "631626ba7e60e01b02", // times the selector
        "60005260206000f3",
    ]
    .concat()
}

#[test]
fn an_attestation_by_a_contract_account_is_taken_if_the_account_takes_it() {
    let stage = Stage::new();
    let (patient, radiologist) = (stage.actor("patient"), stage.actor("radiologist"));
    let (file, card) = (stage.file("image.dcm"), stage.file("patient.card"));
    let handover = stage.results().join("handover.pgp");
    let seal = || {
        let mut command = radiologist.command();
        command.args(["radiologist", "seal", &file, "--no-deid", "--to", &card]);
        command.args(["--force", "--attest-as", ACCOUNT, "--out"]);
        Run::of(command.arg(&handover))
    };
    let set_code = |owner: &str| {
        let code = format!("0x{}", account_of(owner));
        ask(stage.chain.url(), "anvil_setCode", json!([ACCOUNT, code]));
    };
    // Nobody is there, or somebody else's account: nothing is handed over.
    seal().refused(1, "does not accept it (ERC-1271)");
    set_code(&patient.address);
    seal().refused(1, "does not accept it (ERC-1271)");
    assert!(!handover.exists());
    assert_eq!(radiologist.run(["resume"]).json(), json!([]));
    set_code(&radiologist.address);
    let sealed = seal().json();
    let image = sealed["image"].as_str().unwrap();

    let served = radiologist.serve();
    patient.knows(&served.address);
    let handover = handover.to_str().unwrap();
    let register = ["patient", "register", handover];
    let nonce = stage.nonce(&patient);
    // It is the account that must be accredited, whoever holds its key.
    patient.run(register).refused(1, "is not accredited");
    stage
        .actor("consortium")
        .run(["consortium", "accredit", ACCOUNT])
        .json();
    // The account changed its mind: the patient is told before the chain is.
    set_code(&patient.address);
    patient
        .run(register)
        .refused(1, "does not accept it (ERC-1271)");
    assert_eq!(stage.nonce(&patient), nonce);
    set_code(&radiologist.address);
    let registered = patient.run(register).json();
    let named = registered["radiologist"].as_str().unwrap();
    assert_eq!(named.to_lowercase(), ACCOUNT);
    drop(served);
    let out = stage.results().join("own.dcm");
    let open = ["patient", "open", image, "--out", out.to_str().unwrap()];
    let opened = patient.run(open).json();
    assert_eq!(std::fs::read(out).unwrap(), IMAGE);
    assert_eq!(opened["radiologist"], registered["radiologist"]);
}
