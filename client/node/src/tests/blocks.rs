//! Blocks on disk: CIDs, pins, deletion, damage, the repository's life.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cid::Cid;
use futures::stream::{self, StreamExt};

use super::super::disk::Disk;
use super::super::{Error, MAX_BLOCK, Node, NodeConfig, body, unixfs};
use super::{PATIENCE, SOON, address, collected, config, inner, pattern, start, streamed};

const MIB: usize = 1024 * 1024;

fn block_path(repo: &Path, block: &Cid) -> PathBuf {
    Disk::open(repo).unwrap().path(block)
}

/// Chunk, links a node, bytes of [`pattern`], CID, bytes of the tree: as the UnixFS importer of Helia
/// (`ipfs-unixfs-importer` 17) makes them with CIDv1, raw leaves and the balanced layout.
const KNOWN: &[(usize, usize, usize, &str, u64)] = &[
    (
        MIB,
        1024,
        0,
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        0,
    ),
    (
        MIB,
        1024,
        1,
        "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu",
        1,
    ),
    (
        MIB,
        1024,
        MIB - 1,
        "bafkreigpker5qufzrmcwkasao3mgimgeejuj6nxum6gvwm37vafn4ob7su",
        1048575,
    ),
    (
        MIB,
        1024,
        MIB,
        "bafkreihztfdidkfc3wiarjgm2xudltb2x4unhqqfl2kl5zfgi4x3lnzwsu",
        1048576,
    ),
    (
        MIB,
        1024,
        MIB + 1,
        "bafybeiad4uwqrtab4j34s7myvm6r6d2osqlwdm3k5kpble57327fxxc36y",
        1048681,
    ),
    (
        MIB,
        1024,
        2 * MIB,
        "bafybeic4wly64avbodaragulojmhez2rgbhecqyclo5yqs7t76s7nce4y4",
        2097261,
    ),
    (
        MIB,
        1024,
        2 * MIB + 1,
        "bafybeidrmmv5lavwdt7ycyhdyk24bdlvon2chmiffdstw62omz5g6mso4u",
        2097308,
    ),
    (
        16,
        1024,
        16384,
        "bafybeiadd5nefhzzi7zyxkkouzmqjzmbt47awpupojya3r63isf7w7mvya",
        63497,
    ),
    (
        16,
        1024,
        16385,
        "bafybeihuqzbm6cjyqlw5eelrv6hpwffgrhew64awzwuxecyx7ngwqrdtfu",
        63654,
    ),
    (
        16,
        1024,
        32768,
        "bafybeifhfkb2x2cpx5ixzcwvkxmvckjoupijqlskzlsg4oqiuogwxdlura",
        127102,
    ),
    (
        16,
        1024,
        32769,
        "bafybeietdmoealzfixl23xfzvrnvidf5b5sdfeiityk3xrflb7fdx6edwi",
        127201,
    ),
    (
        16,
        4,
        0,
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        0,
    ),
    (
        16,
        4,
        1,
        "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu",
        1,
    ),
    (
        16,
        4,
        64,
        "bafybeihq634lcjkhxxexeecbxtyhnojfaedjm7ydp2m4lxpvajs2lrdyqa",
        254,
    ),
    (
        16,
        4,
        65,
        "bafybeid5p7zlhru5dx5jq2qbsuafgxukh5rha5y2orzk74jexhri2th7by",
        406,
    ),
    (
        16,
        4,
        4096,
        "bafybeiccaj2rcx6wb7lmrf5cxzd2yg5wprpo5mcrj2m3cpxzkdum2gqd7m",
        20371,
    ),
    (
        16,
        4,
        4097,
        "bafybeieefvpwe6qwrhqnlsperxkjteql32iharqzcgc575suqk66drseqm",
        20684,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_the_cids_of_the_profile_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    // Kubo's own fixture for the profile.
    let added = node
        .add_body(streamed(b"hello world".to_vec()))
        .await
        .unwrap();
    assert_eq!(
        added.cid,
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
    );
    for (chunk, links, len, cid, dag_size) in KNOWN {
        let mut new = Vec::new();
        let mut record = |_: &crate::BodyRef| Ok(());
        let added = body::add(
            &node.store,
            streamed(pattern(*len)),
            *chunk,
            *links,
            &mut new,
            &mut record,
        );
        let added = added.await.unwrap();
        let label = format!("{len} bytes in {chunk}, {links} links");
        assert_eq!(added.cid, *cid, "{label}");
        assert_eq!(
            (added.file_size, added.dag_size),
            (*len as u64, *dag_size),
            "{label}"
        );
        let read = node.read_body(&added, SOON).await.unwrap();
        assert!(collected(read).await.unwrap() == pattern(*len), "{label}");
        assert_eq!(
            node.pin_body(&added).await.map_err(|e| e.to_string()),
            Ok(()),
            "{label}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_reader_costs_less_than_a_kibibyte_and_leaves_the_body_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let body = node.add_body(streamed(pattern(2 * MIB + 9))).await.unwrap();
    let before = node.stat().await.unwrap();
    assert_eq!((before.blocks, before.bytes), (4, body.dag_size));

    let first = node.put_root(vec![1; 399], &body).await.unwrap();
    let second = node.put_root(vec![2; 399], &body).await.unwrap();
    assert!(first.image.0 != second.image.0);
    let after = node.stat().await.unwrap();
    assert_eq!(after.blocks, before.blocks + 4);
    assert_eq!(
        after.bytes,
        before.bytes + first.new_bytes + second.new_bytes
    );
    assert!(
        (400..=1024).contains(&second.new_bytes),
        "{}",
        second.new_bytes
    );

    let again = node.put_root(vec![2; 399], &body).await.unwrap();
    assert!(again.image.0 == second.image.0);
    assert_eq!(again.new_bytes, 0);
    let root = node.get_root(&second.image, SOON).await.unwrap();
    assert_eq!((root.header, root.body), (vec![2; 399], body));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_header_keeps_the_others_and_dropping_the_body_keeps_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let body = node.add_body(streamed(pattern(MIB + 9))).await.unwrap();
    let kept = node.put_root(vec![1; 300], &body).await.unwrap().image;
    let gone = node.put_root(vec![2; 300], &body).await.unwrap().image;
    let raw = node.put_raw(b"certificate".to_vec()).await.unwrap();

    node.drop_header(&gone).await.unwrap();
    assert!(matches!(
        node.get_root(&gone, SOON).await,
        Err(Error::Timeout { .. })
    ));
    let message = collected(node.cat(&kept, SOON).await.unwrap())
        .await
        .unwrap();
    assert!(message == [vec![1; 300], pattern(MIB + 9)].concat());
    node.drop_header(&gone).await.unwrap();

    node.drop_header(&kept).await.unwrap();
    node.drop_body(&body).await.unwrap();
    assert_eq!(node.stat().await.unwrap().blocks, 1);
    assert_eq!(node.get_raw(&raw, 100, SOON).await.unwrap(), b"certificate");
    assert!(matches!(
        node.pin_body(&body).await,
        Err(Error::Missing { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_what_no_pin_holds() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let body = node.add_body(streamed(pattern(MIB + 9))).await.unwrap();
    let image = node.put_root(vec![1; 300], &body).await.unwrap().image;
    let pinned = node.stat().await.unwrap();
    let stray = unixfs::cid_of(unixfs::RAW, b"stray");
    let block = vec![(stray, Bytes::from_static(b"stray"))];
    let mut new = Vec::new();
    node.store.put(block, &mut new).await.unwrap();
    assert_eq!(new, [stray]);
    assert_eq!(node.stat().await.unwrap().blocks, pinned.blocks + 1);
    node.collect_garbage().await.unwrap();
    assert_eq!(node.stat().await.unwrap(), pinned);
    assert!(
        collected(node.cat(&image, SOON).await.unwrap())
            .await
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.chunk_size = 1000;
    let node = Node::start(config).await.unwrap();
    let kept = node.add_body(streamed(pattern(5000))).await.unwrap();
    let before = node.stat().await.unwrap();
    // The first 5,000 bytes are the leaves of the body that is kept.
    let broken = stream::iter([
        Ok(Bytes::from(pattern(400_000))),
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut")),
    ]);
    match node.add_body(broken.boxed()).await {
        Err(Error::Body(error)) => assert_eq!(error.to_string(), "cut"),
        other => panic!("{other:?}"),
    }
    assert_eq!(node.stat().await.unwrap(), before);
    let read = node.read_body(&kept, SOON).await.unwrap();
    assert!(collected(read).await.unwrap() == pattern(5000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_a_block_is_an_io_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.chunk_size = 1000;
    let node = Node::start(config).await.unwrap();
    // A file where the folder of the 300th leaf would have to be.
    let leaf = unixfs::cid_of(unixfs::RAW, &pattern(300_000)[299_000..]);
    let shard = block_path(dir.path(), &leaf);
    std::fs::write(shard.parent().unwrap(), b"in the way").unwrap();
    let stored = node.add_body(streamed(pattern(400_000))).await;
    assert!(matches!(stored, Err(Error::Io { .. })), "{stored:?}");
    assert_eq!(node.stat().await.unwrap().blocks, 0);
    assert_eq!(
        std::fs::read_dir(dir.path().join("datastore/pins"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_leaves_another_one_its_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let shared = Bytes::from(pattern(MIB));
    let leaf = unixfs::cid_of(unixfs::RAW, &shared);
    let (fail, failing) = tokio::sync::oneshot::channel::<()>();
    let (go_on, going_on) = tokio::sync::oneshot::channel::<()>();
    let rest = stream::once(async {
        let _ = failing.await;
        Err(io::Error::other("cut"))
    });
    let fails = node.add_body(stream::iter([Ok(shared.clone())]).chain(rest).boxed());
    // The other one finds the block that the first one wrote, and has not pinned it when the first one fails.
    let found = stream::once({
        let (shared, store) = (shared.clone(), node.store.clone());
        async move {
            while !store.has(&leaf).await.unwrap() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Ok(shared)
        }
    });
    let tail = stream::once(async {
        let _ = fail.send(());
        let _ = going_on.await;
        Ok(Bytes::from_static(b"the end"))
    });
    let succeeds = node.add_body(found.chain(tail).boxed());
    let first = async {
        let failed = fails.await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let _ = go_on.send(());
        failed
    };
    let (failed, body) = tokio::join!(first, succeeds);
    assert!(matches!(failed, Err(Error::Body(_))), "{failed:?}");
    let read = node.read_body(&body.unwrap(), SOON).await.unwrap();
    let whole = collected(read).await.unwrap();
    assert!(whole == [&shared[..], b"the end"].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_fails_leaves_none_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let cid = |bytes: &[u8]| unixfs::cid_of(unixfs::RAW, bytes);
    node.put_raw(b"kept".to_vec()).await.unwrap();
    let (kept, new, blocked) = (cid(b"kept"), cid(b"new"), cid(b"blocked"));
    let name = blocked.to_string();
    let shard = &name[name.len() - 3..name.len() - 1];
    let pins = dir.path().join("datastore/pins");
    std::fs::write(pins.join(shard), b"in the way").unwrap();
    assert!(node.store.pin_direct(&[kept, new, blocked]).await.is_err());
    assert!(node.store.is_pinned(&kept).await.unwrap());
    assert!(!node.store.is_pinned(&new).await.unwrap());
    // The same through the front: neither block nor pin stays.
    let stored = node.put_raw(b"blocked".to_vec()).await;
    assert!(
        stored.is_err() && !node.store.has(&blocked).await.unwrap(),
        "{stored:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_is_told_and_never_served() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, node) = super::pair(here.path(), there.path()).await;
    let body = node.add_body(streamed(pattern(2 * MIB + 9))).await.unwrap();
    let leaf = unixfs::cid_of(unixfs::RAW, &pattern(2 * MIB)[MIB..]);
    let path = block_path(there.path(), &leaf);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[77] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let found = unixfs::cid_of(unixfs::RAW, &bytes).to_string();

    let is_told = |error: &Error| match error {
        Error::BlockMismatch { wanted, found: is } => {
            assert_eq!((wanted, is), (&leaf.to_string(), &found));
        }
        other => panic!("{other:?}"),
    };
    let read = collected(node.read_body(&body, SOON).await.unwrap()).await;
    let error = read.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    is_told(inner(&error));
    let read = collected(reader.read_body(&body, SOON).await.unwrap()).await;
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(reader.store.local(&leaf, MIB).await.unwrap().is_none());

    // Added again, it is whole again, here and there.
    let again = node.add_body(streamed(pattern(2 * MIB + 9))).await.unwrap();
    assert_eq!(again, body);
    let read = collected(reader.read_body(&body, PATIENCE).await.unwrap()).await;
    assert!(read.unwrap() == pattern(2 * MIB + 9));
    // A reader's damaged block is replaced by a peer's.
    let path = block_path(here.path(), &leaf);
    std::fs::write(&path, b"damaged").unwrap();
    let read = collected(reader.read_body(&body, PATIENCE).await.unwrap()).await;
    assert!(read.unwrap() == pattern(2 * MIB + 9));
    assert_eq!(std::fs::read(&path).unwrap(), &pattern(2 * MIB)[MIB..]);
    node.drop_body(&body).await.unwrap();
    assert_eq!(node.stat().await.unwrap().blocks, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_files_are_swept_away_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let raw = node.put_raw(b"certificate".to_vec()).await.unwrap();
    let path = block_path(dir.path(), &unixfs::cid_of(unixfs::RAW, b"certificate"));
    node.shutdown().await;
    let ours = path.with_extension("data.1.0.tmp");
    let pins = dir.path().join("datastore/pins/zz");
    std::fs::create_dir_all(&pins).unwrap();
    let theirs = pins.join("x.recursive_temp");
    for half in [&ours, &theirs] {
        std::fs::write(half, b"half").unwrap();
    }
    let node = start(dir.path()).await;
    assert!(!ours.exists() && !theirs.exists());
    assert_eq!(node.get_raw(&raw, 100, SOON).await.unwrap(), b"certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_identity_blocks_and_pins() {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path().join("ipfs");
    let node = start(&repo).await;
    let peer = |address: &str| address.rsplit('/').next().unwrap().to_owned();
    let before = peer(&address(&node).await);
    let body = node.add_body(streamed(pattern(MIB + 9))).await.unwrap();
    let image = node.put_root(vec![7; 300], &body).await.unwrap().image;
    let raw = node.put_raw(b"certificate".to_vec()).await.unwrap();
    node.shutdown().await;

    let mode = |name: &str| repo.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("identity"), mode(".")), (0o600, 0o700));

    let node = start(&repo).await;
    assert_eq!(peer(&address(&node).await), before);
    node.collect_garbage().await.unwrap();
    assert_eq!(node.stat().await.unwrap().blocks, 6);
    assert_eq!(node.get_raw(&raw, 100, SOON).await.unwrap(), b"certificate");
    let message = collected(node.cat(&image, SOON).await.unwrap())
        .await
        .unwrap();
    assert!(message == [vec![7; 300], pattern(MIB + 9)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_has_one_node_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path()).await;
    match Node::start(config(dir.path())).await.map(|_| ()) {
        Err(Error::RepoLocked { path }) => assert_eq!(path, dir.path()),
        other => panic!("{other:?}"),
    }
    first.shutdown().await;
    start(dir.path()).await.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_out_of_bounds_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |change: fn(&mut NodeConfig)| {
        let mut config = config(dir.path());
        change(&mut config);
        async { Node::start(config).await.map(|_| ()) }
    };
    for result in [
        refused(|config| config.chunk_size = 0).await,
        refused(|config| config.chunk_size = MAX_BLOCK + 1).await,
    ] {
        assert!(matches!(result, Err(Error::ChunkSize { .. })), "{result:?}");
    }
    let result = refused(|config| config.listen = vec!["127.0.0.1:4001".to_owned()]).await;
    assert!(matches!(result, Err(Error::Address { .. })), "{result:?}");
    let result = refused(|config| config.bootstrap = vec!["localhost".to_owned()]).await;
    assert!(matches!(result, Err(Error::Address { .. })), "{result:?}");
    let result = refused(|config| config.listen = vec!["/ip4/192.0.2.1/tcp/1".to_owned()]).await;
    assert!(matches!(result, Err(Error::Listen { .. })), "{result:?}");
    std::fs::write(dir.path().join("identity"), b"not a key").unwrap();
    let result = refused(|_| {}).await;
    assert!(matches!(result, Err(Error::Identity { .. })), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_block_has_two_limits() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let most = node.put_raw(vec![5; MAX_BLOCK]).await.unwrap();
    assert_eq!(
        node.get_raw(&most, MAX_BLOCK, SOON).await.unwrap().len(),
        MAX_BLOCK
    );
    let refused = node.get_raw(&most, MAX_BLOCK - 1, PATIENCE).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    let refused = node.put_raw(vec![5; MAX_BLOCK + 1]).await.map(|_| ());
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    assert_eq!(node.stat().await.unwrap().blocks, 1);
}
