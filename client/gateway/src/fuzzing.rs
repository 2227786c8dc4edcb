//! Readers of foreign bytes, for the fuzz target.

use crate::dimse::read_command;
use crate::http::read_parts;

/// Reads a command set. One that reads says the same when it is written and read again.
pub fn command(bytes: &[u8]) {
    read_command(bytes);
}

/// Reads a body of several parts, in pieces of `piece` bytes and at once: the parts are the same.
pub fn parts(bytes: &[u8], piece: usize) {
    assert_eq!(
        read_parts(bytes, piece.max(1)),
        read_parts(bytes, bytes.len().max(1))
    );
}
