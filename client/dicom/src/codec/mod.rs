//! Compressed frames, one at a time: RLE, JPEG (baseline and lossless), JPEG-LS, JPEG 2000.
//!
//! A frame is decoded only if it is as large as the image says; what a decoder sets aside is bounded by that.

mod decoded;
mod jpeg;
mod jpeg2000;
mod jpegls;
mod rle;

use std::panic::catch_unwind;

use super::error::{Error, Result, only_uid};
use super::format::{Format, Frame, normalize};

/// A compression of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
}

/// Compressions that are not decoded, by what their transfer syntaxes begin with.
const OTHERS: [(&str, &str); 5] = [
    ("1.2.840.10008.1.2.4.9", "JPEG 2000 Part 2 or JPIP"),
    ("1.2.840.10008.1.2.4.10", "MPEG video"),
    ("1.2.840.10008.1.2.4.11", "JPEG XL"),
    ("1.2.840.10008.1.2.4.20", "HTJ2K"),
    ("1.2.840.10008.1.2.7.", "SMPTE ST 2110 video"),
];

impl Codec {
    /// The codec of a transfer syntax (PS3.5 §A.4).
    pub(super) fn of(syntax: &str) -> Result<Self> {
        Ok(match syntax {
            "1.2.840.10008.1.2.5" => Self::Rle,
            "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" => Self::Jpeg,
            "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => Self::Jpeg,
            "1.2.840.10008.1.2.4.80" | "1.2.840.10008.1.2.4.81" => Self::JpegLs,
            "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => Self::Jpeg2000,
            other => {
                let known = OTHERS.iter().find(|(root, _)| other.starts_with(root));
                return Err(Error::Compression {
                    name: known.map_or("something else", |(_, name)| name),
                    uid: only_uid(other),
                });
            }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rle => "RLE",
            Self::Jpeg => "JPEG",
            Self::JpegLs => "JPEG-LS",
            Self::Jpeg2000 => "JPEG 2000",
        }
    }

    /// Checks whether a fragment begins a frame.
    pub(super) fn begins(self, fragment: &[u8]) -> bool {
        match self {
            Self::Rle => true,
            Self::Jpeg | Self::JpegLs => fragment.starts_with(&[0xff, 0xd8]),
            Self::Jpeg2000 => {
                fragment.starts_with(&[0xff, 0x4f]) || fragment.starts_with(b"\0\0\0\x0cjP")
            }
        }
    }
}

/// Decodes a frame, which must be what the format says.
pub(super) fn decode(codec: Codec, data: &[u8], format: &Format) -> Result<Frame> {
    let failed = |why| Error::Codec {
        codec: codec.name(),
        why,
    };
    let wide = codec == Codec::Rle && format.allocated == 32;
    if !wide && !matches!(format.allocated, 8 | 16) {
        return Err(failed("samples are not of 8 or 16 bits"));
    }
    let decode = || match codec {
        Codec::Rle => rle::decode(data, format),
        Codec::Jpeg => jpeg::decode(data, format),
        Codec::JpegLs => jpegls::decode(data, format),
        Codec::Jpeg2000 => jpeg2000::decode(data, format),
    };
    // Two of them are other people's, and assert things of the data.
    let decoded = catch_unwind(decode).unwrap_or(Err("the decoder gave up"));
    let decoded = decoded.map_err(failed)?;
    let width = format.width();
    let mut bytes = match (decoded.width, width) {
        (1, 2) => decoded.bytes.iter().flat_map(|b| [*b, 0]).collect(),
        (found, wanted) if found == wanted => decoded.bytes,
        _ => return Err(failed("samples are wider than Bits Allocated says")),
    };
    if bytes.len() != format.frame_bytes() {
        return Err(failed("there are fewer samples than pixels"));
    }
    // RLE keeps the bits where they were.
    let (low, bits) = match codec {
        Codec::Rle => (format.high + 1 - format.stored, format.stored),
        _ => (0, decoded.bits),
    };
    if !(decoded.signed && decoded.width == width) {
        normalize(&mut bytes, width, low, bits, format.signed);
    }
    let colour = match (format.samples, decoded.colour) {
        (3, Some(colour)) => colour,
        _ => format.colour,
    };
    Ok(Frame {
        bytes,
        width,
        signed: format.signed,
        colour,
    })
}
