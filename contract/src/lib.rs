//! `Pcac`: patient-centric access control for medical images, as a Stylus contract.
//!
//! One deployment serves every patient and every image. Patients register their images, each attested by an
//! accredited radiologist, and decide who may see them; their accounts move to other keys by their own word or their
//! guardians'; the consortium accredits radiologists and nothing else.
//! The promise to the outside is `abi/IPcac.sol`; this file hands each of its functions to the module that keeps
//! its rules.
//!
//! Storage, entry point and host functions are the SDK's. Calldata, answers, events and storage words are read and
//! written here: there are few forms of them, and a codec for each signature would be most of the program. A call
//! is charged for the module's size, and dearly for the bytes in its data section, so there are none to speak of.
//!
//! The deployer calls the constructor as `stylus_constructor()`, 0x5585258d, followed by the encoded
//! addresses of the consortium and of the predecessor (zero for none): 68 bytes in all.

// The entry point that the SDK generates has no documentation.
#![cfg_attr(target_arch = "wasm32", allow(missing_docs))]

extern crate alloc;

mod account;
mod calldata;
mod change;
mod consent;
mod consortium;
mod emergency;
mod interface;
mod limit;
mod log;
mod mandate;
mod predecessor;
mod record;
mod recovery;
mod relay;
mod signature;
mod storage;
#[cfg(test)]
mod tests;
mod trace;
mod views;
mod word;

use alloc::vec::Vec;
use core::borrow::BorrowMut;

use stylus_sdk::{
    abi::Router,
    prelude::*,
    storage::{StorageB256, StorageMap},
    ArbResult,
};

use calldata::Args;
use interface::*;
pub use interface::{IPcac, MAX_SIGNATURE, MAX_TEXT};
use relay::{encode_bytes, encode_each};
use storage::Slot;
use word::{joined, Word};

/// The contract's storage: words, in the places that `storage` names.
#[cfg_attr(target_arch = "wasm32", entrypoint)]
#[storage]
pub struct Pcac {
    cells: StorageMap<Slot, StorageB256>,
}

impl<S: TopLevelStorage + BorrowMut<Self> + ValueDenier> Router<S> for Pcac {
    type Storage = Self;

    /// Any call but the constructor's. Ether is refused, and so is a function that there is not, with no data.
    fn route(storage: &mut S, selector: u32, input: &[u8]) -> Option<ArbResult> {
        Some(storage.borrow_mut().answer(selector, Args::new(input)))
    }

    fn receive(_: &mut S) -> Option<Result<(), Vec<u8>>> {
        None
    }

    fn fallback(_: &mut S, _: &[u8]) -> Option<ArbResult> {
        None
    }

    fn constructor(storage: &mut S, input: &[u8]) -> Option<ArbResult> {
        Some(storage.borrow_mut().construct(Args::new(input)))
    }
}

impl Pcac {
    fn construct(&mut self, args: Args<'_>) -> ArbResult {
        self.without_ether()?;
        self.found(args)?;
        Ok(Vec::new())
    }

    fn answer(&mut self, function: u32, args: Args<'_>) -> ArbResult {
        self.without_ether()?;
        let caller = self.vm().msg_sender().into();
        match function {
            selector::RELAY => Ok(encode_bytes(&self.relay(args)?)),
            selector::MULTICALL => Ok(encode_each(&self.batch(caller, args)?)),
            _ => self.serve(caller, function, args),
        }
    }

    fn without_ether(&self) -> Result<(), Refusal> {
        if Word::from(alloy_primitives::B256::from(self.vm().msg_value())).is_zero() {
            Ok(())
        } else {
            Err(Refusal::new())
        }
    }

    /// A call by a caller who is known: its sender, or its signer.
    #[rustfmt::skip]
    fn serve(&mut self, caller: Word, function: u32, args: Args<'_>) -> ArbResult {
        let flag = match function {
            selector::CREATE_CONTRACT => self.register(caller, args)?,
            selector::REQUESTING_ACCESS => self.request(caller, args)?,
            selector::APPROVE_IRS => self.approve(caller, args)?,
            selector::DENY_IRS => self.deny(caller, args)?,
            selector::TRACE_AUTHORIZATION => self.trace(caller, args)?,
            selector::REMOVE_IRS => self.remove(caller, args)?,
            selector::RESHARE_IRS => self.reshare(caller, args)?,
            selector::WITHDRAW_IMAGE => self.withdraw(caller, args)?,
            selector::RESTORE_IMAGE => self.restore(caller, args)?,
            selector::RETRACT_IMAGE => self.retract(caller, args)?,
            selector::SET_EMERGENCY => self.set_emergency(caller, args)?,
            selector::CANCEL_CHANGE => self.cancel_change(caller, args)?,
            selector::SET_DELEGATE => self.set_delegate(caller, args)?,
            selector::BREAK_GLASS => self.break_glass(caller, args)?,
            selector::IS_AUTHORIZED => self.may_see(args)?,
            selector::IS_ACCREDITED => self.is_accredited(args)?,
            _ => return self.serve_other(caller, function, args),
        };
        Ok(joined(&[flag.into()]))
    }

    /// The functions that return nothing.
    #[rustfmt::skip]
    fn serve_other(&mut self, caller: Word, function: u32, args: Args<'_>) -> ArbResult {
        match function {
            selector::RESEAL_IMAGE => self.reseal(caller, args)?,
            selector::SET_APPROVAL_LIMIT => self.set_limit(caller, args)?,
            selector::IMPORT_IMAGE => self.import(caller, args)?,
            selector::SET_GUARDIANS => self.set_guardians(caller, args)?,
            selector::MOVE_ACCOUNT => self.move_account(caller, args)?,
            selector::START_RECOVERY => self.start_recovery(caller, args)?,
            selector::FINISH_CHANGE => self.finish_change(caller, args)?,
            selector::ACCREDIT_RADIOLOGIST => self.accredit(caller, args)?,
            selector::TRANSFER_CONSORTIUM => self.transfer(caller, args)?,
            selector::ACCEPT_CONSORTIUM => self.accept(caller)?,
            selector::VOID_NONCES => self.void_nonces(caller, args)?,
            _ => return self.view(function, args),
        }
        Ok(Vec::new())
    }

    /// The views that return something else than a flag.
    #[rustfmt::skip]
    fn view(&self, function: u32, args: Args<'_>) -> ArbResult {
        Ok(joined(&match function {
            selector::IMAGE_RECORD => return self.image_record(args),
            selector::GRANT => return self.grant(args),
            selector::ACCOUNT => return self.account_of(args),
            selector::DELEGATE => return self.delegate(args),
            selector::EMERGENCY => return self.emergency(args),
            selector::ACCREDITATION => return self.accreditation_of(args),
            selector::VERSION => return Ok(self.version()),
            selector::EIP712_DOMAIN => return Ok(self.domain()),
            selector::CONSORTIUM => [self.cell(Slot::CONSORTIUM), self.cell(Slot::OFFERED)].to_vec(),
            selector::PREDECESSOR => [self.cell(Slot::PREDECESSOR).last_20()].to_vec(),
            selector::NONCES => [self.nonces(args)?].to_vec(),
            _ => return Err(Refusal::new()),
        }))
    }
}
