//! Identifiers of C-MOVE and C-GET (PS3.4 §C.4.2.1): the unique keys of what is to be retrieved.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::identifier::{QueryLevel, read};
use super::{Error, Query};
use crate::file;
use crate::listing::Level;
use crate::tree::{DataSet, Element, text};

/// Most UIDs of one level.
const UIDS_MAX: usize = 10_000;

/// A selection of what is to be retrieved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every study of the patient with this Patient ID.
    Patient(String),
    /// These studies, by UID.
    Studies(Vec<String>),
    /// These series of one study.
    Series {
        /// Study Instance UID.
        study: String,
        /// Series Instance UIDs.
        series: Vec<String>,
    },
    /// These instances of one series.
    Instances {
        /// Study Instance UID.
        study: String,
        /// Series Instance UID.
        series: String,
        /// SOP Instance UIDs.
        instances: Vec<String>,
    },
}

impl Selection {
    /// Reads an identifier in a transfer syntax without compression.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Level`], [`Error::Unique`], [`Error::TooMany`].
    pub fn read(bytes: &[u8], syntax: &str, has_patients: bool) -> Result<Self, Error> {
        let (data_set, _) = read(bytes, syntax)?;
        let level = QueryLevel::of(&data_set, has_patients)?;
        let uids = |tag, attribute| uids(&data_set, tag, attribute);
        let one = |tag, attribute| match &uids(tag, attribute)?[..] {
            [uid] => Ok(uid.clone()),
            _ => Err(Error::Unique { attribute }),
        };
        let study = || one(tags::STUDY_INSTANCE_UID, "Study Instance UID");
        match level {
            QueryLevel::Patient => {
                let attribute = "Patient ID";
                let id = text(&data_set, tags::PATIENT_ID);
                let is_one = |id: &String| !id.contains(['*', '?', '\\']);
                let id = id.filter(is_one).ok_or(Error::Unique { attribute })?;
                Ok(Self::Patient(id))
            }
            QueryLevel::Of(Level::Study) => {
                let studies = uids(tags::STUDY_INSTANCE_UID, "Study Instance UID")?;
                Ok(Self::Studies(studies))
            }
            QueryLevel::Of(Level::Series) => Ok(Self::Series {
                study: study()?,
                series: uids(tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
            }),
            QueryLevel::Of(Level::Instance) => Ok(Self::Instances {
                study: study()?,
                series: one(tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
                instances: uids(tags::SOP_INSTANCE_UID, "SOP Instance UID")?,
            }),
        }
    }
}

impl Query {
    /// Makes a search for the studies of the patient with this Patient ID, from a number of them on.
    #[must_use]
    pub fn of_patient(id: &str, from: usize) -> Self {
        let key = super::Key::literal(tags::PATIENT_ID, Level::Study, id);
        Self {
            level: Level::Study,
            keys: vec![key],
            limit: super::RESULTS_MAX,
            offset: from,
            whole: false,
            warnings: Vec::new(),
        }
    }
}

/// The UIDs of an attribute: at least one.
fn uids(
    data_set: &DataSet,
    tag: dicom_core::Tag,
    attribute: &'static str,
) -> Result<Vec<String>, Error> {
    let text = text(data_set, tag).ok_or(Error::Unique { attribute })?;
    let uids: Vec<String> = text.split('\\').map(|it| it.trim().to_owned()).collect();
    let is_uid = |uid: &String| {
        (1..=64).contains(&uid.len()) && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    match (uids.iter().all(is_uid), uids.len() <= UIDS_MAX) {
        (false, _) => Err(Error::Unique { attribute }),
        (_, false) => Err(Error::TooMany { max: UIDS_MAX }),
        _ => Ok(uids),
    }
}

/// Writes the list of instances that were not sent (PS3.4 §C.4.2.1.4.2), in a transfer syntax without compression.
///
/// # Errors
/// [`crate::Error::TransferSyntax`], [`crate::Error::Encode`].
pub fn failed_instances(instances: &[String], syntax: &str) -> crate::Result<Vec<u8>> {
    let mut data_set = DataSet::new();
    let mut joined = String::new();
    for uid in instances {
        // The length of a value in Explicit VR has 16 bits.
        if joined.len() + 1 + uid.len() > usize::from(u16::MAX - 1) {
            break;
        }
        if !joined.is_empty() {
            joined.push('\\');
        }
        joined.push_str(uid);
    }
    let list = Element::bytes(VR::UI, joined);
    data_set.insert(tags::FAILED_SOP_INSTANCE_UID_LIST, list);
    let mut out = Vec::new();
    file::encode(&data_set, file::registered(syntax)?, &mut out)?;
    Ok(out)
}
