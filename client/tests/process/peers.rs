//! Helpers that the tests with other IPFS implementations share.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use pcim_node::{BodyRef, Node, NodeConfig};

/// Set when npm's packages under `tests/interop` are installed.
pub(crate) const NPM: &str = "PCIM_TEST_NPM";

/// A node of our own on loopback, whose leaves have `chunk` bytes.
pub(crate) async fn node(repo: &Path, chunk: usize) -> Node {
    let config = NodeConfig {
        repo: repo.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        chunk_size: chunk,
    };
    Node::start(config).await.unwrap()
}

/// Bytes of which no two leaves are the same.
pub(crate) fn bytes_of(size: usize) -> Vec<u8> {
    (0..size)
        .map(|i| (i ^ (i >> 9) ^ (i >> 17) ^ ((i >> 10) * 7)) as u8)
        .collect()
}

pub(crate) async fn store(node: &Node, bytes: &[u8]) -> BodyRef {
    let pieces = stream::iter([Ok(Bytes::copy_from_slice(bytes))]).boxed();
    node.add_body(pieces).await.unwrap()
}

pub(crate) async fn read(node: &Node, body: &BodyRef) -> Vec<u8> {
    let stream = node.read_body(body, Duration::from_secs(30)).await.unwrap();
    let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
    pieces.concat()
}

/// The root's CID (version 1, dag-pb, SHA-256).
pub(crate) fn image_cid(digest: &[u8; 32]) -> String {
    let hash = cid::multihash::Multihash::wrap(0x12, digest).unwrap();
    cid::Cid::new_v1(0x70, hash).to_string()
}
