//! Frames of pixels, whatever they are stored as: interleaved, little endian, without unused bits (PS3.5 §8, §A.4).

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_encoding::Endianness;

use super::codec::{self, Codec};
use super::error::{Error, Result};
use super::file::File;
use super::format::{Format, Frame, Stored, normalize};
use super::fragments::split;
use super::tree::Value;

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
        Value::Fragments(_) => {
            Codec::of(file.syntax.uid())?;
            let pieces = pieces(file, format, frame)?;
            codec::decode(file.syntax.uid(), &pieces.concat(), format)
        }
        Value::Items(_) => Err(Error::Malformed),
    }
}

/// A frame as it is stored, counted from 0: its compressed bytes, or its samples, little endian, from a whole byte on.
///
/// # Errors
/// As [`decode`], but for those of decoding.
pub(crate) fn stored(file: &File, format: &Format, frame: usize) -> Result<Vec<u8>> {
    let missing = Error::Missing {
        attribute: "Pixel Data",
    };
    let pixels = file.data_set.get(&tags::PIXEL_DATA).ok_or(missing)?;
    let bytes = match &pixels.value {
        Value::Bytes(bytes) => bytes,
        Value::Fragments(_) => return Ok(pieces(file, format, frame)?.concat()),
        Value::Items(_) => return Err(Error::Malformed),
    };
    let (first, last) = span(format, frame)?;
    if format.allocated == 1 && first % 8 != 0 {
        let bit = |n: usize| bytes.get(n / 8).map(|byte| byte >> (n % 8) & 1);
        let mut packed = vec![0; (last - first).div_ceil(8)];
        for n in first..last {
            packed[(n - first) / 8] |= bit(n).ok_or(Error::Malformed)? << ((n - first) % 8);
        }
        return Ok(packed);
    }
    let range = first / 8..last.div_ceil(8);
    let width = match (file.order(), format.allocated) {
        (Endianness::Big, 8) if pixels.vr == VR::OW => {
            let at = |n: usize| bytes.get(n ^ 1).copied();
            return range.map(at).collect::<Option<_>>().ok_or(Error::Malformed);
        }
        (Endianness::Big, _) => format.width(),
        (Endianness::Little, _) => 1,
    };
    let stored = bytes.get(range).ok_or(Error::Malformed)?;
    let samples = stored.chunks(width);
    Ok(match width {
        1 => stored.to_vec(),
        _ => samples.flat_map(|it| it.iter().rev().copied()).collect(),
    })
}

/// The first bit of a frame that is not compressed, and the one behind its last.
fn span(format: &Format, frame: usize) -> Result<(usize, usize)> {
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
    Ok((first, last))
}

/// Checks whether the file's compression is one that is decoded here.
pub(crate) fn is_decoded(file: &File) -> bool {
    Codec::of(file.syntax.uid()).is_ok()
}

/// The bits of a sample as a compressed frame has them.
///
/// # Errors
/// As [`decode`].
pub(crate) fn coded_bits(file: &File, format: &Format, frame: usize) -> Result<u32> {
    let codec = Codec::of(file.syntax.uid())?;
    let pieces = pieces(file, format, frame)?;
    codec::coded_bits(codec, &pieces.concat(), format)
}

/// The fragments of one frame.
fn pieces<'a>(file: &'a File, format: &Format, frame: usize) -> Result<Vec<&'a [u8]>> {
    let mut frames = split(file, format)?;
    match frame < frames.len() {
        true => Ok(frames.swap_remove(frame)),
        false => Err(Error::Malformed),
    }
}

/// A frame of pixels that are not compressed.
fn native(
    pixels: &[u8],
    format: &Format,
    frame: usize,
    order: Endianness,
    swapped: bool,
) -> Result<Frame> {
    let (first, last) = span(format, frame)?;
    let (plane, bits) = (format.rows * format.columns, last - first);
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
        normalize(&mut bytes, width, Stored::of(format));
    }
    Ok(Frame {
        bytes,
        width,
        signed: format.signed && format.allocated > 1,
        colour: format.colour,
        beyond: false,
        clamped: false,
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
