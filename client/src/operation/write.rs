//! Writing to the chain so that nothing is sent twice.
//!
//! Every write has a key that says what it does, to which contract on which chain. The signed transaction is
//! recorded in the journal under that key before it is sent; a repetition after a crash or a time-out finds it
//! there and sends the same bytes again, which the chain takes once.
//!
//! What a write stores in the node is noted before it is stored: a write that fails takes it back ([`settle`](super::settle)).
//!
//! That transaction may have been mined long before the repetition, and its effect undone since. So a repetition
//! sees it through and then looks whether something is left to do.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::journal::Operation;
use crate::operation::journal::piece::Outcome;
use crate::session::Client;
use pcim_ledger::{Call, Mined, SignedCall};

/// A transaction that is on the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// Its receipt and events.
    #[serde(flatten)]
    pub mined: Mined,
    /// Whether it had been signed by an earlier attempt, which did not see it through.
    pub resumed: bool,
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

impl Client {
    /// Carries out one call. `None` if the contract says that it would change nothing: then nothing was sent.
    ///
    /// `call` is asked for only if no earlier attempt under the same key settles the matter.
    pub(crate) async fn write(
        &self,
        key: &str,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<Written>> {
        self.write_noting(key, wanted, async |_| call().await).await
    }

    /// [`write`](Self::write) for a call that is asked for with the operation's number, to note under it what it stores.
    pub(crate) async fn write_noting(
        &self,
        key: &str,
        wanted: Wanted,
        call: impl AsyncFnOnce(i64) -> Result<Call>,
    ) -> Result<Option<Written>> {
        let overtaken = self.journal.is_overtaken(&self.scoped(key)?)?;
        match self.resume(key).await? {
            Some(earlier) if wanted == Wanted::Any && !overtaken => Ok(Some(earlier)),
            earlier => Ok(self.start_noting(key, wanted, call).await?.or(earlier)),
        }
    }

    /// Sees an earlier attempt through, if one is in flight.
    pub(crate) async fn resume(&self, key: &str) -> Result<Option<Written>> {
        let key = self.scoped(key)?;
        let unfinished = self.journal.unfinished()?;
        let Some(operation) = unfinished.iter().find(|operation| operation.key == key) else {
            return Ok(None);
        };
        if operation.signed_call.is_none() {
            // It ended before anything was signed.
            self.settle(operation.id, Outcome::Failed).await?;
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
    pub(crate) async fn recorded(&self, operation: &Operation) -> Result<SignedCall> {
        let json = operation.signed_call.as_deref().unwrap_or_default();
        match serde_json::from_str(json) {
            Ok(signed) => Ok(signed),
            Err(error) => {
                self.settle(operation.id, Outcome::Failed).await?;
                Err(error.into())
            }
        }
    }

    /// Carries out one call of which no earlier attempt is in flight. `None` as in [`Self::write`].
    pub(crate) async fn start(
        &self,
        key: &str,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<Written>> {
        self.start_noting(key, wanted, async |_| call().await).await
    }

    /// [`start`](Self::start), as [`write_noting`](Self::write_noting).
    pub(crate) async fn start_noting(
        &self,
        key: &str,
        wanted: Wanted,
        call: impl AsyncFnOnce(i64) -> Result<Call>,
    ) -> Result<Option<Written>> {
        let Some((operation, signed)) = self.sign_noting(key, wanted, call).await? else {
            return Ok(None);
        };
        let mined = self.submit(operation, &signed).await?;
        Ok(Some(Written {
            mined,
            resumed: false,
        }))
    }

    /// Signs and records one call of which no earlier attempt is in flight, and sends nothing yet. `None` as in
    /// [`Self::write`].
    pub(crate) async fn sign_noting(
        &self,
        key: &str,
        wanted: Wanted,
        call: impl AsyncFnOnce(i64) -> Result<Call>,
    ) -> Result<Option<(i64, SignedCall)>> {
        let operation = self.journal.begin(&self.scoped(key)?)?;
        let call = async || call(operation.id).await;
        let signed = match self.prepare(wanted, call).await {
            Ok(Some(signed)) => signed,
            Err(Error::Signed(call)) => {
                // Somebody else sends it: what it stores stays, and what it makes useless is not useless yet.
                self.journal.abandon(operation.id)?;
                return Err(Error::Signed(call));
            }
            nothing => {
                let settled = self.settle(operation.id, Outcome::Failed).await;
                // Why nothing was sent is the error to tell; what is left is dropped when it is resumed.
                return nothing.and_then(|_| settled.map(|()| None));
            }
        };
        self.journal
            .record_call(operation.id, &serde_json::to_string(&signed)?)?;
        Ok(Some((operation.id, signed)))
    }

    /// The key in the journal: a transaction is for one contract on one chain.
    pub(crate) fn scoped(&self, key: &str) -> Result<String> {
        let deployment = self.deployment()?;
        Ok(format!(
            "{}:{}:{key}",
            deployment.chain_id, deployment.contract
        ))
    }

    /// Sends what was recorded, and settles the operation if the outcome is final.
    async fn submit(&self, operation: i64, signed: &SignedCall) -> Result<Mined> {
        let mined = self.send(operation, signed).await?;
        self.settle(operation, Outcome::Done).await?;
        Ok(mined)
    }

    /// Sends what was recorded. The operation is settled if that is in vain for good; once it is mined, that is left to
    /// the caller.
    pub(crate) async fn send(&self, operation: i64, signed: &SignedCall) -> Result<Mined> {
        let result = self.ledger().await?.submit(signed, self.limits.mine).await;
        if result.as_ref().is_err_and(is_final) {
            self.settle(operation, Outcome::Failed).await?;
        }
        Ok(result?)
    }

    async fn prepare(
        &self,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<SignedCall>> {
        let call = call().await?;
        let (account, ledger) = (&self.keys()?.account, self.ledger().await?);
        let idle = |returns| {
            matches!(
                (wanted, returns),
                (Wanted::True, Some(false)) | (Wanted::False, Some(true))
            )
        };
        let Some(signing) = self.signing else {
            let signed = ledger.prepare(account, &call).await?;
            return Ok((!idle(signed.returns)).then_some(signed));
        };
        if idle(ledger.simulate(account.address(), &call).await?) {
            return Ok(None);
        }
        let nonce = match signing.nonce {
            Some(nonce) => nonce,
            None => ledger.next_signed(account.address()).await?,
        };
        let signed = account.sign_call(&self.deployment()?, &call, nonce, signing.deadline)?;
        Err(Error::Signed(Box::new(signed)))
    }
}

/// Whether a transaction can never be mined any more, so that a new one may take its place.
pub(crate) fn is_final(error: &pcim_ledger::Error) -> bool {
    use pcim_ledger::Error as E;
    matches!(
        error,
        E::Reverted { .. } | E::Replaced { .. } | E::Rejected { .. } | E::BadRecord { .. }
    )
}
