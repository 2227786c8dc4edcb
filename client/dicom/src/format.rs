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

/// Gives each sample all the bits of its width: those from `low` on, extended by zeros or by the sign.
pub(crate) fn normalize(bytes: &mut [u8], width: usize, low: u32, stored: u32, signed: bool) {
    let bits = 8 * width as u32;
    if low == 0 && stored == bits {
        return;
    }
    let left = 64 - stored - low;
    for sample in bytes.chunks_exact_mut(width) {
        let value = sample
            .iter()
            .rev()
            .fold(0, |n: u64, b| n << 8 | u64::from(*b));
        let value = match signed {
            true => ((value << left) as i64 >> (64 - stored)) as u64,
            false => value << left >> (64 - stored),
        };
        sample.copy_from_slice(&value.to_le_bytes()[..width]);
    }
}
