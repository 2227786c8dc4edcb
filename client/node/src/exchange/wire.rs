//! Bitswap 1.2 messages: protobuf, each behind its length as a varint.
//!
//! Only what the exchange uses is read: wants, blocks, and who has what. A block comes with a CID prefix instead of a
//! CID, so that the receiver computes the CID itself.

use bytes::Bytes;
use cid::Cid;
use quick_protobuf::BytesReader;

use crate::unixfs::{cid_of, is_of_profile, put_bytes, put_varint};

/// Most bytes of a message that is read; others send up to 4 MiB.
pub(super) const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// Most wants that are read from one message; the rest is passed over, as are more presences.
const MAX_WANTS: usize = 4096;
/// Most blocks that are read from one message; the rest is passed over. Kubo gathers 16 KiB of small ones.
const MAX_BLOCKS: usize = 1024;

/// A block that a peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The block.
    Block,
    /// Asks if the block is there.
    Have,
    /// Nothing any more.
    Cancel,
}

/// One entry of a want list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) cid: Cid,
    pub(super) ask: Ask,
    /// True if it is to be answered when the block is not there.
    pub(super) answer_missing: bool,
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) wants: Vec<Want>,
    /// The codec of the CID (none if it is not of the profile), and the bytes.
    pub(super) blocks: Vec<(Option<u64>, Bytes)>,
    /// Blocks that the sender has (true) or lacks.
    pub(super) presences: Vec<(Cid, bool)>,
}

/// The message is not one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAMessage;

impl From<quick_protobuf::Error> for NotAMessage {
    fn from(_: quick_protobuf::Error) -> Self {
        Self
    }
}

impl Message {
    pub(super) fn wants(wants: Vec<Want>) -> Self {
        Self {
            wants,
            ..Self::default()
        }
    }

    pub(super) fn presence(cid: Cid, here: bool) -> Self {
        Self {
            presences: vec![(cid, here)],
            ..Self::default()
        }
    }

    /// The message without blocks, behind its length.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut message = Vec::new();
        if !self.wants.is_empty() {
            let mut list = Vec::new();
            for want in &self.wants {
                let mut entry = Vec::with_capacity(48);
                put_bytes(&mut entry, 0x0a, &want.cid.to_bytes());
                put_number(&mut entry, 0x10, 1);
                put_number(&mut entry, 0x18, u64::from(want.ask == Ask::Cancel));
                put_number(&mut entry, 0x20, u64::from(want.ask == Ask::Have));
                put_number(&mut entry, 0x28, u64::from(want.answer_missing));
                put_bytes(&mut list, 0x0a, &entry);
            }
            put_bytes(&mut message, 0x0a, &list);
        }
        for (cid, here) in &self.presences {
            let mut presence = Vec::with_capacity(48);
            put_bytes(&mut presence, 0x0a, &cid.to_bytes());
            put_number(&mut presence, 0x10, u64::from(!here));
            put_bytes(&mut message, 0x22, &presence);
        }
        let mut framed = Vec::with_capacity(message.len() + 4);
        put_varint(&mut framed, message.len() as u64);
        framed.extend_from_slice(&message);
        framed
    }

    /// Returns what stands before a block's bytes in a message of that block alone.
    pub(super) fn before_block(cid: &Cid, length: usize) -> Vec<u8> {
        let mut prefix = Vec::with_capacity(8);
        for part in [
            1,
            cid.codec(),
            cid.hash().code(),
            u64::from(cid.hash().size()),
        ] {
            put_varint(&mut prefix, part);
        }
        let mut block = Vec::with_capacity(24);
        put_bytes(&mut block, 0x0a, &prefix);
        block.push(0x12);
        put_varint(&mut block, length as u64);
        let mut payload = vec![0x1a];
        put_varint(&mut payload, (block.len() + length) as u64);
        let mut framed = Vec::with_capacity(48);
        put_varint(&mut framed, (payload.len() + block.len() + length) as u64);
        framed.extend(payload);
        framed.extend(block);
        framed
    }

    /// Reads a message without its length. Blocks are not copied.
    pub(super) fn decode(frame: &Bytes) -> Result<Self, NotAMessage> {
        let mut message = Self::default();
        let mut reader = BytesReader::from_bytes(frame);
        while !reader.is_eof() {
            match reader.next_tag(frame)? {
                0x0a => message.read_wants(reader.read_bytes(frame)?)?,
                0x1a if message.blocks.len() < MAX_BLOCKS => {
                    let block = reader.read_bytes(frame)?;
                    message.blocks.push(read_block(frame, block)?);
                }
                0x22 if message.presences.len() < MAX_WANTS => {
                    let presence = read_presence(reader.read_bytes(frame)?)?;
                    message.presences.extend(presence);
                }
                tag => reader.read_unknown(frame, tag)?,
            }
        }
        Ok(message)
    }

    fn read_wants(&mut self, list: &[u8]) -> Result<(), NotAMessage> {
        let mut reader = BytesReader::from_bytes(list);
        while !reader.is_eof() {
            match reader.next_tag(list)? {
                0x0a if self.wants.len() < MAX_WANTS => {
                    let entry = reader.read_bytes(list)?;
                    self.wants.extend(read_want(entry)?);
                }
                tag => reader.read_unknown(list, tag)?,
            }
        }
        Ok(())
    }
}

/// A want; none if its CID is not one that this node stores.
fn read_want(entry: &[u8]) -> Result<Option<Want>, NotAMessage> {
    let mut reader = BytesReader::from_bytes(entry);
    let (mut cid, mut cancel, mut have, mut answer_missing) = (None, false, false, false);
    while !reader.is_eof() {
        match reader.next_tag(entry)? {
            0x0a => cid = read_cid(reader.read_bytes(entry)?),
            0x18 => cancel = reader.read_bool(entry)?,
            0x20 => have = reader.read_uint64(entry)? == 1,
            0x28 => answer_missing = reader.read_bool(entry)?,
            tag => reader.read_unknown(entry, tag)?,
        }
    }
    let ask = match (cancel, have) {
        (true, _) => Ask::Cancel,
        (_, true) => Ask::Have,
        _ => Ask::Block,
    };
    Ok(cid.map(|cid| Want {
        cid,
        ask,
        answer_missing,
    }))
}

/// A CID and whether the sender has it; none if this node does not store such blocks.
fn read_presence(entry: &[u8]) -> Result<Option<(Cid, bool)>, NotAMessage> {
    let mut reader = BytesReader::from_bytes(entry);
    let (mut cid, mut missing) = (None, false);
    while !reader.is_eof() {
        match reader.next_tag(entry)? {
            0x0a => cid = read_cid(reader.read_bytes(entry)?),
            0x10 => missing = reader.read_uint64(entry)? != 0,
            tag => reader.read_unknown(entry, tag)?,
        }
    }
    Ok(cid.map(|cid| (cid, !missing)))
}

fn read_block(frame: &Bytes, block: &[u8]) -> Result<(Option<u64>, Bytes), NotAMessage> {
    let mut reader = BytesReader::from_bytes(block);
    let (mut codec, mut data) = (None, &block[..0]);
    while !reader.is_eof() {
        match reader.next_tag(block)? {
            0x0a => codec = read_prefix(reader.read_bytes(block)?),
            0x12 => data = reader.read_bytes(block)?,
            tag => reader.read_unknown(block, tag)?,
        }
    }
    Ok((codec, frame.slice_ref(data)))
}

/// The codec, if the CID is version 1 with a whole SHA-256 digest.
fn read_prefix(prefix: &[u8]) -> Option<u64> {
    let mut reader = BytesReader::from_bytes(prefix);
    let mut number = || reader.read_varint64(prefix).ok();
    let (version, codec, hash, length) = (number()?, number()?, number()?, number()?);
    ((version, hash, length) == (1, 0x12, 32)).then_some(codec)
}

fn read_cid(bytes: &[u8]) -> Option<Cid> {
    Cid::try_from(bytes).ok().filter(is_of_profile)
}

/// The CID of a block as it was received.
pub(super) fn cid_of_received(codec: Option<u64>, bytes: &[u8]) -> Option<Cid> {
    codec.map(|codec| cid_of(codec, bytes))
}

fn put_number(out: &mut Vec<u8>, tag: u8, value: u64) {
    if value != 0 {
        out.push(tag);
        put_varint(out, value);
    }
}
