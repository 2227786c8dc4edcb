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
        Ok(self.others()?.1.len())
    }

    /// The other providers, and whether the owner named them.
    fn others(&self) -> Result<(bool, Vec<Deployment>)> {
        let named = &self.home.config().confirm_rpc_urls;
        let mut known = self.deployments()?;
        let first = known.remove(0);
        if named.is_empty() {
            return Ok((false, known));
        }
        let mut others = Vec::new();
        for url in named {
            self.check_rpc(url)?;
            others.push(Deployment {
                rpc_url: url.clone(),
                ..first.clone()
            });
        }
        Ok((true, others))
    }

    /// Checks that every other provider has an open request as the first one has it.
    ///
    /// # Errors
    /// As [`confirm_grant`](Self::confirm_grant).
    pub(crate) async fn confirm_request(
        &self,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<()> {
        let grant = self.ledger().await?.grant(image, requestor).await?;
        self.confirm_grant(image, requestor, &grant).await
    }

    /// Checks that every other provider has the same grant of a request as the first one. An endpoint of the network's file that does
    /// not answer is passed over; one that the owner named must answer.
    ///
    /// # Errors
    /// [`Error::ProvidersDiffer`]; [`Error::Ledger`] for a provider that does not answer.
    pub(crate) async fn confirm_grant(
        &self,
        image: &ImageDigest,
        requestor: Address,
        grant: &Grant,
    ) -> Result<()> {
        let (named, others) = self.others()?;
        for (number, deployment) in others.into_iter().enumerate() {
            let asked = async {
                let other = Ledger::connect(deployment).await?;
                other.grant(image, requestor).await
            };
            match asked.await {
                Ok(found) if found == *grant => {}
                Ok(_) => {
                    return Err(Error::ProvidersDiffer {
                        image: *image,
                        requestor,
                        number: number + 1,
                    });
                }
                Err(error) if named => return Err(error.into()),
                Err(error) => tracing::debug!(%error, "endpoint passed over"),
            }
        }
        Ok(())
    }
}
