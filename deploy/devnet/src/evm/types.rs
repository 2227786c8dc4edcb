//! The input of an execution, and its outcome.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};
use revm::state::EvmState;

use crate::arbos::recent::RecentPrograms;

/// EIP-170; holds for programs too.
pub(super) const MAX_CODE_SIZE: usize = 24_576;

/// The block a transaction runs in.
#[derive(Clone, Debug)]
pub(crate) struct BlockParams {
    pub(crate) number: u64,
    pub(crate) l1_number: u64,
    /** unix seconds */
    pub(crate) timestamp: u64,
    /** wei */
    pub(crate) base_fee: u64,
    pub(crate) gas_limit: u64,
    pub(crate) coinbase: Address,
    /// The programs that ran last in it.
    pub(crate) recent: RecentPrograms,
    /// Addresses where another address's precompile answers, or none.
    pub(crate) precompiles: HashMap<Address, Option<Address>>,
}
/// A decoded transaction or call. Gas price is what the sender offers at most, in wei.
#[derive(Clone, Debug)]
pub(crate) struct TxParams {
    pub(crate) from: Address,
    pub(crate) to: TxKind,
    pub(crate) value: U256,
    pub(crate) input: Bytes,
    pub(crate) gas_limit: u64,
    pub(crate) gas_price: u128,
    /// The most that it offers above the base fee, wei.
    pub(crate) tip: u128,
    /// Its hash; zero if it has none.
    pub(crate) hash: B256,
    pub(crate) nonce: u64,
    pub(crate) access_list: Vec<(Address, Vec<B256>)>,
    pub(crate) authorizations: Vec<alloy_eips::eip7702::SignedAuthorization>,
    /// Gas that pays for posting it to the parent chain.
    pub(crate) poster_gas: u64,
    /// Sent in another's name: its sender may be a contract.
    pub(crate) impersonated: bool,
}
/// A mined transaction, or an eth_call / estimate: no balance, nonce or base fee checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Transaction,
    Call,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    /** output is the revert data */
    Revert,
    /** all gas burnt; text as a node reports it, e.g. `out of gas`, `program activation failed: …` */
    Halt(String),
}
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) gas_used: u64,
    /** before refunds */
    pub(crate) max_gas_used: u64,
    pub(crate) output: Bytes,
    pub(crate) logs: Vec<Log>,
    pub(crate) state: EvmState,
}
/// Why a transaction cannot be included at all (nonce, funds, gas limit below intrinsic…); text as geth words it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidTx(pub(crate) String);
