//! Blocks and pins: what lies in the repository on disk, and what has to come from a peer.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use futures::{StreamExt, TryStreamExt};
use rust_ipfs::p2p::MultiaddrExt;
use rust_ipfs::repo::{DefaultStorage, PinStore, Repo};
use rust_ipfs::{Ipfs, Multiaddr, PinMode};
use tokio::sync::RwLock;

use super::disk::{Batch, Disk};
use super::exchange::{Exchange, Failed};
use super::network::Seeker;
use super::{Cause, Error, Result, Tried, peers};

/// How long peers are asked for a block that is damaged here.
const HEALING: Duration = Duration::from_secs(5);
/// How often a waiting fetch dials the peers that are away.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The running node's parts, shared by its streams.
#[derive(Clone)]
pub(super) struct Store(Arc<Parts>);

struct Parts {
    ipfs: Ipfs,
    repo: Repo<DefaultStorage>,
    disk: Disk,
    exchange: Exchange,
    /// Shared while blocks are written and pinned, exclusive while unpinned ones are deleted.
    gate: Arc<RwLock<()>>,
    /// Held while pins are set, so that it is known whose they are.
    pinning: tokio::sync::Mutex<()>,
    /// Peers that were asked for by address; dialled again when a block is missing.
    known: Mutex<Vec<Multiaddr>>,
    redial: Arc<tokio::sync::Mutex<()>>,
    /// Set while there is a DHT to ask.
    seeker: OnceLock<Seeker>,
}

/// Where a block may be taken from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// This node's disk only.
    Local,
    /// Peers too, each block within this time.
    Peers(Duration),
}

impl Store {
    pub(super) fn new(ipfs: Ipfs, disk: Disk, exchange: Exchange) -> Self {
        Self(Arc::new(Parts {
            repo: ipfs.repo().clone(),
            ipfs,
            disk,
            exchange,
            gate: Arc::default(),
            pinning: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            redial: Arc::default(),
            seeker: OnceLock::new(),
        }))
    }

    pub(super) fn ipfs(&self) -> &Ipfs {
        &self.0.ipfs
    }

    pub(super) fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// Has missing blocks looked up in the DHT from now on.
    pub(super) fn seek_with(&self, seeker: Seeker) {
        // There is one DHT; a second call changes nothing.
        let _ = self.0.seeker.set(seeker);
    }

    /// A body is about to be read: who has it may have its leaves.
    pub(super) fn about(&self, body: Cid) {
        if let Some(seeker) = self.0.seeker.get() {
            seeker.about(body);
        }
    }

    pub(super) fn gate(&self) -> &RwLock<()> {
        &self.0.gate
    }

    /// Reads a block of at most `max` bytes from disk and verifies it; `None` if it is not there.
    pub(super) async fn local(&self, cid: &Cid, max: usize) -> Result<Option<Bytes>> {
        self.0.disk.read(cid, max).await
    }

    /// Reads a block of at most `max` bytes from wherever `reach` allows.
    pub(super) async fn get(&self, cid: &Cid, max: usize, reach: Reach) -> Result<Bytes> {
        let here = match self.local(cid, max).await {
            Ok(Some(bytes)) => return Ok(bytes),
            Ok(None) => None,
            Err(damaged @ Error::BlockMismatch { .. }) => Some(damaged),
            Err(other) => return Err(other),
        };
        let found = match (here, reach) {
            (None, Reach::Peers(timeout)) => self.fetch(cid, timeout).await?,
            // What a peer sends takes the damaged block's place.
            (Some(damaged), Reach::Peers(timeout)) if self.peers().await + self.known() > 0 => {
                let healed = self.fetch(cid, timeout.min(HEALING)).await;
                healed.map_err(|_| damaged)?
            }
            (Some(damaged), _) => return Err(damaged),
            (None, Reach::Local) => {
                return Err(Error::Missing {
                    cid: cid.to_string(),
                });
            }
        };
        if found.len() > max {
            return Err(Error::TooLarge {
                cid: cid.to_string(),
                found: found.len(),
                max,
            });
        }
        Ok(found)
    }

    async fn fetch(&self, cid: &Cid, timeout: Duration) -> Result<Bytes> {
        self.redial();
        let hunt = self.0.exchange.fetch(*cid, timeout);
        tokio::pin!(hunt);
        let failed = loop {
            match tokio::time::timeout(LOOK_AGAIN, &mut hunt).await {
                Ok(Ok(bytes)) => return Ok(bytes),
                Ok(Err(failed)) => break failed,
                // A peer that was away may be back, and others may have it.
                Err(_) => {
                    self.redial();
                    if let Some(seeker) = self.0.seeker.get() {
                        seeker.seek(cid);
                    }
                }
            }
        };
        Err(match failed {
            Failed::NotStored(source) => Error::Io {
                doing: "storing a block",
                source,
            },
            Failed::Nobody(answers) => {
                let answered = answers
                    .iter()
                    .map(|(peer, answer)| format!("{peer} {answer}"));
                let away = self.away().into_iter();
                let away = away.map(|address| format!("{address} is not connected"));
                Error::Timeout {
                    cid: cid.to_string(),
                    seconds: timeout.as_secs_f64(),
                    peers: self.peers().await,
                    tried: Tried(answered.chain(away).collect()),
                }
            }
        })
    }

    pub(super) fn contains(&self, cid: &Cid) -> bool {
        self.0.disk.contains(cid)
    }

    /// Blocks to be written together.
    pub(super) fn batch(&self) -> Batch {
        self.0.disk.batch()
    }

    /// Writes a few blocks durably; `written` tells which were not there before, on a failure too.
    pub(super) async fn put(
        &self,
        blocks: impl IntoIterator<Item = (Cid, Bytes)>,
        written: &mut Vec<Cid>,
    ) -> Result<()> {
        let mut batch = self.batch();
        let put = async {
            for (cid, bytes) in blocks {
                batch.put(cid, bytes).await?;
            }
            batch.commit().await
        }
        .await;
        match put {
            Ok(new) => {
                self.0.exchange.announce(&new);
                written.extend(new);
                Ok(())
            }
            Err(error) => {
                written.extend(batch.give_up().await);
                Err(error)
            }
        }
    }

    /// Tells peers that waited for blocks.
    pub(super) fn announce(&self, cids: &[Cid]) {
        self.0.exchange.announce(cids);
    }

    /// Ends a write that held the gate and holds it no more: what a failed one wrote is deleted. Another write may have
    /// found such a block here and rely on it, so this waits, in the background, until none is under way.
    pub(super) async fn settle<T>(&self, result: Result<T>, written: Vec<Cid>) -> Result<T> {
        if result.is_ok() || written.is_empty() {
            return result;
        }
        match self.0.gate.try_write() {
            Ok(_alone) => self.take_back(&written).await,
            Err(_) => {
                let store = self.clone();
                tokio::spawn(async move {
                    let _alone = store.0.gate.write().await;
                    store.take_back(&written).await;
                });
            }
        }
        result
    }

    async fn take_back(&self, written: &[Cid]) {
        if let Err(left) = self.discard(written).await {
            tracing::warn!(error = %left, "blocks of a failed write are left behind");
        }
    }

    /// Makes blocks last that came from peers.
    pub(super) async fn sync(&self, cids: &[Cid]) -> Result<()> {
        self.0.disk.sync(cids).await
    }

    /// Pins blocks without what is below them, durably and all of them or none.
    pub(super) async fn pin_direct(&self, cids: &[Cid]) -> Result<()> {
        let _mine = self.0.pinning.lock().await;
        let mut new = Vec::new();
        let pinned = async {
            for cid in cids {
                if !self.is_pinned(cid).await? {
                    new.push(*cid);
                }
                let pinned = self.0.repo.data_store().insert_direct_pin(cid).await;
                pinned.map_err(|error| into_error("pinning a block", error))?;
            }
            self.0.disk.sync_pins(cids).await
        }
        .await;
        if pinned.is_err() {
            self.unpin_all(&new).await;
        }
        pinned
    }

    /// Takes pins off again that a failed operation set.
    async fn unpin_all(&self, cids: &[Cid]) {
        for cid in cids {
            if let Err(left) = self.unpin(cid).await {
                tracing::warn!(%cid, error = %left, "the pin of a failed write is left behind");
            }
        }
    }

    /// Pins a tree whose blocks below the root are `below`, durably, without reading them again.
    pub(super) async fn pin_tree(&self, root: &Cid, below: Vec<Cid>) -> Result<()> {
        let _mine = self.0.pinning.lock().await;
        let new = !self.is_pinned(root).await?;
        let below = futures::stream::iter(below.into_iter().map(Ok)).boxed();
        let pins = self.0.repo.data_store();
        let pinned = pins.insert_recursive_pin(root, below).await;
        pinned.map_err(|error| into_error("pinning a tree", error))?;
        let synced = self.0.disk.sync_pins(&[*root]).await;
        if synced.is_err() && new {
            self.unpin_all(&[*root]).await;
        }
        synced
    }

    /// Takes any pin off a block; one that is not pinned is left as it is.
    pub(super) async fn unpin(&self, cid: &Cid) -> Result<()> {
        let pins = self.0.repo.data_store();
        let nothing = futures::stream::empty().boxed();
        match pins.remove_recursive_pin(cid, nothing).await {
            Ok(()) => Ok(()),
            Err(error) => match into_error("unpinning", error) {
                io @ Error::Io { .. } => Err(io),
                _ => Ok(()),
            },
        }
    }

    /// The blocks that are pinned without what is below them.
    pub(super) async fn pinned_directly(&self) -> Result<Vec<Cid>> {
        let pins = self.0.repo.list_pins(PinMode::Direct).await;
        let pins: std::result::Result<Vec<_>, _> = pins.try_collect().await;
        let pins = pins.map_err(|error| into_error("reading pins", error))?;
        Ok(pins.into_iter().map(|(cid, _)| cid).collect())
    }

    pub(super) async fn is_pinned(&self, cid: &Cid) -> Result<bool> {
        let pinned = self.0.repo.is_pinned(cid).await;
        pinned.map_err(|error| into_error("reading pins", error))
    }

    /// Deletes those of `cids` that no pin holds.
    pub(super) async fn discard(&self, cids: &[Cid]) -> Result<()> {
        for cid in cids {
            if self.is_pinned(cid).await? {
                continue;
            }
            self.0.disk.remove(cid).await?;
        }
        Ok(())
    }

    /// The blocks on disk, with their bytes.
    pub(super) async fn blocks(&self) -> Result<Vec<(Cid, u64)>> {
        self.0.disk.list().await
    }

    /// How many peers are connected.
    pub(super) async fn peers(&self) -> usize {
        self.0.ipfs.connected().await.map_or(0, |peers| peers.len())
    }

    pub(super) fn remember(&self, address: Multiaddr) {
        let mut known = self.0.known.lock().unwrap_or_else(|held| held.into_inner());
        if !known.contains(&address) {
            known.push(address);
        }
    }

    /// How many peers are known by address.
    fn known(&self) -> usize {
        let known = self.0.known.lock().unwrap_or_else(|held| held.into_inner());
        known.len()
    }

    /// The known peers that cannot be asked for blocks now.
    fn away(&self) -> Vec<Multiaddr> {
        let known = self.0.known.lock().unwrap_or_else(|held| held.into_inner());
        let is_away = |address: &&Multiaddr| {
            !address
                .peer_id()
                .is_some_and(|peer| self.0.exchange.is_ready(&peer))
        };
        known.iter().filter(is_away).cloned().collect()
    }

    /// Connects unless there is a connection already that blocks can be asked over.
    pub(super) async fn dial(&self, address: &Multiaddr) -> Result<()> {
        peers::dial(&self.0.ipfs, &self.0.exchange, address).await
    }

    /// Dials the known peers that are away, in the background, one round at a time.
    pub(super) fn redial(&self) {
        let away = self.away();
        if away.is_empty() {
            return;
        }
        let Ok(round) = self.0.redial.clone().try_lock_owned() else {
            return;
        };
        let exchange = self.0.exchange.clone();
        let ipfs = self.0.ipfs.clone();
        tokio::spawn(async move {
            let _round = round;
            let dials = away.iter().map(async |address| {
                if let Err(error) = peers::dial(&ipfs, &exchange, address).await {
                    tracing::debug!(%address, %error, "peer not reached");
                }
            });
            futures::future::join_all(dials).await;
        });
    }
}

/// Finds the io error in what rust-ipfs reports.
pub(super) fn into_error(doing: &'static str, error: rust_ipfs::Error) -> Error {
    match error.downcast::<std::io::Error>() {
        Ok(source) => Error::Io { doing, source },
        Err(other) => Error::Ipfs {
            doing,
            source: Cause::from(other),
        },
    }
}
