//! Results as clients expect them: blocks, transactions, receipts, logs.

use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, Log, U64, U256, logs_bloom};
use serde::Serialize;

use super::types::{AccessListItem, AuthorizationItem};
use crate::chain::{
    block::{Block, Mined},
    tx::Transaction,
};

/// A block's header, as `newHeads` tells it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireHeader {
    number: U64,
    hash: B256,
    parent_hash: B256,
    nonce: B64,
    sha3_uncles: B256,
    logs_bloom: Bloom,
    transactions_root: B256,
    state_root: B256,
    receipts_root: B256,
    miner: Address,
    difficulty: U256,
    extra_data: Bytes,
    gas_limit: U64,
    gas_used: U64,
    timestamp: U64,
    base_fee_per_gas: U64,
    mix_hash: B256,
    l1_block_number: U64,
    send_root: B256,
    send_count: U64,
}
impl From<&Block> for WireHeader {
    fn from(block: &Block) -> Self {
        let header = &block.header;
        Self {
            number: U64::from(header.number),
            hash: block.hash,
            parent_hash: header.parent_hash,
            nonce: header.nonce,
            sha3_uncles: header.ommers_hash,
            logs_bloom: header.logs_bloom,
            transactions_root: header.transactions_root,
            state_root: header.state_root,
            receipts_root: header.receipts_root,
            miner: header.beneficiary,
            difficulty: header.difficulty,
            extra_data: header.extra_data.clone(),
            gas_limit: U64::from(header.gas_limit),
            gas_used: U64::from(header.gas_used),
            timestamp: U64::from(header.timestamp),
            base_fee_per_gas: U64::from(block.base_fee()),
            mix_hash: header.mix_hash,
            l1_block_number: U64::from(block.l1_number()),
            send_root: block.sends().root,
            send_count: U64::from(block.sends().count),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireBlock {
    #[serde(flatten)]
    header: WireHeader,
    total_difficulty: U256,
    size: U64,
    uncles: [B256; 0],
    transactions: WireTransactions,
}
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum WireTransactions {
    Hashes(Vec<B256>),
    Full(Vec<WireTransaction>),
}
impl WireBlock {
    /// `full` gives the transactions themselves instead of their hashes.
    pub(crate) fn new(block: &Block, full: bool) -> Self {
        let mined = block.mined.iter();
        let raw: usize = mined.clone().map(|mined| mined.tx.raw.len()).sum();
        Self {
            header: block.into(),
            total_difficulty: U256::from(block.number()) + U256::ONE,
            size: U64::from(alloy_rlp::encode(&block.header).len() + raw),
            uncles: [],
            transactions: match full {
                true => WireTransactions::Full(
                    mined
                        .enumerate()
                        .map(|(index, mined)| WireTransaction::new(&mined.tx, Some((block, index))))
                        .collect(),
                ),
                false => WireTransactions::Hashes(mined.map(|mined| mined.tx.hash()).collect()),
            },
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireTransaction {
    hash: B256,
    nonce: U64,
    block_hash: Option<B256>,
    block_number: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_timestamp: Option<U64>,
    transaction_index: Option<U64>,
    from: Address,
    to: Option<Address>,
    value: U256,
    gas: U64,
    gas_price: U256,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_fee_per_gas: Option<U256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_priority_fee_per_gas: Option<U256>,
    input: Bytes,
    r#type: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_list: Option<Vec<AccessListItem>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_list: Option<Vec<AuthorizationItem>>,
    v: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    y_parity: Option<U64>,
    r: U256,
    s: U256,
}
impl WireTransaction {
    /// `place` is where it was mined; `None` while it is held.
    pub(crate) fn new(tx: &Transaction, place: Option<(&Block, usize)>) -> Self {
        let envelope = &tx.envelope;
        let signature = envelope.signature();
        let parity = u64::from(signature.v());
        let legacy = envelope.is_legacy();
        let v = match envelope.chain_id() {
            Some(chain_id) if legacy => chain_id
                .saturating_mul(2)
                .saturating_add(35)
                .saturating_add(parity),
            None if legacy => 27 + parity,
            _ => parity,
        };
        let block = place.map(|(block, _)| block);
        let price = match block {
            Some(block) => u128::from(block.gas_price_of(tx)),
            None => envelope.max_fee_per_gas(),
        };
        let dynamic = envelope.is_dynamic_fee();
        Self {
            hash: tx.hash(),
            nonce: U64::from(envelope.nonce()),
            block_hash: block.map(|block| block.hash),
            block_number: block.map(|block| U64::from(block.number())),
            block_timestamp: block.map(|block| U64::from(block.timestamp())),
            transaction_index: place.map(|(_, index)| U64::from(index)),
            from: tx.from,
            to: envelope.to(),
            value: envelope.value(),
            gas: U64::from(envelope.gas_limit()),
            gas_price: match dynamic {
                true => U256::from(price),
                false => U256::from(envelope.max_fee_per_gas()),
            },
            max_fee_per_gas: dynamic.then(|| U256::from(envelope.max_fee_per_gas())),
            max_priority_fee_per_gas: envelope.max_priority_fee_per_gas().map(U256::from),
            input: envelope.input().clone(),
            r#type: U64::from(envelope.ty()),
            chain_id: envelope.chain_id().map(U64::from),
            access_list: envelope.access_list().map(|list| {
                list.iter()
                    .map(|item| AccessListItem {
                        address: item.address,
                        storage_keys: item.storage_keys.clone(),
                    })
                    .collect()
            }),
            authorization_list: envelope
                .authorization_list()
                .map(|list| list.iter().map(Into::into).collect()),
            v: U64::from(v),
            y_parity: (!legacy).then(|| U64::from(parity)),
            r: signature.r(),
            s: signature.s(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireReceipt {
    transaction_hash: B256,
    transaction_index: U64,
    block_hash: B256,
    block_number: U64,
    from: Address,
    to: Option<Address>,
    contract_address: Option<Address>,
    cumulative_gas_used: U64,
    gas_used: U64,
    gas_used_for_l1: U64,
    l1_block_number: U64,
    effective_gas_price: U64,
    status: U64,
    r#type: U64,
    logs_bloom: Bloom,
    logs: Vec<WireLog>,
}
impl WireReceipt {
    /// The receipt of the transaction at `index` of a block.
    pub(crate) fn new(block: &Block, index: usize) -> Option<Self> {
        let Mined { tx, receipt } = block.mined.get(index)?;
        let first = block.logs_before(index);
        let logs = receipt.logs.iter().zip(first..);
        Some(Self {
            transaction_hash: tx.hash(),
            transaction_index: U64::from(index),
            block_hash: block.hash,
            block_number: U64::from(block.number()),
            from: tx.from,
            to: tx.envelope.to(),
            contract_address: receipt.contract,
            cumulative_gas_used: U64::from(block.gas_up_to(index)),
            gas_used: U64::from(receipt.gas_used),
            gas_used_for_l1: U64::from(receipt.gas_used_for_l1),
            l1_block_number: U64::from(block.l1_number()),
            effective_gas_price: U64::from(block.gas_price_of(tx)),
            status: U64::from(receipt.success),
            r#type: U64::from(tx.envelope.ty()),
            logs_bloom: logs_bloom(&receipt.logs),
            logs: logs
                .map(|(log, nth)| WireLog::new(block, index, log, nth))
                .collect(),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireLog {
    pub(crate) address: Address,
    pub(crate) topics: Vec<B256>,
    data: Bytes,
    block_number: U64,
    block_hash: B256,
    block_timestamp: U64,
    transaction_hash: B256,
    transaction_index: U64,
    log_index: U64,
    removed: bool,
}
impl WireLog {
    /// A log of the transaction at `index`, the `nth` of its block.
    pub(crate) fn new(block: &Block, index: usize, log: &Log, nth: usize) -> Self {
        let tx = block.mined.get(index).map(|mined| mined.tx.hash());
        Self {
            address: log.address,
            topics: log.topics().to_vec(),
            data: log.data.data.clone(),
            block_number: U64::from(block.number()),
            block_hash: block.hash,
            block_timestamp: U64::from(block.timestamp()),
            transaction_hash: tx.unwrap_or_default(),
            transaction_index: U64::from(index),
            log_index: U64::from(nth),
            removed: false,
        }
    }

    /// The log, of a block that was undone.
    pub(crate) fn removed(self) -> Self {
        Self {
            removed: true,
            ..self
        }
    }

    /// The logs of a block that `wanted` says yes to.
    pub(crate) fn of_block<'a>(
        block: &'a Block,
        wanted: impl Fn(&Log) -> bool + 'a,
    ) -> impl Iterator<Item = Self> + 'a {
        let mined = block.mined.iter().enumerate();
        mined
            .flat_map(|(index, mined)| mined.receipt.logs.iter().map(move |log| (index, log)))
            .zip(0..)
            .filter(move |((_, log), _)| wanted(log))
            .map(|((index, log), nth)| Self::new(block, index, log, nth))
    }
}
