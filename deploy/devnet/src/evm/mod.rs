//! The EVM half: revm with Arbitrum's instructions, precompiles and Stylus frames.
//! `Vm::transact` is the one door; the chain above it applies the state it returns.

use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};
use revm::state::EvmState;

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
    pub(crate) nonce: u64,
    pub(crate) access_list: Vec<(Address, Vec<B256>)>,
    pub(crate) authorizations: Vec<alloy_eips::eip7702::SignedAuthorization>,
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
    pub(crate) created: Option<Address>,
    pub(crate) logs: Vec<Log>,
    pub(crate) state: EvmState,
}
/// Why a transaction cannot be included at all (nonce, funds, gas limit below intrinsic…); text as geth words it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidTx(pub(crate) String);

/// Executes transactions; holds the compiled programs. Cheap to clone and share.
#[derive(Clone)]
pub(crate) struct Vm(());
impl Vm {
    pub(crate) fn new(_chain_id: u64) -> Self {
        todo!()
    }
    /// Runs one transaction on `db`. Blocks the thread; big native stack is arranged inside.
    pub(crate) fn transact<DB: revm::DatabaseRef + Send + Sync>(
        &self,
        _db: &DB,
        _block: &BlockParams,
        _tx: &TxParams,
        _mode: Mode,
    ) -> Result<Outcome, InvalidTx>
    where
        DB::Error: std::fmt::Display,
    {
        todo!()
    }
}
