//! The chain's clock: the machine's, moved by an offset, and never backward.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

/// Seconds between two blocks of the simulated parent chain.
const L1_BLOCK_SECONDS: u64 = 12;

/// When blocks are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mining {
    /// With each transaction, which gets a block of its own.
    #[default]
    Auto,
    /// On request.
    Manual,
    /// By the clock, with all transactions that wait.
    Every(Duration),
}

/// The settings of blocks to come: their time, and what is not the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    /** seconds added to the machine's clock */
    pub(crate) offset: i64,
    /** unix seconds, for the next block only */
    pub(crate) next: Option<u64>,
    /** wei per gas, for the next block only */
    pub(crate) next_base_fee: Option<u64>,
    /** seconds between two blocks, instead of the machine's clock */
    #[serde(default)]
    pub(crate) interval: Option<u64>,
    /// The gas limit that blocks state.
    #[serde(default)]
    pub(crate) gas_limit: Option<u64>,
    /// The account that blocks are made by.
    #[serde(default)]
    pub(crate) coinbase: Option<Address>,
}
impl Clock {
    /// The time a block mined now gets, given the machine's time and the newest block's.
    pub(crate) fn next_time(&self, now: u64, newest: u64) -> u64 {
        let usual = match self.interval {
            Some(interval) => newest.saturating_add(interval),
            None => now.saturating_add_signed(self.offset),
        };
        self.next.unwrap_or(usual).max(newest)
    }

    /// The clock after a block of time `mined`: a time that was set moves all that follow.
    pub(crate) fn after(self, now: u64, mined: u64) -> Self {
        let offset = match self.next {
            None => self.offset,
            Some(_) => i64::try_from(i128::from(mined) - i128::from(now)).unwrap_or(i64::MAX),
        };
        Self {
            offset,
            next: None,
            next_base_fee: None,
            ..self
        }
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&mut self, seconds: u64) {
        let by = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.offset = self.offset.saturating_add(by);
        if let Some(next) = &mut self.next {
            *next = next.saturating_add(seconds);
        }
    }
}

/// The machine's time, unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The number of the simulated parent chain's block at `time`, for a chain begun at `genesis`.
pub(crate) fn l1_number(genesis: u64, time: u64) -> u64 {
    1 + time.saturating_sub(genesis) / L1_BLOCK_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_backward() {
        let clock = Clock {
            offset: -500,
            ..Clock::default()
        };
        assert_eq!(clock.next_time(1_000, 900), 900);
        assert_eq!(clock.next_time(2_000, 900), 1_500);
        let regular = Clock {
            interval: Some(7),
            ..clock
        };
        assert_eq!(regular.next_time(2_000, 900), 907);
        assert_eq!(regular.after(2_000, 907), regular);
    }

    #[test]
    fn a_set_time_moves_all_that_follow() {
        let mut clock = Clock {
            next: Some(5_000),
            next_base_fee: Some(7),
            ..Clock::default()
        };
        assert_eq!(clock.next_time(1_000, 900), 5_000);
        clock = clock.after(1_000, 5_000);
        assert_eq!(clock.next_base_fee, None);
        assert_eq!(clock.next_time(1_010, 5_000), 5_010);
        clock.advance(60);
        assert_eq!(clock.next_time(1_010, 5_000), 5_070);
        clock.advance(u64::MAX);
        assert!(clock.next_time(1_010, 5_070) > 5_070);
    }

    #[test]
    fn the_parent_chain_makes_a_block_every_twelve_seconds() {
        assert_eq!(l1_number(100, 100), 1);
        assert_eq!(l1_number(100, 111), 1);
        assert_eq!(l1_number(100, 112), 2);
    }
}
