//! Errors of the index.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::operation::journal;
use pcim_core::{Address, B256};

/// Why the index was not read, or not brought level with the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The chain could not be read.
    #[error(transparent)]
    Ledger(#[from] pcim_ledger::Error),
    /// The file is of another contract.
    #[error("{} is the index of {found}, wanted {wanted}", path.display())]
    OtherContract {
        /// The file.
        path: PathBuf,
        /// `chain-contract` that was wanted.
        wanted: String,
        /// `chain-contract` that the file is of.
        found: String,
    },
    /// The file cannot be made.
    #[error("the index {} cannot be opened", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite failed (disk full, locked by another process, …).
    #[error("the index cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// The file could not be opened for another reason.
    #[error(transparent)]
    Open(journal::Error),
    /// The file holds a value that was never written there.
    #[error("the index is damaged: {0}")]
    Damaged(String),
    /// Not a number that a chain has.
    #[error("{what} {value} is too large")]
    TooLarge {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u64,
    },
    /// The provider contradicts itself, or sends what was not asked for.
    #[error("the provider's logs of blocks {} to {} are no history: {detail}", range.start(), range.end())]
    BadLogs {
        /// The blocks.
        range: RangeInclusive<u64>,
        /// The fault.
        detail: String,
    },
    /// Two providers tell different logs.
    #[error("two providers differ in blocks {} to {}: {found} logs here, {other} at the second one; first difference: {detail}", range.start(), range.end())]
    ProvidersDiffer {
        /// The blocks.
        range: RangeInclusive<u64>,
        /// How many logs the first one has.
        found: usize,
        /// How many the second one has.
        other: usize,
        /// Where they differ first.
        detail: String,
    },
    /// Two providers are not on the same chain.
    #[error("two providers differ in block {block}: its hash is {found} here, {} at the second one", other.map_or("none".to_owned(), |hash| hash.to_string()))]
    ForkedProviders {
        /// The block.
        block: u64,
        /// Its hash at the first.
        found: B256,
        /// Its hash at the second, if it has the block.
        other: Option<B256>,
    },
    /// The chain changed again and again while it was read.
    #[error("the chain was reorganised {times} times while it was read")]
    Restless {
        /// How often.
        times: u32,
    },
    /// No such event.
    #[error("`{found}` is no event of the contract; see its interface, or `Unknown`")]
    EventName {
        /// The text that was given.
        found: String,
    },
    /// No such standing.
    #[error("`{found}` is no status; wanted requested, approved, expired, denied or removed")]
    StandingName {
        /// The text that was given.
        found: String,
    },
    /// The ledger is connected to another contract than the index is of.
    #[error("the index is of {wanted}, the connection to {found}")]
    OtherLedger {
        /// The index's contract.
        wanted: Address,
        /// The connection's.
        found: Address,
    },
    /// A background task died.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// The result of anything in this module.
pub type Result<T> = std::result::Result<T, Error>;
