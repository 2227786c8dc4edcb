//! Arbitrum's additions to Ethereum: messages to a parent chain, and the cost of posting to it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{client, devnet, rpc, send};
use ethers::{
    abi::{self, Token},
    providers::Middleware,
    types::{Address, H256, TransactionReceipt, TransactionRequest, U256},
    utils::{id, keccak256},
};
use serde_json::{Value, json};
use stylus_devnet::{Config, Handle};

fn precompile(byte: u64) -> Address {
    Address::from_low_u64_be(byte)
}
fn calldata(function: &str, arguments: &[Token]) -> Vec<u8> {
    [id(function).to_vec(), abi::encode(arguments)].concat()
}
fn quantity(value: &Value) -> U256 {
    value.as_str().unwrap().parse().unwrap()
}
async fn view(devnet: &Handle, byte: u64, function: &str) -> Vec<u8> {
    let data = format!("0x{}", hex::encode(calldata(function, &[])));
    let answer = rpc(
        devnet,
        "eth_call",
        json!([{"to": precompile(byte), "data": data}]),
    )
    .await;
    hex::decode(answer.as_str().unwrap().trim_start_matches("0x")).unwrap()
}
async fn head(devnet: &Handle) -> Value {
    rpc(devnet, "eth_getBlockByNumber", json!(["latest", false])).await
}
fn pair(left: H256, right: H256) -> H256 {
    keccak256([left.as_bytes(), right.as_bytes()].concat()).into()
}

/// The hash of a message as the receipt's event tells it, checked against its own fields.
fn message(receipt: &TransactionReceipt, destination: Address, data: &[u8]) -> H256 {
    let log = receipt.logs.last().unwrap();
    let name = "L2ToL1Tx(address,address,uint256,uint256,uint256,uint256,uint256,uint256,bytes)";
    assert_eq!(log.topics[0], H256(keccak256(name)));
    assert_eq!(log.topics[1], destination.into());
    let words: Vec<_> = log.data.chunks(32).collect();
    let caller = &words[0][12..];
    assert_eq!(caller, receipt.from.as_bytes());
    let mut packed = [caller, destination.as_bytes()].concat();
    for word in &words[1..5] {
        packed.extend_from_slice(word);
    }
    packed.extend_from_slice(data);
    assert_eq!(log.topics[2], H256(keccak256(packed)));
    log.topics[2]
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_to_the_parent_chain_grow_a_tree_that_headers_commit_to() {
    let devnet = devnet().await;
    let alice = client(&devnet, 0);
    assert_eq!(head(&devnet).await["sendCount"], "0x0");
    let destination = Address::repeat_byte(0xd0);
    let to = Token::Address(destination);
    let mut leaves = Vec::new();
    for n in 0..5_u64 {
        let (data, payload) = match n {
            1 => (
                calldata("withdrawEth(address)", std::slice::from_ref(&to)),
                vec![],
            ),
            _ => {
                let payload = vec![n as u8; 40];
                let arguments = [to.clone(), Token::Bytes(payload.clone())];
                (calldata("sendTxToL1(address,bytes)", &arguments), payload)
            }
        };
        let request = TransactionRequest::new().to(precompile(0x64)).data(data);
        let receipt = send(&alice, request.value(n * 1_000)).await;
        assert_eq!(receipt.status, Some(1.into()));
        let log = receipt.logs.last().unwrap();
        assert_eq!(log.topics[3], H256::from_low_u64_be(n));
        assert_eq!(
            U256::from_big_endian(&log.data[32..64]),
            receipt.block_number.unwrap().as_u64().into()
        );
        assert_eq!(
            U256::from_big_endian(&log.data[128..160]),
            (n * 1_000).into()
        );
        let hash = message(&receipt, destination, &payload);
        leaves.push(H256(keccak256(hash)));

        // A completed pair, and a completed four.
        let nodes: Vec<_> = receipt.logs[..receipt.logs.len() - 1].iter().collect();
        let completed = [0, 1, 0, 2, 0][n as usize];
        assert_eq!(nodes.len(), completed);
        for (level, log) in (1_u64..).zip(nodes) {
            assert_eq!(
                log.topics[0],
                H256(keccak256("SendMerkleUpdate(uint256,bytes32,uint256)"))
            );
            let position = (U256::from(level) << 192) + U256::from(n);
            assert_eq!(U256::from_big_endian(log.topics[3].as_bytes()), position);
        }
        let block = head(&devnet).await;
        assert_eq!(block["sendCount"], format!("{:#x}", n + 1));
        assert_eq!(block["extraData"], block["sendRoot"]);
        assert!(
            block["mixHash"]
                .as_str()
                .unwrap()
                .starts_with(&format!("0x{:016x}", n + 1))
        );
    }
    // The value that was sent has left the chain.
    let left = alice.get_balance(precompile(0x64), None).await.unwrap();
    assert_eq!(left, U256::zero());
    let four = pair(pair(leaves[0], leaves[1]), pair(leaves[2], leaves[3]));
    let fifth = pair(pair(leaves[4], H256::zero()), H256::zero());
    let root = json!(pair(four, fifth));
    assert_eq!(head(&devnet).await["sendRoot"], root);
    // It stays with the blocks that follow, and the tree can be read by nobody's call.
    rpc(&devnet, "evm_mine", json!([])).await;
    assert_eq!(head(&devnet).await["sendRoot"], root);
    let state = view(&devnet, 0x64, "sendMerkleTreeState()").await;
    assert_eq!(U256::from_big_endian(&state[..32]), 5.into());
    assert_eq!(json!(H256::from_slice(&state[32..64])), root);
}

#[tokio::test(flavor = "multi_thread")]
async fn posting_is_paid_for_when_it_has_a_price() {
    let devnet = stylus_devnet::spawn(Config {
        l1_price_per_unit: Some(5_000_000),
        ..Config::default()
    })
    .await
    .unwrap();
    let alice = client(&devnet, 0);
    let pool: Address = "0xA4B00000000000000000000000000000000000f6"
        .parse()
        .unwrap();
    let transfer = TransactionRequest::pay(Address::repeat_byte(1), 1);
    let receipt = send(&alice, transfer.clone()).await;
    let posting = quantity(&receipt.other["gasUsedForL1"]);
    assert_eq!(receipt.gas_used, Some(posting + 21_000));
    // About 110 bytes that do not pack, 16 units each, 5,000,000 wei a unit, 100,000,000 wei a gas.
    let bytes = posting.as_u64() * 100_000_000 / 5_000_000 / 16;
    assert!((90..=140).contains(&bytes), "{bytes}");
    let earned = alice.get_balance(pool, None).await.unwrap();
    assert_eq!(earned, posting * 100_000_000);
    let spent = U256::exp10(21) - alice.get_balance(alice.address(), None).await.unwrap();
    assert_eq!(spent, (posting + 21_000) * 100_000_000 + 1);

    // An estimate is padded, and suffices.
    let request = json!([{"from": alice.address(), "to": Address::repeat_byte(1), "value": "0x1"}]);
    let gas = quantity(&rpc(&devnet, "eth_estimateGas", request.clone()).await);
    assert!(gas > posting + 21_000, "{gas}");
    assert!(gas < (posting + 21_000) * 11 / 10 + 1_000, "{gas}");
    let receipt = send(&alice, transfer.clone().gas(gas)).await;
    assert_eq!(receipt.status, Some(1.into()));
    let little = alice
        .send_transaction(transfer.clone().gas(21_000), None)
        .await;
    assert!(
        little
            .unwrap_err()
            .to_string()
            .contains("intrinsic gas too low")
    );

    let prices = view(&devnet, 0x6c, "getPricesInWei()").await;
    let word = |n: usize| U256::from_big_endian(&prices[32 * n..32 * (n + 1)]);
    assert_eq!(
        (word(0), word(1)),
        ((80_000_000_u64 * 140).into(), 80_000_000.into())
    );
    let estimate = view(&devnet, 0x6c, "getL1BaseFeeEstimate()").await;
    assert_eq!(U256::from_big_endian(&estimate), 5_000_000.into());

    // The owner changes the price.
    for price in [0_u64, 10_000_000] {
        let data = calldata("setL1PricePerUnit(uint256)", &[Token::Uint(price.into())]);
        let request = TransactionRequest::new().to(precompile(0x70)).data(data);
        assert_eq!(send(&alice, request).await.status, Some(1.into()));
        let receipt = send(&alice, transfer.clone()).await;
        let now = quantity(&receipt.other["gasUsedForL1"]).as_u64();
        let wanted = posting.as_u64() * price / 5_000_000;
        assert!(now.abs_diff(wanted) <= wanted / 20, "{now} for {wanted}");
    }
    // A trace repeats what was paid.
    let block = rpc(&devnet, "eth_getBlockByNumber", json!(["latest", true])).await;
    let hash = block["transactions"][0]["hash"].clone();
    let trace = rpc(
        &devnet,
        "debug_traceTransaction",
        json!([hash, {"tracer": "callTracer"}]),
    )
    .await;
    assert_eq!(trace["gasUsed"], block["gasUsed"]);
}
