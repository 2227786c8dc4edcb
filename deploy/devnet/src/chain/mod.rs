//! The chain: blocks, state, held transactions, time, snapshots, persistence.
//!
//! One writer at a time executes a transaction, has its block on disk, and only then shows it to
//! readers; readers never wait for an execution.

pub(crate) mod block;
mod clock;
mod estimate;
pub(crate) mod ledger;
pub(crate) mod overrides;
mod pool;
pub(crate) mod state;
mod store;
pub(crate) mod tx;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use alloy_primitives::{Address, B256, Bytes, U256};
use tokio::sync::watch;

pub use self::store::StoreError;
use self::{
    block::{BASE_FEE, Block, GAS_LIMIT, Mined, Receipt},
    clock::{Clock, l1_number, now},
    ledger::{Keep, Ledger, Mark},
    overrides::{AccountOverride, BlockOverride, Overlay},
    state::{Account, Changes, StateView},
    store::{BlockLog, Record, StoredTx},
    tx::{Transaction, TxError},
};
use crate::{
    evm::{BlockParams, Mode, Outcome, Status, TxParams, Vm, trace::TracedFrame},
    genesis::{self, DevAccount},
};

/// The most gas a call or an estimate may use.
pub(crate) const CALL_GAS_CAP: u64 = 50_000_000;
/// The most snapshots kept.
const MAX_SNAPSHOTS: usize = 1_024;

/// How a devnet starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain id (EIP-155).
    pub chain_id: u64,
    /// The TCP port of the JSON-RPC; 0 picks a free one.
    pub port: u16,
    /// The address to listen on.
    pub host: IpAddr,
    /// The directory that keeps the chain between runs; `None` keeps it in memory only.
    pub state_dir: Option<PathBuf>,
    /// How many blocks' states are kept in memory, the newest counted and at least 16: calls,
    /// estimates and traces reach that far back. A snapshot keeps what it needs besides.
    pub states: u64,
    /// How many blocks are kept in memory with their transactions, receipts and logs, the newest
    /// counted and at least 16; older ones are as if they had never been, but for the first. `None`
    /// keeps all.
    pub blocks: Option<u64>,
}
impl Default for Config {
    /// Chain 412346 in memory, on a free port of the loopback interface, with all its blocks and the
    /// states of the last 4,096.
    fn default() -> Self {
        Self {
            chain_id: 412_346,
            port: 0,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            state_dir: None,
            states: Keep::default().states,
            blocks: Keep::default().blocks,
        }
    }
}

/// Why the chain did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error(transparent)]
    Tx(#[from] TxError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot encode state changes: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error("the devnet is shutting down")]
    Closed,
    #[error("header not found, or its state is no longer kept")]
    NoBlock,
    #[error("timestamp {wanted} is before the latest block's, {latest}")]
    Past { wanted: u64, latest: u64 },
    #[error("cannot keep more than {MAX_SNAPSHOTS} snapshots")]
    Snapshots,
}

/// Which block's state to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockId {
    Latest,
    /// The latest state, in the surroundings of the block to come.
    Pending,
    Earliest,
    Number(u64),
    Hash(B256),
}

/// A call that is executed and forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) from: Address,
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) input: Bytes,
    pub(crate) gas: Option<u64>,
    /** wei; 0 is free of charge */
    pub(crate) gas_price: u128,
    /// Defaults to the sender's.
    pub(crate) nonce: Option<u64>,
    pub(crate) access_list: Vec<(Address, Vec<B256>)>,
    pub(crate) authorizations: Vec<alloy_eips::eip7702::SignedAuthorization>,
}

pub(crate) struct Chain {
    pub(crate) chain_id: u64,
    vm: Vm,
    ledger: Arc<RwLock<Ledger>>,
    writer: Mutex<Writer>,
    events: watch::Sender<u64>,
}
#[derive(Debug, Default)]
struct Writer {
    log: Option<BlockLog>,
    closed: bool,
    snapshots: Vec<Snapshot>,
    next_snapshot: u64,
}
#[derive(Debug)]
struct Snapshot {
    id: u64,
    mark: Mark,
    /// Where the log ended.
    end: u64,
}
impl Writer {
    fn record(&mut self, record: &Record) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        match &mut self.log {
            Some(log) => Ok(log.append(record)?),
            None => Ok(()),
        }
    }
}

impl Chain {
    /// Opens the chain in `config.state_dir`, or starts one from genesis.
    pub(crate) fn open(config: &Config, accounts: &[DevAccount]) -> Result<Self, Error> {
        let mut ledger = Ledger::new(Keep {
            states: config.states,
            blocks: config.blocks,
        });
        let log = match &config.state_dir {
            Some(dir) => Some(BlockLog::open(dir, config.chain_id, |record| {
                ledger.replay(record)
            })?),
            None => None,
        };
        let chain = Self {
            chain_id: config.chain_id,
            vm: Vm::new(config.chain_id),
            events: watch::Sender::new(ledger.serial()),
            ledger: Arc::new(RwLock::new(ledger)),
            writer: Mutex::new(Writer {
                log,
                ..Writer::default()
            }),
        };
        if chain.read().head().is_none() {
            let params = block::block_params(0, now(), l1_number(0, 0));
            chain.seal(
                &mut chain.lock(),
                &params,
                genesis::changes(accounts),
                None,
                now(),
            )?;
        }
        Ok(chain)
    }

    /// A view of blocks and state, to be held briefly.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the newest serial whenever a block or a held transaction is added.
    pub(crate) fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// Takes a signed transaction (EIP-2718 bytes): mines it, or holds it if its nonce is ahead.
    pub(crate) fn submit(&self, raw: Bytes) -> Result<B256, Error> {
        let tx = Transaction::decode(raw, self.chain_id)?;
        let (hash, from) = (tx.hash(), tx.from);
        let mut writer = self.lock();
        if writer.closed {
            return Err(Error::Closed);
        }
        let ahead = {
            let ledger = self.read();
            if ledger.block_of(&hash).is_some() || ledger.pool.get(&hash).is_some() {
                return Err(TxError::Known.into());
            }
            let account = latest_account(&ledger, from);
            tx.check(&account, BASE_FEE, GAS_LIMIT)?;
            let ahead = tx.nonce() > account.nonce;
            if ahead {
                ledger.pool.check(&tx)?;
            }
            ahead
        };
        if ahead {
            writer.record(&Record::Queued {
                raw: tx.raw.clone(),
                from,
            })?;
            self.write(|ledger| ledger.queue(tx));
            return Ok(hash);
        }
        self.mine(&mut writer, Some(tx))?;
        // Those that waited for this nonce follow; one that cannot be mined any more is dropped.
        loop {
            let next = {
                let ledger = self.read();
                let nonce = latest_account(&ledger, from).nonce;
                ledger.pool.next(from, nonce).cloned()
            };
            let Some(next) = next else { break };
            let (next_hash, nonce) = (next.hash(), next.nonce());
            if let Err(error) = self.mine(&mut writer, Some(next)) {
                tracing::warn!(%error, hash = %next_hash, "a held transaction cannot be mined");
                if matches!(error, Error::Tx(_)) {
                    self.write(|ledger| ledger.pool.take(from, nonce));
                }
                break;
            }
        }
        Ok(hash)
    }

    /// Mines an empty block, at `time` if given (unix seconds).
    pub(crate) fn mine_empty(&self, time: Option<u64>) -> Result<(), Error> {
        let mut writer = self.lock();
        if let Some(time) = time {
            self.set_time(&mut writer, time)?;
        }
        self.mine(&mut writer, None)
    }

    /// Executes a call on the state of `at` and forgets what it wrote.
    pub(crate) fn call(
        &self,
        call: &Call,
        at: BlockId,
        accounts: HashMap<Address, AccountOverride>,
        block: &BlockOverride,
    ) -> Result<Outcome, Error> {
        let (mut params, view) = self.surroundings(at)?;
        block.apply(&mut params);
        let db = Overlay::new(view, accounts);
        let gas = call.gas.unwrap_or(CALL_GAS_CAP).min(CALL_GAS_CAP);
        let tx = call_params(&db, call, gas);
        Ok(self
            .vm
            .transact(&db, &params, &tx, Mode::Call)
            .map_err(TxError::from)?)
    }

    /// [`Chain::call`], and what happened on the way.
    pub(crate) fn trace(
        &self,
        call: &Call,
        at: BlockId,
        accounts: HashMap<Address, AccountOverride>,
        block: &BlockOverride,
    ) -> Result<TracedFrame, Error> {
        let (mut params, view) = self.surroundings(at)?;
        block.apply(&mut params);
        let db = Overlay::new(view, accounts);
        let gas = call.gas.unwrap_or(CALL_GAS_CAP).min(CALL_GAS_CAP);
        let tx = call_params(&db, call, gas);
        let traced = self.vm.trace(&db, &params, &tx, Mode::Call);
        Ok(traced.map_err(TxError::from)?.1)
    }

    /// Executes a mined transaction again, on the state before its block; `None` if there is none.
    pub(crate) fn retrace(&self, hash: &B256) -> Result<Option<TracedFrame>, Error> {
        let (block, version) = {
            let ledger = self.read();
            let Some(block) = ledger.block_of(hash) else {
                return Ok(None);
            };
            let before = block.number().saturating_sub(1);
            (
                block.clone(),
                ledger.version_at(before).ok_or(Error::NoBlock)?,
            )
        };
        let Some(mined) = &block.mined else {
            return Ok(None);
        };
        let traced = self.vm.trace(
            &self.view(version),
            &block.params(),
            &mined.tx.params(),
            Mode::Transaction,
        );
        Ok(Some(traced.map_err(TxError::from)?.1))
    }

    /// The least gas, to within 1.5 %, with which a call succeeds. `Ok(Err(_))` is how it fails.
    pub(crate) fn estimate(
        &self,
        call: &Call,
        at: BlockId,
        accounts: HashMap<Address, AccountOverride>,
        block: &BlockOverride,
    ) -> Result<Result<u64, (u64, Outcome)>, Error> {
        let (mut params, view) = self.surroundings(at)?;
        block.apply(&mut params);
        let db = Overlay::new(view, accounts);
        let cap = estimate::gas_cap(&db, call)?;
        let run = |gas| {
            self.vm
                .transact(&db, &params, &call_params(&db, call, gas), Mode::Call)
        };
        Ok(estimate::bisect(cap, run).map_err(TxError::from)?)
    }

    /// The block that `at` means.
    pub(crate) fn find(&self, at: BlockId) -> Option<Arc<Block>> {
        self.read().find(at).cloned()
    }

    /// The state's version and block for `at`.
    pub(crate) fn resolve(&self, at: BlockId) -> Option<(Arc<Block>, u64)> {
        let ledger = self.read();
        let block = ledger.find(at)?;
        Some((block.clone(), ledger.version_at(block.number())?))
    }

    /// Moves the clock of the next block forward; returns how far it is ahead, seconds.
    pub(crate) fn increase_time(&self, seconds: u64) -> Result<i64, Error> {
        let mut writer = self.lock();
        let mut clock = self.read().clock;
        clock.advance(seconds);
        self.set_clock(&mut writer, clock)?;
        Ok(clock.offset)
    }

    /// Sets the next block's time (unix seconds), not before the latest block's.
    pub(crate) fn set_next_time(&self, time: u64) -> Result<(), Error> {
        self.set_time(&mut self.lock(), time)
    }

    /// Sets an account's balance, wei, in the latest state.
    pub(crate) fn set_balance(&self, address: Address, balance: U256) -> Result<(), Error> {
        let mut writer = self.lock();
        let (changes, root) = {
            let ledger = self.read();
            let account = Account {
                balance,
                ..latest_account(&ledger, address)
            };
            let account = (account != Account::default()).then_some(account);
            let changes = Changes {
                accounts: [(address, account)].into(),
                ..Changes::default()
            };
            let root = ledger.root_after(&changes)?;
            (changes, root)
        };
        writer.record(&Record::Edit(changes.clone()))?;
        self.write(|ledger| ledger.edit(&changes, root));
        Ok(())
    }

    /// Marks the present to return to; it lives as long as this process.
    pub(crate) fn snapshot(&self) -> Result<u64, Error> {
        let mut writer = self.lock();
        if writer.snapshots.len() >= MAX_SNAPSHOTS {
            return Err(Error::Snapshots);
        }
        writer.next_snapshot += 1;
        let snapshot = Snapshot {
            id: writer.next_snapshot,
            mark: self.read().mark(),
            end: writer.log.as_ref().map_or(0, BlockLog::end),
        };
        writer.snapshots.push(snapshot);
        Ok(writer.next_snapshot)
    }

    /// Returns to a snapshot, which with all later ones is used up; `false` if there is none.
    pub(crate) fn revert(&self, id: u64) -> Result<bool, Error> {
        let mut writer = self.lock();
        if writer.closed {
            return Err(Error::Closed);
        }
        let Some(at) = writer.snapshots.iter().position(|one| one.id == id) else {
            return Ok(false);
        };
        let end = writer.snapshots[at].end;
        if let Some(log) = &mut writer.log {
            log.truncate(end)?;
        }
        if let Some(snapshot) = writer.snapshots.drain(at..).next() {
            self.write(|ledger| ledger.rewind(snapshot.mark));
        }
        Ok(true)
    }

    /// Refuses all further writes and lets go of the state directory.
    pub(crate) fn close(&self) {
        let mut writer = self.lock();
        writer.closed = true;
        writer.log = None;
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic inside an execution leaves nothing half-done: the ledger changes at the end only.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<R>(&self, change: impl FnOnce(&mut Ledger) -> R) -> R {
        let mut ledger = self.ledger.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut ledger);
        let serial = ledger.serial();
        drop(ledger);
        self.events.send_replace(serial);
        result
    }

    fn set_time(&self, writer: &mut Writer, time: u64) -> Result<(), Error> {
        let (mut clock, latest) = {
            let ledger = self.read();
            (
                ledger.clock,
                ledger.head().map_or(0, |head| head.timestamp()),
            )
        };
        if time < latest {
            return Err(Error::Past {
                wanted: time,
                latest,
            });
        }
        clock.next = Some(time);
        self.set_clock(writer, clock)
    }

    fn set_clock(&self, writer: &mut Writer, clock: Clock) -> Result<(), Error> {
        writer.record(&Record::Clock(clock))?;
        self.write(|ledger| ledger.clock = clock);
        Ok(())
    }

    /// The block to come, if it were made at `now`.
    fn next_params(&self, now: u64) -> BlockParams {
        let ledger = self.read();
        let newest = ledger.head().map_or(0, |head| head.timestamp());
        let genesis = ledger.block(0).map_or(0, |first| first.timestamp());
        let time = ledger.clock.next_time(now, newest);
        block::block_params(ledger.next_number(), time, l1_number(genesis, time))
    }

    fn surroundings(&self, at: BlockId) -> Result<(BlockParams, StateView), Error> {
        let (block, version) = self.resolve(at).ok_or(Error::NoBlock)?;
        let params = match at {
            BlockId::Pending => self.next_params(now()),
            _ => block.params(),
        };
        Ok((params, self.view(version)))
    }

    fn view(&self, version: u64) -> StateView {
        StateView {
            ledger: self.ledger.clone(),
            version,
            _pin: self.read().pin(version),
        }
    }

    /// Executes `tx` on the latest state and makes the block with it, or an empty one.
    fn mine(&self, writer: &mut Writer, tx: Option<Transaction>) -> Result<(), Error> {
        let now = now();
        let params = self.next_params(now);
        let Some(tx) = tx else {
            return self.seal(writer, &params, Changes::default(), None, now);
        };
        let view = self.view(self.read().state.version());
        let outcome = self
            .vm
            .transact(&view, &params, &tx.params(), Mode::Transaction)
            .map_err(TxError::from)?;
        let receipt = Receipt {
            success: outcome.status == Status::Success,
            gas_used: outcome.gas_used,
            contract: tx.creates(),
            logs: outcome.logs,
        };
        let changes = Changes::from_evm(outcome.state);
        self.seal(writer, &params, changes, Some(Mined { tx, receipt }), now)
    }

    /// Makes a block, has it on disk, shows it.
    fn seal(
        &self,
        writer: &mut Writer,
        params: &BlockParams,
        mut changes: Changes,
        mined: Option<Mined>,
        now: u64,
    ) -> Result<(), Error> {
        let (header, clock) = {
            let ledger = self.read();
            // Whoever is called comes with its code; what the state has need not be written again.
            changes
                .code
                .retain(|hash, _| ledger.state.code(*hash).is_none());
            let parent = ledger.head().map_or(B256::ZERO, |head| head.hash);
            let root = ledger.root_after(&changes)?;
            let header = block::header(parent, params, root, mined.as_ref());
            (header, ledger.clock.after(now, params.timestamp))
        };
        let record = Record::Block {
            header: alloy_rlp::encode(&header).into(),
            tx: mined.as_ref().map(|mined| StoredTx {
                raw: mined.tx.raw.clone(),
                from: mined.tx.from,
                receipt: mined.receipt.clone(),
            }),
            changes,
            clock,
        };
        writer.record(&record)?;
        let Record::Block { changes, .. } = record else {
            return Ok(());
        };
        self.write(|ledger| {
            ledger.push(header, mined, &changes);
            ledger.clock = clock;
        });
        Ok(())
    }
}

fn latest_account(ledger: &Ledger, address: Address) -> Account {
    ledger
        .state
        .account(address, ledger.state.version())
        .unwrap_or_default()
}

fn call_params<D: revm::DatabaseRef>(db: &D, call: &Call, gas: u64) -> TxParams {
    let nonce = call.nonce.unwrap_or_else(|| {
        let sender = db.basic_ref(call.from).ok().flatten();
        sender.map_or(0, |info| info.nonce)
    });
    TxParams {
        from: call.from,
        to: call.to.map_or(alloy_primitives::TxKind::Create, Into::into),
        value: call.value,
        input: call.input.clone(),
        gas_limit: gas,
        gas_price: call.gas_price,
        nonce,
        access_list: call.access_list.clone(),
        authorizations: call.authorizations.clone(),
    }
}

#[cfg(test)]
mod tests;
