//! Reading the index on and on: what came since the last time, or everything again if the history before is another one.

use crate::audit::entry::Entry;
use crate::audit::index::Index;
use crate::error::Result;
use pcim_core::B256;

/// The last block that any chain has here: SQLite's integers are signed.
const LAST: u64 = i64::MAX as u64;

/// Where a reader stands.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The chain was this long.
    head: u64,
    last: Option<Place>,
}

/// An entry's place. Its block's hash stands for everything before it.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    block: u64,
    hash: B256,
    log_index: u64,
}

/// Entries that a reader has not seen, in the order of the chain.
#[derive(Debug)]
pub(crate) enum News {
    /// The entries after those that it has seen.
    More(Vec<Entry>),
    /// All there is: it has seen nothing, or a reorganisation took back what it has seen.
    Anew(Vec<Entry>),
}

impl Tail {
    /// Reads on in an index that was brought level with a chain of `head` blocks, by this process or by another one. From a
    /// chain that is shorter than it was nothing is taken, until it is as long again: most often its node is behind.
    pub(crate) fn read(&mut self, index: &Index, head: u64) -> Result<News> {
        if head < self.head {
            return Ok(News::More(Vec::new()));
        }
        self.head = head;
        if let Some(last) = &self.last {
            let mut entries = index.of_blocks(last.block, LAST)?;
            if let Some(at) = entries.iter().position(|entry| place(entry) == *last) {
                let more = entries.split_off(at + 1);
                self.last = more.last().map(place).or(self.last.take());
                return Ok(News::More(more));
            }
        }
        let all = index.of_blocks(0, LAST)?;
        self.last = all.last().map(place);
        Ok(News::Anew(all))
    }

    /// The last block that was read.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }
}

fn place(entry: &Entry) -> Place {
    Place {
        block: entry.block,
        hash: entry.block_hash,
        log_index: entry.log_index,
    }
}
