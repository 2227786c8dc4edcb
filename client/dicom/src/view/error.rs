//! Reasons why there is nothing to see.

/// A reason why there is nothing to see. Never holds values from the data set but syntax UIDs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file or its pixels cannot be read.
    #[error(transparent)]
    Dicom(#[from] crate::Error),
    /// Pixels that are floating-point numbers.
    #[error("pixels of floating-point numbers cannot be shown")]
    FloatingPoint,
    /// A palette that maps nothing.
    #[error("the colour palette is missing or malformed")]
    Palette,
    /// A window that divides by zero.
    #[error("the window's width is not a number above zero")]
    Window,
    /// Neither a DICOM file nor a tar of such.
    #[error("there is no DICOM image in it")]
    NoImage,
    /// Too many files in a tar.
    #[error("more than {max} files")]
    TooMany {
        /// The most that are looked at.
        max: usize,
    },
}

/// Result of looking at an image.
pub type Result<T> = std::result::Result<T, Error>;
