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
pub(crate) struct Form {
    /// the EIP-712 hash of the struct's type
    pub(crate) type_hash: Word,
    /// arguments
    pub(crate) count: usize,
    /// those that are bytes or text, as bits from the lowest
    pub(crate) dynamic: u32,
}

/// A form: the struct's fields without those that every one ends with, how many there are, and which are dynamic.
macro_rules! form {
    ($fields:literal, $count:literal, [$($dynamic:literal),*]) => {
        Some(Form {
            type_hash: constant!(keccak(concat!($fields, ",address signer,uint256 nonce,uint64 deadline)"))),
            count: $count,
            dynamic: const { 0 $(| 1 << $dynamic)* },
        })
    };
}

/// The form of a function that can be signed, which is one that changes something.
#[rustfmt::skip]
pub(crate) fn form(function: u32) -> Option<Form> {
    match function {
        selector::CREATE_CONTRACT => form!("create_contract(bytes32 image,address patient,bytes32 seal,address radiologist,bytes attestation,string description", 6, [4, 5]),
        selector::REQUESTING_ACCESS => form!("requesting_access(address patient,bytes32 image,bytes32 publicKey,string notes", 4, [3]),
        selector::APPROVE_IRS => form!("approve_IRs(address requester,bytes32 image,bytes32 publicKey,uint64 requestedAt,bytes10 notesDigest,bytes32 sharedImage,uint64 expiresAt,string notes", 8, [7]),
        selector::DENY_IRS => form!("deny_IRs(address requester,bytes32 image,string reason", 3, [2]),
        selector::TRACE_AUTHORIZATION => form!("trace_authorization(address patient,address requester,bytes32 image", 3, []),
        selector::REMOVE_IRS => form!("remove_IRs(address requester,bytes32 image", 2, []),
        selector::RESHARE_IRS => form!("reshare_IRs(address requester,bytes32 image,uint64 decidedAt,bytes32 sharedImage,uint64 expiresAt", 5, []),
        selector::RESEAL_IMAGE => form!("reseal_image(bytes32 image,bytes32 root,bytes32 emergency,uint32 round", 4, []),
        selector::SET_APPROVAL_LIMIT => form!("set_approval_limit(bytes32 image,uint32 approvals,uint32 windowSeconds,uint32 round", 4, []),
        selector::WITHDRAW_IMAGE => form!("withdraw_image(bytes32 image", 1, []),
        selector::RESTORE_IMAGE => form!("restore_image(bytes32 image,uint32 round", 2, []),
        selector::RETRACT_IMAGE => form!("retract_image(bytes32 image,uint8 reason", 2, []),
        selector::IMPORT_IMAGE => form!("import_image(bytes32 image", 1, []),
        selector::SET_GUARDIANS => form!("set_guardians(address patient,uint32 round,bytes24 commitment,uint16 delayHours", 4, []),
        selector::MOVE_ACCOUNT => form!("move_account(address patient,uint32 round,address successor", 3, []),
        selector::SET_EMERGENCY => form!("set_emergency(address patient,uint32 round,address desk,uint8 maxHours", 4, []),
        selector::CANCEL_CHANGE => form!("cancel_change(address patient", 1, []),
        selector::FINISH_CHANGE => form!("finish_change(address patient", 1, []),
        selector::SET_DELEGATE => form!("set_delegate(address patient,uint32 round,address delegate,uint64 until", 4, []),
        selector::BREAK_GLASS => form!("break_glass(address requester,bytes32 image,bytes32 publicKey,uint64 requestedAt,uint64 until,bytes32 reasonCode", 6, []),
        selector::VOID_NONCES => form!("void_nonces(uint256 word,uint256 mask", 2, []),
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
        let (nonce, deadline) = (args.word(1)?, args.number(2, 0)?);
        let (call, signature) = (args.bytes(3)?, args.bytes(4)?);
        nonzero(&[signer])?;
        let (function, call) = split(call)?;
        let Some(form) = form(function) else {
            return Err(refuse!(PcacNested, Word::front(function)));
        };
        let message = form.hash(&call, [signer, nonce, Word::number(deadline)])?;
        let now = self.now();
        if now > deadline {
            return Err(refuse!(PcacExpired, deadline, now));
        }
        let (word, bit) = place(nonce);
        let slot = Slot::nonces(signer, word);
        let used = self.cell(slot);
        if used.or(bit) == used {
            return Err(refuse!(PcacBadNonce, signer, nonce));
        }
        if !signature::holds(self.vm(), signer, message, signature) {
            return Err(refuse!(PcacBadSignature, signer));
        }
        self.set_cell(slot, used.or(bit));
        self.serve(signer, function, call)
    }

    /// `void_nonces`.
    pub(crate) fn void_nonces(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let (word, mask) = (args.word(0)?, args.word(1)?);
        let slot = Slot::nonces(caller, word);
        let used = self.cell(slot);
        self.set_cell(slot, used.or(mask));
        Ok(())
    }

    /// `nonces`.
    pub(crate) fn nonces(&self, args: Args<'_>) -> Result<Word, Refusal> {
        Ok(self.cell(Slot::nonces(args.address(0)?, args.word(1)?)))
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

/// The word of 256 nonces that a nonce is in, and its bit there.
fn place(nonce: Word) -> (Word, Word) {
    let [a, b, c, d] = nonce.limbs();
    let word = Word::from_limbs([a >> 8, b >> 8 | a << 56, c >> 8 | b << 56, d >> 8 | c << 56]);
    (word, Word::ZERO.with_bits(d as u32 & 0xff, 1, 1))
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
