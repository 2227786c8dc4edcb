//! Unsigned integers inside one storage word, big-endian.

use alloy_primitives::B256;

/// Times in storage have 40 bits: they end in the year 36812.
pub(crate) const TIME_BYTES: usize = 5;

/// The integer in the `len` bytes at `at`; `len` is at most 8.
pub(crate) fn get(word: &B256, at: usize, len: usize) -> u64 {
    word.iter()
        .skip(at)
        .take(len)
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Writes the low `len` bytes of `value` at `at`.
pub(crate) fn put(word: &mut B256, at: usize, len: usize, mut value: u64) {
    for byte in word.iter_mut().skip(at).take(len).rev() {
        *byte = value as u8;
        value >>= 8;
    }
}
