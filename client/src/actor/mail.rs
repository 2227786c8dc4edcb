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
use crate::mail::wire::{Answer, MAX_LISTED, MailId, Question, State, statement};
use crate::papers::card::Card;
use crate::papers::mail::{self, MailKind};
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::date::now;

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

/// What fetching came to.
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
    pub async fn mail_states(&self, ids: &[MailId]) -> Result<Vec<State>> {
        let mailboxes = self.mailboxes()?;
        let mut states = vec![State::Unknown; ids.len()];
        if ids.is_empty() {
            return Ok(states);
        }
        let asked = mailboxes.iter().map(async |at| {
            let mut found = Vec::new();
            for ids in ids.chunks(MAX_LISTED) {
                let ids = ids.to_vec();
                match self.ask_mailbox(at, &Question::State { ids }).await {
                    Ok(Answer::States(states)) => found.extend(states),
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

    async fn ask_mailbox(&self, at: &str, question: &Question) -> Result<Answer> {
        let node = self.node().await?;
        let answer = node.ask_mailbox(at, question.to_bytes(), LIMIT).await?;
        match Answer::read(&answer) {
            Some(Answer::Refused(refusal)) => Err(MailError::Refused {
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
        let id = MailId::from(Sha256::digest(&letter));
        let question = Question::Leave {
            to: to.address,
            token: to.token.map_or([0; 16], |token| token.0),
            document: letter,
        };
        let asked = mailboxes.iter().map(async |at| {
            let answer = self.ask_mailbox(at, &question).await;
            (at, answer)
        });
        let mut left = LeftMail {
            id,
            followers: Vec::new(),
            until: 0,
            refused: Vec::new(),
        };
        for (at, answer) in join_all(asked).await {
            match answer {
                Ok(Answer::Left { until }) => {
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
        let opened = mailboxes
            .iter()
            .map(async |at| (at, self.open_box(at).await));
        for (at, opened) in join_all(opened).await {
            let emptied = match opened {
                Ok((challenge, ids)) => {
                    self.empty_box(at, challenge, ids, &mut here, &mut fetched)
                        .await
                }
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

    /// Shows a follower that the mailbox is this home's, and the token of its cards; lists what waits there.
    async fn open_box(&self, at: &str) -> Result<([u8; 32], Vec<MailId>)> {
        let (owner, node) = (self.address(), node_of(at));
        let question = Question::Challenge { owner };
        let Answer::Challenge(challenge) = self.ask_mailbox(at, &question).await? else {
            return Err(strange(at));
        };
        let token = Sha256::digest(self.home.push_token(false)?.0).into();
        let text = statement(node, owner, &challenge, &token);
        let question = Question::List {
            challenge,
            token,
            signature: self.keys.account.sign_message(&text)?,
        };
        match self.ask_mailbox(at, &question).await? {
            Answer::Listed(listed) => Ok((challenge, listed.iter().map(|it| it.id).collect())),
            _ => Err(strange(at)),
        }
    }

    /// Takes what waits at one follower.
    async fn empty_box(
        &self,
        at: &str,
        challenge: [u8; 32],
        ids: Vec<MailId>,
        here: &mut BTreeSet<MailId>,
        fetched: &mut FetchedMail,
    ) -> Result<()> {
        let mut taken = Vec::new();
        for id in ids {
            if !here.contains(&id) {
                if here.len() >= MAX_INBOX {
                    fetched.is_full = true;
                    break;
                }
                let question = Question::Take { challenge, id };
                let Answer::Document(letter) = self.ask_mailbox(at, &question).await? else {
                    return Err(strange(at));
                };
                if MailId::from(Sha256::digest(&letter)) != id {
                    return Err(strange(at));
                }
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
        if taken.is_empty() {
            return Ok(());
        }
        let question = Question::Taken {
            challenge,
            ids: taken,
        };
        match self.ask_mailbox(at, &question).await? {
            Answer::Dropped => Ok(()),
            _ => Err(strange(at)),
        }
    }

    /// Shows the token of this home's cards to every follower; tells how many took it.
    ///
    /// # Errors
    /// [`Error::Network`]
    pub async fn show_token(&self) -> Result<usize> {
        let mailboxes = self.mailboxes()?;
        let shown = mailboxes
            .iter()
            .map(async |at| self.open_box(at).await.is_ok());
        Ok(join_all(shown)
            .await
            .into_iter()
            .filter(|shown| *shown)
            .count())
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
fn further(one: State, other: State) -> State {
    match (one, other) {
        (State::Fetched(first), State::Fetched(second)) => State::Fetched(first.min(second)),
        (fetched @ State::Fetched(_), _) | (_, fetched @ State::Fetched(_)) => fetched,
        (waiting @ State::Waiting(_), _) | (_, waiting @ State::Waiting(_)) => waiting,
        _ => State::Unknown,
    }
}
