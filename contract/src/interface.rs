//! The contract's promise: the functions, events and errors of `abi/IPcac.sol`, and how it refuses.

#![allow(missing_docs)] // The documentation is in the Solidity file.

use alloc::vec::Vec;

use alloy_sol_types::{sol, SolCall};

use crate::word::{put, Word};

sol!(
    #[sol(all_derives)]
    "abi/IPcac.sol"
);

pub(crate) use IPcac::*;

/// The most bytes a text argument may have.
pub const MAX_TEXT: usize = 256;

/// The most bytes an attestation or another signature may have.
pub const MAX_SIGNATURE: usize = 2_048;

/// Why a call was refused: the revert data. It is the encoding of one of the errors of `IPcac`, or empty for
/// calldata that cannot be decoded.
pub(crate) type Refusal = Vec<u8>;

/// The selectors of the functions, as numbers.
pub(crate) mod selector {
    use super::*;

    const fn of<C: SolCall>() -> u32 {
        u32::from_be_bytes(C::SELECTOR)
    }

    pub(crate) const CREATE_CONTRACT: u32 = of::<create_contractCall>();
    pub(crate) const REQUESTING_ACCESS: u32 = of::<requesting_accessCall>();
    pub(crate) const APPROVE_IRS: u32 = of::<approve_IRsCall>();
    pub(crate) const DENY_IRS: u32 = of::<deny_IRsCall>();
    pub(crate) const TRACE_AUTHORIZATION: u32 = of::<trace_authorizationCall>();
    pub(crate) const REMOVE_IRS: u32 = of::<remove_IRsCall>();
    pub(crate) const RESHARE_IRS: u32 = of::<reshare_IRsCall>();
    pub(crate) const RESEAL_IMAGE: u32 = of::<reseal_imageCall>();
    pub(crate) const SET_APPROVAL_LIMIT: u32 = of::<set_approval_limitCall>();
    pub(crate) const ACCREDIT_RADIOLOGIST: u32 = of::<accredit_radiologistCall>();
    pub(crate) const TRANSFER_CONSORTIUM: u32 = of::<transfer_consortiumCall>();
    pub(crate) const RELAY: u32 = of::<relayCall>();
    pub(crate) const MULTICALL: u32 = of::<multicallCall>();
    pub(crate) const IS_AUTHORIZED: u32 = of::<is_authorizedCall>();
    pub(crate) const IMAGE_RECORD: u32 = of::<image_recordCall>();
    pub(crate) const GRANT: u32 = of::<grantCall>();
    pub(crate) const CONSORTIUM: u32 = of::<consortiumCall>();
    pub(crate) const IS_ACCREDITED: u32 = of::<is_accreditedCall>();
    pub(crate) const NONCES: u32 = of::<noncesCall>();
    pub(crate) const VERSION: u32 = of::<versionCall>();
    pub(crate) const EIP712_DOMAIN: u32 = of::<eip712DomainCall>();
}

/// An error with its arguments, each of which is one word.
macro_rules! refuse {
    ($error:ty $(, $argument:expr)* $(,)?) => {
        $crate::interface::refusal(
            const { u32::from_be_bytes(<$error as alloy_sol_types::SolError>::SELECTOR) },
            &[$($argument),*],
        )
    };
}
pub(crate) use refuse;

#[inline(never)]
pub(crate) fn refusal(selector: u32, words: &[Word]) -> Refusal {
    let mut data = Vec::with_capacity(4 + 32 * words.len());
    data.extend_from_slice(&selector.to_be_bytes());
    put(&mut data, words);
    data
}

/// Refuses an argument that is zero, by its position.
///
/// # Errors
/// `PcacZero`.
#[inline(never)]
pub(crate) fn nonzero(arguments: &[Word]) -> Result<(), Refusal> {
    for (position, argument) in arguments.iter().enumerate() {
        if argument.is_zero() {
            return Err(refuse!(PcacZero, Word::number(position as u64)));
        }
    }
    Ok(())
}

/// Refuses a text of more than [`MAX_TEXT`] bytes.
///
/// # Errors
/// `PcacTextTooLong`.
pub(crate) fn short(text: &[u8]) -> Result<(), Refusal> {
    if text.len() > MAX_TEXT {
        return Err(refuse!(
            PcacTextTooLong,
            Word::number(text.len() as u64),
            Word::number(MAX_TEXT as u64),
        ));
    }
    Ok(())
}
