#![allow(clippy::unwrap_used)]

mod backends;
mod blocks;
mod car;
mod hostile;
mod mail;
mod ranges;
mod transfer;

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{MAX_BLOCK, Node, NodeConfig};

/// Long enough for a busy machine; a test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// For what never comes.
const SOON: Duration = Duration::from_millis(400);

fn config(repo: &Path) -> NodeConfig {
    NodeConfig {
        repo: repo.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        chunk_size: MAX_BLOCK,
    }
}

async fn start(repo: &Path) -> Node {
    Node::start(config(repo)).await.unwrap()
}

/// Two nodes, the first connected to the second.
async fn pair(first: &Path, second: &Path) -> (Node, Node) {
    let (first, second) = (start(first).await, start(second).await);
    first.connect(&address(&second).await).await.unwrap();
    (first, second)
}

async fn address(node: &Node) -> String {
    node.addresses().await.unwrap().remove(0)
}

fn pattern(len: usize) -> Vec<u8> {
    let byte = |i: usize| (i * 131 + (i >> 8) * 29 + (i >> 16) * 7) as u8;
    (0..len).map(byte).collect()
}

/// Streams bytes in pieces that fit no chunk.
fn streamed(bytes: Vec<u8>) -> BoxStream<'static, io::Result<Bytes>> {
    let bytes = Bytes::from(bytes);
    let starts = (0..bytes.len()).step_by(77_777);
    stream::iter(starts.map(move |at| Ok(bytes.slice(at..bytes.len().min(at + 77_777))))).boxed()
}

async fn collected(stream: BoxStream<'static, io::Result<Bytes>>) -> io::Result<Vec<u8>> {
    stream
        .try_fold(Vec::new(), |mut all, bytes| async move {
            all.extend_from_slice(&bytes);
            Ok(all)
        })
        .await
}

/// The node's error inside an io error.
fn inner(error: &io::Error) -> &super::Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}
