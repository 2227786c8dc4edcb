//! The end of an operation: what it noted under its outcome is dropped, and only then it is over.
//!
//! Dropping can be repeated, so an end that is cut off is taken up where it stopped.

use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::operation::journal::piece::{Outcome, Piece, PieceBody};
use crate::operation::journal::{self, Journal};
use crate::session::Client;
use pcim_node::BodyRef;

impl Client {
    /// Ends an operation.
    pub(crate) async fn settle(&self, operation: i64, outcome: Outcome) -> Result<()> {
        self.drop_noted(operation, outcome).await?;
        match outcome {
            Outcome::Done => self.journal.finish(operation)?,
            Outcome::Failed => self.journal.abandon(operation)?,
        }
        Ok(())
    }

    /// Drops what is noted under an outcome.
    pub(crate) async fn drop_noted(&self, operation: i64, outcome: Outcome) -> Result<()> {
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
            Piece::Body(body) => self.node().await?.drop_body(&body.into()).await?,
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
    pub(crate) fn begin_once(&self, what: &str) -> Result<i64> {
        let number: u64 = rand::random();
        let key = self.scoped(&format!("{what}:{number:016x}"))?;
        Ok(self.journal.begin(&key)?.id)
    }
}

/// Deletes a file, or a folder with what is in it; a link is deleted and not followed.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path)?.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}

/// Notes a piece for where only an [`io::Error`] can be told.
pub(crate) fn note(
    journal: &Journal,
    operation: i64,
    outcome: Outcome,
    piece: &Piece,
) -> io::Result<()> {
    let noted = journal.note(operation, outcome, piece);
    noted.map_err(|error: journal::Error| io::Error::other(error))
}

/// An operation that stores nothing which outlives it: it is over when this is dropped, however it went.
pub(crate) struct Passing<'c> {
    journal: &'c Journal,
    pub(crate) operation: i64,
}

impl<'c> Passing<'c> {
    pub(crate) fn begin(client: &'c Client, what: &str) -> Result<Self> {
        let operation = client.begin_once(what)?;
        let journal = &client.journal;
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

impl From<&BodyRef> for PieceBody {
    fn from(body: &BodyRef) -> Self {
        Self {
            cid: body.cid.clone(),
            file_size: body.file_size,
            dag_size: body.dag_size,
        }
    }
}

impl From<&PieceBody> for BodyRef {
    fn from(body: &PieceBody) -> Self {
        Self {
            cid: body.cid.clone(),
            file_size: body.file_size,
            dag_size: body.dag_size,
        }
    }
}
