//! UnixFS file nodes (dag-pb): the one form that the storage profile writes, and its strict reader.
//!
//! A node is a list of links and the sizes under them, nothing else. Only the canonical encoding is
//! read: what [`encode`] would not have written is refused, so a node can hide no bytes.

use cid::Cid;
use multihash_codetable::{Code, MultihashDigest};
use quick_protobuf::BytesReader;

/// Most links that a node may have (profile `unixfs-v1-2025`).
pub(super) const MAX_LINKS: usize = 1024;
/// Most bytes of a block that holds a node: 1,024 links of at most 64 bytes, and their sizes.
pub(super) const MAX_NODE: usize = 96 * 1024;
/// The multicodec of a block of plain bytes.
pub(super) const RAW: u64 = 0x55;
/// The multicodec of a dag-pb node.
pub(super) const DAG_PB: u64 = 0x70;
/// The multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// Why a block is not the UnixFS file node that belongs there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Not dag-pb at all, or not in canonical form.
    #[error("not a canonical dag-pb node")]
    NotCanonical,
    /// A protobuf field that file nodes of the profile do not have.
    #[error("unexpected field with tag {tag:#x}")]
    Field {
        /// The protobuf tag.
        tag: u32,
    },
    /// Another UnixFS type than File (2).
    #[error("UnixFS type {found}, wanted 2 (file)")]
    NotAFile {
        /// The type that was found.
        found: u64,
    },
    /// Bytes in the node itself instead of in a leaf.
    #[error("{bytes} bytes of inline data, wanted none")]
    InlineData {
        /// How many.
        bytes: usize,
    },
    /// A number of links that does not belong there.
    #[error("{found} links, wanted {wanted}")]
    Links {
        /// How many there should be.
        wanted: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A link to something other than a raw or dag-pb block, CIDv1, sha2-256.
    #[error("link to {cid}, wanted CIDv1, {wanted}, sha2-256")]
    Target {
        /// The codecs that would do.
        wanted: &'static str,
        /// The link.
        cid: String,
    },
    /// Sizes that do not add up.
    #[error("{what} is {found} bytes, wanted {wanted}")]
    Size {
        /// The size that is wrong.
        what: &'static str,
        /// The size that it should have, in bytes.
        wanted: u64,
        /// The size that it has, in bytes.
        found: u64,
    },
    /// A part beyond its limit.
    #[error("{what} of {found} bytes, at most {max} allowed")]
    TooLarge {
        /// The part that is too large.
        what: &'static str,
        /// Its bytes.
        found: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A tree deeper than any file needs.
    #[error("a tree deeper than {max} nodes")]
    TooDeep {
        /// The limit.
        max: usize,
    },
}

/// A sub-tree as its parent describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) cid: Cid,
    /** bytes of the file under it */
    pub(super) file_size: u64,
    /** bytes of its blocks, dag-pb included (`Tsize`) */
    pub(super) dag_size: u64,
}

impl Link {
    /// A raw leaf.
    pub(super) fn leaf(bytes: &[u8]) -> Self {
        Self {
            cid: cid_of(RAW, bytes),
            file_size: bytes.len() as u64,
            dag_size: bytes.len() as u64,
        }
    }

    /// The node over these links, and its block.
    pub(super) fn node(links: &[Self]) -> (Self, Vec<u8>) {
        let block = encode(links);
        let link = Self {
            cid: cid_of(DAG_PB, &block),
            file_size: file_size(links),
            dag_size: dag_size(&block, links),
        };
        (link, block)
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.cid.codec() == RAW
    }
}

/// CIDv1, sha2-256.
pub(super) fn cid_of(codec: u64, bytes: &[u8]) -> Cid {
    Cid::new_v1(codec, Code::Sha2_256.digest(bytes))
}

/// The CID whose digest the chain or a parent names.
pub(super) fn cid_from_digest(codec: u64, digest: &[u8; 32]) -> Cid {
    let hash =
        cid::multihash::Multihash::wrap(SHA2_256, digest).expect("32 bytes fit every multihash");
    Cid::new_v1(codec, hash)
}

/// The sha2-256 digest in a CID; `None` for another hash.
pub(super) fn digest_of(cid: &Cid) -> Option<[u8; 32]> {
    (cid.hash().code() == SHA2_256)
        .then(|| cid.hash().digest().try_into().ok())
        .flatten()
}

/// Returns true if the profile links to such blocks: CIDv1, raw or dag-pb, sha2-256.
pub(super) fn is_of_profile(cid: &Cid) -> bool {
    cid.version() == cid::Version::V1
        && matches!(cid.codec(), RAW | DAG_PB)
        && digest_of(cid).is_some()
}

/// Bytes of the file under a node.
pub(super) fn file_size(links: &[Link]) -> u64 {
    links
        .iter()
        .fold(0, |sum, link| sum.saturating_add(link.file_size))
}

/// Bytes of all blocks of a node's tree, its own included.
pub(super) fn dag_size(block: &[u8], links: &[Link]) -> u64 {
    links.iter().fold(block.len() as u64, |sum, link| {
        sum.saturating_add(link.dag_size)
    })
}

/// The canonical block of a file node over `links`: unnamed links in order, then the sizes
/// (dag-pb specification, "Serialization"; UnixFS, `Data` with Type, filesize and blocksizes).
pub(super) fn encode(links: &[Link]) -> Vec<u8> {
    let mut block = Vec::with_capacity(links.len() * 56 + 16);
    let mut data = vec![0x08, 0x02, 0x18];
    put_varint(&mut data, file_size(links));
    for link in links {
        let mut entry = Vec::with_capacity(64);
        put_bytes(&mut entry, 0x0a, &link.cid.to_bytes());
        put_bytes(&mut entry, 0x12, b"");
        entry.push(0x18);
        put_varint(&mut entry, link.dag_size);
        put_bytes(&mut block, 0x12, &entry);
        data.push(0x20);
        put_varint(&mut data, link.file_size);
    }
    put_bytes(&mut block, 0x0a, &data);
    block
}

/// Reads a node back. Every size below is consistent with every other; no sub-tree is empty.
pub(super) fn decode(block: &[u8]) -> Result<Vec<Link>, Malformed> {
    if block.len() > MAX_NODE {
        return Err(Malformed::TooLarge {
            what: "node",
            found: block.len() as u64,
            max: MAX_NODE as u64,
        });
    }
    let (mut links, sizes) = parse(block)?;
    if links.len() != sizes.blocks.len() {
        return Err(Malformed::Size {
            what: "the list of block sizes",
            wanted: links.len() as u64,
            found: sizes.blocks.len() as u64,
        });
    }
    for (link, size) in links.iter_mut().zip(sizes.blocks) {
        link.file_size = size;
        check_link(link)?;
    }
    if sizes.file != file_size(&links) {
        return Err(Malformed::Size {
            what: "the file",
            wanted: file_size(&links),
            found: sizes.file,
        });
    }
    if encode(&links) != block {
        return Err(Malformed::NotCanonical);
    }
    Ok(links)
}

fn check_link(link: &Link) -> Result<(), Malformed> {
    if !is_of_profile(&link.cid) {
        return Err(Malformed::Target {
            wanted: "raw or dag-pb",
            cid: link.cid.to_string(),
        });
    }
    if link.file_size == 0 || link.file_size > i64::MAX as u64 {
        return Err(Malformed::Size {
            what: "a linked sub-tree",
            wanted: 1,
            found: link.file_size,
        });
    }
    if link.is_leaf() && link.dag_size != link.file_size {
        return Err(Malformed::Size {
            what: "a linked raw block",
            wanted: link.file_size,
            found: link.dag_size,
        });
    }
    if !link.is_leaf() && link.dag_size <= link.file_size {
        return Err(Malformed::Size {
            what: "a linked tree",
            wanted: link.file_size.saturating_add(1),
            found: link.dag_size,
        });
    }
    Ok(())
}

struct Sizes {
    file: u64,
    blocks: Vec<u64>,
}

fn parse(block: &[u8]) -> Result<(Vec<Link>, Sizes), Malformed> {
    let mut links = Vec::new();
    let mut sizes = None;
    let mut reader = BytesReader::from_bytes(block);
    while !reader.is_eof() {
        match reader.next_tag(block)? {
            0x12 => links.push(parse_link(reader.read_bytes(block)?)?),
            0x0a if sizes.is_none() => sizes = Some(parse_sizes(reader.read_bytes(block)?)?),
            tag => return Err(Malformed::Field { tag }),
        }
        if links.len() > MAX_LINKS {
            return Err(Malformed::Links {
                wanted: "at most 1024",
                found: links.len(),
            });
        }
    }
    Ok((links, sizes.ok_or(Malformed::NotCanonical)?))
}

/// A link without its file size, which stands elsewhere.
fn parse_link(entry: &[u8]) -> Result<Link, Malformed> {
    let mut reader = BytesReader::from_bytes(entry);
    let (mut cid, mut dag_size) = (None, 0);
    while !reader.is_eof() {
        match reader.next_tag(entry)? {
            0x0a => cid = Cid::try_from(reader.read_bytes(entry)?).ok(),
            0x12 if reader.read_bytes(entry)?.is_empty() => {}
            0x18 => dag_size = reader.read_uint64(entry)?,
            tag => return Err(Malformed::Field { tag }),
        }
    }
    Ok(Link {
        cid: cid.ok_or(Malformed::NotCanonical)?,
        file_size: 0,
        dag_size,
    })
}

fn parse_sizes(data: &[u8]) -> Result<Sizes, Malformed> {
    let mut reader = BytesReader::from_bytes(data);
    let mut sizes = Sizes {
        file: 0,
        blocks: Vec::new(),
    };
    while !reader.is_eof() {
        match reader.next_tag(data)? {
            0x08 => match reader.read_uint64(data)? {
                2 => {}
                found => return Err(Malformed::NotAFile { found }),
            },
            0x12 => {
                let bytes = reader.read_bytes(data)?.len();
                return Err(Malformed::InlineData { bytes });
            }
            0x18 => sizes.file = reader.read_uint64(data)?,
            0x20 => sizes.blocks.push(reader.read_uint64(data)?),
            tag => return Err(Malformed::Field { tag }),
        }
    }
    Ok(sizes)
}

impl From<quick_protobuf::Error> for Malformed {
    fn from(_: quick_protobuf::Error) -> Self {
        Self::NotCanonical
    }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
