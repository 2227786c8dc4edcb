//! Removals that are signed here and sent by others.
//!
//! A signer needs no ether: the relayer pays, and has no say in what is done. The reader's header of a removal that was
//! signed stays until the removal is seen on the chain; that is an operation in the journal.

use crate::error::Result;
use crate::operation::deed::Deed;
use crate::operation::journal::OperationId;
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::resume::Fate;
use crate::session::Session;
use pcim_core::{Address, ImageDigest};

impl Session {
    /// Begins the operation of a removal that others may send until `deadline`; its pieces under [`Verdict::Done`] are dropped
    /// when the removal is on the chain.
    pub(crate) fn begin_removal(
        &self,
        image: &ImageDigest,
        requestor: Address,
        deadline: u64,
    ) -> Result<OperationId> {
        let deed = Deed::Removal {
            image: *image,
            requestor,
            deadline,
        };
        Ok(self.journal.begin(&self.scoped(deed)?)?.id)
    }

    /// Drops the headers of readers whose removal was signed here and has been sent by others since. The chain is asked
    /// only if there is such a removal.
    ///
    /// # Errors
    /// What the chain's node, this one or the journal fails with; the headers stay then, for the next time.
    pub async fn drop_removed(&self) -> Result<()> {
        for operation in self.journal.unfinished()? {
            if let Some(Deed::Removal {
                image,
                requestor,
                deadline,
            }) = operation.deed()
            {
                self.see_removal(operation.id, &image, requestor, deadline)
                    .await?;
            }
        }
        Ok(())
    }

    /// Looks whether a removal that was signed is done: the chain no longer shares the recorded root. If it can no longer be sent
    /// either, the reader keeps his header.
    pub(crate) async fn see_removal(
        &self,
        operation: OperationId,
        image: &ImageDigest,
        requestor: Address,
        deadline: u64,
    ) -> Result<Fate> {
        let ledger = self.ledger().await?;
        let now = ledger.now().await?;
        let shared = ledger.grant(image, requestor).await?.shared_image;
        let noted = self.journal.noted(operation, Verdict::Done)?;
        let is_shared = |piece: &Piece| matches!(piece, Piece::Root(root) if Some(*root) == shared);
        if !noted.iter().any(is_shared) {
            self.settle(operation, Verdict::Done).await?;
            return Ok(Fate::Finished);
        }
        if now > deadline {
            self.settle(operation, Verdict::Failed).await?;
            return Ok(Fate::RolledBack);
        }
        Ok(Fate::Waiting)
    }
}
