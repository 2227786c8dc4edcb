//! A patient's account, as far as it counts for what is kept.

/// How long that which the chain no longer wants is kept, in seconds.
pub(super) const RETENTION: u64 = 30 * 24 * 3600;

/// Kinds of `AccountChanged` (format.md §3.8.4).
mod kind {
    pub(super) const GUARDIANS: u8 = 1;
    pub(super) const DESK: u8 = 3;
    pub(super) const RECOVERY: u8 = 4;
    pub(super) const SINGLE_RECOVERY: u8 = 5;
    pub(super) const FINISHED: u8 = 7;
}

/// An account that changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    /// When another key began to act, in unix seconds.
    moved_at: u64,
    /// When the pending recovery counts as none, in unix seconds; 0 if none is pending.
    recovery_until: u64,
}

impl Account {
    /// Another key acts from `at` on.
    pub(super) fn moved(&mut self, at: u64) {
        self.moved_at = at;
    }

    /// Takes in a change of this kind, ripe at unix second `ripe`, or pending no longer if that is 0.
    pub(super) fn changed(&mut self, kind: u8, ripe: u64) {
        match kind {
            kind::RECOVERY | kind::SINGLE_RECOVERY if ripe != 0 => {
                self.recovery_until = ripe.saturating_add(RETENTION);
            }
            // A desk that ends leaves a recovery pending.
            kind::DESK if ripe == 0 => {}
            kind::GUARDIANS..=kind::FINISHED => self.recovery_until = 0,
            _ => {}
        }
    }

    /// Says whether that which ended at unix second `from` is kept at `now` still.
    pub(super) fn keeps(self, from: u64, now: u64) -> bool {
        let counted = from.max(self.moved_at);
        now < self.recovery_until || now < counted.saturating_add(RETENTION)
    }
}
