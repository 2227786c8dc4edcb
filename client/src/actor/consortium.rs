//! The consortium: accredits radiologists.

use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Wanted};
use crate::unlocked::{Actor, Unlocked};
use pcim_core::Address;
use pcim_ledger::Call;
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
    /// Accredits a radiologist, or withdraws that. Only the consortium may.
    pub async fn accredit(&self, radiologist: Address, accredited: bool) -> Result<Outcome> {
        let deed = Deed::Accredit {
            radiologist,
            accredited,
        };
        let call = async || {
            Ok(Call::AccreditRadiologist {
                radiologist,
                accredited,
            })
        };
        let written = self.write(deed, Wanted::Any, call).await?;
        written.ok_or(Error::NotAccredited { radiologist })
    }

    /// Hands the consortium's role over, for good. Only the consortium may.
    ///
    /// # Errors
    /// Those of the chain; the contract refuses anyone else.
    pub async fn transfer_consortium(&self, to: Address) -> Result<Outcome> {
        let call = async || Ok(Call::TransferConsortium { to });
        let deed = Deed::TransferConsortium { to };
        let written = self.write(deed, Wanted::Any, call).await?;
        Ok(written.expect("a call that is sent whatever it returns is written"))
    }
}
