//! Reading a provider's logs in ranges that it answers, no more often than it likes.

use std::time::Duration;

use crate::audit::error::{Error, Result};
use pcim_ledger::{ChainLog, Ledger, Trouble};

/// Blocks of the first range.
const FIRST: u64 = 4_096;
/// As many logs in one answer are enough: fewer than any provider's limit, and little memory.
const ENOUGH: usize = 4_000;
/// Ranges that must be answered before a larger one than the last refused is tried.
const TRUST: u32 = 64;
/// How often a provider that does not answer is asked again, and one that is busy.
const TRIES_AWAY: u32 = 3;
const TRIES_BUSY: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(8);
/// The longest that a provider may ask to wait.
const LONGEST_WISH: Duration = Duration::from_secs(60);

/// The size of the ranges that a provider answers, as far as it is known.
#[derive(Debug)]
pub(super) struct Ranges {
    span: u64,
    /// The smallest that was refused is one larger.
    ceiling: u64,
    answered: u32,
}

impl Ranges {
    pub(super) fn new() -> Self {
        Self {
            span: FIRST,
            ceiling: u64::MAX,
            answered: 0,
        }
    }

    /// The next range's last block.
    pub(super) fn end(&self, first: u64, last: u64) -> u64 {
        first.saturating_add(self.span - 1).min(last)
    }

    /// The logs of a range, or nothing if it was too large: then the next range is smaller.
    pub(super) async fn read(
        &mut self,
        ledger: &Ledger,
        first: u64,
        end: u64,
    ) -> Result<Option<Vec<ChainLog>>> {
        let mut patience = Patience::default();
        loop {
            match ledger.contract_logs(first, end).await {
                Ok(logs) => {
                    self.answered(logs.len());
                    return Ok(Some(logs));
                }
                Err(Trouble::TooMuch(_)) if end > first => {
                    self.refused(end - first + 1);
                    return Ok(None);
                }
                // One block cannot be too much: the provider has other reasons.
                Err(Trouble::TooMuch(error)) => patience.wait(error, None, TRIES_AWAY).await?,
                Err(trouble) => patience.bear(trouble).await?,
            }
        }
    }

    fn answered(&mut self, logs: usize) {
        self.answered += 1;
        if self.answered >= TRUST {
            self.answered = 0;
            self.ceiling = self.ceiling.saturating_mul(2);
        }
        self.span = match logs {
            _ if logs > ENOUGH => self.span / 2,
            _ if logs < ENOUGH / 8 => self.span.saturating_mul(4),
            _ if logs < ENOUGH / 2 => self.span.saturating_mul(2),
            _ => self.span,
        }
        .clamp(1, self.ceiling.max(1));
    }

    fn refused(&mut self, size: u64) {
        self.answered = 0;
        self.ceiling = size - 1;
        self.span = size.div_ceil(2).min(self.ceiling).max(1);
    }
}

/// Asks again for as long as that may help.
pub(super) async fn patiently<T>(
    mut ask: impl AsyncFnMut() -> std::result::Result<T, Trouble>,
) -> Result<T> {
    let mut patience = Patience::default();
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(trouble) => patience.bear(trouble).await?,
        }
    }
}

#[derive(Default)]
struct Patience {
    tries: u32,
}

impl Patience {
    /// Waits, or gives up with the error.
    async fn bear(&mut self, trouble: Trouble) -> Result<()> {
        match trouble {
            Trouble::Later(error, wish) => {
                let away = matches!(&error, pcim_ledger::Error::Rpc { .. }) && !is_busy(&error);
                let tries = if away { TRIES_AWAY } else { TRIES_BUSY };
                self.wait(error, wish, tries).await
            }
            other => Err(Error::Ledger(other.into_error())),
        }
    }

    async fn wait(
        &mut self,
        error: pcim_ledger::Error,
        wish: Option<Duration>,
        tries: u32,
    ) -> Result<()> {
        self.tries += 1;
        if self.tries >= tries {
            return Err(error.into());
        }
        let pause = FIRST_PAUSE
            .saturating_mul(1 << self.tries.min(16) >> 1)
            .min(LAST_PAUSE);
        tracing::debug!(%error, ?pause, "asked again later");
        tokio::time::sleep(wish.map_or(pause, |wish| wish.min(LONGEST_WISH).max(pause))).await;
        Ok(())
    }
}

/// Says whether a provider limits its callers.
fn is_busy(error: &pcim_ledger::Error) -> bool {
    matches!(error, pcim_ledger::Error::Rpc { source, .. } if source.to_string().contains("429"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_shrink_when_refused_and_grow_slowly_again() {
        let mut ranges = Ranges::new();
        assert_eq!(ranges.end(10, 1_000_000), 10 + FIRST - 1);
        assert_eq!(ranges.end(u64::MAX - 3, u64::MAX), u64::MAX);
        // A provider that answers ten blocks at most.
        let mut refused = 0;
        for _ in 0..40 {
            match ranges.span {
                0..=10 => ranges.answered(0),
                size => {
                    refused += 1;
                    ranges.refused(size);
                }
            }
        }
        assert!(ranges.span <= 10 && refused <= 16, "{ranges:?} {refused}");
        for _ in 0..2 * TRUST {
            ranges.answered(0);
        }
        assert!(ranges.span > 10, "{ranges:?}");
        // Many logs make it smaller, one block is the least.
        for _ in 0..40 {
            ranges.answered(ENOUGH + 1);
        }
        assert_eq!(ranges.span, 1);
    }
}
