//! Ink prices that host functions are built from.

use alloy_primitives::U256;

/// Entering the host.
pub(super) const HOSTIO: u64 = 8400;
/// Each 32-byte pointer read or written.
pub(super) const PTR: u64 = 5040;
/// Reaching for the EVM's state.
pub(super) const EVM_API: u64 = 59_673;
pub(super) const DIV: u64 = 20_000;
pub(super) const ADD_MOD: u64 = 21_000;
pub(super) const MUL_MOD: u64 = 24_100;

/// Writing `len` bytes into the program's memory.
pub(super) fn write(len: u32) -> u64 {
    PTR + 30 * u64::from(len.saturating_sub(32))
}

/// Reading `len` bytes from the program's memory.
pub(super) fn read(len: u32) -> u64 {
    16_381 + 55 * u64::from(len.saturating_sub(32))
}

/// Hashing `len` bytes.
pub(super) fn keccak(len: u32) -> u64 {
    121_800 + 21_000 * u64::from(len.div_ceil(32).saturating_sub(2))
}

/// Raising to the power `exponent`; 0 counts as one byte too many.
pub(super) fn pow(exponent: U256) -> u64 {
    let zeros = (exponent.leading_zeros() / 8) as u64;
    3000 + 17_500 * (33 - zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_those_of_the_reference() {
        assert_eq!(keccak(10), 121_800);
        assert_eq!(keccak(100), 163_800);
        assert_eq!(keccak(1000), 751_800);
        assert_eq!(HOSTIO + 2 * read(0), 41_162);
        assert_eq!(HOSTIO + write(0), 13_440);
        let of = |bits: usize| HOSTIO + 3 * PTR + pow(U256::ONE << (bits - 1));
        assert_eq!(
            [of(8), of(16), of(80), of(256)],
            [61_520, 79_020, 219_020, 604_020]
        );
        for (len, ink) in [
            (10, 73_113),
            (100, 75_153),
            (1000, 102_153),
            (10_000, 372_153),
        ] {
            assert_eq!(HOSTIO + EVM_API + write(len), ink);
        }
    }
}
