//! The contract's events: which to ask for, and what a log says. Logs of other contracts are not looked at;
//! a log that claims to be ours and cannot be read is an error, never skipped: it must not hide a request.

mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Bytes, U64};
use alloy_sol_types::SolEvent;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::abi::v1::IPcac as v1;
use super::abi::v2::IPcac as sol;
use super::rpc::Fault;
use super::{EventFilter, Ledger, Result};
use pcim_core::{Address, B256, Event, LoggedEvent};

pub(super) use self::read::decode;

/// An event's data: an attestation of 8,192 bytes, a text of 256 and a few words, with room to spare.
const MAX_DATA_BYTES: usize = 12 * 1024;
const MAX_LOGS: usize = 1_000_000;
const PARALLEL_BLOCKS: usize = 8;

/// A log as nodes tell it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawLog {
    pub(super) address: Address,
    pub(super) topics: Vec<B256>,
    pub(super) data: Bytes,
    pub(super) block_number: Option<U64>,
    pub(super) block_hash: Option<B256>,
    /// Only newer nodes give it.
    pub(super) block_timestamp: Option<U64>,
    pub(super) transaction_hash: Option<B256>,
    pub(super) log_index: Option<U64>,
    #[serde(default)]
    pub(super) removed: bool,
}

impl Ledger {
    /// Reads events in the order of the chain. Their blocks' times are known only where the node tells them with its logs.
    ///
    /// Text that is not UTF-8 (the contract does not look at it) has its bad bytes replaced.
    ///
    /// # Errors
    /// Those of the RPC; [`super::Error::Nonsense`] for a log of the contract that cannot be read.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<LoggedEvent>> {
        let latest = self.block_number().await?;
        let last = filter.to_block.unwrap_or(latest).min(latest);
        let mut events = Vec::new();
        for topics in topics(filter) {
            let logs = self.logs(&topics, filter.from_block, last).await?;
            events.extend(self.read_logs("eth_getLogs", logs)?);
        }
        events
            .retain(|e| (filter.from_block..=last).contains(&e.block) && passes(filter, &e.event));
        events.sort_by_key(|e| (e.block, e.log_index));
        events.dedup_by_key(|e| (e.block, e.log_index));
        Ok(events)
    }

    /// Reads events as [`events`](Self::events), with their blocks' times, one request for each block if the node's logs do not tell
    /// them.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub async fn timed_events(&self, filter: &EventFilter) -> Result<Vec<LoggedEvent>> {
        let events = self.events(filter).await?;
        self.with_timestamps(events).await
    }

    /// Asks for logs, in smaller and smaller ranges as long as the node refuses.
    async fn logs(&self, topics: &Value, first: u64, last: u64) -> Result<Vec<RawLog>> {
        const METHOD: &str = "eth_getLogs";
        let mut logs = Vec::new();
        let (mut start, mut span) = (first, u64::MAX);
        while start <= last {
            let end = start.saturating_add(span - 1).min(last);
            let query = json!([{
                "address": self.deployment.contract,
                "fromBlock": U64::from(start),
                "toBlock": U64::from(end),
                "topics": topics,
            }]);
            match self.rpc.request::<Vec<RawLog>>(METHOD, query).await {
                Ok(more) => {
                    logs.extend(more);
                    if logs.len() > MAX_LOGS {
                        let detail = format!("more than {MAX_LOGS} logs");
                        return Err(self.rpc.nonsense(METHOD, detail));
                    }
                    start = match end.checked_add(1) {
                        Some(next) => next,
                        None => break,
                    };
                    span = span.saturating_mul(2);
                }
                Err(fault) if end > start && may_be_too_much(&fault) => {
                    span = (end - start).div_ceil(2);
                }
                Err(fault) => return Err(self.rpc.explain(METHOD, fault)),
            }
        }
        Ok(logs)
    }

    /// Reads the logs that are the contract's own.
    pub(super) fn read_logs(
        &self,
        method: &'static str,
        logs: Vec<RawLog>,
    ) -> Result<Vec<LoggedEvent>> {
        logs.iter()
            .filter_map(|log| read(self.deployment.contract, log).transpose())
            .collect::<std::result::Result<_, _>>()
            .map_err(|detail| self.rpc.nonsense(method, detail))
    }

    /// Fills in the times that the logs did not tell, one request for each block.
    pub(super) async fn with_timestamps(
        &self,
        mut events: Vec<LoggedEvent>,
    ) -> Result<Vec<LoggedEvent>> {
        let blocks: BTreeSet<u64> = events
            .iter()
            .filter(|e| e.timestamp.is_none())
            .map(|e| e.block)
            .collect();
        let times: BTreeMap<u64, u64> = stream::iter(blocks)
            .map(|block| async move {
                let head = self.head(Some(block)).await?;
                Ok::<_, super::Error>((block, head.timestamp.to()))
            })
            .buffer_unordered(PARALLEL_BLOCKS)
            .try_collect()
            .await?;
        for event in &mut events {
            event.timestamp = event.timestamp.or_else(|| times.get(&event.block).copied());
        }
        Ok(events)
    }
}

/// Returns true if a smaller range might be answered. Nodes have many words and codes for it.
pub(super) fn may_be_too_much(fault: &Fault) -> bool {
    const METHOD_NOT_FOUND: i64 = -32601;
    match fault {
        Fault::TooLarge | Fault::Timeout => true,
        Fault::Node { code, .. } => *code != METHOD_NOT_FOUND,
        Fault::Transport(_) | Fault::Busy(_) | Fault::Nonsense(_) => false,
    }
}

/// At which topic an event has which field; 0 if it is not indexed there.
struct Indexed {
    name: &'static str,
    event: B256,
    image: usize,
    patient: usize,
    requestor: usize,
}

const fn indexed(
    name: &'static str,
    event: B256,
    image: usize,
    patient: usize,
    requestor: usize,
) -> Indexed {
    Indexed {
        name,
        event,
        image,
        patient,
        requestor,
    }
}

/// The events of both versions; those that differ between them are there twice.
const INDEXED: [Indexed; 25] = [
    indexed(
        "ContractCreated",
        v1::ContractCreated::SIGNATURE_HASH,
        2,
        1,
        0,
    ),
    indexed("ImageResealed", v1::ImageResealed::SIGNATURE_HASH, 1, 0, 0),
    indexed(
        "ApprovalLimitSet",
        v1::ApprovalLimitSet::SIGNATURE_HASH,
        1,
        0,
        0,
    ),
    indexed(
        "RadiologistAccredited",
        v1::RadiologistAccredited::SIGNATURE_HASH,
        0,
        0,
        0,
    ),
    indexed(
        "ContractCreated",
        sol::ContractCreated::SIGNATURE_HASH,
        2,
        1,
        0,
    ),
    indexed(
        "RequestedForApproval",
        sol::RequestedForApproval::SIGNATURE_HASH,
        3,
        2,
        1,
    ),
    indexed(
        "Requestaccepted",
        sol::Requestaccepted::SIGNATURE_HASH,
        2,
        1,
        0,
    ),
    indexed("Approved", sol::Approved::SIGNATURE_HASH, 2, 0, 1),
    indexed("Requestdenied", sol::Requestdenied::SIGNATURE_HASH, 2, 1, 0),
    indexed("Reason", sol::Reason::SIGNATURE_HASH, 2, 0, 1),
    indexed(
        "AuthorizationSuccess",
        sol::AuthorizationSuccess::SIGNATURE_HASH,
        2,
        3,
        1,
    ),
    indexed(
        "AuthorizationFailed",
        sol::AuthorizationFailed::SIGNATURE_HASH,
        2,
        3,
        1,
    ),
    indexed("UserRemoved", sol::UserRemoved::SIGNATURE_HASH, 3, 2, 1),
    indexed("Reshared", sol::Reshared::SIGNATURE_HASH, 2, 0, 1),
    indexed("ImageResealed", sol::ImageResealed::SIGNATURE_HASH, 1, 0, 0),
    indexed(
        "ApprovalLimitSet",
        sol::ApprovalLimitSet::SIGNATURE_HASH,
        1,
        0,
        0,
    ),
    indexed(
        "RadiologistAccredited",
        sol::RadiologistAccredited::SIGNATURE_HASH,
        0,
        0,
        0,
    ),
    indexed(
        "ConsortiumTransferred",
        sol::ConsortiumTransferred::SIGNATURE_HASH,
        0,
        0,
        0,
    ),
    indexed(
        "ConsortiumOffered",
        sol::ConsortiumOffered::SIGNATURE_HASH,
        0,
        0,
        0,
    ),
    indexed("ImageImported", sol::ImageImported::SIGNATURE_HASH, 2, 1, 0),
    indexed("ImageFlagged", sol::ImageFlagged::SIGNATURE_HASH, 1, 0, 0),
    indexed(
        "EmergencyOpened",
        sol::EmergencyOpened::SIGNATURE_HASH,
        3,
        2,
        1,
    ),
    indexed("Acted", sol::Acted::SIGNATURE_HASH, 0, 1, 0),
    indexed(
        "AccountChanged",
        sol::AccountChanged::SIGNATURE_HASH,
        0,
        1,
        0,
    ),
    indexed("AccountMoved", sol::AccountMoved::SIGNATURE_HASH, 0, 1, 0),
];

/// Returns true if a first topic names an event of the contract's interface.
fn is_known(topic: B256) -> bool {
    INDEXED.iter().any(|row| row.event == topic)
}

/// The topic filters to ask for: one for each set of positions that the wanted values have.
fn topics(filter: &EventFilter) -> Vec<Value> {
    let image = filter.image.map(|image| B256::from(image.0));
    let patient = filter.patient.map(|patient| patient.into_word());
    let requestor = filter.requestor.map(|requestor| requestor.into_word());
    let mut groups: BTreeMap<Vec<Option<B256>>, Vec<B256>> = BTreeMap::new();
    for row in &INDEXED {
        if !filter.events.is_empty() && !filter.events.contains(&row.name) {
            continue;
        }
        let mut wanted = vec![None; 3];
        let fits = [
            (image, row.image),
            (patient, row.patient),
            (requestor, row.requestor),
        ]
        .into_iter()
        .all(|(value, position)| {
            if value.is_some() && position > 0 {
                wanted[position - 1] = value;
            }
            value.is_none() || position > 0
        });
        if fits {
            while wanted.last() == Some(&None) {
                wanted.pop();
            }
            groups.entry(wanted).or_default().push(row.event);
        }
    }
    groups
        .into_iter()
        .map(|(wanted, events)| {
            let mut topics = vec![json!(events)];
            topics.extend(wanted.iter().map(|value| json!(value)));
            Value::Array(topics)
        })
        .collect()
}

/// Returns true if an event carries every value that is wanted (a node may have sent more than was asked for).
fn passes(filter: &EventFilter, event: &Event) -> bool {
    let about = event.about();
    filter
        .image
        .is_none_or(|wanted| about.image == Some(wanted))
        && (filter.patient).is_none_or(|wanted| about.patient == Some(wanted))
        && (filter.requestor).is_none_or(|wanted| about.requestor == Some(wanted))
}

/// Reads a log; `None` if it is another contract's, an unknown event, or not (or no longer) in a block.
pub(super) fn read(
    contract: Address,
    log: &RawLog,
) -> std::result::Result<Option<LoggedEvent>, String> {
    if log.address != contract || log.removed {
        return Ok(None);
    }
    let (Some(block), Some(tx), Some(log_index)) =
        (log.block_number, log.transaction_hash, log.log_index)
    else {
        return Ok(None);
    };
    let event = decode(&log.topics, &log.data)
        .map_err(|detail| format!("log {log_index} of block {block}: {detail}"))?;
    let Some(event) = event else {
        return Ok(None);
    };
    Ok(Some(LoggedEvent {
        block: block.to(),
        timestamp: log.block_timestamp.map(|t| t.to()),
        tx,
        log_index: log_index.to(),
        event,
    }))
}
