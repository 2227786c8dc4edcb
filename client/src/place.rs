//! Where a session finds its chain and contract: above all what the command says, then the home's configuration, then the
//! file of its network.

use pcim_core::Address;
use pcim_ledger::{Deployment, Ledger};

use crate::error::{Error, Result};
use crate::papers::network::NetworkFile;
use crate::session::Session;

impl Session {
    /// Reads the file of the session's network; `None` if it has none, or one that is known by its name alone.
    ///
    /// # Errors
    /// [`Error::UnknownNetwork`], [`Error::Home`]
    pub fn network(&self) -> Result<Option<NetworkFile>> {
        let config = self.home.config();
        match (&self.overrides.network, &config.network) {
            (Some(name), _) => {
                let unknown = || Error::UnknownNetwork { name: name.clone() };
                Ok(Some(self.home.network(name)?.ok_or_else(unknown)?))
            }
            (None, Some(name)) => Ok(self.home.network(name)?),
            (None, None) => Ok(None),
        }
    }

    /// Says whether the home's configuration counts: another network has its own endpoints, chain and contract.
    fn is_own_network(&self) -> bool {
        self.overrides.network.is_none()
    }

    /// Names the chain and contract for which this home is set up, at the first of its endpoints.
    ///
    /// # Errors
    /// [`Error::NotConfigured`], [`Error::InsecureRpc`], [`Error::UnknownNetwork`]
    pub fn deployment(&self) -> Result<Deployment> {
        let mut all = self.deployments()?;
        Ok(all.swap_remove(0))
    }

    /// Names the chain and contract at each of their endpoints, of which there is one at least.
    ///
    /// # Errors
    /// As [`Session::deployment`].
    pub fn deployments(&self) -> Result<Vec<Deployment>> {
        let (config, network) = (self.home.config(), self.network()?);
        let own = config.rpc_url.as_ref().filter(|_| self.is_own_network());
        let rpc_urls = match (self.overrides.rpc_url.as_ref().or(own), &network) {
            (Some(url), _) => {
                self.check_rpc(url)?;
                vec![url.clone()]
            }
            // Its consortium marked the endpoints without encryption.
            (None, Some(file)) => file.http_rpcs().into_iter().map(str::to_owned).collect(),
            (None, None) => Vec::new(),
        };
        if rpc_urls.is_empty() {
            return Err(Error::NotConfigured { missing: "rpc_url" });
        }
        let (chain_id, contract) = self.contract()?;
        let at = |rpc_url| Deployment {
            rpc_url,
            chain_id,
            contract,
        };
        Ok(rpc_urls.into_iter().map(at).collect())
    }

    /// Refuses an endpoint of another machine over plain text, unless that is wanted.
    pub(crate) fn check_rpc(&self, url: &str) -> Result<()> {
        let wanted = self.overrides.insecure_rpc || self.home.config().insecure_rpc;
        match pcim_ledger::is_insecure(url) && !wanted {
            true => Err(Error::InsecureRpc),
            false => Ok(()),
        }
    }

    /// The chain's id and the contract.
    pub(crate) fn contract(&self) -> Result<(u64, Address)> {
        let (config, above) = (self.home.config(), &self.overrides);
        let network = self.network()?;
        let own = self.is_own_network();
        let missing = |missing| Error::NotConfigured { missing };
        let chain_id = above.chain_id.or(config.chain_id.filter(|_| own));
        let chain_id = chain_id.or(network.as_ref().map(|file| file.chain_id));
        let contract = above.contract.or(config.contract.filter(|_| own));
        let contract = contract.or(network.as_ref().map(|file| file.contract));
        Ok((
            chain_id.ok_or(missing("chain_id"))?,
            contract.ok_or(missing("contract"))?,
        ))
    }

    /// Names the endpoint for news that the home's settings know; not the one beside an endpoint of the command's own.
    pub(crate) fn ws_url(&self) -> Result<Option<String>> {
        if self.overrides.rpc_url.is_some() {
            return Ok(None);
        }
        let own = self.home.config().ws_url.clone();
        let own = own.filter(|_| self.is_own_network());
        let network = self.network()?;
        let news = || {
            network
                .as_ref()
                .and_then(|file| file.ws_rpc().map(str::to_owned))
        };
        Ok(own.or_else(news))
    }

    /// Connects to the first endpoint that answers as it should.
    ///
    /// # Errors
    /// The first endpoint's, if none does.
    pub(crate) async fn connect(&self) -> Result<Ledger> {
        let mut first = None;
        for deployment in self.deployments()? {
            match Ledger::connect(deployment).await {
                Ok(ledger) => return Ok(ledger),
                Err(error) => {
                    tracing::debug!(%error, "endpoint passed over");
                    first.get_or_insert(error);
                }
            }
        }
        let missing = Error::NotConfigured { missing: "rpc_url" };
        Err(first.map_or(missing, Error::Ledger))
    }
}
