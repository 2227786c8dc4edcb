//! `eth_subscribe` over WebSocket: new heads, logs, accepted transactions.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alloy_primitives::keccak256;
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule,
    core::to_json_raw_value,
    server::{IdProvider, RegisterMethodError},
    types::{Params, SubscriptionId},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    error::RpcError,
    filters::{LogFilter, LogRequest},
    node::Node,
    results::{WireHeader, WireLog, WireTransaction},
    types::Args,
};
use crate::chain::ledger::Ledger;

/// Subscription ids as clients parse them: `0x` and hex digits, not easily guessed.
#[derive(Debug)]
pub(super) struct HexIds {
    next: AtomicU64,
    secret: u64,
}
impl HexIds {
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        Self {
            next: AtomicU64::new(0),
            secret: RandomState::new().hash_one(0),
        }
    }
}
impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let hash = keccak256([n.to_be_bytes(), self.secret.to_be_bytes()].concat());
        // A leading 1 keeps the text a quantity without leading zeros.
        let id = format!("0x1{}", alloy_primitives::hex::encode(&hash[..12]));
        SubscriptionId::Str(id.into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Topic {
    NewHeads,
    Logs,
    NewPendingTransactions,
    Syncing,
}
enum Feed {
    Heads,
    Logs(LogFilter),
    Transactions {
        full: bool,
    },
    /// The node is never behind, so there is no news.
    Syncing,
}
impl Feed {
    fn parse(params: &Params<'_>) -> Result<Self, RpcError> {
        let mut args = Args::new(params);
        Ok(match args.need()? {
            Topic::NewHeads => Self::Heads,
            Topic::Logs => Self::Logs(args.opt::<LogRequest>()?.unwrap_or_default().filter()?),
            Topic::NewPendingTransactions => Self::Transactions {
                full: args.opt()?.unwrap_or(false),
            },
            Topic::Syncing => Self::Syncing,
        })
    }

    /// Returns the additions after `serial`, oldest first.
    fn news(&self, ledger: &Ledger, serial: u64) -> Vec<Box<RawValue>> {
        let blocks = ledger.blocks_after(serial);
        match self {
            Self::Heads => encode(blocks.iter().map(|block| WireHeader::from(&**block))),
            Self::Syncing => Vec::new(),
            Self::Logs(filter) => {
                let undone = ledger.undone_after(serial);
                let undone = undone.flat_map(|block| filter.select(block));
                let added = blocks.iter().flat_map(|block| filter.select(block));
                encode(undone.map(WireLog::removed).chain(added))
            }
            Self::Transactions { full: false } => encode(ledger.accepted_after(serial)),
            Self::Transactions { full: true } => {
                encode(ledger.accepted_after(serial).filter_map(|hash| {
                    if let Some(held) = ledger.pool.get(&hash) {
                        return Some(WireTransaction::new(held, None));
                    }
                    let (block, index) = ledger.find_tx(&hash)?;
                    Some(WireTransaction::new(&block.mined.get(index)?.tx, None))
                }))
            }
        }
    }
}
fn encode<T: Serialize>(items: impl Iterator<Item = T>) -> Vec<Box<RawValue>> {
    items
        .filter_map(|item| to_json_raw_value(&item).ok())
        .collect()
}

/// Adds `eth_subscribe` and `eth_unsubscribe`.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, node, _| run(params, pending, node),
    )?;
    Ok(())
}

async fn run(params: Params<'static>, pending: PendingSubscriptionSink, node: Arc<Node>) {
    let feed = match Feed::parse(&params) {
        Ok(feed) => feed,
        Err(error) => return pending.reject(error).await,
    };
    // News begins once the client has its id.
    let mut events = node.chain.events();
    let mut given = *events.borrow_and_update();
    let Ok(sink) = pending.accept().await else {
        return;
    };
    loop {
        tokio::select! {
            changed = events.changed() => if changed.is_err() { return },
            () = sink.closed() => return,
        }
        let (news, serial) = {
            let ledger = node.chain.read();
            (feed.news(&ledger, given), ledger.serial())
        };
        given = serial;
        for item in news {
            if sink.send(item).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alloy_primitives::U256;

    #[test]
    fn ids_are_numbers_and_all_different() {
        let ids = HexIds::new();
        let one = |id| match id {
            SubscriptionId::Str(text) => text.parse::<U256>().unwrap(),
            SubscriptionId::Num(_) => panic!("not text"),
        };
        assert_ne!(one(ids.next_id()), one(ids.next_id()));
    }
}
