//! A second provider's word: what is decided on is asked of other operators too, so that one who lies is found out.

use crate::error::{Error, Result};
use crate::session::Session;
use pcim_core::{Address, Event, ImageDigest};
use pcim_ledger::{Deployment, EventFilter, Grant, Ledger};

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
        let same = async |other: &Ledger| Ok(other.grant(image, requestor).await? == *grant);
        let about = format!("the request of {requestor} for image {image}");
        self.confirm(about, same).await
    }

    /// Asks who acts for a patient, and checks that every other provider says the same.
    ///
    /// # Errors
    /// As [`confirm_grant`](Self::confirm_grant).
    pub(crate) async fn confirmed_acting(&self, patient: Address) -> Result<Address> {
        let account = self.ledger().await?.account(patient).await?;
        let same = async |other: &Ledger| {
            let found = other.account(patient).await?;
            Ok((found.acting, found.epoch) == (account.acting, account.epoch))
        };
        let about = format!("who acts for {patient}");
        self.confirm(about, same).await?;
        Ok(account.acting)
    }

    /// Asks when a patient's account was last moved to a key, in unix seconds, and checks that every other provider says the same.
    ///
    /// # Errors
    /// As [`confirmed_acting`](Self::confirmed_acting).
    pub(crate) async fn confirmed_move(
        &self,
        patient: Address,
        to: Address,
    ) -> Result<Option<u64>> {
        let found = moved_at(self.ledger().await?, patient, to).await?;
        let same = async |other: &Ledger| Ok(moved_at(other, patient, to).await? == found);
        let about = format!("when the account of {patient} was moved");
        self.confirm(about, same).await?;
        Ok(found)
    }

    /// Has every other provider asked whether it says the same. An endpoint of the network's file that does not answer is passed
    /// over; one that the owner named must answer.
    async fn confirm(
        &self,
        about: String,
        same: impl AsyncFn(&Ledger) -> pcim_ledger::Result<bool>,
    ) -> Result<()> {
        let (named, others) = self.others()?;
        for (number, deployment) in others.into_iter().enumerate() {
            let asked = async {
                let other = Ledger::connect(deployment).await?;
                same(&other).await
            };
            match asked.await {
                Ok(true) => {}
                Ok(false) => {
                    let number = number + 1;
                    return Err(Error::ProvidersDiffer { about, number });
                }
                Err(error) if named => return Err(error.into()),
                Err(error) => tracing::debug!(%error, "endpoint passed over"),
            }
        }
        Ok(())
    }
}

/// Reads when a patient's account was last moved to a key, in unix seconds.
async fn moved_at(
    ledger: &Ledger,
    patient: Address,
    to: Address,
) -> pcim_ledger::Result<Option<u64>> {
    let filter = EventFilter {
        patient: Some(patient),
        events: &["AccountMoved"],
        ..EventFilter::default()
    };
    let events = ledger.timed_events(&filter).await?;
    Ok(events.iter().rev().find_map(|it| match it.event {
        Event::AccountMoved { to: found, .. } if found == to => it.timestamp,
        _ => None,
    }))
}
