//! Who else has an image: each connected peer is asked by Bitswap WANT-HAVE for the root, the header and every block of
//! the body. A peer's word is taken for it: it shows that the peer would serve the blocks, not that it proved to have them.

use std::time::Duration;

use cid::Cid;
use serde::{Deserialize, Serialize};

use super::storage::{Reach, Shared};
use super::{Node, Result, body, root};
use pcim_core::ImageDigest;

/// What one peer says of a sealed root's blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The peer's id.
    pub peer: String,
    /// How many blocks it says it has.
    pub has: usize,
    /// How many it says it does not have.
    pub lacks: usize,
    /// How many it did not answer for.
    pub silent: usize,
}

/// What all peers say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// How many blocks the sealed root has: itself, its header, and all of its body.
    pub blocks: usize,
    /// The peers that could be asked.
    pub peers: Vec<Replica>,
}

impl Survey {
    /// How many peers say that they have every block.
    #[must_use]
    pub fn complete(&self) -> usize {
        let whole = |replica: &&Replica| replica.has == self.blocks;
        self.peers.iter().filter(whole).count()
    }
}

impl Node {
    /// Asks the peers that are connected now which blocks of a sealed root they have. The root and the inner nodes of
    /// the body are fetched if they are not here; `timeout` is for each of them, and for a peer's silence.
    ///
    /// # Errors
    /// Those of [`Node::get_root`].
    /// [`Error::Unable`](super::Error::Unable) over the API of another program's node.
    pub async fn survey(&self, image: &ImageDigest, timeout: Duration) -> Result<Survey> {
        self.store.survey(image, timeout).await
    }
}

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
