//! The end of an operation: its pieces under that end are dropped, and only then it is over.
//!
//! Dropping can be repeated, so an end that is cut off is taken up where it stopped.

use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::journal::{self, Journal, OperationId};
use crate::session::Session;

impl Session {
    /// Ends an operation.
    pub(crate) async fn settle(&self, operation: OperationId, outcome: Verdict) -> Result<()> {
        self.drop_noted(operation, outcome).await?;
        match outcome {
            Verdict::Done => self.journal.finish(operation)?,
            Verdict::Failed => self.journal.abandon(operation)?,
        }
        Ok(())
    }

    /// Drops the pieces of an end.
    pub(crate) async fn drop_noted(&self, operation: OperationId, outcome: Verdict) -> Result<()> {
        for piece in self.journal.noted(operation, outcome)? {
            self.drop_piece(&piece).await?;
        }
        Ok(())
    }

    async fn drop_piece(&self, piece: &Piece) -> Result<()> {
        match piece {
            Piece::Root(root) => {
                self.node().await?.drop_header(root).await?;
                self.journal.forget_image(root)?;
            }
            Piece::Body(body) => self.node().await?.drop_body(body).await?,
            Piece::Block(block) => self.node().await?.drop_raw(block).await?,
            Piece::File(path) => match remove(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    // The name is for the user, who knows it.
                    return Err(Error::File {
                        path: path.clone(),
                        source: error,
                    });
                }
                _ => {}
            },
        }
        Ok(())
    }

    /// An operation that nobody will begin under the same key again.
    pub(crate) fn begin_once(&self, deed: Deed) -> Result<OperationId> {
        Ok(self.journal.begin(&self.scoped(deed)?)?.id)
    }
}

/// Deletes a file, or a folder with what is in it; a link is deleted and not followed.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path)?.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}

/// Records a piece where only an [`io::Error`] can be returned.
pub(crate) fn note(
    journal: &Journal,
    operation: OperationId,
    outcome: Verdict,
    piece: &Piece,
) -> io::Result<()> {
    let noted = journal.note(operation, outcome, piece);
    noted.map_err(|error: journal::Error| io::Error::other(error))
}

/// An operation that stores nothing which outlives it: it is over when this is dropped, however it went.
pub(crate) struct Passing<'s> {
    journal: &'s Journal,
    pub(crate) operation: OperationId,
}

impl<'s> Passing<'s> {
    pub(crate) fn begin(session: &'s Session, deed: Deed) -> Result<Self> {
        let operation = session.begin_once(deed)?;
        let journal = &session.journal;
        Ok(Self { journal, operation })
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.journal.abandon(self.operation) {
            tracing::warn!(%error, "an operation that has ended stays in the journal");
        }
    }
}
