//! Everything the chain remembers, in memory: blocks, their indices, state, held transactions.
//!
//! How far back is set by [`Keep`]; a point to return to, a [`Mark`], keeps what it needs besides.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use alloy_primitives::{B256, keccak256};
use alloy_rlp::Decodable as _;

use super::{
    block::{Block, Mined},
    call::BlockId,
    clock::Clock,
    fork::Source,
    limits::Keep,
    pool::Pool,
    state::{Changes, Versions},
    store::{LogRecord, StoredTx},
    tx::Transaction,
};

/// The least blocks that are forgotten at a time.
const FORGET_AT_ONCE: usize = 64;

/// The least that is kept of blocks and states, whatever is asked for: who looks up the latest needs time to [`Ledger::pin`] it.
const LEAST_KEPT: u64 = 16;

/// The most undone blocks that are remembered for those who heard of them.
const MAX_UNDONE: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Ledger {
    keep: Keep,
    /// Never forgotten: the simulated parent chain counts from it.
    genesis: Option<Arc<Block>>,
    /// Blocks that were forgotten, from genesis on.
    forgotten: u64,
    /// In sequence, from the first that is not forgotten; never empty once the chain is open.
    blocks: Vec<Arc<Block>>,
    /// The state's version after each of them.
    versions: Vec<u64>,
    /// The oldest version of the state that is kept.
    oldest: u64,
    pins: Mutex<Vec<Weak<Pin>>>,
    by_hash: HashMap<B256, u64>,
    /// Block number, and place in it.
    by_tx: HashMap<B256, (u64, usize)>,
    /// Hashes of accepted transactions, mined or held, with their serials.
    accepted: Vec<(u64, B256)>,
    /// Blocks that were undone last, with the serials of that.
    undone: VecDeque<(u64, Arc<Block>)>,
    serial: u64,
    /// Commits to all changes so far: each is hashed onto the one before.
    root: B256,
    pub(crate) state: Versions,
    pub(crate) pool: Pool,
    pub(crate) clock: Clock,
}

/// A block and a version that are kept as long as it lives.
#[derive(Debug)]
pub(crate) struct Pin {
    /// The first block.
    block: u64,
    version: u64,
}

/// A point to return to.
#[derive(Debug)]
pub(crate) struct Mark {
    pin: Arc<Pin>,
    blocks: u64,
    serial: u64,
    root: B256,
    pool: Pool,
    clock: Clock,
}

impl Mark {
    /// The number of the block to come at that point.
    pub(crate) fn next(&self) -> u64 {
        self.blocks
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(Keep::default())
    }
}

impl Ledger {
    /// An empty ledger.
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            genesis: None,
            forgotten: 0,
            blocks: Vec::new(),
            versions: Vec::new(),
            oldest: 0,
            pins: Mutex::default(),
            by_hash: HashMap::new(),
            by_tx: HashMap::new(),
            accepted: Vec::new(),
            undone: VecDeque::new(),
            serial: 0,
            root: B256::ZERO,
            state: Versions::default(),
            pool: Pool::default(),
            clock: Clock::default(),
        }
    }

    /// An empty ledger whose first block is a block of another chain, on top of that one's state.
    pub(crate) fn on(keep: Keep, source: Option<Arc<Source>>) -> Self {
        let first = source.as_ref().map_or(0, |source| source.origin.number);
        Self {
            forgotten: first,
            state: Versions::on(source),
            ..Self::new(keep)
        }
    }

    /// The first block.
    pub(crate) fn genesis(&self) -> Option<&Arc<Block>> {
        self.genesis.as_ref()
    }

    /// The number of the block to come.
    pub(crate) fn next_number(&self) -> u64 {
        self.forgotten + self.blocks.len() as u64
    }

    /// The blocks that are not forgotten.
    #[cfg(test)]
    pub(crate) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    pub(crate) fn head(&self) -> Option<&Arc<Block>> {
        self.blocks.last()
    }

    pub(crate) fn block(&self, number: u64) -> Option<&Arc<Block>> {
        match number.checked_sub(self.forgotten) {
            Some(index) => self.blocks.get(usize::try_from(index).ok()?),
            None => self.genesis().filter(|first| first.number() == number),
        }
    }

    pub(crate) fn find(&self, at: BlockId) -> Option<&Arc<Block>> {
        match at {
            BlockId::Latest | BlockId::Pending => self.head(),
            BlockId::Earliest => self.genesis(),
            BlockId::Number(number) => self.block(number),
            BlockId::Hash(hash) => self.block_by_hash(&hash),
        }
    }

    pub(crate) fn block_by_hash(&self, hash: &B256) -> Option<&Arc<Block>> {
        self.block(*self.by_hash.get(hash)?)
    }

    /// The block that a transaction is in, and its place there.
    pub(crate) fn find_tx(&self, tx: &B256) -> Option<(&Arc<Block>, usize)> {
        let (number, index) = *self.by_tx.get(tx)?;
        Some((self.block(number)?, index))
    }

    /// The state's version after a block, as long as it is kept.
    pub(crate) fn version_at(&self, number: u64) -> Option<u64> {
        let index = usize::try_from(number.checked_sub(self.forgotten)?).ok()?;
        let version = *self.versions.get(index)?;
        (version >= self.oldest).then_some(version)
    }

    /// The first block that is kept with its transactions, and the first whose state is.
    pub(crate) fn first_kept(&self) -> (u64, u64) {
        let state = self.versions.partition_point(|at| *at < self.oldest);
        (self.forgotten, self.forgotten + state as u64)
    }

    /// How many blocks are kept at least, `None` for all, and of how many the state.
    pub(crate) fn kept(&self) -> (Option<u64>, u64) {
        let blocks = self.keep.blocks.map(|blocks| blocks.max(LEAST_KEPT));
        let states = self.keep.states.max(LEAST_KEPT);
        (blocks, states.min(blocks.unwrap_or(u64::MAX)))
    }

    /// The newest serial given out.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// The blocks made after `serial`.
    pub(crate) fn blocks_after(&self, serial: u64) -> &[Arc<Block>] {
        &self.blocks[self.blocks.partition_point(|block| block.serial <= serial)..]
    }

    /// The blocks that were there at `serial` and have been undone since, the oldest first.
    pub(crate) fn undone_after(&self, serial: u64) -> impl Iterator<Item = &Arc<Block>> {
        let later = self.undone.iter().filter(move |(at, _)| *at > serial);
        let blocks = later.map(|(_, block)| block);
        blocks.filter(move |block| block.serial <= serial)
    }

    /// The transactions accepted after `serial`.
    pub(crate) fn accepted_after(&self, serial: u64) -> impl Iterator<Item = B256> + '_ {
        let from = self.accepted.partition_point(|(at, _)| *at <= serial);
        self.accepted[from..].iter().map(|(_, hash)| *hash)
    }

    /// The commitment to the state once `changes` are applied.
    pub(crate) fn root_after(&self, changes: &Changes) -> Result<B256, serde_json::Error> {
        let mut preimage = self.root.to_vec();
        serde_json::to_writer(&mut preimage, changes)?;
        Ok(keccak256(preimage))
    }

    /// Appends a block; its header's state root must be [`Ledger::root_after`] its changes.
    pub(crate) fn push(
        &mut self,
        header: alloy_consensus::Header,
        mined: Vec<Mined>,
        changes: &Changes,
    ) {
        let hash = header.hash_slow();
        self.root = header.state_root;
        self.versions.push(self.state.apply(changes));
        self.by_hash.insert(hash, header.number);
        self.serial += 1;
        for (index, mined) in mined.iter().enumerate() {
            let hash = mined.tx.hash();
            let held = self.pool.take(mined.tx.from, mined.tx.nonce());
            if held.is_none_or(|held| held.hash() != hash) {
                self.accepted.push((self.serial, hash));
            }
            self.by_tx.insert(hash, (header.number, index));
        }
        let block = Arc::new(Block {
            header,
            hash,
            mined,
            serial: self.serial,
        });
        if self.genesis.is_none() {
            self.genesis = Some(block.clone());
        }
        self.blocks.push(block);
        self.forget();
    }

    /// Forgets what is further back than is to be kept.
    fn forget(&mut self) {
        let (mut pinned_block, mut pinned_version) = (u64::MAX, u64::MAX);
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.retain(|pin| match pin.upgrade() {
            Some(pin) => {
                pinned_block = pinned_block.min(pin.block);
                pinned_version = pinned_version.min(pin.version);
                true
            }
            None => false,
        });
        drop(pins);
        let next = self.next_number();
        let (blocks, states) = self.kept();
        let first_state = next.saturating_sub(states);
        if let Some(version) = self.version_at(first_state) {
            self.oldest = self.oldest.max(version.min(pinned_version));
            self.state.forget_before(self.oldest);
        }
        let Some(blocks) = blocks else { return };
        let first = next.saturating_sub(blocks).min(pinned_block);
        // Several at a time, as the rest has to be moved.
        let surplus = first.saturating_sub(self.forgotten) as usize;
        if surplus < FORGET_AT_ONCE {
            return;
        }
        self.versions.drain(..surplus);
        for block in self.blocks.drain(..surplus) {
            self.by_hash.remove(&block.hash);
            for mined in &block.mined {
                self.by_tx.remove(&mined.tx.hash());
            }
        }
        self.forgotten = first;
        if let Some(genesis) = &self.genesis {
            self.by_hash.insert(genesis.hash, genesis.number());
        }
        let given = self.blocks.first().map_or(0, |block| block.serial);
        let unread = self.accepted.partition_point(|(at, _)| *at < given);
        self.accepted.drain(..unread);
    }

    /// Writes to the state of the newest block.
    pub(crate) fn edit(&mut self, changes: &Changes, root: B256) {
        self.root = root;
        let version = self.state.apply(changes);
        for (address, account) in &changes.accounts {
            self.pool
                .purge(*address, account.map_or(0, |account| account.nonce));
        }
        if let Some(newest) = self.versions.last_mut() {
            *newest = version;
        }
    }

    /// Holds a transaction for later.
    pub(crate) fn queue(&mut self, tx: Transaction) {
        self.serial += 1;
        self.accepted.push((self.serial, tx.hash()));
        self.pool.insert(tx);
    }

    /// Repeats a step that was recorded before.
    pub(crate) fn replay(&mut self, record: LogRecord) -> Result<(), String> {
        match record {
            LogRecord::Block {
                header,
                txs,
                changes,
                clock,
            } => {
                let header = alloy_consensus::Header::decode(&mut &header[..])
                    .map_err(|error| format!("block header: {error}"))?;
                let parent = self.head().map_or(B256::ZERO, |head| head.hash);
                if header.number != self.next_number() || header.parent_hash != parent {
                    return Err(format!("block {} does not follow", header.number));
                }
                let root = self
                    .root_after(&changes)
                    .map_err(|error| error.to_string())?;
                if header.state_root != root {
                    return Err(format!("block {}: state differs", header.number));
                }
                let mined = txs.into_iter().map(restore).collect::<Result<_, _>>()?;
                self.push(header, mined, &changes);
                self.clock = clock;
            }
            LogRecord::Edit(changes) => {
                let root = self
                    .root_after(&changes)
                    .map_err(|error| error.to_string())?;
                self.edit(&changes, root);
            }
            LogRecord::Queued { raw, from } => {
                let tx = Transaction::restore(raw, from).map_err(|error| error.to_string())?;
                self.queue(tx);
            }
            LogRecord::Dropped { from, nonce } => {
                self.pool.take(from, nonce);
            }
            LogRecord::Clock(clock) => self.clock = clock,
            LogRecord::RolledBack { to } => {
                let kept = self.roll_back(to);
                kept.ok_or_else(|| format!("block {to} cannot be returned to"))?;
            }
        }
        Ok(())
    }

    /// Forgets everything but how much to keep; serials go on.
    pub(crate) fn restart(&mut self) {
        let fresh = Self::on(self.keep, self.state.source().cloned());
        let old = std::mem::replace(self, fresh);
        self.serial = old.serial + 1;
        self.state.begin_after(old.state.version());
    }

    /// Undoes the blocks after `number`; `None` if its state is no longer kept. Transactions that wait stay.
    pub(crate) fn roll_back(&mut self, number: u64) -> Option<()> {
        let block = self.block(number)?.clone();
        let version = self.version_at(number)?;
        let mark = Mark {
            pin: self.pin(version),
            blocks: number + 1,
            serial: block.serial,
            root: block.header.state_root,
            pool: self.pool.clone(),
            clock: self.clock,
        };
        self.rewind(mark);
        Some(())
    }

    /// Keeps the state's `version` readable as long as the pin lives.
    pub(crate) fn pin(&self, version: u64) -> Arc<Pin> {
        self.add_pin(Pin {
            block: u64::MAX,
            version,
        })
    }

    fn add_pin(&self, pin: Pin) -> Arc<Pin> {
        let pin = Arc::new(pin);
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.push(Arc::downgrade(&pin));
        pin
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            pin: self.add_pin(Pin {
                block: self.next_number().saturating_sub(1),
                version: self.state.version(),
            }),
            blocks: self.next_number(),
            serial: self.serial,
            root: self.root,
            pool: self.pool.clone(),
            clock: self.clock,
        }
    }

    /// Forgets all that happened since `mark`.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        let kept = mark.blocks.saturating_sub(self.forgotten) as usize;
        self.serial += 1;
        for block in self.blocks.drain(kept.min(self.blocks.len())..) {
            self.by_hash.remove(&block.hash);
            for mined in &block.mined {
                self.by_tx.remove(&mined.tx.hash());
            }
            self.undone.push_back((self.serial, block));
        }
        let surplus = self.undone.len().saturating_sub(MAX_UNDONE);
        self.undone.drain(..surplus);
        self.versions.truncate(kept);
        if let Some(newest) = self.versions.last_mut() {
            *newest = mark.pin.version;
        }
        self.state.rewind(mark.pin.version);
        let accepted = self.accepted.partition_point(|(at, _)| *at <= mark.serial);
        self.accepted.truncate(accepted);
        self.root = mark.root;
        self.pool = mark.pool;
        self.clock = mark.clock;
    }
}

fn restore(tx: StoredTx) -> Result<Mined, String> {
    Ok(Mined {
        tx: Transaction::restore(tx.raw, tx.from).map_err(|error| error.to_string())?,
        receipt: tx.receipt,
    })
}
