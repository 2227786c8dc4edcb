//! The requestor: ask, look, fetch.

use crate::unlocked::{Actor, Unlocked};
use serde::Serialize;
use std::ops::Deref;

use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::opening::OpenedFile;
use crate::operation::deed::Deed;
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::write::{Outcome, Wanted, Written};
use crate::papers::card::Card;
use crate::papers::request::{Notes, Purpose, RequestDocument, Subject};
use crate::session::Session;
use pcim_core::date::now;
use pcim_core::{Address, BlockDigest, GrantStatus, ImageDigest};
use pcim_ledger::{Call, ImageFlags};
use pcim_node::block_digest;

/// A request, before it is made.
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// The image.
    pub image: ImageDigest,
    /// The purpose; stands on the chain in clear.
    pub purpose: Purpose,
    /// The requestor's name, for the patient only.
    pub name: Option<String>,
    /// A word to the patient only.
    pub note: Option<String>,
    /// The patient's delegates, who read name and note as she does.
    pub delegates: Vec<Card>,
}

/// A request on the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Requested {
    /// The image.
    pub image: ImageDigest,
    /// The block of the published certificate.
    pub public_key: BlockDigest,
    /// True if publishing the certificate published its User ID.
    pub published_name: bool,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

/// How a requestor stands with an image.
#[derive(Clone, Debug, Serialize)]
pub struct AccessStatus {
    /// The image.
    pub image: ImageDigest,
    /// Its owner.
    pub patient: Address,
    /// The requestor.
    pub requestor: Address,
    /// The status of the request.
    pub status: GrantStatus,
    /// True if the image may be opened now.
    pub authorized: bool,
    /// Unix seconds, 0 if never.
    pub requested_at: u64,
    /// Unix seconds, 0 if never.
    pub decided_at: u64,
    /// Unix seconds, 0 if the approval has no end.
    pub expires_at: u64,
    /// The requestor's own sealed root, once approved.
    pub shared_image: Option<ImageDigest>,
    /// Withdrawn or retracted, if it is: then nobody but its patient is authorized.
    pub flags: ImageFlags,
}

impl Session {
    /// Reads how a requestor stands with an image; this home, if none is named.
    pub async fn status(
        &self,
        image: &ImageDigest,
        requestor: Option<Address>,
    ) -> Result<AccessStatus> {
        let requestor = requestor.unwrap_or(self.address());
        let record = self.record(image).await?;
        let patient = record.patient;
        let ledger = self.ledger().await?;
        let grant = ledger.grant(image, requestor).await?;
        // A chain without transactions has no new blocks, and stops at the time of its last one.
        let ended = grant.expires_at != 0 && grant.expires_at <= now();
        let authorized = !ended && ledger.is_authorized(patient, requestor, image).await?;
        Ok(AccessStatus {
            image: *image,
            patient,
            requestor,
            status: grant.status,
            authorized,
            requested_at: grant.requested_at,
            decided_at: grant.decided_at,
            expires_at: grant.expires_at,
            shared_image: grant.shared_image,
            flags: record.flags,
        })
    }
}

/// The requestor's work.
#[derive(Clone, Copy)]
pub struct Requestor<'s>(Unlocked<'s>);

impl<'s> Unlocked<'s> {
    /// Opens the requestor's work.
    pub fn requestor(self) -> Requestor<'s> {
        Requestor(self)
    }
}

impl Actor {
    /// Opens the requestor's work.
    pub fn requestor(&self) -> Requestor<'_> {
        self.unlocked().requestor()
    }
}

impl<'s> Deref for Requestor<'s> {
    type Target = Unlocked<'s>;

    fn deref(&self) -> &Unlocked<'s> {
        &self.0
    }
}

impl Requestor<'_> {
    /// Asks for an image: publishes the certificate and the encrypted document, then tells the chain.
    ///
    /// # Errors
    /// [`Error::AlreadyAuthorized`]; nothing is sent then.
    pub async fn request(
        &self,
        patient: &Card,
        request: AccessRequest,
    ) -> Result<Outcome<Requested>> {
        let image = request.image;
        let record = self.record(&image).await?;
        if record.patient != patient.address {
            return Err(Error::NotMine {
                image,
                owner: record.patient,
                me: patient.address,
            });
        }
        let keys = self.keys;
        let certificate = keys.openpgp.certificate();
        let published_name = certificate.needs_user_id();
        let node = self.node().await?;
        let public_key = node.put_raw(certificate.to_published_bytes()).await?;
        let deed = Deed::Request { image, public_key };
        let call = async |operation| {
            let deployment = self.deployment()?;
            let subject = Subject {
                chain_id: deployment.chain_id,
                contract: deployment.contract,
                image,
                requestor: self.address(),
            };
            let (name, note) = (request.name, request.note);
            let peers = node.addresses().await?;
            let document = RequestDocument::new(subject, request.purpose, name, note, peers)?;
            let delegates = request.delegates.iter().map(|it| &it.certificate);
            let deciding: Vec<_> = [&patient.certificate]
                .into_iter()
                .chain(delegates)
                .collect();
            let sealed = document.seal(&keys.openpgp, &deciding)?;
            let piece = Piece::Block(block_digest(&sealed));
            self.journal.note(operation, Verdict::Failed, &piece)?;
            let notes = Notes {
                purpose: request.purpose.to_string(),
                document: Some(node.put_raw(sealed).await?),
            };
            Ok(Call::RequestingAccess {
                patient: patient.address,
                image,
                public_key,
                notes: notes.to_string(),
            })
        };
        let requestor = self.address();
        let written = match self.resume(deed).await? {
            Some(earlier) if self.is_open(&image, requestor).await? => {
                Some(Outcome::Mined(earlier))
            }
            earlier => {
                let started = self.start_noting(deed, Wanted::False, call).await?;
                started.or(earlier.map(Outcome::Mined))
            }
        };
        let written = match written.ok_or(Error::AlreadyAuthorized { requestor, image })? {
            Outcome::Mined(written) => written,
            Outcome::Signed(call) => return Ok(Outcome::Signed(call)),
        };
        // Those who decide fetch the two blocks from here, and the image will be fetched from there.
        for card in [patient].into_iter().chain(&request.delegates) {
            self.dial(&card.peers).await?;
            self.remember_peers(&card.peers)?;
        }
        Ok(Outcome::Mined(Requested {
            image,
            public_key,
            published_name,
            written,
        }))
    }

    async fn is_open(&self, image: &ImageDigest, requestor: Address) -> Result<bool> {
        let grant = self.ledger().await?.grant(image, requestor).await?;
        Ok(grant.status == GrantStatus::Requested)
    }

    /// Fetches and opens an image, if the chain authorizes it now.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`] before anything is fetched.
    pub async fn fetch(&self, image: &ImageDigest, target: &Target) -> Result<OpenedFile> {
        let (root, patient) = self.granted(image).await?;
        let opened = self.open_into(image, &root, patient, target).await?;
        self.note_opened(image, &opened).await;
        Ok(opened)
    }

    /// This requestor's root of an image that the chain authorizes now, and the image's owner.
    pub(crate) async fn granted(&self, image: &ImageDigest) -> Result<(ImageDigest, Address)> {
        let standing = self.status(image, None).await?;
        match standing.shared_image.filter(|_| standing.authorized) {
            Some(root) => Ok((root, standing.patient)),
            None => Err(Error::NotAuthorized {
                image: *image,
                status: standing.status,
                expires_at: standing.expires_at,
            }),
        }
    }
}
