//! Errors of documents and parts, as errors of an actor's work.

use std::io;
use std::path::Path;

use super::Error;
use crate::backup::error as backup;
use crate::mail;
use crate::papers::{emergency, guardian, guest, handover, network};
use crate::study::error as study;

impl From<backup::Error> for Error {
    fn from(error: backup::Error) -> Self {
        Self::Backup(Box::new(error))
    }
}

impl From<emergency::Error> for Error {
    fn from(error: emergency::Error) -> Self {
        Self::Emergency(Box::new(error))
    }
}

impl From<guardian::Error> for Error {
    fn from(error: guardian::Error) -> Self {
        Self::Guardian(Box::new(error))
    }
}

impl From<guest::Error> for Error {
    fn from(error: guest::Error) -> Self {
        Self::Guest(Box::new(error))
    }
}

impl From<handover::Error> for Error {
    fn from(error: handover::Error) -> Self {
        Self::Handover(Box::new(error))
    }
}

impl From<mail::Error> for Error {
    fn from(error: mail::Error) -> Self {
        Self::Mail(Box::new(error))
    }
}

impl From<network::Error> for Error {
    fn from(error: network::Error) -> Self {
        Self::Network(Box::new(error))
    }
}

impl From<study::Error> for Error {
    fn from(error: study::Error) -> Self {
        Self::Study(Box::new(error))
    }
}

/// Says of which file an error is; one that is there already has an error of its own.
pub(crate) fn file_error(path: &Path, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::AlreadyExists {
        return Error::FileExists {
            path: path.to_owned(),
        };
    }
    Error::File {
        path: path.to_owned(),
        source,
    }
}
