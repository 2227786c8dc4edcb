//! A call's arguments, read as Solidity's own decoder reads them: what does not fit its type, or does not lie
//! within the calldata, reverts with no data; padding is not looked at.

use alloc::vec::Vec;

use crate::word::Word;

/// The arguments of a call: what follows its selector.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a> {
    data: &'a [u8],
}

/// The selector of a call, and its arguments.
///
/// # Errors
/// No data, if there is no selector.
pub(crate) fn split(call: &[u8]) -> Result<(u32, Args<'_>), Vec<u8>> {
    let (selector, data) = call.split_first_chunk().ok_or_else(Vec::new)?;
    Ok((u32::from_be_bytes(*selector), Args::new(data)))
}

impl<'a> Args<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data }
    }

    /// Argument number `i`, whatever it is.
    #[inline(never)]
    pub(crate) fn word(&self, i: usize) -> Result<Word, Vec<u8>> {
        word_at(self.data, 32 * i)
    }

    #[inline(never)]
    pub(crate) fn address(&self, i: usize) -> Result<Word, Vec<u8>> {
        let word = self.word(i)?;
        if word.is_address() {
            Ok(word)
        } else {
            Err(Vec::new())
        }
    }

    /// A number below `end`, which is at most 2^64 (0 stands for that).
    #[inline(never)]
    pub(crate) fn number(&self, i: usize, end: u64) -> Result<u64, Vec<u8>> {
        match self.word(i)?.to_u64() {
            Some(number) if number <= end.wrapping_sub(1) => Ok(number),
            _ => Err(Vec::new()),
        }
    }

    pub(crate) fn flag(&self, i: usize) -> Result<bool, Vec<u8>> {
        Ok(self.number(i, 2)? == 1)
    }

    /// Twenty-four bytes, at the end of the word.
    #[inline(never)]
    pub(crate) fn bytes_24(&self, i: usize) -> Result<Word, Vec<u8>> {
        let word = self.word(i)?;
        if word.bits(0, 64) == 0 {
            Ok(word.back_24())
        } else {
            Err(Vec::new())
        }
    }

    /// Ten bytes, at the front of the word.
    pub(crate) fn bytes_10(&self, i: usize) -> Result<Word, Vec<u8>> {
        let word = self.word(i)?;
        if word == word.front_10() {
            Ok(word)
        } else {
            Err(Vec::new())
        }
    }

    /// The bytes that argument number `i` points to.
    #[inline(never)]
    pub(crate) fn bytes(&self, i: usize) -> Result<&'a [u8], Vec<u8>> {
        bytes_at(self.data, 32 * i)
    }

    /// The text that argument number `i` points to: bytes that must be UTF-8.
    #[inline(never)]
    pub(crate) fn text(&self, i: usize) -> Result<&'a [u8], Vec<u8>> {
        let text = self.bytes(i)?;
        if is_utf8(text) {
            Ok(text)
        } else {
            Err(Vec::new())
        }
    }

    /// The addresses of the array that argument number `i` points to.
    pub(crate) fn each_address(&self, i: usize) -> Result<Vec<Word>, Vec<u8>> {
        let (count, elements) = self.array(i)?;
        let elements = Args::new(elements);
        (0..count).map(|i| elements.address(i)).collect()
    }

    /// The elements of the array of bytes that argument number `i` points to.
    #[inline(never)]
    pub(crate) fn each_bytes(&self, i: usize) -> Result<Vec<&'a [u8]>, Vec<u8>> {
        let (count, elements) = self.array(i)?;
        (0..count).map(|i| bytes_at(elements, 32 * i)).collect()
    }

    /// How many elements the array has that argument number `i` points to, and what follows their number.
    #[inline(never)]
    fn array(&self, i: usize) -> Result<(usize, &'a [u8]), Vec<u8>> {
        let array = self
            .data
            .get(size_at(self.data, 32 * i)?..)
            .ok_or_else(Vec::new)?;
        let count = size_at(array, 0)?;
        let elements = array.get(32..).ok_or_else(Vec::new)?;
        if count > elements.len() / 32 {
            return Err(Vec::new());
        }
        Ok((count, elements))
    }
}

fn word_at(data: &[u8], at: usize) -> Result<Word, Vec<u8>> {
    data.get(at..).and_then(Word::read).ok_or_else(Vec::new)
}

/// The offset or length at `at`. One of 2^31 or more lies outside of any calldata.
fn size_at(data: &[u8], at: usize) -> Result<usize, Vec<u8>> {
    match word_at(data, at)?.to_u64() {
        Some(size) if size < 1 << 31 => Ok(size as usize),
        _ => Err(Vec::new()),
    }
}

/// The bytes that the word at `at` points to, with their length before them.
#[inline(never)]
fn bytes_at(data: &[u8], at: usize) -> Result<&[u8], Vec<u8>> {
    let tail = data.get(size_at(data, at)?..).ok_or_else(Vec::new)?;
    let len = size_at(tail, 0)?;
    tail.get(32..)
        .and_then(|bytes| bytes.get(..len))
        .ok_or_else(Vec::new)
}

/// Returns true if bytes are UTF-8. The standard library's test has a table of 256 bytes, which every call would pay for.
fn is_utf8(mut bytes: &[u8]) -> bool {
    loop {
        while let Some((eight, rest)) = bytes.split_first_chunk::<8>() {
            if u64::from_ne_bytes(*eight) & 0x8080_8080_8080_8080 != 0 {
                break;
            }
            bytes = rest;
        }
        let Some((first, rest)) = bytes.split_first() else {
            return true;
        };
        bytes = rest;
        if first.is_ascii() {
            continue;
        }
        let len = first.leading_ones() as usize;
        if !(2..=4).contains(&len) {
            return false;
        }
        let Some((rest, others)) = bytes.split_at_checked(len - 1) else {
            return false;
        };
        let mut code = u32::from(*first) & (0x7f >> len);
        for byte in rest {
            if byte & 0xc0 != 0x80 {
                return false;
            }
            code = code << 6 | u32::from(byte & 0x3f);
        }
        // Neither a surrogate, nor too large, nor longer than it need be.
        if char::from_u32(code).is_none_or(|char| char.len_utf8() != len) {
            return false;
        }
        bytes = others;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn utf_8_is_what_the_standard_library_says() {
        // Every pair of bytes after every kind of beginning, at every distance from the end of eight bytes.
        for head in [&b""[..], b"1234567", b"12345678", "12345\u{e4}".as_bytes()] {
            for first in 0..=255_u8 {
                for second in 0..=255_u8 {
                    for tail in [
                        &b""[..],
                        &[0x80],
                        &[0x80, 0x80],
                        &[0xbf, 0x41],
                        &[0xbf, 0xbf, 0x42],
                    ] {
                        let bytes = [head, &[first, second], tail].concat();
                        let wanted = core::str::from_utf8(&bytes).is_ok();
                        assert_eq!(is_utf8(&bytes), wanted, "{bytes:02x?}");
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_have_their_widths() {
        let mut data = Vec::new();
        crate::word::put(
            &mut data,
            &[
                Word::number(u64::MAX),
                Word::number(1 << 32),
                Word::number(2),
            ],
        );
        let args = Args::new(&data);
        assert_eq!(args.number(0, 0), Ok(u64::MAX));
        assert_eq!(args.number(1, 1 << 32), Err(Vec::new()));
        assert_eq!(args.number(1, (1 << 32) + 1), Ok(1 << 32));
        assert_eq!(args.flag(2), Err(Vec::new()));
        assert_eq!(args.word(3), Err(Vec::new()));
        assert_eq!(Args::new(&data[..95]).word(2), Err(Vec::new()));
    }

    #[test]
    fn bytes_lie_within_the_calldata() {
        let mut data = Vec::new();
        crate::word::put(&mut data, &[Word::number(32), Word::number(3)]);
        data.extend_from_slice(b"abcd");
        assert_eq!(
            Args::new(&data).bytes(0),
            Ok(&b"abc"[..]),
            "padding is not looked at"
        );
        assert_eq!(Args::new(&data[..66]).bytes(0), Err(Vec::new()));
        for bad in [(1_u64 << 31) - 1, 1 << 31, u64::MAX, 37, 69] {
            let mut data = data.clone();
            data[..32].copy_from_slice(&Word::number(bad).bytes());
            assert_eq!(Args::new(&data).bytes(0), Err(Vec::new()), "{bad}");
        }
        for bad in [5, (1_u64 << 31) - 1, 1 << 32, u64::MAX] {
            let mut data = data.clone();
            data[32..64].copy_from_slice(&Word::number(bad).bytes());
            assert_eq!(Args::new(&data).bytes(0), Err(Vec::new()), "{bad}");
        }
    }

    #[test]
    fn an_array_lies_within_the_calldata() {
        let mut data = Vec::new();
        // The array, its two elements' offsets, and the elements.
        let words = [32, 2, 64, 96, 0, 2].map(Word::number);
        crate::word::put(&mut data, &words);
        data.extend_from_slice(b"xy");
        assert_eq!(Args::new(&data).each_bytes(0), Ok(vec![&b""[..], b"xy"]));
        for bad in [5, 1 << 30, 1 << 31, u64::MAX] {
            let mut data = data.clone();
            data[32..64].copy_from_slice(&Word::number(bad).bytes());
            assert_eq!(Args::new(&data).each_bytes(0), Err(Vec::new()), "{bad}");
        }
        assert_eq!(
            Args::new(&data[..data.len() - 1]).each_bytes(0),
            Err(Vec::new())
        );
    }
}
