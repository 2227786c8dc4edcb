//! Peers that fail half-way, and fetches that are taken up again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cid::Cid;
use futures::stream::{StreamExt, TryStreamExt};

use super::super::wire::{Ask, Message};
use super::{PATIENCE, block, has_it, node, rogue};
use crate::unixfs::Link;
use crate::{BodyRef, Error, MAX_BLOCK};
use pcim_core::BlockDigest;

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_failed_once_is_not_waited_for_because_it_talks() {
    let here = tempfile::tempdir().unwrap();
    let reader = node(here.path()).await;
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    let (_talker, address) = rogue(
        move |message| {
            let mut parts = has_it(&message);
            for want in message.wants.iter().filter(|want| want.ask == Ask::Block) {
                let mut asked = counted.lock().unwrap();
                *asked += 1;
                if *asked == 1 {
                    parts.push(block(&want.cid, b"something else"));
                }
                let chatter = Message::presence(want.cid, true).encode();
                parts.extend(vec![chatter; 600]);
            }
            parts
        },
        Duration::from_millis(20),
    )
    .await;
    reader.connect(&address).await.unwrap();
    let limit = Duration::from_secs(1);
    let started = Instant::now();
    let got = reader.get_raw(&BlockDigest([7; 32]), 10, limit).await;
    assert!(matches!(got, Err(Error::Timeout { .. })), "{got:?}");
    // One that had not failed would have been waited for four times as long.
    let time = started.elapsed();
    assert!(time >= limit && time < 4 * limit, "{time:?}");
}

/// Leaf `number` of a body that nobody has to hold in memory.
fn leaf(number: u32) -> Vec<u8> {
    let mut state = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(MAX_BLOCK);
    while bytes.len() < MAX_BLOCK {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

/// The blocks of a body that a peer can serve.
enum Served {
    Leaf(u32),
    Node(Vec<u8>),
}

/// An interrupted fetch goes on with the blocks that are missing. `PCIM_TEST_RESUME_MIB` makes it larger, up to 1024.
#[tokio::test(flavor = "multi_thread")]
async fn no_block_that_is_here_is_fetched_again() {
    let leaves: u32 = std::env::var("PCIM_TEST_RESUME_MIB").map_or(64, |mib| mib.parse().unwrap());
    let links: Vec<_> = (0..leaves)
        .map(|number| Link::leaf(&leaf(number)))
        .collect();
    let (root, bytes) = Link::node(&links);
    let mut blocks: HashMap<Cid, Served> = (0..leaves)
        .map(|number| (links[number as usize].cid, Served::Leaf(number)))
        .collect();
    blocks.insert(root.cid, Served::Node(bytes));
    let sent = Arc::new(Mutex::new(HashMap::<Cid, u32>::new()));
    let counted = Arc::clone(&sent);
    let serve = move |message: Message| {
        let mut parts = has_it(&message);
        for want in message.wants.iter().filter(|want| want.ask == Ask::Block) {
            *counted.lock().unwrap().entry(want.cid).or_default() += 1;
            parts.push(match &blocks[&want.cid] {
                Served::Leaf(number) => block(&want.cid, &leaf(*number)),
                Served::Node(bytes) => block(&want.cid, bytes),
            });
        }
        parts
    };
    let serve = Arc::new(serve);
    let body = BodyRef {
        cid: root.cid.to_string(),
        file_size: root.file_size,
        dag_size: root.dag_size,
    };

    let here = tempfile::tempdir().unwrap();
    let reader = node(here.path()).await;
    let first = Arc::clone(&serve);
    let (keeper, address) = rogue(move |message| first(message), Duration::ZERO).await;
    reader.connect(&address).await.unwrap();
    let stream = reader.read_body(&body, PATIENCE).await.unwrap();
    let half = (leaves / 2) as usize;
    let read: usize = stream
        .take(half)
        .try_fold(0, async |n, piece| Ok(n + piece.len()))
        .await
        .unwrap();
    assert_eq!(read, half * MAX_BLOCK);
    reader.shutdown().await;
    keeper.exit_daemon().await;
    let reader = node(here.path()).await;
    let kept = reader.stat().await.unwrap().blocks;
    assert!(
        kept > half as u64 && kept <= u64::from(leaves) + 1,
        "{kept}"
    );
    sent.lock().unwrap().clear();

    let (_keeper, address) = rogue(move |message| serve(message), Duration::ZERO).await;
    reader.connect(&address).await.unwrap();
    let mut stream = reader.read_body(&body, PATIENCE).await.unwrap();
    let mut number = 0;
    while let Some(piece) = stream.try_next().await.unwrap() {
        assert!(piece == leaf(number), "leaf {number}");
        number += 1;
    }
    assert_eq!(number, leaves);
    let sent = sent.lock().unwrap();
    println!(
        "{leaves} MiB: {kept} blocks kept, {} fetched after the interruption",
        sent.len()
    );
    assert!(sent.len() as u64 <= u64::from(leaves) + 1 - kept);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}
