//! Work on a stream of bytes by several threads at once: each piece is hashed while the next one is read or ciphered.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use bytes::Bytes;

use pcim_core::buffers::Buffers;

/// Bytes that are handed from thread to thread at a time.
pub(super) const PIECE: usize = 256 * 1024;
/// Pieces under way between two threads.
const DEPTH: usize = 4;

/// Reads to the end on a thread of its own; the pieces arrive in order, full ones but for the last, the first one of `first`
/// bytes. An error is the last thing that arrives. Reading stops when nobody takes the pieces any more.
pub(super) fn read<'scope>(
    scope: &'scope Scope<'scope, '_>,
    source: &'scope mut (dyn Read + Send),
    first: usize,
) -> Receiver<io::Result<Bytes>> {
    let (sender, receiver) = sync_channel(DEPTH);
    scope.spawn(move || {
        let buffers = Buffers::default();
        let mut wanted = first;
        loop {
            let mut buffer = buffers.take(PIECE);
            let read = read_full(source, &mut buffer[..wanted]);
            let ended = matches!(read, Ok(0));
            let broken = read.is_err();
            let piece = read.map(|filled| buffers.lend(buffer, filled));
            if ended || sender.send(piece).is_err() || broken {
                return;
            }
            wanted = PIECE;
        }
    });
    receiver
}

/// A thread that works every piece into a state; it ends when the sender is dropped.
pub(super) fn fold<'scope, S: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut state: S,
    mut step: impl FnMut(&mut S, &[u8]) + Send + 'scope,
) -> (SyncSender<Bytes>, ScopedJoinHandle<'scope, S>) {
    let (sender, pieces) = channel::<Bytes>();
    let work = move || {
        for piece in pieces {
            step(&mut state, &piece);
        }
        state
    };
    (sender, scope.spawn(work))
}

/// Pieces for a thread to take; it has done its work when the sender is dropped.
pub(super) fn channel<T>() -> (SyncSender<T>, Receiver<T>) {
    sync_channel(DEPTH)
}

/// Fills the buffer unless the source ends.
pub(super) fn read_full(source: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
