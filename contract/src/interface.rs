//! The contract's promise: the functions, events and errors of `abi/IPcac.sol`, and how it refuses.

#![allow(missing_docs)] // The documentation is in the Solidity file.

use alloc::vec::Vec;

use alloy_sol_types::{sol, SolCall};

use crate::word::Word;

sol!(
    #[sol(all_derives)]
    "abi/IPcac.sol"
);

pub(crate) use IPcac::*;

/// The most bytes a text argument may have.
pub const MAX_TEXT: usize = 256;

/// The most bytes an attestation or another signature may have.
pub const MAX_SIGNATURE: usize = 8_192;

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
    pub(crate) const WITHDRAW_IMAGE: u32 = of::<withdraw_imageCall>();
    pub(crate) const RESTORE_IMAGE: u32 = of::<restore_imageCall>();
    pub(crate) const RETRACT_IMAGE: u32 = of::<retract_imageCall>();
    pub(crate) const IMPORT_IMAGE: u32 = of::<import_imageCall>();
    pub(crate) const SET_GUARDIANS: u32 = of::<set_guardiansCall>();
    pub(crate) const MOVE_ACCOUNT: u32 = of::<move_accountCall>();
    pub(crate) const SET_EMERGENCY: u32 = of::<set_emergencyCall>();
    pub(crate) const START_RECOVERY: u32 = of::<start_recoveryCall>();
    pub(crate) const CANCEL_CHANGE: u32 = of::<cancel_changeCall>();
    pub(crate) const FINISH_CHANGE: u32 = of::<finish_changeCall>();
    pub(crate) const SET_DELEGATE: u32 = of::<set_delegateCall>();
    pub(crate) const BREAK_GLASS: u32 = of::<break_glassCall>();
    pub(crate) const ACCREDIT_RADIOLOGIST: u32 = of::<accredit_radiologistCall>();
    pub(crate) const TRANSFER_CONSORTIUM: u32 = of::<transfer_consortiumCall>();
    pub(crate) const ACCEPT_CONSORTIUM: u32 = of::<accept_consortiumCall>();
    pub(crate) const RELAY: u32 = of::<relayCall>();
    pub(crate) const VOID_NONCES: u32 = of::<void_noncesCall>();
    pub(crate) const MULTICALL: u32 = of::<multicallCall>();
    pub(crate) const IS_AUTHORIZED: u32 = of::<is_authorizedCall>();
    pub(crate) const IMAGE_RECORD: u32 = of::<image_recordCall>();
    pub(crate) const GRANT: u32 = of::<grantCall>();
    pub(crate) const ACCOUNT: u32 = of::<accountCall>();
    pub(crate) const DELEGATE: u32 = of::<delegateCall>();
    pub(crate) const EMERGENCY: u32 = of::<emergencyCall>();
    pub(crate) const CONSORTIUM: u32 = of::<consortiumCall>();
    pub(crate) const PREDECESSOR: u32 = of::<predecessorCall>();
    pub(crate) const IS_ACCREDITED: u32 = of::<is_accreditedCall>();
    pub(crate) const ACCREDITATION: u32 = of::<accreditationCall>();
    pub(crate) const NONCES: u32 = of::<noncesCall>();
    pub(crate) const VERSION: u32 = of::<versionCall>();
    pub(crate) const EIP712_DOMAIN: u32 = of::<eip712DomainCall>();
}

/// An error with its arguments, each of which is one word or a number.
macro_rules! refuse {
    ($error:ty $(, $argument:expr)* $(,)?) => {{
        #[allow(unused_mut)]
        let mut data = $crate::interface::refusal(
            const { u32::from_be_bytes(<$error as alloy_sol_types::SolError>::SELECTOR) },
        );
        $($crate::word::Part::put($argument, &mut data);)*
        data
    }};
}
pub(crate) use refuse;

/// The beginning of an error.
#[inline(never)]
pub(crate) fn refusal(selector: u32) -> Refusal {
    let mut data = Vec::with_capacity(100);
    data.extend_from_slice(&selector.to_be_bytes());
    data
}

/// Refuses one of the first arguments that is zero, by its position.
///
/// # Errors
/// `PcacZero`.
#[inline(never)]
pub(crate) fn nonzero(arguments: &[Word]) -> Result<(), Refusal> {
    for (position, argument) in arguments.iter().enumerate() {
        nonzero_at(position, *argument)?;
    }
    Ok(())
}

/// Refuses an argument that is zero, whose position is given.
///
/// # Errors
/// `PcacZero`.
#[inline(never)]
pub(crate) fn nonzero_at(position: usize, argument: Word) -> Result<(), Refusal> {
    if argument.is_zero() {
        return Err(refuse!(PcacZero, Word::number(position as u64)));
    }
    Ok(())
}

/// Refuses a text of more than [`MAX_TEXT`] bytes.
///
/// # Errors
/// `PcacTextTooLong`.
#[inline(never)]
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
