//! Pixels that cannot be blanked as they are stored become pixels that can: decoded, uncompressed, in Explicit VR Little
//! Endian.
//!
//! Their description changes with them (PS3.3 §C.7.6.3): Photometric Interpretation where chrominance was shared or a codec made
//! RGB, Planar Configuration, the bits beside the stored ones. Offset tables go. That the pixels were once compressed with a
//! loss stays said, or is said now (Lossy Image Compression, its method and its ratio, §C.7.6.1.1.5).

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::{Endianness, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::error::{Error, Result};
use crate::error::Error as DicomError;
use crate::file::File;
use crate::format::{Colour, Format};
use crate::frame;
use crate::tree::{DataSet, Element, Value, text};

/// The most bytes that the frames of an image may take together when they are decoded.
const PIXELS_MAX: u64 = 1 << 30;

/// Compressions with a loss, and their names in Lossy Image Compression Method (PS3.3 §C.7.6.1.1.5.1).
const LOSSY: [(&str, &str); 6] = [
    ("1.2.840.10008.1.2.4.50", "ISO_10918_1"),
    ("1.2.840.10008.1.2.4.51", "ISO_10918_1"),
    ("1.2.840.10008.1.2.4.81", "ISO_14495_1"),
    ("1.2.840.10008.1.2.4.91", "ISO_15444_1"),
    ("1.2.840.10008.1.2.4.203", "ISO_15444_15"),
    ("1.2.840.10008.1.2.4.112", "ISO_18181_1"),
];

/// Offset tables of compressed frames.
const TABLES: [Tag; 3] = [
    tags::EXTENDED_OFFSET_TABLE,
    tags::EXTENDED_OFFSET_TABLE_LENGTHS,
    Tag(0x7fe0, 0x0003),
];

/// Decodes pixels that are compressed, or whose chrominance is shared; leaves others as they are. Returns whether samples
/// were beyond the range of those stored, and were brought into it.
///
/// # Errors
/// [`Error::Pixels`] if they cannot be decoded or would take more than 1 GiB; [`Error::CannotBlank`] if the file is not in
/// little endian, so that its numbers would have to be turned.
pub(super) fn decompress(file: &mut File) -> Result<bool> {
    let pixels = file.data_set.get(&tags::PIXEL_DATA).map(|p| &p.value);
    let compressed = matches!(pixels, Some(Value::Fragments(_)));
    let photometric = text(&file.data_set, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
    let subsampled = photometric.ends_with("_422") || photometric.ends_with("_420");
    if !compressed && !subsampled {
        return Ok(false);
    }
    if file.order() == Endianness::Big {
        return Err(Error::CannotBlank {
            why: "pixels that share their chrominance, in big endian",
        });
    }
    let bits = crate::tree::short(&file.data_set, tags::BITS_ALLOCATED, file.order());
    if compressed && bits == Some(1) {
        return Err(Error::CannotBlank {
            why: "pixels of one bit that are compressed",
        });
    }
    let stored: u64 = match pixels {
        Some(Value::Fragments(fragments)) => fragments.iter().map(|f| f.len() as u64).sum(),
        _ => 0,
    };
    let format = Format::of(&file.data_set, file.order()).map_err(Error::Pixels)?;
    let each = format.frame_bytes() as u64;
    let found = each.saturating_mul(format.frames as u64);
    if found > PIXELS_MAX {
        let max = PIXELS_MAX;
        return Err(Error::Pixels(DicomError::TooManyPixels { found, max }));
    }
    if format.colour == Colour::YbrPartial {
        return Err(Error::CannotBlank {
            why: "YBR_PARTIAL_422 has no form without shared chrominance",
        });
    }
    // As many frames as the file says may not be there: the first that is missing ends it.
    let mut decoded = Vec::new();
    let mut colour = None;
    let mut clamped = false;
    for number in 0..format.frames {
        let frame = frame::decode(file, &format, number).map_err(Error::Pixels)?;
        if *colour.get_or_insert(frame.colour) != frame.colour {
            return Err(Error::CannotBlank {
                why: "frames are of different colour spaces",
            });
        }
        clamped |= frame.clamped;
        decoded.extend_from_slice(&frame.bytes);
    }
    let syntax = TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let from = file.syntax.uid();
    say_lossy(&mut file.data_set, from, found, stored);
    file.syntax = syntax.ok_or(DicomError::Encode)?;
    describe(&mut file.data_set, &format, colour.unwrap_or(format.colour));
    let vr = if format.allocated > 8 { VR::OW } else { VR::OB };
    file.data_set
        .insert(tags::PIXEL_DATA, Element::bytes(vr, decoded));
    Ok(clamped)
}

/// Checks whether compressed frames have bits beside those stored that say anything. Frames are decoded only if they are
/// coded with more bits than are stored.
///
/// # Errors
/// [`Error::Pixels`] if they do not tell.
pub(super) fn has_unused_bits(file: &File) -> Result<bool> {
    let pixels = file.data_set.get(&tags::PIXEL_DATA).map(|p| &p.value);
    if !matches!(pixels, Some(Value::Fragments(_))) || !frame::is_decoded(file) {
        return Ok(false);
    }
    let format = Format::of(&file.data_set, file.order()).map_err(Error::Pixels)?;
    for number in 0..format.frames {
        let coded = frame::coded_bits(file, &format, number).map_err(Error::Pixels)?;
        if coded > format.stored {
            let frame = frame::decode(file, &format, number).map_err(Error::Pixels)?;
            if frame.beyond || frame.clamped {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Describes the pixels as they are now.
fn describe(data_set: &mut DataSet, format: &Format, colour: Colour) {
    let photometric = match colour {
        Colour::Rgb => Some("RGB"),
        Colour::YbrFull => Some("YBR_FULL"),
        _ => None,
    };
    if let Some(photometric) = photometric {
        data_set.insert(
            tags::PHOTOMETRIC_INTERPRETATION,
            Element::bytes(VR::CS, photometric),
        );
    }
    if format.samples > 1 {
        let planar = Element::bytes(VR::US, 0_u16.to_le_bytes());
        data_set.insert(tags::PLANAR_CONFIGURATION, planar);
    }
    // Samples lie in the lowest bits now, wherever they lay before.
    let high = (format.stored as u16 - 1).to_le_bytes();
    data_set.insert(tags::HIGH_BIT, Element::bytes(VR::US, high));
    for tag in TABLES {
        data_set.remove(&tag);
    }
}

/// Says that there was a loss, where the transfer syntax no longer does.
fn say_lossy(data_set: &mut DataSet, syntax: &str, decoded: u64, stored: u64) {
    let Some((_, method)) = LOSSY.iter().find(|(uid, _)| *uid == syntax) else {
        return;
    };
    data_set.insert(tags::LOSSY_IMAGE_COMPRESSION, Element::bytes(VR::CS, "01"));
    if text(data_set, tags::LOSSY_IMAGE_COMPRESSION_METHOD).is_none() {
        let method = Element::bytes(VR::CS, *method);
        data_set.insert(tags::LOSSY_IMAGE_COMPRESSION_METHOD, method);
        let ratio = decoded as f64 / stored.max(1) as f64;
        let ratio = Element::bytes(VR::DS, format!("{ratio:.2}"));
        data_set.insert(tags::LOSSY_IMAGE_COMPRESSION_RATIO, ratio);
    }
}
