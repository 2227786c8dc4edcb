//! Attributes of a patient and a study that the study's own documents repeat.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use crate::tree::DataSet;

/// The attributes that a Key Object Selection repeats: of its study's patient and study modules, and of their
/// de-identification.
pub(super) const REPEATED: [Tag; 15] = [
    tags::SPECIFIC_CHARACTER_SET,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
    tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_ID,
];

/// Attributes of a file's patient and study.
#[derive(Clone, Default)]
pub struct Repeated(pub(super) DataSet);

impl Repeated {
    /// Takes them from a file.
    pub(super) fn of(data_set: &DataSet) -> Self {
        let found = REPEATED
            .iter()
            .filter_map(|tag| Some((*tag, data_set.get(tag)?.clone())));
        Self(found.collect())
    }
}
