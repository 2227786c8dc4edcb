//! The chain's state as revm reads it: one concrete type, whatever the caller's database is.

use alloy_primitives::{Address, B256, U256, keccak256};
use revm::database_interface::DBErrorMarker;
use revm::state::{AccountInfo, Bytecode};
use revm::{Database, DatabaseRef};

use crate::arbos::slots::{ARBOS, l1_hash_slot};

/// The caller's database failed; nothing was executed that counts.
#[derive(Debug, thiserror::Error)]
#[error("state database: {0}")]
pub(crate) struct StateError(String);

impl DBErrorMarker for StateError {}

/// A [`DatabaseRef`] with its own error type wiped, so that the machine above compiles once.
pub(crate) struct Erased<'a, DB>(pub(crate) &'a DB);

/// Read access to the state below the running transaction.
pub(crate) struct ChainDb<'a>(pub(crate) &'a dyn DatabaseRef<Error = StateError>);

impl ChainDb<'_> {
    /// The hash of this chain's own block `number` (not of an L1 block).
    pub(crate) fn block_hash_of(&self, number: u64) -> Result<B256, StateError> {
        self.0.block_hash_ref(number)
    }
}

impl<DB: DatabaseRef> DatabaseRef for Erased<'_, DB>
where
    DB::Error: std::fmt::Display,
{
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        self.0.basic_ref(address).map_err(wipe)
    }
    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StateError> {
        self.0.code_by_hash_ref(code_hash).map_err(wipe)
    }
    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, StateError> {
        self.0.storage_ref(address, index).map_err(wipe)
    }
    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        self.0.block_hash_ref(number).map_err(wipe)
    }
}

fn wipe(error: impl std::fmt::Display) -> StateError {
    StateError(error.to_string())
}

impl Database for ChainDb<'_> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        self.0.basic_ref(address)
    }
    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, StateError> {
        self.0.code_by_hash_ref(code_hash)
    }
    fn storage(&mut self, address: Address, index: U256) -> Result<U256, StateError> {
        self.0.storage_ref(address, index)
    }
    /// BLOCKHASH speaks of L1 blocks, whose hashes ArbOS keeps. L1 is simulated here and ArbOS keeps none, so they are
    /// derived from the numbers.
    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        let kept = self.0.storage_ref(ARBOS, l1_hash_slot(number))?;
        Ok(match kept.is_zero() {
            true => keccak256(number.to_be_bytes()),
            false => kept.into(),
        })
    }
}
