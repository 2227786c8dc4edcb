//! What a node that follows a contract has read of it, and what it keeps for it. A file of its own for each contract:
//! nothing in it is lost for good if it is deleted.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, TransactionBehavior, params};

use super::{Error, Result, schema, signed, unsigned};
use crate::domain::LoggedEvent;

/// "PCIF".
const APPLICATION_ID: i64 = 0x5043_4946;
const STEPS: [&str; 1] = ["
    CREATE TABLE event (
        block     INTEGER NOT NULL,
        log_index INTEGER NOT NULL,
        event     TEXT NOT NULL,
        PRIMARY KEY (block, log_index)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE position (
        one        INTEGER PRIMARY KEY CHECK (one = 1),
        next_block INTEGER NOT NULL
    ) STRICT;
    INSERT INTO position VALUES (1, 0);

    CREATE TABLE held (
        name  TEXT PRIMARY KEY,
        whole INTEGER NOT NULL CHECK (whole IN (0, 1)),
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// One contract's index.
#[derive(Debug)]
pub struct FollowIndex {
    db: Mutex<Connection>,
}

/// Something that is kept, or that was begun to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// What it is; each is there once.
    pub name: String,
    /// Whether all of it is fetched and pinned.
    pub whole: bool,
    /// What is known of it, JSON.
    pub value: String,
}

impl FollowIndex {
    /// Opens an index, or makes an empty one that only its owner can read.
    ///
    /// # Errors
    /// Those of [`super::Journal::open`].
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Mutex::new(schema::open_as(path, APPLICATION_ID, &STEPS)?),
        })
    }

    /// The first block that was not read yet.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Sqlite`]
    pub fn next_block(&self) -> Result<u64> {
        let next = self
            .db()
            .query_row("SELECT next_block FROM position", [], |row| row.get(0))?;
        unsigned("position.next_block", next)
    }

    /// Puts the events of the blocks from `first` on in the place of those that are there, and moves on to
    /// `next_block`, both or neither. Returns whether that changed any event.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a block number beyond 2⁶³, [`Error::Sqlite`]
    pub fn replace(&self, first: u64, events: &[LoggedEvent], next_block: u64) -> Result<bool> {
        let first = signed(first)?;
        let mut rows = Vec::with_capacity(events.len());
        for event in events {
            let text = serde_json::to_string(event).map_err(Error::Event)?;
            rows.push((signed(event.block)?, signed(event.log_index)?, text));
        }
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known: Vec<(i64, i64, String)> = tx
            .prepare(
                "SELECT block, log_index, event FROM event WHERE block >= ?1
                 ORDER BY block, log_index",
            )?
            .query_map([first], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let changed = known != rows;
        if changed {
            tx.execute("DELETE FROM event WHERE block >= ?1", [first])?;
            let mut insert =
                tx.prepare("INSERT INTO event (block, log_index, event) VALUES (?1, ?2, ?3)")?;
            for (block, log_index, event) in &rows {
                insert.execute(params![block, log_index, event])?;
            }
        }
        tx.execute("UPDATE position SET next_block = ?1", [signed(next_block)?])?;
        tx.commit()?;
        Ok(changed)
    }

    /// All events, in the order of the chain.
    ///
    /// # Errors
    /// [`Error::Event`] if one cannot be read, [`Error::Sqlite`]
    pub fn events(&self) -> Result<Vec<LoggedEvent>> {
        let db = self.db();
        let mut query = db.prepare("SELECT event FROM event ORDER BY block, log_index")?;
        let rows = query.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|row| serde_json::from_str(&row?).map_err(Error::Event))
            .collect()
    }

    /// Notes what is about to be fetched, or is fetched and pinned. An earlier row of the name is replaced.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn hold(&self, row: &HeldRow) -> Result<()> {
        self.db().execute(
            "INSERT OR REPLACE INTO held (name, whole, value) VALUES (?1, ?2, ?3)",
            params![row.name, row.whole, row.value],
        )?;
        Ok(())
    }

    /// Forgets what was dropped.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn release(&self, name: &str) -> Result<()> {
        self.db()
            .execute("DELETE FROM held WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Everything that is kept or was begun.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn held(&self) -> Result<Vec<HeldRow>> {
        let db = self.db();
        let mut query = db.prepare("SELECT name, whole, value FROM held ORDER BY name")?;
        let rows = query.query_map([], |row| {
            Ok(HeldRow {
                name: row.get(0)?,
                whole: row.get(1)?,
                value: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A panic elsewhere leaves at most an open transaction, which SQLite has rolled back.
    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::{B256, Event, ImageDigest};

    fn event(block: u64, image: u8) -> LoggedEvent {
        LoggedEvent {
            block,
            timestamp: Some(7),
            tx: B256::repeat_byte(1),
            log_index: 0,
            event: Event::ImageResealed {
                image: ImageDigest([image; 32]),
                root: ImageDigest([9; 32]),
            },
        }
    }

    #[test]
    fn a_window_is_read_again_and_replaces_what_a_reorganisation_took_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("follow.sqlite");
        let index = FollowIndex::open(&path).unwrap();
        assert_eq!(index.next_block().unwrap(), 0);
        assert!(index.replace(0, &[event(1, 1), event(5, 2)], 6).unwrap());
        assert!(!index.replace(4, &[event(5, 2)], 9).unwrap());
        assert!(index.replace(4, &[event(6, 3)], 9).unwrap());
        drop(index);

        let index = FollowIndex::open(&path).unwrap();
        assert_eq!(index.next_block().unwrap(), 9);
        assert_eq!(index.events().unwrap(), [event(1, 1), event(6, 3)]);
        let row = |whole| HeldRow {
            name: "root a".to_owned(),
            whole,
            value: "{}".to_owned(),
        };
        index.hold(&row(false)).unwrap();
        index.hold(&row(true)).unwrap();
        assert_eq!(index.held().unwrap(), [row(true)]);
        index.release("root a").unwrap();
        assert_eq!(index.held().unwrap(), []);
        drop(index);
        assert!(
            super::super::Journal::open(&path).is_err(),
            "an index is no journal"
        );
    }
}
