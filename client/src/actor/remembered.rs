//! Images of one's own while no endpoint of the chain answers: what the index read before stands in for the chain.

use crate::audit::{Image, ImageQuery};
use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::opening::{Attested, OpenedFile};
use crate::unlocked::Unlocked;
use pcim_core::ImageDigest;

impl Unlocked<'_> {
    /// The registration of an image of one's own in the index, and its newest root; says that the chain was not asked.
    ///
    /// # Errors
    /// `silent`, the chain's, if the index never read it.
    pub(crate) fn remembered(
        &self,
        image: &ImageDigest,
        silent: Error,
    ) -> Result<(ImageDigest, Image)> {
        let query = ImageQuery {
            images: Some(vec![*image]),
            ..ImageQuery::default()
        };
        let index = self.auditor().audit_index()?;
        let known = index.images(&query)?.remove(image);
        let Some(known) = known.filter(|known| known.patient == self.patient_address()) else {
            return Err(silent);
        };
        tracing::warn!(reason = %silent, "the chain is not asked: opened by what was read of it before");
        let root = self.journal.root_of(image)?.unwrap_or(known.root);
        Ok((root, known))
    }

    /// Opens an image of one's own by what the index remembers of its attestation.
    ///
    /// # Errors
    /// As [`Unlocked::remembered`].
    pub(crate) async fn open_remembered(
        &self,
        image: &ImageDigest,
        target: &Target,
        silent: Error,
    ) -> Result<OpenedFile> {
        let (root, known) = self.remembered(image, silent)?;
        let attested = Attested {
            radiologist: known.radiologist,
            seal: known.seal,
            description: known.description,
        };
        self.open_attested(&root, known.patient, &attested, target)
            .await
    }
}
