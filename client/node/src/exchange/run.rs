//! The exchange at work: it begins with the swarm, and acts on what happens on its connections.

use std::sync::{Arc, Mutex};

use rust_ipfs::PeerId;
use tokio::sync::{Semaphore, mpsc};

use super::room::Memory;
use super::serve;
use super::state::{Exchange, News, Outbox, Parts};
use super::streams::{Event, Streams};
use crate::disk::Disk;

/// Blocks that are hashed and stored at the same time.
const STORING: usize = 16;
/// Peers' questions that are answered at the same time: all other work has the remaining threads.
const ANSWERING: usize = 32;

impl Exchange {
    /// An exchange over the blocks of `disk`, and its part in the swarm. Needs a tokio runtime; runs as long as the swarm.
    pub(crate) fn new(disk: Disk) -> (Self, Streams) {
        let (events, happened) = mpsc::unbounded_channel();
        let (wanted, wanting) = mpsc::unbounded_channel();
        let exchange = Self(Arc::new(Parts {
            disk,
            state: Mutex::default(),
            wanted,
            storing: Arc::new(Semaphore::new(STORING)),
            answering: Semaphore::new(ANSWERING),
            memory: Memory::default(),
        }));
        tokio::spawn(exchange.clone().run(happened));
        (exchange, Streams::new(events, wanting))
    }

    async fn run(self, mut happened: mpsc::UnboundedReceiver<Event>) {
        while let Some(event) = happened.recv().await {
            match event {
                Event::Outbound(peer, stream) => {
                    let outbox = serve::start(&self, peer, stream);
                    self.ready(peer, outbox);
                }
                Event::Inbound(peer, stream) => {
                    let mut state = self.state();
                    let entry = state.enter(peer);
                    if entry.streams < entry.streams_max() {
                        entry.streams += 1;
                        tokio::spawn(serve::listen(self.clone(), peer, stream));
                    } else {
                        tracing::debug!(%peer, "too many streams for blocks at a time");
                    }
                }
                Event::Refused(peer) => {
                    self.state().tell_all(|| News::Gone(peer));
                }
                Event::Gone(peer) => {
                    let mut state = self.state();
                    state.peers.remove(&peer);
                    state.tell_all(|| News::Gone(peer));
                }
            }
        }
    }

    /// There is a stream to write to: what the peer asked before is answered, and it can be asked.
    pub(super) fn ready(&self, peer: PeerId, outbox: Outbox) {
        let asked: Vec<_> = {
            let mut state = self.state();
            let entry = state.enter(peer);
            entry.outbox = Some(outbox);
            let asked = entry.theirs.values().cloned().collect();
            state.tell_all(|| News::Ready(peer));
            asked
        };
        if !asked.is_empty() {
            let exchange = self.clone();
            tokio::task::spawn_blocking(move || exchange.answer(peer, asked));
        }
    }
}
