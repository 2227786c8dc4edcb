//! Mail: leaving documents with the network's followers, and fetching one's own.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::home::MAX_INBOX;
use crate::mail::Error as MailError;
use crate::mail::desk::{MailDesk, MailLimits};
use crate::mail::store::MailStore;
use crate::mail::wire::{
    DIGEST, Listed, MAX_LISTED, MailAnswer, MailId, MailState, Question, TOKEN, statement,
};
use crate::papers::card::Card;
use crate::papers::mail::{self, MailKind};
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::Address;
use pcim_core::date::now;
use pcim_ledger::Account;

/// How long a follower has to answer one question.
const LIMIT: Duration = Duration::from_secs(15);
/// Most followers that are asked.
const MAX_MAILBOXES: usize = 8;

/// A document that was left.
#[derive(Clone, Debug, Serialize)]
pub struct LeftMail {
    /// Its id.
    #[serde(serialize_with = "crate::mail::wire::id_as_hex")]
    pub id: MailId,
    /// The followers that keep it.
    pub followers: Vec<String>,
    /// Until when they keep it at most, unix seconds.
    pub until: u64,
    /// Why others do not.
    pub refused: Vec<String>,
}

/// The outcome of fetching.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FetchedMail {
    /// How many letters are new.
    pub new: usize,
    /// How many documents were no letters to this home; they are dropped.
    pub no_good: usize,
    /// Followers that could not be asked, each with why.
    pub silent: Vec<String>,
    /// True if letters wait for which the inbox has no room.
    pub is_full: bool,
}

/// A mailbox that was opened at a follower.
pub(crate) struct OpenBox {
    at: String,
    challenge: [u8; DIGEST],
    /// The documents that wait, the oldest first.
    pub(crate) waits: Vec<Listed>,
}

impl Session {
    /// Lists the nodes whose mailboxes this home uses: the followers of its network.
    ///
    /// # Errors
    /// [`Error::Network`]
    pub fn mailboxes(&self) -> Result<Vec<String>> {
        let followers = self.network()?.map_or(Vec::new(), |file| file.followers);
        Ok(followers.into_iter().take(MAX_MAILBOXES).collect())
    }

    /// Has this home's node keep documents for others until the result is dropped. It must have been announced with
    /// [`keep_mailbox`](Self::keep_mailbox) or in the configuration before the node began.
    ///
    /// # Errors
    /// [`Error::Journal`], [`Error::Node`]
    pub async fn open_mailbox(&self) -> Result<pcim_node::Serving> {
        let store = MailStore::open(&self.home.mailbox_path())?;
        let desk = MailDesk::new(store, MailLimits::default());
        Ok(self
            .node()
            .await?
            .keep_mailbox(std::sync::Arc::new(desk))
            .await?)
    }

    /// Tells what became of documents that were left, as far as the followers say.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn mail_states(&self, ids: &[MailId]) -> Result<Vec<MailState>> {
        let mailboxes = self.mailboxes()?;
        let mut states = vec![MailState::Unknown; ids.len()];
        if ids.is_empty() {
            return Ok(states);
        }
        let asked = mailboxes.iter().map(async |at| {
            let mut found = Vec::new();
            for ids in ids.chunks(MAX_LISTED) {
                let ids = ids.to_vec();
                match self.ask_mailbox(at, &Question::State { ids }).await {
                    Ok(MailAnswer::States(states)) => found.extend(states),
                    _ => return Vec::new(),
                }
            }
            found
        });
        for found in join_all(asked).await {
            for (state, found) in states.iter_mut().zip(found) {
                *state = further(*state, found);
            }
        }
        Ok(states)
    }

    /// Leaves a sealed document with every one of these followers that takes it.
    ///
    /// # Errors
    /// [`MailError::NotLeft`]
    pub(crate) async fn leave_at(
        &self,
        mailboxes: &[String],
        to: Address,
        token: [u8; TOKEN],
        document: Vec<u8>,
    ) -> Result<LeftMail> {
        let mut left = LeftMail {
            id: Sha256::digest(&document).into(),
            followers: Vec::new(),
            until: 0,
            refused: Vec::new(),
        };
        let question = Question::Leave {
            to,
            token,
            document,
        };
        let asked = mailboxes.iter().map(async |at| {
            let answer = self.ask_mailbox(at, &question).await;
            (at, answer)
        });
        for (at, answer) in join_all(asked).await {
            match answer {
                Ok(MailAnswer::Left { until }) => {
                    left.followers.push(at.clone());
                    left.until = left.until.max(until);
                }
                Ok(_) => left.refused.push(strange(at).to_string()),
                Err(error) => left.refused.push(error.to_string()),
            }
        }
        match left.followers.is_empty() {
            true => Err(MailError::NotLeft {
                reasons: left.refused,
            }
            .into()),
            false => Ok(left),
        }
    }

    /// Shows a follower that a mailbox is this account's, and the digest of its token; lists what waits there.
    pub(crate) async fn open_box(
        &self,
        at: &str,
        account: &Account,
        token: [u8; DIGEST],
    ) -> Result<OpenBox> {
        let (owner, node) = (account.address(), node_of(at));
        let question = Question::Challenge { owner };
        let MailAnswer::Challenge(challenge) = self.ask_mailbox(at, &question).await? else {
            return Err(strange(at));
        };
        let text = statement(node, owner, &challenge, &token);
        let question = Question::List {
            challenge,
            token,
            signature: account.sign_message(&text)?,
        };
        match self.ask_mailbox(at, &question).await? {
            MailAnswer::Listed(waits) => Ok(OpenBox {
                at: at.to_owned(),
                challenge,
                waits,
            }),
            _ => Err(strange(at)),
        }
    }

    /// Takes a document of a box.
    pub(crate) async fn take(&self, open: &OpenBox, id: MailId) -> Result<Vec<u8>> {
        let challenge = open.challenge;
        let question = Question::Take { challenge, id };
        match self.ask_mailbox(&open.at, &question).await? {
            MailAnswer::Document(document) if MailId::from(Sha256::digest(&document)) == id => {
                Ok(document)
            }
            _ => Err(strange(&open.at)),
        }
    }

    /// Has documents of a box dropped.
    pub(crate) async fn taken(&self, open: &OpenBox, ids: Vec<MailId>) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let challenge = open.challenge;
        let question = Question::Taken { challenge, ids };
        match self.ask_mailbox(&open.at, &question).await? {
            MailAnswer::Dropped => Ok(()),
            _ => Err(strange(&open.at)),
        }
    }

    async fn ask_mailbox(&self, at: &str, question: &Question) -> Result<MailAnswer> {
        let node = self.node().await?;
        let answer = node.ask_mailbox(at, question.to_bytes(), LIMIT).await?;
        match MailAnswer::read(&answer) {
            Some(MailAnswer::Refused(refusal)) => Err(MailError::Refused {
                mailbox: at.to_owned(),
                refusal,
            }
            .into()),
            Some(answer) => Ok(answer),
            None => Err(strange(at)),
        }
    }
}

impl Unlocked<'_> {
    /// Leaves a document for the owner of a card with every follower that takes it.
    ///
    /// # Errors
    /// [`MailError::NoMailbox`], [`MailError::NotLeft`], and those of sealing.
    pub async fn leave_mail(&self, kind: MailKind, document: &[u8], to: &Card) -> Result<LeftMail> {
        let mailboxes = self.mailboxes()?;
        if mailboxes.is_empty() {
            return Err(MailError::NoMailbox.into());
        }
        let own = (self.card().await?, &*self.keys.openpgp);
        let letter = mail::seal(kind, document, now(), own, to).map_err(MailError::Letter)?;
        let token = to.token.map_or([0; TOKEN], |token| token.0);
        self.leave_at(&mailboxes, to.address, token, letter).await
    }

    /// Fetches this home's letters from every follower into its inbox. A letter is dropped there once it is on this disk.
    ///
    /// # Errors
    /// [`MailError::NoMailbox`], [`Error::Home`]
    pub async fn fetch_mail(&self) -> Result<FetchedMail> {
        let mailboxes = self.mailboxes()?;
        if mailboxes.is_empty() {
            return Err(MailError::NoMailbox.into());
        }
        let mut here: BTreeSet<_> = self.home.inbox()?.into_iter().collect();
        let mut fetched = FetchedMail::default();
        for opened in self.open_own(&mailboxes).await? {
            let emptied = match opened {
                Ok(open) => self.empty(&open, &mut here, &mut fetched).await,
                Err(error) => Err(error),
            };
            match emptied {
                Ok(()) => {}
                Err(error @ Error::Home(_)) => return Err(error),
                Err(error) => fetched.silent.push(error.to_string()),
            }
        }
        Ok(fetched)
    }

    /// Opens this home's box at every follower, and shows them the token of its cards.
    async fn open_own(&self, mailboxes: &[String]) -> Result<Vec<Result<OpenBox>>> {
        let token = Sha256::digest(self.home.push_token(false)?.0).into();
        let account = &self.keys.account;
        let opened = mailboxes
            .iter()
            .map(async |at| self.open_box(at, account, token).await);
        Ok(join_all(opened).await)
    }

    /// Takes what waits in a box.
    async fn empty(
        &self,
        open: &OpenBox,
        here: &mut BTreeSet<MailId>,
        fetched: &mut FetchedMail,
    ) -> Result<()> {
        let mut taken = Vec::new();
        for id in open.waits.iter().map(|waits| waits.id) {
            if !here.contains(&id) {
                if here.len() >= MAX_INBOX {
                    fetched.is_full = true;
                    break;
                }
                let letter = self.take(open, id).await?;
                // Anyone can leave anything; only letters to this home, signed by who is in them, are kept.
                match mail::open(&letter, &self.keys.openpgp, self.address()) {
                    Ok(_) => {
                        self.home.put_mail(&id, &letter)?;
                        here.insert(id);
                        fetched.new += 1;
                    }
                    Err(_) => fetched.no_good += 1,
                }
            }
            taken.push(id);
        }
        self.taken(open, taken).await
    }

    /// Shows the token of this home's cards to every follower; tells how many took it.
    ///
    /// # Errors
    /// [`Error::Network`]
    pub async fn show_token(&self) -> Result<usize> {
        let mailboxes = self.mailboxes()?;
        let opened = self.open_own(&mailboxes).await?;
        Ok(opened.into_iter().filter(Result::is_ok).count())
    }
}

/// The node's id at the end of its multiaddr.
fn node_of(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or_default()
}

fn strange(at: &str) -> Error {
    MailError::Strange {
        mailbox: at.to_owned(),
    }
    .into()
}

/// Of two followers' words the one that says more.
fn further(one: MailState, other: MailState) -> MailState {
    match (one, other) {
        (MailState::Fetched(first), MailState::Fetched(second)) => {
            MailState::Fetched(first.min(second))
        }
        (fetched @ MailState::Fetched(_), _) | (_, fetched @ MailState::Fetched(_)) => fetched,
        (waiting @ MailState::Waiting(_), _) | (_, waiting @ MailState::Waiting(_)) => waiting,
        _ => MailState::Unknown,
    }
}
