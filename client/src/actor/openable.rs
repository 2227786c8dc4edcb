//! The images that a home may open: its own, and those that it is approved for.

use std::collections::BTreeMap;

use crate::audit::{Image, ImageQuery};
use crate::error::Result;
use crate::unlocked::Unlocked;
use pcim_core::date::now;
use pcim_core::{Address, ImageDigest};

/// An image that this home may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Openable {
    /// The image.
    pub image: ImageDigest,
    /// The patient who registered it.
    pub patient: Address,
    /// When it was registered, unix seconds.
    pub registered_at: u64,
    /// When the access ends by itself, unix seconds; none for one without an end, and for images of one's own.
    pub ends_at: Option<u64>,
}

impl Unlocked<'_> {
    /// Lists the images that this home may open now, the oldest first: by the index, brought level with the chain if that answers.
    /// An image that is opened is asked for again, so that a list that is old opens nothing.
    ///
    /// # Errors
    /// Those of the index.
    pub async fn openable(&self) -> Result<Vec<Openable>> {
        let auditor = self.auditor();
        let index = match auditor.audit_synced().await {
            Ok((index, _)) => index,
            Err(error) if error.is_of_chain() => auditor.audit_index()?,
            Err(error) => return Err(error),
        };
        let (patient, requestor) = (self.patient_address(), self.address());
        let own = index.images(&ImageQuery {
            patient: Some(patient),
            ..ImageQuery::default()
        })?;
        let asked = index.images(&ImageQuery {
            asked_by: Some(requestor),
            ..ImageQuery::default()
        })?;
        Ok(openable(own, asked, requestor, now()))
    }
}

fn openable(
    own: BTreeMap<ImageDigest, Image>,
    asked: BTreeMap<ImageDigest, Image>,
    requestor: Address,
    now: u64,
) -> Vec<Openable> {
    let listed = |image: &Image, ends_at| Openable {
        image: image.image,
        patient: image.patient,
        registered_at: image.registered_at,
        ends_at,
    };
    let approved = asked.values().filter_map(|image| {
        let grant = image.grants.get(&requestor)?;
        let open = image.flags == 0 && grant.is_authorized(now);
        let ends_at = Some(grant.expires_at).filter(|end| *end != 0);
        (open && !own.contains_key(&image.image)).then(|| listed(image, ends_at))
    });
    let mut all: Vec<_> = approved.collect();
    all.extend(own.values().map(|image| listed(image, None)));
    all.sort_by_key(|it| (it.registered_at, it.image));
    all
}
