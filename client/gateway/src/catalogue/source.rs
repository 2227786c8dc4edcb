//! An image that is open, and reasons why one is not.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use pcim_client::{Error, MAX_INSTANCE_BYTES, Opened};
use zeroize::Zeroizing;

/// An image that is open.
#[derive(Clone)]
pub(crate) enum Source {
    /// At its index: each instance is read by itself.
    Study(Arc<Opened>),
    /// Whole, because it has no index.
    Whole(Arc<Whole>),
}

/// An image in memory.
pub(crate) struct Whole {
    payload: Zeroizing<Vec<u8>>,
    /// Its DICOM files.
    files: Vec<Range<usize>>,
}

/// A reason why an image is not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// This home may not, or no longer.
    Ended(String),
    /// There is no such thing.
    Absent,
    /// It is larger than what is read into memory.
    TooLarge(String),
    /// The chain, or those who have it, do not answer.
    Unreachable(String),
    /// It is not as it was sealed, or this program failed.
    Failed(String),
}

impl Source {
    /// Reads an instance by its number, counted from 1.
    pub(crate) async fn instance(&self, number: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        match self {
            Self::Study(opened) => Ok(opened.instance(number).await?),
            Self::Whole(whole) => {
                let file = whole.file(number).ok_or(Refusal::Absent)?;
                Ok(Zeroizing::new(file.to_vec()))
            }
        }
    }

    /// The bytes of an instance.
    pub(crate) fn bytes(&self, number: usize) -> u64 {
        match self {
            Self::Study(opened) => opened.index().file(number).map_or(0, |file| file.bytes),
            Self::Whole(whole) => whole.file(number).map_or(0, |file| file.len() as u64),
        }
    }

    /// Begins to fetch an instance that is read next.
    pub(crate) fn fetch_ahead(&self, number: usize) {
        if let Self::Study(opened) = self {
            opened.fetch_ahead(number);
        }
    }
}

impl Whole {
    /// Finds the files of a payload.
    pub(crate) fn new(payload: Zeroizing<Vec<u8>>) -> Result<Self, Refusal> {
        let start = payload.as_ptr() as usize;
        let found = pcim_dicom::view::instances(&payload);
        let found = found.map_err(|error| Refusal::Failed(error.to_string()))?;
        let place = |file: &&[u8]| {
            let at = file.as_ptr() as usize - start;
            at..at + file.len()
        };
        let files = found.iter().map(place).collect();
        Ok(Self { payload, files })
    }

    /// A file by its number, counted from 1.
    pub(crate) fn file(&self, number: usize) -> Option<&[u8]> {
        let range = self.files.get(number.checked_sub(1)?)?;
        self.payload.get(range.clone())
    }

    /// Counts the files.
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there is no such resource"),
            Self::Ended(why) | Self::TooLarge(why) | Self::Unreachable(why) | Self::Failed(why) => {
                f.write_str(why)
            }
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let why = error.to_string();
        match error {
            Error::NotAuthorized { .. } => Self::Ended(why),
            Error::UnknownImage { .. } | Error::NoInstance { .. } => Self::Absent,
            Error::BodyTooLarge { .. } | Error::InstanceTooLarge { .. } => Self::TooLarge(format!(
                "{why}; at most {MAX_INSTANCE_BYTES} bytes are read"
            )),
            Error::Node(_) => Self::Unreachable(why),
            error if error.is_of_chain() => Self::Unreachable(why),
            _ => Self::Failed(why),
        }
    }
}
