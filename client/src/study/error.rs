//! Errors of inputs and of opened studies.

use std::path::PathBuf;

use crate::study::names::{VERSION, VERSION_INDEX};
use crate::study::zip;

/// Why an input as a whole, or a study that was opened, is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More than [`MAX_FILES`].
    #[error("more than {max} files at once")]
    TooManyFiles {
        /// The most that is read.
        max: usize,
    },
    /// Folders nested too deep.
    #[error("{}: folders are nested more than {max} deep", path.display())]
    TooDeep {
        /// The folder.
        path: PathBuf,
        /// The deepest that is read.
        max: usize,
    },
    /// A zip archive.
    #[error("{}: {source}", path.display())]
    Zip {
        /// The archive as the caller named it.
        path: PathBuf,
        /// Why.
        source: zip::Error,
    },
    /// A DICOMDIR names a file that is not in its folder.
    #[error("{}: record {record} names a file {why}", path.display())]
    Directory {
        /// The DICOMDIR.
        path: PathBuf,
        /// Which of the records that name files, counted from 1.
        record: usize,
        /// The fault.
        why: &'static str,
    },
    /// Nothing but other files.
    #[error("{}: no DICOM file is in it", path.display())]
    NothingFound {
        /// The text that was given.
        path: PathBuf,
    },
    /// Files that may not be sealed together.
    #[error("{} and {} are of different patients", first.display(), other.display())]
    SeveralPatients {
        /// A file.
        first: PathBuf,
        /// The first file with another Patient ID, or another issuer of it.
        other: PathBuf,
    },
    /// Two files say that they are the same instance, and differ.
    #[error("{} and {} have the same SOP Instance UID, and differ", first.display(), other.display())]
    SameInstance {
        /// A file.
        first: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// More than one study where one was asked for.
    #[error("the files are of {found} studies, and one was asked for")]
    SeveralStudies {
        /// How many.
        found: usize,
    },
    /// A file is not what it was when it was looked at.
    #[error("{}: the file changed while it was worked on", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The index of a study was not signed before the study was read.
    #[error("the study's index is not signed")]
    Unsigned,
    /// The payload is not a study as this program writes them.
    #[error("the study is not as its manifest says: {why}")]
    Damaged {
        /// The fault.
        why: &'static str,
    },
    /// A later format.
    #[error(
        "a study of version {found}; this program reads versions {} and {}",
        VERSION,
        VERSION_INDEX
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// A study's folder could not be written, or its tar not be read.
    #[error("cannot write the study's folder: {0}")]
    Write(#[from] std::io::Error),
}
