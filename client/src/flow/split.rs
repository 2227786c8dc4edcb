//! Images in little memory: their pixels pass through as they are, and only what stands before them is looked at.
//!
//! Uncompressed Pixel Data (7FE0,0010) is one value that runs to the end of its file. Such a file is taken apart into what
//! stands before the value and the value. De-identification gets the former with a value of one pixel, and must give back
//! a whole data set that ends with it; anything else is refused.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};

use pcim_dicom::deid::Result;

/// Files up to this many bytes are read whole.
const SMALL: u64 = 64 << 10;
/// How far into a file its pixels are looked for: not far at first, then as far as a header may be long.
const HEADS: [u64; 3] = [16 << 10, 1 << 20, 16 << 20];
/// The tag of Pixel Data, little endian.
const PIXEL_DATA: [u8; 4] = [0xe0, 0x7f, 0x10, 0x00];
/// Length and value of the pixel that stands for all.
const ONE_PIXEL: [u8; 6] = [2, 0, 0, 0, 0, 0];

/// A file taken apart.
#[derive(Debug)]
pub(crate) struct Split {
    /// The file up to the pixels' length, which is the last field before them.
    before: Vec<u8>,
    /// Bytes of pixels.
    length: u32,
    /// The pixels.
    pub(crate) pixels: Take<File>,
}

impl Split {
    /// Takes a file apart that is at its start; one that is small or of another form is given back as it was.
    pub(crate) fn of(mut file: File) -> io::Result<std::result::Result<Self, File>> {
        let whole = file.metadata()?.len();
        if whole <= SMALL {
            return Ok(Err(file));
        }
        let mut start = Vec::new();
        let mut value = None;
        for head in HEADS {
            let more = head - start.len() as u64;
            (&mut file).take(more).read_to_end(&mut start)?;
            value = find(&start, whole);
            if value.is_some() || (start.len() as u64) < head {
                break;
            }
        }
        let Some(value) = value else {
            file.seek(SeekFrom::Start(0))?;
            return Ok(Err(file));
        };
        start.truncate(value - 4);
        file.seek(SeekFrom::Start(value as u64))?;
        let length = whole - value as u64;
        Ok(Ok(Self {
            before: start,
            length: length as u32,
            pixels: file.take(length),
        }))
    }

    /// The file at its start, as it was.
    pub(crate) fn into_file(self) -> io::Result<File> {
        let mut file = self.pixels.into_inner();
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// A whole small file: what stands before the pixels, and one pixel.
    pub(crate) fn with_one_pixel(&self) -> Vec<u8> {
        [&self.before[..], &ONE_PIXEL].concat()
    }

    /// The file up to its pixels.
    pub(crate) fn before_pixels(&self) -> Vec<u8> {
        [&self.before[..], &self.length.to_le_bytes()].concat()
    }

    /// A small file that was made of [`with_one_pixel`](Self::with_one_pixel), up to its pixels, as if it had all of them.
    pub(crate) fn before_pixels_in(&self, mut small: Vec<u8>) -> Result<Vec<u8>> {
        let end = small.len().saturating_sub(ONE_PIXEL.len());
        let header = &self.before[self.before.len() - header_length(&self.before)..];
        if small[end..] != ONE_PIXEL || !small[..end].ends_with(header) {
            return Err(pcim_dicom::Error::Encode.into());
        }
        small.truncate(end);
        small.extend(self.length.to_le_bytes());
        Ok(small)
    }
}

/// Where the pixels begin: after a header (PS3.5 §7.1) whose even length reaches exactly to the end of the file.
fn find(start: &[u8], whole: u64) -> Option<usize> {
    let reaches = |at: usize| {
        let length = start.get(at..at + 4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?);
        let even = length % 2 == 0;
        (even && (at + 4) as u64 + u64::from(length) == whole).then_some(at + 4)
    };
    let tags = start
        .windows(4)
        .enumerate()
        .filter(|(_, tag)| *tag == PIXEL_DATA);
    tags.map(|(at, _)| at + 4)
        .find_map(|at| match start.get(at..at + 4) {
            Some(b"OW\0\0" | b"OB\0\0") => reaches(at + 4),
            _ => reaches(at),
        })
}

/// Bytes of the pixels' header without its length: with a VR (explicit) or without (implicit).
fn header_length(before: &[u8]) -> usize {
    if before.ends_with(b"OW\0\0") || before.ends_with(b"OB\0\0") {
        8
    } else {
        4
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Seek, Write};

    use crate::flow::split::{ONE_PIXEL, SMALL, Split, find};

    #[test]
    fn the_pixels_begin_where_their_length_reaches_the_end() {
        let explicit = b"\xe0\x7f\x10\x00OW\0\0\x64\0\0\0";
        assert_eq!(find(explicit, 112), Some(12));
        assert_eq!(find(explicit, 113), None);
        let implicit = b"..\xe0\x7f\x10\x00\x64\0\0\0";
        assert_eq!(find(implicit, 110), Some(10));
        // Fragments have no length; what only looks like a header reaches nowhere.
        assert_eq!(
            find(
                b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff",
                u64::from(u32::MAX) + 12
            ),
            None
        );
        let twice = [&b"\xe0\x7f\x10\x00OW\0\0\x02\0\0\0ab"[..], &explicit[..]].concat();
        assert_eq!(find(&twice, 126), Some(26));
        assert_eq!(find(b"\xe0\x7f\x10", 3), None);
        assert_eq!(find(b"\xe0\x7f\x10\x00OW\0\0\x03\0\0\0", 15), None);
    }

    #[test]
    fn a_file_comes_apart_and_together_again() {
        let mut file = tempfile::tempfile().unwrap();
        let length = SMALL as u32 + 10;
        let head = [&b"head\xe0\x7f\x10\x00OW\0\0"[..], &length.to_le_bytes()].concat();
        file.write_all(&head).unwrap();
        file.write_all(&vec![7; length as usize]).unwrap();
        file.rewind().unwrap();
        let mut split = Split::of(file).unwrap().unwrap();
        assert_eq!(split.before_pixels(), head);
        let small = split.with_one_pixel();
        assert_eq!(small, [&head[..12], &ONE_PIXEL].concat());
        let changed = [b"other", &small[4..]].concat();
        let expected = [b"other", &head[4..]].concat();
        assert_eq!(split.before_pixels_in(changed), Ok(expected));
        for bad in [
            &small[..small.len() - 1],
            b"",
            &b"head......OW\0\0\x02\0\0\0\0\0"[..],
        ] {
            assert!(split.before_pixels_in(bad.to_vec()).is_err(), "{bad:?}");
        }
        let mut pixels = Vec::new();
        split.pixels.read_to_end(&mut pixels).unwrap();
        assert!(pixels == vec![7; length as usize]);
    }

    #[test]
    fn a_small_or_other_file_is_left_as_it_is() {
        for size in [1000, SMALL as usize + 1] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&vec![7; size]).unwrap();
            file.rewind().unwrap();
            let mut file = Split::of(file).unwrap().unwrap_err();
            assert_eq!(file.stream_position().unwrap(), 0);
        }
    }
}
