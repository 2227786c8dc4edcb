//! Contracts as they were at their first use.

use rusqlite::{OptionalExtension, params};

use crate::operation::journal::Journal;
use crate::operation::journal::error::Result;
use pcim_core::{Address, B256};
use pcim_ledger::Version;

/// A contract at its first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedContract {
    /// Its version.
    pub version: Version,
    /// The keccak-256 of its code.
    pub code_hash: B256,
}

impl Journal {
    /// Finds what a contract was at its first use.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::operation::journal::Error::Sqlite)
    pub fn pinned(&self, chain_id: u64, contract: Address) -> Result<Option<PinnedContract>> {
        let db = self.db();
        let sql = "SELECT version, code_hash FROM contract WHERE place = ?1";
        let found = db.query_row(sql, [place(chain_id, contract)], |row| {
            Ok(PinnedContract {
                version: match row.get_ref(0)?.as_str()? {
                    "1" => Version::V1,
                    _ => Version::V2,
                },
                code_hash: B256::from(row.get::<_, [u8; 32]>(1)?),
            })
        });
        Ok(found.optional()?)
    }

    /// Pins a contract at its first use; a later call changes nothing.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::operation::journal::Error::Sqlite)
    pub fn pin(&self, chain_id: u64, contract: Address, found: &PinnedContract) -> Result<()> {
        self.db().execute(
            "INSERT OR IGNORE INTO contract VALUES (?1, ?2, ?3)",
            params![
                place(chain_id, contract),
                found.version.text(),
                found.code_hash.0
            ],
        )?;
        Ok(())
    }
}

fn place(chain_id: u64, contract: Address) -> String {
    format!("{chain_id}:{contract}")
}
