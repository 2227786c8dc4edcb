//! Methods that only a development node offers, under the names that Ethereum's development nodes gave it, and the small
//! `net_` and `web3_` families.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    error::RpcError,
    node::Node,
    types::{Args, Number},
};
use crate::chain::{BlockId, Mining};

/// The parameter of `evm_mine`: a time, or an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum MineRequest {
    Time(Number),
    Options {
        timestamp: Option<Number>,
        blocks: Option<Number>,
    },
}

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    snapshots(module)?;
    time(module)?;
    blocks(module)?;
    mining(module)?;
    edits(module)?;
    pool(module)?;
    about(module)
}

/// Adds a method under several names.
fn named<R: Serialize + Clone + Send + 'static>(
    module: &mut RpcModule<Node>,
    names: &[&'static str],
    answer: fn(&Node, &mut Args<'_>) -> Result<R, RpcError>,
) -> Result<(), RegisterMethodError> {
    names
        .iter()
        .try_for_each(|name| Node::blocking(module, name, answer))
}

fn snapshots(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    named(module, &["evm_snapshot", "anvil_snapshot"], |node, _| {
        Ok(U64::from(node.chain.snapshot()?))
    })?;
    named(module, &["evm_revert", "anvil_revert"], |node, args| {
        let id: U256 = args.need()?;
        // An id beyond the counter's range was never given out.
        Ok(match u64::try_from(id) {
            Ok(id) => node.chain.revert(id)?,
            Err(_) => false,
        })
    })
}

fn time(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    let names = ["evm_increaseTime", "anvil_increaseTime"];
    named(module, &names, |node, args| {
        let seconds: Number = args.need()?;
        Ok(node.chain.increase_time(seconds.0)?)
    })?;
    let names = ["evm_setNextBlockTimestamp", "anvil_setNextBlockTimestamp"];
    named(module, &names, |node, args| {
        let time: Number = args.need()?;
        Ok(node.chain.set_next_time(time.0)?)
    })?;
    let names = [
        "anvil_setNextBlockBaseFeePerGas",
        "hardhat_setNextBlockBaseFeePerGas",
    ];
    named(module, &names, |node, args| {
        let fee: U256 = args.need()?;
        match u64::try_from(fee) {
            Ok(fee) => Ok(node.chain.set_next_base_fee(fee)?),
            Err(_) => Err(RpcError::Refused("base fee is too high".into())),
        }
    })
}

/// The methods that set the fields of blocks to come.
fn blocks(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    let names = [
        "evm_setBlockGasLimit",
        "anvil_setBlockGasLimit",
        "hardhat_setBlockGasLimit",
    ];
    named(module, &names, |node, args| {
        let limit: Number = args.need()?;
        if limit.0 < LEAST_GAS_LIMIT {
            let reason = format!("gas limit {} is below {LEAST_GAS_LIMIT}", limit.0);
            return Err(RpcError::Invalid(reason));
        }
        node.chain
            .set_blocks(|clock| clock.gas_limit = Some(limit.0))?;
        Ok(true)
    })?;
    Node::blocking(module, "anvil_setCoinbase", set_coinbase)?;
    Node::blocking(module, "hardhat_setCoinbase", |node, args| {
        set_coinbase(node, args).map(|()| true)
    })?;
    let names = ["anvil_setBlockTimestampInterval"];
    named(module, &names, |node, args| {
        let interval: Number = args.need()?;
        Ok(node
            .chain
            .set_blocks(|clock| clock.interval = Some(interval.0))?)
    })?;
    let names = ["anvil_removeBlockTimestampInterval"];
    named(module, &names, |node, _| {
        let mut was = false;
        node.chain
            .set_blocks(|clock| was = clock.interval.take().is_some())?;
        Ok(was)
    })
}

fn set_coinbase(node: &Node, args: &mut Args<'_>) -> Result<(), RpcError> {
    let coinbase: Address = args.need()?;
    Ok(node
        .chain
        .set_blocks(|clock| clock.coinbase = Some(coinbase))?)
}

/// The least gas limit that a block may state: that of a transfer.
const LEAST_GAS_LIMIT: u64 = 21_000;

fn mining(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::blocking(module, "evm_mine", |node, args| {
        let (time, blocks) = match args.opt()? {
            None => (None, None),
            Some(MineRequest::Time(time)) => (Some(time), None),
            Some(MineRequest::Options { timestamp, blocks }) => (timestamp, blocks),
        };
        if let Some(time) = time {
            node.chain.set_next_time(time.0)?;
        }
        node.chain
            .mine_many(blocks.map_or(1, |blocks| blocks.0), 0)?;
        Ok("0x0")
    })?;
    named(module, &["anvil_mine", "hardhat_mine"], |node, args| {
        let (blocks, interval): (Option<Number>, Option<Number>) = (args.opt()?, args.opt()?);
        let blocks = blocks.map_or(1, |blocks| blocks.0);
        Ok(node
            .chain
            .mine_many(blocks, interval.map_or(0, |interval| interval.0))?)
    })?;
    named(
        module,
        &["evm_setAutomine", "anvil_setAutomine"],
        |node, args| {
            let mode = match (args.need::<bool>()?, node.chain.mining()) {
                (true, _) => Mining::Auto,
                (false, Mining::Auto) => Mining::Manual,
                (false, other) => other,
            };
            Ok(node.chain.set_mining(mode)?)
        },
    )?;
    named(
        module,
        &["anvil_getAutomine", "hardhat_getAutomine"],
        |node, _| Ok(node.chain.mining() == Mining::Auto),
    )?;
    // Seconds, as with anvil; 0 stops it.
    let names = ["evm_setIntervalMining", "anvil_setIntervalMining"];
    named(module, &names, |node, args| {
        let seconds: Number = args.need()?;
        let mode = match (seconds.0, node.chain.mining()) {
            (0, Mining::Every(_)) => Mining::Manual,
            (0, other) => other,
            (seconds, _) => Mining::Every(Duration::from_secs(seconds.min(MAX_PERIOD))),
        };
        Ok(node.chain.set_mining(mode)?)
    })?;
    Node::method(module, "anvil_getIntervalMining", |node, _| {
        Ok(match node.chain.mining() {
            Mining::Every(period) => Some(period.as_secs()),
            Mining::Auto | Mining::Manual => None,
        })
    })
}
/// The longest time between blocks, seconds: about a year.
const MAX_PERIOD: u64 = 366 * 24 * 3_600;

fn edits(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    named(
        module,
        &["anvil_setBalance", "hardhat_setBalance"],
        |node, args| {
            let (address, wei): (Address, U256) = (args.need()?, args.need()?);
            Ok(node.chain.set_balance(address, wei)?)
        },
    )?;
    let names = ["anvil_setNonce", "hardhat_setNonce", "evm_setAccountNonce"];
    named(module, &names, |node, args| {
        let (address, nonce): (Address, U64) = (args.need()?, args.need()?);
        Ok(node.chain.set_nonce(address, nonce.to())?)
    })?;
    let names = ["anvil_setCode", "hardhat_setCode", "evm_setAccountCode"];
    named(module, &names, |node, args| {
        let (address, code): (Address, Bytes) = (args.need()?, args.need()?);
        Ok(node.chain.set_code(address, code)?)
    })?;
    let names = [
        "anvil_setStorageAt",
        "hardhat_setStorageAt",
        "evm_setAccountStorageAt",
    ];
    named(module, &names, |node, args| {
        let (address, slot): (Address, U256) = (args.need()?, args.need()?);
        let value: B256 = args.need()?;
        node.chain.set_storage(address, slot, value.into())?;
        Ok(true)
    })?;
    let names = ["anvil_impersonateAccount", "hardhat_impersonateAccount"];
    named(module, &names, |node, args| {
        Ok(node.chain.impersonate(args.need()?, true)?)
    })?;
    let names = [
        "anvil_stopImpersonatingAccount",
        "hardhat_stopImpersonatingAccount",
    ];
    named(module, &names, |node, args| {
        Ok(node.chain.impersonate(args.need()?, false)?)
    })?;
    named(module, &["anvil_autoImpersonateAccount"], |node, args| {
        node.chain.impersonate_everybody(args.need()?);
        Ok(())
    })
}

fn pool(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    named(module, &["anvil_dropTransaction"], |node, args| {
        let hash: B256 = args.need()?;
        Ok(node.chain.drop_transaction(&hash)?.then_some(hash))
    })?;
    // Hardhat's helper takes nothing but a boolean.
    named(module, &["hardhat_dropTransaction"], |node, args| {
        Ok(node.chain.drop_transaction(&args.need()?)?)
    })?;
    named(module, &["anvil_dropAllTransactions"], |node, _| {
        Ok(node.chain.drop_transactions(None)?)
    })?;
    named(module, &["anvil_removePoolTransactions"], |node, args| {
        Ok(node.chain.drop_transactions(Some(args.need()?))?)
    })
}

fn about(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    // Helpers of development tools look for a name that they know in front.
    const VERSION: &str = concat!("anvil/stylus-devnet/v", env!("CARGO_PKG_VERSION"));
    Node::method(module, "anvil_nodeInfo", |node, _| {
        let Some((head, _)) = node.chain.resolve(BlockId::Latest) else {
            return Err(RpcError::Internal);
        };
        let base_fee = U64::from(node.chain.next_base_fee());
        Ok::<Value, _>(json!({
            "currentBlockNumber": U64::from(head.number()),
            "currentBlockTimestamp": head.timestamp(),
            "currentBlockHash": head.hash,
            "hardFork": if head.arbos() < 50 { "prague" } else { "osaka" },
            "transactionOrder": "fifo",
            "environment": {
                "baseFee": base_fee,
                "chainId": node.chain.chain_id,
                "gasLimit": U64::from(head.header.gas_limit),
                "gasPrice": base_fee,
            },
            "forkConfig": {"forkUrl": null, "forkBlockNumber": null, "forkRetryBackoff": null},
        }))
    })?;
    for name in ["anvil_metadata", "hardhat_metadata"] {
        Node::method(module, name, |node, _| {
            let Some((head, _)) = node.chain.resolve(BlockId::Latest) else {
                return Err(RpcError::Internal);
            };
            let genesis = node.chain.resolve(BlockId::Earliest);
            Ok(json!({
                "clientVersion": VERSION,
                "chainId": node.chain.chain_id,
                "instanceId": genesis.map(|(block, _)| block.hash),
                "latestBlockNumber": head.number(),
                "latestBlockHash": head.hash,
            }))
        })?;
    }
    Node::method(module, "net_version", |node, _| {
        Ok(node.chain.chain_id.to_string())
    })?;
    Node::method(module, "net_listening", |_, _| Ok(true))?;
    Node::method(module, "net_peerCount", |_, _| Ok(U64::ZERO))?;
    Node::method(module, "rpc_modules", |_, _| {
        let families = [
            "anvil", "debug", "eth", "evm", "hardhat", "net", "personal", "rpc", "trace", "txpool",
            "web3",
        ];
        Ok(families
            .into_iter()
            .map(|family| (family, "1.0"))
            .collect::<std::collections::BTreeMap<_, _>>())
    })?;
    Node::method(module, "web3_clientVersion", |_, _| Ok(VERSION))?;
    Node::method(module, "web3_sha3", |_, args| {
        let data: Bytes = args.need()?;
        Ok::<B256, _>(keccak256(data))
    })
}
