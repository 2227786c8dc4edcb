//! Entries for fuzzing into readers that are not public: CAR files over a storage in memory, Bitswap's messages, forms.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::runtime::{Builder, Runtime};

use super::mail::{Mailbox, Serving, Topic};
use super::rpc::form::Form;
use super::storage::{Batch, Reach, Shared, Storage};
use super::types::{MAX_HEADER, RepoStat, Survey};
use super::{Error, Result, archive, body, car, root, unixfs};
use pcim_core::{BodyRef, ImageDigest};

pub use super::exchange::fuzzing::{message, messages};

/// Bytes of a leaf.
const CHUNK: usize = 1000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime starts")
});

fn run<F: Future>(work: F) -> F::Output {
    RUNTIME.block_on(work)
}

/// Reads a request's body as the one file of a form, in pieces of `size` bytes; returns the file.
///
/// # Errors
/// What is wrong with the form.
pub fn form(content_type: &str, body: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let pieces = body.chunks(size.max(1)).map(Bytes::copy_from_slice);
    let frames: Vec<io::Result<_>> = pieces.map(|piece| Ok(Frame::data(piece))).collect();
    run(async {
        let mut form = Form::open(content_type, StreamBody::new(stream::iter(frames))).await?;
        let mut file = Vec::new();
        while let Some(piece) = form.next().await? {
            file.extend_from_slice(&piece);
        }
        Ok(file)
    })
}

/// Makes a form of one file, and its content type.
#[must_use]
pub fn form_of(file: &[u8]) -> (String, Vec<u8>) {
    use super::rpc::form::{prefix, suffix};

    let boundary = "0123456789abcdef";
    let body = [&prefix(boundary), file, &suffix(boundary)].concat();
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// Blocks and pins.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    blocks: BTreeMap<Cid, Bytes>,
    pins: BTreeSet<Cid>,
}

impl Memory {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("nothing panics while it is held")
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
        Ok(RepoStat {
            blocks: 0,
            bytes: 0,
        })
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

    async fn ask(&self, _: Topic, _: &str, question: Bytes, _: Duration) -> Result<Bytes> {
        Ok(question)
    }

    async fn keep_mailbox(&self, _: Topic, _: Arc<dyn Mailbox>) -> Result<Serving> {
        Err(Error::Unable {
            endpoint: "memory".to_owned(),
            doing: "keeping a mailbox",
        })
    }

    async fn survey(&self, _: &ImageDigest, _: Duration) -> Result<Survey> {
        Ok(Survey {
            blocks: 0,
            peers: Vec::new(),
        })
    }

    fn closing(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }

    #[cfg(test)]
    fn as_any(&self) -> &dyn std::any::Any {
        self
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

/// Makes a sealed image with a body of `bytes` bytes, as a CAR file.
#[must_use]
pub fn exported(bytes: usize) -> Vec<u8> {
    let memory: Shared = Arc::new(Memory::default());
    let body: Vec<_> = (0..bytes).map(|at| (at / 7) as u8).collect();
    let body = stream::iter([Ok(Bytes::from(body))]).boxed();
    let mut written = Vec::new();
    let file = run(async {
        let record = &mut |_: &BodyRef| Ok(());
        let body = body::add(&memory, body, CHUNK, 2, &mut written, record).await?;
        let image = root::put(&memory, vec![9; 100], &body, &mut written)
            .await?
            .image;
        let file = archive::export(&memory, &image, Reach::Local).await?;
        file.try_collect::<Vec<_>>().await.map_err(Error::Body)
    });
    file.expect("memory does not fail").concat()
}

/// Imports a file of at most `most` bytes: one whole image, all of it pinned and nothing else there, or no pin.
///
/// # Errors
/// Those of [`Node::import_car`](crate::Node::import_car).
pub fn import(file: &[u8], most: u64) -> Result<()> {
    let memory = Memory::default();
    let shared: Shared = Arc::new(memory.clone());
    let pieces: Vec<io::Result<_>> = file
        .chunks(97)
        .map(|it| Ok(Bytes::copy_from_slice(it)))
        .collect();
    let pieces: BoxStream<'static, _> = stream::iter(pieces).boxed();
    let imported = run(archive::import(&shared, pieces, most, &mut Vec::new()));
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
    run(async {
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

/// Puts every block of a file under the CID that its bytes have, and its first block as the root: so changes get past
/// the hashes.
#[must_use]
pub fn renamed(file: &[u8]) -> Vec<u8> {
    file_of(&Sections(file).collect::<Vec<_>>())
}

/// Changes the block number `which` of a file, and makes every link above it point to it again: so changes get past the
/// hashes at any depth.
#[must_use]
pub fn regrown(file: &[u8], which: usize, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut blocks: Vec<_> = Sections(file)
        .map(|(codec, bytes)| (codec, bytes.to_vec()))
        .collect();
    let mut changed = which % blocks.len();
    let mut old = digest(&blocks[changed].1);
    blocks[changed].1 = change(&blocks[changed].1);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pcim_core::chance::{Numbers, mutations};

    use super::*;

    #[test]
    fn mutated_forms_are_their_file_or_refused() {
        let file: Vec<u8> = (0..3000_u32).map(|at| (at / 3) as u8).collect();
        let (kind, body) = form_of(&file);
        let mut numbers = Numbers(0x5eed_0002);
        let mut refused = 0;
        for size in [1, 7, 64, 5000] {
            assert_eq!(form(&kind, &body, size).unwrap(), file);
            for _ in 0..mutations() {
                let body = numbers.mutated(&body);
                let (whole, pieces) = (form(&kind, &body, body.len()), form(&kind, &body, size));
                // How it was cut on its way makes no difference.
                assert_eq!(whole.as_ref().ok(), pieces.as_ref().ok());
                refused += usize::from(whole.is_err());
            }
            let kind = numbers.mutated(kind.as_bytes());
            let _ = form(&String::from_utf8_lossy(&kind), &body, size);
        }
        assert!(refused > 0);
    }

    #[test]
    fn mutated_messages_read_back_or_are_refused() {
        let samples = messages();
        let mut numbers = Numbers(0x5eed_0003);
        let (mut read, mut refused) = (0, 0);
        for sample in &samples {
            assert!(message(sample));
        }
        for _ in 0..mutations() {
            for sample in &samples {
                match message(&numbers.mutated(sample)) {
                    true => read += 1,
                    false => refused += 1,
                }
            }
        }
        assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
    }

    #[test]
    fn mutated_trees_in_memory_are_whole_or_not_pinned() {
        let file = exported(4500);
        import(&file, 1 << 16).unwrap();
        let mut numbers = Numbers(0x5eed_0004);
        for _ in 0..mutations() {
            let _ = import(&renamed(&numbers.mutated(&file)), 1 << 16);
            let which = numbers.below(64);
            let numbers = std::cell::RefCell::new(&mut numbers);
            let file = regrown(&file, which, |block| numbers.borrow_mut().mutated(block));
            let _ = import(&file, 1 << 16);
        }
    }
}
