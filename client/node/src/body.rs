//! Bodies as balanced UnixFS trees: cut and written while they stream in, walked strictly, read in order.

use std::collections::HashSet;
use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use cid::Cid;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::storage::{Batch, Reach, Shared};
use super::types::MAX_BLOCK;
use super::unixfs::{self, Link, MAX_NODE, Malformed};
use super::{Error, Result};
use pcim_core::BodyRef;

/// Leaves that are asked for ahead of the reader.
const PREFETCH: usize = 16;
/// Nodes from the root of a tree to a leaf: 1,024⁴ leaves need four.
const MAX_DEPTH: usize = 8;

/// Most blocks of a tree that is named by its root alone.
const MAX_BLOCKS: usize = 1 << 20;

/// Writes and pins a body; `written` tells which blocks were not there before, on a failure too. `record` is called
/// with the body's reference before it is pinned.
pub(super) async fn add(
    store: &Shared,
    body: BoxStream<'static, io::Result<Bytes>>,
    chunk_size: usize,
    max_links: usize,
    written: &mut Vec<Cid>,
    record: &mut (dyn FnMut(&BodyRef) -> io::Result<()> + Send),
) -> Result<BodyRef> {
    let mut tree = Tree {
        batch: store.batch(),
        max_links,
        levels: Vec::new(),
        below: Vec::new(),
    };
    let grown = async {
        let root = tree.grow(body, chunk_size).await?;
        written.extend(tree.batch.commit().await?);
        let body = BodyRef {
            cid: root.cid.to_string(),
            file_size: root.file_size,
            dag_size: root.dag_size,
        };
        record(&body).map_err(Error::io("noting a body"))?;
        store
            .pin_tree(&root.cid, std::mem::take(&mut tree.below))
            .await?;
        Ok(body)
    }
    .await;
    match grown {
        Ok(body) => {
            store.announce(written);
            Ok(body)
        }
        Err(error) => {
            written.extend(tree.batch.give_up().await);
            Err(error)
        }
    }
}

/// A tree under construction, leaf by leaf: a level that is full becomes a node of the next one.
struct Tree {
    batch: Box<dyn Batch>,
    max_links: usize,
    levels: Vec<Vec<Link>>,
    /// Every block so far.
    below: Vec<Cid>,
}

impl Tree {
    async fn grow(
        &mut self,
        mut body: BoxStream<'static, io::Result<Bytes>>,
        chunk_size: usize,
    ) -> Result<Link> {
        let mut leaf = BytesMut::new();
        while let Some(bytes) = body.next().await {
            let mut bytes = bytes.map_err(Error::Body)?;
            while !bytes.is_empty() {
                if leaf.is_empty() && bytes.len() >= chunk_size {
                    self.leaf(bytes.split_to(chunk_size)).await?;
                    continue;
                }
                leaf.reserve(chunk_size - leaf.len());
                let taken = bytes.split_to(bytes.len().min(chunk_size - leaf.len()));
                leaf.extend_from_slice(&taken);
                if leaf.len() == chunk_size {
                    self.leaf(std::mem::take(&mut leaf).freeze()).await?;
                }
            }
        }
        if !leaf.is_empty() || self.levels.is_empty() {
            self.leaf(leaf.freeze()).await?;
        }
        let root = self.close().await?;
        self.below.retain(|cid| *cid != root.cid);
        Ok(root)
    }

    async fn leaf(&mut self, bytes: Bytes) -> Result<()> {
        let link = Link::leaf(&bytes);
        self.block(link.cid, bytes).await?;
        self.hang(link, 0).await
    }

    /// Hangs a sub-tree below the last node of a level.
    async fn hang(&mut self, mut link: Link, mut level: usize) -> Result<()> {
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            if self.levels[level].len() < self.max_links {
                self.levels[level].push(link);
                return Ok(());
            }
            let full = std::mem::replace(&mut self.levels[level], vec![link]);
            link = self.node(&full).await?;
            level += 1;
        }
    }

    /// Closes the open nodes from the bottom up; the last one is the root.
    async fn close(&mut self) -> Result<Link> {
        let mut level = 0;
        loop {
            let mut links = std::mem::take(&mut self.levels[level]);
            if level + 1 == self.levels.len() && links.len() == 1 {
                return Ok(links.remove(0));
            }
            let link = self.node(&links).await?;
            level += 1;
            self.hang(link, level).await?;
        }
    }

    async fn node(&mut self, links: &[Link]) -> Result<Link> {
        let (link, block) = Link::node(links);
        self.block(link.cid, block.into()).await?;
        Ok(link)
    }

    async fn block(&mut self, cid: Cid, bytes: Bytes) -> Result<()> {
        self.below.push(cid);
        self.batch.put(cid, bytes).await
    }
}

/// A tree walked depth first, every node checked against what its parent says of it.
struct Walk {
    store: Shared,
    reach: Reach,
    stack: Vec<Place>,
    /// The bytes of the file that are wanted.
    span: Range<u64>,
    /// Links that were met, where once is enough.
    seen: Option<HashSet<Link>>,
}

/// A sub-tree, and where it stands.
struct Place {
    link: Link,
    depth: usize,
    /// Where in the file it begins.
    start: u64,
}

impl Place {
    /// The bytes of the file under it.
    fn bytes(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.link.file_size)
    }
}

impl Walk {
    /// All of a file, which may be far larger than its blocks: they may repeat.
    fn whole(store: &Shared, root: Link, reach: Reach) -> Self {
        Self::of(store, root, reach, 0..u64::MAX)
    }

    /// The blocks that a range of the file stands in.
    fn of(store: &Shared, root: Link, reach: Reach, span: Range<u64>) -> Self {
        let root = Place {
            link: root,
            depth: 0,
            start: 0,
        };
        Self {
            store: Shared::clone(store),
            reach,
            stack: vec![root],
            span,
            seen: None,
        }
    }

    /// Each block once.
    fn once(store: &Shared, root: Link, reach: Reach) -> Self {
        Self {
            seen: Some(HashSet::new()),
            ..Self::whole(store, root, reach)
        }
    }

    fn pop(&mut self) -> Option<Place> {
        loop {
            let place = self.stack.pop()?;
            let bytes = place.bytes();
            if bytes.end <= self.span.start || bytes.start >= self.span.end {
                // An empty file has one leaf, which is read like any other.
                if !bytes.is_empty() || place.depth > 0 {
                    continue;
                }
            }
            let seen = self.seen.as_mut();
            if seen.is_none_or(|seen| seen.insert(place.link.clone())) {
                return Some(place);
            }
        }
    }

    /// The next block: a node, read and checked, or a leaf, not read yet.
    async fn next(&mut self) -> Result<Option<Link>> {
        Ok(self.next_place().await?.map(|place| place.link))
    }

    async fn next_place(&mut self) -> Result<Option<Place>> {
        let Some(place) = self.pop() else {
            return Ok(None);
        };
        let (link, depth) = (&place.link, place.depth);
        let refuse = |source| Error::NotABody {
            cid: link.cid.to_string(),
            source,
        };
        if link.is_leaf() {
            check_size("a leaf", link.dag_size, link.file_size).map_err(refuse)?;
            if link.file_size > MAX_BLOCK as u64 {
                return Err(refuse(Malformed::TooLarge {
                    what: "leaf",
                    found: link.file_size,
                    max: MAX_BLOCK as u64,
                }));
            }
            return Ok(Some(place));
        }
        if depth == MAX_DEPTH {
            return Err(refuse(Malformed::TooDeep { max: MAX_DEPTH }));
        }
        let block = self.store.get(&link.cid, MAX_NODE, self.reach).await?;
        let links = unixfs::decode(&block).map_err(refuse)?;
        let file_size = unixfs::file_size(&links);
        check_size("the file", link.file_size, file_size).map_err(refuse)?;
        let dag_size = unixfs::dag_size(&block, &links);
        check_size("the tree", link.dag_size, dag_size).map_err(refuse)?;
        let mut start = place.start;
        let children = links.into_iter().map(|link| {
            let child = Place {
                start,
                depth: depth + 1,
                link,
            };
            start = child.bytes().end;
            child
        });
        let children: Vec<_> = children.collect();
        self.stack.extend(children.into_iter().rev());
        Ok(Some(place))
    }

    /// The next leaf, in the order of the file.
    async fn next_leaf(&mut self) -> Result<Option<Place>> {
        while let Some(place) = self.next_place().await? {
            if place.link.is_leaf() {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

fn check_size(what: &'static str, wanted: u64, found: u64) -> std::result::Result<(), Malformed> {
    if wanted == found {
        Ok(())
    } else {
        Err(Malformed::Size {
            what,
            wanted,
            found,
        })
    }
}

/// Streams the leaves in order. The root is read before this returns.
pub(super) async fn read(
    store: &Shared,
    body: &BodyRef,
    reach: Reach,
) -> Result<BoxStream<'static, io::Result<Bytes>>> {
    let mut walk = Walk::whole(store, link_to(body)?, reach);
    if let Some(only) = walk.next().await?.filter(Link::is_leaf) {
        let bytes = read_leaf(store, &only, reach).await?;
        return Ok(stream::iter([Ok(bytes)]).boxed());
    }
    Ok(leaves(walk))
}

/// Streams a range of a body, which is fetched a few leaves ahead of the reader; leaves outside of it are not looked for.
pub(super) fn read_range(
    store: &Shared,
    body: &BodyRef,
    reach: Reach,
    bytes: Range<u64>,
) -> Result<BoxStream<'static, io::Result<Bytes>>> {
    let bytes = bytes.start..bytes.end.min(body.file_size);
    if bytes.is_empty() {
        return Ok(stream::empty().boxed());
    }
    Ok(leaves(Walk::of(store, link_to(body)?, reach, bytes)))
}

/// Streams what is wanted of each leaf.
fn leaves(walk: Walk) -> BoxStream<'static, io::Result<Bytes>> {
    let (store, reach, span) = (Shared::clone(&walk.store), walk.reach, walk.span.clone());
    let places = stream::try_unfold(walk, |mut walk| async move {
        Ok(walk.next_leaf().await?.map(|leaf| (leaf, walk)))
    });
    places
        .map_ok(move |leaf| {
            let (store, span) = (Shared::clone(&store), span.clone());
            async move {
                let bytes = read_leaf(&store, &leaf.link, reach).await?;
                let from = span.start.saturating_sub(leaf.start) as usize;
                let to = span.end.saturating_sub(leaf.start).min(bytes.len() as u64) as usize;
                Ok::<_, Error>(bytes.slice(from..to))
            }
        })
        .try_buffered(PREFETCH)
        .map_err(io::Error::from)
        .boxed()
}

async fn read_leaf(store: &Shared, leaf: &Link, reach: Reach) -> Result<Bytes> {
    let bytes = store.get(&leaf.cid, MAX_BLOCK, reach).await?;
    check_leaf(leaf, bytes.len() as u64)?;
    Ok(bytes)
}

/// Checks that a leaf has as many bytes as the tree says.
pub(super) fn check_leaf(leaf: &Link, found: u64) -> Result<()> {
    let sized = check_size("a leaf", leaf.file_size, found);
    sized.map_err(|source| Error::NotABody {
        cid: leaf.cid.to_string(),
        source,
    })
}

/// Streams the blocks of a body's tree, each once and of the size that the tree says, a node before what is below it.
pub(super) fn blocks(
    store: &Shared,
    body: &BodyRef,
    reach: Reach,
) -> Result<BoxStream<'static, Result<(Cid, Bytes)>>> {
    let walk = Walk::once(store, link_to(body)?, reach);
    let links = stream::try_unfold(walk, |mut walk| async move {
        Ok(walk.next().await?.map(|link| (link, walk)))
    });
    let store = Shared::clone(store);
    Ok(links
        .map_ok(move |link| {
            let store = Shared::clone(&store);
            async move {
                let bytes = match link.is_leaf() {
                    true => read_leaf(&store, &link, reach).await?,
                    false => store.get(&link.cid, MAX_NODE, reach).await?,
                };
                Ok((link.cid, bytes))
            }
        })
        .try_buffered(PREFETCH)
        .boxed())
}

/// The blocks of a body's tree, each once: nodes are read from wherever `reach` allows, and checked; leaves are not looked for.
pub(super) async fn tree(store: &Shared, root: Link, reach: Reach) -> Result<Vec<Link>> {
    let mut walk = Walk::once(store, root, reach);
    let mut tree = Vec::new();
    while let Some(link) = walk.next().await? {
        tree.push(link);
    }
    Ok(tree)
}

/// Pins a body that is here as a whole; leaves are looked for, not read again.
pub(super) async fn pin(store: &Shared, body: &BodyRef) -> Result<()> {
    let root = link_to(body)?;
    let cid = root.cid;
    let tree = tree(store, root, Reach::Local).await?;
    let mut tree: Vec<_> = tree.into_iter().map(|link| link.cid).collect();
    store.keep(&tree).await?;
    tree.retain(|below| *below != cid);
    store.pin_tree(&cid, tree).await
}

/// Every block below a root that is here, as far as the profile's links go.
pub(super) async fn below(store: &Shared, root: &Cid) -> Result<Vec<Cid>> {
    let mut found = HashSet::from([*root]);
    let (mut below, mut ahead) = (Vec::new(), vec![*root]);
    while let Some(cid) = ahead.pop() {
        if cid.codec() != unixfs::DAG_PB {
            continue;
        }
        let block = store.get(&cid, MAX_NODE, Reach::Local).await?;
        let links = unixfs::decode(&block).map_err(|source| Error::NotABody {
            cid: cid.to_string(),
            source,
        })?;
        for link in links {
            if found.insert(link.cid) {
                below.push(link.cid);
                ahead.push(link.cid);
            }
        }
        if below.len() > MAX_BLOCKS {
            return Err(Error::NotABody {
                cid: root.to_string(),
                source: Malformed::TooLarge {
                    what: "a number of blocks",
                    found: below.len() as u64,
                    max: MAX_BLOCKS as u64,
                },
            });
        }
    }
    Ok(below)
}

/// Unpins a body and deletes as much of its tree as is here and held by no other pin.
pub(super) async fn drop(store: &Shared, body: &BodyRef) -> Result<()> {
    let root = link_to(body)?.cid;
    let (mut found, mut ahead) = (HashSet::new(), vec![root]);
    while let Some(cid) = ahead.pop() {
        if !found.insert(cid) {
            continue;
        }
        if cid.codec() == unixfs::DAG_PB {
            match store.local(&cid, MAX_NODE).await {
                Ok(Some(block)) => match unixfs::decode(&block) {
                    Ok(links) => ahead.extend(links.into_iter().map(|link| link.cid)),
                    Err(error) => tracing::warn!(%cid, %error, "cannot follow a node"),
                },
                Ok(None) => {}
                Err(error @ Error::Io { .. }) => return Err(error),
                Err(error) => tracing::warn!(%cid, %error, "cannot follow a node"),
            }
        }
    }
    let found: Vec<_> = found.into_iter().collect();
    store.unpin(&root).await?;
    store.discard(&found).await
}

/// The body's root as a link.
pub(super) fn link_to(body: &BodyRef) -> Result<Link> {
    let cid = Cid::try_from(body.cid.as_str())
        .ok()
        .filter(unixfs::is_of_profile)
        .ok_or_else(|| Error::NotABody {
            cid: body.cid.clone(),
            source: Malformed::Target {
                wanted: "raw or dag-pb",
                cid: body.cid.clone(),
            },
        })?;
    Ok(Link {
        cid,
        file_size: body.file_size,
        dag_size: body.dag_size,
    })
}
