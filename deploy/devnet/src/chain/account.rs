//! Accounts as the state keeps them.

use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, U256};
use revm::bytecode::Bytecode;
use serde::{Deserialize, Serialize};

/// An account without its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) nonce: u64,
    /** wei */
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
}
impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK256_EMPTY,
        }
    }
}

/// Code as the interpreter wants it; bytes that only look like a delegation are plain code.
pub(crate) fn bytecode(code: &Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()))
}
