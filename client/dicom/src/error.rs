//! Errors of files and frames.

/// A reason why a file or a frame cannot be read. Never holds values from the data set but syntax UIDs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No `DICM` after the preamble (PS3.10 §7.1).
    #[error("not a DICOM file")]
    NotDicom,
    /// Cut short or malformed.
    #[error("the DICOM file is cut short or malformed")]
    Malformed,
    /// Encoded in a way that cannot be read.
    #[error("transfer syntax {uid} is not supported")]
    TransferSyntax {
        /// The transfer syntax.
        uid: String,
    },
    /// Too long.
    #[error("DICOM file of {found} bytes: at most {max} are read")]
    TooLarge {
        /// The length in bytes, of the file or of what it inflates to.
        found: u64,
        /// The most that is read, in bytes.
        max: u64,
    },
    /// Sequences nested deeper than any image's.
    #[error("sequences are nested more than {max} deep")]
    TooDeep {
        /// The deepest nesting that is read.
        max: usize,
    },
    /// An attribute that every image has is missing.
    #[error("{attribute} is missing")]
    Missing {
        /// The attribute's name.
        attribute: &'static str,
    },
    /// A number or code that no image has, or that is not supported.
    #[error("{attribute} says {found}, which is not supported")]
    Unsupported {
        /// The attribute's name.
        attribute: &'static str,
        /// Its number; of a code, its length.
        found: u64,
    },
    /// Pixels that would not fit into memory.
    #[error("pixels of {found} bytes: at most {max} are decoded")]
    TooManyPixels {
        /// Their size, in bytes.
        found: u64,
        /// The most that is decoded, in bytes.
        max: u64,
    },
    /// Pixels that are fewer or more than the image has.
    #[error("the pixel data have {found} bytes: rows, columns and frames make {wanted}")]
    PixelLength {
        /// Their length, in bytes.
        found: u64,
        /// The length that the image describes, in bytes.
        wanted: u64,
    },
    /// Compressed frames that are fewer or more than the image has.
    #[error("the pixel data have {found} frames: Number of Frames says {wanted}")]
    FrameCount {
        /// The frames that are there.
        found: u64,
        /// The frames that the image describes.
        wanted: u64,
    },
    /// A frame that the image does not have.
    #[error("frame {wanted} of {frames}")]
    NoSuchFrame {
        /// The frame, counted from 1.
        wanted: u64,
        /// The number of frames.
        frames: usize,
    },
    /// Pixels that are compressed in a way that is not decoded.
    #[error("pixels compressed as {name} (transfer syntax {uid}) are not decoded")]
    Compression {
        /// The compression.
        name: &'static str,
        /// The transfer syntax.
        uid: String,
    },
    /// Compressed pixels that cannot be decoded.
    #[error("the {codec} data cannot be decoded: {why}")]
    Codec {
        /// The compression.
        codec: &'static str,
        /// The fault, or the feature that is not supported.
        why: &'static str,
    },
    /// The file could not be encoded.
    #[error("the file cannot be encoded")]
    Encode,
}

/// Result of reading a file or a frame.
pub type Result<T> = std::result::Result<T, Error>;

/// A UID if it is one, so that errors repeat nothing else.
pub(crate) fn only_uid(text: &str) -> String {
    let text = text.trim_matches([' ', '\0']);
    let valid =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if valid { text } else { "(not a UID)" }.to_owned()
}
