//! The state of peers, hunts and surveys, and what a message from a peer changes in it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use bytes::Bytes;
use cid::Cid;
use rust_ipfs::PeerId;
use tokio::sync::{Semaphore, mpsc};

use super::room::{self, MAX_STREAMS, MAX_UNASKED_STREAMS, Memory, Pieces, Room};
use super::wire::{Ask, Message, Want, cid_of_received};
use crate::disk::{self, Disk};
use crate::types::MAX_BLOCK;

/// Wants that are remembered of a peer.
const MAX_THEIRS: usize = 8192;
/// Messages that wait for a peer to read them; more are not sent to it.
pub(super) const MAX_WAITING: usize = 256;
/// Presences in one message.
const MAX_PRESENCES: usize = 512;
/// News that wait for a hunt, and how many of them only a block or a change of the connection may take.
pub(super) const MAX_NEWS: usize = 256;
const KEPT_NEWS: usize = 64;
/// Blocks asked of a peer that are remembered, those that never came included.
pub(super) const MAX_ASKED: usize = 65_536;

/// The exchange; clones share it.
#[derive(Clone)]
pub(crate) struct Exchange(pub(super) Arc<Parts>);

pub(super) struct Parts {
    pub(super) disk: Disk,
    pub(super) state: Mutex<State>,
    /// Asks the swarm for another stream to a peer.
    pub(super) wanted: mpsc::UnboundedSender<PeerId>,
    pub(super) storing: Arc<Semaphore>,
    /// Peers' questions that are answered at the same time.
    pub(super) answering: Semaphore,
    pub(super) memory: Memory,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) peers: HashMap<PeerId, Peer>,
    pub(super) hunts: HashMap<Cid, Vec<(u64, mpsc::Sender<News>)>>,
    /// The number of the next hunt.
    pub(super) next: u64,
    pub(super) surveys: Surveys,
}

/// The surveys that go on.
#[derive(Default)]
pub(super) struct Surveys {
    pub(super) next: u64,
    pub(super) open: HashMap<u64, (PeerId, mpsc::UnboundedSender<(Cid, bool)>)>,
}

/// A connected peer.
pub(super) struct Peer {
    /// Set while there is a stream to write to.
    pub(super) outbox: Option<Outbox>,
    pub(super) trust: Trust,
    /// When bytes came from it last.
    pub(super) heard: Instant,
    /// When it delivered a block that was asked of it last.
    pub(super) delivered: Instant,
    /// Blocks that it was asked for and did not answer yet.
    pub(super) asked: HashSet<Cid>,
    /// Blocks that it was asked whether it has; it may answer with a small one itself.
    pub(super) queried: HashSet<Cid>,
    /// Blocks that it asked for and did not get yet.
    pub(super) theirs: HashMap<Cid, Want>,
    /// How many of its streams are read.
    pub(super) streams: usize,
    /// Its share of the memory for messages.
    pub(super) share: Arc<Semaphore>,
}

/// The ends for what is sent to a peer.
pub(super) struct Outbox {
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) serve: mpsc::Sender<Want>,
}

/// How much a peer's word is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// It delivered what was asked of it.
    Good,
    Unknown,
    /// It kept silent, or sent something else.
    Bad,
}

/// News for a hunt.
pub(super) enum News {
    /// The block, stored.
    Block(Bytes),
    /// The block came and could not be stored.
    NotStored(io::Error),
    /// The peer has it.
    Have(PeerId),
    /// The peer does not have it.
    DontHave(PeerId),
    /// The peer sent bytes that nobody asked it for.
    Wrong(PeerId),
    /// The peer went away.
    Gone(PeerId),
    /// The peer can be asked.
    Ready(PeerId),
}

impl Exchange {
    /// Returns true if the peer can be asked for blocks.
    pub(crate) fn is_ready(&self, peer: &PeerId) -> bool {
        let state = self.state();
        state.peers.get(peer).is_some_and(|p| p.outbox.is_some())
    }

    /// Tells the peers that asked for these blocks before they were here.
    pub(crate) fn announce(&self, cids: &[Cid]) {
        let state = self.state();
        for peer in state.peers.values() {
            let Some(outbox) = &peer.outbox else { continue };
            for want in cids.iter().filter_map(|cid| peer.theirs.get(cid)) {
                match want.ask {
                    Ask::Block => drop(outbox.serve.try_send(want.clone())),
                    _ => peer.send(Message::presence(want.cid, true)),
                }
            }
        }
    }

    /// Acts on a message, which holds memory until its last block is stored.
    pub(super) async fn take(&self, from: PeerId, message: Message, held: Pieces) {
        if !message.wants.is_empty() {
            let Ok(_slot) = self.0.answering.acquire().await else {
                return;
            };
            let (exchange, wants) = (self.clone(), message.wants);
            let answering = tokio::task::spawn_blocking(move || exchange.answer(from, wants));
            if let Err(dead) = answering.await {
                tracing::warn!(error = %dead, "a peer's questions are not answered");
            }
        }
        {
            let mut state = self.state();
            for (cid, here) in message.presences {
                if !here && let Some(peer) = state.peers.get_mut(&from) {
                    peer.asked.remove(&cid);
                    peer.queried.remove(&cid);
                }
                state.surveys.note(from, &cid, here);
                state.tell(&cid, || match here {
                    true => News::Have(from),
                    false => News::DontHave(from),
                });
            }
        }
        for (codec, bytes) in message.blocks {
            let Ok(slot) = self.0.storing.clone().acquire_owned().await else {
                return;
            };
            let (exchange, held) = (self.clone(), held.clone());
            tokio::task::spawn_blocking(move || {
                exchange.receive(from, codec, bytes);
                drop((slot, held));
            });
        }
    }

    /// Notes what a peer asks for, and answers what can be answered at once: the rest when there is a stream to it, or when
    /// the block is here. Looks at the disk.
    pub(super) fn answer(&self, from: PeerId, wants: Vec<Want>) {
        let mut presences = Vec::new();
        for want in wants {
            let cid = want.cid;
            let here = want.ask == Ask::Have && self.0.disk.contains(&cid);
            let mut state = self.state();
            let Some(peer) = state.peers.get_mut(&from) else {
                return;
            };
            if want.ask == Ask::Cancel || here && peer.outbox.is_some() {
                peer.theirs.remove(&cid);
                presences.extend(here.then_some((cid, true)));
                continue;
            }
            let room = peer.theirs.len() < MAX_THEIRS;
            let queued = match (&peer.outbox, want.ask) {
                (Some(outbox), Ask::Block) if room => outbox.serve.try_send(want.clone()).is_ok(),
                _ => false,
            };
            if !queued && want.answer_missing && peer.outbox.is_some() {
                presences.push((cid, false));
            }
            if room {
                peer.theirs.insert(cid, want);
            }
        }
        for some in presences.chunks(MAX_PRESENCES) {
            let message = Message {
                presences: some.to_vec(),
                ..Message::default()
            };
            self.send(from, message);
        }
    }

    /// Hashes a block; if it was asked for and is still waited for, stores it and hands it on.
    pub(super) fn receive(&self, from: PeerId, codec: Option<u64>, bytes: Bytes) {
        let cid = cid_of_received(codec, &bytes);
        let wanted = {
            let mut state = self.state();
            let Some(peer) = state.peers.get_mut(&from) else {
                return;
            };
            match cid.filter(|cid| peer.asked.remove(cid) | peer.queried.remove(cid)) {
                Some(cid) => {
                    peer.trust = Trust::Good;
                    peer.delivered = Instant::now();
                    state.surveys.note(from, &cid, true);
                    state.hunts.contains_key(&cid).then_some(cid)
                }
                None => {
                    peer.trust = Trust::Bad;
                    tracing::debug!(peer = %from, "a block that was not asked for");
                    state.tell_all(|| News::Wrong(from));
                    None
                }
            }
        };
        let Some(cid) = wanted else { return };
        let stored = match bytes.len() <= MAX_BLOCK {
            true => disk::keep(&self.0.disk.path(&cid), &bytes),
            // The hunt refuses it.
            false => Ok(()),
        };
        let stored = stored.map_err(|error| (error.kind(), error.to_string()));
        self.state().tell(&cid, || match &stored {
            Ok(()) => News::Block(bytes.clone()),
            Err((kind, text)) => News::NotStored(io::Error::new(*kind, text.clone())),
        });
        if stored.is_ok() {
            self.announce(&[cid]);
        }
    }

    /// The terms for the next message of a peer.
    pub(super) fn room(&self, from: PeerId) -> Room {
        let state = self.state();
        match state.peers.get(&from).filter(|peer| peer.owes()) {
            Some(peer) => Room::Asked {
                own: peer.share.clone(),
                all: self.0.memory.asked.clone(),
            },
            None => Room::Unasked {
                all: self.0.memory.others.clone(),
            },
        }
    }

    pub(super) fn send(&self, to: PeerId, message: Message) {
        if let Some(peer) = self.state().peers.get(&to) {
            peer.send(message);
        }
    }

    /// A peer got a block that it asked for.
    pub(super) fn served(&self, to: PeerId, cid: &Cid) {
        if let Some(peer) = self.state().peers.get_mut(&to) {
            peer.theirs.remove(cid);
        }
    }

    /// A stream to a peer broke; asks for another one unless there is one already.
    pub(super) fn broke(&self, to: PeerId) {
        let mut state = self.state();
        if let Some(peer) = state.peers.get_mut(&to)
            && peer
                .outbox
                .as_ref()
                .is_some_and(|outbox| outbox.messages.is_closed())
        {
            peer.outbox = None;
            // Nobody listens any more when the node stops.
            let _ = self.0.wanted.send(to);
        }
    }

    /// A stream of a peer is not read any more.
    pub(super) fn ended(&self, from: PeerId) {
        if let Some(peer) = self.state().peers.get_mut(&from) {
            peer.streams = peer.streams.saturating_sub(1);
        }
    }

    /// Bytes came from a peer.
    pub(super) fn heard(&self, from: PeerId) {
        if let Some(peer) = self.state().peers.get_mut(&from) {
            peer.heard = Instant::now();
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|held| held.into_inner())
    }
}

impl State {
    /// The peer, from its first stream on.
    pub(super) fn enter(&mut self, id: PeerId) -> &mut Peer {
        self.peers.entry(id).or_insert_with(|| Peer {
            outbox: None,
            trust: Trust::Unknown,
            heard: Instant::now(),
            delivered: Instant::now(),
            asked: HashSet::new(),
            queried: HashSet::new(),
            theirs: HashMap::new(),
            streams: 0,
            share: room::share(),
        })
    }

    /// Tells the hunts for one block.
    pub(super) fn tell(&self, cid: &Cid, news: impl Fn() -> News) {
        for (_, hunt) in self.hunts.get(cid).into_iter().flatten() {
            tell(hunt, news());
        }
    }

    /// Tells every hunt.
    pub(super) fn tell_all(&self, news: impl Fn() -> News) {
        for (_, hunt) in self.hunts.values().flatten() {
            tell(hunt, news());
        }
    }
}

impl Surveys {
    /// A peer says whether it has a block.
    pub(super) fn note(&self, peer: PeerId, cid: &Cid, here: bool) {
        for (asked, answers) in self.open.values() {
            if *asked == peer {
                // A survey that ended in between needs no answer.
                let _ = answers.send((*cid, here));
            }
        }
    }
}

impl Peer {
    /// The most of its streams that are read at the same time.
    pub(super) fn streams_max(&self) -> usize {
        match self.owes() || !self.queried.is_empty() {
            true => MAX_STREAMS,
            false => MAX_UNASKED_STREAMS,
        }
    }

    /// Whether a block was asked of it, or it delivered one last.
    fn owes(&self) -> bool {
        !self.asked.is_empty() || self.trust == Trust::Good
    }

    /// Queues a message, if there is a stream and the peer reads. A stream that breaks is replaced, and hunts ask again then.
    pub(super) fn send(&self, message: Message) {
        if let Some(outbox) = &self.outbox {
            let _ = outbox.messages.try_send(message);
        }
    }
}

/// Tells a hunt. One that ended needs no news; talk that comes faster than it listens leaves room for what matters.
pub(super) fn tell(hunt: &mpsc::Sender<News>, news: News) {
    let talk = matches!(news, News::Have(_) | News::DontHave(_) | News::Wrong(_));
    if !talk || hunt.capacity() > KEPT_NEWS {
        let _ = hunt.try_send(news);
    }
}
