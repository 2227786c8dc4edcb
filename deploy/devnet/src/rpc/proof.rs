//! `eth_getProof`: Merkle proofs of an account and its slots.
//!
//! Blocks of this chain do not commit to a Merkle tree; the tree is made of the whole state when it is asked for.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount, proof::ProofRetainer};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Serialize;

use super::{error::RpcError, node::Node, types::Args};
use crate::chain;

/// The most slots of one request.
const MAX_SLOTS: usize = 1_024;

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    address: Address,
    account_proof: Vec<Bytes>,
    balance: U256,
    code_hash: B256,
    nonce: U64,
    storage_hash: B256,
    storage_proof: Vec<SlotProof>,
}
#[derive(Clone, Debug, Serialize)]
struct SlotProof {
    key: U256,
    value: U256,
    proof: Vec<Bytes>,
}

/// Adds the method of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::blocking(module, "eth_getProof", prove)
}

fn prove(node: &Node, args: &mut Args<'_>) -> Result<Proof, RpcError> {
    let (address, slots): (Address, Vec<U256>) = (args.need()?, args.need()?);
    if slots.len() > MAX_SLOTS {
        let reason = format!("too many slots: {}, limit {MAX_SLOTS}", slots.len());
        return Err(RpcError::Invalid(reason));
    }
    let (_, version) = node.resolve(args.opt()?)?;
    let (accounts, mut storage) = {
        let ledger = node.chain.read();
        if ledger.state.source().is_some() {
            return Err(chain::Error::NotHere.into());
        }
        (
            ledger.state.accounts(version),
            ledger.state.all_storage(version),
        )
    };
    let own = storage.remove(&address).unwrap_or_default();
    let (storage_hash, storage_proofs) = storage_tree(&own, &slots);
    let mut leaves = BTreeMap::new();
    for (other, account) in &accounts {
        let storage_root = match *other == address {
            true => storage_hash,
            false => match storage.get(other) {
                Some(slots) => storage_tree(slots, &[]).0,
                None => EMPTY_ROOT_HASH,
            },
        };
        let leaf = TrieAccount {
            nonce: account.nonce,
            balance: account.balance,
            storage_root,
            code_hash: account.code_hash,
        };
        leaves.insert(keccak256(other), alloy_rlp::encode(leaf));
    }
    let (_, mut proofs) = tree(&leaves, &[keccak256(address)]);
    let account = accounts.get(&address).copied().unwrap_or_default();
    Ok(Proof {
        address,
        account_proof: proofs.pop().unwrap_or_default(),
        balance: account.balance,
        code_hash: account.code_hash,
        nonce: U64::from(account.nonce),
        storage_hash,
        storage_proof: slots
            .iter()
            .zip(storage_proofs)
            .map(|(key, proof)| SlotProof {
                key: *key,
                value: own.get(key).copied().unwrap_or_default(),
                proof,
            })
            .collect(),
    })
}

/// The root of an account's storage, and a proof for each of `wanted`.
fn storage_tree(slots: &BTreeMap<U256, U256>, wanted: &[U256]) -> (B256, Vec<Vec<Bytes>>) {
    let key = |slot: &U256| keccak256(slot.to_be_bytes::<32>());
    let leaves = slots
        .iter()
        .map(|(slot, value)| (key(slot), alloy_rlp::encode(value)));
    tree(
        &leaves.collect(),
        &wanted.iter().map(key).collect::<Vec<_>>(),
    )
}

/// The root of a tree, and a proof for each of `wanted`.
fn tree(leaves: &BTreeMap<B256, Vec<u8>>, wanted: &[B256]) -> (B256, Vec<Vec<Bytes>>) {
    let targets: Vec<_> = wanted.iter().map(Nibbles::unpack).collect();
    let retainer = ProofRetainer::new(targets.clone());
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, value) in leaves {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes();
    let proof = |target: &Nibbles| {
        let matching = nodes.matching_nodes_sorted(target).into_iter();
        matching.map(|(_, node)| node).collect()
    };
    (root, targets.iter().map(proof).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alloy_trie::proof::verify_proof;

    #[test]
    fn what_is_there_and_what_is_not_can_be_proved() {
        let slots: BTreeMap<U256, U256> = (1..50u64)
            .map(|n| (U256::from(n), U256::from(n * n)))
            .collect();
        let wanted = [U256::from(7), U256::from(99)];
        let (root, proofs) = storage_tree(&slots, &wanted);
        let key = |slot: U256| Nibbles::unpack(keccak256(slot.to_be_bytes::<32>()));
        let there = Some(alloy_rlp::encode(U256::from(49)));
        verify_proof(root, key(wanted[0]), there.clone(), &proofs[0]).unwrap();
        verify_proof(root, key(wanted[1]), None, &proofs[1]).unwrap();
        assert!(verify_proof(root, key(wanted[0]), None, &proofs[0]).is_err());
        assert!(verify_proof(root, key(wanted[1]), there, &proofs[1]).is_err());
        let (empty, proofs) = storage_tree(&BTreeMap::new(), &wanted);
        assert_eq!(empty, EMPTY_ROOT_HASH);
        verify_proof(empty, key(wanted[0]), None, &proofs[0]).unwrap();
    }
}
