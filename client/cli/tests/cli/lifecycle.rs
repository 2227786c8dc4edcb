//! A deployed contract's life: looked at, kept ready, kept alive, and brought back after a year.

use serde_json::Value;

use crate::program::{Run, pcim};
use crate::stage::Stage;

const DAY: u64 = 86_400;

pub(crate) fn deploy(stage: &Stage, contract: &str, args: &[&str]) -> Run {
    let mut command = pcim();
    command.args(["--json", "--network", "devnet", "--rpc-url"]);
    command.args([stage.chain.url(), "--contract", contract, "deploy"]);
    Run::of(command.args(args))
}

#[test]
fn a_contract_is_looked_at_cached_kept_alive_and_brought_back() {
    let stage = Stage::new();
    let contract = &*stage.known.contract;
    let key = stage.file("key");
    let status = || deploy(&stage, contract, &["status"]);
    let upkeep = |what: &str| deploy(&stage, contract, &[what, "--key-file", &key]);
    let number = |status: &Value, field: &str| status[field].as_u64().unwrap();

    let fresh = status().json();
    assert_eq!(fresh["contract"], contract);
    assert_eq!(fresh["activation"], "active");
    assert_eq!(fresh["version"], "2");
    assert_eq!(fresh["is_local_build"], true);
    assert_eq!(fresh["code_hash"], fresh["local_code_hash"]);
    assert_eq!(fresh["wasm_sha256"], fresh["local_wasm_sha256"]);
    assert_eq!(fresh["cached"], false);
    let left = number(&fresh, "time_left");
    assert!((364 * DAY..=365 * DAY).contains(&left), "{fresh}");
    assert!((30 * DAY..=31 * DAY).contains(&number(&fresh, "keepalive_in")));
    upkeep("keepalive").refused(1, "too soon");

    let bid = deploy(
        &stage,
        contract,
        &["cache-bid", "--key-file", &key, "--bid", "7"],
    )
    .json();
    assert_eq!(
        (&bid["done"], &bid["paid"]),
        (&"cached".into(), &"7".into())
    );
    assert_eq!(status().json()["cached"], true);
    let again = upkeep("cache-bid").json();
    assert_eq!(again["done"], "nothing");
    assert!(again["tx"].is_null());

    stage.pass(40 * DAY);
    let older = status().json();
    assert!(number(&older, "time_left") <= 325 * DAY);
    assert_eq!(number(&older, "keepalive_in"), 0);
    let kept = upkeep("keepalive").json();
    assert_eq!(kept["done"], "kept_alive");
    assert!(kept["paid"].as_str().unwrap().parse::<u128>().unwrap() > 0);
    assert!(number(&status().json(), "time_left") >= 364 * DAY);

    stage.pass(366 * DAY);
    let expired = status();
    expired.explained(1, "does not run");
    let expired = expired.document();
    assert_eq!(expired["activation"], "expired");
    assert_eq!(number(&expired, "expires_at"), 0);
    assert_eq!(expired["is_local_build"], true);
    assert!(expired["version"].is_null());
    let back = upkeep("keepalive").json();
    assert_eq!(back["done"], "activated");
    assert_eq!(status().json()["activation"], "active");
    let images = stage.actor("patient").run(["patient", "images"]).json();
    assert_eq!(images.as_array().unwrap().len(), 1);
}

#[test]
fn what_is_not_this_contract_is_told() {
    let stage = Stage::new();
    let nobody = "0x000000000000000000000000000000000000dEaD";
    deploy(&stage, nobody, &["status"]).refused(1, "there is no contract");
    // The factory has code, and is no program.
    let factory = "0xcEcba2F1DC234f70Dd89F2041029807F8D03A990";
    let other = deploy(&stage, factory, &["status"]);
    other.explained(1, "does not run");
    let other = other.document();
    assert_eq!(other["activation"], "inactive");
    assert_eq!(other["is_local_build"], false);
    assert!(other["wasm_sha256"].is_null() && other["consortium"].is_null());
    let mut command = pcim();
    command.args(["--network", "devnet", "deploy", "status"]);
    Run::of(&mut command).refused(2, "which contract?");
    let mut command = pcim();
    command.args(["--network", "devnet", "deploy"]);
    let run = Run::of(&mut command);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--consortium"), "{run:?}");
}
