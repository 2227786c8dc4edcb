//! World state with its history: every account and slot keeps the values it had, by version.
//!
//! A version is a number that only grows; each block and each direct edit takes one. Reading at
//! a version finds the newest value not younger than it, so a reader holding a version sees one
//! consistent state however far the chain moves on, and undoing means dropping the newest values.
//! Versions that nobody will read any more can be forgotten, so that history does not grow for ever.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use revm::{bytecode::Bytecode, state::EvmState};
use serde::{Deserialize, Serialize};

pub(crate) use super::account::{Account, bytecode};
use super::fork::Source;

/// A set of writes, in ascending key order, so that equal sets have equal encodings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// `None` removes the account.
    pub(crate) accounts: BTreeMap<Address, Option<Account>>,
    pub(crate) storage: BTreeMap<Address, Vec<(U256, U256)>>,
    /// Code that may be new to the state.
    pub(crate) code: BTreeMap<B256, Bytes>,
}
impl Changes {
    /// The writes of an executed transaction.
    pub(crate) fn from_evm(state: EvmState) -> Self {
        let mut changes = Self::default();
        for (address, account) in state {
            if !account.is_touched() {
                continue;
            }
            // Only an account made in the same transaction can be destroyed (EIP-6780), so there
            // is no stored slot to clear.
            if account.is_selfdestructed() || account.info.is_empty() {
                changes.accounts.insert(address, None);
                continue;
            }
            let mut slots: Vec<_> = account
                .changed_storage_slots()
                .map(|(key, slot)| (*key, slot.present_value))
                .collect();
            if !slots.is_empty() {
                slots.sort_unstable();
                changes.storage.insert(address, slots);
            }
            let info = account.info;
            if let Some(code) = info.code.filter(|code| !code.is_empty()) {
                changes.code.insert(info.code_hash, code.original_bytes());
            }
            changes.accounts.insert(
                address,
                Some(Account {
                    nonce: info.nonce,
                    balance: info.balance,
                    code_hash: info.code_hash,
                }),
            );
        }
        changes
    }

    /// Adds what was written after this.
    pub(crate) fn merge(&mut self, later: Self) {
        self.accounts.extend(later.accounts);
        self.code.extend(later.code);
        for (address, slots) in later.storage {
            let merged = self.storage.entry(address).or_default();
            let mut all: BTreeMap<U256, U256> = merged.drain(..).collect();
            all.extend(slots);
            merged.extend(all);
        }
    }

    /// Returns the value that is written to a slot, if any.
    pub(crate) fn slot(&self, address: Address, key: U256) -> Option<U256> {
        let slots = self.storage.get(&address)?;
        let at = slots.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(slots[at].1)
    }

    /// Adds an account with code, as genesis does.
    pub(crate) fn put_code(&mut self, address: Address, nonce: u64, code: Bytes) {
        let code_hash = keccak256(&code);
        self.code.insert(code_hash, code);
        self.accounts.insert(
            address,
            Some(Account {
                nonce,
                balance: U256::ZERO,
                code_hash,
            }),
        );
    }
}

#[derive(Debug, Default)]
pub(crate) struct Versions {
    version: u64,
    /// Where accounts and slots are that nobody has written here.
    source: Option<Arc<Source>>,
    accounts: HashMap<Address, Vec<(u64, Option<Account>)>>,
    storage: HashMap<(Address, U256), Vec<(u64, U256)>>,
    code: HashMap<B256, Bytecode>,
    /// The writes of each version, to undo or to forget them.
    touched: VecDeque<Touched>,
}
#[derive(Debug)]
struct Touched {
    version: u64,
    accounts: Vec<Address>,
    slots: Vec<(Address, U256)>,
    /// Code that was new to the state.
    code: Vec<B256>,
}

impl Versions {
    /// An empty state, on top of another chain's.
    pub(super) fn on(source: Option<Arc<Source>>) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }

    /// The chain that this one goes on from.
    pub(crate) fn source(&self) -> Option<&Arc<Source>> {
        self.source.as_ref()
    }

    /// The version of the newest write.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Writes `changes` as a new version and returns it.
    pub(crate) fn apply(&mut self, changes: &Changes) -> u64 {
        self.version += 1;
        let version = self.version;
        let mut touched = Touched {
            version,
            accounts: Vec::with_capacity(changes.accounts.len()),
            slots: Vec::new(),
            code: Vec::new(),
        };
        for (hash, code) in &changes.code {
            self.code.entry(*hash).or_insert_with(|| {
                touched.code.push(*hash);
                bytecode(code)
            });
        }
        for (address, account) in &changes.accounts {
            let history = self.accounts.entry(*address).or_default();
            let hides = self.source.is_some() && history.is_empty();
            if hides || history.last().and_then(|(_, last)| *last) != *account {
                history.push((version, *account));
                touched.accounts.push(*address);
            }
        }
        for (address, slots) in &changes.storage {
            for (key, value) in slots {
                let history = self.storage.entry((*address, *key)).or_default();
                history.push((version, *value));
                touched.slots.push((*address, *key));
            }
        }
        self.touched.push_back(touched);
        version
    }

    /// Undoes every write younger than `version`. Numbers already given out are not used again.
    pub(crate) fn rewind(&mut self, version: u64) {
        while let Some(touched) = self.touched.pop_back_if(|newest| newest.version > version) {
            for address in touched.accounts {
                if let Some(history) = self.accounts.get_mut(&address) {
                    history.pop();
                }
            }
            for slot in touched.slots {
                if let Some(history) = self.storage.get_mut(&slot) {
                    history.pop();
                }
            }
            for hash in touched.code {
                self.code.remove(&hash);
            }
        }
    }

    /// Makes `version` the oldest that can be read and returned to.
    pub(crate) fn forget_before(&mut self, version: u64) {
        while let Some(touched) = self
            .touched
            .pop_front_if(|oldest| oldest.version <= version)
        {
            // On top of another chain, nothing is something: it hides what is there.
            let alone = self.source.is_none();
            for address in touched.accounts {
                let nothing = |account: &Option<Account>| alone && account.is_none();
                forget(&mut self.accounts, address, version, nothing);
            }
            for slot in touched.slots {
                let nothing = |value: &U256| alone && value.is_zero();
                forget(&mut self.storage, slot, version, nothing);
            }
        }
    }

    /// Gives out only versions after `version`, of a state that is gone.
    pub(crate) fn begin_after(&mut self, version: u64) {
        self.version = self.version.max(version);
    }

    /// All accounts at a version.
    pub(crate) fn accounts(&self, version: u64) -> BTreeMap<Address, Account> {
        let all = self.accounts.iter();
        all.filter_map(|(address, history)| Some((*address, (*newest(history, version)?)?)))
            .collect()
    }

    /// All slots at a version that are not zero.
    pub(crate) fn all_storage(&self, version: u64) -> BTreeMap<Address, BTreeMap<U256, U256>> {
        let mut all = BTreeMap::<Address, BTreeMap<U256, U256>>::new();
        for ((address, key), history) in &self.storage {
            let value = newest(history, version).copied().unwrap_or_default();
            if !value.is_zero() {
                all.entry(*address).or_default().insert(*key, value);
            }
        }
        all
    }

    pub(crate) fn account(&self, address: Address, version: u64) -> Option<Account> {
        let own = self.accounts.get(&address);
        match own.and_then(|history| newest(history, version)) {
            Some(account) => *account,
            None => self.source.as_ref()?.account(address),
        }
    }

    pub(crate) fn storage(&self, address: Address, key: U256, version: u64) -> U256 {
        let own = self.storage.get(&(address, key));
        match (
            own.and_then(|history| newest(history, version)),
            &self.source,
        ) {
            (Some(value), _) => *value,
            (None, Some(source)) => source.storage(address, key),
            (None, None) => U256::ZERO,
        }
    }

    /// The code of an account, which was read before.
    pub(crate) fn code(&self, hash: B256) -> Option<Bytecode> {
        let own = self.code.get(&hash).cloned();
        own.or_else(|| self.source.as_ref()?.code(hash))
    }
}

/// The value in force at `version` in a history of ascending versions.
fn newest<T>(history: &[(u64, T)], version: u64) -> Option<&T> {
    let after = history.partition_point(|(at, _)| *at <= version);
    Some(&history.get(after.checked_sub(1)?)?.1)
}

/// Drops the values that no version from `version` on sees, and the whole history if it only says that nothing is there.
fn forget<K: Eq + Hash, T>(
    histories: &mut HashMap<K, Vec<(u64, T)>>,
    key: K,
    version: u64,
    nothing: impl Fn(&T) -> bool,
) {
    let Entry::Occupied(mut entry) = histories.entry(key) else {
        return;
    };
    let history = entry.get_mut();
    let unseen = history.partition_point(|(at, _)| *at <= version);
    history.drain(..unseen.saturating_sub(1));
    if history.capacity() > 4 * history.len() {
        history.shrink_to_fit();
    }
    let empty = match history.as_slice() {
        [] => true,
        [(at, value)] => *at <= version && nothing(value),
        _ => false,
    };
    if empty {
        entry.remove();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn balance(address: Address, wei: u64) -> Changes {
        let account = Account {
            balance: U256::from(wei),
            ..Account::default()
        };
        Changes {
            accounts: [(address, Some(account))].into(),
            ..Changes::default()
        }
    }
    fn slot(address: Address, value: u64) -> Changes {
        Changes {
            storage: [(address, vec![(U256::ZERO, U256::from(value))])].into(),
            ..Changes::default()
        }
    }

    #[test]
    fn every_version_stays_readable() {
        let who = Address::repeat_byte(1);
        let mut state = Versions::default();
        let first = state.apply(&balance(who, 5));
        let second = state.apply(&slot(who, 9));
        let third = state.apply(&balance(who, 6));
        assert_eq!(state.account(who, 0), None);
        assert_eq!(state.account(who, second).unwrap().balance, U256::from(5));
        assert_eq!(state.account(who, third).unwrap().balance, U256::from(6));
        assert_eq!(state.storage(who, U256::ZERO, first), U256::ZERO);
        assert_eq!(state.storage(who, U256::ZERO, third), U256::from(9));
    }

    #[test]
    fn rewinding_undoes_and_never_reuses_a_version() {
        let who = Address::repeat_byte(1);
        let mut state = Versions::default();
        let kept = state.apply(&balance(who, 5));
        let undone = state.apply(&balance(who, 6));
        state.apply(&slot(who, 7));
        state.rewind(kept);
        let newest = state.apply(&slot(who, 8));
        assert!(newest > undone);
        assert_eq!(state.account(who, newest).unwrap().balance, U256::from(5));
        assert_eq!(state.storage(who, U256::ZERO, newest), U256::from(8));
        assert_eq!(state.storage(who, U256::ZERO, undone), U256::ZERO);
    }

    #[test]
    fn what_is_forgotten_leaves_the_rest_as_it_was() {
        let (who, gone) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let mut state = Versions::default();
        let mut versions = Vec::new();
        for wei in 1..=9 {
            let mut changes = balance(who, wei);
            changes.storage = slot(who, wei % 2).storage;
            let account = (wei == 1).then(Account::default);
            changes.accounts.insert(gone, account);
            versions.push(state.apply(&changes));
        }
        state.forget_before(versions[5]);
        for (at, version) in versions.iter().enumerate().skip(5) {
            let wei = at as u64 + 1;
            let account = state.account(who, *version).unwrap();
            assert_eq!(account.balance, U256::from(wei));
            let slot = state.storage(who, U256::ZERO, *version);
            assert_eq!(slot, U256::from(wei % 2));
        }
        assert_eq!(state.accounts[&who].len(), 4);
        assert!(!state.accounts.contains_key(&gone));
        state.rewind(versions[6]);
        assert_eq!(state.account(who, u64::MAX).unwrap().balance, U256::from(7));
        state.forget_before(u64::MAX);
        assert_eq!(state.accounts[&who].len(), 1);
        assert!(state.touched.is_empty());
    }

    #[test]
    fn merged_changes_are_those_of_both_the_later_first() {
        let who = Address::repeat_byte(1);
        let write = |slots: &[(u64, u64)]| Changes {
            storage: [(
                who,
                slots
                    .iter()
                    .map(|(k, v)| (U256::from(*k), U256::from(*v)))
                    .collect(),
            )]
            .into(),
            ..Changes::default()
        };
        let mut changes = write(&[(1, 1), (5, 5)]);
        changes.merge(write(&[(0, 9), (5, 6)]));
        assert_eq!(changes, write(&[(0, 9), (1, 1), (5, 6)]));
        assert_eq!(changes.slot(who, U256::from(5)), Some(U256::from(6)));
        assert_eq!(changes.slot(who, U256::from(2)), None);
    }

    #[test]
    fn a_malformed_delegation_is_plain_code() {
        let code = Bytes::from_static(&[0xef, 0x01, 0x00, 0x00]);
        assert_eq!(bytecode(&code).original_bytes(), code);
        let stylus = Bytes::from_static(&[0xef, 0xf0, 0x00, 0x00, 0x01]);
        assert_eq!(bytecode(&stylus).original_bytes(), stylus);
    }
}
