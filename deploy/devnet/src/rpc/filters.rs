//! Log queries, and filters that a client polls for what is new.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, Bloom, BloomInput, Log, U256};
use serde::{Deserialize, Serialize};

use super::{error::RpcError, results::WireLog};
use crate::chain::{BlockId, block::Block, ledger::Ledger};

/// The most logs one request returns.
const MAX_LOGS: usize = 10_000;
/// The most addresses, or alternatives for one topic.
const MAX_ALTERNATIVES: usize = 1_000;
/// The most topics a log can have.
const MAX_TOPICS: usize = 4;
/// The most filters at a time.
const MAX_FILTERS: usize = 1_024;
/// A filter nobody polls for this long is dropped.
const IDLE: Duration = Duration::from_secs(300);

/// The object that log requests take.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogRequest {
    from_block: Option<BlockId>,
    to_block: Option<BlockId>,
    block_hash: Option<B256>,
    address: Option<OneOrMany<Address>>,
    topics: Option<Vec<Option<OneOrMany<Option<B256>>>>>,
}
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}
impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Which logs are wanted: any of the addresses, and any of each topic's alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogFilter {
    /// Empty is any.
    addresses: Vec<Address>,
    /// By position; empty is any.
    topics: Vec<Vec<B256>>,
}
impl LogFilter {
    pub(crate) fn matches(&self, log: &Log) -> bool {
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.len() <= log.topics().len()
            && self
                .topics
                .iter()
                .zip(log.topics())
                .all(|(any, topic)| any.is_empty() || any.contains(topic))
    }

    /// The matching logs of one block.
    pub(crate) fn select<'a>(&'a self, block: &'a Block) -> impl Iterator<Item = WireLog> + 'a {
        WireLog::of_block(block, |log| self.matches(log))
    }

    /// Blooms of the alternatives; a block's bloom must contain one of each group.
    fn blooms(&self) -> Vec<Vec<Bloom>> {
        let bloom = |bytes: &[u8]| Bloom::from(BloomInput::Raw(bytes));
        std::iter::once(self.addresses.iter().map(|a| bloom(a.as_slice())).collect())
            .chain(
                self.topics
                    .iter()
                    .map(|any| any.iter().map(|t| bloom(t.as_slice())).collect()),
            )
            .filter(|group: &Vec<_>| !group.is_empty())
            .collect()
    }
}

/// The blocks a log request spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Hash(B256),
    Range(BlockId, BlockId),
}

impl LogRequest {
    pub(crate) fn filter(self) -> Result<LogFilter, RpcError> {
        let too_many = |what| Err(RpcError::Invalid(format!("exceed max {what}")));
        let addresses = self.address.map_or_else(Vec::new, OneOrMany::into_vec);
        if addresses.len() > MAX_ALTERNATIVES {
            return too_many("addresses");
        }
        let topics = self.topics.unwrap_or_default();
        if topics.len() > MAX_TOPICS {
            return too_many("topics");
        }
        let mut filter = LogFilter {
            addresses,
            topics: Vec::new(),
        };
        for any in topics {
            let any = any.map_or_else(Vec::new, OneOrMany::into_vec);
            if any.len() > MAX_ALTERNATIVES {
                return too_many("topics");
            }
            // A null among the alternatives allows anything.
            filter.topics.push(
                any.into_iter()
                    .collect::<Option<Vec<_>>>()
                    .unwrap_or_default(),
            );
        }
        Ok(filter)
    }

    pub(super) fn span(&self) -> Result<Span, RpcError> {
        match (self.block_hash, self.from_block, self.to_block) {
            (Some(hash), None, None) => Ok(Span::Hash(hash)),
            (Some(_), _, _) => Err(RpcError::Argument {
                index: 0,
                reason:
                    "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other"
                        .into(),
            }),
            (None, from, to) => Ok(Span::Range(
                from.unwrap_or(BlockId::Latest),
                to.unwrap_or(BlockId::Latest),
            )),
        }
    }
}

/// The first and last block number of a span, clipped to the blocks there are.
fn bounds(ledger: &Ledger, from: BlockId, to: BlockId) -> Result<(u64, u64), RpcError> {
    let head = ledger.head().map_or(0, |head| head.number());
    let number = |id| match id {
        BlockId::Latest | BlockId::Pending => Ok(head),
        BlockId::Earliest => Ok(0),
        BlockId::Number(number) => Ok(number),
        BlockId::Hash(hash) => ledger
            .block_by_hash(&hash)
            .map(|block| block.number())
            .ok_or_else(unknown_block),
    };
    let (from, to) = (number(from)?, number(to)?);
    if from > to {
        return Err(RpcError::Invalid("invalid block range params".into()));
    }
    Ok((from, to.min(head)))
}
fn unknown_block() -> RpcError {
    RpcError::Refused("unknown block".into())
}

/// All logs that a request asks for.
pub(super) fn get_logs(ledger: &Ledger, request: LogRequest) -> Result<Vec<WireLog>, RpcError> {
    let span = request.span()?;
    let filter = request.filter()?;
    let (from, to) = match span {
        Span::Hash(hash) => {
            let block = ledger.block_by_hash(&hash).ok_or_else(unknown_block)?;
            (block.number(), block.number())
        }
        Span::Range(from, to) => bounds(ledger, from, to)?,
    };
    let blooms = filter.blooms();
    let mut logs = Vec::new();
    for number in from..=to {
        // Forgotten ones have nothing to say.
        let Some(block) = ledger.block(number) else {
            continue;
        };
        let possible = |group: &Vec<Bloom>| {
            group
                .iter()
                .any(|bloom| block.header.logs_bloom.contains(bloom))
        };
        if blooms.iter().all(possible) {
            logs.extend(filter.select(block));
        }
        if logs.len() > MAX_LOGS {
            return Err(RpcError::Refused(format!(
                "query returned more than {MAX_LOGS} results"
            )));
        }
    }
    Ok(logs)
}

#[derive(Clone, Debug)]
pub(super) enum FilterKind {
    Blocks,
    Transactions,
    Logs(LogRequest),
}
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) kind: FilterKind,
    /// The news up to this serial was given.
    given: u64,
    polled: Instant,
}

/// The filters clients have made.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    last: u64,
    pub(super) live: HashMap<U256, Filter>,
}
impl Filters {
    pub(super) fn add(&mut self, kind: FilterKind, given: u64) -> Result<U256, RpcError> {
        self.live.retain(|_, filter| filter.polled.elapsed() < IDLE);
        if self.live.len() >= MAX_FILTERS {
            return Err(RpcError::Refused(format!(
                "cannot keep more than {MAX_FILTERS} filters"
            )));
        }
        self.last += 1;
        let id = U256::from(self.last);
        let polled = Instant::now();
        self.live.insert(
            id,
            Filter {
                kind,
                given,
                polled,
            },
        );
        Ok(id)
    }

    pub(super) fn get(&mut self, id: &U256) -> Result<&mut Filter, RpcError> {
        let filter = self
            .live
            .get_mut(id)
            .ok_or_else(|| RpcError::Refused("filter not found".into()))?;
        filter.polled = Instant::now();
        Ok(filter)
    }

    /// Returns the news for a filter since it was last asked.
    pub(super) fn changes(&mut self, id: &U256, ledger: &Ledger) -> Result<News, RpcError> {
        let filter = self.get(id)?;
        let given = std::mem::replace(&mut filter.given, ledger.serial());
        let blocks = ledger.blocks_after(given);
        Ok(match &filter.kind {
            FilterKind::Blocks => News::Hashes(blocks.iter().map(|block| block.hash).collect()),
            FilterKind::Transactions => News::Hashes(ledger.accepted_after(given).collect()),
            FilterKind::Logs(request) => {
                // New blocks count from where the request begins; an end still to come is open.
                let first = match request.from_block {
                    Some(BlockId::Number(number)) => number,
                    _ => 0,
                };
                let last = match request.to_block {
                    Some(BlockId::Number(number)) => number,
                    _ => u64::MAX,
                };
                let filter = request.clone().filter()?;
                let within = |block: &&Arc<Block>| (first..=last).contains(&block.number());
                let undone = ledger.undone_after(given).filter(within);
                let undone = undone.flat_map(|block| filter.select(block));
                let added = blocks.iter().filter(within);
                News::Logs(
                    undone
                        .map(WireLog::removed)
                        .chain(added.flat_map(|block| filter.select(block)))
                        .collect(),
                )
            }
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum News {
    Hashes(Vec<B256>),
    Logs(Vec<WireLog>),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chain::{
        block::{self, Mined, Receipt},
        tx::{Transaction, tests::transfer},
    };
    use serde_json::json;

    const WHO: Address = Address::repeat_byte(0xaa);
    fn topic(n: u8) -> B256 {
        B256::repeat_byte(n)
    }
    /// Adds a block with one transaction that logs `topics` at `WHO`.
    fn push(ledger: &mut Ledger, topics: Vec<B256>) -> B256 {
        let number = ledger.next_number();
        let mined = vec![Mined {
            tx: Transaction::decode(transfer(7, number, 1), 7).unwrap(),
            receipt: Receipt {
                success: true,
                gas_used: 21_000,
                gas_used_for_l1: 0,
                contract: None,
                logs: vec![Log::new_unchecked(WHO, topics, Default::default())],
            },
        }];
        let parent = ledger.head().map_or(B256::ZERO, |head| head.hash);
        let params = block::block_params(number, 1_000, 1);
        let header = block::header(parent, &params, B256::ZERO, Default::default(), &mined);
        ledger.push(header, mined, &Default::default());
        ledger.head().unwrap().hash
    }
    fn request(value: serde_json::Value) -> LogRequest {
        serde_json::from_value(value).unwrap()
    }
    fn count(ledger: &Ledger, value: serde_json::Value) -> usize {
        get_logs(ledger, request(value)).unwrap().len()
    }

    #[test]
    fn topics_match_by_position_with_alternatives() {
        let mut ledger = Ledger::default();
        push(&mut ledger, vec![topic(1), topic(2)]);
        push(&mut ledger, vec![topic(1), topic(3)]);
        let all = |topics| json!({"fromBlock": "earliest", "topics": topics});
        assert_eq!(count(&ledger, all(json!([]))), 2);
        assert_eq!(count(&ledger, all(json!([topic(1)]))), 2);
        assert_eq!(count(&ledger, all(json!([null, topic(3)]))), 1);
        assert_eq!(count(&ledger, all(json!([null, [topic(2), topic(3)]]))), 2);
        assert_eq!(count(&ledger, all(json!([topic(2)]))), 0);
        assert_eq!(count(&ledger, all(json!([null, null, null]))), 0);
        assert_eq!(count(&ledger, all(json!([[null, topic(9)]]))), 2);
    }

    #[test]
    fn addresses_and_ranges_limit_the_blocks() {
        let mut ledger = Ledger::default();
        let first = push(&mut ledger, vec![topic(1)]);
        push(&mut ledger, vec![topic(1)]);
        assert_eq!(count(&ledger, json!({})), 1);
        assert_eq!(count(&ledger, json!({"blockHash": first})), 1);
        assert_eq!(
            count(&ledger, json!({"fromBlock": "0x0", "toBlock": "0x0"})),
            1
        );
        assert_eq!(
            count(&ledger, json!({"fromBlock": 0, "toBlock": "0x99"})),
            2
        );
        assert_eq!(count(&ledger, json!({"address": WHO})), 1);
        assert_eq!(count(&ledger, json!({"address": [Address::ZERO]})), 0);
        for bad in [
            json!({"fromBlock": "0x2", "toBlock": "0x1"}),
            json!({"blockHash": first, "fromBlock": "0x0"}),
            json!({"blockHash": B256::ZERO}),
            json!({"topics": [null, null, null, null, null]}),
            json!({"address": vec![WHO; MAX_ALTERNATIVES + 1]}),
        ] {
            assert!(
                get_logs(&ledger, request(bad.clone())).is_err(),
                "{bad:.80}"
            );
        }
    }

    #[test]
    fn a_filter_tells_each_thing_once_also_after_a_rewind() {
        let mut ledger = Ledger::default();
        push(&mut ledger, vec![topic(1)]);
        let mut filters = Filters::default();
        let given = ledger.serial();
        let blocks = filters.add(FilterKind::Blocks, given).unwrap();
        let logs = filters
            .add(
                FilterKind::Logs(request(json!({"topics": [topic(2)]}))),
                given,
            )
            .unwrap();
        let mark = ledger.mark();
        let undone = push(&mut ledger, vec![topic(2)]);
        assert_eq!(
            filters.changes(&blocks, &ledger).unwrap(),
            News::Hashes(vec![undone])
        );
        ledger.rewind(mark);
        let kept = push(&mut ledger, vec![topic(2), topic(3)]);
        assert_eq!(
            filters.changes(&blocks, &ledger).unwrap(),
            News::Hashes(vec![kept])
        );
        assert_eq!(
            filters.changes(&blocks, &ledger).unwrap(),
            News::Hashes(vec![])
        );
        let News::Logs(found) = filters.changes(&logs, &ledger).unwrap() else {
            panic!("a log filter gives logs");
        };
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].topics, [topic(2), topic(3)]);
        assert!(filters.changes(&U256::from(99), &ledger).is_err());
    }

    #[test]
    fn filters_are_limited_in_number() {
        let mut filters = Filters::default();
        for _ in 0..MAX_FILTERS {
            filters.add(FilterKind::Blocks, 0).unwrap();
        }
        assert!(filters.add(FilterKind::Blocks, 0).is_err());
    }
}
