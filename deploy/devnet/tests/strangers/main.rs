//! The devnet as other people's tools meet it: web pages, presigned transactions, and the methods that they call.
#![allow(clippy::unwrap_used)]

mod chain_rlp;
#[path = "../common/mod.rs"]
mod common;
mod faucet;
mod questions;

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction as _, TxEip4844, TxLegacy};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex, keccak256};
use common::{COUNTER, raw, rpc, sign::Unsigned};
use serde_json::{Value, json};
use stylus_devnet::{ArbOs, Config, Cors, Handle, spawn};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

type Envelope = EthereumTxEnvelope<TxEip4844>;

const TEN_GWEI: u128 = 10_000_000_000;

async fn with(config: Config) -> Handle {
    spawn(config).await.unwrap()
}

async fn devnet() -> Handle {
    common::devnet().await
}

fn key(devnet: &Handle) -> k256::ecdsa::SigningKey {
    key_of(devnet, 0)
}

fn key_of(devnet: &Handle, account: usize) -> k256::ecdsa::SigningKey {
    let key = devnet.accounts()[account].private_key;
    k256::ecdsa::SigningKey::from_slice(key.as_slice()).unwrap()
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// Sends a request as a browser does; the answer's head and body.
async fn browse(devnet: &Handle, method: &str, headers: &str, body: &str) -> (String, String) {
    browse_at(devnet, "/", method, headers, body).await
}

async fn browse_at(
    devnet: &Handle,
    path: &str,
    method: &str,
    headers: &str,
    body: &str,
) -> (String, String) {
    let host = devnet.url().replace("http://", "");
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.into())
}

const CHAIN_ID: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
const JSON: &str = "content-type: application/json\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn pages_use_it_as_far_as_the_setting_says() {
    let only = Cors::Only(vec!["http://localhost:3000".into()]);
    let (good, bad) = (
        "http://localhost:3000",
        "http://localhost:3000.evil.example",
    );
    for (cors, origin, allowed) in [
        (Cors::Any, bad, Some("*")),
        (Cors::Any, "null", Some("*")),
        (Cors::Off, good, None),
        (only.clone(), good, Some(good)),
        (only.clone(), bad, None),
        (only, "null", None),
    ] {
        let devnet = with(Config {
            cors: cors.clone(),
            ..Config::default()
        })
        .await;
        let header = format!("origin: {origin}\r\n");
        let preflight = format!(
            "{header}access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n"
        );
        let (head, _) = browse(&devnet, "OPTIONS", &preflight, "").await;
        let (answer, body) = browse(&devnet, "POST", &format!("{header}{JSON}"), CHAIN_ID).await;
        let mut upgrade = devnet.ws_url().into_client_request().unwrap();
        let header = origin.parse().unwrap();
        upgrade.headers_mut().insert("origin", header);
        let socket = tokio_tungstenite::connect_async(upgrade).await;
        match allowed {
            Some(allowed) => {
                assert!(head.starts_with("http/1.1 204"), "{cors:?}: {head}");
                let shown = format!("access-control-allow-origin: {allowed}");
                assert!(
                    head.contains(&shown) && answer.contains(&shown),
                    "{cors:?}: {head} {answer}"
                );
                assert!(head.contains("access-control-allow-methods: post"));
                assert!(body.contains("0x64aba"));
                assert!(socket.is_ok(), "{cors:?} {origin}");
            }
            None => {
                for head in [head, answer] {
                    assert!(
                        head.starts_with("http/1.1 403"),
                        "{cors:?} {origin}: {head}"
                    );
                    assert!(!head.contains("access-control"));
                }
                assert!(!body.contains("0x64aba"));
                assert!(socket.is_err(), "{cors:?} {origin}");
            }
        }
        // A program without an origin is served whatever is set.
        let id = rpc(&devnet, "eth_chainId", json!([])).await;
        assert_eq!(id, "0x64aba");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_has_no_answer() {
    let devnet = devnet().await;
    let body = r#"{"jsonrpc":"2.0","method":"eth_chainId","params":[]}"#;
    let (head, body) = browse(&devnet, "POST", JSON, body).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, "");
}

/// A transaction that nobody's key signed: its signature was made up, and its sender follows from that.
fn keyless(input: Vec<u8>) -> (Bytes, Address) {
    let tx = TxLegacy {
        chain_id: None,
        nonce: 0,
        gas_price: 100_000_000_000,
        gas_limit: 200_000,
        to: TxKind::Create,
        value: U256::ZERO,
        input: input.into(),
    };
    let word = U256::from_be_bytes([0x18; 32]);
    let hash = tx.signature_hash();
    for odd in [false, true] {
        let signature = Signature::new(word, word >> 4, odd);
        if let Ok(sender) = signature.recover_address_from_prehash(&hash) {
            let envelope = Envelope::from(tx.into_signed(signature));
            return (envelope.encoded_2718().into(), sender);
        }
    }
    panic!("no key makes this signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_for_every_chain_are_taken() {
    let devnet = devnet().await;
    let (raw_tx, sender) = keyless(hex::decode(COUNTER).unwrap());
    let poor = raw(&devnet, "eth_sendRawTransaction", json!([raw_tx])).await;
    assert!(
        poor["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("insufficient funds")
    );
    rpc(
        &devnet,
        "anvil_setBalance",
        json!([sender, "0xde0b6b3a7640000"]),
    )
    .await;
    let hash = rpc(&devnet, "eth_sendRawTransaction", json!([raw_tx])).await;
    let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["contractAddress"], json!(sender.create(0)));
    let tx = rpc(&devnet, "eth_getTransactionByHash", json!([hash])).await;
    assert!(tx["v"] == "0x1b" || tx["v"] == "0x1c", "{tx}");
    assert!(tx.get("chainId").is_none(), "{tx}");
    assert_eq!(
        tx["blockTimestamp"],
        receipt["logs"]
            .get(0)
            .map_or(tx["blockTimestamp"].clone(), |log| log["blockTimestamp"]
                .clone())
    );
    assert!(tx["blockTimestamp"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_transactions_cut_anywhere_are_refused() {
    let devnet = devnet().await;
    let key = key(&devnet);
    for kind in [
        common::sign::Type::Legacy,
        common::sign::Type::AccessList,
        common::sign::Type::Dynamic,
        common::sign::Type::SetCode,
    ] {
        let tx = Unsigned {
            kind,
            gas_limit: 100_000,
            access_list: vec![(Address::repeat_byte(1), vec![B256::ZERO])],
            ..Unsigned::pay(devnet.chain_id(), 0, Address::repeat_byte(9), TEN_GWEI)
        };
        let whole = tx.sign(&key);
        let mut wire = common::wire::Wire::connect(&devnet.url()).unwrap();
        for end in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..end]);
            assert!(
                wire.ask("eth_sendRawTransaction", json!([cut])).is_err(),
                "{kind:?} {end}"
            );
        }
    }
    assert_eq!(rpc(&devnet, "eth_blockNumber", json!([])).await, "0x0");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_types_that_nobody_may_send_are_refused() {
    let devnet = devnet().await;
    let key = key(&devnet);
    let blob = TxEip4844 {
        chain_id: devnet.chain_id(),
        gas_limit: 100_000,
        max_fee_per_gas: TEN_GWEI,
        to: Address::repeat_byte(9),
        blob_versioned_hashes: vec![B256::repeat_byte(1)],
        max_fee_per_blob_gas: 1,
        ..TxEip4844::default()
    };
    let (signature, id) = key
        .sign_prehash_recoverable(blob.signature_hash().as_slice())
        .unwrap();
    let signed = blob.into_signed(Signature::from((signature, id)));
    let blob = Envelope::from(signed).encoded_2718();
    assert_eq!(blob[0], 3);
    let mut wire = common::wire::Wire::connect(&devnet.url()).unwrap();
    for end in 0..=blob.len() {
        let cut = Bytes::copy_from_slice(&blob[..end]);
        let answer = wire.ask("eth_sendRawTransaction", json!([cut]));
        assert!(answer.is_err(), "{end}");
    }
    // Among the types are those of ArbOS itself: 0x64 to 0x6a.
    let own = Unsigned::pay(devnet.chain_id(), 0, Address::repeat_byte(9), TEN_GWEI).sign(&key);
    let rightful = own[0];
    for kind in (0..=255).filter(|kind| *kind != rightful) {
        let mut other = own.to_vec();
        other[0] = kind;
        let answer = wire.ask("eth_sendRawTransaction", json!([Bytes::from(other)]));
        assert!(answer.is_err(), "{kind:#x}");
    }
    assert_eq!(rpc(&devnet, "eth_blockNumber", json!([])).await, "0x0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tools_expect_is_preloaded() {
    let devnet = devnet().await;
    for (name, address) in devnet.preloaded() {
        let code = rpc(&devnet, "eth_getCode", json!([address, "latest"])).await;
        assert_ne!(code, "0x", "{name}");
    }
    // getChainId() of Multicall3
    let multicall = devnet
        .preloaded()
        .find(|(name, _)| *name == "Multicall3")
        .unwrap()
        .1;
    let call = json!({"to": multicall, "data": "0x3408e470"});
    let id = rpc(&devnet, "eth_call", json!([call, "latest"])).await;
    assert_eq!(number(&id), devnet.chain_id());
    let name = rpc(&devnet, "web3_clientVersion", json!([])).await;
    assert!(name.as_str().unwrap().starts_with("anvil/stylus-devnet/v"));
    let modules = rpc(&devnet, "rpc_modules", json!([])).await;
    assert_eq!(modules["eth"], "1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_signs_for_its_accounts() {
    let devnet = devnet().await;
    let accounts = rpc(&devnet, "eth_accounts", json!([])).await;
    assert_eq!(accounts.as_array().unwrap().len(), devnet.accounts().len());
    let own = devnet.accounts()[0].address;
    assert_eq!(accounts[0], json!(own));
    let recovered = |signature: Value, hash: B256| {
        let bytes: Bytes = serde_json::from_value(signature).unwrap();
        let signature = Signature::try_from(&bytes[..]).unwrap();
        signature.recover_address_from_prehash(&hash).unwrap()
    };
    let message = Bytes::from_static(b"hello");
    let hash = alloy_primitives::eip191_hash_message(&message);
    let signed = rpc(&devnet, "eth_sign", json!([own, message])).await;
    assert_eq!(recovered(signed.clone(), hash), own);
    assert_eq!(
        rpc(&devnet, "personal_sign", json!([message, own])).await,
        signed
    );

    let data = json!({
        "types": {"EIP712Domain": [{"name": "name", "type": "string"}], "Note": [{"name": "text", "type": "string"}]},
        "primaryType": "Note", "domain": {"name": "a test"}, "message": {"text": "hi"},
    });
    let signed = rpc(&devnet, "eth_signTypedData_v4", json!([own, data])).await;
    let word = |text: &str| keccak256(text).to_vec();
    let domain = keccak256([word("EIP712Domain(string name)"), word("a test")].concat());
    let note = keccak256([word("Note(string text)"), word("hi")].concat());
    let hash = keccak256([&[0x19, 0x01], domain.as_slice(), note.as_slice()].concat());
    assert_eq!(recovered(signed, hash), own);

    let to = Address::repeat_byte(7);
    let tx = json!({"from": own, "to": to, "value": "0x5"});
    let hash = rpc(&devnet, "eth_sendTransaction", json!([tx])).await;
    let sent = rpc(&devnet, "eth_getTransactionByHash", json!([hash])).await;
    assert_eq!(sent["from"], json!(own));
    let balance = rpc(&devnet, "eth_getBalance", json!([to, "latest"])).await;
    assert_eq!(balance, "0x5");
    let signed = rpc(&devnet, "eth_signTransaction", json!([tx])).await;
    let hash = rpc(&devnet, "eth_sendRawTransaction", json!([signed["raw"]])).await;
    assert_eq!(signed["tx"]["hash"], hash);
    let filled = rpc(&devnet, "eth_fillTransaction", json!([tx])).await;
    assert_eq!(
        (&filled["tx"]["nonce"], &filled["tx"]["gas"]),
        (&json!("0x2"), &json!("0x5208"))
    );
    assert!(filled["raw"].as_str().unwrap().starts_with("0x02"));

    let stranger = json!({"from": to, "to": own, "value": "0x1"});
    for (method, params) in [
        ("eth_sendTransaction", json!([stranger])),
        ("eth_signTransaction", json!([stranger])),
        ("eth_sign", json!([to, "0x00"])),
        ("eth_signTypedData_v4", json!([to, data])),
    ] {
        let refused = raw(&devnet, method, params).await;
        let text = refused["error"]["message"].as_str().unwrap().to_owned();
        assert!(text.starts_with("no signer for 0x0707"), "{method}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_can_wait_for_the_receipt() {
    let devnet = devnet().await;
    let key = key(&devnet);
    let tx = |nonce| {
        Unsigned::pay(devnet.chain_id(), nonce, Address::repeat_byte(9), TEN_GWEI).sign(&key)
    };
    let receipt = rpc(&devnet, "eth_sendRawTransactionSync", json!([tx(0)])).await;
    assert_eq!(receipt["status"], "0x1");
    // One that cannot be mined yet is waited for as long as is asked.
    let late = raw(
        &devnet,
        "eth_sendRawTransactionSync",
        json!([tx(2), "0x32"]),
    )
    .await;
    assert_eq!(late["error"]["code"], 4);
    assert_eq!(late["error"]["data"], json!(keccak256(tx(2))));
    rpc(&devnet, "eth_sendRawTransactionSync", json!([tx(1)])).await;
    assert_eq!(rpc(&devnet, "eth_blockNumber", json!([])).await, "0x3");
}

/// Deploys the counter with the node's own signature; its address and the transaction that counts once.
async fn counted(devnet: &Handle) -> (Address, Value) {
    let own = devnet.accounts()[0].address;
    let create = json!({"from": own, "data": format!("0x{COUNTER}")});
    let hash = rpc(devnet, "eth_sendTransaction", json!([create])).await;
    let receipt = rpc(devnet, "eth_getTransactionReceipt", json!([hash])).await;
    let counter = serde_json::from_value(receipt["contractAddress"].clone()).unwrap();
    let count = json!({"from": own, "to": counter});
    let hash = rpc(devnet, "eth_sendTransaction", json!([count])).await;
    (counter, hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_chain_can_be_moved() {
    let devnet = devnet().await;
    let (counter, _) = counted(&devnet).await;
    let count = |at: &'static str| rpc(&devnet, "eth_getStorageAt", json!([counter, "0x0", at]));
    let height = || rpc(&devnet, "eth_blockNumber", json!([]));
    let dumped = rpc(&devnet, "anvil_dumpState", json!([])).await;
    rpc(&devnet, "anvil_rollback", json!([1])).await;
    assert_eq!(
        (height().await, number(&count("latest").await)),
        (json!("0x1"), 0)
    );
    rpc(&devnet, "anvil_loadState", json!([dumped])).await;
    assert_eq!(number(&count("latest").await), 1);
    let too_deep = raw(&devnet, "anvil_rollback", json!([9])).await;
    assert_eq!(too_deep["error"]["code"], -32000);
    let block = rpc(&devnet, "eth_getBlockByNumber", json!(["0x1", false])).await;
    rpc(
        &devnet,
        "anvil_reorg",
        json!([{"depth": 1, "txBlockPairs": []}]),
    )
    .await;
    let other = rpc(&devnet, "eth_getBlockByNumber", json!(["0x1", false])).await;
    assert_ne!(block["hash"], other["hash"]);
    assert_eq!(other["transactions"], json!([]));
    rpc(&devnet, "anvil_reset", json!([])).await;
    assert_eq!(height().await, "0x0");
    assert_eq!(number(&count("latest").await), 0);
    let (again, _) = counted(&devnet).await;
    assert_eq!(again, counter);
    let garbage = raw(&devnet, "anvil_loadState", json!(["0x7b7d"])).await;
    assert_eq!(garbage["error"]["code"], -32602);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_undone_stays_undone_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = || Config {
        state_dir: Some(dir.path().into()),
        ..Config::default()
    };
    let devnet = with(config()).await;
    let (counter, _) = counted(&devnet).await;
    rpc(&devnet, "anvil_rollback", json!([1])).await;
    rpc(&devnet, "evm_mine", json!([])).await;
    let head = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
    devnet.shutdown().await;
    let devnet = with(config()).await;
    let same = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(same, head);
    let slot = rpc(
        &devnet,
        "eth_getStorageAt",
        json!([counter, "0x0", "latest"]),
    )
    .await;
    assert_eq!(number(&slot), 0);
    rpc(&devnet, "anvil_reset", json!([])).await;
    devnet.shutdown().await;
    let devnet = with(config()).await;
    assert_eq!(rpc(&devnet, "eth_blockNumber", json!([])).await, "0x0");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_to_come_state_what_is_set() {
    let devnet = devnet().await;
    let coinbase = Address::repeat_byte(0xcb);
    rpc(&devnet, "evm_setBlockGasLimit", json!(["0x5b8d80"])).await;
    rpc(&devnet, "anvil_setCoinbase", json!([coinbase])).await;
    rpc(&devnet, "anvil_setBlockTimestampInterval", json!([7])).await;
    rpc(&devnet, "evm_mine", json!([])).await;
    rpc(&devnet, "evm_mine", json!([])).await;
    let block = |n: &'static str| rpc(&devnet, "eth_getBlockByNumber", json!([n, false]));
    let (first, second) = (block("0x1").await, block("0x2").await);
    assert_eq!(second["gasLimit"], "0x5b8d80");
    assert_eq!(second["miner"], json!(coinbase));
    assert_eq!(
        number(&second["timestamp"]) - number(&first["timestamp"]),
        7
    );
    let tx = json!({"from": devnet.accounts()[0].address, "to": coinbase, "gas": "0x5b8d81"});
    let over = raw(&devnet, "eth_sendTransaction", json!([tx])).await;
    assert_eq!(over["error"]["message"], "exceeds block gas limit");
    assert_eq!(
        rpc(&devnet, "anvil_removeBlockTimestampInterval", json!([])).await,
        true
    );
    assert_eq!(
        rpc(&devnet, "anvil_removeBlockTimestampInterval", json!([])).await,
        false
    );
    let least = raw(&devnet, "evm_setBlockGasLimit", json!([1])).await;
    assert_eq!(least["error"]["code"], -32602);
    rpc(&devnet, "eth_call", json!([{"to": coinbase}, "latest"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_starts_and_says_which_it_is() {
    for arbos in ArbOs::ALL {
        let devnet = with(Config {
            arbos,
            ..Config::default()
        })
        .await;
        let call =
            json!({"to": "0x0000000000000000000000000000000000000064", "data": "0x051038f2"});
        let version = rpc(&devnet, "eth_call", json!([call, "latest"])).await;
        assert_eq!(number(&version), 55 + arbos.number());
        let block = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
        let mix = block["mixHash"].as_str().unwrap();
        assert_eq!(
            u64::from_str_radix(&mix[34..50], 16).unwrap(),
            arbos.number()
        );
        counted(&devnet).await;
        let config = rpc(&devnet, "eth_config", json!([])).await;
        let filtering = &config["current"]["precompiles"]["ARB_FILTERED_TRANSACTIONS_MANAGER"];
        assert_eq!(filtering.is_string(), arbos >= ArbOs::V60);
        assert!(config["current"]["precompiles"]["P256VERIFY"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_answered_and_what_is_not_is_gone() {
    let all = devnet().await;
    let kept = rpc(&all, "eth_capabilities", json!([])).await;
    assert_eq!(
        kept["blocks"],
        json!({"disabled": false, "oldestBlock": "0x0"})
    );
    assert_eq!(kept["state"]["deleteStrategy"]["retentionBlocks"], "0x1000");

    let devnet = with(Config {
        blocks: Some(32),
        states: 16,
        ..Config::default()
    })
    .await;
    rpc(&devnet, "hardhat_mine", json!(["0x400"])).await;
    let kept = rpc(&devnet, "eth_capabilities", json!([])).await;
    let head = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(
        kept["head"],
        json!({"number": head["number"], "hash": head["hash"]})
    );
    assert_eq!(
        kept["logs"]["deleteStrategy"],
        json!({"type": "window", "retentionBlocks": "0x20"})
    );
    let before = |at: &Value| format!("{:#x}", number(at) - 1);
    let block = |at: Value| rpc(&devnet, "eth_getBlockByNumber", json!([at, false]));
    let first = &kept["tx"]["oldestBlock"];
    assert_eq!(block(first.clone()).await["number"], *first);
    assert!(block(json!(before(first))).await.is_null());
    let balance = |at: Value| raw(&devnet, "eth_getBalance", json!([Address::ZERO, at]));
    let first = &kept["stateproofs"]["oldestBlock"];
    assert!(balance(first.clone()).await["result"].is_string());
    assert!(balance(json!(before(first))).await["error"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_transactions_can_be_looked_at() {
    let devnet = devnet().await;
    rpc(&devnet, "evm_setAutomine", json!([false])).await;
    let own = devnet.accounts()[0].address;
    let tx = json!({"from": own, "to": Address::repeat_byte(9), "value": "0x5", "gas": "0x5208", "gasPrice": "0x3b9aca00"});
    rpc(&devnet, "eth_sendTransaction", json!([tx])).await;
    let seen = rpc(&devnet, "txpool_inspect", json!([])).await;
    let text = seen["pending"][format!("{own:#x}")]["0"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.ends_with(": 5 wei + 21000 gas × 1000000000 wei"),
        "{text}"
    );
    let from = rpc(&devnet, "txpool_contentFrom", json!([own])).await;
    assert_eq!(from["pending"]["0"]["value"], "0x5");
    let other = rpc(&devnet, "txpool_contentFrom", json!([Address::ZERO])).await;
    assert_eq!(other, json!({"pending": {}, "queued": {}}));
    for (method, want) in [
        (
            "eth_coinbase",
            json!("0xa4b000000000000000000073657175656e636572"),
        ),
        ("eth_blobBaseFee", json!("0x1")),
    ] {
        assert_eq!(rpc(&devnet, method, json!([])).await, want);
    }
}
