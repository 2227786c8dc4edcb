//! The search for one block: whom to ask, what came of it, and when to give up.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cid::Cid;
use rust_ipfs::PeerId;
use tokio::sync::mpsc;

use super::state::{Exchange, MAX_ASKED, MAX_NEWS, News, State, Trust};
use super::wire::{Ask, Message, Want};

/// How long a peer that was asked for a block may send nothing at all before another one is asked.
const STALL: Duration = Duration::from_secs(5);
/// How many times its limit a hunt waits for a source that sends, but none of the blocks asked of it.
const PATIENCE: u32 = 4;
/// How often a hunt looks up from waiting.
const LOOK: Duration = Duration::from_millis(100);

/// The reason why a block could not be had.
pub(crate) enum Failed {
    /// Nobody delivered it in time; what was tried.
    Nobody(Vec<(PeerId, Answer)>),
    /// It arrived and could not be stored.
    NotStored(std::io::Error),
}

/// How a peer answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Not at all.
    Nothing,
    /// That it does not have the block.
    DontHave,
    /// With something else.
    Wrong,
    /// It went away.
    Gone,
    /// It was asked for the block and fell silent.
    Stalled,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "did not answer",
            Self::DontHave => "does not have it",
            Self::Wrong => "sent something else",
            Self::Gone => "went away",
            Self::Stalled => "fell silent",
        })
    }
}

struct Hunt<'a> {
    exchange: &'a Exchange,
    cid: Cid,
    number: u64,
    news: mpsc::Receiver<News>,
    /// Peers that were asked, with the last answer of each.
    answers: HashMap<PeerId, Answer>,
    /// Peers that were asked in this round, and its beginning: once none is left, all are asked again.
    round: (HashSet<PeerId>, Instant),
    /// Peers that say they have it, not asked for it yet.
    holders: Vec<PeerId>,
    /// The peer that is to deliver it, and since when.
    source: Option<(PeerId, Instant)>,
    /// Peers that did not deliver it when asked: that they still send is no reason to wait.
    failed: HashSet<PeerId>,
    /// When something happened last.
    moved: Instant,
    stall: Duration,
    patience: Duration,
}

impl Exchange {
    /// Has a block delivered, stored and verified; gives up when nothing has come from anyone for `limit`.
    pub(crate) async fn fetch(&self, cid: Cid, limit: Duration) -> Result<Bytes, Failed> {
        let (sender, news) = mpsc::channel(MAX_NEWS);
        let number = {
            let mut state = self.state();
            state.next += 1;
            let number = state.next;
            state.hunts.entry(cid).or_default().push((number, sender));
            number
        };
        let mut hunt = Hunt {
            exchange: self,
            cid,
            number,
            news,
            answers: HashMap::new(),
            round: (HashSet::new(), Instant::now()),
            holders: Vec::new(),
            source: None,
            failed: HashSet::new(),
            moved: Instant::now(),
            stall: STALL.min(limit / 3),
            patience: limit.saturating_mul(PATIENCE),
        };
        loop {
            hunt.ask();
            let news = tokio::time::timeout(LOOK.min(limit / 4), hunt.news.recv()).await;
            match news.ok().flatten() {
                Some(News::Block(bytes)) => return Ok(bytes),
                Some(News::NotStored(error)) => return Err(Failed::NotStored(error)),
                Some(other) => hunt.learn(other),
                None => {}
            }
            hunt.look();
            if hunt.moved.elapsed() >= limit {
                let answers = std::mem::take(&mut hunt.answers);
                return Err(Failed::Nobody(answers.into_iter().collect()));
            }
        }
    }
}

impl Hunt<'_> {
    fn learn(&mut self, news: News) {
        let (peer, answer) = match news {
            News::Have(peer) => {
                if !self.holders.contains(&peer) && self.source.is_none_or(|(id, _)| id != peer) {
                    self.holders.push(peer);
                }
                return;
            }
            News::Ready(peer) => {
                // A new connection knows nothing of what was asked on the last one.
                self.round.0.remove(&peer);
                self.pass_over(peer);
                return;
            }
            News::DontHave(peer) => (peer, Answer::DontHave),
            News::Wrong(peer) if self.source.is_some_and(|(id, _)| id == peer) => {
                (peer, Answer::Wrong)
            }
            News::Gone(peer) => (peer, Answer::Gone),
            News::Wrong(_) | News::Block(_) | News::NotStored(_) => return,
        };
        if self.source.is_some_and(|(id, _)| id == peer) {
            self.failed.insert(peer);
        }
        self.pass_over(peer);
        if let Some(known) = self.answers.get_mut(&peer) {
            *known = answer;
        }
    }

    fn pass_over(&mut self, peer: PeerId) {
        self.holders.retain(|id| *id != peer);
        self.source = self.source.filter(|(id, _)| *id != peer);
    }

    /// Returns true if the source still sends.
    fn look(&mut self) {
        let Some((peer, since)) = self.source else {
            return;
        };
        let mut state = self.exchange.state();
        let Some(source) = state.peers.get_mut(&peer) else {
            return;
        };
        let idle = source.delivered.max(since).elapsed();
        if source.heard.max(since).elapsed() < self.stall && idle < self.patience {
            if !self.failed.contains(&peer) {
                self.moved = self.moved.max(source.heard);
            }
            return;
        }
        source.trust = Trust::Bad;
        drop(state);
        self.failed.insert(peer);
        self.answers.insert(peer, Answer::Stalled);
        self.pass_over(peer);
    }

    /// Asks the best peer for the block, or everybody who was not asked yet whether they have it.
    fn ask(&mut self) {
        if self.source.is_some() {
            return;
        }
        let mut state = self.exchange.state();
        if let Some(id) = self.best(&state) {
            self.holders.retain(|holder| *holder != id);
            self.answers.insert(id, Answer::Nothing);
            self.round.0.insert(id);
            self.source = Some((id, Instant::now()));
            if let Some(peer) = state.peers.get_mut(&id) {
                note(&mut peer.asked, self.cid);
                peer.send(self.want(Ask::Block));
            }
            return;
        }
        if self.holders.is_empty() && self.round.1.elapsed() >= self.stall {
            self.round = (HashSet::new(), Instant::now());
        }
        for (id, peer) in &mut state.peers {
            if peer.outbox.is_some() && self.round.0.insert(*id) {
                note(&mut peer.queried, self.cid);
                peer.send(self.want(Ask::Have));
                self.answers.entry(*id).or_insert(Answer::Nothing);
            }
        }
    }

    /// Of those who say they have it, or who delivered before and were not asked, the one with the least to do. One that
    /// cannot be trusted only when nobody else is left.
    fn best(&self, state: &State) -> Option<PeerId> {
        let ready = state.peers.iter().filter(|(_, peer)| peer.outbox.is_some());
        let known = ready.filter(|(id, peer)| {
            self.holders.contains(id) || peer.trust == Trust::Good && !self.round.0.contains(id)
        });
        let (id, peer) = known.min_by_key(|(_, peer)| (peer.trust, peer.asked.len()))?;
        let waiting = state.peers.iter().any(|(other, peer)| {
            peer.trust != Trust::Bad
                && peer.outbox.is_some()
                && matches!(self.answers.get(other), None | Some(Answer::Nothing))
        });
        let patient = peer.trust == Trust::Bad && waiting && self.moved.elapsed() < self.stall;
        (!patient).then_some(*id)
    }

    fn want(&self, ask: Ask) -> Message {
        Message::wants(vec![Want {
            cid: self.cid,
            ask,
            answer_missing: true,
        }])
    }
}

impl Drop for Hunt<'_> {
    /// Takes the wants back.
    fn drop(&mut self) {
        let mut state = self.exchange.state();
        if let Some(hunts) = state.hunts.get_mut(&self.cid) {
            hunts.retain(|(number, _)| *number != self.number);
            if hunts.is_empty() {
                state.hunts.remove(&self.cid);
            }
        }
        if state.hunts.contains_key(&self.cid) {
            return;
        }
        for id in self.answers.keys() {
            if let Some(peer) = state.peers.get(id) {
                peer.send(self.want(Ask::Cancel));
            }
        }
    }
}

/// Remembers a block, and forgets the others if there are too many.
pub(super) fn note(blocks: &mut HashSet<Cid>, cid: Cid) {
    if blocks.len() >= MAX_ASKED {
        blocks.clear();
    }
    blocks.insert(cid);
}
