//! De-identification (DICOM PS3.15 Annex E): DICOM in → DICOM out + report. Pure, no network.
//!
//! The Basic Application Level Confidentiality Profile with its options ([`ProfileOption`]), after Table E.1-1 of one
//! edition of the standard, which is data. A [`Purpose`] chooses the options.
//!
//! - A choice that a row leaves open is made by the attribute's type in the definition of its object: type 1 gets a dummy,
//!   type 2 stays empty, type 3 goes; in an object whose definition is not known a dummy is taken. Dummies are
//!   1900-01-01, midnight, zero and `ANONYMIZED`; identifiers get pseudonyms.
//! - Removed besides: private attributes, attributes that the dictionary does not know, curves, whole overlay planes,
//!   group lengths, and unlisted attributes that are likely to be personal.
//! - Sequences are searched to any depth that is read. Everything that stays is written bit for bit, in the file's own
//!   encoding.
//! - UIDs, identifiers and dates map by a secret key and the patient: the same input gives the same output, nobody else
//!   can tell which. Without a Patient ID dates do not move, they go. A file that went through once does not change when
//!   it goes through again.
//! - Regions of compressed pixels are blanked in the decoded pixels, which then stay uncompressed (Explicit VR Little
//!   Endian); decoded they may take 1 GiB, and the whole is in memory.
//! - The preamble is zeroed and the file meta group written new.
//! - Repaired, and listed in the report: of two elements with the same tag the last is taken; a value that is not of its VR
//!   is replaced as the table says, or goes; a sequence whose VR was lost is read as one; bytes behind the last pixel are
//!   cut.

mod charset;
mod codes;
mod content;
mod decompress;
pub(crate) mod described;
mod error;
mod face;
mod facts;
mod keys;
mod kos;
mod mado;
mod options;
mod pixels;
mod plan;
mod repeated;
mod report;
mod screen;
mod segments;
mod sweep;
mod table;
mod transform;
mod value;
mod words;

use dicom_dictionary_std::tags;

use crate::file::{self, File};
use crate::tree::{DataSet, text};
use plan::{PROFILE, Plan};
use screen::{burned_in, read};
use table::Definition;
use transform::Transform;

pub(crate) use charset::CharacterSet;
pub(crate) use words::is_known;

pub use error::{Error, Result};
pub use facts::{Facts, Identifying, PatientKey, directory, facts, is_directory};
pub use kos::KeyObjects;
pub use mado::Description;
pub use options::{
    Blank, Edition, Faces, Options, ParseOptionError, Profile, ProfileOption, Purpose,
};
pub use repeated::Repeated;
pub use report::{Attributes, BurnedIn, Done, Method, Report, Why};

/// De-identifies one DICOM file (PS3.10), bytes to bytes; fails closed.
///
/// # Errors
/// Any [`Error`]; then nothing of the file may be used.
pub fn deidentify(bytes: &[u8], options: &Options) -> Result<(Vec<u8>, Report)> {
    let mut file = read(bytes)?;
    let report = clean(&mut file, options)?;
    Ok((file::write(&file, bytes.len())?, report))
}

/// Does as [`deidentify`], and returns the facts of the file before and after.
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
    let mut report = Report::new(PROFILE, profile.edition.name());
    describe(&file.data_set, &mut report);
    for (tag, what, count) in file.repairs.iter() {
        report.note_times(&[tag], Done::Repaired, Why::Repair(what), count);
    }

    if segments::strip(file)? {
        report.note(&[tags::PIXEL_DATA], Done::Cleaned, Why::Segments);
    }
    if !profile.blank.is_empty() {
        if decompress::decompress(file)? {
            report.note(&[tags::PIXEL_DATA], Done::Cleaned, Why::Range);
        }
        report.frames_blanked = pixels::blank(file, &profile.blank)?;
    }
    if let Some(faces) = &profile.faces {
        report.frames_defaced = u32::from(face::cut(file, faces)?);
    }
    if pixels::cut_surplus(file)? {
        report.note(&[tags::PIXEL_DATA], Done::Cleaned, Why::Surplus);
    }
    if pixels::clear_unused_bits(file)? {
        report.note(&[tags::PIXEL_DATA], Done::Cleaned, Why::Surplus);
    }

    let class = text(&file.data_set, tags::SOP_CLASS_UID).unwrap_or_default();
    let pixels = [report.frames_blanked > 0, report.frames_defaced > 0];
    let plan = Plan::of(&file.data_set, &class, options, pixels);
    let data_set = std::mem::take(&mut file.data_set);
    let names = words::Names::of(&data_set);
    let mut transform = Transform {
        options: &plan.effective,
        edition: profile.edition,
        definition: Definition::of(profile.edition, &class),
        order: file.order(),
        keys: &plan.keys,
        shift: plan.shift,
        names,
        report: &mut report,
        lost: None,
        gone: sweep::Needles::new(charset::CharacterSet::of(&data_set)),
        path: Vec::new(),
    };
    file.data_set = transform.data_set(data_set);
    if let Some(attribute) = transform.lost {
        let attribute = report::label(attribute);
        return Err(Error::Geometry { attribute });
    }
    // What was taken out may stand in what was kept.
    let needles = std::mem::take(&mut transform.gone);
    let data_set = std::mem::take(&mut file.data_set);
    file.data_set = transform.swept(data_set, &mut needles.search());
    report.methods = plan.methods();
    plan.say_so(&mut file.data_set);
    Ok(report)
}

/// Checks whether [`deidentify`] would leave native pixel data of this many bytes as they are, by a file that has one pixel in their
/// place: nothing is to be blanked or cut, no bits lie beside theirs, and nothing behind the last one.
///
/// # Errors
/// As [`inspect`].
pub fn keeps_pixels(bytes: &[u8], pixels: u64, options: &Options) -> Result<bool> {
    let file = read(bytes)?;
    let profile = &options.profile;
    let looked_at = !profile.blank.is_empty() || profile.faces.is_some();
    Ok(!looked_at && pixels::fill(&file, pixels))
}

/// Checks that the bytes are a whole DICOM file and tells its modality and body part codes, nothing personal.
///
/// # Errors
/// [`Error::File`].
pub fn inspect(bytes: &[u8]) -> Result<Report> {
    let file = read(bytes)?;
    let mut report = Report::new("none", Edition::default().name());
    describe(&file.data_set, &mut report);
    Ok(report)
}

fn describe(data_set: &DataSet, report: &mut Report) {
    let code = |tag, listed: fn(&str) -> bool| text(data_set, tag).filter(|code| listed(code));
    report.modality = code(tags::MODALITY, table::is_modality);
    report.body_part = code(tags::BODY_PART_EXAMINED, table::is_body_part);
    report.burned_in = burned_in(data_set);
}

/// Checks whether every word of a text is a modality or a body part of the standard's lists: then it may be public.
#[must_use]
pub fn is_public_description(text: &str) -> bool {
    text.split(' ')
        .all(|code| table::is_modality(code) || table::is_body_part(code))
}

#[cfg(test)]
mod tests;
