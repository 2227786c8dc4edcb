//! The types that one transaction runs in.

use alloy_primitives::Address;
use revm::context::result::EVMError;
use revm::context::{BlockEnv, CfgEnv, Context, Journal, TxEnv};
use revm::context_interface::context::ContextError;

use super::db::{ChainDb, StateError};
use super::trace::Trace;
use crate::arbos::recent::RecentPrograms;

/// revm's context on this chain's state.
pub(crate) type Ctx<'a> =
    Context<BlockEnv, TxEnv, CfgEnv, ChainDb<'a>, Journal<ChainDb<'a>>, TxScratch>;
/// The journaled state of the running transaction.
pub(crate) type State<'a> = Journal<ChainDb<'a>>;
/// An error that ends the transaction without a result: the database failed or the machine itself did.
pub(crate) type Fatal = ContextError<StateError>;

/// Why a transaction is not executed.
pub(crate) type RunError = EVMError<StateError>;

/// The data that Arbitrum keeps per transaction beside Ethereum's state.
#[derive(Clone, Debug, Default)]
pub(crate) struct TxScratch {
    /// The number of the block on this chain; `BlockEnv::number` is the L1 block's.
    pub(crate) l2_block: u64,
    /// The ArbOS version in force.
    pub(crate) arbos: u64,
    /// The programs that ran last in the block.
    pub(crate) recent: RecentPrograms,
    /// WASM pages open in the running frames.
    pub(crate) pages_open: u16,
    /// The most WASM pages that were ever open in this transaction.
    pub(crate) pages_ever: u16,
    /// Why the outermost frame halted, when revm has no word for it.
    pub(crate) halt_text: Option<String>,
    /// Gas that pays for posting the transaction to the parent chain.
    pub(crate) poster_gas: u64,
    /// The account that base fees go to.
    pub(crate) network_fee_account: Address,
    /// `true` if `console` host functions exist.
    pub(crate) debug: bool,
    /// The record of its deeds, when that is asked for.
    pub(crate) trace: Option<Box<Trace>>,
    /// How the program of the outermost frame ended.
    #[cfg(test)]
    pub(crate) ended: Option<crate::hostio::Finished>,
    /// Pages open at that moment.
    #[cfg(test)]
    pub(crate) pages_at_end: u16,
}
