//! The index: one contract's logs in one file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;

use crate::audit::error::{Error, Result};
use crate::audit::row::{signed, unsigned};
use crate::audit::store::{self, Known};
use pcim_core::{Address, B256};

/// One contract's logs. Several processes may have it open.
#[derive(Debug)]
pub struct Index {
    db: Mutex<Connection>,
    chain_id: u64,
    contract: Address,
    rebuilt: Option<String>,
}

/// How far the index has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// The last block that was read; `None` if none was.
    pub block: Option<u64>,
    /// Its hash.
    pub block_hash: Option<B256>,
    /// Its time, unix seconds.
    pub block_time: u64,
    /// When it was read, unix seconds of this machine's clock.
    pub synced_at: u64,
    /// How many entries there are.
    pub entries: u64,
}

impl Index {
    /// Opens the index of a contract, or makes an empty one that only its owner can read. A file that is damaged or of
    /// another version is emptied: [`Index::rebuilt`] says why.
    ///
    /// # Errors
    /// [`Error::OtherContract`], [`Error::Io`], [`Error::Sqlite`]
    pub fn open(path: &Path, chain_id: u64, contract: Address) -> Result<Self> {
        let (db, rebuilt) = match store::open(path)? {
            Ok(db) => (db, None),
            Err(reason) => {
                clear(path)?;
                match store::open(path)? {
                    Ok(db) => (db, Some(reason)),
                    Err(again) => return Err(Error::Damaged(again)),
                }
            }
        };
        let index = Self {
            db: Mutex::new(db),
            chain_id,
            contract,
            rebuilt,
        };
        index.claim(path)?;
        Ok(index)
    }

    /// Says why the file was emptied when it was opened, if it was: everything is read from the chain again.
    pub fn rebuilt(&self) -> Option<&str> {
        self.rebuilt.as_deref()
    }

    /// Returns the EIP-155 chain id.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Returns the contract's address.
    pub fn contract(&self) -> Address {
        self.contract
    }

    /// Says how far the index has come.
    ///
    /// # Errors
    /// [`Error::Sqlite`], as every method.
    pub fn freshness(&self) -> Result<Freshness> {
        let db = self.db();
        let synced_at = db.query_row("SELECT synced_at FROM source", [], |row| unsigned(row, 0))?;
        let entries = db.query_row("SELECT count(*) FROM log", [], |row| unsigned(row, 0))?;
        let last = last_known(&db, i64::MAX)?;
        Ok(Freshness {
            block: last.map(|known| known.number),
            block_hash: last.map(|known| known.hash),
            block_time: last.map_or(0, |known| known.time),
            synced_at,
            entries,
        })
    }

    /// Says whose index a new file is, or whether an old one is of this contract.
    fn claim(&self, path: &Path) -> Result<()> {
        let wanted = (signed("chain id", self.chain_id)?, self.contract.0.0);
        let found = self.write(|tx| {
            tx.execute(
                "INSERT INTO source VALUES (1, ?1, ?2, 0) ON CONFLICT (one) DO NOTHING",
                params![wanted.0, wanted.1],
            )?;
            Ok(
                tx.query_row("SELECT chain_id, contract FROM source", [], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 20]>(1)?))
                })?,
            )
        })?;
        let named =
            |(chain, contract): (i64, [u8; 20])| format!("{chain}-{}", Address::from(contract));
        if found != wanted {
            return Err(Error::OtherContract {
                path: path.into(),
                wanted: named(wanted),
                found: named(found),
            });
        }
        Ok(())
    }

    /// A panic elsewhere leaves at most an open transaction, which SQLite has rolled back.
    pub(super) fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a transaction that holds the write lock from its start.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }
}

/// The last block that is known, not above a number.
pub(super) fn last_known(db: &Connection, not_above: i64) -> Result<Option<Known>> {
    known(db, not_above, 0)
}

/// Finds a known block, a number of known blocks before the last one that is not above a height.
pub(super) fn known(db: &Connection, not_above: i64, back: u64) -> Result<Option<Known>> {
    let known = db.query_row(
        "SELECT number, hash, time FROM block WHERE number <= ?1
         ORDER BY number DESC LIMIT 1 OFFSET ?2",
        [not_above, signed("offset", back)?],
        |row| {
            Ok(Known {
                number: unsigned(row, 0)?,
                hash: B256::from(row.get::<_, [u8; 32]>(1)?),
                time: unsigned(row, 2)?,
            })
        },
    );
    Ok(known.optional()?)
}

/// Removes the file and SQLite's side files.
fn clear(path: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let file = PathBuf::from(name);
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Io { path: file, source });
            }
            _ => {}
        }
    }
    Ok(())
}
