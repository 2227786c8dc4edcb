//! The chain: blocks, state, held transactions, time, snapshots, persistence.
//!
//! One writer at a time executes a transaction, has its block on disk, and only then shows it to
//! readers; readers never wait for an execution.

pub(crate) mod block;
mod clock;
pub(crate) mod dev;
mod estimate;
pub(crate) mod ledger;
pub(crate) mod mine;
pub(crate) mod overrides;
pub(crate) mod pool;
mod simulate;
pub(crate) mod simulation;
pub(crate) mod state;
mod store;
pub(crate) mod tx;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use alloy_primitives::{Address, B256, Bytes, U256};
use tokio::sync::watch;

pub use self::store::StoreError;
use self::{
    block::{BASE_FEE, Block},
    clock::{l1_number, now},
    dev::{Impersonated, MAX_BLOCKS, MAX_IMPERSONATED, MAX_SNAPSHOTS, Snapshot},
    ledger::{Keep, Ledger},
    mine::Mining,
    state::{Account, StateView},
    store::{BlockLog, Record},
    tx::{MAX_CODE, TxError},
};
use crate::{
    arbos::{self, l1},
    evm::{BlockParams, Outcome, Vm},
    genesis::{self, DevAccount},
};

/// The most gas a call or an estimate may use.
pub(crate) const CALL_GAS_CAP: u64 = 50_000_000;

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
    /// Make a block of what waits each time this has passed; `None` makes one with each transaction.
    pub block_time: Option<Duration>,
    /// The price of posting to the parent chain, wei per unit (16 units for each packed byte of a
    /// transaction). `None` leaves what the chain has; a new one starts with 0.
    pub l1_price_per_unit: Option<u128>,
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
            block_time: None,
            l1_price_per_unit: None,
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
    #[error("cannot make {0} blocks at once, only {MAX_BLOCKS}")]
    Blocks(u64),
    #[error("code of {0} bytes is over the limit of {MAX_CODE}")]
    Code(usize),
    #[error("cannot impersonate more than {MAX_IMPERSONATED} accounts")]
    Impersonated,
    #[error("no signer for {0}: this node holds no keys; impersonate the account first")]
    NoSigner(Address),
    #[error("{}", .0.error().unwrap_or_default())]
    Failing(Box<Outcome>),
    #[error("{0}")]
    Simulation(String),
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
    mining: watch::Sender<Mining>,
}
#[derive(Debug, Default)]
struct Writer {
    log: Option<BlockLog>,
    closed: bool,
    snapshots: Vec<Snapshot>,
    next_snapshot: u64,
    impersonated: Impersonated,
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
            mining: watch::Sender::new(config.block_time.map_or(Mining::Auto, Mining::Every)),
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
                Vec::new(),
                now(),
            )?;
        }
        if let Some(price) = config.l1_price_per_unit {
            chain.set_storage(arbos::ARBOS, l1::price_slot(), U256::from(price))?;
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

    /// The block to come, if it were made at `now`.
    fn next_params(&self, now: u64) -> BlockParams {
        let ledger = self.read();
        let newest = ledger.head().map_or(0, |head| head.timestamp());
        let genesis = ledger.block(0).map_or(0, |first| first.timestamp());
        let time = ledger.clock.next_time(now, newest);
        BlockParams {
            base_fee: ledger.clock.next_base_fee.unwrap_or(BASE_FEE),
            ..block::block_params(ledger.next_number(), time, l1_number(genesis, time))
        }
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
}

fn latest_account(ledger: &Ledger, address: Address) -> Account {
    ledger
        .state
        .account(address, ledger.state.version())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
