//! Buffers that go round: memory that was touched before, and may still be in the processor's cache, costs much less than new.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Most buffers that wait to be used again; more are given back to the system.
const KEPT: usize = 16;

/// A few buffers of about the same size. The last drop of a piece gives its buffer back.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// Takes a buffer of at least `size` bytes, with anything in it.
    pub fn take(&self, size: usize) -> Vec<u8> {
        let used = self.lock().pop();
        let used = used.filter(|buffer| buffer.len() >= size);
        used.unwrap_or_else(|| vec![0; size])
    }

    /// Lends the first `filled` bytes of a buffer, which comes back when they are dropped.
    pub fn lend(&self, buffer: Vec<u8>, filled: usize) -> Bytes {
        let home = self.clone();
        Bytes::from_owner(Lent { buffer, home }).slice(..filled)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    buffer: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut waiting = self.home.lock();
        if waiting.len() < KEPT {
            waiting.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffers, KEPT};

    #[test]
    fn a_buffer_comes_back_with_the_last_of_its_bytes() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(8);
        buffer[..3].copy_from_slice(b"abc");
        let place = buffer.as_ptr();
        let piece = buffers.lend(buffer, 3);
        let part = piece.slice(1..);
        assert_eq!(&piece[..], b"abc");
        drop(piece);
        let other = buffers.take(8);
        assert_ne!(other.as_ptr(), place);
        drop(part);
        let again = buffers.take(8);
        assert_eq!(again.as_ptr(), place);
        assert!(buffers.take(9).len() >= 9);
    }

    #[test]
    fn no_more_buffers_are_kept_than_a_few() {
        let buffers = Buffers::default();
        let lent: Vec<_> = (0..KEPT + 4).map(|_| buffers.lend(vec![0; 4], 4)).collect();
        drop(lent);
        assert_eq!(buffers.lock().len(), KEPT);
    }
}
