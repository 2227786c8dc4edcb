//! The prefunded accounts as accounts of the node: it signs for them.

use alloy_consensus::SignableTransaction as _;
use alloy_primitives::{Address, B256, Bytes, U64, U256, eip191_hash_message, keccak256};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde_json::{Value, json};

use super::{
    eip712::TypedData,
    error::RpcError,
    node::Node,
    results::WireTransaction,
    types::{AccessListItem, Args, WireCall},
};
use crate::chain::{self, block::COINBASE};

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::method(module, "eth_accounts", |node, _| Ok(node.chain.signers()))?;
    Node::method(module, "eth_coinbase", |_, _| Ok(COINBASE))?;
    Node::method(module, "eth_sign", |node, args| {
        let (who, message): (Address, Bytes) = (args.need()?, args.need()?);
        sign(node, who, eip191_hash_message(message))
    })?;
    Node::method(module, "personal_sign", |node, args| {
        let (message, who): (Bytes, Address) = (args.need()?, args.need()?);
        sign(node, who, eip191_hash_message(message))
    })?;
    Node::method(module, "eth_signTypedData_v4", |node, args| {
        let (who, data): (Address, Value) = (args.need()?, args.need()?);
        let hash = TypedData::read(data).and_then(|data| data.hash());
        sign(node, who, hash.map_err(RpcError::Invalid)?)
    })?;
    Node::blocking(module, "eth_sendTransaction", |node, args| {
        let request: WireCall = args.need()?;
        node.chain
            .send_unsigned(request.try_into()?)
            .map_err(failing)
    })?;
    Node::blocking(module, "eth_signTransaction", |node, args| {
        let request: WireCall = args.need()?;
        let tx = node
            .chain
            .sign_transaction(request.try_into()?)
            .map_err(failing)?;
        Ok(json!({"raw": tx.raw, "tx": WireTransaction::new(&tx, None)}))
    })?;
    Node::blocking(module, "eth_fillTransaction", fill)
}

fn sign(node: &Node, who: Address, hash: B256) -> Result<Bytes, RpcError> {
    let signature = node.chain.sign_hash(who, hash)?;
    Ok(signature.as_bytes().into())
}

/// A call that fails is reported as such, also when it was to be sent.
fn failing(error: chain::Error) -> RpcError {
    match error {
        chain::Error::Failing(outcome) => RpcError::failure(*outcome),
        error => error.into(),
    }
}

/// A transaction with its open fields filled in, unsigned.
fn fill(node: &Node, args: &mut Args<'_>) -> Result<Value, RpcError> {
    let request: WireCall = args.need()?;
    let filled = node.chain.fill(request.try_into()?).map_err(failing)?;
    let tx = filled.unsigned(node.chain.chain_id);
    let mut raw = Vec::new();
    tx.encode_for_signing(&mut raw);
    let raw = Bytes::from(raw);
    let list = tx.access_list.iter().map(|item| AccessListItem {
        address: item.address,
        storage_keys: item.storage_keys.clone(),
    });
    let list: Vec<_> = list.collect();
    Ok(json!({
        "raw": raw,
        "tx": {
            "type": "0x2",
            "chainId": U64::from(tx.chain_id),
            "nonce": U64::from(tx.nonce),
            "from": filled.call.from,
            "to": tx.to.to(),
            "gas": U64::from(tx.gas_limit),
            "gasPrice": U256::from(tx.max_fee_per_gas),
            "maxFeePerGas": U256::from(tx.max_fee_per_gas),
            "maxPriorityFeePerGas": "0x0",
            "value": tx.value,
            "input": tx.input,
            "accessList": list,
            "hash": keccak256(&raw),
            "blockHash": null,
            "blockNumber": null,
            "transactionIndex": null,
            "r": "0x0",
            "s": "0x0",
            "v": "0x0",
            "yParity": "0x0",
        },
    }))
}
