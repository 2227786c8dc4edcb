//! Sealing an image of one's own again: another session key and body around the same signed packets (format.md §4.9).
//!
//! ```text
//! remove a reader → new body, own header and root → reseal_image → reshare_IRs for each reader that remains
//!                 → forget the old root → drop the old headers and the old body
//! ```
//!
//! The plan in the journal says how far it is. Until the owner's new root is recorded, the new body is taken back after a
//! crash; from then on it goes forward only. Each transaction is an operation of its own. Readers keep their old roots
//! until they have new ones, and the old body stays until nobody needs it.

use serde::{Deserialize, Serialize};

use crate::actor::patient::{Decision, Patient};
use crate::error::{Error, Result};
use crate::flow::opening::check_seal_of;
use crate::flow::pipeline;
use crate::operation::deed::Deed;
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::journal::{Operation, OperationId};
use crate::operation::settle::note;
use crate::operation::write::{Outcome, Wanted, Written};
use pcim_core::{Address, B256, BlockDigest, Event, GrantStatus, ImageDigest};
use pcim_ledger::{Call, EventFilter};
use pcim_node::BodyRef;
use pcim_seal::BodyVersion;

/// An image that was sealed again.
#[derive(Clone, Debug, Serialize)]
pub struct Resealed {
    /// The image, as registered.
    pub image: ImageDigest,
    /// The owner's new root.
    pub root: ImageDigest,
    /// Bytes of the new body.
    pub body_bytes: u64,
    /// The readers that remain, each with a new root.
    pub readers: Vec<Reshared>,
    /// Readers that are authorized, and could not be given a new root.
    pub left_out: Vec<LeftOut>,
}

/// A reader's new root.
#[derive(Clone, Debug, Serialize)]
pub struct Reshared {
    /// The reader.
    pub requestor: Address,
    /// The root.
    pub shared_image: ImageDigest,
}

/// A reader without a new root.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// The reader.
    pub requestor: Address,
    /// Why.
    pub why: String,
}

/// How far it is.
#[derive(Serialize, Deserialize)]
struct Plan {
    image: ImageDigest,
    /// 1 or 2 for that version of the container; the body's own otherwise.
    version: Option<u8>,
    /// The requestor to be removed, until that is done.
    remove: Option<Address>,
    moved: Option<Move>,
}

/// From where to where.
#[derive(Clone, Serialize, Deserialize)]
struct Move {
    old_root: ImageDigest,
    old_body: BodyRef,
    root: ImageDigest,
    body: BodyRef,
}

impl Patient<'_> {
    /// Removes as [`revoke`](Self::revoke), and seals the image again for the readers that remain, so that the removed one
    /// finds nothing of it on this node any more. The removal's transaction is `None` if an earlier attempt sent it.
    ///
    /// A reader who has opened the image may have kept it.
    pub async fn revoke_and_rekey(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<(Option<Written>, Resealed)> {
        self.own_record(image).await?;
        self.finish_earlier_reseal(image, Some(requestor)).await?;
        let grant = self.ledger().await?.grant(image, requestor).await?;
        let left = self.planned(image)?.is_some();
        let removable = is_removable(grant.status);
        if !left && !removable {
            let image = *image;
            return Err(Error::NothingToRevoke { requestor, image });
        }
        self.begin_reseal(image, None, Some(requestor)).await
    }

    /// Seals an image of one's own again, in a container of this version; for all its readers.
    pub async fn reseal(&self, image: &ImageDigest, version: BodyVersion) -> Result<Resealed> {
        self.own_record(image).await?;
        self.finish_earlier_reseal(image, None).await?;
        let (_, resealed) = self.begin_reseal(image, Some(version), None).await?;
        Ok(resealed)
    }

    /// Seals an image of one's own again, under a new session key and header, if its own header can be opened once X25519
    /// falls; `None` if it is post-quantum already. Headers of readers are made for the certificates that they asked with.
    ///
    /// # Errors
    /// [`Error::NotMine`], [`Error::Node`], those of the chain.
    pub async fn rekey_post_quantum(&self, image: &ImageDigest) -> Result<Option<Resealed>> {
        self.own_record(image).await?;
        self.finish_earlier_reseal(image, None).await?;
        let root = self.own_root(image).await?;
        let root = self
            .node()
            .await?
            .get_root(&root, self.limits.fetch)
            .await?;
        if pcim_seal::is_post_quantum_header(&root.header)? {
            return Ok(None);
        }
        let (_, resealed) = self.begin_reseal(image, None, None).await?;
        Ok(Some(resealed))
    }

    /// Approves as [`approve_certificate`](Self::approve_certificate), also for a reader whose certificate lacks SEIPDv2:
    /// the image is then first sealed again as SEIPDv1, for everybody.
    pub async fn approve_resealing(
        &self,
        image: &ImageDigest,
        requestor: Address,
        reviewed: Option<BlockDigest>,
        expires_at: u64,
    ) -> Result<(Option<Resealed>, Outcome<Decision>)> {
        let approve = async || {
            self.approve_certificate(image, requestor, reviewed, expires_at)
                .await
        };
        match approve().await {
            Err(Error::ReaderLacksV2 { .. }) => {
                let resealed = self.reseal(image, BodyVersion::V1).await?;
                Ok((Some(resealed), approve().await?))
            }
            decided => Ok((None, decided?)),
        }
    }

    /// The root through which the owner opens an image of his own now; a delegate that which he was approved with.
    pub(crate) async fn own_root(&self, image: &ImageDigest) -> Result<ImageDigest> {
        if self.delegacy.is_some() {
            return Ok(self.requestor().granted(image).await?.0);
        }
        if let Some(root) = self.journal.root_of(image)? {
            return Ok(root);
        }
        Ok(self.announced(image).await?.unwrap_or(*image))
    }

    /// Goes on where an earlier attempt stopped.
    pub(crate) async fn resume_reseal(&self, operation: &Operation) -> Result<Resealed> {
        let plan = serde_json::from_str(operation.plan.as_deref().unwrap_or_default())?;
        Ok(self.carry_out(operation.id, plan).await?.1)
    }

    /// An attempt on the same image that was for something else comes to its end first.
    pub(crate) async fn finish_earlier_reseal(
        &self,
        image: &ImageDigest,
        remove: Option<Address>,
    ) -> Result<()> {
        let Some((operation, plan)) = self.planned(image)? else {
            return Ok(());
        };
        if remove.is_none() || plan.remove != remove {
            self.resume_reseal(&operation).await?;
        }
        Ok(())
    }

    fn planned(&self, image: &ImageDigest) -> Result<Option<(Operation, Plan)>> {
        let key = self.scoped(Deed::Reseal { image: *image })?;
        let unfinished = self.journal.unfinished()?;
        let Some(operation) = unfinished.into_iter().find(|it| it.key == key) else {
            return Ok(None);
        };
        match operation.plan.as_deref().map(serde_json::from_str) {
            Some(plan) => Ok(Some((operation, plan?))),
            None => Ok(None),
        }
    }

    async fn begin_reseal(
        &self,
        image: &ImageDigest,
        version: Option<BodyVersion>,
        remove: Option<Address>,
    ) -> Result<(Option<Written>, Resealed)> {
        let key = self.scoped(Deed::Reseal { image: *image })?;
        let operation = self.journal.begin(&key)?;
        let plan = match operation.plan.as_deref() {
            Some(json) => serde_json::from_str(json)?,
            None => Plan {
                image: *image,
                version: version.map(number),
                remove,
                moved: None,
            },
        };
        self.record_plan(operation.id, &plan)?;
        self.carry_out(operation.id, plan).await
    }

    fn record_plan(&self, operation: OperationId, plan: &Plan) -> Result<()> {
        let json = serde_json::to_string(plan)?;
        Ok(self.journal.record_plan(operation, &json)?)
    }

    async fn carry_out(
        &self,
        operation: OperationId,
        mut plan: Plan,
    ) -> Result<(Option<Written>, Resealed)> {
        let image = plan.image;
        let mut removed = None;
        if let Some(requestor) = plan.remove.take() {
            match self.sending().patient().revoke(&image, requestor).await {
                Ok(outcome) => removed = outcome.mined(),
                // An earlier attempt did it, or somebody else: it is not authorized, which is what is wanted.
                Err(Error::NothingToRevoke { .. }) => {}
                Err(error) => return Err(error),
            }
            self.record_plan(operation, &plan)?;
        }
        let moved = match &plan.moved {
            Some(moved) => moved.clone(),
            None => {
                let moved = self.move_body(operation, &image, plan.version).await?;
                plan.moved = Some(moved.clone());
                self.record_plan(operation, &plan)?;
                moved
            }
        };
        self.announce(&image, &moved.root).await?;
        let (readers, left_out) = self.reshare_all(&image, &moved).await?;
        self.journal.set_root(&image, &moved.root, &moved.body)?;
        self.drop_old(&image, &moved).await?;
        self.journal.finish(operation)?;
        let resealed = Resealed {
            image,
            root: moved.root,
            body_bytes: moved.body.file_size,
            readers,
            left_out,
        };
        Ok((removed, resealed))
    }

    /// Makes the new body, and the owner's header and root.
    async fn move_body(
        &self,
        operation: OperationId,
        image: &ImageDigest,
        version: Option<u8>,
    ) -> Result<Move> {
        // What an earlier attempt stored, whose session key is lost.
        self.drop_noted(operation, Verdict::Failed).await?;
        let old_root = self.own_root(image).await?;
        let attested = self.attested(image).await?;
        let node = self.node().await?;
        let owner = &self.keys.openpgp;
        let root = node.get_root(&old_root, self.limits.fetch).await?;
        let (key, found) = pcim_seal::unwrap_header(&root.header, owner)?;
        let version = match version {
            Some(1) => BodyVersion::V1,
            Some(_) => BodyVersion::V2,
            None => found,
        };
        let failed = Verdict::Failed;
        let mut noted =
            |body: &BodyRef| note(&self.journal, operation, failed, &Piece::Body(body.clone()));
        let (body, sealed) = pipeline::reseal(
            node,
            &root.body,
            key,
            version,
            (self.limits.fetch, self.limits.total),
            self.progress("sealed", Some(root.body.file_size)),
            &mut noted,
        )
        .await?;
        check_seal_of(attested.seal, sealed.seal)?;
        let header = pcim_seal::header_for(&sealed.session_key, version, &owner.certificate())?;
        let new_root = pcim_node::root_digest(&header, &body)?;
        self.journal
            .note(operation, failed, &Piece::Root(new_root))?;
        node.put_root(header, &body).await?;
        Ok(Move {
            old_root,
            old_body: root.body.clone(),
            root: new_root,
            body,
        })
    }

    /// Tells the chain of the new root, once, and of the custodians' new shares.
    async fn announce(&self, image: &ImageDigest, root: &ImageDigest) -> Result<()> {
        let deed = Deed::Announce {
            image: *image,
            root: *root,
        };
        let earlier = self.resume(deed).await?;
        if earlier.is_some() || self.announced(image).await? == Some(*root) {
            return Ok(());
        }
        let custodians = self.custodians()?;
        let call = async |operation| {
            let emergency = match &custodians {
                None => B256::ZERO,
                Some(named) => {
                    let new = self.node().await?.get_root(root, self.limits.fetch).await?;
                    let (key, _) = pcim_seal::unwrap_header(&new.header, &self.keys.openpgp)?;
                    self.store_object(operation, image, &new.body, &key, named)
                        .await?
                }
            };
            Ok(Call::ResealImage {
                image: *image,
                root: *root,
                emergency,
                round: self.record(image).await?.round,
            })
        };
        let sending = self.sending();
        sending.start_noting(deed, Wanted::Any, call).await?;
        Ok(())
    }

    /// The root that the chain recorded last.
    async fn announced(&self, image: &ImageDigest) -> Result<Option<ImageDigest>> {
        let events = self.events_of(image, &["ImageResealed"]).await?;
        Ok(events.into_iter().rev().find_map(|event| match event {
            Event::ImageResealed { root, .. } => Some(root),
            _ => None,
        }))
    }

    pub(crate) async fn events_of(
        &self,
        image: &ImageDigest,
        events: &'static [&'static str],
    ) -> Result<Vec<Event>> {
        let filter = EventFilter {
            image: Some(*image),
            events,
            ..EventFilter::default()
        };
        let events = self.ledger().await?.events(&filter).await?;
        Ok(events.into_iter().map(|logged| logged.event).collect())
    }

    /// Gives every reader who is authorized now a root over the new body.
    async fn reshare_all(
        &self,
        image: &ImageDigest,
        moved: &Move,
    ) -> Result<(Vec<Reshared>, Vec<LeftOut>)> {
        let mut readers: Vec<(Address, BlockDigest)> = Vec::new();
        for event in self.events_of(image, &["Approved"]).await? {
            if let Event::Approved {
                requestor,
                public_key,
                ..
            } = event
            {
                // The key of the latest approval.
                readers.retain(|(reader, _)| *reader != requestor);
                readers.push((requestor, public_key));
            }
        }
        let (mut reshared, mut left_out) = (Vec::new(), Vec::new());
        for (requestor, public_key) in readers {
            match self.reshare(image, moved, requestor, &public_key).await {
                Ok(Some(shared_image)) => reshared.push(Reshared {
                    requestor,
                    shared_image,
                }),
                Ok(None) => {}
                Err(error) if concerns_reader(&error) => left_out.push(LeftOut {
                    requestor,
                    why: error.to_string(),
                }),
                Err(error) => return Err(error),
            }
        }
        Ok((reshared, left_out))
    }

    /// One reader's new root, until the same time as before; `None` for one who is not authorized any more.
    async fn reshare(
        &self,
        image: &ImageDigest,
        moved: &Move,
        requestor: Address,
        public_key: &BlockDigest,
    ) -> Result<Option<ImageDigest>> {
        let deed = Deed::Reshare {
            image: *image,
            requestor,
            root: moved.root,
        };
        self.resume(deed).await?;
        let standing = self.status(image, Some(requestor)).await?;
        let Some(shared) = standing.shared_image.filter(|_| standing.authorized) else {
            return Ok(None);
        };
        if self.body_here(&shared).await?.as_ref() == Some(&moved.body) {
            return Ok(Some(shared));
        }
        let certificate = self.certificate(public_key).await?;
        let mut fresh = None;
        let call = async |operation| {
            let stored = self
                .share_root(operation, &moved.root, &certificate)
                .await?;
            fresh = Some(stored.image);
            Ok(Call::ReshareIrs {
                requestor,
                image: *image,
                decided_at: standing.decided_at,
                shared_image: stored.image,
                expires_at: standing.expires_at,
            })
        };
        let sending = self.sending();
        let written = sending.start_noting(deed, Wanted::True, call).await?;
        Ok(written.and(fresh))
    }

    /// The body that a root on this node links to; `None` if the root is not here.
    pub(crate) async fn body_here(&self, root: &ImageDigest) -> Result<Option<BodyRef>> {
        let found = self.node().await?.get_root(root, std::time::Duration::ZERO);
        match found.await {
            Ok(root) => Ok(Some(root.body.clone())),
            Err(pcim_node::Error::Io { doing, source }) => {
                Err(pcim_node::Error::Io { doing, source }.into())
            }
            Err(_) => Ok(None),
        }
    }

    /// Drops every root over the old body, and the body.
    async fn drop_old(&self, image: &ImageDigest, moved: &Move) -> Result<()> {
        self.drop_old_objects(image).await?;
        let shared = self
            .events_of(image, &["Approved", "Reshared"])
            .await?
            .into_iter();
        let shared = shared.filter_map(|event| match event {
            Event::Approved { shared_image, .. } | Event::Reshared { shared_image, .. } => {
                Some(shared_image)
            }
            _ => None,
        });
        let node = self.node().await?;
        for root in shared.chain([moved.old_root]) {
            if root != moved.root && self.body_here(&root).await?.as_ref() == Some(&moved.old_body)
            {
                node.drop_header(&root).await?;
            }
        }
        Ok(node.drop_body(&moved.old_body).await?)
    }
}

/// Returns true if there is something to remove.
pub(crate) fn is_removable(status: GrantStatus) -> bool {
    matches!(
        status,
        GrantStatus::Requested | GrantStatus::Approved | GrantStatus::Emergency
    )
}

fn number(version: BodyVersion) -> u8 {
    match version {
        BodyVersion::V1 => 1,
        BodyVersion::V2 => 2,
    }
}

/// Says whether one reader cannot be served, and the others can.
fn concerns_reader(error: &Error) -> bool {
    use pcim_ledger::Error as L;
    matches!(
        error,
        Error::ReaderLacksV2 { .. }
            | Error::Seal(_)
            | Error::Node(pcim_node::Error::Timeout { .. } | pcim_node::Error::TooLarge { .. })
            | Error::Ledger(L::Refused(_) | L::Reverted { .. })
    )
}
