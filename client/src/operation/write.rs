//! Writing to the chain so that nothing is sent twice.
//!
//! Every write has a key that says what it does, to which contract on which chain. The signed transaction is
//! recorded in the journal under that key before it is sent; a repetition after a crash or a time-out finds it
//! there and sends the same bytes again, which the chain takes once.
//!
//! A piece that a write stores in the node is recorded before it is stored: a write that fails takes it back ([`settle`](super::settle)).
//!
//! That transaction may have been mined long before the repetition, and its effect undone since. So a repetition
//! sees it through and then looks whether something is left to do.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::deed::{Deed, DeedKey};
use crate::operation::journal::piece::Verdict;
use crate::operation::journal::{Operation, OperationId};
use crate::operation::relayed::{ForRelay, Recorded};
use crate::session::Session;
use crate::unlocked::{Signing, Unlocked};
use pcim_ledger::{Call, Mined, Nonce, RelayCall, Version};

/// A call's usual number and deadline.
const USUAL: Signing = Signing {
    nonce: None,
    deadline: None,
};
/// The most seconds for which a signed call that gives may be held back, at version 2.
const GIVES_FOR: u64 = 24 * 3600;
/// The least seconds for which a signed call that takes away can be sent, at version 2: a delayed inbox takes some.
const TAKES_FOR: u64 = 7 * 24 * 3600;
/// Seconds by which clocks may differ, and commands take time.
const GRACE: u64 = 3600;

/// A transaction that is on the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// Its receipt and events.
    #[serde(flatten)]
    pub mined: Mined,
    /// True if it had been signed by an earlier attempt, which did not see it through.
    pub resumed: bool,
}

/// The outcome of a call that had something to do.
#[derive(Clone, Debug)]
pub enum Outcome<T = Written> {
    /// It is on the chain.
    Mined(T),
    /// It is signed for others to send, and was not sent.
    Signed(Box<RelayCall>),
}

impl<T> Outcome<T> {
    /// Returns what is on the chain; `None` if it was signed for others to send.
    pub fn mined(self) -> Option<T> {
        match self {
            Self::Mined(done) => Some(done),
            Self::Signed(_) => None,
        }
    }

    /// Makes something else of what is on the chain.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn try_map<U>(self, make: impl FnOnce(T) -> Result<U>) -> Result<Outcome<U>> {
        Ok(match self {
            Self::Mined(done) => Outcome::Mined(make(done)?),
            Self::Signed(call) => Outcome::Signed(call),
        })
    }
}

/// A call that has something to do, before it is sent.
pub(crate) enum Prepared {
    /// A transaction of one's own, or a call for the network's relay, recorded.
    Send(Recorded),
    /// For others to send.
    Relay(Box<RelayCall>),
}

/// Which simulated answer makes a call worth sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The call acts when it returns true.
    True,
    /// The call acts when it returns false.
    False,
    /// The call is sent whatever it returns.
    Any,
}

impl Unlocked<'_> {
    /// Carries out one call. `None` if the contract says that it would change nothing: then nothing was sent.
    ///
    /// `call` is asked for only if no earlier attempt under the same key settles the matter.
    pub(crate) async fn write(
        &self,
        deed: Deed,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<Outcome>> {
        self.write_noting(deed, wanted, async |_| call().await)
            .await
    }

    /// [`write`](Self::write) for a call that is asked for with the operation's number, to note under it what it stores.
    pub(crate) async fn write_noting(
        &self,
        deed: Deed,
        wanted: Wanted,
        call: impl AsyncFnOnce(OperationId) -> Result<Call>,
    ) -> Result<Option<Outcome>> {
        let overtaken = self.journal.is_overtaken(&self.scoped(deed)?)?;
        let earlier = self.resume(deed).await?.map(Outcome::Mined);
        match earlier {
            Some(earlier) if wanted == Wanted::Any && !overtaken => Ok(Some(earlier)),
            earlier => Ok(self.start_noting(deed, wanted, call).await?.or(earlier)),
        }
    }

    /// Carries out one call of which no earlier attempt is in flight. `None` as in [`Self::write`].
    pub(crate) async fn start(
        &self,
        deed: Deed,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<Outcome>> {
        self.start_noting(deed, wanted, async |_| call().await)
            .await
    }

    /// [`start`](Self::start), as [`write_noting`](Self::write_noting).
    pub(crate) async fn start_noting(
        &self,
        deed: Deed,
        wanted: Wanted,
        call: impl AsyncFnOnce(OperationId) -> Result<Call>,
    ) -> Result<Option<Outcome>> {
        Ok(match self.sign_noting(deed, wanted, call).await? {
            None => None,
            Some((operation, Prepared::Send(signed))) => Some(Outcome::Mined(Written {
                mined: self.submit(operation, &signed).await?,
                resumed: false,
            })),
            Some((_, Prepared::Relay(call))) => Some(Outcome::Signed(call)),
        })
    }

    /// Signs and records one call of which no earlier attempt is in flight, and sends nothing yet. `None` as in
    /// [`Self::write`].
    pub(crate) async fn sign_noting(
        &self,
        deed: Deed,
        wanted: Wanted,
        call: impl AsyncFnOnce(OperationId) -> Result<Call>,
    ) -> Result<Option<(OperationId, Prepared)>> {
        let operation = self.journal.begin(&self.scoped(deed)?)?;
        let call = async || call(operation.id).await;
        match self.prepare(wanted, call).await {
            Ok(Some(prepared)) => {
                match &prepared {
                    Prepared::Send(signed) => self
                        .journal
                        .record_call(operation.id, &serde_json::to_string(signed)?)?,
                    // Others send it: what it stores stays, and what it makes useless is not useless yet.
                    Prepared::Relay(_) => self.journal.abandon(operation.id)?,
                }
                Ok(Some((operation.id, prepared)))
            }
            nothing => {
                let settled = self.settle(operation.id, Verdict::Failed).await;
                // Why nothing was sent is the error to tell; what is left is dropped when it is resumed.
                nothing.and_then(|_| settled.map(|()| None))
            }
        }
    }

    /// Signs a call that has something to do.
    async fn prepare(
        &self,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<Prepared>> {
        let call = call().await?;
        let (account, ledger) = (&self.keys.account, self.ledger().await?);
        let idle = |returns| {
            matches!(
                (wanted, returns),
                (Wanted::True, Some(false)) | (Wanted::False, Some(true))
            )
        };
        let by_relay = self.signing.is_none() && self.is_relayed(&call).await?;
        let usual = by_relay.then_some(USUAL);
        let Some(signing) = self.signing.or(usual) else {
            let signed = ledger
                .prepare(account, &call, self.limits.most_gas(&call))
                .await?;
            let idle = idle(signed.returns);
            return Ok((!idle).then_some(Prepared::Send(Recorded::Own(signed))));
        };
        let returns = ledger.simulate(account.address(), &call).await?;
        if idle(returns) {
            return Ok(None);
        }
        let deadline = self.deadline(&call, signing).await?;
        let nonce = match (ledger.version(), signing.nonce) {
            (Version::V1, Some(nonce)) => Nonce::Ordered(nonce),
            (Version::V1, None) => Nonce::Ordered(ledger.next_signed(account.address()).await?),
            (Version::V2, None) => Nonce::Free(self.journal.take_nonce()?),
            (Version::V2, Some(nonce)) => return Err(Error::NoOrder { nonce }),
        };
        let signed = account.sign_call(&self.deployment()?, &call, nonce, deadline)?;
        // Known here before anyone else can have it.
        let document = serde_json::to_string(&signed)?;
        self.journal.record_signed(&document)?;
        Ok(Some(match by_relay {
            true => Prepared::Send(Recorded::Relayed(Box::new(ForRelay {
                call: signed,
                returns,
                tx: None,
            }))),
            false => Prepared::Relay(Box::new(signed)),
        }))
    }

    /// Says whether the network's relay sends a call of this kind.
    async fn is_relayed(&self, call: &Call) -> Result<bool> {
        Ok(call.is_signable()
            && self.relay()?.is_some()
            && self.contract_version().await? == Version::V2)
    }

    /// The last second in which a signed call may be sent: that which was given, if it is one that such a call may have. What
    /// gives is not held back for long; what takes away outlasts a chain that does not take it at once.
    async fn deadline(&self, call: &Call, signing: Signing) -> Result<u64> {
        let ledger = self.ledger().await?;
        let now = ledger.now().await?;
        let (gives, takes) = match ledger.version() {
            Version::V1 => (false, false),
            Version::V2 => (call.gives(), call.takes()),
        };
        let usual = if gives { GIVES_FOR } else { TAKES_FOR };
        let deadline = signing.deadline.unwrap_or(now + usual);
        if gives && deadline > now + GIVES_FOR + GRACE {
            return Err(Error::DeadlineTooLate {
                found: deadline,
                latest: now + GIVES_FOR,
            });
        }
        if takes && deadline + GRACE < now + TAKES_FOR {
            return Err(Error::DeadlineTooSoon {
                found: deadline,
                earliest: now + TAKES_FOR,
            });
        }
        Ok(deadline)
    }
}

impl Session {
    /// Sees an earlier attempt through, if one is in flight.
    pub(crate) async fn resume(&self, deed: Deed) -> Result<Option<Written>> {
        let key = self.scoped(deed)?;
        let unfinished = self.journal.unfinished()?;
        let Some(operation) = unfinished.iter().find(|operation| operation.key == key) else {
            return Ok(None);
        };
        if operation.signed_call.is_none() {
            // It ended before anything was signed.
            self.settle(operation.id, Verdict::Failed).await?;
            return Ok(None);
        }
        self.see_through(operation).await.map(Some)
    }

    /// Sends the call that an earlier attempt recorded, or finds it mined.
    pub(crate) async fn see_through(&self, operation: &Operation) -> Result<Written> {
        let signed = self.recorded(operation).await?;
        Ok(Written {
            mined: self.submit(operation.id, &signed).await?,
            resumed: true,
        })
    }

    /// The call that an operation recorded; one that does not read is given up.
    pub(crate) async fn recorded(&self, operation: &Operation) -> Result<Recorded> {
        let json = operation.signed_call.as_deref().unwrap_or_default();
        match serde_json::from_str(json) {
            Ok(signed) => Ok(signed),
            Err(error) => {
                self.settle(operation.id, Verdict::Failed).await?;
                Err(error.into())
            }
        }
    }

    /// The key in the journal: a transaction is for one contract on one chain.
    pub(crate) fn scoped(&self, deed: Deed) -> Result<String> {
        let deployment = self.deployment()?;
        let key = DeedKey {
            chain_id: deployment.chain_id,
            contract: deployment.contract,
            deed,
        };
        Ok(key.to_string())
    }

    /// Sends what was recorded, and settles the operation if the outcome is final.
    pub(crate) async fn submit(&self, operation: OperationId, signed: &Recorded) -> Result<Mined> {
        let mined = self.send(operation, signed).await?;
        self.settle(operation, Verdict::Done).await?;
        Ok(mined)
    }

    /// Sends what was recorded. The operation is settled if that is in vain for good; once it is mined, that is left to
    /// the caller.
    pub(crate) async fn send(&self, operation: OperationId, signed: &Recorded) -> Result<Mined> {
        let result = match signed {
            Recorded::Own(signed) => {
                let ledger = self.ledger().await?;
                let sent = ledger.submit(signed, self.limits.mine).await;
                sent.map_err(Error::Ledger)
            }
            Recorded::Relayed(relayed) => self.hand_over(operation, relayed).await,
        };
        if matches!(&result, Err(Error::Ledger(error)) if is_final(error)) {
            self.settle(operation, Verdict::Failed).await?;
        }
        result
    }
}

/// Says whether a transaction can never be mined any more, so that a new one may take its place.
pub(crate) fn is_final(error: &pcim_ledger::Error) -> bool {
    use pcim_ledger::Error as E;
    matches!(
        error,
        E::Reverted { .. }
            | E::Replaced { .. }
            | E::Rejected { .. }
            | E::BadRecord { .. }
            | E::Refused(_)
            | E::RelayedTooLate { .. }
    )
}
