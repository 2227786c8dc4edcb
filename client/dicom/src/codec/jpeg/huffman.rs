//! Huffman codes and the bits of entropy-coded data (T.81 §C, §F.2.2).

use crate::codec::decoded::{SHORT, Undecodable};

/// A table: by the next 16 bits the length of the code and its value; a length of 0 where there is no code.
#[derive(Clone)]
pub(super) struct Table(Vec<(u8, u8)>);

/// The tables of both classes, by destination.
#[derive(Clone, Default)]
pub(super) struct Tables {
    /// Of differences: DC coefficients, lossless samples.
    pub(super) differences: [Option<Table>; 4],
    /// Of AC coefficients.
    pub(super) coefficients: [Option<Table>; 4],
}

impl Tables {
    /// Reads the tables of a DHT segment.
    pub(super) fn define(&mut self, mut body: &[u8]) -> Result<(), Undecodable> {
        while let Some((&class, rest)) = body.split_first() {
            let (counts, rest) = rest.split_at_checked(16).ok_or(SHORT)?;
            let length = counts.iter().map(|n| usize::from(*n)).sum();
            let (values, rest) = rest.split_at_checked(length).ok_or(SHORT)?;
            let table = Table::new(counts, values)?;
            let group = match class >> 4 {
                0 => &mut self.differences,
                1 => &mut self.coefficients,
                _ => return Err("a Huffman table is of no class"),
            };
            let place = group.get_mut(usize::from(class & 15));
            *place.ok_or("a Huffman table has no destination")? = Some(table);
            body = rest;
        }
        Ok(())
    }
}

impl Table {
    fn new(counts: &[u8], values: &[u8]) -> Result<Self, Undecodable> {
        let mut table = vec![(0, 0); 1 << 16];
        let (mut at, mut values) = (0, values.iter());
        for (length, &count) in (1..).zip(counts) {
            for value in values.by_ref().take(count.into()) {
                let span = 1 << (16 - length);
                let codes = table.get_mut(at..at + span);
                codes
                    .ok_or("a Huffman table has too many codes")?
                    .fill((length, *value));
                at += span;
            }
        }
        Ok(Self(table))
    }
}

/// Bits of entropy-coded data, up to the next marker.
pub(super) struct EntropyBits<'a> {
    data: &'a [u8],
    at: usize,
    /// Bits not yet taken, the next one highest; zeros behind them.
    held: u64,
    count: u32,
}

impl<'a> EntropyBits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            held: 0,
            count: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.data.get(self.at..) {
                Some([0xff, 0, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some([0xff, ..] | []) | None => return,
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn drop(&mut self, bits: u32) -> Result<(), Undecodable> {
        self.count = self.count.checked_sub(bits).ok_or(SHORT)?;
        self.held <<= bits;
        Ok(())
    }

    /// Reads a code; there are then 16 more bits at hand, if the data have them.
    pub(super) fn code(&mut self, table: &Table) -> Result<u8, Undecodable> {
        if self.count < 32 {
            self.fill();
        }
        let (length, value) = table.0[(self.held >> 48) as usize];
        if length == 0 {
            return Err("it has a code that its Huffman table does not know");
        }
        self.drop(length.into())?;
        Ok(value)
    }

    /// Reads a number of so many bits, at most 15, and extends it by its sign (§F.2.2.1).
    pub(super) fn signed(&mut self, bits: u8) -> Result<i32, Undecodable> {
        if bits == 0 {
            return Ok(0);
        }
        let value = (self.held >> (64 - u32::from(bits))) as i32;
        self.drop(bits.into())?;
        let half = 1 << (bits - 1);
        Ok(match value < half {
            true => value - 2 * half + 1,
            false => value,
        })
    }

    /// Passes over a restart marker, which must be the next in turn (§E.2.4).
    pub(super) fn restart(&mut self, number: usize) -> Result<(), Undecodable> {
        (self.held, self.count) = (0, 0);
        while let Some([0xff, 0xff]) = self.data.get(self.at..self.at + 2) {
            self.at += 1;
        }
        match self.data.get(self.at..self.at + 2) {
            Some([0xff, marker]) if usize::from(*marker) == 0xd0 + number % 8 => {
                self.at += 2;
                Ok(())
            }
            _ => Err("a restart marker is missing or out of turn"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn codes_and_numbers_are_read_and_not_beyond_the_end() {
        // Codes 0 and 10.
        let mut tables = Tables::default();
        let mut body = vec![0x01, 1, 1];
        body.extend([0; 14]);
        body.extend([3, 5]);
        tables.define(&body).unwrap();
        let table = tables.differences[1].as_ref().unwrap();
        // 0 101, 10 00001, 0 011, 0…: a zero is put behind a byte of ones.
        let data = [0b0101_1000, 0b0010_0110];
        let mut bits = EntropyBits::new(&data);
        assert_eq!(bits.code(table), Ok(3));
        assert_eq!(bits.signed(3), Ok(5));
        assert_eq!(bits.code(table), Ok(5));
        assert_eq!(bits.signed(5), Ok(-30));
        assert_eq!(bits.code(table), Ok(3));
        assert_eq!(bits.signed(3), Ok(-4));
        assert_eq!(bits.signed(1), Ok(-1));
        assert_eq!(bits.signed(1), Err(SHORT));
        let mut bits = EntropyBits::new(&[0xff, 0x00, 0xff, 0xd3, 0x00]);
        assert!(bits.code(table).is_err());
        assert!(bits.restart(2).is_err());
        let mut bits = EntropyBits::new(&[0xff, 0xff, 0xd3, 0x00]);
        assert_eq!(bits.restart(3), Ok(()));
        assert_eq!(bits.code(table), Ok(3));
    }

    #[test]
    fn tables_that_are_none_are_refused() {
        let define = |body: &[u8]| Tables::default().define(body);
        assert!(define(&[0]).is_err());
        assert!(define(&[[0x04].as_slice(), &[0; 16]].concat()).is_err());
        assert!(define(&[[0x20].as_slice(), &[0; 16]].concat()).is_err());
        let three_of_one_bit = [[0, 3].as_slice(), &[0; 15], &[1, 2, 3]].concat();
        assert!(define(&three_of_one_bit).is_err());
    }
}
