//! What a watcher has done: which events, and how much of its output is written. A file of its own for each contract, which
//! one process has at a time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{Result, schema, signed, unsigned};
use crate::domain::B256;

/// "PCIW".
const APPLICATION_ID: i64 = 0x5043_4957;
const STEPS: [&str; 1] = ["
    CREATE TABLE position (
        one   INTEGER PRIMARY KEY CHECK (one = 1),
        floor INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE done (
        tx      BLOB NOT NULL CHECK (length(tx) = 32),
        ordinal INTEGER NOT NULL,
        block   INTEGER NOT NULL,
        PRIMARY KEY (tx, ordinal)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX done_block ON done (block);

    CREATE TABLE output (
        name    BLOB PRIMARY KEY,
        written INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// One contract's watcher.
#[derive(Debug)]
pub struct WatchStore {
    db: Mutex<Connection>,
}

/// An event, wherever a reorganisation puts its transaction: its number among the contract's logs of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// The transaction's hash.
    pub tx: B256,
    /// From 0.
    pub ordinal: u64,
}

/// How much of an output file is written, and which file that is.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// The file's absolute name.
    pub name: &'a [u8],
    /// Its bytes.
    pub bytes: u64,
}

impl WatchStore {
    /// Opens the file, or makes an empty one that only its owner can read, and keeps other processes out.
    ///
    /// # Errors
    /// Those of [`super::Journal::open`]; [`super::Error::Sqlite`] if another process has it.
    pub fn open(path: &Path) -> Result<Self> {
        let db = schema::open_as(path, APPLICATION_ID, &STEPS)?;
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // The lock is taken with the first write.
        db.execute("DELETE FROM position WHERE one != 1", [])?;
        Ok(Self { db: Mutex::new(db) })
    }

    /// The first block whose events are not all done; `None` if nothing was watched yet.
    ///
    /// # Errors
    /// [`super::Error::Damaged`], [`super::Error::Sqlite`]
    pub fn floor(&self) -> Result<Option<u64>> {
        let db = self.db();
        let floor = db.query_row("SELECT floor FROM position", [], |row| row.get(0));
        floor
            .optional()?
            .map(|floor| unsigned("position.floor", floor))
            .transpose()
    }

    /// All events of the blocks before `floor` are done from now on.
    ///
    /// # Errors
    /// [`super::Error::TooLarge`], [`super::Error::Sqlite`]
    pub fn advance(&self, floor: u64) -> Result<()> {
        let floor = signed(floor)?;
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute(
            "INSERT OR REPLACE INTO position (one, floor) VALUES (1, ?1)",
            [floor],
        )?;
        tx.execute("DELETE FROM done WHERE block < ?1", [floor])?;
        tx.commit()?;
        Ok(())
    }

    /// Forgets everything that was done: the chain is another one.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
    pub fn forget(&self) -> Result<()> {
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("DELETE FROM position", [])?;
        tx.execute("DELETE FROM done", [])?;
        tx.commit()?;
        Ok(())
    }

    /// The events that are done, of the blocks from the floor on.
    ///
    /// # Errors
    /// [`super::Error::Damaged`], [`super::Error::Sqlite`]
    pub fn done(&self) -> Result<BTreeSet<EventId>> {
        let db = self.db();
        let mut query = db.prepare("SELECT tx, ordinal FROM done")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get(1)?)))?;
        rows.map(|row| {
            let (tx, ordinal) = row?;
            Ok(EventId {
                tx: B256::from(tx),
                ordinal: unsigned("done.ordinal", ordinal)?,
            })
        })
        .collect()
    }

    /// Events are done, and so much of an output file is written, both or neither.
    ///
    /// # Errors
    /// [`super::Error::TooLarge`], [`super::Error::Sqlite`]
    pub fn finish(&self, events: &[(EventId, u64)], written: Option<Written<'_>>) -> Result<()> {
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (id, block) in events {
            tx.execute(
                "INSERT OR REPLACE INTO done (tx, ordinal, block) VALUES (?1, ?2, ?3)",
                params![id.tx.0, signed(id.ordinal)?, signed(*block)?],
            )?;
        }
        if let Some(written) = written {
            tx.execute(
                "INSERT OR REPLACE INTO output (name, written) VALUES (?1, ?2)",
                params![written.name, signed(written.bytes)?],
            )?;
        }
        tx.commit()?;
        Ok(())
    }

    /// How many bytes of an output file are written with everything that they tell of done.
    ///
    /// # Errors
    /// [`super::Error::Damaged`], [`super::Error::Sqlite`]
    pub fn written(&self, name: &[u8]) -> Result<Option<u64>> {
        let db = self.db();
        let written = db.query_row(
            "SELECT written FROM output WHERE name = ?1",
            [name],
            |row| row.get(0),
        );
        written
            .optional()?
            .map(|bytes| unsigned("output.written", bytes))
            .transpose()
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Error;
    use super::*;

    #[test]
    fn what_is_done_stays_done_and_one_process_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watch.sqlite");
        let id = |tx, ordinal| EventId {
            tx: B256::repeat_byte(tx),
            ordinal,
        };
        let store = WatchStore::open(&path).unwrap();
        assert_eq!(store.floor().unwrap(), None);
        store.advance(7).unwrap();
        let written = Written {
            name: b"/out",
            bytes: 90,
        };
        store
            .finish(&[(id(1, 0), 7), (id(1, 1), 8)], Some(written))
            .unwrap();
        drop(store);
        let store = WatchStore::open(&path).unwrap();
        assert_eq!(store.floor().unwrap(), Some(7));
        assert_eq!(store.done().unwrap(), [id(1, 0), id(1, 1)].into());
        assert_eq!(store.written(b"/out").unwrap(), Some(90));
        assert_eq!(store.written(b"/other").unwrap(), None);
        assert!(matches!(WatchStore::open(&path), Err(Error::Sqlite(_))));
        store.advance(8).unwrap();
        assert_eq!(store.done().unwrap(), [id(1, 1)].into());
        store.forget().unwrap();
        assert_eq!(
            (store.floor().unwrap(), store.done().unwrap().len()),
            (None, 0)
        );
    }
}
