//! Reads and writes of ArbOS's state inside a transaction.

use alloy_primitives::{Address, U256};
use revm::context_interface::JournalTr;

use super::slots::ARBOS;
pub(crate) use super::slots::{ROOT, Space};
use crate::evm::context::State;
use crate::evm::db::StateError;

/// Reads a slot of ArbOS's state.
pub(crate) fn read(state: &mut State<'_>, slot: U256) -> Result<U256, StateError> {
    read_of(state, ARBOS, slot)
}

/// Writes a slot of ArbOS's state; undone with the frame that wrote it.
pub(crate) fn write(state: &mut State<'_>, slot: U256, value: U256) -> Result<(), StateError> {
    write_of(state, ARBOS, slot, value)
}

/// Reads a slot of another account that ArbOS keeps.
pub(crate) fn read_of(
    state: &mut State<'_>,
    account: Address,
    slot: U256,
) -> Result<U256, StateError> {
    state.load_account(account)?;
    Ok(state.sload(account, slot)?.data)
}

/// Writes a slot of another account that ArbOS keeps; it must not count as empty.
pub(crate) fn write_of(
    state: &mut State<'_>,
    account: Address,
    slot: U256,
    value: U256,
) -> Result<(), StateError> {
    state.load_account(account)?;
    state.touch_account(account);
    state.sstore(account, slot, value)?;
    Ok(())
}
