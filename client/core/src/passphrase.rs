//! A passphrase as a type that does not print.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A passphrase: zeroized on drop, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// Wraps a passphrase that the user gave.
    pub fn new(text: String) -> Self {
        Self(text)
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
