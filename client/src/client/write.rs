//! Writing to the chain so that nothing is sent twice.
//!
//! Every write has a key that says what it does. The signed transaction is recorded in the journal under
//! that key before it is sent; a repetition after a crash or a time-out finds it there and sends the
//! same bytes again, which the chain takes once.

use serde::Serialize;

use super::{Client, Result};
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
}

impl Client {
    /// Carries out one call. `None` if the contract says that it would change nothing: then nothing was sent.
    ///
    /// `call` is asked for only if no earlier attempt under the same key is in flight.
    pub(super) async fn write(
        &self,
        key: &str,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<Written>> {
        let ledger = self.ledger().await?;
        let operation = self.journal.begin(key)?;
        let recorded = operation
            .signed_call
            .as_deref()
            .and_then(|json| serde_json::from_str::<SignedCall>(json).ok());
        let resumed = recorded.is_some();
        let signed = match recorded {
            Some(signed) => signed,
            None => match self.prepare(ledger, wanted, call).await {
                Ok(Some(signed)) => {
                    self.journal
                        .record_call(operation.id, &serde_json::to_string(&signed)?)?;
                    signed
                }
                Ok(None) => {
                    self.journal.abandon(operation.id)?;
                    return Ok(None);
                }
                Err(error) => {
                    self.journal.abandon(operation.id)?;
                    return Err(error);
                }
            },
        };
        match ledger.submit(&signed, self.limits.mine).await {
            Ok(mined) => {
                self.journal.finish(operation.id)?;
                Ok(Some(Written { mined, resumed }))
            }
            Err(error) => {
                if is_final(&error) {
                    self.journal.abandon(operation.id)?;
                }
                Err(error.into())
            }
        }
    }

    async fn prepare(
        &self,
        ledger: &ledger::Ledger,
        wanted: Wanted,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Option<SignedCall>> {
        let call = call().await?;
        let signed = ledger.prepare(&self.keys()?.account, &call).await?;
        let idle = matches!(
            (wanted, signed.returns),
            (Wanted::True, Some(false)) | (Wanted::False, Some(true))
        );
        Ok((!idle).then_some(signed))
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
