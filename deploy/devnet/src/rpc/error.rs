//! Errors as JSON-RPC shows them, with the codes and words that clients match on.

use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::{Panic, Revert, SolError as _};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};

use crate::{
    arbos::precompiles::errors::described,
    chain,
    evm::{Outcome, Status},
};

/// Why a request is not answered with a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RpcError {
    /// The parameters do not fit the method.
    #[error("invalid argument {index}: {reason}")]
    Argument { index: usize, reason: String },
    /// The parameters have the right shape but make no sense.
    #[error("{0}")]
    Invalid(String),
    /// The request is well-formed but not one this node answers.
    #[error("{0}")]
    Refused(String),
    /// A call reverted.
    #[error("{}", revert_message(.0))]
    Reverted(Bytes),
    /// A transaction is not mined yet.
    #[error("the transaction was added to the pool but was not mined in time")]
    Waiting(B256),
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// A bug here.
    #[error("internal error")]
    Internal,
}

impl RpcError {
    /// How a failed execution is reported; success gives the output.
    pub(crate) fn from_outcome(outcome: Outcome) -> Result<Bytes, Self> {
        match outcome.status {
            Status::Success => Ok(outcome.output),
            Status::Revert => Err(Self::Reverted(outcome.output)),
            Status::Halt(text) => Err(Self::Refused(text)),
        }
    }
}

impl RpcError {
    /// How an execution that did not succeed is reported.
    pub(crate) fn failure(outcome: Outcome) -> Self {
        Self::from_outcome(outcome).err().unwrap_or(Self::Internal)
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        let message = error.to_string();
        match error {
            RpcError::Argument { .. } | RpcError::Invalid(_) => {
                ErrorObject::owned(-32602, message, None::<()>)
            }
            RpcError::Reverted(data) => ErrorObject::owned(3, message, Some(data)),
            RpcError::Waiting(hash) => ErrorObject::owned(4, message, Some(hash)),
            RpcError::Internal => ErrorObject::owned(-32603, message, None::<()>),
            RpcError::Chain(chain::Error::Simulation { code, .. }) => {
                ErrorObject::owned(code, message, None::<()>)
            }
            RpcError::Refused(_) | RpcError::Chain(_) => {
                ErrorObject::owned(-32000, message, None::<()>)
            }
        }
    }
}

/// Reads the reason in Solidity's `Error(string)` or `Panic`.
pub(super) fn revert_reason(data: &[u8]) -> Option<String> {
    match Revert::abi_decode(data) {
        Ok(revert) => Some(revert.reason),
        Err(_) => Panic::abi_decode(data)
            .ok()
            .map(|panic| panic_reason(panic.code)),
    }
}

/// Solidity's reasons to panic, as other nodes word them.
fn panic_reason(code: U256) -> String {
    let reason = match code.saturating_to::<u8>() {
        0x00 => "generic panic",
        0x01 => "assert(false)",
        0x11 => "arithmetic underflow or overflow",
        0x12 => "division or modulo by zero",
        0x21 => "enum overflow",
        0x22 => "invalid encoded storage byte array accessed",
        0x31 => "out-of-bounds array access; popping on an empty array",
        0x32 => "out-of-bounds access of an array or bytesN",
        0x41 => "out of memory",
        0x51 => "uninitialized function",
        _ => return format!("unknown panic code: {code:#x}"),
    };
    reason.into()
}

/// `execution reverted`, with the reason if the data is Solidity's `Error(string)` or `Panic`, or an error of a precompile.
fn revert_message(data: &[u8]) -> String {
    match revert_reason(data).or_else(|| described(data)) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reverts_carry_their_reason_and_data() {
        let data = Bytes::from(Revert::from("no such image").abi_encode());
        let error = ErrorObjectOwned::from(RpcError::Reverted(data.clone()));
        assert_eq!(error.code(), 3);
        assert_eq!(error.message(), "execution reverted: no such image");
        assert_eq!(error.data().unwrap().get(), format!("\"{data}\""));

        for (code, reason) in [
            (0x11, "arithmetic underflow or overflow"),
            (0x99, "unknown panic code: 0x99"),
        ] {
            let data = Panic {
                code: U256::from(code),
            }
            .abi_encode();
            let text = RpcError::Reverted(data.into()).to_string();
            assert_eq!(text, format!("execution reverted: {reason}"));
        }

        let known = RpcError::Reverted(Bytes::from_static(&[0xcc, 0x94, 0x4b, 0xf2]));
        assert_eq!(
            known.to_string(),
            "execution reverted: error ProgramUpToDate()"
        );
        let custom = RpcError::Reverted(Bytes::from_static(&[1, 2, 3, 4]));
        assert_eq!(custom.to_string(), "execution reverted");
    }
}
