//! State as a call wants to pretend it is: overrides laid over a real state.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

/// What to pretend of one account; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountOverride {
    pub(crate) balance: Option<U256>,
    pub(crate) nonce: Option<u64>,
    pub(crate) code: Option<Bytecode>,
    /// Replaces the whole storage.
    pub(crate) state: Option<HashMap<U256, U256>>,
    /// Replaces single slots.
    pub(crate) state_diff: HashMap<U256, U256>,
}

/// What to pretend of the block; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockOverride {
    pub(crate) number: Option<u64>,
    /** unix seconds */
    pub(crate) time: Option<u64>,
    pub(crate) gas_limit: Option<u64>,
    pub(crate) coinbase: Option<Address>,
    /** wei */
    pub(crate) base_fee: Option<u64>,
}
impl BlockOverride {
    pub(crate) fn apply(&self, block: &mut crate::evm::BlockParams) {
        // Contracts see the parent chain's number.
        if let Some(number) = self.number {
            block.number = number;
            block.l1_number = number;
        }
        block.timestamp = self.time.unwrap_or(block.timestamp);
        block.gas_limit = self.gas_limit.unwrap_or(block.gas_limit);
        block.coinbase = self.coinbase.unwrap_or(block.coinbase);
        block.base_fee = self.base_fee.unwrap_or(block.base_fee);
    }
}

/// `base` with accounts overridden.
pub(crate) struct Overlay<D> {
    base: D,
    accounts: HashMap<Address, AccountOverride>,
    code: HashMap<B256, Bytecode>,
}
impl<D> Overlay<D> {
    pub(crate) fn new(base: D, accounts: HashMap<Address, AccountOverride>) -> Self {
        let code = accounts
            .values()
            .filter_map(|account| account.code.clone())
            .map(|code| (code.hash_slow(), code))
            .collect();
        Self {
            base,
            accounts,
            code,
        }
    }
}
impl<D: DatabaseRef> DatabaseRef for Overlay<D> {
    type Error = D::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, D::Error> {
        let base = self.base.basic_ref(address)?;
        let Some(pretend) = self.accounts.get(&address) else {
            return Ok(base);
        };
        let mut info = base.unwrap_or_else(|| AccountInfo {
            code_hash: KECCAK256_EMPTY,
            ..AccountInfo::default()
        });
        info.balance = pretend.balance.unwrap_or(info.balance);
        info.nonce = pretend.nonce.unwrap_or(info.nonce);
        if let Some(code) = &pretend.code {
            info.code_hash = code.hash_slow();
            info.code = Some(code.clone());
        }
        Ok(Some(info))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, D::Error> {
        match self.code.get(&code_hash) {
            Some(code) => Ok(code.clone()),
            None => self.base.code_by_hash_ref(code_hash),
        }
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, D::Error> {
        if let Some(pretend) = self.accounts.get(&address) {
            if let Some(value) = pretend.state_diff.get(&index) {
                return Ok(*value);
            }
            if let Some(state) = &pretend.state {
                return Ok(state.get(&index).copied().unwrap_or_default());
            }
        }
        self.base.storage_ref(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, D::Error> {
        self.base.block_hash_ref(number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use revm::database_interface::EmptyDB;

    #[test]
    fn only_what_is_overridden_changes() {
        let (who, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let code = Bytecode::new_legacy(vec![0x5f].into());
        let pretend = AccountOverride {
            balance: Some(U256::from(5)),
            code: Some(code.clone()),
            state: Some([(U256::from(1), U256::from(2))].into()),
            state_diff: [(U256::from(3), U256::from(4))].into(),
            ..AccountOverride::default()
        };
        let db = Overlay::new(EmptyDB::new(), [(who, pretend)].into());
        let info = db.basic_ref(who).unwrap().unwrap();
        assert_eq!((info.balance, info.nonce), (U256::from(5), 0));
        assert_eq!(db.code_by_hash_ref(info.code_hash).unwrap(), code);
        assert_eq!(db.storage_ref(who, U256::from(1)).unwrap(), U256::from(2));
        assert_eq!(db.storage_ref(who, U256::from(3)).unwrap(), U256::from(4));
        assert_eq!(db.storage_ref(who, U256::from(9)).unwrap(), U256::ZERO);
        assert_eq!(db.basic_ref(other).unwrap(), None);
    }
}
