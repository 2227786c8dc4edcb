//! Studies: from folders, DICOMDIRs, zip archives and files to what is sealed together, and back to a folder.
//!
//! [`Inputs`] gathers the files, [`scan`] looks into each and groups them: nothing is sealed before every file was found
//! good. A study is sealed as a tar (POSIX.1-1988 ustar) of
//!
//! | name | content |
//! |---|---|
//! | `manifest.json` | the index: every file with its size, its SHA-256, and where it is: [`manifest`] |
//! | `manifest.json.sig` | the index's own signature |
//! | `0001/00001.dcm` … | the instances: a folder for each series, by Series Number, then by Instance Number |
//! | `key-objects.dcm` | a Key Object Selection Document that lists them |
//!
//! and of a study that has one instance that file as it is. Names, owners and times of the files do not pass.

pub(crate) mod copy;
pub(crate) mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub(crate) mod identity;
pub(crate) mod index;
pub(crate) mod input;
pub mod manifest;
pub(crate) mod names;
pub(crate) mod parts;
pub(crate) mod scan;
pub(crate) mod stage;
pub(crate) mod tar;
pub(crate) mod unpack;
pub(crate) mod walk;
pub mod zip;

pub use crate::study::copy::copy;
pub use crate::study::error::Error;
pub use crate::study::identity::{IDENTITY_MEDIA_TYPE, IdentityDocument};
pub use crate::study::index::StudyIndex;
pub use crate::study::input::{Inputs, Opening, Skipped};
pub use crate::study::manifest::Manifest;
pub use crate::study::names::{INDEX_SIGNATURE, KEY_OBJECTS, MANIFEST, MAX_FILES};
pub use crate::study::parts::{Pair, Study};
pub use crate::study::scan::{FileOutcome, ScanOptions, scan};
pub use crate::study::unpack::Contents;

#[cfg(test)]
mod tests;
