//! What is let in: whole files, and for de-identification only images that the plain profile can make safe.

use std::io::Read;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_encoding::{Codec, TransferSyntaxIndex};
use dicom_object::{FileMetaTable, InMemDicomObject};
use dicom_parser::dataset::{DataSetReader, DataToken};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::{BurnedIn, Error, Result, only_uid, report, text};

/// Where the standard's storage classes lie.
const STORAGE_CLASSES: &str = "1.2.840.10008.5.1.4.";

/// Classes whose content is free text, drawings or documents.
const FREE_CONTENT: [(&str, &str); 4] = [
    ("1.2.840.10008.5.1.4.1.1.88.", "a structured report"),
    ("1.2.840.10008.5.1.4.1.1.11.", "a presentation state"),
    ("1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.66", "raw data or annotations"),
];

/// Attributes that hold the same, whatever the class says.
const FREE_ATTRIBUTES: [(Tag, &str); 3] = [
    (tags::ENCAPSULATED_DOCUMENT, "an encapsulated document"),
    (tags::CONTENT_SEQUENCE, "structured report content"),
    (tags::GRAPHIC_ANNOTATION_SEQUENCE, "graphic annotations"),
];

const PIXELS: [Tag; 3] = [
    tags::PIXEL_DATA,
    tags::FLOAT_PIXEL_DATA,
    tags::DOUBLE_FLOAT_PIXEL_DATA,
];

/// Classes without pixel data of their own, besides [`FREE_CONTENT`]: waveforms, radiotherapy plans and structures,
/// measurements, work lists, media directories. Their last attribute cannot be known.
const WITHOUT_PIXELS: [&str; 10] = [
    "1.2.840.10008.5.1.4.1.1.9.",
    "1.2.840.10008.5.1.4.1.1.66",
    "1.2.840.10008.5.1.4.1.1.67",
    "1.2.840.10008.5.1.4.1.1.68",
    "1.2.840.10008.5.1.4.1.1.78.",
    "1.2.840.10008.5.1.4.1.1.79.1",
    "1.2.840.10008.5.1.4.1.1.200.",
    "1.2.840.10008.5.1.4.1.1.481.",
    "1.2.840.10008.5.1.4.34.",
    "1.2.840.10008.1.3.10",
];

/// How deep sequences may lie in each other; real files stay below ten.
const DEPTH_MAX: usize = 32;

/// The longest value of a deflated data set, in bytes: what it inflates to cannot be told from the file's length.
const INFLATED_MAX: u64 = 512 * 1024 * 1024;

/// Walks through the data set without building it. Refuses sequences nested so deep that building, which recurs, would
/// exhaust the stack, and values longer than the file, for which memory would be set aside.
pub(super) fn bounded(file: &[u8]) -> Result<()> {
    let mut source = &file[128..];
    let meta = FileMetaTable::from_reader(&mut source).map_err(|_| Error::Malformed)?;
    let unknown = || Error::TransferSyntax {
        uid: only_uid(meta.transfer_syntax()),
    };
    let syntax = TransferSyntaxRegistry
        .get(meta.transfer_syntax())
        .ok_or_else(unknown)?;
    let (source, longest): (Box<dyn Read>, u64) = match syntax.codec() {
        Codec::Dataset(Some(adapter)) => (adapter.adapt_reader(Box::new(source)), INFLATED_MAX),
        Codec::Dataset(None) => return Err(unknown()),
        _ => (Box::new(source), file.len() as u64),
    };
    let tokens = DataSetReader::new_with_ts(source, syntax).map_err(|_| Error::Malformed)?;
    let mut depth = 0_usize;
    for token in tokens {
        // The length comes a step before the value.
        let length = match token.map_err(|_| Error::Malformed)? {
            DataToken::ElementHeader(header) => header.len.get(),
            DataToken::ItemStart { len } => len.get(),
            DataToken::SequenceStart { len, .. } => {
                depth += 1;
                len.get()
            }
            DataToken::PixelSequenceStart => {
                depth += 1;
                None
            }
            DataToken::SequenceEnd => {
                depth = depth.saturating_sub(1);
                None
            }
            _ => None,
        };
        if length.is_some_and(|length| u64::from(length) > longest) {
            return Err(Error::Malformed);
        }
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep { max: DEPTH_MAX });
        }
    }
    // A file that ends inside a sequence or between fragments is not whole.
    if depth > 0 {
        return Err(Error::Malformed);
    }
    Ok(())
}

/// Refuses a file that ends before what every file of its class has: its UIDs and, for an image, the pixels.
pub(super) fn whole(data_set: &InMemDicomObject) -> Result<()> {
    let class = text(data_set, tags::SOP_CLASS_UID).ok_or(Error::Malformed)?;
    text(data_set, tags::SOP_INSTANCE_UID).ok_or(Error::Malformed)?;
    let roots = FREE_CONTENT.iter().map(|(root, _)| root);
    let pixels_expected = !roots
        .chain(&WITHOUT_PIXELS)
        .any(|root| class.starts_with(root));
    let elsewhere = data_set.get(tags::PIXEL_DATA_PROVIDER_URL).is_some();
    if pixels_expected && !elsewhere && !has_pixels(data_set) {
        return Err(Error::Malformed);
    }
    Ok(())
}

/// Refuses what the plain actions of the profile cannot make safe.
pub(super) fn admit(data_set: &InMemDicomObject) -> Result<()> {
    let class = text(data_set, tags::SOP_CLASS_UID).ok_or(Error::Missing {
        attribute: "SOP Class UID",
    })?;
    let by_class = FREE_CONTENT
        .iter()
        .find(|(root, _)| class.starts_with(root));
    if let Some((_, what)) = by_class {
        return Err(Error::FreeContent { what });
    }
    let by_attribute = FREE_ATTRIBUTES
        .iter()
        .find(|(tag, _)| data_set.get(*tag).is_some());
    if let Some((_, what)) = by_attribute {
        return Err(Error::FreeContent { what });
    }
    if !class.starts_with(STORAGE_CLASSES) {
        return Err(Error::NotAnImage {
            uid: only_uid(&class),
        });
    }
    if !has_pixels(data_set) {
        return Err(Error::Missing {
            attribute: "Pixel Data",
        });
    }
    if report(data_set).burned_in == BurnedIn::Yes {
        return Err(Error::BurnedIn);
    }
    if embedded_overlay(data_set) {
        return Err(Error::EmbeddedOverlay);
    }
    Ok(())
}

fn has_pixels(data_set: &InMemDicomObject) -> bool {
    PIXELS.iter().any(|tag| data_set.get(*tag).is_some())
}

/// Whether an overlay plane lies in unused bits of the pixel data (retired, PS3.5 §8.1.2): its group has no Overlay Data.
fn embedded_overlay(data_set: &InMemDicomObject) -> bool {
    (0x6000..=0x60ff_u16).step_by(2).any(|group| {
        let rows = data_set.get(Tag(group, 0x0010)).is_some();
        let position = data_set
            .get(Tag(group, 0x0102))
            .is_some_and(|e| e.to_int::<u16>().unwrap_or(u16::MAX) != 0);
        let data = data_set.get(Tag(group, 0x3000)).is_some();
        !data && (rows || position)
    })
}
