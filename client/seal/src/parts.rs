//! Parts of a sealed payload, read without the rest: only their own chunks are decrypted (format.md §4.11).
//!
//! Every chunk authenticates itself and its place. That the parts are those of the attested image follows from the seal: the
//! signature packet at the body's end is compared with it, and names the index that the payload begins with. The signature is
//! not verified over the payload, for which all of it would be needed.

use std::io::{self, Read, Write};
use std::ops::Range;

use bytes::Bytes;
use sequoia_openpgp as openpgp;
use zeroize::Zeroizing;

use super::chunks::{Chunks, HEAD, TAG};
use super::document::{DETACHED_MAX, check_size, sign_detached};
use super::places::{AS_WRITTEN, Content, Cut, Fields, Literal, Outer};
use super::signature::{Claims, claims_of, seal_of};
use super::unpacking::{
    Inside, SIGNATURE_MAX, announcement, check_announced, literal, refuse, signature_in,
};
use super::verify::{carried, verify_by};
use super::{BodyVersion, Certificate, Error, Result, SessionKey, UnlockedKey};
use pcim_core::Seal;

/// The most plaintext that stands before the payload: a one-pass signature, and what a literal begins with.
const BEFORE_PAYLOAD: u64 = 1024;

/// A body whose bytes can be had from any place on.
pub trait Ranges {
    /// Returns the body's length in bytes.
    fn length(&self) -> u64;

    /// Reads a range of the body, which is within its length.
    ///
    /// # Errors
    /// Those of the source.
    fn range(&self, bytes: Range<u64>) -> io::Result<Box<dyn Read + '_>>;
}

impl Ranges for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn range(&self, bytes: Range<u64>) -> io::Result<Box<dyn Read + '_>> {
        let range = bytes.start as usize..bytes.end as usize;
        let found = self.get(range).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Box::new(found))
    }
}

/// A body of version 2 that is read in parts.
pub struct Parts<R> {
    sealed: SealedChunks<R>,
    literal: Literal,
    seal: Seal,
    signer: Certificate,
    claims: Claims,
}

impl<R: Ranges> Parts<R> {
    /// Opens the body: reads what stands before the payload and behind it.
    ///
    /// # Errors
    /// [`Error::Structure`] for a body of version 1, which cannot be read in parts, and for one that is not laid out as it is
    /// written here; [`Error::Damaged`], [`Error::Signature`], [`Error::Read`].
    pub fn open(source: R, key: &SessionKey) -> Result<Self> {
        let sealed = SealedChunks::begin(source, key)?;
        let plain = sealed.cut.plain;
        let start = sealed.collect(0..plain.min(BEFORE_PAYLOAD))?;
        let mut rest = Bytes::copy_from_slice(&start);
        let announced = announcement(&mut rest)?;
        let Inside::Literal { left, last } = literal(&mut rest)? else {
            return refuse(AS_WRITTEN, "no literal".to_owned());
        };
        let before = (start.len() - rest.len()) as u64;
        let misplaced = || Error::Structure {
            wanted: AS_WRITTEN,
            found: "a literal that is cut otherwise".to_owned(),
        };
        let (literal, packet) = if last {
            let behind = before + left;
            if behind > plain || plain - behind > SIGNATURE_MAX as u64 {
                return Err(misplaced());
            }
            let packet = sealed.collect(behind..plain)?;
            (Literal::whole(before, left), packet)
        } else {
            let place = Literal::last_fields(before, left, plain).ok_or_else(misplaced)?;
            let mut end = sealed.collect(place..plain)?;
            let (literal, behind) = Literal::of(before, left, place, &end).ok_or_else(misplaced)?;
            end.drain(..behind);
            (literal, end)
        };
        sealed.check_end()?;
        let signature = signature_in(&packet)?;
        check_announced(&announced, &signature)?;
        Ok(Self {
            literal,
            seal: seal_of(&signature)?.0,
            signer: carried(&signature)?,
            claims: claims_of(&signature)?,
            sealed,
        })
    }

    /// Returns the seal: nothing of the body may be used unless it is the attested one.
    pub fn seal(&self) -> Seal {
        self.seal
    }

    /// Returns the certificate that the signature carries.
    pub fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// Returns what the signature says beside the payload.
    pub fn claims(&self) -> Claims {
        self.claims
    }

    /// Returns where the body is read from.
    pub fn source(&self) -> &R {
        &self.sealed.source
    }

    /// Returns the payload's length in bytes.
    pub fn payload_len(&self) -> u64 {
        self.literal.payload()
    }

    /// Returns the bytes of the body that a range of the payload is read from.
    pub fn body_range(&self, payload: Range<u64>) -> Range<u64> {
        let payload = payload.start..payload.end.min(self.payload_len());
        let plain = self.literal.range(&payload);
        match plain.is_empty() {
            true => 0..0,
            false => self.sealed.outer.range(&self.sealed.content(&plain)),
        }
    }

    /// Decrypts a range of the payload into `out`. Every byte that is written was authenticated.
    ///
    /// # Errors
    /// [`Error::Structure`] for a range beyond the payload; [`Error::Damaged`], [`Error::Read`], [`Error::Write`].
    pub fn read(&self, payload: Range<u64>, out: &mut dyn Write) -> Result<()> {
        if payload.start > payload.end || payload.end > self.payload_len() {
            let found = format!("{payload:?} of {} bytes", self.payload_len());
            return refuse("a range of the payload", found);
        }
        let plain = self.literal.range(&payload);
        let mut fields = Fields::begin(self.literal, payload.start);
        self.sealed.read(plain, &mut |plain| {
            fields.pass(plain, &mut |payload| {
                out.write_all(payload).map_err(Error::Write)
            })
        })
    }
}

/// Signs an index: a detached signature, which is stored behind it.
///
/// # Errors
/// [`Error::Unusable`] if the key cannot sign now.
pub fn sign_index(index: &[u8], signer: &UnlockedKey) -> Result<Vec<u8>> {
    sign_detached(index, signer)
}

/// Verifies an index's signature by the certificate that the body's signature carries, as of when it was made.
///
/// # Errors
/// [`Error::Signature`], [`Error::TooLarge`].
pub fn verify_index(index: &[u8], signature: &[u8], signer: &Certificate) -> Result<()> {
    check_size("signature", signature.len(), DETACHED_MAX)?;
    let signature = signature_in(signature)?;
    let unknown = |error: openpgp::anyhow::Error| Error::Signature(error.to_string());
    let hash = signature.hash_algo().context().map_err(unknown)?;
    let mut hash = hash.for_signature(signature.version());
    hash.update(signature.salt().unwrap_or_default());
    hash.update(index);
    verify_by(signer, &signature, hash)
}

/// The chunks of a container that is laid out as it is written here.
struct SealedChunks<R> {
    source: R,
    outer: Outer,
    cut: Cut,
    chunks: Chunks,
}

impl<R: Ranges> SealedChunks<R> {
    fn begin(source: R, key: &SessionKey) -> Result<Self> {
        if key.version != BodyVersion::V2 {
            return refuse(AS_WRITTEN, format!("one of version {}", key.version));
        }
        let outer = outer(&source)?;
        let before = outer.before();
        let head = outer.range(&(0..HEAD as u64));
        if outer.length() < HEAD as u64 {
            return refuse("a container of sufficient length", format!("{head:?}"));
        }
        let start = exactly(&source, 0..head.end)?;
        let (found, head) = start.split_at(before.len());
        if found != before {
            return refuse(AS_WRITTEN, format!("one that begins with {found:02x?}"));
        }
        let head = head.try_into();
        let head = head.map_err(|_| Error::Damaged("the packet is cut short".into()))?;
        let chunks = Chunks::of(key, head)?;
        let cut = Cut::of(outer.length(), chunks.size)?;
        Ok(Self {
            source,
            outer,
            cut,
            chunks,
        })
    }

    /// The content of the container that a range of the plaintext is in, which is not empty.
    fn content(&self, plain: &Range<u64>) -> Range<u64> {
        let first = self.cut.sealed(plain.start / self.cut.size);
        let last = self.cut.sealed((plain.end - 1) / self.cut.size);
        first.start..last.end
    }

    /// Decrypts a range of the plaintext.
    fn read(&self, plain: Range<u64>, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if plain.is_empty() {
            return Ok(());
        }
        let size = self.cut.size;
        let numbers = plain.start / size..(plain.end - 1) / size + 1;
        let content = self.content(&plain);
        let source = self.source.range(self.outer.range(&content));
        let mut content = Content::begin(self.outer, content.start, source.map_err(Error::Read)?);
        let mut sealed = Vec::new();
        let mut chunk = Zeroizing::new(vec![0; size as usize]);
        for number in numbers {
            let place = self.cut.sealed(number);
            sealed.resize((place.end - place.start) as usize, 0);
            content.fill(&mut sealed)?;
            let chunk = &mut chunk[..sealed.len() - TAG];
            self.chunks.open_at(number, &sealed, chunk)?;
            let at = number * size;
            let from = plain.start.saturating_sub(at) as usize;
            let to = chunk.len().min((plain.end - at) as usize);
            take(&chunk[from..to])?;
        }
        Ok(())
    }

    fn collect(&self, plain: Range<u64>) -> Result<Vec<u8>> {
        let mut collected = Vec::with_capacity((plain.end - plain.start) as usize);
        self.read(plain, &mut |piece| {
            collected.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(collected)
    }

    /// Confirms by the last tag how many chunks there are, and how long they are.
    fn check_end(&self) -> Result<()> {
        let length = self.outer.length();
        let content = length - TAG as u64..length;
        let source = self.source.range(self.outer.range(&content));
        let mut content = Content::begin(self.outer, content.start, source.map_err(Error::Read)?);
        let mut tag = [0; TAG];
        content.fill(&mut tag)?;
        self.chunks
            .open_end_of(self.cut.chunks, self.cut.plain, &tag)
    }
}

/// The parts of a body, by its last length.
fn outer(source: &impl Ranges) -> Result<Outer> {
    let length = source.length();
    for place in Outer::last_fields(length) {
        let field = exactly(source, place..(place + 5).min(length))?;
        if let Some(outer) = Outer::of(length, place, &field) {
            return Ok(outer);
        }
    }
    refuse(AS_WRITTEN, format!("another one of {length} bytes"))
}

fn exactly(source: &impl Ranges, range: Range<u64>) -> Result<Vec<u8>> {
    if range.is_empty() || range.end > source.length() {
        return refuse("a container of sufficient length", format!("{range:?}"));
    }
    let mut bytes = vec![0; (range.end - range.start) as usize];
    let mut from = source.range(range).map_err(Error::Read)?;
    from.read_exact(&mut bytes).map_err(Error::Read)?;
    Ok(bytes)
}
