//! The embedded node's blocks and pins: what lies in its repository on disk, and what has to come from a peer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use rust_ipfs::p2p::MultiaddrExt;
use rust_ipfs::repo::{DefaultStorage, PinStore, Repo};
use rust_ipfs::{Ipfs, Multiaddr, PinMode};

use super::disk::Disk;
use super::error::of_ipfs;
use super::exchange::{Exchange, Failed};
use super::mail::{self, Mailbox, Serving, Topic};
use super::replicas;
use super::seeker::Seeker;
use super::storage::{self, Reach, Shared, Storage};
use super::types::{Replica, RepoStat, Survey};
use super::{Error, Result, Tried, peers};
use pcim_core::ImageDigest;

/// How long peers are asked for a block that is damaged here.
const HEALING: Duration = Duration::from_secs(5);
/// How often a waiting fetch dials the peers that are away.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The running node's parts, shared by its streams.
#[derive(Clone)]
pub(super) struct Store(Arc<StoreParts>);

struct StoreParts {
    ipfs: Ipfs,
    repo: Repo<DefaultStorage>,
    /// Where it lies.
    path: PathBuf,
    disk: Disk,
    exchange: Exchange,
    /// Held while pins are set, so that it is known whose they are.
    pinning: tokio::sync::Mutex<()>,
    /// Peers that were asked for by address; dialled again when a block is missing.
    known: Mutex<Vec<Multiaddr>>,
    redial: Arc<tokio::sync::Mutex<()>>,
    /// Set while there is a DHT to ask.
    seeker: OnceLock<Seeker>,
}

impl Store {
    pub(super) fn new(ipfs: Ipfs, path: PathBuf, disk: Disk, exchange: Exchange) -> Self {
        Self(Arc::new(StoreParts {
            repo: ipfs.repo().clone(),
            path,
            ipfs,
            disk,
            exchange,
            pinning: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            redial: Arc::default(),
            seeker: OnceLock::new(),
        }))
    }

    pub(super) fn ipfs(&self) -> &Ipfs {
        &self.0.ipfs
    }

    #[cfg(test)]
    pub(super) fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// Has missing blocks looked up in the DHT from now on.
    pub(super) fn seek_with(&self, seeker: Seeker) {
        // There is one DHT; a second call changes nothing.
        let _ = self.0.seeker.set(seeker);
    }

    /// The blocks that are pinned without what is below them.
    pub(super) async fn pinned_directly(&self) -> Result<Vec<Cid>> {
        let pins = self.0.repo.list_pins(PinMode::Direct).await;
        let pins: std::result::Result<Vec<_>, _> = pins.try_collect().await;
        let pins = pins.map_err(|error| of_ipfs("reading pins", error))?;
        Ok(pins.into_iter().map(|(cid, _)| cid).collect())
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
                    peers: self.connected().await,
                    tried: Tried(answered.chain(away).collect()),
                }
            }
        })
    }

    /// Takes pins off again that a failed operation set.
    async fn unpin_all(&self, cids: &[Cid]) {
        for cid in cids {
            if let Err(left) = self.unpin(cid).await {
                tracing::warn!(%cid, error = %left, "the pin of a failed write is left behind");
            }
        }
    }

    /// How many peers are connected.
    async fn connected(&self) -> usize {
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

#[async_trait]
impl Storage for Store {
    async fn local(&self, cid: &Cid, max: usize) -> Result<Option<Bytes>> {
        self.0.disk.read(cid, max).await
    }

    async fn get(&self, cid: &Cid, max: usize, reach: Reach) -> Result<Bytes> {
        let here = match self.local(cid, max).await {
            Ok(Some(bytes)) => return Ok(bytes),
            Ok(None) => None,
            Err(damaged @ Error::BlockMismatch { .. }) => Some(damaged),
            Err(other) => return Err(other),
        };
        let found = match (here, reach) {
            (None, Reach::Peers(timeout)) => self.fetch(cid, timeout).await?,
            // The bytes of a peer take the damaged block's place.
            (Some(damaged), Reach::Peers(timeout)) if self.connected().await + self.known() > 0 => {
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

    fn batch(&self) -> Box<dyn storage::Batch> {
        Box::new(self.0.disk.batch())
    }

    async fn put(&self, blocks: Vec<(Cid, Bytes)>, written: &mut Vec<Cid>) -> Result<()> {
        let mut batch = self.0.disk.batch();
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

    fn announce(&self, cids: &[Cid]) {
        self.0.exchange.announce(cids);
    }

    async fn about(&self, body: &Cid) {
        if let Some(seeker) = self.0.seeker.get() {
            seeker.about(*body);
        }
    }

    async fn has(&self, cid: &Cid) -> Result<bool> {
        Ok(self.0.disk.contains(cid))
    }

    async fn is_pinned(&self, cid: &Cid) -> Result<bool> {
        let pinned = self.0.repo.is_pinned(cid).await;
        pinned.map_err(|error| of_ipfs("reading pins", error))
    }

    async fn keep(&self, cids: &[Cid]) -> Result<()> {
        if let Some(missing) = cids.iter().find(|cid| !self.0.disk.contains(cid)) {
            return Err(Error::Missing {
                cid: missing.to_string(),
            });
        }
        self.0.disk.sync(cids).await
    }

    async fn pin_direct(&self, cids: &[Cid]) -> Result<()> {
        let _mine = self.0.pinning.lock().await;
        let mut new = Vec::new();
        let pinned = async {
            for cid in cids {
                if !self.is_pinned(cid).await? {
                    new.push(*cid);
                }
                let pinned = self.0.repo.data_store().insert_direct_pin(cid).await;
                pinned.map_err(|error| of_ipfs("pinning a block", error))?;
            }
            self.0.disk.sync_pins(cids).await
        }
        .await;
        if pinned.is_err() {
            self.unpin_all(&new).await;
        }
        pinned
    }

    /// Does not read the blocks again.
    async fn pin_tree(&self, root: &Cid, below: Vec<Cid>) -> Result<()> {
        let _mine = self.0.pinning.lock().await;
        let new = !self.is_pinned(root).await?;
        let below = futures::stream::iter(below.into_iter().map(Ok)).boxed();
        let pins = self.0.repo.data_store();
        let pinned = pins.insert_recursive_pin(root, below).await;
        pinned.map_err(|error| of_ipfs("pinning a tree", error))?;
        let synced = self.0.disk.sync_pins(&[*root]).await;
        if synced.is_err() && new {
            self.unpin_all(&[*root]).await;
        }
        synced
    }

    async fn unpin(&self, cid: &Cid) -> Result<()> {
        let pins = self.0.repo.data_store();
        let nothing = futures::stream::empty().boxed();
        match pins.remove_recursive_pin(cid, nothing).await {
            Ok(()) => Ok(()),
            Err(error) => match of_ipfs("unpinning", error) {
                io @ Error::Io { .. } => Err(io),
                _ => Ok(()),
            },
        }
    }

    async fn discard(&self, cids: &[Cid]) -> Result<()> {
        for cid in cids {
            if self.is_pinned(cid).await? {
                continue;
            }
            self.0.disk.remove(cid).await?;
        }
        Ok(())
    }

    async fn collect_garbage(&self, age: Duration) -> Result<()> {
        let now = SystemTime::now();
        // One from the future is as young as can be.
        let is_old = |written: &SystemTime| now.duration_since(*written).unwrap_or_default() >= age;
        let blocks = self.0.disk.list().await?;
        let old = blocks.into_iter().filter(|(.., written)| is_old(written));
        let old: Vec<_> = old.map(|(cid, ..)| cid).collect();
        self.discard(&old).await
    }

    async fn stat(&self) -> Result<RepoStat> {
        let blocks = self.0.disk.list().await?;
        Ok(RepoStat {
            blocks: blocks.len() as u64,
            bytes: blocks.iter().map(|(_, bytes, _)| bytes).sum(),
        })
    }

    async fn addresses(&self) -> Result<Vec<String>> {
        peers::addresses(&self.0.ipfs).await
    }

    async fn peers(&self) -> Result<Vec<String>> {
        let connected = self.0.ipfs.connected().await;
        let connected = connected.map_err(|error| of_ipfs("asking for peers", error))?;
        Ok(connected.iter().map(ToString::to_string).collect())
    }

    async fn connect(&self, address: &str) -> Result<()> {
        let address = peers::parse(address)?;
        peers::dial(&self.0.ipfs, &self.0.exchange, &address).await?;
        self.remember(address);
        Ok(())
    }

    async fn survey(&self, image: &ImageDigest, limit: Duration) -> Result<Survey> {
        let store: Shared = Arc::new(self.clone());
        let blocks = replicas::blocks_of(&store, image, Reach::Peers(limit)).await?;
        let exchange = &self.0.exchange;
        let asked = exchange.ready_peers().into_iter().map(async |peer| {
            let held = exchange.survey(peer, &blocks, limit).await;
            Replica {
                peer: peer.to_string(),
                has: held.has,
                lacks: held.lacks,
                silent: blocks.len() - held.has - held.lacks,
            }
        });
        let mut peers = futures::future::join_all(asked).await;
        peers.sort_by(|a, b| a.peer.cmp(&b.peer));
        Ok(Survey {
            blocks: blocks.len(),
            peers,
        })
    }

    async fn ask(
        &self,
        topic: Topic,
        address: &str,
        question: Bytes,
        limit: Duration,
    ) -> Result<Bytes> {
        let to = peers::parse(address)?;
        peers::dial(&self.0.ipfs, &self.0.exchange, &to).await?;
        mail::ask(&self.0.ipfs, topic, &to, question, limit).await
    }

    async fn keep_mailbox(&self, topic: Topic, mailbox: Arc<dyn Mailbox>) -> Result<Serving> {
        mail::keep(self.0.ipfs.clone(), topic, mailbox).await
    }

    #[cfg(test)]
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    /// Stops the swarm and waits until the repository is free for another node.
    fn closing(&self) -> BoxFuture<'static, ()> {
        let (ipfs, path) = (self.0.ipfs.clone(), self.0.path.clone());
        Box::pin(async move { peers::stop(ipfs, &path).await })
    }
}
