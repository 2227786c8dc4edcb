//! Why the chain did not do as asked.

use alloy_primitives::Address;

use super::{
    fork_error::ForkError,
    limits::{MAX_BLOCKS, MAX_IMPERSONATED, MAX_SNAPSHOTS},
    store::StoreError,
    tx::{MAX_CODE, TxError},
};
use crate::evm::Outcome;

/// Why the chain did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error(transparent)]
    Tx(#[from] TxError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// State of a fork that an execution needed.
    #[error("{0}")]
    Unread(String),
    #[error("there are no proofs and no dumps of a fork: its state is not here")]
    NotHere,
    #[error("cannot encode state changes: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error("the devnet is shutting down")]
    Closed,
    #[error("header not found, or its state is no longer kept")]
    NoBlock,
    #[error("timestamp {wanted} is before the latest block's, {latest}")]
    Past { wanted: u64, latest: u64 },
    #[error("cannot keep more than {MAX_SNAPSHOTS} snapshots")]
    Snapshots,
    #[error("cannot make {0} blocks at once, only {MAX_BLOCKS}")]
    Blocks(u64),
    #[error("code of {0} bytes is over the limit of {MAX_CODE}")]
    Code(usize),
    #[error("cannot impersonate more than {MAX_IMPERSONATED} accounts")]
    Impersonated,
    #[error(
        "no signer for {0}: this node signs for its prefunded accounts only; impersonate the account first"
    )]
    NoSigner(Address),
    #[error("{}", .0.error().unwrap_or_default())]
    Failing(Box<Outcome>),
    #[error("{reason}")]
    Simulation { code: i32, reason: String },
}
