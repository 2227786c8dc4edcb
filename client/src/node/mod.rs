//! IPFS: an embedded node with its repository on disk. The only place that names `rust_ipfs` / libp2p.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::domain::{BlockDigest, ImageDigest};

pub struct NodeConfig {
    pub repo: PathBuf,
    /** multiaddrs */
    pub listen: Vec<String>,
    pub bootstrap: Vec<String>,
    /** bytes per leaf */
    pub chunk_size: usize,
}
/// A running node; `shutdown` stops it cleanly.
pub struct Node(());
/// A SEIPD body's own UnixFS tree: its root (raw leaf or dag-pb) and sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRef {
    /** CIDv1 text */
    pub cid: String,
    /** bytes of the file */
    pub file_size: u64,
    /** bytes of all blocks of the tree, dag-pb included */
    pub dag_size: u64,
}
/// A sealed root taken apart (protocol §4): exactly two links, no inline data, sizes that add up.
pub struct Root {
    pub header: Vec<u8>,
    pub body: BodyRef,
}
pub struct Stored {
    pub image: ImageDigest,
    /** bytes of blocks that were not there before */
    pub new_bytes: u64,
}
pub struct RepoStat {
    pub blocks: u64,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("placeholder")]
    Placeholder,
}
pub type Result<T> = std::result::Result<T, Error>;

impl Node {
    pub async fn start(_config: NodeConfig) -> Result<Self> {
        todo!()
    }
    pub async fn shutdown(self) {
        todo!()
    }
    /// `/ip4/…/tcp/…/p2p/…`
    pub async fn addresses(&self) -> Result<Vec<String>> {
        todo!()
    }
    pub async fn connect(&self, _multiaddr: &str) -> Result<()> {
        todo!()
    }
    /// Stores a raw block, pinned. At most 1 MiB.
    pub async fn put_raw(&self, _block: Vec<u8>) -> Result<BlockDigest> {
        todo!()
    }
    /// Fetches a raw block by digest, from here or from peers; at most `max` bytes.
    pub async fn get_raw(
        &self,
        _digest: &BlockDigest,
        _max: usize,
        _timeout: Duration,
    ) -> Result<Vec<u8>> {
        todo!()
    }
    /// Adds a body (UnixFS, CIDv1, raw leaves, `chunk_size`, at most 1024 links a node) and pins it recursively.
    pub async fn add_body(
        &self,
        _body: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<BodyRef> {
        todo!()
    }
    /// Writes the header block and the root that joins it to the body; pins both directly. Does not touch the body.
    pub async fn put_root(&self, _header: Vec<u8>, _body: &BodyRef) -> Result<Stored> {
        todo!()
    }
    /// Fetches and checks a root and its header.
    pub async fn get_root(&self, _image: &ImageDigest, _timeout: Duration) -> Result<Root> {
        todo!()
    }
    /// Streams a body's bytes, from here or from peers, each block verified against its CID.
    pub async fn read_body(
        &self,
        _body: &BodyRef,
        _timeout: Duration,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>> {
        todo!()
    }
    /// Streams a whole sealed root: the OpenPGP message (`ipfs cat`).
    pub async fn cat(
        &self,
        _image: &ImageDigest,
        _timeout: Duration,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>> {
        todo!()
    }
    /// Pins a body recursively after it was fetched.
    pub async fn pin_body(&self, _body: &BodyRef) -> Result<()> {
        todo!()
    }
    /// Unpins and deletes a root and its header from this node; the body stays.
    pub async fn drop_header(&self, _image: &ImageDigest) -> Result<()> {
        todo!()
    }
    /// Unpins and deletes a body.
    pub async fn drop_body(&self, _body: &BodyRef) -> Result<()> {
        todo!()
    }
    pub async fn stat(&self) -> Result<RepoStat> {
        todo!()
    }
}
