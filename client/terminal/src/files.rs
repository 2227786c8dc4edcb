//! Result files: whole or not at all, and never over another by accident.

use std::io::Write;
use std::path::Path;

use pcim_client::Error;
use pcim_core::private::{open_file_beside, persist, temp_file_beside};
use tempfile::NamedTempFile;

/// Writes a result file in one step, with the permissions of any new file; an existing one only with `overwrite`.
///
/// # Errors
/// If the file is there and not to be replaced, or cannot be written.
pub fn write_result(path: &Path, content: &[u8], overwrite: bool) -> anyhow::Result<()> {
    write_whole(path, content, overwrite, open_file_beside)
}

/// Writes a new file in one step that only its owner can read, from the first instant.
///
/// # Errors
/// If the file is there and not to be replaced, or cannot be written.
pub fn write_secret(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_whole(path, content, false, temp_file_beside)
}

fn write_whole(
    path: &Path,
    content: &[u8],
    overwrite: bool,
    begin: fn(&Path) -> std::io::Result<NamedTempFile>,
) -> anyhow::Result<()> {
    let begun = begin(path).and_then(|mut file| file.write_all(content).map(|()| file));
    let file = begun.map_err(|source| at(path, source))?;
    end_result(file, path, overwrite)
}

/// Begins a result file that gets its name at the end, with the permissions of any new file.
///
/// # Errors
/// If the file is there and not to be replaced, or cannot be written.
pub fn begin_result(path: &Path) -> anyhow::Result<NamedTempFile> {
    Ok(open_file_beside(path).map_err(|source| at(path, source))?)
}

/// Gives a result file its name; an existing one is replaced only with `overwrite`.
///
/// # Errors
/// If the file is there and not to be replaced, or cannot be written.
pub fn end_result(file: NamedTempFile, path: &Path, overwrite: bool) -> anyhow::Result<()> {
    Ok(persist(file, path, overwrite).map_err(|source| at(path, source))?)
}

fn at(path: &Path, source: std::io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        std::io::ErrorKind::AlreadyExists => Error::FileExists { path },
        _ => Error::File { path, source },
    }
}
