//! Reasons why a file is not de-identified.

/// A reason why a file cannot be read or de-identified. Never holds values from the data set but class and syntax UIDs.
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
        /// The kind of content.
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
