//! Frames of pixels, whatever they are stored as: interleaved, little endian, without unused bits (PS3.5 §8, §A.4).

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_encoding::Endianness;

use super::codec::{self, Codec};
use super::error::{Error, Result};
use super::file::File;
use super::format::{Format, Frame, normalize};
use super::tree::{DataSet, Value};

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
