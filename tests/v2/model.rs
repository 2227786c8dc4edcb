//! The rules of the contract as a state machine: no storage, no ABI, no chain. Signatures are true or false here.
//! Accounts are in `account`, what is done to images in `image`.

mod account;
mod image;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, FixedBytes, U256};

pub(super) use self::account::{Account, GuardianSet, Pending};
use super::chain::{Event, IPcac, IPcac::IPcacCalls as Function, Refusal};

pub(super) const HOUR: u64 = 3_600;
pub(super) const MONTH: u64 = 30 * 24 * HOUR;
pub(super) const WITHDRAWN: u8 = 1;
pub(super) const RETRACTED: u8 = 2;

/// One function of the protocol and its arguments. The bytes of signatures in them do not count.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) function: Function,
    /// whether the attestation is the radiologist's, and which record it replaces
    pub(super) attested: bool,
    pub(super) replaces: u64,
    /// of each guardian: absent, or whether the signature is his, and over which counter
    pub(super) guardians: Vec<Option<bool>>,
    pub(super) recovery: u16,
}

impl Act {
    pub(super) fn plain(function: Function) -> Self {
        Self {
            function,
            attested: true,
            replaces: 0,
            guardians: vec![],
            recovery: 0,
        }
    }
}

/// A call as it is sent.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Plain(Act),
    Relayed {
        signer: Address,
        nonce: U256,
        deadline: u64,
        act: Act,
        /// whether the signature is the signer's over just this
        signed: bool,
    },
    Batch(Vec<Act>),
}

/// The answer of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Flag(bool),
    Nothing,
    Relayed(Box<Answer>),
    Batch(Vec<Answer>),
}

/// An image's record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) patient: Address,
    pub(super) registered_at: u64,
    pub(super) limit: u32,
    pub(super) window: u32,
    pub(super) opened: u64,
    pub(super) used: u32,
    pub(super) flags: u8,
    pub(super) round: u32,
    pub(super) radiologist: Address,
}

/// A requestor's standing with an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) status: u8,
    pub(super) requested_at: u64,
    pub(super) decided_at: u64,
    pub(super) expires_at: u64,
    pub(super) key: FixedBytes<16>,
    pub(super) shared: B256,
    pub(super) notes: FixedBytes<10>,
}

impl Grant {
    pub(super) fn authorized(&self, now: u64) -> bool {
        (self.status == 2 && self.expires_at == 0)
            || (matches!(self.status, 2 | 5) && now < self.expires_at)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) consortium: Address,
    pub(super) offered: Address,
    /// status, first accredited at, since
    pub(super) accredited: BTreeMap<Address, (u8, u64, u64)>,
    pub(super) images: BTreeMap<B256, Image>,
    pub(super) grants: BTreeMap<(B256, Address), Grant>,
    pub(super) accounts: BTreeMap<Address, Account>,
    pub(super) nonces: BTreeMap<(Address, U256), U256>,
}

pub(super) type Done = Result<(Answer, Vec<Event>), Refusal>;

/// The refusal of a name with these fields.
macro_rules! refuse {
    ($name:ident { $($fields:tt)* }) => {
        Err($crate::chain::Refusal::$name($crate::chain::IPcac::$name { $($fields)* }))
    };
}
pub(super) use refuse;

fn nonzero(arguments: &[&[u8]]) -> Result<(), Refusal> {
    let zero = arguments
        .iter()
        .position(|argument| argument.iter().all(|byte| *byte == 0));
    match zero {
        None => Ok(()),
        Some(argument) => refuse!(PcacZero {
            argument: argument as u8
        }),
    }
}

fn nonzero_at(position: u8, argument: &[u8]) -> Result<(), Refusal> {
    match nonzero(&[argument]) {
        Ok(()) => Ok(()),
        Err(_) => refuse!(PcacZero { argument: position }),
    }
}

fn short(text: &str) -> Result<(), Refusal> {
    if text.len() > 256 {
        let (length, max) = (U256::from(text.len()), U256::from(256));
        return refuse!(PcacTextTooLong { length, max });
    }
    Ok(())
}

fn ends(end: u64, now: u64, latest: u64) -> Result<(), Refusal> {
    if end <= now || end > latest {
        return refuse!(PcacBadExpiry {
            expiresAt: end,
            now,
            latest
        });
    }
    Ok(())
}

fn later(now: u64, before: u64) -> Result<(), Refusal> {
    if now <= before {
        let retry_at = before + 1;
        return refuse!(PcacTooSoon { retryAt: retry_at });
    }
    Ok(())
}

fn same_round(wanted: u32, round: u32) -> Result<(), Refusal> {
    if wanted != round {
        return refuse!(PcacRoundChanged { wanted, round });
    }
    Ok(())
}

fn flag(flag: bool, events: Vec<Event>) -> Done {
    Ok((Answer::Flag(flag), events))
}

fn nothing(events: Vec<Event>) -> Done {
    Ok((Answer::Nothing, events))
}

/// The bit of a nonce, and its word.
pub(super) fn place(nonce: U256) -> (U256, U256) {
    let bit: U256 = nonce & U256::from(255);
    (nonce >> 8, U256::from(1) << bit)
}

impl Model {
    /// Does a call, or refuses it and stays as it was.
    pub(super) fn call(&mut self, caller: Address, now: u64, call: &Call) -> Done {
        let before = self.clone();
        let done = self.try_call(caller, now, call);
        if done.is_err() {
            *self = before;
        }
        done
    }

    fn try_call(&mut self, caller: Address, now: u64, call: &Call) -> Done {
        match call {
            Call::Plain(act) => self.act(caller, now, act),
            Call::Batch(acts) => {
                let (mut answers, mut events) = (vec![], vec![]);
                for act in acts {
                    let (answer, mut emitted) = self.act(caller, now, act)?;
                    answers.push(answer);
                    events.append(&mut emitted);
                }
                Ok((Answer::Batch(answers), events))
            }
            Call::Relayed {
                signer,
                nonce,
                deadline,
                act,
                signed,
            } => {
                let (signer, nonce, deadline) = (*signer, *nonce, *deadline);
                nonzero(&[signer.as_slice()])?;
                if matches!(
                    act.function,
                    Function::start_recovery(_)
                        | Function::accredit_radiologist(_)
                        | Function::transfer_consortium(_)
                        | Function::accept_consortium(_)
                ) {
                    let selector = alloy_sol_types::SolInterface::selector(&act.function);
                    return refuse!(PcacNested {
                        selector: selector.into()
                    });
                }
                if now > deadline {
                    return refuse!(PcacExpired { deadline, now });
                }
                let (word, bit) = place(nonce);
                let used = self.used(signer, word);
                if used & bit != U256::ZERO {
                    return refuse!(PcacBadNonce { signer, nonce });
                }
                if !signed {
                    return refuse!(PcacBadSignature { signer });
                }
                self.nonces.insert((signer, word), used | bit);
                let (answer, events) = self.act(signer, now, act)?;
                Ok((Answer::Relayed(Box::new(answer)), events))
            }
        }
    }

    pub(super) fn used(&self, signer: Address, word: U256) -> U256 {
        self.nonces
            .get(&(signer, word))
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn account(&self, patient: Address) -> Account {
        let account = self.accounts.get(&patient).cloned();
        account.unwrap_or_else(|| Account {
            acting: patient,
            ..Account::default()
        })
    }

    pub(super) fn grant(&self, image: B256, requester: Address) -> Grant {
        let grant = self.grants.get(&(image, requester)).cloned();
        grant.unwrap_or_default()
    }

    pub(super) fn attests(&self, radiologist: Address, now: u64) -> bool {
        match self.accredited.get(&radiologist) {
            Some((1, ..)) => true,
            Some((2, _, since)) => now < *since,
            _ => false,
        }
    }

    pub(super) fn authorized(
        &self,
        patient: Address,
        requester: Address,
        image: B256,
        now: u64,
    ) -> bool {
        let Some(record) = self.images.get(&image) else {
            return false;
        };
        record.patient == patient
            && (self.account(patient).acting == requester
                || (record.flags == 0 && self.grant(image, requester).authorized(now)))
    }

    fn act(&mut self, caller: Address, now: u64, act: &Act) -> Done {
        match act.function.clone() {
            Function::create_contract(c) => self.create(caller, now, act, c),
            Function::requesting_access(c) => self.request(caller, now, c),
            Function::approve_IRs(c) => self.approve(caller, now, c),
            Function::deny_IRs(c) => self.deny(caller, now, c),
            Function::remove_IRs(c) => self.remove(caller, now, c),
            Function::trace_authorization(c) => self.trace(caller, now, c),
            Function::reshare_IRs(c) => self.reshare(caller, now, c),
            Function::reseal_image(c) => self.reseal(caller, now, c),
            Function::set_approval_limit(c) => self.set_limit(caller, now, c),
            Function::withdraw_image(c) => self.withdraw(caller, now, c),
            Function::restore_image(c) => self.restore(caller, now, c),
            Function::retract_image(c) => self.retract(caller, c),
            Function::break_glass(c) => self.break_glass(caller, now, c),
            Function::import_image(c) => {
                nonzero(&[c.image.as_slice()])?;
                if let Some(taken) = self.images.get(&c.image) {
                    let (image, owner) = (c.image, taken.patient);
                    return refuse!(PcacImageTaken { image, owner });
                }
                refuse!(PcacNoPredecessor {})
            }
            Function::set_guardians(c) => self.set_guardians(caller, now, c),
            Function::move_account(c) => self.move_account(caller, now, c),
            Function::set_emergency(c) => self.set_emergency(caller, now, c),
            Function::set_delegate(c) => self.set_delegate(caller, now, c),
            Function::cancel_change(c) => self.cancel_change(caller, now, c),
            Function::finish_change(c) => self.finish_change(caller, now, c),
            Function::start_recovery(c) => self.start_recovery(caller, now, act, c),
            Function::void_nonces(c) => {
                let used = self.used(caller, c.word);
                self.nonces.insert((caller, c.word), used | c.mask);
                nothing(vec![])
            }
            Function::accredit_radiologist(c) => {
                nonzero(&[c.radiologist.as_slice()])?;
                self.of_consortium(caller)?;
                let (status, since) = (c.status, c.since);
                let before = self.accredited.get(&c.radiologist).copied();
                let (was, at, _) = before.unwrap_or_default();
                let allowed = since < 1 << 40
                    && match (was, status) {
                        (0..=2, 1) => since == 0,
                        (1 | 2, 2) => since > 0,
                        (0..=2, 3) => true,
                        _ => false,
                    };
                if !allowed {
                    return refuse!(PcacBadStatus { status, since });
                }
                let at = if at == 0 && status == 1 { now } else { at };
                self.accredited.insert(c.radiologist, (status, at, since));
                let radiologist = c.radiologist;
                let event = IPcac::RadiologistAccredited {
                    radiologist,
                    status,
                    since,
                };
                nothing(vec![Event::RadiologistAccredited(event)])
            }
            Function::transfer_consortium(c) => {
                nonzero(&[c.to.as_slice()])?;
                self.of_consortium(caller)?;
                self.offered = if c.to == caller { Address::ZERO } else { c.to };
                let (from, to) = (caller, c.to);
                let event = IPcac::ConsortiumOffered { from, to };
                nothing(vec![Event::ConsortiumOffered(event)])
            }
            Function::accept_consortium(_) => {
                if caller != self.offered {
                    return refuse!(PcacNotConsortium { caller });
                }
                let from = std::mem::replace(&mut self.consortium, caller);
                self.offered = Address::ZERO;
                let event = IPcac::ConsortiumTransferred { from, to: caller };
                nothing(vec![Event::ConsortiumTransferred(event)])
            }
            other => panic!("not a function that changes something: {other:?}"),
        }
    }

    fn of_consortium(&self, caller: Address) -> Result<(), Refusal> {
        if caller != self.consortium {
            return refuse!(PcacNotConsortium { caller });
        }
        Ok(())
    }
}
