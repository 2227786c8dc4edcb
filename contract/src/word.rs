//! The word of 32 bytes, of which calldata, storage, logs and answers are made.

use alloc::vec::Vec;

use alloy_primitives::{keccak256, Address, B256};

/// Thirty-two bytes, held as four numbers in memory order: the machine charges by operation, and eight bytes are
/// moved or compared by one. What a word stands for is read from its [`limbs`](Self::limbs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    a: u64,
    b: u64,
    c: u64,
    d: u64,
}

/// A word known when the contract is compiled. It is made of numbers in the code: bytes in the module's data cost
/// every call, whether it reads them or not.
macro_rules! constant {
    ($bytes:expr) => {{
        const BYTES: [u8; 32] = $bytes;
        $crate::word::Word::of(
            const { $crate::word::eight(&BYTES, 0) },
            const { $crate::word::eight(&BYTES, 8) },
            const { $crate::word::eight(&BYTES, 16) },
            const { $crate::word::eight(&BYTES, 24) },
        )
    }};
}
pub(crate) use constant;

/// The eight bytes at `at`, as a word holds them.
pub(crate) const fn eight(bytes: &[u8; 32], at: usize) -> u64 {
    let mut number = 0;
    let mut i = 8;
    while i > 0 {
        i -= 1;
        number = number << 8 | bytes[at + i] as u64;
    }
    number
}

impl Word {
    pub(crate) const ZERO: Self = Self::of(0, 0, 0, 0);

    /// The word of four numbers as they lie in memory.
    pub(crate) const fn of(a: u64, b: u64, c: u64, d: u64) -> Self {
        Self { a, b, c, d }
    }

    /// The word of four big-endian numbers, the most significant first.
    pub(crate) const fn from_limbs([a, b, c, d]: [u64; 4]) -> Self {
        Self::of(a.to_be(), b.to_be(), c.to_be(), d.to_be())
    }

    /// A number.
    pub(crate) const fn number(value: u64) -> Self {
        Self::of(0, 0, 0, value.to_be())
    }

    /// A selector, or another four bytes, at the front.
    pub(crate) const fn front(four: u32) -> Self {
        Self::from_limbs([(four as u64) << 32, 0, 0, 0])
    }

    /// The word in the first 32 bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.first_chunk()?;
        Some(Self::of(
            eight_of(bytes, 0),
            eight_of(bytes, 8),
            eight_of(bytes, 16),
            eight_of(bytes, 24),
        ))
    }

    pub(crate) fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (to, from) in bytes
            .chunks_exact_mut(8)
            .zip([self.a, self.b, self.c, self.d])
        {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        bytes
    }

    /// Its four big-endian numbers, the most significant first.
    pub(crate) fn limbs(self) -> [u64; 4] {
        [self.a, self.b, self.c, self.d].map(u64::from_be)
    }

    /// The first half as two numbers, and the second as zero.
    pub(crate) fn half(self) -> Self {
        Self::of(self.a, self.b, 0, 0)
    }

    /// The number in `width` bits, at most 64, from bit `at` on; bit 0 is the lowest.
    #[inline(never)]
    pub(crate) fn bits(self, at: u32, width: u32) -> u64 {
        let [a, b, c, d] = self.limbs();
        let (high, low) = match at / 64 {
            0 => (c, d),
            1 => (b, c),
            2 => (a, b),
            _ => (0, a),
        };
        let both = u128::from(high) << 64 | u128::from(low);
        (both >> (at % 64)) as u64 & (u64::MAX >> (64 - width))
    }

    /// The word with a number, which fits, in `width` bits from bit `at` on.
    #[inline(never)]
    pub(crate) fn with_bits(self, at: u32, width: u32, number: u64) -> Self {
        let mask = u128::from(u64::MAX >> (64 - width)) << (at % 64);
        let value = u128::from(number) << (at % 64) & mask;
        let [a, b, c, d] = self.limbs();
        let put = |high: u64, low: u64| {
            let both = (u128::from(high) << 64 | u128::from(low)) & !mask | value;
            ((both >> 64) as u64, both as u64)
        };
        Self::from_limbs(match at / 64 {
            0 => {
                let (c, d) = put(c, d);
                [a, b, c, d]
            }
            1 => {
                let (b, c) = put(b, c);
                [a, b, c, d]
            }
            2 => {
                let (a, b) = put(a, b);
                [a, b, c, d]
            }
            _ => [put(0, a).1, b, c, d],
        })
    }

    /// The last twenty bytes: an address.
    pub(crate) fn last_20(self) -> Self {
        let [_, b, c, d] = self.limbs();
        Self::from_limbs([0, b & u64::from(u32::MAX), c, d])
    }

    /// The last 24 bytes.
    pub(crate) fn last_24(self) -> Self {
        let [_, b, c, d] = self.limbs();
        Self::from_limbs([0, b, c, d])
    }

    /// The last 24 bytes at the front, as calldata holds a `bytes24`.
    pub(crate) fn to_front_24(self) -> Self {
        let [_, b, c, d] = self.limbs();
        Self::from_limbs([b, c, d, 0])
    }

    /// The first 24 bytes at the end, as storage holds a `bytes24`.
    pub(crate) fn back_24(self) -> Self {
        let [a, b, c, _] = self.limbs();
        Self::from_limbs([0, a, b, c])
    }

    /// The first ten bytes, and zeros.
    pub(crate) fn front_10(self) -> Self {
        let [a, b, _, _] = self.limbs();
        Self::from_limbs([a, b & 0xffff << 48, 0, 0])
    }

    /// The bits of either word.
    pub(crate) fn or(self, other: Self) -> Self {
        Self::of(
            self.a | other.a,
            self.b | other.b,
            self.c | other.c,
            self.d | other.d,
        )
    }

    pub(crate) fn is_zero(self) -> bool {
        self.a | self.b | self.c | self.d == 0
    }

    /// Returns true if the word is an address: its first twelve bytes are zero.
    pub(crate) fn is_address(self) -> bool {
        self.a == 0 && u64::from_be(self.b) >> 32 == 0
    }

    /// The number that it is, if that fits.
    pub(crate) fn to_u64(self) -> Option<u64> {
        (self.a | self.b | self.c == 0).then_some(u64::from_be(self.d))
    }

    pub(crate) fn address(self) -> Address {
        Address::from_word(self.into())
    }
}

fn eight_of(bytes: &[u8; 32], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(eight)
}

impl From<Word> for B256 {
    fn from(word: Word) -> Self {
        Self::new(word.bytes())
    }
}

impl From<B256> for Word {
    fn from(bytes: B256) -> Self {
        Self::of(
            eight_of(&bytes.0, 0),
            eight_of(&bytes.0, 8),
            eight_of(&bytes.0, 16),
            eight_of(&bytes.0, 24),
        )
    }
}

impl From<Address> for Word {
    fn from(address: Address) -> Self {
        address.into_word().into()
    }
}

impl From<bool> for Word {
    fn from(flag: bool) -> Self {
        Self::number(flag.into())
    }
}

/// Appends words.
pub(crate) fn put(bytes: &mut Vec<u8>, words: &[Word]) {
    for word in words {
        bytes.extend_from_slice(&word.bytes());
    }
}

/// Appends bytes, padded with zeros to whole words, after their length.
pub(crate) fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put(to, &[Word::number(bytes.len() as u64)]);
    to.extend_from_slice(bytes);
    to.resize(to.len() + padding(bytes.len()), 0);
}

/// How many bytes are missing to whole words.
fn padding(len: usize) -> usize {
    len.wrapping_neg() % 32
}

/// A part of an answer, an event or an error: a word, or a number as one. One call writes one, so that the program holds no array of
/// words for each place that makes such a list.
pub(crate) trait Part {
    fn put(self, to: &mut Vec<u8>);
}

impl Part for Word {
    fn put(self, to: &mut Vec<u8>) {
        put_word(to, &self);
    }
}

impl Part for u64 {
    fn put(self, to: &mut Vec<u8>) {
        put_number(to, self);
    }
}

#[inline(never)]
fn put_word(to: &mut Vec<u8>, word: &Word) {
    to.extend_from_slice(&word.bytes());
}

#[inline(never)]
fn put_number(to: &mut Vec<u8>, number: u64) {
    put_word(to, &Word::number(number));
}

/// An answer: words and numbers, one after the other.
macro_rules! answer {
    ($($part:expr),* $(,)?) => {{
        let mut bytes = alloc::vec::Vec::with_capacity(32 * [$(stringify!($part)),*].len());
        $($crate::word::Part::put($part, &mut bytes);)*
        bytes
    }};
}
pub(crate) use answer;

/// The words, one after the other.
#[inline(never)]
pub(crate) fn joined(words: &[Word]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 * words.len());
    put(&mut bytes, words);
    bytes
}

/// The hash of words.
#[inline(never)]
pub(crate) fn hash(words: &[Word]) -> Word {
    keccak256(joined(words)).into()
}

/// The hash of bytes.
pub(crate) fn hash_bytes(bytes: &[u8]) -> Word {
    keccak256(bytes).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const COUNTING: [u8; 32] = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
        25, 26, 27, 28, 29, 30, 31,
    ];

    #[test]
    fn a_word_is_its_bytes() {
        let word = Word::read(&COUNTING).unwrap();
        assert_eq!(word.bytes(), COUNTING);
        assert_eq!(word, constant!(COUNTING));
        assert_eq!(word, B256::new(COUNTING).into());
        assert_eq!(B256::from(word), B256::new(COUNTING));
        assert_eq!(Word::from_limbs(word.limbs()), word);
        assert_eq!(word.limbs()[1], 0x0809_0a0b_0c0d_0e0f);
        assert_eq!(Word::read(&COUNTING[1..]), None);
        assert_eq!(word.half().bytes()[..16], COUNTING[..16]);
        assert_eq!(word.half().bytes()[16..], [0; 16]);
        let counting = Word::read(&COUNTING).unwrap();
        assert_eq!(counting.last_20().bytes()[..12], [0; 12]);
        assert_eq!(counting.last_20().bytes()[12..], COUNTING[12..]);
        assert_eq!(counting.last_24().bytes()[8..], COUNTING[8..]);
        assert_eq!(counting.to_front_24().bytes()[..24], COUNTING[8..]);
        assert_eq!(counting.back_24().bytes()[8..], COUNTING[..24]);
        assert_eq!(
            counting.last_24().to_front_24().back_24(),
            counting.last_24()
        );
        assert_eq!(Word::front(0x0102_0304).bytes()[..5], [1, 2, 3, 4, 0]);
    }

    #[test]
    fn what_does_not_fit_is_no_number_and_no_address() {
        assert_eq!(Word::number(u64::MAX).to_u64(), Some(u64::MAX));
        assert!(Word::from(Address::repeat_byte(0xff)).is_address());
        assert_eq!(
            Word::from(Address::repeat_byte(7)).address(),
            Address::repeat_byte(7)
        );
        for at in 0..32 {
            let mut bytes = [0; 32];
            bytes[at] = 1;
            let word = Word::read(&bytes).unwrap();
            assert_eq!(word.is_address(), at >= 12, "{at}");
            assert_eq!(word.to_u64().is_some(), at >= 24, "{at}");
            assert!(!word.is_zero());
            assert_ne!(word, Word::ZERO);
        }
        assert!(Word::ZERO.is_zero());
    }

    #[test]
    fn bits_are_read_and_written_wherever_they_lie() {
        for at in 0..256_u32 {
            for width in [1, 8, 14, 15, 24, 34, 40, 56, 64] {
                if at + width > 256 {
                    continue;
                }
                let ones = u64::MAX >> (64 - width);
                let word = Word::ZERO.with_bits(at, width, ones);
                let set: u32 = word.limbs().iter().map(|limb| limb.count_ones()).sum();
                assert_eq!(set, width, "{at} {width}");
                assert_eq!(word.bits(at, width), ones, "{at} {width}");
                assert_eq!(word.with_bits(at, width, 0), Word::ZERO);
                let full = constant!([0xff; 32]).with_bits(at, width, 0);
                assert_eq!(full.bits(at, width), 0, "{at} {width}");
                assert_eq!(full.or(word), constant!([0xff; 32]), "{at} {width}");
            }
        }
        let counting = Word::read(&COUNTING).unwrap();
        assert_eq!(counting.bits(0, 16), 0x1e1f);
        assert_eq!(counting.bits(56, 16), 0x1718);
    }

    #[test]
    fn bytes_are_padded_to_words() {
        for (len, total) in [(0, 32), (1, 64), (32, 64), (33, 96)] {
            let mut to = Vec::new();
            put_bytes(&mut to, &COUNTING.repeat(2)[..len]);
            assert_eq!(to.len(), total);
            assert_eq!(to[31], len as u8);
            assert_eq!(to[32..32 + len], COUNTING.repeat(2)[..len]);
            assert!(to[32 + len..].iter().all(|byte| *byte == 0));
        }
    }
}
