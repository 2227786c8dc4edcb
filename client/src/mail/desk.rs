//! The mailbox of a node: what it takes, what it gives to whom, and its limits.
//!
//! A receiver who showed the token of her cards to this node has a box of her own size; documents that come with that token
//! never make room for others. A document without it goes into a box of fixed size, the oldest out: free keys fill no more.
//! A sender is the node that asks; it leaves a number of documents at a time, and then one now and then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngCore;
use sha2::{Digest, Sha256};

use super::store::{Amount, KeptMail, MailStore};
use super::wire::{
    DIGEST, MailAnswer, MailId, MailState, Question, Refusal, SIGNATURE, TOKEN, statement,
};
use super::{KEPT_SECONDS, is_sealed};
use crate::operation::journal;
use pcim_core::Address;

/// Sizes of boxes, and how much a sender may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailLimits {
    /// Most documents with the token that wait for one receiver.
    pub documents: u64,
    /// Most bytes of these.
    pub bytes: u64,
    /// Most documents without the token that wait for one receiver.
    pub strangers: u64,
    /// Most bytes of these.
    pub stranger_bytes: u64,
    /// Most bytes with tokens of all receivers together.
    pub all_bytes: u64,
    /// Most bytes without tokens of all receivers together.
    pub all_stranger_bytes: u64,
    /// Most receivers whose tokens are known.
    pub receivers: u64,
    /// Documents that a sender may leave at once.
    pub at_once: u32,
    /// Seconds after which it may leave one more.
    pub one_in: u32,
}

impl Default for MailLimits {
    fn default() -> Self {
        Self {
            documents: 256,
            bytes: 16 << 20,
            strangers: 16,
            stranger_bytes: 2 << 20,
            all_bytes: 4 << 30,
            all_stranger_bytes: 256 << 20,
            receivers: 100_000,
            at_once: 64,
            one_in: 30,
        }
    }
}

/// Seconds for which a challenge serves.
const CHALLENGE_SECONDS: u64 = 300;
/// Most challenges that are out.
const MAX_CHALLENGES: usize = 4096;
/// Most challenges of one peer; a further one takes the place of its oldest.
const MAX_OF_PEER: usize = 4;
/// Most senders that are counted; beyond, those that may leave the most again are forgotten first.
const MAX_SENDERS: usize = 8192;
/// Seconds between two looks for what is too old.
const SWEEP_SECONDS: u64 = 600;
/// Seconds after which an owner who does not come is forgotten.
const OWNER_SECONDS: u64 = 180 * 86_400;

/// The mailbox of a node.
#[derive(Debug)]
pub struct MailDesk {
    store: MailStore,
    limits: MailLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    challenges: HashMap<[u8; DIGEST], Challenge>,
    /// How many challenges were given.
    given: u64,
    senders: HashMap<String, Sender>,
    swept: u64,
}

#[derive(Clone, Debug)]
struct Challenge {
    owner: Address,
    peer: String,
    given: u64,
    /// Its number: several are given in one second.
    number: u64,
    /// True once the owner has signed it.
    signed: bool,
}

/// The number of documents that a sender may still leave.
#[derive(Clone, Copy, Debug)]
struct Sender {
    left: u32,
    since: u64,
}

impl MailDesk {
    /// Opens the mailbox over its store.
    pub fn new(store: MailStore, limits: MailLimits) -> Self {
        Self {
            store,
            limits,
            state: Mutex::default(),
        }
    }

    /// Answers a question of `peer` to the node `me` at the time `now`, unix seconds.
    pub fn answer_at(&self, now: u64, me: &str, peer: &str, question: &[u8]) -> MailAnswer {
        let Some(question) = Question::read(question) else {
            return MailAnswer::Refused(Refusal::Question);
        };
        match self.act(now, me, peer, question) {
            Ok(Ok(answer)) => answer,
            Ok(Err(refusal)) => MailAnswer::Refused(refusal),
            Err(error) => {
                tracing::warn!(%error, "the mailbox's store failed");
                MailAnswer::Refused(Refusal::Busy)
            }
        }
    }

    fn act(
        &self,
        now: u64,
        me: &str,
        peer: &str,
        question: Question,
    ) -> journal::Result<Result<MailAnswer, Refusal>> {
        self.sweep(now)?;
        Ok(match question {
            Question::Leave {
                to,
                token,
                document,
            } => self.leave(now, peer, to, &token, &document)?,
            Question::Challenge { owner } => {
                Ok(MailAnswer::Challenge(self.challenge(now, peer, owner)))
            }
            Question::List {
                challenge,
                token,
                signature,
            } => match self.prove(now, me, peer, &challenge, &token, &signature) {
                Some(owner) => {
                    self.remember(now, owner, &token)?;
                    Ok(MailAnswer::Listed(self.store.listed(owner)?))
                }
                None => Err(Refusal::Proof),
            },
            Question::Take { challenge, id } => match self.owner(now, peer, &challenge) {
                Some(owner) => match self.store.document(owner, &id)? {
                    Some(document) => Ok(MailAnswer::Document(document)),
                    None => Err(Refusal::Gone),
                },
                None => Err(Refusal::Proof),
            },
            Question::Taken { challenge, ids } => match self.owner(now, peer, &challenge) {
                Some(owner) => {
                    self.store.fetched(owner, &ids, now)?;
                    Ok(MailAnswer::Dropped)
                }
                None => Err(Refusal::Proof),
            },
            Question::State { ids } => {
                let states = ids.iter().map(|id| self.store.state(id));
                Ok(MailAnswer::States(states.collect::<journal::Result<_>>()?))
            }
        })
    }

    fn leave(
        &self,
        now: u64,
        peer: &str,
        to: Address,
        token: &[u8; TOKEN],
        document: &[u8],
    ) -> journal::Result<Result<MailAnswer, Refusal>> {
        if !is_sealed(document) {
            return Ok(Err(Refusal::Document));
        }
        let left = |arrived: u64| MailAnswer::Left {
            until: arrived.saturating_add(KEPT_SECONDS),
        };
        let id = MailId::from(Sha256::digest(document));
        match self.store.state(&id)? {
            // It was left before, and the answer did not arrive.
            MailState::Waiting(since) | MailState::Fetched(since) => {
                return Ok(Ok(left(since)));
            }
            MailState::Unknown => {}
        }
        if !self.may_leave(now, peer) {
            return Ok(Err(Refusal::Sender));
        }
        let digest = <[u8; DIGEST]>::from(Sha256::digest(token));
        let known = self.store.token(to)? == Some(digest);
        let (size, limits) = (document.len() as u64, &self.limits);
        if known {
            let (own, all) = (self.store.waiting(to, true)?, self.store.all_waiting(true)?);
            if own.documents >= limits.documents || own.bytes + size > limits.bytes {
                return Ok(Err(Refusal::Receiver));
            }
            if all.bytes + size > limits.all_bytes {
                return Ok(Err(Refusal::Full));
            }
        } else {
            let full = |own: Amount| {
                own.documents >= limits.strangers || own.bytes + size > limits.stranger_bytes
            };
            while full(self.store.waiting(to, false)?) {
                if !self.store.drop_oldest_stranger(Some(to))? {
                    return Ok(Err(Refusal::Receiver));
                }
            }
            while self.store.all_waiting(false)?.bytes + size > limits.all_stranger_bytes {
                if !self.store.drop_oldest_stranger(None)? {
                    return Ok(Err(Refusal::Full));
                }
            }
        }
        self.store.keep(&KeptMail {
            id,
            owner: to,
            known,
            arrived: now,
            document,
        })?;
        Ok(Ok(left(now)))
    }

    /// Counts a document of a sender; false if it has left too many.
    fn may_leave(&self, now: u64, peer: &str) -> bool {
        let (most, one_in) = (self.limits.at_once, u64::from(self.limits.one_in.max(1)));
        let mut state = self.state();
        if state.senders.len() >= MAX_SENDERS && !state.senders.contains_key(peer) {
            let refilled = |it: &Sender| u64::from(it.left) + now.saturating_sub(it.since) / one_in;
            let most_left = state.senders.iter().max_by_key(|(_, it)| refilled(it));
            if let Some(peer) = most_left.map(|(peer, _)| peer.clone()) {
                state.senders.remove(&peer);
            }
        }
        let fresh = Sender {
            left: most,
            since: now,
        };
        let sender = state.senders.entry(peer.to_owned()).or_insert(fresh);
        let more = now.saturating_sub(sender.since) / one_in;
        if more > 0 {
            sender.left =
                u32::try_from(u64::from(sender.left) + more).map_or(most, |it| it.min(most));
            sender.since += more * one_in;
        }
        let may = sender.left > 0;
        sender.left -= u32::from(may);
        may
    }

    fn challenge(&self, now: u64, peer: &str, owner: Address) -> [u8; DIGEST] {
        let mut challenge = [0; DIGEST];
        rand::rng().fill_bytes(&mut challenge);
        let mut state = self.state();
        state.given += 1;
        let number = state.given;
        let out = &mut state.challenges;
        out.retain(|_, it| now.saturating_sub(it.given) < CHALLENGE_SECONDS);
        let oldest = |of: Option<&str>| {
            let those = out
                .iter()
                .filter(|(_, it)| of.is_none_or(|peer| it.peer == peer));
            let count = those.clone().count();
            (
                count,
                those.min_by_key(|(_, it)| it.number).map(|(key, _)| *key),
            )
        };
        let gone = match (oldest(Some(peer)), oldest(None)) {
            ((count, oldest), _) if count >= MAX_OF_PEER => oldest,
            (_, (count, oldest)) if count >= MAX_CHALLENGES => oldest,
            _ => None,
        };
        if let Some(gone) = gone {
            out.remove(&gone);
        }
        out.insert(
            challenge,
            Challenge {
                owner,
                peer: peer.to_owned(),
                given: now,
                number,
                signed: false,
            },
        );
        challenge
    }

    /// Tells whose mailbox a signed challenge opens. A challenge is signed once.
    fn prove(
        &self,
        now: u64,
        me: &str,
        peer: &str,
        challenge: &[u8; DIGEST],
        token: &[u8; DIGEST],
        signature: &[u8; SIGNATURE],
    ) -> Option<Address> {
        let mut state = self.state();
        let given = state.challenges.get(challenge)?.clone();
        if given.signed || given.peer != peer || is_over(now, &given) {
            return None;
        }
        let text = statement(me, given.owner, challenge, token);
        let signer = pcim_ledger::recover_message(&text, signature).ok();
        if signer != Some(given.owner) {
            // Another guess needs another challenge.
            state.challenges.remove(challenge);
            return None;
        }
        if let Some(given) = state.challenges.get_mut(challenge) {
            given.signed = true;
        }
        Some(given.owner)
    }

    /// Tells whose mailbox a challenge has opened.
    fn owner(&self, now: u64, peer: &str, challenge: &[u8; DIGEST]) -> Option<Address> {
        let state = self.state();
        let given = state.challenges.get(challenge)?;
        let open = given.signed && given.peer == peer && !is_over(now, given);
        open.then_some(given.owner)
    }

    /// Notes an owner's token, as long as there is room for one more owner; zeros stand for none.
    fn remember(&self, now: u64, owner: Address, token: &[u8; DIGEST]) -> journal::Result<()> {
        if *token == [0; DIGEST] {
            return Ok(());
        }
        let is_new = self.store.token(owner)?.is_none();
        if is_new && self.store.owners()? >= self.limits.receivers {
            return Ok(());
        }
        self.store.set_token(owner, token, now)
    }

    fn sweep(&self, now: u64) -> journal::Result<()> {
        {
            let mut state = self.state();
            if now.saturating_sub(state.swept) < SWEEP_SECONDS {
                return Ok(());
            }
            state.swept = now;
        }
        let before = |seconds| now.saturating_sub(seconds);
        self.store
            .drop_before(before(KEPT_SECONDS), before(OWNER_SECONDS))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_over(now: u64, given: &Challenge) -> bool {
    now.saturating_sub(given.given) >= CHALLENGE_SECONDS
}

impl pcim_node::Mailbox for MailDesk {
    fn answer(&self, me: &str, peer: &str, question: &[u8]) -> Vec<u8> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.unwrap_or_default().as_secs();
        self.answer_at(now, me, peer, question).to_bytes()
    }

    fn refuse(&self) -> Vec<u8> {
        MailAnswer::Refused(Refusal::Busy).to_bytes()
    }
}
