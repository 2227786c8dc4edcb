//! Access that a call took away, until that is final.

use rusqlite::params;

use crate::operation::journal::error::Result;
use crate::operation::journal::{Journal, Operation, OperationId, operation, signed, unsigned};
use pcim_core::{Address, ImageDigest};

/// Access that a call took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The image.
    pub image: ImageDigest,
    /// The requestor; `None` for an image that was withdrawn.
    pub requestor: Option<Address>,
    /// The state that it was taken from: when the request was made, in unix seconds, or the image's round.
    pub state: u64,
}

impl Journal {
    /// Notes what an operation is to take away, before its call is sent.
    ///
    /// # Errors
    /// [`Error::TooLarge`](super::Error::TooLarge), [`Error::Sqlite`](super::Error::Sqlite)
    pub fn note_taken(&self, id: OperationId, taken: &Taken) -> Result<()> {
        let requestor = taken.requestor.map(|requestor| requestor.0.0);
        self.db().execute(
            "INSERT INTO taken (operation, image, requester, state) VALUES (?1, ?2, ?3, ?4)",
            params![id, taken.image.0, requestor, signed(taken.state)?],
        )?;
        Ok(())
    }

    /// Lists the operations that took something away and are not known to be final, oldest first.
    ///
    /// # Errors
    /// [`Error::Damaged`](super::Error::Damaged), [`Error::Sqlite`](super::Error::Sqlite)
    pub fn unsettled(&self) -> Result<Vec<(Operation, Vec<Taken>)>> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT id, key, signed_call, plan, done FROM operation
             WHERE done = 1 AND signed_call IS NOT NULL AND id IN (SELECT operation FROM taken) ORDER BY id",
        )?;
        let operations = query.query_map([], operation)?;
        let mut of =
            db.prepare("SELECT image, requester, state FROM taken WHERE operation = ?1")?;
        let mut all = Vec::new();
        for operation in operations {
            let operation = operation?;
            let rows = of.query_map([operation.id], |row| {
                let requestor: Option<[u8; 20]> = row.get(1)?;
                let (image, state) = (row.get(0)?, row.get::<_, i64>(2)?);
                Ok((ImageDigest(image), requestor.map(Address::from), state))
            })?;
            let mut taken = Vec::new();
            for row in rows {
                let (image, requestor, state) = row?;
                taken.push(Taken {
                    image,
                    requestor,
                    state: unsigned("taken.state", state)?,
                });
            }
            all.push((operation, taken));
        }
        Ok(all)
    }

    /// Forgets what an operation took away: it is final, or there is nothing left to take.
    ///
    /// # Errors
    /// [`Error::Sqlite`](super::Error::Sqlite)
    pub fn settle_taken(&self, id: OperationId) -> Result<()> {
        self.db()
            .execute("DELETE FROM taken WHERE operation = ?1", [id])?;
        Ok(())
    }

    /// Forgets what was taken from a requestor, or the withdrawal of an image: it is given again.
    ///
    /// # Errors
    /// [`Error::Sqlite`](super::Error::Sqlite)
    pub fn give_again(&self, image: &ImageDigest, requestor: Option<Address>) -> Result<()> {
        self.db().execute(
            "DELETE FROM taken WHERE image = ?1 AND requester IS ?2",
            params![image.0, requestor.map(|requestor| requestor.0.0)],
        )?;
        Ok(())
    }
}
