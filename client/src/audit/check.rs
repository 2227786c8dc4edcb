//! The index against the contract's own views.

use std::fmt;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::audit::error::Result;
use crate::audit::index::Index;
use crate::audit::query::ImageQuery;
use crate::audit::state::{Grant, Image};
use crate::audit::sync::Synced;
use pcim_core::{Address, GrantStatus, ImageDigest};
use pcim_ledger::Ledger;

/// Views that are asked at the same time.
const PARALLEL: usize = 8;
/// Seconds within which an approval that ends may have ended for one side only.
const EDGE: u64 = 60;

/// A difference between the index and the contract.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The image.
    pub image: ImageDigest,
    /// The requestor, if it is about a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requestor: Option<Address>,
    /// The value that differs.
    pub what: &'static str,
    /// The value that follows from the logs.
    pub index: String,
    /// The contract's value.
    pub contract: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image {}", self.image)?;
        if let Some(requestor) = self.requestor {
            write!(f, ", requestor {requestor}")?;
        }
        write!(
            f,
            ": {} is {} in the logs and {} in the contract",
            self.what, self.index, self.contract
        )
    }
}

impl Index {
    /// Compares what the entries about some images come to with what the contract says of them: records, requests and
    /// authorisations. The chain may go on meanwhile: what differs is looked at once more after another [`Index::sync`].
    ///
    /// # Errors
    /// Those of [`Index::sync`] and of the contract's views.
    pub async fn check(&self, ledger: &Ledger, images: &[ImageDigest]) -> Result<Vec<Difference>> {
        let first = self.compare_views(ledger, images).await?;
        if first.is_empty() {
            return Ok(first);
        }
        let Synced { .. } = self.sync(ledger).await?;
        self.compare_views(ledger, images).await
    }

    async fn compare_views(
        &self,
        ledger: &Ledger,
        images: &[ImageDigest],
    ) -> Result<Vec<Difference>> {
        let now = ledger.now().await?;
        let known = self.images(&ImageQuery {
            images: Some(images.to_vec()),
            ..ImageQuery::default()
        })?;
        let found: Vec<Vec<Difference>> = stream::iter(images)
            .map(|image| differences(ledger, image, known.get(image), now))
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(found.concat())
    }
}

async fn differences(
    ledger: &Ledger,
    image: &ImageDigest,
    known: Option<&Image>,
    now: u64,
) -> Result<Vec<Difference>> {
    let mut found = Vec::new();
    let record = ledger.image_record(image).await?;
    let (known, record) = match (known, record) {
        (None, None) => return Ok(found),
        (known, record) if known.is_none() || record.is_none() => {
            let word = |is| if is { "registered" } else { "not registered" };
            found.push(Difference {
                image: *image,
                requestor: None,
                what: "the image",
                index: word(known.is_some()).into(),
                contract: word(record.is_some()).into(),
            });
            return Ok(found);
        }
        (Some(known), Some(record)) => (known, record),
        _ => return Ok(found),
    };
    of_record(&mut found, known, &record);
    for grant in known.grants.values() {
        let view = ledger.grant(image, grant.requestor).await?;
        of_grant(&mut found, *image, grant, &view);
        let edge = grant.expires_at != 0 && grant.expires_at.abs_diff(now) < EDGE;
        let patient = known.patient;
        let authorized = ledger
            .is_authorized(patient, grant.requestor, image)
            .await?;
        let expected = known.flags == 0 && grant.is_authorized(now);
        if !edge && authorized != expected {
            found.push(Difference {
                image: *image,
                requestor: Some(grant.requestor),
                what: "authorized",
                index: expected.to_string(),
                contract: authorized.to_string(),
            });
        }
    }
    Ok(found)
}

fn of_record(found: &mut Vec<Difference>, known: &Image, record: &pcim_ledger::ImageRecord) {
    let mut differ = |what, index: String, contract: String| {
        if index != contract {
            found.push(Difference {
                image: known.image,
                requestor: None,
                what,
                index,
                contract,
            });
        }
    };
    differ(
        "the owner",
        known.patient.to_string(),
        record.patient.to_string(),
    );
    differ(
        "the time of registration",
        known.registered_at.to_string(),
        record.registered_at.to_string(),
    );
    differ(
        "the flags",
        known.flags.to_string(),
        record.flags.0.to_string(),
    );
    differ(
        "the round",
        known.round.to_string(),
        record.round.to_string(),
    );
    // A lifted limit's window says nothing.
    let limit = |approvals: u32, window: u32| match approvals {
        0 => "none".to_owned(),
        _ => format!("{approvals} in {window} s"),
    };
    differ(
        "the approval limit",
        limit(known.approval_limit, known.window_seconds),
        limit(record.approval_limit, record.window_seconds),
    );
}

fn of_grant(
    found: &mut Vec<Difference>,
    image: ImageDigest,
    known: &Grant,
    view: &pcim_ledger::Grant,
) {
    let mut differ = |what, index: String, contract: String| {
        if index != contract {
            found.push(Difference {
                image,
                requestor: Some(known.requestor),
                what,
                index,
                contract,
            });
        }
    };
    let status = |status: GrantStatus| format!("{status:?}").to_lowercase();
    let shared = |root: Option<ImageDigest>| root.map_or("none".to_owned(), |r| r.to_string());
    differ("the status", status(known.status), status(view.status));
    differ(
        "the time of the request",
        known.requested_at.to_string(),
        view.requested_at.to_string(),
    );
    differ(
        "the time of the decision",
        known.decided_at.to_string(),
        view.decided_at.to_string(),
    );
    differ(
        "the end of the approval",
        known.expires_at.to_string(),
        view.expires_at.to_string(),
    );
    differ(
        "the key",
        hex::encode(&known.public_key.0[..16]),
        hex::encode(view.public_key_prefix),
    );
    differ(
        "the shared root",
        shared(known.shared_image),
        shared(view.shared_image),
    );
}
