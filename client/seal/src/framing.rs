//! Lengths of packets in the new format (RFC 9580 §4.2.1): whole, or in parts where the length is not known before.

use std::io::{self, Read};

use super::stages::read_full;
use super::{Error, Result};

/// The fewest bytes of a packet's first part.
const FIRST_MIN: u64 = 512;

/// The meaning of a length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// This number of bytes, and no more.
    Whole(u64),
    /// This number of bytes, and another length after them.
    Part(u64),
}

impl Length {
    /// Reads the field at the start of `bytes`, and how many bytes it takes; none if there are too few.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let first = *bytes.first()?;
        Some(match first {
            0..192 => (Self::Whole(first.into()), 1),
            192..224 => {
                let high = u64::from(first - 192) << 8;
                (Self::Whole(high + u64::from(*bytes.get(1)?) + 192), 2)
            }
            255 => {
                let four = bytes.get(1..5)?.try_into().ok()?;
                (Self::Whole(u32::from_be_bytes(four).into()), 5)
            }
            224..255 => (Self::Part(1 << (first & 31)), 1),
        })
    }

    /// Returns true if a packet may begin with this length.
    pub(super) fn may_begin(self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Part(bytes) => bytes >= FIRST_MIN,
        }
    }
}

/// The field of a whole or last length, in as few bytes as it takes.
pub(super) fn whole(bytes: usize) -> Vec<u8> {
    match bytes {
        0..192 => vec![bytes as u8],
        192..8384 => {
            let [high, low] = ((bytes - 192) as u16).to_be_bytes();
            vec![high + 192, low]
        }
        _ => {
            let mut field = vec![255];
            field.extend((bytes as u32).to_be_bytes());
            field
        }
    }
}

/// The field of a part of 2^`log` bytes.
pub(super) fn part(log: u8) -> [u8; 1] {
    [224 | log]
}

/// The body of a packet in a stream, after its tag.
pub(super) struct Body<'a> {
    source: &'a mut (dyn Read + Send + Sync),
    /// Bytes of the part that is read.
    left: u64,
    last: bool,
}

impl<'a> Body<'a> {
    /// Reads the first length.
    pub(super) fn begin(source: &'a mut (dyn Read + Send + Sync)) -> Result<(Self, Length)> {
        let mut body = Self {
            source,
            left: 0,
            last: false,
        };
        let first = body.next_length()?;
        Ok((body, first))
    }

    /// Fills the buffer unless the body ends.
    pub(super) fn read_full(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.left == 0 {
                if self.last {
                    break;
                }
                self.next_length()?;
                continue;
            }
            let rest = &mut buffer[filled..];
            let wanted = rest
                .len()
                .min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.exactly(filled, wanted, buffer)?;
            filled += wanted;
            self.left -= wanted as u64;
        }
        Ok(filled)
    }

    /// Confirms that nothing follows the body.
    pub(super) fn expect_end(&mut self) -> Result<()> {
        match read_full(self.source, &mut [0]).map_err(Error::Read)? {
            0 => Ok(()),
            _ => Err(Error::Structure {
                wanted: "the end",
                found: "more bytes".to_owned(),
            }),
        }
    }

    fn next_length(&mut self) -> Result<Length> {
        let mut field = [0; 5];
        let mut read = 0;
        let length = loop {
            self.exactly(read, 1, &mut field)?;
            read += 1;
            if let Some((length, _)) = Length::parse(&field[..read]) {
                break length;
            }
        };
        match length {
            Length::Whole(bytes) => (self.left, self.last) = (bytes, true),
            Length::Part(bytes) => self.left = bytes,
        }
        Ok(length)
    }

    fn exactly(&mut self, at: usize, wanted: usize, buffer: &mut [u8]) -> Result<()> {
        let read = read_full(self.source, &mut buffer[at..at + wanted]).map_err(Error::Read)?;
        if read < wanted {
            let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the packet is cut short");
            return Err(Error::Damaged(cut.into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Body, Length, part, whole};

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for bytes in [0, 1, 191, 192, 8383, 8384, 70_000, u32::MAX as usize] {
            let field = whole(bytes);
            assert_eq!(
                Length::parse(&field),
                Some((Length::Whole(bytes as u64), field.len()))
            );
            assert_eq!(Length::parse(&field[..field.len() - 1]), None);
        }
        assert_eq!(Length::parse(&part(20)), Some((Length::Part(1 << 20), 1)));
        assert!(Length::Part(512).may_begin() && !Length::Part(256).may_begin());
    }

    #[test]
    fn a_body_is_its_parts_and_ends_with_them() {
        let stream = [
            &part(2)[..],
            b"abcd",
            &part(0),
            b"e",
            &whole(2),
            b"fg",
            b"x",
        ]
        .concat();
        let mut source = &stream[..];
        let (mut body, first) = Body::begin(&mut source).unwrap();
        assert_eq!(first, Length::Part(4));
        let mut found = [0; 3];
        assert_eq!(body.read_full(&mut found).unwrap(), 3);
        assert_eq!(&found, b"abc");
        let mut rest = [0; 9];
        assert_eq!(body.read_full(&mut rest).unwrap(), 4);
        assert_eq!(&rest[..4], b"defg");
        assert_eq!(body.read_full(&mut rest).unwrap(), 0);
        assert!(body.expect_end().is_err());
        for cut in 0..stream.len() - 1 {
            let mut source = &stream[..cut];
            let read = Body::begin(&mut source).and_then(|(mut body, _)| body.read_full(&mut rest));
            assert!(read.is_err(), "cut at {cut}");
        }
    }
}
