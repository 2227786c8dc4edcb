//! The consortium: accredits radiologists.

use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Wanted};
use crate::unlocked::{Actor, Unlocked};
use pcim_core::Address;
use pcim_ledger::{Accreditation, Call};
use std::ops::Deref;

/// The consortium's work.
#[derive(Clone, Copy)]
pub struct Consortium<'s>(Unlocked<'s>);

impl<'s> Unlocked<'s> {
    /// Opens the consortium's work.
    pub fn consortium(self) -> Consortium<'s> {
        Consortium(self)
    }
}

impl Actor {
    /// Opens the consortium's work.
    pub fn consortium(&self) -> Consortium<'_> {
        self.unlocked().consortium()
    }
}

impl<'s> Deref for Consortium<'s> {
    type Target = Unlocked<'s>;

    fn deref(&self) -> &Unlocked<'s> {
        &self.0
    }
}

impl Consortium<'_> {
    /// Accredits a radiologist, or withdraws that; at version 2 of the contract for good, and readers doubt what was
    /// registered from `since` on (unix seconds; now, if none is given). Only the consortium may.
    pub async fn accredit(
        &self,
        radiologist: Address,
        accredited: bool,
        since: Option<u64>,
    ) -> Result<Outcome> {
        let deed = Deed::Accredit {
            radiologist,
            accredited,
        };
        let call = async || {
            let (status, since) = match (accredited, since) {
                (true, _) => (Accreditation::Accredited, 0),
                (false, Some(since)) => (Accreditation::Revoked, since),
                (false, None) => (Accreditation::Revoked, self.ledger().await?.now().await?),
            };
            Ok(Call::AccreditRadiologist {
                radiologist,
                status,
                since,
            })
        };
        let written = self.write(deed, Wanted::Any, call).await?;
        written.ok_or(Error::NotAccredited { radiologist })
    }

    /// Retires a radiologist: attestations are taken until a moment, unix seconds. Only the consortium may.
    ///
    /// # Errors
    /// Those of the chain; a contract of version 1 knows no retirement.
    pub async fn retire(&self, radiologist: Address, until: u64) -> Result<Outcome> {
        let deed = Deed::Retire { radiologist, until };
        let call = async || {
            self.needs_version_2("accredit_radiologist").await?;
            Ok(Call::AccreditRadiologist {
                radiologist,
                status: Accreditation::Retired,
                since: until,
            })
        };
        let written = self.write(deed, Wanted::Any, call).await?;
        written.ok_or(Error::NotAccredited { radiologist })
    }

    /// Hands the consortium's role over, for good; at version 2 of the contract it is offered, and the other account takes it.
    /// Only the consortium may.
    ///
    /// # Errors
    /// Those of the chain; the contract refuses anyone else.
    pub async fn transfer_consortium(&self, to: Address) -> Result<Outcome> {
        let call = async || Ok(Call::TransferConsortium { to });
        let deed = Deed::TransferConsortium { to };
        let written = self.write(deed, Wanted::Any, call).await?;
        Ok(written.expect("a call that is sent whatever it returns is written"))
    }

    /// Takes the consortium's role, which must have been offered to this home.
    ///
    /// # Errors
    /// Those of the chain; the contract refuses anyone else.
    pub async fn accept_consortium(&self) -> Result<Outcome> {
        let from = self.ledger().await?.consortium().await?;
        let deed = Deed::AcceptConsortium { from };
        let call = async || Ok(Call::AcceptConsortium);
        let written = self.write(deed, Wanted::Any, call).await?;
        Ok(written.expect("a call that is sent whatever it returns is written"))
    }
}
