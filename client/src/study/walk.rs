//! Goes through a folder: every regular file below it, in the order of names, without following symbolic links.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::study::error::Error;
use crate::study::names::MAX_FILES;
use crate::study::zip;

/// Bytes by which a file's kind is recognised.
pub(super) const START: usize = 1024;
/// Deepest nesting of folders.
const MAX_DEPTH: usize = 64;
/// Most names below a folder, of any kind.
const MAX_NAMES: usize = 10 * MAX_FILES;
/// Files of a folder that are opened before their kinds are reported.
const BATCH: usize = 1024;

/// The kind of what a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputKind {
    Folder,
    Dicom,
    Directory,
    Zip,
    Link,
    Special,
    Missing,
    Other,
}

impl InputKind {
    /// Why it is passed over.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Folder => "a folder",
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

/// Finds what a path is, with the metadata of itself or of what it leads to: a file by its start.
pub(super) fn kind_of(path: &Path, metadata: &Metadata) -> io::Result<InputKind> {
    Ok(if metadata.is_dir() {
        InputKind::Folder
    } else if metadata.is_symlink() {
        InputKind::Link
    } else if !metadata.is_file() {
        InputKind::Special
    } else {
        kind(&start_of(path)?).unwrap_or(InputKind::Other)
    })
}

/// Reads the first bytes of a file.
pub(super) fn start_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    let file = File::open(path)?;
    file.take(START as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Finds what a file is by its start; none if it is nothing of ours.
pub(super) fn kind(start: &[u8]) -> Option<InputKind> {
    if pcim_dicom::deid::is_directory(start) {
        Some(InputKind::Directory)
    } else if pcim_dicom::is_dicom(start) {
        Some(InputKind::Dicom)
    } else if zip::is_zip(start) {
        Some(InputKind::Zip)
    } else {
        None
    }
}

/// Tells each file below `root`.
pub(super) fn walk(
    root: &Path,
    tell: &mut dyn FnMut(PathBuf, InputKind) -> crate::error::Result<()>,
) -> crate::error::Result<()> {
    let mut left = MAX_NAMES;
    folder(root, 0, &mut left, tell)
}

fn folder(
    path: &Path,
    depth: usize,
    left: &mut usize,
    tell: &mut dyn FnMut(PathBuf, InputKind) -> crate::error::Result<()>,
) -> crate::error::Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::TooDeep {
            path: path.to_owned(),
            max: MAX_DEPTH,
        }
        .into());
    }
    let at = |path: &Path, source| crate::error::Error::File {
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
    let paths: Vec<_> = names.into_iter().map(|name| path.join(name)).collect();
    let look = |_, path: &PathBuf| kind_of(path, &fs::symlink_metadata(path)?);
    for batch in paths.chunks(BATCH) {
        let kinds = pcim_core::parallel::each(batch, pcim_core::parallel::processors(), look);
        for (path, kind) in batch.iter().zip(kinds) {
            match kind.map_err(|error| at(path, error))? {
                InputKind::Folder => folder(path, depth + 1, left, tell)?,
                kind => tell(path.clone(), kind)?,
            }
        }
    }
    Ok(())
}
