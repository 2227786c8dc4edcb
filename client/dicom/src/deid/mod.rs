//! De-identification (DICOM PS3.15 Annex E): DICOM in → DICOM out + report. Pure, no network.
//!
//! The Basic Application Level Confidentiality Profile with its options ([`ProfileOption`]), after Table E.1-1 of one
//! edition of the standard, which is data. A [`Purpose`] chooses the options.
//!
//! - What a row leaves open is resolved by the attribute's type in the definition of its object: type 1 gets a dummy,
//!   type 2 stays empty, type 3 goes; in an object whose definition is not known a dummy is taken. Dummies are
//!   1900-01-01, midnight, zero and `ANONYMIZED`; identifiers get pseudonyms.
//! - Removed besides: private attributes, attributes that the dictionary does not know, curves, whole overlay planes,
//!   group lengths, and unlisted attributes that are likely to be personal.
//! - Sequences are searched to any depth that is read. What stays is written bit for bit, in the file's own encoding.
//! - UIDs, identifiers and dates map by a secret key and the patient: the same input gives the same output, nobody else
//!   can tell which. Without a Patient ID dates do not move, they go. A file that went through once does not change when
//!   it goes through again.
//! - Regions of compressed pixels are blanked in the decoded pixels, which then stay uncompressed (Explicit VR Little Endian);
//!   decoded they may take 1 GiB, and the whole is in memory.
//! - The preamble is zeroed and the file meta group written anew.
//! - Repaired, and told in the report: of two elements with the same tag the last is taken; a value that is not of its VR
//!   is replaced as the table says, or goes; a sequence whose VR was lost is read as one; bytes behind the last pixel are cut.

mod content;
mod decompress;
mod facts;
mod keys;
mod kos;
mod options;
mod pixels;
mod report;
mod screen;
mod table;
mod transform;
mod value;
mod words;

use std::collections::BTreeSet;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::file::{self, File};
use crate::tree::{DataSet, Element, text};
use keys::Pseudonyms;
use table::Definition;
use transform::Transform;

pub use facts::{Facts, Identifying, PatientKey, Repeated, directory, facts, is_directory};
pub use kos::{KeyObjects, SeriesReference};
pub use options::{Blank, Options, ParseError, Profile, ProfileOption, Purpose};
pub use report::{Attributes, BurnedIn, Done, Method, Report, Why};

/// The profile's name in reports and in Deidentification Method.
const PROFILE: &str = "PS3.15 Basic Application Level Confidentiality Profile";

/// Why a file cannot be read or de-identified. Never holds values from the data set but class and syntax UIDs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] crate::Error),
    /// Pixels with text about the patient.
    #[error("Burned In Annotation says YES: the pixels show text about the patient")]
    BurnedIn,
    /// Pixels that often show text about the patient, and nobody says that these do not.
    #[error(
        "images of this kind often show text about the patient, and Burned In Annotation does not say NO"
    )]
    BurnedInUnknown,
    /// Regions cannot be blanked.
    #[error("regions cannot be blanked: {why}")]
    CannotBlank {
        /// Why.
        why: &'static str,
    },
    /// Overlay bits inside pixel data that cannot be taken apart.
    #[error("an overlay is stored inside the pixel data, which cannot be cleaned of it")]
    EmbeddedOverlay,
    /// Documents, recordings, raw data.
    #[error("{what}: content that cannot be searched for what identifies")]
    FreeContent {
        /// What kind of content.
        what: &'static str,
    },
    /// Not an object of a class that the standard defines.
    #[error("SOP class {uid} is not a standard image class")]
    NotAnImage {
        /// The SOP class.
        uid: String,
    },
    /// Pixels that were to be blanked cannot be decoded.
    #[error("regions cannot be blanked: {0}")]
    Pixels(#[source] crate::Error),
}

/// Result of reading or de-identifying a file.
pub type Result<T> = std::result::Result<T, Error>;

/// De-identifies one DICOM file (PS3.10), bytes to bytes; fails closed.
///
/// # Errors
/// Any [`Error`]; then nothing of the file may be used.
pub fn deidentify(bytes: &[u8], options: &Options) -> Result<(Vec<u8>, Report)> {
    let mut file = read(bytes)?;
    let report = clean(&mut file, options)?;
    Ok((file::write(&file, bytes.len())?, report))
}

/// [`deidentify`], and what is known of the file before and after.
///
/// # Errors
/// As [`deidentify`] and [`facts()`].
pub fn deidentify_with_facts(
    bytes: &[u8],
    options: &Options,
) -> Result<(Vec<u8>, Report, [Facts; 2])> {
    let mut file = read(bytes)?;
    let before = facts::of(&file.data_set)?;
    let report = clean(&mut file, options)?;
    let after = facts::of(&file.data_set)?;
    Ok((file::write(&file, bytes.len())?, report, [before, after]))
}

fn clean(file: &mut File, options: &Options) -> Result<Report> {
    let profile = &options.profile;
    screen::admit(file, profile)?;
    pixels::countable(&file.data_set)?;
    let mut report = Report::new(PROFILE, table::EDITION);
    describe(&file.data_set, &mut report);

    if !profile.blank.is_empty() {
        decompress::decompress(file)?;
        report.frames_blanked = pixels::blank(file, &profile.blank)?;
    }
    if pixels::embedded_overlay(&file.data_set, file.order()) {
        pixels::clear_unused_bits(file)?;
        report.note(&[tags::PIXEL_DATA], Done::Cleaned, Why::Surplus);
    }
    if pixels::cut_surplus(file)? {
        report.note(&[tags::PIXEL_DATA], Done::Cleaned, Why::Surplus);
    }

    let class = text(&file.data_set, tags::SOP_CLASS_UID).unwrap_or_default();
    let plan = Plan::of(&file.data_set, &class, options, report.frames_blanked > 0);
    let data_set = std::mem::take(&mut file.data_set);
    let names = words::Names::of(&data_set);
    let mut transform = Transform {
        options: &plan.effective,
        definition: Definition::of(&class),
        order: file.order(),
        keys: &plan.keys,
        shift: plan.shift,
        names,
        report: &mut report,
        path: Vec::new(),
    };
    file.data_set = transform.data_set(data_set);
    report.methods = plan.methods();
    plan.say_so(&mut file.data_set);
    Ok(report)
}

/// Whether [`deidentify`] would leave native pixel data of so many bytes as they are, by a file that has one pixel in their
/// place: nothing is to be blanked, no overlay lies between their bits, and nothing behind the last one.
///
/// # Errors
/// As [`inspect`].
pub fn keeps_pixels(bytes: &[u8], pixels: u64, options: &Options) -> Result<bool> {
    let file = read(bytes)?;
    let overlay = pixels::embedded_overlay(&file.data_set, file.order());
    Ok(options.profile.blank.is_empty() && !overlay && pixels::fill(&file, pixels))
}

/// Checks that the bytes are a whole DICOM file and tells its modality and body part codes, nothing personal.
///
/// # Errors
/// [`Error::File`].
pub fn inspect(bytes: &[u8]) -> Result<Report> {
    let file = read(bytes)?;
    let mut report = Report::new("none", table::EDITION);
    describe(&file.data_set, &mut report);
    Ok(report)
}

/// What is done to one file.
struct Plan {
    /// The options that can take effect.
    effective: BTreeSet<ProfileOption>,
    keys: Pseudonyms,
    /// Days by which dates move.
    shift: Option<i64>,
    /// Whether regions of the pixels were blanked.
    blanked: bool,
}

impl Plan {
    fn of(data_set: &DataSet, class: &str, options: &Options, blanked: bool) -> Self {
        let mut effective = options.profile.options.clone();
        if screen::is_report(class) || screen::is_presentation(class) {
            effective.insert(ProfileOption::CleanStructuredContent);
        }
        if screen::is_presentation(class) {
            effective.insert(ProfileOption::CleanGraphics);
        }
        // The pixel pass speaks for itself; who else can tell by the features has to ask for it.
        effective.remove(&ProfileOption::CleanPixelData);
        match blanked {
            true => _ = effective.insert(ProfileOption::CleanPixelData),
            false => _ = effective.remove(&ProfileOption::CleanVisualFeatures),
        }
        let id = data_set.get(&tags::PATIENT_ID).and_then(Element::as_bytes);
        let id = id.map(value::trim).filter(|id| !id.is_empty());
        let issuer = data_set.get(&tags::ISSUER_OF_PATIENT_ID);
        let issuer = issuer.and_then(Element::as_bytes).unwrap_or_default();
        let keys = Pseudonyms::new(&options.key, id, value::trim(issuer));
        // Both options of time at once: the dates move.
        let dates = ProfileOption::RetainModifiedDates;
        let shift = match effective.contains(&dates) {
            true => keys.shift_days(),
            false => None,
        };
        if effective.contains(&dates) {
            effective.remove(&ProfileOption::RetainFullDates);
        }
        if shift.is_none() {
            effective.remove(&dates);
        }
        // Dates that this key has moved do not move again.
        let moved = keys.again()
            && text(data_set, tags::PATIENT_IDENTITY_REMOVED).as_deref() == Some("YES")
            && text(data_set, tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED).as_deref()
                == Some("MODIFIED");
        Self {
            effective,
            keys,
            shift: shift.map(|days| if moved { 0 } else { days }),
            blanked,
        }
    }

    fn methods(&self) -> Vec<Method> {
        let options = self.effective.iter().map(|option| Method::from(*option));
        [Method::BASIC].into_iter().chain(options).collect()
    }

    /// Says in the data set what was done to it (PS3.15 §E.1.1, step 6).
    fn say_so(&self, data_set: &mut DataSet) {
        let methods = self.methods();
        let code = |method: &Method| {
            DataSet::from([
                (
                    tags::CODE_VALUE,
                    Element::bytes(VR::SH, method.code.to_string()),
                ),
                (
                    tags::CODING_SCHEME_DESIGNATOR,
                    Element::bytes(VR::SH, "DCM"),
                ),
                // A meaning is an LO: 64 characters.
                (
                    tags::CODE_MEANING,
                    Element::bytes(VR::LO, cut(method.meaning, 64)),
                ),
            ])
        };
        let codes = methods.iter().map(code).collect();
        let times = [
            (ProfileOption::RetainModifiedDates, "MODIFIED"),
            (ProfileOption::RetainFullDates, "UNMODIFIED"),
        ];
        let times = times.iter().find(|(o, _)| self.effective.contains(o));
        let times = times.map_or("REMOVED", |(_, text)| text);
        let mut put = |tag, element| _ = data_set.insert(tag, element);
        put(
            tags::PATIENT_IDENTITY_REMOVED,
            Element::bytes(VR::CS, "YES"),
        );
        put(
            tags::DEIDENTIFICATION_METHOD,
            Element::bytes(VR::LO, PROFILE),
        );
        put(
            tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
            Element::items(codes),
        );
        put(
            tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
            Element::bytes(VR::CS, times),
        );
        if self.blanked {
            put(tags::BURNED_IN_ANNOTATION, Element::bytes(VR::CS, "NO"));
        }
        if self.effective.contains(&ProfileOption::CleanVisualFeatures) {
            put(
                tags::RECOGNIZABLE_VISUAL_FEATURES,
                Element::bytes(VR::CS, "NO"),
            );
        }
    }
}

/// At most this many bytes of an ASCII text.
fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}

fn read(bytes: &[u8]) -> Result<File> {
    let file = file::read(bytes)?;
    screen::whole(&file.data_set)?;
    Ok(file)
}

fn describe(data_set: &DataSet, report: &mut Report) {
    let code = |tag, listed: fn(&str) -> bool| text(data_set, tag).filter(|code| listed(code));
    report.modality = code(tags::MODALITY, table::is_modality);
    report.body_part = code(tags::BODY_PART_EXAMINED, table::is_body_part);
    report.burned_in = burned_in(data_set);
}

fn burned_in(data_set: &DataSet) -> BurnedIn {
    match text(data_set, tags::BURNED_IN_ANNOTATION).as_deref() {
        _ if !screen::has_pixels(data_set) => BurnedIn::NoPixels,
        Some("NO") => BurnedIn::No,
        Some("YES") => BurnedIn::Yes,
        _ => BurnedIn::Unknown,
    }
}

/// Whether every word of a text is a modality or a body part of the standard's lists: then it may be told in public.
#[must_use]
pub fn is_public_description(text: &str) -> bool {
    text.split(' ')
        .all(|code| table::is_modality(code) || table::is_body_part(code))
}

#[cfg(test)]
mod tests;
