//! Objects on their way in: what the start of a data set says before the rest has come, and the file around it.
//!
//! A sender names an object's class, instance and transfer syntax outside of its data set, and sends the data set alone; a
//! file (PS3.10 §7) has them in front of it. The data set passes as it is.

use std::io::Read;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_encoding::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use serde::{Deserialize, Serialize};

use crate::deid::CharacterSet;
use crate::error::{Error, Result, only_uid};
pub use crate::file::IMPLEMENTATION_CLASS_UID;
use crate::file::{self, IMPLEMENTATION_VERSION_NAME};
use crate::reader;
use crate::repair::Repairs;
use crate::tree::{DataSet, Element, text};

/// Bytes of a data set in which everything that [`Arrival`] takes must stand.
pub const START_MAX: usize = 1 << 20;

/// Identifiers and descriptions of an object. They identify the patient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// SOP Class UID.
    pub class: String,
    /// SOP Instance UID.
    pub instance: String,
    /// Study Instance UID.
    pub study: String,
    /// Series Instance UID.
    pub series: String,
    /// Modality; empty if there is none, as the texts below.
    pub modality: String,
    /// Study Date, as it stands there.
    pub study_date: String,
    /// Study Description.
    pub study_description: String,
    /// Accession Number.
    pub accession: String,
    /// Patient's Name.
    pub patient_name: String,
    /// Patient ID.
    pub patient_id: String,
    /// Issuer of Patient ID.
    pub issuer: String,
    /// Patient's Birth Date, as it stands there.
    pub birth_date: String,
}

impl Arrival {
    /// Reads the start of a data set in a transfer syntax; none if more of it is needed. `whole` says that there is no more.
    ///
    /// # Errors
    /// [`Error::TransferSyntax`], [`Error::Malformed`], [`Error::TooDeep`], [`Error::Missing`] for one without its UIDs.
    pub fn of(start: &[u8], syntax: &str, whole: bool) -> Result<Option<Self>> {
        let syntax = known(syntax).ok_or_else(|| Error::TransferSyntax {
            uid: only_uid(syntax),
        })?;
        let encoding = file::encoding(syntax)?;
        let inflated;
        let start = match syntax.codec() {
            Codec::Dataset(Some(adapter)) => {
                let mut out = Vec::new();
                let mut reader = adapter.adapt_reader(Box::new(start)).take(START_MAX as u64);
                // What was cut off ends in an error; what came before it is there.
                let _ = reader.read_to_end(&mut out);
                inflated = out;
                &inflated[..]
            }
            _ => start,
        };
        let found = reader::start(start, encoding, tags::SERIES_INSTANCE_UID, whole)?;
        found.map(|data_set| Self::from(&data_set)).transpose()
    }

    /// Checks whether another object is of the same patient: by Patient ID and its issuer, without an ID by name and date of
    /// birth.
    #[must_use]
    pub fn is_same_patient(&self, other: &Self) -> bool {
        let id = self.patient_id == other.patient_id && self.issuer == other.issuer;
        let named = !self.patient_id.is_empty()
            || self.patient_name == other.patient_name && self.birth_date == other.birth_date;
        id && named
    }

    fn from(data_set: &DataSet) -> Result<Self> {
        let uid = |tag, attribute| {
            let uid = text(data_set, tag).ok_or(Error::Missing { attribute })?;
            match only_uid(&uid) == uid {
                true => Ok(uid),
                false => Err(Error::Malformed),
            }
        };
        let charset = CharacterSet::of(data_set);
        let words = |tag: Tag| {
            let bytes = data_set.get(&tag).and_then(Element::as_bytes);
            let text = charset.text(bytes.unwrap_or_default());
            text.trim_matches([' ', '\0']).to_owned()
        };
        Ok(Self {
            class: uid(tags::SOP_CLASS_UID, "SOP Class UID")?,
            instance: uid(tags::SOP_INSTANCE_UID, "SOP Instance UID")?,
            study: uid(tags::STUDY_INSTANCE_UID, "Study Instance UID")?,
            series: uid(tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
            modality: words(tags::MODALITY),
            study_date: words(tags::STUDY_DATE),
            study_description: words(tags::STUDY_DESCRIPTION),
            accession: words(tags::ACCESSION_NUMBER),
            patient_name: words(tags::PATIENT_NAME),
            patient_id: words(tags::PATIENT_ID),
            issuer: words(tags::ISSUER_OF_PATIENT_ID),
            birth_date: words(tags::PATIENT_BIRTH_DATE),
        })
    }
}

/// Checks whether objects in this transfer syntax can be read later on, their data sets at least.
#[must_use]
pub fn is_carried(syntax: &str) -> bool {
    known(syntax).is_some_and(|syntax| file::encoding(syntax).is_ok())
}

/// Checks whether a data set ends where its last element does. One that is deflated is not looked into.
#[must_use]
pub fn is_whole(data_set: &[u8], syntax: &str) -> bool {
    let Some(syntax) = known(syntax) else {
        return false;
    };
    if matches!(syntax.codec(), Codec::Dataset(_)) {
        return true;
    }
    let encoding = file::encoding(syntax);
    encoding
        .is_ok_and(|encoding| reader::data_set(data_set, encoding, &mut Repairs::default()).is_ok())
}

fn known(uid: &str) -> Option<&'static TransferSyntax> {
    let found = TransferSyntaxRegistry
        .get(uid)
        .or_else(|| file::retired(uid));
    found.filter(|syntax| !matches!(syntax.codec(), Codec::Dataset(None)))
}

/// Makes what stands before a data set in its file (PS3.10 §7.1): an empty preamble and the file meta information.
#[must_use]
pub fn file_start(class: &str, instance: &str, syntax: &str, sender: &str) -> Vec<u8> {
    let mut meta = b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01".to_vec();
    let mut put = |element: u16, vr: &[u8; 2], value: &str, pad: u8| {
        let odd = value.len() % 2;
        let length = (value.len() + odd).min(usize::from(u16::MAX) - 1);
        meta.extend([0x02, 0x00]);
        meta.extend(element.to_le_bytes());
        meta.extend(vr);
        meta.extend((length as u16).to_le_bytes());
        let padding = [pad].into_iter().take(odd);
        meta.extend(value.bytes().chain(padding).take(length));
    };
    put(0x0002, b"UI", class, 0);
    put(0x0003, b"UI", instance, 0);
    put(0x0010, b"UI", syntax, 0);
    put(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, 0);
    put(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b' ');
    put(0x0016, b"AE", sender, b' ');
    let mut start = vec![0; 128];
    start.extend(b"DICM\x02\x00\x00\x00UL\x04\x00");
    start.extend((meta.len() as u32).to_le_bytes());
    start.extend(meta);
    start
}

/// Takes the start of a file apart: its transfer syntax, and the place of its data set.
///
/// # Errors
/// [`Error::NotDicom`], [`Error::Malformed`]; [`Error::TransferSyntax`] for one that names none.
pub fn file_parts(file: &[u8]) -> Result<(String, usize)> {
    let (syntax, place) = file::parts(file)?;
    let none = || Error::TransferSyntax { uid: only_uid("") };
    Ok((syntax.ok_or_else(none)?, place))
}

#[cfg(test)]
mod tests;
