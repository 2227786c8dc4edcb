//! Values that a node takes and gives, and its limits.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use pcim_core::{BodyRef, ImageDigest};

/// Most bytes of a leaf or of a block stored by itself.
pub const MAX_BLOCK: usize = 1024 * 1024;
/// Most bytes of a header (format.md §4.2).
pub const MAX_HEADER: usize = 4096;
/// Most bytes of a root block.
pub const MAX_ROOT: usize = 4096;
/// Bytes per leaf unless the configuration says otherwise.
pub const DEFAULT_CHUNK: usize = pcim_core::pipe::PIECE;

/// The place of a node and the peers that it talks to.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The repository's folder; made (0700) if it is not there.
    pub repo: PathBuf,
    /// Multiaddrs; `/ip4/127.0.0.1/tcp/0` takes a free port.
    pub listen: Vec<String>,
    /// Multiaddrs of peers to dial at once and whenever a block is missing. Need not be reachable.
    pub bootstrap: Vec<String>,
    /// Bytes per leaf, at most [`MAX_BLOCK`].
    pub chunk_size: usize,
}

/// A sealed root taken apart (format.md §4.1): exactly two links, no inline data, sizes that add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The PKESK packets of one reader, at most [`MAX_HEADER`] bytes.
    pub header: Vec<u8>,
    /// The body that every reader's root of this image links to.
    pub body: BodyRef,
}

/// A root that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The root's digest.
    pub image: ImageDigest,
    /// Bytes of blocks that were not there before
    pub new_bytes: u64,
}

/// The contents of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepoStat {
    /// How many blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One peer's answer about a sealed root's blocks.
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

/// The answers of all peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// How many blocks the sealed root has: itself, its header, and all of its body.
    pub blocks: usize,
    /// The peers that could be asked.
    pub peers: Vec<Replica>,
}

impl Survey {
    /// Counts the peers that say they have every block.
    #[must_use]
    pub fn complete(&self) -> usize {
        let whole = |replica: &&Replica| replica.has == self.blocks;
        self.peers.iter().filter(whole).count()
    }
}
