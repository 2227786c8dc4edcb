//! Images of one's own while no endpoint of the chain answers: what the index read before stands in for the chain.

use zeroize::Zeroizing;

use crate::audit::{Image, ImageQuery};
use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::opening::{Attested, OpenedFile};
use crate::unlocked::Unlocked;
use pcim_core::ImageDigest;

impl Unlocked<'_> {
    /// The registration of an image of one's own in the index; none if the index never read it.
    fn remembered(&self, image: &ImageDigest) -> Result<Option<Image>> {
        let query = ImageQuery {
            images: Some(vec![*image]),
            ..ImageQuery::default()
        };
        let index = self.auditor().audit_index()?;
        let known = index.images(&query)?.remove(image);
        Ok(known.filter(|known| known.patient == self.patient_address()))
    }

    /// Opens an image of one's own by what the index remembers of its attestation.
    ///
    /// # Errors
    /// `silent`, the chain's, if the index does not know the image.
    pub(crate) async fn open_remembered(
        &self,
        image: &ImageDigest,
        target: &Target,
        silent: Error,
    ) -> Result<OpenedFile> {
        let Some(known) = self.remembered(image)? else {
            return Err(silent);
        };
        tracing::warn!(reason = %silent, "the chain is not asked: opened by what was read of it before");
        let root = self.journal.root_of(image)?.unwrap_or(known.root);
        let attested = Attested {
            radiologist: known.radiologist,
            seal: known.seal,
            description: known.description,
        };
        self.open_attested(&root, known.patient, &attested, target)
            .await
    }

    /// The same in memory, at most `max` bytes.
    ///
    /// # Errors
    /// As [`Unlocked::open_remembered`].
    pub(crate) async fn open_remembered_in_memory(
        &self,
        image: &ImageDigest,
        max: u64,
        silent: Error,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let Some(known) = self.remembered(image)? else {
            return Err(silent);
        };
        tracing::warn!(reason = %silent, "the chain is not asked: opened by what was read of it before");
        let root = self.journal.root_of(image)?.unwrap_or(known.root);
        self.open_sealed_in_memory(&root, known.seal, max).await
    }
}
