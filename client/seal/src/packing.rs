//! Writes a body of version 2: one SEIPD packet around a one-pass signature, a literal and a signature, in one pass.
//!
//! The library's own writer passes every byte through a stack of buffers and sets the cipher up again for every 4 KiB; here
//! there is one copy before the cipher, and one set-up for every 256 KiB.

use std::io::Write;

use super::chunks::{Chunks, TAG};
use super::framing::{part, whole};
use super::stages::PIECE;
use super::{Error, Result, SessionKey};

/// Tags of the packets (RFC 9580 §4.2): encrypted and integrity protected data, literal data.
pub(super) const SEIPD: u8 = 0xc0 | 18;
pub(super) const LITERAL: u8 = 0xc0 | 11;

/// How a literal begins: binary, no file name, no date.
const LITERAL_HEAD: [u8; 6] = [b'b', 0, 0, 0, 0, 0];
/// The literal's first part, 512 bytes, and the others, as long as the pieces that payloads come in.
const FIRST_PART: u8 = 9;
pub(super) const PARTS: u8 = PIECE.trailing_zeros() as u8;
/// How much payload the literal's first part takes: pieces that begin after it are parts, with no copy in between.
pub(super) const FIRST_PIECE: usize = (1 << FIRST_PART) - LITERAL_HEAD.len();
/// The container's parts: 1 MiB.
pub(super) const CONTAINER_PARTS: u8 = 20;

/// A body being written.
pub(super) struct Packing<'a> {
    literal: Literal,
    container: Cutter<'a>,
}

/// The literal's parts.
struct Literal {
    log: u8,
    /// Less than a part.
    held: Vec<u8>,
}

/// The end that encrypts and cuts what comes out into parts.
struct Cutter<'a> {
    chunks: Chunks,
    /// Less than a chunk.
    plain: Vec<u8>,
    sealed: Vec<u8>,
    /// Bytes of `sealed` that were not written yet.
    filled: usize,
    out: &'a mut (dyn Write + Send + Sync),
}

impl<'a> Packing<'a> {
    /// Begins with a serialized one-pass signature.
    pub(super) fn start(
        key: &SessionKey,
        announcement: &[u8],
        out: &'a mut (dyn Write + Send + Sync),
    ) -> Result<Self> {
        let (chunks, head) = Chunks::begin(key)?;
        let mut sealed = vec![0; (1 << CONTAINER_PARTS) + chunks.size + TAG];
        sealed[..head.len()].copy_from_slice(&head);
        out.write_all(&[SEIPD]).map_err(Error::Write)?;
        let mut container = Cutter {
            plain: Vec::with_capacity(chunks.size),
            chunks,
            sealed,
            filled: head.len(),
            out,
        };
        container.put(announcement)?;
        container.put(&[LITERAL])?;
        Ok(Self {
            literal: Literal {
                log: FIRST_PART,
                held: LITERAL_HEAD.to_vec(),
            },
            container,
        })
    }

    /// Payload.
    pub(super) fn put(&mut self, mut payload: &[u8]) -> Result<()> {
        let Self { literal, container } = self;
        while !payload.is_empty() {
            let size = 1 << literal.log;
            if literal.held.is_empty() && payload.len() >= size {
                let (now, rest) = payload.split_at(size);
                container.put(&part(literal.log))?;
                container.put(now)?;
                payload = rest;
                continue;
            }
            let (now, rest) = payload.split_at(payload.len().min(size - literal.held.len()));
            literal.held.extend_from_slice(now);
            payload = rest;
            if literal.held.len() == size {
                container.put(&part(literal.log))?;
                container.put(&literal.held)?;
                literal.held.clear();
                literal.log = PARTS;
            }
        }
        Ok(())
    }

    /// Ends the literal, adds the serialized signature, and ends the container.
    pub(super) fn finish(mut self, signature: &[u8]) -> Result<()> {
        self.container.put(&whole(self.literal.held.len()))?;
        self.container.put(&self.literal.held)?;
        self.container.put(signature)?;
        self.container.finish()
    }
}

impl Cutter<'_> {
    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.chunks.size - self.plain.len();
            let (now, rest) = bytes.split_at(bytes.len().min(room));
            self.plain.extend_from_slice(now);
            bytes = rest;
            if self.plain.len() == self.chunks.size {
                self.chunk()?;
            }
        }
        Ok(())
    }

    fn chunk(&mut self) -> Result<()> {
        let end = self.filled + self.plain.len() + TAG;
        let place = &mut self.sealed[self.filled..end];
        self.chunks.seal(&self.plain, place)?;
        self.filled = end;
        self.plain.clear();
        self.write_parts()
    }

    fn finish(mut self) -> Result<()> {
        if !self.plain.is_empty() {
            self.chunk()?;
        }
        let end = self.filled + TAG;
        self.chunks.seal_end(&mut self.sealed[self.filled..end])?;
        self.filled = end;
        self.write_parts()?;
        let rest = &self.sealed[..self.filled];
        self.out
            .write_all(&whole(rest.len()))
            .map_err(Error::Write)?;
        self.out.write_all(rest).map_err(Error::Write)
    }

    fn write_parts(&mut self) -> Result<()> {
        const SIZE: usize = 1 << CONTAINER_PARTS;
        while self.filled >= SIZE {
            let write = |bytes: &[u8]| self.out.write_all(bytes).map_err(Error::Write);
            let mut write = write;
            write(&part(CONTAINER_PARTS))?;
            write(&self.sealed[..SIZE])?;
            self.sealed.copy_within(SIZE..self.filled, 0);
            self.filled -= SIZE;
        }
        Ok(())
    }
}
