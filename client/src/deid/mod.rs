//! De-identification (DICOM PS3.15 Annex E): DICOM in → DICOM out + report. Pure, no network.
//!
//! The plain actions of the Basic Application Level Confidentiality Profile, and nothing that needs a person's eye: what
//! the plain actions cannot make safe is refused.
//!
//! - Listed attributes follow Table E.1-1; where the table leaves a choice, a dummy is preferred to an empty value and an
//!   empty value to removal. Dummies are 1900-01-01, midnight, zero and `ANONYMIZED`; a dummy sequence has one empty item.
//! - Removed besides: private attributes, attributes that the dictionary does not know, curves, whole overlay planes,
//!   group lengths.
//! - Sequences are searched to any depth. Pixel data are not touched.
//! - UIDs map by a secret key: the same UID becomes the same `2.25.…` wherever it stands, so that series and references
//!   hold together across files.
//! - The preamble is zeroed and the file meta group written anew.

mod profile;
mod screen;
mod transform;
mod value;

use std::fmt;
use std::io::Cursor;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{
    FileDicomObject, FileMetaTableBuilder, InMemDicomObject, OpenFileOptions, ReadError,
};
use zeroize::Zeroize;

/// Who wrote the file (PS3.10 §7.1): a UUID-derived UID of this program.
const IMPLEMENTATION_CLASS_UID: &str = "2.25.247352046126719243064113853245926349107";
const IMPLEMENTATION_VERSION_NAME: &str = "PCIM";

/// The most bytes that a file may have: element lengths are 32 bits.
const FILE_MAX: u64 = u32::MAX as u64;

/// How to de-identify.
#[derive(Clone)]
pub struct Options {
    /// Secret that keys the UID mapping: same input and key, same output.
    pub key: [u8; 32],
}

impl Drop for Options {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Options(…)")
    }
}

/// What was done to one file. Holds nothing personal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The profile that was applied; `none` for a file that was only inspected.
    pub profile: String,
    /// Attributes removed, private ones not counted.
    pub removed: u32,
    /// Attributes whose value was removed.
    pub emptied: u32,
    /// Attributes that got a dummy value.
    pub replaced: u32,
    /// Attributes whose UIDs were mapped.
    pub uids: u32,
    /// Private attributes removed.
    pub private_removed: u32,
    /// Modality code, e.g. `CT`.
    pub modality: Option<String>,
    /// Body part code, e.g. `CHEST`.
    pub body_part: Option<String>,
    /// Whether the pixels are said to show text about the patient.
    pub burned_in: BurnedIn,
}

/// What Burned In Annotation (0028,0301) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BurnedIn {
    /// `NO`: the maker vouches for the pixels.
    No,
    /// `YES`: refused when de-identifying.
    Yes,
    /// Not said: a person should look, above all at secondary captures and ultrasound.
    Unknown,
}

/// Why a file cannot be read or de-identified. Never holds values from the data set but class and syntax UIDs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No `DICM` after the preamble (PS3.10 §7.1).
    #[error("not a DICOM file")]
    NotDicom,
    /// Cut short or malformed.
    #[error("the DICOM file is cut short or malformed")]
    Malformed,
    /// Encoded in a way that cannot be read.
    #[error("transfer syntax {uid} is not supported")]
    TransferSyntax {
        /// The transfer syntax.
        uid: String,
    },
    /// Too long.
    #[error("DICOM file of {found} bytes: at most {max} are read")]
    TooLarge {
        /// The file's length in bytes.
        found: u64,
        /// The most that is read, in bytes.
        max: u64,
    },
    /// Sequences nested deeper than any image's.
    #[error("sequences are nested more than {max} deep")]
    TooDeep {
        /// The deepest nesting that is read.
        max: usize,
    },
    /// An attribute that every image has is missing.
    #[error("{attribute} is missing")]
    Missing {
        /// The attribute's name.
        attribute: &'static str,
    },
    /// Pixels with text about the patient.
    #[error("Burned In Annotation says YES: the pixels show text that this profile cannot remove")]
    BurnedIn,
    /// Overlay bits inside the pixel data.
    #[error("an overlay is stored inside the pixel data, which this profile cannot clean")]
    EmbeddedOverlay,
    /// Free text, documents or drawings.
    #[error("{what}: free content that this profile cannot clean")]
    FreeContent {
        /// What kind of content.
        what: &'static str,
    },
    /// Not an image of a class that the standard defines.
    #[error("SOP class {uid} is not a standard image class")]
    NotAnImage {
        /// The SOP class.
        uid: String,
    },
    /// The result could not be encoded.
    #[error("the de-identified file cannot be encoded")]
    Encode,
}

/// Result of reading or de-identifying a file.
pub type Result<T> = std::result::Result<T, Error>;

/// De-identifies one DICOM file (PS3.10), bytes to bytes; fails closed.
///
/// # Errors
/// Any [`Error`]; then nothing of the file may be used.
pub fn deidentify(file: &[u8], options: &Options) -> Result<(Vec<u8>, Report)> {
    let (data_set, transfer_syntax) = read(file)?;
    screen::admit(&data_set)?;
    let mut report = report(&data_set);
    report.profile = profile::PROFILE.to_owned();
    let data_set = transform::transform(data_set, &options.key, &mut report);

    let uid = |tag: Tag, attribute: &'static str| {
        text(&data_set, tag).ok_or(Error::Missing { attribute })
    };
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uid(tags::SOP_CLASS_UID, "SOP Class UID")?)
        .media_storage_sop_instance_uid(uid(tags::SOP_INSTANCE_UID, "SOP Instance UID")?)
        .transfer_syntax(transfer_syntax)
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION_NAME)
        .build()
        .map_err(|_| Error::Encode)?;
    let mut out = Vec::with_capacity(file.len());
    data_set
        .with_exact_meta(meta)
        .write_all(&mut out)
        .map_err(|_| Error::Encode)?;
    Ok((out, report))
}

/// Checks that the bytes are a whole DICOM file and tells its modality and body part codes, nothing personal.
///
/// # Errors
/// [`Error::NotDicom`], [`Error::Malformed`], [`Error::TransferSyntax`], [`Error::TooLarge`].
pub fn inspect(file: &[u8]) -> Result<Report> {
    read(file).map(|(data_set, _)| report(&data_set))
}

/// Reads a whole file: its data set and its transfer syntax.
fn read(file: &[u8]) -> Result<(InMemDicomObject, String)> {
    if file.len() as u64 > FILE_MAX {
        return Err(Error::TooLarge {
            found: file.len() as u64,
            max: FILE_MAX,
        });
    }
    if file.get(128..132) != Some(b"DICM") {
        return Err(Error::NotDicom);
    }
    screen::bounded(file)?;
    let object: FileDicomObject<InMemDicomObject> = OpenFileOptions::new()
        .read_all()
        .from_reader(Cursor::new(file))
        .map_err(|e| match e {
            ReadError::ReadUnsupportedTransferSyntax { uid, .. }
            | ReadError::ReadUnsupportedTransferSyntaxWithSuggestion { uid, .. } => {
                Error::TransferSyntax {
                    uid: uid.to_owned(),
                }
            }
            // The library's words may quote values.
            _ => Error::Malformed,
        })?;
    let transfer_syntax = only_uid(object.meta().transfer_syntax());
    let data_set = object.into_inner();
    screen::whole(&data_set)?;
    Ok((data_set, transfer_syntax))
}

fn report(data_set: &InMemDicomObject) -> Report {
    Report {
        profile: "none".to_owned(),
        removed: 0,
        emptied: 0,
        replaced: 0,
        uids: 0,
        private_removed: 0,
        modality: code(data_set, tags::MODALITY),
        body_part: code(data_set, tags::BODY_PART_EXAMINED),
        burned_in: match text(data_set, tags::BURNED_IN_ANNOTATION).as_deref() {
            Some("NO") => BurnedIn::No,
            Some("YES") => BurnedIn::Yes,
            _ => BurnedIn::Unknown,
        },
    }
}

/// A value that is a code (PS3.5 §6.2, CS) and so not a name or free text.
fn code(data_set: &InMemDicomObject, tag: Tag) -> Option<String> {
    text(data_set, tag).filter(|text| {
        (1..=16).contains(&text.len())
            && text
                .bytes()
                .all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'_'))
    })
}

/// A text without its padding; none if it is empty.
fn text(data_set: &InMemDicomObject, tag: Tag) -> Option<String> {
    let text = data_set.get(tag)?.to_str().ok()?;
    let text = text.trim_matches([' ', '\0']);
    (!text.is_empty()).then(|| text.to_owned())
}

/// A UID if it is one, so that errors repeat nothing else.
fn only_uid(text: &str) -> String {
    let text = text.trim_matches([' ', '\0']);
    let valid =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if valid { text } else { "(not a UID)" }.to_owned()
}

#[cfg(test)]
mod tests;
