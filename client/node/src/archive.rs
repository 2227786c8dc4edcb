//! A sealed image as a CAR file: root, header and the body's tree, nothing else.

use std::collections::{HashMap, HashSet};
use std::io;

use bytes::Bytes;
use cid::Cid;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::storage::{Reach, Shared};
use super::types::MAX_ROOT;
use super::unixfs::{self, DAG_PB, RAW};
use super::{Error, Result, body, car, root};
use pcim_core::{BodyRef, ImageDigest};

/// Most blocks that are taken from a file, however small they are.
const MAX_BLOCKS: usize = 1 << 20;

/// The contents of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The root.
    pub image: ImageDigest,
    /// Its body.
    pub body: BodyRef,
    /// How many blocks.
    pub blocks: u64,
}

/// Streams the file: the root first, then header and body in the order they are read in.
pub(super) async fn export(
    store: &Shared,
    image: &ImageDigest,
    reach: Reach,
) -> Result<BoxStream<'static, io::Result<Bytes>>> {
    let root = root::get(store, image, reach).await?;
    let cid = unixfs::cid_from_digest(DAG_PB, &image.0);
    let block = store.get(&cid, MAX_ROOT, reach).await?;
    let header = unixfs::cid_of(RAW, &root.header);
    let head = [
        car::header(&[cid]).into(),
        car::section(&cid, block.len()).into(),
        block,
        car::section(&header, root.header.len()).into(),
        root.header.into(),
    ];
    let body = body::blocks(store, &root.body, reach)?;
    let sections = body.map_ok(|(cid, bytes)| {
        let head = Bytes::from(car::section(&cid, bytes.len()));
        stream::iter([Ok(head), Ok(bytes)])
    });
    let sections = sections.map_err(io::Error::from).try_flatten();
    Ok(stream::iter(head.map(Ok)).chain(sections).boxed())
}

/// Stores and pins the image of a file of at most `max_bytes`; `written` tells which blocks were not there before, on a
/// failure too.
pub(super) async fn import(
    store: &Shared,
    file: BoxStream<'static, io::Result<Bytes>>,
    max_bytes: u64,
    written: &mut Vec<Cid>,
) -> Result<Imported> {
    let mut batch = store.batch();
    let taken = async {
        let (roots, here) = take(&mut *batch, file, max_bytes).await?;
        written.extend(batch.commit().await?);
        Ok((roots, here))
    }
    .await;
    let (roots, here) = match taken {
        Ok(taken) => taken,
        Err(error) => {
            written.extend(batch.give_up().await);
            return Err(error);
        }
    };
    let kept = keep(store, &roots, &here, max_bytes).await?;
    store.announce(written);
    Ok(kept)
}

/// Hands the file's blocks on, each verified; tells its roots and what it held, with the blocks' lengths.
async fn take(
    batch: &mut dyn super::storage::Batch,
    mut file: BoxStream<'static, io::Result<Bytes>>,
    max_bytes: u64,
) -> Result<(Vec<Cid>, HashMap<Cid, u64>)> {
    let mut decoder = car::Decoder::default();
    let (mut here, mut bytes) = (HashMap::new(), 0u64);
    while let Some(piece) = file.next().await {
        let piece = piece.map_err(Error::Body)?;
        bytes += piece.len() as u64;
        if bytes > max_bytes {
            return Err(too_much("bytes", max_bytes));
        }
        decoder.push(&piece);
        while let Some((cid, block)) = decoder.next_block()? {
            if here.insert(cid, block.len() as u64).is_none() {
                batch.put(cid, block).await?;
            }
            if here.len() > MAX_BLOCKS {
                return Err(too_much("blocks", MAX_BLOCKS as u64));
            }
        }
    }
    Ok((decoder.finish()?, here))
}

fn too_much(what: &'static str, max: u64) -> Error {
    car::MalformedCar::TooMuch { what, max }.into()
}

/// Pins what is exactly one sealed image.
async fn keep(
    store: &Shared,
    roots: &[Cid],
    here: &HashMap<Cid, u64>,
    max_bytes: u64,
) -> Result<Imported> {
    let found = roots.len();
    let [cid] = roots else {
        return Err(car::MalformedCar::Roots { found }.into());
    };
    let in_file = |cid: &Cid| {
        here.get(cid).copied().ok_or_else(|| {
            Error::from(car::MalformedCar::Lacking {
                cid: cid.to_string(),
            })
        })
    };
    in_file(cid)?;
    let digest = unixfs::digest_of(cid).filter(|_| cid.codec() == DAG_PB);
    let image = ImageDigest(digest.ok_or_else(|| Error::NotARoot {
        cid: cid.to_string(),
        source: unixfs::Malformed::NotCanonical,
    })?);
    let lacking = |error| match error {
        Error::Missing { cid } => car::MalformedCar::Lacking { cid }.into(),
        other => other,
    };
    let root = root::get(store, &image, Reach::Local)
        .await
        .map_err(lacking)?;
    // Blocks that repeat can make more of little.
    if root.body.file_size > max_bytes {
        return Err(too_much("bytes", max_bytes));
    }
    let header = unixfs::cid_of(RAW, &root.header);
    let tree = body::tree(store, body::link_to(&root.body)?, Reach::Local).await;
    let tree = tree.map_err(lacking)?;
    for block in &tree {
        let length = in_file(&block.cid)?;
        if block.is_leaf() {
            body::check_leaf(block, length)?;
        }
    }
    in_file(&header)?;
    let tree = tree.iter().map(|block| block.cid);
    let wanted: HashSet<_> = tree.chain([*cid, header]).collect();
    if let Some(stray) = here.keys().find(|cid| !wanted.contains(cid)) {
        return Err(car::MalformedCar::Stray {
            cid: stray.to_string(),
        }
        .into());
    }
    body::pin(store, &root.body).await?;
    store.pin_direct(&[header, *cid]).await?;
    Ok(Imported {
        image,
        body: root.body,
        blocks: here.len() as u64,
    })
}
