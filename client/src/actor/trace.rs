//! Traces: whether a requestor is authorized, written to the chain.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Wanted, Written};
use crate::unlocked::Unlocked;
use pcim_core::{Address, Event, ImageDigest};
use pcim_ledger::Call;

/// The answer that a trace wrote to the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Traced {
    /// True if the requestor is authorized.
    pub authorized: bool,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

impl Unlocked<'_> {
    /// Writes to the chain whether a requestor is authorized. Only the requestor and the patient may.
    pub async fn trace(&self, image: &ImageDigest, requestor: Address) -> Result<Outcome<Traced>> {
        let patient = self.record(image).await?.patient;
        let ledger = self.ledger().await?;
        let deed = Deed::Trace {
            image: *image,
            requestor,
        };
        let call = async || {
            Ok(Call::TraceAuthorization {
                patient,
                requestor,
                image: *image,
            })
        };
        let mut written = self.write(deed, Wanted::Any, call).await?;
        if let Some(Outcome::Mined(earlier)) = &written
            && earlier.resumed
            && answer(earlier) != ledger.is_authorized(patient, requestor, image).await?
        {
            written = self.start(deed, Wanted::Any, call).await?;
        }
        let written = written.ok_or(Error::UnknownImage { image: *image })?;
        written.try_map(|written| {
            Ok(Traced {
                authorized: answer(&written),
                written,
            })
        })
    }
}

/// Reads the answer of a trace.
pub(crate) fn answer(written: &Written) -> bool {
    let mut events = written.mined.events.iter();
    events.any(|logged| matches!(logged.event, Event::AuthorizationSuccess { .. }))
}
