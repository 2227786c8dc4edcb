//! The accounts that an execution touched, before it and after.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256};
use revm::{DatabaseRef, state::EvmState};

use crate::arbos::ARBOS;

/// An account without its storage, with its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snap {
    pub(crate) balance: U256,
    pub(crate) nonce: u64,
    pub(crate) code: Bytes,
}

/// An account that an execution read or wrote.
#[derive(Clone, Debug)]
pub(crate) struct Touched {
    pub(crate) address: Address,
    pub(crate) before: Snap,
    /// `None` if it is gone.
    pub(crate) after: Option<Snap>,
    /// The slots read or written: before, after.
    pub(crate) slots: BTreeMap<U256, (U256, U256)>,
}

impl Touched {
    pub(crate) fn is_changed(&self) -> bool {
        self.after.as_ref() != Some(&self.before)
            || self.slots.values().any(|(before, after)| before != after)
    }
}

/// The accounts in `state`, by address, as they were in `db`. ArbOS's own is left out.
pub(super) fn touched<D: DatabaseRef>(db: &D, state: &EvmState) -> Vec<Touched> {
    let code = |hash| {
        let code = db.code_by_hash_ref(hash).unwrap_or_default();
        code.original_bytes()
    };
    let mut all: Vec<_> = state
        .iter()
        .filter(|(address, _)| **address != ARBOS)
        .map(|(address, account)| {
            let before = db.basic_ref(*address).ok().flatten().unwrap_or_default();
            let before = Snap {
                balance: before.balance,
                nonce: before.nonce,
                code: match before.is_empty_code_hash() {
                    true => Bytes::new(),
                    false => code(before.code_hash),
                },
            };
            let info = &account.info;
            let after = match &info.code {
                _ if !account.is_touched() => before.clone(),
                Some(code) => Snap {
                    balance: info.balance,
                    nonce: info.nonce,
                    code: code.original_bytes(),
                },
                None => Snap {
                    balance: info.balance,
                    nonce: info.nonce,
                    code: before.code.clone(),
                },
            };
            let slots = account.storage.iter();
            Touched {
                address: *address,
                after: (!account.is_selfdestructed()).then_some(after),
                before,
                slots: slots
                    .map(|(key, slot)| (*key, (slot.original_value, slot.present_value)))
                    .collect(),
            }
        })
        .collect();
    all.sort_unstable_by_key(|one| one.address);
    all
}
