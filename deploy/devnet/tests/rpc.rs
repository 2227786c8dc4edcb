//! The devnet as a client meets it, over HTTP and WebSocket.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    client, deploy, devnet, post, raw, rpc, send,
    sign::{Type, Unsigned},
};
use ethers::{
    providers::Middleware,
    signers::Signer,
    types::{
        Address, BlockNumber, Bytes, TransactionRequest, U256,
        transaction::eip2718::TypedTransaction,
    },
};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use stylus_devnet::{Config, Error, Handle, StoreError};
use tokio_tungstenite::tungstenite::Message;

fn to_wire(address: Address) -> String {
    format!("{address:?}")
}
/// `Error(string)` with the text `no`.
const REASON: &str = "0x08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000026e6f000000000000000000000000000000000000000000000000000000000000";
const TOPIC: &str = "0x000000000000000000000000000000000000000000000000000000000000002a";

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_mined_at_once() {
    let devnet = devnet().await;
    let client = client(&devnet, 0);
    let to = Address::repeat_byte(0x11);
    let receipt = send(&client, TransactionRequest::pay(to, 5)).await;
    assert_eq!(receipt.block_number, Some(1.into()));
    assert_eq!(receipt.gas_used, Some(21_000.into()));
    assert_eq!(receipt.effective_gas_price, Some(100_000_000.into()));
    assert_eq!(receipt.other["gasUsedForL1"], "0x0");
    assert_eq!(receipt.other["l1BlockNumber"], "0x1");
    assert_eq!(client.get_balance(to, None).await.unwrap(), U256::from(5));
    assert_eq!(
        client.get_balance(to, Some(0.into())).await.unwrap(),
        U256::zero()
    );
    let paid = U256::exp10(21) - client.get_balance(client.address(), None).await.unwrap();
    assert_eq!(paid, U256::from(21_000_u64 * 100_000_000 + 5));

    let block = client.get_block_with_txs(1).await.unwrap().unwrap();
    assert_eq!(block.hash, receipt.block_hash);
    assert_eq!(block.transactions.len(), 1);
    assert_eq!(
        block.transactions[0].recover_from().unwrap(),
        client.address()
    );
    assert_eq!(block.transactions[0].hash(), receipt.transaction_hash);
    assert_eq!(block.difficulty, U256::one());
    let parent = client.get_block(0).await.unwrap().unwrap();
    assert_eq!(block.parent_hash, parent.hash.unwrap());
    assert!(block.timestamp >= parent.timestamp);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_deployed_called_and_tells_why_it_reverts() {
    let devnet = devnet().await;
    let client = client(&devnet, 1);
    let filter = rpc(&devnet, "eth_newFilter", json!([{"topics": [TOPIC]}])).await;
    let counter = deploy(&client).await;
    for count in 1..=2_u64 {
        let receipt = send(&client, TransactionRequest::new().to(counter)).await;
        assert_eq!(receipt.logs.len(), 1);
        assert_eq!(U256::from_big_endian(&receipt.logs[0].data), count.into());
    }
    let read = TransactionRequest::new().to(counter).data(vec![0; 32]);
    let count = client.call(&read.into(), None).await.unwrap();
    assert_eq!(U256::from_big_endian(&count), 2.into());
    // The state before the second transaction is still there.
    let call = json!({"to": to_wire(counter), "input": format!("0x{}", "00".repeat(32))});
    let before = rpc(&devnet, "eth_call", json!([call, "0x2"])).await;
    assert_eq!(before.as_str().unwrap().chars().last(), Some('1'));
    let slot = rpc(
        &devnet,
        "eth_getStorageAt",
        json!([to_wire(counter), "0x0", "latest"]),
    )
    .await;
    assert_eq!(slot, format!("0x{:064x}", 2));
    // Overridden state is believed.
    let slots = json!({ (format!("0x{:064x}", 0)): format!("0x{:064x}", 9) });
    let overrides = json!({ (to_wire(counter)): {"stateDiff": slots} });
    let after = rpc(&devnet, "eth_call", json!([call, "latest", overrides])).await;
    assert_eq!(after, format!("0x{:064x}", 9));

    for method in ["eth_call", "eth_estimateGas"] {
        let call = json!({"to": to_wire(counter), "data": REASON});
        let error = raw(&devnet, method, json!([call])).await["error"].clone();
        assert_eq!(error["code"], 3);
        assert_eq!(error["message"], "execution reverted: no");
        assert_eq!(error["data"], REASON);
        let call = json!({"to": to_wire(counter), "data": "0x01020304"});
        let error = raw(&devnet, method, json!([call])).await["error"].clone();
        assert_eq!(error["message"], "execution reverted");
        assert_eq!(error["data"], "0x01020304");
    }
    let failing = TransactionRequest::new()
        .to(counter)
        .data(vec![1])
        .gas(100_000);
    let receipt = send(&client, failing).await;
    assert_eq!(receipt.status, Some(0.into()));

    let logs = rpc(&devnet, "eth_getFilterChanges", json!([filter])).await;
    assert_eq!(logs.as_array().unwrap().len(), 2);
    assert_eq!(logs[1]["topics"], json!([TOPIC]));
    let again = rpc(&devnet, "eth_getFilterChanges", json!([filter])).await;
    assert_eq!(again, json!([]));
    let all = json!([{"fromBlock": "earliest", "address": to_wire(counter)}]);
    assert_eq!(rpc(&devnet, "eth_getLogs", all).await, logs);
    assert_eq!(
        rpc(&devnet, "eth_uninstallFilter", json!([filter])).await,
        true
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_suffice() {
    let devnet = devnet().await;
    let client = client(&devnet, 0);
    let transfer: TypedTransaction = TransactionRequest::pay(Address::repeat_byte(1), 1).into();
    let gas = client.estimate_gas(&transfer, None).await.unwrap();
    assert_eq!(gas, 21_000.into());
    let counter = deploy(&client).await;
    let call: TypedTransaction = TransactionRequest::new().to(counter).into();
    let gas = client.estimate_gas(&call, None).await.unwrap();
    let receipt = send(&client, TransactionRequest::new().to(counter).gas(gas)).await;
    assert_eq!(receipt.status, Some(1.into()));
    assert!(gas < receipt.gas_used.unwrap() * 11 / 10, "{gas}");
    let little = json!([{"to": to_wire(counter), "gas": "0x5300"}]);
    let error = raw(&devnet, "eth_estimateGas", little).await["error"].clone();
    assert_eq!(error["message"], "gas required exceeds allowance (21248)");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_in_known_words() {
    let devnet = devnet().await;
    let client = client(&devnet, 2);
    let to = Address::repeat_byte(1);
    let sign = |nonce: u64, value: U256, chain_id: u64| {
        let wallet = client.signer().clone().with_chain_id(chain_id);
        let tx: TypedTransaction = TransactionRequest::pay(to, value)
            .nonce(nonce)
            .gas(21_000)
            .gas_price(100_000_000)
            .chain_id(chain_id)
            .into();
        let signature = wallet.sign_transaction_sync(&tx).unwrap();
        tx.rlp_signed(&signature)
    };
    let submit =
        async |raw_tx: Bytes| raw(&devnet, "eth_sendRawTransaction", json!([raw_tx])).await;
    let message = |response: Value| response["error"]["message"].as_str().unwrap().to_owned();

    let first = sign(0, 1.into(), devnet.chain_id());
    assert!(submit(first.clone()).await["result"].is_string());
    assert_eq!(message(submit(first).await), "already known");
    let low = message(submit(sign(0, 2.into(), devnet.chain_id())).await);
    assert!(low.starts_with("nonce too low"), "{low}");
    let chain = message(submit(sign(1, 1.into(), 1)).await);
    assert!(chain.starts_with("invalid chain id for signer"), "{chain}");
    let funds = message(submit(sign(1, U256::exp10(30), devnet.chain_id())).await);
    assert!(
        funds.starts_with("insufficient funds for gas * price + value"),
        "{funds}"
    );

    // Two that come too early are mined when the one before them arrives.
    let third = submit(sign(3, 1.into(), devnet.chain_id())).await["result"].clone();
    submit(sign(2, 1.into(), devnet.chain_id())).await;
    assert_eq!(rpc(&devnet, "eth_blockNumber", json!([])).await, "0x1");
    let held = rpc(&devnet, "eth_getTransactionByHash", json!([third])).await;
    assert_eq!(held["blockNumber"], Value::Null);
    submit(sign(1, 1.into(), devnet.chain_id())).await;
    assert_eq!(rpc(&devnet, "eth_blockNumber", json!([])).await, "0x4");
    let receipt = rpc(&devnet, "eth_getTransactionReceipt", json!([third])).await;
    assert_eq!(receipt["blockNumber"], "0x4");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_unknown_methods_and_nonsense() {
    let devnet = devnet().await;
    let call = |id, method| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": []});
    let batch = json!([
        call(1, "eth_chainId"),
        call(2, "eth_getWork"),
        call(3, "net_version")
    ]);
    let (_, body) = post(&devnet, batch.to_string().as_bytes()).await;
    let answers: Vec<Value> = serde_json::from_str(&body).unwrap();
    let answer = |id: u64| answers.iter().find(|one| one["id"] == id).unwrap();
    assert_eq!(answer(1)["result"], "0x64aba");
    assert_eq!(answer(2)["error"]["code"], -32601);
    assert_eq!(answer(3)["result"], "412346");

    let (_, body) = post(&devnet, b"{not json").await;
    assert!(body.contains("-32700"), "{body}");
    let (status, _) = post(&devnet, &vec![b' '; (10 << 20) + 1]).await;
    assert_eq!(status, 413);
    for (method, params) in [
        ("eth_getBalance", json!([])),
        ("eth_getBalance", json!({"address": 1})),
        ("eth_getBalance", json!(["0x12", "latest"])),
        ("eth_call", json!([{"to": 7}])),
        ("eth_getBlockByNumber", json!(["yesterday", false])),
        (
            "eth_getStorageAt",
            json!([to_wire(Address::zero()), "x", "latest"]),
        ),
        ("eth_newFilter", json!([{"topics": 3}])),
        ("evm_increaseTime", json!(["soon"])),
    ] {
        let code = raw(&devnet, method, params.clone()).await["error"]["code"].clone();
        assert_eq!(code, -32602, "{method} {params}");
    }
    for (method, params) in [
        ("eth_sendRawTransaction", json!(["0x"])),
        ("eth_sendRawTransaction", json!(["0x02c0"])),
        ("eth_sendRawTransaction", json!(["0xffffffffffffffffff"])),
        ("eth_call", json!([{}, "0xffff"])),
        ("eth_getFilterChanges", json!(["0x77"])),
        ("eth_feeHistory", json!(["0x1", "latest", [101.0]])),
    ] {
        let code = raw(&devnet, method, params.clone()).await["error"]["code"].clone();
        assert_eq!(code, -32000, "{method} {params}");
    }
    assert_eq!(
        rpc(&devnet, "eth_getBlockByNumber", json!(["0xffff", true])).await,
        Value::Null
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_ask_before_they_send() {
    let devnet = devnet().await;
    let history = rpc(&devnet, "eth_feeHistory", json!(["0xa", "latest", [5.0]])).await;
    assert_eq!(history["oldestBlock"], "0x0");
    assert_eq!(history["baseFeePerGas"], json!(["0x5f5e100", "0x5f5e100"]));
    assert_eq!(history["reward"], json!([["0x0"]]));
    assert_eq!(rpc(&devnet, "eth_gasPrice", json!([])).await, "0x5f5e100");
    assert_eq!(
        rpc(&devnet, "eth_maxPriorityFeePerGas", json!([])).await,
        "0x0"
    );
    assert_eq!(rpc(&devnet, "eth_syncing", json!([])).await, false);
    assert_eq!(rpc(&devnet, "net_listening", json!([])).await, true);
    assert_eq!(
        rpc(&devnet, "web3_sha3", json!(["0x68656c6c6f"])).await,
        "0x1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8"
    );
    for deployed in [
        "0x4e59b44847b379578588920cA78FbF26c0B4956C",
        "0xcEcba2F1DC234f70Dd89F2041029807F8D03A990",
        "0x0000000000000000000000000000000000000071",
    ] {
        assert_ne!(
            rpc(&devnet, "eth_getCode", json!([deployed, "latest"])).await,
            "0x"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn development_methods_move_time_and_undo() {
    let devnet = devnet().await;
    let client = client(&devnet, 0);
    let snapshot = rpc(&devnet, "evm_snapshot", json!([])).await;
    let before = client
        .get_block(BlockNumber::Latest)
        .await
        .unwrap()
        .unwrap();
    devnet.increase_time(1_000).await;
    let receipt = send(&client, TransactionRequest::pay(Address::repeat_byte(1), 1)).await;
    let after = client
        .get_block(BlockNumber::Latest)
        .await
        .unwrap()
        .unwrap();
    assert!(after.timestamp >= before.timestamp + 1_000);
    let wanted = after.timestamp.as_u64() + 77;
    rpc(&devnet, "evm_setNextBlockTimestamp", json!([wanted])).await;
    rpc(&devnet, "evm_mine", json!([])).await;
    let set = client
        .get_block(BlockNumber::Latest)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(set.timestamp, wanted.into());
    let whom = to_wire(Address::repeat_byte(2));
    rpc(&devnet, "anvil_setBalance", json!([whom, "0x64"])).await;
    assert_eq!(
        rpc(&devnet, "eth_getBalance", json!([whom, "latest"])).await,
        "0x64"
    );

    assert_eq!(rpc(&devnet, "evm_revert", json!([snapshot])).await, true);
    assert_eq!(
        client
            .get_block(BlockNumber::Latest)
            .await
            .unwrap()
            .unwrap(),
        before
    );
    assert!(
        client
            .get_transaction_receipt(receipt.transaction_hash)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        rpc(&devnet, "eth_getBalance", json!([whom, "latest"])).await,
        "0x0"
    );
    assert_eq!(rpc(&devnet, "evm_revert", json!([snapshot])).await, false);
    // The nonce that was undone is free again.
    send(&client, TransactionRequest::pay(Address::repeat_byte(1), 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_tell_heads_logs_and_transactions() {
    let devnet = devnet().await;
    let client = client(&devnet, 0);
    let counter = deploy(&client).await;
    let (mut socket, _) = tokio_tungstenite::connect_async(devnet.ws_url())
        .await
        .unwrap();
    let topics = [
        json!(["newHeads"]),
        json!(["logs", {"address": to_wire(counter)}]),
        json!(["newPendingTransactions"]),
    ];
    let mut ids = Vec::new();
    for params in topics {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params});
        socket.send(Message::Text(call.to_string())).await.unwrap();
        let answer = next(&mut socket).await;
        let id: U256 = answer["result"].as_str().unwrap().parse().unwrap();
        ids.push((id, answer["result"].clone()));
    }
    let receipt = send(&client, TransactionRequest::new().to(counter)).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let note = next(&mut socket).await;
        assert_eq!(note["method"], "eth_subscription");
        told.push(note["params"].clone());
    }
    let of = |n: usize| {
        let one = told.iter().find(|note| note["subscription"] == ids[n].1);
        one.unwrap()["result"].clone()
    };
    assert_eq!(of(0)["hash"], json!(receipt.block_hash.unwrap()));
    assert_eq!(of(1)["topics"], json!([TOPIC]));
    assert_eq!(of(1)["transactionHash"], json!(receipt.transaction_hash));
    assert_eq!(of(2), json!(receipt.transaction_hash));

    let call =
        json!({"jsonrpc": "2.0", "id": 9, "method": "eth_unsubscribe", "params": [ids[0].1]});
    socket.send(Message::Text(call.to_string())).await.unwrap();
    assert_eq!(next(&mut socket).await["result"], true);
    let call =
        json!({"jsonrpc": "2.0", "id": 9, "method": "eth_subscribe", "params": ["newMoons"]});
    socket.send(Message::Text(call.to_string())).await.unwrap();
    assert_eq!(next(&mut socket).await["error"]["code"], -32602);

    // An open connection does not keep it from stopping.
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(5), devnet.shutdown());
    stopped.await.unwrap();
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;
/// The next message, within five seconds.
async fn next(socket: &mut Socket) -> Value {
    loop {
        let wait = tokio::time::timeout(std::time::Duration::from_secs(5), socket.next());
        if let Message::Text(text) = wait.await.unwrap().unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn open(dir: &std::path::Path) -> Result<Handle, Error> {
    let config = Config {
        state_dir: Some(dir.into()),
        ..Config::default()
    };
    stylus_devnet::spawn(config).await
}
/// Every block with its transactions and receipts.
async fn history(devnet: &Handle) -> Vec<(Value, Value)> {
    let mut all = Vec::new();
    loop {
        let number = json!(format!("{:#x}", all.len()));
        let block = rpc(devnet, "eth_getBlockByNumber", json!([number, true])).await;
        if block.is_null() {
            return all;
        }
        all.push((
            block,
            rpc(devnet, "eth_getBlockReceipts", json!([number])).await,
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_blocks_receipts_logs_and_state() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).await.unwrap();
    let alice = client(&first, 0);
    let counter = deploy(&alice).await;
    send(&alice, TransactionRequest::new().to(counter)).await;
    let before = history(&first).await;
    let rival = open(dir.path()).await.err().unwrap();
    assert!(
        matches!(rival, Error::Store(StoreError::Locked(_))),
        "{rival}"
    );
    first.shutdown().await;

    let second = open(dir.path()).await.unwrap();
    assert_eq!(before.len(), 3);
    assert_eq!(history(&second).await, before);
    let alice = client(&second, 0);
    let receipt = send(&alice, TransactionRequest::new().to(counter)).await;
    assert_eq!(U256::from_big_endian(&receipt.logs[0].data), 2.into());
    drop(second);

    let config = Config {
        chain_id: 1,
        state_dir: Some(dir.path().into()),
        ..Config::default()
    };
    let wrong = stylus_devnet::spawn(config)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(wrong.contains("holds chain 412346, not chain 1"), "{wrong}");
}

/// Not a test of its own: the process that `a_killed_process_loses_nothing` kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test"]
async fn victim() {
    let Some(dir) = std::env::var_os("DEVNET_VICTIM_DIR") else {
        return;
    };
    let devnet = open(dir.as_ref()).await.unwrap();
    let client = client(&devnet, 0);
    let receipt = send(&client, TransactionRequest::pay(Address::repeat_byte(1), 1)).await;
    let path = std::path::Path::new(&dir).join("acknowledged");
    std::fs::write(
        path.with_extension("new"),
        format!("{:?}", receipt.block_hash.unwrap()),
    )
    .unwrap();
    std::fs::rename(path.with_extension("new"), path).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "victim"])
        .env("DEVNET_VICTIM_DIR", dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let told = dir.path().join("acknowledged");
    for _ in 0..1_500 {
        if told.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    let hash = std::fs::read_to_string(told).unwrap();
    let devnet = open(dir.path()).await.unwrap();
    let block = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(
        (&block["number"], &block["hash"]),
        (&json!("0x1"), &json!(hash))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_run_side_by_side_and_stop_when_dropped() {
    let started = std::time::Instant::now();
    let (one, two) = (devnet().await, devnet().await);
    let each = started.elapsed() / 2;
    assert!(each < std::time::Duration::from_secs(2), "{each:?}");
    send(
        &client(&one, 0),
        TransactionRequest::pay(Address::repeat_byte(1), 1),
    )
    .await;
    assert_eq!(rpc(&one, "eth_blockNumber", json!([])).await, "0x1");
    assert_eq!(rpc(&two, "eth_blockNumber", json!([])).await, "0x0");
    let taken = Config {
        port: one.url().rsplit(':').next().unwrap().parse().unwrap(),
        ..Config::default()
    };
    let error = stylus_devnet::spawn(taken).await.err().unwrap();
    assert!(matches!(error, Error::Listen { .. }), "{error}");
    let address = one.url().replace("http://", "");
    drop(one);
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(&address).await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("still listening");
}

/// A transaction and a call given to the devnet by hand, without the wire.
#[tokio::test(flavor = "multi_thread")]
async fn the_wire_can_be_left_out() {
    let devnet = devnet().await;
    let key = devnet.accounts()[0].private_key;
    let key = k256::ecdsa::SigningKey::from_slice(key.as_slice()).unwrap();
    let (chain, from) = (devnet.chain_id(), devnet.accounts()[0].address);
    // Returns its caller's balance, or reverts if it is given anything.
    let code = "60118060095f395ff336156008575f5ffd5b33315f5260205ff3";
    let create = Unsigned {
        to: None,
        value: alloy_primitives::U256::ZERO,
        gas_limit: 200_000,
        input: code.parse().unwrap(),
        ..Unsigned::pay(chain, 0, from, 100_000_000)
    };
    devnet.send_raw(create.sign(&key)).unwrap();
    let contract = from.create(0);
    let balance = devnet.call(from, contract, Default::default()).unwrap();
    let seen = rpc(&devnet, "eth_getBalance", json!([from, "latest"])).await;
    assert_eq!(
        alloy_primitives::U256::from_be_slice(&balance),
        serde_json::from_value::<alloy_primitives::U256>(seen).unwrap()
    );
    let failed = devnet.call(from, contract, vec![1].into()).unwrap_err();
    assert!(
        matches!(failed, Error::Failed { reason, data } if reason == "execution reverted" && data.is_empty())
    );

    // A call that states a price has bought its gas while it runs, and must be able to.
    let priced = |from| json!([{"from": from, "to": contract, "gas": "0x186a0", "gasPrice": "0x5f5e100"}, "latest"]);
    let left = rpc(&devnet, "eth_call", priced(from)).await;
    let left: alloy_primitives::U256 = serde_json::from_value(left).unwrap();
    let bought = alloy_primitives::U256::from(100_000_u64 * 100_000_000);
    assert_eq!(
        alloy_primitives::U256::from_be_slice(&balance) - left,
        bought
    );
    let poor = raw(&devnet, "eth_call", priced(contract)).await;
    let message = poor["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("insufficient funds"), "{message}");

    let without = Unsigned {
        kind: Type::SetCode,
        gas_limit: 50_000,
        ..Unsigned::pay(chain, 1, from, 100_000_000)
    };
    let refused = devnet.send_raw(without.sign(&key)).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("EIP-7702 transaction with empty auth list")
    );
}
