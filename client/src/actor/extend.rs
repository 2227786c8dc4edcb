//! Another end for an approval: nothing is sealed again.

use crate::actor::patient::Patient;
use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Wanted};
use pcim_core::{Address, ImageDigest};
use pcim_ledger::Call;

impl Patient<'_> {
    /// Gives an approval in force another end, in unix seconds; 0 is none.
    ///
    /// # Errors
    /// [`Error::NoApproval`]; nothing is sent then.
    pub async fn extend(
        &self,
        image: &ImageDigest,
        requestor: Address,
        expires_at: u64,
    ) -> Result<Outcome> {
        self.own_record(image).await?;
        let standing = self.status(image, Some(requestor)).await?;
        let none = || Error::NoApproval {
            requestor,
            image: *image,
        };
        let root = standing.shared_image.filter(|_| standing.authorized);
        let root = root.ok_or_else(none)?;
        let deed = Deed::Reshare {
            image: *image,
            requestor,
            root,
        };
        let call = async || {
            Ok(Call::ReshareIrs {
                requestor,
                image: *image,
                decided_at: standing.decided_at,
                shared_image: root,
                expires_at,
            })
        };
        let written = self.write(deed, Wanted::True, call).await?;
        written.ok_or_else(none)
    }
}
