//! The `txpool_` methods: what waits, by sender and nonce.

use std::collections::BTreeMap;

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U64};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Serialize;

use super::{node::Node, results::WireTransaction};
use crate::chain::tx::Transaction;

/// Those that the next block can take, and those whose nonce is too far ahead.
#[derive(Clone, Debug, Serialize)]
struct Waiting<T> {
    pending: T,
    queued: T,
}
type Shown = BTreeMap<Address, BTreeMap<String, WireTransaction>>;

impl Node {
    fn waiting<T>(&self, show: impl Fn(Vec<&Transaction>) -> T) -> Waiting<T> {
        let ledger = self.chain.read();
        let newest = ledger.state.version();
        let next = |who| {
            let account = ledger.state.account(who, newest);
            ledger
                .pool
                .next_free(who, account.map_or(0, |account| account.nonce))
        };
        let all = ledger.pool.all();
        let (pending, queued) = all.partition(|tx| tx.nonce() < next(tx.from));
        Waiting {
            pending: show(pending),
            queued: show(queued),
        }
    }
}

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::method(module, "txpool_status", |node, _| {
        Ok(node.waiting(|txs| U64::from(txs.len())))
    })?;
    Node::method(module, "txpool_contentFrom", |node, args| {
        let sender: Address = args.need()?;
        Ok(node.waiting(|txs| {
            let own = txs.into_iter().filter(|tx| tx.from == sender);
            let shown = own.map(|tx| (tx.nonce().to_string(), WireTransaction::new(tx, None)));
            shown.collect::<BTreeMap<_, _>>()
        }))
    })?;
    Node::method(module, "txpool_inspect", |node, _| {
        Ok(node.waiting(|txs| {
            let mut shown = BTreeMap::<Address, BTreeMap<String, String>>::new();
            for tx in txs {
                let envelope = &tx.envelope;
                let to = match envelope.to() {
                    Some(to) => to.to_string(),
                    None => "contract creation".into(),
                };
                let text = format!(
                    "{to}: {} wei + {} gas × {} wei",
                    envelope.value(),
                    envelope.gas_limit(),
                    envelope.max_fee_per_gas()
                );
                let nonces = shown.entry(tx.from).or_default();
                nonces.insert(tx.nonce().to_string(), text);
            }
            shown
        }))
    })?;
    Node::method(module, "txpool_content", |node, _| {
        Ok(node.waiting(|txs| {
            let mut shown = Shown::new();
            for tx in txs {
                let nonces = shown.entry(tx.from).or_default();
                nonces.insert(
                    tx.envelope.nonce().to_string(),
                    WireTransaction::new(tx, None),
                );
            }
            shown
        }))
    })
}
