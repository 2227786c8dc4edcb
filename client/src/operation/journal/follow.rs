//! The store of a node that follows a contract. A file of its own for each contract: nothing in it is lost for good if
//! it is deleted.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, params};

use crate::operation::journal::error::Result;
use crate::operation::journal::schema;

/// "PCIF".
const APPLICATION_ID: i64 = 0x5043_4946;
const TABLES: &str = "
    CREATE TABLE held (
        name  TEXT PRIMARY KEY,
        whole INTEGER NOT NULL CHECK (whole IN (0, 1)),
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// The store for one contract.
#[derive(Debug)]
pub struct FollowStore {
    db: Mutex<Connection>,
}

/// Something that is kept, or that was begun to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// Its name; each is there once.
    pub name: String,
    /// True if all of it is fetched and pinned.
    pub whole: bool,
    /// The known facts, JSON.
    pub value: String,
}

impl FollowStore {
    /// Opens the file, or makes an empty one that only its owner can read.
    ///
    /// # Errors
    /// Those of [`super::Journal::open`].
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Mutex::new(schema::open_as(path, APPLICATION_ID, &[TABLES])?),
        })
    }

    /// Notes what is about to be fetched, or is fetched and pinned. An earlier row of the name is replaced.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
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
    /// [`super::Error::Sqlite`]
    pub fn release(&self, name: &str) -> Result<()> {
        self.db()
            .execute("DELETE FROM held WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Lists everything that is kept or was begun.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
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

    #[test]
    fn what_is_held_stays_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("follow.sqlite");
        let row = |whole| HeldRow {
            name: "root a".to_owned(),
            whole,
            value: "{}".to_owned(),
        };
        let store = FollowStore::open(&path).unwrap();
        store.hold(&row(false)).unwrap();
        assert_eq!(store.held().unwrap(), [row(false)]);
        store.hold(&row(true)).unwrap();
        drop(store);
        let store = FollowStore::open(&path).unwrap();
        assert_eq!(store.held().unwrap(), [row(true)]);
        store.release("root a").unwrap();
        assert_eq!(store.held().unwrap(), []);
        drop(store);
        assert!(
            super::super::Journal::open(&path).is_err(),
            "it is no journal"
        );
    }
}
