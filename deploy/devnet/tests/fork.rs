//! A devnet that goes on from another chain's block; the other chain is a devnet too, or a node that cannot be trusted.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use alloy_primitives::{Address, Bytes};
use common::{COUNTER, activate, client, creation, program, raw, rpc};
use ethers::types::TransactionRequest;
use serde_json::{Value, json};
use stylus_devnet::{Config, Error, Fork, ForkError, Handle, spawn};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

fn forking(url: &str, block: Option<u64>, cache: Option<&Path>) -> Config {
    Config {
        fork: Some(Fork {
            url: url.into(),
            block,
            cache: cache.map(Into::into),
        }),
        ..Config::default()
    }
}

fn own(devnet: &Handle) -> Address {
    devnet.accounts()[0].address
}

async fn transact(devnet: &Handle, tx: Value) -> Value {
    let hash = rpc(devnet, "eth_sendTransaction", json!([tx])).await;
    rpc(devnet, "eth_getTransactionReceipt", json!([hash])).await
}

/// A chain with a counter that has counted to 2.
async fn origin() -> (Handle, Address) {
    let devnet = common::devnet().await;
    let create = json!({"from": own(&devnet), "data": format!("0x{COUNTER}")});
    let receipt = transact(&devnet, create).await;
    let counter: Address = serde_json::from_value(receipt["contractAddress"].clone()).unwrap();
    for _ in 0..2 {
        transact(&devnet, json!({"from": own(&devnet), "to": counter})).await;
    }
    (devnet, counter)
}

async fn count(devnet: &Handle, counter: Address) -> Value {
    let call = json!({"to": counter, "data": format!("0x{}", "0".repeat(64))});
    rpc(devnet, "eth_call", json!([call, "latest"])).await
}

fn word(n: u64) -> Value {
    json!(format!("0x{n:064x}"))
}

/// Changes an answer to a request; `None` gives none.
type Spoil = fn(&str, Bytes) -> Option<Bytes>;

/// Passes requests on to `to`, counts them, and answers as `spoil` wants.
async fn between(to: String, spoil: Spoil) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let to = to.replace("http://", "");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (to, counter) = (to.clone(), counter.clone());
            tokio::spawn(async move {
                while let Some(body) = request(&mut stream).await {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let mut there = TcpStream::connect(&to).await.unwrap();
                    let head = format!(
                        "POST / HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    there.write_all(head.as_bytes()).await.unwrap();
                    there.write_all(body.as_bytes()).await.unwrap();
                    let mut answer = Vec::new();
                    there.read_to_end(&mut answer).await.unwrap();
                    let at = answer
                        .windows(4)
                        .position(|end| end == b"\r\n\r\n")
                        .unwrap();
                    let answer = Bytes::copy_from_slice(&answer[at + 4..]);
                    let Some(answer) = spoil(&body, answer) else {
                        return;
                    };
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                        answer.len()
                    );
                    stream.write_all(head.as_bytes()).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    (url, asked)
}

/// Reads the body of a request.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1)?;
            let length: usize = length.split("\r\n").next()?.parse().ok()?;
            if body.len() >= length {
                return Some(body.into());
            }
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_from_another_chains_block() {
    let (there, counter) = origin().await;
    let (url, _) = between(there.url(), |_, answer| Some(answer)).await;
    let here = spawn(forking(&url, None, None)).await.unwrap();
    assert_eq!(here.chain_id(), there.chain_id());
    assert_eq!(rpc(&here, "eth_blockNumber", json!([])).await, "0x3");
    assert_eq!(count(&here, counter).await, word(2));
    let code = json!([counter, "latest"]);
    let (one, other) = (
        rpc(&here, "eth_getCode", code.clone()),
        rpc(&there, "eth_getCode", code),
    );
    assert_eq!(one.await, other.await);

    let receipt = transact(&here, json!({"from": own(&here), "to": counter})).await;
    assert_eq!(
        (&receipt["status"], &receipt["blockNumber"]),
        (&json!("0x1"), &json!("0x4"))
    );
    assert_eq!(count(&here, counter).await, word(3));
    assert_eq!(count(&there, counter).await, word(2));
    // Later blocks there are not seen here.
    transact(
        &there,
        json!({"from": own(&there), "to": counter, "value": "0x0"}),
    )
    .await;
    assert_eq!(count(&here, counter).await, word(3));

    let old = spawn(forking(&url, Some(2), None)).await.unwrap();
    assert_eq!(count(&old, counter).await, word(1));
    rpc(&old, "evm_mine", json!([])).await;
    let slot = json!([counter, "0x0", "earliest"]);
    assert_eq!(rpc(&old, "eth_getStorageAt", slot).await, word(1));
    for method in ["anvil_dumpState", "eth_getProof"] {
        let refused = raw(&here, method, json!([counter, [], "latest"])).await;
        assert!(
            refused["error"]["message"]
                .as_str()
                .unwrap()
                .contains("of a fork"),
            "{refused}"
        );
    }
    rpc(&here, "anvil_reset", json!([])).await;
    assert_eq!(rpc(&here, "eth_blockNumber", json!([])).await, "0x3");
    assert_eq!(count(&here, counter).await, word(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_run_on_it() {
    const ECHO: &str = r#"(module
        (import "vm_hooks" "read_args" (func $read (param i32)))
        (import "vm_hooks" "write_result" (func $write (param i32 i32)))
        (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param $len i32) (result i32)
            (call $read (i32.const 0)) (call $write (i32.const 0) (local.get $len)) (i32.const 0)))"#;
    let there = common::devnet().await;
    let signer = client(&there, 0);
    let deployed = common::send(
        &signer,
        TransactionRequest::new().data(creation(&program(ECHO))),
    )
    .await;
    let echo = deployed.contract_address.unwrap();
    activate(&signer, echo).await;
    let here = spawn(forking(&there.url(), None, None)).await.unwrap();
    let call = json!({"to": format!("{echo:#x}"), "data": "0x0badc0de"});
    assert_eq!(
        rpc(&here, "eth_call", json!([call, "latest"])).await,
        "0x0badc0de"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_not_asked_for_again() {
    let (there, counter) = origin().await;
    let (url, asked) = between(there.url(), |_, answer| Some(answer)).await;
    let dir = tempfile::tempdir().unwrap();
    let here = spawn(forking(&url, Some(3), Some(dir.path())))
        .await
        .unwrap();
    assert_eq!(count(&here, counter).await, word(2));
    let first = asked.load(Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(count(&here, counter).await, word(2));
    }
    transact(&here, json!({"from": own(&here), "to": counter})).await;
    let written = asked.load(Ordering::SeqCst);
    for _ in 0..3 {
        transact(&here, json!({"from": own(&here), "to": counter})).await;
        assert_eq!(
            rpc(&here, "eth_getBalance", json!([counter, "latest"])).await,
            "0x0"
        );
    }
    // Each transaction asks once whether its own hash is filtered there (ArbOS 60), and nothing else.
    assert_eq!(asked.load(Ordering::SeqCst), written + 3);
    here.shutdown().await;

    // Another process finds it on disk, also behind a line that a crash cut off.
    let file = std::fs::read_dir(dir.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, [&whole, &b"{\"address\":\"0x"[..]].concat()).unwrap();
    let before = asked.load(Ordering::SeqCst);
    let again = spawn(forking(&url, Some(3), Some(dir.path())))
        .await
        .unwrap();
    assert_eq!(count(&again, counter).await, word(2));
    let opening = asked.load(Ordering::SeqCst) - before;
    assert!(opening < first, "{opening} of {first} questions");
    assert!(std::fs::read(&file).unwrap().starts_with(&whole));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_stops_fails_what_needs_it_and_nothing_else() {
    let (there, counter) = origin().await;
    let here = spawn(forking(&there.url(), None, None)).await.unwrap();
    let known = count(&here, counter).await;
    there.shutdown().await;
    let who = Address::repeat_byte(0x55);
    let answer = raw(&here, "eth_getBalance", json!([who, "latest"])).await;
    let text = answer["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("the fork's source http://127.0.0.1:"),
        "{text}"
    );
    let pay = json!({"from": own(&here), "to": who, "value": "0x5"});
    let answer = raw(&here, "eth_sendTransaction", json!([pay])).await;
    assert!(answer["error"].is_object(), "{answer}");
    assert_eq!(rpc(&here, "eth_blockNumber", json!([])).await, "0x3");
    assert_eq!(count(&here, counter).await, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lies_is_found_out() {
    let (there, counter) = origin().await;
    let spoils: [(Spoil, &str); 6] = [
        (
            |body, answer| match body.contains("getStorageAt") {
                true => Some(Bytes::from_static(b"<html>busy</html>")),
                false => Some(answer),
            },
            "not JSON",
        ),
        (
            |body, answer| match body.contains("getStorageAt") {
                true => Some(br#"[{"id":0,"result":"0xzz"}]"#.to_vec().into()),
                false => Some(answer),
            },
            "eth_getStorageAt",
        ),
        (
            |body, answer| match body.contains("getStorageAt") {
                true => Some(br#"[{"id":7,"result":"0x0"}]"#.to_vec().into()),
                false => Some(answer),
            },
            "an answer to no question",
        ),
        (
            |body, answer| match body.contains("getStorageAt") {
                true => Some(b"[]".to_vec().into()),
                false => Some(answer),
            },
            "no result",
        ),
        (
            |body, answer| match body.contains("getStorageAt") {
                true => Some(
                    br#"[{"id":0,"error":{"code":-32000,"message":"missing trie node"}}]"#
                        .to_vec()
                        .into(),
                ),
                false => Some(answer),
            },
            "missing trie node",
        ),
        (
            |body, answer| match body.contains("getStorageAt") {
                true => Some(vec![b' '; 5 << 20].into()),
                false => Some(answer),
            },
            "bytes",
        ),
    ];
    for (spoil, reason) in spoils {
        let (url, _) = between(there.url(), spoil).await;
        let error = match spawn(forking(&url, None, None)).await {
            Err(Error::Fork(error)) => error.to_string(),
            Err(other) => panic!("{reason}: {other}"),
            Ok(_) => panic!("{reason}: it started"),
        };
        assert!(error.contains(reason), "{reason}: {error}");
    }
    // One that lies later, about an account.
    let (url, _) = between(there.url(), |body, answer| match body.contains("getCode") {
        true => {
            let long = format!("0x{}", "00".repeat((1 << 16) + 1));
            let answers = json!([{"id": 0, "result": "0x0"}, {"id": 1, "result": "0x0"}, {"id": 2, "result": long}]);
            Some(answers.to_string().into_bytes().into())
        }
        false => Some(answer),
    })
    .await;
    match spawn(forking(&url, None, None)).await {
        Err(Error::Refused(text)) => assert!(text.contains("bytes of code"), "{text}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
    assert_eq!(count(&there, counter).await, word(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_arbitrum_chain_can_be_gone_on_from() {
    let there = common::devnet().await;
    let refused = |url: String, block| async move {
        match spawn(forking(&url, block, None)).await {
            Err(Error::Fork(error)) => error,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it started"),
        }
    };
    let error = refused(there.url(), Some(99)).await;
    assert!(matches!(error, ForkError::Chain(_)), "{error}");
    assert!(error.to_string().contains("no block 0x63"), "{error}");
    let (url, _) = between(there.url(), |body, answer| {
        match body.contains("getStorageAt") {
            true => Some(br#"[{"id":0,"result":"0x0"}]"#.to_vec().into()),
            false => Some(answer),
        }
    })
    .await;
    let error = refused(url, None).await;
    assert!(error.to_string().contains("no Arbitrum chain"), "{error}");
    let nobody = refused("http://user:secret@127.0.0.1:9/key".into(), None).await;
    let text = nobody.to_string();
    assert!(
        text.contains("http://127.0.0.1:9 ") && !text.contains("secret") && !text.contains("key"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_has_pruned_a_state_fails_what_needs_it_by_name() {
    let (there, counter) = origin().await;
    let (url, _) = between(there.url(), |body, answer| {
        match body.contains(&"55".repeat(20)) {
            true => {
                let error = |id| json!({"id": id, "error": {"code": -32000, "message": "missing trie node"}});
                let answers = json!([error(0), error(1), error(2)]);
                Some(answers.to_string().into_bytes().into())
            }
            false => Some(answer),
        }
    })
    .await;
    let here = spawn(forking(&url, None, None)).await.unwrap();
    let known = count(&here, counter).await;
    let who = Address::repeat_byte(0x55);
    let answer = raw(&here, "eth_getBalance", json!([who, "latest"])).await;
    let text = answer["error"]["message"].as_str().unwrap();
    assert!(
        text.contains("missing trie node") && text.contains("a node that keeps that block's state"),
        "{text}"
    );
    // Nothing of it was kept as an answer, and the rest goes on.
    let again = raw(&here, "eth_getBalance", json!([who, "latest"])).await;
    assert_eq!(again["error"], answer["error"]);
    assert_eq!(count(&here, counter).await, known);
    transact(&here, json!({"from": own(&here), "to": counter})).await;
    assert_eq!(count(&here, counter).await, word(3));
}
