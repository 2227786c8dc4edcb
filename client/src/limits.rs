//! How long is waited for others, and how much is taken from them.

use std::time::Duration;

/// Most approvals, denials or removals in one transaction: about six million gas.
pub const MAX_APPROVALS: usize = 100;

/// How long the facade waits for others, and how much it takes from them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For anything at all to come from a peer that was asked for a block.
    pub fetch: Duration,
    /// For a whole image from peers.
    pub total: Duration,
    /// For a transaction to be mined.
    pub mine: Duration,
    /// Most bytes of a sealed body that is opened: it is decrypted onto the disk before all of it is verified.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fetch: Duration::from_secs(60),
            total: Duration::from_secs(24 * 3600),
            mine: Duration::from_secs(120),
            body_bytes: 64 << 30,
        }
    }
}
