//! A session whose keys are at hand: what signs, seals or opens starts here.

use std::ops::Deref;

use crate::error::Result;
use crate::flow::pipeline::ProgressSink;
use crate::home::{Home, Keys};
use crate::limits::Limits;
use crate::papers::card::{Card, CardDocument, CardTerms};
use crate::session::{Overrides, Session};
use pcim_core::Passphrase;

/// How calls are signed for others to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The signer's nonce at a contract of version 1; the next one if none is given. Several calls that are signed before the
    /// first of them is sent need nonces one after the other. At version 2 numbers have no order, and none is given.
    pub nonce: Option<u64>,
    /// The last second in which it may be done, unix; the usual one of such a call if none is given.
    pub deadline: Option<u64>,
}

/// A session with its keys.
#[derive(Clone, Copy)]
pub struct Unlocked<'s> {
    session: &'s Session,
    pub(crate) keys: &'s Keys,
    pub(crate) signing: Option<Signing>,
}

/// An actor at work: a session and its keys, kept together.
pub struct Actor {
    pub(crate) session: Session,
    keys: Keys,
    signing: Option<Signing>,
}

impl Session {
    /// Unlocks the home's keys.
    ///
    /// # Errors
    /// [`Error::Home`](crate::error::Error::Home)
    pub async fn unlock(self, passphrase: Passphrase) -> Result<Actor> {
        let (session, keys) = tokio::task::spawn_blocking(move || {
            let keys = self.home.unlock(&passphrase);
            (self, keys)
        })
        .await?;
        Ok(session.with_keys(keys?))
    }

    /// Takes the home's keys, which were unlocked before.
    pub fn with_keys(self, keys: Keys) -> Actor {
        Actor {
            session: self,
            keys,
            signing: None,
        }
    }
}

impl Actor {
    /// Opens a session and unlocks its keys.
    ///
    /// # Errors
    /// [`Error::Home`](crate::error::Error::Home), [`Error::Journal`](crate::error::Error::Journal)
    pub async fn open(home: Home, passphrase: Passphrase) -> Result<Self> {
        let (home, keys) = tokio::task::spawn_blocking(move || {
            let keys = home.unlock(&passphrase);
            (home, keys)
        })
        .await?;
        let keys = keys?;
        Ok(Session::open(home)?.with_keys(keys))
    }

    /// Changes how long is waited for others.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.session = self.session.with_limits(limits);
        self
    }

    /// Has the progress of sealing and fetching reported.
    #[must_use]
    pub fn with_progress(mut self, sink: ProgressSink) -> Self {
        self.session = self.session.with_progress(sink);
        self
    }

    /// Sets something above the home's configuration; to be called before the first use.
    #[must_use]
    pub fn with_overrides(mut self, overrides: Overrides) -> Self {
        self.session = self.session.with_overrides(overrides);
        self
    }

    /// Has every call signed for others to send: what would write to the chain comes to
    /// [`Outcome::Signed`](crate::operation::write::Outcome::Signed) then. A call that the contract would refuse now is
    /// refused all the same.
    #[must_use]
    pub fn with_signing(mut self, signing: Signing) -> Self {
        self.signing = Some(signing);
        self
    }

    /// Pairs the session with its keys.
    pub fn unlocked(&self) -> Unlocked<'_> {
        Unlocked {
            session: &self.session,
            keys: &self.keys,
            signing: self.signing,
        }
    }

    /// Keeps the session alone: the keys are forgotten.
    pub fn into_session(self) -> Session {
        self.session
    }

    /// Stops the node, if it was started, and closes the home.
    pub async fn shutdown(self) {
        self.session.shutdown().await;
    }
}

impl<'s> Unlocked<'s> {
    /// Returns the keys.
    pub fn keys(&self) -> &'s Keys {
        self.keys
    }

    /// The same, but calls are sent, not signed for others to send.
    #[must_use]
    pub(crate) fn sending(self) -> Self {
        Self {
            signing: None,
            ..self
        }
    }

    /// Issues the actor's contact card, with the addresses its node listens on and the token of its mail.
    ///
    /// # Errors
    /// Those of the node and of signing.
    pub async fn card(&self) -> Result<CardDocument> {
        let terms = CardTerms {
            token: Some(self.home.push_token(false)?),
            ..CardTerms::from(self.node().await?.addresses().await?)
        };
        Ok(Card::issue(&self.keys.account, &self.keys.openpgp, terms)?)
    }
}

impl Deref for Unlocked<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl Deref for Actor {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
