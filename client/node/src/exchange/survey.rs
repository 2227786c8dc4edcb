//! Asking one peer which of many blocks it has.

use std::collections::HashSet;
use std::time::Duration;

use cid::Cid;
use rust_ipfs::PeerId;
use tokio::sync::mpsc;

use super::hunt::note;
use super::state::{Exchange, State};
use super::wire::{Ask, Message, Want};

/// Wants in one message.
const BATCH: usize = 256;

/// A peer's answer, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) has: usize,
    pub(crate) lacks: usize,
}

impl Exchange {
    /// The peers that can be asked for blocks now.
    pub(crate) fn ready_peers(&self) -> Vec<PeerId> {
        let state = self.state();
        let ready = state.peers.iter().filter(|(_, peer)| peer.outbox.is_some());
        ready.map(|(id, _)| *id).collect()
    }

    /// Asks a peer for each of `cids` whether it has it; ends when all is answered, or when it says nothing for `limit`.
    pub(crate) async fn survey(&self, peer: PeerId, cids: &[Cid], limit: Duration) -> Held {
        let (sender, mut answers) = mpsc::unbounded_channel();
        let open = {
            let mut state = self.state();
            state.surveys.next += 1;
            let number = state.surveys.next;
            state.surveys.open.insert(number, (peer, sender));
            Open {
                exchange: self,
                number,
            }
        };
        let mut held = Held::default();
        for batch in cids.chunks(BATCH) {
            let mut left: HashSet<Cid> = batch.iter().copied().collect();
            if !self.ask_all(peer, batch, Ask::Have) {
                break;
            }
            while !left.is_empty() {
                let Ok(Some((cid, here))) = tokio::time::timeout(limit, answers.recv()).await
                else {
                    break;
                };
                if left.remove(&cid) {
                    match here {
                        true => held.has += 1,
                        false => held.lacks += 1,
                    }
                }
            }
            self.ask_all(peer, batch, Ask::Cancel);
            if !left.is_empty() {
                break;
            }
        }
        drop(open);
        held
    }

    /// Sends wants; whether the peer is there.
    fn ask_all(&self, to: PeerId, cids: &[Cid], ask: Ask) -> bool {
        let mut state = self.state();
        let Some(peer) = state.peers.get_mut(&to) else {
            return false;
        };
        for cid in cids {
            match ask {
                // It may answer with a small block itself.
                Ask::Have => note(&mut peer.queried, *cid),
                _ => drop(peer.queried.remove(cid)),
            }
        }
        let want = |cid: &Cid| Want {
            cid: *cid,
            ask,
            answer_missing: true,
        };
        peer.send(Message::wants(cids.iter().map(want).collect()));
        peer.outbox.is_some()
    }
}

/// A survey; it is closed when this is dropped.
struct Open<'a> {
    exchange: &'a Exchange,
    number: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state: std::sync::MutexGuard<'_, State> = self.exchange.state();
        state.surveys.open.remove(&self.number);
    }
}
