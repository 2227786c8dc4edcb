//! The store of a watcher: the events that are done, and how much of its output is written. A file of its own for each
//! contract, which one process has at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};

use crate::operation::journal::error::{Error, Result};
use crate::operation::journal::schema;
use crate::operation::journal::{signed, unsigned};
use pcim_core::B256;

/// "PCIW".
const APPLICATION_ID: i64 = 0x5043_4957;
const TABLES: &str = "
    CREATE TABLE position (
        one   INTEGER PRIMARY KEY CHECK (one = 1),
        floor INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE origin (
        one   INTEGER PRIMARY KEY CHECK (one = 1),
        block INTEGER NOT NULL,
        hash  BLOB NOT NULL CHECK (length(hash) = 32)
    ) STRICT;

    CREATE TABLE event (
        tx      BLOB NOT NULL CHECK (length(tx) = 32),
        ordinal INTEGER NOT NULL,
        what    BLOB NOT NULL CHECK (length(what) = 32),
        block   INTEGER NOT NULL,
        missing INTEGER,
        told    TEXT,
        PRIMARY KEY (tx, ordinal, what)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX event_block ON event (block);

    CREATE TABLE program (
        rule TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE output (
        name    BLOB PRIMARY KEY,
        written INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// One contract's watcher.
#[derive(Debug)]
pub struct WatchStore {
    db: Mutex<Connection>,
}

/// An event, wherever a reorganisation puts its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// The transaction's hash.
    pub tx: B256,
    /// Its number among the contract's logs of the transaction, from 0.
    pub ordinal: u64,
    /// A hash of what it says: in another order the same transaction may come to something else.
    pub what: B256,
}

/// The record of an event that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its block, or the last one that it had.
    pub block: u64,
    /// Since when it is in no block, unix seconds of this machine's clock.
    pub missing: Option<u64>,
    /// True if anything was reported of it.
    pub told: bool,
}

/// An event that is done now.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Which.
    pub id: EventId,
    /// Its block; `None` if what is done is that it was taken back, and it is to be forgotten.
    pub block: Option<u64>,
    /// The report of it, JSON.
    pub told: Option<String>,
}

/// How much of an output file is written, and which file that is.
#[derive(Clone, Copy, Debug)]
pub struct WrittenOutput<'a> {
    /// The file's absolute name.
    pub name: &'a [u8],
    /// Its bytes.
    pub bytes: u64,
}

impl WatchStore {
    /// Opens the file, or makes an empty one that only its owner can read, and keeps other processes out.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has it; those of [`super::Journal::open`].
    pub fn open(path: &Path) -> Result<Self> {
        let open = || -> Result<Connection> {
            let db = schema::open_as(path, APPLICATION_ID, &[TABLES])?;
            db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            // The lock is taken with the first write.
            db.execute("DELETE FROM position WHERE one != 1", [])?;
            Ok(db)
        };
        let db = open().map_err(|error| match error {
            Error::Sqlite(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                Error::InUse { path: path.into() }
            }
            other => other,
        })?;
        Ok(Self { db: Mutex::new(db) })
    }

    /// Reads the first block whose events are not all done; `None` if nothing was watched yet.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Sqlite`]
    pub fn floor(&self) -> Result<Option<u64>> {
        let db = self.db();
        let floor = db.query_row("SELECT floor FROM position", [], |row| row.get(0));
        floor
            .optional()?
            .map(|floor| unsigned("position.floor", floor))
            .transpose()
    }

    /// Records that all events of the blocks before `floor` are done.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Sqlite`]
    pub fn advance(&self, floor: u64) -> Result<()> {
        let floor = signed(floor)?;
        self.write(|tx| {
            tx.execute(
                "INSERT INTO position (one, floor) VALUES (1, ?1)
                 ON CONFLICT (one) DO UPDATE SET floor = excluded.floor",
                [floor],
            )?;
            // What is missing may come back anywhere.
            tx.execute(
                "DELETE FROM event WHERE block < ?1 AND missing IS NULL",
                [floor],
            )?;
            Ok(())
        })
    }

    /// Finds the block that the contract's history begins with, if it is recorded: its number and its hash.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Sqlite`]
    pub fn origin(&self) -> Result<Option<(u64, B256)>> {
        let db = self.db();
        let origin = db.query_row("SELECT block, hash FROM origin", [], |row| {
            Ok((row.get(0)?, row.get::<_, [u8; 32]>(1)?))
        });
        let Some((block, hash)) = origin.optional()? else {
            return Ok(None);
        };
        Ok(Some((unsigned("origin.block", block)?, B256::from(hash))))
    }

    /// Notes the block that the contract's history begins with.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Sqlite`]
    pub fn set_origin(&self, block: u64, hash: B256) -> Result<()> {
        self.db().execute(
            "INSERT OR REPLACE INTO origin (one, block, hash) VALUES (1, ?1, ?2)",
            params![signed(block)?, hash.0],
        )?;
        Ok(())
    }

    /// Forgets everything that was done: the chain is another one.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn forget(&self) -> Result<()> {
        self.write(|tx| {
            tx.execute_batch(
                "DELETE FROM position; DELETE FROM origin; DELETE FROM event; DELETE FROM program;",
            )?;
            Ok(())
        })
    }

    /// Reads the events that are done, of the blocks from the floor on, and those that are missing.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Sqlite`]
    pub fn done(&self) -> Result<BTreeMap<EventId, Noted>> {
        let db = self.db();
        let mut query =
            db.prepare("SELECT tx, ordinal, what, block, missing, told IS NOT NULL FROM event")?;
        let rows = query.query_map([], |row| {
            Ok((
                row.get::<_, [u8; 32]>(0)?,
                row.get(1)?,
                row.get::<_, [u8; 32]>(2)?,
                row.get(3)?,
                row.get::<_, Option<i64>>(4)?,
                row.get(5)?,
            ))
        })?;
        rows.map(|row| {
            let (tx, ordinal, what, block, missing, told) = row?;
            let id = EventId {
                tx: B256::from(tx),
                ordinal: unsigned("event.ordinal", ordinal)?,
                what: B256::from(what),
            };
            let missing = missing.map(|since| unsigned("event.missing", since));
            let noted = Noted {
                block: unsigned("event.block", block)?,
                missing: missing.transpose()?,
                told,
            };
            Ok((id, noted))
        })
        .collect()
    }

    /// Finds the report of an event, JSON.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn told(&self, id: &EventId) -> Result<Option<String>> {
        let db = self.db();
        let told = db.query_row(
            "SELECT told FROM event WHERE tx = ?1 AND ordinal = ?2 AND what = ?3",
            params![id.tx.0, signed(id.ordinal)?, id.what.0],
            |row| row.get(0),
        );
        Ok(told.optional()?.flatten())
    }

    /// Events are done, and so much of an output file is written, all of it or nothing.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Sqlite`]
    pub fn finish(&self, events: &[Finished], written: Option<WrittenOutput<'_>>) -> Result<()> {
        self.write(|tx| {
            for event in events {
                let (id, ordinal) = (&event.id, signed(event.id.ordinal)?);
                match event.block {
                    Some(block) => tx.execute(
                        "INSERT OR REPLACE INTO event (tx, ordinal, what, block, told)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                        params![id.tx.0, ordinal, id.what.0, signed(block)?, event.told],
                    )?,
                    None => tx.execute(
                        "DELETE FROM event WHERE tx = ?1 AND ordinal = ?2 AND what = ?3",
                        params![id.tx.0, ordinal, id.what.0],
                    )?,
                };
            }
            write_down(tx, written)
        })
    }

    /// Notes what a reorganisation did to events that are done.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Sqlite`]
    pub fn follow(&self, moved: &[(EventId, Noted)]) -> Result<()> {
        if moved.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            let mut update = tx.prepare(
                "UPDATE event SET block = ?4, missing = ?5
                 WHERE tx = ?1 AND ordinal = ?2 AND what = ?3",
            )?;
            for (id, noted) in moved {
                update.execute(params![
                    id.tx.0,
                    signed(id.ordinal)?,
                    id.what.0,
                    signed(noted.block)?,
                    noted.missing.map(signed).transpose()?,
                ])?;
            }
            Ok(())
        })
    }

    /// Lists the rules that have reported the program's end; of them only those that are among the `near` ones are kept.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn told_of_program(&self, near: &BTreeSet<&str>) -> Result<BTreeSet<String>> {
        self.write(|tx| {
            let told: BTreeSet<String> = tx
                .prepare("SELECT rule FROM program")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for rule in told.iter().filter(|rule| !near.contains(rule.as_str())) {
                tx.execute("DELETE FROM program WHERE rule = ?1", [rule])?;
            }
            Ok(told)
        })
    }

    /// Records that a rule has reported the program's end, and how much of an output file is written, both or neither.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Sqlite`]
    pub fn tell_of_program(&self, rule: &str, written: Option<WrittenOutput<'_>>) -> Result<()> {
        self.write(|tx| {
            tx.execute("INSERT OR REPLACE INTO program (rule) VALUES (?1)", [rule])?;
            write_down(tx, written)
        })
    }

    /// Says how many bytes of an output file are written whose events are all done.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Sqlite`]
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

    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }
}

fn write_down(tx: &Transaction<'_>, written: Option<WrittenOutput<'_>>) -> Result<()> {
    if let Some(written) = written {
        tx.execute(
            "INSERT OR REPLACE INTO output (name, written) VALUES (?1, ?2)",
            params![written.name, signed(written.bytes)?],
        )?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(tx: u8, ordinal: u64) -> EventId {
        EventId {
            tx: B256::repeat_byte(tx),
            ordinal,
            what: B256::repeat_byte(9),
        }
    }

    fn finished(id: EventId, block: u64, told: Option<&str>) -> Finished {
        Finished {
            id,
            block: Some(block),
            told: told.map(str::to_owned),
        }
    }

    fn noted(block: u64, told: bool) -> Noted {
        Noted {
            block,
            missing: None,
            told,
        }
    }

    #[test]
    fn what_is_done_stays_done_and_one_process_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watch.sqlite");
        let store = WatchStore::open(&path).unwrap();
        assert_eq!(
            (store.floor().unwrap(), store.origin().unwrap()),
            (None, None)
        );
        store.advance(7).unwrap();
        store.set_origin(2, B256::repeat_byte(3)).unwrap();
        let written = WrittenOutput {
            name: b"/out",
            bytes: 90,
        };
        let events = [
            finished(id(1, 0), 7, None),
            finished(id(1, 1), 8, Some("[1]")),
        ];
        store.finish(&events, Some(written)).unwrap();
        drop(store);
        let store = WatchStore::open(&path).unwrap();
        assert_eq!(store.floor().unwrap(), Some(7));
        let done = [(id(1, 0), noted(7, false)), (id(1, 1), noted(8, true))];
        assert_eq!(store.done().unwrap(), done.into());
        assert_eq!(store.told(&id(1, 1)).unwrap().as_deref(), Some("[1]"));
        assert_eq!(store.told(&id(1, 0)).unwrap(), None);
        assert_eq!(store.written(b"/out").unwrap(), Some(90));
        assert_eq!(store.written(b"/other").unwrap(), None);
        let second = WatchStore::open(&path);
        assert!(matches!(second, Err(Error::InUse { .. })), "{second:?}");
        store.advance(8).unwrap();
        assert_eq!(store.done().unwrap(), [done[1]].into());
        assert_eq!(store.origin().unwrap(), Some((2, B256::repeat_byte(3))));
        store.forget().unwrap();
        assert_eq!(
            (store.floor().unwrap(), store.done().unwrap().len()),
            (None, 0)
        );
    }

    #[test]
    fn what_a_reorganisation_moves_is_kept_and_what_it_takes_back_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let store = WatchStore::open(&dir.path().join("watch.sqlite")).unwrap();
        let events = [
            finished(id(1, 0), 7, Some("[]")),
            finished(id(2, 0), 8, Some("[2]")),
        ];
        store.finish(&events, None).unwrap();
        let gone = Noted {
            missing: Some(100),
            ..noted(8, true)
        };
        store
            .follow(&[(id(1, 0), noted(900, true)), (id(2, 0), gone)])
            .unwrap();
        store.advance(800).unwrap();
        let left = [(id(1, 0), noted(900, true)), (id(2, 0), gone)];
        assert_eq!(store.done().unwrap(), left.into());
        let forgotten = Finished {
            id: id(2, 0),
            block: None,
            told: None,
        };
        store.finish(&[forgotten], None).unwrap();
        assert_eq!(store.done().unwrap(), [left[0]].into());
    }

    #[test]
    fn of_the_program_each_rule_tells_until_it_lives_longer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watch.sqlite");
        let store = WatchStore::open(&path).unwrap();
        let near = BTreeSet::from(["month", "week"]);
        assert!(store.told_of_program(&near).unwrap().is_empty());
        store.tell_of_program("month", None).unwrap();
        drop(store);
        let store = WatchStore::open(&path).unwrap();
        let told = BTreeSet::from(["month".to_owned()]);
        assert_eq!(store.told_of_program(&near).unwrap(), told);
        assert_eq!(store.told_of_program(&BTreeSet::new()).unwrap(), told);
        assert!(store.told_of_program(&near).unwrap().is_empty());
    }
}
