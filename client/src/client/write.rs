//! Writing to the chain so that nothing is sent twice.
//!
//! Every write has a key that says what it does, to which contract on which chain. The signed transaction is
//! recorded in the journal under that key before it is sent; a repetition after a crash or a time-out finds it
//! there and sends the same bytes again, which the chain takes once.
//!
//! That transaction may have been mined long before the repetition, and its effect undone since. So a repetition
//! sees it through and then looks whether something is left to do.

use serde::Serialize;

use super::{Client, Error, Result};
use crate::ledger::{self, Call, Mined, SignedCall};

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
pub(super) enum Wanted {
    /// The call acts when it returns true.
    True,
    /// The call acts when it returns false.
    False,
    /// The call is sent whatever it returns.
    Any,
    /// The call is sent whatever it returns, and nothing undoes it: mined once, it is done.
    Once,
}

impl Client {
    /// Carries out one call. `None` if the contract says that it would change nothing: then nothing was sent.
    ///
    /// `call` is asked for only if no earlier attempt under the same key settles the matter.
    pub(super) async fn write(
        &self,
        key: &str,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<Written>> {
        let overtaken = self.journal.is_overtaken(&self.scoped(key)?)?;
        match self.resume(key).await? {
            Some(earlier) if wanted == Wanted::Once || wanted == Wanted::Any && !overtaken => {
                Ok(Some(earlier))
            }
            earlier => Ok(self.start(key, wanted, call).await?.or(earlier)),
        }
    }

    /// Sees an earlier attempt through, if one is in flight.
    pub(super) async fn resume(&self, key: &str) -> Result<Option<Written>> {
        let key = self.scoped(key)?;
        let unfinished = self.journal.unfinished()?;
        let Some(operation) = unfinished.iter().find(|operation| operation.key == key) else {
            return Ok(None);
        };
        let Some(json) = &operation.signed_call else {
            // It ended before anything was signed.
            self.journal.abandon(operation.id)?;
            return Ok(None);
        };
        let signed: SignedCall = match serde_json::from_str(json) {
            Ok(signed) => signed,
            Err(error) => {
                self.journal.abandon(operation.id)?;
                return Err(error.into());
            }
        };
        let mined = self.submit(operation.id, &signed).await?;
        Ok(Some(Written {
            mined,
            resumed: true,
        }))
    }

    /// Carries out one call of which no earlier attempt is in flight. `None` as in [`Self::write`].
    pub(super) async fn start(
        &self,
        key: &str,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<Written>> {
        let operation = self.journal.begin(&self.scoped(key)?)?;
        let signed = match self.prepare(wanted, call).await {
            Ok(Some(signed)) => signed,
            nothing => {
                self.journal.abandon(operation.id)?;
                return nothing.map(|_| None);
            }
        };
        self.journal
            .record_call(operation.id, &serde_json::to_string(&signed)?)?;
        let mined = self.submit(operation.id, &signed).await?;
        Ok(Some(Written {
            mined,
            resumed: false,
        }))
    }

    /// Whether an earlier attempt was signed and not seen through.
    pub(super) fn in_flight(&self, key: &str) -> Result<bool> {
        let key = self.scoped(key)?;
        let unfinished = self.journal.unfinished()?;
        Ok(unfinished
            .iter()
            .any(|operation| operation.key == key && operation.signed_call.is_some()))
    }

    /// The key in the journal: a transaction is for one contract on one chain.
    fn scoped(&self, key: &str) -> Result<String> {
        let deployment = self.deployment()?;
        Ok(format!(
            "{}:{}:{key}",
            deployment.chain_id, deployment.contract
        ))
    }

    /// Sends what was recorded, and settles the operation if the outcome is final.
    async fn submit(&self, operation: i64, signed: &SignedCall) -> Result<Mined> {
        let result = self.ledger().await?.submit(signed, self.limits.mine).await;
        match &result {
            Ok(_) => self.journal.finish(operation)?,
            Err(error) if is_final(error) => self.journal.abandon(operation)?,
            Err(_) => {}
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
fn is_final(error: &ledger::Error) -> bool {
    use ledger::Error as E;
    matches!(
        error,
        E::Reverted { .. } | E::Replaced { .. } | E::Rejected { .. } | E::BadRecord { .. }
    )
}
