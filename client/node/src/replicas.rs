//! The peers that have an image: each connected one is asked by Bitswap WANT-HAVE for the root, the header and every block of
//! the body. A peer's word is taken for it: it shows that the peer would serve the blocks, not that it proved to have them.

use cid::Cid;

use super::storage::{Reach, Shared};
use super::{Result, body, root};
use pcim_core::ImageDigest;

/// Root, header and all blocks of the body, each once.
pub(super) async fn blocks_of(
    store: &Shared,
    image: &ImageDigest,
    reach: Reach,
) -> Result<Vec<Cid>> {
    let (first, body) = root::cids(store, image, reach).await?;
    let tree = body::tree(store, body, reach).await?;
    let mut blocks: Vec<_> = tree.into_iter().map(|link| link.cid).collect();
    blocks.extend(first);
    blocks.sort_unstable();
    blocks.dedup();
    Ok(blocks)
}
