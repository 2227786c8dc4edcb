//! A replay of a chain that is made here: a program at ArbOS 61 is called and one is activated. A spoilt copy is found.

use std::path::Path;

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::Signature;
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::chain::tx::Envelope;
use crate::evm::tests::{
    A, BASE_FEE, COINBASE, Chain, ETHER, activateProgramCall, keeper, program_code,
};
use alloy_sol_types::SolCall as _;

const NUMBER: u64 = 7;
const L1_NUMBER: u64 = 1234;

/// A block of two transactions in the replay's format.
fn fixture() -> Value {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let from = Address::from_private_key(&key);
    let mut chain = Chain::at(61);
    let rich = AccountInfo::from_balance(U256::from(10 * ETHER));
    chain.db.insert_account_info(from, rich);
    let called = chain.program(&keeper());
    let activated = chain.deploy(&program_code(&super::super::wat("(i32.const 0)")));
    let prestate = whole(&chain.db);

    let activation = activateProgramCall { program: activated }.abi_encode();
    let sent = [
        (called, A.to_vec(), U256::ZERO, 300_000),
        (ARB_WASM, activation, U256::from(ETHER), 20_000_000),
    ];
    let (mut transactions, mut expected) = (Vec::new(), Vec::new());
    let mut changed: BTreeMap<Address, Value> = BTreeMap::new();
    for (nonce, (to, input, value, gas_limit)) in sent.into_iter().enumerate() {
        let tx = TxEip1559 {
            chain_id: arbos::LOCAL_CHAIN_ID,
            nonce: nonce as u64,
            gas_limit,
            max_fee_per_gas: 2 * u128::from(BASE_FEE),
            to: TxKind::Call(to),
            value,
            input: input.into(),
            ..TxEip1559::default()
        };
        let signed = key.sign_prehash_recoverable(tx.signature_hash().as_slice());
        let signature = Signature::from(signed.unwrap());
        transactions.push(json!({
            "type": "0x2", "chainId": U256::from(tx.chain_id), "nonce": U256::from(tx.nonce),
            "gas": U256::from(gas_limit), "maxFeePerGas": U256::from(tx.max_fee_per_gas),
            "maxPriorityFeePerGas": "0x0", "to": to, "value": value, "input": tx.input, "from": from,
            "r": signature.r(), "s": signature.s(), "v": U256::from(signature.v()),
        }));
        let envelope = Envelope::from(tx.into_signed(signature));
        let tx = Transaction::restore(envelope.encoded_2718().into(), from).unwrap();
        let outcome = chain.try_run(tx.params(), Mode::Transaction).unwrap();
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        let logs = outcome.logs.iter().map(
            |log| json!({"address": log.address, "topics": log.topics(), "data": log.data.data}),
        );
        expected.push(json!({
            "tx_hash": envelope.tx_hash(), "success": true, "gas_used": outcome.gas_used,
            "logs": logs.collect::<Vec<_>>(),
        }));
        for address in outcome.state.keys() {
            changed.insert(*address, of(&chain.db, *address));
        }
    }
    json!({
        "schema": "arb-revm-replay-v1",
        "chain_id": arbos::LOCAL_CHAIN_ID,
        "block": {
            "number": NUMBER, "l1_block_number": L1_NUMBER, "timestamp": chain.now, "basefee": BASE_FEE,
            "gas_limit": 1_u64 << 50, "beneficiary": COINBASE, "difficulty": "0x1",
        },
        "prestate": prestate,
        "transactions": transactions,
        "expected": expected,
        "expected_state": changed.into_values().collect::<Vec<_>>(),
    })
}

/// All that a state holds.
fn whole(db: &Db) -> Value {
    let accounts = db.cache.accounts.keys().map(|address| of(db, *address));
    let contracts = db
        .cache
        .contracts
        .iter()
        .map(|(hash, code)| json!({"code_hash": hash, "code": code.original_bytes()}));
    json!({"accounts": accounts.collect::<Vec<_>>(), "contracts": contracts.collect::<Vec<_>>()})
}

fn of(db: &Db, address: Address) -> Value {
    let info = account(db, address);
    let storage = db.cache.accounts[&address].storage.iter();
    let storage = storage.map(|(slot, value)| json!({"slot": slot, "value": value}));
    json!({
        "address": address, "balance": info.balance, "nonce": info.nonce, "code_hash": info.code_hash,
        "storage": storage.collect::<Vec<_>>(),
    })
}

/// The differences that a replay of this text finds.
fn replayed(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.json"), text).unwrap();
    let (count, wrong) = replay_all(Path::new(folder.path()));
    assert_eq!(count, 1);
    wrong
}

#[test]
fn a_block_that_is_made_here_comes_out_the_same() {
    let good = fixture();
    let wrong = replayed(&good.to_string());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_spoilt_in_a_replay_is_found() {
    let good = fixture();
    let found = |spoil: fn(&mut Value), reason: &str| {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert_ne!(bad, good, "{reason}");
        let wrong = replayed(&bad.to_string());
        let named = wrong.iter().any(|wrong| wrong.contains(reason));
        assert!(named, "{reason}: {wrong:#?}");
    };
    found(
        |it| {
            it["expected"][1]["gas_used"] =
                json!(it["expected"][1]["gas_used"].as_u64().unwrap() + 1)
        },
        "transaction 1: gas used",
    );
    found(
        |it| it["expected"][0]["success"] = json!(false),
        "transaction 0: Success",
    );
    found(|it| it["expected"][0]["logs"] = json!([]), "1 logs, want 0");
    found(
        |it| it["expected"][0]["logs"][0]["data"] = json!("0x00"),
        "transaction 0: log 0",
    );
    found(
        |it| it["transactions"][0]["value"] = json!("0x1"),
        "is not the hash of its transaction",
    );
    found(
        |it| it["transactions"][0]["type"] = json!("0x63"),
        "unknown transaction type",
    );
    found(|it| it["expected_state"][0]["nonce"] = json!(99), "nonce");
    found(
        |it| it["expected_state"][0]["balance"] = json!("0x1"),
        "want",
    );
    found(
        |it| {
            it["expected"].as_array_mut().unwrap().pop();
        },
        "as many results",
    );
    found(
        |it| it["schema"] = json!("arb-revm-replay-v9"),
        "arb-revm-replay-v9",
    );
    found(|it| it["more"] = json!(1), "unknown field");
    let text = good.to_string();
    assert!(!replayed(&text[..text.len() / 2]).is_empty());
}
