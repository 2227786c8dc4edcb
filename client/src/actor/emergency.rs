//! Emergencies: the desk that a patient named opens an image. The chain's word opens nothing without the custodians' shares.

use crate::actor::requestor::Requestor;
use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Wanted};
use pcim_core::{Address, B256, BlockDigest, Event, GrantStatus, ImageDigest};
use pcim_ledger::{Call, EventFilter};

impl Requestor<'_> {
    /// Opens an image to a requestor in an emergency, for a number of seconds, as the desk that its patient named. The requestor
    /// must have asked.
    ///
    /// # Errors
    /// [`Error::NoOpenRequest`], [`Error::AlreadyAuthorized`]; those of the chain; a contract of version 1 has no desks.
    pub async fn break_glass(
        &self,
        image: &ImageDigest,
        requestor: Address,
        lasts: u64,
        reason: B256,
    ) -> Result<Outcome> {
        self.needs_version_2("break_glass").await?;
        let image = *image;
        let deed = Deed::BreakGlass { image, requestor };
        if let Some(earlier) = self.resume(deed).await? {
            return Ok(Outcome::Mined(earlier));
        }
        let ledger = self.ledger().await?;
        let grant = ledger.grant(&image, requestor).await?;
        if grant.status != GrantStatus::Requested {
            return Err(Error::NoOpenRequest { requestor, image });
        }
        let public_key = self.requested_key(&image, requestor).await?;
        let call = async || {
            Ok(Call::BreakGlass {
                requestor,
                image,
                public_key,
                requested_at: grant.requested_at,
                until: ledger.now().await? + lasts,
                reason,
            })
        };
        let written = self.start(deed, Wanted::True, call).await?;
        written.ok_or(Error::AlreadyAuthorized { requestor, image })
    }

    /// The key of the open request: the log's, which the contract's half must begin.
    async fn requested_key(&self, image: &ImageDigest, requestor: Address) -> Result<BlockDigest> {
        let ledger = self.ledger().await?;
        let filter = EventFilter {
            image: Some(*image),
            requestor: Some(requestor),
            events: &["RequestedForApproval"],
            ..EventFilter::default()
        };
        let events = ledger.events(&filter).await?;
        let latest = events.into_iter().rev().find_map(|it| match it.event {
            Event::RequestedForApproval { public_key, .. } => Some(public_key),
            _ => None,
        });
        let image = *image;
        latest.ok_or(Error::NoOpenRequest { requestor, image })
    }

    /// Ends a request, an approval or an emergency access of this home's own.
    ///
    /// # Errors
    /// [`Error::NothingToRevoke`]; at version 1 of the contract only the patient may.
    pub async fn give_up(&self, image: &ImageDigest) -> Result<Outcome> {
        let (requestor, image) = (self.address(), *image);
        self.needs_version_2("remove_IRs").await?;
        let deed = Deed::GiveUp { image };
        let call = async |operation| {
            self.note_ended(operation, &image, requestor).await?;
            Ok(Call::RemoveIrs { requestor, image })
        };
        let written = self.write_noting(deed, Wanted::True, call).await?;
        written.ok_or(Error::NothingToRevoke { requestor, image })
    }
}
