//! An opened study: its tar taken apart into a folder, and compared with its manifest.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::identity::is_identity;
use super::manifest::{MAX_BYTES, Manifest};
use super::{Error, MANIFEST, MAX_FILES, tar};
use crate::{client, parallel, private};

/// Most files of a tar: the instances and the two documents.
const MAX_ENTRIES: usize = MAX_FILES + 2;
/// So many bytes of files are written at a time, by several threads; a longer file is written by itself.
const TOGETHER: u64 = 8 << 20;

/// What was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Contents {
    /// A DICOM file.
    Dicom,
    /// A study, in a folder.
    Study {
        /// How many instances.
        instances: usize,
        /// How many series.
        series: usize,
        /// Modality codes.
        modalities: Vec<String>,
    },
    /// A study that was kept as a tar.
    Tar,
    /// What tells whose images are.
    Identity,
    /// Something else.
    Other,
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dicom => write!(f, "a DICOM file"),
            Self::Study {
                instances,
                series,
                modalities,
            } => {
                let modalities = modalities.join(" ");
                write!(
                    f,
                    "a study: {instances} instances in {series} series, {modalities}"
                )
            }
            Self::Tar => write!(f, "a study as a tar"),
            Self::Identity => write!(f, "an identity document"),
            Self::Other => write!(f, "a file"),
        }
    }
}

/// What a payload is, by its start.
pub(crate) fn contents_of(start: &[u8]) -> Contents {
    if start.get(128..132) == Some(b"DICM") {
        Contents::Dicom
    } else if tar::is_tar(start) {
        Contents::Tar
    } else if is_identity(start) {
        Contents::Identity
    } else {
        Contents::Other
    }
}

/// Takes a study's tar apart into a folder that is not there yet, and appears only when all of it agrees with its manifest;
/// by way of an empty folder beside it.
pub(crate) fn unpack_by(tar: impl Read, made: TempDir, folder: &Path) -> client::Result<Contents> {
    let manifest = unpack(tar, made.path())?;
    appear(made, folder)?;
    Ok(contents(manifest))
}

/// Gives a folder that was made beside its place, and is on the disk to stay, its name.
pub(super) fn appear(made: TempDir, folder: &Path) -> client::Result<()> {
    let at = |source| client::opening::file_error(folder, source);
    // A folder that came here meanwhile stays as it is, unless it is empty.
    fs::rename(made.path(), folder).map_err(|source| match source.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => {
            let path = folder.to_owned();
            client::Error::FileExists { path }
        }
        _ => at(source),
    })?;
    // It has another name now: there is nothing to delete.
    let _ = made.keep();
    private::sync_parent(folder).map_err(at)
}

pub(super) fn contents(manifest: Manifest) -> Contents {
    let instances = manifest.series.iter().map(|series| series.instances.len());
    Contents::Study {
        instances: instances.sum(),
        series: manifest.series.len(),
        modalities: manifest.modalities,
    }
}

/// The manifest of a study's folder, if it can be read.
pub(crate) fn manifest_of(folder: &Path) -> Option<Manifest> {
    let bytes = private::read_limited(&folder.join(MANIFEST), MAX_BYTES as usize);
    Manifest::read(&bytes.ok()?).ok()
}

/// Takes a study's tar apart into an empty folder of our own, and compares every file with the manifest. On an error the
/// folder holds part of it, and nothing of it may be used. The files are on the disk to stay.
pub(super) fn unpack(tar: impl Read, folder: &Path) -> Result<Manifest, Error> {
    let damaged = |why| Error::Damaged { why };
    let mut tar = BufReader::with_capacity(1 << 18, tar);
    let mut found = HashMap::new();
    let mut names = BTreeSet::new();
    let mut together = Vec::new();
    let mut bytes = 0;
    while let Some((name, size)) = tar::next(&mut tar)? {
        if names.len() >= MAX_ENTRIES {
            return Err(damaged("it has too many files"));
        }
        if !names.insert(name.clone()) {
            return Err(damaged("two files have the same name"));
        }
        if name == MANIFEST && size > MAX_BYTES {
            return Err(damaged("its manifest is too long"));
        }
        let mut content = (&mut tar).take(size);
        if size > TOGETHER {
            let path = folder.join(&name);
            let hash = write(&mut content, size, &path)?;
            File::open(path)?.sync_all()?;
            found.insert(name, (size, hash));
        } else {
            let mut file = Vec::with_capacity(size as usize);
            content.read_to_end(&mut file)?;
            bytes += size;
            together.push((name, size, file));
        }
        tar::skip_padding(&mut tar, size)?;
        if bytes > TOGETHER {
            write_together(&together, folder, &mut found)?;
            together.clear();
            bytes = 0;
        }
    }
    write_together(&together, folder, &mut found)?;
    if found.remove(MANIFEST).is_none() {
        return Err(damaged("it has no manifest"));
    }
    let manifest = Manifest::read(&fs::read(folder.join(MANIFEST))?)?;
    for file in manifest.files() {
        let (size, hash) = found
            .remove(&file.file)
            .ok_or(damaged("a file is missing"))?;
        if size != file.bytes || hex::encode(hash) != file.sha256 {
            return Err(damaged("a file is another one"));
        }
    }
    if !found.is_empty() {
        return Err(damaged("it has a file that is not listed"));
    }
    private::sync_files(&folders_of(folder, &names))?;
    Ok(manifest)
}

/// Writes files that are not there yet, each with the length that it should have, and waits until they are on the disk;
/// adds their lengths and hashes to `found`.
fn write_together(
    files: &[(String, u64, Vec<u8>)],
    folder: &Path,
    found: &mut HashMap<String, (u64, [u8; 32])>,
) -> Result<(), Error> {
    let write = |_, (name, size, content): &(String, u64, Vec<u8>)| -> Result<_, Error> {
        let path = folder.join(name);
        let hash = write(&mut content.as_slice(), *size, &path)?;
        File::open(path)?.sync_all()?;
        Ok((name.clone(), (*size, hash)))
    };
    for written in parallel::each(files, private::SYNCING, write) {
        found.extend([written?]);
    }
    Ok(())
}

/// Writes a file that is not there yet, readable by its owner only. Returns its SHA-256.
pub(super) fn write(content: &mut impl Read, size: u64, path: &Path) -> Result<[u8; 32], Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let mut file = options.open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; size.clamp(1, 1 << 17) as usize];
    let mut left = size;
    while left > 0 {
        let length = content.read(&mut piece)?;
        if length == 0 {
            let why = "it is cut short";
            return Err(Error::Damaged { why });
        }
        hash.update(&piece[..length]);
        file.write_all(&piece[..length])?;
        left -= length as u64;
    }
    Ok(hash.finalize().into())
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Waits until all is on the disk: once everything was written, most of it is there already.
pub(super) fn sync(folder: &Path, manifest: &Manifest) -> io::Result<()> {
    let files = manifest.files().map(|file| file.file.clone());
    let files: BTreeSet<String> = files.chain([MANIFEST.to_owned()]).collect();
    private::sync_files(&files.iter().map(|it| folder.join(it)).collect::<Vec<_>>())?;
    private::sync_files(&folders_of(folder, &files))
}

/// A study's folder and those in it that its files are in.
fn folders_of(folder: &Path, files: &BTreeSet<String>) -> Vec<PathBuf> {
    let within = files.iter().filter_map(|file| file.split_once('/'));
    let within: BTreeSet<&str> = within.map(|(folder, _)| folder).collect();
    let within = within.into_iter().map(|it| folder.join(it));
    within.chain([folder.to_owned()]).collect()
}
