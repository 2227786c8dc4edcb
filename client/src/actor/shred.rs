//! Shredding an image: all access to it ends, and this home throws its keys and bytes away (GDPR Art. 17 and 12(3)).
//!
//! ```text
//! withdraw → remove every approval and open request → headers, body and emergency object leave this node → notes and journal
//! ```
//!
//! Each step looks for what is left of it, so that the same call goes on after a kill. The chain keeps what stands on it, and a copy
//! that another holds is beyond this home: the record of a shredding says both.

use serde::Serialize;

use crate::actor::patient::Patient;
use crate::actor::reseal::is_removable;
use crate::error::{Error, Result};
use crate::limits::MAX_APPROVALS;
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Written};
use pcim_core::date::now;
use pcim_core::{Address, BlockDigest, Event, ImageDigest};
use pcim_node::BodyRef;

/// The limits of a shredding, for its record.
const REMAINS: [&str; 5] = [
    "the image's digest, its attestation, requests, decisions and traces stay on the chain for good",
    "a reader who opened the image may have kept it, or its key",
    "followers and other nodes keep encrypted copies until they drop them; the withdrawal on the chain asks them to",
    "the radiologist has the original, and may have to keep it by law",
    "copies of this home that were made before still hold headers and keys",
];

/// The events that say who asked for an image, and which roots it has or had.
const TRACES: [&str; 4] = [
    "RequestedForApproval",
    "Approved",
    "Reshared",
    "ImageResealed",
];

/// The traces of an image that shredding ends.
#[derive(Clone, Debug, Serialize)]
pub struct ShredPlan {
    /// The image.
    pub image: ImageDigest,
    /// True if it is withdrawn already.
    pub withdrawn: bool,
    /// Requestors whose approval, emergency access or open request is removed.
    pub readers: Vec<Address>,
    /// Roots on this node, whose headers hold the image's key.
    pub roots: Vec<ImageDigest>,
    /// Bytes of the encrypted bodies on this node.
    pub body_bytes: u64,
    /// Emergency objects on this node: the key in custodians' shares.
    pub objects: Vec<BlockDigest>,
    /// Notes about it.
    pub notes: usize,
    #[serde(skip)]
    bodies: Vec<BodyRef>,
}

/// The record of a shredding: what was done, and what cannot be.
#[derive(Clone, Debug, Serialize)]
pub struct Shredded {
    /// Unix seconds.
    pub at: u64,
    /// The patient.
    pub patient: Address,
    /// The traces that there were.
    #[serde(flatten)]
    pub plan: ShredPlan,
    /// The transactions of this call.
    pub written: Vec<Written>,
    /// The limits: all that shredding cannot take back.
    pub remains: Vec<&'static str>,
}

impl Patient<'_> {
    /// Looks what there is to shred of an image of one's own; nothing is changed.
    ///
    /// # Errors
    /// [`Error::NotMine`]; those of the chain and of the node.
    pub async fn shred_plan(&self, image: &ImageDigest) -> Result<ShredPlan> {
        self.needs_version_2("withdraw_image").await?;
        let record = self.own_record(image).await?;
        let mut known = vec![*image, self.own_root(image).await?];
        let mut asked: Vec<Address> = Vec::new();
        for event in self.events_of(image, &TRACES).await? {
            match event {
                Event::RequestedForApproval { requestor, .. } if !asked.contains(&requestor) => {
                    asked.push(requestor);
                }
                Event::Approved { shared_image, .. } | Event::Reshared { shared_image, .. } => {
                    known.push(shared_image);
                }
                Event::ImageResealed { root, .. } => known.push(root),
                _ => {}
            }
        }
        let mut plan = ShredPlan {
            image: *image,
            withdrawn: record.flags.withdrawn(),
            readers: Vec::new(),
            roots: Vec::new(),
            body_bytes: 0,
            objects: Vec::new(),
            notes: self.notes()?.get(image).map_or(0, Vec::len),
            bodies: Vec::new(),
        };
        let ledger = self.ledger().await?;
        for requestor in asked {
            if is_removable(ledger.grant(image, requestor).await?.status) {
                plan.readers.push(requestor);
            }
        }
        for root in known {
            let Some(body) = self.body_here(&root).await? else {
                continue;
            };
            if !plan.roots.contains(&root) {
                plan.roots.push(root);
            }
            if !plan.bodies.contains(&body) {
                plan.body_bytes += body.file_size;
                plan.bodies.push(body);
            }
        }
        let node = self.node().await?;
        for object in self.objects_of(image).await?.into_iter().flatten() {
            if !plan.objects.contains(&object) && node.has_raw(&object).await? {
                plan.objects.push(object);
            }
        }
        Ok(plan)
    }

    /// Shreds an image of one's own. After a kill the same call goes on.
    ///
    /// # Errors
    /// As [`shred_plan`](Self::shred_plan); those of the chain: a locked account withdraws nothing, and then nothing is dropped.
    pub async fn shred(&self, image: &ImageDigest) -> Result<Shredded> {
        let mut written = Vec::new();
        for operation in self.journal.unfinished()? {
            if let Some(deed @ Deed::RevokeAll { .. }) = operation.deed() {
                written.extend(self.resume(deed).await?);
            }
        }
        self.finish_earlier_reseal(image, None).await?;
        let plan = self.shred_plan(image).await?;
        match self.withdraw(image).await {
            Ok(outcome) => written.extend(Outcome::mined(outcome)),
            Err(Error::AlreadyFlagged { .. }) => {}
            Err(error) => return Err(error),
        }
        for readers in plan.readers.chunks(MAX_APPROVALS) {
            let pairs: Vec<_> = readers.iter().map(|reader| (*image, *reader)).collect();
            written.push(self.revoke_all(&pairs).await?.written);
        }
        let node = self.node().await?;
        for object in &plan.objects {
            node.drop_raw(object).await?;
        }
        for body in &plan.bodies {
            node.drop_body(body).await?;
        }
        // The headers last: they say which bodies are the image's.
        for root in &plan.roots {
            node.drop_header(root).await?;
        }
        self.forget_notes(image)?;
        self.journal.forget_image(image)?;
        Ok(Shredded {
            at: now(),
            patient: self.patient_address(),
            plan,
            written,
            remains: REMAINS.to_vec(),
        })
    }
}
