//! A Stylus program's way onto the chain and into use, as deployment tools go it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{client, creation, devnet, program, raw, rpc, send};
use ethers::{
    abi::{Token, encode},
    types::{Address, Bytes, TransactionRequest, U256},
    utils::{id, keccak256},
};
use serde_json::json;

const ARB_WASM: &str = "0x0000000000000000000000000000000000000071";
const DEPLOYER: &str = "0xcEcba2F1DC234f70Dd89F2041029807F8D03A990";
/// Returns what it is called with.
const ECHO: &str = r#"(module
    (import "vm_hooks" "read_args" (func $read_args (param i32)))
    (import "vm_hooks" "write_result" (func $write_result (param i32 i32)))
    (memory (export "memory") 1 1)
    (func (export "user_entrypoint") (param $length i32) (result i32)
        (call $read_args (i32.const 0))
        (call $write_result (i32.const 0) (local.get $length))
        (i32.const 0)))"#;

fn call(signature: &str, arguments: &[Token]) -> Bytes {
    [id(signature).to_vec(), encode(arguments)].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_checked_deployed_activated_and_called() {
    let devnet = devnet().await;
    let client = client(&devnet, 0);
    let code = program(ECHO);
    let hash = keccak256(&code);

    let version = call(
        "codehashVersion(bytes32)",
        &[Token::FixedBytes(hash.into())],
    );
    let error = raw(
        &devnet,
        "eth_call",
        json!([{"to": ARB_WASM, "input": version}, "latest"]),
    )
    .await["error"]
        .clone();
    assert_eq!(error["code"], 3, "{error}");
    assert_eq!(
        error["data"],
        json!(Bytes::from(id("ProgramNotActivated()").to_vec()))
    );

    // The cost of activation, of code that is not on chain yet.
    let (who, whom) = (Address::repeat_byte(0x77), Address::repeat_byte(0x88));
    let activate = call("activateProgram(address)", &[Token::Address(whom)]);
    let request =
        json!({"from": who, "to": ARB_WASM, "value": "0xde0b6b3a7640000", "input": activate});
    let overrides = json!({
        (format!("{who:?}")): {"balance": U256::MAX},
        (format!("{whom:?}")): {"code": Bytes::from(code.clone())},
    });
    let result = rpc(&devnet, "eth_call", json!([request, "latest", overrides])).await;
    let words: Bytes = result.as_str().unwrap().parse().unwrap();
    assert_eq!(U256::from_big_endian(&words[..32]), 3.into());
    let fee = U256::from_big_endian(&words[32..]);
    assert!(fee > U256::zero());

    let deploy = call(
        "deploy(bytes,bytes,uint256,bytes32)",
        &[
            Token::Bytes(creation(&code)),
            Token::Bytes(vec![]),
            Token::Uint(0.into()),
            Token::FixedBytes(vec![0; 32]),
        ],
    );
    let deployer: Address = DEPLOYER.parse().unwrap();
    let sent = TransactionRequest::new()
        .to(deployer)
        .data(deploy)
        .value(fee * 12 / 10);
    let receipt = send(&client, sent).await;
    assert_eq!(receipt.status, Some(1.into()));
    let deployed = id("ContractDeployed(address)");
    let log = receipt
        .logs
        .iter()
        .find(|log| log.address == deployer && log.topics[0][..4] == deployed)
        .unwrap();
    let echo = Address::from_slice(&log.data[12..32]);

    let echoed = rpc(
        &devnet,
        "eth_call",
        json!([{"to": echo, "input": "0x68656c6c6f"}]),
    )
    .await;
    assert_eq!(echoed, "0x68656c6c6f");
    let gas = rpc(
        &devnet,
        "eth_estimateGas",
        json!([{"to": echo, "input": "0x68656c6c6f"}]),
    )
    .await;
    let gas: U256 = gas.as_str().unwrap().parse().unwrap();
    let receipt = send(
        &client,
        TransactionRequest::new()
            .to(echo)
            .data(b"hello".to_vec())
            .gas(gas),
    )
    .await;
    assert_eq!(receipt.status, Some(1.into()));

    // A second activation is refused.
    let request = json!({
        "from": devnet.accounts()[0].address, "to": ARB_WASM, "value": "0xde0b6b3a7640000",
        "input": call("activateProgram(address)", &[Token::Address(echo)]),
    });
    let error = raw(&devnet, "eth_call", json!([request, "latest"])).await["error"].clone();
    assert_eq!(
        error["data"],
        json!(Bytes::from(id("ProgramUpToDate()").to_vec())),
        "{error}"
    );
    // cargo-stylus' own tests look for the name in the message.
    let said = "execution reverted: error ProgramUpToDate()";
    assert_eq!(error["message"], said, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_activated_says_why() {
    let devnet = devnet().await;
    let whom = Address::repeat_byte(0x88);
    let code = program(r#"(module (memory (export "memory") 1 1))"#);
    let request = json!({
        "to": ARB_WASM, "value": "0xde0b6b3a7640000",
        "input": call("activateProgram(address)", &[Token::Address(whom)]),
    });
    let overrides = json!({
        (format!("{:?}", Address::zero())): {"balance": U256::MAX},
        (format!("{whom:?}")): {"code": Bytes::from(code)},
    });
    let error =
        raw(&devnet, "eth_call", json!([request, "latest", overrides])).await["error"].clone();
    assert_eq!(error["code"], -32000);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("program activation failed: "),
        "{message}"
    );
}
