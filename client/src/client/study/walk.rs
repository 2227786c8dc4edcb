//! Goes through a folder: every regular file below it, in the order of names, without following symbolic links.

use std::fs;
use std::path::{Path, PathBuf};

use super::input::{kind, start_of};
use super::{Error, MAX_FILES};
use crate::client;

/// Deepest nesting of folders.
const MAX_DEPTH: usize = 64;
/// Most names below a folder, of any kind.
const MAX_NAMES: usize = 10 * MAX_FILES;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dicom,
    Directory,
    Zip,
    Link,
    Special,
    Missing,
    Other,
}

impl Kind {
    /// Why it is passed over.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Dicom => "a DICOM file",
            Self::Directory => "a media directory: the files themselves are read",
            Self::Zip => "an archive within: give it by itself",
            Self::Link => "a symbolic link",
            Self::Special => "not a regular file",
            Self::Missing => "it is not there",
            Self::Other => "not a DICOM file",
        }
    }
}

/// Tells each file below `root`.
pub(super) fn walk(
    root: &Path,
    tell: &mut dyn FnMut(PathBuf, Kind) -> client::Result<()>,
) -> client::Result<()> {
    let mut left = MAX_NAMES;
    folder(root, 0, &mut left, tell)
}

fn folder(
    path: &Path,
    depth: usize,
    left: &mut usize,
    tell: &mut dyn FnMut(PathBuf, Kind) -> client::Result<()>,
) -> client::Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::TooDeep {
            path: path.to_owned(),
            max: MAX_DEPTH,
        }
        .into());
    }
    let at = |path: &Path, source| client::Error::File {
        path: path.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| at(path, error))? {
        let entry = entry.map_err(|error| at(path, error))?;
        *left = left
            .checked_sub(1)
            .ok_or(Error::TooManyFiles { max: MAX_NAMES })?;
        names.push(entry.file_name());
    }
    names.sort();
    for name in names {
        let path = path.join(name);
        let metadata = fs::symlink_metadata(&path).map_err(|error| at(&path, error))?;
        if metadata.is_dir() {
            folder(&path, depth + 1, left, tell)?;
        } else if metadata.is_symlink() {
            tell(path, Kind::Link)?;
        } else if !metadata.is_file() {
            tell(path, Kind::Special)?;
        } else {
            let start = start_of(&path).map_err(|error| at(&path, error))?;
            tell(path, kind(&start).unwrap_or(Kind::Other))?;
        }
    }
    Ok(())
}
