//! An opened study: its tar taken apart into a folder, and compared with its manifest.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};

use bytes::{Buf, Bytes};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::study::error::Error;
use crate::study::identity::is_identity;
use crate::study::manifest::{MAX_BYTES, Manifest};
use crate::study::names::{INDEX_SIGNATURE, MANIFEST, MAX_FILES};
use crate::study::tar::{self, BLOCK};
use pcim_core::buffers::Buffers;
use pcim_core::private::create_new;
use pcim_seal::Opened;

/// Most files of a tar: the instances, the two documents, and the signature of one of them.
const MAX_ENTRIES: usize = MAX_FILES + 3;
/// Bytes of files that are written at a time, by several threads; a longer file is written by itself.
const TOGETHER: u64 = 8 << 20;
/// Most bytes that are handed to the thread that takes a tar apart at a time.
const PIECE: usize = 256 << 10;
/// Pieces on the way to it.
const AHEAD: usize = 4;

/// The opened file.
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
    /// The attributes that say which patient an image is of.
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

/// The kind of a payload, by its start.
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

/// A study's tar that is taken apart, by a thread of its own, while it comes. Dropped, nothing is written any more.
pub(crate) struct Unpacking {
    /// Until the tar has come to its end.
    pieces: Option<SyncSender<Bytes>>,
    buffers: Buffers,
    thread: Option<JoinHandle<Result<Manifest, Error>>>,
    /// How the thread ended, if it did before the tar.
    stopped: Option<Result<Manifest, Error>>,
}

impl Unpacking {
    /// Into an empty folder of our own.
    pub(crate) fn into(folder: &Path) -> Self {
        let (pieces, coming) = sync_channel(AHEAD);
        let folder = folder.to_owned();
        let current = Bytes::new();
        let work = move || unpack(Coming { coming, current }, &folder);
        Self {
            pieces: Some(pieces),
            buffers: Buffers::default(),
            thread: Some(thread::spawn(work)),
            stopped: None,
        }
    }

    /// Waits until all of it is on the disk to stay. On an error the folder holds part of it, and nothing of it may be used.
    ///
    /// # Errors
    /// What is wrong with it, as [`crate::error::Error::Study`].
    pub(crate) fn finish(mut self) -> crate::error::Result<Contents> {
        let dead = || Error::Write(io::Error::other("unpacking a study did not end"));
        let ended = self.stopped.take().or_else(|| self.end());
        Ok(contents(ended.unwrap_or_else(|| Err(dead()))?))
    }

    fn end(&mut self) -> Option<Result<Manifest, Error>> {
        self.pieces = None;
        self.thread.take()?.join().ok()
    }
}

impl Write for Unpacking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut piece = self.buffers.take(PIECE);
        let taken = bytes.len().min(PIECE);
        piece[..taken].copy_from_slice(&bytes[..taken]);
        let piece = self.buffers.lend(piece, taken);
        let sent = self.pieces.as_ref().map(|pieces| pieces.send(piece));
        if let Some(Err(_)) = sent {
            match self.end() {
                Some(Err(Error::Write(error))) => return Err(error),
                // What is wrong with the tar is told at the end, when it is known whose fault it can be.
                stopped => self.stopped = stopped,
            }
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        self.end();
    }
}

/// The other end of [`Unpacking`].
struct Coming {
    coming: Receiver<Bytes>,
    current: Bytes,
}

impl Read for Coming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.coming.recv() {
                Ok(piece) => self.current = piece,
                Err(RecvError) => return Ok(0),
            }
        }
        let taken = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

/// Gives a folder that was made beside its place, and is on the disk to stay, its name.
pub(crate) fn appear(made: TempDir, folder: &Path) -> crate::error::Result<()> {
    let at = |source| crate::error::file_error(folder, source);
    // A folder that came here meanwhile stays as it is, unless it is empty.
    fs::rename(made.path(), folder).map_err(|source| match source.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => {
            let path = folder.to_owned();
            crate::error::Error::FileExists { path }
        }
        _ => at(source),
    })?;
    // It has another name now: there is nothing to delete.
    let _ = made.keep();
    pcim_core::private::sync_parent(folder).map_err(at)
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
    let bytes = pcim_core::private::read_limited(&folder.join(MANIFEST), MAX_BYTES as usize);
    Manifest::read(&bytes.ok()?).ok()
}

/// Compares the index of a study that was taken apart into a folder with what the image's signature says.
pub(crate) fn check_index(folder: &Path, opened: &Opened) -> crate::error::Result<()> {
    let damaged = |why| Err(Error::Damaged { why }.into());
    let read = |name: &str| {
        let bytes = pcim_core::private::read_limited(&folder.join(name), MAX_BYTES as usize);
        bytes.map_err(Error::Write)
    };
    let index = read(MANIFEST)?;
    match (Manifest::read(&index)?.is_index(), opened.claims.index) {
        (false, None) => return Ok(()),
        (true, Some(wanted)) if Sha256::digest(&index)[..] == wanted => {}
        _ => return damaged("its index is not the one that was sealed"),
    }
    let signature = read(INDEX_SIGNATURE)?;
    Ok(pcim_seal::verify_index(&index, &signature, &opened.signer)?)
}

/// Takes a study's tar apart into an empty folder, and compares every file with the manifest. The files are on the disk to
/// stay.
fn unpack(mut tar: impl Read, folder: &Path) -> Result<Manifest, Error> {
    let damaged = |why| Error::Damaged { why };
    let (mut names, mut order, mut at) = (BTreeSet::new(), Vec::new(), 0);
    let mut found = thread::scope(|scope| {
        let mut together = Together::new(scope, folder);
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
            at += BLOCK as u64;
            order.push((name.clone(), at));
            at += size + tar::padding(size) as u64;
            let mut content = (&mut tar).take(size);
            if size > TOGETHER {
                let path = folder.join(&name);
                let hash = write(&mut content, size, &path)?;
                File::open(path)?.sync_all()?;
                together.found.insert(name, (size, hash));
            } else {
                let mut file = Vec::with_capacity(size as usize);
                content.read_to_end(&mut file)?;
                together.add(name, size, file)?;
            }
            tar::skip_padding(&mut tar, size)?;
        }
        together.finish()
    })?;
    if found.remove(MANIFEST).is_none() {
        return Err(damaged("it has no manifest"));
    }
    let manifest = Manifest::read(&fs::read(folder.join(MANIFEST))?)?;
    if manifest.is_index() {
        found.remove(INDEX_SIGNATURE);
    }
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
    if manifest.is_index() {
        check_places(&manifest, &order)?;
    }
    pcim_core::private::sync_files(&folders_of(folder, &names))?;
    Ok(manifest)
}

/// Refuses a study whose files are not where its index says; `order` has each with the place where its content began.
fn check_places(index: &Manifest, order: &[(String, u64)]) -> Result<(), Error> {
    let why = "its files are not where its index says";
    let signed = matches!(order, [(first, _), (second, _), ..] if first == MANIFEST && second == INDEX_SIGNATURE);
    let files = order.get(2..).filter(|_| signed).unwrap_or_default();
    // The first file is behind its own header.
    let end = files.first().map_or(0, |(_, at)| at - BLOCK as u64);
    let found = files.iter().map(|(name, at)| (name, Some(at - end)));
    match found.eq(index.files().map(|file| (&file.file, file.offset))) {
        true => Ok(()),
        false => Err(Error::Damaged { why }),
    }
}

/// Lengths and hashes of files by their names.
type Found = HashMap<String, (u64, [u8; 32])>;

/// Small files, which are written and synced by several threads while the next ones come.
struct Together<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    folder: &'env Path,
    files: Vec<(String, u64, Vec<u8>)>,
    bytes: u64,
    writing: Option<ScopedJoinHandle<'scope, Result<Found, Error>>>,
    found: Found,
}

impl<'scope, 'env> Together<'scope, 'env> {
    fn new(scope: &'scope Scope<'scope, 'env>, folder: &'env Path) -> Self {
        Self {
            scope,
            folder,
            files: Vec::new(),
            bytes: 0,
            writing: None,
            found: HashMap::new(),
        }
    }

    /// Adds a file that is not there yet, with the length that it should have.
    fn add(&mut self, name: String, size: u64, content: Vec<u8>) -> Result<(), Error> {
        self.files.push((name, size, content));
        self.bytes += size;
        match self.bytes > TOGETHER {
            true => self.write(),
            false => Ok(()),
        }
    }

    /// Begins to write what was added, once what was added before is written.
    fn write(&mut self) -> Result<(), Error> {
        if let Some(writing) = self.writing.take() {
            let written = writing.join().unwrap_or_else(|panic| resume_unwind(panic));
            self.found.extend(written?);
        }
        self.bytes = 0;
        let files = std::mem::take(&mut self.files);
        if !files.is_empty() {
            let folder = self.folder;
            let write = move || {
                let write = |_, file: &_| write_one(file, folder);
                let written = pcim_core::parallel::each(&files, pcim_core::private::SYNCING, write);
                written.into_iter().collect()
            };
            self.writing = Some(self.scope.spawn(write));
        }
        Ok(())
    }

    /// All that was written.
    fn finish(mut self) -> Result<Found, Error> {
        // The last ones, and then nothing more.
        self.write()?;
        self.write()?;
        Ok(self.found)
    }
}

/// Writes a file to stay; tells its length and hash.
fn write_one(
    (name, size, content): &(String, u64, Vec<u8>),
    folder: &Path,
) -> Result<(String, (u64, [u8; 32])), Error> {
    if content.len() as u64 != *size {
        return Err(cut_short());
    }
    let mut file = create(&folder.join(name))?;
    file.write_all(content)?;
    let hash = Sha256::digest(content);
    file.sync_all()?;
    Ok((name.clone(), (*size, hash.into())))
}

/// Writes a file that is not there yet. Returns its SHA-256.
pub(super) fn write(content: &mut impl Read, size: u64, path: &Path) -> Result<[u8; 32], Error> {
    let mut file = create(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; size.clamp(1, 1 << 17) as usize];
    let mut left = size;
    while left > 0 {
        let length = content.read(&mut piece)?;
        if length == 0 {
            return Err(cut_short());
        }
        hash.update(&piece[..length]);
        file.write_all(&piece[..length])?;
        left -= length as u64;
    }
    Ok(hash.finalize().into())
}

/// Makes a file that is not there yet, readable by its owner only, and its folder.
fn create(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    create_new(path)
}

fn cut_short() -> Error {
    let why = "it is cut short";
    Error::Damaged { why }
}

pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
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
    pcim_core::private::sync_files(&files.iter().map(|it| folder.join(it)).collect::<Vec<_>>())?;
    pcim_core::private::sync_files(&folders_of(folder, &files))
}

/// A study's folder and those in it that its files are in.
fn folders_of(folder: &Path, files: &BTreeSet<String>) -> Vec<PathBuf> {
    let within = files.iter().filter_map(|file| file.split_once('/'));
    let within: BTreeSet<&str> = within.map(|(folder, _)| folder).collect();
    let within = within.into_iter().map(|it| folder.join(it));
    within.chain([folder.to_owned()]).collect()
}
