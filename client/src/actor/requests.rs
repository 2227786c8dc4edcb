//! Requests to a patient: on the chain, and in what they name.

use crate::actor::patient::Patient;
use crate::actor::patient::no_request;
use crate::error::Result;
use crate::papers::request::{
    MAX_CERTIFICATE_BYTES, MAX_REQUEST_BYTES, Notes, RequestDocument, Subject,
};
use pcim_core::{Address, BlockDigest, Event, ImageDigest};
use pcim_ledger::EventFilter;
use pcim_seal::Certificate;

impl Patient<'_> {
    /// Lists every image and requestor that was ever asked for, each pair once, in order of first request.
    pub(crate) async fn requested(&self) -> Result<Vec<(ImageDigest, Address)>> {
        let filter = EventFilter {
            patient: Some(self.address()),
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

    /// The key and notes of the latest request.
    pub(crate) async fn latest_request(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<(BlockDigest, Notes)> {
        let filter = EventFilter {
            image: Some(*image),
            requestor: Some(requestor),
            ..EventFilter::default()
        };
        let events = self.ledger().await?.events(&filter).await?;
        events
            .into_iter()
            .rev()
            .find_map(|logged| match logged.event {
                Event::RequestedForApproval {
                    public_key, info, ..
                } => Some((public_key, Notes::parse(&info))),
                _ => None,
            })
            .ok_or(no_request(image, requestor))
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
