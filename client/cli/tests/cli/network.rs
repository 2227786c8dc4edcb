//! Networks: their files, joining, renewing, leaving; settings. No file of a home is edited by hand.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use pcim_client::papers::network::{NetworkFile, NetworkRpc};
use pcim_core::{Address, B256};
use pcim_ledger::Account;
use serde_json::{Value, json};

use crate::program::{Actor, Run, pcim, write_secret};
use crate::rpc::ask;
use crate::stage::{CHAIN_ID, Stage};

/// Where no chain answers.
const NOWHERE: &str = "http://127.0.0.1:1";
const DAY: u64 = 86_400;

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A command of an actor that names no chain.
fn plain(actor: &Actor) -> Command {
    let mut command = pcim();
    command
        .env("PCIM_PASSPHRASE_FILE", &actor.passphrase)
        .arg("--home")
        .arg(&actor.home)
        .arg("--json");
    command
}

fn run(actor: &Actor, args: &[&str]) -> Run {
    Run::of(plain(actor).args(args))
}

/// The key of one of the chain's accounts; the consortium's is 1.
fn account(stage: &Stage, number: usize) -> Account {
    let key: B256 = stage.chain.account(number, "private_key").parse().unwrap();
    Account::from_private_key(&key.0).unwrap()
}

/// The stage's network, unsigned.
pub(crate) fn network(stage: &Stage) -> NetworkFile {
    let contract = &stage.known.contract;
    let code = ask(
        stage.chain.url(),
        "eth_getCode",
        json!([contract, "latest"]),
    );
    let hash = ask(stage.chain.url(), "web3_sha3", json!([code]));
    let contract = (
        contract.parse().unwrap(),
        hash.as_str().unwrap().parse().unwrap(),
    );
    let consortium = account(stage, 1).address();
    let mut file = NetworkFile::new("clinic".to_owned(), CHAIN_ID, contract, consortium);
    file.rpcs = vec![rpc(stage.chain.url())];
    file
}

fn rpc(url: &str) -> NetworkRpc {
    NetworkRpc {
        url: url.to_owned(),
        insecure: false,
    }
}

/// Writes a file of the stage; its path.
fn put(stage: &Stage, name: &str, file: &NetworkFile) -> String {
    // Homes and the chain have plain names.
    let path = match name.contains('.') {
        true => stage.file(name),
        false => stage.file(&format!("{name}.file")),
    };
    fs::write(&path, file.to_json().unwrap()).unwrap();
    path
}

/// Changes the stage's network, has the consortium sign it, and writes it.
pub(crate) fn signed(stage: &Stage, name: &str, change: impl Fn(&mut NetworkFile)) -> String {
    let mut file = network(stage);
    change(&mut file);
    file.sign(&account(stage, 1), now(), DAY).unwrap();
    put(stage, name, &file)
}

/// Deploys another contract on the stage's chain.
fn deploy(stage: &Stage, consortium: Address) -> Address {
    let key = stage.file("deployer.key");
    write_secret(&key, stage.chain.account(0, "private_key"));
    let mut command = pcim();
    command.args([
        "--json",
        "deploy",
        "--rpc-url",
        stage.chain.url(),
        "--chain-id",
        "412346",
    ]);
    command.args(["--consortium", &consortium.to_string(), "--key-file", &key]);
    let record = Run::of(command.args(["--record-dir", &stage.file("elsewhere")])).json();
    record["contract"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_home_joins_by_a_signed_file_and_knows_where_everything_is() {
    let stage = Stage::new();
    let (consortium, patient) = (stage.actor("consortium"), stage.actor("patient"));
    // The consortium signs; endpoints are named on the command line.
    let draft = put(&stage, "draft.json", &network(&stage));
    let clinic = stage.file("clinic.network");
    let follower = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let made = consortium.run([
        "network",
        "sign",
        &draft,
        "--out",
        &clinic,
        "--rpc",
        NOWHERE,
        "--rpc",
        stage.chain.url(),
        "--follower",
        follower,
        "--lasts",
        "30d",
    ]);
    assert_eq!(made.json()["consortium"], *consortium.address, "{made:?}");
    assert!(
        made.stderr.contains("127.0.0.1:1: "),
        "a silent endpoint is told: {made:?}"
    );
    let shown = Run::of(pcim().args(["network", "show", &clinic]));
    assert!(
        shown.stdout.contains("signed       by the consortium\n"),
        "{shown:?}"
    );
    let patient_signs = patient.run(["network", "sign", &draft, "--out", &stage.file("x")]);
    patient_signs.refused(1, "and this home's key is");

    let joined = run(&patient, &["network", "join", &clinic]);
    assert_eq!(joined.json()["joined"], "clinic");
    for key in ["rpc_url", "chain_id", "contract"] {
        assert_eq!(
            run(&patient, &["config", "get", key]).json(),
            Value::Null,
            "{key}"
        );
    }
    // Everything comes from the file; the endpoint that is silent is passed over.
    let images = run(&patient, &["patient", "images"]).json();
    assert_eq!(images[0]["image"], *stage.known.image);
    let list = run(&patient, &["network", "list"]).json();
    assert_eq!(
        (&list[0]["name"], &list[0]["is_own"]),
        (&json!("clinic"), &json!(true))
    );
    assert_eq!(list[0]["followers"], json!([follower]));

    // A renewal under the same name is taken; a second network stands beside it, and one is chosen by its name.
    let renewed = run(&patient, &["network", "join", &clinic]).json();
    assert_eq!(renewed["renewed"], true);
    let other = signed(&stage, "other.network", |file| {
        file.name = "other".to_owned()
    });
    run(&patient, &["network", "join", &other]).json();
    assert_eq!(run(&patient, &["config", "get", "network"]).json(), "other");
    let by_name = ["--network", "clinic", "patient", "images"];
    assert_eq!(
        run(&patient, &by_name).json()[0]["image"],
        *stage.known.image
    );
    run(&patient, &["--network", "nowhere", "patient", "images"])
        .refused(2, "unknown network `nowhere`");
    run(&patient, &["config", "set", "network", "clinic"]).json();

    run(&patient, &["network", "leave", "clinic"]).json();
    run(&patient, &["patient", "images"]).refused(2, "this home has no rpc_url set");
    run(&patient, &["network", "leave", "clinic"]).refused(1, "knows no network `clinic`");
}

#[test]
fn files_that_are_no_good_are_refused_by_name() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let join = |path: &str, why: &str| run(&patient, &["network", "join", path]).refused(1, why);

    let good = signed(&stage, "good", |_| {});
    let altered = fs::read_to_string(&good).unwrap();
    let altered = altered.replace("\"gateways\": []", "\"gateways\": [\"https://x.example\"]");
    fs::write(stage.file("altered"), altered).unwrap();
    join(&stage.file("altered"), "was altered, or consortium");
    join(&put(&stage, "unsigned", &network(&stage)), "is not signed");
    fs::write(stage.file("prose"), "{\"pcim-network\": 1}").unwrap();
    join(&stage.file("prose"), "not a network file");

    let mut expired = network(&stage);
    expired
        .sign(&account(&stage, 1), now() - 2 * DAY, DAY)
        .unwrap();
    join(&put(&stage, "expired", &expired), "expired at ");
    let mut early = network(&stage);
    early.sign(&account(&stage, 1), now() + DAY, DAY).unwrap();
    join(&put(&stage, "early", &early), "later than now");

    // Another key that says that it is the consortium, and signs rightly.
    let stranger = Account::generate();
    let mut other = network(&stage);
    other.consortium = stranger.address();
    other.sign(&stranger, now(), DAY).unwrap();
    join(&put(&stage, "other", &other), "and the contract's is");
    join(
        &signed(&stage, "chain", |file| file.chain_id = 1),
        "serves another chain",
    );
    join(
        &signed(&stage, "code", |file| file.code_hash = B256::ZERO),
        "wants code 0x0000",
    );
    join(
        &signed(&stage, "silent", |file| file.rpcs = vec![rpc(NOWHERE)]),
        "no RPC of network file",
    );
    assert!(
        run(&patient, &["network", "list"])
            .json()
            .as_array()
            .unwrap()
            .is_empty()
    );

    // What was known stays when a renewal is refused.
    run(&patient, &["network", "join", &good]).json();
    // The same code elsewhere, of the same consortium.
    let mut elsewhere = network(&stage);
    elsewhere.contract = deploy(&stage, account(&stage, 1).address());
    elsewhere.sign(&account(&stage, 1), now(), DAY).unwrap();
    let moved = put(&stage, "moved", &elsewhere);
    join(&moved, "changes its contract from");
    let mut older = network(&stage);
    older.sign(&account(&stage, 1), now() - 60, DAY).unwrap();
    join(
        &put(&stage, "older", &older),
        "is known by a file issued at",
    );
    assert_eq!(
        run(&patient, &["patient", "images"]).json()[0]["image"],
        *stage.known.image
    );
    let changed = run(&patient, &["network", "join", &moved, "--accept-change"]);
    assert_eq!(changed.json()["renewed"], true, "{changed:?}");
}

#[test]
fn a_consortium_that_is_a_contract_account_is_asked() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let url = stage.chain.url();
    // The consortium is an account whose code takes every signature: it returns the magic word.
    let takes = Address::repeat_byte(0x71);
    let code = |magic: &str| format!("0x63{magic}60e01b60005260206000f3");
    ask(url, "anvil_setCode", json!([takes, code("1626ba7e")]));
    let mut draft = network(&stage);
    draft.contract = deploy(&stage, takes);
    draft.consortium = takes;
    let draft = put(&stage, "draft", &draft);
    let signed = stage.file("signed");
    patient
        .run(["network", "sign", &draft, "--out", &signed])
        .json();
    run(&patient, &["network", "join", &signed]).json();
    // One that does not take it is not believed, and cannot sign.
    ask(url, "anvil_setCode", json!([takes, code("ffffffff")]));
    run(&patient, &["network", "join", &signed]).refused(1, "was altered, or consortium");
    patient
        .run(["network", "sign", &draft, "--out", &stage.file("x")])
        .refused(1, "and this home's key is");
    assert!(!PathBuf::from(stage.file("x")).exists());
}

#[test]
fn a_new_home_joins_by_an_address_of_the_web() {
    let stage = Stage::new();
    let file = fs::read(signed(&stage, "clinic", |_| {})).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/clinic.network", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let read = stream.read(&mut [0; 4096]).unwrap();
        assert!(read > 0);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", file.len());
        stream
            .write_all(&[head.as_bytes(), &file].concat())
            .unwrap();
    });
    let dir = stage.file("newcomer");
    let init = |join: &str| {
        let mut command = pcim();
        command.env("PCIM_PASSPHRASE_FILE", stage.file("passphrase"));
        Run::of(command.args(["--home", &dir, "--json", "init", "--join", join]))
    };
    init("http://192.0.2.1/clinic.network").refused(1, "wanted https://");
    assert!(!PathBuf::from(&dir).exists());
    assert_eq!(init(&url).json()["network"], "clinic");
    server.join().unwrap();
    let newcomer = Actor {
        home: dir.into(),
        address: String::new(),
        passphrase: stage.file("passphrase").into(),
        rpc_url: String::new(),
    };
    assert_eq!(run(&newcomer, &["patient", "images"]).json(), json!([]));
}

#[test]
fn settings_are_typed_checked_and_replaced_whole() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let all = run(&patient, &["config", "list"]).json();
    assert_eq!(all["network"], "devnet");
    assert_eq!(all["listen"], json!(["/ip4/127.0.0.1/tcp/0"]));
    assert_eq!(
        run(&patient, &["config", "get", "address"]).json(),
        *patient.address
    );
    let listen = [
        "config",
        "set",
        "listen",
        "/ip4/0.0.0.0/tcp/4001",
        "/ip6/::/tcp/4001",
    ];
    run(&patient, &listen).json();
    let two = json!(["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"]);
    assert_eq!(run(&patient, &["config", "get", "listen"]).json(), two);
    run(&patient, &["config", "set", "node.mdns", "true"]).json();

    let path = patient.home.join("config.toml");
    let before = fs::read(&path).unwrap();
    for (args, why) in [
        (
            ["config", "set", "chunk_bytes", "4194304"].as_slice(),
            "`chunk_bytes` is a number from 1 to 1048576",
        ),
        (
            &["config", "set", "rpc_url", "rpc.example"],
            "`rpc_url` is a URL",
        ),
        (
            &["config", "set", "dht", "on"],
            "there is no setting `dht`; do you mean `node.dht`?",
        ),
        (
            &["config", "set", "peers", "/ip4/192.0.2.1/tcp/1"],
            "with /p2p/",
        ),
        (&["config", "get", "adress"], "there is no setting"),
    ] {
        run(&patient, args).refused(2, why);
    }
    run(&patient, &["config", "set", "network", "nowhere"]).refused(1, "knows no network");
    assert_eq!(fs::read(&path).unwrap(), before);
    // A home that another process has open is not changed behind its back.
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("mdns = true"), "{text}");
    run(&patient, &["config", "set", "node.mdns"]).json();
    assert_eq!(
        run(&patient, &["config", "get", "node.mdns"]).json(),
        "false"
    );
}

#[test]
fn deploying_writes_a_network_file_which_the_consortium_signs() {
    let dir = tempfile::tempdir().unwrap();
    let chain = crate::stage::Chain::start(&dir.path().join("state"));
    let records = dir.path().join("records");
    let path = records.join(format!("{CHAIN_ID}.network.json"));
    let deploy = |payer: usize| {
        let key = dir.path().join("key");
        write_secret(&key, chain.account(payer, "private_key"));
        let mut command = pcim();
        command.args([
            "--json",
            "deploy",
            "--rpc-url",
            chain.url(),
            "--chain-id",
            "412346",
        ]);
        command.args([
            "--consortium",
            chain.account(1, "address"),
            "--network-name",
            "clinic",
        ]);
        command
            .arg("--key-file")
            .arg(&key)
            .arg("--record-dir")
            .arg(&records);
        Run::of(&mut command)
    };
    let record = deploy(0).json();
    let file = NetworkFile::read(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(file.signature, None);
    assert_eq!(json!(file.contract), record["contract"]);
    assert_eq!(file.http_rpcs(), [chain.url()]);
    // Nothing is deployed where a network file would be overwritten.
    fs::remove_file(records.join(format!("{CHAIN_ID}.json"))).unwrap();
    deploy(0).refused(1, "exists already");
    fs::remove_file(&path).unwrap();
    // The consortium pays for itself: it signs.
    deploy(1).json();
    let file = NetworkFile::read(&fs::read(&path).unwrap()).unwrap();
    assert!(file.is_signed_by_key());
}

#[test]
fn a_home_is_looked_at_and_each_fault_has_its_remedy() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let two = vec![rpc(stage.chain.url()), rpc(NOWHERE)];
    let clinic = signed(&stage, "clinic", |file| {
        file.rpcs = two.clone();
        file.followers = vec![
            "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
                .to_owned(),
        ];
    });
    run(&patient, &["network", "join", &clinic]).json();
    let looked = run(&patient, &["doctor"]);
    let findings = looked.json();
    let found = |what: &str, findings: &Value| {
        let all = findings.as_array().unwrap().iter();
        let about: Vec<_> = all.filter(|it| it["what"] == what).cloned().collect();
        assert!(!about.is_empty(), "{what}: {findings}");
        about
    };
    let state = |what: &str| found(what, &findings)[0]["state"].clone();
    for good in ["keys", "passphrase", "contract", "program", "ether", "disk"] {
        assert_eq!(state(good), "good", "{good}: {findings}");
    }
    let rpcs = found("rpc", &findings);
    assert_eq!(
        (&rpcs[0]["state"], &rpcs[1]["state"]),
        (&json!("good"), &json!("note"))
    );
    for note in ["network", "reachable", "follower", "backup"] {
        assert_eq!(state(note), "note", "{note}: {findings}");
        assert!(
            found(note, &findings)[0]["remedy"].is_string(),
            "{findings}"
        );
    }
    let reachable = found("reachable", &findings)[0]["found"].to_string();
    assert!(
        reachable.contains("127.0.0.1") && reachable.contains("card says so"),
        "{reachable}"
    );

    // Another contract's code, and no endpoint at all.
    ask(
        stage.chain.url(),
        "anvil_setCode",
        json!([stage.known.contract, "0x6000"]),
    );
    let broken = run(&patient, &["doctor"]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert_eq!(found("contract", &broken.document())[0]["state"], "bad");
    run(&patient, &["config", "set", "rpc_url", NOWHERE]).json();
    let silent = run(&patient, &["doctor"]);
    assert_eq!(silent.code, Some(1), "{silent:?}");
    assert_eq!(found("rpc", &silent.document())[0]["state"], "bad");
}
