//! The documents that a node keeps for others: a file of their own, nothing in it is readable to the node.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::wire::{DIGEST, Listed, MAX_LISTED, MailId, MailState};
use crate::operation::journal::error::Result;
use crate::operation::journal::schema;
use pcim_core::Address;

/// "PCIB".
const APPLICATION_ID: i64 = 0x5043_4942;
const TABLES: &str = "
    CREATE TABLE mail (
        number   INTEGER PRIMARY KEY AUTOINCREMENT,
        id       BLOB NOT NULL CHECK (length(id) = 32),
        owner    BLOB NOT NULL CHECK (length(owner) = 20),
        known    INTEGER NOT NULL CHECK (known IN (0, 1)),
        arrived  INTEGER NOT NULL,
        fetched  INTEGER,
        size     INTEGER NOT NULL,
        document BLOB
    ) STRICT;
    CREATE UNIQUE INDEX mail_id ON mail (id);
    CREATE INDEX mail_of ON mail (owner, known) WHERE document IS NOT NULL;
    CREATE INDEX mail_strangers ON mail (number) WHERE document IS NOT NULL AND known = 0;
    CREATE INDEX mail_age ON mail (arrived);

    CREATE TABLE token (
        owner  BLOB PRIMARY KEY CHECK (length(owner) = 20),
        digest BLOB NOT NULL CHECK (length(digest) = 32),
        since  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE total (
        known     INTEGER PRIMARY KEY CHECK (known IN (0, 1)),
        documents INTEGER NOT NULL,
        bytes     INTEGER NOT NULL
    ) STRICT;
    INSERT INTO total VALUES (0, 0, 0), (1, 0, 0);
    CREATE TRIGGER mail_comes AFTER INSERT ON mail BEGIN
        UPDATE total SET documents = documents + 1, bytes = bytes + NEW.size WHERE known = NEW.known;
    END;
    CREATE TRIGGER mail_taken AFTER UPDATE OF document ON mail
        WHEN OLD.document IS NOT NULL AND NEW.document IS NULL BEGIN
        UPDATE total SET documents = documents - 1, bytes = bytes - OLD.size WHERE known = OLD.known;
    END;
    CREATE TRIGGER mail_goes AFTER DELETE ON mail WHEN OLD.document IS NOT NULL BEGIN
        UPDATE total SET documents = documents - 1, bytes = bytes - OLD.size WHERE known = OLD.known;
    END;
";

/// The store of one node.
#[derive(Debug)]
pub struct MailStore {
    db: Mutex<Connection>,
}

/// A document to be kept.
#[derive(Clone, Copy, Debug)]
pub struct KeptMail<'d> {
    /// Its id.
    pub id: MailId,
    /// The owner of the mailbox.
    pub owner: Address,
    /// True if it came with the owner's token.
    pub known: bool,
    /// When it came, unix seconds.
    pub arrived: u64,
    /// The sealed document.
    pub document: &'d [u8],
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many documents.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl MailStore {
    /// Opens the file, or makes an empty one that only its owner can read.
    ///
    /// # Errors
    /// Those of [`crate::journal::Journal::open`].
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Mutex::new(schema::open_as(path, APPLICATION_ID, &[TABLES])?),
        })
    }

    /// Keeps a document; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn keep(&self, kept: &KeptMail<'_>) -> Result<()> {
        self.db().execute(
            "INSERT OR IGNORE INTO mail (id, owner, known, arrived, size, document)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                kept.id,
                kept.owner.0.0,
                kept.known,
                int(kept.arrived),
                int(kept.document.len() as u64),
                kept.document
            ],
        )?;
        Ok(())
    }

    /// Tells what became of a document.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn state(&self, id: &MailId) -> Result<MailState> {
        let db = self.db();
        let mut query = db.prepare("SELECT arrived, fetched FROM mail WHERE id = ?1")?;
        let found = query.query_row([id], |row| {
            Ok(match row.get(1)? {
                Some(fetched) => MailState::Fetched(uint(fetched)),
                None => MailState::Waiting(uint(row.get(0)?)),
            })
        });
        Ok(found.optional()?.unwrap_or(MailState::Unknown))
    }

    /// Lists what waits for an owner, the oldest first.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn listed(&self, owner: Address) -> Result<Vec<Listed>> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT id, arrived, known FROM mail WHERE owner = ?1 AND document IS NOT NULL
             ORDER BY number LIMIT ?2",
        )?;
        let rows = query.query_map(params![owner.0.0, int(MAX_LISTED as u64)], |row| {
            Ok(Listed {
                id: row.get(0)?,
                arrived: uint(row.get(1)?),
                known: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Reads a document that waits for an owner.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn document(&self, owner: Address, id: &MailId) -> Result<Option<Vec<u8>>> {
        let db = self.db();
        let sql = "SELECT document FROM mail WHERE id = ?1 AND owner = ?2 AND document IS NOT NULL";
        let found = db.query_row(sql, params![id, owner.0.0], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// Drops documents that their owner has; that they were fetched stays known.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn fetched(&self, owner: Address, ids: &[MailId], now: u64) -> Result<()> {
        let mut db = self.db();
        let tx = db.transaction()?;
        for id in ids {
            tx.execute(
                "UPDATE mail SET document = NULL, fetched = ?3
                 WHERE id = ?1 AND owner = ?2 AND document IS NOT NULL",
                params![id, owner.0.0, int(now)],
            )?;
        }
        Ok(tx.commit()?)
    }

    /// Measures what waits for an owner, with the token or without.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn waiting(&self, owner: Address, known: bool) -> Result<Amount> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT count(*), coalesce(sum(size), 0) FROM mail
             WHERE owner = ?1 AND known = ?2 AND document IS NOT NULL",
        )?;
        Ok(query.query_row(params![owner.0.0, known], amount)?)
    }

    /// Measures everything that waits, with tokens or without.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn all_waiting(&self, known: bool) -> Result<Amount> {
        let db = self.db();
        let sql = "SELECT documents, bytes FROM total WHERE known = ?1";
        Ok(db.query_row(sql, [known], amount)?)
    }

    /// Drops the oldest document that came without a token: of one owner, or of all. False if there is none.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn drop_oldest_stranger(&self, owner: Option<Address>) -> Result<bool> {
        let db = self.db();
        let dropped = match owner {
            Some(owner) => db.execute(
                "DELETE FROM mail WHERE number = (SELECT min(number) FROM mail
                 WHERE owner = ?1 AND known = 0 AND document IS NOT NULL)",
                [owner.0.0],
            )?,
            None => db.execute(
                "DELETE FROM mail WHERE number = (SELECT min(number) FROM mail
                 WHERE known = 0 AND document IS NOT NULL)",
                [],
            )?,
        };
        Ok(dropped > 0)
    }

    /// Drops everything that came before a time, unix seconds; owners' tokens too that were not seen since.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn drop_before(&self, time: u64, tokens: u64) -> Result<()> {
        let db = self.db();
        db.execute("DELETE FROM mail WHERE arrived < ?1", [int(time)])?;
        db.execute("DELETE FROM token WHERE since < ?1", [int(tokens)])?;
        Ok(())
    }

    /// Notes the digest of the token that an owner's cards carry now.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn set_token(&self, owner: Address, digest: &[u8; DIGEST], now: u64) -> Result<()> {
        self.db().execute(
            "INSERT OR REPLACE INTO token VALUES (?1, ?2, ?3)",
            params![owner.0.0, digest, int(now)],
        )?;
        Ok(())
    }

    /// Finds the digest of an owner's token.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn token(&self, owner: Address) -> Result<Option<[u8; DIGEST]>> {
        let db = self.db();
        let sql = "SELECT digest FROM token WHERE owner = ?1";
        let found = db.query_row(sql, [owner.0.0], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// Counts the owners whose tokens are known.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn owners(&self) -> Result<u64> {
        let db = self.db();
        let count = db.query_row("SELECT count(*) FROM token", [], |row| row.get(0));
        Ok(uint(count?))
    }

    /// A panic elsewhere leaves at most an open transaction, which SQLite has rolled back.
    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn amount(row: &rusqlite::Row<'_>) -> rusqlite::Result<Amount> {
    Ok(Amount {
        documents: uint(row.get(0)?),
        bytes: uint(row.get(1)?),
    })
}

/// SQLite's integers are signed; no time or size here is that large.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
