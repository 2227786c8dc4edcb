//! How many approvals a patient allows himself in a time (an approval costs storage, and consent deserves a pause).
//!
//! A fixed window that starts with its first approval. Twice the limit can pass across the edge of two windows.

use crate::{
    account::same_round,
    calldata::Args,
    interface::*,
    log::{log, topic},
    record::{flag, Record},
    storage::Slot,
    word::Word,
    Pcac,
};

const LIMIT_END: u64 = 1 << 24;

/// An image's round, its limit and the counter of one window. One word, from the high end: round 24 bits, start 40,
/// used 24, limit 24, window 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counter {
    /// raised by each change of the image
    round: u64,
    /// seconds since 1970; 0 before the window's first approval
    start: u64,
    /// approvals
    used: u64,
    /// approvals in a window; 0 for no limit
    limit: u64,
    /// seconds
    window: u64,
}

impl Counter {
    #[inline(never)]
    fn unpack(word: Word) -> Self {
        Self {
            round: word.bits(232, 24),
            start: word.bits(192, 40),
            used: word.bits(168, 24),
            limit: word.bits(144, 24),
            window: word.bits(112, 32),
        }
    }

    #[inline(never)]
    fn pack(&self) -> Word {
        Word::ZERO
            .with_bits(232, 24, self.round)
            .with_bits(192, 40, self.start)
            .with_bits(168, 24, self.used)
            .with_bits(144, 24, self.limit)
            .with_bits(112, 32, self.window)
    }

    /// The counter after one more approval at `now`, or the time from which there can be one.
    fn count(self, now: u64) -> Result<Self, u64> {
        let end = self.start + self.window;
        if self.used == 0 || now >= end {
            return Ok(Self {
                start: now,
                used: 1,
                ..self
            });
        }
        if self.used >= self.limit {
            return Err(end);
        }
        Ok(Self {
            used: self.used + 1,
            ..self
        })
    }

    fn raised(self) -> Self {
        Self {
            round: (self.round + 1) & 0xff_ffff,
            ..self
        }
    }
}

impl Pcac {
    #[inline(never)]
    fn counter(&self, image: Word) -> Counter {
        Counter::unpack(self.cell(Slot::image(image).next()))
    }

    #[inline(never)]
    fn set_counter(&mut self, image: Word, counter: &Counter) {
        self.set_cell(Slot::image(image).next(), counter.pack());
    }

    /// The image's round.
    pub(crate) fn round(&self, image: Word) -> u64 {
        self.counter(image).round
    }

    /// The image's limit and window.
    pub(crate) fn limit(&self, image: Word) -> (u64, u64) {
        let counter = self.counter(image);
        (counter.limit, counter.window)
    }

    /// Raises the image's round, and returns it.
    #[inline(never)]
    pub(crate) fn raise_round(&mut self, image: Word) -> u64 {
        let counter = self.counter(image).raised();
        self.set_counter(image, &counter);
        counter.round
    }

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
        if record.flags & flag::LIMITED == 0 {
            return Ok(());
        }
        let counter = self.counter(image);
        match counter.count(now) {
            Ok(counter) => {
                self.set_counter(image, &counter);
                Ok(())
            }
            Err(retry_at) => Err(refuse!(PcacApprovalLimitReached, counter.limit, retry_at)),
        }
    }

    /// `set_approval_limit`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacLocked`, `PcacWithdrawn`, `PcacBadLimit`,
    /// `PcacRoundChanged`.
    pub(crate) fn set_limit(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let image = args.word(0)?;
        let (limit, window) = (args.number(1, 1 << 32)?, args.number(2, 1 << 32)?);
        let wanted = args.number(3, 1 << 32)?;
        nonzero(&[image])?;
        let mandate = self.owned(caller, image)?;
        mandate.may_give(image, self.now())?;
        if limit >= LIMIT_END || (limit > 0 && window == 0) {
            return Err(refuse!(PcacBadLimit, limit, window));
        }
        let before = self.counter(image);
        same_round(wanted, before.round)?;
        let record = mandate.record;
        let flags = if limit == 0 {
            record.flags & !flag::LIMITED
        } else {
            record.flags | flag::LIMITED
        };
        if flags != record.flags {
            self.set_cell(Slot::image(image), Record { flags, ..record }.pack());
        }
        let counter = Counter {
            limit,
            window,
            start: 0,
            used: 0,
            ..before.raised()
        };
        self.set_counter(image, &counter);
        log!(
            self,
            [topic!(ApprovalLimitSet), image],
            [limit, window, counter.round]
        );
        self.acted(record.patient, caller);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[inline(never)]
    fn counter(limit: u64, window: u64) -> Counter {
        Counter {
            limit,
            window,
            ..Counter::default()
        }
    }

    #[test]
    fn a_counter_is_one_word() {
        let counter = Counter {
            round: (1 << 24) - 5,
            start: (1 << 40) - 2,
            used: (1 << 24) - 3,
            limit: (1 << 24) - 4,
            window: (1 << 32) - 6,
        };
        assert_eq!(Counter::unpack(counter.pack()), counter);
        assert_eq!(counter.pack().bytes()[18..], [0; 14]);
        assert_eq!(counter.pack().bytes()[..3], [0xff, 0xff, 0xfb]);
    }

    #[test]
    fn the_window_starts_with_its_first_approval_and_ends_after_its_length() {
        let open = counter(2, 100);
        let first = open.count(1_000).unwrap();
        let at = |start, used| Counter {
            start,
            used,
            ..open
        };
        assert_eq!(first, at(1_000, 1));
        let second = first.count(1_050).unwrap();
        assert_eq!(second, at(1_000, 2));
        assert_eq!(second.count(1_099), Err(1_100));
        assert_eq!(second.count(1_100), Ok(at(1_100, 1)));
    }

    #[test]
    fn twice_the_limit_can_pass_across_the_edge() {
        let mut counter = counter(3, 100);
        for now in [100, 199, 199, 200, 200, 200] {
            counter = counter.count(now).unwrap();
        }
        assert_eq!((counter.start, counter.used), (200, 3));
        assert_eq!(counter.count(200), Err(300));
    }

    #[test]
    fn the_longest_window_of_the_latest_time_does_not_overflow() {
        let late = Counter {
            start: (1 << 40) - 1,
            used: 1,
            ..counter(1, u32::MAX.into())
        };
        assert_eq!(
            late.count(1 << 40),
            Err((1 << 40) - 1 + u64::from(u32::MAX))
        );
    }

    #[test]
    fn the_round_starts_again_after_its_last() {
        let last = Counter {
            round: (1 << 24) - 1,
            ..counter(1, 2)
        };
        assert_eq!(last.raised(), counter(1, 2));
    }
}
