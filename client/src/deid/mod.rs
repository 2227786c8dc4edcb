//! De-identification (DICOM PS3.15 Annex E): DICOM in → DICOM out + report. Pure, no network.

/// How to de-identify.
#[derive(Clone, Debug)]
pub struct Options {
    /** secret that keys the UID mapping: same input and key, same output */
    pub key: [u8; 32],
}
/// What was done to one file.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    pub profile: String,
    pub removed: u32,
    pub emptied: u32,
    pub replaced: u32,
    pub uids: u32,
    pub private_removed: u32,
    /** modality code, e.g. `CT` */
    pub modality: Option<String>,
    /** body part code, e.g. `CHEST` */
    pub body_part: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("placeholder")]
    Placeholder,
}
pub type Result<T> = std::result::Result<T, Error>;

/// De-identifies one DICOM file (PS3.10), bytes to bytes; fails closed.
pub fn deidentify(_file: &[u8], _options: &Options) -> Result<(Vec<u8>, Report)> {
    todo!()
}
/// Checks that the bytes are a whole DICOM file and tells its modality and body part codes, nothing personal.
pub fn inspect(_file: &[u8]) -> Result<Report> {
    todo!()
}
