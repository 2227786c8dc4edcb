//! Everything the chain remembers, in memory: blocks, their indices, state, held transactions.

use std::{collections::HashMap, sync::Arc};

use alloy_primitives::{B256, keccak256};
use alloy_rlp::Decodable as _;

use super::{
    block::{Block, Mined},
    clock::Clock,
    pool::Pool,
    state::{Changes, State},
    store::{Record, StoredTx},
    tx::Transaction,
};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By number; never empty once the chain is open.
    blocks: Vec<Arc<Block>>,
    /// The state's version after each block.
    versions: Vec<u64>,
    by_hash: HashMap<B256, u64>,
    /// Block number, and place in it.
    by_tx: HashMap<B256, (u64, usize)>,
    /// Hashes of accepted transactions, mined or held, with their serials.
    accepted: Vec<(u64, B256)>,
    serial: u64,
    /// Commits to all changes so far: each is hashed onto the one before.
    root: B256,
    pub(crate) state: State,
    pub(crate) pool: Pool,
    pub(crate) clock: Clock,
}

/// A point to return to.
#[derive(Debug)]
pub(crate) struct Mark {
    blocks: usize,
    version: u64,
    accepted: usize,
    root: B256,
    pool: Pool,
    clock: Clock,
}

impl Ledger {
    pub(crate) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    pub(crate) fn head(&self) -> Option<&Arc<Block>> {
        self.blocks.last()
    }

    pub(crate) fn block(&self, number: u64) -> Option<&Arc<Block>> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    pub(crate) fn block_by_hash(&self, hash: &B256) -> Option<&Arc<Block>> {
        self.block(*self.by_hash.get(hash)?)
    }

    /// The block that a transaction is in, and its place there.
    pub(crate) fn find_tx(&self, tx: &B256) -> Option<(&Arc<Block>, usize)> {
        let (number, index) = *self.by_tx.get(tx)?;
        Some((self.block(number)?, index))
    }

    /// The state's version after a block.
    pub(crate) fn version_at(&self, number: u64) -> Option<u64> {
        self.versions.get(usize::try_from(number).ok()?).copied()
    }

    /// The newest serial given out.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// The blocks made after `serial`.
    pub(crate) fn blocks_after(&self, serial: u64) -> &[Arc<Block>] {
        &self.blocks[self.blocks.partition_point(|block| block.serial <= serial)..]
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
        self.blocks.push(Arc::new(Block {
            header,
            hash,
            mined,
            serial: self.serial,
        }));
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
    pub(crate) fn replay(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Block {
                header,
                txs,
                changes,
                clock,
            } => {
                let header = alloy_consensus::Header::decode(&mut &header[..])
                    .map_err(|error| format!("block header: {error}"))?;
                let parent = self.head().map_or(B256::ZERO, |head| head.hash);
                if header.number != self.blocks.len() as u64 || header.parent_hash != parent {
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
            Record::Edit(changes) => {
                let root = self
                    .root_after(&changes)
                    .map_err(|error| error.to_string())?;
                self.edit(&changes, root);
            }
            Record::Queued { raw, from } => {
                let tx = Transaction::restore(raw, from).map_err(|error| error.to_string())?;
                self.queue(tx);
            }
            Record::Dropped { from, nonce } => {
                self.pool.take(from, nonce);
            }
            Record::Clock(clock) => self.clock = clock,
        }
        Ok(())
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            blocks: self.blocks.len(),
            version: self.state.version(),
            accepted: self.accepted.len(),
            root: self.root,
            pool: self.pool.clone(),
            clock: self.clock,
        }
    }

    /// Forgets all that happened since `mark`.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        for block in self.blocks.drain(mark.blocks.min(self.blocks.len())..) {
            self.by_hash.remove(&block.hash);
            for mined in &block.mined {
                self.by_tx.remove(&mined.tx.hash());
            }
        }
        self.versions.truncate(mark.blocks);
        if let Some(newest) = self.versions.last_mut() {
            *newest = mark.version;
        }
        self.state.rewind(mark.version);
        self.accepted.truncate(mark.accepted);
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
