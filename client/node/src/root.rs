//! Sealed roots (format.md §4.1): a UnixFS file of exactly two parts, one reader's header and the body.

use bytes::Bytes;
use cid::Cid;

use super::body::link_to;
use super::storage::{Reach, Shared};
use super::types::{MAX_HEADER, MAX_ROOT, Root, Stored};
use super::unixfs::{self, DAG_PB, Link, Malformed};
use super::{Error, Result};
use pcim_core::{BlockDigest, BodyRef, ImageDigest};

/// Writes and pins header and root, and nothing else; `written` tells which of them were not there before, on a failure too.
pub(super) async fn put(
    store: &Shared,
    header: Vec<u8>,
    body: &BodyRef,
    written: &mut Vec<Cid>,
) -> Result<Stored> {
    let links = [Link::leaf(&header), link_to(body)?];
    let (root, block) = Link::node(&links);
    take_apart(&block).map_err(|source| Error::NotARoot {
        cid: root.cid.to_string(),
        source,
    })?;
    let sizes = [(links[0].cid, header.len()), (root.cid, block.len())];
    let blocks = vec![
        (links[0].cid, Bytes::from(header)),
        (root.cid, block.into()),
    ];
    store.put(blocks, written).await?;
    store.pin_direct(&[links[0].cid, root.cid]).await?;
    let new_bytes = sizes
        .iter()
        .filter(|(cid, _)| written.contains(cid))
        .map(|(_, bytes)| *bytes as u64)
        .sum();
    let digest = unixfs::digest_of(&root.cid).expect("roots are written with sha2-256");
    Ok(Stored {
        image: ImageDigest(digest),
        new_bytes,
    })
}

/// Computes the digest of the root that [`Node::put_root`](crate::Node::put_root) writes for a header and a body.
///
/// # Errors
/// [`Error::NotABody`] if the body's CID is none.
pub fn root_digest(header: &[u8], body: &BodyRef) -> Result<ImageDigest> {
    let (root, _) = Link::node(&[Link::leaf(header), link_to(body)?]);
    let digest = unixfs::digest_of(&root.cid).expect("roots are written with sha2-256");
    Ok(ImageDigest(digest))
}

/// Computes the digest of a raw block.
#[must_use]
pub fn block_digest(block: &[u8]) -> BlockDigest {
    let digest = unixfs::digest_of(&unixfs::cid_of(unixfs::RAW, block));
    BlockDigest(digest.expect("blocks have sha2-256 digests"))
}

/// Reads a root and its header, and checks both.
pub(super) async fn get(store: &Shared, image: &ImageDigest, reach: Reach) -> Result<Root> {
    let cid = unixfs::cid_from_digest(DAG_PB, &image.0);
    let block = store.get(&cid, MAX_ROOT, reach).await?;
    let refuse = |source| Error::NotARoot {
        cid: cid.to_string(),
        source,
    };
    let [header, body] = take_apart(&block).map_err(refuse)?;
    let bytes = store.get(&header.cid, MAX_HEADER, reach).await?;
    if bytes.len() as u64 != header.file_size {
        return Err(refuse(Malformed::Size {
            what: "the header",
            wanted: header.file_size,
            found: bytes.len() as u64,
        }));
    }
    Ok(Root {
        header: bytes.to_vec(),
        body: BodyRef {
            cid: body.cid.to_string(),
            file_size: body.file_size,
            dag_size: body.dag_size,
        },
    })
}

/// Reads a root and its header if both are here.
pub(super) async fn local(store: &Shared, image: &ImageDigest) -> Result<Option<Root>> {
    match get(store, image, Reach::Local).await {
        Ok(root) => Ok(Some(root)),
        Err(Error::Missing { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The CIDs of a root, its header and its body; they are not read.
pub(super) async fn cids(
    store: &Shared,
    image: &ImageDigest,
    reach: Reach,
) -> Result<([Cid; 2], Link)> {
    let cid = unixfs::cid_from_digest(DAG_PB, &image.0);
    let block = store.get(&cid, MAX_ROOT, reach).await?;
    let parts = take_apart(&block).map_err(|source| Error::NotARoot {
        cid: cid.to_string(),
        source,
    });
    let [header, body] = parts?;
    Ok(([cid, header.cid], body))
}

/// Unpins and deletes a root and its header.
pub(super) async fn drop(store: &Shared, image: &ImageDigest) -> Result<()> {
    let root = unixfs::cid_from_digest(DAG_PB, &image.0);
    let mut cids = vec![root];
    if let Some(block) = store.local(&root, MAX_ROOT).await? {
        let [header, _] = take_apart(&block).map_err(|source| Error::NotARoot {
            cid: root.to_string(),
            source,
        })?;
        cids.push(header.cid);
    }
    for cid in &cids {
        store.unpin(cid).await?;
    }
    store.discard(&cids).await
}

/// The header's and the body's link.
pub(super) fn take_apart(block: &[u8]) -> std::result::Result<[Link; 2], Malformed> {
    if block.len() > MAX_ROOT {
        return Err(Malformed::TooLarge {
            what: "root",
            found: block.len() as u64,
            max: MAX_ROOT as u64,
        });
    }
    let links = unixfs::decode(block)?;
    let [header, body] = <[Link; 2]>::try_from(links).map_err(|links| Malformed::Links {
        wanted: "exactly 2",
        found: links.len(),
    })?;
    if !header.is_leaf() {
        return Err(Malformed::Target {
            wanted: "raw",
            cid: header.cid.to_string(),
        });
    }
    if header.file_size > MAX_HEADER as u64 {
        return Err(Malformed::TooLarge {
            what: "header",
            found: header.file_size,
            max: MAX_HEADER as u64,
        });
    }
    Ok([header, body])
}
