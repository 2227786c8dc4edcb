//! The faucet, and what asks it wrongly.

use alloy_primitives::U256;
use serde_json::{Value, json};
use stylus_devnet::{Config, Cors, Handle};

use super::{browse_at, common::rpc, devnet, with};

const GIVEN: u64 = 7_000_000_000;
const WHO: &str = "0x00000000000000000000000000000000000000f0";

async fn faucet(cors: Cors) -> Handle {
    with(Config {
        faucet: Some(U256::from(GIVEN)),
        cors,
        ..Config::default()
    })
    .await
}

async fn balance(devnet: &Handle) -> Value {
    rpc(devnet, "eth_getBalance", json!([WHO, "latest"])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gives_what_is_set_to_whom_asks() {
    let devnet = faucet(Cors::Any).await;
    let path = format!("/faucet/{WHO}");
    let (head, body) = browse_at(&devnet, &path, "POST", "", "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["wei"], format!("{GIVEN:#x}"));
    let receipt = rpc(
        &devnet,
        "eth_getTransactionReceipt",
        json!([body["transaction"]]),
    )
    .await;
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(balance(&devnet).await, format!("{GIVEN:#x}"));
    browse_at(&devnet, &path, "POST", "", "").await;
    assert_eq!(balance(&devnet).await, format!("{:#x}", 2 * GIVEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_run_dry() {
    // More than its account has at the start.
    let given = U256::from(900) * U256::from(10).pow(U256::from(18));
    let devnet = with(Config {
        faucet: Some(given),
        ..Config::default()
    })
    .await;
    for gifts in 1..=20 {
        let (head, body) = browse_at(&devnet, &format!("/faucet/{WHO}"), "POST", "", "").await;
        assert!(head.starts_with("http/1.1 200"), "{gifts}: {head} {body}");
    }
    let twenty = given * U256::from(20);
    assert_eq!(balance(&devnet).await, format!("{twenty:#x}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gives_nothing_to_what_asks_wrongly() {
    let only = Cors::Only(vec!["http://localhost:3000".into()]);
    let devnet = faucet(only).await;
    let path = format!("/faucet/{WHO}");
    for (path, method, headers, status) in [
        (path.as_str(), "GET", "", 405),
        ("/faucet/", "POST", "", 400),
        ("/faucet/0x12", "POST", "", 400),
        ("/faucet/../../etc/passwd", "POST", "", 400),
        (
            path.as_str(),
            "POST",
            "origin: https://evil.example\r\n",
            403,
        ),
    ] {
        let (head, body) = browse_at(&devnet, path, method, headers, "").await;
        let wanted = format!("http/1.1 {status}");
        assert!(head.starts_with(&wanted), "{method} {path}: {head} {body}");
    }
    assert_eq!(balance(&devnet).await, "0x0");
    // Without the setting there is none.
    let devnet = super::devnet().await;
    let (_, body) = browse_at(&devnet, &path, "POST", "", "").await;
    assert!(!body.contains("transaction"), "{body}");
    assert_eq!(balance(&devnet).await, "0x0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transaction_is_reported_as_each_tool_wants() {
    let devnet = devnet().await;
    rpc(&devnet, "evm_setAutomine", json!([false])).await;
    let tx = json!({"from": devnet.accounts()[0].address, "to": WHO, "value": "0x1"});
    for (method, missing) in [
        ("anvil_dropTransaction", Value::Null),
        ("hardhat_dropTransaction", json!(false)),
    ] {
        let hash = rpc(&devnet, "eth_sendTransaction", json!([tx])).await;
        let dropped = rpc(&devnet, method, json!([hash])).await;
        match method {
            "anvil_dropTransaction" => assert_eq!(dropped, hash),
            _ => assert_eq!(dropped, true),
        }
        assert_eq!(rpc(&devnet, method, json!([hash])).await, missing);
    }
}
