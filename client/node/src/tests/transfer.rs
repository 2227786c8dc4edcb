//! Two nodes over loopback.

use std::time::Instant;

use super::super::{Error, Node, unixfs};
use super::{PATIENCE, SOON, address, collected, config, pair, pattern, start, streamed};
use pcim_core::BlockDigest;

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_image_goes_from_node_to_node() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = pair(here.path(), there.path()).await;
    // More leaves than are fetched ahead, two of them alike.
    let mut bytes = pattern(12 * 1024 * 1024 + 345);
    bytes.copy_within(0..1024 * 1024, 5 * 1024 * 1024);
    let body = keeper.add_body(streamed(bytes.clone())).await.unwrap();
    let image = keeper.put_root(vec![9; 512], &body).await.unwrap().image;
    let certificate = keeper.put_raw(b"certificate".to_vec()).await.unwrap();

    let fetched = reader.get_raw(&certificate, 4096, PATIENCE).await.unwrap();
    assert_eq!(fetched, b"certificate");
    let root = reader.get_root(&image, PATIENCE).await.unwrap();
    assert_eq!((&root.header, &root.body), (&vec![9; 512], &body));
    let read = reader.read_body(&root.body, PATIENCE).await.unwrap();
    assert!(collected(read).await.unwrap() == bytes);
    reader.pin_body(&root.body).await.unwrap();

    // Root, header and body are here now; only the body is pinned.
    keeper.shutdown().await;
    let message = collected(reader.cat(&image, SOON).await.unwrap()).await;
    assert!(message.unwrap() == [vec![9; 512], bytes].concat());
    reader.collect_garbage().await.unwrap();
    assert_eq!(
        reader.stat().await.unwrap().bytes,
        body.dag_size - 1024 * 1024
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_body_is_one_leaf_and_tasks_may_move_between_threads() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = pair(here.path(), there.path()).await;
    let stored = tokio::spawn(async move {
        let body = keeper.add_body(streamed(pattern(1000))).await.unwrap();
        let root = keeper.put_root(vec![9; 512], &body).await.unwrap();
        (keeper, body, root.image)
    });
    let (keeper, body, image) = stored.await.unwrap();
    assert!(body.cid.starts_with("bafkrei"));
    let read = tokio::spawn(async move {
        let message = collected(reader.cat(&image, PATIENCE).await.unwrap()).await;
        reader.pin_body(&body).await.unwrap();
        reader.drop_header(&image).await.unwrap();
        reader.drop_body(&body).await.unwrap();
        (message, reader.stat().await.unwrap().blocks)
    });
    let (message, left) = read.await.unwrap();
    assert!(message.unwrap() == [vec![9; 512], pattern(1000)].concat());
    assert_eq!(left, 0);
    assert_eq!(keeper.stat().await.unwrap().blocks, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_times_out_and_says_how_many_were_asked() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let digest = BlockDigest([7; 32]);
    let wanted = unixfs::cid_from_digest(unixfs::RAW, &digest.0).to_string();
    let check = async |node: &Node, count: usize| {
        let started = Instant::now();
        match node.get_raw(&digest, 10, SOON).await {
            Err(Error::Timeout {
                cid,
                seconds,
                peers,
                ..
            }) => {
                assert_eq!((cid, seconds, peers), (wanted.clone(), 0.4, count));
            }
            other => panic!("{other:?}"),
        }
        assert!(started.elapsed() >= SOON);
    };
    let reader = start(here.path()).await;
    check(&reader, 0).await;
    let other = start(there.path()).await;
    reader.connect(&address(&other).await).await.unwrap();
    check(&reader, 1).await;
    assert_eq!(other.peers().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_keeper_goes_away_ends_with_an_error() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = pair(here.path(), there.path()).await;
    let body = keeper
        .add_body(streamed(pattern(3 * 1024 * 1024)))
        .await
        .unwrap();
    let leaf = unixfs::cid_of(unixfs::RAW, &pattern(3 * 1024 * 1024)[2 * 1024 * 1024..]);
    keeper
        .store
        .unpin(&body.cid.parse().unwrap())
        .await
        .unwrap();
    keeper.store.discard(&[leaf]).await.unwrap();
    let read = collected(reader.read_body(&body, SOON).await.unwrap()).await;
    match super::inner(&read.unwrap_err()) {
        Error::Timeout { cid, peers: 1, .. } => assert_eq!(*cid, leaf.to_string()),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        reader.pin_body(&body).await,
        Err(Error::Missing { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_peer_is_found_once_it_is_up() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let keeper = start(there.path()).await;
    let raw = keeper.put_raw(b"certificate".to_vec()).await.unwrap();
    let addressed = address(&keeper).await;
    keeper.shutdown().await;
    let mut reader = config(here.path());
    reader.bootstrap = vec![addressed.clone()];
    let reader = Node::start(reader).await.unwrap();
    let nobody = reader.get_raw(&raw, 100, SOON).await;
    assert!(
        matches!(nobody, Err(Error::Timeout { peers: 0, .. })),
        "{nobody:?}"
    );

    let mut keeper = config(there.path());
    keeper.listen = vec![addressed.split("/p2p/").next().unwrap().to_owned()];
    let keeper = Node::start(keeper).await.unwrap();
    assert_eq!(address(&keeper).await, addressed);
    assert_eq!(
        reader.get_raw(&raw, 100, PATIENCE).await.unwrap(),
        b"certificate"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_comes_back_is_served_and_asked_again() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut keeper = start(there.path()).await;
    let reader = start(here.path()).await;
    let addressed = address(&keeper).await;
    reader.connect(&addressed).await.unwrap();
    for round in 0u8..4 {
        let theirs = keeper.put_raw(vec![round, 1]).await.unwrap();
        let ours = reader.put_raw(vec![round, 2]).await.unwrap();
        assert_eq!(
            reader.get_raw(&theirs, 9, PATIENCE).await.unwrap(),
            [round, 1]
        );
        assert_eq!(
            keeper.get_raw(&ours, 9, PATIENCE).await.unwrap(),
            [round, 2]
        );
        keeper.shutdown().await;
        let mut again = config(there.path());
        again.listen = vec![addressed.split("/p2p/").next().unwrap().to_owned()];
        keeper = Node::start(again).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_not_there_or_someone_else_is_unreachable() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (node, other) = (start(here.path()).await, start(there.path()).await);
    let addressed = address(&other).await;
    let (socket, peer) = addressed.split_once("/p2p/").unwrap();
    let own = address(&node).await;
    let (_, own_peer) = own.split_once("/p2p/").unwrap();
    let closed = format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}");
    let stranger = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo";
    let imposter = format!("{socket}/p2p/{stranger}");
    let own_key = format!("{socket}/p2p/{own_peer}");
    for address in [closed, imposter, own_key] {
        match node.connect(&address).await {
            Err(Error::PeerUnreachable { address: shown, .. }) => assert_eq!(shown, address),
            other => panic!("{address}: {other:?}"),
        }
    }
    assert!(matches!(
        node.connect("nonsense").await,
        Err(Error::Address { .. })
    ));
    node.connect(&addressed).await.unwrap();
    node.connect(&addressed).await.unwrap();
    assert_eq!(node.peers().await, 1);
}

/// More connections than are let in, which say nothing: a later one is served once they are given up.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_connect_and_say_nothing_keep_nobody_out() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (keeper, fetcher) = (start(here.path()).await, start(there.path()).await);
    let address = address(&keeper).await;
    let port = address.split('/').nth(4).unwrap();
    let mut silent = Vec::new();
    for _ in 0..400 {
        let stream = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}"));
        silent.push(stream.await.unwrap());
    }
    let block = keeper.put_raw(pattern(1000)).await.unwrap();
    let fetched = async {
        while fetcher.connect(&address).await.is_err() {
            tokio::time::sleep(SOON).await;
        }
        fetcher.get_raw(&block, 1000, PATIENCE).await.unwrap()
    };
    let fetched = tokio::time::timeout(2 * PATIENCE, fetched).await.unwrap();
    assert_eq!(fetched, pattern(1000));
}
