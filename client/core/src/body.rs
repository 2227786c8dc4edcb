//! The name of a body.

use serde::{Deserialize, Serialize};

/// The tree of blocks that a sealed image's body is stored as: its root and its sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRef {
    /// The root's CID (version 1), as text: a raw leaf or a dag-pb node.
    pub cid: String,
    /// Bytes of the file.
    pub file_size: u64,
    /// Bytes of all blocks of the tree, dag-pb nodes included.
    pub dag_size: u64,
}
