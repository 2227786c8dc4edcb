//! Questions to a mailbox: from a node, from another process of its home, and to nodes that keep none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{PATIENCE, address, config, start};
use crate::{Error, MAX_QUESTION, Mailbox, Network, Node};

/// Says who asked, and repeats the question; takes its time if the question begins with `slow`.
#[derive(Default)]
struct Echo {
    refused: AtomicUsize,
}

impl Mailbox for Echo {
    fn answer(&self, me: &str, peer: &str, question: &[u8]) -> Vec<u8> {
        if question.starts_with(b"slow") {
            std::thread::sleep(Duration::from_millis(200));
        }
        [me.as_bytes(), b" ", peer.as_bytes(), b" ", question].concat()
    }

    fn refuse(&self) -> Vec<u8> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        b"refused".to_vec()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_answers_peers_and_a_node_without_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let keeps = Network {
        mailbox: true,
        ..Network::default()
    };
    let follower = Node::start_in(config(&path("follower")), &keeps, None)
        .await
        .unwrap();
    let echo = Arc::new(Echo::default());
    let serving = follower.keep_mailbox(echo.clone()).await.unwrap();
    let (asker, other) = (start(&path("asker")).await, start(&path("other")).await);
    let at = address(&follower).await;
    let id = |address: &str| address.rsplit('/').next().unwrap().to_owned();
    let (me, peer) = (id(&at), id(&address(&asker).await));

    let heard = asker.ask_mailbox(&at, b"hello".to_vec(), PATIENCE).await;
    assert_eq!(heard.unwrap(), format!("{me} {peer} hello").into_bytes());
    // Another process of the home asks through its node.
    let socket = path("node.sock");
    let _server = asker.serve(&socket, Duration::ZERO).unwrap();
    let beside = Node::beside(&socket, &[], 1024).await.unwrap().unwrap();
    let long = vec![7; MAX_QUESTION - 256];
    let heard = beside.ask_mailbox(&at, long.clone(), PATIENCE).await;
    assert!(heard.unwrap().ends_with(&long));

    // A question that is too long is not carried, and what is not a mailbox does not answer.
    let longer = vec![7; MAX_QUESTION + 1];
    let refused = asker.ask_mailbox(&at, longer.clone(), PATIENCE).await;
    assert!(matches!(refused, Err(Error::MailboxSilent { .. })));
    assert!(beside.ask_mailbox(&at, longer, PATIENCE).await.is_err());
    let begun = Instant::now();
    let none = address(&other).await;
    let refused = asker.ask_mailbox(&none, b"x".to_vec(), PATIENCE).await;
    assert!(matches!(refused, Err(Error::MailboxSilent { address, .. }) if address == none));
    assert!(begun.elapsed() < PATIENCE / 2, "it is known at once");

    // One peer that asks much does not hold up another one.
    let noise = (0..32).map(|_| asker.ask_mailbox(&at, b"slow".to_vec(), PATIENCE));
    let noise = futures::future::join_all(noise);
    let quiet = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = Instant::now();
        let heard = other.ask_mailbox(&at, b"me too".to_vec(), PATIENCE).await;
        (heard.unwrap(), begun.elapsed())
    };
    let (_, (heard, took)) = tokio::join!(noise, quiet);
    assert!(heard.ends_with(b"me too"));
    assert!(took < Duration::from_secs(1), "{took:?}");
    drop(serving);
    for node in [follower, asker, other] {
        node.shutdown().await;
    }
}
