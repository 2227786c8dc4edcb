//! The import of CAR files over a storage in memory: trees, roots and their checks are the client's, what lies below is not.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::domain::ImageDigest;
use crate::edits::edited;

#[path = "../../../src/node/archive.rs"]
mod archive;
#[path = "../../../src/node/body.rs"]
mod body;
#[path = "../../../src/node/car.rs"]
mod car;
#[path = "../../../src/node/root.rs"]
mod root;
#[path = "../../../src/node/storage.rs"]
mod storage;
#[path = "../../../src/node/unixfs.rs"]
mod unixfs;
/// What the modules above call the embedded node's storage.
mod store {
    pub(super) use super::Memory as Store;
}

use storage::{Batch, Reach, Shared, Storage};
use unixfs::Malformed;

const MAX_BLOCK: usize = 1024 * 1024;
const MAX_HEADER: usize = 1024;
const MAX_ROOT: usize = 4096;
/// Bytes of a leaf.
const CHUNK: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRef {
    pub cid: String,
    pub file_size: u64,
    pub dag_size: u64,
}

pub struct Root {
    pub header: Vec<u8>,
    pub body: BodyRef,
}

pub struct Stored {
    pub image: ImageDigest,
    pub new_bytes: u64,
}

pub struct RepoStat;
pub struct Survey;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("block {cid} is not here")]
    Missing { cid: String },
    #[error("block {cid} of {found} bytes, at most {max} allowed here")]
    TooLarge {
        cid: String,
        found: usize,
        max: usize,
    },
    #[error("{cid} is not a sealed root")]
    NotARoot { cid: String, source: Malformed },
    #[error("{cid} is not the body's tree")]
    NotABody { cid: String, source: Malformed },
    #[error("the body broke off")]
    Body(#[source] io::Error),
    #[error("failed while {doing}")]
    Io {
        doing: &'static str,
        source: io::Error,
    },
    #[error("the CAR file is refused")]
    Car(#[from] car::Malformed),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn io(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// Blocks and pins.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    blocks: BTreeMap<Cid, Bytes>,
    pins: BTreeSet<Cid>,
}

impl Memory {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("nothing panics while it is held")
    }

    async fn pinned_directly(&self) -> Result<Vec<Cid>> {
        Ok(self.held().pins.iter().copied().collect())
    }
}

#[async_trait]
impl Storage for Memory {
    async fn local(&self, cid: &Cid, max: usize) -> Result<Option<Bytes>> {
        let Some(bytes) = self.held().blocks.get(cid).cloned() else {
            return Ok(None);
        };
        match bytes.len() <= max {
            true => Ok(Some(bytes)),
            false => Err(Error::TooLarge {
                cid: cid.to_string(),
                found: bytes.len(),
                max,
            }),
        }
    }

    async fn get(&self, cid: &Cid, max: usize, _: Reach) -> Result<Bytes> {
        let cid_text = || cid.to_string();
        let found = self.local(cid, max).await?;
        found.ok_or_else(|| Error::Missing { cid: cid_text() })
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::new(Direct(self.clone(), Vec::new()))
    }

    async fn put(&self, blocks: Vec<(Cid, Bytes)>, written: &mut Vec<Cid>) -> Result<()> {
        written.extend(blocks.iter().map(|(cid, _)| *cid));
        self.held().blocks.extend(blocks);
        Ok(())
    }

    async fn has(&self, cid: &Cid) -> Result<bool> {
        Ok(self.held().blocks.contains_key(cid))
    }

    async fn is_pinned(&self, cid: &Cid) -> Result<bool> {
        Ok(self.held().pins.contains(cid))
    }

    async fn keep(&self, cids: &[Cid]) -> Result<()> {
        let held = self.held();
        match cids.iter().find(|cid| !held.blocks.contains_key(cid)) {
            Some(cid) => Err(Error::Missing {
                cid: cid.to_string(),
            }),
            None => Ok(()),
        }
    }

    async fn pin_direct(&self, cids: &[Cid]) -> Result<()> {
        self.held().pins.extend(cids);
        Ok(())
    }

    async fn pin_tree(&self, root: &Cid, below: Vec<Cid>) -> Result<()> {
        let mut held = self.held();
        held.pins.insert(*root);
        held.pins.extend(below);
        Ok(())
    }

    async fn unpin(&self, cid: &Cid) -> Result<()> {
        self.held().pins.remove(cid);
        Ok(())
    }

    async fn discard(&self, cids: &[Cid]) -> Result<()> {
        let mut held = self.held();
        for cid in cids {
            if !held.pins.contains(cid) {
                held.blocks.remove(cid);
            }
        }
        Ok(())
    }

    async fn collect_garbage(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    async fn stat(&self) -> Result<RepoStat> {
        Ok(RepoStat)
    }

    async fn addresses(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn peers(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn connect(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn survey(&self, _: &ImageDigest, _: Duration) -> Result<Survey> {
        Ok(Survey)
    }

    fn closing(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// Writes as it goes.
struct Direct(Memory, Vec<Cid>);

#[async_trait]
impl Batch for Direct {
    async fn put(&mut self, cid: Cid, bytes: Bytes) -> Result<()> {
        assert!(unixfs::cid_of(cid.codec(), &bytes) == cid, "a wrong block");
        self.1.push(cid);
        self.0.held().blocks.insert(cid, bytes);
        Ok(())
    }

    async fn commit(&mut self) -> Result<Vec<Cid>> {
        Ok(std::mem::take(&mut self.1))
    }

    async fn give_up(&mut self) -> Vec<Cid> {
        std::mem::take(&mut self.1)
    }
}

/// A sealed image with a body of `bytes` as a CAR file.
pub fn exported(bytes: usize) -> Vec<u8> {
    let memory: Shared = Arc::new(Memory::default());
    let body: Vec<_> = (0..bytes).map(|at| (at / 7) as u8).collect();
    let body = stream::iter([Ok(Bytes::from(body))]).boxed();
    let mut written = Vec::new();
    let file = block_on(async {
        let noted = &mut |_: &BodyRef| Ok(());
        let body = body::add(&memory, body, CHUNK, 2, &mut written, noted).await?;
        let image = root::put(&memory, vec![9; 100], &body, &mut written)
            .await?
            .image;
        let file = archive::export(&memory, &image, Reach::Local).await?;
        file.try_collect::<Vec<_>>().await.map_err(Error::Body)
    });
    file.expect("memory does not fail").concat()
}

/// Imports a file of at most `most` bytes: one whole image, all of it pinned and nothing else there, or no pin.
pub fn import(file: &[u8], most: u64) -> Result<()> {
    let memory = Memory::default();
    let shared: Shared = Arc::new(memory.clone());
    let pieces: Vec<io::Result<_>> = file
        .chunks(97)
        .map(|it| Ok(Bytes::copy_from_slice(it)))
        .collect();
    let pieces: BoxStream<'static, _> = stream::iter(pieces).boxed();
    let imported = block_on(archive::import(&shared, pieces, most, &mut Vec::new()));
    let imported = match imported {
        Ok(imported) => imported,
        Err(error) => {
            assert!(memory.held().pins.is_empty(), "{error} and pins");
            return Err(error);
        }
    };
    {
        let held = memory.held();
        assert!(
            held.pins.iter().eq(held.blocks.keys()),
            "pinned is what is there"
        );
        assert_eq!(imported.blocks, held.blocks.len() as u64);
    }
    block_on(async {
        let root = root::get(&shared, &imported.image, Reach::Local)
            .await
            .expect("it is a root");
        assert!(root.body == imported.body && root.header.len() <= MAX_HEADER);
        let body = body::read(&shared, &root.body, Reach::Local)
            .await
            .expect("it is a body");
        let body: Vec<_> = body.try_collect().await.expect("the body is whole");
        assert_eq!(body.concat().len() as u64, root.body.file_size);
    });
    Ok(())
}

/// The file with every block under the CID that its bytes have, and its first block as the root: so changes get past the
/// hashes.
pub fn renamed(file: &[u8]) -> Vec<u8> {
    file_of(&Sections(file).collect::<Vec<_>>())
}

/// The file with the block that the first byte of `input` counts to changed as the rest says, and every link above it
/// made to point to it again: so changes get past the hashes at any depth.
pub fn regrown(file: &[u8], input: &[u8]) -> Vec<u8> {
    let mut blocks: Vec<_> = Sections(file)
        .map(|(codec, bytes)| (codec, bytes.to_vec()))
        .collect();
    let Some((which, edits)) = input.split_first() else {
        return file.to_vec();
    };
    let mut changed = usize::from(*which) % blocks.len();
    let mut old = digest(&blocks[changed].1);
    blocks[changed].1 = edited(&blocks[changed].1, edits);
    // A block stands behind those that link to it, as its digest.
    while let Some(above) = (0..changed).rev().find_map(|at| {
        let mut links = blocks[at].1.windows(32);
        links
            .position(|bytes| bytes == old)
            .map(|place| (at, place))
    }) {
        let new = digest(&blocks[changed].1);
        let (at, place) = above;
        old = digest(&blocks[at].1);
        blocks[at].1[place..place + 32].copy_from_slice(&new);
        changed = at;
    }
    let blocks: Vec<_> = blocks
        .iter()
        .map(|(codec, bytes)| (*codec, &bytes[..]))
        .collect();
    file_of(&blocks)
}

fn digest(block: &[u8]) -> [u8; 32] {
    unixfs::digest_of(&unixfs::cid_of(unixfs::RAW, block)).expect("blocks have sha2-256 digests")
}

fn file_of(blocks: &[(u64, &[u8])]) -> Vec<u8> {
    let mut out = match blocks.first() {
        Some((codec, root)) => car::header(&[unixfs::cid_of(*codec, root)]),
        None => car::header(&[]),
    };
    for (codec, bytes) in blocks {
        out.extend(car::section(&unixfs::cid_of(*codec, bytes), bytes.len()));
        out.extend(*bytes);
    }
    out
}

/// Codecs and bytes of a file's blocks, loosely read.
struct Sections<'a>(&'a [u8]);

impl<'a> Iterator for Sections<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (length, rest) = match *self.0 {
                [a, b, ref rest @ ..] if a & 0x80 != 0 => {
                    (usize::from(a & 0x7f) | usize::from(b & 0x7f) << 7, rest)
                }
                [a, ref rest @ ..] => (usize::from(a), rest),
                [] => return None,
            };
            let (part, rest) = rest.split_at_checked(length)?;
            self.0 = rest;
            if let [1, codec @ (0x55 | 0x70), 0x12, 0x20, after @ ..] = part
                && let Some(bytes) = after.get(32..)
            {
                return Some((u64::from(*codec), bytes));
            }
        }
    }
}
