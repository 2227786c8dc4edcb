//! Reads a body of version 2: one SEIPD packet of exactly one signed literal. Every byte that comes out was authenticated.
//!
//! The library's own reader copies every byte four times and hashes it once more for itself, on one thread. Here chunks are
//! decrypted straight into the pieces that are handed on; what is parsed are the few bytes around the literal's data.

use std::io::Read;

use bytes::{Buf, Bytes};
use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::crypto::hash::Context;
use openpgp::packet::{OnePassSig, Signature};
use openpgp::parse::{PacketParser, PacketParserResult, Parse};
use openpgp::serialize::MarshalInto;

use super::chunks::{Chunks, HEAD, TAG};
use super::container::CONTAINER_MIN;
use super::framing::{Body, Length};
use super::packing::{LITERAL, SEIPD};
use super::stages::read_full;
use super::{Error, Result, SessionKey};
use pcim_core::buffers::Buffers;

/// The tag of a one-pass signature packet.
const ONE_PASS: u8 = 0xc0 | 4;
/// The most bytes of the signature packet: two areas of 64 KiB, and the signature itself.
pub(super) const SIGNATURE_MAX: usize = 192 * 1024;

/// Bytes that are decrypted at a time, unless a chunk is longer: the more, the less often threads wake each other.
const AT_ONCE: usize = 1 << 20;

/// A body being read.
pub(super) struct Unpacking<'a> {
    decrypting: Decrypting<'a>,
    announcement: OnePassSig,
    /// Plaintext that was decrypted and not looked at yet.
    current: Bytes,
    inside: Inside,
}

/// Where in the plaintext the reader is.
pub(super) enum Inside {
    /// In the literal, `left` bytes before the end of a part.
    Literal { left: u64, last: bool },
    /// After a part of the literal: the next length, as far as it was read.
    Length(Vec<u8>),
    /// After the literal.
    Signature(Vec<u8>),
}

impl<'a> Unpacking<'a> {
    /// Opens the body up to the literal's data.
    pub(super) fn open(source: &'a mut (dyn Read + Send + Sync), key: &SessionKey) -> Result<Self> {
        let mut decrypting = Decrypting::begin(source, key)?;
        // Never less than the packets before the literal's data take, unless it is all there is.
        let mut current = decrypting.next()?.unwrap_or_default();
        let announcement = announcement(&mut current)?;
        let inside = literal(&mut current)?;
        Ok(Self {
            decrypting,
            announcement,
            current,
            inside,
        })
    }

    /// The one-pass signature packet that announced the signature, as serialized.
    pub(super) fn announcement(&self) -> Result<Vec<u8>> {
        let packet = Packet::from(self.announcement.clone());
        packet.to_vec().map_err(Error::openpgp)
    }

    /// Returns the hash that the literal's data go into to verify the signature: begun as it announces (RFC 9580 §5.2.4).
    pub(super) fn hash(&self) -> Result<Context> {
        let unknown = |error: openpgp::anyhow::Error| Error::Signature(error.to_string());
        let hash = self.announcement.hash_algo().context().map_err(unknown)?;
        let version = if self.announcement.version() == 6 {
            6
        } else {
            4
        };
        let mut hash = hash.for_signature(version);
        if let Some(salt) = self.announcement.salt() {
            hash.update(salt);
        }
        Ok(hash)
    }

    /// More of the literal's data; nothing at their end, when the container was confirmed to be whole.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.current.is_empty() {
                match self.decrypting.next()? {
                    Some(piece) => self.current = piece,
                    None => return Ok(None),
                }
                continue;
            }
            match &mut self.inside {
                Inside::Literal { left: 0, last } => {
                    self.inside = match last {
                        true => Inside::Signature(Vec::new()),
                        false => Inside::Length(Vec::new()),
                    };
                }
                Inside::Literal { left, .. } => {
                    let part = usize::try_from(*left).unwrap_or(usize::MAX);
                    let data = self.current.split_to(part.min(self.current.len()));
                    *left -= data.len() as u64;
                    return Ok(Some(data));
                }
                Inside::Length(field) => {
                    field.push(self.current.get_u8());
                    if let Some((length, _)) = Length::parse(field) {
                        self.inside = Inside::of(length);
                    }
                }
                Inside::Signature(packet) => {
                    if packet.len() + self.current.len() > SIGNATURE_MAX {
                        return refuse("one signature", "more than that".to_owned());
                    }
                    packet.extend_from_slice(&std::mem::take(&mut self.current));
                }
            }
        }
    }

    /// The signature that was announced, after the last of the literal's data; not verified yet.
    pub(super) fn finish(self) -> Result<Signature> {
        let packet = match self.inside {
            Inside::Signature(packet) => packet,
            Inside::Literal {
                left: 0,
                last: true,
            } => Vec::new(),
            _ => return refuse("literal data", "their middle".to_owned()),
        };
        let signature = signature_in(&packet)?;
        check_announced(&self.announcement, &signature)?;
        Ok(signature)
    }
}

/// Reads the signature packet behind the literal.
pub(super) fn signature_in(packet: &[u8]) -> Result<Signature> {
    match one_packet(packet) {
        Some(Packet::Signature(signature)) => Ok(signature),
        Some(other) => refuse("one signature", format!("a {} packet", other.tag())),
        None => refuse("one signature", format!("{} bytes", packet.len())),
    }
}

/// Refuses a signature that is another than the one-pass packet announces.
pub(super) fn check_announced(announced: &OnePassSig, signature: &Signature) -> Result<()> {
    let versions = (announced.version(), signature.version());
    let as_announced = matches!(versions, (3, 4) | (6, 6))
        && announced.typ() == signature.typ()
        && announced.hash_algo() == signature.hash_algo()
        && announced.salt() == signature.salt();
    match as_announced {
        true => Ok(()),
        false => Err(Error::Signature("not the one that is announced".to_owned())),
    }
}

impl Inside {
    fn of(length: Length) -> Self {
        let (left, last) = match length {
            Length::Whole(left) => (left, true),
            Length::Part(left) => (left, false),
        };
        Self::Literal { left, last }
    }
}

/// Takes the one-pass signature off the front of the plaintext.
pub(super) fn announcement(plain: &mut Bytes) -> Result<OnePassSig> {
    const WANTED: &str = "a one-pass signature";
    let body = after_tag(plain, ONE_PASS, WANTED)?;
    let (length, field) = match Length::parse(body) {
        Some((Length::Whole(length), field)) => (length, field),
        _ => return refuse(WANTED, "one without a length".to_owned()),
    };
    let whole = usize::try_from(length).map(|length| 1 + field + length);
    let Some(whole) = whole.ok().filter(|whole| *whole <= plain.len()) else {
        return refuse(WANTED, "a part of one".to_owned());
    };
    match one_packet(&plain.split_to(whole)) {
        Some(Packet::OnePassSig(announced)) => Ok(announced),
        _ => refuse(WANTED, "a malformed one".to_owned()),
    }
}

/// Takes what stands before the literal's data off the front of the plaintext: format, name, date.
pub(super) fn literal(plain: &mut Bytes) -> Result<Inside> {
    const WANTED: &str = "literal data";
    let body = after_tag(plain, LITERAL, WANTED)?;
    let Some((length, field)) = Length::parse(body).filter(|(length, _)| length.may_begin()) else {
        return refuse(WANTED, "a packet without a length".to_owned());
    };
    let name = body.get(field + 1).map_or(0, |length| usize::from(*length));
    let head = 2 + name + 4;
    match Inside::of(length) {
        Inside::Literal { left, last } if left >= head as u64 && body.len() >= field + head => {
            plain.advance(1 + field + head);
            let left = left - head as u64;
            Ok(Inside::Literal { left, last })
        }
        _ => refuse(WANTED, "a part of them".to_owned()),
    }
}

fn after_tag<'p>(plain: &'p Bytes, tag: u8, wanted: &'static str) -> Result<&'p [u8]> {
    match plain.split_first() {
        Some((found, body)) if *found == tag => Ok(body),
        Some((found, _)) => refuse(wanted, format!("a packet with tag {found:#04x}")),
        None => refuse(wanted, "the end".to_owned()),
    }
}

/// The packet that the bytes are, and no other after it.
fn one_packet(bytes: &[u8]) -> Option<Packet> {
    let PacketParserResult::Some(parser) = PacketParser::from_bytes(bytes).ok()? else {
        return None;
    };
    let (packet, rest) = parser.next().ok()?;
    matches!(rest, PacketParserResult::EOF(_)).then_some(packet)
}

pub(super) fn refuse<T>(wanted: &'static str, found: String) -> Result<T> {
    Err(Error::Structure { wanted, found })
}

/// The plaintext of the container.
struct Decrypting<'a> {
    body: Body<'a>,
    chunks: Chunks,
    /// A chunk, its tag, and as many bytes more as the last tag has.
    sealed: Vec<u8>,
    /// Bytes of `sealed` that were read before.
    ahead: usize,
    ended: bool,
    buffers: Buffers,
}

impl<'a> Decrypting<'a> {
    fn begin(source: &'a mut (dyn Read + Send + Sync), key: &SessionKey) -> Result<Self> {
        const WANTED: &str = "one encrypted container (SEIPD)";
        let mut tag = [0];
        if read_full(source, &mut tag).map_err(Error::Read)? == 0 {
            return refuse("a whole message", "0 bytes".to_owned());
        }
        if tag != [SEIPD] {
            return refuse(WANTED, format!("a packet with tag {:#04x}", tag[0]));
        }
        let (mut body, first) = Body::begin(source)?;
        let enough = match first {
            Length::Whole(bytes) => bytes >= CONTAINER_MIN as u64,
            part => part.may_begin(),
        };
        if !enough {
            return refuse("a container of sufficient length", format!("{first:?}"));
        }
        let mut head = [0; HEAD];
        if body.read_full(&mut head)? < HEAD {
            return refuse("a container of sufficient length", format!("{first:?}"));
        }
        let chunks = Chunks::of(key, &head)?;
        Ok(Self {
            sealed: vec![0; chunks.size + 2 * TAG],
            body,
            chunks,
            ahead: 0,
            ended: false,
            buffers: Buffers::default(),
        })
    }

    /// The next chunks' plaintext; nothing after the last tag, which confirms that it was all.
    fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let size = self.chunks.size;
        let mut plain = self.buffers.take(size.max(AT_ONCE));
        let mut filled = 0;
        while !self.ended && plain.len() - filled >= size {
            let read = self.body.read_full(&mut self.sealed[self.ahead..])?;
            let there = self.ahead + read;
            let Some(chunk) = there.checked_sub(TAG) else {
                return refuse("a last tag", format!("{there} bytes"));
            };
            match chunk.checked_sub(TAG) {
                Some(bytes) if bytes > 0 => {
                    let place = &mut plain[filled..filled + bytes];
                    self.chunks.open(&self.sealed[..chunk], place)?;
                    filled += bytes;
                }
                _ if chunk == 0 => {}
                _ => return refuse("a chunk", format!("{chunk} bytes")),
            }
            if there == self.sealed.len() {
                self.sealed.copy_within(chunk.., 0);
                self.ahead = TAG;
            } else {
                self.chunks.open_end(&self.sealed[chunk..there])?;
                self.body.expect_end()?;
                self.ended = true;
            }
        }
        Ok(Some(self.buffers.lend(plain, filled)))
    }
}
