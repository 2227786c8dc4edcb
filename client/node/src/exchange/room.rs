//! The memory that messages from peers may take while they are under way: each peer's share, and all of them together.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::wire::MAX_MESSAGE;

/// Bytes that are read at a time; memory is counted in these.
pub(super) const PIECE: usize = 64 * 1024;
/// Pieces for messages of peers that were asked for blocks: 24 MiB.
const ASKED: usize = 384;
/// Pieces of these for one peer: 8 MiB.
const OWN: usize = 128;
/// Pieces beyond the first of each message for messages of all other peers: 8 MiB.
const OTHERS: usize = 128;
/// The longest message of a peer that was asked for no block. Kubo's questions have at most as many bytes.
const MAX_UNASKED: usize = 512 * 1024;
/// Streams of one peer that are read at the same time: Kubo opens one for each of its eight workers, and one to ask.
pub(super) const MAX_STREAMS: usize = 16;
/// Streams of a peer that was asked for nothing.
pub(super) const MAX_UNASKED_STREAMS: usize = 2;

/// The pieces that are free.
pub(super) struct Memory {
    pub(super) asked: Arc<Semaphore>,
    pub(super) others: Arc<Semaphore>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            asked: Arc::new(Semaphore::new(ASKED)),
            others: Arc::new(Semaphore::new(OTHERS)),
        }
    }
}

/// The pieces that a message holds, until the last of it is dropped.
#[derive(Clone, Default)]
pub(super) struct Pieces {
    _all: Arc<Vec<OwnedSemaphorePermit>>,
}

/// The terms for the next message of a peer.
pub(super) enum Room {
    /// It was asked for blocks: a message waits until there is room for the whole of it.
    Asked {
        own: Arc<Semaphore>,
        all: Arc<Semaphore>,
    },
    /// Any other: a message grows as it comes, and is refused if there is no room.
    Unasked { all: Arc<Semaphore> },
}

/// The share of one peer.
pub(super) fn share() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(OWN))
}

impl Room {
    /// The longest message, in bytes.
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::Asked { .. } => MAX_MESSAGE,
            Self::Unasked { .. } => MAX_UNASKED,
        }
    }

    /// Takes what a message of this length holds before its first byte is read, and the bytes that are there then.
    ///
    /// # Errors
    /// The node stops.
    pub(super) async fn begin(&self, length: usize) -> io::Result<(Growing, usize)> {
        let mut held = Growing::default();
        let Self::Asked { own, all } = self else {
            return Ok((held, length.min(PIECE)));
        };
        let pieces = length.div_ceil(PIECE) as u32;
        for from in [own, all] {
            let taken = from.clone().acquire_many_owned(pieces).await;
            held.0.push(taken.map_err(io::Error::other)?);
        }
        Ok((held, length))
    }

    /// Takes another piece for a message that grows.
    ///
    /// # Errors
    /// There is none left.
    pub(super) fn grow(&self, held: &mut Growing) -> io::Result<()> {
        if let Self::Unasked { all } = self {
            let taken = all.clone().try_acquire_owned();
            held.0.push(taken.map_err(|_| {
                io::Error::other(
                    "too many long messages are under way from peers that nothing was asked of",
                )
            })?);
        }
        Ok(())
    }
}

/// The pieces of a message that is being read.
#[derive(Default)]
pub(super) struct Growing(Vec<OwnedSemaphorePermit>);

impl From<Growing> for Pieces {
    fn from(Growing(pieces): Growing) -> Self {
        Self {
            _all: Arc::new(pieces),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn long_messages_of_strangers_are_refused_before_they_fill_the_memory() {
        let memory = Memory::default();
        let room = Room::Unasked {
            all: memory.others.clone(),
        };
        let mut read = Vec::new();
        'full: loop {
            let (mut held, mut here) = room.begin(room.longest()).await.unwrap();
            assert_eq!(here, PIECE);
            while here < room.longest() {
                if room.grow(&mut held).is_err() {
                    break 'full;
                }
                here += PIECE;
            }
            read.push(Pieces::from(held));
        }
        assert_eq!(read.len(), OTHERS / 7);
        // A short one is read all the same, and so is what was asked for.
        let (_, here) = room.begin(PIECE).await.unwrap();
        assert_eq!(here, PIECE);
        let asked = Room::Asked {
            own: share(),
            all: memory.asked.clone(),
        };
        let (_, here) = asked.begin(asked.longest()).await.unwrap();
        assert_eq!(here, MAX_MESSAGE);
        drop(read);
        let (mut held, _) = room.begin(room.longest()).await.unwrap();
        room.grow(&mut held).unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_was_asked_waits_for_its_own_messages_and_then_for_those_of_others() {
        let memory = Memory::default();
        let share = share();
        let asked = |own: &Arc<Semaphore>| Room::Asked {
            own: own.clone(),
            all: memory.asked.clone(),
        };
        let soon = |room: Room| async move {
            let begun = room.begin(MAX_MESSAGE);
            let begun = tokio::time::timeout(Duration::from_millis(50), begun).await;
            begun.ok().map(|begun| Pieces::from(begun.unwrap().0))
        };
        let first = soon(asked(&share)).await.unwrap();
        let second = soon(asked(&share)).await.unwrap();
        assert!(soon(asked(&share)).await.is_none());
        let copy = first.clone();
        drop(first);
        // A block of it is still being stored.
        assert!(soon(asked(&share)).await.is_none());
        drop(copy);
        let mut held = vec![second, soon(asked(&share)).await.unwrap()];
        for _ in 0..2 {
            let other = super::share();
            for _ in 0..2 {
                held.push(soon(asked(&other)).await.unwrap());
            }
        }
        assert!(soon(asked(&super::share())).await.is_none());
    }
}
