//! The chain as an index reads it: headers, and the contract's logs as they are, understood or not. An error is reported
//! apart by what helps: a smaller range, patience, or nothing.

use std::time::Duration;

use alloy_primitives::{Bytes, U64};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use super::events::{self, RawLog, may_be_too_much};
use super::rpc::Fault;
use super::{Error, Ledger};
use pcim_core::{B256, Event};

/// Headers that are asked for at the same time.
const PARALLEL: usize = 8;

/// A block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct BlockHead {
    #[serde(deserialize_with = "number")]
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    pub timestamp: u64,
}

/// A log of the ledger's contract, in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLog {
    /// Number of its block.
    pub block: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// The block's, if the node tells it.
    pub timestamp: Option<u64>,
    /// Its transaction.
    pub tx: B256,
    /// Its place in the block.
    pub log_index: u64,
    /// Topics, the event's signature first.
    pub topics: Vec<B256>,
    /// ABI-encoded fields that are not indexed.
    pub data: Bytes,
}

/// Why the chain was not read, by what helps.
#[derive(Debug)]
pub enum Trouble {
    /// A smaller range may.
    TooMuch(Error),
    /// Time may: the provider is busy, away or limits its callers.
    Later(Error, Option<Duration>),
    /// Nothing does.
    Final(Error),
}

impl Trouble {
    /// Turns the trouble into this crate's error.
    pub fn into_error(self) -> Error {
        match self {
            Self::TooMuch(error) | Self::Later(error, _) | Self::Final(error) => error,
        }
    }
}

impl Ledger {
    /// Reads the header of a block, or of the latest one; `None` if there is no such block.
    pub async fn block_head(
        &self,
        number: Option<u64>,
    ) -> std::result::Result<Option<BlockHead>, Trouble> {
        const METHOD: &str = "eth_getBlockByNumber";
        let block = number.map_or_else(|| json!("latest"), |n| json!(U64::from(n)));
        let head: Option<BlockHead> = match self.rpc.request(METHOD, json!([block, false])).await {
            Ok(head) => head,
            Err(fault) => return Err(self.trouble(METHOD, fault)),
        };
        match (head, number) {
            (Some(head), Some(wanted)) if head.number != wanted => {
                let detail = format!("block {}, wanted block {wanted}", head.number);
                Err(Trouble::Final(self.rpc.nonsense(METHOD, detail)))
            }
            (None, None) => Err(Trouble::Final(self.rpc.nonsense(METHOD, "no latest block"))),
            (head, _) => Ok(head),
        }
    }

    /// Reads the number of the latest final block: no reorganisation takes it back. `None` if the node does not tell.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn finalized(&self) -> super::Result<Option<u64>> {
        const METHOD: &str = "eth_getBlockByNumber";
        let params = json!(["finalized", false]);
        match self.rpc.request::<Option<BlockHead>>(METHOD, params).await {
            Ok(head) => Ok(head.map(|head| head.number)),
            Err(Fault::Node { .. }) => Ok(None),
            Err(fault) => Err(self.rpc.explain(METHOD, fault)),
        }
    }

    /// Reads the headers of some blocks, some at a time, in any order; those that are not there are left out.
    pub async fn block_heads(
        &self,
        numbers: impl IntoIterator<Item = u64>,
    ) -> std::result::Result<Vec<BlockHead>, Trouble> {
        let heads: Vec<Option<BlockHead>> = stream::iter(numbers)
            .map(|number| self.block_head(Some(number)))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        Ok(heads.into_iter().flatten().collect())
    }

    /// Reads all logs of the contract in a range of blocks, in the order of the chain.
    pub async fn contract_logs(
        &self,
        first: u64,
        last: u64,
    ) -> std::result::Result<Vec<ChainLog>, Trouble> {
        const METHOD: &str = "eth_getLogs";
        let query = json!([{
            "address": self.deployment.contract,
            "fromBlock": U64::from(first),
            "toBlock": U64::from(last),
        }]);
        let raw: Vec<RawLog> = match self.rpc.request(METHOD, query).await {
            Ok(raw) => raw,
            Err(fault) => return Err(self.trouble(METHOD, fault)),
        };
        let nonsense = |detail: String| Trouble::Final(self.rpc.nonsense(METHOD, detail));
        let mut logs = Vec::with_capacity(raw.len());
        for log in raw {
            // Nodes may send more than they are asked for, and what was taken back.
            if log.address != self.deployment.contract || log.removed {
                continue;
            }
            let (Some(block), Some(block_hash), Some(tx), Some(log_index)) = (
                log.block_number,
                log.block_hash,
                log.transaction_hash,
                log.log_index,
            ) else {
                return Err(nonsense("a log without its block or place".into()));
            };
            let block = block.to::<u64>();
            if !(first..=last).contains(&block) {
                return Err(nonsense(format!(
                    "a log of block {block}, wanted {first} to {last}"
                )));
            }
            if log.topics.len() > 4 {
                return Err(nonsense(format!(
                    "log {log_index} of block {block} has {} topics",
                    log.topics.len()
                )));
            }
            logs.push(ChainLog {
                block,
                block_hash,
                timestamp: log.block_timestamp.map(|time| time.to()),
                tx,
                log_index: log_index.to(),
                topics: log.topics,
                data: log.data,
            });
        }
        logs.sort_by_key(|log| (log.block, log.log_index));
        Ok(logs)
    }

    /// Returns true if a transaction may come into a block behind `head`: it waits for one, or has one already.
    pub async fn may_come(&self, tx: &B256, head: u64) -> super::Result<bool> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Known {
            block_number: Option<U64>,
        }
        let method = "eth_getTransactionByHash";
        let known: Option<Known> = self.rpc.ask(method, json!([tx])).await?;
        Ok(known.is_some_and(|known| {
            known
                .block_number
                .is_none_or(|block| block.to::<u64>() > head)
        }))
    }

    fn trouble(&self, method: &'static str, fault: Fault) -> Trouble {
        const LIMIT: [i64; 3] = [429, -32029, -32097];
        let limited = match &fault {
            Fault::Busy(after) => Some(*after),
            Fault::Transport(_) => Some(None),
            Fault::Node { code, .. } if LIMIT.contains(code) => Some(None),
            // -32005 is said of too many requests and of too many results alike.
            fault
                if fault.says(&[
                    "rate limit",
                    "rate-limit",
                    "too many requests",
                    "per second",
                ]) =>
            {
                Some(None)
            }
            Fault::Timeout if method != "eth_getLogs" => Some(None),
            _ => None,
        };
        let too_much = method == "eth_getLogs" && may_be_too_much(&fault);
        let error = self.rpc.explain(method, fault);
        match limited {
            Some(after) => Trouble::Later(error, after),
            None if too_much => Trouble::TooMuch(error),
            None => Trouble::Final(error),
        }
    }
}

/// Decodes a log of the contract; `None` if it is no event of the known interface.
///
/// # Errors
/// Why a known event could not be read.
pub fn decode_event(topics: &[B256], data: &[u8]) -> std::result::Result<Option<Event>, String> {
    events::decode(topics, data)
}

fn number<'de, D: serde::Deserializer<'de>>(d: D) -> std::result::Result<u64, D::Error> {
    Ok(U64::deserialize(d)?.to())
}
