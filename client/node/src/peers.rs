//! Connections with peers (libp2p over TCP, Noise, Yamux).

use std::fs;
use std::path::Path;
use std::time::Duration;

use rust_ipfs::p2p::MultiaddrExt;
use rust_ipfs::{DialOpts, Ipfs, Multiaddr, PeerCondition, PeerId, Protocol};

use super::error::of_ipfs;
use super::exchange::Exchange;
use super::{Cause, Error, Result};

/// How long a peer may take to answer a dial.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a new connection may take until blocks can be asked over it.
const STREAM_TIMEOUT: Duration = Duration::from_millis(500);
/// How long `shutdown` waits for the last user of the repository.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
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
    let listening = listening.map_err(|error| of_ipfs("asking for addresses", error))?;
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
