//! Who else has an image: each connected peer is asked by Bitswap WANT-HAVE for the root, the header and every block of
//! the body. A peer's word is taken for it: it shows that the peer would serve the blocks, not that it proved to have them.

use std::time::Duration;

use cid::Cid;
use serde::Serialize;

use super::store::Reach;
use super::{Node, Result, body, root};
use crate::domain::ImageDigest;

/// What one peer says of a sealed root's blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    pub async fn survey(&self, image: &ImageDigest, timeout: Duration) -> Result<Survey> {
        let blocks = self.blocks_of(image, Reach::Peers(timeout)).await?;
        let exchange = self.store.exchange();
        let asked = exchange.ready_peers().into_iter().map(async |peer| {
            let told = exchange.survey(peer, &blocks, timeout).await;
            Replica {
                peer: peer.to_string(),
                has: told.has,
                lacks: told.lacks,
                silent: blocks.len() - told.has - told.lacks,
            }
        });
        let mut peers = futures::future::join_all(asked).await;
        peers.sort_by(|a, b| a.peer.cmp(&b.peer));
        Ok(Survey {
            blocks: blocks.len(),
            peers,
        })
    }

    /// Root, header and all blocks of the body, each once.
    pub(super) async fn blocks_of(&self, image: &ImageDigest, reach: Reach) -> Result<Vec<Cid>> {
        let (first, body) = root::cids(&self.store, image, reach).await?;
        let mut blocks = body::blocks(&self.store, body, reach).await?;
        blocks.extend(first);
        blocks.sort_unstable();
        blocks.dedup();
        Ok(blocks)
    }
}
