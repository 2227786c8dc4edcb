//! Blocks and pins: what lies in the repository on disk, and what has to come from a peer.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use futures::StreamExt;
use rust_ipfs::repo::{DefaultStorage, PinStore, Repo};
use rust_ipfs::{Block, Ipfs, Multiaddr};
use tokio::sync::RwLock;

use super::unixfs::cid_of;
use super::{Cause, Error, MAX_BLOCK, Result, peers};

/// How often a waiting fetch looks whether the block has come in by another way.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The running node's parts, shared by its streams.
#[derive(Clone)]
pub(super) struct Store(Arc<Parts>);

struct Parts {
    ipfs: Ipfs,
    repo: Repo<DefaultStorage>,
    dir: PathBuf,
    /// Shared while blocks are written and pinned, exclusive while unpinned ones are deleted.
    gate: RwLock<()>,
    /// Peers that were asked for by address; dialled again when a block is missing.
    known: Mutex<Vec<Multiaddr>>,
    redial: Arc<tokio::sync::Mutex<()>>,
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
    pub(super) fn new(ipfs: Ipfs, dir: &Path) -> Self {
        Self(Arc::new(Parts {
            repo: ipfs.repo().clone(),
            ipfs,
            dir: dir.to_owned(),
            gate: RwLock::default(),
            known: Mutex::default(),
            redial: Arc::default(),
        }))
    }

    pub(super) fn ipfs(&self) -> &Ipfs {
        &self.0.ipfs
    }

    pub(super) fn gate(&self) -> &RwLock<()> {
        &self.0.gate
    }

    /// Reads a block from disk and verifies it; `None` if it is not there.
    pub(super) async fn local(&self, cid: &Cid) -> Result<Option<Bytes>> {
        match self.0.repo.get_block_now(cid).await {
            Ok(Some(block)) => verified(cid, block.into_inner().1).map(Some),
            Ok(None) => Ok(None),
            Err(error) => match into_error("reading a block", error) {
                // rust-ipfs saw wrong bytes and kept them to itself: look which ones.
                Error::Io { source, .. } if source.kind() == std::io::ErrorKind::InvalidData => {
                    let bytes = tokio::fs::read(block_path(&self.0.dir, cid))
                        .await
                        .map_err(Error::io("reading a block"))?;
                    verified(cid, bytes.into()).map(Some)
                }
                other => Err(other),
            },
        }
    }

    /// Reads a block of at most `max` bytes from wherever `reach` allows.
    pub(super) async fn get(&self, cid: &Cid, max: usize, reach: Reach) -> Result<Bytes> {
        let found = match (self.local(cid).await?, reach) {
            (Some(bytes), _) => bytes,
            (None, Reach::Local) => {
                return Err(Error::Missing {
                    cid: cid.to_string(),
                });
            }
            (None, Reach::Peers(timeout)) => self.fetch(cid, timeout).await?,
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
        let started = Instant::now();
        let mut wanted = self.0.repo.get_block(cid).timeout(timeout);
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            match tokio::time::timeout(left.min(LOOK_AGAIN), &mut wanted).await {
                Ok(Ok(block)) => return verified(cid, block.into_inner().1),
                Ok(Err(error)) if started.elapsed() < timeout => {
                    return Err(into_error("fetching a block", error));
                }
                Ok(Err(_)) | Err(_) => {}
            }
            // Exchange may have started over and forgotten.
            let wants = self.0.ipfs.bitswap_wantlist(None).await;
            if wants.is_ok_and(|wants| !wants.contains(cid)) {
                wanted = self.0.repo.get_block(cid).timeout(left);
                self.redial();
            } else if self.peers().await < self.known() {
                // A peer that was away may be back.
                self.redial();
            }
            // A waiter that subscribes just after another one's block was stored is never told.
            if let Some(bytes) = self.local(cid).await? {
                return Ok(bytes);
            }
            if started.elapsed() >= timeout {
                // rust-ipfs drops a peer's block that it cannot write: a full disk looks like silence.
                probe(&self.0.dir).map_err(Error::io("making room for a block"))?;
                return Err(Error::Timeout {
                    cid: cid.to_string(),
                    seconds: timeout.as_secs_f64(),
                    peers: self.peers().await,
                });
            }
        }
    }

    pub(super) async fn contains(&self, cid: &Cid) -> Result<bool> {
        let found = self.0.repo.contains(cid).await;
        found.map_err(|error| into_error("looking for a block", error))
    }

    /// Writes one block; tells whether it was not there before.
    pub(super) async fn put(&self, cid: Cid, bytes: impl Into<Bytes>) -> Result<bool> {
        let mut written = Vec::new();
        self.put_many(vec![(cid, bytes.into())], &mut written)
            .await?;
        Ok(!written.is_empty())
    }

    /// Writes blocks, and adds those that were not there before to `written` *before* writing them,
    /// so that a caller can take a half-done batch back. A block that is there is verified.
    pub(super) async fn put_many(
        &self,
        blocks: Vec<(Cid, Bytes)>,
        written: &mut Vec<Cid>,
    ) -> Result<()> {
        let mut new = Vec::with_capacity(blocks.len());
        for (cid, bytes) in blocks {
            if self.local(&cid).await?.is_none() {
                written.push(cid);
                new.push(Block::new_unchecked(cid, bytes));
            }
        }
        let put = self.0.repo.put_blocks(new).await;
        put.map_err(|error| into_error("writing blocks", error))?;
        Ok(())
    }

    pub(super) async fn pin_direct(&self, cid: &Cid) -> Result<()> {
        let pinned = self.0.repo.data_store().insert_direct_pin(cid).await;
        pinned.map_err(|error| into_error("pinning a block", error))
    }

    /// Pins a tree whose blocks below the root are `below`, without reading them again.
    pub(super) async fn pin_tree(&self, root: &Cid, below: Vec<Cid>) -> Result<()> {
        let below = futures::stream::iter(below.into_iter().map(Ok)).boxed();
        let pins = self.0.repo.data_store();
        let pinned = pins.insert_recursive_pin(root, below).await;
        pinned.map_err(|error| into_error("pinning a tree", error))
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

    pub(super) async fn is_pinned(&self, cid: &Cid) -> Result<bool> {
        let pinned = self.0.repo.is_pinned(cid).await;
        pinned.map_err(|error| into_error("reading pins", error))
    }

    /// Deletes those of `cids` that no pin holds; fails if one of them is still there afterwards.
    pub(super) async fn discard(&self, cids: &[Cid]) -> Result<()> {
        for cid in cids {
            if self.is_pinned(cid).await? {
                continue;
            }
            let removed = self.0.repo.remove_block(cid, false).await;
            removed.map_err(|error| into_error("deleting a block", error))?;
            if self.contains(cid).await? {
                return Err(Error::NotDeleted {
                    cid: cid.to_string(),
                });
            }
        }
        Ok(())
    }

    pub(super) async fn blocks(&self) -> Vec<Cid> {
        self.0.repo.list_blocks().await.collect().await
    }

    pub(super) async fn bytes(&self) -> Result<u64> {
        let size = self.0.repo.get_total_size().await;
        size.map(|bytes| bytes as u64)
            .map_err(|error| into_error("measuring the repository", error))
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

    /// Dials the known peers that are not connected, in the background, one round at a time.
    pub(super) fn redial(&self) {
        let known = self.0.known.lock().unwrap_or_else(|held| held.into_inner());
        let known = known.clone();
        let Ok(round) = self.0.redial.clone().try_lock_owned() else {
            return;
        };
        let ipfs = self.0.ipfs.clone();
        tokio::spawn(async move {
            let _round = round;
            let dials = known.iter().map(async |address| {
                if let Err(error) = peers::dial(&ipfs, address).await {
                    tracing::debug!(%address, %error, "peer not reached");
                }
            });
            futures::future::join_all(dials).await;
        });
    }
}

/// The bytes, if they hash to the CID.
fn verified(cid: &Cid, bytes: Bytes) -> Result<Bytes> {
    let found = cid_of(cid.codec(), &bytes);
    if found.hash() != cid.hash() {
        return Err(Error::BlockMismatch {
            wanted: cid.to_string(),
            found: found.to_string(),
        });
    }
    Ok(bytes)
}

/// Whether the disk would take a block.
fn probe(repo: &Path) -> std::io::Result<()> {
    let mut file = tempfile::tempfile_in(repo)?;
    file.write_all(&[0; MAX_BLOCK])?;
    file.sync_all()
}

/// Where rust-ipfs keeps a block: a folder named by the two characters before the CID's last.
pub(super) fn block_path(repo: &Path, cid: &Cid) -> PathBuf {
    let name = cid.to_string();
    let shard = &name[name.len() - 3..name.len() - 1];
    repo.join("blockstore")
        .join(shard)
        .join(format!("{name}.data"))
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
