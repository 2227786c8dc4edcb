//! Errors of the gateway. They hold no patient data: UIDs stand in what a caller asked for alone.

use std::io;
use std::path::PathBuf;

use pcim_core::hint::{CHECK_THE_DISK, Hint, Hints};

/// A reason why the gateway could not start, or could not do what was asked of its inbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration or rules that do not read.
    #[error("{}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// The fault, and its place.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A port could not be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Another process works on the spool.
    #[error("the spool {} is in use by another process", path.display())]
    Busy {
        /// The spool's folder.
        path: PathBuf,
    },
    /// An object or a document of the spool could not be encrypted or opened.
    #[error("the spool's key: {0}")]
    Seal(#[source] Box<pcim_seal::Error>),
    /// A document of the spool does not read.
    #[error("a document of the spool: {0}")]
    Document(#[from] serde_json::Error),
    /// No study of this number waits.
    #[error("no study {number} is in the inbox")]
    NoSuchStudy {
        /// The number.
        number: u64,
    },
    /// The study is not in a state in which this can be done.
    #[error("study {number} {state}")]
    NotNow {
        /// The study.
        number: u64,
        /// Its state.
        state: &'static str,
    },
    /// Sealing failed.
    #[error(transparent)]
    Client(Box<pcim_client::Error>),
    /// A worker stopped.
    #[error("a worker of the gateway stopped: {0}")]
    Worker(#[from] tokio::task::JoinError),
}

/// Result of the gateway's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl From<pcim_client::Error> for Error {
    fn from(source: pcim_client::Error) -> Self {
        Self::Client(Box::new(source))
    }
}

impl Error {
    /// An error of a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

impl Hint for Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Client(error) => return error.hints(),
            Self::Seal(error) => return error.hints(),
            Self::Settings { .. } => {
                "docs/gateway.md explains every setting; `pcim gateway check` reads them without starting"
            }
            Self::File { .. } => CHECK_THE_DISK,
            Self::Listen { .. } => {
                "give another --dicom-port or --http-port; ports below 1024 need a privilege"
            }
            Self::Busy { .. } => "stop the other gateway of this home first",
            Self::Document(_) => "was the spool changed by another program? restore it from a copy",
            Self::NoSuchStudy { .. } => "`pcim gateway inbox list` shows the numbers",
            Self::NotNow { .. } => "`pcim gateway inbox show` says how it stands",
            Self::Worker(_) => return Vec::new(),
        };
        vec![hint.into()]
    }
}
