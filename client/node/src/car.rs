//! CAR version 1 (IPLD specification "CARv1"): a header that names roots, then blocks, each with its CID. Version 2 is read
//! as well: a file of version 1 between a header that says where it stands and an index, which is passed over.
//!
//! Only what the storage profile writes is read: CIDv1, raw or dag-pb, sha2-256, blocks of at most [`MAX_BLOCK`]. Every
//! block is hashed. The header is DAG-CBOR in its one canonical form.

use bytes::{Buf, Bytes, BytesMut};
use cid::Cid;

use super::types::MAX_BLOCK;
use super::unixfs::{cid_of, is_of_profile, put_varint};

/// Most roots that a file may name.
const MAX_ROOTS: usize = 16;
/// Most bytes of a header: that many roots.
const MAX_CAR_HEADER: usize = 1024;
/// Bytes of a CID of the profile: version, codec, hash, length, digest.
const CID_BYTES: usize = 36;
/// The map with which a file of version 2 begins.
const PRAGMA: &[u8] = b"\xa1\x67version\x02";
/// Bytes of the header of version 2 behind the pragma: characteristics, then where the data begin, how many bytes they
/// have, and where the index begins.
const PLACES: usize = 40;
/// Where that header ends.
const PLACES_END: u64 = 51;
/// The most bytes that may stand between that header and the data.
const MAX_PADDING: u64 = 1 << 20;

/// The reason why bytes are not a CAR file that is read here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedCar {
    /// The header is something else, or of another version.
    #[error("not the header of a CAR file of version 1 or 2 with at most {MAX_ROOTS} roots")]
    Header,
    /// The header of version 2 names places that cannot be.
    #[error(
        "a file of version 2 whose data begin at byte {at} and end at {end}, and whose index begins at {index}"
    )]
    Places {
        /// Where the data begin.
        at: u64,
        /// Where they end.
        end: u64,
        /// Where the index begins; 0 for none.
        index: u64,
    },
    /// A length that is none.
    #[error("a length that is not a canonical varint")]
    Length,
    /// A header or block beyond its limit.
    #[error("{what} of {found} bytes, at most {max} allowed")]
    TooLarge {
        /// `a header` or `a block`, its CID included.
        what: &'static str,
        /// Its bytes.
        found: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A block under another kind of CID.
    #[error("a block whose CID is not of version 1, raw or dag-pb, sha2-256")]
    Cid,
    /// A block that is not what its CID says.
    #[error("block {wanted} is damaged: its bytes hash to {found}")]
    Mismatch {
        /// The CID that stands before it.
        wanted: String,
        /// The part that the bytes are.
        found: String,
    },
    /// The file ends in the middle.
    #[error("the file is cut off")]
    CutOff,
    /// Not exactly one root.
    #[error("{found} roots, wanted one")]
    Roots {
        /// How many there are.
        found: usize,
    },
    /// A block that does not belong to the root's tree.
    #[error("block {cid} does not belong to the image")]
    Stray {
        /// The block.
        cid: String,
    },
    /// A block of the root's tree that the file lacks.
    #[error("block {cid} of the image is not in the file")]
    Lacking {
        /// The block.
        cid: String,
    },
    /// More than is taken in.
    #[error("more than {max} {what}")]
    TooMuch {
        /// `bytes` or `blocks`.
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

/// The header of a file with these roots, its length before it.
pub(super) fn header(roots: &[Cid]) -> Vec<u8> {
    debug_assert!(roots.len() <= MAX_ROOTS);
    let mut map = vec![0xa2, 0x65];
    map.extend(b"roots");
    map.push(0x80 + roots.len() as u8);
    for root in roots {
        let root = root.to_bytes();
        map.extend([0xd8, 0x2a, 0x58, root.len() as u8 + 1, 0]);
        map.extend(root);
    }
    map.push(0x67);
    map.extend(b"version\x01");
    let mut out = Vec::with_capacity(map.len() + 2);
    put_varint(&mut out, map.len() as u64);
    out.extend(map);
    out
}

/// Returns what stands before the bytes of a block.
pub(super) fn section(cid: &Cid, length: usize) -> Vec<u8> {
    let cid = cid.to_bytes();
    let mut out = Vec::with_capacity(CID_BYTES + 4);
    put_varint(&mut out, (cid.len() + length) as u64);
    out.extend(cid);
    out
}

/// Reads a file as its bytes come in, whatever pieces they come in.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    roots: Option<Vec<Cid>>,
    wrapped: Wrapped,
}

/// How far a file of version 2 is.
#[derive(Debug, Default)]
enum Wrapped {
    /// Of version 1, or nothing read yet.
    #[default]
    No,
    /// Behind its pragma.
    Begun,
    /// The bytes that are still to be passed over, and those of data behind them; the rest is passed over.
    Data { skip: u64, left: u64 },
}

impl Decoder {
    /// Takes the next bytes of the file. At most one block of what was taken before should be left.
    pub fn push(&mut self, bytes: &[u8]) {
        let Wrapped::Data { skip, left } = &mut self.wrapped else {
            self.buffer.extend_from_slice(bytes);
            return;
        };
        let passed = bytes
            .len()
            .min(usize::try_from(*skip).unwrap_or(usize::MAX));
        *skip -= passed as u64;
        let bytes = &bytes[passed..];
        let data = bytes
            .len()
            .min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= data as u64;
        self.buffer.extend_from_slice(&bytes[..data]);
    }

    /// Reads the next block, verified; `None` until more bytes are pushed.
    ///
    /// # Errors
    /// [`MalformedCar`]; the file is to be given up then.
    pub fn next_block(&mut self) -> Result<Option<(Cid, Bytes)>, MalformedCar> {
        while self.roots.is_none() {
            if matches!(self.wrapped, Wrapped::Begun) && !self.unwrap()? {
                return Ok(None);
            }
            let Some(header) = self.part("a header", MAX_CAR_HEADER)? else {
                return Ok(None);
            };
            match matches!(self.wrapped, Wrapped::No) && header == PRAGMA {
                true => self.wrapped = Wrapped::Begun,
                false => self.roots = Some(read_header(&header).ok_or(MalformedCar::Header)?),
            }
        }
        let Some(mut bytes) = self.part("a block", MAX_BLOCK + CID_BYTES)? else {
            return Ok(None);
        };
        let cid = bytes.get(..CID_BYTES).and_then(profile_cid);
        let cid = cid.ok_or(MalformedCar::Cid)?;
        bytes.advance(CID_BYTES);
        let found = cid_of(cid.codec(), &bytes);
        if found != cid {
            return Err(MalformedCar::Mismatch {
                wanted: cid.to_string(),
                found: found.to_string(),
            });
        }
        Ok(Some((cid, bytes)))
    }

    /// Returns the roots, at the end of the file.
    ///
    /// # Errors
    /// [`MalformedCar::CutOff`]
    pub fn finish(self) -> Result<Vec<Cid>, MalformedCar> {
        let whole = match self.wrapped {
            Wrapped::No => true,
            Wrapped::Begun => false,
            Wrapped::Data { left, .. } => left == 0,
        };
        match self.roots {
            Some(roots) if whole && self.buffer.is_empty() => Ok(roots),
            _ => Err(MalformedCar::CutOff),
        }
    }

    /// Reads where the data of a file of version 2 stand, once that is there.
    fn unwrap(&mut self) -> Result<bool, MalformedCar> {
        let Some(places) = self.buffer.get(..PLACES) else {
            return Ok(false);
        };
        let number = |at| {
            let bytes = places[at..].first_chunk().copied().unwrap_or_default();
            u64::from_le_bytes(bytes)
        };
        let (at, length, index) = (number(16), number(24), number(32));
        let end = at.saturating_add(length);
        let skip = at.checked_sub(PLACES_END).filter(|it| *it <= MAX_PADDING);
        let apart = length > 0 && end < u64::MAX && (index == 0 || index >= end);
        let Some(skip) = skip.filter(|_| apart) else {
            return Err(MalformedCar::Places { at, end, index });
        };
        let rest = self.buffer.split_off(PLACES);
        self.buffer.clear();
        self.wrapped = Wrapped::Data { skip, left: length };
        self.push(&rest);
        Ok(true)
    }

    /// The next bytes with a length before them, once all of them are there.
    fn part(&mut self, what: &'static str, max: usize) -> Result<Option<Bytes>, MalformedCar> {
        let Some((length, prefix)) = varint(&self.buffer)? else {
            return Ok(None);
        };
        if length > max as u64 {
            return Err(MalformedCar::TooLarge {
                what,
                found: length,
                max: max as u64,
            });
        }
        let length = length as usize;
        if self.buffer.len() < prefix + length {
            self.buffer.reserve(prefix + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(prefix);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

/// A number and how many bytes it takes; `None` if they are not all there.
fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, MalformedCar> {
    let mut value = 0u64;
    // No length that is allowed takes more than three bytes; five tell how far it is beyond.
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return match *byte == 0 && at > 0 {
                true => Err(MalformedCar::Length),
                false => Ok(Some((value, at + 1))),
            };
        }
    }
    match bytes.len() < 5 {
        true => Ok(None),
        false => Err(MalformedCar::Length),
    }
}

fn profile_cid(bytes: &[u8]) -> Option<Cid> {
    let cid = Cid::try_from(bytes).ok()?;
    (is_of_profile(&cid) && cid.encoded_len() == bytes.len()).then_some(cid)
}

/// The roots, if this is exactly what [`header`] writes for them.
fn read_header(map: &[u8]) -> Option<Vec<Cid>> {
    let rest = map.strip_prefix(b"\xa2\x65roots")?;
    let (count, mut rest) = rest.split_first()?;
    let count = usize::from(count.checked_sub(0x80)?);
    if count > MAX_ROOTS {
        return None;
    }
    let mut roots = Vec::with_capacity(count);
    for _ in 0..count {
        let root = rest.strip_prefix(&[0xd8, 0x2a, 0x58, CID_BYTES as u8 + 1, 0])?;
        roots.push(profile_cid(root.get(..CID_BYTES)?)?);
        rest = &root[CID_BYTES..];
    }
    (rest == b"\x67version\x01").then_some(roots)
}
