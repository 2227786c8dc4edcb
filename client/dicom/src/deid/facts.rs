//! Facts that are needed to put a file into its study: its patient, its place, and the attributes that a study's own
//! documents repeat.

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};

use super::charset::CharacterSet;
use super::error::{Error, Result};
use super::mado::Description;
use super::repeated::Repeated;
use super::screen::read;
use super::{kos, value};
use crate::error::only_uid;
use crate::file;
use crate::tree::{DataSet, Element, is_text, text};

/// The attributes that identify the patient and the visit.
const IDENTIFYING: [Tag; 19] = [
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::INSTITUTION_NAME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::STUDY_DESCRIPTION,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_BIRTH_TIME,
    tags::PATIENT_SEX,
    Tag(0x0010, 0x1000),
    tags::OTHER_PATIENT_NAMES,
    tags::PATIENT_BIRTH_NAME,
    tags::PATIENT_AGE,
    tags::PATIENT_ADDRESS,
    tags::PATIENT_TELEPHONE_NUMBERS,
    tags::STUDY_ID,
];

/// The facts about a file. Of a file as it was given they identify the patient.
#[derive(Clone)]
pub struct Facts {
    /// SOP Class UID.
    pub class: String,
    /// SOP Instance UID.
    pub instance: String,
    /// Study Instance UID.
    pub study: String,
    /// Series Instance UID.
    pub series: String,
    /// Series Number, if it is one.
    pub series_number: Option<i64>,
    /// Instance Number, if it is one.
    pub instance_number: Option<i64>,
    /// The patient's key: equal for files of the same patient.
    pub patient: PatientKey,
    /// The identifying values, as text.
    pub identifying: Vec<Identifying>,
    /// True if it is a [`KeyObjects`](super::KeyObjects) as it was written.
    pub lists_its_study: bool,
    /// The attributes that a Key Object Selection of its study repeats.
    pub repeated: Repeated,
    /// The attributes that the manifest of its study describes it by.
    pub description: Description,
}

/// Tells patients apart: by Patient ID and its issuer, without an ID by name and date of birth.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientKey([Vec<u8>; 4]);

/// An attribute's value, decoded by the file's character set.
#[derive(Clone, PartialEq, Eq)]
pub struct Identifying {
    /// The tag, as `(0010,0010)`.
    pub tag: String,
    /// The attribute's keyword.
    pub name: &'static str,
    /// The value.
    pub value: String,
}

/// Reads the facts about a file.
///
/// # Errors
/// [`Error::File`], as for a file without its UIDs.
pub fn facts(bytes: &[u8]) -> Result<Facts> {
    of(&read(bytes)?.data_set)
}

pub(super) fn of(data_set: &DataSet) -> Result<Facts> {
    let uid = |tag, attribute| {
        let uid = text(data_set, tag).ok_or(crate::Error::Missing { attribute })?;
        match only_uid(&uid) == uid {
            true => Ok(uid),
            false => Err(Error::File(crate::Error::Malformed)),
        }
    };
    let number = |tag| text(data_set, tag).and_then(|text| text.parse().ok());
    let plain = |tag| {
        let bytes = data_set.get(&tag).and_then(Element::as_bytes);
        bytes.map(value::trim).unwrap_or_default().to_vec()
    };
    let id = plain(tags::PATIENT_ID);
    let otherwise = |tag| match id.is_empty() {
        true => plain(tag),
        false => Vec::new(),
    };
    let (name, birth) = (
        otherwise(tags::PATIENT_NAME),
        otherwise(tags::PATIENT_BIRTH_DATE),
    );
    let patient = PatientKey([id, plain(tags::ISSUER_OF_PATIENT_ID), name, birth]);
    Ok(Facts {
        class: uid(tags::SOP_CLASS_UID, "SOP Class UID")?,
        instance: uid(tags::SOP_INSTANCE_UID, "SOP Instance UID")?,
        study: uid(tags::STUDY_INSTANCE_UID, "Study Instance UID")?,
        series: uid(tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
        series_number: number(tags::SERIES_NUMBER),
        instance_number: number(tags::INSTANCE_NUMBER),
        patient,
        identifying: identifying(data_set),
        lists_its_study: kos::is_own(data_set),
        repeated: Repeated::of(data_set),
        description: Description::of(data_set),
    })
}

fn identifying(data_set: &DataSet) -> Vec<Identifying> {
    let charset = CharacterSet::of(data_set);
    let found = IDENTIFYING.iter().filter_map(|tag| {
        let element = data_set.get(tag).filter(|element| is_text(element.vr))?;
        let bytes = value::trim(element.as_bytes()?);
        let value = charset.text(bytes);
        let name = StandardDataDictionary.by_tag(*tag)?.alias();
        (!value.is_empty()).then(|| Identifying {
            tag: tag.to_string(),
            name,
            value,
        })
    });
    found.collect()
}

/// Checks whether the start of a file is that of a DICOMDIR, by its Media Storage SOP Class UID.
#[must_use]
pub fn is_directory(start: &[u8]) -> bool {
    let class = uids::MEDIA_STORAGE_DIRECTORY_STORAGE.as_bytes();
    let element = [b"\x02\x00\x02\x00UI\x14\x00", class].concat();
    start.get(128..132) == Some(b"DICM") && start.windows(element.len()).any(|at| at == element)
}

/// Lists the files that a DICOMDIR names (PS3.3 §F.3), each by the components of its path.
///
/// # Errors
/// [`Error::File`], as for one without records.
pub fn directory(bytes: &[u8]) -> Result<Vec<Vec<String>>> {
    let data_set = file::read(bytes)?.data_set;
    let attribute = "Directory Record Sequence";
    let records = data_set.get(&tags::DIRECTORY_RECORD_SEQUENCE);
    let records = records.and_then(Element::as_items);
    let records = records.ok_or(crate::Error::Missing { attribute })?;
    let named = records.iter().filter_map(|record| {
        let id = text(record, tags::REFERENCED_FILE_ID)?;
        Some(id.split('\\').map(|part| part.trim().to_owned()).collect())
    });
    Ok(named.collect())
}
