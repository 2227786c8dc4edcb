//! Calls for a node that keeps images for others: it looks without asking peers, and drops what it is asked to drop.

use super::node::Node;
use super::storage::Reach;
use super::unixfs::{DAG_PB, RAW, cid_from_digest};
use super::{Error, Result, replicas, root};
use pcim_core::{BlockDigest, ImageDigest};

impl Node {
    /// Unpins and deletes the block of this digest, with its header if it is a sealed root.
    pub async fn forget_root(&self, image: &ImageDigest) -> Result<()> {
        match self.drop_header(image).await {
            Err(Error::NotARoot { .. } | Error::TooLarge { .. } | Error::BlockMismatch { .. }) => {
                self.forget(DAG_PB, &image.0).await
            }
            other => other,
        }
    }

    /// Unpins and deletes a raw block.
    pub async fn drop_raw(&self, digest: &BlockDigest) -> Result<()> {
        self.forget(RAW, &digest.0).await
    }

    /// Returns true if a raw block is on this node; it is not read.
    pub async fn has_raw(&self, digest: &BlockDigest) -> Result<bool> {
        self.store.has(&cid_from_digest(RAW, &digest.0)).await
    }

    /// Returns true if a sealed root, its header and its whole body are on this node.
    pub async fn holds(&self, image: &ImageDigest) -> Result<bool> {
        if root::local(&self.store, image).await?.is_none() {
            return Ok(false);
        }
        let blocks = match replicas::blocks_of(&self.store, image, Reach::Local).await {
            Ok(blocks) => blocks,
            Err(Error::Missing { .. }) => return Ok(false),
            Err(other) => return Err(other),
        };
        for cid in &blocks {
            if !self.store.has(cid).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn forget(&self, codec: u64, digest: &[u8; 32]) -> Result<()> {
        let _gate = self.gate.write().await;
        let cid = cid_from_digest(codec, digest);
        self.store.unpin(&cid).await?;
        self.store.discard(&[cid]).await
    }
}
