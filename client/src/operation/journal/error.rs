//! Errors of a journal.

use std::path::PathBuf;

/// Why the journal was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that is something else.
    #[error("{} is not a journal", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later version of this program.
    #[error("the journal has version {found}, this program knows up to {known}")]
    Newer {
        /// The file's version.
        found: i64,
        /// The latest known version.
        known: i64,
    },
    /// No such operation is in flight.
    #[error("there is no operation {id} in flight")]
    NoOperation {
        /// Which.
        id: crate::operation::journal::OperationId,
    },
    /// A number beyond what can be stored.
    #[error("{value} is too large, wanted less than 2^63")]
    TooLarge {
        /// The number.
        value: u64,
    },
    /// A stored number that was never written.
    #[error("the journal is damaged: {column} is {value}")]
    Damaged {
        /// Where.
        column: &'static str,
        /// The stored value.
        value: i64,
    },
    /// A piece of an operation cannot be read or written.
    #[error("a note in the journal cannot be read")]
    Piece(#[source] serde_json::Error),
    /// The file cannot be made.
    #[error("the journal {} cannot be opened", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process has the file to itself.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// SQLite failed (disk full, locked by another process, …).
    #[error("the journal cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
}

/// The result of anything in this module.
pub type Result<T> = std::result::Result<T, Error>;
