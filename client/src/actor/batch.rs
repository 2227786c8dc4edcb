//! Many approvals in one transaction: all of them or none.

use alloy_primitives::keccak256;
use serde::Serialize;

use crate::actor::patient::Patient;
use crate::actor::requests::OpenRequest;
use crate::error::{Error, Result};
use crate::limits::MAX_APPROVALS;
use crate::operation::deed::Deed;
use crate::operation::journal::OperationId;
use crate::operation::write::{Outcome, Wanted, Written};
use pcim_core::{Address, BlockDigest, Event, GrantStatus, ImageDigest};
use pcim_ledger::Call;
use pcim_node::Stored;

/// One of the approvals.
#[derive(Clone, Debug, Serialize)]
pub struct Approval {
    /// The image.
    pub image: ImageDigest,
    /// The requestor.
    pub requestor: Address,
    /// The reader's own sealed root.
    pub shared_image: ImageDigest,
    /// When the approval ends, unix seconds; 0 never.
    pub expires_at: u64,
}

/// Approvals that one transaction made.
#[derive(Clone, Debug, Serialize)]
pub struct Approvals {
    /// In the order in which they were asked for.
    pub approvals: Vec<Approval>,
    /// Bytes of the blocks that sharing added to the node.
    pub new_bytes: u64,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

/// A request that is to be approved, with the key that it names.
struct Open {
    image: ImageDigest,
    requestor: Address,
    public_key: BlockDigest,
}

impl Patient<'_> {
    /// Lists the open requests for this patient's images, in the order in which they came.
    pub async fn open_requests(&self) -> Result<Vec<(ImageDigest, Address)>> {
        let ledger = self.ledger().await?;
        let mut open = Vec::new();
        for (image, requestor) in self.requested().await? {
            if ledger.grant(&image, requestor).await?.status == GrantStatus::Requested {
                open.push((image, requestor));
            }
        }
        Ok(open)
    }

    /// Approves open requests by one transaction, all until the same moment: each as [`Patient::approve`] does.
    ///
    /// `expires_at` is in unix seconds; 0 never expires. A pair that is named twice counts once.
    ///
    /// # Errors
    /// [`Error::TooManyApprovals`]; [`Error::NothingToApprove`]; [`Error::InBatch`] names the first request that cannot be
    /// approved. Then none is.
    pub async fn approve_all(
        &self,
        requests: &[(ImageDigest, Address)],
        expires_at: u64,
    ) -> Result<Approvals> {
        let requests = self.latest_of(requests).await?;
        let deed = deed(&requests);
        if let Some(earlier) = self.resume(deed).await?
            && self.are_authorized(&requests).await?
        {
            return Ok(approvals(&requests, earlier, 0));
        }
        for request in &requests {
            self.check_open(&request.image, request.requestor)
                .await
                .map_err(|source| request.failed(source))?;
        }
        let mut shared = Vec::new();
        let call = async |operation| {
            let mut calls = Vec::new();
            for request in &requests {
                let stored = self.share_with(operation, request).await;
                let (open, stored) = stored.map_err(|source| request.failed(source))?;
                calls.push(Call::ApproveIrs {
                    requestor: request.requestor,
                    image: request.image,
                    public_key: open.public_key,
                    requested_at: open.requested_at,
                    notes_digest: open.notes_digest,
                    shared_image: stored.image,
                    expires_at,
                    notes: String::new(),
                });
                shared.push(stored);
            }
            Ok(Call::Batch(calls))
        };
        let sending = self.sending();
        let written = sending.start_noting(deed, Wanted::True, call).await?;
        let written = written.and_then(Outcome::mined);
        let written = written.ok_or(Error::NothingToApprove)?;
        for Open {
            image, requestor, ..
        } in &requests
        {
            self.journal.give_again(image, Some(*requestor))?;
            self.journal.forget_shown(image, *requestor)?;
        }
        let new_bytes = shared.iter().map(|stored| stored.new_bytes).sum();
        Ok(approvals(&requests, written, new_bytes))
    }

    /// The latest request of each pair.
    async fn latest_of(&self, requests: &[(ImageDigest, Address)]) -> Result<Vec<Open>> {
        let mut open: Vec<Open> = Vec::new();
        for (image, requestor) in distinct(requests)? {
            let failed = |source| Error::InBatch {
                image,
                requestor,
                source: Box::new(source),
            };
            self.own_record(&image).await.map_err(failed)?;
            let latest = self.latest_request(&image, requestor).await;
            let (public_key, _) = latest.map_err(failed)?;
            open.push(Open {
                image,
                requestor,
                public_key,
            });
        }
        Ok(open)
    }

    async fn are_authorized(&self, requests: &[Open]) -> Result<bool> {
        for request in requests {
            let standing = self.status(&request.image, Some(request.requestor)).await?;
            if !standing.authorized {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn share_with(
        &self,
        operation: OperationId,
        request: &Open,
    ) -> Result<(OpenRequest, Stored)> {
        let (image, requestor) = (&request.image, request.requestor);
        let open = self.open_request(image, requestor).await?;
        if open.public_key != request.public_key {
            return Err(Error::CertificateChanged {
                reviewed: request.public_key,
                requested: open.public_key,
            });
        }
        self.check_shown(image, requestor, &open)?;
        self.confirm_request(image, requestor).await?;
        self.check_outstanding(image, requestor).await?;
        let certificate = self.certificate(&open.public_key).await?;
        self.keep_certificate(&open.public_key).await?;
        // A document that came with the request must be the requestor's own.
        self.document(image, requestor, &open.notes, &certificate)
            .await?;
        let stored = self.share(operation, image, &certificate).await?;
        Ok((open, stored))
    }
}

impl Open {
    fn failed(&self, source: Error) -> Error {
        Error::InBatch {
            image: self.image,
            requestor: self.requestor,
            source: Box::new(source),
        }
    }
}

/// Each pair once.
///
/// # Errors
/// [`Error::NothingToApprove`] if there is none, [`Error::TooManyApprovals`] for more than one transaction takes.
pub(crate) fn distinct(pairs: &[(ImageDigest, Address)]) -> Result<Vec<(ImageDigest, Address)>> {
    let mut distinct = Vec::new();
    for pair in pairs {
        if distinct.contains(pair) {
            continue;
        }
        if distinct.len() == MAX_APPROVALS {
            return Err(Error::TooManyApprovals { found: pairs.len() });
        }
        distinct.push(*pair);
    }
    match distinct.is_empty() {
        true => Err(Error::NothingToApprove),
        false => Ok(distinct),
    }
}

/// The deed: the same requests in any order are the same operation.
fn deed(requests: &[Open]) -> Deed {
    let mut each: Vec<_> = requests
        .iter()
        .map(|it| [&it.image.0[..], it.requestor.as_slice(), &it.public_key.0].concat())
        .collect();
    each.sort();
    Deed::ApproveAll {
        requests: keccak256(each.concat()),
    }
}

/// Reads from the chain's answer the approvals that were made.
fn approvals(requests: &[Open], written: Written, new_bytes: u64) -> Approvals {
    let approved = |request: &Open| {
        written.mined.events.iter().find_map(|logged| {
            if let Event::Approved {
                requestor,
                image,
                shared_image,
                expires_at,
                ..
            } = logged.event
                && (image, requestor) == (request.image, request.requestor)
            {
                return Some(Approval {
                    image,
                    requestor,
                    shared_image,
                    expires_at,
                });
            }
            None
        })
    };
    Approvals {
        approvals: requests.iter().filter_map(approved).collect(),
        new_bytes,
        written,
    }
}
