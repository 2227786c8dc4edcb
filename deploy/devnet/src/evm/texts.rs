//! Errors in the words of a node, because clients read them.

use revm::context::result::{EVMError, HaltReason, InvalidTransaction, OutOfGasError};

use super::context::RunError;
use super::types::{BlockParams, InvalidTx, MAX_CODE_SIZE, TxParams};

/// The machine could not do its work.
pub(crate) fn broken(error: impl std::fmt::Display) -> InvalidTx {
    InvalidTx(format!("internal error: {error}"))
}

/// Why a transaction cannot be included.
pub(crate) fn invalid(error: RunError, block: &BlockParams, tx: &TxParams) -> InvalidTx {
    let error = match error {
        EVMError::Transaction(error) => error,
        other => return broken(other),
    };
    let from = tx.from;
    InvalidTx(match error {
        InvalidTransaction::NonceTooLow { tx, state } => {
            format!("nonce too low: address {from}, tx: {tx} state: {state}")
        }
        InvalidTransaction::NonceTooHigh { tx, state } => {
            format!("nonce too high: address {from}, tx: {tx} state: {state}")
        }
        InvalidTransaction::NonceOverflowInTransaction => {
            format!("nonce has max value: address {from}, nonce: {}", tx.nonce)
        }
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => format!(
            "insufficient funds for gas * price + value: address {from} have {balance} want {fee}"
        ),
        InvalidTransaction::GasPriceLessThanBasefee => format!(
            "max fee per gas less than block base fee: address {from}, maxFeePerGas: {}, baseFee: {}",
            tx.gas_price, block.base_fee
        ),
        InvalidTransaction::CallGasCostMoreThanGasLimit {
            initial_gas,
            gas_limit,
        } => format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}"),
        InvalidTransaction::CallerGasLimitMoreThanBlock => format!(
            "gas limit reached: have {}, want {}",
            block.gas_limit, tx.gas_limit
        ),
        InvalidTransaction::CreateInitCodeSizeLimit => format!(
            "max initcode size exceeded: code size {} limit {}",
            tx.input.len(),
            2 * MAX_CODE_SIZE
        ),
        InvalidTransaction::RejectCallerWithCode => {
            format!("sender not an eoa: address {from}")
        }
        other => other.to_string(),
    })
}

/// Why all gas was burnt.
pub(crate) fn halt(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(OutOfGasError::InvalidOperand) => "gas uint64 overflow",
        HaltReason::OutOfGas(_) => "out of gas",
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode | HaltReason::NotActivated => {
            "invalid opcode"
        }
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackUnderflow => "stack underflow",
        HaltReason::StackOverflow => "stack limit reached",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::NonceOverflow => "nonce uint64 overflow",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => {
            "write protection"
        }
        HaltReason::OutOfFunds => "insufficient balance for transfer",
        HaltReason::CallTooDeep => "max call depth exceeded",
        other => return other.to_string(),
    }
    .to_owned()
}
