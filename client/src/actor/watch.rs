//! Watching the contract: every event is handed out once, over lost connections, restarts and reorganisations.
//!
//! The [index](Index) is brought level with the chain at every turn. The rules remember what came before, so they are shown
//! the whole history first; and again when a reorganisation makes it another one. An event is the same one wherever its
//! transaction is put, if it says the same there. One that was reported and whose transaction does not come back is
//! handed out once more, as taken back. The caller records what is done ([`Watching::done`]), after it is done: one who
//! is killed in between does it again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::keccak256;

use crate::actor::auditor::Auditor;
use crate::audit::entry::Entry;
use crate::audit::index::Index;
use crate::audit::tail::{News, Tail};
use crate::audit::watch::file::Rule;
use crate::audit::watch::rules::{Alert, Mine, Watcher};
use crate::error::{Error, Result};
use crate::operation::journal;
use crate::operation::journal::watch::{EventId, Finished, Noted, WatchStore, WrittenOutput};
use crate::session::Session;
use pcim_core::B256;
use pcim_ledger::{Ledger, Live, Trouble};

/// Number of blocks further back than which nothing needs a record any more: no reorganisation is that deep.
const SETTLED_BLOCKS: u64 = 4096;
/// How many blocks are settled at once.
const SETTLE_STEP: u64 = 256;
/// How long an event is in no block, and waits in no pool, before it is said to be taken back, in seconds.
const TAKEN_BACK_AFTER: u64 = 10;

/// An event that something is to be done about.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which it is.
    pub id: EventId,
    /// Its block, or the last one that it had.
    pub block: u64,
    /// The rules' alerts, perhaps none; or those from before it was taken back.
    pub alerts: Vec<Alert>,
    /// True if it was done before, and a reorganisation took it back.
    pub taken_back: bool,
}

/// A watcher at work.
pub struct Watching<'s> {
    session: &'s Session,
    index: Index,
    store: WatchStore,
    rules: Vec<Rule>,
    watcher: Watcher,
    /// True if this is known to be the chain that was watched before.
    recognised: bool,
    tail: Tail,
    /// The events that are not done, in the order of the chain.
    open: Vec<Seen>,
    /// The done events of the latest blocks, and those missing of them.
    done: BTreeMap<EventId, Noted>,
}

impl<'s> Auditor<'s> {
    /// Begins to watch, where an earlier watcher of this home has stopped. The first one begins with what happens from now
    /// on, or with the contract's first event if that is wanted.
    ///
    /// # Errors
    /// [`Error::NotConfigured`], [`Error::Watched`] if another process watches in this home.
    pub fn watch(&self, rules: Vec<Rule>, from_start: bool) -> Result<Watching<'s>> {
        let deployment = self.deployment()?;
        let name = format!("{}-{:#x}", deployment.chain_id, deployment.contract);
        let index = self.audit_index()?;
        let store = WatchStore::open(&self.home.watch_path(&name)).map_err(|e| match e {
            journal::Error::InUse { .. } => Error::Watched {
                home: self.home.dir().into(),
            },
            other => other.into(),
        })?;
        if from_start && store.floor()?.is_none() {
            store.advance(0)?;
        }
        let done = store.done()?;
        Ok(Watching {
            session: self.session,
            index,
            store,
            watcher: Watcher::new(rules.clone(), Mine::default()),
            rules,
            recognised: false,
            tail: Tail::default(),
            open: Vec::new(),
            done,
        })
    }

    /// Begins to wait for news of the contract, for at most `every` at a time: a subscription at `ws_url`, at the
    /// configuration's, or at the RPC's own address, if there is one.
    ///
    /// # Errors
    /// [`Error::NotConfigured`]; [`Error::Ledger`] if that is no address of a WebSocket.
    pub fn live(&self, every: Duration, ws_url: Option<&str>) -> Result<Live> {
        let live = Live::new(&self.deployment()?, every);
        // The configuration's belongs to the configuration's RPC.
        let config = self.home.config();
        let own = config.ws_url.as_deref();
        let own = own.filter(|_| self.overrides.rpc_url.is_none());
        Ok(match ws_url.or(own) {
            Some(url) => live.at(url)?,
            None => live,
        })
    }
}

impl Session {
    /// Gives the address and the images that are this home's own, for its rules.
    fn mine(&self) -> Result<Mine> {
        let mut images = BTreeMap::new();
        for known in self.journal.images()? {
            if let Ok(patient) = known.patient.parse() {
                images.entry(known.image).or_insert(patient);
            }
        }
        let address = self.address();
        let patient = self.patient_address();
        Ok(Mine {
            address,
            patient,
            images,
        })
    }
}

impl Watching<'_> {
    /// Reads what is new on the chain. Each thing handed out is to be recorded as [done](Self::done), one after the
    /// other; what is not comes again at the next look. It may be given up at any time.
    ///
    /// # Errors
    /// Those of the chain: ask again later, nothing is lost.
    pub async fn look(&mut self) -> Result<Vec<Seen>> {
        let ledger = self.session.ledger().await?;
        let synced = self.index.sync(ledger).await?;
        let head = synced.block;
        if !self.recognised || synced.taken_back > 0 {
            self.recognise(ledger, head).await?;
        }
        // Whatever may fail comes first: what is read once is not read again.
        let lost = self.lost(ledger, head).await?;
        let (entries, anew) = match self.tail.read(&self.index, head)? {
            News::More(entries) => (entries, false),
            News::Anew(entries) => (entries, true),
        };
        if anew || !entries.is_empty() {
            self.take_in(entries, anew)?;
        }
        self.open.retain(|seen| !self.done.contains_key(&seen.id));
        let mut seen = self.open.clone();
        for id in lost {
            // It may have come back by now.
            if let Some(noted) = self.done.get(&id).filter(|it| it.missing.is_some()) {
                let told = self.store.told(&id)?;
                seen.push(Seen {
                    id,
                    block: noted.block,
                    alerts: told.map_or(Ok(Vec::new()), |told| serde_json::from_str(&told))?,
                    taken_back: true,
                });
            }
        }
        Ok(seen)
    }

    /// Looks whether this is the chain that was watched before: on another one everything is new. That is one which has
    /// another block in the place where the contract's history began, not one whose provider leaves logs out.
    async fn recognise(&mut self, ledger: &Ledger, head: u64) -> Result<()> {
        if let Some((block, hash)) = self.store.origin()?
            && block <= head
        {
            let found = ledger.block_head(Some(block)).await;
            let found = found.map_err(Trouble::into_error)?;
            if found.is_some_and(|found| found.hash != hash) {
                self.store.forget()?;
                self.store.advance(0)?;
                (self.tail, self.done) = (Tail::default(), BTreeMap::new());
            }
        }
        self.recognised = true;
        Ok(())
    }

    /// Lists the events that are missing and will not come back, as far as is known now.
    async fn lost(&self, ledger: &Ledger, head: u64) -> Result<Vec<EventId>> {
        let mut lost = Vec::new();
        for (id, noted) in &self.done {
            let is_due = |since: u64| now().abs_diff(since) >= TAKEN_BACK_AFTER;
            if noted.missing.is_some_and(is_due)
                && head >= noted.block
                && !(noted.told && ledger.may_come(&id.tx, head).await?)
            {
                lost.push(*id);
            }
        }
        Ok(lost)
    }

    /// Shows the rules what is new, or everything again, and finds what nothing was done about yet.
    fn take_in(&mut self, entries: Vec<Entry>, anew: bool) -> Result<()> {
        let mine = self.session.mine()?;
        match anew {
            true => {
                self.watcher = Watcher::new(self.rules.clone(), mine);
                self.open.clear();
            }
            false => self.watcher.know(mine),
        }
        let begun = self.store.floor()?;
        let floor = begun.unwrap_or(self.tail.head().saturating_sub(SETTLED_BLOCKS));
        let origin = entries.first().map(|entry| (entry.block, entry.block_hash));
        let (mut here, mut moved, mut old) = (BTreeSet::new(), Vec::new(), Vec::new());
        for event in numbered(entries) {
            let (id, entry) = event?;
            let alerts = self.watcher.see(&entry);
            let block = entry.block;
            here.insert(id);
            if let Some(before) = self.done.get(&id) {
                let noted = Noted {
                    block,
                    missing: None,
                    ..*before
                };
                if *before != noted {
                    moved.push((id, noted));
                }
            } else if begun.is_none() && block >= floor {
                old.push(Finished {
                    id,
                    block: Some(block),
                    told: None,
                });
            } else if block >= floor {
                self.open.push(Seen {
                    id,
                    block,
                    alerts,
                    taken_back: false,
                });
            }
        }
        if begun.is_none() {
            // It begins with what happens from now on: whatever is there is done.
            self.store.finish(&old, None)?;
            self.store.advance(floor)?;
            self.done = self.store.done()?;
        }
        if anew
            && let Some((block, hash)) = origin
            && self.store.origin()?.is_none()
        {
            self.store.set_origin(block, hash)?;
        }
        if anew {
            let gone = self.done.iter();
            let gone = gone.filter(|(id, it)| it.missing.is_none() && !here.contains(*id));
            moved.extend(gone.map(|(id, noted)| {
                let missing = Some(now());
                (*id, Noted { missing, ..*noted })
            }));
        }
        self.store.follow(&moved)?;
        self.done.extend(moved);
        Ok(())
    }

    /// Returns the number of the last block that was read.
    pub fn head(&self) -> u64 {
        self.tail.head()
    }

    /// Says whether something is missing that may come back or not: the next look should be soon.
    pub fn is_waiting(&self) -> bool {
        self.done.values().any(|noted| noted.missing.is_some())
    }

    /// Asks the rules about the life that the contract's program has left, in seconds: each alert until it is recorded as
    /// [reported](Self::told_of_program), and again only after the life was extended.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn program_left(&self, left: u64) -> Result<Vec<Alert>> {
        let mut alerts = self.watcher.program_left(left);
        let near = alerts.iter().map(|alert| alert.rule.as_str()).collect();
        let told = self.store.told_of_program(&near)?;
        alerts.retain(|alert| !told.contains(&alert.rule));
        Ok(alerts)
    }

    /// Records that an alert about the program was reported, and how much of the output is written.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn told_of_program(&self, alert: &Alert, written: Option<WrittenOutput<'_>>) -> Result<()> {
        Ok(self.store.tell_of_program(&alert.rule, written)?)
    }

    /// Notes that everything is done about events, and how much of the output is written. When all that was handed out is
    /// done, [`settle`](Self::settle) closes the turn.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn done(&mut self, events: &[&Seen], written: Option<WrittenOutput<'_>>) -> Result<()> {
        let mut finished = Vec::with_capacity(events.len());
        for seen in events {
            let told = match seen.alerts.is_empty() || seen.taken_back {
                true => None,
                false => Some(serde_json::to_string(&seen.alerts)?),
            };
            finished.push(Finished {
                id: seen.id,
                block: (!seen.taken_back).then_some(seen.block),
                told,
            });
        }
        self.store.finish(&finished, written)?;
        for Finished { id, block, told } in finished {
            match block {
                None => self.done.remove(&id),
                Some(block) => self.done.insert(
                    id,
                    Noted {
                        block,
                        missing: None,
                        told: told.is_some(),
                    },
                ),
            };
        }
        Ok(())
    }

    /// Closes a turn: whatever is further back than a reorganisation reaches needs no note any more.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn settle(&mut self) -> Result<()> {
        let floor = self.tail.head().saturating_sub(SETTLED_BLOCKS);
        let known = self.store.floor()?;
        if known.is_some_and(|known| floor >= known.saturating_add(SETTLE_STEP)) {
            self.store.advance(floor)?;
            self.done = self.store.done()?;
        }
        Ok(())
    }

    /// Says how many bytes of an output file are written.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn written(&self, name: &[u8]) -> Result<Option<u64>> {
        Ok(self.store.written(name)?)
    }

    /// Notes how much of an output file is written with everything that it tells of done.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn set_written(&self, written: WrittenOutput<'_>) -> Result<()> {
        Ok(self.store.finish(&[], Some(written))?)
    }
}

/// Entries with what they are, wherever they are.
fn numbered(entries: Vec<Entry>) -> impl Iterator<Item = Result<(EventId, Entry)>> {
    let mut last: Option<(B256, u64)> = None;
    entries.into_iter().map(move |entry| {
        let ordinal = match last {
            Some((tx, ordinal)) if tx == entry.tx => ordinal + 1,
            _ => 0,
        };
        last = Some((entry.tx, ordinal));
        let id = EventId {
            tx: entry.tx,
            ordinal,
            what: keccak256(serde_json::to_vec(&entry.what)?),
        };
        Ok((id, entry))
    })
}

/// Unix seconds of this machine's clock.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
