//! Why a fork cannot be used.

use std::{io, path::PathBuf};

/// Why a fork cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// No answer came.
    #[error("the fork's source {host} does not answer: {reason}")]
    Silent {
        /// The source's host.
        host: String,
        /// The transport's reason.
        reason: String,
    },
    /// It answered with an error.
    #[error(
        "the fork's source refuses {method} at block {block}: {reason}; a node that keeps that block's state is needed"
    )]
    Refused {
        /// The method asked.
        method: &'static str,
        /// The block asked about.
        block: String,
        /// Its reason.
        reason: String,
    },
    /// Its answer is not one.
    #[error("the fork's source answers {method} with what is no answer: {reason}")]
    Nonsense {
        /// The method asked.
        method: &'static str,
        /// The fault.
        reason: String,
    },
    /// Its chain is none that this devnet can go on from.
    #[error("cannot go on from this chain: {0}")]
    Chain(String),
    /// The cache on disk cannot be used.
    #[error("{path}: {source}")]
    Cache {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}
