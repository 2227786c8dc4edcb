//! Marker segments, as JPEG (T.81 §B.1.1) and JPEG-LS (T.87 §C.1) have them.

use super::decoded::{SHORT, Undecodable};

/// Start of image.
pub(super) const SOI: u8 = 0xd8;
/// End of image.
pub(super) const EOI: u8 = 0xd9;
/// Start of scan.
pub(super) const SOS: u8 = 0xda;

/// A marker with its parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    /// The parameters, without their length.
    pub(super) body: &'a [u8],
    /// The first byte of the marker, counted from the start of the image.
    pub(super) start: usize,
    /// The byte behind the segment.
    pub(super) end: usize,
}

/// The segments of an image, one after the other.
pub(super) struct Segments<'a> {
    data: &'a [u8],
    at: usize,
    /// The least second byte of a marker inside entropy-coded data.
    least: u8,
}

impl<'a> Segments<'a> {
    /// Begins behind the start of an image; `stuffed` is the least byte that makes a marker of a byte of ones before it.
    pub(super) fn new(data: &'a [u8], stuffed: u8) -> Result<Self, Undecodable> {
        match data {
            [0xff, SOI, ..] => Ok(Self {
                data,
                at: 2,
                least: stuffed,
            }),
            _ => Err("it does not begin with a start of image"),
        }
    }

    /// Reads the next segment.
    pub(super) fn next(&mut self) -> Result<Segment<'a>, Undecodable> {
        while let Some([0xff, 0xff]) = self.data.get(self.at..self.at + 2) {
            self.at += 1;
        }
        let start = self.at;
        let Some(&[0xff, marker]) = self.data.get(start..start + 2) else {
            return Err(SHORT);
        };
        // Markers without parameters.
        if matches!(marker, 0x01 | 0xd0..=0xd9) {
            self.at += 2;
            return Ok(Segment {
                marker,
                body: &[],
                start,
                end: self.at,
            });
        }
        let length = self.data.get(start + 2..start + 4).ok_or(SHORT)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let end = start + 2 + length;
        let body = self.data.get(start + 4..end).ok_or(SHORT)?;
        self.at = end;
        Ok(Segment {
            marker,
            body,
            start,
            end,
        })
    }

    /// Passes over entropy-coded data from where the last segment ended, and its restart markers; returns them.
    pub(super) fn coded(&mut self) -> &'a [u8] {
        let start = self.at;
        let rest = &self.data[start..];
        let marker = rest.windows(2).position(|pair| {
            pair[0] == 0xff
                && pair[1] >= self.least
                && pair[1] != 0xff
                && !(0xd0..=0xd7).contains(&pair[1])
        });
        self.at = start + marker.unwrap_or(rest.len());
        &self.data[start..self.at]
    }

    /// The place that was reached.
    pub(super) fn position(&self) -> usize {
        self.at
    }
}
