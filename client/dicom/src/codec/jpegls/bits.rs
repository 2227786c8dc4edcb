//! The bits of a scan: after a byte of ones comes a bit that is not coded (§A.1).

use crate::codec::decoded::{SHORT, Undecodable};

pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// Bits not yet taken, the next one highest.
    held: u64,
    count: u32,
    after_ones: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            held: 0,
            count: 0,
            after_ones: false,
        }
    }

    fn fill(&mut self) {
        while self.count <= 56
            && let Some((&byte, rest)) = self.rest.split_first()
        {
            let bits = if self.after_ones { 7 } else { 8 };
            // The bit that is not coded is zero.
            self.held |= u64::from(byte) << (64 - bits) >> self.count;
            self.count += bits;
            self.after_ones = byte == 0xff;
            self.rest = rest;
        }
    }

    /// The next bits, at most 32, as a number.
    pub(super) fn take(&mut self, bits: u32) -> Result<u32, Undecodable> {
        if bits == 0 {
            return Ok(0);
        }
        if self.count < bits {
            self.fill();
        }
        if self.count < bits {
            return Err(SHORT);
        }
        let value = (self.held >> (64 - bits)) as u32;
        self.held <<= bits;
        self.count -= bits;
        Ok(value)
    }

    /// Counts the zeros before the next one, and takes both; fewer than `limit`.
    pub(super) fn zeros(&mut self, limit: u32) -> Result<u32, Undecodable> {
        if self.count < 33 {
            self.fill();
        }
        let zeros = self.held.leading_zeros();
        if zeros < self.count {
            if zeros >= limit {
                return Err(SHORT);
            }
            self.held = self.held << zeros << 1;
            self.count -= zeros + 1;
            return Ok(zeros);
        }
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros >= limit {
                return Err(SHORT);
            }
        }
        Ok(zeros)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_bit_is_stuffed_after_a_byte_of_ones() {
        let mut bits = Bits::new(&[0xff, 0x7f, 0x80, 0x01]);
        assert_eq!(bits.take(15).unwrap(), 0x7fff);
        assert_eq!(bits.take(1).unwrap(), 1);
        assert_eq!(bits.zeros(64).unwrap(), 14);
        assert!(bits.take(1).is_err());
        let mut bits = Bits::new(&[0; 9]);
        assert!(bits.zeros(60).is_err());
    }
}
