//! The node's identity, its life-cycle and its connections (libp2p over TCP, Noise, Yamux).

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use rust_ipfs::builder::IpfsBuilder;
use rust_ipfs::p2p::{IdentifyConfiguration, MultiaddrExt};
use rust_ipfs::repo::{DefaultStorage, LockError, Repo};
use rust_ipfs::{DialOpts, Ipfs, Keypair, Multiaddr, PeerCondition, PeerId, Protocol};
use zeroize::Zeroizing;

use super::exchange::{Exchange, Streams};
use super::network::{Hooks, Network, SwarmKey};
use super::store::into_error;
use super::{Cause, Error, NodeConfig, Result};
use pcim_core::private;

/// How long a peer may take to answer a dial.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a new connection may take until blocks can be asked over it.
const STREAM_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the swarm may take to open a listening socket.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept with nothing to do: a person looks at a request in between.
const IDLE_SECONDS: u64 = 3600;
/// Connections that others may open, and connections to one peer.
const MAX_INCOMING: u32 = 256;
const MAX_PER_PEER: u32 = 8;
/// How long `shutdown` waits for the last user of the repository.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of an identity file.
const MAX_IDENTITY: u64 = 1024;

/// Makes the repository if it is not there, and takes its lock.
pub(super) async fn open(path: &Path) -> Result<Repo<DefaultStorage>> {
    create_private_dir(path).map_err(Error::io("creating the repository"))?;
    let repo = Repo::new_fs(path);
    repo.init().await.map_err(|error| match error.downcast() {
        Ok(LockError::RepoInUse) => Error::RepoLocked {
            path: path.to_owned(),
        },
        Ok(other) => Error::Ipfs {
            doing: "locking the repository",
            source: Box::new(other),
        },
        Err(other) => into_error("opening the repository", other),
    })?;
    Ok(repo)
}

/// Starts the swarm on an open repository and listens.
pub(super) async fn start(
    config: &NodeConfig,
    repo: Repo<DefaultStorage>,
    streams: Streams,
    (network, key): (&Network, Option<&SwarmKey>),
    hooks: Hooks,
) -> Result<Ipfs> {
    let listen = parse_all(&config.listen)?;
    let keypair = identity(&config.repo.join("identity"))?;
    let builder = IpfsBuilder::with_keypair(&keypair)
        .map_err(Error::io("starting the node"))?
        .set_repo(&repo)
        .enable_tcp()
        .with_custom_behaviour(move |_| Ok(streams))
        .with_ping(Default::default())
        .with_identify(IdentifyConfiguration {
            agent_version: concat!("pcim/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Default::default()
        })
        .set_idle_connection_timeout(IDLE_SECONDS)
        .set_connection_limits(|limits| {
            limits
                .with_max_pending_incoming(Some(MAX_INCOMING / 4))
                .with_max_established_incoming(Some(MAX_INCOMING))
                .with_max_established_per_peer(Some(MAX_PER_PEER))
        });
    let ipfs = network
        .configure(builder, key, hooks)?
        .start()
        .await
        .map_err(|error| into_error("starting the node", error))?;
    for address in listen {
        if let Err(source) = listen_on(&ipfs, &address).await {
            drop(repo);
            stop(ipfs, &config.repo).await;
            return Err(Error::Listen {
                address: address.to_string(),
                source,
            });
        }
    }
    Ok(ipfs)
}

async fn listen_on(ipfs: &Ipfs, address: &Multiaddr) -> std::result::Result<(), Cause> {
    let listening = ipfs.add_listening_address(address.clone());
    tokio::time::timeout(LISTEN_TIMEOUT, listening)
        .await?
        .map(|_| ())
        .map_err(Cause::from)
}

/// Stops the swarm, then waits until nobody holds the repository any more.
pub(super) async fn stop(ipfs: Ipfs, repo: &Path) {
    ipfs.exit_daemon().await;
    let lock = repo.join("repo_lock");
    let freed = async {
        while !is_free(&lock) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(CLOSE_TIMEOUT, freed).await.is_err() {
        tracing::warn!(repo = %repo.display(), "the repository is still in use by an open stream");
    }
}

fn is_free(lock: &Path) -> bool {
    match fs::File::open(lock) {
        Ok(file) => file.try_lock().is_ok(),
        Err(_) => true,
    }
}

/// Connects unless there is a connection already that blocks can be asked over.
pub(super) async fn dial(ipfs: &Ipfs, exchange: &Exchange, address: &Multiaddr) -> Result<()> {
    let unreachable = |source: Cause| Error::PeerUnreachable {
        address: address.to_string(),
        source,
    };
    let peer = address.peer_id();
    let target = match peer {
        Some(peer) => {
            if exchange.is_ready(&peer) {
                return Ok(());
            }
            if ipfs.is_connected(peer).await.unwrap_or(false)
                && is_soon_ready(exchange, &peer).await
            {
                return Ok(());
            }
            DialOpts::peer_id(peer)
                .condition(PeerCondition::Always)
                .addresses(vec![address.clone()])
                .build()
        }
        None => address.clone().into(),
    };
    let dialled = tokio::time::timeout(DIAL_TIMEOUT, ipfs.connect(target)).await;
    dialled
        .map_err(|late| unreachable(late.into()))?
        .map_err(|error| unreachable(error.into()))?;
    if let Some(peer) = peer {
        is_soon_ready(exchange, &peer).await;
    }
    Ok(())
}

/// Waits a little for a stream to a connected peer.
async fn is_soon_ready(exchange: &Exchange, peer: &PeerId) -> bool {
    let ready = async {
        while !exchange.is_ready(peer) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(STREAM_TIMEOUT, ready).await.is_ok()
}

/// Where others reach this node: `/ip4/…/tcp/…/p2p/…`.
pub(super) async fn addresses(ipfs: &Ipfs) -> Result<Vec<String>> {
    let listening = ipfs.listening_addresses().await;
    let listening = listening.map_err(|error| into_error("asking for addresses", error))?;
    let peer = ipfs.keypair().public().to_peer_id();
    Ok(listening
        .into_iter()
        .map(|address| match address.peer_id() {
            Some(_) => address.to_string(),
            None => address.with(Protocol::P2p(peer)).to_string(),
        })
        .collect())
}

pub(super) fn parse(address: &str) -> Result<Multiaddr> {
    address.parse().map_err(|error| Error::Address {
        found: address.to_owned(),
        source: Box::new(error),
    })
}

pub(super) fn parse_all(addresses: &[String]) -> Result<Vec<Multiaddr>> {
    addresses.iter().map(|address| parse(address)).collect()
}

fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Loads the node's private key, or makes one. The caller holds the repository's lock.
fn identity(path: &Path) -> Result<Keypair> {
    let broken = |source: Cause| Error::Identity {
        path: path.to_owned(),
        source,
    };
    match fs::File::open(path) {
        Ok(file) => {
            let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_IDENTITY as usize));
            file.take(MAX_IDENTITY)
                .read_to_end(&mut bytes)
                .map_err(|error| broken(error.into()))?;
            Keypair::from_protobuf_encoding(&bytes).map_err(|error| broken(error.into()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let keypair = Keypair::generate_ed25519();
            let bytes = keypair.to_protobuf_encoding();
            let bytes = Zeroizing::new(bytes.map_err(|error| broken(error.into()))?);
            write_identity(path, &bytes).map_err(|error| broken(error.into()))?;
            Ok(keypair)
        }
        Err(error) => Err(broken(error.into())),
    }
}

/// Whole, or not there; what a killed process left of it goes.
fn write_identity(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        private::sweep(folder)?;
    }
    private::replace(path, bytes)
}
