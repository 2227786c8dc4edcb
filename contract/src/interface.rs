//! What the contract promises: the functions, events and errors of `abi/IPcac.sol`, and the errors as one type.

#![allow(missing_docs)] // The documentation is in the Solidity file.

use alloy_sol_types::sol;
use stylus_sdk::prelude::*;

sol!("abi/IPcac.sol");

pub(crate) use IPcac::*;

/// The most bytes a text argument may have.
pub const MAX_TEXT: usize = 256;

/// The most bytes an attestation may have.
pub const MAX_ATTESTATION: usize = 2_048;

/// Why a call was refused; each is encoded as its Solidity error.
#[derive(SolidityError)]
pub enum Error {
    NotPatient(PcacNotPatient),
    NotRequesterOrPatient(PcacNotRequesterOrPatient),
    NotConsortium(PcacNotConsortium),
    UnknownImage(PcacUnknownImage),
    ImageTaken(PcacImageTaken),
    WrongOwner(PcacWrongOwner),
    BadAttestation(PcacBadAttestation),
    NotAccredited(PcacNotAccredited),
    NoRequest(PcacNoRequest),
    NotApproved(PcacNotApproved),
    KeyChanged(PcacKeyChanged),
    OwnImage(PcacOwnImage),
    ApprovalLimitReached(PcacApprovalLimitReached),
    BadLimit(PcacBadLimit),
    BadExpiry(PcacBadExpiry),
    TextTooLong(PcacTextTooLong),
    Zero(PcacZero),
}

/// Refuses the first argument that is all zero bytes. The arguments are the call's first ones, in order,
/// so that the position in the list is the position in the call.
///
/// # Errors
/// `PcacZero`.
pub(crate) fn nonzero(arguments: &[&[u8]]) -> Result<(), Error> {
    match arguments
        .iter()
        .position(|argument| argument.iter().all(|byte| *byte == 0))
    {
        Some(position) => Err(PcacZero {
            argument: position as u8,
        }
        .into()),
        None => Ok(()),
    }
}

/// Refuses a text of more than [`MAX_TEXT`] bytes.
///
/// # Errors
/// `PcacTextTooLong`.
pub(crate) fn short(text: &str) -> Result<(), Error> {
    if text.len() > MAX_TEXT {
        return Err(PcacTextTooLong {
            length: alloy_primitives::U256::from(text.len()),
            max: alloy_primitives::U256::from(MAX_TEXT),
        }
        .into());
    }
    Ok(())
}
