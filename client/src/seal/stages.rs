//! Work on a stream of bytes by several threads at once: each piece is hashed while the next one is read or ciphered.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use bytes::Bytes;

/// Bytes that are handed from thread to thread at a time.
const PIECE: usize = 256 * 1024;
/// Pieces under way between two threads.
const DEPTH: usize = 4;

/// Reads to the end on a thread of its own; the pieces arrive in order. An error is the last thing that arrives. Reading
/// stops when nobody takes the pieces any more.
pub(super) fn read<'scope>(
    scope: &'scope Scope<'scope, '_>,
    source: &'scope mut (dyn Read + Send),
) -> Receiver<io::Result<Bytes>> {
    let (sender, receiver) = sync_channel(DEPTH);
    scope.spawn(move || {
        loop {
            let piece = read_piece(source);
            let ended = matches!(&piece, Ok(bytes) if bytes.is_empty());
            let broken = piece.is_err();
            if ended || sender.send(piece).is_err() || broken {
                return;
            }
        }
    });
    receiver
}

/// A thread's end that takes pieces; it has done its work when the sender is dropped.
pub(super) fn channel<T>() -> (SyncSender<T>, Receiver<T>) {
    sync_channel(DEPTH)
}

/// A full piece unless the source ends; none at all if it has ended.
fn read_piece(source: &mut dyn Read) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(PIECE);
    source.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}
