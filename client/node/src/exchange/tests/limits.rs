//! Limits of what a peer may make this node keep.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use futures::io::AsyncWriteExt;
use rust_ipfs::builder::IpfsBuilder;
use rust_ipfs::p2p::MultiaddrExt;
use rust_ipfs::{Keypair, Multiaddr, PeerId};
use tokio::sync::mpsc;

use super::super::Exchange;
use super::super::room::{MAX_STREAMS, MAX_UNASKED_STREAMS};
use super::super::state::{MAX_NEWS, MAX_WAITING, News, Outbox, tell};
use super::super::streams::{Event, Streams};
use super::super::wire::{Ask, Message, Want};
use super::{PATIENCE, node};
use crate::disk::Disk;
use crate::unixfs::{RAW, cid_of};

fn want(cid: Cid, ask: Ask) -> Want {
    Want {
        cid,
        ask,
        answer_missing: true,
    }
}

fn numbered(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Cid> {
    numbers.map(|number| cid_of(RAW, &number.to_le_bytes()))
}

fn some_peer() -> PeerId {
    Keypair::generate_ed25519().public().to_peer_id()
}

#[test]
fn no_message_has_more_than_its_share() {
    let message = Message {
        wants: numbered(0..5000).map(|cid| want(cid, Ask::Have)).collect(),
        blocks: Vec::new(),
        presences: numbered(0..5000).map(|cid| (cid, true)).collect(),
    };
    let framed = Bytes::from(message.encode());
    // About 490 kB: three bytes of length.
    let read = Message::decode(&framed.slice(3..)).unwrap();
    assert_eq!((read.wants.len(), read.presences.len()), (4096, 4096));
    let small = Message::before_block(&cid_of(RAW, b"x"), 1);
    let block = [&small[1..], b"x"].concat();
    let read = Message::decode(&block.repeat(3000).into()).unwrap();
    assert_eq!(read.blocks.len(), 1024);
}

#[test]
fn talk_does_not_keep_a_block_from_a_hunt() {
    let (hunt, mut news) = mpsc::channel(MAX_NEWS);
    let peer = some_peer();
    for _ in 0..10 * MAX_NEWS {
        tell(&hunt, News::Have(peer));
        tell(&hunt, News::DontHave(peer));
    }
    tell(&hunt, News::Block(Bytes::from_static(b"block")));
    drop(hunt);
    let mut last = None;
    while let Ok(next) = news.try_recv() {
        last = Some(next);
    }
    assert!(matches!(last, Some(News::Block(_))));
}

#[tokio::test]
async fn what_is_asked_before_there_is_a_stream_is_answered_once_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::open(dir.path()).unwrap();
    let (here, missing) = (cid_of(RAW, b"here"), cid_of(RAW, b"missing"));
    let mut batch = disk.batch();
    batch.put(here, Bytes::from_static(b"here")).await.unwrap();
    batch.commit().await.unwrap();
    let (exchange, _streams) = Exchange::new(disk);
    let peer = some_peer();
    exchange.state().enter(peer);
    let wants = vec![want(here, Ask::Have), want(missing, Ask::Block)];
    exchange.answer(peer, wants);

    let (messages, mut sent) = mpsc::channel(9);
    let (serve, mut served) = mpsc::channel(9);
    exchange.ready(peer, Outbox { messages, serve });
    let soon = Duration::from_secs(10);
    let message = tokio::time::timeout(soon, sent.recv()).await.unwrap();
    assert_eq!(message.unwrap().presences, [(here, true)]);
    let asked = tokio::time::timeout(soon, served.recv()).await.unwrap();
    assert_eq!(asked.unwrap().cid, missing);
}

/// A peer that opens one stream after the other, asks without end, and reads nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_reads_is_not_answered_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(dir.path()).await;
    let address: Multiaddr = node.addresses().await.unwrap()[0].parse().unwrap();
    let target = address.peer_id().unwrap();
    let (events, mut happened) = mpsc::unbounded_channel();
    let (wanted, wanting) = mpsc::unbounded_channel();
    let streams = Streams::new(events, wanting);
    let deaf = IpfsBuilder::new()
        .enable_tcp()
        .with_custom_behaviour(move |_| Ok(streams))
        .set_idle_connection_timeout(60)
        .start()
        .await
        .unwrap();
    deaf.connect(address).await.unwrap();
    let peer = deaf.keypair().public().to_peer_id();
    let exchange = embedded(&node).exchange();

    // More than what the sockets on the way take: every question is answered with as many bytes.
    let asking = numbered(0..4000).map(|cid| want(cid, Ask::Have)).collect();
    let questions = Message::wants(asking).encode();
    let (mut unread, mut idle) = (Vec::new(), Vec::new());
    let (mut asked, mut most) = (false, 0);
    let started = Instant::now();
    while started.elapsed() < PATIENCE && (idle.len() < 3 * MAX_STREAMS || most < MAX_WAITING) {
        let next = tokio::time::timeout(Duration::from_millis(50), happened.recv()).await;
        match next.ok().flatten() {
            Some(Event::Outbound(_, mut stream)) if !asked => {
                asked = true;
                for _ in 0..45 {
                    stream.write_all(&questions).await.unwrap();
                }
                stream.flush().await.unwrap();
                idle.push(stream);
            }
            Some(Event::Outbound(_, stream)) => idle.push(stream),
            Some(Event::Inbound(_, stream)) => unread.push(stream),
            _ => {}
        }
        if idle.len() < 3 * MAX_STREAMS {
            let _ = wanted.send(target);
        }
        let state = exchange.state();
        if let Some(known) = state.peers.get(&peer) {
            let read = known.streams;
            assert!(read <= MAX_UNASKED_STREAMS, "{read} streams");
            if let Some(outbox) = &known.outbox {
                let waiting = outbox.messages.max_capacity() - outbox.messages.capacity();
                most = most.max(waiting);
            }
        }
    }
    assert!(idle.len() > MAX_STREAMS, "{} streams opened", idle.len());
    // The answers reached the limit, and went no further.
    assert_eq!(most, MAX_WAITING);
}

/// The embedded node's storage.
fn embedded(node: &crate::Node) -> &crate::store::Store {
    node.store.as_any().downcast_ref().unwrap()
}
