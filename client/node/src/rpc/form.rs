//! The envelope of a file in a request: `multipart/form-data` (RFC 7578) with one part.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use memchr::memmem;
use rand::RngCore;
use tokio::time::timeout;

/// Most bytes of a part's own headers.
const MAX_HEADERS: usize = 8 * 1024;
/// Most bytes of a boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;
/// How long a sender may keep silent in the middle of a file.
const SILENCE: Duration = Duration::from_secs(60);

/// Draws a boundary.
pub(crate) fn new_boundary() -> String {
    format!("pcim-{:032x}", u128::from(rand::rng().next_u64()))
}

/// Returns what stands before the file.
pub(crate) fn prefix(boundary: &str) -> Bytes {
    format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"blocks.car\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into()
}

/// Returns what stands after it.
pub(crate) fn suffix(boundary: &str) -> Bytes {
    format!("\r\n--{boundary}--\r\n").into()
}

/// The one file of a request, as it comes in.
pub(crate) struct Form<B> {
    body: B,
    buffer: BytesMut,
    delimiter: Vec<u8>,
    ended: bool,
}

impl<B> Form<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    /// Reads up to the file's first byte.
    pub(crate) async fn open(content_type: &str, body: B) -> io::Result<Self> {
        let boundary = boundary(content_type).ok_or_else(|| refused("no multipart form"))?;
        let mut form = Self {
            body,
            buffer: BytesMut::from(&b"\r\n"[..]),
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            ended: false,
        };
        loop {
            let head = form.delimiter.len();
            let inner = form.buffer.get(head..).unwrap_or_default();
            if let Some(end) = memmem::find(inner, b"\r\n\r\n") {
                if !form.buffer.starts_with(&form.delimiter) || !inner.starts_with(b"\r\n") {
                    return Err(refused("a form that does not begin with its file"));
                }
                form.buffer.advance(head + end + 4);
                return Ok(form);
            }
            if form.buffer.len() > MAX_HEADERS {
                return Err(refused("too long headers of a file"));
            }
            form.more().await?;
        }
    }

    /// The next bytes of the file; `None` at its end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.ended {
            if let Some(end) = memmem::find(&self.buffer, &self.delimiter) {
                while self.buffer.len() < end + self.delimiter.len() + 2 {
                    self.more().await?;
                }
                if &self.buffer[end + self.delimiter.len()..][..2] != b"--" {
                    return Err(refused("more than one file"));
                }
                self.ended = true;
                if end > 0 {
                    return Ok(Some(self.buffer.split_to(end).freeze()));
                }
                break;
            }
            // The end may hold the beginning of the delimiter.
            let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            if sure > 0 {
                return Ok(Some(self.buffer.split_to(sure).freeze()));
            }
            self.more().await?;
        }
        Ok(None)
    }

    async fn more(&mut self) -> io::Result<()> {
        loop {
            let frame = timeout(SILENCE, self.body.frame());
            let frame = frame
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            let frame = frame.ok_or(io::ErrorKind::UnexpectedEof)?;
            let frame = frame.map_err(io::Error::other)?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
                return Ok(());
            }
        }
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parts.find_map(|part| part.strip_prefix("boundary="))?;
    let boundary = boundary.trim_matches('"');
    (1..=MAX_BOUNDARY)
        .contains(&boundary.len())
        .then_some(boundary)
}

fn refused(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
