//! Watching the contract: every event is handed out once, over lost connections, restarts and reorganisations.
//!
//! The [index](Index) is brought level with the chain at every turn. The rules remember what came before, so they are shown
//! the whole history first, quietly; from then on the last blocks are compared again at every turn. An event is the same one
//! wherever a reorganisation puts its transaction; if it takes one away that was seen, the rules see the history anew. What is done is noted by whoever does it ([`Watching::done`]), after it is
//! done: who is killed in between does it again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Client, Result};
use crate::audit::watch::{Alert, Mine, Rule, Watcher};
use crate::audit::{Entry, Index};
use crate::domain::B256;
use crate::journal::{EventId, WatchStore, Written};

/// How many blocks a reorganisation may take back.
const REREAD_BLOCKS: u64 = 128;

/// An event that nothing was done about yet.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which it is.
    pub id: EventId,
    /// Its block.
    pub block: u64,
    /// What the rules say to it; perhaps nothing.
    pub alerts: Vec<Alert>,
}

/// A watcher at work.
pub struct Watching<'c> {
    client: &'c Client,
    index: Index,
    store: WatchStore,
    rules: Vec<Rule>,
    watcher: Option<Watcher>,
    /// The first block that was not read yet.
    next: u64,
    /// The latest events that the rules have seen, in their order.
    seen: Vec<(EventId, Entry)>,
    /// What is done of the latest blocks.
    done: BTreeSet<EventId>,
}

impl Client {
    /// Begins to watch, where an earlier watcher of this home has stopped. The first one begins with what happens from now
    /// on, or with the contract's first event if that is wanted.
    ///
    /// # Errors
    /// [`super::Error::NotConfigured`], [`super::Error::Journal`] if another process watches in this home.
    pub fn watch(&self, rules: Vec<Rule>, from_start: bool) -> Result<Watching<'_>> {
        let deployment = self.deployment()?;
        let name = format!("{}-{:#x}", deployment.chain_id, deployment.contract);
        let index = self.audit_index()?;
        let store = WatchStore::open(&self.home.watch_path(&name))?;
        if from_start && store.floor()?.is_none() {
            store.advance(0)?;
        }
        let done = store.done()?;
        Ok(Watching {
            client: self,
            index,
            store,
            rules,
            watcher: None,
            next: 0,
            seen: Vec::new(),
            done,
        })
    }

    /// Whose eyes the rules of this home are.
    fn mine(&self) -> Result<Mine> {
        let mut images = BTreeMap::new();
        for known in self.journal.images()? {
            if let Ok(patient) = known.patient.parse() {
                images.entry(known.image).or_insert(patient);
            }
        }
        let address = self.address();
        Ok(Mine { address, images })
    }
}

impl Watching<'_> {
    /// Reads what is new on the chain. What is handed out is to be noted as [done](Self::done), one after the other.
    ///
    /// # Errors
    /// Those of the chain: ask again later, nothing is lost.
    pub async fn look(&mut self) -> Result<Vec<Seen>> {
        let head = self.index.sync(self.client.ledger().await?).await?.block;
        let floor = match self.store.floor()? {
            // A chain that is shorter by more than a reorganisation, or a node that lags, is another one.
            Some(floor) if floor <= head.saturating_add(1 + REREAD_BLOCKS) => floor,
            Some(_) => {
                self.store.forget()?;
                self.store.advance(0)?;
                (self.watcher, self.done) = (None, BTreeSet::new());
                0
            }
            None => {
                self.store.advance(head + 1)?;
                head + 1
            }
        };
        if self.watcher.is_some() && head.saturating_add(1) < self.next {
            // A node behind the one that was asked last.
            return Ok(Vec::new());
        }
        let mut first = self.next.saturating_sub(REREAD_BLOCKS);
        let mut events = self.read(first, head)?;
        let reread: Vec<_> = self
            .seen
            .iter()
            .filter(|(_, event)| event.block >= first)
            .collect();
        let same = reread.iter().zip(&events).all(|(old, new)| **old == *new)
            && reread.len() <= events.len();
        let behind = reread.len();
        if self.watcher.is_none() || !same {
            if first > 0 {
                first = 0;
                events = self.read(first, head)?;
            }
            let watcher = Watcher::new(self.rules.clone(), self.client.mine()?);
            self.watcher = Some(watcher);
            self.seen.clear();
        } else {
            events.drain(..behind);
        }
        let watcher = self
            .watcher
            .as_mut()
            .expect("it was made above if it was not there");
        let mut new = Vec::new();
        for (id, event) in events {
            let alerts = match event.logged() {
                Some(logged) => watcher.see(&logged),
                None => watcher.see_unknown(),
            };
            if event.block >= floor && !self.done.contains(&id) {
                let block = event.block;
                new.push(Seen { id, block, alerts });
            }
            self.seen.push((id, event));
        }
        self.next = head + 1;
        let keep = self.next.saturating_sub(REREAD_BLOCKS);
        self.seen.retain(|(_, event)| event.block >= keep);
        Ok(new)
    }

    /// What the rules say to the life that the contract's program has left, in seconds.
    pub fn program_left(&mut self, left: u64) -> Vec<Alert> {
        self.watcher
            .as_mut()
            .map(|watcher| watcher.program_left(left))
            .unwrap_or_default()
    }

    /// Notes that everything is done about events, and how much of the output is written. When all that was handed out is
    /// done, [`settle`](Self::settle) closes the turn.
    ///
    /// # Errors
    /// [`super::Error::Journal`]
    pub fn done(&mut self, events: &[&Seen], written: Option<Written<'_>>) -> Result<()> {
        let ids: Vec<_> = events.iter().map(|seen| (seen.id, seen.block)).collect();
        self.store.finish(&ids, written)?;
        self.done.extend(ids.into_iter().map(|(id, _)| id));
        Ok(())
    }

    /// Closes a turn: whatever is further back than a reorganisation reaches needs no note any more.
    ///
    /// # Errors
    /// [`super::Error::Journal`]
    pub fn settle(&mut self) -> Result<()> {
        let floor = self.next.saturating_sub(REREAD_BLOCKS);
        if self.store.floor()?.is_some_and(|known| floor > known) {
            self.store.advance(floor)?;
            self.done = self.store.done()?;
        }
        Ok(())
    }

    /// How much of an output file is written.
    ///
    /// # Errors
    /// [`super::Error::Journal`]
    pub fn written(&self, name: &[u8]) -> Result<Option<u64>> {
        Ok(self.store.written(name)?)
    }

    fn read(&self, first: u64, head: u64) -> Result<Vec<(EventId, Entry)>> {
        match first > head {
            true => Ok(Vec::new()),
            false => Ok(numbered(self.index.of_blocks(first, head)?)),
        }
    }
}

/// Events with their numbers in their transactions.
fn numbered(events: Vec<Entry>) -> Vec<(EventId, Entry)> {
    let mut last: Option<(B256, u64)> = None;
    let numbered = events.into_iter().map(|event| {
        let ordinal = match last {
            Some((tx, ordinal)) if tx == event.tx => ordinal + 1,
            _ => 0,
        };
        last = Some((event.tx, ordinal));
        let tx = event.tx;
        (EventId { tx, ordinal }, event)
    });
    numbered.collect()
}
