//! Keeping level with the chain.
//!
//! The file knows the hash of every block that holds logs and of the last block of every range that was read. If the
//! chain's hash of the last one is another, the fork point is the highest known block that is still on the chain: all
//! above it is taken back in one transaction. A range counts only if the known block before it and its own last block
//! are on the chain after its logs were read; then the logs are that chain's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::audit::error::{Error, Result};
use crate::audit::index::Index;
use crate::audit::index::{known, last_known};
use crate::audit::ranges::{Ranges, patiently};
use crate::audit::row::signed;
use crate::audit::store::{self, Known};
use pcim_ledger::{BlockHead, ChainLog, Ledger};

/// How often a chain may change while it is read.
const RESTARTS: u32 = 24;
/// Blocks below the head whose logs' hashes are compared with the headers, and whose bare heads are remembered.
const UNSETTLED: u64 = 128;
/// A provider of several machines may be behind itself: how often, and for how long, a head that went back is not believed.
const DOUBTS: u32 = 3;
const DOUBT: Duration = Duration::from_millis(300);

/// The result of a synchronisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// The last block that was read.
    pub block: u64,
    /// Entries that were added.
    pub added: u64,
    /// Entries that a reorganisation took back.
    pub taken_back: u64,
    /// The highest block that the fork left, if there was one; `None` also if it left nothing.
    pub fork: Option<u64>,
}

/// Why a turn has no result.
enum Turn {
    Done,
    /// The chain changed, or another process wrote: from the beginning.
    Again,
}

impl Index {
    /// Brings the index up to the chain's head. Whatever ends it, what was read stays, and the next call goes on there.
    ///
    /// # Errors
    /// Those of the ledger, once asking again does not help; [`Error::BadLogs`], [`Error::Restless`], [`Error::Sqlite`].
    pub async fn sync(&self, ledger: &Ledger) -> Result<Synced> {
        let found = ledger.deployment().contract;
        if found != self.contract() {
            return Err(Error::OtherLedger {
                wanted: self.contract(),
                found,
            });
        }
        let mut synced = Synced::default();
        let mut ranges = Ranges::new();
        for _ in 0..RESTARTS {
            match self.turn(ledger, &mut ranges, &mut synced).await? {
                Turn::Done => return Ok(synced),
                Turn::Again => {}
            }
        }
        Err(Error::Restless { times: RESTARTS })
    }

    async fn turn(
        &self,
        ledger: &Ledger,
        ranges: &mut Ranges,
        synced: &mut Synced,
    ) -> Result<Turn> {
        let head = self.believed_head(ledger).await?;
        let last = last_known(&self.db(), i64::MAX)?;
        let mut anchor = self.fork_point(ledger, &head).await?;
        if anchor != last {
            let above = anchor.map_or(-1, |known| known.number as i64);
            let taken = self.write(|tx| {
                // Another process may have followed the fork already.
                let same = last_known(tx, i64::MAX)? == last;
                Ok(if same {
                    Some(store::retract(tx, above)?)
                } else {
                    None
                })
            })?;
            let Some(taken) = taken else {
                return Ok(Turn::Again);
            };
            synced.fork = anchor.map(|known| known.number);
            synced.taken_back += taken;
        }
        let mut next = anchor.map_or(0, |known| known.number + 1);
        while next <= head.number {
            let end = ranges.end(next, head.number);
            let tip = match end == head.number {
                true => head,
                false => match patiently(async || ledger.block_head(Some(end)).await).await? {
                    Some(tip) => tip,
                    None => return Ok(Turn::Again),
                },
            };
            let Some(logs) = ranges.read(ledger, next, end).await? else {
                continue;
            };
            let stands = |known: Known| async move {
                let now = patiently(async || ledger.block_head(Some(known.number)).await).await?;
                Ok::<_, Error>(now.is_some_and(|now| now.hash == known.hash))
            };
            let tip = Known::from(tip);
            if let Some(anchor) = anchor
                && !stands(anchor).await?
            {
                return Ok(Turn::Again);
            }
            if !stands(tip).await? {
                return Ok(Turn::Again);
            }
            let Some(blocks) = blocks(ledger, &logs, tip, head.number).await? else {
                return Ok(Turn::Again);
            };
            let added = self.write(|tx| {
                // Another process may have been faster.
                if last_known(tx, i64::MAX)? != anchor {
                    return Ok(false);
                }
                store::add(tx, &logs, &blocks)?;
                tx.execute("UPDATE source SET synced_at = ?1", [now()])?;
                Ok(true)
            })?;
            if !added {
                return Ok(Turn::Again);
            }
            synced.added += logs.len() as u64;
            anchor = Some(tip);
            next = end + 1;
        }
        synced.block = head.number;
        self.write(|tx| {
            tx.execute("UPDATE source SET synced_at = ?1", [now()])?;
            let settled = signed("block", head.number.saturating_sub(UNSETTLED))?;
            tx.execute(
                "DELETE FROM block WHERE bare = 1 AND number < ?1",
                [settled],
            )?;
            Ok(())
        })?;
        Ok(Turn::Done)
    }

    /// The chain's head. One that lies before what was read is asked for again: not every machine of a provider is as
    /// far as the others.
    async fn believed_head(&self, ledger: &Ledger) -> Result<BlockHead> {
        let last = last_known(&self.db(), i64::MAX)?.map_or(0, |known| known.number);
        let mut doubts = 0;
        loop {
            let head = patiently(async || ledger.block_head(None).await).await?;
            match head {
                Some(head) if head.number >= last || doubts == DOUBTS => return Ok(head),
                _ if doubts == DOUBTS => return Err(Error::Damaged("no head".into())),
                _ => {}
            }
            doubts += 1;
            tokio::time::sleep(DOUBT).await;
        }
    }

    /// The highest known block that is on the chain: usually the last, otherwise searched for in steps that double, and
    /// then halved. Blocks below a block of the chain are on the chain too.
    async fn fork_point(&self, ledger: &Ledger, head: &BlockHead) -> Result<Option<Known>> {
        let top = signed("block", head.number)?;
        let at = |back: u64| known(&self.db(), top, back);
        let stands = async |known: Known| -> Result<bool> {
            if known.number == head.number {
                return Ok(known.hash == head.hash);
            }
            let now = patiently(async || ledger.block_head(Some(known.number)).await).await?;
            Ok(now.is_some_and(|now| now.hash == known.hash))
        };
        // All nearer than `gone` are gone.
        let (mut gone, mut back) = (0, 0);
        let mut found = loop {
            let Some(known) = at(back)? else { break None };
            if stands(known).await? {
                break Some((back, known));
            }
            gone = back + 1;
            back = 2 * back + 1;
        };
        // Beyond the last known one there may be nearer ones that stand.
        let mut far = match found {
            Some((back, _)) => back,
            None => back,
        };
        while gone < far {
            let middle = gone + (far - gone) / 2;
            match at(middle)? {
                None => far = middle,
                Some(known) if stands(known).await? => {
                    found = Some((middle, known));
                    far = middle;
                }
                Some(_) => gone = middle + 1,
            }
        }
        Ok(found.map(|(_, known)| known))
    }
}

/// The blocks of some logs and the range's last one, with their times; `None` if the logs are of another chain than the
/// headers.
async fn blocks(
    ledger: &Ledger,
    logs: &[ChainLog],
    tip: Known,
    head: u64,
) -> Result<Option<Vec<(Known, bool)>>> {
    let bad = |log: &ChainLog, detail: String| Error::BadLogs {
        range: log.block..=log.block,
        detail,
    };
    let mut times: BTreeMap<u64, (&ChainLog, Option<u64>)> = BTreeMap::new();
    for (n, log) in logs.iter().enumerate() {
        let before = n.checked_sub(1).map(|before| &logs[before]);
        if before.is_some_and(|b| (b.block, b.log_index) == (log.block, log.log_index)) {
            return Err(bad(log, format!("log {} comes twice", log.log_index)));
        }
        let (first, time) = times.entry(log.block).or_insert((log, log.timestamp));
        if first.block_hash != log.block_hash {
            // Read while the chain changed.
            return Ok(None);
        }
        *time = time.or(log.timestamp);
    }
    let ask: BTreeSet<u64> = times
        .iter()
        .filter(|(number, (_, time))| {
            **number != tip.number && (time.is_none() || number.saturating_add(UNSETTLED) >= head)
        })
        .map(|(number, _)| *number)
        .collect();
    let heads = patiently(async || ledger.block_heads(ask.iter().copied()).await).await?;
    let heads: BTreeMap<u64, Known> = heads
        .into_iter()
        .map(|head| (head.number, Known::from(head)))
        .chain([(tip.number, tip)])
        .collect();
    let mut blocks = Vec::with_capacity(times.len() + 1);
    for (number, (log, time)) in times {
        let known = match (heads.get(&number), time) {
            (Some(head), _) if head.hash != log.block_hash => return Ok(None),
            (Some(head), _) => *head,
            (None, Some(time)) => Known {
                number,
                hash: log.block_hash,
                time,
            },
            // The block went away.
            (None, None) => return Ok(None),
        };
        blocks.push((known, false));
    }
    if blocks
        .last()
        .is_none_or(|(last, _)| last.number != tip.number)
    {
        blocks.push((tip, true));
    }
    Ok(Some(blocks))
}

impl From<BlockHead> for Known {
    fn from(head: BlockHead) -> Self {
        Self {
            number: head.number,
            hash: head.hash,
            time: head.timestamp,
        }
    }
}

/// Unix seconds of this machine's clock.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
