//! State as a call wants to pretend it is: overrides laid over a real state.

use std::{collections::HashMap, convert::Infallible};

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

use super::{
    error::Error,
    state::{Changes, bytecode},
};
use crate::evm::is_precompile;

/// The values to pretend for one account; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountOverride {
    pub(crate) balance: Option<U256>,
    pub(crate) nonce: Option<u64>,
    pub(crate) code: Option<Bytecode>,
    /// Replaces the whole storage.
    pub(crate) state: Option<HashMap<U256, U256>>,
    /// Replaces single slots.
    pub(crate) state_diff: HashMap<U256, U256>,
    /// The address that its precompile answers at instead.
    pub(crate) precompile_to: Option<Address>,
}

/// Where precompiles answer when these accounts are overridden: one that is overridden answers elsewhere or not at all.
pub(super) fn moves(
    accounts: &HashMap<Address, AccountOverride>,
    arbos: u64,
) -> Result<HashMap<Address, Option<Address>>, Error> {
    let refuse = |code, reason| Err(Error::Simulation { code, reason });
    let mut moves = HashMap::new();
    for (address, account) in accounts {
        let is_precompile = is_precompile(*address, arbos);
        if let Some(to) = account.precompile_to {
            if to == *address {
                return refuse(-38_022, format!("precompile {to} is moved to itself"));
            }
            if !is_precompile {
                return refuse(-32_000, format!("account {address} is not a precompile"));
            }
            if accounts.contains_key(&to) {
                return refuse(-32_000, format!("account {to} is already overridden"));
            }
            if moves.insert(to, Some(*address)).is_some() {
                return refuse(-38_023, format!("two precompiles are moved to {to}"));
            }
        }
        if is_precompile {
            moves.insert(*address, None);
        }
    }
    Ok(moves)
}

/// The values to pretend for the block; `None` leaves one as it is.
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

/// A state laid over another: what is pretended, and what was written since.
pub(crate) struct Overlay<D> {
    base: D,
    /// `None` is an account that is not there.
    accounts: HashMap<Address, Option<AccountInfo>>,
    storage: HashMap<Address, Slots>,
    code: HashMap<B256, Bytecode>,
}
#[derive(Default)]
struct Slots {
    /// Slots that are not here are zero, whatever is below.
    whole: bool,
    values: HashMap<U256, U256>,
}
impl<D: DatabaseRef<Error = Infallible>> Overlay<D> {
    /// `base` with accounts overridden.
    pub(crate) fn new(base: D, accounts: HashMap<Address, AccountOverride>) -> Self {
        let mut overlay = Self {
            base,
            accounts: HashMap::new(),
            storage: HashMap::new(),
            code: HashMap::new(),
        };
        overlay.pretend(accounts);
        overlay
    }

    /// Overrides accounts, on top of all that is here already.
    pub(crate) fn pretend(&mut self, accounts: HashMap<Address, AccountOverride>) {
        for (address, pretend) in accounts {
            let Ok(below) = self.basic_ref(address);
            let mut info = below.unwrap_or_else(|| AccountInfo {
                code_hash: KECCAK256_EMPTY,
                ..AccountInfo::default()
            });
            info.balance = pretend.balance.unwrap_or(info.balance);
            info.nonce = pretend.nonce.unwrap_or(info.nonce);
            if let Some(code) = pretend.code {
                info.code_hash = code.hash_slow();
                self.code.insert(info.code_hash, code.clone());
                info.code = Some(code);
            }
            self.accounts.insert(address, Some(info));
            let slots = self.storage.entry(address).or_default();
            if let Some(state) = pretend.state {
                *slots = Slots {
                    whole: true,
                    values: state,
                };
            }
            slots.values.extend(pretend.state_diff);
        }
    }

    /// Adds what an execution wrote.
    pub(crate) fn absorb(&mut self, changes: &Changes) {
        for (hash, code) in &changes.code {
            self.code.entry(*hash).or_insert_with(|| bytecode(code));
        }
        for (address, account) in &changes.accounts {
            let info = account.map(|account| AccountInfo {
                balance: account.balance,
                nonce: account.nonce,
                code_hash: account.code_hash,
                code: None,
                ..AccountInfo::default()
            });
            self.accounts.insert(*address, info);
        }
        for (address, slots) in &changes.storage {
            let values = &mut self.storage.entry(*address).or_default().values;
            values.extend(slots.iter().copied());
        }
    }
}
impl<D: DatabaseRef> DatabaseRef for Overlay<D> {
    type Error = D::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, D::Error> {
        match self.accounts.get(&address) {
            Some(info) => Ok(info.clone()),
            None => self.base.basic_ref(address),
        }
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, D::Error> {
        match self.code.get(&code_hash) {
            Some(code) => Ok(code.clone()),
            None => self.base.code_by_hash_ref(code_hash),
        }
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, D::Error> {
        if let Some(slots) = self.storage.get(&address) {
            if let Some(value) = slots.values.get(&index) {
                return Ok(*value);
            }
            if slots.whole {
                return Ok(U256::ZERO);
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
        let mut db = Overlay::new(EmptyDB::new(), [(who, pretend)].into());
        let info = db.basic_ref(who).unwrap().unwrap();
        assert_eq!((info.balance, info.nonce), (U256::from(5), 0));
        assert_eq!(db.code_by_hash_ref(info.code_hash).unwrap(), code);
        assert_eq!(db.storage_ref(who, U256::from(1)).unwrap(), U256::from(2));
        assert_eq!(db.storage_ref(who, U256::from(3)).unwrap(), U256::from(4));
        assert_eq!(db.storage_ref(who, U256::from(9)).unwrap(), U256::ZERO);
        assert_eq!(db.basic_ref(other).unwrap(), None);

        // Later writes count, the rest stays pretended.
        let account = crate::chain::state::Account::default();
        db.absorb(&Changes {
            accounts: [(who, None), (other, Some(account))].into(),
            storage: [(who, vec![(U256::from(3), U256::from(7))])].into(),
            ..Changes::default()
        });
        assert_eq!(db.basic_ref(who).unwrap(), None);
        assert!(db.basic_ref(other).unwrap().is_some());
        assert_eq!(db.storage_ref(who, U256::from(3)).unwrap(), U256::from(7));
        assert_eq!(db.storage_ref(who, U256::from(1)).unwrap(), U256::from(2));
    }
}
