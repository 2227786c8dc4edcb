//! The patient: review, decide, revoke, open one's own.

use crate::unlocked::{Actor, Unlocked};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use std::ops::Deref;
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::opening::OpenedFile;
use crate::flow::pipeline;
use crate::operation::deed::Deed;
use crate::operation::journal::OperationId;
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::write::{Outcome, Wanted, Written};
use crate::papers::request::RequestDocument;
use pcim_core::{Address, BlockDigest, Event, GrantStatus, ImageDigest};
use pcim_ledger::Call;
use pcim_seal::Certificate;

/// Requests whose documents are fetched at the same time: a requestor who is away holds nobody else up.
const REQUESTS_AT_ONCE: usize = 64;

/// A request that waits for the patient's decision.
#[derive(Clone, Debug, Serialize)]
pub struct PendingRequest {
    /// The image asked for.
    pub image: ImageDigest,
    /// The requestor.
    pub requestor: Address,
    /// Unix seconds.
    pub requested_at: u64,
    /// The code on the chain.
    pub purpose: String,
    /// The block of the requestor's certificate.
    pub public_key: BlockDigest,
    /// The fingerprint of the requestor's certificate. `None` if it could not be fetched.
    pub fingerprint: Option<String>,
    /// False if the certificate is not post-quantum: a header made for it can be opened once X25519 falls. `None` if it could
    /// not be fetched.
    pub post_quantum: Option<bool>,
    /// The encrypted document, if there is one and it could be fetched and verified.
    pub document: Option<RequestDocument>,
    /// Why the document could not be read.
    pub document_error: Option<String>,
}

/// An approval.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// The reader's own sealed root.
    pub shared_image: ImageDigest,
    /// When the approval ends, unix seconds; 0 never. That of the transaction, which an earlier attempt may have signed.
    pub expires_at: u64,
    /// Bytes of the blocks that sharing added to the node.
    pub new_bytes: u64,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

/// The patient's work.
#[derive(Clone, Copy)]
pub struct Patient<'s>(Unlocked<'s>);

impl<'s> Unlocked<'s> {
    /// Opens the patient's work.
    pub fn patient(self) -> Patient<'s> {
        Patient(self)
    }
}

impl Actor {
    /// Opens the patient's work.
    pub fn patient(&self) -> Patient<'_> {
        self.unlocked().patient()
    }
}

impl<'s> Deref for Patient<'s> {
    type Target = Unlocked<'s>;

    fn deref(&self) -> &Unlocked<'s> {
        &self.0
    }
}

impl Patient<'_> {
    /// Lists the requests that wait for this patient's decision, with their documents where they can be had: all of them
    /// together are waited for as long as one block is. A listed request counts as shown: if it changes after that, it is not
    /// approved before it is listed again.
    pub async fn requests(&self) -> Result<Vec<PendingRequest>> {
        let asked = self.requested().await?;
        let until = Instant::now() + self.limits.fetch;
        let pending = stream::iter(asked)
            .map(|(image, requestor)| self.pending(image, requestor, until))
            .buffered(REQUESTS_AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(pending.into_iter().flatten().collect())
    }

    /// The request, if it is open still.
    async fn pending(
        &self,
        image: ImageDigest,
        requestor: Address,
        until: Instant,
    ) -> Result<Option<PendingRequest>> {
        let open = match self.open_request(&image, requestor).await {
            Ok(open) => open,
            Err(Error::NoOpenRequest { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let public_key = open.public_key;
        let (mut post_quantum, mut fingerprint) = (None, None);
        let document = async {
            let certificate = self.certificate(&public_key).await?;
            post_quantum = Some(certificate.is_post_quantum());
            fingerprint = Some(certificate.fingerprint());
            self.document(&image, requestor, &open.notes, &certificate)
                .await
        };
        let (document, document_error) = match timeout_at(until, document).await {
            Ok(Ok(document)) => (document, None),
            Ok(Err(error)) => (None, Some(error.to_string())),
            Err(_) => {
                let seconds = self.limits.fetch.as_secs();
                let text =
                    format!("it did not arrive within {seconds} s, for all requests together");
                (None, Some(text))
            }
        };
        self.journal
            .show_request(&image, requestor, &open.shown())?;
        Ok(Some(PendingRequest {
            image,
            requestor,
            requested_at: open.requested_at,
            purpose: open.notes.purpose,
            public_key,
            fingerprint,
            post_quantum,
            document,
            document_error,
        }))
    }

    /// Fetches the certificate of an open request and tells its fingerprint.
    ///
    /// # Errors
    /// [`Error::NoOpenRequest`]; [`Error::Node`] if nobody has it.
    pub async fn requested_fingerprint(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<String> {
        let open = self.open_request(image, requestor).await?;
        let certificate = self.certificate(&open.public_key).await?;
        Ok(certificate.fingerprint())
    }

    /// Approves an open request: wraps the session key to the requestor, adds the header and the root,
    /// tells the chain. The body is neither read nor written.
    ///
    /// `expires_at` is in unix seconds; 0 never expires.
    pub async fn approve(
        &self,
        image: &ImageDigest,
        requestor: Address,
        expires_at: u64,
    ) -> Result<Outcome<Decision>> {
        self.approve_certificate(image, requestor, None, expires_at)
            .await
    }

    /// Approves as `approve`, for the certificate that was reviewed and no other: the requestor may ask again with another
    /// key between the patient's look at her requests and her approval.
    ///
    /// # Errors
    /// [`Error::CertificateChanged`] if the latest request names another certificate.
    pub async fn approve_certificate(
        &self,
        image: &ImageDigest,
        requestor: Address,
        reviewed: Option<BlockDigest>,
        expires_at: u64,
    ) -> Result<Outcome<Decision>> {
        self.own_record(image).await?;
        let (public_key, _) = self.latest_request(image, requestor).await?;
        if let Some(reviewed) = reviewed
            && reviewed != public_key
        {
            return Err(Error::CertificateChanged {
                reviewed,
                requested: public_key,
            });
        }
        let deed = Deed::Approve {
            image: *image,
            requestor,
            public_key,
        };
        if let Some(earlier) = self.resume(deed).await?
            && self.status(image, Some(requestor)).await?.authorized
        {
            let done = decision(image, requestor, earlier, 0)?;
            return Ok(Outcome::Mined(done));
        }
        self.check_open(image, requestor).await?;
        let open = self.open_request(image, requestor).await?;
        self.check_shown(image, requestor, &open)?;
        self.confirm_request(image, requestor).await?;
        self.check_outstanding(image, requestor).await?;
        let mut new_bytes = 0;
        let call = async |operation| {
            let certificate = self.certificate(&open.public_key).await?;
            self.keep_certificate(&open.public_key).await?;
            // A document that came with the request must be the requestor's own.
            self.document(image, requestor, &open.notes, &certificate)
                .await?;
            let stored = self.share(operation, image, &certificate).await?;
            new_bytes = stored.new_bytes;
            Ok(Call::ApproveIrs {
                requestor,
                image: *image,
                public_key: open.public_key,
                requested_at: open.requested_at,
                notes_digest: open.notes_digest,
                shared_image: stored.image,
                expires_at,
                notes: String::new(),
            })
        };
        let written = self.start_noting(deed, Wanted::True, call).await?;
        let written = written.ok_or(Error::AlreadyAuthorized {
            requestor,
            image: *image,
        })?;
        self.journal.give_again(image, Some(requestor))?;
        self.journal.forget_shown(image, requestor)?;
        written.try_map(|written| decision(image, requestor, written, new_bytes))
    }

    /// A request must be open to be decided on.
    pub(crate) async fn check_open(&self, image: &ImageDigest, requestor: Address) -> Result<()> {
        let standing = self.status(image, Some(requestor)).await?;
        match standing.status {
            GrantStatus::Requested => Ok(()),
            GrantStatus::Approved if standing.authorized => Err(Error::AlreadyAuthorized {
                requestor,
                image: *image,
            }),
            _ => Err(no_request(image, requestor)),
        }
    }

    /// Denies an open request. `reason` stands on the chain in clear.
    pub async fn deny(
        &self,
        image: &ImageDigest,
        requestor: Address,
        reason: &str,
    ) -> Result<Outcome> {
        self.own_record(image).await?;
        let deed = Deed::Deny {
            image: *image,
            requestor,
        };
        let call = async |operation| {
            self.note_ended(operation, image, requestor).await?;
            Ok(Call::DenyIrs {
                requestor,
                image: *image,
                reason: reason.to_owned(),
            })
        };
        let written = self.write_noting(deed, Wanted::True, call).await?;
        self.journal.forget_shown(image, requestor)?;
        written.ok_or(no_request(image, requestor))
    }

    /// Removes an approval or an open request, and drops the reader's header from this node.
    ///
    /// A reader who has opened the image may have kept it.
    pub async fn revoke(&self, image: &ImageDigest, requestor: Address) -> Result<Outcome> {
        self.own_record(image).await?;
        let grant = self.ledger().await?.grant(image, requestor).await?;
        let deed = Deed::Revoke {
            image: *image,
            requestor,
        };
        let call = async |operation| {
            self.note_header(operation, grant.shared_image)?;
            self.note_ended(operation, image, requestor).await?;
            Ok(Call::RemoveIrs {
                requestor,
                image: *image,
            })
        };
        let written = self.write_noting(deed, Wanted::True, call).await?;
        if let (Some(Outcome::Signed(call)), Some(_)) = (&written, grant.shared_image) {
            let operation = self.begin_removal(image, requestor, call.deadline)?;
            self.note_header(operation, grant.shared_image)?;
        }
        self.journal.forget_shown(image, requestor)?;
        let image = *image;
        written.ok_or(Error::NothingToRevoke { requestor, image })
    }

    /// Notes the header of an approval that ends, to be dropped then.
    pub(crate) fn note_header(
        &self,
        operation: OperationId,
        shared: Option<ImageDigest>,
    ) -> Result<()> {
        if let Some(shared) = shared
            && !self.is_own_root(&shared)?
        {
            let piece = Piece::Root(shared);
            self.journal.note(operation, Verdict::Done, &piece)?;
        }
        Ok(())
    }

    /// Says whether a root is the patient's or the radiologist's own. Its header is the only way to the session key, and
    /// must not be dropped whatever a chain's node says was shared.
    fn is_own_root(&self, root: &ImageDigest) -> Result<bool> {
        let known = self.journal.images()?;
        for known in known {
            if known.image == *root || self.journal.root_of(&known.image)? == Some(*root) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Limits how many approvals a window of time may have; 0 approvals lifts the limit.
    pub async fn limit(
        &self,
        image: &ImageDigest,
        approvals: u32,
        window_seconds: u32,
    ) -> Result<Outcome> {
        let record = self.own_record(image).await?;
        let deed = Deed::Limit {
            image: *image,
            approvals,
            window_seconds,
        };
        let call = async || {
            Ok(Call::SetApprovalLimit {
                image: *image,
                approvals,
                window_seconds,
                round: record.round,
            })
        };
        let written = self.write(deed, Wanted::Any, call).await?;
        written.ok_or(Error::UnknownImage { image: *image })
    }

    /// Opens an image of one's own into a file, or a study into a folder.
    pub async fn open_own(&self, image: &ImageDigest, target: &Target) -> Result<OpenedFile> {
        if let Err(error) = self.own_record(image).await {
            return match error.is_silence() {
                true => self.open_remembered(image, target, error).await,
                false => Err(error),
            };
        }
        let root = self.own_root(image).await?;
        let patient = self.patient_address();
        let opened = self.open_into(image, &root, patient, target).await?;
        self.note_opened(image, &opened).await;
        Ok(opened)
    }

    /// Adds a header for another reader to an image of one's own, and notes it. Costs the same whatever the image's size.
    pub(crate) async fn share(
        &self,
        operation: OperationId,
        image: &ImageDigest,
        reader: &Certificate,
    ) -> Result<pcim_node::Stored> {
        let root = self.own_root(image).await?;
        self.share_root(operation, &root, reader).await
    }

    /// Adds a header for another reader to a root of one's own, and notes it.
    pub(crate) async fn share_root(
        &self,
        operation: OperationId,
        root: &ImageDigest,
        reader: &Certificate,
    ) -> Result<pcim_node::Stored> {
        let owner = &self.keys.openpgp;
        let node = self.node().await?;
        let root = node.get_root(root, self.limits.fetch).await?;
        let header = pipeline::header_for(&root, owner, reader)?;
        let shared = pcim_node::root_digest(&header, &root.body)?;
        let piece = Piece::Root(shared);
        self.journal.note(operation, Verdict::Failed, &piece)?;
        Ok(node.put_root(header, &root.body).await?)
    }
}

/// Reads an approval from the chain's answer.
fn decision(
    image: &ImageDigest,
    requestor: Address,
    written: Written,
    new_bytes: u64,
) -> Result<Decision> {
    let approved = written.mined.events.iter().find_map(|logged| {
        if let Event::Approved {
            shared_image,
            expires_at,
            ..
        } = logged.event
        {
            return Some((shared_image, expires_at));
        }
        None
    });
    let (shared_image, expires_at) = approved.ok_or(no_request(image, requestor))?;
    Ok(Decision {
        shared_image,
        expires_at,
        new_bytes,
        written,
    })
}

pub(crate) fn no_request(image: &ImageDigest, requestor: Address) -> Error {
    Error::NoOpenRequest {
        requestor,
        image: *image,
    }
}
