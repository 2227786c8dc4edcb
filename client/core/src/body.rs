//! Where a sealed body is.

use serde::{Deserialize, Serialize};

/// A sealed body's own UnixFS tree: its root (raw leaf or dag-pb) and sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRef {
    /// The root's CIDv1, as text.
    pub cid: String,
    /// Bytes of the file.
    pub file_size: u64,
    /// Bytes of all blocks of the tree, dag-pb included.
    pub dag_size: u64,
}
