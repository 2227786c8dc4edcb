//! Requests as the patient has looked at them, to be approved as they were and no others.

use serde::Deserialize;

use crate::actor::patient::Patient;
use crate::error::{Error, Result};
use pcim_core::{Address, BlockDigest, ImageDigest};

/// A request that was reviewed: what [`PendingRequest`](crate::PendingRequest) says of it that counts.
#[derive(Clone, Debug, Deserialize)]
pub struct Reviewed {
    /// The image asked for.
    pub image: ImageDigest,
    /// The requestor.
    pub requestor: Address,
    /// Unix seconds.
    pub requested_at: u64,
    /// The block of the requestor's certificate.
    pub public_key: BlockDigest,
}

impl Patient<'_> {
    /// Checks that requests are as they were when they were reviewed.
    ///
    /// # Errors
    /// [`Error::InBatch`] names the first that is not, with [`Error::CertificateChanged`] or [`Error::RequestChanged`].
    pub async fn check_reviewed(&self, requests: &[Reviewed]) -> Result<()> {
        for request in requests {
            self.check_same(request)
                .await
                .map_err(|source| Error::InBatch {
                    image: request.image,
                    requestor: request.requestor,
                    source: Box::new(source),
                })?;
        }
        Ok(())
    }

    async fn check_same(&self, reviewed: &Reviewed) -> Result<()> {
        let (image, requestor) = (&reviewed.image, reviewed.requestor);
        let (public_key, _) = self.latest_request(image, requestor).await?;
        if public_key != reviewed.public_key {
            return Err(Error::CertificateChanged {
                reviewed: reviewed.public_key,
                requested: public_key,
            });
        }
        let grant = self.ledger().await?.grant(image, requestor).await?;
        match grant.requested_at == reviewed.requested_at {
            true => Ok(()),
            false => Err(Error::RequestChanged {
                reviewed: reviewed.requested_at,
                requested: grant.requested_at,
            }),
        }
    }
}
