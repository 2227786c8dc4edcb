//! ArbFilteredTransactionsManager (0x74, ArbOS 60): the transactions that are mined without being executed.

use alloy_primitives::{B256, U256};
use alloy_sol_types::{SolCall, SolValue, sol};

use super::{Failure, Invocation, Purity, READ, WRITE};
use crate::arbos::{filtering, storage};

sol! {
    function addFilteredTransaction(bytes32 hash) external;
    function deleteFilteredTransaction(bytes32 hash) external;
    function isTransactionFiltered(bytes32 hash) external view returns (bool);

    event FilteredTransactionAdded(bytes32 indexed hash);
    event FilteredTransactionDeleted(bytes32 indexed hash);
}

/// Filterers pay nothing. Others pay for the look at the list of them, whatever comes of the call.
pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Result<Vec<u8>, Failure> {
    let caller = call.caller;
    call.burn(READ)?;
    let filterer = call.contains(filtering::filterers(), caller)?;
    call.free = true;
    match selector {
        addFilteredTransactionCall::SELECTOR => set(call, filterer, true),
        deleteFilteredTransactionCall::SELECTOR => set(call, filterer, false),
        isTransactionFilteredCall::SELECTOR => {
            let (hash,): (B256,) = call.open(Purity::View)?;
            Ok((!list(call, hash)?.is_zero()).abi_encode())
        }
        _ => Err(Failure::Refused),
    }
}

fn list(call: &mut Invocation<'_, '_>, hash: B256) -> Result<U256, Failure> {
    call.burn(READ)?;
    Ok(storage::read_of(
        call.state(),
        filtering::LIST,
        filtering::slot(hash),
    )?)
}

fn set(call: &mut Invocation<'_, '_>, filterer: bool, filtered: bool) -> Result<Vec<u8>, Failure> {
    let (hash,): (B256,) = call.open(Purity::Write)?;
    if !filterer {
        return Err(Failure::Refused);
    }
    call.burn(WRITE)?;
    let value = U256::from(filtered);
    storage::write_of(call.state(), filtering::LIST, filtering::slot(hash), value)?;
    match filtered {
        true => call.emit(&FilteredTransactionAdded { hash })?,
        false => call.emit(&FilteredTransactionDeleted { hash })?,
    }
    Ok(Vec::new())
}
