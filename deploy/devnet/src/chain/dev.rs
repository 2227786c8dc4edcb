//! The powers that only a development chain gives its users: time, edits, snapshots, other people's names.

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, Signature, U256, keccak256};

use super::{
    call::Call,
    clock::{Clock, Mining, now},
    core::{Chain, Snapshot, Writer, latest_account},
    error::Error,
    limits::{MAX_BLOCKS, MAX_IMPERSONATED, MAX_SNAPSHOTS},
    state::{Account, Changes},
    store::{BlockLog, LogRecord},
    tx::{MAX_CODE, Transaction, TxError, eip1559},
};

/// A call with all its fields.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) call: Call,
    pub(crate) nonce: u64,
    pub(crate) gas: u64,
}

impl Filled {
    /// The transaction that it makes.
    pub(crate) fn unsigned(&self, chain_id: u64) -> TxEip1559 {
        eip1559(chain_id, &self.call, self.nonce, self.gas)
    }
}

impl Chain {
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

    /// Sets the base fee of the next block, wei per gas; the one after it has the usual one.
    pub(crate) fn set_next_base_fee(&self, fee: u64) -> Result<(), Error> {
        let mut writer = self.lock();
        let clock = Clock {
            next_base_fee: Some(fee),
            ..self.read().clock
        };
        self.set_clock(&mut writer, clock)
    }

    pub(super) fn set_time(&self, writer: &mut Writer, time: u64) -> Result<(), Error> {
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
        writer.record(&LogRecord::Clock(clock))?;
        self.write(|ledger| ledger.clock = clock);
        Ok(())
    }

    /// Sets what blocks to come state: their gas limit, the account they are made by, the seconds between them.
    pub(crate) fn set_blocks(&self, change: impl FnOnce(&mut Clock)) -> Result<(), Error> {
        let mut writer = self.lock();
        let mut clock = self.read().clock;
        change(&mut clock);
        self.set_clock(&mut writer, clock)
    }

    /// Undoes the last `depth` blocks, and the snapshots made since. Transactions that wait stay.
    pub(crate) fn roll_back(&self, depth: u64) -> Result<(), Error> {
        let mut writer = self.lock();
        let to = {
            let ledger = self.read();
            let newest = ledger.head().map_or(0, |head| head.number());
            let to = newest.checked_sub(depth).ok_or(Error::NoBlock)?;
            ledger.version_at(to).ok_or(Error::NoBlock)?;
            to
        };
        writer.record(&LogRecord::RolledBack { to })?;
        writer
            .snapshots
            .retain(|snapshot| snapshot.mark.next() <= to + 1);
        self.write(|ledger| ledger.roll_back(to));
        Ok(())
    }

    /// Replaces the last `depth` blocks by as many new ones; each transaction goes into the block of its number.
    pub(crate) fn reorganize(&self, depth: u64, txs: Vec<(Bytes, u64)>) -> Result<(), Error> {
        if depth > MAX_BLOCKS {
            return Err(Error::Blocks(depth));
        }
        self.roll_back(depth)?;
        let mode = self.mining.send_replace(Mining::Manual);
        let made = (0..depth).try_for_each(|nth| {
            for (raw, _) in txs.iter().filter(|(_, at)| *at == nth) {
                self.submit(raw.clone())?;
            }
            self.mine(None)
        });
        self.mining.send_replace(mode);
        made
    }

    /// The whole state, to be loaded again.
    pub(crate) fn dump(&self) -> Result<Changes, Error> {
        let ledger = self.read();
        if ledger.state.source().is_some() {
            return Err(Error::NotHere);
        }
        let version = ledger.state.version();
        let accounts = ledger.state.accounts(version);
        let codes = accounts.values().map(|account| account.code_hash);
        let code = |hash| Some((hash, ledger.state.code(hash)?.original_bytes()));
        Ok(Changes {
            code: codes.filter_map(code).collect(),
            accounts: accounts
                .into_iter()
                .map(|(a, account)| (a, Some(account)))
                .collect(),
            storage: (ledger.state.all_storage(version).into_iter())
                .map(|(address, slots)| (address, slots.into_iter().collect()))
                .collect(),
        })
    }

    /// Writes a dumped state over the present one.
    pub(crate) fn load(&self, changes: Changes) -> Result<(), Error> {
        self.edit(&mut self.lock(), changes)
    }

    /// Makes `blocks` blocks, each `interval` seconds after the one before it.
    pub(crate) fn mine_many(&self, blocks: u64, interval: u64) -> Result<(), Error> {
        if blocks > MAX_BLOCKS {
            return Err(Error::Blocks(blocks));
        }
        let mut writer = self.lock();
        for nth in 0..blocks {
            if nth > 0 && interval > 0 {
                let newest = self.read().head().map_or(0, |head| head.timestamp());
                self.set_time(&mut writer, newest.saturating_add(interval))?;
            }
            self.make_block(&mut writer)?;
        }
        Ok(())
    }

    /// Chooses when blocks are made. Held transactions are mined when that turns to at once.
    pub(crate) fn set_mining(&self, mining: Mining) -> Result<(), Error> {
        let mut writer = self.lock();
        let was = self.mining.send_replace(mining);
        if mining == Mining::Auto && was != Mining::Auto {
            let waits = {
                let ledger = self.read();
                let nonce = |who| latest_account(&ledger, who).nonce;
                !ledger.pool.ready(nonce).is_empty()
            };
            if waits {
                self.make_block(&mut writer)?;
            }
        }
        Ok(())
    }

    /// Sets an account's balance, wei, in the latest state.
    pub(crate) fn set_balance(&self, address: Address, balance: U256) -> Result<(), Error> {
        self.edit_account(address, |account, _| account.balance = balance)
    }

    /// Sets an account's nonce in the latest state; held transactions below it are dropped.
    pub(crate) fn set_nonce(&self, address: Address, nonce: u64) -> Result<(), Error> {
        self.edit_account(address, |account, _| account.nonce = nonce)
    }

    /// Sets an account's code in the latest state.
    pub(crate) fn set_code(&self, address: Address, code: Bytes) -> Result<(), Error> {
        if code.len() > MAX_CODE {
            return Err(Error::Code(code.len()));
        }
        self.edit_account(address, |account, changes| {
            account.code_hash = keccak256(&code);
            if !code.is_empty() {
                changes.code.insert(account.code_hash, code);
            }
        })
    }

    /// Sets a slot of an account's storage in the latest state.
    pub(crate) fn set_storage(
        &self,
        address: Address,
        slot: U256,
        value: U256,
    ) -> Result<(), Error> {
        let changes = Changes {
            storage: [(address, vec![(slot, value)])].into(),
            ..Changes::default()
        };
        self.edit(&mut self.lock(), changes)
    }

    fn edit_account(
        &self,
        address: Address,
        change: impl FnOnce(&mut Account, &mut Changes),
    ) -> Result<(), Error> {
        let mut writer = self.lock();
        let mut account = latest_account(&self.read(), address);
        let mut changes = Changes::default();
        change(&mut account, &mut changes);
        let account = (account != Account::default()).then_some(account);
        changes.accounts.insert(address, account);
        self.edit(&mut writer, changes)
    }

    pub(super) fn edit(&self, writer: &mut Writer, changes: Changes) -> Result<(), Error> {
        let root = self.read().root_after(&changes)?;
        writer.record(&LogRecord::Edit(changes.clone()))?;
        self.write(|ledger| ledger.edit(&changes, root));
        Ok(())
    }

    /// Takes a held transaction out of the pool; `false` if it holds none of that hash.
    pub(crate) fn drop_transaction(&self, hash: &B256) -> Result<bool, Error> {
        let mut writer = self.lock();
        let held = {
            let ledger = self.read();
            let held = ledger.pool.get(hash);
            held.map(|tx| (tx.from, tx.nonce()))
        };
        match held {
            Some((from, nonce)) => self.forget(&mut writer, from, nonce).map(|()| true),
            None => Ok(false),
        }
    }

    /// Takes all held transactions out of the pool, or those of one sender.
    pub(crate) fn drop_transactions(&self, sender: Option<Address>) -> Result<(), Error> {
        let mut writer = self.lock();
        let held: Vec<_> = {
            let ledger = self.read();
            let all = ledger.pool.all().map(|tx| (tx.from, tx.nonce()));
            all.filter(|(from, _)| sender.is_none_or(|sender| sender == *from))
                .collect()
        };
        for (from, nonce) in held {
            self.forget(&mut writer, from, nonce)?;
        }
        Ok(())
    }

    /// Takes an account's transactions without a signature from now on, or no longer.
    pub(crate) fn impersonate(&self, address: Address, wanted: bool) -> Result<(), Error> {
        let accounts = &mut self.lock().impersonated.accounts;
        if !wanted {
            accounts.remove(&address);
            return Ok(());
        }
        if accounts.len() >= MAX_IMPERSONATED && !accounts.contains(&address) {
            return Err(Error::Impersonated);
        }
        accounts.insert(address);
        Ok(())
    }

    /// Takes everybody's transactions without a signature, or only those of the accounts named.
    pub(crate) fn impersonate_everybody(&self, wanted: bool) {
        self.lock().impersonated.everybody = wanted;
    }

    /// The accounts that the node signs for.
    pub(crate) fn signers(&self) -> Vec<Address> {
        self.signers.iter().map(|(address, _)| *address).collect()
    }

    /// Signs a hash for an account.
    pub(crate) fn sign_hash(&self, from: Address, hash: B256) -> Result<Signature, Error> {
        let own = self.signers.iter().find(|(address, _)| *address == from);
        let (_, key) = own.ok_or(Error::NoSigner(from))?;
        let signed = key.sign_prehash_recoverable(hash.as_slice());
        Ok(signed.map_err(|_| Error::NoSigner(from))?.into())
    }

    /// Fills in the fields that `call` leaves open: the next free nonce, an estimate of the gas, twice the base fee.
    pub(crate) fn fill(&self, call: Call) -> Result<Filled, Error> {
        if !call.authorizations.is_empty() {
            return Err(TxError::Type.into());
        }
        let base_fee = self.next_params(now()).base_fee;
        let gas_price = match call.gas_price {
            0 => 2 * u128::from(base_fee),
            price => price,
        };
        let nonce = call.nonce.unwrap_or_else(|| self.pending_nonce(call.from));
        let call = Call { gas_price, ..call };
        let gas = match call.gas {
            Some(gas) => gas,
            None => self.gas_for(&call)?,
        };
        Ok(Filled { call, nonce, gas })
    }

    /// Signs the transaction that a call of one of the node's own accounts makes.
    pub(crate) fn sign_transaction(&self, call: Call) -> Result<Transaction, Error> {
        let from = call.from;
        if !self.signers().contains(&from) {
            return Err(Error::NoSigner(from));
        }
        let filled = self.fill(call)?;
        let hash = filled.unsigned(self.chain_id).signature_hash();
        let signature = self.sign_hash(from, hash)?;
        let Filled { call, nonce, gas } = &filled;
        let chain_id = self.chain_id;
        Ok(Transaction::with_signature(
            chain_id, call, *nonce, *gas, signature,
        ))
    }

    /// Takes a transaction of an impersonated account, which nobody signed, or of one that the node signs for.
    pub(crate) fn send_unsigned(&self, call: Call) -> Result<B256, Error> {
        let from = call.from;
        let impersonated = {
            let impersonated = &self.lock().impersonated;
            impersonated.everybody || impersonated.accounts.contains(&from)
        };
        if !impersonated {
            return self.accept(self.sign_transaction(call)?);
        }
        let Filled { call, nonce, gas } = self.fill(call)?;
        self.accept(Transaction::unsigned(self.chain_id, &call, nonce, gas))
    }

    /// The nonce that an account's next transaction takes, after those that wait.
    pub(crate) fn pending_nonce(&self, address: Address) -> u64 {
        let ledger = self.read();
        let nonce = latest_account(&ledger, address).nonce;
        ledger.pool.next_free(address, nonce)
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
}
