//! The limits of what a relay pays: calls of one signer, and gas of all, in a day (UTC); a quarter of the gas is for strangers.
//!
//! Keys are free, so that a limit of each signer alone limits nothing. A signer is known once one of the contract's events names
//! him as a patient, or while he is accredited; those who are not share a quarter of the day's gas, and cannot use up the rest. Gas is
//! charged before a transaction is sent: a process that is killed has charged too much, never too little.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::operation::journal::error::Result;
use crate::operation::journal::schema;
use pcim_core::Address;

/// "PCIR".
const APPLICATION_ID: i64 = 0x5043_4952;
const TABLES: &str = "
    CREATE TABLE paid (
        day    INTEGER NOT NULL,
        signer BLOB NOT NULL CHECK (length(signer) = 20),
        known  INTEGER NOT NULL CHECK (known IN (0, 1)),
        calls  INTEGER NOT NULL,
        gas    INTEGER NOT NULL,
        PRIMARY KEY (day, signer, known)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE known (
        signer BLOB PRIMARY KEY CHECK (length(signer) = 20)
    ) STRICT, WITHOUT ROWID;
";
/// Seconds of a day.
const DAY: u64 = 86_400;
/// Days for which it is kept what was paid.
const KEPT_DAYS: u64 = 90;
/// Which part of a day's gas is for strangers: one in four.
const STRANGERS: u64 = 4;

/// How much a relay pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Most calls of one signer in a day.
    pub calls_per_signer: u32,
    /// Most gas of one call.
    pub gas_per_call: u64,
    /// Most gas of all calls in a day.
    pub gas_per_day: u64,
}

/// Why a call is not paid for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    /// The signer's calls of this day.
    #[error("{most} calls of one signer in a day (UTC) are sent at most")]
    Signer {
        /// The limit.
        most: u32,
    },
    /// The strangers' part of the day's gas.
    #[error("the day's gas for those whom the contract does not know is used up")]
    Strangers,
    /// All of the day's gas.
    #[error("the day's gas is used up")]
    Day,
}

/// Gas that was charged before a call is sent.
#[derive(Clone, Copy, Debug)]
pub struct Charged {
    day: u64,
    signer: Address,
    known: bool,
    gas: u64,
}

/// The record of what a relay pays.
#[derive(Debug)]
pub struct RelayDesk {
    db: Mutex<Connection>,
    limits: RelayLimits,
}

impl RelayDesk {
    /// Opens the file, or makes an empty one that only its owner can read.
    ///
    /// # Errors
    /// Those of [`crate::journal::Journal::open`].
    pub fn open(path: &Path, limits: RelayLimits) -> Result<Self> {
        Ok(Self {
            db: Mutex::new(schema::open_as(path, APPLICATION_ID, &[TABLES])?),
            limits,
        })
    }

    /// Returns the limits.
    pub fn limits(&self) -> RelayLimits {
        self.limits
    }

    /// Says whether a signer is known from before.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn is_known(&self, signer: Address) -> Result<bool> {
        let db = self.db();
        let found = db.query_row(
            "SELECT 1 FROM known WHERE signer = ?1",
            [signer.0.0],
            |_| Ok(()),
        );
        Ok(found.optional()?.is_some())
    }

    /// Knows a signer from now on.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn know(&self, signer: Address) -> Result<()> {
        self.db()
            .execute("INSERT OR IGNORE INTO known VALUES (?1)", [signer.0.0])?;
        Ok(())
    }

    /// Charges a signer for a call at the time `now` (unix seconds), with all the gas that it may take.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn charge(
        &self,
        now: u64,
        signer: Address,
        known: bool,
    ) -> Result<std::result::Result<Charged, Spent>> {
        let (day, gas) = (now / DAY, self.limits.gas_per_call);
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute(
            "DELETE FROM paid WHERE day + ?2 < ?1",
            params![int(day), int(KEPT_DAYS)],
        )?;
        let calls: i64 = tx.query_row(
            "SELECT coalesce(sum(calls), 0) FROM paid WHERE day = ?1 AND signer = ?2",
            params![int(day), signer.0.0],
            |row| row.get(0),
        )?;
        if calls >= i64::from(self.limits.calls_per_signer) {
            let most = self.limits.calls_per_signer;
            return Ok(Err(Spent::Signer { most }));
        }
        let paid = |known: bool| -> rusqlite::Result<u64> {
            tx.query_row(
                "SELECT coalesce(sum(gas), 0) FROM paid WHERE day = ?1 AND known = ?2",
                params![int(day), known],
                |row| row.get::<_, i64>(0).map(uint),
            )
        };
        let (strangers, all) = (paid(false)?, paid(false)?.saturating_add(paid(true)?));
        if all.saturating_add(gas) > self.limits.gas_per_day {
            return Ok(Err(Spent::Day));
        }
        if !known && strangers.saturating_add(gas) > self.limits.gas_per_day / STRANGERS {
            return Ok(Err(Spent::Strangers));
        }
        tx.execute(
            "INSERT INTO paid VALUES (?1, ?2, ?3, 1, ?4)
             ON CONFLICT DO UPDATE SET calls = calls + 1, gas = gas + excluded.gas",
            params![int(day), signer.0.0, known, int(gas)],
        )?;
        tx.commit()?;
        Ok(Ok(Charged {
            day,
            signer,
            known,
            gas,
        }))
    }

    /// Sets a charge right: the gas that was used, or none and no call if nothing was sent.
    ///
    /// # Errors
    /// [`crate::journal::Error::Sqlite`]
    pub fn settle(&self, charged: Charged, used: Option<u64>) -> Result<()> {
        let gas = charged.gas.saturating_sub(used.unwrap_or(0));
        self.db().execute(
            "UPDATE paid SET calls = calls - ?4, gas = max(gas - ?5, 0)
             WHERE day = ?1 AND signer = ?2 AND known = ?3",
            params![
                int(charged.day),
                charged.signer.0.0,
                charged.known,
                i64::from(used.is_none()),
                int(gas)
            ],
        )?;
        Ok(())
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const LIMITS: RelayLimits = RelayLimits {
        calls_per_signer: 3,
        gas_per_call: 100,
        gas_per_day: 1_000,
    };

    #[test]
    fn free_keys_use_up_a_quarter_of_the_day_and_a_restart_forgets_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.sqlite");
        let desk = RelayDesk::open(&path, LIMITS).unwrap();
        let key = Address::repeat_byte;
        let charge =
            |desk: &RelayDesk, now, signer, known| desk.charge(now, key(signer), known).unwrap();
        charge(&desk, 1, 1, false).unwrap();
        charge(&desk, 1, 2, false).unwrap();
        assert_eq!(charge(&desk, 1, 3, false).unwrap_err(), Spent::Strangers);
        // What was charged and not used comes back; so does the call if nothing was sent.
        let third = charge(&desk, 1, 9, true).unwrap();
        desk.settle(third, Some(40)).unwrap();
        for _ in 0..2 {
            let nothing = charge(&desk, 1, 9, true).unwrap();
            desk.settle(nothing, None).unwrap();
        }
        charge(&desk, 1, 9, true).unwrap();
        drop(desk);
        let desk = RelayDesk::open(&path, LIMITS).unwrap();
        charge(&desk, 2, 9, true).unwrap();
        assert_eq!(
            charge(&desk, 2, 9, true).unwrap_err(),
            Spent::Signer { most: 3 }
        );
        // 440 are used; five more fit.
        for signer in 10..15 {
            charge(&desk, 3, signer, true).unwrap();
        }
        assert_eq!(charge(&desk, 3, 20, true).unwrap_err(), Spent::Day);
        assert!(charge(&desk, DAY, 20, false).is_ok(), "another day");

        assert!(!desk.is_known(key(1)).unwrap());
        desk.know(key(1)).unwrap();
        desk.know(key(1)).unwrap();
        assert!(desk.is_known(key(1)).unwrap());
    }
}
