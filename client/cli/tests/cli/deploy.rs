//! `pcim deploy` as a process: networks by name, a record that goes on being true.

use std::fs;

use pcim_deploy::artifact;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::program::{Run, names, pcim, write_secret};
use crate::rpc::ask;
use crate::stage::Chain;

#[test]
fn a_network_by_name_is_deployed_to_recorded_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (state, records) = (dir.path().join("state"), dir.path().join("records"));
    let devnet = Chain::numbered(&state, 421_614);
    assert_eq!(*devnet.told("chain_id"), 421_614);
    assert_eq!(ask(devnet.url(), "eth_chainId", json!([])), "0x66eee");
    let key = dir.path().join("key");
    write_secret(&key, devnet.account(0, "private_key"));
    let consortium = devnet.account(1, "address").to_owned();

    let deploy = |url: &str, network: &str| {
        let mut command = pcim();
        command.args(["--json", "deploy", "--network", network, "--rpc-url", url]);
        command
            .args(["--consortium", &consortium, "--key-file"])
            .arg(&key);
        Run::of(command.arg("--record-dir").arg(&records))
    };
    let run = deploy(devnet.url(), "arbitrum-one");
    run.refused(1, "this is chain 421614, wanted chain 42161");
    assert!(!records.exists());
    let deployed = deploy(devnet.url(), "arbitrum-sepolia").json();
    assert_eq!(names(&records), ["421614.json", "421614.network.json"]);
    let record = records.join("421614.json");
    let recorded: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    assert_eq!(recorded, deployed);
    // Killed between the record and the network file, the same command writes the file and deploys nothing; then it is refused.
    let network = records.join("421614.network.json");
    let written = fs::read(&network).unwrap();
    fs::remove_file(&network).unwrap();
    assert_eq!(deploy(devnet.url(), "arbitrum-sepolia").json(), recorded);
    assert_eq!(fs::read(&network).unwrap(), written);
    deploy(devnet.url(), "arbitrum-sepolia").refused(1, "421614.json");
    // This chain's cache manager is not the one that is known of the network: nothing is bid.
    let mut bid = pcim();
    bid.args(["--json", "--network", "arbitrum-sepolia", "--rpc-url"]);
    bid.args([devnet.url(), "--contract"]).arg(&record);
    bid.args(["deploy", "cache-bid", "--key-file"]).arg(&key);
    Run::of(&mut bid).refused(1, "the one known of it is");

    let contract = recorded["contract"].as_str().unwrap();
    let code = |url: &str| ask(url, "eth_getCode", json!([contract, "latest"]));
    let before = code(devnet.url());
    let hash = ask(devnet.url(), "web3_sha3", json!([before]));
    assert_eq!(recorded["code_hash"], hash);
    assert_eq!(
        recorded["wasm_sha256"],
        hex::encode(Sha256::digest(artifact::PCAC_WASM))
    );
    assert_eq!(recorded["compiler"], artifact::manifest().unwrap().compiler);
    assert_eq!(recorded["chain_id"], 421_614);
    assert_eq!(
        recorded["consortium"].as_str().unwrap().to_lowercase(),
        consortium.to_lowercase()
    );
    let receipt = |url: &str| ask(url, "eth_getTransactionReceipt", json!([recorded["tx"]]));
    let mined = receipt(devnet.url());
    let block = recorded["block"].as_u64().unwrap();
    assert_eq!(mined["blockNumber"], format!("{block:#x}"));

    // An event: the consortium accredits someone.
    let passphrase = dir.path().join("passphrase");
    write_secret(&passphrase, "x");
    write_secret(&key, devnet.account(1, "private_key"));
    let run = |url: &str, args: &[&str]| {
        let mut command = pcim();
        command.env("PCIM_PASSPHRASE_FILE", &passphrase);
        command
            .arg("--home")
            .arg(dir.path().join("home"))
            .args(["--json", "--rpc-url", url]);
        Run::of(
            command
                .args(["--network", "arbitrum-sepolia", "--contract"])
                .arg(&record)
                .args(args),
        )
    };
    run(
        devnet.url(),
        &["init", "--weak", "--import-key", key.to_str().unwrap()],
    )
    .json();
    let someone = devnet.account(2, "address").to_owned();
    let accredited = run(devnet.url(), &["consortium", "accredit", &someone]).json();
    let logs = |url: &str| {
        ask(
            url,
            "eth_getLogs",
            json!([{ "fromBlock": "earliest", "address": contract }]),
        )
    };
    let written = logs(devnet.url());
    assert!(!written.as_array().unwrap().is_empty());

    drop(devnet);
    let devnet = Chain::numbered(&state, 421_614);
    assert_eq!(code(devnet.url()), before);
    assert_eq!(logs(devnet.url()), written);
    assert_eq!(receipt(devnet.url()), mined);
    let again = ask(
        devnet.url(),
        "eth_getTransactionReceipt",
        json!([accredited["tx"]]),
    );
    assert_eq!(again["status"], "0x1");
    // It goes on: the contract answers, and takes more.
    assert_eq!(run(devnet.url(), &["patient", "images"]).json(), json!([]));
    run(
        devnet.url(),
        &["consortium", "accredit", &someone, "--withdraw"],
    )
    .json();
    assert!(logs(devnet.url()).as_array().unwrap().len() > written.as_array().unwrap().len());
}

#[test]
fn a_deployment_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    write_secret(&key, "11".repeat(32));
    let consortium = "0x000000000000000000000000000000000000dEaD";
    let devnet = Chain::start(&dir.path().join("state"));
    let records = dir.path().join("records");
    let deploy = |url: &str, more: &[&str]| {
        let mut command = pcim();
        command
            .args(["--json", "deploy", "--rpc-url", url, "--key-file"])
            .arg(&key);
        command.arg("--record-dir").arg(&records).args(more);
        Run::of(&mut command)
    };
    let with = |consortium| ["--network", "devnet", "--consortium", consortium];
    let poor = deploy(devnet.url(), &with(consortium));
    poor.refused(1, "has 0 wei");
    assert!(!poor.stderr.contains(&"11".repeat(32)), "{poor:?}");
    let zero = "0x0000000000000000000000000000000000000000";
    deploy(devnet.url(), &with(zero)).refused(1, "consortium");
    deploy(devnet.url(), &["--consortium", consortium]).refused(2, "which chain?");
    deploy("http://127.0.0.1:1", &with(consortium)).refused(1, "http://127.0.0.1:1");
    assert!(!records.exists());
}
