//! Reasons why text cannot be looked for.

/// A reason why text cannot be looked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another file than the known model.
    #[error("the text model has SHA-256 {found}: wanted {wanted}")]
    OtherModel {
        /// The digest of the file.
        found: String,
        /// The digest of the model that is known.
        wanted: &'static str,
    },
    /// The model does not load or run here.
    #[error("the text model cannot be run")]
    Model,
    /// A picture with more pixels than are looked at.
    #[error("a picture of {found} pixels: at most {max} are searched for text")]
    TooLarge {
        /// Its pixels.
        found: u64,
        /// The most.
        max: u64,
    },
    /// The image cannot be read or decoded.
    #[error(transparent)]
    View(#[from] crate::view::Error),
}

/// Result of looking for text.
pub type Result<T> = std::result::Result<T, Error>;
