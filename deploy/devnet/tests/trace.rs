//! Traces: calls, logs and host calls of transactions, mined or pretended.
#![allow(clippy::unwrap_used)]

mod common;

use common::{activate, client, creation, devnet, program, raw, rpc, send};
use ethers::types::{Address, TransactionRequest, U256};
use serde_json::{Value, json};
use stylus_devnet::Handle;

/// Keeps what it is called with in slot 0, logs it and returns it.
const KEEPER: &str = r#"(module
    (import "vm_hooks" "read_args" (func $read_args (param i32)))
    (import "vm_hooks" "storage_cache_bytes32" (func $cache (param i32 i32)))
    (import "vm_hooks" "storage_flush_cache" (func $flush (param i32)))
    (import "vm_hooks" "emit_log" (func $log (param i32 i32 i32)))
    (import "vm_hooks" "msg_sender" (func $sender (param i32)))
    (import "vm_hooks" "block_number" (func $number (result i64)))
    (import "vm_hooks" "write_result" (func $write_result (param i32 i32)))
    (memory (export "memory") 1 1)
    (func (export "user_entrypoint") (param $len i32) (result i32)
        (call $read_args (i32.const 0))
        (call $cache (i32.const 512) (i32.const 0))
        (call $flush (i32.const 1))
        (call $log (i32.const 0) (i32.const 32) (i32.const 1))
        (call $sender (i32.const 600))
        (drop (call $number))
        (call $write_result (i32.const 0) (i32.const 32))
        (i32.const 0)))"#;
/// Calls the address in the first 20 bytes of its arguments with the rest.
const CALLER: &str = r#"(module
    (import "vm_hooks" "read_args" (func $read_args (param i32)))
    (import "vm_hooks" "call_contract" (func $call (param i32 i32 i32 i32 i64 i32) (result i32)))
    (memory (export "memory") 1 1)
    (func (export "user_entrypoint") (param $len i32) (result i32)
        (call $read_args (i32.const 0))
        (call $call (i32.const 0) (i32.const 20) (i32.sub (local.get $len) (i32.const 20))
            (i32.const 4096) (i64.const -1) (i32.const 8192))))"#;

async fn deploy(devnet: &Handle, wat: &str) -> Address {
    let client = client(devnet, 0);
    let created = TransactionRequest::new().data(creation(&program(wat)));
    let program = send(&client, created).await.contract_address.unwrap();
    activate(&client, program).await;
    program
}
fn names(steps: &Value) -> Vec<&str> {
    let steps = steps.as_array().unwrap().iter();
    steps.map(|step| step["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_lists_every_host_call_inside_the_call_that_made_it() {
    let devnet = devnet().await;
    let keeper = deploy(&devnet, KEEPER).await;
    let caller = deploy(&devnet, CALLER).await;
    let word = [7; 32];
    let data = [keeper.as_bytes(), &word].concat();
    let sent = TransactionRequest::new().to(caller).data(data);
    let receipt = send(&client(&devnet, 0), sent).await;
    assert_eq!(receipt.status, Some(1.into()));
    // Later writes do not disturb the earlier state.
    let later = TransactionRequest::new().to(keeper).data([9; 32]);
    send(&client(&devnet, 0), later).await;

    let hash = receipt.transaction_hash;
    let trace = |options: Value| rpc(&devnet, "debug_traceTransaction", json!([hash, options]));
    let steps = trace(json!({"tracer": "stylusTracer"})).await;
    let outer = [
        "user_entrypoint",
        "read_args",
        "call_contract",
        "user_returned",
    ];
    assert_eq!(names(&steps), outer);
    assert_eq!(steps[0]["args"], "0x00000034");
    assert_eq!(steps[3]["outs"], "0x00000000");
    let call = &steps[2];
    assert_eq!(call["address"], json!(keeper));
    // Length of the data returned, status.
    assert_eq!(call["outs"], "0x0000002000");
    let args = call["args"].as_str().unwrap();
    assert_eq!(args.len(), 2 + 2 * (20 + 8 + 32 + 32));
    assert!(args.ends_with(&"07".repeat(32)));

    let inner = &call["steps"];
    let expected = [
        "user_entrypoint",
        "read_args",
        "storage_cache_bytes32",
        "storage_flush_cache",
        "emit_log",
        "msg_sender",
        "block_number",
        "write_result",
        "user_returned",
    ];
    assert_eq!(names(inner), expected);
    let ink = |step: &Value| step["startInk"].as_u64().unwrap() - step["endInk"].as_u64().unwrap();
    // Price of each, and of the blocks between them.
    assert_eq!(ink(&inner[1]), 8_400 + 5_040);
    assert_eq!(ink(&inner[2]), 18_480);
    assert_eq!(ink(&inner[3]), 68_073 + 22_100 * 10_000);
    assert_eq!(ink(&inner[4]), 68_073 + 16_381 + 750 * 10_000);
    assert_eq!(ink(&inner[5]), 13_440);
    assert_eq!(ink(&inner[6]), 8_400);
    assert_eq!(ink(&inner[7]), 8_400 + 2 * 16_381);
    assert_eq!(
        inner[2]["args"],
        json!(format!("0x{}{}", "00".repeat(32), "07".repeat(32)))
    );
    assert_eq!(inner[3]["args"], "0x01");
    assert_eq!(
        inner[4]["args"],
        json!(format!("0x00000001{}", "07".repeat(32)))
    );
    assert_eq!(inner[5]["outs"], json!(caller));
    assert_eq!(inner[7]["args"], json!(format!("0x{}", "07".repeat(32))));
    for pair in inner.as_array().unwrap().windows(2) {
        let (end, start) = (pair[0]["endInk"].as_u64(), pair[1]["startInk"].as_u64());
        assert!(end >= start && start.is_some(), "{pair:?}");
    }

    // The script that cargo-stylus sends asks for the same; other scripts are not run.
    let script = r#"{
        "hostio": function(info) {
            if (this.nests.includes(info.name)) { Object.assign(info, this.open.pop()); }
            this.open.push(info);
        },
        "result": function() { return this.open; },
        open: [], nests: ["call_contract"]
    }"#;
    assert_eq!(trace(json!({"tracer": script})).await, steps);
    let other = json!([hash, {"tracer": r#"{"hostio": function(info) {}}"#}]);
    let answer = raw(&devnet, "debug_traceTransaction", other).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("no JavaScript"), "{message}");

    let calls = trace(json!({"tracer": "callTracer", "tracerConfig": {"withLog": true}})).await;
    assert_eq!(
        (&calls["type"], &calls["to"]),
        (&json!("CALL"), &json!(caller))
    );
    assert_eq!(calls["gasUsed"], json!(receipt.gas_used.unwrap()));
    assert!(calls.get("error").is_none() && calls.get("logs").is_none());
    let call = &calls["calls"][0];
    assert_eq!(
        (&call["from"], &call["to"]),
        (&json!(caller), &json!(keeper))
    );
    assert_eq!(call["output"], json!(format!("0x{}", "07".repeat(32))));
    assert_eq!(
        call["logs"][0]["topics"],
        json!([format!("0x{}", "07".repeat(32))])
    );
    let top = json!({"tracer": "callTracer", "tracerConfig": {"onlyTopCall": true}});
    assert!(trace(top).await.get("calls").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_traced_without_being_made() {
    let devnet = devnet().await;
    let keeper = deploy(&devnet, KEEPER).await;
    let caller = deploy(&devnet, CALLER).await;
    let counter = common::deploy(&client(&devnet, 0)).await;

    // Through a program into a contract that reverts with what it is given.
    let data = format!("0x{}{}", hex::encode(counter), "ab".repeat(5));
    let request = json!({"to": caller, "input": data, "gas": "0x100000"});
    let parameters = json!([request, "latest", {"tracer": "callTracer"}]);
    let calls = rpc(&devnet, "debug_traceCall", parameters).await;
    // Status 2 ends the caller in a revert, too.
    assert_eq!(calls["error"], "execution reverted");
    assert_eq!(calls["gas"], "0x100000");
    let inner = &calls["calls"][0];
    assert_eq!(inner["error"], "execution reverted");
    assert_eq!(inner["output"], json!(format!("0x{}", "ab".repeat(5))));
    let parameters = json!([request, "latest", {"tracer": "stylusTracer"}]);
    let steps = rpc(&devnet, "debug_traceCall", parameters).await;
    assert_eq!(steps[2]["steps"], json!([]));
    assert_eq!(steps[2]["outs"], "0x0000000502");
    assert_eq!(steps[3]["outs"], "0x00000002");

    // As if the code of the keeper were somewhere else.
    let code = rpc(&devnet, "eth_getCode", json!([keeper, "latest"])).await;
    let elsewhere = Address::repeat_byte(0x5a);
    let options = json!({
        "tracer": "stylusTracer",
        "stateOverrides": { (format!("{elsewhere:?}")): {"code": code} },
    });
    let request = json!({"to": elsewhere, "input": format!("0x{}", "07".repeat(32))});
    let steps = rpc(
        &devnet,
        "debug_traceCall",
        json!([request, "latest", options]),
    )
    .await;
    assert_eq!(steps.as_array().unwrap().len(), 9);
    let slot = rpc(
        &devnet,
        "eth_getStorageAt",
        json!([keeper, "0x0", "latest"]),
    )
    .await;
    assert_eq!(slot, json!(format!("0x{}", "00".repeat(32))));

    for options in [json!({"tracer": "fourTracer"}), json!({"tracer": "{}"})] {
        let answer = raw(
            &devnet,
            "debug_traceCall",
            json!([request, "latest", options]),
        )
        .await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("stylusTracer"), "{message}");
    }
    let nothing = json!([ethers::types::H256::zero(), {"tracer": "callTracer"}]);
    let answer = raw(&devnet, "debug_traceTransaction", nothing).await;
    assert_eq!(answer["error"]["message"], "transaction not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_shows_the_fee_and_what_is_given_back() {
    let devnet = devnet().await;
    deploy(&devnet, KEEPER).await;
    let block = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
    let activation = &block["transactions"][0];

    let trace = |tracer: &str| {
        let parameters = json!([activation, {"tracer": tracer}]);
        rpc(&devnet, "debug_traceTransaction", parameters)
    };
    // Nothing but frames: that is how cargo-stylus tells an activation.
    let steps = trace("stylusTracer").await;
    assert_eq!(names(&steps), ["evm_call_contract"; 2]);
    let calls = trace("callTracer").await;
    let sender = json!(client(&devnet, 0).address());
    assert_eq!(
        (&calls["from"], &calls["calls"][1]["to"]),
        (&sender, &sender)
    );
    assert_eq!(steps[1]["address"], sender);
    let wei = |call: &Value| U256::from_str_radix(call["value"].as_str().unwrap(), 16).unwrap();
    let (fee, rest) = (wei(&calls["calls"][0]), wei(&calls["calls"][1]));
    assert!(!fee.is_zero());
    assert_eq!(fee + rest, wei(&calls));
}
