//! What the contract promises: the functions, events and errors of `abi/IPcac.sol`, and the errors as one type.

#![allow(missing_docs)] // The documentation is in the Solidity file.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{sol, SolError};

use crate::word;

sol!(
    #[sol(all_derives)]
    "abi/IPcac.sol"
);

pub(crate) use IPcac::*;

/// The most bytes a text argument may have.
pub const MAX_TEXT: usize = 256;

/// The most bytes an attestation may have.
pub const MAX_ATTESTATION: usize = 2_048;

/// Why a call was refused; each is encoded as its Solidity error.
#[derive(Debug, PartialEq, Eq)]
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

macro_rules! from_solidity {
    ($($variant:ident($error:ident)),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from_solidity! {
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

/// The revert data. Every argument of every error is one word, so one encoder serves them all; a codec for each
/// would be a tenth of the program.
impl From<Error> for Vec<u8> {
    fn from(error: Error) -> Self {
        use Error::*;
        match error {
            NotPatient(e) => encode(
                PcacNotPatient::SELECTOR,
                &[account(e.caller), account(e.patient)],
            ),
            NotRequesterOrPatient(e) => {
                encode(PcacNotRequesterOrPatient::SELECTOR, &[account(e.caller)])
            }
            NotConsortium(e) => encode(PcacNotConsortium::SELECTOR, &[account(e.caller)]),
            UnknownImage(e) => encode(PcacUnknownImage::SELECTOR, &[e.image]),
            ImageTaken(e) => encode(PcacImageTaken::SELECTOR, &[e.image, account(e.owner)]),
            WrongOwner(e) => encode(
                PcacWrongOwner::SELECTOR,
                &[e.image, account(e.wanted), account(e.owner)],
            ),
            BadAttestation(e) => encode(PcacBadAttestation::SELECTOR, &[account(e.radiologist)]),
            NotAccredited(e) => encode(PcacNotAccredited::SELECTOR, &[account(e.radiologist)]),
            NoRequest(e) => encode(PcacNoRequest::SELECTOR, &[account(e.requester), e.image]),
            NotApproved(e) => encode(PcacNotApproved::SELECTOR, &[account(e.requester), e.image]),
            KeyChanged(e) => encode(
                PcacKeyChanged::SELECTOR,
                &[e.wanted, B256::right_padding_from(e.requested.as_slice())],
            ),
            OwnImage(_) => encode(PcacOwnImage::SELECTOR, &[]),
            ApprovalLimitReached(e) => encode(
                PcacApprovalLimitReached::SELECTOR,
                &[number(e.limit.into()), number(e.retryAt)],
            ),
            BadLimit(e) => encode(
                PcacBadLimit::SELECTOR,
                &[number(e.approvals.into()), number(e.windowSeconds.into())],
            ),
            BadExpiry(e) => encode(
                PcacBadExpiry::SELECTOR,
                &[number(e.expiresAt), number(e.now)],
            ),
            TextTooLong(e) => encode(PcacTextTooLong::SELECTOR, &[e.length.into(), e.max.into()]),
            Zero(e) => encode(PcacZero::SELECTOR, &[number(e.argument.into())]),
        }
    }
}

fn encode(selector: [u8; 4], words: &[B256]) -> Vec<u8> {
    let mut data = Vec::with_capacity(4 + 32 * words.len());
    data.extend_from_slice(&selector);
    for word in words {
        data.extend_from_slice(word.as_slice());
    }
    data
}

fn account(address: Address) -> B256 {
    address.into_word()
}

fn number(number: u64) -> B256 {
    let mut word = B256::ZERO;
    word::put(&mut word, 24, 8, number);
    word
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
            length: U256::from(text.len()),
            max: U256::from(MAX_TEXT),
        }
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encodes<E: SolError + Clone + Into<Error>>(error: E) {
        assert_eq!(
            Vec::from(error.clone().into()),
            error.abi_encode(),
            "{}",
            E::SIGNATURE
        );
    }

    #[test]
    fn every_error_is_encoded_as_solidity_does() {
        let [a, b] = [0x11, 0x22].map(Address::repeat_byte);
        let image = B256::repeat_byte(0x33);
        let half = alloy_primitives::FixedBytes::repeat_byte(0x44);
        encodes(PcacNotPatient {
            caller: a,
            patient: b,
        });
        encodes(PcacNotRequesterOrPatient { caller: a });
        encodes(PcacNotConsortium { caller: a });
        encodes(PcacUnknownImage { image });
        encodes(PcacImageTaken { image, owner: a });
        encodes(PcacWrongOwner {
            image,
            wanted: a,
            owner: b,
        });
        encodes(PcacBadAttestation { radiologist: a });
        encodes(PcacNotAccredited { radiologist: a });
        encodes(PcacNoRequest {
            requester: a,
            image,
        });
        encodes(PcacNotApproved {
            requester: a,
            image,
        });
        encodes(PcacKeyChanged {
            wanted: image,
            requested: half,
        });
        encodes(PcacOwnImage {});
        encodes(PcacApprovalLimitReached {
            limit: 0x55_6677,
            retryAt: u64::MAX - 1,
        });
        encodes(PcacBadLimit {
            approvals: u32::MAX,
            windowSeconds: 7,
        });
        encodes(PcacBadExpiry {
            expiresAt: 1,
            now: 2,
        });
        encodes(PcacTextTooLong {
            length: U256::from(257),
            max: U256::from(256),
        });
        encodes(PcacZero { argument: 3 });
    }

    #[test]
    fn the_first_zero_argument_speaks() {
        assert_eq!(nonzero(&[&[1], &[0, 1]]), Ok(()));
        assert_eq!(
            nonzero(&[&[1], &[0, 0], &[0]]),
            Err(PcacZero { argument: 1 }.into())
        );
    }

    #[test]
    fn a_text_has_at_most_256_bytes() {
        assert_eq!(short(&"a".repeat(256)), Ok(()));
        let long = "\u{e4}".repeat(129);
        let error = PcacTextTooLong {
            length: U256::from(258),
            max: U256::from(256),
        };
        assert_eq!(short(&long), Err(error.into()));
    }
}
