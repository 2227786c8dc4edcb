//! How much of everything a chain does or keeps.

/// The most gas a call or an estimate may use.
pub(crate) const CALL_GAS_CAP: u64 = 50_000_000;
/// The most snapshots kept.
pub(crate) const MAX_SNAPSHOTS: usize = 1_024;
/// The most blocks that one request makes.
pub(crate) const MAX_BLOCKS: u64 = 10_000;
/// The most accounts that are impersonated by name.
pub(crate) const MAX_IMPERSONATED: usize = 1_024;

/// How much of the past stays in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Blocks whose state stays, the newest counted.
    pub(crate) states: u64,
    /// Blocks that stay with their receipts, the newest counted; genesis always does. `None`: all.
    pub(crate) blocks: Option<u64>,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            states: 4_096,
            blocks: None,
        }
    }
}
