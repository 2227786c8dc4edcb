//! The file: private, durable, versioned.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::operation::journal::error::{Error, Result};
use pcim_core::private::open_or_create;

/// "PCIM", so that no other database is taken for a journal.
pub(super) const APPLICATION_ID: i64 = 0x5043_494d;
/// One step for each version; the file's `user_version` tells how many are behind it.
pub(super) const STEPS: [&str; 6] = [
    "
    CREATE TABLE operation (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        key         TEXT NOT NULL,
        signed_call TEXT,
        done        INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1, 2))
    ) STRICT;
    CREATE UNIQUE INDEX operation_in_flight ON operation (key) WHERE done = 0;

    CREATE TABLE image (
        image       BLOB NOT NULL CHECK (length(image) = 32),
        role        TEXT NOT NULL,
        body        TEXT NOT NULL,
        body_size   INTEGER NOT NULL,
        dag_size    INTEGER NOT NULL,
        description TEXT NOT NULL,
        patient     TEXT NOT NULL,
        UNIQUE (image, role)
    ) STRICT;

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
",
    "
    ALTER TABLE operation ADD COLUMN plan TEXT;

    CREATE TABLE piece (
        operation INTEGER NOT NULL REFERENCES operation (id),
        outcome   TEXT NOT NULL CHECK (outcome IN ('done', 'failed')),
        what      TEXT NOT NULL
    ) STRICT;
    CREATE INDEX piece_of ON piece (operation);

    ALTER TABLE image ADD COLUMN root BLOB CHECK (root IS NULL OR length(root) = 32);

    CREATE TABLE certificate (
        digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
        bytes  BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    // The chain's history has a file of its own.
    "
    DROP TABLE event;
    DROP TABLE position;
",
    "
    CREATE TABLE nonce (
        one  INTEGER PRIMARY KEY CHECK (one = 1),
        base BLOB NOT NULL CHECK (length(base) = 27),
        next INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE relay_call (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        document TEXT NOT NULL
    ) STRICT;

    CREATE TABLE contract (
        place     TEXT PRIMARY KEY,
        version   TEXT NOT NULL,
        code_hash BLOB NOT NULL CHECK (length(code_hash) = 32)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE shown (
        image     BLOB NOT NULL CHECK (length(image) = 32),
        requester BLOB NOT NULL CHECK (length(requester) = 20),
        request   TEXT NOT NULL,
        PRIMARY KEY (image, requester)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE handed (
        image     BLOB PRIMARY KEY CHECK (length(image) = 32),
        sealed_at INTEGER NOT NULL,
        path      TEXT NOT NULL,
        mail      BLOB CHECK (mail IS NULL OR length(mail) = 32),
        left_at   INTEGER
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE taken (
        operation INTEGER NOT NULL REFERENCES operation (id),
        image     BLOB NOT NULL CHECK (length(image) = 32),
        requester BLOB CHECK (requester IS NULL OR length(requester) = 20),
        state     INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX taken_of ON taken (operation);
",
];

/// Opens a journal and brings it to the latest version.
pub(super) fn open(path: &Path) -> Result<Connection> {
    open_as(path, APPLICATION_ID, &STEPS)
}

/// Opens a file of the application `id`, and brings it to the latest of its versions.
pub(crate) fn open_as(path: &Path, id: i64, steps: &[&str]) -> Result<Connection> {
    make_private(path).map_err(|source| Error::Io {
        path: path.into(),
        source,
    })?;
    let mut db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(5))?;
    migrate(&mut db, id, steps).map_err(|e| match e {
        Error::Sqlite(e) if e.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Error::NotAJournal { path: path.into() }
        }
        Error::NotAJournal { .. } => Error::NotAJournal { path: path.into() },
        other => other,
    })?;
    Ok(db)
}

fn migrate(db: &mut Connection, wanted: i64, steps: &[&str]) -> Result<()> {
    let number =
        |db: &Connection, name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let id = number(db, "application_id")?;
    if id != wanted && (id != 0 || tables != 0) {
        return Err(Error::NotAJournal {
            path: Default::default(),
        });
    }
    // A journal that is on disk when a method returns, whatever happens next.
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    // What an operation noted (where a file is written to) is gone once it has ended.
    db.pragma_update(None, "secure_delete", true)?;

    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = number(&tx, "user_version")?;
    let known = steps.len() as i64;
    let behind = usize::try_from(found)
        .ok()
        .filter(|&behind| behind <= steps.len())
        .ok_or(Error::Newer { found, known })?;
    for step in &steps[behind..] {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", wanted)?;
    tx.pragma_update(None, "user_version", known)?;
    tx.commit()?;
    Ok(())
}

/// SQLite gives its side files the mode of the main one.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = open_or_create(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    drop(file);
    Ok(())
}
