//! The storage of a node: blocks and pins, its own ([`Store`](super::store::Store)) or those of another process
//! ([`Kubo`](super::rpc::Kubo)). Trees, roots and their checks stand above it and are the same for both.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::future::BoxFuture;

use super::Result;
use super::mail::{Mailbox, Serving, Topic};
use super::types::{RepoStat, Survey};
use pcim_core::ImageDigest;

/// Where a block may be taken from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// This node only.
    Local,
    /// Peers too, each block within this time.
    Peers(Duration),
}

/// A storage, shared by the streams that read from it.
pub(super) type Shared = Arc<dyn Storage>;

/// Blocks and pins. Whatever is read was verified against its CID; what was written and pinned lasts.
#[async_trait]
pub(super) trait Storage: Send + Sync {
    /// Reads a block of at most `max` bytes that is here; `None` if it is not.
    async fn local(&self, cid: &Cid, max: usize) -> Result<Option<Bytes>>;

    /// Reads a block of at most `max` bytes from wherever `reach` allows.
    async fn get(&self, cid: &Cid, max: usize, reach: Reach) -> Result<Bytes>;

    /// Blocks to be written together.
    fn batch(&self) -> Box<dyn Batch>;

    /// Writes a few blocks; `written` tells which were not there before, on a failure too.
    async fn put(&self, blocks: Vec<(Cid, Bytes)>, written: &mut Vec<Cid>) -> Result<()>;

    /// Tells peers that waited for blocks.
    fn announce(&self, _cids: &[Cid]) {}

    /// Remembers that a body is about to be read: a peer that has it may have its leaves.
    async fn about(&self, _body: &Cid) {}

    /// Returns true if a block is here; it is not read.
    async fn has(&self, cid: &Cid) -> Result<bool>;

    /// Returns true if a pin holds a block.
    async fn is_pinned(&self, cid: &Cid) -> Result<bool>;

    /// Makes blocks last that came from peers.
    ///
    /// # Errors
    /// [`Error::Missing`](super::Error::Missing) if one is not here; a storage may leave that to `pin_tree`.
    async fn keep(&self, cids: &[Cid]) -> Result<()>;

    /// Pins blocks without what is below them, all of them or none.
    async fn pin_direct(&self, cids: &[Cid]) -> Result<()>;

    /// Pins a tree whose blocks below the root are `below`, all of them here.
    async fn pin_tree(&self, root: &Cid, below: Vec<Cid>) -> Result<()>;

    /// Takes any pin off a block; one that is not pinned is left as it is.
    async fn unpin(&self, cid: &Cid) -> Result<()>;

    /// Deletes those of `cids` that no pin holds.
    async fn discard(&self, cids: &[Cid]) -> Result<()>;

    /// Deletes what no pin holds and was written longer ago than `age`. Another process's node has a time of its own.
    async fn collect_garbage(&self, age: Duration) -> Result<()>;

    /// Counts the blocks.
    async fn stat(&self) -> Result<RepoStat>;

    /// Where peers reach the node.
    async fn addresses(&self) -> Result<Vec<String>>;

    /// The ids of the connected peers.
    async fn peers(&self) -> Result<Vec<String>>;

    /// Connects to a peer and remembers it for later.
    async fn connect(&self, address: &str) -> Result<()>;

    /// Asks the connected peers which blocks of a sealed root they have.
    async fn survey(&self, image: &ImageDigest, limit: Duration) -> Result<Survey>;

    /// Asks a peer's mailbox, or a guest's host; the peer has `limit` to answer.
    async fn ask(
        &self,
        topic: Topic,
        address: &str,
        question: Bytes,
        limit: Duration,
    ) -> Result<Bytes>;

    /// Has a mailbox or a host answer what peers ask, from now on until the result is dropped.
    ///
    /// # Errors
    /// [`Error::Unable`](super::Error::Unable) over the API of another process's node.
    async fn keep_mailbox(&self, topic: Topic, mailbox: Arc<dyn Mailbox>) -> Result<Serving>;

    /// Returns what is left to do once the storage is dropped.
    fn closing(&self) -> BoxFuture<'static, ()>;

    /// The storage as what it is, for tests of the embedded one.
    #[cfg(test)]
    fn as_any(&self) -> &dyn std::any::Any;
}

/// Blocks being written together.
#[async_trait]
pub(super) trait Batch: Send {
    /// Takes a block, once there is room for it; the CID is its own.
    ///
    /// # Errors
    /// Those of this block or of an earlier one.
    async fn put(&mut self, cid: Cid, bytes: Bytes) -> Result<()>;

    /// Waits until every block is stored to stay; tells which may not have been there before.
    async fn commit(&mut self) -> Result<Vec<Cid>>;

    /// Gives up; tells which blocks may be there now and were not before.
    async fn give_up(&mut self) -> Vec<Cid>;
}
