//! Questions about what happened and what would: traces, proofs, simulations, logs.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    common::{raw, rpc},
    counted, devnet, number,
};

#[tokio::test(flavor = "multi_thread")]
async fn tracers_show_state_frames_and_selectors() {
    let devnet = devnet().await;
    let (counter, hash) = counted(&devnet).await;
    let own = format!("{:#x}", devnet.accounts()[0].address);
    let at = format!("{counter:#x}");
    let trace = |options: Value| rpc(&devnet, "debug_traceTransaction", json!([hash, options]));
    let pre = trace(json!({"tracer": "prestateTracer"})).await;
    assert_eq!(pre[&own]["nonce"], 1);
    assert_eq!(pre[&at]["storage"].as_object().unwrap().len(), 1);
    assert!(pre[&at]["code"].as_str().unwrap().len() > 20);
    let diff = json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}});
    let diff = trace(diff).await;
    assert_eq!(diff["post"][&own]["nonce"], 2);
    let slot = format!("0x{}", "0".repeat(64));
    assert_eq!(diff["post"][&at]["storage"][&slot], format!("0x{:064x}", 1));
    assert!(diff["pre"][&at].get("storage").is_none());
    let flat = trace(json!({"tracer": "flatCallTracer"})).await;
    assert_eq!(flat[0]["action"]["to"], at);
    assert_eq!(flat[0]["transactionHash"], hash);
    let mux = json!({"tracer": "muxTracer", "tracerConfig": {"callTracer": {"withLog": true}, "4byteTracer": null}});
    let mux = trace(mux).await;
    assert_eq!(mux["callTracer"]["logs"].as_array().unwrap().len(), 1);
    assert_eq!(mux["4byteTracer"], json!({}));
    assert_eq!(trace(json!({"tracer": "noopTracer"})).await, json!({}));
    // 32 bytes of arguments behind a selector
    let input = format!("0xa9059cbb{}", "0".repeat(56));
    let call = json!({"to": counter, "data": input});
    let four = json!([call, "latest", {"tracer": "4byteTracer"}]);
    assert_eq!(
        rpc(&devnet, "debug_traceCall", four).await,
        json!({"0xa9059cbb-28": 1})
    );

    for (method, which) in [("debug_traceBlockByNumber", json!("0x2"))] {
        let all = rpc(&devnet, method, json!([which, {"tracer": "callTracer"}])).await;
        assert_eq!(all[0]["txHash"], hash);
        assert_eq!(all[0]["result"]["to"], at);
    }
    let genesis = raw(&devnet, "debug_traceBlockByNumber", json!(["0x0"])).await;
    assert_eq!(genesis["error"]["message"], "genesis is not traceable");
    for bad in [
        json!({"tracer": "muxTracer"}),
        json!({"tracer": "muxTracer", "tracerConfig": {"muxTracer": {}}}),
    ] {
        let refused = raw(&devnet, "debug_traceTransaction", json!([hash, bad])).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }

    let all = rpc(&devnet, "trace_transaction", json!([hash])).await;
    assert_eq!(all, flat);
    assert_eq!(rpc(&devnet, "trace_block", json!(["0x2"])).await, all);
    let one = rpc(&devnet, "trace_get", json!([hash, []])).await;
    assert_eq!(one, all[0]);
    let filter = json!({"fromBlock": "0x0", "toBlock": "latest", "toAddress": [counter]});
    let found = rpc(&devnet, "trace_filter", json!([filter])).await;
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    let replayed = rpc(&devnet, "trace_replayTransaction", json!([hash, ["trace"]])).await;
    assert_eq!(replayed["trace"][0]["action"], all[0]["action"]);
    let none = rpc(&devnet, "trace_transaction", json!([B256::ZERO])).await;
    assert_eq!(none, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_encodings_are_those_that_hashes_are_made_of() {
    let devnet = devnet().await;
    let (_, hash) = counted(&devnet).await;
    let block = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
    let bytes = |value: Value| serde_json::from_value::<Bytes>(value).unwrap();
    let header = bytes(rpc(&devnet, "debug_getRawHeader", json!(["latest"])).await);
    assert_eq!(json!(keccak256(&header)), block["hash"]);
    let tx = bytes(rpc(&devnet, "debug_getRawTransaction", json!([hash])).await);
    assert_eq!(json!(keccak256(&tx)), hash);
    let whole = bytes(rpc(&devnet, "debug_getRawBlock", json!([block["hash"]])).await);
    let find = |part: &[u8]| whole.windows(part.len()).any(|window| window == part);
    assert!(find(&header) && find(&tx));
    let receipts = rpc(&devnet, "debug_getRawReceipts", json!(["latest"])).await;
    assert_eq!(receipts.as_array().unwrap().len(), 1);
    let missing = raw(&devnet, "debug_getRawBlock", json!(["0x99"])).await;
    assert_eq!(missing["error"]["message"], "block not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_lead_to_the_account_and_the_slot() {
    let devnet = devnet().await;
    let (counter, _) = counted(&devnet).await;
    let proof = rpc(
        &devnet,
        "eth_getProof",
        json!([counter, ["0x0", "0x7"], "latest"]),
    )
    .await;
    let nodes = |value: &Value| -> Vec<Bytes> { serde_json::from_value(value.clone()).unwrap() };
    let account = nodes(&proof["accountProof"]);
    let root = keccak256(&account[0]);
    let leaf = alloy_trie::TrieAccount {
        nonce: number(&proof["nonce"]),
        balance: U256::ZERO,
        storage_root: serde_json::from_value(proof["storageHash"].clone()).unwrap(),
        code_hash: serde_json::from_value(proof["codeHash"].clone()).unwrap(),
    };
    let key = alloy_trie::Nibbles::unpack(keccak256(counter));
    alloy_trie::proof::verify_proof(root, key, Some(alloy_rlp::encode(leaf)), &account).unwrap();
    let slot = |n: u64| alloy_trie::Nibbles::unpack(keccak256(U256::from(n).to_be_bytes::<32>()));
    let first = nodes(&proof["storageProof"][0]["proof"]);
    assert_eq!(proof["storageProof"][0]["value"], "0x1");
    let one = Some(alloy_rlp::encode(U256::ONE));
    alloy_trie::proof::verify_proof(leaf.storage_root, slot(0), one, &first).unwrap();
    let second = nodes(&proof["storageProof"][1]["proof"]);
    alloy_trie::proof::verify_proof(leaf.storage_root, slot(7), None, &second).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn simulations_fail_with_the_specifications_numbers() {
    let devnet = devnet().await;
    let own = devnet.accounts()[0].address;
    let (poor, to) = (Address::repeat_byte(0x77), Address::repeat_byte(9));
    let simulate = |blocks: Value, validation: bool| {
        raw(
            &devnet,
            "eth_simulateV1",
            json!([{"blockStateCalls": blocks, "validation": validation}, "latest"]),
        )
    };
    let call = |fields: Value| {
        let mut call = json!({"from": own, "to": to, "maxFeePerGas": "0x2540be400"});
        call.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        json!([{"calls": [call]}])
    };
    for (blocks, validation, code) in [
        (json!([]), false, -32602),
        (call(json!({"nonce": "0x9"})), true, -38011),
        (call(json!({"maxFeePerGas": "0x1"})), true, -38012),
        (call(json!({"gas": "0x1"})), true, -38013),
        (call(json!({"from": poor, "value": "0x1"})), true, -38014),
        (
            json!([{"blockOverrides": {"gasLimit": "0x5208"}, "calls": [{"to": to, "gas": "0x5209"}]}]),
            false,
            -38015,
        ),
        (
            json!([{"blockOverrides": {"number": "0x5"}}, {"blockOverrides": {"number": "0x5"}}]),
            false,
            -38020,
        ),
        (json!([{"blockOverrides": {"time": "0x1"}}]), false, -38021),
        (
            json!([{"stateOverrides": {"0x0000000000000000000000000000000000000001": {"movePrecompileToAddress": "0x0000000000000000000000000000000000000001"}}}]),
            false,
            -38022,
        ),
        (
            json!([{"stateOverrides": {
                "0x0000000000000000000000000000000000000001": {"movePrecompileToAddress": to},
                "0x0000000000000000000000000000000000000002": {"movePrecompileToAddress": to},
            }}]),
            false,
            -38023,
        ),
        (
            json!([{"blockOverrides": {"number": "0xfffff"}}]),
            false,
            -38026,
        ),
    ] {
        let answer = simulate(blocks.clone(), validation).await;
        assert_eq!(answer["error"]["code"], code, "{blocks}: {answer}");
    }
    // The nonce of an account that has sent something.
    let tx = json!({"from": own, "to": to, "value": "0x1"});
    rpc(&devnet, "eth_sendTransaction", json!([tx])).await;
    let low = simulate(call(json!({"nonce": "0x0"})), true).await;
    assert_eq!(low["error"]["code"], -38010, "{low}");

    // A gas limit holds for the blocks after it too.
    let carried = json!([
        {"blockOverrides": {"gasLimit": "0x7530"}},
        {"calls": [{"to": to}, {"to": to, "gas": "0x7530"}]},
    ]);
    let answer = simulate(carried, false).await;
    assert_eq!(answer["error"]["code"], -38015, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn precompiles_move_where_a_call_pretends() {
    let devnet = devnet().await;
    let (sha, to) = (
        "0x0000000000000000000000000000000000000002",
        Address::repeat_byte(0x42),
    );
    let call = |to: Value, overrides: Value| {
        rpc(
            &devnet,
            "eth_call",
            json!([{"to": to, "data": "0x616263"}, "latest", overrides]),
        )
    };
    let hash = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(call(json!(sha), json!({})).await, hash);
    let moved = json!({ sha: {"movePrecompileToAddress": to} });
    assert_eq!(call(json!(to), moved).await, hash);
    // Its old address runs what is pretended to be there: PUSH1 7, MSTORE8, RETURN.
    let replaced = json!({ sha: {"code": "0x60075f5360015ff3"} });
    assert_eq!(call(json!(sha), replaced).await, "0x07");
    let info =
        json!({ "0x0000000000000000000000000000000000000064": {"movePrecompileToAddress": to} });
    let version = rpc(
        &devnet,
        "eth_call",
        json!([{"to": to, "data": "0x051038f2"}, "latest", info]),
    )
    .await;
    assert_eq!(number(&version), 55 + 61);
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_make_no_sense_are_answered_as_geth_does() {
    let devnet = devnet().await;
    let zero = Address::ZERO;
    for (method, params, code) in [
        (
            "eth_getLogs",
            json!([{"fromBlock": "0x2", "toBlock": "0x1"}]),
            -32602,
        ),
        (
            "eth_getLogs",
            json!([{"blockHash": B256::ZERO, "fromBlock": "0x0"}]),
            -32602,
        ),
        (
            "eth_getLogs",
            json!([{"topics": [null, null, null, null, null]}]),
            -32602,
        ),
        ("eth_getLogs", json!([{"blockHash": B256::ZERO}]), -32000),
        (
            "eth_call",
            json!([{"to": zero, "gasPrice": "0x1"}, "latest"]),
            -32000,
        ),
        (
            "eth_estimateGas",
            json!([{"to": zero, "maxFeePerGas": "0x1"}]),
            -32000,
        ),
        ("eth_feeHistory", json!(["0x1", "latest", [5, 5]]), -32000),
        ("eth_feeHistory", json!(["0x1", "latest", [101]]), -32000),
    ] {
        let answer = raw(&devnet, method, params.clone()).await;
        assert_eq!(answer["error"]["code"], code, "{method} {params}: {answer}");
    }
    let none = rpc(&devnet, "eth_feeHistory", json!(["0x0", "latest", [5]])).await;
    assert_eq!(none, json!({"oldestBlock": "0x0", "gasUsedRatio": null}));
    // Free of charge, a call needs no price.
    rpc(&devnet, "eth_call", json!([{"to": zero}, "latest"])).await;
    let price = json!([{"to": zero, "gasPrice": "0x5f5e100", "from": devnet.accounts()[0].address}, "latest"]);
    rpc(&devnet, "eth_call", price).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_undone_blocks_are_removed() {
    let devnet = devnet().await;
    let (counter, _) = counted(&devnet).await;
    let (mut socket, _) = tokio_tungstenite::connect_async(devnet.ws_url())
        .await
        .unwrap();
    let mut subscribe = async |params: Value| {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params});
        socket.send(Message::Text(call.to_string())).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap().into_text().unwrap();
        serde_json::from_str::<Value>(&answer).unwrap()
    };
    assert!(subscribe(json!(["syncing"])).await["result"].is_string());
    assert!(subscribe(json!(["logs", {"address": counter}])).await["result"].is_string());
    let filter = rpc(&devnet, "eth_newFilter", json!([{"address": counter}])).await;
    let snapshot = rpc(&devnet, "evm_snapshot", json!([])).await;
    let count = json!({"from": devnet.accounts()[0].address, "to": counter});
    let hash = rpc(&devnet, "eth_sendTransaction", json!([count])).await;
    let changes = || rpc(&devnet, "eth_getFilterChanges", json!([filter]));
    let added = changes().await;
    assert_eq!(added[0]["removed"], false);
    rpc(&devnet, "evm_revert", json!([snapshot])).await;
    let removed = changes().await;
    assert_eq!(removed.as_array().unwrap().len(), 1);
    assert_eq!(removed[0]["removed"], true);
    assert_eq!(removed[0]["transactionHash"], hash);
    assert_eq!(changes().await, json!([]));
    for removed in [false, true] {
        let note = socket.next().await.unwrap().unwrap().into_text().unwrap();
        let note: Value = serde_json::from_str(&note).unwrap();
        assert_eq!(note["params"]["result"]["removed"], removed);
        assert_eq!(note["params"]["result"]["transactionHash"], hash);
    }
    // A block made and undone between two questions was never there.
    let snapshot = rpc(&devnet, "evm_snapshot", json!([])).await;
    rpc(&devnet, "eth_sendTransaction", json!([count])).await;
    rpc(&devnet, "evm_revert", json!([snapshot])).await;
    assert_eq!(changes().await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_payments_can_be_logged() {
    let devnet = devnet().await;
    let own = devnet.accounts()[0].address;
    let (to, other) = (Address::repeat_byte(9), Address::repeat_byte(8));
    // Logs without topics, pays 1 wei to `other`, logs again.
    let code = format!("0x5f5fa05f5f5f5f600173{other:x}5af15f5fa000");
    let call = |to: Address, value: &str| json!({"from": own, "to": to, "value": value});
    let request = json!([{
        "blockStateCalls": [{
            "stateOverrides": { (to.to_string()): {"code": code} },
            "calls": [call(to, "0x5"), call(other, "0x0")],
        }],
        "traceTransfers": true,
    }, "latest"]);
    let blocks = rpc(&devnet, "eth_simulateV1", request).await;
    let logs = &blocks[0]["calls"][0]["logs"];
    let coin = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
    let at: Vec<_> = (0..4)
        .map(|n| logs[n]["address"].as_str().unwrap_or("none"))
        .collect();
    let own_logs = format!("{to:#x}");
    assert_eq!(at, [coin, &own_logs, coin, &own_logs], "{blocks}");
    let transfer = keccak256("Transfer(address,address,uint256)");
    let topics = json!([transfer, own.into_word(), to.into_word()]);
    assert_eq!(logs[0]["topics"], topics);
    assert_eq!(logs[0]["data"], format!("0x{:064x}", 5));
    assert_eq!(logs[2]["topics"][2], json!(other.into_word()));
    assert_eq!(blocks[0]["calls"][1]["logs"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_read_one_by_one_and_together() {
    let devnet = devnet().await;
    let (counter, _) = counted(&devnet).await;
    let one = rpc(
        &devnet,
        "eth_getStorageAt",
        json!([counter, "0x0", "latest"]),
    )
    .await;
    assert_eq!(number(&one), 1);
    let nobody = Address::repeat_byte(0x77);
    let wanted = json!({(counter.to_string()): ["0x0", "0x7"], (nobody.to_string()): ["0x0"]});
    let values = rpc(&devnet, "eth_getStorageValues", json!([wanted, "latest"])).await;
    let word = |n: u64| json!(alloy_primitives::B256::from(U256::from(n)));
    let of = |address: Address| values[format!("{address:#x}")].clone();
    assert_eq!(of(counter), json!([word(1), word(0)]));
    assert_eq!(of(nobody), json!([word(0)]));
    let long = format!("0x{}", "0".repeat(65));
    for (method, params) in [
        ("eth_getStorageValues", json!([{}, "latest"])),
        (
            "eth_getStorageValues",
            json!([{(counter.to_string()): vec!["0x0"; 1_025]}]),
        ),
        ("eth_getStorageAt", json!([counter, long, "latest"])),
        ("eth_getStorageAt", json!([counter, "0xasdf", "latest"])),
    ] {
        let answer = raw(&devnet, method, params).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    let fee = rpc(&devnet, "eth_baseFee", json!([])).await;
    assert_eq!(fee, rpc(&devnet, "eth_gasPrice", json!([])).await);
}
