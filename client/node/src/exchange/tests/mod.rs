#![allow(clippy::unwrap_used)]

mod faults;
mod limits;

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use futures::io::AsyncWriteExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use rust_ipfs::builder::IpfsBuilder;
use rust_ipfs::{Ipfs, Protocol};
use tokio::sync::mpsc;

use super::room::{self, Room};
use super::serve::read_message;
use super::streams::{Event, Streams};
use super::wire::{Ask, MAX_MESSAGE, Message, NotAMessage, Want};
use crate::unixfs::{RAW, cid_of};
use crate::{Error, MAX_BLOCK, Node, NodeConfig};
use pcim_core::BlockDigest;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn messages_read_back() {
    let cid = cid_of(RAW, b"block");
    let want = |ask| Want {
        cid,
        ask,
        answer_missing: ask != Ask::Cancel,
    };
    let message = Message {
        wants: vec![want(Ask::Block), want(Ask::Have), want(Ask::Cancel)],
        blocks: Vec::new(),
        presences: vec![(cid, true), (cid, false)],
    };
    let framed = Bytes::from(message.encode());
    // 3 wants of 36 bytes of CID and a few fields each, 2 presences: two bytes of length.
    assert_eq!(Message::decode(&framed.slice(2..)), Ok(message));

    let framed = [Message::before_block(&cid, 5), b"block".to_vec()].concat();
    let read = Message::decode(&Bytes::from(framed).slice(1..)).unwrap();
    assert_eq!(read.blocks, [(Some(RAW), Bytes::from_static(b"block"))]);
    assert!(read.wants.is_empty() && read.presences.is_empty());
}

#[test]
fn foreign_bytes_are_no_message_or_a_harmless_one() {
    assert_eq!(
        Message::decode(&Bytes::from_static(&[0x0a, 5, 1])),
        Err(NotAMessage)
    );
    assert_eq!(
        Message::decode(&Bytes::from_static(&[0xff; 20])),
        Err(NotAMessage)
    );
    // Fields that nobody knows are skipped.
    assert_eq!(
        Message::decode(&Bytes::from_static(&[0x28, 7])),
        Ok(Message::default())
    );
    // A CID that this node does not store (version 0), and a block under an identity hash.
    let foreign = Cid::new_v0(*cid_of(RAW, b"x").hash()).unwrap().to_bytes();
    let mut entry = vec![0x0a, foreign.len() as u8];
    entry.extend(foreign);
    let list = [&[0x0a, entry.len() as u8][..], &entry].concat();
    let message = [&[0x0a, list.len() as u8][..], &list].concat();
    assert_eq!(Message::decode(&message.into()), Ok(Message::default()));
    let block = [0x1a, 9, 0x0a, 4, 1, 0x55, 0, 1, 0x12, 1, b'x'];
    let read = Message::decode(&Bytes::copy_from_slice(&block)).unwrap();
    assert_eq!(read.blocks, [(None, Bytes::from_static(b"x"))]);
    let mut seed = 1_u32;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..seed % 70)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        seed = seed.wrapping_add(12_345);
        let _ = Message::decode(&bytes.into());
    }
}

/// Room for whatever comes.
fn room() -> Room {
    Room::Asked {
        own: room::share(),
        all: room::share(),
    }
}

/// A peer with a mind of its own, over real connections: `act` says what it sends for a message, and how long it waits
/// after each part.
async fn rogue(
    act: impl Fn(Message) -> Vec<Vec<u8>> + Send + 'static,
    pause: Duration,
) -> (Ipfs, String) {
    let (events, mut happened) = mpsc::unbounded_channel();
    let (wanted, wanting) = mpsc::unbounded_channel();
    let streams = Streams::new(events, wanting);
    let ipfs = IpfsBuilder::new()
        .enable_tcp()
        .with_custom_behaviour(move |_| Ok(streams))
        .set_idle_connection_timeout(60)
        .start()
        .await
        .unwrap();
    let listening = ipfs.add_listening_address("/ip4/127.0.0.1/tcp/0".parse().unwrap());
    listening.await.unwrap();
    let address = ipfs.listening_addresses().await.unwrap().remove(0);
    let peer = ipfs.keypair().public().to_peer_id();
    let (sender, parts) = mpsc::unbounded_channel::<Vec<u8>>();
    let (mut act, mut parts) = (Some(act), Some(parts));
    tokio::spawn(async move {
        let _keep = wanted;
        while let Some(event) = happened.recv().await {
            match event {
                Event::Outbound(_, mut stream) => {
                    let Some(mut parts) = parts.take() else {
                        continue;
                    };
                    tokio::spawn(async move {
                        while let Some(part) = parts.recv().await {
                            if stream.write_all(&part).await.is_err()
                                || stream.flush().await.is_err()
                            {
                                return;
                            }
                            tokio::time::sleep(pause).await;
                        }
                    });
                }
                Event::Inbound(_, mut stream) => {
                    let (Some(act), sender) = (act.take(), sender.clone()) else {
                        continue;
                    };
                    tokio::spawn(async move {
                        while let Ok(Some((message, _))) =
                            read_message(&mut stream, room, || ()).await
                        {
                            act(message)
                                .into_iter()
                                .for_each(|part| drop(sender.send(part)));
                        }
                    });
                }
                Event::Refused(_) | Event::Gone(_) => {}
            }
        }
    });
    (ipfs, address.with(Protocol::P2p(peer)).to_string())
}

/// Says that it has whatever it is asked for.
fn has_it(message: &Message) -> Vec<Vec<u8>> {
    let asked = message.wants.iter().filter(|want| want.ask == Ask::Have);
    asked
        .map(|want| Message::presence(want.cid, true).encode())
        .collect()
}

fn block(cid: &Cid, bytes: &[u8]) -> Vec<u8> {
    [Message::before_block(cid, bytes.len()), bytes.to_vec()].concat()
}

async fn node(repo: &Path) -> Node {
    let config = NodeConfig {
        repo: repo.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        chunk_size: MAX_BLOCK,
    };
    Node::start(config).await.unwrap()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i * 131 + (i >> 8) * 29 + (i >> 16) * 7) as u8)
        .collect()
}

fn one_piece(bytes: Vec<u8>) -> stream::BoxStream<'static, std::io::Result<Bytes>> {
    stream::iter([Ok(Bytes::from(bytes))]).boxed()
}

/// Whatever the first peer does, the block comes from the second, and what the first sent is nowhere.
async fn passed_over(act: impl Fn(Message) -> Vec<Vec<u8>> + Send + 'static) {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = (node(here.path()).await, node(there.path()).await);
    let (_rogue, address) = rogue(act, Duration::ZERO).await;
    reader.connect(&address).await.unwrap();
    let raw = keeper.put_raw(b"certificate".to_vec()).await.unwrap();
    let keeper_address = keeper.addresses().await.unwrap().remove(0);
    let late = async {
        // The rogue is asked first.
        tokio::time::sleep(Duration::from_millis(300)).await;
        reader.connect(&keeper_address).await.unwrap();
    };
    let started = Instant::now();
    let (got, ()) = tokio::join!(reader.get_raw(&raw, 100, PATIENCE), late);
    assert_eq!(got.unwrap(), b"certificate");
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    assert_eq!(reader.stat().await.unwrap().blocks, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_answers_is_passed_over() {
    passed_over(|_| Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_has_it_and_does_not_send_it_is_passed_over() {
    passed_over(|message| has_it(&message)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_not_accepted_and_their_sender_is_passed_over() {
    passed_over(|message| {
        let mut parts = has_it(&message);
        let asked = message.wants.iter().filter(|want| want.ask == Ask::Block);
        parts.extend(asked.map(|want| block(&want.cid, b"something else")));
        parts
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_long_or_none_is_not_read() {
    passed_over(|message| {
        let mut parts = has_it(&message);
        if message.wants.iter().any(|want| want.ask == Ask::Block) {
            let mut length = vec![];
            crate::unixfs::put_varint(&mut length, MAX_MESSAGE as u64 + 1);
            parts.push(length);
            parts.push(vec![0xff; 1000]);
        }
        parts
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_an_error_that_names_who_was_tried() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, other) = (node(here.path()).await, node(there.path()).await);
    let (_liar, liar) = rogue(
        |message| {
            let mut parts = has_it(&message);
            let asked = message.wants.iter().filter(|want| want.ask == Ask::Block);
            parts.extend(asked.map(|want| block(&want.cid, b"something else")));
            parts
        },
        Duration::ZERO,
    )
    .await;
    let (_silent, silent) = rogue(|_| Vec::new(), Duration::ZERO).await;
    let empty = other.addresses().await.unwrap().remove(0);
    for address in [&liar, &silent, &empty] {
        reader.connect(address).await.unwrap();
    }
    let limit = Duration::from_secs(2);
    let error = reader
        .get_raw(&BlockDigest([7; 32]), 10, limit)
        .await
        .unwrap_err();
    let text = error.to_string();
    let Error::Timeout {
        tried, peers: 3, ..
    } = error
    else {
        panic!("{text}")
    };
    let peer = |address: &str| address.rsplit('/').next().unwrap().to_owned();
    for (address, answer) in [
        (&liar, "sent something else"),
        (&silent, "did not answer"),
        (&empty, "does not have it"),
    ] {
        let line = format!("{} {answer}", peer(address));
        assert!(
            tried.0.contains(&line) && text.contains(&line),
            "{line}: {text}"
        );
    }
    // One that went away is named by its address.
    other.shutdown().await;
    let error = reader
        .get_raw(&BlockDigest([8; 32]), 10, limit)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("{empty} is not connected")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_peer_is_waited_for_as_long_as_it_sends() {
    let here = tempfile::tempdir().unwrap();
    let reader = node(here.path()).await;
    let bytes = pattern(800_000);
    let served = bytes.clone();
    let (_slow, address) = rogue(
        move |message| {
            let mut parts = has_it(&message);
            for want in message.wants.iter().filter(|want| want.ask == Ask::Block) {
                // 100 ms after each of 16 parts: longer than the limit for all of them.
                parts.extend(block(&want.cid, &served).chunks(50_003).map(<[u8]>::to_vec));
            }
            parts
        },
        Duration::from_millis(100),
    )
    .await;
    reader.connect(&address).await.unwrap();
    let digest = crate::unixfs::digest_of(&cid_of(RAW, &bytes)).unwrap();
    let started = Instant::now();
    let limit = Duration::from_millis(1200);
    let got = reader.get_raw(&BlockDigest(digest), MAX_BLOCK, limit).await;
    assert!(got.unwrap() == bytes);
    assert!(started.elapsed() > limit, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_only_talks_is_not_waited_for_forever() {
    let here = tempfile::tempdir().unwrap();
    let reader = node(here.path()).await;
    let (_talker, address) = rogue(
        |message| {
            let mut parts = has_it(&message);
            let chatter = Message::presence(cid_of(RAW, b"chatter"), true).encode();
            parts.extend(vec![chatter; 400]);
            parts
        },
        Duration::from_millis(20),
    )
    .await;
    reader.connect(&address).await.unwrap();
    let limit = Duration::from_millis(300);
    let started = Instant::now();
    let got = reader.get_raw(&BlockDigest([7; 32]), 10, limit).await;
    assert!(matches!(got, Err(Error::Timeout { .. })), "{got:?}");
    assert!(started.elapsed() < PATIENCE / 4, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_goes_away_half_way_is_replaced_by_another() {
    let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let reader = node(dirs[0].path()).await;
    let (first, second) = (node(dirs[1].path()).await, node(dirs[2].path()).await);
    let bytes = pattern(40 * MAX_BLOCK + 17);
    let body = first.add_body(one_piece(bytes.clone())).await.unwrap();
    let same = second.add_body(one_piece(bytes.clone())).await.unwrap();
    assert_eq!(same, body);
    reader
        .connect(&first.addresses().await.unwrap()[0])
        .await
        .unwrap();
    let mut stream = reader.read_body(&body, PATIENCE).await.unwrap();
    let mut got = Vec::new();
    for _ in 0..5 {
        got.extend(stream.try_next().await.unwrap().unwrap());
    }
    first.shutdown().await;
    reader
        .connect(&second.addresses().await.unwrap()[0])
        .await
        .unwrap();
    while let Some(piece) = stream.try_next().await.unwrap() {
        got.extend(piece);
    }
    assert!(got == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_fetch_goes_on_from_what_it_has() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = (node(here.path()).await, node(there.path()).await);
    let bytes = pattern(30 * MAX_BLOCK);
    let body = keeper.add_body(one_piece(bytes.clone())).await.unwrap();
    reader
        .connect(&keeper.addresses().await.unwrap()[0])
        .await
        .unwrap();
    let stream = reader.read_body(&body, PATIENCE).await.unwrap();
    let some: Vec<_> = stream.take(10).try_collect().await.unwrap();
    assert_eq!(some.len(), 10);
    reader.shutdown().await;
    keeper.shutdown().await;

    // With nobody to ask, the first leaves are there.
    let reader = node(here.path()).await;
    let stream = reader
        .read_body(&body, Duration::from_millis(300))
        .await
        .unwrap();
    let again: Vec<_> = stream.take(10).try_collect().await.unwrap();
    assert!(again == some);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_block_gets_it_once_it_is_there() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = (node(here.path()).await, node(there.path()).await);
    reader
        .connect(&keeper.addresses().await.unwrap()[0])
        .await
        .unwrap();
    let cid = cid_of(RAW, b"late");
    let digest = BlockDigest(crate::unixfs::digest_of(&cid).unwrap());
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        keeper.put_raw(b"late".to_vec()).await.unwrap();
    };
    let started = Instant::now();
    let (got, ()) = tokio::join!(reader.get_raw(&digest, 10, PATIENCE), later);
    assert_eq!(got.unwrap(), b"late");
    // It was answered, and did not ask again.
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}
