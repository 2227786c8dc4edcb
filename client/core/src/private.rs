//! Files and directories that only their owner may read, from the first instant.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::parallel;

/// Mode of a directory that only its owner may enter.
const DIRECTORY_MODE: u32 = 0o700;
/// How the names of temporary files begin.
const PREFIX: &str = ".pcim-";
/// Mode of a file that only its owner may read.
const FILE_MODE: u32 = 0o600;
/// How many files are synced at the same time: a file system's log ends once for all that wait for it.
pub const SYNCING: usize = 16;

/// Makes a new temporary directory beside `sibling`, closed to all others.
pub fn temp_dir_beside(sibling: &Path) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    builder.permissions(mode(DIRECTORY_MODE));
    builder.tempdir_in(parent(sibling))
}

/// Makes a new temporary file in the directory of `target`, closed to all others. `record` is called
/// with its absolute name before it is there, so that a process that is killed later finds what to delete.
pub fn noted_file_beside(
    target: &Path,
    mut record: impl FnMut(&Path) -> io::Result<()>,
) -> io::Result<tempfile::NamedTempFile> {
    let folder = std::path::absolute(parent(target))?;
    let mut builder = tempfile::Builder::new();
    // Long enough that no two are ever the same.
    builder.prefix(PREFIX).rand_bytes(20);
    builder.make_in(folder, |path| {
        record(path)?;
        create_new(path)
    })
}

/// Makes a new directory, closed to all others.
pub fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, DIRECTORY_MODE);
    builder.create(path)
}

/// Tells the permissions of a regular file that others than its owner can read or write; none if nobody else can.
///
/// A pipe or a terminal has no permissions that say anything.
pub fn mode_open_to_others(file: &File) -> io::Result<Option<u32>> {
    let found = file.metadata()?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o7777;
        Ok((found.is_file() && mode & 0o077 != 0).then_some(mode))
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        Ok(None)
    }
}

/// Makes a directory as [`temp_dir_beside`] does; `record` as in [`noted_file_beside`].
pub fn noted_dir_beside(
    sibling: &Path,
    record: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<tempfile::TempDir> {
    let folder = std::path::absolute(parent(sibling))?;
    let name = format!("{PREFIX}{:032x}", rand::random::<u128>());
    record(&folder.join(&name))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).rand_bytes(0);
    #[cfg(unix)]
    builder.permissions(mode(DIRECTORY_MODE));
    builder.tempdir_in(folder)
}

/// Deletes what a killed process left of files that it was replacing in a directory of its own.
pub fn sweep(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && entry.file_type()?.is_file() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes a new temporary file in the directory of `target`, with the permissions of any new file.
pub fn open_file_beside(target: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    // The process's mask takes its part away.
    #[cfg(unix)]
    builder.permissions(mode(0o666));
    builder.tempfile_in(parent(target))
}

/// Makes a new temporary file in the directory of `target`, closed to all others.
pub fn temp_file_beside(target: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    builder.permissions(mode(FILE_MODE));
    builder.tempfile_in(parent(target))
}

/// Makes a new file, open for reading and writing; one that exists already is an error.
pub fn create_new(path: &Path) -> io::Result<File> {
    closed().create_new(true).open(path)
}

/// Opens a file for reading and writing as it is, and makes it if it is not there.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    closed().create(true).truncate(false).open(path)
}

fn closed() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options
}

/// Writes a new file, synced; one that exists already is an error.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Puts `content` in the place of a file in one step, synced.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = temp_file_beside(path)?;
    file.write_all(content)?;
    persist(file, path, true)
}

/// Syncs a temporary file and gives it its name; without `overwrite` an existing file is an error.
pub fn persist(file: NamedTempFile, path: &Path, overwrite: bool) -> io::Result<()> {
    file.as_file().sync_all()?;
    if overwrite {
        // A rename would put it in the place of a device or a pipe as well.
        if let Ok(found) = std::fs::metadata(path)
            && !found.is_file()
        {
            let text = "there is something that is no file; it is not replaced";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        file.persist(path)?;
    } else {
        file.persist_noclobber(path)?;
    }
    sync_parent(path)
}

/// Waits until files are on the disk to stay.
pub fn sync_files(paths: &[impl AsRef<Path> + Sync]) -> io::Result<()> {
    let sync = |_, path: &_| File::open(AsRef::<Path>::as_ref(path))?.sync_all();
    parallel::each(paths, SYNCING, sync).into_iter().collect()
}

/// Makes names in the directory of `path` last.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

/// Reads a file of at most `max` bytes.
pub fn read_limited(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    read_up_to(File::open(path)?, max)
}

/// Reads what is left of an open file, at most `max` bytes.
pub fn read_up_to(file: File, max: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut content)?;
    if content.len() > max {
        let text = format!("larger than {max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(content)
}

#[cfg(unix)]
fn mode(mode: u32) -> Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
