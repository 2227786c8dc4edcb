//! Questions to a mailbox (format.md §13.15) or to a guest's host (§13.19) and their answers, over the swarm. Their meaning is not this
//! module's concern: a node carries a question of limited size to a peer, and the answer back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use connexa::behaviour::request_response::RequestResponseDirection;
use futures::StreamExt;
use futures::stream::BoxStream;
use rust_ipfs::p2p::MultiaddrExt;
use rust_ipfs::{InboundRequestId, Ipfs, Multiaddr, PeerId, RequestResponseConfig, StreamProtocol};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::of_ipfs;
use super::{Cause, Error, Result};

/// Most bytes of a question: a sealed document, and what stands before it.
pub const MAX_QUESTION: usize = 288 * 1024;
/// Most bytes of an answer.
pub const MAX_ANSWER: usize = MAX_QUESTION;

/// How long a question or an answer may be under way.
const UNDER_WAY: Duration = Duration::from_secs(30);
/// Streams of one connection at a time.
const MAX_STREAMS: usize = 4;
/// Questions that are taken from the swarm before they are looked at.
const WAITING: usize = 256;
/// Questions that are answered at the same time.
const ANSWERING: usize = 8;
/// Questions of one peer that wait or are answered at the same time; others are refused.
const MAX_OF_PEER: usize = 8;

/// Whom a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// A mailbox.
    Mail,
    /// One who shares an image with a guest.
    Guests,
}

impl Topic {
    /// Returns its name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Guests => "guests",
        }
    }

    fn protocol(self) -> StreamProtocol {
        StreamProtocol::new(match self {
            Self::Mail => "/pcim/mailbox/1",
            Self::Guests => "/pcim/guest/1",
        })
    }
}

/// A mailbox or a host, as peers speak to it.
pub trait Mailbox: Send + Sync + 'static {
    /// Answers a question of `peer` to the node `me`. Called on a thread that may block.
    fn answer(&self, me: &str, peer: &str, question: &[u8]) -> Vec<u8>;

    /// Answers a question that is not looked at, for its peer asks too many at a time.
    fn refuse(&self) -> Vec<u8>;
}

/// Keeps a mailbox answering; it ends when this is dropped.
pub struct Serving(#[expect(dead_code, reason = "held for its drop")] JoinSet<()>);

/// Says how the node speaks a protocol: it asks, and is asked only if it answers, too.
pub(super) fn protocol(topic: Topic, keeps: bool) -> RequestResponseConfig {
    let direction = match keeps {
        true => RequestResponseDirection::Both,
        false => RequestResponseDirection::Out,
    };
    RequestResponseConfig::new(topic.protocol().to_string())
        .set_timeout(UNDER_WAY)
        .set_max_request_size(MAX_QUESTION)
        .set_max_response_size(MAX_ANSWER)
        .set_concurrent_streams(MAX_STREAMS)
        .set_channel_buffer(WAITING)
        .set_protocol_direction(direction)
}

/// Asks a connected peer.
pub(super) async fn ask(
    ipfs: &Ipfs,
    topic: Topic,
    to: &Multiaddr,
    question: Bytes,
    limit: Duration,
) -> Result<Bytes> {
    let silent = |source: Cause| Error::MailboxSilent {
        address: to.to_string(),
        source,
    };
    let peer = to
        .peer_id()
        .ok_or_else(|| silent("its address names no node with /p2p/".into()))?;
    let answer = tokio::time::timeout(limit, ipfs.send_request(peer, (topic.protocol(), question)));
    match answer.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(silent(error.into())),
        Err(late) => Err(silent(late.into())),
    }
}

/// Has a mailbox answer what peers ask.
pub(super) async fn keep(ipfs: Ipfs, topic: Topic, mailbox: Arc<dyn Mailbox>) -> Result<Serving> {
    let questions = ipfs.requests_subscribe(topic.protocol()).await;
    let questions = questions.map_err(|error| of_ipfs("opening the mailbox", error))?;
    let me = ipfs.keypair().public().to_peer_id().to_string();
    let desk = Arc::new(Desk {
        ipfs,
        topic,
        me,
        mailbox,
        free: Semaphore::new(ANSWERING),
        under_way: Mutex::default(),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(attend(desk, questions));
    Ok(Serving(tasks))
}

struct Desk {
    ipfs: Ipfs,
    topic: Topic,
    /// This node's id.
    me: String,
    mailbox: Arc<dyn Mailbox>,
    free: Semaphore,
    under_way: Mutex<HashMap<PeerId, usize>>,
}

async fn attend(
    desk: Arc<Desk>,
    mut questions: BoxStream<'static, (PeerId, InboundRequestId, Bytes)>,
) {
    let mut answers = JoinSet::new();
    while let Some((peer, id, question)) = questions.next().await {
        while answers.try_join_next().is_some() {}
        let entered = desk.enter(peer);
        let desk = desk.clone();
        answers.spawn(async move {
            let answer = match entered {
                true => desk.answer(peer, question).await,
                false => desk.mailbox.refuse(),
            };
            let sent = desk
                .ipfs
                .send_response(peer, id, (desk.topic.protocol(), answer));
            let sent = sent.await;
            if let Err(error) = sent {
                tracing::debug!(%peer, %error, "an answer was not taken");
            }
            if entered {
                desk.leave(peer);
            }
        });
    }
}

impl Desk {
    async fn answer(self: &Arc<Self>, peer: PeerId, question: Bytes) -> Vec<u8> {
        let Ok(_place) = self.free.acquire().await else {
            return self.mailbox.refuse();
        };
        let desk = self.clone();
        let answered = tokio::task::spawn_blocking(move || {
            desk.mailbox.answer(&desk.me, &peer.to_string(), &question)
        });
        answered.await.unwrap_or_else(|_| self.mailbox.refuse())
    }

    /// Counts a question of a peer; false if it has too many.
    fn enter(&self, peer: PeerId) -> bool {
        let mut under_way = self.counts();
        let count = under_way.entry(peer).or_default();
        let may = *count < MAX_OF_PEER;
        *count += usize::from(may);
        may
    }

    fn leave(&self, peer: PeerId) {
        let mut under_way = self.counts();
        if let Some(count) = under_way.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&peer);
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<PeerId, usize>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
