//! When transactions are mined, which wait, and what a development chain lets its users change.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{client, deploy, devnet, raw, rpc, send};
use ethers::{
    providers::Middleware,
    types::{Address, Bytes, TransactionRequest, U256, transaction::eip2718::TypedTransaction},
};
use serde_json::{Value, json};
use stylus_devnet::{Config, Handle};

const PRICE: u64 = 100_000_000;

/// A signed transfer of the `n`-th account.
fn transfer(devnet: &Handle, n: usize, nonce: u64, price: u64) -> Bytes {
    let client = client(devnet, n);
    let tx: TypedTransaction = TransactionRequest::pay(Address::repeat_byte(0x11), 1)
        .nonce(nonce)
        .gas(21_000)
        .gas_price(price)
        .chain_id(devnet.chain_id())
        .into();
    let signature = client.signer().sign_transaction_sync(&tx).unwrap();
    tx.rlp_signed(&signature)
}
async fn submit(devnet: &Handle, tx: Bytes) -> Value {
    rpc(devnet, "eth_sendRawTransaction", json!([tx])).await
}
async fn number(devnet: &Handle) -> u64 {
    let number = rpc(devnet, "eth_blockNumber", json!([])).await;
    u64::from_str_radix(number.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}
async fn nonces(devnet: &Handle, who: Address) -> (Value, Value) {
    let at = |tag: &'static str| rpc(devnet, "eth_getTransactionCount", json!([who, tag]));
    (at("latest").await, at("pending").await)
}
async fn error(devnet: &Handle, method: &str, params: Value) -> String {
    let answer = raw(devnet, method, params).await;
    answer["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_automine_transactions_wait_and_share_a_block() {
    let devnet = devnet().await;
    let (alice, bob) = (client(&devnet, 0).address(), client(&devnet, 1).address());
    assert_eq!(rpc(&devnet, "anvil_getAutomine", json!([])).await, true);
    rpc(&devnet, "evm_setAutomine", json!([false])).await;
    assert_eq!(rpc(&devnet, "anvil_getAutomine", json!([])).await, false);
    let pending = rpc(&devnet, "eth_newPendingTransactionFilter", json!([])).await;

    let second = submit(&devnet, transfer(&devnet, 0, 1, PRICE)).await;
    assert_eq!(nonces(&devnet, alice).await, (json!("0x0"), json!("0x0")));
    let first = submit(&devnet, transfer(&devnet, 0, 0, PRICE)).await;
    let third = submit(&devnet, transfer(&devnet, 1, 0, PRICE)).await;
    let ahead = submit(&devnet, transfer(&devnet, 1, 5, PRICE)).await;
    assert_eq!(number(&devnet).await, 0);
    assert_eq!(nonces(&devnet, alice).await, (json!("0x0"), json!("0x2")));
    assert_eq!(nonces(&devnet, bob).await, (json!("0x0"), json!("0x1")));
    assert_eq!(
        rpc(&devnet, "txpool_status", json!([])).await,
        json!({"pending": "0x3", "queued": "0x1"})
    );
    let content = rpc(&devnet, "txpool_content", json!([])).await;
    let of_bob = &content["queued"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap()["5"];
    assert_eq!(of_bob["hash"], ahead);
    let told = rpc(&devnet, "eth_getFilterChanges", json!([pending])).await;
    assert_eq!(told, json!([second, first, third, ahead]));

    rpc(&devnet, "evm_mine", json!([])).await;
    let block = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", true])).await;
    let mined: Vec<_> = block["transactions"].as_array().unwrap().clone();
    // The order they came in, but each sender's by nonce.
    let hashes: Vec<_> = mined.iter().map(|tx| tx["hash"].clone()).collect();
    assert_eq!(hashes, [first.clone(), second.clone(), third.clone()]);
    assert_eq!(
        (&block["number"], &block["gasUsed"]),
        (&json!("0x1"), &json!("0xf618"))
    );
    let receipts = rpc(&devnet, "eth_getBlockReceipts", json!(["0x1"])).await;
    for (n, (hash, cumulative)) in [(&first, "0x5208"), (&second, "0xa410"), (&third, "0xf618")]
        .into_iter()
        .enumerate()
    {
        let index = json!(format!("{n:#x}"));
        let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipts[n], receipt);
        assert_eq!(receipt["transactionIndex"], index);
        assert_eq!(receipt["cumulativeGasUsed"], cumulative);
        assert_eq!(receipt["gasUsed"], "0x5208");
        let by_index = json!(["0x1", index]);
        let tx = rpc(&devnet, "eth_getTransactionByBlockNumberAndIndex", by_index).await;
        assert_eq!((&tx["hash"], &tx["transactionIndex"]), (hash, &index));
    }
    // A trace stands on what came before it in the same block.
    let trace = json!([second, {"tracer": "callTracer"}]);
    let trace = rpc(&devnet, "debug_traceTransaction", trace).await;
    assert_eq!(
        (&trace["from"], &trace["gasUsed"]),
        (&json!(alice), &json!("0x5208"))
    );
    let count = rpc(
        &devnet,
        "eth_getBlockTransactionCountByNumber",
        json!(["0x1"]),
    )
    .await;
    assert_eq!(count, "0x3");
    assert_eq!(nonces(&devnet, bob).await, (json!("0x1"), json!("0x1")));
    // Told once, when they came.
    let told = rpc(&devnet, "eth_getFilterChanges", json!([pending])).await;
    assert_eq!(told, json!([]));

    // Held transactions are mined when blocks are made at once again.
    submit(&devnet, transfer(&devnet, 0, 2, PRICE)).await;
    assert_eq!(number(&devnet).await, 1);
    rpc(&devnet, "evm_setAutomine", json!([true])).await;
    assert_eq!(number(&devnet).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_transaction_is_replaced_dropped_or_outlived() {
    let devnet = devnet().await;
    rpc(&devnet, "evm_setAutomine", json!([false])).await;
    let first = submit(&devnet, transfer(&devnet, 0, 0, PRICE)).await;
    let cheap = transfer(&devnet, 0, 0, PRICE + PRICE / 10 - 1);
    let refused = error(&devnet, "eth_sendRawTransaction", json!([cheap])).await;
    assert_eq!(refused, "replacement transaction underpriced");
    let better = submit(&devnet, transfer(&devnet, 0, 0, PRICE + PRICE / 10)).await;
    let gone = rpc(&devnet, "eth_getTransactionByHash", json!([first])).await;
    assert_eq!(gone, Value::Null);

    let follower = submit(&devnet, transfer(&devnet, 0, 1, PRICE)).await;
    let dropped = rpc(&devnet, "anvil_dropTransaction", json!([follower])).await;
    assert_eq!(dropped, follower);
    let dropped = rpc(&devnet, "anvil_dropTransaction", json!([follower])).await;
    assert_eq!(dropped, Value::Null);
    let other = submit(&devnet, transfer(&devnet, 1, 0, PRICE)).await;
    let bob = client(&devnet, 1).address();
    rpc(&devnet, "anvil_removePoolTransactions", json!([bob])).await;

    rpc(&devnet, "evm_mine", json!([])).await;
    let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([better])).await;
    assert_eq!(receipt["status"], "0x1");
    for hash in [&first, &follower, &other] {
        let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt, Value::Null);
    }

    // One that cannot pay any more when its turn comes is dropped; the block is made all the same.
    let broke = submit(&devnet, transfer(&devnet, 2, 0, PRICE)).await;
    let carol = client(&devnet, 2).address();
    rpc(&devnet, "anvil_setBalance", json!([carol, "0x1"])).await;
    // One below the account's nonce is outlived.
    let stale = submit(&devnet, transfer(&devnet, 3, 0, PRICE)).await;
    let dave = client(&devnet, 3).address();
    rpc(&devnet, "anvil_setNonce", json!([dave, "0x7"])).await;
    rpc(&devnet, "evm_mine", json!([])).await;
    assert_eq!(number(&devnet).await, 2);
    for hash in [broke, stale] {
        let tx = rpc(&devnet, "eth_getTransactionByHash", json!([hash])).await;
        assert_eq!(tx, Value::Null);
    }
    // Too little gas is told at once, not when a block is made.
    let tx: TypedTransaction = TransactionRequest::pay(carol, 1)
        .nonce(1)
        .gas(20_999)
        .gas_price(PRICE)
        .chain_id(devnet.chain_id())
        .into();
    let alice = client(&devnet, 0);
    let raw_tx = tx.rlp_signed(&alice.signer().sign_transaction_sync(&tx).unwrap());
    let refused = error(&devnet, "eth_sendRawTransaction", json!([raw_tx])).await;
    assert_eq!(refused, "intrinsic gas too low: have 20999, want 21000");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_made_by_the_clock_until_that_is_stopped() {
    let devnet = stylus_devnet::spawn(Config {
        block_time: Some(Duration::from_millis(300)),
        ..Config::default()
    })
    .await
    .unwrap();
    let alice = client(&devnet, 0).address();
    let hash = submit(&devnet, transfer(&devnet, 0, 0, PRICE)).await;
    submit(&devnet, transfer(&devnet, 0, 1, PRICE)).await;
    let started = Instant::now();
    let receipt = loop {
        let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([hash])).await;
        if !receipt.is_null() {
            break receipt;
        }
        assert_eq!(nonces(&devnet, alice).await.1, "0x2");
        assert!(started.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(receipt["status"], "0x1");
    let before = number(&devnet).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(number(&devnet).await > before + 1, "empty blocks too");
    assert_eq!(rpc(&devnet, "anvil_getIntervalMining", json!([])).await, 0);

    rpc(&devnet, "evm_setIntervalMining", json!([0])).await;
    assert_eq!(
        rpc(&devnet, "anvil_getIntervalMining", json!([])).await,
        Value::Null
    );
    // One block may have been under way.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let stopped = number(&devnet).await;
    submit(&devnet, transfer(&devnet, 0, 2, PRICE)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(number(&devnet).await, stopped);
    rpc(&devnet, "evm_setIntervalMining", json!([1])).await;
    assert_eq!(rpc(&devnet, "anvil_getIntervalMining", json!([])).await, 1);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(number(&devnet).await > stopped);
    assert_eq!(nonces(&devnet, alice).await.0, "0x3");
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_transactions_outlive_the_process_and_are_undone_with_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        state_dir: Some(dir.path().into()),
        l1_price_per_unit: Some(7),
        ..Config::default()
    };
    let first = stylus_devnet::spawn(config.clone()).await.unwrap();
    rpc(&first, "evm_setAutomine", json!([false])).await;
    let kept = submit(&first, transfer(&first, 0, 0, PRICE)).await;
    let snapshot = rpc(&first, "evm_snapshot", json!([])).await;
    let undone = submit(&first, transfer(&first, 0, 1, PRICE)).await;
    rpc(&first, "evm_mine", json!([])).await;
    assert_eq!(rpc(&first, "evm_revert", json!([snapshot])).await, true);
    let tx = rpc(&first, "eth_getTransactionByHash", json!([kept])).await;
    assert_eq!(tx["blockNumber"], Value::Null);
    let other = submit(&first, transfer(&first, 1, 0, PRICE)).await;
    rpc(&first, "anvil_dropTransaction", json!([other])).await;
    first.shutdown().await;

    let second = stylus_devnet::spawn(config).await.unwrap();
    let status = rpc(&second, "txpool_status", json!([])).await;
    assert_eq!(status, json!({"pending": "0x1", "queued": "0x0"}));
    rpc(&second, "evm_mine", json!([])).await;
    let receipt = rpc(&second, "eth_getTransactionReceipt", json!([kept])).await;
    assert_eq!(receipt["blockNumber"], "0x1");
    let receipt = rpc(&second, "eth_getTransactionReceipt", json!([undone])).await;
    assert_eq!(receipt, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_edited_and_impersonated() {
    let devnet = devnet().await;
    let alice = client(&devnet, 0);
    let counter = deploy(&alice).await;
    let code = rpc(&devnet, "eth_getCode", json!([counter, "latest"])).await;
    let copy = Address::repeat_byte(0xc0);
    rpc(&devnet, "hardhat_setCode", json!([copy, code])).await;
    let (slot, word) = ("0x0", format!("0x{:064x}", 41));
    rpc(&devnet, "anvil_setStorageAt", json!([copy, slot, word])).await;
    let receipt = send(&alice, TransactionRequest::new().to(copy)).await;
    assert_eq!(U256::from_big_endian(&receipt.logs[0].data), 42.into());

    // A contract's name, too, although it has code.
    let request = json!({"from": copy, "to": Address::repeat_byte(0x77), "value": "0x5"});
    let refused = error(&devnet, "eth_sendTransaction", json!([request])).await;
    assert!(refused.starts_with("no signer for"), "{refused}");
    rpc(&devnet, "anvil_impersonateAccount", json!([copy])).await;
    rpc(
        &devnet,
        "anvil_setBalance",
        json!([copy, "0xde0b6b3a7640000"]),
    )
    .await;
    rpc(&devnet, "anvil_setNonce", json!([copy, "0x9"])).await;
    let hash = rpc(&devnet, "eth_sendTransaction", json!([request])).await;
    let tx = rpc(&devnet, "eth_getTransactionByHash", json!([hash])).await;
    assert_eq!((&tx["from"], &tx["nonce"]), (&json!(copy), &json!("0x9")));
    let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1");
    let trace = json!([hash, {"tracer": "callTracer"}]);
    let trace = rpc(&devnet, "debug_traceTransaction", trace).await;
    assert_eq!(trace["from"], json!(copy));
    rpc(&devnet, "anvil_stopImpersonatingAccount", json!([copy])).await;
    error(&devnet, "eth_sendTransaction", json!([request])).await;
    rpc(&devnet, "anvil_autoImpersonateAccount", json!([true])).await;
    rpc(&devnet, "eth_sendTransaction", json!([request])).await;
    // A reverting one is refused with its data, as an estimate is.
    let reverting = json!([{"from": copy, "to": counter, "data": "0x01020304"}]);
    let answer = raw(&devnet, "eth_sendTransaction", reverting).await;
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["data"]),
        (&json!(3), &json!("0x01020304"))
    );

    let long = format!("0x{}", "00".repeat(24_577));
    let refused = error(&devnet, "anvil_setCode", json!([copy, long])).await;
    assert!(refused.contains("24577"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_block_has_another_price() {
    let devnet = devnet().await;
    rpc(
        &devnet,
        "anvil_setNextBlockBaseFeePerGas",
        json!(["0xbebc200"]),
    )
    .await;
    assert_eq!(rpc(&devnet, "eth_gasPrice", json!([])).await, "0xbebc200");
    let history = rpc(&devnet, "eth_feeHistory", json!(["0x1", "latest", []])).await;
    assert_eq!(history["baseFeePerGas"], json!(["0x5f5e100", "0xbebc200"]));
    let low = transfer(&devnet, 0, 0, PRICE);
    let refused = error(&devnet, "eth_sendRawTransaction", json!([low])).await;
    assert!(
        refused.starts_with("max fee per gas less than block base fee"),
        "{refused}"
    );
    let hash = submit(&devnet, transfer(&devnet, 0, 0, 3 * PRICE)).await;
    let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["effectiveGasPrice"], "0xbebc200");
    let hash = submit(&devnet, transfer(&devnet, 0, 1, PRICE)).await;
    let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["effectiveGasPrice"], "0x5f5e100");
    let paid = U256::exp10(21)
        - client(&devnet, 0)
            .get_balance(client(&devnet, 0).address(), None)
            .await
            .unwrap();
    assert_eq!(paid, U256::from(21_000 * 3 * PRICE + 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_blocks_are_mined_at_their_times() {
    let devnet = devnet().await;
    rpc(&devnet, "anvil_mine", json!(["0x3", "0x3c"])).await;
    let mut times = Vec::new();
    for number in ["0x1", "0x2", "0x3"] {
        let block = rpc(&devnet, "eth_getBlockByNumber", json!([number, false])).await;
        let time = block["timestamp"]
            .as_str()
            .unwrap()
            .trim_start_matches("0x");
        times.push(u64::from_str_radix(time, 16).unwrap());
    }
    assert_eq!((times[1] - times[0], times[2] - times[1]), (60, 60));
    rpc(&devnet, "hardhat_mine", json!(["0x2"])).await;
    let wanted = times[2] + 500;
    rpc(
        &devnet,
        "evm_mine",
        json!([{"timestamp": wanted, "blocks": 2}]),
    )
    .await;
    assert_eq!(number(&devnet).await, 7);
    let block = rpc(&devnet, "eth_getBlockByNumber", json!(["0x6", false])).await;
    assert_eq!(block["timestamp"], format!("{wanted:#x}"));
    let refused = error(&devnet, "anvil_mine", json!(["0xffffffffffffffff"])).await;
    assert!(refused.contains("only 10000"), "{refused}");
    let info = rpc(&devnet, "anvil_nodeInfo", json!([])).await;
    assert_eq!(info["currentBlockNumber"], "0x7");
    assert_eq!(info["environment"]["chainId"], 412_346);
    let meta = rpc(&devnet, "hardhat_metadata", json!([])).await;
    assert_eq!(meta["latestBlockNumber"], 7);
}
