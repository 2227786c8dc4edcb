//! The requestor: ask, look, fetch.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::opening::OpenedFile;
use crate::operation::journal::piece::{Outcome, Piece};
use crate::operation::write::Wanted;
use crate::operation::write::Written;
use crate::papers::card::Card;
use crate::papers::request::{Notes, Purpose, RequestDocument, Subject};
use crate::session::Client;
use pcim_core::{Address, BlockDigest, GrantStatus, ImageDigest};
use pcim_ledger::Call;
use pcim_node::block_digest;

/// What to ask for.
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// The image.
    pub image: ImageDigest,
    /// What it is wanted for; stands on the chain in clear.
    pub purpose: Purpose,
    /// Who asks, for the patient only.
    pub name: Option<String>,
    /// A word to the patient only.
    pub note: Option<String>,
}

/// A request on the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Requested {
    /// The image.
    pub image: ImageDigest,
    /// The block of the published certificate.
    pub public_key: BlockDigest,
    /// Whether publishing the certificate told its User ID.
    pub published_name: bool,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

/// How a requestor stands with an image.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// The image.
    pub image: ImageDigest,
    /// Its owner.
    pub patient: Address,
    /// The requestor.
    pub requester: Address,
    /// What became of the request.
    pub status: GrantStatus,
    /// Whether the image may be opened now.
    pub authorized: bool,
    /// Unix seconds, 0 if never.
    pub requested_at: u64,
    /// Unix seconds, 0 if never.
    pub decided_at: u64,
    /// Unix seconds, 0 if the approval has no end.
    pub expires_at: u64,
    /// The requestor's own sealed root, once approved.
    pub shared_image: Option<ImageDigest>,
}

impl Client {
    /// Asks for an image: publishes the certificate and the encrypted document, then tells the chain.
    ///
    /// # Errors
    /// [`Error::AlreadyAuthorized`]; nothing is sent then.
    pub async fn request(&mut self, patient: &Card, request: AccessRequest) -> Result<Requested> {
        let image = request.image;
        let record = self.record(&image).await?;
        if record.patient != patient.address {
            return Err(Error::NotMine {
                image,
                owner: record.patient,
                me: patient.address,
            });
        }
        let keys = self.keys()?;
        let certificate = keys.openpgp.certificate();
        let published_name = certificate.needs_user_id();
        let node = self.node().await?;
        let public_key = node.put_raw(certificate.to_published_bytes()).await?;
        let key = format!("request:{image}:{public_key}");
        let call = async |operation| {
            let deployment = self.deployment()?;
            let subject = Subject {
                chain_id: deployment.chain_id,
                contract: deployment.contract,
                image,
                requester: self.address(),
            };
            let (name, note) = (request.name, request.note);
            let peers = node.addresses().await?;
            let document = RequestDocument::new(subject, request.purpose, name, note, peers)?;
            let sealed = document.seal(&keys.openpgp, &patient.certificate)?;
            let piece = Piece::Block(block_digest(&sealed));
            self.journal.note(operation, Outcome::Failed, &piece)?;
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
        let requester = self.address();
        let written = match self.resume(&key).await? {
            Some(earlier) if self.is_open(&image, requester).await? => Some(earlier),
            earlier => {
                let started = self.start_noting(&key, Wanted::False, call).await?;
                started.or(earlier)
            }
        };
        let written = written.ok_or(Error::AlreadyAuthorized { requester, image })?;
        // The patient fetches the two blocks from here, and the image will be fetched from there.
        self.dial(&patient.peers).await?;
        self.remember_peers(&patient.peers)?;
        Ok(Requested {
            image,
            public_key,
            published_name,
            written,
        })
    }

    async fn is_open(&self, image: &ImageDigest, requester: Address) -> Result<bool> {
        let grant = self.ledger().await?.grant(image, requester).await?;
        Ok(grant.status == GrantStatus::Requested)
    }

    /// How a requestor stands with an image; oneself if none is named.
    pub async fn status(
        &self,
        image: &ImageDigest,
        requester: Option<Address>,
    ) -> Result<Standing> {
        let requester = requester.unwrap_or(self.address());
        let patient = self.record(image).await?.patient;
        let ledger = self.ledger().await?;
        let grant = ledger.grant(image, requester).await?;
        let authorized = ledger.is_authorized(patient, requester, image).await?;
        Ok(Standing {
            image: *image,
            patient,
            requester,
            status: grant.status,
            authorized,
            requested_at: grant.requested_at,
            decided_at: grant.decided_at,
            expires_at: grant.expires_at,
            shared_image: grant.shared_image,
        })
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
