//! Chains in geth's format, `chain.rlp`: blocks in RLP, one behind the other. A devnet plays them again.
//!
//! The test's own chain is made by a devnet, and another one must come to the same receipts. One that geth made is played if
//! `STYLUS_DEVNET_GETH_CHAIN` names its folder (`chain.rlp` and `genesis.json`, as ethereum/execution-apis has them under
//! `tests`): the blocks that are under Prague's or Osaka's rules must use the same gas.

use std::{env, fs, path::Path};

use alloy_consensus::{Block, Header, Transaction as _, transaction::SignerRecoverable as _};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, U256};
use alloy_rlp::Decodable as _;
use serde_json::{Value, json};
use stylus_devnet::{ArbOs, Config, Handle};

use super::{
    Envelope, TEN_GWEI,
    common::{
        COUNTER,
        sign::{Type, Unsigned, authorize},
        wire::Wire,
    },
    key, number, with,
};

type Blocks = Vec<Block<Envelope, Header>>;

/// Reads a chain.
fn read(mut rlp: &[u8]) -> Result<Blocks, String> {
    let mut blocks = Blocks::new();
    while !rlp.is_empty() {
        let block = Block::decode(&mut rlp);
        blocks.push(block.map_err(|error| format!("block {} of the file: {error}", blocks.len()))?);
    }
    Ok(blocks)
}

/// A block that was played, as the node states it, and what it was refused.
struct Played {
    block: Value,
    refused: Vec<String>,
}

/// Plays blocks; all times are moved by the same number of seconds, so that they follow the devnet's first block.
fn play(wire: &mut Wire, blocks: &Blocks) -> Vec<Played> {
    let genesis = wire.must("eth_getBlockByNumber", json!(["0x0", false]));
    let first = blocks.first().map_or(0, |block| block.header.timestamp);
    let moved = number(&genesis["timestamp"]) + 1 - first.min(number(&genesis["timestamp"]) + 1);
    wire.must("evm_setAutomine", json!([false]));
    let mut played = Vec::new();
    for block in blocks {
        let header = &block.header;
        let time = header.timestamp + moved;
        wire.must("evm_setNextBlockTimestamp", json!([time]));
        if let Some(fee) = header.base_fee_per_gas {
            let fee = format!("{fee:#x}");
            wire.must("anvil_setNextBlockBaseFeePerGas", json!([fee]));
        }
        let mut refused = Vec::new();
        for tx in &block.body.transactions {
            let raw = Bytes::from(tx.encoded_2718());
            if let Err(error) = wire.ask("eth_sendRawTransaction", json!([raw])) {
                refused.push(format!("type {}: {}", raw[0], error["message"]));
                // What its sender sends later must not wait for it.
                if let Ok(sender) = tx.recover_signer() {
                    let next = format!("{:#x}", tx.nonce() + 1);
                    wire.must("anvil_setNonce", json!([sender, next]));
                }
            }
        }
        wire.must("evm_mine", json!([]));
        let block = wire.must("eth_getBlockByNumber", json!(["latest", false]));
        played.push(Played { block, refused });
    }
    played
}

/// Makes a chain with every type of transaction, contracts and a program, some of which fail, and returns it in geth's format.
async fn own_chain(devnet: &Handle) -> Vec<u8> {
    let mut wire = Wire::connect(&devnet.url()).unwrap();
    let key = key(devnet);
    let own = devnet.accounts()[0].address;
    let mut nonce = 0;
    let mut send = |wire: &mut Wire, tx: Unsigned| {
        let raw = Unsigned { nonce, ..tx }.sign(&key);
        nonce += 1;
        wire.must("eth_sendRawTransaction", json!([raw]))
    };
    let id = devnet.chain_id();
    let pay = |to| Unsigned::pay(id, 0, to, TEN_GWEI);
    let other = Address::repeat_byte(9);
    let call = |to, input: &[u8]| Unsigned {
        gas_limit: 200_000,
        value: U256::ZERO,
        input: input.to_vec().into(),
        ..pay(to)
    };
    for kind in [Type::Legacy, Type::AccessList, Type::Dynamic] {
        send(&mut wire, Unsigned { kind, ..pay(other) });
    }
    let create = Unsigned {
        to: None,
        ..call(other, &alloy_primitives::hex::decode(COUNTER).unwrap())
    };
    send(&mut wire, create);
    let counter = own.create(3);
    send(&mut wire, call(counter, &[]));
    send(&mut wire, call(counter, &[1, 2]));
    let starved = Unsigned {
        gas_limit: 22_000,
        ..call(counter, &[])
    };
    send(&mut wire, starved);
    let authority = super::key_of(devnet, 1);
    let set_code = Unsigned {
        kind: Type::SetCode,
        authorizations: vec![authorize(id, counter, 0, &authority)],
        ..call(devnet.accounts()[1].address, &[])
    };
    send(&mut wire, set_code);
    // A program: deployed, activated and called by the node's own transactions.
    let wasm = wat::parse_str(
        r#"(module
        (import "vm_hooks" "read_args" (func $read (param i32)))
        (import "vm_hooks" "write_result" (func $write (param i32 i32)))
        (memory (export "memory") 1 1)
        (func (export "user_entrypoint") (param $len i32) (result i32)
            (call $read (i32.const 0)) (call $write (i32.const 0) (local.get $len)) (i32.const 0)))"#,
    );
    let program = devnet.deploy_program(&wasm.unwrap()).unwrap();
    let tx = json!([{"from": devnet.accounts()[2].address, "to": program.address(), "data": "0x010203"}]);
    wire.must("eth_sendTransaction", tx);

    let height = number(&wire.must("eth_blockNumber", json!([])));
    let blocks = (1..=height).map(|block| {
        let raw = wire.must("debug_getRawBlock", json!([format!("{block:#x}")]));
        serde_json::from_value::<Bytes>(raw).unwrap()
    });
    blocks.collect::<Vec<_>>().concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_comes_to_the_same_receipts_again() {
    let rlp = own_chain(&super::devnet().await).await;
    let blocks = read(&rlp).unwrap();
    assert!(blocks.len() >= 11, "{}", blocks.len());
    let again = super::devnet().await;
    let mut wire = Wire::connect(&again.url()).unwrap();
    let played = play(&mut wire, &blocks);
    let mut gas = 0;
    for (block, played) in blocks.iter().zip(&played) {
        let header = &block.header;
        assert!(played.refused.is_empty(), "{:?}", played.refused);
        let found = &played.block;
        for (field, wanted) in [
            ("gasUsed", json!(format!("{:#x}", header.gas_used))),
            ("receiptsRoot", json!(header.receipts_root)),
            ("transactionsRoot", json!(header.transactions_root)),
            ("logsBloom", json!(header.logs_bloom)),
        ] {
            assert_eq!(found[field], wanted, "{field} of block {}", header.number);
        }
        gas += header.gas_used;
    }
    assert!(gas > 2_000_000, "an activation is among them: {gas}");

    // A file that was cut is refused with the block that ends it, but between two blocks.
    let ends: Vec<_> = (0..rlp.len())
        .filter(|end| read(&rlp[..*end]).is_ok())
        .collect();
    assert_eq!(ends.len(), blocks.len(), "{ends:?}");
    assert!(read(&rlp[..10]).unwrap_err().contains("block 0"));
}

/// Gives a devnet the accounts of a genesis file.
fn allocate(wire: &mut Wire, genesis: &Value) {
    for (address, account) in genesis["alloc"].as_object().unwrap() {
        let address = match address.starts_with("0x") {
            true => address.clone(),
            false => format!("0x{address}"),
        };
        for (field, method) in [
            ("balance", "anvil_setBalance"),
            ("nonce", "anvil_setNonce"),
            ("code", "anvil_setCode"),
        ] {
            if let Some(value) = account.get(field) {
                wire.must(method, json!([address, value]));
            }
        }
        for (slot, value) in account["storage"].as_object().into_iter().flatten() {
            wire.must("anvil_setStorageAt", json!([address, slot, value]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_geth_uses_the_same_gas() {
    const FOLDER: &str = "STYLUS_DEVNET_GETH_CHAIN";
    let Some(folder) = env::var_os(FOLDER) else {
        println!(
            "no chain of geth is played: {FOLDER} names no folder with chain.rlp and genesis.json"
        );
        return;
    };
    let folder = Path::new(&folder);
    let blocks = read(&fs::read(folder.join("chain.rlp")).unwrap()).unwrap();
    let genesis = fs::read(folder.join("genesis.json")).unwrap();
    let genesis: Value = serde_json::from_slice(&genesis).unwrap();
    let since = |fork: &str| genesis["config"][fork].as_u64().unwrap_or(u64::MAX);
    let (prague, osaka) = (since("pragueTime"), since("osakaTime"));
    let mut wrong = Vec::new();
    for (arbos, times) in [(ArbOs::V40, prague..osaka), (ArbOs::V51, osaka..u64::MAX)] {
        let devnet = with(Config {
            arbos,
            chain_id: genesis["config"]["chainId"].as_u64().unwrap(),
            ..Config::default()
        })
        .await;
        let mut wire = Wire::connect(&devnet.url()).unwrap();
        allocate(&mut wire, &genesis);
        let played = play(&mut wire, &blocks);
        let (mut same, mut left_out) = (0, Vec::new());
        for (block, played) in blocks.iter().zip(played) {
            let header = &block.header;
            if !times.contains(&header.timestamp) || block.body.transactions.is_empty() {
                continue;
            }
            if !played.refused.is_empty() {
                left_out.push(format!(
                    "block {}: {}",
                    header.number,
                    played.refused.join(", ")
                ));
                continue;
            }
            match number(&played.block["gasUsed"]) == header.gas_used {
                true => same += 1,
                false => wrong.push(format!(
                    "ArbOS {arbos}, block {}: {} gas here, {} there",
                    header.number,
                    number(&played.block["gasUsed"]),
                    header.gas_used
                )),
            }
        }
        println!("ArbOS {arbos}: {same} blocks use the same gas; left out: {left_out:#?}");
        assert!(same > 0);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
