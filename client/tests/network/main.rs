//! Beyond named peers: private swarms, the local network, a DHT, relays. Real nodes on real sockets.

#![allow(clippy::unwrap_used)]

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use pcim_node::{Dht, Error, MAX_BLOCK, Network, Node, NodeConfig, SwarmKey};
use tempfile::TempDir;

/// Long enough for a busy machine; a test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(repo: &Path) -> NodeConfig {
    NodeConfig {
        repo: repo.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        chunk_size: MAX_BLOCK,
    }
}

async fn address(node: &Node) -> String {
    node.addresses().await.unwrap().remove(0)
}

fn pattern(len: usize) -> Vec<u8> {
    let byte = |i: usize| (i * 131 + (i >> 8) * 29 + (i >> 16) * 7) as u8;
    (0..len).map(byte).collect()
}

fn streamed(bytes: Vec<u8>) -> BoxStream<'static, io::Result<Bytes>> {
    stream::iter([Ok(Bytes::from(bytes))]).boxed()
}

async fn collected(stream: BoxStream<'static, io::Result<Bytes>>) -> io::Result<Vec<u8>> {
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    Ok(pieces.concat())
}

/// A key file with the mode that it should have.
fn key_file(dir: &TempDir, digit: char, mode: u32) -> std::path::PathBuf {
    let path = dir.path().join("swarm.key");
    let text = format!(
        "/key/swarm/psk/1.0.0/\n/base16/\n{}\n",
        digit.to_string().repeat(64)
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn key(dir: &TempDir, digit: char) -> SwarmKey {
    SwarmKey::load(&key_file(dir, digit, 0o600))
        .unwrap()
        .unwrap()
}

fn dirs<const N: usize>() -> [TempDir; N] {
    std::array::from_fn(|_| tempfile::tempdir().unwrap())
}

async fn start(dir: &TempDir, network: &Network, peers: Vec<String>) -> Node {
    let config = NodeConfig {
        bootstrap: peers,
        ..config(&dir.path().join("repo"))
    };
    Node::start_in(config, network, None).await.unwrap()
}

async fn within(limit: Duration, mut done: impl AsyncFnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if done().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_key_talks_and_nobody_else() {
    let dirs = dirs::<4>();
    let network = Network {
        private: true,
        ..Network::default()
    };
    let started = async |n: usize, key: Option<&SwarmKey>, network: &Network| {
        let config = config(&dirs[n].path().join("repo"));
        Node::start_in(config, network, key).await
    };
    let shared = key(&dirs[0], 'a');
    let keeper = started(0, Some(&shared), &network).await.unwrap();
    let member = started(1, Some(&key(&dirs[1], 'a')), &network)
        .await
        .unwrap();
    let other = started(2, Some(&key(&dirs[2], 'b')), &network)
        .await
        .unwrap();
    let open = Network::default();
    let none = started(3, None, &open).await.unwrap();
    let digest = keeper.put_raw(pattern(999)).await.unwrap();
    let to = address(&keeper).await;

    member.connect(&to).await.unwrap();
    let fetched = member.get_raw(&digest, 999, PATIENCE).await.unwrap();
    assert!(fetched == pattern(999));
    for stranger in [&other, &none] {
        let refused = stranger.connect(&to).await;
        assert!(
            matches!(refused, Err(Error::PeerUnreachable { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(keeper.peers().await, 1);

    for node in [keeper, member, other, none] {
        node.shutdown().await;
    }
    let without = started(0, None, &network).await;
    assert!(matches!(without, Err(Error::NoSwarmKey)));
    // And the repository is free again.
    started(0, None, &open).await.unwrap().shutdown().await;
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused() {
    let [dir] = dirs::<1>();
    assert!(
        SwarmKey::load(&dir.path().join("swarm.key"))
            .unwrap()
            .is_none()
    );
    for (digit, mode) in [('a', 0o644), ('x', 0o600)] {
        let refused = SwarmKey::load(&key_file(&dir, digit, mode));
        assert!(
            matches!(refused, Err(Error::SwarmKey { .. })),
            "{digit} {mode:o}"
        );
    }
}

/// Whether what is sent to the group of mDNS comes back on this machine.
fn multicast_works() -> bool {
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let try_it = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        socket.send_to(b"pcim", (group, socket.local_addr()?.port()))?;
        socket.recv(&mut [0; 8])
    };
    try_it().is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_network_brings_peers_together() {
    if !multicast_works() {
        println!("skipped: multicast does not reach this machine's own sockets");
        return;
    }
    let dirs = dirs::<3>();
    let everywhere = |n: usize| NodeConfig {
        listen: vec!["/ip4/0.0.0.0/tcp/0".to_owned()],
        ..config(&dirs[n].path().join("repo"))
    };
    let on = Network {
        mdns: true,
        ..Network::default()
    };
    // Others on this network, other tests among them, are not to be met.
    let key = key(&dirs[0], 'c');
    let off = Network::default();
    let quiet = Node::start_in(everywhere(2), &off, Some(&key));
    let quiet = quiet.await.unwrap();
    let keeper = Node::start_in(everywhere(0), &on, Some(&key))
        .await
        .unwrap();
    let digest = keeper.put_raw(pattern(999)).await.unwrap();
    // A node asks when it starts and then every few minutes, and a datagram may be lost: then it starts again.
    let mut asked = 0;
    let seeker = loop {
        let seeker = Node::start_in(everywhere(1), &on, Some(&key))
            .await
            .unwrap();
        if within(PATIENCE / 5, async || seeker.peers().await > 0).await {
            break seeker;
        }
        seeker.shutdown().await;
        asked += 1;
        assert!(asked < 5, "nobody was found, asked {asked} times");
    };
    let fetched = seeker.get_raw(&digest, 999, PATIENCE).await.unwrap();
    assert!(fetched == pattern(999));
    assert_eq!(
        quiet.peers().await,
        0,
        "who does not take part is not found"
    );
    for node in [quiet, keeper, seeker] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dht_leads_to_who_has_an_image() {
    let dirs = dirs::<4>();
    let part = |dht| Network {
        dht,
        ..Network::default()
    };
    let server = start(&dirs[0], &part(Dht::Server), Vec::new()).await;
    let known = vec![address(&server).await];
    let keeper = start(&dirs[1], &part(Dht::Client), known.clone()).await;
    let bytes = pattern(3 * 1024 * 1024 + 5);
    let body = keeper.add_body(streamed(bytes.clone())).await.unwrap();
    let image = keeper.put_root(vec![9; 399], &body).await.unwrap().image;
    let certificate = keeper.put_raw(pattern(500)).await.unwrap();

    let seeker = start(&dirs[2], &part(Dht::Client), known.clone()).await;
    let stranger = start(&dirs[3], &part(Dht::Off), known.clone()).await;
    let got = within(PATIENCE, async || {
        seeker
            .get_root(&image, Duration::from_secs(3))
            .await
            .is_ok()
    });
    assert!(got.await, "the provider of the root was not found");
    let read = seeker.read_body(&body, PATIENCE).await.unwrap();
    assert!(collected(read).await.unwrap() == bytes);
    assert_eq!(seeker.peers().await, 2, "the server and the provider");

    // Nobody is asked where the DHT is off.
    let alone = stranger.get_root(&image, Duration::from_secs(2)).await;
    assert!(matches!(alone, Err(Error::Timeout { .. })));
    // A node that knows nobody but the server: leaves and certificates are not announced, the body is.
    seeker.shutdown().await;
    let later = tempfile::tempdir().unwrap();
    let later = start(&later, &part(Dht::Client), known).await;
    let hidden = later
        .get_raw(&certificate, 500, Duration::from_secs(3))
        .await;
    assert!(matches!(hidden, Err(Error::Timeout { .. })));
    assert_eq!(later.peers().await, 1);
    for node in [server, keeper, stranger, later] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_carries_an_image_to_who_cannot_be_reached() {
    let dirs = dirs::<3>();
    let relaying = Network {
        relay: true,
        ..Network::default()
    };
    let relay = start(&dirs[0], &relaying, Vec::new()).await;
    let through = Network {
        relays: vec![address(&relay).await],
        ..Network::default()
    };
    // It listens nowhere: only the relay leads to it.
    let hidden = NodeConfig {
        listen: Vec::new(),
        ..config(&dirs[1].path().join("repo"))
    };
    let keeper = Node::start_in(hidden, &through, None).await.unwrap();
    let bytes = pattern(2 * 1024 * 1024 + 1);
    let body = keeper.add_body(streamed(bytes.clone())).await.unwrap();
    let reserved = within(PATIENCE, async || {
        !keeper.addresses().await.unwrap().is_empty()
    });
    assert!(reserved.await, "the relay gave no reservation");
    let circuit = address(&keeper).await;
    assert!(circuit.contains("/p2p-circuit/"), "{circuit}");

    let reader = start(&dirs[2], &Network::default(), Vec::new()).await;
    reader.connect(&circuit).await.unwrap();
    let read = reader.read_body(&body, PATIENCE).await.unwrap();
    assert!(collected(read).await.unwrap() == bytes);
    for node in [reader, keeper, relay] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_counts_who_has_every_block() {
    let dirs = dirs::<4>();
    let off = Network::default();
    let keeper = start(&dirs[0], &off, Vec::new()).await;
    let bytes = pattern(3 * 1024 * 1024);
    let body = keeper.add_body(streamed(bytes)).await.unwrap();
    let header = vec![9; 399];
    let image = keeper.put_root(header.clone(), &body).await.unwrap().image;
    let known = vec![address(&keeper).await];
    let whole = start(&dirs[1], &off, known.clone()).await;
    let part = start(&dirs[2], &off, known.clone()).await;
    let none = start(&dirs[3], &off, known).await;
    for node in [&part, &none] {
        let up = within(PATIENCE, async || node.peers().await > 0);
        assert!(up.await);
    }
    let read = whole.cat(&image, PATIENCE).await.unwrap();
    collected(read).await.unwrap();
    part.get_root(&image, PATIENCE).await.unwrap();

    // Root, header, the body's node and its three leaves.
    let asked = || keeper.survey(&image, PATIENCE);
    let three = within(PATIENCE, async || asked().await.unwrap().peers.len() == 3).await;
    let survey = asked().await.unwrap();
    assert!(three && survey.blocks == 6, "{survey:?}");
    let mut has: Vec<_> = survey
        .peers
        .iter()
        .map(|p| (p.has, p.lacks, p.silent))
        .collect();
    has.sort_unstable();
    assert_eq!(has, [(0, 6, 0), (2, 4, 0), (6, 0, 0)]);
    assert_eq!(survey.complete(), 1);
    assert!(keeper.holds(&image).await.unwrap() && !part.holds(&image).await.unwrap());

    part.forget_root(&image).await.unwrap();
    let survey = asked().await.unwrap();
    assert_eq!(survey.peers.iter().filter(|p| p.has == 0).count(), 2);
    for node in [keeper, whole, part, none] {
        node.shutdown().await;
    }
}
