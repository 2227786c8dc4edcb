//! Frames of pixels, whatever they are stored as: interleaved, little endian, without unused bits (PS3.5 §8, §A.4).

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::Endianness;

use super::codec::{self, Codec};
use super::file::File;
use super::tree::{DataSet, Value, short, text};
use super::{Error, Result};

/// The most bytes of one decoded frame.
pub(crate) const FRAME_MAX: u64 = 256 << 20;

/// What the samples of a pixel are (PS3.3 §C.7.6.3.1.2).
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

/// How the pixels of an image are described (PS3.3 §C.7.6.3).
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
    planar: bool,
    /// Whether two pixels share their chrominance.
    subsampled: bool,
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

/// Decodes a frame, counted from 0.
///
/// # Errors
/// [`Error::NoSuchFrame`], [`Error::Missing`] without pixel data, [`Error::Codec`] and [`Error::TransferSyntax`] if they
/// cannot be decoded, [`Error::Malformed`] if they are fewer than the image has.
pub(crate) fn decode(file: &File, format: &Format, frame: usize) -> Result<Frame> {
    if frame >= format.frames {
        return Err(Error::NoSuchFrame {
            wanted: frame as u64 + 1,
            frames: format.frames,
        });
    }
    let missing = Error::Missing {
        attribute: "Pixel Data",
    };
    let pixels = file.data_set.get(&tags::PIXEL_DATA).ok_or(missing)?;
    match &pixels.value {
        Value::Bytes(bytes) => {
            let order = file.order();
            let swapped = order == Endianness::Big && pixels.vr == VR::OW && format.allocated == 8;
            native(bytes, format, frame, order, swapped)
        }
        Value::Fragments(fragments) => {
            let codec = Codec::of(file.syntax.uid())?;
            let pieces = pieces(&file.data_set, fragments, format, frame, codec)?;
            codec::decode(codec, &pieces.concat(), format)
        }
        Value::Items(_) => Err(Error::Malformed),
    }
}

/// The fragments of one frame, behind the offset table (PS3.5 §A.4).
fn pieces<'a>(
    data_set: &DataSet,
    fragments: &'a [Vec<u8>],
    format: &Format,
    frame: usize,
    codec: Codec,
) -> Result<Vec<&'a [u8]>> {
    let (table, fragments) = fragments.split_first().ok_or(Error::Malformed)?;
    let all = || fragments.iter().map(Vec::as_slice);
    if format.frames == 1 {
        return Ok(all().collect());
    }
    if fragments.len() == format.frames {
        return Ok(all().skip(frame).take(1).collect());
    }
    // Where each frame begins, counted in bytes from the first fragment's item header.
    let extended = data_set.get(&tags::EXTENDED_OFFSET_TABLE);
    let extended = extended.and_then(|e| e.as_bytes()).unwrap_or_default();
    let starts: Vec<u64> = match (extended.is_empty(), table.is_empty()) {
        (false, _) => extended
            .chunks_exact(8)
            .map(|c| c.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
            .collect(),
        (true, false) => table
            .chunks_exact(4)
            .map(|c| c.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
            .collect(),
        (true, true) => {
            let mut at = 0;
            let mut starts = Vec::new();
            for fragment in fragments {
                if codec.begins(fragment) {
                    starts.push(at);
                }
                at += fragment.len() as u64 + 8;
            }
            starts
        }
    };
    if starts.len() != format.frames {
        return Err(Error::Malformed);
    }
    let start = starts[frame];
    let end = starts.get(frame + 1).copied().unwrap_or(u64::MAX);
    let mut at = 0;
    let mut pieces = Vec::new();
    for fragment in all() {
        if (start..end).contains(&at) {
            pieces.push(fragment);
        }
        at += fragment.len() as u64 + 8;
    }
    Ok(pieces)
}

/// A frame of pixels that are not compressed.
fn native(
    pixels: &[u8],
    format: &Format,
    frame: usize,
    order: Endianness,
    swapped: bool,
) -> Result<Frame> {
    let plane = format.rows * format.columns;
    let bits = match format.subsampled {
        true if format.allocated != 8 || format.columns % 2 == 1 => {
            return Err(Error::Unsupported {
                attribute: "Bits Allocated of subsampled pixels",
                found: format.allocated.into(),
            });
        }
        true => plane * 16,
        false => plane * format.samples * format.allocated as usize,
    };
    let first = bits.checked_mul(frame).ok_or(Error::Malformed)?;
    let last = first.checked_add(bits).ok_or(Error::Malformed)?;
    let range = first / 8..last.div_ceil(8);
    // Bytes that lie in pairs, the second first, are counted over all frames.
    let paired = match swapped {
        true if range.end > pixels.len().next_multiple_of(2) => None,
        true => range.clone().map(|n| pixels.get(n ^ 1).copied()).collect(),
        false => Some(Vec::new()),
    };
    let paired: Vec<u8> = paired.ok_or(Error::Malformed)?;
    let pixels = match swapped {
        true => &paired,
        false => pixels.get(range).ok_or(Error::Malformed)?,
    };
    let width = format.width();
    let bytes = match format.allocated {
        // Packed from the least significant bit on (PS3.5 §8.1.1); a frame may begin inside a byte.
        1 => {
            let bit = |n: usize| pixels[n / 8] >> (n % 8) & 1;
            (first % 8..first % 8 + bits).map(bit).collect()
        }
        8 => pixels.to_vec(),
        _ if order == Endianness::Big => {
            let samples = pixels.chunks_exact(width);
            samples.flat_map(|s| s.iter().rev().copied()).collect()
        }
        _ => pixels.to_vec(),
    };
    let mut bytes = match (format.subsampled, format.planar) {
        (true, _) => bytes
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[2], p[3], p[1], p[2], p[3]])
            .collect(),
        (false, true) => interleave(&bytes, plane, format.samples, width),
        (false, false) => bytes,
    };
    if format.allocated > 1 {
        let low = format.high + 1 - format.stored;
        normalize(&mut bytes, width, low, format.stored, format.signed);
    }
    Ok(Frame {
        bytes,
        width,
        signed: format.signed && format.allocated > 1,
        colour: format.colour,
    })
}

/// Pixel by pixel what was plane by plane.
fn interleave(planes: &[u8], plane: usize, samples: usize, width: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(planes.len());
    for pixel in 0..plane {
        for sample in 0..samples {
            let at = (sample * plane + pixel) * width;
            out.extend_from_slice(&planes[at..at + width]);
        }
    }
    out
}

/// Gives each sample all the bits of its width: those from `low` on, extended by zeros or by the sign.
pub(super) fn normalize(bytes: &mut [u8], width: usize, low: u32, stored: u32, signed: bool) {
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

/// The numbers of a look-up table (PS3.3 §C.11.1.1): entries, the first value mapped, bits of an entry, the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) first: i64,
    pub(crate) bits: u32,
    pub(crate) entries: Vec<u16>,
}

impl Table {
    /// The table of this descriptor and these data; none if there is no such table.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the data are fewer than the descriptor says.
    pub(crate) fn of(
        data_set: &DataSet,
        descriptor: Tag,
        data: Tag,
        signed: bool,
        order: Endianness,
    ) -> Result<Option<Self>> {
        let numbers = |tag| {
            let bytes = data_set.get(&tag).and_then(|e| e.as_bytes())?;
            let numbers = bytes.chunks_exact(2).map(|c| match order {
                Endianness::Little => u16::from_le_bytes([c[0], c[1]]),
                Endianness::Big => u16::from_be_bytes([c[0], c[1]]),
            });
            Some(numbers.collect::<Vec<_>>())
        };
        let (Some(described), Some(words)) = (numbers(descriptor), numbers(data)) else {
            return Ok(None);
        };
        let [length, first, bits] = described[..] else {
            return Err(Error::Malformed);
        };
        let length = match length {
            0 => 1 << 16,
            length => usize::from(length),
        };
        let vr = data_set.get(&data).map(|e| e.vr);
        let entries: Vec<u16> = if words.len() >= length {
            words[..length].to_vec()
        } else if bits <= 8 && words.len() * 2 >= length {
            // Entries of a byte each, in the order that bytes have in words.
            let swap = order == Endianness::Big && vr == Some(VR::OW);
            let bytes = words.iter().flat_map(|word| match (order, swap) {
                (Endianness::Big, false) => word.to_be_bytes(),
                _ => word.to_le_bytes(),
            });
            bytes.take(length).map(u16::from).collect()
        } else {
            return Err(Error::Malformed);
        };
        if !(1..=16).contains(&bits) {
            return Err(Error::Unsupported {
                attribute: "LUT Descriptor",
                found: bits.into(),
            });
        }
        Ok(Some(Self {
            first: match signed {
                true => i64::from(first as i16),
                false => i64::from(first),
            },
            bits: u32::from(bits),
            entries,
        }))
    }

    /// The entry for a value; those before the first and after the last get theirs.
    pub(crate) fn at(&self, value: i64) -> u16 {
        let last = self.entries.len() as i64 - 1;
        let index = (value - self.first).clamp(0, last);
        self.entries.get(index as usize).copied().unwrap_or(0)
    }
}
