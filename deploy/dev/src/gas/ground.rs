//! The chain that is measured on, the accounts and rows, and errors.

use alloy_primitives::B256;
use pcim_deploy::deploy;
use pcim_ledger::Version;
use stylus_devnet::ArbOs;

/// Accounts that a run needs: a chain owner who deploys, the consortium, the radiologist, two requestors, five patients.
pub(crate) const ACCOUNTS: usize = 10;

/// How many patients [`time`](super::time) has.
pub(crate) const PATIENTS: usize = 5;

/// The calls of the paper's Table 1, in the order in which they are made; together they are the row [`CYCLE`].
pub(crate) const FIVE_CALLS: [&str; 5] = [
    "create_contract",
    "requesting_access",
    "approve_IRs",
    "trace_authorization",
    "remove_IRs",
];

/// The row of the five calls together.
pub(crate) const CYCLE: &str = "five-call cycle";

/// The row of the deployment.
pub(crate) const DEPLOYMENT: &str = "deployment";

/// A development chain that nothing has been done on yet, and what to measure there.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    /// `http://` or `https://`
    pub(crate) rpc_url: &'a str,
    /// refuse any other chain
    pub(crate) chain_id: u64,
    /// secp256k1 private keys of [`ACCOUNTS`] funded accounts; the first is a chain owner's
    pub(crate) keys: &'a [[u8; 32]],
    /// the module, uncompressed
    pub(crate) wasm: &'a [u8],
    /// the version of the contract that the module is
    pub(crate) version: Version,
    /// the chain's
    pub(crate) arbos: ArbOs,
}

/// The reason why there are no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The contract could not be deployed.
    #[error(transparent)]
    Deploy(#[from] deploy::Error),
    /// The keys are not enough, or one is none.
    #[error("wanted {ACCOUNTS} private keys, found {found} that can be used")]
    Keys {
        /// how many could be used
        found: usize,
    },
    /// The module cannot be read.
    #[error("the module cannot be read")]
    Module(#[from] wasmparser::BinaryReaderError),
    /// The chain was not read or written.
    #[error(transparent)]
    Ledger(#[from] pcim_ledger::Error),
    /// An operation's transaction was reverted.
    #[error("{operation} was refused in transaction {tx}")]
    Refused {
        /// which
        operation: &'static str,
        /// its transaction
        tx: B256,
    },
    /// An operation did not log what the interface promises.
    #[error("{operation} logged {found:?}, wanted {wanted:?}")]
    Logs {
        /// which
        operation: &'static str,
        /// the promise, topics and data of each log
        wanted: Vec<String>,
        /// what was logged
        found: Vec<String>,
    },
    /// Gas that the known prices do not explain.
    #[error("{operation}: {what} took {found} gas, its price is {wanted}")]
    Unexplained {
        /// which
        operation: &'static str,
        /// for what
        what: String,
        /// by the known prices
        wanted: u64,
        /// as measured
        found: u64,
    },
    /// A trace without what every trace has.
    #[error("{operation}: the trace has no {what}")]
    Trace {
        /// which
        operation: &'static str,
        /// what is missing
        what: &'static str,
    },
}
