//! The file: its tables, and what goes into them. One transaction adds a range of blocks or takes a fork back.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, params};

use crate::audit::entry::{Entry, What};
use crate::audit::error::{Error, Result};
use crate::audit::fold::{self, Rows};
use crate::audit::row::{MAX_DATA, read, signed};
use crate::operation::journal;
use pcim_core::{About, B256, Event};
use pcim_ledger::ChainLog;

/// "PCIA".
const APPLICATION_ID: i64 = 0x5043_4941;
/// A file of an older version than [`KEPT`] is read again, since nothing in it is lost for good.
const VERSION: i64 = 3;
/// The oldest version whose logs are kept; what they come to is worked out again.
const KEPT: i64 = 2;
/// The tables of version 2 that are dropped, as far as their names.
const DROPPED: &str = "
    CREATE TABLE image (image BLOB) STRICT;
    CREATE TABLE access (image BLOB) STRICT;
";
/// The table that is searched is narrow, so that even a question that no index helps with is answered soon; what a log says lies
/// beside it. Sequence numbers are in the order of the chain: rows are added in it, and a fork takes back the latest.
const TABLES: &str = "
    CREATE TABLE source (
        one        INTEGER PRIMARY KEY CHECK (one = 1),
        chain_id   INTEGER NOT NULL,
        contract   BLOB NOT NULL CHECK (length(contract) = 20),
        synced_at  INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE block (
        number INTEGER PRIMARY KEY,
        hash   BLOB NOT NULL CHECK (length(hash) = 32),
        time   INTEGER NOT NULL,
        bare   INTEGER NOT NULL CHECK (bare IN (0, 1))
    ) STRICT;
    CREATE INDEX block_bare ON block (number) WHERE bare = 1;

    CREATE TABLE log (
        seq         INTEGER PRIMARY KEY,
        block       INTEGER NOT NULL REFERENCES block (number),
        log_index   INTEGER NOT NULL,
        time        INTEGER NOT NULL,
        kind        INTEGER NOT NULL,
        image       BLOB,
        patient     BLOB,
        requester   BLOB,
        radiologist BLOB,
        UNIQUE (block, log_index)
    ) STRICT;
    CREATE INDEX log_image ON log (image, requester);
    CREATE INDEX log_patient ON log (patient);
    CREATE INDEX log_requester ON log (requester);
    CREATE INDEX log_radiologist ON log (radiologist);
    CREATE INDEX log_kind ON log (kind);
    CREATE INDEX log_time ON log (time);

    CREATE TABLE raw (
        seq    INTEGER PRIMARY KEY REFERENCES log (seq),
        tx     BLOB NOT NULL CHECK (length(tx) = 32),
        topics BLOB NOT NULL CHECK (length(topics) % 32 = 0),
        data   BLOB NOT NULL
    ) STRICT;
";

/// Opens the file; `None` if it is damaged or of another version, and must be made again.
pub(super) fn open(path: &Path) -> Result<std::result::Result<Connection, String>> {
    let other = |found| format!("it has version {found}, wanted is {VERSION}");
    if let Ok(found) = version(path)
        && (1..KEPT).contains(&found)
    {
        return Ok(Err(other(found)));
    }
    let logs = format!("{TABLES}{DROPPED}");
    let rows = format!("DROP TABLE image; DROP TABLE access; {}", fold::TABLES);
    let damaged = |e: &rusqlite::Error| is_damage(e).then(|| e.to_string());
    let mut db = match journal::open_as(path, APPLICATION_ID, &["", &logs, &rows]) {
        Ok(db) => db,
        Err(journal::Error::Io { path, source }) => return Err(Error::Io { path, source }),
        Err(journal::Error::NotAJournal { .. }) => return Ok(Err("it is no index".into())),
        Err(journal::Error::Newer { found, .. }) => return Ok(Err(other(found))),
        Err(journal::Error::Sqlite(e)) => match damaged(&e) {
            Some(reason) => return Ok(Err(reason)),
            None => return Err(e.into()),
        },
        Err(other) => return Err(Error::Open(other)),
    };
    let sound = db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match sound {
        Ok(word) if word == "ok" => {
            fill(&mut db)?;
            Ok(Ok(db))
        }
        Ok(words) => Ok(Err(words)),
        Err(e) => match damaged(&e) {
            Some(reason) => Ok(Err(reason)),
            None => Err(e.into()),
        },
    }
}

/// Works out what the logs of an older file come to.
fn fill(db: &mut Connection) -> Result<()> {
    let tx = db.transaction()?;
    let empty: bool = tx.query_row("SELECT NOT EXISTS (SELECT 1 FROM image)", [], |row| {
        row.get(0)
    })?;
    if empty {
        let images: Vec<[u8; 32]> = tx
            .prepare("SELECT DISTINCT image FROM log WHERE image IS NOT NULL")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        fold::rebuild(&tx, &images)?;
    }
    Ok(tx.commit()?)
}

/// The version of a file that is there; 0 is an empty one's.
fn version(path: &Path) -> rusqlite::Result<i64> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Says whether an error says that the file's content is broken.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    // A table that should be there and is not, or a value of another type.
    let shape = matches!(
        error,
        rusqlite::Error::SqliteFailure(_, Some(text)) if text.contains("no such")
    );
    shape
        || matches!(
            code,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
}

/// A block that holds logs, or the last one of a range that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) number: u64,
    pub(super) hash: B256,
    pub(super) time: u64,
}

/// Adds a range that was read: its logs in the order of the chain, and their blocks and its last one, each with whether it
/// is bare of logs.
pub(super) fn add(tx: &Transaction<'_>, logs: &[ChainLog], blocks: &[(Known, bool)]) -> Result<()> {
    let mut insert =
        tx.prepare("INSERT INTO block (number, hash, time, bare) VALUES (?1, ?2, ?3, ?4)")?;
    let mut times = BTreeMap::new();
    for (block, bare) in blocks {
        insert.execute(params![
            signed("block", block.number)?,
            block.hash.0,
            signed("time", block.time)?,
            bare
        ])?;
        times.insert(block.number, block.time);
    }
    let mut insert_log = tx.prepare(
        "INSERT INTO log (block, log_index, time, kind, image, patient, requester, radiologist)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut insert_raw =
        tx.prepare("INSERT INTO raw (seq, tx, topics, data) VALUES (?1, ?2, ?3, ?4)")?;
    let mut images = Rows::new(tx)?;
    for (n, log) in logs.iter().enumerate() {
        let timestamp = *times.get(&log.block).ok_or_else(|| Error::BadLogs {
            range: log.block..=log.block,
            detail: "the block is not known".into(),
        })?;
        let what = read(&log.topics, &log.data);
        let about = about(&what, log, logs.get(n + 1), &mut images)?;
        let entry = Entry {
            block: log.block,
            block_hash: log.block_hash,
            timestamp,
            tx: log.tx,
            log_index: log.log_index,
            about,
            what,
        };
        insert_log.execute(params![
            signed("block", entry.block)?,
            signed("log index", entry.log_index)?,
            signed("time", entry.timestamp)?,
            entry.kind() as i64,
            about.image.map(|image| image.0),
            about.patient.map(|address| address.0.0),
            about.requestor.map(|address| address.0.0),
            about.radiologist.map(|address| address.0.0),
        ])?;
        let topics: Vec<u8> = log.topics.iter().flat_map(|topic| topic.0).collect();
        let data = &log.data[..log.data.len().min(MAX_DATA)];
        insert_raw.execute(params![tx.last_insert_rowid(), entry.tx.0, topics, data])?;
        images.apply(&entry)?;
    }
    images.save()
}

/// Finds what a log is about: what it names itself, the owner of that image, and, of an answer, the request that the log after it names.
fn about(
    what: &What,
    log: &ChainLog,
    next: Option<&ChainLog>,
    images: &mut Rows<'_>,
) -> Result<About> {
    let What::Event(event) = what else {
        return Ok(About::default());
    };
    let mut about = event.about();
    if matches!(
        event,
        Event::Requestaccepted { .. } | Event::Requestdenied { .. }
    ) && let Some(next) = next
        && (next.block, next.tx) == (log.block, log.tx)
        && let What::Event(next) = read(&next.topics, &next.data)
        && next.about().image == about.image
    {
        about.requestor = next.about().requestor;
    }
    if let Some(image) = about.image
        && let Some(known) = images.image(&image)?
    {
        about.patient = about.patient.or(Some(known.patient));
        about.radiologist = about.radiologist.or(Some(known.radiologist));
    }
    Ok(about)
}

/// Takes back all blocks above a number; returns how many entries went with them.
pub(super) fn retract(tx: &Transaction<'_>, above: i64) -> Result<u64> {
    let touched: Vec<[u8; 32]> = tx
        .prepare("SELECT DISTINCT image FROM log WHERE block > ?1 AND image IS NOT NULL")?
        .query_map([above], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    tx.execute(
        "DELETE FROM raw WHERE seq IN (SELECT seq FROM log WHERE block > ?1)",
        [above],
    )?;
    let taken = tx.execute("DELETE FROM log WHERE block > ?1", [above])?;
    tx.execute("DELETE FROM block WHERE number > ?1", [above])?;
    fold::rebuild(tx, &touched)?;
    Ok(taken as u64)
}
