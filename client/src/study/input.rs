//! The files of an input, wherever they lie: by themselves, in a folder, named by a DICOMDIR, in a zip archive.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::study::error::Error;
use crate::study::names::MAX_FILES;
use crate::study::walk::{self, InputKind, START, kind};
use crate::study::zip;
use pcim_dicom::deface::Slice;
use pcim_dicom::deid::Faces;

/// Most bytes of a DICOMDIR.
const MAX_DIRECTORY_BYTES: usize = 64 << 20;

/// Most bytes of a file that is looked at for a face.
const MAX_SLICE_BYTES: usize = 256 << 20;
/// Media directories that lead one to the next.
const MAX_DIRECTORIES: usize = 4;

/// The found files.
pub struct Inputs {
    /// The files to be looked at, in a lasting order.
    pub(super) files: Vec<Source>,
    /// The files that were passed over.
    pub skipped: Vec<Skipped>,
    /// True if any of them comes from a folder, a DICOMDIR or an archive.
    pub collected: bool,
}

/// A file that is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name as the caller can find it.
    pub path: PathBuf,
    /// Why.
    pub why: &'static str,
}

/// A file to be read, more than once.
#[derive(Clone)]
pub(crate) struct Source {
    /// Its name as the caller can find it.
    pub(crate) path: PathBuf,
    place: Place,
    /// When it was found; none of an archive's entry, which has a checksum.
    stamp: Option<Stamp>,
}

#[derive(Clone)]
enum Place {
    Disk,
    Zipped(Arc<zip::Archive>, usize),
    Kept(Opening, usize),
}

/// Opens a file that is kept in another form, by its number in the input, at its start.
pub type Opening = Arc<dyn Fn(usize) -> io::Result<File> + Send + Sync>;

/// By which a change of a file is noticed: its length and time.
type Stamp = (u64, Option<SystemTime>);

impl Source {
    pub(crate) fn file(path: PathBuf) -> Self {
        let metadata = fs::metadata(&path).ok();
        let stamp = metadata.map(|metadata| stamp_of(&metadata));
        Self {
            path,
            place: Place::Disk,
            stamp,
        }
    }

    /// Opens the file at its start; of an archive's entry a temporary copy, which has no name.
    pub(crate) fn open(&self) -> io::Result<File> {
        match &self.place {
            Place::Disk => File::open(&self.path),
            Place::Zipped(archive, number) => archive.open(*number),
            Place::Kept(open, number) => open(*number),
        }
    }

    /// Says whether an open file is as it was when it was found.
    pub(crate) fn is_unchanged(&self, file: &File) -> io::Result<bool> {
        let now = stamp_of(&file.metadata()?);
        Ok(self.stamp.is_none_or(|stamp| stamp == now))
    }
}

fn stamp_of(metadata: &fs::Metadata) -> Stamp {
    (metadata.len(), metadata.modified().ok())
}

impl Inputs {
    /// Finds the files of paths: each a file, a DICOMDIR, a zip archive or a folder, which is searched to its depth.
    /// Symbolic links in folders and archives are not followed, archives in folders and archives not opened.
    ///
    /// `leave_out` passes over what else makes the input an error: files that a DICOMDIR names and that are not there,
    /// archives in archives.
    ///
    /// # Errors
    /// [`Error`] as [`crate::error::Error::Study`]; [`crate::error::Error::File`].
    pub fn gather(paths: &[PathBuf], leave_out: bool) -> crate::error::Result<Self> {
        if paths.is_empty() {
            return Err(crate::error::Error::NoFile);
        }
        let mut inputs = Self {
            files: Vec::new(),
            skipped: Vec::new(),
            collected: false,
        };
        let look = |_, path: &PathBuf| walk::kind_of(path, &fs::metadata(path)?);
        let kinds = pcim_core::parallel::each(paths, pcim_core::parallel::processors(), look);
        for (path, kind) in paths.iter().zip(kinds) {
            let before = inputs.files.len();
            let kind = kind.map_err(|source| crate::error::Error::File {
                path: path.clone(),
                source,
            })?;
            inputs.path(path, kind, leave_out)?;
            if inputs.files.len() == before {
                let path = path.clone();
                return Err(Error::NothingFound { path }.into());
            }
            if inputs.files.len() > MAX_FILES {
                return Err(Error::TooManyFiles { max: MAX_FILES }.into());
            }
        }
        Ok(inputs)
    }

    /// Makes an input of files that are kept in another form, such as encrypted; each is opened when it is looked at and when
    /// it is sealed. Errors call it by its name.
    #[must_use]
    pub fn kept(names: Vec<PathBuf>, open: &Opening) -> Self {
        let source = |(number, path)| Source {
            path,
            place: Place::Kept(Arc::clone(open), number),
            stamp: None,
        };
        Self {
            files: names.into_iter().enumerate().map(source).collect(),
            skipped: Vec::new(),
            collected: true,
        }
    }

    /// Counts the files that will be looked at.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Looks for the faces in the series of slices among them. A file that cannot be read is left out here: it is refused
    /// when it is looked at.
    #[must_use]
    pub fn faces(&self) -> Faces {
        let look = |_, source: &Source| {
            let file = source.open().ok()?;
            let bytes = pcim_core::private::read_up_to(file, MAX_SLICE_BYTES).ok()?;
            Slice::of(&bytes).ok()?
        };
        let processors = pcim_core::parallel::processors();
        let slices = pcim_core::parallel::each(&self.files, processors, look);
        Faces::of(slices.into_iter().flatten().collect())
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn path(&mut self, path: &Path, kind: InputKind, leave_out: bool) -> crate::error::Result<()> {
        self.collected |= matches!(
            kind,
            InputKind::Folder | InputKind::Zip | InputKind::Directory
        );
        match kind {
            InputKind::Folder => self.folder(path),
            InputKind::Zip => self.archive(path, leave_out),
            InputKind::Directory => self.directory(path, leave_out, &mut Vec::new()),
            // Whatever else it is: it was named, so it is told why it cannot be used.
            _ => {
                self.files.push(Source::file(path.to_owned()));
                Ok(())
            }
        }
    }

    fn folder(&mut self, root: &Path) -> crate::error::Result<()> {
        walk::walk(root, &mut |path, kind| {
            match kind {
                InputKind::Dicom if self.files.len() >= MAX_FILES => {
                    return Err(Error::TooManyFiles { max: MAX_FILES }.into());
                }
                InputKind::Dicom => self.files.push(Source::file(path)),
                other => self.skip(path, other),
            }
            Ok(())
        })
    }

    fn archive(&mut self, path: &Path, leave_out: bool) -> crate::error::Result<()> {
        let at = |source| Error::Zip {
            path: path.to_owned(),
            source,
        };
        let archive = Arc::new(zip::Archive::open_file(path).map_err(at)?);
        for (number, name) in archive.files() {
            let path = path.join(name);
            if archive.is_link(number) {
                self.skip(path, InputKind::Link);
                continue;
            }
            let start = archive.start(number, START).map_err(at)?;
            match kind(&start) {
                Some(InputKind::Dicom) => {
                    self.files.push(Source {
                        path,
                        place: Place::Zipped(Arc::clone(&archive), number),
                        stamp: None,
                    });
                }
                Some(InputKind::Zip) if !leave_out => {
                    return Err(at(zip::Error::Nested { entry: number + 1 }).into());
                }
                other => self.skip(path, other.unwrap_or(InputKind::Other)),
            }
        }
        Ok(())
    }

    /// Adds the files that a DICOMDIR names, and those of further ones that it names (old media have one in each folder).
    /// `above` has those that led here.
    fn directory(
        &mut self,
        path: &Path,
        leave_out: bool,
        above: &mut Vec<PathBuf>,
    ) -> crate::error::Result<()> {
        let at = |source| crate::error::Error::File {
            path: path.to_owned(),
            source,
        };
        let bytes = pcim_core::private::read_limited(path, MAX_DIRECTORY_BYTES).map_err(at)?;
        let listed =
            pcim_dicom::deid::directory(&bytes).map_err(|source| crate::error::Error::Dicom {
                path: path.to_owned(),
                source,
            })?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let root = folder.canonicalize().map_err(at)?;
        above.push(path.canonicalize().map_err(at)?);
        for (number, parts) in listed.iter().enumerate() {
            let bad = |why| Error::Directory {
                path: path.to_owned(),
                record: number + 1,
                why,
            };
            let within = relative(parts).ok_or_else(|| bad("outside of its folder"))?;
            // Media are often copied with their names in small letters.
            let small = PathBuf::from(within.to_string_lossy().to_lowercase());
            let found = [&within, &small].into_iter().find_map(|name| {
                let path = folder.join(name);
                Some((path.canonicalize().ok()?, path))
            });
            match found {
                Some((real, _)) if !real.starts_with(&root) => {
                    return Err(bad("outside of its folder").into());
                }
                Some((real, _)) if above.contains(&real) => {
                    return Err(bad("that is a media directory which leads to it").into());
                }
                Some((real, file)) if real.is_file() => match walk::start_of(&file) {
                    Ok(start) if kind(&start) == Some(InputKind::Directory) => {
                        if above.len() >= MAX_DIRECTORIES {
                            return Err(bad("that is a media directory nested too deep").into());
                        }
                        self.directory(&file, leave_out, above)?;
                    }
                    _ => self.files.push(Source::file(file)),
                },
                _ if leave_out => self.skip(folder.join(within), InputKind::Missing),
                _ => return Err(bad("that is not there").into()),
            }
            if self.files.len() > MAX_FILES {
                return Err(Error::TooManyFiles { max: MAX_FILES }.into());
            }
        }
        above.pop();
        Ok(())
    }

    fn skip(&mut self, path: PathBuf, kind: InputKind) {
        let why = kind.why();
        self.skipped.push(Skipped { path, why });
    }
}

/// A path below a folder; none if it leads elsewhere.
fn relative(parts: &[String]) -> Option<PathBuf> {
    let plain = |part: &String| {
        let mut components = Path::new(part).components();
        let one = matches!(components.next(), Some(Component::Normal(_)));
        one && components.next().is_none() && !part.contains(['/', '\0'])
    };
    parts.iter().all(plain).then(|| parts.iter().collect())
}
