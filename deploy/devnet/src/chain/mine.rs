//! Transactions on their way into blocks: at once, on request, or by the clock.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes};
use revm::DatabaseRef as _;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{
    block::{self, HeaderInfo, Mined, Receipt},
    clock::{Mining, now},
    core::{Chain, Writer, latest_account},
    error::Error,
    fork,
    overrides::Overlay,
    state::Changes,
    store::{LogRecord, StoredTx},
    tx::{Transaction, TxError, intrinsic_gas},
    view::StateView,
};
use crate::{
    arbos::{self, l1, outbox, version},
    evm::{BlockParams, Mode, Status, TxParams},
};

/// Gas after which a block takes no further transaction; the last one may go beyond.
const BLOCK_GAS: u64 = 32_000_000;
/// The shortest time between two blocks made by the clock.
const MIN_PERIOD: Duration = Duration::from_millis(1);

impl Chain {
    /// Takes a signed transaction (EIP-2718 bytes).
    pub(crate) fn submit(&self, raw: Bytes) -> Result<B256, Error> {
        self.accept(Transaction::decode(raw, self.chain_id)?)
    }

    /// Mines a transaction, or holds it for a later block or until its nonce's turn comes.
    pub(super) fn accept(&self, tx: Transaction) -> Result<B256, Error> {
        let (hash, from) = (tx.hash(), tx.from);
        let mut writer = self.lock();
        if writer.closed {
            return Err(Error::Closed);
        }
        let params = self.next_params(now());
        let auto = *self.mining.borrow() == Mining::Auto;
        let at_once = {
            let ledger = self.read();
            if ledger.find_tx(&hash).is_some() || ledger.pool.get(&hash).is_some() {
                return Err(TxError::Known.into());
            }
            let account = latest_account(&ledger, from);
            self.unread()?;
            tx.check(&account, params.base_fee, params.gas_limit)?;
            let at_once = auto && tx.nonce() == account.nonce;
            if !at_once {
                ledger.pool.check(&tx)?;
            }
            at_once
        };
        if !at_once {
            let run = self.params(&self.latest(), &params, &tx);
            let want = intrinsic_gas(&run).saturating_add(run.poster_gas);
            if run.gas_limit < want {
                let have = run.gas_limit;
                return Err(TxError::Intrinsic { have, want }.into());
            }
            writer.record(&LogRecord::Queued {
                raw: tx.raw.clone(),
                from,
            })?;
            self.write(|ledger| ledger.queue(tx));
            return Ok(hash);
        }
        self.mine_alone(&mut writer, tx)?;
        // Those that waited for this nonce follow; one that cannot be mined any more is dropped.
        loop {
            let next = {
                let ledger = self.read();
                let nonce = latest_account(&ledger, from).nonce;
                ledger.pool.next(from, nonce).cloned()
            };
            let Some(next) = next else { break };
            let (next_hash, nonce) = (next.hash(), next.nonce());
            if let Err(error) = self.mine_alone(&mut writer, next) {
                tracing::warn!(%error, hash = %next_hash, "a held transaction cannot be mined");
                if matches!(error, Error::Tx(_)) {
                    self.forget(&mut writer, from, nonce)?;
                }
                break;
            }
        }
        Ok(hash)
    }

    /// Makes a block of the transactions that wait, at `time` if given (unix seconds).
    pub(crate) fn mine(&self, time: Option<u64>) -> Result<(), Error> {
        let mut writer = self.lock();
        if let Some(time) = time {
            self.set_time(&mut writer, time)?;
        }
        self.make_block(&mut writer)
    }

    /// Takes a held transaction out of the pool.
    pub(super) fn forget(
        &self,
        writer: &mut Writer,
        from: Address,
        nonce: u64,
    ) -> Result<(), Error> {
        writer.record(&LogRecord::Dropped { from, nonce })?;
        self.write(|ledger| ledger.pool.take(from, nonce));
        Ok(())
    }

    /// A block with this transaction and no other.
    fn mine_alone(&self, writer: &mut Writer, tx: Transaction) -> Result<(), Error> {
        let now = now();
        let params = self.next_params(now);
        let mut db = self.latest();
        let mut changes = upgrade(&mut db, params.timestamp);
        let (mined, wrote) = self.execute(&db, &params, tx)?;
        changes.merge(wrote);
        self.seal(writer, &params, changes, vec![mined], now)
    }

    /// A block with the transactions whose turn it is, in the order they came.
    pub(super) fn make_block(&self, writer: &mut Writer) -> Result<(), Error> {
        let now = now();
        let params = self.next_params(now);
        let mut db = self.latest();
        let ready = {
            let ledger = self.read();
            let nonce = |who| latest_account(&ledger, who).nonce;
            ledger.pool.ready(nonce)
        };
        let mut changes = upgrade(&mut db, params.timestamp);
        let (mut mined, mut gas) = (Vec::new(), 0_u64);
        // Senders whose later nonces have to wait.
        let mut stuck = HashSet::new();
        for tx in ready {
            let (from, nonce) = (tx.from, tx.nonce());
            if gas >= BLOCK_GAS.min(params.gas_limit) {
                break;
            }
            let affordable = tx.envelope.max_fee_per_gas() >= u128::from(params.base_fee);
            if stuck.contains(&from) || !affordable {
                stuck.insert(from);
                continue;
            }
            let hash = tx.hash();
            match self.execute(&db, &params, tx) {
                Ok((one, wrote)) => {
                    gas = gas.saturating_add(one.receipt.gas_used);
                    db.absorb(&wrote);
                    changes.merge(wrote);
                    mined.push(one);
                }
                Err(error) => {
                    tracing::warn!(%error, %hash, "a held transaction cannot be mined");
                    stuck.insert(from);
                    self.forget(writer, from, nonce)?;
                }
            }
        }
        self.seal(writer, &params, changes, mined, now)
    }

    /// The newest state.
    fn latest(&self) -> Overlay<StateView> {
        let version = self.read().state.version();
        Overlay::new(self.view(version), HashMap::new())
    }

    /// How a transaction runs in a block.
    fn params(&self, db: &Overlay<StateView>, block: &BlockParams, tx: &Transaction) -> TxParams {
        let price = arbos::l1_price(db);
        let tips = db.storage_ref(arbos::ARBOS, arbos::tips_slot());
        let gas_price = match tips.unwrap_or_default().is_zero() {
            true => block.base_fee,
            false => tx.effective_gas_price(block.base_fee),
        };
        TxParams {
            poster_gas: l1::poster_gas(price, &tx.raw, gas_price),
            ..tx.params()
        }
    }

    fn execute(
        &self,
        db: &Overlay<StateView>,
        block: &BlockParams,
        tx: Transaction,
    ) -> Result<(Mined, Changes), TxError> {
        let run = self.params(db, block, &tx);
        let outcome = self.vm.transact(db, block, &run, Mode::Transaction);
        if let Some(failure) = fork::failure() {
            return Err(TxError::Unread(failure));
        }
        let outcome = outcome?;
        let receipt = Receipt {
            success: outcome.status == Status::Success,
            gas_used: outcome.gas_used,
            gas_used_for_l1: run.poster_gas,
            contract: tx.creates(),
            logs: outcome.logs,
        };
        Ok((Mined { tx, receipt }, Changes::from_evm(outcome.state)))
    }

    /// Makes a block, has it on disk, shows it.
    pub(super) fn seal(
        &self,
        writer: &mut Writer,
        params: &BlockParams,
        mut changes: Changes,
        mined: Vec<Mined>,
        now: u64,
    ) -> Result<(), Error> {
        let (header, clock) = {
            let ledger = self.read();
            // Every callee comes with its code; code that the state has need not be written again.
            changes
                .code
                .retain(|hash, _| ledger.state.code(*hash).is_none());
            let parent = ledger.head().map_or(B256::ZERO, |head| head.hash);
            let root = ledger.root_after(&changes)?;
            let newest = ledger.state.version();
            let read = |slot| {
                let old = || ledger.state.storage(arbos::ARBOS, slot, newest);
                changes.slot(arbos::ARBOS, slot).unwrap_or_else(old)
            };
            let info = HeaderInfo {
                sends: outbox::sends(read),
                arbos: read(version::version_slot()).saturating_to(),
                tips: !read(arbos::tips_slot()).is_zero(),
            };
            let header = block::header(parent, params, root, info, &mined);
            (header, ledger.clock.after(now, params.timestamp))
        };
        let txs = mined.iter().map(|mined| StoredTx {
            raw: mined.tx.raw.clone(),
            from: mined.tx.from,
            receipt: mined.receipt.clone(),
        });
        let record = LogRecord::Block {
            header: alloy_rlp::encode(&header).into(),
            txs: txs.collect(),
            changes,
            clock,
        };
        writer.record(&record)?;
        let LogRecord::Block { changes, .. } = record else {
            return Ok(());
        };
        self.write(|ledger| {
            ledger.push(header, mined, &changes);
            ledger.clock = clock;
        });
        Ok(())
    }
}

/// Takes the steps to a newer ArbOS that are due at `time`, in `db` and as the changes that a block begins with.
pub(super) fn upgrade(db: &mut Overlay<StateView>, time: u64) -> Changes {
    let read = |slot| db.storage_ref(arbos::ARBOS, slot).unwrap_or_default();
    let Some(upgrade) = version::due(read, time) else {
        return Changes::default();
    };
    let mut changes = Changes::default();
    let mut slots = upgrade.slots;
    slots.sort_unstable();
    changes.storage.insert(arbos::ARBOS, slots);
    for address in upgrade.precompiles {
        changes.put_code(address, 0, Bytes::from_static(&[0xfe]));
    }
    db.absorb(&changes);
    changes
}

/// Makes blocks by the clock while [`Mining::Every`] is in force; ends when the chain is closed.
pub(crate) async fn by_the_clock(chain: Arc<Chain>) {
    let mut mining = chain.mining.subscribe();
    loop {
        let mode = *mining.borrow_and_update();
        let ended = match mode {
            Mining::Every(period) => ticking(&chain, period.max(MIN_PERIOD), &mut mining).await,
            Mining::Auto | Mining::Manual => mining.changed().await.is_err(),
        };
        if ended {
            return;
        }
    }
}

/// Makes a block every `period` until the mode changes (`false`) or the chain is closed (`true`).
async fn ticking(
    chain: &Arc<Chain>,
    period: Duration,
    mining: &mut watch::Receiver<Mining>,
) -> bool {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = mining.changed() => return changed.is_err(),
        }
        let worker = chain.clone();
        match tokio::task::spawn_blocking(move || worker.mine(None)).await {
            Ok(Ok(())) => {}
            Ok(Err(Error::Closed)) => return true,
            Ok(Err(error)) => tracing::error!(%error, "no block could be made"),
            Err(error) => tracing::error!(%error, "no block could be made"),
        }
    }
}
