//! A passphrase as a type that does not print, and the work that a guess at it costs.

use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Most bytes that one byte of UTF-8 becomes in the compatibility form (U+FDFA: 3 bytes become 33).
const NORMALIZED_GROWTH: usize = 11;

/// A passphrase: zeroized on drop, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// Wraps a passphrase that the user gave.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the passphrase in its compatibility form (Unicode NFKC), which other wallets derive keys from; none if it is
    /// in that form already, as all ASCII is.
    pub fn normalized(&self) -> Option<Self> {
        let normalizer = ComposingNormalizerBorrowed::new_nfkc();
        if normalizer.is_normalized(&self.0) {
            return None;
        }
        // Room for all of it: text that outgrows its buffer leaves a copy behind.
        let mut text = String::with_capacity(self.0.len() * NORMALIZED_GROWTH);
        match normalizer.normalize_to(&self.0, &mut text) {
            Ok(()) => Some(Self(text)),
            Err(_) => None,
        }
    }

    /// Returns the text, for a key derivation function and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// The work that a guess at a passphrase costs, for each kind of lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockCost {
    /// scrypt's n as a binary logarithm, with r = 8 and p = 1: 2^(n + 10) bytes of memory.
    pub scrypt_log_n: u8,
    /// Argon2id's passes over its memory.
    pub argon2_passes: u8,
    /// Argon2id's lanes.
    pub argon2_lanes: u8,
    /// Argon2id's memory in KiB, as a binary logarithm.
    pub argon2_log_kib: u8,
}

impl LockCost {
    /// The cost of a home that lasts: scrypt with n = 2^18 (256 MiB, about 0.7 s), Argon2id by the second choice of RFC 9106
    /// (three passes over 64 MiB, about 0.12 s a key).
    pub const FULL: Self = Self {
        scrypt_log_n: 18,
        argon2_passes: 3,
        argon2_lanes: 4,
        argon2_log_kib: 16,
    };
    /// The cost of a home that lasts as long as a test: guessing is cheap.
    pub const LIGHT: Self = Self {
        scrypt_log_n: 12,
        argon2_passes: 1,
        argon2_lanes: 1,
        argon2_log_kib: 13,
    };
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn other_wallets_form_is_known_and_ascii_is_its_own() {
        let form = |text: &str| {
            let normalized = Passphrase::new(text.to_owned()).normalized();
            normalized.map(|it| it.expose().to_owned())
        };
        // What Python's unicodedata.normalize("NFKC", …) gives.
        assert_eq!(form("five m²").as_deref(), Some("five m2"));
        assert_eq!(form("u\u{308}ber").as_deref(), Some("über"));
        assert_eq!(form("ﬁn"), Some("fin".to_owned()));
        assert_eq!(form("über"), None);
        assert_eq!(form("seven quiet herons"), None);
        let longest = form(&"\u{fdfa}".repeat(40)).unwrap();
        assert_eq!(longest.len(), 33 * 40);
    }
}
