//! Byte streams between blocking code (`Read`, `Write`) and async code, both ways, with bounded memory.
//!
//! A stream ends well only if its writer said so: a writer that is dropped or fails half-way gives the
//! other side an error, never a short body. The blocking half belongs into
//! [`tokio::task::spawn_blocking`].

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;

use crate::buffers::Buffers;

/// Bytes that a writer gathers before it hands them over: a leaf of the usual size, which then needs no copy.
pub const PIECE: usize = 1024 * 1024;
/// Pieces under way between the two halves.
const DEPTH: usize = 4;

/// An item of the pipe. A channel that closes without `End` is a broken pipe.
enum Piece {
    Bytes(Bytes),
    End,
    Failed(io::Error),
}

/// The blocking end of a stream of bytes that another task consumes.
pub struct PipeWriter {
    pieces: mpsc::Sender<Piece>,
    buffers: Buffers,
    gathered: Vec<u8>,
    filled: usize,
}

/// The blocking end of a stream of bytes that another task produces.
pub struct PipeReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    state: State,
}

enum State {
    Open,
    Ended,
    Broken(io::ErrorKind, String),
}

/// Makes a `Write` half and the stream that comes out of it.
pub fn writer() -> (PipeWriter, BoxStream<'static, io::Result<Bytes>>) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let writer = PipeWriter {
        pieces: sender,
        buffers: Buffers::default(),
        gathered: Vec::new(),
        filled: 0,
    };
    let stream = stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            Some(Piece::Failed(error)) => Some((Err(error), None)),
            None => Some((Err(unfinished()), None)),
        }
    });
    (writer, stream.boxed())
}

/// Makes a `Read` half fed by a stream, which is pulled ahead of the reader. Needs a tokio runtime.
pub fn reader(mut stream: BoxStream<'static, io::Result<Bytes>>) -> PipeReader {
    let (sender, receiver) = mpsc::channel(DEPTH);
    tokio::spawn(async move {
        loop {
            let item = tokio::select! {
                () = sender.closed() => return,
                item = stream.next() => item,
            };
            let (piece, last) = match item {
                Some(Ok(bytes)) => (Piece::Bytes(bytes), false),
                Some(Err(error)) => (Piece::Failed(error), true),
                None => (Piece::End, true),
            };
            if sender.send(piece).await.is_err() || last {
                return;
            }
        }
    });
    PipeReader {
        pieces: receiver,
        current: Bytes::new(),
        state: State::Open,
    }
}

impl PipeWriter {
    /// Hands over what is left and ends the stream well.
    ///
    /// # Errors
    /// `BrokenPipe` if the consumer is gone.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(Piece::End)
    }

    /// Ends the stream with this error.
    pub fn fail(self, error: io::Error) {
        // A consumer that is gone needs no error.
        let _ = self.send(Piece::Failed(error));
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        self.pieces.blocking_send(piece).map_err(|_| {
            io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the consumer of the stream stopped",
            )
        })
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gathered.is_empty() {
            self.gathered = self.buffers.take(PIECE);
        }
        let taken = bytes.len().min(PIECE - self.filled);
        self.gathered[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        if self.filled == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.filled == 0 {
            return Ok(());
        }
        let full = std::mem::take(&mut self.gathered);
        let filled = std::mem::take(&mut self.filled);
        self.send(Piece::Bytes(self.buffers.lend(full, filled)))
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match &self.state {
                State::Open => {}
                State::Ended => return Ok(0),
                State::Broken(kind, text) => return Err(io::Error::new(*kind, text.clone())),
            }
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.state = State::Ended,
                Some(Piece::Failed(error)) => return Err(self.broken(error)),
                None => return Err(self.broken(unfinished())),
            }
        }
        let taken = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

impl PipeReader {
    /// Remembers the error: what follows it is not the end of the stream.
    fn broken(&mut self, error: io::Error) -> io::Error {
        self.state = State::Broken(error.kind(), error.to_string());
        error
    }
}

fn unfinished() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the producer of the stream stopped before its end",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{self, Read, Write};

    use bytes::Bytes;
    use futures::stream::{self, StreamExt};

    use super::{DEPTH, PIECE, reader, writer};

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 131 + (i >> 8) * 29) as u8).collect()
    }

    #[tokio::test]
    async fn bytes_pass_in_order_at_every_boundary() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, PIECE * (DEPTH + 2) + 7] {
            let (mut half, stream) = writer();
            let writing = tokio::task::spawn_blocking(move || {
                for part in pattern(len).chunks(70_001) {
                    half.write_all(part)?;
                }
                half.finish()
            });
            let mut source = reader(stream);
            let reading = tokio::task::spawn_blocking(move || {
                let mut all = Vec::new();
                source.read_to_end(&mut all).map(|_| all)
            });
            writing.await.unwrap().unwrap();
            assert_eq!(reading.await.unwrap().unwrap(), pattern(len), "{len} bytes");
        }
    }

    #[tokio::test]
    async fn a_dropped_writer_is_an_error_not_an_end() {
        let (mut half, stream) = writer();
        tokio::task::spawn_blocking(move || half.write_all(&pattern(PIECE + 5)))
            .await
            .unwrap()
            .unwrap();
        let items: Vec<_> = stream.collect().await;
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].as_ref().unwrap().len(), PIECE);
        let error = items[1].as_ref().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_writer_can_give_its_reason() {
        let (half, stream) = writer();
        tokio::task::spawn_blocking(move || half.fail(io::Error::other("no key")));
        let items: Vec<_> = stream.collect().await;
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].as_ref().unwrap_err().to_string(), "no key");
    }

    #[tokio::test]
    async fn a_writer_learns_that_its_consumer_is_gone() {
        let (mut half, stream) = writer();
        drop(stream);
        let written = tokio::task::spawn_blocking(move || half.write_all(&pattern(PIECE)))
            .await
            .unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_writer_waits_for_its_consumer() {
        let (mut half, mut stream) = writer();
        let writing = tokio::task::spawn_blocking(move || {
            half.write_all(&pattern(PIECE * DEPTH * 4))?;
            half.finish()
        });
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert!(!writing.is_finished());
        let mut total = 0;
        while let Some(piece) = stream.next().await {
            total += piece.unwrap().len();
        }
        writing.await.unwrap().unwrap();
        assert_eq!(total, PIECE * DEPTH * 4);
    }

    #[tokio::test]
    async fn a_broken_source_stays_broken() {
        let items = vec![
            Ok(Bytes::from_static(b"half")),
            Err(io::Error::new(io::ErrorKind::TimedOut, "no peer")),
        ];
        let mut source = reader(stream::iter(items).boxed());
        tokio::task::spawn_blocking(move || {
            let mut four = [0; 4];
            source.read_exact(&mut four).unwrap();
            assert_eq!(&four, b"half");
            for _ in 0..2 {
                let error = source.read(&mut four).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                assert_eq!(error.to_string(), "no peer");
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_dropped_reader_lets_go_of_its_source() {
        let (held, gone) = tokio::sync::oneshot::channel::<()>();
        let endless = stream::pending::<io::Result<Bytes>>().map(move |item| {
            let _keep = &held;
            item
        });
        drop(reader(endless.boxed()));
        assert!(gone.await.is_err());
    }
}
