//! For tests: numbers that are the same in every run, and bytes that are changed by them.

/// A generator (xorshift64*), begun with anything but 0.
pub struct Numbers(pub u64);

impl Numbers {
    /// Draws a number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    /// Returns the bytes with one to four changes: flips, cuts, repeated parts and insertions.
    pub fn mutated(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => {
                    let end = (at + self.below(40)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                2 => bytes.insert(at, self.below(256) as u8),
                _ if bytes.is_empty() => {}
                3 => drop(bytes.remove(at)),
                _ => bytes[at] ^= 1 << self.below(8),
            }
        }
        bytes
    }
}

/// Returns the number of rounds: that of an environment variable, or the usual one.
#[allow(clippy::unwrap_used)]
pub fn rounds(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |rounds| rounds.parse().unwrap())
}

/// Returns the rounds of a test of one parser, which `PCIM_TEST_MUTATIONS` sets for all of them.
pub fn mutations() -> usize {
    rounds("PCIM_TEST_MUTATIONS", 300)
}
