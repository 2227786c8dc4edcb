//! How many approvals a patient allows himself in a time (an approval costs storage, and consent deserves a pause).
//!
//! A fixed window that starts with its first approval. Twice the limit can pass across the edge of two windows.

use crate::{
    calldata::Args, interface::*, log::topic, record::Record, storage::Slot, word::Word, Pcac,
};

const USED_BITS: u32 = 24;
const LIMIT_END: u64 = 1 << 24;

/// The counter of one window. One word: start 40 bits, used 24, from the high end; all zero before the first approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counter {
    /// seconds since 1970
    start: u64,
    /// approvals
    used: u64,
}

impl Counter {
    fn unpack(word: Word) -> Self {
        let [first, ..] = word.limbs();
        Self {
            start: first >> USED_BITS,
            used: first & (LIMIT_END - 1),
        }
    }

    fn pack(&self) -> Word {
        Word::from_limbs([self.start << USED_BITS | self.used, 0, 0, 0])
    }

    /// The counter after one more approval at `now`, or the time from which there can be one.
    fn count(self, limit: u64, window: u64, now: u64) -> Result<Self, u64> {
        let end = self.start + window;
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
        image: Word,
        record: &Record,
        now: u64,
    ) -> Result<(), Refusal> {
        if record.limit == 0 {
            return Ok(());
        }
        let slot = Slot::image(image).next();
        match Counter::unpack(self.cell(slot)).count(record.limit, record.window, now) {
            Ok(counter) => {
                self.set_cell(slot, counter.pack());
                Ok(())
            }
            Err(retry_at) => Err(refuse!(
                PcacApprovalLimitReached,
                Word::number(record.limit),
                Word::number(retry_at),
            )),
        }
    }

    /// `set_approval_limit`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacBadLimit`.
    pub(crate) fn set_limit(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let image = args.word(0)?;
        let (limit, window) = (args.number(1, 1 << 32)?, args.number(2, 1 << 32)?);
        nonzero(&[image])?;
        let record = self.owned(caller, image)?;
        let arguments = [Word::number(limit), Word::number(window)];
        if limit >= LIMIT_END || (limit > 0 && window == 0) {
            return Err(refuse!(PcacBadLimit, arguments[0], arguments[1]));
        }
        let record = Record {
            limit,
            window,
            ..record
        };
        let slot = Slot::image(image);
        self.set_cell(slot, record.pack());
        self.set_cell(slot.next(), Word::ZERO);
        self.log(&[topic!(ApprovalLimitSet), image], &arguments);
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
        assert_eq!(counter.pack().bytes()[8..], [0; 24]);
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
            late.count(1, u32::MAX.into(), 1 << 40),
            Err((1 << 40) - 1 + u64::from(u32::MAX))
        );
    }
}
