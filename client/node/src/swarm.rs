//! The node's identity, and the start of its swarm on a repository.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use rust_ipfs::builder::IpfsBuilder;
use rust_ipfs::p2p::IdentifyConfiguration;
use rust_ipfs::repo::{DefaultStorage, LockError, Repo};
use rust_ipfs::{Ipfs, Keypair, Multiaddr};
use zeroize::Zeroizing;

use super::error::of_ipfs;
use super::exchange::Streams;
use super::network::{Hooks, Network, SwarmKey};
use super::peers::{parse_all, stop};
use super::types::NodeConfig;
use super::{Cause, Error, Result};
use pcim_core::private;

/// How long the swarm may take to open a listening socket.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept with nothing to do: a person looks at a request in between.
const IDLE_SECONDS: u64 = 3600;
/// Connections that others may open, and connections to one peer.
const MAX_INCOMING: u32 = 256;
const MAX_PER_PEER: u32 = 8;
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
        Err(other) => of_ipfs("opening the repository", other),
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
        .map_err(|error| of_ipfs("starting the node", error))?;
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
