//! Calls that were signed here for others to send: their numbers, and what was signed.

use rusqlite::OptionalExtension;

use crate::operation::journal::Journal;
use crate::operation::journal::error::Result;
use pcim_core::U256;

/// Bytes of a home's own part of its numbers.
const BASE_BYTES: usize = 27;

impl Journal {
    /// Takes a number for a signed call, which is never taken again: 216 bits that this home drew once, and a counter. Two
    /// homes of one key have different words.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::operation::journal::Error::Sqlite)
    pub fn take_nonce(&self) -> Result<U256> {
        self.write(|tx| {
            let found = tx
                .query_row("SELECT base, next FROM nonce", [], |row| {
                    Ok((row.get::<_, [u8; BASE_BYTES]>(0)?, row.get::<_, u32>(1)?))
                })
                .optional()?;
            let (base, next) = match found {
                Some(found) => found,
                None => {
                    let base: [u8; BASE_BYTES] = std::array::from_fn(|_| rand::random());
                    tx.execute("INSERT INTO nonce VALUES (1, ?1, 0)", [base])?;
                    (base, 0)
                }
            };
            tx.execute("UPDATE nonce SET next = next + 1", [])?;
            let mut bytes = [0; 32];
            bytes[..BASE_BYTES].copy_from_slice(&base);
            bytes[28..].copy_from_slice(&next.to_be_bytes());
            Ok(U256::from_be_bytes(bytes))
        })
    }

    /// Records a call before it is handed out.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::operation::journal::Error::Sqlite)
    pub fn record_signed(&self, document: &str) -> Result<()> {
        let db = self.db();
        db.execute("INSERT INTO relay_call (document) VALUES (?1)", [document])?;
        Ok(())
    }

    /// Lists the calls that were signed here, as JSON, oldest first.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::operation::journal::Error::Sqlite)
    pub fn signed(&self) -> Result<Vec<String>> {
        let db = self.db();
        let mut query = db.prepare("SELECT document FROM relay_call ORDER BY id")?;
        let rows = query.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_taken_twice_and_are_a_homes_own() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("a"), dir.path().join("b"));
        let first = Journal::open(&one).unwrap().take_nonce().unwrap();
        let journal = Journal::open(&one).unwrap();
        for n in 1..300u64 {
            assert_eq!(journal.take_nonce().unwrap(), first + U256::from(n));
        }
        let elsewhere = Journal::open(&other).unwrap().take_nonce().unwrap();
        assert_ne!(first >> 40, elsewhere >> 40);
    }

    #[test]
    fn what_was_signed_stays_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        Journal::open(&path).unwrap().record_signed("1").unwrap();
        let journal = Journal::open(&path).unwrap();
        journal.record_signed("2").unwrap();
        assert_eq!(journal.signed().unwrap(), ["1", "2"]);
    }
}
