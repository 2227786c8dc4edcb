//! The chain itself: its ledger, its one writer, its events.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use alloy_primitives::{Address, U256};
use k256::ecdsa::SigningKey;
use tokio::sync::watch;

use super::{
    block::{self, BASE_FEE, Block, COINBASE, GAS_LIMIT},
    call::BlockId,
    clock::{Mining, l1_number, now},
    config::Config,
    error::Error,
    fork::{self, Source},
    ledger::{Ledger, Mark},
    limits::Keep,
    state::Account,
    store::{BlockLog, LogRecord},
    view::StateView,
};
use crate::{
    arbos::{self, l1},
    evm::{BlockParams, Vm},
    genesis::{self, DevAccount},
};

/// A present to return to.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) id: u64,
    pub(super) mark: Mark,
    /// Where the log ended.
    pub(super) end: u64,
}

/// Whose transactions are taken without a signature.
#[derive(Debug, Default)]
pub(super) struct Impersonated {
    pub(super) everybody: bool,
    pub(super) accounts: HashSet<Address>,
}

pub(crate) struct Chain {
    pub(crate) chain_id: u64,
    /// The settings that it began with.
    config: Config,
    accounts: Vec<DevAccount>,
    pub(super) signers: Vec<(Address, SigningKey)>,
    pub(super) vm: Vm,
    ledger: Arc<RwLock<Ledger>>,
    writer: Mutex<Writer>,
    events: watch::Sender<u64>,
    pub(super) mining: watch::Sender<Mining>,
}
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) log: Option<BlockLog>,
    pub(super) closed: bool,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) next_snapshot: u64,
    pub(super) impersonated: Impersonated,
}
impl Writer {
    pub(super) fn record(&mut self, record: &LogRecord) -> Result<(), Error> {
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
        let keep = Keep {
            states: config.states,
            blocks: config.blocks,
        };
        let source = config.fork.as_ref().map(Source::open).transpose()?;
        let source = source.map(Arc::new);
        let chain_id = match &source {
            Some(source) => source.origin.chain_id,
            None => config.chain_id,
        };
        let mut ledger = Ledger::on(keep, source);
        let log = match &config.state_dir {
            Some(dir) => Some(BlockLog::open(dir, chain_id, |record| {
                ledger.replay(record)
            })?),
            None => None,
        };
        let signers = accounts.iter().map(|account| {
            let key = SigningKey::from_slice(account.private_key.as_slice());
            key.map(|key| (account.address, key))
        });
        let chain = Self {
            chain_id,
            config: config.clone(),
            accounts: accounts.to_vec(),
            signers: signers.flatten().collect(),
            vm: Vm::new(chain_id),
            events: watch::Sender::new(ledger.serial()),
            mining: watch::Sender::new(config.block_time.map_or(Mining::Auto, Mining::Every)),
            ledger: Arc::new(RwLock::new(ledger)),
            writer: Mutex::new(Writer {
                log,
                ..Writer::default()
            }),
        };
        if chain.read().head().is_none() {
            chain.begin(&mut chain.lock())?;
        }
        if let Some(price) = config.l1_price_per_unit {
            chain.set_storage(arbos::ARBOS, l1::price_slot(), U256::from(price))?;
        }
        Ok(chain)
    }

    /// Makes the first block.
    fn begin(&self, writer: &mut Writer) -> Result<(), Error> {
        let source = self.read().state.source().cloned();
        let Some(source) = source else {
            let params = block::block_params(0, now(), l1_number(0, 0));
            let changes = genesis::changes(&self.accounts, self.config.arbos.number());
            return self.seal(writer, &params, changes, Vec::new(), now());
        };
        let origin = source.origin;
        let params = block::block_params(origin.number, origin.timestamp, origin.l1_number);
        let known = |address| self.read().state.account(address, 0).unwrap_or_default();
        let changes = genesis::funds(&self.accounts, known);
        self.unread()?;
        self.seal(writer, &params, changes, Vec::new(), now())?;
        // Time goes on from there.
        let offset = i128::from(origin.timestamp) - i128::from(now());
        self.write(|ledger| ledger.clock.offset = i64::try_from(offset).unwrap_or_default());
        Ok(())
    }

    /// Says whether the chain goes on from another one, whose state may have to be fetched.
    pub(crate) fn is_fork(&self) -> bool {
        self.config.fork.is_some()
    }

    /// Fails if this thread could not read state of a fork since it was asked last.
    pub(super) fn unread(&self) -> Result<(), Error> {
        match fork::failure() {
            Some(failure) => Err(Error::Unread(failure)),
            None => Ok(()),
        }
    }

    /// Forgets everything and begins again.
    pub(crate) fn reset(&self) -> Result<(), Error> {
        let mut writer = self.lock();
        if writer.closed {
            return Err(Error::Closed);
        }
        if let Some(log) = &mut writer.log {
            log.clear()?;
        }
        writer.snapshots.clear();
        writer.impersonated = Impersonated::default();
        self.write(Ledger::restart);
        self.begin(&mut writer)?;
        drop(writer);
        match self.config.l1_price_per_unit {
            Some(price) => self.set_storage(arbos::ARBOS, l1::price_slot(), U256::from(price)),
            None => Ok(()),
        }
    }

    /// A view of blocks and state, to be held briefly.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the newest serial whenever a block or a held transaction is added.
    pub(crate) fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// When blocks are made.
    pub(crate) fn mining(&self) -> Mining {
        *self.mining.borrow()
    }

    /// The base fee of the next block, wei per gas.
    pub(crate) fn next_base_fee(&self) -> u64 {
        self.read().clock.next_base_fee.unwrap_or(BASE_FEE)
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

    /// Refuses all further writes and lets go of the state directory.
    pub(crate) fn close(&self) {
        let mut writer = self.lock();
        writer.closed = true;
        writer.log = None;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic inside an execution leaves nothing half-done: the ledger changes at the end only.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write<R>(&self, change: impl FnOnce(&mut Ledger) -> R) -> R {
        let mut ledger = self.ledger.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut ledger);
        let serial = ledger.serial();
        drop(ledger);
        self.events.send_replace(serial);
        result
    }

    /// The block to come, if it were made at `now`.
    pub(super) fn next_params(&self, now: u64) -> BlockParams {
        let ledger = self.read();
        let newest = ledger.head().map_or(0, |head| head.timestamp());
        let first = ledger.genesis();
        let (begun, l1) = first.map_or((0, 1), |first| (first.timestamp(), first.l1_number()));
        let time = ledger.clock.next_time(now, newest);
        BlockParams {
            base_fee: ledger.clock.next_base_fee.unwrap_or(BASE_FEE),
            gas_limit: ledger.clock.gas_limit.unwrap_or(GAS_LIMIT),
            coinbase: ledger.clock.coinbase.unwrap_or(COINBASE),
            ..block::block_params(ledger.next_number(), time, l1 - 1 + l1_number(begun, time))
        }
    }

    pub(super) fn surroundings(&self, at: BlockId) -> Result<(BlockParams, StateView), Error> {
        let (block, version) = self.resolve(at).ok_or(Error::NoBlock)?;
        let params = match at {
            BlockId::Pending => self.next_params(now()),
            _ => block.params(),
        };
        Ok((params, self.view(version)))
    }

    pub(super) fn view(&self, version: u64) -> StateView {
        StateView {
            ledger: self.ledger.clone(),
            version,
            _pin: self.read().pin(version),
        }
    }
}

pub(super) fn latest_account(ledger: &Ledger, address: Address) -> Account {
    ledger
        .state
        .account(address, ledger.state.version())
        .unwrap_or_default()
}
