//! The node: what is stored, fetched, pinned and dropped, one call at a time.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::sync::RwLock;
use tokio::task::JoinSet;

use super::archive::{self, Imported};
use super::disk::Disk;
use super::exchange::Exchange;
use super::mail::{Mailbox, Serving, Topic};
use super::network::{Hooks, Network, SwarmKey};
use super::rpc::Kubo;
use super::storage::{Reach, Shared, Storage as _};
use super::store::Store;
use super::types::{MAX_BLOCK, NodeConfig, RepoStat, Root, Stored, Survey};
use super::{Error, Result, body, peers, root, swarm, unixfs};
use pcim_core::{BlockDigest, BodyRef, ImageDigest};

/// A node: an embedded one, or another process's that is spoken to. `shutdown` stops it cleanly.
pub struct Node {
    pub(super) store: Shared,
    /// Shared while blocks are written and pinned, exclusive while unpinned ones are deleted.
    pub(super) gate: Arc<RwLock<()>>,
    chunk_size: usize,
    /// Tasks that go on beside; they end with the node.
    tasks: JoinSet<()>,
}

/// Every time limit is for one block: a long body may take longer, as long as it keeps coming.
impl Node {
    /// Opens the repository, listens, and dials the bootstrap peers in the background.
    ///
    /// # Errors
    /// [`Error::RepoLocked`], [`Error::Identity`], [`Error::Listen`], and malformed configuration.
    pub async fn start(config: NodeConfig) -> Result<Self> {
        Self::start_in(config, &Network::default(), None).await
    }

    /// Starts as [`start`](Self::start) does, in a network of other settings, and in the private swarm of `key` if there is one.
    ///
    /// # Errors
    /// Those of [`Node::start`]; [`Error::NoSwarmKey`], [`Error::SwarmKey`].
    pub async fn start_in(
        config: NodeConfig,
        network: &Network,
        key: Option<&SwarmKey>,
    ) -> Result<Self> {
        check_chunk(config.chunk_size)?;
        let bootstrap = peers::parse_all(&config.bootstrap)?;
        let repo = swarm::open(&config.repo).await?;
        let disk = Disk::open(&config.repo).map_err(Error::io("sweeping the repository"))?;
        let (exchange, streams) = Exchange::new(disk.clone());
        let (hooks, met) = Hooks::pair();
        let ipfs = swarm::start(&config, repo, streams, (network, key), hooks).await?;
        let store = Store::new(ipfs, config.repo, disk, exchange);
        let tasks = match network.begin(&store, met).await {
            Ok(tasks) => tasks,
            Err(error) => {
                let closing = store.closing();
                drop(store);
                closing.await;
                return Err(error);
            }
        };
        for address in bootstrap {
            store.remember(address);
        }
        store.redial();
        Ok(Self::above(Arc::new(store), config.chunk_size, tasks))
    }

    /// Speaks to the node behind a Kubo RPC API (`http://host:port` or `unix:/path`). That node is asked to dial the bootstrap peers.
    ///
    /// # Errors
    /// [`Error::Endpoint`], and [`Error::Api`] if nothing answers there.
    pub async fn over(api: &str, bootstrap: &[String], chunk_size: usize) -> Result<Self> {
        check_chunk(chunk_size)?;
        let bootstrap = parsed(bootstrap)?;
        let kubo = Kubo::at(api, bootstrap).await?;
        Ok(Self::above(Arc::new(kubo), chunk_size, JoinSet::new()))
    }

    /// Speaks to the node that serves on a socket ([`Node::serve`]); `None` if none does.
    pub async fn beside(
        socket: &Path,
        bootstrap: &[String],
        chunk_size: usize,
    ) -> Result<Option<Self>> {
        check_chunk(chunk_size)?;
        let bootstrap = parsed(bootstrap)?;
        let kubo = Kubo::daemon(socket, bootstrap).await?;
        Ok(kubo.map(|kubo| Self::above(Arc::new(kubo), chunk_size, JoinSet::new())))
    }

    /// Asks the node that serves on a socket ([`Node::serve`]) to end; false if none does.
    ///
    /// # Errors
    /// [`Error::Api`]
    pub async fn stop_beside(socket: &Path) -> Result<bool> {
        Kubo::stop_daemon(socket).await
    }

    /// Makes another handle on the same node.
    pub(super) fn share(&self) -> Self {
        Self {
            store: Shared::clone(&self.store),
            gate: Arc::clone(&self.gate),
            chunk_size: self.chunk_size,
            tasks: JoinSet::new(),
        }
    }

    fn above(store: Shared, chunk_size: usize, tasks: JoinSet<()>) -> Self {
        Self {
            store,
            gate: Arc::default(),
            chunk_size,
            tasks,
        }
    }

    /// Stops the node and waits until the repository is free for another one. Streams that are still
    /// open end with an error once they need a peer.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
        let closing = self.store.closing();
        drop(self.store);
        closing.await;
    }

    /// Lists where peers reach this node: `/ip4/…/tcp/…/p2p/…`
    pub async fn addresses(&self) -> Result<Vec<String>> {
        self.store.addresses().await
    }

    /// Connects to a peer and remembers it for later.
    ///
    /// # Errors
    /// [`Error::PeerUnreachable`] after ten seconds at most.
    pub async fn connect(&self, multiaddr: &str) -> Result<()> {
        self.store.connect(multiaddr).await
    }

    /// Asks the mailbox of the node at a multiaddr (with `/p2p/…`), which has `limit` to answer.
    ///
    /// # Errors
    /// [`Error::PeerUnreachable`], [`Error::MailboxSilent`]; [`Error::Unable`] over the API of another program's node.
    pub async fn ask_mailbox(
        &self,
        multiaddr: &str,
        question: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>> {
        let (topic, question) = (Topic::Mail, question.into());
        let answer = self.store.ask(topic, multiaddr, question, limit).await?;
        Ok(answer.to_vec())
    }

    /// Asks the one who shares an image with a guest, whose node is at a multiaddr (with `/p2p/…`), within `limit`.
    ///
    /// # Errors
    /// As [`Node::ask_mailbox`].
    pub async fn ask_host(
        &self,
        multiaddr: &str,
        question: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>> {
        let (topic, question) = (Topic::Guests, question.into());
        let answer = self.store.ask(topic, multiaddr, question, limit).await?;
        Ok(answer.to_vec())
    }

    /// Has a host answer guests, until the result is dropped. The node's [`Network`] must say that it receives them.
    ///
    /// # Errors
    /// [`Error::Unable`] for another process's node.
    pub async fn receive_guests(&self, host: Arc<dyn Mailbox>) -> Result<Serving> {
        self.store.keep_mailbox(Topic::Guests, host).await
    }

    /// Has a mailbox answer what peers ask, until the result is dropped. The node's [`Network`] must say that it keeps one.
    ///
    /// # Errors
    /// [`Error::Unable`] for another process's node.
    pub async fn keep_mailbox(&self, mailbox: Arc<dyn Mailbox>) -> Result<Serving> {
        self.store.keep_mailbox(Topic::Mail, mailbox).await
    }

    /// Counts the connected peers.
    pub async fn peers(&self) -> usize {
        self.store.peers().await.map_or(0, |peers| peers.len())
    }

    /// Stores a raw block, pinned. At most [`MAX_BLOCK`].
    pub async fn put_raw(&self, block: Vec<u8>) -> Result<BlockDigest> {
        let cid = unixfs::cid_of(unixfs::RAW, &block);
        if block.len() > MAX_BLOCK {
            return Err(Error::TooLarge {
                cid: cid.to_string(),
                found: block.len(),
                max: MAX_BLOCK,
            });
        }
        let mut written = Vec::new();
        let gate = self.gate.read().await;
        let stored = async {
            let block = vec![(cid, block.into())];
            self.store.put(block, &mut written).await?;
            self.store.pin_direct(&[cid]).await
        }
        .await;
        std::mem::drop(gate);
        self.settle(stored, written).await?;
        let digest = unixfs::digest_of(&cid).expect("blocks are written with sha2-256");
        Ok(BlockDigest(digest))
    }

    /// Fetches a raw block by digest, from here or from peers; at most `max` bytes.
    pub async fn get_raw(
        &self,
        digest: &BlockDigest,
        max: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>> {
        let cid = unixfs::cid_from_digest(unixfs::RAW, &digest.0);
        let bytes = self.store.get(&cid, max, Reach::Peers(timeout)).await?;
        Ok(bytes.to_vec())
    }

    /// Adds a body (UnixFS, CIDv1, raw leaves, `chunk_size`, at most 1024 links a node) and pins it
    /// recursively. If the stream or the disk fails, nothing is pinned and what was written is deleted.
    pub async fn add_body(&self, body: BoxStream<'static, io::Result<Bytes>>) -> Result<BodyRef> {
        self.add_body_noted(body, &mut |_| Ok(())).await
    }

    /// Adds a body as [`add_body`](Self::add_body) does; `record` is called with the body's reference when it is on the disk
    /// and not pinned yet, so that a process that is killed later finds what to drop. If it fails, nothing is pinned.
    pub async fn add_body_noted(
        &self,
        body: BoxStream<'static, io::Result<Bytes>>,
        record: &mut (dyn FnMut(&BodyRef) -> io::Result<()> + Send),
    ) -> Result<BodyRef> {
        let (links, mut written) = (unixfs::MAX_LINKS, Vec::new());
        let gate = self.gate.read().await;
        let chunk = self.chunk_size;
        let added = body::add(&self.store, body, chunk, links, &mut written, record).await;
        std::mem::drop(gate);
        self.settle(added, written).await
    }

    /// Writes the header block and the root that joins it to the body; pins both directly. Does not
    /// touch the body, which need not even be here.
    pub async fn put_root(&self, header: Vec<u8>, body: &BodyRef) -> Result<Stored> {
        let mut written = Vec::new();
        let gate = self.gate.read().await;
        let put = root::put(&self.store, header, body, &mut written).await;
        std::mem::drop(gate);
        self.settle(put, written).await
    }

    /// Fetches and checks a root and its header.
    pub async fn get_root(&self, image: &ImageDigest, timeout: Duration) -> Result<Root> {
        root::get(&self.store, image, Reach::Peers(timeout)).await
    }

    /// Streams a body's bytes, from here or from peers, each block verified against its CID, every
    /// size against what `body` declares. Blocks from peers stay here, unpinned.
    pub async fn read_body(
        &self,
        body: &BodyRef,
        timeout: Duration,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>> {
        self.store.about(&body::link_to(body)?.cid).await;
        body::read(&self.store, body, Reach::Peers(timeout)).await
    }

    /// Streams a whole sealed root: the OpenPGP message (`ipfs cat`).
    pub async fn cat(
        &self,
        image: &ImageDigest,
        timeout: Duration,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>> {
        let root = self.get_root(image, timeout).await?;
        let body = self.read_body(&root.body, timeout).await?;
        let header = stream::iter([Ok(Bytes::from(root.header))]);
        Ok(header.chain(body).boxed())
    }

    /// Streams a sealed image as a CAR file (version 1) of its root, header and body.
    pub async fn export_car(
        &self,
        image: &ImageDigest,
        timeout: Duration,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>> {
        archive::export(&self.store, image, Reach::Peers(timeout)).await
    }

    /// Stores and pins the one sealed image that a CAR file of at most `max_bytes` holds.
    ///
    /// # Errors
    /// [`Error::Car`], [`Error::NotARoot`] and [`Error::NotABody`] for any other file; nothing of it is kept.
    pub async fn import_car(
        &self,
        file: BoxStream<'static, io::Result<Bytes>>,
        max_bytes: u64,
    ) -> Result<Imported> {
        let mut written = Vec::new();
        let gate = self.gate.read().await;
        let imported = archive::import(&self.store, file, max_bytes, &mut written).await;
        std::mem::drop(gate);
        self.settle(imported, written).await
    }

    /// Ends a write that held the gate and holds it no more: what a failed one wrote is deleted. Another write may have
    /// found such a block here and rely on it, so this waits, in the background, until none is under way.
    pub(super) async fn settle<T, E>(
        &self,
        result: std::result::Result<T, E>,
        written: Vec<Cid>,
    ) -> std::result::Result<T, E> {
        if result.is_ok() || written.is_empty() {
            return result;
        }
        match self.gate.try_write() {
            Ok(_alone) => take_back(&self.store, &written).await,
            Err(_) => {
                let (store, gate) = (Shared::clone(&self.store), Arc::clone(&self.gate));
                tokio::spawn(async move {
                    let _alone = gate.write().await;
                    take_back(&store, &written).await;
                });
            }
        }
        result
    }

    /// Fetches what is not here of a body and pins it recursively. A block is read once, however often it is in the body.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::NotABody`]
    pub async fn fetch_body(&self, body: &BodyRef, timeout: Duration) -> Result<()> {
        self.store.about(&body::link_to(body)?.cid).await;
        let mut blocks = body::blocks(&self.store, body, Reach::Peers(timeout))?;
        while blocks.try_next().await?.is_some() {}
        self.pin_body(body).await
    }

    /// Pins a body recursively after it was fetched.
    ///
    /// # Errors
    /// [`Error::Missing`] if a block of it is not here.
    pub async fn pin_body(&self, body: &BodyRef) -> Result<()> {
        let _gate = self.gate.read().await;
        body::pin(&self.store, body).await
    }

    /// Unpins and deletes a root and its header from this node; the body stays.
    pub async fn drop_header(&self, image: &ImageDigest) -> Result<()> {
        let _gate = self.gate.write().await;
        root::drop(&self.store, image).await
    }

    /// Unpins a body and deletes its blocks from this node, as far as no other pin holds them.
    pub async fn drop_body(&self, body: &BodyRef) -> Result<()> {
        let _gate = self.gate.write().await;
        body::drop(&self.store, body).await
    }

    /// Deletes every block that nothing pins (left by an interrupted write, or fetched and not kept).
    /// To be called when no fetch is under way.
    pub async fn collect_garbage(&self) -> Result<()> {
        self.collect_old_garbage(Duration::ZERO).await
    }

    /// Deletes unpinned blocks that were written longer ago than `age`: work that goes on meanwhile keeps what it wrote or fetched.
    pub async fn collect_old_garbage(&self, age: Duration) -> Result<()> {
        let _gate = self.gate.write().await;
        self.store.collect_garbage(age).await
    }

    /// Asks the peers that are connected now which blocks of a sealed root they have. The root and the inner nodes of
    /// the body are fetched if they are not here; `timeout` is for each of them, and for a peer's silence.
    ///
    /// # Errors
    /// Those of [`Node::get_root`].
    /// [`Error::Unable`](super::Error::Unable) over the API of another program's node.
    pub async fn survey(&self, image: &ImageDigest, timeout: Duration) -> Result<Survey> {
        self.store.survey(image, timeout).await
    }

    /// Counts the blocks on disk.
    pub async fn stat(&self) -> Result<RepoStat> {
        self.store.stat().await
    }
}

async fn take_back(store: &Shared, written: &[Cid]) {
    if let Err(left) = store.discard(written).await {
        tracing::warn!(error = %left, "blocks of a failed write are left behind");
    }
}

/// The addresses, checked and in their canonical form.
fn parsed(addresses: &[String]) -> Result<Vec<String>> {
    let parsed = peers::parse_all(addresses)?;
    Ok(parsed.iter().map(ToString::to_string).collect())
}

fn check_chunk(found: usize) -> Result<()> {
    match (1..=MAX_BLOCK).contains(&found) {
        true => Ok(()),
        false => Err(Error::ChunkSize {
            found,
            max: MAX_BLOCK,
        }),
    }
}
