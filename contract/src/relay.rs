//! Calls in another's name, by signature, and several calls in one.
//!
//! A signed call is EIP-712 typed data: a struct with the name and the arguments of the function, then `signer`,
//! `nonce` and `deadline`. It names its signer, so that of two accounts with one key (ERC-1271) each signs for itself.
//! The relayer pays for it and has no say in it. It is done as if the signer had sent it, or not
//! at all: a call that is refused leaves the nonce, so that it can be relayed again until its deadline.

use alloc::vec::Vec;

use stylus_sdk::prelude::*;

use crate::{
    calldata::{split, Args},
    interface::*,
    signature::{self, keccak},
    storage::Slot,
    word::{constant, hash_bytes, put, put_bytes, Word},
    Pcac,
};

/// How a function's arguments are signed.
struct Form {
    /// the EIP-712 hash of the struct's type
    type_hash: Word,
    /// arguments
    count: usize,
    /// those that are bytes or text, as bits from the lowest
    dynamic: u32,
}

/// A form: the struct's fields without those that every one ends with, how many there are, and which are dynamic.
macro_rules! form {
    ($fields:literal, $count:literal, [$($dynamic:literal),*]) => {
        Some(Form {
            type_hash: constant!(keccak(concat!($fields, ",address signer,uint64 nonce,uint64 deadline)"))),
            count: $count,
            dynamic: const { 0 $(| 1 << $dynamic)* },
        })
    };
}

/// The form of a function that can be signed, which is one that changes something.
#[rustfmt::skip]
fn form(function: u32) -> Option<Form> {
    match function {
        selector::CREATE_CONTRACT => form!("create_contract(bytes32 image,address patient,bytes32 seal,address radiologist,bytes attestation,string description", 6, [4, 5]),
        selector::REQUESTING_ACCESS => form!("requesting_access(address patient,bytes32 image,bytes32 publicKey,string notes", 4, [3]),
        selector::APPROVE_IRS => form!("approve_IRs(address requester,bytes32 image,bytes32 publicKey,bytes32 sharedImage,uint64 expiresAt,string notes", 6, [5]),
        selector::DENY_IRS => form!("deny_IRs(address requester,bytes32 image,string reason", 3, [2]),
        selector::TRACE_AUTHORIZATION => form!("trace_authorization(address patient,address requester,bytes32 image", 3, []),
        selector::REMOVE_IRS => form!("remove_IRs(address requester,bytes32 image", 2, []),
        selector::RESHARE_IRS => form!("reshare_IRs(address requester,bytes32 image,bytes32 sharedImage,uint64 expiresAt", 4, []),
        selector::RESEAL_IMAGE => form!("reseal_image(bytes32 image,bytes32 root", 2, []),
        selector::SET_APPROVAL_LIMIT => form!("set_approval_limit(bytes32 image,uint32 approvals,uint32 windowSeconds", 3, []),
        selector::ACCREDIT_RADIOLOGIST => form!("accredit_radiologist(address radiologist,bool accredited", 2, []),
        selector::TRANSFER_CONSORTIUM => form!("transfer_consortium(address to", 1, []),
        _ => None,
    }
}

impl Form {
    /// The struct hash of a call: its arguments, then signer, nonce and deadline.
    ///
    /// # Errors
    /// No data, if its arguments do not lie within the calldata.
    fn hash(&self, args: &Args<'_>, signed: [Word; 3]) -> Result<Word, Refusal> {
        let mut message = Vec::with_capacity(32 * (self.count + 4));
        put(&mut message, &[self.type_hash]);
        for i in 0..self.count {
            let word = if self.dynamic >> i & 1 == 1 {
                hash_bytes(args.bytes(i)?)
            } else {
                args.word(i)?
            };
            put(&mut message, &[word]);
        }
        put(&mut message, &signed);
        Ok(hash_bytes(&message))
    }
}

impl Pcac {
    /// `relay`: what the call returns.
    ///
    /// The signer is looked at before the signed call is decoded: the call is an argument, and its own checks come with it.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNested`, `PcacExpired`, `PcacBadNonce`, `PcacBadSignature`, and the call's own.
    pub(crate) fn relay(&mut self, args: Args<'_>) -> Result<Vec<u8>, Refusal> {
        let signer = args.address(0)?;
        let (nonce, deadline) = (args.number(1, 0)?, args.number(2, 0)?);
        let (call, signature) = (args.bytes(3)?, args.bytes(4)?);
        nonzero(&[signer])?;
        let (function, call) = split(call)?;
        let Some(form) = form(function) else {
            return Err(refuse!(PcacNested, Word::front(function)));
        };
        let message = form.hash(&call, [signer, Word::number(nonce), Word::number(deadline)])?;
        let now = self.vm().block_timestamp();
        if now > deadline {
            return Err(refuse!(
                PcacExpired,
                Word::number(deadline),
                Word::number(now)
            ));
        }
        let slot = Slot::nonce(signer);
        let next = self.cell(slot);
        if Word::number(nonce) != next {
            return Err(refuse!(PcacBadNonce, signer, Word::number(nonce), next));
        }
        if !signature::holds(self.vm(), signer, message, signature) {
            return Err(refuse!(PcacBadSignature, signer));
        }
        self.set_cell(slot, Word::number(nonce.wrapping_add(1)));
        self.serve(signer, function, call)
    }

    /// `multicall`: what each call returns, all in the caller's own name.
    ///
    /// # Errors
    /// `PcacNested`, and the calls' own.
    pub(crate) fn batch(&mut self, caller: Word, args: Args<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
        let calls = args.each_bytes(0)?;
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            let (function, args) = split(call)?;
            if matches!(function, selector::RELAY | selector::MULTICALL) {
                return Err(refuse!(PcacNested, Word::front(function)));
            }
            answers.push(self.serve(caller, function, args)?);
        }
        Ok(answers)
    }
}

/// The encoding of one `bytes` as an answer.
pub(crate) fn encode_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::with_capacity(96 + bytes.len());
    put(&mut answer, &[Word::number(32)]);
    put_bytes(&mut answer, bytes);
    answer
}

/// The encoding of a `bytes[]` as an answer.
pub(crate) fn encode_each(each: &[Vec<u8>]) -> Vec<u8> {
    let (mut answer, mut elements) = (Vec::new(), Vec::new());
    put(
        &mut answer,
        &[Word::number(32), Word::number(each.len() as u64)],
    );
    for bytes in each {
        put(
            &mut answer,
            &[Word::number((32 * each.len() + elements.len()) as u64)],
        );
        put_bytes(&mut elements, bytes);
    }
    answer.extend_from_slice(&elements);
    answer
}
