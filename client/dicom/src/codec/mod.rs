//! Compressed frames, one at a time: RLE, JPEG (sequential and lossless), JPEG-LS, JPEG 2000, deflated ones; HTJ2K and JPEG XL
//! where the program is built with `modern-codecs`.
//!
//! A frame is decoded only if it is as large as the image says; what a decoder sets aside is bounded by that.

mod decoded;
mod deflated;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(feature = "modern-codecs")]
mod htj2k;
mod jpeg;
mod jpeg2000;
mod jpegls;
#[cfg(feature = "modern-codecs")]
mod jpegxl;
#[cfg(feature = "modern-codecs")]
mod jxlbox;
mod marker;
mod rle;
mod strip;

use std::panic::catch_unwind;

use dicom_encoding::Endianness;

pub(super) use strip::Family;

use super::error::{Error, Result, only_uid};
use super::format::{Format, Frame, Stored, clamp, normalize};

/// A compression of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
    #[cfg(feature = "modern-codecs")]
    HtJ2k,
    #[cfg(feature = "modern-codecs")]
    JpegXl,
    Deflated,
    /// Not compressed, but in fragments.
    Wrapped,
}

/// Compressions that are not decoded, by what their transfer syntaxes begin with.
const OTHERS: [(&str, &str); 7] = [
    ("1.2.840.10008.1.2.4.5", "JPEG of a retired process"),
    ("1.2.840.10008.1.2.4.6", "JPEG of a retired process"),
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
            #[cfg(feature = "modern-codecs")]
            "1.2.840.10008.1.2.4.201" | "1.2.840.10008.1.2.4.202" | "1.2.840.10008.1.2.4.203" => {
                Self::HtJ2k
            }
            #[cfg(feature = "modern-codecs")]
            "1.2.840.10008.1.2.4.110" | "1.2.840.10008.1.2.4.111" | "1.2.840.10008.1.2.4.112" => {
                Self::JpegXl
            }
            "1.2.840.10008.1.2.8.1" => Self::Deflated,
            "1.2.840.10008.1.2.1.98" => Self::Wrapped,
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
            #[cfg(feature = "modern-codecs")]
            Self::HtJ2k => "HTJ2K",
            #[cfg(feature = "modern-codecs")]
            Self::JpegXl => "JPEG XL",
            Self::Deflated => "deflated",
            Self::Wrapped => "encapsulated",
        }
    }
}

/// Checks whether samples of a transfer syntax come back as they were before compression.
fn is_lossless(syntax: &str) -> bool {
    let lossless = [
        "5", "4.57", "4.70", "4.80", "4.90", "4.110", "4.201", "4.202", "8.1", "1.98",
    ];
    let last = syntax.strip_prefix("1.2.840.10008.1.2.");
    last.is_some_and(|last| lossless.contains(&last))
}

/// The bits of a sample as they are coded; those of an image may be fewer.
///
/// # Errors
/// [`Error::Codec`] if the frame does not say.
pub(super) fn coded_bits(codec: Codec, data: &[u8], format: &Format) -> Result<u32> {
    let bits = match codec {
        Codec::Rle | Codec::Deflated | Codec::Wrapped => Ok(format.allocated),
        Codec::Jpeg => jpeg::precision(data, format),
        Codec::JpegLs => jpegls::precision(data, format),
        Codec::Jpeg2000 => jpeg2000::precision(data),
        #[cfg(feature = "modern-codecs")]
        Codec::HtJ2k => jpeg2000::precision(data),
        #[cfg(feature = "modern-codecs")]
        Codec::JpegXl => jpegxl::precision(data),
    };
    bits.map_err(|why| Error::Codec {
        codec: codec.name(),
        why,
    })
}

/// Decodes a frame, which must be what the format says.
///
/// Samples that have more bits than are stored lose those beside the stored ones where the compression has no loss, and are
/// brought into the range of the stored ones where it has.
pub(super) fn decode(syntax: &str, data: &[u8], format: &Format) -> Result<Frame> {
    let codec = Codec::of(syntax)?;
    let failed = |why| Error::Codec {
        codec: codec.name(),
        why,
    };
    let wide = match codec {
        Codec::Rle => format.allocated == 32,
        Codec::Deflated | Codec::Wrapped => true,
        _ => false,
    };
    if !wide && !matches!(format.allocated, 8 | 16) {
        return Err(failed("samples are not of 8 or 16 bits"));
    }
    let decode = || match codec {
        Codec::Rle => rle::decode(data, format),
        Codec::Jpeg => jpeg::decode(data, format),
        Codec::JpegLs => jpegls::decode(data, format),
        Codec::Jpeg2000 => jpeg2000::decode(data, format),
        #[cfg(feature = "modern-codecs")]
        Codec::HtJ2k => htj2k::decode(data, format),
        #[cfg(feature = "modern-codecs")]
        Codec::JpegXl => jpegxl::decode(data, format),
        Codec::Deflated => deflated::decode(data, format),
        Codec::Wrapped => deflated::decode_wrapped(data, format),
    };
    // Some of them are other people's, and assert things of the data.
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
    let stored = Stored::of(format);
    let mut frame = Frame {
        width,
        signed: format.signed && format.allocated > 1,
        colour: match (format.samples, decoded.colour) {
            (3, Some(colour)) => colour,
            _ => format.colour,
        },
        beyond: false,
        clamped: false,
        bytes: Vec::new(),
    };
    let more = decoded.bits > format.stored;
    if more && is_lossless(syntax) && decoded.bits > format.high {
        frame.beyond = stored.unused(&bytes, width, Endianness::Little);
        normalize(&mut bytes, width, stored);
    } else {
        let coded = Stored {
            low: 0,
            bits: decoded.bits,
            signed: format.signed,
        };
        normalize(&mut bytes, width, coded);
        if more {
            frame.clamped = clamp(&mut bytes, width, stored);
        }
    }
    frame.bytes = bytes;
    Ok(frame)
}
