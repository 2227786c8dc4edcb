//! How many approvals a patient allows himself in a time (an approval costs storage, and consent deserves a pause).
//!
//! A fixed window that starts with its first approval. Twice the limit can pass across the edge of two windows.

use alloy_primitives::B256;
use stylus_sdk::prelude::*;

use crate::{
    interface::*,
    record::Record,
    word::{self, TIME_BYTES},
    Pcac,
};

const USED_BYTES: usize = 3;
const LIMIT_END: u32 = 1 << 24;

/// The counter of one window. One word: start 40 bits, used 24, from the high end; all zero before the first approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counter {
    /// seconds since 1970
    start: u64,
    /// approvals
    used: u32,
}

impl Counter {
    fn unpack(word: B256) -> Self {
        Self {
            start: word::get(&word, 0, TIME_BYTES),
            used: word::get(&word, TIME_BYTES, USED_BYTES) as u32,
        }
    }

    fn pack(&self) -> B256 {
        let mut word = B256::ZERO;
        word::put(&mut word, 0, TIME_BYTES, self.start);
        word::put(&mut word, TIME_BYTES, USED_BYTES, self.used.into());
        word
    }

    /// The counter after one more approval at `now`, or the time from which there can be one.
    fn count(self, limit: u32, window: u32, now: u64) -> Result<Self, u64> {
        let end = self.start + u64::from(window);
        if self.used == 0 || now >= end {
            return Ok(Self {
                start: now,
                used: 1,
            });
        }
        if self.used >= limit {
            return Err(end);
        }
        Ok(Self {
            used: self.used + 1,
            ..self
        })
    }
}

impl Pcac {
    /// Counts an approval against the image's limit, if it has one.
    ///
    /// # Errors
    /// `PcacApprovalLimitReached`.
    pub(crate) fn count_approval(
        &mut self,
        image: B256,
        record: &Record,
        now: u64,
    ) -> Result<(), Error> {
        if record.limit == 0 {
            return Ok(());
        }
        let mut slot = self.images.setter(image);
        match Counter::unpack(slot.counter.get()).count(record.limit, record.window, now) {
            Ok(counter) => {
                slot.counter.set(counter.pack());
                Ok(())
            }
            Err(retry_at) => Err(PcacApprovalLimitReached {
                limit: record.limit,
                retryAt: retry_at,
            }
            .into()),
        }
    }

    #[inline(never)]
    pub(crate) fn set_limit(
        &mut self,
        image: B256,
        approvals: u32,
        window_seconds: u32,
    ) -> Result<(), Error> {
        nonzero(&[image.as_slice()])?;
        let record = self.owned(image)?;
        if approvals >= LIMIT_END || (approvals > 0 && window_seconds == 0) {
            return Err(PcacBadLimit {
                approvals,
                windowSeconds: window_seconds,
            }
            .into());
        }
        let record = Record {
            limit: approvals,
            window: window_seconds,
            ..record
        };
        let mut slot = self.images.setter(image);
        slot.record.set(record.pack());
        slot.counter.set(B256::ZERO);
        self.vm().log(ApprovalLimitSet {
            image,
            approvals,
            windowSeconds: window_seconds,
        });
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_one_word() {
        let counter = Counter {
            start: (1 << 40) - 2,
            used: (1 << 24) - 3,
        };
        assert_eq!(Counter::unpack(counter.pack()), counter);
        assert_eq!(counter.pack()[8..], [0; 24]);
    }

    #[test]
    fn the_window_starts_with_its_first_approval_and_ends_after_its_length() {
        let first = Counter::default().count(2, 100, 1_000).unwrap();
        assert_eq!(
            first,
            Counter {
                start: 1_000,
                used: 1
            }
        );
        let second = first.count(2, 100, 1_050).unwrap();
        assert_eq!(
            second,
            Counter {
                start: 1_000,
                used: 2
            }
        );
        assert_eq!(second.count(2, 100, 1_099), Err(1_100));
        assert_eq!(
            second.count(2, 100, 1_100),
            Ok(Counter {
                start: 1_100,
                used: 1
            })
        );
    }

    #[test]
    fn twice_the_limit_can_pass_across_the_edge() {
        let mut counter = Counter::default();
        for now in [100, 199, 199, 200, 200, 200] {
            counter = counter.count(3, 100, now).unwrap();
        }
        assert_eq!(
            counter,
            Counter {
                start: 200,
                used: 3
            }
        );
        assert_eq!(counter.count(3, 100, 200), Err(300));
    }

    #[test]
    fn the_longest_window_of_the_latest_time_does_not_overflow() {
        let late = Counter {
            start: (1 << 40) - 1,
            used: 1,
        };
        assert_eq!(
            late.count(1, u32::MAX, 1 << 40),
            Err((1 << 40) - 1 + u64::from(u32::MAX))
        );
    }
}
