//! Executions that leave nothing behind: opcode traces, access lists, simulated blocks.
#![allow(clippy::unwrap_used)]

mod common;

use common::{activate, client, creation, deploy, devnet, program, raw, rpc, send};
use ethers::types::{Address, TransactionRequest};
use serde_json::{Value, json};

fn word(n: u64) -> String {
    format!("0x{n:064x}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_tracer_shows_every_opcode() {
    let devnet = devnet().await;
    let alice = client(&devnet, 0);
    // PUSH1 7, PUSH0, SSTORE, PUSH0, SLOAD, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
    let keeper = Address::repeat_byte(0x11);
    rpc(
        &devnet,
        "anvil_setCode",
        json!([keeper, "0x60075f555f545f5260205ff3"]),
    )
    .await;
    // Calls it with all gas, and reverts.
    let caller = Address::repeat_byte(0x22);
    let code = format!("0x5f5f5f5f5f73{}5af15f5ffd", hex::encode(keeper));
    rpc(&devnet, "anvil_setCode", json!([caller, code])).await;
    let receipt = send(&alice, TransactionRequest::new().to(keeper)).await;
    let trace = async |options: Value| {
        rpc(
            &devnet,
            "debug_traceTransaction",
            json!([receipt.transaction_hash, options]),
        )
        .await
    };

    let whole = trace(json!({"enableMemory": true})).await;
    assert_eq!(whole["gas"], json!(receipt.gas_used.unwrap().as_u64()));
    assert_eq!(
        (&whole["failed"], &whole["returnValue"]),
        (&json!(false), &json!(word(7)))
    );
    let steps = whole["structLogs"].as_array().unwrap();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["op"].as_str().unwrap())
        .collect();
    let expected = [
        "PUSH1", "PUSH0", "SSTORE", "PUSH0", "SLOAD", "PUSH0", "MSTORE", "PUSH1", "PUSH0", "RETURN",
    ];
    assert_eq!(names, expected);
    let costs: Vec<_> = steps
        .iter()
        .map(|step| step["gasCost"].as_u64().unwrap())
        .collect();
    assert_eq!(costs, [3, 2, 22_100, 2, 100, 2, 6, 3, 2, 0]);
    for pair in steps.windows(2) {
        let spent = pair[0]["gas"].as_u64().unwrap() - pair[1]["gas"].as_u64().unwrap();
        assert_eq!(pair[0]["gasCost"], spent);
    }
    assert_eq!(
        (&steps[2]["pc"], &steps[2]["depth"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(steps[2]["stack"], json!(["0x7", "0x0"]));
    assert_eq!(steps[2]["storage"], json!({ (word(0)): word(7) }));
    assert_eq!(steps[4]["storage"], json!({ (word(0)): word(7) }));
    assert!(steps[5].get("storage").is_none());
    // As geth: memory without a byte is left out.
    assert!(steps[6].get("memory").is_none());
    assert_eq!(steps[7]["memory"], json!([word(7)]));

    let lean = json!({"disableStack": true, "disableStorage": true, "limit": 3});
    let lean = trace(lean).await;
    let steps = lean["structLogs"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    assert!(steps[2].get("stack").is_none() && steps[2].get("storage").is_none());
    assert!(steps[2].get("memory").is_none());

    let request = json!([{"to": caller, "gas": "0x30000"}, "latest", {"tracer": ""}]);
    let trace = rpc(&devnet, "debug_traceCall", request).await;
    assert_eq!(trace["failed"], true);
    let steps = trace["structLogs"].as_array().unwrap();
    let depths: Vec<_> = steps
        .iter()
        .map(|step| step["depth"].as_u64().unwrap())
        .collect();
    assert_eq!(depths, [[1; 8].as_slice(), &[2; 10], &[1; 3]].concat());
    // A call's cost has in it what the callee gets.
    assert!(steps[7]["gasCost"].as_u64().unwrap() > 100_000);
    let burning = json!([{"data": "0xfe", "gas": "0x10000"}, "latest", {}]);
    let trace = rpc(&devnet, "debug_traceCall", burning).await;
    assert!(trace["structLogs"][0]["error"].is_string(), "{trace}");

    // A program has no opcodes: the call of one is seen, what it does is not.
    let wat = r#"(module (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param i32) (result i32) (i32.const 0)))"#;
    let created = TransactionRequest::new().data(creation(&program(wat)));
    let stylus = send(&alice, created).await.contract_address.unwrap();
    activate(&alice, stylus).await;
    let trace = rpc(&devnet, "debug_traceCall", json!([{"to": stylus}])).await;
    assert_eq!(
        (&trace["failed"], &trace["structLogs"]),
        (&json!(false), &json!([]))
    );
    let code = format!("0x5f5f5f5f5f73{}5af100", hex::encode(stylus));
    rpc(&devnet, "anvil_setCode", json!([caller, code])).await;
    let trace = rpc(&devnet, "debug_traceCall", json!([{"to": caller}])).await;
    assert_eq!(trace["structLogs"].as_array().unwrap().len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_list_names_what_a_call_touches() {
    let devnet = devnet().await;
    let counter = deploy(&client(&devnet, 0)).await;
    let caller = Address::repeat_byte(0x22);
    // Calls the counter, asks for the balance of 0x33…, and for a precompile's.
    let code = format!(
        "0x5f5f5f5f5f73{}5af1{}31600431{}00",
        hex::encode(counter),
        format_args!("73{}", "33".repeat(20)),
        ""
    );
    rpc(&devnet, "anvil_setCode", json!([caller, code])).await;
    let from = client(&devnet, 1);
    let from = ethers::signers::Signer::address(from.signer());
    let request = json!({"from": from, "to": caller});
    let list = rpc(&devnet, "eth_createAccessList", json!([request])).await;
    let expected = [
        json!({"address": Address::repeat_byte(0x33), "storageKeys": []}),
        json!({"address": counter, "storageKeys": [word(0)]}),
    ];
    let mut items = list["accessList"].as_array().unwrap().clone();
    items.sort_by_key(|item| item["storageKeys"].as_array().unwrap().len());
    assert_eq!(items, expected);
    assert!(list.get("error").is_none());
    // With the list, the call uses as much gas as it says.
    let with = json!([{"from": from, "to": caller, "accessList": list["accessList"]}, "latest", {"tracer": "callTracer"}]);
    let trace = rpc(&devnet, "debug_traceCall", with).await;
    assert_eq!(trace["gasUsed"], list["gasUsed"]);
    // The callee's own slots are listed, too, and how a call fails.
    let request = json!({"from": from, "to": counter});
    let list = rpc(&devnet, "eth_createAccessList", json!([request, "latest"])).await;
    assert_eq!(
        list["accessList"],
        json!([{"address": counter, "storageKeys": [word(0)]}])
    );
    let request = json!({"to": counter, "data": "0x01020304"});
    let list = rpc(&devnet, "eth_createAccessList", json!([request])).await;
    assert_eq!(list["error"], "execution reverted");
    let transfer = json!([{"from": from, "to": Address::repeat_byte(9)}]);
    let list = rpc(&devnet, "eth_createAccessList", transfer).await;
    assert_eq!(list, json!({"accessList": [], "gasUsed": "0x5208"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_blocks_stand_on_each_other() {
    let devnet = devnet().await;
    let counter = deploy(&client(&devnet, 0)).await;
    let poor = Address::repeat_byte(0x44);
    let count = json!({"from": poor, "to": counter});
    let read = json!({"from": poor, "to": counter, "input": word(0)});
    let revert = json!({"from": poor, "to": counter, "input": "0x01020304"});
    let pay = json!({"from": poor, "to": Address::repeat_byte(0x55), "value": "0x64"});
    let request = json!({
        "blockStateCalls": [
            {
                "stateOverrides": { (format!("{poor:?}")): {"balance": "0x65"} },
                "calls": [count, count, revert],
            },
            {"blockOverrides": {"number": "0x4", "time": "0x70000000"}, "calls": [read, pay, pay]},
        ],
        "returnFullTransactions": true,
    });
    let before = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
    // The second payment is more than is left: such a call makes the whole request fail.
    let answer = raw(&devnet, "eth_simulateV1", json!([request, "latest"])).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("err: insufficient funds"), "{message}");
    assert_eq!(answer["error"]["code"], -38014);
    let mut request = request;
    request["blockStateCalls"][1]["calls"]
        .as_array_mut()
        .unwrap()
        .pop();
    let blocks = rpc(&devnet, "eth_simulateV1", json!([request, "latest"])).await;
    let blocks = blocks.as_array().unwrap();
    let numbers: Vec<_> = blocks.iter().map(|block| block["number"].clone()).collect();
    assert_eq!(numbers, ["0x2", "0x3", "0x4"]);
    assert_eq!(blocks[0]["parentHash"], before["hash"]);
    assert_eq!(blocks[2]["parentHash"], blocks[1]["hash"]);
    assert_eq!(blocks[2]["timestamp"], "0x70000000");
    assert_eq!(blocks[1]["calls"], json!([]));
    let calls = blocks[0]["calls"].as_array().unwrap();
    assert_eq!(
        (&calls[0]["status"], &calls[1]["status"]),
        (&json!("0x1"), &json!("0x1"))
    );
    assert_eq!(calls[0]["logs"][0]["data"], word(1));
    assert_eq!(calls[1]["logs"][0]["data"], word(2));
    assert_eq!(calls[1]["logs"][0]["logIndex"], "0x1");
    assert_eq!(
        calls[1]["logs"][0]["transactionHash"],
        blocks[0]["transactions"][1]["hash"]
    );
    assert_eq!(blocks[0]["transactions"][1]["from"], json!(poor));
    assert_eq!(calls[2]["status"], "0x0");
    assert_eq!(
        calls[2]["error"],
        json!({"code": 3, "message": "execution reverted", "data": "0x01020304"})
    );
    assert_eq!(blocks[2]["calls"][0]["returnData"], word(2));
    assert_eq!(blocks[2]["calls"][1]["gasUsed"], "0x5208");
    // Nothing of it is left.
    let after = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(after, before);
    assert_eq!(
        rpc(
            &devnet,
            "eth_getStorageAt",
            json!([counter, "0x0", "latest"])
        )
        .await,
        word(0)
    );

    // Validated, a call needs the right nonce and pays.
    let strict =
        |call: Value| json!([{"blockStateCalls": [{"calls": [call]}], "validation": true}]);
    let wrong = json!({"from": poor, "to": counter, "nonce": "0x7", "gasPrice": "0x5f5e100"});
    let answer = raw(&devnet, "eth_simulateV1", strict(wrong)).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("err: nonce too high"),
        "{answer}"
    );
    let broke = json!({"from": poor, "to": counter, "gasPrice": "0x5f5e100"});
    let answer = raw(&devnet, "eth_simulateV1", strict(broke)).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("err: insufficient funds"),
        "{answer}"
    );
    for (bad, code) in [
        (json!({"number": "0x1"}), -38020),
        (json!({"time": "0x1"}), -38021),
    ] {
        let request = json!([{"blockStateCalls": [{"blockOverrides": bad}]}]);
        let answer = raw(&devnet, "eth_simulateV1", request).await;
        assert_eq!(answer["error"]["code"], code, "{bad}");
    }
    for unknown in ["eth_getWork", "eth_mining", "eth_signTypedData"] {
        let answer = raw(&devnet, unknown, json!([])).await;
        assert_eq!(answer["error"]["code"], -32601, "{unknown}");
    }
}
