//! SQLite: operations in flight, and what this home has sealed or registered.
//! With the index of [`crate::audit`] the only place that names `rusqlite`. Holds no secrets and no patient data in
//! clear; the names of files under way stand in it until their operation has ended.
//!
//! An operation is begun under a key that says what it does, its signed call is recorded before it is sent,
//! and it is finished once it is mined: the next attempt after a crash finds the call and sends the same
//! bytes. Each piece that it stores elsewhere is recorded before it is stored ([`Piece`]), so that it can be dropped if
//! the operation fails; what it makes useless, so that it is dropped when the operation is done. One that takes several
//! calls has a plan of how to go on. Every write is on disk when its method returns.

pub(crate) mod error;
pub(crate) mod follow;
pub(crate) mod handed;
pub(crate) mod piece;
pub(crate) mod pinned;
pub(crate) mod schema;
pub(crate) mod shown;
pub(crate) mod signed;
pub(crate) mod taken;
#[cfg(test)]
mod tests;
pub(crate) mod watch;

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

pub use crate::operation::journal::error::{Error, Result};
pub use crate::operation::journal::follow::{FollowStore, HeldRow};
pub use crate::operation::journal::handed::HandedRow;
pub use crate::operation::journal::piece::{Piece, Verdict};
pub use crate::operation::journal::pinned::PinnedContract;
pub(crate) use crate::operation::journal::schema::open_as;
pub use crate::operation::journal::shown::ShownRequest;
pub use crate::operation::journal::taken::Taken;
pub use crate::operation::journal::watch::{EventId, Finished, Noted, WatchStore, WrittenOutput};

use crate::operation::deed::{Deed, DeedKey};
use pcim_core::ImageDigest;

/// The state of an operation that will not happen.
const ABANDONED: i64 = 2;

/// One actor's journal.
#[derive(Debug)]
pub struct Journal {
    db: Mutex<Connection>,
}

/// The number of an operation in this journal; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationId(pub(crate) i64);

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ToSql for OperationId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

/// An operation in flight. `key` says what it does (e.g. `approve:<image>:<requestor>`), so that a retry finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub id: OperationId,
    /// Its deed, at one contract on one chain, as text.
    pub key: String,
    /// The `SignedCall`, JSON, once it is signed.
    pub signed_call: Option<String>,
    /// How it goes on, JSON, if it takes more than one call.
    pub plan: Option<String>,
    /// Finished or abandoned.
    pub done: bool,
}

impl Operation {
    /// Reads what it does; `None` if this program knows no such deed.
    pub fn deed(&self) -> Option<Deed> {
        self.key.parse::<DeedKey>().ok().map(|key| key.deed)
    }
}

/// An image this home knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownImage {
    /// The sealed root.
    pub image: ImageDigest,
    /// The body's CID.
    pub body: String,
    /// Bytes of the body.
    pub body_size: u64,
    /// Bytes of all its blocks.
    pub dag_size: u64,
    /// Modality and body part codes.
    pub description: String,
    /// Hex address of the owner.
    pub patient: String,
    /// `sealed`, `registered` or `fetched`: an image is remembered once for each.
    pub role: String,
}

impl Journal {
    /// Opens a journal, or makes one that only its owner can read.
    ///
    /// # Errors
    /// [`Error::NotAJournal`], [`Error::Newer`] for one written by a later version, [`Error::Io`], [`Error::Sqlite`]
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Mutex::new(schema::open(path)?),
        })
    }

    /// Finds the unfinished operation under this key, or begins a new one.
    ///
    /// # Errors
    /// [`Error::Sqlite`], as every method.
    pub fn begin(&self, key: &str) -> Result<Operation> {
        self.write(|tx| {
            let found = tx
                .query_row(
                    "SELECT id, key, signed_call, plan, done FROM operation WHERE key = ?1 AND done = 0",
                    [key],
                    operation,
                )
                .optional()?;
            if let Some(found) = found {
                return Ok(found);
            }
            tx.execute("INSERT INTO operation (key) VALUES (?1)", [key])?;
            Ok(Operation {
                id: OperationId(tx.last_insert_rowid()),
                key: key.into(),
                signed_call: None,
                plan: None,
                done: false,
            })
        })
    }

    /// Records a signed call before it is sent. A later one takes its place (after the first was replaced on chain).
    ///
    /// # Errors
    /// [`Error::NoOperation`] if there is no such operation, or it is done.
    pub fn record_call(&self, id: OperationId, signed_call: &str) -> Result<()> {
        self.on_open(
            id,
            "UPDATE operation SET signed_call = ?2 WHERE id = ?1 AND done = 0",
            Some(signed_call),
        )
    }

    /// Records how an operation goes on. A later plan takes its place.
    ///
    /// # Errors
    /// [`Error::NoOperation`] if there is no such operation, or it is done.
    pub fn record_plan(&self, id: OperationId, plan: &str) -> Result<()> {
        self.on_open(
            id,
            "UPDATE operation SET plan = ?2 WHERE id = ?1 AND done = 0",
            Some(plan),
        )
    }

    /// Finishes an operation that is mined: nothing is left to do.
    ///
    /// # Errors
    /// [`Error::NoOperation`] if there is no such operation, or it is done.
    pub fn finish(&self, id: OperationId) -> Result<()> {
        self.end(id, 1)
    }

    /// Abandons an operation that will not happen: its key is free again.
    ///
    /// # Errors
    /// [`Error::NoOperation`] if there is no such operation, or it is done.
    pub fn abandon(&self, id: OperationId) -> Result<()> {
        self.end(id, ABANDONED)
    }

    /// Lists the operations that were begun and neither finished nor abandoned, oldest first.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn unfinished(&self) -> Result<Vec<Operation>> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT id, key, signed_call, plan, done FROM operation WHERE done = 0 ORDER BY id",
        )?;
        let rows = query.query_map([], operation)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Lists the operations with a signed call that were not given up, done or in flight, oldest first.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn called(&self) -> Result<Vec<Operation>> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT id, key, signed_call, plan, done FROM operation
             WHERE signed_call IS NOT NULL AND done != 2 ORDER BY id",
        )?;
        let rows = query.query_map([], operation)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Says whether the operation in flight under this key is followed by another one whose call was signed later: what it
    /// does may then be undone already.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn is_overtaken(&self, key: &str) -> Result<bool> {
        Ok(self.db().query_row(
            "SELECT EXISTS (
                SELECT 1 FROM operation earlier JOIN operation later ON later.id > earlier.id
                WHERE earlier.key = ?1 AND earlier.done = 0
                AND later.signed_call IS NOT NULL AND later.done != 2
            )",
            [key],
            |row| row.get(0),
        )?)
    }

    /// Remembers an image in its role, or what is new about it.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a size that no file has, [`Error::Sqlite`]
    pub fn remember_image(&self, image: &KnownImage) -> Result<()> {
        self.db().execute(
            "INSERT OR REPLACE INTO image (image, role, body, body_size, dag_size, description, patient)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                image.image.0,
                image.role,
                image.body,
                signed(image.body_size)?,
                signed(image.dag_size)?,
                image.description,
                image.patient,
            ],
        )?;
        Ok(())
    }

    /// Lists the images this home knows, in the order in which they became known.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Sqlite`]
    pub fn images(&self) -> Result<Vec<KnownImage>> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT image, role, body, body_size, dag_size, description, patient FROM image ORDER BY rowid",
        )?;
        let rows = query.query_map([], |row| {
            Ok((
                KnownImage {
                    image: ImageDigest(row.get(0)?),
                    role: row.get(1)?,
                    body: row.get(2)?,
                    body_size: 0,
                    dag_size: 0,
                    description: row.get(5)?,
                    patient: row.get(6)?,
                },
                row.get::<_, i64>(3)?,
                row.get::<_, i64>(4)?,
            ))
        })?;
        rows.map(|row| {
            let (image, body_size, dag_size) = row?;
            Ok(KnownImage {
                body_size: unsigned("image.body_size", body_size)?,
                dag_size: unsigned("image.dag_size", dag_size)?,
                ..image
            })
        })
        .collect()
    }

    /// A panic elsewhere leaves at most an open transaction, which SQLite has rolled back.
    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a transaction that holds the write lock from its start.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// Ends an operation; its plan and its pieces are forgotten.
    fn end(&self, id: OperationId, how: i64) -> Result<()> {
        self.write(|tx| {
            let ended = tx.execute(
                "UPDATE operation SET done = ?2, plan = NULL WHERE id = ?1 AND done = 0",
                params![id, how],
            )?;
            tx.execute("DELETE FROM piece WHERE operation = ?1", [id])?;
            if how == ABANDONED {
                tx.execute("DELETE FROM taken WHERE operation = ?1", [id])?;
            }
            match ended {
                0 => Err(Error::NoOperation { id }),
                _ => Ok(()),
            }
        })
    }

    fn on_open(&self, id: OperationId, sql: &str, value: Option<&str>) -> Result<()> {
        let db = self.db();
        let changed = match value {
            Some(value) => db.execute(sql, params![id, value])?,
            None => db.execute(sql, [id])?,
        };
        match changed {
            0 => Err(Error::NoOperation { id }),
            _ => Ok(()),
        }
    }
}

fn operation(row: &Row<'_>) -> rusqlite::Result<Operation> {
    Ok(Operation {
        id: OperationId(row.get(0)?),
        key: row.get(1)?,
        signed_call: row.get(2)?,
        plan: row.get(3)?,
        done: row.get::<_, i64>(4)? != 0,
    })
}

/// SQLite's integers are signed.
fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::TooLarge { value })
}

fn unsigned(column: &'static str, value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::Damaged { column, value })
}
