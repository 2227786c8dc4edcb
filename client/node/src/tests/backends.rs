//! The same story on every storage: the embedded node, a daemon over its socket, and a Kubo node where there is one.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

use super::super::{Error, MAX_BLOCK, Node, car, unixfs};
use super::{PATIENCE, SOON, collected, pattern, start, streamed};
use pcim_core::BlockDigest;

/// The RPC API of a Kubo node of one's own: it is written to, and its garbage is collected.
const API: &str = "PCIM_TEST_IPFS_API";
/// Old enough never to be asked for.
const AGES: Duration = Duration::from_secs(3600);

/// A node, and what has to live as long.
struct Backend {
    name: &'static str,
    node: Node,
    _behind: Option<(Node, super::super::Server)>,
}

async fn embedded(dir: &Path) -> Backend {
    Backend {
        name: "embedded",
        node: start(dir).await,
        _behind: None,
    }
}

async fn daemon(dir: &Path, grace: Duration) -> Backend {
    let behind = start(&dir.join("ipfs")).await;
    let socket = dir.join("node.sock");
    let server = behind.serve(&socket, grace).unwrap();
    let node = Node::beside(&socket, &[], MAX_BLOCK).await.unwrap();
    Backend {
        name: "daemon",
        node: node.unwrap(),
        _behind: Some((behind, server)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_node() {
    let dir = tempfile::tempdir().unwrap();
    story(&embedded(dir.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    story(&daemon(dir.path(), Duration::ZERO).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubo_node() {
    let Ok(url) = std::env::var(API) else {
        println!("skipped: {API} names no Kubo node's RPC API such as http://127.0.0.1:5001");
        return;
    };
    let node = Node::over(&url, &[], MAX_BLOCK).await.unwrap();
    story(&Backend {
        name: "kubo",
        node,
        _behind: None,
    })
    .await;
}

async fn story(backend: &Backend) {
    let (node, name) = (&backend.node, backend.name);
    let before = node.stat().await.unwrap().blocks;
    let bytes = pattern(5 * MAX_BLOCK + 9);
    let body = node.add_body(streamed(bytes.clone())).await.unwrap();
    assert_eq!(body.file_size, bytes.len() as u64, "{name}");
    assert!(body.cid.starts_with("bafybei"), "{name}");
    let first = node.put_root(vec![1; 399], &body).await.unwrap();
    let second = node.put_root(vec![2; 399], &body).await.unwrap();
    assert!(
        (400..=1024).contains(&second.new_bytes),
        "{name}: {second:?}"
    );
    let again = node.put_root(vec![2; 399], &body).await.unwrap();
    assert_eq!((again.image, again.new_bytes), (second.image, 0), "{name}");
    let small = node.put_raw(b"certificate".to_vec()).await.unwrap();
    assert_eq!(
        node.stat().await.unwrap().blocks,
        before + 7 + 4 + 1,
        "{name}"
    );

    // Pinned blocks outlive a collection; everything reads back.
    node.collect_garbage().await.unwrap();
    let root = node.get_root(&second.image, SOON).await.unwrap();
    assert_eq!((root.header, &root.body), (vec![2; 399], &body), "{name}");
    let message = collected(node.cat(&first.image, SOON).await.unwrap()).await;
    assert!(
        message.unwrap() == [vec![1; 399], bytes.clone()].concat(),
        "{name}"
    );
    assert_eq!(
        node.get_raw(&small, 20, SOON).await.unwrap(),
        b"certificate"
    );
    let limited = node.get_raw(&small, 5, SOON).await;
    assert!(
        matches!(
            limited,
            Err(Error::TooLarge {
                found: 11,
                max: 5,
                ..
            })
        ),
        "{name}: {limited:?}"
    );
    match node.get_raw(&BlockDigest([3; 32]), 10, SOON).await {
        Err(Error::Timeout { seconds: 0.4, .. }) => {}
        other => panic!("{name}: {other:?}"),
    }

    // A body that breaks off leaves nothing, neither does one that lacks a block.
    let count = node.stat().await.unwrap().blocks;
    let broken = stream::iter([
        Ok(Bytes::from(pattern(3 * MAX_BLOCK)[7..].to_vec())),
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut")),
    ]);
    let cut = node.add_body(broken.boxed()).await;
    assert!(
        matches!(&cut, Err(Error::Body(error)) if error.to_string() == "cut"),
        "{name}: {cut:?}"
    );
    assert_eq!(node.stat().await.unwrap().blocks, count, "{name}");

    // Out and in again through a CAR file.
    let file = collected(node.export_car(&second.image, SOON).await.unwrap())
        .await
        .unwrap();
    node.drop_header(&first.image).await.unwrap();
    node.drop_header(&second.image).await.unwrap();
    node.drop_body(&body).await.unwrap();
    assert_eq!(node.stat().await.unwrap().blocks, before + 1, "{name}");
    assert!(
        matches!(node.pin_body(&body).await, Err(Error::Missing { .. })),
        "{name}"
    );
    refuses_bad_files(node, &file).await;
    assert_eq!(node.stat().await.unwrap().blocks, before + 1, "{name}");
    let imported = node
        .import_car(streamed(file.clone()), 1 << 30)
        .await
        .unwrap();
    assert_eq!(
        (imported.image, &imported.body, imported.blocks),
        (second.image, &body, 9),
        "{name}"
    );
    node.collect_garbage().await.unwrap();
    let message = collected(node.cat(&second.image, SOON).await.unwrap()).await;
    assert!(message.unwrap() == [vec![2; 399], bytes].concat(), "{name}");
    node.drop_header(&second.image).await.unwrap();
    node.drop_body(&body).await.unwrap();
}

/// Files that are not exactly one sealed image.
async fn refuses_bad_files(node: &Node, good: &[u8]) {
    let sections = {
        let mut decoder = car::Decoder::default();
        decoder.push(good);
        let mut sections = Vec::new();
        while let Some(section) = decoder.next_block().unwrap() {
            sections.push(section);
        }
        (decoder.finish().unwrap(), sections)
    };
    let (roots, blocks) = sections;
    let file = |roots: &[cid::Cid], blocks: &[(cid::Cid, Bytes)]| {
        let mut file = car::header(roots);
        for (cid, bytes) in blocks {
            file.extend(car::section(cid, bytes.len()));
            file.extend_from_slice(bytes);
        }
        file
    };
    let refused = async |file: Vec<u8>, wanted: &str| {
        let error = node.import_car(streamed(file), 1 << 30).await.unwrap_err();
        let shown = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(shown.contains(wanted), "{shown}");
    };
    refused(good[..good.len() - 1].to_vec(), "CutOff").await;
    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    refused(flipped, "Mismatch").await;
    refused(file(&[], &blocks), "Roots { found: 0 }").await;
    refused(file(&[roots[0], roots[0]], &blocks), "Roots { found: 2 }").await;
    refused(file(&[blocks[2].0], &blocks), "is not a sealed root").await;
    refused(file(&roots, &blocks[..blocks.len() - 1]), "Lacking").await;
    let stray = (
        unixfs::cid_of(unixfs::RAW, b"stray"),
        Bytes::from_static(b"stray"),
    );
    refused(file(&roots, &[&blocks[..], &[stray]].concat()), "Stray").await;
    let small = node.import_car(streamed(good.to_vec()), 1000).await;
    assert!(
        matches!(small, Err(Error::Car(car::MalformedCar::TooMuch { .. }))),
        "{small:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_block_survives_the_daemons_collection_and_an_old_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let backend = daemon(dir.path(), AGES).await;
    let node = &backend.node;
    let stray = unixfs::cid_of(unixfs::RAW, b"stray");
    let block = || vec![(stray, Bytes::from_static(b"stray"))];
    let mut written = Vec::new();
    node.store.put(block(), &mut written).await.unwrap();
    assert_eq!(written, [stray]);
    node.collect_garbage().await.unwrap();
    assert_eq!(node.stat().await.unwrap().blocks, 1);
    let path = super::super::disk::Disk::open(&dir.path().join("ipfs"))
        .unwrap()
        .path(&stray);
    let old = std::time::SystemTime::now() - 2 * AGES;
    let age = || {
        std::fs::File::open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap()
    };
    age();
    // Written again, it is young again.
    written.clear();
    node.store.put(block(), &mut written).await.unwrap();
    assert!(written.is_empty());
    node.collect_garbage().await.unwrap();
    assert_eq!(node.stat().await.unwrap().blocks, 1);
    age();
    node.collect_garbage().await.unwrap();
    assert_eq!(node.stat().await.unwrap().blocks, 0);
}

/// Returns what the socket answers to these bytes.
async fn answer(socket: &Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    // A server that refuses early does not read the rest.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_refuses_what_is_not_of_its_api() {
    let dir = tempfile::tempdir().unwrap();
    let backend = daemon(dir.path(), AGES).await;
    let socket = dir.path().join("node.sock");
    let post = |target: &str, kind: &str, body: &[u8]| {
        let length = body.len();
        let head = format!(
            "POST /api/v0/{target} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    };
    let form = "multipart/form-data; boundary=b";
    let wrapped = |body: &[u8]| {
        [
            &b"--b\r\ncontent-disposition: form-data\r\n\r\n"[..],
            body,
            b"\r\n--b--\r\n",
        ]
        .concat()
    };
    let raw = unixfs::cid_of(unixfs::RAW, b"block");
    let section = [car::section(&raw, 5), b"block".to_vec()].concat();
    let good = [car::header(&[raw]), section.clone()].concat();
    let wrong = [
        car::header(&[raw]),
        car::section(&raw, 5),
        b"blocc".to_vec(),
    ]
    .concat();
    let two = [
        wrapped(&good)[..].strip_suffix(b"--\r\n").unwrap(),
        &b"\r\n\r\nx\r\n--b--\r\n"[..],
    ]
    .concat();
    let cases = [
        (
            b"GET /api/v0/id HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
            "405",
        ),
        (post("shutdown", "", b""), "404"),
        (post("../id", "", b""), "404"),
        (b"\x16\x03\x01 nonsense\r\n\r\n".to_vec(), "400"),
        (
            [&b"POST /"[..], &[b'a'; 200_000], b" HTTP/1.1\r\n\r\n"].concat(),
            "4",
        ),
        (post("block/get?arg=Qm", "", b""), "not a CID of version 1"),
        (post("block/get", "", b""), "0 arguments, wanted one"),
        (
            post("swarm/connect?arg=nonsense", "", b""),
            "is not a multiaddr",
        ),
        (
            post(
                "pin/add?arg=bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
                "",
                b"",
            ),
            "was not found locally (offline)",
        ),
        (post("dag/import", "text/plain", &good), "no multipart form"),
        (post("dag/import", form, &good), "500"),
        (post("dag/import", form, &wrapped(b"no car")), "500"),
        (post("dag/import", form, &wrapped(&wrong)), "is damaged"),
        (
            post("dag/import", form, &wrapped(&good[..good.len() - 1])),
            "cut off",
        ),
        (post("dag/import", form, &two), "more than one file"),
        (
            post(
                "dag/import",
                form,
                &[&b"--b\r\n"[..], &[b'x'; 20_000]].concat(),
            ),
            "too long headers",
        ),
    ];
    for (request, wanted) in cases {
        let shown = answer(&socket, &request).await;
        assert!(shown.contains(wanted), "{wanted}: {shown}");
        assert_eq!(backend.node.stat().await.unwrap().blocks, 0, "{wanted}");
    }
    // In pieces of any size, a good one is stored, and pinned as Kubo does.
    let whole = post("dag/import?stats=true", form, &wrapped(&good));
    let mut stream = UnixStream::connect(&socket).await.unwrap();
    for byte in whole.chunks(3) {
        stream.write_all(byte).await.unwrap();
    }
    let mut shown = String::new();
    stream.read_to_string(&mut shown).await.unwrap();
    assert!(
        shown.contains("\"PinErrorMsg\":\"\"") && shown.contains("\"BlockCount\":1"),
        "{shown}"
    );
    assert_eq!(backend.node.stat().await.unwrap().blocks, 1);
    let held = answer(
        &socket,
        &post(&format!("block/rm?arg={raw}&force=true"), "", b""),
    )
    .await;
    assert!(held.contains("pinned"), "{held}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lies_is_found_out() {
    let cid = unixfs::cid_of(unixfs::RAW, b"block");
    let digest = BlockDigest(unixfs::digest_of(&cid).unwrap());
    let cases: [(&str, Vec<u8>); 5] = [
        ("200 OK", b"blocc".to_vec()),
        ("200 OK", vec![0; 3 * MAX_BLOCK]),
        ("500 X", b"{\"Message\":\"no\\nway\",\"Code\":0}".to_vec()),
        (
            "200 OK\r\ntransfer-encoding: chunked\r\ntrailer: X-Stream-Error",
            b"5\r\nblock\r\n0\r\nX-Stream-Error: broke\r\n\r\n".to_vec(),
        ),
        ("nonsense", Vec::new()),
    ];
    let wanted = [
        "is damaged",
        "at most 10 allowed",
        "no\\nway",
        "broke",
        "broke",
    ];
    for ((status, body), wanted) in cases.into_iter().zip(wanted) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let n = stream.read(&mut request).await.unwrap();
                let is_id = request[..n].starts_with(b"POST /api/v0/id ");
                let (status, body) = match is_id {
                    true => ("200 OK", &b"{}"[..]),
                    false => (status, &body[..]),
                };
                let length = match status.contains("chunked") {
                    true => String::new(),
                    false => format!("content-length: {}\r\n", body.len()),
                };
                let head = format!("HTTP/1.1 {status}\r\n{length}connection: close\r\n\r\n");
                let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
            }
        });
        let node = Node::over(&url, &[], MAX_BLOCK).await.unwrap();
        let error = node.get_raw(&digest, 10, PATIENCE).await.unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let shown = format!("{error}: {}", source.unwrap_or_default());
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    for url in [
        "https://127.0.0.1:5001",
        "http://x/api/v0",
        "unix:relative",
        "127.0.0.1:5001",
    ] {
        let opened = Node::over(url, &[], MAX_BLOCK).await.map(|_| ());
        assert!(
            matches!(opened, Err(Error::Endpoint { .. })),
            "{url}: {opened:?}"
        );
    }
    let gone = Node::over("http://127.0.0.1:1", &[], MAX_BLOCK)
        .await
        .map(|_| ());
    assert!(matches!(gone, Err(Error::Api { .. })), "{gone:?}");
}
