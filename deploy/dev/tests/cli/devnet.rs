//! `pcim-dev devnet` as a process: state that outlives `kill -9`, ids by number and by name, clock and prices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use pcim_deploy::artifact;
use pcim_deploy::deploy::{MAX_FEE, Record, Request, deploy};
use pcim_tests::program::{Process, Run, first_document};
use serde_json::{Value, json};

use crate::pcim_dev;

/// A chain in a process of its own, which is killed when it is dropped.
struct Chain {
    said: Value,
    _process: Process,
}

impl Chain {
    fn start(state: &Path, args: &[&str]) -> Self {
        let mut command = pcim_dev();
        command.args(["--json", "devnet", "--port", "0", "--state-dir"]);
        command.arg(state).args(args);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process(command.spawn().unwrap());
        Self {
            said: first_document(&mut process.0),
            _process: process,
        }
    }

    fn url(&self) -> &str {
        self.said["rpc_url"].as_str().unwrap()
    }

    /// Asks the chain.
    fn ask(&self, method: &str, params: Value) -> Value {
        let host = self.url().strip_prefix("http://").unwrap();
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let body = body.to_string();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut answer: Value = serde_json::from_str(body).unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Deploys the contract with the chain's first account, for the second.
    fn deploy(&self) -> Record {
        let account = |number: usize, what: &str| {
            let text = self.said["accounts"][number][what].as_str().unwrap();
            text.trim_start_matches("0x").to_owned()
        };
        let mut key = [0; 32];
        hex::decode_to_slice(account(0, "private_key"), &mut key).unwrap();
        let request = Request {
            rpc_url: self.url(),
            chain_id: self.said["chain_id"].as_u64().unwrap(),
            deployer_key: &key,
            consortium: account(1, "address").parse().unwrap(),
            predecessor: None,
            wasm: artifact::PCAC_WASM,
            max_fee: MAX_FEE,
            records: None,
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(deploy(&request)).unwrap()
    }
}

#[test]
fn what_was_acknowledged_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let devnet = Chain::start(&state, &["--chain-id", "421614"]);
    assert_eq!(devnet.said["chain_id"], 421_614);
    assert!(devnet.said["ws_url"].as_str().unwrap().starts_with("ws://"));
    let record = devnet.deploy();
    let look = |devnet: &Chain| {
        [
            devnet.ask("eth_chainId", json!([])),
            devnet.ask("eth_getCode", json!([record.contract, "latest"])),
            devnet.ask("eth_getTransactionReceipt", json!([record.tx])),
            devnet.ask(
                "eth_getLogs",
                json!([{ "fromBlock": "earliest", "address": record.contract }]),
            ),
        ]
    };
    let before = look(&devnet);
    assert_eq!(before[0], "0x66eee");
    assert!(before[1].as_str().unwrap().len() > 10_000);
    assert_eq!(before[2]["status"], "0x1");
    assert!(!before[3].as_array().unwrap().is_empty());

    drop(devnet);
    let devnet = Chain::start(&state, &["--network", "arbitrum-sepolia"]);
    assert_eq!(look(&devnet), before);
    // It goes on.
    assert_ne!(devnet.deploy().contract, record.contract);

    // Its state is for one process and one chain.
    let other = |chain_id: &str| {
        let mut command = pcim_dev();
        command.args(["devnet", "--port", "0", "--chain-id", chain_id]);
        Run::of(command.arg("--state-dir").arg(&state))
    };
    other("421614").refused(1, "");
    drop(devnet);
    other("1").refused(1, "421614");
}

#[test]
fn blocks_come_by_the_clock_and_posting_has_a_price() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["--block-time", "1", "--l1-price-per-unit", "1000"];
    let devnet = Chain::start(&dir.path().join("state"), &options);
    // Of the text `getL1BaseFeeEstimate()`.
    let name = json!(["0x6765744c3142617365466565457374696d6174652829"]);
    let hash = devnet.ask("web3_sha3", name);
    let call = json!({
        "to": "0x000000000000000000000000000000000000006c",
        "data": &hash.as_str().unwrap()[..10],
    });
    let price = devnet.ask("eth_call", json!([call]));
    assert_eq!(price, format!("0x{:064x}", 1_000));
    let started = std::time::Instant::now();
    while devnet.ask("eth_blockNumber", json!([])) != "0x2" {
        assert!(started.elapsed().as_secs() < 60);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn a_chain_that_cannot_be_started_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let devnet = Chain::start(&dir.path().join("state"), &[]);
    let port = devnet.url().rsplit(':').next().unwrap();
    Run::of(pcim_dev().args(["devnet", "--port", port])).refused(1, "cannot listen on 127.0.0.1");
    Run::of(pcim_dev().args(["devnet", "--network", "mainnet"])).refused(2, "unknown network");
}
