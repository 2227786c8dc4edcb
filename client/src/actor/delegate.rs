//! A delegate: decides for a patient who named this home, about images that it may open itself (format.md §3.8.4).

use crate::error::{AccountError, Result};
use crate::session::Delegacy;
use crate::unlocked::Actor;
use pcim_core::Address;

impl Actor {
    /// Has this home decide for a patient as her delegate, as long as this value lives. The contract lets a delegate approve others
    /// than himself, give approvals another end, deny and remove. A header is made from the delegate's own root of the image.
    ///
    /// # Errors
    /// [`AccountError::NotDelegate`]; those of the chain.
    pub async fn delegate_of(mut self, patient: Address) -> Result<Self> {
        let (ledger, delegate) = (self.ledger().await?, self.address());
        let until = ledger.delegate(patient, delegate).await?;
        if until <= ledger.now().await? {
            return Err(AccountError::NotDelegate {
                patient,
                delegate,
                until,
            }
            .into());
        }
        self.session.delegacy = Some(Delegacy { patient, until });
        Ok(self)
    }

    /// Returns for whom this home decides as a delegate, and until when.
    pub fn delegacy(&self) -> Option<Delegacy> {
        self.session.delegacy
    }
}
