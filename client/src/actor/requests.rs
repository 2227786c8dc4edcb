//! Requests to a patient: on the chain, and in what they name.

use crate::actor::patient::Patient;
use crate::actor::patient::no_request;
use crate::actor::signed::SignedFate;
use crate::error::{Error, Result};
use crate::operation::journal::ShownRequest;
use crate::papers::request::{
    MAX_CERTIFICATE_BYTES, MAX_REQUEST_BYTES, Notes, RequestDocument, Subject,
};
use pcim_core::{Address, BlockDigest, Event, GrantStatus, ImageDigest};
use pcim_ledger::{EventFilter, NotesDigest, Version};
use pcim_seal::Certificate;

/// A request that waits for a decision, as the contract has it.
pub(crate) struct OpenRequest {
    /// Unix seconds.
    pub(crate) requested_at: u64,
    pub(crate) public_key: BlockDigest,
    /// Zero at version 1.
    pub(crate) notes_digest: NotesDigest,
    pub(crate) notes: Notes,
}

impl OpenRequest {
    pub(crate) fn shown(&self) -> ShownRequest {
        ShownRequest {
            requested_at: self.requested_at,
            public_key: self.public_key,
            notes: self.notes_digest,
        }
    }
}

impl Patient<'_> {
    /// Lists every image and requestor that was ever asked for, each pair once, in order of first request.
    pub(crate) async fn requested(&self) -> Result<Vec<(ImageDigest, Address)>> {
        let filter = EventFilter {
            patient: Some(self.patient_address()),
            events: &["RequestedForApproval"],
            ..EventFilter::default()
        };
        let mut pairs = Vec::new();
        for logged in self.ledger().await?.events(&filter).await? {
            if let Event::RequestedForApproval {
                image, requestor, ..
            } = logged.event
                && !pairs.contains(&(image, requestor))
            {
                pairs.push((image, requestor));
            }
        }
        Ok(pairs)
    }

    /// The key and the text of the latest request's log.
    pub(crate) async fn latest_request(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<(BlockDigest, String)> {
        let filter = EventFilter {
            image: Some(*image),
            requestor: Some(requestor),
            events: &["RequestedForApproval"],
            ..EventFilter::default()
        };
        let events = self.ledger().await?.events(&filter).await?;
        events
            .into_iter()
            .rev()
            .find_map(|logged| match logged.event {
                Event::RequestedForApproval {
                    public_key, info, ..
                } => Some((public_key, info)),
                _ => None,
            })
            .ok_or(no_request(image, requestor))
    }

    /// The open request: what the contract has of it, and the key and notes of its log, which must be the same.
    ///
    /// # Errors
    /// [`Error::NoOpenRequest`], [`Error::RequestForged`] if the provider's log is another request's.
    pub(crate) async fn open_request(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<OpenRequest> {
        let ledger = self.ledger().await?;
        let grant = ledger.grant(image, requestor).await?;
        if grant.status != GrantStatus::Requested {
            return Err(no_request(image, requestor));
        }
        let (public_key, info) = self.latest_request(image, requestor).await?;
        let forged = |what| Error::RequestForged {
            requestor,
            image: *image,
            what,
        };
        if public_key.0[..16] != grant.public_key_prefix {
            return Err(forged("key"));
        }
        let notes_digest = match ledger.version() {
            Version::V1 => NotesDigest::default(),
            // The text of a log has its bad bytes replaced; nobody but the requestor wrote them.
            Version::V2 if NotesDigest::of(&info) != grant.notes_digest => {
                return Err(forged("purpose and notes"));
            }
            Version::V2 => grant.notes_digest,
        };
        Ok(OpenRequest {
            requested_at: grant.requested_at,
            public_key,
            notes_digest,
            notes: Notes::parse(&info),
        })
    }

    /// Refuses a request that is another one than that which was shown last, if one was.
    pub(crate) fn check_shown(
        &self,
        image: &ImageDigest,
        requestor: Address,
        open: &OpenRequest,
    ) -> Result<()> {
        let Some(shown) = self.journal.shown_request(image, requestor)? else {
            return Ok(());
        };
        if shown.public_key != open.public_key {
            return Err(Error::CertificateChanged {
                reviewed: shown.public_key,
                requested: open.public_key,
            });
        }
        match shown == open.shown() {
            true => Ok(()),
            false => Err(Error::RequestChanged {
                reviewed: shown.requested_at,
                requested: open.requested_at,
            }),
        }
    }

    /// Refuses to give what a call that was signed here would end, as long as that may still be sent.
    pub(crate) async fn check_outstanding(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<()> {
        let ledger = self.ledger().await?;
        if ledger.version() == Version::V1 {
            return Ok(());
        }
        for signed in self.signed_calls().await? {
            if signed.fate == SignedFate::Open && signed.call.ends(image, requestor) {
                return Err(Error::Outstanding {
                    function: signed.call.function,
                    nonce: signed.call.nonce,
                    deadline: signed.call.deadline,
                });
            }
        }
        Ok(())
    }

    pub(crate) async fn certificate(&self, digest: &BlockDigest) -> Result<Certificate> {
        if let Some(bytes) = self.journal.certificate(digest)?
            && pcim_node::block_digest(&bytes) == *digest
        {
            return Ok(Certificate::from_bytes(&bytes)?);
        }
        let bytes = self.certificate_bytes(digest).await?;
        Ok(Certificate::from_bytes(&bytes)?)
    }

    /// Keeps a certificate that was read: the reader may be away when the image is sealed again.
    pub(crate) async fn keep_certificate(&self, digest: &BlockDigest) -> Result<()> {
        if self.journal.certificate(digest)?.is_some() {
            return Ok(());
        }
        let bytes = self.certificate_bytes(digest).await?;
        Ok(self.journal.keep_certificate(digest, &bytes)?)
    }

    async fn certificate_bytes(&self, digest: &BlockDigest) -> Result<Vec<u8>> {
        let node = self.node().await?;
        Ok(node
            .get_raw(digest, MAX_CERTIFICATE_BYTES, self.limits.fetch)
            .await?)
    }

    /// The request document that the notes name, opened and verified.
    pub(crate) async fn document(
        &self,
        image: &ImageDigest,
        requestor: Address,
        notes: &Notes,
        certificate: &Certificate,
    ) -> Result<Option<RequestDocument>> {
        let Some(digest) = &notes.document else {
            return Ok(None);
        };
        let node = self.node().await?;
        let sealed = node
            .get_raw(digest, MAX_REQUEST_BYTES, self.limits.fetch)
            .await?;
        let deployment = self.deployment()?;
        let subject = Subject {
            chain_id: deployment.chain_id,
            contract: deployment.contract,
            image: *image,
            requestor,
        };
        let key = &self.keys.openpgp;
        let document = RequestDocument::open(&sealed, key, certificate, &subject)?;
        document.check_purpose(notes)?;
        Ok(Some(document))
    }
}
