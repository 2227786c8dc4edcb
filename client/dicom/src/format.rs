//! The description of an image's pixels (PS3.3 §C.7.6.3), and frames as they are once decoded.

use dicom_dictionary_std::tags;
use dicom_encoding::Endianness;

use super::error::{Error, Result};
use super::tree::{DataSet, short, text};

/// The most bytes of one decoded frame.
pub(crate) const FRAME_MAX: u64 = 256 << 20;

/// The meaning of a pixel's samples (PS3.3 §C.7.6.3.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// MONOCHROME1: the least value is white.
    Inverse,
    /// MONOCHROME2: the least value is black.
    Grey,
    /// PALETTE COLOR.
    Palette,
    /// RGB, and what a codec turns into RGB by itself.
    Rgb,
    /// YBR_FULL and its subsampled forms.
    YbrFull,
    /// YBR_PARTIAL_422 (retired): of the ranges of ITU-R BT.601.
    YbrPartial,
}

/// The description of an image's pixels (PS3.3 §C.7.6.3).
#[derive(Clone, Debug)]
pub(crate) struct Format {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) frames: usize,
    /// Samples of a pixel: 1 or 3.
    pub(crate) samples: usize,
    /// Bits of a sample as it is stored: 1, 8, 16 or 32.
    pub(crate) allocated: u32,
    /// Bits of a sample that mean something.
    pub(crate) stored: u32,
    /// The highest of them.
    pub(crate) high: u32,
    pub(crate) signed: bool,
    pub(crate) colour: Colour,
    /// Whether each sample has a plane of its own.
    pub(crate) planar: bool,
    /// Whether two pixels share their chrominance.
    pub(crate) subsampled: bool,
}

/// One decoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Pixel by pixel, little endian; each sample has all the bits of its width.
    pub(crate) bytes: Vec<u8>,
    /// Bytes of a sample: 1, 2 or 4.
    pub(crate) width: usize,
    pub(crate) signed: bool,
    pub(crate) colour: Colour,
    /// Bits beside those stored said something, and were left out.
    pub(crate) beyond: bool,
    /// Samples were beyond the range of those stored, and were brought into it.
    pub(crate) clamped: bool,
}

impl Frame {
    /// The samples as numbers.
    pub(crate) fn samples(&self) -> impl Iterator<Item = i64> + '_ {
        let signed = self.signed;
        self.bytes
            .chunks_exact(self.width)
            .map(move |bytes| match (bytes, signed) {
                (&[a], false) => i64::from(a),
                (&[a], true) => i64::from(a as i8),
                (&[a, b], false) => i64::from(u16::from_le_bytes([a, b])),
                (&[a, b], true) => i64::from(i16::from_le_bytes([a, b])),
                (&[a, b, c, d], false) => i64::from(u32::from_le_bytes([a, b, c, d])),
                (&[a, b, c, d], true) => i64::from(i32::from_le_bytes([a, b, c, d])),
                _ => 0,
            })
    }
}

impl Format {
    /// The description in a data set.
    pub(crate) fn of(data_set: &DataSet, order: Endianness) -> Result<Self> {
        let number = |tag, attribute| {
            short(data_set, tag, order)
                .map(u32::from)
                .ok_or(Error::Missing { attribute })
        };
        let frames = match text(data_set, tags::NUMBER_OF_FRAMES) {
            Some(text) => frame_count(&text).ok_or(Error::Malformed)?,
            None => 1,
        };
        let samples = number(tags::SAMPLES_PER_PIXEL, "Samples per Pixel")?;
        let allocated = number(tags::BITS_ALLOCATED, "Bits Allocated")?;
        let stored = number(tags::BITS_STORED, "Bits Stored").unwrap_or(allocated);
        let high = number(tags::HIGH_BIT, "High Bit").unwrap_or(stored.saturating_sub(1));
        let unsupported = |attribute, found: u32| Error::Unsupported {
            attribute,
            found: found.into(),
        };
        if !matches!(allocated, 1 | 8 | 16 | 32) {
            return Err(unsupported("Bits Allocated", allocated));
        }
        if stored == 0 || stored > allocated {
            return Err(unsupported("Bits Stored", stored));
        }
        if high + 1 < stored || high >= allocated {
            return Err(unsupported("High Bit", high));
        }
        let photometric = text(data_set, tags::PHOTOMETRIC_INTERPRETATION);
        let photometric = photometric.ok_or(Error::Missing {
            attribute: "Photometric Interpretation",
        })?;
        let colour = match photometric.as_str() {
            "MONOCHROME1" => Colour::Inverse,
            "MONOCHROME2" => Colour::Grey,
            "PALETTE COLOR" => Colour::Palette,
            "RGB" | "YBR_RCT" | "YBR_ICT" => Colour::Rgb,
            "YBR_FULL" | "YBR_FULL_422" | "YBR_PARTIAL_420" => Colour::YbrFull,
            "YBR_PARTIAL_422" => Colour::YbrPartial,
            other => {
                return Err(Error::Unsupported {
                    attribute: "Photometric Interpretation (the length of its code)",
                    found: other.len() as u64,
                });
            }
        };
        let wanted = match colour {
            Colour::Inverse | Colour::Grey | Colour::Palette => 1,
            _ => 3,
        };
        if samples != wanted {
            return Err(unsupported("Samples per Pixel", samples));
        }
        let rows = number(tags::ROWS, "Rows")? as usize;
        let columns = number(tags::COLUMNS, "Columns")? as usize;
        if rows == 0 || columns == 0 || frames == 0 {
            return Err(Error::Malformed);
        }
        let format = Self {
            rows,
            columns,
            frames,
            samples: samples as usize,
            allocated,
            stored,
            high,
            signed: short(data_set, tags::PIXEL_REPRESENTATION, order) == Some(1),
            colour,
            planar: samples == 3 && short(data_set, tags::PLANAR_CONFIGURATION, order) == Some(1),
            subsampled: photometric.ends_with("_422") || photometric.ends_with("_420"),
        };
        let found = format.frame_bytes() as u64;
        match found > FRAME_MAX {
            true => Err(Error::TooManyPixels {
                found,
                max: FRAME_MAX,
            }),
            false => Ok(format),
        }
    }

    /// The description of a single frame without a sign, all bits stored.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn plain(rows: usize, columns: usize, samples: usize, bits: u32) -> Self {
        Self {
            rows,
            columns,
            frames: 1,
            samples,
            allocated: bits,
            stored: bits,
            high: bits - 1,
            signed: false,
            colour: if samples == 3 {
                Colour::Rgb
            } else {
                Colour::Grey
            },
            planar: false,
            subsampled: false,
        }
    }

    /// Bytes of a sample when it is decoded.
    pub(crate) fn width(&self) -> usize {
        self.allocated.div_ceil(8) as usize
    }

    /// Bytes of a frame when it is decoded; at most [`FRAME_MAX`].
    pub(crate) fn frame_bytes(&self) -> usize {
        // At most 2^16 × 2^16 × 3 × 4.
        self.rows * self.columns * self.samples * self.width()
    }
}

/// A whole number, which some write as a decimal.
pub(crate) fn frame_count(text: &str) -> Option<usize> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('+').parse().ok()?;
    fraction.bytes().all(|b| b == b'0').then_some(whole)
}

/// The bits of a sample that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The lowest of them.
    pub(crate) low: u32,
    pub(crate) bits: u32,
    pub(crate) signed: bool,
}

impl Stored {
    pub(crate) fn of(format: &Format) -> Self {
        Self {
            low: format.high + 1 - format.stored,
            bits: format.stored,
            signed: format.signed,
        }
    }

    /// Checks whether the bits beside those stored say anything: other than zeros, or than the sign where all negative
    /// samples carry it.
    pub(crate) fn unused(self, bytes: &[u8], width: usize, order: Endianness) -> bool {
        if self.low == 0 && self.bits == 8 * width as u32 {
            return false;
        }
        match width {
            1 => self.unused_of::<1>(bytes, order),
            2 => self.unused_of::<2>(bytes, order),
            _ => self.unused_of::<4>(bytes, order),
        }
    }

    /// [`unused`](Self::unused) for samples of so many bytes; the loop has no branches.
    fn unused_of<const WIDTH: usize>(self, bytes: &[u8], order: Endianness) -> bool {
        let all = u32::MAX >> (32 - 8 * WIDTH);
        let mask = (u32::MAX >> (32 - self.bits)) << self.low;
        let beside = all & !mask;
        let above = beside & !((1 << self.low) - 1);
        let sign = match self.signed {
            true => 1 << (self.low + self.bits - 1),
            false => 0,
        };
        let big = order == Endianness::Big;
        let (mut plain, mut extended, mut other) = (false, false, false);
        for sample in bytes.chunks_exact(WIDTH) {
            let mut wide = [0; 4];
            wide[..WIDTH].copy_from_slice(sample);
            let value = match big {
                true => u32::from_be_bytes(wide) >> (32 - 8 * WIDTH),
                false => u32::from_le_bytes(wide),
            };
            let found = value & beside;
            let negative = value & sign != 0;
            let full = negative & (found == above) & (above != 0);
            plain |= negative & (found == 0);
            extended |= full;
            other |= (found != 0) & !full;
        }
        other || plain && extended
    }

    /// A sample without the bits beside those stored; a negative one extended by its sign.
    pub(crate) fn value(self, value: u64) -> u64 {
        let left = 64 - self.bits - self.low;
        match self.signed {
            true => ((value << left) as i64 >> (64 - self.bits)) as u64,
            false => value << left >> (64 - self.bits),
        }
    }
}

/// The number that the bytes of a sample are.
fn number(sample: &[u8], order: Endianness) -> u64 {
    let add = |n: u64, b: &u8| n << 8 | u64::from(*b);
    match order {
        Endianness::Little => sample.iter().rev().fold(0, add),
        Endianness::Big => sample.iter().fold(0, add),
    }
}

/// Gives each sample all the bits of its width: those that are stored, extended by zeros or by the sign.
pub(crate) fn normalize(bytes: &mut [u8], width: usize, stored: Stored) {
    if stored.low == 0 && stored.bits == 8 * width as u32 {
        return;
    }
    for sample in bytes.chunks_exact_mut(width) {
        let value = stored.value(number(sample, Endianness::Little));
        sample.copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

/// Clears the bits beside those stored where they are; negative samples carry their sign above. Only whole bytes of a sample.
pub(crate) fn clear(bytes: &mut [u8], width: usize, stored: Stored, order: Endianness) {
    for sample in bytes.chunks_exact_mut(width) {
        let value = stored.value(number(sample, order)) << stored.low;
        match order {
            Endianness::Little => sample.copy_from_slice(&value.to_le_bytes()[..width]),
            Endianness::Big => sample.copy_from_slice(&value.to_be_bytes()[8 - width..]),
        }
    }
}

/// Brings samples that have all the bits of their width into the range of those stored; whether any was outside.
pub(crate) fn clamp(bytes: &mut [u8], width: usize, stored: Stored) -> bool {
    let left = 64 - 8 * width as u32;
    let (least, most) = match stored.signed {
        true => (-(1_i64 << (stored.bits - 1)), (1 << (stored.bits - 1)) - 1),
        false => (0, (1 << stored.bits) - 1),
    };
    let mut clamped = false;
    for sample in bytes.chunks_exact_mut(width) {
        let value = number(sample, Endianness::Little);
        let value = match stored.signed {
            true => (value << left) as i64 >> left,
            false => value as i64,
        };
        if !(least..=most).contains(&value) {
            clamped = true;
            let value = value.clamp(least, most).to_le_bytes();
            sample.copy_from_slice(&value[..width]);
        }
    }
    clamped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beside_the_stored_ones_are_found_and_cleared() {
        let twelve = |low, signed| Stored {
            low,
            bits: 12,
            signed,
        };
        let bytes =
            |samples: &[u16]| -> Vec<u8> { samples.iter().flat_map(|s| s.to_le_bytes()).collect() };
        for (stored, samples, unused, cleared) in [
            (twelve(0, false), vec![0, 0xfff], false, vec![0, 0xfff]),
            (twelve(0, false), vec![0x1000], true, vec![0]),
            (twelve(4, false), vec![0xfff0, 1], true, vec![0xfff0, 0]),
            (
                twelve(0, true),
                vec![0xf800, 0x7ff],
                false,
                vec![0xf800, 0x7ff],
            ),
            (
                twelve(0, true),
                vec![0x0800, 0x7ff],
                false,
                vec![0xf800, 0x7ff],
            ),
            // One bit for each negative sample would be a plane.
            (
                twelve(0, true),
                vec![0x0800, 0xf800],
                true,
                vec![0xf800, 0xf800],
            ),
            (twelve(0, true), vec![0xf7ff], true, vec![0x07ff]),
            (
                twelve(4, true),
                vec![0x8000, 0x8001],
                true,
                vec![0x8000, 0x8000],
            ),
        ] {
            for order in [Endianness::Little, Endianness::Big] {
                let turned = |mut bytes: Vec<u8>| {
                    if order == Endianness::Big {
                        bytes.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
                    }
                    bytes
                };
                let mut found = turned(bytes(&samples));
                assert_eq!(stored.unused(&found, 2, order), unused, "{samples:x?}");
                clear(&mut found, 2, stored, order);
                assert_eq!(found, turned(bytes(&cleared)), "{samples:x?}");
                assert!(!stored.unused(&found, 2, order));
            }
        }
    }

    #[test]
    fn samples_are_brought_into_range() {
        let mut bytes = [0xff, 0x0f, 0x00, 0x10, 0x00, 0x00];
        let stored = Stored {
            low: 0,
            bits: 12,
            signed: false,
        };
        assert!(clamp(&mut bytes, 2, stored));
        assert_eq!(bytes, [0xff, 0x0f, 0xff, 0x0f, 0, 0]);
        assert!(!clamp(&mut bytes, 2, stored));
        let mut bytes = 2048_i16.to_le_bytes();
        assert!(clamp(
            &mut bytes,
            2,
            Stored {
                signed: true,
                ..stored
            }
        ));
        assert_eq!(bytes, 2047_i16.to_le_bytes());
        let mut bytes = (-2049_i16).to_le_bytes();
        assert!(clamp(
            &mut bytes,
            2,
            Stored {
                signed: true,
                ..stored
            }
        ));
        assert_eq!(bytes, (-2048_i16).to_le_bytes());
    }
}
