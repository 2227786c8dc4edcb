//! The development methods that move the whole chain: dump, load, reset, undo.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    error::RpcError,
    node::Node,
    types::{Args, Number},
};
use crate::chain::{
    state::{Account, Changes},
    tx::MAX_CODE,
};

/// A dumped state, in the shape of anvil's.
#[derive(Debug, Serialize, Deserialize)]
struct Dump {
    accounts: BTreeMap<Address, DumpedAccount>,
}
#[derive(Debug, Default, Serialize, Deserialize)]
struct DumpedAccount {
    #[serde(default)]
    nonce: Nonce,
    balance: U256,
    #[serde(default)]
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<B256, B256>,
}
/// A nonce, as number or text.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(untagged)]
enum Nonce {
    #[default]
    None,
    Number(u64),
    Text(alloy_primitives::U64),
}

/// The parameter of `anvil_reorg`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reorg {
    Depth(Number),
    #[serde(rename_all = "camelCase")]
    Options {
        depth: Number,
        #[serde(default)]
        tx_block_pairs: Vec<(Bytes, u64)>,
    },
}

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    for name in ["anvil_dumpState", "hardhat_dumpState"] {
        Node::blocking(module, name, |node, _| dump(node))?;
    }
    for name in ["anvil_loadState", "hardhat_loadState"] {
        Node::blocking(module, name, load)?;
    }
    Node::blocking(module, "anvil_reset", reset)?;
    Node::blocking(module, "hardhat_reset", |node, args| {
        reset(node, args).map(|()| true)
    })?;
    Node::blocking(module, "anvil_rollback", |node, args| {
        let depth: Option<Number> = args.opt()?;
        Ok(node.chain.roll_back(depth.map_or(1, |depth| depth.0))?)
    })?;
    Node::blocking(module, "anvil_reorg", |node, args| {
        let (depth, pairs) = match args.need()? {
            Reorg::Depth(depth) => (depth, args.opt()?.unwrap_or_default()),
            Reorg::Options {
                depth,
                tx_block_pairs,
            } => (depth, tx_block_pairs),
        };
        Ok(node.chain.reorganize(depth.0, pairs)?)
    })
}

fn reset(node: &Node, args: &mut Args<'_>) -> Result<(), RpcError> {
    let options: Option<Value> = args.opt()?;
    if options.is_some_and(|options| !options["forking"].is_null()) {
        return Err(RpcError::Refused(
            "this node does not begin to fork while it runs; start it with what to fork".into(),
        ));
    }
    Ok(node.chain.reset()?)
}

fn dump(node: &Node) -> Result<Bytes, RpcError> {
    let Changes {
        accounts,
        mut storage,
        code,
    } = node.chain.dump()?;
    let accounts = accounts.into_iter().map(|(address, account)| {
        let account = account.unwrap_or_default();
        let slots = storage.remove(&address).unwrap_or_default();
        let dumped = DumpedAccount {
            nonce: Nonce::Number(account.nonce),
            balance: account.balance,
            code: code.get(&account.code_hash).cloned().unwrap_or_default(),
            storage: slots
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        };
        (address, dumped)
    });
    let dump = Dump {
        accounts: accounts.collect(),
    };
    let bytes = serde_json::to_vec(&dump).map_err(|_| RpcError::Internal)?;
    Ok(bytes.into())
}

fn load(node: &Node, args: &mut Args<'_>) -> Result<bool, RpcError> {
    let bytes: Bytes = args.need()?;
    let dump: Dump = serde_json::from_slice(&bytes)
        .map_err(|error| RpcError::Invalid(format!("not the JSON of a dumped state: {error}")))?;
    let mut changes = Changes::default();
    for (address, dumped) in dump.accounts {
        if dumped.code.len() > MAX_CODE {
            let reason = format!("{address}: code of {} bytes", dumped.code.len());
            return Err(RpcError::Invalid(reason));
        }
        let account = Account {
            nonce: match dumped.nonce {
                Nonce::None => 0,
                Nonce::Number(nonce) => nonce,
                Nonce::Text(nonce) => nonce.to(),
            },
            balance: dumped.balance,
            code_hash: keccak256(&dumped.code),
        };
        if !dumped.code.is_empty() {
            changes.code.insert(account.code_hash, dumped.code);
        }
        changes.accounts.insert(address, Some(account));
        let slots = dumped.storage.into_iter();
        let slots: Vec<(U256, U256)> = slots
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        if !slots.is_empty() {
            changes.storage.insert(address, slots);
        }
    }
    node.chain.load(changes)?;
    Ok(true)
}
