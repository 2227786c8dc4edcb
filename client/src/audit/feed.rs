//! What a consumer has not had yet. Every entry has a sequence number, given when it is added and never again; what a
//! reorganisation takes back from a consumer that had it is put into a queue of his own, under the next number.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::store::{self, COLUMNS};
use super::{Entry, Error, Index, Result};

/// Where a new consumer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the first entry.
    Beginning,
    /// With the next entry that is added.
    Now,
}

/// Something that a consumer has not had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Larger than that of every earlier delivery, and the same when it is delivered again.
    pub seq: i64,
    /// Whether a reorganisation took the entry back, which was handed over before, acknowledged or not.
    pub retracted: bool,
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Index {
    /// Makes a consumer known under a name; one that is known stays where it is. Returns whether it is new.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn subscribe(&self, name: &str, start: Start) -> Result<bool> {
        self.write(|tx| {
            let begin = match start {
                Start::Beginning => "0",
                Start::Now => "next_seq - 1",
            };
            let sql = format!(
                "INSERT INTO consumer (name, cursor, handed) SELECT ?1, {begin}, {begin} FROM source WHERE TRUE
                 ON CONFLICT (name) DO NOTHING"
            );
            Ok(tx.execute(&sql, [name])? == 1)
        })
    }

    /// Forgets a consumer.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn unsubscribe(&self, name: &str) -> Result<()> {
        self.write(|tx| {
            tx.execute("DELETE FROM retraction WHERE consumer = ?1", [name])?;
            tx.execute("DELETE FROM consumer WHERE name = ?1", [name])?;
            Ok(())
        })
    }

    /// What a consumer has not acknowledged, oldest first, at most `limit`. It is the same again until
    /// [`Index::acknowledge`]: what a consumer did about it and the number it had belong together.
    ///
    /// # Errors
    /// [`Error::NoConsumer`], [`Error::Damaged`], [`Error::Sqlite`]
    pub fn pending(&self, name: &str, limit: usize) -> Result<Vec<Delivery>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write(|tx| {
            let cursor = cursor(tx, name)?;
            let mut deliveries = Vec::new();
            let sql = format!(
                "SELECT {COLUMNS} FROM log JOIN block ON block.number = log.block
                 WHERE log.seq > ?1 ORDER BY log.seq LIMIT ?2"
            );
            let mut statement = tx.prepare(&sql)?;
            let mut rows = statement.query([cursor, limit])?;
            while let Some(row) = rows.next()? {
                let (seq, entry) = store::entry(row)?;
                deliveries.push(Delivery {
                    seq,
                    retracted: false,
                    entry,
                });
            }
            let mut statement = tx.prepare(
                "SELECT seq, entry FROM retraction WHERE consumer = ?1 AND seq > ?2
                 ORDER BY seq LIMIT ?3",
            )?;
            let rows = statement.query_map(params![name, cursor, limit], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
            for row in rows {
                let (seq, text) = row?;
                let entry = serde_json::from_str(&text)
                    .map_err(|e| Error::Damaged(format!("retraction {seq}: {e}")))?;
                deliveries.push(Delivery {
                    seq,
                    retracted: true,
                    entry,
                });
            }
            deliveries.sort_by_key(|delivery| delivery.seq);
            deliveries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            if let Some(last) = deliveries.last() {
                // From here on a reorganisation has to tell him, whether he acknowledges or not.
                tx.execute(
                    "UPDATE consumer SET handed = max(handed, ?2) WHERE name = ?1",
                    params![name, last.seq],
                )?;
            }
            Ok(deliveries)
        })
    }

    /// A consumer has had everything up to a delivery, for good.
    ///
    /// # Errors
    /// [`Error::NoConsumer`], [`Error::Sqlite`]
    pub fn acknowledge(&self, name: &str, seq: i64) -> Result<()> {
        self.write(|tx| {
            cursor(tx, name)?;
            tx.execute(
                "UPDATE consumer SET cursor = max(cursor, ?2) WHERE name = ?1",
                params![name, seq],
            )?;
            tx.execute(
                "DELETE FROM retraction WHERE consumer = ?1 AND seq <= ?2",
                params![name, seq],
            )?;
            Ok(())
        })
    }
}

fn cursor(tx: &Transaction<'_>, name: &str) -> Result<i64> {
    let sql = "SELECT cursor FROM consumer WHERE name = ?1";
    let cursor = tx.query_row(sql, [name], |row| row.get(0)).optional()?;
    cursor.ok_or_else(|| Error::NoConsumer {
        name: super::escaped(name.chars().take(64)),
    })
}

/// Takes back the entries of all blocks above a number, from whoever had them, latest first.
pub(super) fn retract(tx: &Transaction<'_>, above: i64) -> Result<u64> {
    let consumers: Vec<(String, i64)> = tx
        .prepare("SELECT name, handed FROM consumer")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if let Some(furthest) = consumers.iter().map(|(_, handed)| *handed).max() {
        let mut seq: i64 = tx.query_row("SELECT next_seq FROM source", [], |row| row.get(0))?;
        let sql = format!(
            "SELECT {COLUMNS} FROM log JOIN block ON block.number = log.block
             WHERE log.block > ?1 AND log.seq <= ?2 ORDER BY log.seq DESC"
        );
        let mut statement = tx.prepare(&sql)?;
        let mut rows = statement.query([above, furthest])?;
        while let Some(row) = rows.next()? {
            let (had, entry) = store::entry(row)?;
            let text = serde_json::to_string(&entry)
                .map_err(|e| Error::Damaged(format!("entry {had}: {e}")))?;
            for (name, handed) in &consumers {
                if *handed >= had {
                    tx.execute(
                        "INSERT INTO retraction (consumer, seq, entry) VALUES (?1, ?2, ?3)",
                        params![name, seq, text],
                    )?;
                }
            }
            seq += 1;
        }
        tx.execute("UPDATE source SET next_seq = ?1", [seq])?;
    }
    let taken = tx.execute("DELETE FROM log WHERE block > ?1", [above])?;
    tx.execute("DELETE FROM block WHERE number > ?1", [above])?;
    Ok(taken as u64)
}
