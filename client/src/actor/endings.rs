//! Many denials or removals in one transaction: all of them or none.

use alloy_primitives::keccak256;
use serde::Serialize;

use crate::actor::batch::distinct;
use crate::actor::patient::Patient;
use crate::actor::patient::no_request;
use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::journal::OperationId;
use crate::operation::write::{Outcome, Wanted, Written};
use pcim_core::{Address, Event, GrantStatus, ImageDigest};
use pcim_ledger::Call;

/// A requestor whose request was denied, or whose request or approval was removed.
#[derive(Clone, Debug, Serialize)]
pub struct Ending {
    /// The image.
    pub image: ImageDigest,
    /// The requestor.
    pub requestor: Address,
}

/// Denials or removals that one transaction made.
#[derive(Clone, Debug, Serialize)]
pub struct Endings {
    /// In the order in which they were asked for.
    pub ended: Vec<Ending>,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

impl Patient<'_> {
    /// Denies open requests by one transaction, all for the same reason: each as [`Patient::deny`] does.
    ///
    /// A pair that is named twice counts once.
    ///
    /// # Errors
    /// [`Error::TooManyApprovals`]; [`Error::NothingToApprove`]; [`Error::InBatch`] names the first request that is not
    /// open. Then none is denied.
    pub async fn deny_all(
        &self,
        requests: &[(ImageDigest, Address)],
        reason: &str,
    ) -> Result<Endings> {
        self.end_all(requests, GrantStatus::Denied, |image, requestor| {
            Call::DenyIrs {
                requestor,
                image,
                reason: reason.to_owned(),
            }
        })
        .await
    }

    /// Removes approvals or open requests by one transaction, and drops the readers' headers from this node: each as
    /// [`Patient::revoke`] does. A pair that is named twice counts once.
    ///
    /// # Errors
    /// As [`Patient::deny_all`]'s; then none is removed.
    pub async fn revoke_all(&self, pairs: &[(ImageDigest, Address)]) -> Result<Endings> {
        self.end_all(pairs, GrantStatus::Removed, |image, requestor| {
            Call::RemoveIrs { requestor, image }
        })
        .await
    }

    /// Ends each by the call that `call` makes of it; then it is `into`.
    async fn end_all(
        &self,
        pairs: &[(ImageDigest, Address)],
        into: GrantStatus,
        call: impl Fn(ImageDigest, Address) -> Call,
    ) -> Result<Endings> {
        let pairs = distinct(pairs)?;
        let deed = deed(&pairs, into);
        if let Some(earlier) = self.resume(deed).await?
            && self.are(&pairs, into).await?
        {
            return Ok(endings(&pairs, earlier));
        }
        let calls = async |operation| {
            let mut calls = Vec::new();
            for &(image, requestor) in &pairs {
                let noted = self.note_ending(operation, &image, requestor, into).await;
                noted.map_err(|source| Error::InBatch {
                    image,
                    requestor,
                    source: Box::new(source),
                })?;
                self.note_ended(operation, &image, requestor).await?;
                calls.push(call(image, requestor));
            }
            Ok(Call::Batch(calls))
        };
        let sending = self.sending();
        let written = sending.start_noting(deed, Wanted::True, calls).await?;
        let written = written.and_then(Outcome::mined);
        let written = written.ok_or(Error::NothingToApprove)?;
        for (image, requestor) in &pairs {
            self.journal.forget_shown(image, *requestor)?;
        }
        Ok(endings(&pairs, written))
    }

    /// Checks that there is something to end, and notes the header that is dropped with it.
    async fn note_ending(
        &self,
        operation: OperationId,
        image: &ImageDigest,
        requestor: Address,
        into: GrantStatus,
    ) -> Result<()> {
        self.own_record(image).await?;
        let grant = self.ledger().await?.grant(image, requestor).await?;
        match (grant.status, into) {
            (GrantStatus::Requested, _) => Ok(()),
            (GrantStatus::Approved | GrantStatus::Emergency, GrantStatus::Removed) => {
                self.note_header(operation, grant.shared_image)
            }
            (_, GrantStatus::Removed) => Err(Error::NothingToRevoke {
                requestor,
                image: *image,
            }),
            _ => Err(no_request(image, requestor)),
        }
    }

    async fn are(&self, pairs: &[(ImageDigest, Address)], status: GrantStatus) -> Result<bool> {
        let ledger = self.ledger().await?;
        for (image, requestor) in pairs {
            if ledger.grant(image, *requestor).await?.status != status {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The deed: the same pairs in any order are the same operation.
fn deed(pairs: &[(ImageDigest, Address)], into: GrantStatus) -> Deed {
    let mut each: Vec<_> = pairs
        .iter()
        .map(|(image, requestor)| [&image.0[..], requestor.as_slice()].concat())
        .collect();
    each.sort();
    let pairs = keccak256(each.concat());
    match into {
        GrantStatus::Removed => Deed::RevokeAll { pairs },
        _ => Deed::DenyAll { pairs },
    }
}

/// Reads from the chain's answer the endings that were made: every denial and every removal ends with its reason.
fn endings(pairs: &[(ImageDigest, Address)], written: Written) -> Endings {
    let ended = |pair: &(ImageDigest, Address)| {
        written.mined.events.iter().any(|logged| {
            matches!(logged.event, Event::Reason { requestor, image, .. } if (image, requestor) == *pair)
        })
    };
    let ended = pairs.iter().filter(|pair| ended(pair));
    Endings {
        ended: ended
            .map(|&(image, requestor)| Ending { image, requestor })
            .collect(),
        written,
    }
}
