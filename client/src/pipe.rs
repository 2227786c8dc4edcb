//! Joins blocking readers and writers (OpenPGP) to asynchronous streams (IPFS), in bounded memory.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;

/// Bytes that a writer gathers before it hands them on.
const CHUNK: usize = 256 * 1024;
/// Chunks in flight between the two sides.
const DEPTH: usize = 8;

/// The blocking end of a stream of bytes. To be used off the runtime's own threads.
pub(crate) struct PipeReader {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// Turns a stream into a blocking reader; a task on the current runtime feeds it until either side ends.
pub(crate) fn reader(mut stream: BoxStream<'static, io::Result<Bytes>>) -> PipeReader {
    let (sender, chunks) = mpsc::channel(DEPTH);
    tokio::spawn(async move {
        while let Some(chunk) = stream.next().await {
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
    });
    PipeReader {
        chunks,
        current: Bytes::new(),
    }
}

impl Read for PipeReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk?,
                None => return Ok(0),
            }
        }
        let length = out.len().min(self.current.len());
        self.current.copy_to_slice(&mut out[..length]);
        Ok(length)
    }
}

/// The blocking end that feeds a stream. Dropped without [`PipeWriter::finish`], the stream ends in an
/// error, so that nobody takes a part for the whole.
pub(crate) struct PipeWriter {
    /// An empty chunk marks the good end.
    chunks: mpsc::Sender<Bytes>,
    current: BytesMut,
    broken: bool,
}

/// Makes a blocking writer and the stream of what is written to it.
pub(crate) fn writer() -> (PipeWriter, BoxStream<'static, io::Result<Bytes>>) {
    let (chunks, receiver) = mpsc::channel(DEPTH);
    let stream = futures::stream::unfold(Some(receiver), |state| async move {
        let mut receiver: mpsc::Receiver<Bytes> = state?;
        match receiver.recv().await {
            Some(chunk) if chunk.is_empty() => None,
            Some(chunk) => Some((Ok(chunk), Some(receiver))),
            None => {
                let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the source stopped early");
                Some((Err(cut), None))
            }
        }
    });
    let writer = PipeWriter {
        chunks,
        current: BytesMut::new(),
        broken: false,
    };
    (writer, stream.boxed())
}

impl PipeWriter {
    /// Hands on what is left and ends the stream well.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(Bytes::new())
    }

    fn send(&mut self, chunk: Bytes) -> io::Result<()> {
        self.chunks.blocking_send(chunk).map_err(|_| {
            self.broken = true;
            io::Error::from(io::ErrorKind::BrokenPipe)
        })
    }

    /// Whether the reading side went away first: then the reason is to be found there.
    pub(crate) fn broken(&self) -> bool {
        self.broken
    }
}

impl Write for PipeWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let length = data.len().min(CHUNK - self.current.len());
        self.current.extend_from_slice(&data[..length]);
        if self.current.len() == CHUNK {
            self.flush()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.current.is_empty() {
            return Ok(());
        }
        let chunk = self.current.split().freeze();
        self.send(chunk)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn bytes_pass_both_ways() {
        let data: Vec<u8> = (0..3_000_001u32).map(|i| i as u8).collect();
        let sent = data.clone();
        let (mut writer, stream) = writer();
        let feeding = tokio::task::spawn_blocking(move || {
            writer.write_all(&sent).unwrap();
            writer.finish().unwrap();
        });
        let mut reader = reader(stream);
        let got = tokio::task::spawn_blocking(move || {
            let mut got = Vec::new();
            reader.read_to_end(&mut got).unwrap();
            got
        });
        feeding.await.unwrap();
        assert!(got.await.unwrap() == data);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_writer_that_stops_early_is_an_error() {
        let (mut writer, stream) = writer();
        tokio::task::spawn_blocking(move || writer.write_all(b"half").unwrap())
            .await
            .unwrap();
        let mut reader = reader(stream);
        let result = tokio::task::spawn_blocking(move || {
            let mut got = Vec::new();
            reader.read_to_end(&mut got)
        });
        let error = result.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
