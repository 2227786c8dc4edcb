//! Calls, and the blocks that they are made at.

use alloy_primitives::{Address, B256, Bytes, U256};

/// Which block's state to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockId {
    Latest,
    /// The latest state, in the surroundings of the block to come.
    Pending,
    Earliest,
    Number(u64),
    Hash(B256),
}

/// A call that is executed and forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) from: Address,
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) input: Bytes,
    pub(crate) gas: Option<u64>,
    /** wei; 0 is free of charge */
    pub(crate) gas_price: u128,
    /// Defaults to the sender's.
    pub(crate) nonce: Option<u64>,
    pub(crate) access_list: Vec<(Address, Vec<B256>)>,
    pub(crate) authorizations: Vec<alloy_eips::eip7702::SignedAuthorization>,
}
