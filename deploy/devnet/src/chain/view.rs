//! The state at one version, as executions read it.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError, RwLock},
};

use alloy_primitives::{Address, B256, U256, keccak256};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

use super::{
    ledger::{Ledger, Pin},
    state::Versions,
};

/// The state at one version, for executing on. Takes the ledger's lock per read only.
#[derive(Clone)]
pub(crate) struct StateView {
    pub(crate) ledger: Arc<RwLock<Ledger>>,
    pub(crate) version: u64,
    /// Keeps the version readable.
    pub(crate) _pin: Arc<Pin>,
}
impl StateView {
    fn read<R>(&self, read: impl FnOnce(&Versions) -> R) -> R {
        read(
            &self
                .ledger
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .state,
        )
    }
}
impl DatabaseRef for StateView {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        let account = self.read(|state| state.account(address, self.version));
        Ok(account.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.read(|state| state.code(code_hash)).unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, Infallible> {
        Ok(self.read(|state| state.storage(address, index, self.version)))
    }

    /// Hashes of the simulated parent chain's blocks: the Keccak-256 of the number in decimal.
    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(keccak256(number.to_string()))
    }
}
