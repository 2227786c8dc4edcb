//! A second provider: does it tell the same logs?

use serde::Serialize;

use crate::audit::entry::{Entry, What};
use crate::audit::error::{Error, Result};
use crate::audit::index::Index;
use crate::audit::index::last_known;
use crate::audit::ranges::{Ranges, patiently};
use pcim_ledger::{ChainLog, Ledger};

/// The extent of a comparison with a second provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Up to which block.
    pub block: u64,
    /// How many logs both tell.
    pub logs: u64,
}

impl Index {
    /// Reads everything up to the last synced block from a second provider, and compares it log by log.
    ///
    /// # Errors
    /// [`Error::ProvidersDiffer`] for a log that one of them does not tell, [`Error::ForkedProviders`] if they are not on
    /// the same chain or the second one is behind; those of the ledger.
    pub async fn compare(&self, second: &Ledger) -> Result<Compared> {
        let last = last_known(&self.db(), i64::MAX)?;
        let Some(last) = last else {
            return Ok(Compared { block: 0, logs: 0 });
        };
        let there = patiently(async || second.block_head(Some(last.number)).await).await?;
        if there.is_none_or(|head| head.hash != last.hash) {
            return Err(Error::ForkedProviders {
                block: last.number,
                found: last.hash,
                other: there.map(|head| head.hash),
            });
        }
        let mut ranges = Ranges::new();
        let (mut next, mut logs) = (0, 0);
        while next <= last.number {
            let end = ranges.end(next, last.number);
            let Some(theirs) = ranges.read(second, next, end).await? else {
                continue;
            };
            let ours = self.of_blocks(next, end)?;
            if let Some(detail) = difference(&ours, &theirs) {
                return Err(Error::ProvidersDiffer {
                    range: next..=end,
                    found: ours.len(),
                    other: theirs.len(),
                    detail,
                });
            }
            logs += ours.len() as u64;
            next = end + 1;
        }
        Ok(Compared {
            block: last.number,
            logs,
        })
    }
}

/// Where two providers' logs of a range differ first.
fn difference(ours: &[Entry], theirs: &[ChainLog]) -> Option<String> {
    for (n, our) in ours.iter().enumerate() {
        let place = format!("log {} of block {}", our.log_index, our.block);
        let Some(their) = theirs.get(n) else {
            return Some(format!("{place} is missing at the second one"));
        };
        match (their.block, their.log_index).cmp(&(our.block, our.log_index)) {
            std::cmp::Ordering::Less => {
                return Some(format!(
                    "log {} of block {} is missing here",
                    their.log_index, their.block
                ));
            }
            std::cmp::Ordering::Greater => {
                return Some(format!("{place} is missing at the second one"));
            }
            std::cmp::Ordering::Equal => {}
        }
        if (their.block_hash, their.tx) != (our.block_hash, our.tx) {
            return Some(format!("{place} is of another block or transaction"));
        }
        let same = match &our.what {
            What::Event(event) => {
                pcim_ledger::decode_event(&their.topics, &their.data).as_ref()
                    == Ok(&Some(event.clone()))
            }
            What::Unknown { unknown } => {
                unknown.topics == their.topics && their.data.starts_with(&unknown.data)
            }
        };
        if !same {
            return Some(format!("{place} says something else"));
        }
    }
    theirs.get(ours.len()).map(|their| {
        format!(
            "log {} of block {} is missing here",
            their.log_index, their.block
        )
    })
}
