//! Reasons why files cannot be checked.

/// A reason why files cannot be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More texts than are looked for at once.
    #[error(
        "the files before have more than {max} texts that identify: check fewer of them at once"
    )]
    TooManyNames {
        /// The most.
        max: usize,
    },
}

/// Result of checking.
pub type Result<T> = std::result::Result<T, Error>;
