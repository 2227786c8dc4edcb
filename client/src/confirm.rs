//! A second provider's word: what is decided on is asked of other operators too, so that one who lies is found out.

use crate::error::{Error, Result};
use crate::session::Session;
use pcim_core::{Address, ImageDigest};
use pcim_ledger::{Deployment, Grant, Ledger};

impl Session {
    /// Counts the providers that are asked besides the first: those of `confirm_rpc_urls`, or the other endpoints of the network's
    /// file.
    ///
    /// # Errors
    /// [`Error::NotConfigured`], [`Error::InsecureRpc`]
    pub fn confirming(&self) -> Result<usize> {
        Ok(self.others()?.len())
    }

    fn others(&self) -> Result<Vec<Deployment>> {
        // An endpoint that a command names stands for itself.
        if self.overrides.rpc_url.is_some() && self.home.config().confirm_rpc_urls.is_empty() {
            return Ok(Vec::new());
        }
        let mut known = self.deployments()?;
        let first = known.remove(0);
        let named = &self.home.config().confirm_rpc_urls;
        if named.is_empty() {
            return Ok(known);
        }
        let mut others = Vec::new();
        for url in named {
            self.check_rpc(url)?;
            others.push(Deployment {
                rpc_url: url.clone(),
                ..first.clone()
            });
        }
        Ok(others)
    }

    /// Checks that every other provider has an open request as the first one has it.
    ///
    /// # Errors
    /// [`Error::ProvidersDiffer`]; [`Error::Ledger`] for a provider that does not answer.
    pub(crate) async fn confirm_request(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<()> {
        let grant = self.ledger().await?.grant(image, requestor).await?;
        self.confirm_grant(image, requestor, &grant).await
    }

    /// Checks that every other provider has the same grant of a request as the first one.
    ///
    /// # Errors
    /// [`Error::ProvidersDiffer`]; [`Error::Ledger`] for a provider that does not answer.
    pub(crate) async fn confirm_grant(
        &self,
        image: &ImageDigest,
        requestor: Address,
        grant: &Grant,
    ) -> Result<()> {
        for (number, deployment) in self.others()?.into_iter().enumerate() {
            let other = Ledger::connect(deployment).await?;
            if other.grant(image, requestor).await? != *grant {
                return Err(Error::ProvidersDiffer {
                    image: *image,
                    requestor,
                    number: number + 1,
                });
            }
        }
        Ok(())
    }
}
