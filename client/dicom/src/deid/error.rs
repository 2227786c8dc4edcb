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
    /// Pixels of a slide's label, whatever the file says of burned in text.
    #[error("the image shows the label of a specimen, which often names the patient")]
    SpecimenLabel,
    /// A value that says how large pixels are, where they lie or what they measure, and is no number.
    #[error("{attribute} is not a number: without it the image would be another one")]
    Geometry {
        /// The attribute's keyword.
        attribute: String,
    },
    /// Regions cannot be blanked.
    #[error("regions cannot be blanked: {why}")]
    CannotBlank {
        /// Why.
        why: &'static str,
    },
    /// A face cannot be cut.
    #[error("the face cannot be cut: {why}")]
    Face {
        /// Why.
        why: &'static str,
    },
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
    /// Pixels that have to be decoded, to blank regions or to look for bits beside them, cannot be.
    #[error("the pixels have to be decoded, and cannot be: {0}")]
    Pixels(#[source] crate::Error),
}

/// Result of reading or de-identifying a file.
pub type Result<T> = std::result::Result<T, Error>;
