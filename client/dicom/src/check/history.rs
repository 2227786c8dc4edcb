//! Memory from pair to pair: dates move alike and UIDs map alike over all files.

use std::collections::{HashMap, HashSet};

/// Things seen in all pairs so far.
#[derive(Default)]
pub(super) struct History {
    /// UIDs of all files before that are not the standard's.
    pub(super) uids: HashSet<String>,
    /// Days by which a patient's dates moved.
    pub(super) shifts: HashMap<String, i64>,
    /// Every day before, by patient and tag.
    pub(super) days: HashSet<(String, u32, i64)>,
    /// Dates after whose place before is not known.
    pub(super) later: Vec<Lost>,
    /// By patient: which UID stands for which, and for which it stands.
    pub(super) forth: HashMap<(u64, String), String>,
    pub(super) back: HashMap<(u64, String), String>,
}

/// Dates after whose place before is not known, since items were taken out around them.
pub(super) struct Lost {
    pub(super) patient: String,
    pub(super) tag: u32,
    pub(super) days: Vec<i64>,
    pub(super) file: String,
}
