//! Requests that were shown to the patient: what she decides on is what she read.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::operation::journal::Journal;
use crate::operation::journal::error::{Error, Result};
use pcim_core::{Address, BlockDigest, ImageDigest};
use pcim_ledger::NotesDigest;

/// The identity of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRequest {
    /// When it was made, unix seconds.
    pub requested_at: u64,
    /// The block of the requestor's certificate.
    pub public_key: BlockDigest,
    /// The digest of its notes.
    pub notes: NotesDigest,
}

impl Journal {
    /// Notes a request that was shown; an earlier one of the same requestor for the same image is forgotten.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn show_request(
        &self,
        image: &ImageDigest,
        requestor: Address,
        request: &ShownRequest,
    ) -> Result<()> {
        let json = serde_json::to_string(request).map_err(Error::Piece)?;
        self.db().execute(
            "INSERT OR REPLACE INTO shown VALUES (?1, ?2, ?3)",
            params![image.0, requestor.0.0, json],
        )?;
        Ok(())
    }

    /// Forgets the request that was shown: it was decided on.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn forget_shown(&self, image: &ImageDigest, requestor: Address) -> Result<()> {
        self.db().execute(
            "DELETE FROM shown WHERE image = ?1 AND requester = ?2",
            params![image.0, requestor.0.0],
        )?;
        Ok(())
    }

    /// Finds the request that was shown last.
    ///
    /// # Errors
    /// [`Error::Piece`], [`Error::Sqlite`]
    pub fn shown_request(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<Option<ShownRequest>> {
        let db = self.db();
        let found = db
            .query_row(
                "SELECT request FROM shown WHERE image = ?1 AND requester = ?2",
                params![image.0, requestor.0.0],
                |row| row.get::<_, String>(0),
            )
            .optional()?;
        let read = |json: String| serde_json::from_str(&json).map_err(Error::Piece);
        found.map(read).transpose()
    }
}
