//! A session: an open home at work, without its keys.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::home::Home;
use crate::home::config::Config;
use crate::limits::Limits;
use crate::operation::journal::{Journal, PinnedContract};
use crate::papers::handover::Addressee;
use pcim_core::{Address, ImageDigest};
use pcim_ledger::{ImageRecord, Ledger, Version};
use pcim_node::{Node, NodeConfig, Server, SwarmKey};

use crate::flow::pipeline::{Meter, Progress, ProgressSink};

use crate::error::{Error, Result};

/// Most peers that a home remembers of itself: they come from other people's files.
const MAX_PEERS: usize = 256;

/// Most followers through which a node is reached.
const MAX_RELAYS: usize = 2;

/// Settings that stand above the home's configuration for as long as a session lives.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// A network that the home knows, in the place of the one it is set up for.
    pub network: Option<String>,
    /// The chain's JSON-RPC endpoint.
    pub rpc_url: Option<String>,
    /// The chain's id.
    pub chain_id: Option<u64>,
    /// The contract.
    pub contract: Option<Address>,
    /// Bytes per leaf of the images added.
    pub chunk_bytes: Option<u32>,
    /// The RPC API of a Kubo node.
    pub ipfs_api: Option<String>,
    /// Takes an RPC of another machine over `http://`.
    pub insecure_rpc: bool,
}

/// A delegate's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Delegacy {
    /// The patient.
    pub patient: Address,
    /// Its end, unix seconds.
    pub until: u64,
}

/// An open home with its journal, its IPFS node and its connection to the chain; without its keys.
///
/// Node and connection are started when they are first needed; the node then runs, and serves others, as long as the
/// session lives.
pub struct Session {
    pub(crate) home: Home,
    pub(crate) limits: Limits,
    pub(crate) overrides: Overrides,
    pub(crate) journal: Journal,
    pub(crate) progress: Option<ProgressSink>,
    /// The patient who named this home her delegate, if it decides for her now.
    pub(crate) delegacy: Option<Delegacy>,
    /// Peers that this session dials beside the configured ones.
    guests: Mutex<Vec<String>>,
    /// True if the node is to keep mail for others, whatever the configuration says.
    keeps_mail: bool,
    /// True if the node is to answer guests.
    has_guests: bool,
    /// True if the node is to relay for others, whatever the configuration says.
    is_relay: bool,
    /// Relays beside those of the configuration.
    relays: Vec<String>,
    node: OnceCell<Node>,
    ledger: OnceCell<Ledger>,
}

impl Session {
    /// Opens a session: enough to read the chain and to serve images.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn open(home: Home) -> Result<Self> {
        let journal = Journal::open(&home.journal_path())?;
        Ok(Self {
            home,
            limits: Limits::default(),
            overrides: Overrides::default(),
            journal,
            progress: None,
            delegacy: None,
            guests: Mutex::default(),
            keeps_mail: false,
            has_guests: false,
            is_relay: false,
            relays: Vec::new(),
            node: OnceCell::new(),
            ledger: OnceCell::new(),
        })
    }

    /// Changes how long is waited for others.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Has the progress of sealing and fetching reported.
    #[must_use]
    pub fn with_progress(mut self, sink: ProgressSink) -> Self {
        self.progress = Some(sink);
        self
    }

    /// Sets something above the home's configuration; to be called before the first use.
    #[must_use]
    pub fn with_overrides(mut self, overrides: Overrides) -> Self {
        self.overrides = overrides;
        self
    }

    /// Stops the node, if it was started, and closes the home.
    pub async fn shutdown(self) {
        if let Some(node) = self.node.into_inner() {
            node.shutdown().await;
        }
    }

    /// Has the node announce that it keeps mail for others; to be called before the first use of the node.
    pub fn keep_mailbox(&mut self) {
        self.keeps_mail = true;
    }

    /// Has the node be a relay for others; to be called before the first use of the node.
    pub fn relay_for_others(&mut self) {
        self.is_relay = true;
    }

    /// Has the node be reached through its network's followers, too; to be called before the first use of the node. Returns true if
    /// there is a relay, of the network or of the home's settings.
    ///
    /// # Errors
    /// [`Error::Network`](crate::error::Error::Network)
    pub fn be_reached_by_relays(&mut self) -> Result<bool> {
        let followers = self.network()?.map_or(Vec::new(), |file| file.followers);
        self.relays = followers.into_iter().take(MAX_RELAYS).collect();
        Ok(!self.relays.is_empty() || !self.home.config().node.relays.is_empty())
    }

    /// Has the node announce that it answers guests; to be called before the first use of the node.
    pub fn expect_guests(&mut self) {
        self.has_guests = true;
    }

    /// Lets other processes open the home, as [`Home::let_others_in`] says.
    pub fn let_others_in(&mut self) {
        self.home.let_others_in();
    }

    /// Returns the home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Returns the actor's Ethereum address.
    pub fn address(&self) -> Address {
        self.home.address()
    }

    /// Returns the patient for whom this home acts: its own address, unless it took an account over or decides as a delegate.
    pub fn patient_address(&self) -> Address {
        if let Some(delegacy) = self.delegacy {
            return delegacy.patient;
        }
        self.home.config().patient.unwrap_or(self.address())
    }

    /// Returns the connection to the chain, made at the first call. The contract must be what it was at its first use.
    ///
    /// # Errors
    /// [`Error::Ledger`], [`Error::ContractChanged`]
    pub async fn ledger(&self) -> Result<&Ledger> {
        self.ledger
            .get_or_try_init(|| async {
                let ledger = self.connect().await?;
                self.pin(&ledger)?;
                Ok(ledger)
            })
            .await
    }

    fn pin(&self, ledger: &Ledger) -> Result<()> {
        let (chain_id, contract) = self.contract()?;
        let found = PinnedContract {
            version: ledger.version(),
            code_hash: ledger.code_hash(),
        };
        match self.journal.pinned(chain_id, contract)? {
            None => Ok(self.journal.pin(chain_id, contract, &found)?),
            Some(wanted) if wanted == found => Ok(()),
            Some(wanted) => Err(Error::ContractChanged {
                contract,
                wanted: wanted.code_hash,
                found: found.code_hash,
            }),
        }
    }

    /// Tells the contract's version, which is asked for once.
    pub(crate) async fn contract_version(&self) -> Result<Version> {
        let (chain_id, contract) = self.contract()?;
        match self.journal.pinned(chain_id, contract)? {
            Some(pinned) => Ok(pinned.version),
            None => Ok(self.ledger().await?.version()),
        }
    }

    /// Returns the node, started at the first call: the Kubo node that the configuration names, or this home's daemon if it
    /// runs (`pcim node`), or else one that starts now. It dials the configured peers when a block is missing here.
    pub async fn node(&self) -> Result<&Node> {
        self.node
            .get_or_try_init(|| async {
                if let Some(node) = self.other_node().await? {
                    return Ok(node);
                }
                self.own_node().await
            })
            .await
    }

    /// The node of another process, if there is one.
    async fn other_node(&self) -> Result<Option<Node>> {
        let (peers, chunk) = (&self.dialled(), self.chunk_size());
        Ok(match self.ipfs_api() {
            Some(api) => Some(Node::over(&api, peers, chunk).await?),
            None => Node::beside(&self.home.socket_path(), peers, chunk).await?,
        })
    }

    fn ipfs_api(&self) -> Option<String> {
        let api = self.overrides.ipfs_api.clone();
        api.or_else(|| self.home.config().ipfs_api.clone())
    }

    fn chunk_size(&self) -> usize {
        let config = self.home.config();
        self.overrides.chunk_bytes.unwrap_or(config.chunk_bytes) as usize
    }

    /// Starts this home's node and has it serve the home's other processes, which may open the home from now on. When it is
    /// asked to collect garbage, it deletes what is older than `grace`. With a Kubo node there is nothing to serve.
    ///
    /// # Errors
    /// [`node::Error::RepoLocked`](pcim_node::Error::RepoLocked) if it is served already.
    pub async fn serve(&mut self, grace: Duration) -> Result<Option<Server>> {
        let server = match self.ipfs_api() {
            Some(_) => {
                self.node().await?;
                None
            }
            None => {
                let node = self.node.get_or_try_init(|| self.own_node()).await?;
                Some(node.serve(&self.home.socket_path(), grace)?)
            }
        };
        self.home.let_others_in();
        Ok(server)
    }

    async fn own_node(&self) -> Result<Node> {
        let config = self.home.config();
        let mut network = config.node.clone();
        network.mailbox |= self.keeps_mail;
        network.guests = self.has_guests;
        network.relay |= self.is_relay;
        network.relays.extend(self.relays.iter().cloned());
        let key = SwarmKey::load(&self.home.swarm_key_path())?;
        let config = NodeConfig {
            repo: self.home.repo_dir(),
            listen: config.listen.clone(),
            bootstrap: self.dialled(),
            chunk_size: self.chunk_size(),
        };
        Ok(Node::start_in(config, &network, key.as_ref()).await?)
    }

    /// Dials peers, all at once; tells how many answered. A peer that is away is not an error: others
    /// may have what is wanted.
    pub async fn dial(&self, peers: &[String]) -> Result<usize> {
        let node = self.node().await?;
        let attempts = peers.iter().map(|peer| async move {
            let result = node.connect(peer).await;
            if let Err(error) = &result {
                tracing::debug!(%error, "peer not reached");
            }
            result.is_ok()
        });
        Ok(join_all(attempts)
            .await
            .into_iter()
            .filter(|ok| *ok)
            .count())
    }

    /// Lists the peers that are dialled when a block is missing here: the home's own, the network's followers, and guests.
    pub fn dialled(&self) -> Vec<String> {
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut peers = self.home.config().peers.clone();
        match self.network() {
            Ok(network) => peers.extend(network.into_iter().flat_map(|file| file.followers)),
            Err(error) => tracing::warn!(%error, "followers of the network are not known"),
        }
        peers.extend(guests.iter().cloned());
        peers
    }

    /// Has the node dial peers in this session alone: those of a paper that has not proven good yet. To be called before
    /// the first use of the node.
    pub(crate) fn expect_peers(&self, peers: &[String]) {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        guests.extend(peers.iter().take(MAX_PEERS).cloned());
    }

    /// Remembers peers, so that the node dials them whenever it starts; no more once [`MAX_PEERS`] are known.
    pub fn remember_peers(&self, peers: &[String]) -> Result<()> {
        let mut config = Config::clone(&self.home.config());
        let known = config.peers.len();
        for peer in peers {
            if config.peers.len() < MAX_PEERS && !config.peers.contains(peer) {
                config.peers.push(peer.clone());
            }
        }
        if config.peers.len() > known {
            self.home.set_config(config)?;
        }
        Ok(())
    }

    /// Deletes the blocks that nothing pins and that came longer ago than `grace`: what was fetched to be opened once, and
    /// what an interrupted write left.
    pub async fn collect_garbage(&self, grace: Duration) -> Result<()> {
        Ok(self.node().await?.collect_old_garbage(grace).await?)
    }

    pub(crate) fn progress(&self, what: &'static str, total: Option<u64>) -> Meter {
        Meter {
            sink: self.progress.clone(),
            progress: Progress {
                what,
                bytes: 0,
                total,
                files: None,
            },
        }
    }

    /// Gives the addressee that a handover to this actor must name.
    pub(crate) fn addressee(&self) -> Result<Addressee> {
        let deployment = self.deployment()?;
        Ok(Addressee {
            patient: self.patient_address(),
            chain_id: deployment.chain_id,
            contract: deployment.contract,
        })
    }

    /// The contract's record of an image.
    pub(crate) async fn record(&self, image: &ImageDigest) -> Result<ImageRecord> {
        let record = self.ledger().await?.image_record(image).await?;
        record.ok_or(Error::UnknownImage { image: *image })
    }

    /// The record of an image that must be this patient's.
    pub(crate) async fn own_record(&self, image: &ImageDigest) -> Result<ImageRecord> {
        let record = self.record(image).await?;
        let me = self.patient_address();
        if record.patient != me {
            return Err(Error::NotMine {
                image: *image,
                owner: record.patient,
                me,
            });
        }
        Ok(record)
    }
}
