//! The file: its tables, and what goes into them. One transaction adds a range of blocks or takes a fork back.

use std::path::Path;

use alloy_primitives::Bytes;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, params};

use super::{Entry, Error, EventKind, Result, UnknownLog, What};
use crate::domain::{About, Address, B256, Event, ImageDigest};
use crate::journal;
use crate::ledger::{ChainLog, decode_event};

/// "PCIA".
const APPLICATION_ID: i64 = 0x5043_4941;
/// Most bytes of a log's data that are kept; the contract's own logs have less than 1 KiB.
const MAX_DATA: usize = 128 * 1024;
/// A file of another version is read anew, since nothing in it is lost for good: of the versions only the last has tables.
const STEPS: [&str; 2] = ["", TABLES];
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
        tx          BLOB NOT NULL CHECK (length(tx) = 32),
        kind        INTEGER NOT NULL,
        topics      BLOB NOT NULL CHECK (length(topics) % 32 = 0),
        data        BLOB NOT NULL,
        image       BLOB,
        patient     BLOB,
        requester   BLOB,
        radiologist BLOB,
        expires_at  INTEGER,
        UNIQUE (block, log_index)
    ) STRICT;
    CREATE INDEX log_image ON log (image, block, log_index);
    CREATE INDEX log_patient ON log (patient, block, log_index);
    CREATE INDEX log_requester ON log (requester, block, log_index);
    CREATE INDEX log_radiologist ON log (radiologist, block, log_index);
    CREATE INDEX log_kind ON log (kind, block, log_index);
";

/// The columns that [`entry`] reads, of `log` joined with `block`.
pub(super) const COLUMNS: &str = "log.block, block.hash, block.time, log.tx, log.log_index,
    log.topics, log.data, log.image, log.patient, log.requester, log.radiologist";

/// Opens the file; `None` if it is damaged or of another version, and must be made anew.
pub(super) fn open(path: &Path) -> Result<std::result::Result<Connection, String>> {
    let wanted = STEPS.len() as i64;
    let other = |found| format!("it has version {found}, wanted is {wanted}");
    if let Ok(found) = version(path)
        && (1..wanted).contains(&found)
    {
        return Ok(Err(other(found)));
    }
    let damaged = |e: &rusqlite::Error| is_damage(e).then(|| e.to_string());
    let db = match journal::open_as(path, APPLICATION_ID, &STEPS) {
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
        Ok(word) if word == "ok" => Ok(Ok(db)),
        Ok(words) => Ok(Err(words)),
        Err(e) => match damaged(&e) {
            Some(reason) => Ok(Err(reason)),
            None => Err(e.into()),
        },
    }
}

/// The version of a file that is there; 0 is an empty one's.
fn version(path: &Path) -> rusqlite::Result<i64> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether an error says that the file's content is broken.
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
    for (block, bare) in blocks {
        insert.execute(params![
            signed("block", block.number)?,
            block.hash.0,
            signed("time", block.time)?,
            bare
        ])?;
    }
    let mut owner = tx.prepare(
        "SELECT patient, radiologist FROM log WHERE image = ?1 AND kind = 0
         ORDER BY block, log_index LIMIT 1",
    )?;
    let mut insert = tx.prepare(
        "INSERT INTO log (block, log_index, tx, kind, topics, data, image, patient, requester,
         radiologist, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for (n, log) in logs.iter().enumerate() {
        let what = understood(log);
        let (kind, mut about, expires_at) = match &what {
            What::Event(event) => (kind(&what), event.about(), expiry(event)),
            What::Unknown { .. } => (EventKind::Unknown, About::default(), None),
        };
        // What was accepted or denied is said by the log that follows.
        if matches!(kind, EventKind::Requestaccepted | EventKind::Requestdenied)
            && let Some(next) = logs.get(n + 1)
            && (next.block, next.tx) == (log.block, log.tx)
            && let What::Event(event) = understood(next)
            && event.about().image == about.image
        {
            about.requester = event.about().requester;
        }
        if let Some(image) = about.image
            && kind != EventKind::ContractCreated
        {
            let known = owner
                .query_row([image.0], |row| Ok((address(row, 0)?, address(row, 1)?)))
                .optional()?;
            if let Some((patient, radiologist)) = known {
                about.patient = about.patient.or(patient);
                about.radiologist = about.radiologist.or(radiologist);
            }
        }
        insert.execute(params![
            signed("block", log.block)?,
            signed("log index", log.log_index)?,
            log.tx.0,
            kind as i64,
            log.topics
                .iter()
                .flat_map(|topic| topic.0)
                .collect::<Vec<u8>>(),
            &log.data[..log.data.len().min(MAX_DATA)],
            about.image.map(|image| image.0),
            about.patient.map(|address| address.0.0),
            about.requester.map(|address| address.0.0),
            about.radiologist.map(|address| address.0.0),
            expires_at,
        ])?;
    }
    Ok(())
}

/// Takes back all blocks above a number; returns how many entries went with them.
pub(super) fn retract(tx: &Transaction<'_>, above: i64) -> Result<u64> {
    let taken = tx.execute("DELETE FROM log WHERE block > ?1", [above])?;
    tx.execute("DELETE FROM block WHERE number > ?1", [above])?;
    Ok(taken as u64)
}

fn kind(what: &What) -> EventKind {
    match what {
        What::Event(event) => EventKind::of(event),
        What::Unknown { .. } => EventKind::Unknown,
    }
}

/// When an approval ends, clamped to what SQLite holds; 0 is never.
fn expiry(event: &Event) -> Option<i64> {
    match event {
        Event::Approved { expires_at, .. } | Event::Reshared { expires_at, .. } => {
            Some(i64::try_from(*expires_at).unwrap_or(i64::MAX))
        }
        _ => None,
    }
}

/// What a log says, as far as it is understood.
fn understood(log: &ChainLog) -> What {
    read(&log.topics, &log.data)
}

fn read(topics: &[B256], data: &[u8]) -> What {
    let reason = match decode_event(topics, data) {
        Ok(Some(event)) => return What::Event(event),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    What::Unknown {
        unknown: UnknownLog {
            topics: topics.to_vec(),
            data: Bytes::copy_from_slice(&data[..data.len().min(MAX_DATA)]),
            reason,
        },
    }
}

/// Reads a row of [`COLUMNS`].
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let topics: Vec<B256> = row
        .get_ref(5)?
        .as_blob()?
        .chunks_exact(32)
        .map(B256::from_slice)
        .collect();
    let data = row.get_ref(6)?.as_blob()?;
    let image: Option<[u8; 32]> = row.get(7)?;
    Ok(Entry {
        block: unsigned(row, 0)?,
        block_hash: B256::from(row.get::<_, [u8; 32]>(1)?),
        timestamp: unsigned(row, 2)?,
        tx: B256::from(row.get::<_, [u8; 32]>(3)?),
        log_index: unsigned(row, 4)?,
        about: About {
            image: image.map(ImageDigest),
            patient: address(row, 8)?,
            requester: address(row, 9)?,
            radiologist: address(row, 10)?,
        },
        what: read(&topics, data),
    })
}

fn address(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Address>> {
    Ok(row.get::<_, Option<[u8; 20]>>(column)?.map(Address::from))
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// SQLite's integers are signed.
pub(super) fn signed(what: &'static str, value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::TooLarge { what, value })
}
