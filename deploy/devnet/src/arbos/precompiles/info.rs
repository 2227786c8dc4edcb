//! ArbInfo (0x65): other accounts.

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::{SolCall, SolValue, sol};
use revm::context::JournalTr;

use super::{COPY_WORD, Failure, Invocation, Purity};
use crate::arbos::programs;

sol! {
    function getBalance(address account) external view returns (uint256);
    function getCode(address account) external view returns (bytes);
}

/// Gas of a balance, and of code beside its words.
const BALANCE: u64 = 700;
const CODE: u64 = 2100;

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Result<Vec<u8>, Failure> {
    match selector {
        getBalanceCall::SELECTOR => {
            let (account,): (Address,) = call.open(Purity::View)?;
            call.burn(BALANCE)?;
            let balance = call.state().load_account(account)?.info.balance;
            Ok(balance.abi_encode())
        }
        getCodeCall::SELECTOR => {
            let (account,): (Address,) = call.open(Purity::View)?;
            call.burn(CODE)?;
            let (_, code) = programs::code_of(call.state(), account)?;
            call.burn(COPY_WORD * code.len().div_ceil(32) as u64)?;
            Ok(Bytes::from(code).abi_encode())
        }
        _ => Err(Failure::Burn),
    }
}
