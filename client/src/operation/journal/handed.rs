//! Handovers that this home wrote, and what it left with followers.

use std::path::PathBuf;

use rusqlite::params;

use crate::mail::wire::MailId;
use crate::operation::journal::error::Result;
use crate::operation::journal::{Journal, signed, unsigned};
use pcim_core::ImageDigest;

/// A handover that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedRow {
    /// The image.
    pub image: ImageDigest,
    /// When it was sealed, unix seconds.
    pub sealed_at: u64,
    /// Its file.
    pub path: PathBuf,
    /// The letter with it that was left, and when, unix seconds.
    pub left: Option<(MailId, u64)>,
}

impl Journal {
    /// Records a handover that was written.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::operation::journal::Error::Sqlite)
    pub fn record_handover(&self, row: &HandedRow) -> Result<()> {
        self.db().execute(
            "INSERT OR REPLACE INTO handed (image, sealed_at, path) VALUES (?1, ?2, ?3)",
            params![
                row.image.0,
                signed(row.sealed_at)?,
                row.path.to_string_lossy()
            ],
        )?;
        Ok(())
    }

    /// Records that a handover was left with followers.
    ///
    /// # Errors
    /// [`Error::Sqlite`](crate::operation::journal::Error::Sqlite)
    pub fn record_left(&self, image: &ImageDigest, mail: &MailId, at: u64) -> Result<()> {
        self.db().execute(
            "INSERT INTO handed (image, sealed_at, path, mail, left_at) VALUES (?1, ?3, '', ?2, ?3)
             ON CONFLICT (image) DO UPDATE SET mail = ?2, left_at = ?3",
            params![image.0, mail, signed(at)?],
        )?;
        Ok(())
    }

    /// Lists the handovers.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::operation::journal::Error::Damaged),
    /// [`Error::Sqlite`](crate::operation::journal::Error::Sqlite)
    pub fn handovers(&self) -> Result<Vec<HandedRow>> {
        let db = self.db();
        let mut query = db.prepare("SELECT image, sealed_at, path, mail, left_at FROM handed")?;
        let rows = query.query_map([], |row| {
            let left = row
                .get::<_, Option<MailId>>(3)?
                .zip(row.get::<_, Option<i64>>(4)?);
            Ok((
                ImageDigest(row.get(0)?),
                row.get::<_, i64>(1)?,
                row.get::<_, String>(2)?,
                left,
            ))
        })?;
        rows.map(|row| {
            let (image, sealed_at, path, left) = row?;
            let left = match left {
                Some((mail, at)) => Some((mail, unsigned("handed.left_at", at)?)),
                None => None,
            };
            Ok(HandedRow {
                image,
                sealed_at: unsigned("handed.sealed_at", sealed_at)?,
                path: path.into(),
                left,
            })
        })
        .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn handovers_are_listed_with_what_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.sqlite")).unwrap();
        let row = |number, left| HandedRow {
            image: ImageDigest([number; 32]),
            sealed_at: 7,
            path: "/a/handover.pgp".into(),
            left,
        };
        journal.record_handover(&row(1, None)).unwrap();
        journal.record_handover(&row(2, None)).unwrap();
        journal
            .record_left(&ImageDigest([2; 32]), &[9; 32], 8)
            .unwrap();
        let all = journal.handovers().unwrap();
        assert_eq!(all, [row(1, None), row(2, Some(([9; 32], 8)))]);
        // One that was sealed by an earlier program.
        journal
            .record_left(&ImageDigest([3; 32]), &[9; 32], 8)
            .unwrap();
        assert_eq!(journal.handovers().unwrap().len(), 3);
    }
}
