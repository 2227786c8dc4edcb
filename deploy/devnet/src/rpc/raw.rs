//! Blocks, receipts and transactions as Ethereum encodes them (RLP, EIP-2718).

use alloy_consensus::{BlockBody, Header, ReceiptEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Bytes};
use jsonrpsee::{RpcModule, server::RegisterMethodError};

use super::{error::RpcError, node::Node, types::Args};
use crate::chain::{
    BlockId,
    block::{Block, consensus_receipts},
    tx::Envelope,
};

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::method(module, "debug_getRawHeader", |node, args| {
        Ok(Bytes::from(alloy_rlp::encode(&block(node, args)?.header)))
    })?;
    Node::method(module, "debug_getRawBlock", |node, args| {
        let block = block(node, args)?;
        let transactions = block.mined.iter().map(|mined| mined.tx.envelope.clone());
        let whole = alloy_consensus::Block::<Envelope> {
            header: block.header.clone(),
            body: BlockBody {
                transactions: transactions.collect(),
                ommers: Vec::<Header>::new(),
                withdrawals: None,
            },
        };
        Ok(Bytes::from(alloy_rlp::encode(&whole)))
    })?;
    Node::method(module, "debug_getRawReceipts", |node, args| {
        let block = block(node, args)?;
        let receipts = consensus_receipts(&block.mined).into_iter();
        let encode = |receipt: ReceiptEnvelope| Bytes::from(receipt.encoded_2718());
        Ok(receipts.map(encode).collect::<Vec<_>>())
    })?;
    Node::method(module, "debug_getRawTransaction", |node, args| {
        let hash: B256 = args.need()?;
        let ledger = node.chain.read();
        if let Some(held) = ledger.pool.get(&hash) {
            return Ok(held.raw.clone());
        }
        let mined = ledger.find_tx(&hash);
        let mined = mined.and_then(|(block, index)| block.mined.get(index));
        Ok(mined.map_or_else(Bytes::new, |mined| mined.tx.raw.clone()))
    })
}

fn block(node: &Node, args: &mut Args<'_>) -> Result<std::sync::Arc<Block>, RpcError> {
    let at: BlockId = args.need()?;
    let found = node.chain.find(at);
    found.ok_or_else(|| RpcError::Refused("block not found".into()))
}
