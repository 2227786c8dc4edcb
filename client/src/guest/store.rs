//! The host's part of the links that were given to guests.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::Serialize;

use crate::operation::journal::error::Result;
use crate::operation::journal::schema;
use crate::papers::guest::{HALF, NAME};
use pcim_core::{Address, ImageDigest};

/// "PCIS".
const APPLICATION_ID: i64 = 0x5043_4953;
const TABLES: &str = "
    CREATE TABLE guest (
        name    BLOB PRIMARY KEY CHECK (length(name) = 16),
        half    BLOB NOT NULL CHECK (length(half) = 32),
        pin     TEXT NOT NULL,
        keys    BLOB NOT NULL,
        image   BLOB NOT NULL CHECK (length(image) = 32),
        account BLOB NOT NULL CHECK (length(account) = 20),
        called  TEXT NOT NULL,
        until   INTEGER NOT NULL,
        tries   INTEGER NOT NULL,
        opened  INTEGER NOT NULL DEFAULT 0,
        latest  INTEGER
    ) STRICT, WITHOUT ROWID;
";
/// How many wrong PINs are taken.
pub const TRIES: u32 = 5;
/// Seconds after its end for which a link is still known.
const KEPT: u64 = 30 * 86_400;

/// The host's part of a link.
#[derive(Clone)]
pub struct Guest {
    /// The link's name.
    pub name: [u8; NAME],
    /// The host's half.
    pub half: [u8; HALF],
    /// The PIN.
    pub pin: String,
    /// The guest's keys, sealed.
    pub keys: Vec<u8>,
    /// The part that is shown.
    pub about: GuestRow,
}

/// A guest, as the host knows her.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuestRow {
    /// The host's own name for the guest; empty for none.
    pub called: String,
    /// The image.
    pub image: ImageDigest,
    /// The guest's account.
    pub account: Address,
    /// Until when the link opens, unix seconds.
    pub until: u64,
    /// How many more wrong PINs are taken.
    pub tries: u32,
    /// How often the host gave its half.
    pub opened: u64,
    /// When last, unix seconds.
    pub latest: Option<u64>,
}

/// The outcome of a PIN.
pub enum Tried {
    /// No such link.
    Unknown,
    /// Too many wrong ones, now or before.
    Locked,
    /// A wrong one, and the number of those that are still taken.
    Wrong(u32),
    /// The right one.
    Right(Box<Guest>),
}

/// The file of one home.
#[derive(Debug)]
pub struct GuestStore {
    db: Mutex<Connection>,
}

impl GuestStore {
    /// Opens the file, or makes an empty one that only its owner can read.
    ///
    /// # Errors
    /// Those of [`crate::journal::Journal::open`].
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Mutex::new(schema::open_as(path, APPLICATION_ID, &[TABLES])?),
        })
    }

    /// Adds a guest, and forgets those whose links ended a month before `now`.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn add(&self, guest: &Guest, now: u64) -> Result<()> {
        let (db, about) = (self.db(), &guest.about);
        db.execute(
            "DELETE FROM guest WHERE until < ?1",
            [int(now.saturating_sub(KEPT))],
        )?;
        db.execute(
            "INSERT INTO guest (name, half, pin, keys, image, account, called, until, tries)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                guest.name,
                guest.half,
                guest.pin,
                guest.keys,
                about.image.0,
                about.account.0.0,
                about.called,
                int(about.until),
                about.tries
            ],
        )?;
        Ok(())
    }

    /// Forgets a guest.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn remove(&self, name: &[u8; NAME]) -> Result<()> {
        self.db()
            .execute("DELETE FROM guest WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Tries a PIN. A wrong one is counted before this returns.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn try_pin(&self, name: &[u8; NAME], pin: &str) -> Result<Tried> {
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = tx
            .query_row(
                "SELECT called, image, account, until, tries, opened, latest, half, pin, keys FROM guest WHERE name = ?1",
                [name],
                |row| {
                    Ok(Guest {
                        name: *name,
                        half: row.get(7)?,
                        pin: row.get(8)?,
                        keys: row.get(9)?,
                        about: about(row)?,
                    })
                },
            )
            .optional()?;
        let Some(guest) = found else {
            return Ok(Tried::Unknown);
        };
        if guest.about.tries == 0 {
            return Ok(Tried::Locked);
        }
        if guest.pin == pin {
            return Ok(Tried::Right(Box::new(guest)));
        }
        let left = guest.about.tries - 1;
        tx.execute(
            "UPDATE guest SET tries = ?2 WHERE name = ?1",
            params![name, left],
        )?;
        tx.commit()?;
        Ok(match left {
            0 => Tried::Locked,
            left => Tried::Wrong(left),
        })
    }

    /// Counts that the host gave its half.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn gave(&self, name: &[u8; NAME], now: u64) -> Result<()> {
        self.db().execute(
            "UPDATE guest SET opened = opened + 1, latest = ?2 WHERE name = ?1",
            params![name, int(now)],
        )?;
        Ok(())
    }

    /// Lists the guests, the one whose link ends last first.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn guests(&self) -> Result<Vec<GuestRow>> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT called, image, account, until, tries, opened, latest FROM guest ORDER BY until DESC",
        )?;
        let rows = query.query_map([], about)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn about(row: &Row<'_>) -> rusqlite::Result<GuestRow> {
    let uint = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(GuestRow {
        called: row.get(0)?,
        image: ImageDigest(row.get(1)?),
        account: Address::from(row.get::<_, [u8; 20]>(2)?),
        until: uint(row.get(3)?),
        tries: row.get(4)?,
        opened: uint(row.get(5)?),
        latest: row.get::<_, Option<i64>>(6)?.map(uint),
    })
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn five_wrong_pins_lock_a_link_over_restarts_and_right_ones_give_no_further_tries() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guests.sqlite");
        let guest = Guest {
            name: [1; NAME],
            half: [2; HALF],
            pin: "123456".to_owned(),
            keys: vec![3; 100],
            about: GuestRow {
                called: "Dr Ito".to_owned(),
                image: ImageDigest([4; 32]),
                account: Address::repeat_byte(5),
                until: 1_000,
                tries: TRIES,
                opened: 0,
                latest: None,
            },
        };
        let store = GuestStore::open(&path).unwrap();
        store.add(&guest, 0).unwrap();
        assert!(matches!(
            store.try_pin(&[9; NAME], "123456").unwrap(),
            Tried::Unknown
        ));
        for left in [4, 3, 2, 1] {
            assert!(
                matches!(store.try_pin(&guest.name, "000000").unwrap(), Tried::Wrong(found) if found == left)
            );
            let Tried::Right(found) = store.try_pin(&guest.name, "123456").unwrap() else {
                panic!("the right PIN")
            };
            assert_eq!((found.half, found.keys.len()), (guest.half, 100));
        }
        drop(store);
        let store = GuestStore::open(&path).unwrap();
        store.gave(&guest.name, 7).unwrap();
        assert!(matches!(
            store.try_pin(&guest.name, "000001").unwrap(),
            Tried::Locked
        ));
        assert!(matches!(
            store.try_pin(&guest.name, "123456").unwrap(),
            Tried::Locked
        ));
        let listed = store.guests().unwrap();
        assert_eq!(
            (listed[0].opened, listed[0].latest, listed[0].tries),
            (1, Some(7), 0)
        );
        // A month after its end another guest makes it forgotten.
        let other = Guest {
            name: [8; NAME],
            ..guest
        };
        store.add(&other, 1_001 + KEPT).unwrap();
        assert_eq!(store.guests().unwrap().len(), 1);
    }
}
