//! Requests and programs made to do harm: each gets an error, and the chain goes on.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{activate, client, creation, devnet, post, program, raw, rpc, send, wasm};
use ethers::{
    abi::{self, Token},
    types::{Address, TransactionRequest, U256},
    utils::id,
};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use stylus_devnet::Handle;
use tokio_tungstenite::tungstenite::Message;
use wasm::{activation, leb, module, packed, section};

/// The most WASM that the chain unpacks, bytes.
const MAX_WASM: usize = 131_072;
/// No single request or transaction may take longer, on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_secs(90);
/// Resident memory that this process may ever have had, KiB: all its tests and their clients included.
const MEMORY: u64 = 3 << 20;

/// The next transaction succeeds, and memory is bounded.
async fn goes_on(devnet: &Handle) {
    let transfer = TransactionRequest::pay(Address::repeat_byte(1), 1);
    let sent = tokio::time::timeout(PATIENCE, send(&client(devnet, 9), transfer)).await;
    assert_eq!(sent.unwrap().status, Some(1.into()));
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return;
    };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    assert!(peak < MEMORY, "{peak} KiB");
}
fn call(id: u64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused() {
    let devnet = devnet().await;
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    let request = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":{params}}}"#)
    };
    let bodies = [
        String::new(),
        "{not json".into(),
        "null".into(),
        "7".into(),
        "\"eth_chainId\"".into(),
        "[]".into(),
        "[1,2,3]".into(),
        "[[]]".into(),
        "{}".into(),
        deep("[", "]"),
        deep("{\"a\":", "}"),
        deep("[", ""),
        request(&deep("[", "]")),
        request(&deep("[{\"a\":", "}]")),
        request("[\"latest\""),
        request("\"latest\""),
        request("[1e999]"),
        request("[123456789012345678901234567890]"),
        request(&format!("[\"0x{}\"]", "f".repeat(1 << 20))),
        request("[\"\\ud800\", \"latest\"]"),
        request("[null, null]"),
        r#"{"jsonrpc":"2.0","id":1e999,"method":"eth_chainId"}"#.into(),
        r#"{"jsonrpc":"2.0","id":{"a":[]},"method":"eth_chainId"}"#.into(),
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#.into(),
        r#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#.into(),
        r#"{"jsonrpc":"2.0","id":1}"#.into(),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#,
            "x".repeat(1 << 20)
        ),
    ];
    for body in bodies {
        let (status, answer) = post(&devnet, body.as_bytes()).await;
        // One whose id nothing can answer to is a notification, which has no answer.
        let refused = answer.contains("\"error\"") || status >= 400 || answer.is_empty();
        assert!(refused, "{body:.80}: {status} {answer:.200}");
        assert!(!answer.contains("-32603"), "{body:.80}: {answer:.200}");
    }
    let (status, answer) = post(
        &devnet,
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}",
    )
    .await;
    assert!(
        answer.contains("\"error\"") || status >= 400,
        "{status} {answer}"
    );
    goes_on(&devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_at_the_edge_do_no_harm() {
    let devnet = devnet().await;
    let max = "0xffffffffffffffff";
    let huge = format!("0x{}", "f".repeat(64));
    let who = Address::repeat_byte(5);
    let block = json!({"number": max, "time": max, "gasLimit": max, "baseFeePerGas": max});
    let to = json!({"to": who, "value": huge, "gas": max, "gasPrice": huge});
    // ArbSys.arbBlockHash and ArbWasm.activateProgram, as if at the end of time.
    let hash = json!({"to": Address::from_low_u64_be(0x64), "data": format!("0x2b407a82{}", "f".repeat(64))});
    let version = json!({"to": Address::from_low_u64_be(0x71), "data": format!("0xd70c0ca7{}", "0".repeat(64))});
    for (method, params) in [
        ("eth_getBlockByNumber", json!([max, true])),
        ("eth_getBlockByNumber", json!([huge, true])),
        (
            "eth_getTransactionByBlockNumberAndIndex",
            json!(["latest", max]),
        ),
        ("eth_feeHistory", json!([max, "latest", []])),
        (
            "eth_feeHistory",
            json!(["0x400", "latest", vec![50.0; 100_000]]),
        ),
        ("eth_getLogs", json!([{"fromBlock": "0x0", "toBlock": max}])),
        ("eth_getLogs", json!([{"address": vec![who; 100_000]}])),
        ("eth_getStorageAt", json!([who, huge, max])),
        ("eth_call", json!([to])),
        ("eth_call", json!([hash, "latest", {}, block])),
        ("eth_call", json!([version, "latest", {}, block])),
        ("eth_estimateGas", json!([to, "latest", {}, block])),
        (
            "eth_estimateGas",
            json!([{"to": who, "gasPrice": max}, "latest", { (format!("{:?}", Address::zero())): {"balance": huge, "nonce": max} }]),
        ),
        (
            "eth_call",
            json!([{}, "latest", { (format!("{:?}", Address::zero())): {"nonce": max} }]),
        ),
        ("eth_createAccessList", json!([to, "latest"])),
        (
            "eth_simulateV1",
            json!([{"blockStateCalls": [{"blockOverrides": block, "calls": [to]}]}]),
        ),
        (
            "eth_simulateV1",
            json!([{"blockStateCalls": [{"blockOverrides": {"time": max}}, {}]}]),
        ),
        (
            "eth_simulateV1",
            json!([{"blockStateCalls": vec![json!({}); 257]}]),
        ),
        (
            "debug_traceCall",
            json!([to, "latest", {"limit": max, "blockOverrides": block}]),
        ),
        ("anvil_mine", json!([max, max])),
        ("evm_revert", json!([huge])),
        ("eth_uninstallFilter", json!([huge])),
        ("evm_increaseTime", json!([max])),
        ("evm_increaseTime", json!([max])),
        ("evm_setNextBlockTimestamp", json!([max])),
        ("anvil_mine", json!(["0x2", max])),
        ("eth_simulateV1", json!([{"blockStateCalls": [{}]}])),
        ("anvil_setBalance", json!([who, huge])),
        ("anvil_setNonce", json!([who, max])),
    ] {
        let answer = raw(&devnet, method, params.clone()).await;
        assert_ne!(
            answer["error"]["code"], -32603,
            "{method} {params:.200}: {answer:.200}"
        );
    }
    // Nothing is left of the nonce.
    rpc(&devnet, "anvil_impersonateAccount", json!([who])).await;
    let spent = json!([{"from": who, "to": who, "gas": "0x5208"}]);
    let answer = raw(&devnet, "eth_sendTransaction", spent).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("nonce has max value"), "{message}");
    rpc(&devnet, "anvil_setNextBlockBaseFeePerGas", json!([max])).await;
    rpc(&devnet, "evm_mine", json!([])).await;
    goes_on(&devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_32_megabytes_are_not_read() {
    let devnet = devnet().await;
    let body = vec![b'['; 32 << 20];
    assert_eq!(post(&devnet, &body).await.0, 413);
    let (mut socket, _) = tokio_tungstenite::connect_async(devnet.ws_url())
        .await
        .unwrap();
    // It may hang up while the frame is on its way.
    let _ = socket.send(Message::Text("[".repeat(32 << 20))).await;
    let answer = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    if let Some(Ok(Message::Text(text))) = answer {
        assert!(text.contains("\"error\""), "{text:.200}");
    }
    goes_on(&devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_bounded() {
    let devnet = devnet().await;
    let batch = |n: u64| Value::from_iter((0..n).map(|id| call(id, "eth_chainId", json!([]))));
    let (_, answer) = post(&devnet, batch(1_000).to_string().as_bytes()).await;
    let answers: Vec<Value> = serde_json::from_str(&answer).unwrap();
    assert!(answers.len() == 1_000 && answers.iter().all(|one| one["result"] == "0x64aba"));
    let (_, answer) = post(&devnet, batch(1_001).to_string().as_bytes()).await;
    assert!(answer.contains("\"error\""), "{answer:.200}");
    let nested = json!([
        [batch(10)],
        batch(3),
        7,
        null,
        call(1, "eth_chainId", json!([]))
    ]);
    let (_, answer) = post(&devnet, nested.to_string().as_bytes()).await;
    assert!(
        answer.contains("\"error\"") && answer.contains("0x64aba"),
        "{answer:.300}"
    );
    // Together they are longer than an answer may be.
    let code = format!("0x{}", "00".repeat(24_576));
    let who = Address::repeat_byte(5);
    rpc(&devnet, "anvil_setCode", json!([who, code])).await;
    let long = Value::from_iter((0..1_000).map(|id| {
        let memory = json!([{"to": who, "data": "0x"}, "latest", { (format!("{who:?}")): {"code": "0x6220000060006000600039620200006000f3"} }]);
        call(id, "eth_call", memory)
    }));
    let (_, answer) = post(&devnet, long.to_string().as_bytes()).await;
    assert!(answer.len() <= 65 << 20, "{}", answer.len());
    goes_on(&devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_over_websocket_end_with_their_connections() {
    let devnet = devnet().await;
    let mut sockets = Vec::new();
    for _ in 0..40 {
        let (mut socket, _) = tokio_tungstenite::connect_async(devnet.ws_url())
            .await
            .unwrap();
        for id in 0..300 {
            // Nobody reads the answers yet.
            let flood = call(id, "eth_subscribe", json!(["newHeads"])).to_string();
            if socket.send(Message::Text(flood)).await.is_err() {
                break;
            }
        }
        sockets.push(socket);
    }
    // All of them are told of these blocks, whether they listen or not.
    rpc(&devnet, "anvil_mine", json!(["0x14"])).await;
    goes_on(&devnet).await;
    let socket = &mut sockets[0];
    let (mut granted, mut refused) = (0, 0);
    while granted + refused < 300 {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        let Message::Text(text) = next.unwrap().unwrap() else {
            continue;
        };
        let note: Value = serde_json::from_str(&text).unwrap();
        granted += usize::from(note["result"].is_string());
        refused += usize::from(note["error"].is_object());
    }
    assert_eq!((granted, refused), (256, 44));
    for mut socket in sockets.drain(..20) {
        let _ = socket.send(Message::Binary(vec![0xff; 1 << 20])).await;
    }
    drop(sockets);
    // More connections than there may be: some are refused, none of them stays.
    let connections: Vec<_> = futures::future::join_all(
        (0..600).map(|_| tokio::net::TcpStream::connect(devnet.ws_url().replace("ws://", ""))),
    )
    .await;
    drop(connections);
    let started = Instant::now();
    while post(
        &devnet,
        call(1, "eth_chainId", json!([])).to_string().as_bytes(),
    )
    .await
    .0 != 200
    {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    goes_on(&devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wasm_bombs_are_not_activated() {
    let devnet = devnet().await;
    let zero = [0x41, 0];
    let table = |targets: usize| {
        let mut body = vec![0x02, 0x40, 0x41, 0, 0x0e];
        body.extend(leb(targets));
        body.extend(vec![0; targets + 1]);
        body.extend([0x0b, 0x41, 0]);
        module(&[0], &body)
    };
    let nested = |depth: usize| {
        let body = [[0x02, 0x40].repeat(depth), vec![0x0b; depth], zero.to_vec()].concat();
        module(&[0], &body)
    };
    let locals = |count: usize| module(&[&[1][..], &leb(count), &[0x7f]].concat(), &zero);
    // The shapes are right; only their sizes are not.
    for fine in [table(1_000), nested(100), locals(300)] {
        let answer = activation(&devnet, &packed(&fine), PATIENCE).await;
        assert!(answer["result"].is_string(), "{answer}");
    }
    let data = |segments: usize| {
        let one = [0x00, 0x41, 0, 0x0b, 0];
        let data = [leb(segments), one.repeat(segments)].concat();
        [module(&[0], &zero), section(11, &data)].concat()
    };
    let funcs = |count: usize| {
        let types = [1, 0x60, 1, 0x7f, 1, 0x7f];
        let code = [leb(count), [4, 0, 0x41, 0, 0x0b].repeat(count)].concat();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &types),
            section(3, &[leb(count), vec![0; count]].concat()),
            section(5, &[1, 1, 1, 1]),
            section(7, b"\x02\x0fuser_entrypoint\0\0\x06memory\x02\0"),
            section(10, &code),
        ]
        .concat()
    };
    for (what, bomb) in [
        ("br_table", table(120_000)),
        ("br_table beyond the size", table(1 << 20)),
        ("blocks", nested(40_000)),
        ("blocks beyond the size", nested(1 << 20)),
        ("locals", locals(65_536)),
        ("more locals", locals(u32::MAX as usize)),
        (
            "groups of locals",
            module(&[leb(20_000), [1, 0x7f].repeat(20_000)].concat(), &zero),
        ),
        ("data", data(10_000)),
        ("functions", funcs(20_000)),
        (
            "drops",
            module(
                &[0],
                &[[0x41, 0, 0x1a].repeat(40_000), zero.to_vec()].concat(),
            ),
        ),
        (
            "constants",
            module(&[0], &[[0x41, 0].repeat(60_000), vec![0x1a; 5]].concat()),
        ),
    ] {
        let answer = activation(&devnet, &packed(&bomb), PATIENCE).await;
        let message = answer["error"]["message"].as_str();
        let failed = message.is_some_and(|text| text.starts_with("program activation failed"));
        // More than the chain unpacks is refused without a word.
        let refused = message == Some("execution reverted") && answer["error"]["data"] == "0x";
        let expected = match bomb.len() > MAX_WASM {
            true => refused,
            // A table is one operator, whatever its length: within the size it is only dear.
            false => failed || what == "br_table",
        };
        assert!(expected, "{what}: {answer:.300}");
    }
    // A gigabyte of zeros, a stream that does not end, one that is cut, and noise.
    let zeros = packed(&vec![0; 1 << 30]);
    let cut = &packed(&nested(1_000))[..40];
    let noise: Vec<u8> = (0..500_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for bomb in [&zeros[..], cut, &[&[0xef, 0xf0, 0, 0][..], &noise].concat()] {
        let answer = activation(&devnet, bomb, PATIENCE).await;
        assert!(answer["error"].is_object(), "{answer:.300}");
    }
    // In earnest: what is deployed is not activated, and costs its sender all gas.
    let alice = client(&devnet, 0);
    let created = TransactionRequest::new().data(creation(&packed(&locals(65_536))));
    let bomb = send(&alice, created).await.contract_address.unwrap();
    let data = [
        id("activateProgram(address)").to_vec(),
        abi::encode(&[Token::Address(bomb)]),
    ]
    .concat();
    let attempt = TransactionRequest::new().to(Address::from_low_u64_be(0x71));
    let receipt = send(
        &alice,
        attempt.data(data).value(U256::exp10(15)).gas(20_000_000),
    )
    .await;
    assert_eq!(
        (receipt.status, receipt.gas_used),
        (Some(0.into()), Some(20_000_000.into()))
    );
    goes_on(&devnet).await;
}

async fn deployed(devnet: &Handle, wat: &str) -> Address {
    let alice = client(devnet, 0);
    let created = TransactionRequest::new().data(creation(&program(wat)));
    let program = send(&alice, created).await.contract_address.unwrap();
    activate(&alice, program).await;
    program
}
async fn evm(devnet: &Handle, code: &str) -> Address {
    let at = Address::random();
    rpc(devnet, "anvil_setCode", json!([at, code])).await;
    at
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_loops_end_when_gas_does() {
    let devnet = devnet().await;
    let alice = client(&devnet, 0);
    let spin = deployed(&devnet, r#"(module (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param i32) (result i32) (loop $l (br $l)) (i32.const 0)))"#).await;
    // Asks the host the cheapest thing there is, for ever.
    let ask = deployed(
        &devnet,
        r#"(module
        (import "vm_hooks" "msg_reentrant" (func $ask (result i32)))
        (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param i32) (result i32)
            (loop $l (drop (call $ask)) (br $l)) (i32.const 0)))"#,
    )
    .await;
    let jump = evm(&devnet, "0x5b600056").await;
    for endless in [spin, ask, jump] {
        let started = Instant::now();
        let receipt = send(
            &alice,
            TransactionRequest::new().to(endless).gas(1_u64 << 40),
        )
        .await;
        // The compute limit of a transaction.
        assert_eq!(
            (receipt.status, receipt.gas_used),
            (Some(0.into()), Some(32_000_000.into()))
        );
        let answer = raw(
            &devnet,
            "eth_call",
            json!([{"to": endless, "gas": "0xffffffffffff"}]),
        )
        .await;
        assert_eq!(answer["error"]["message"], "out of gas");
        let answer = raw(&devnet, "eth_estimateGas", json!([{"to": endless}])).await;
        assert_eq!(
            answer["error"]["message"],
            "gas required exceeds allowance (50000000)"
        );
        println!(
            "a transaction, a call and an estimate without an end: {:?}",
            started.elapsed()
        );
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    }
    // A trace of it is refused, not kept in memory.
    for options in [json!({}), json!({"tracer": "stylusTracer"})] {
        let endless = if options == json!({}) { jump } else { ask };
        let asked = raw(
            &devnet,
            "debug_traceCall",
            json!([{"to": endless}, "latest", options]),
        );
        let started = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, asked).await.unwrap();
        println!("a trace without an end: {:?}", started.elapsed());
        assert_eq!(
            answer["error"]["message"],
            "the trace is too long to be shown"
        );
    }
    let options = json!({"limit": 3, "enableMemory": true});
    let trace = rpc(
        &devnet,
        "debug_traceCall",
        json!([{"to": jump}, "latest", options]),
    )
    .await;
    assert_eq!(trace["structLogs"].as_array().unwrap().len(), 3);
    let started = Instant::now();
    // Twenty at once, and somebody who waits for his turn.
    let calls = (0..20).map(|_| raw(&devnet, "eth_call", json!([{"to": spin}])));
    let (answers, ()) = tokio::join!(futures::future::join_all(calls), goes_on(&devnet));
    println!("twenty calls without an end: {:?}", started.elapsed());
    assert!(
        answers
            .iter()
            .all(|answer| answer["error"]["message"] == "out of gas")
    );

    // Ink so cheap that gas hardly ends.
    let price = [
        id("setInkPrice(uint32)").to_vec(),
        abi::encode(&[Token::Uint(16_777_215.into())]),
    ]
    .concat();
    let owner = TransactionRequest::new()
        .to(Address::from_low_u64_be(0x70))
        .data(price);
    assert_eq!(send(&alice, owner).await.status, Some(1.into()));
    let started = Instant::now();
    let answer = raw(&devnet, "eth_call", json!([{"to": spin}])).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("more than a program may have"),
        "{message}"
    );
    assert!(started.elapsed() < PATIENCE);
    goes_on(&devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recursion_ends_at_the_depth_limit() {
    let devnet = devnet().await;
    let alice = client(&devnet, 0);
    // Calls itself with all gas, whatever comes of it.
    let own = deployed(&devnet, r#"(module
        (import "vm_hooks" "contract_address" (func $own (param i32)))
        (import "vm_hooks" "call_contract" (func $call (param i32 i32 i32 i32 i64 i32) (result i32)))
        (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param i32) (result i32)
            (call $own (i32.const 0))
            (drop (call $call (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 32)
                (i64.const -1) (i32.const 96)))
            (i32.const 0)))"#).await;
    // Calls itself inside until its stack ends.
    let deep = deployed(
        &devnet,
        r#"(module (memory (export "memory") 1 1)
        (func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
        (func (export "user_entrypoint") (param i32) (result i32) (call $deep (i32.const 0))))"#,
    )
    .await;
    // PUSH0 ×5, ADDRESS, GAS, CALL, STOP.
    let evm_own = evm(&devnet, "0x5f5f5f5f5f305af100").await;
    // Each calls the other.
    let there = deployed(&devnet, r#"(module
        (import "vm_hooks" "msg_sender" (func $sender (param i32)))
        (import "vm_hooks" "call_contract" (func $call (param i32 i32 i32 i32 i64 i32) (result i32)))
        (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param i32) (result i32)
            (call $sender (i32.const 0))
            (drop (call $call (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 32)
                (i64.const -1) (i32.const 96)))
            (i32.const 0)))"#).await;
    let and_back = evm(
        &devnet,
        &format!("0x5f5f5f5f5f73{}5af100", hex::encode(there)),
    )
    .await;
    for (recursive, status) in [(own, 1), (evm_own, 1), (and_back, 1), (deep, 0)] {
        let started = Instant::now();
        let receipt = send(
            &alice,
            TransactionRequest::new().to(recursive).gas(32_000_000),
        )
        .await;
        assert_eq!(receipt.status, Some(status.into()), "{recursive:?}");
        assert!(receipt.gas_used.unwrap() <= 32_000_000.into());
        let call = json!([{"to": recursive, "gas": "0x2faf080"}]);
        let answer = raw(&devnet, "eth_call", call).await;
        match status {
            1 => assert_eq!(answer["result"], "0x", "{answer}"),
            _ => assert_eq!(answer["error"]["message"], "max call depth exceeded"),
        }
        println!("a recursive transaction and call: {:?}", started.elapsed());
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    }
    // Several at once.
    let calls = (0..8).map(|_| raw(&devnet, "eth_call", json!([{"to": own}])));
    let answers = futures::future::join_all(calls).await;
    assert!(
        answers.iter().all(|answer| answer["result"] == "0x"),
        "{answers:?}"
    );
    // A trace of frames in frames is told, though JSON nests no deeper than a parser allows.
    for tracer in ["callTracer", "stylusTracer"] {
        let request = json!({"to": evm_own, "gas": "0x2faf080"});
        let body = call(
            1,
            "debug_traceCall",
            json!([request, "latest", {"tracer": tracer}]),
        );
        let (status, answer) = post(&devnet, body.to_string().as_bytes()).await;
        assert!(
            status == 200 && answer.contains("\"result\""),
            "{answer:.200}"
        );
    }
    goes_on(&devnet).await;
}
