//! Result files: whole or not at all, and never over another by accident.

use std::io::Write;
use std::path::Path;

use pcim_client::Error;
use tempfile::NamedTempFile;

/// Writes a result file in one step, with the permissions of any new file; an existing one only with `overwrite`.
///
/// # Errors
/// If the file is there and not to be replaced, or cannot be written.
pub fn write_result(path: &Path, content: &[u8], overwrite: bool) -> anyhow::Result<()> {
    write_whole(path, content, overwrite, 0o666)
}

/// Writes a new file in one step that only its owner can read, from the first instant.
///
/// # Errors
/// If the file is there and not to be replaced, or cannot be written.
pub fn write_secret(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_whole(path, content, false, 0o600)
}

/// `mode` as for a new file: the process's mask takes its part away.
fn write_whole(path: &Path, content: &[u8], overwrite: bool, mode: u32) -> anyhow::Result<()> {
    let begun = begin(path, mode).and_then(|mut file| file.write_all(content).map(|()| file));
    let file = begun.map_err(|source| at(path, source))?;
    end_result(file, path, overwrite)
}

/// Begins a result file that gets its name at the end, with the permissions of any new file.
///
/// # Errors
/// If the file is there and not to be replaced, or cannot be written.
pub fn begin_result(path: &Path) -> anyhow::Result<NamedTempFile> {
    Ok(begin(path, 0o666).map_err(|source| at(path, source))?)
}

fn begin(path: &Path, mode: u32) -> std::io::Result<NamedTempFile> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pcim-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    builder.tempfile_in(dir.unwrap_or(Path::new(".")))
}

/// Gives a result file its name; an existing one is replaced only with `overwrite`.
///
/// # Errors
/// If the file is there and not to be replaced, or cannot be written.
pub fn end_result(file: NamedTempFile, path: &Path, overwrite: bool) -> anyhow::Result<()> {
    let put = || -> std::io::Result<()> {
        file.as_file().sync_all()?;
        match overwrite {
            true => file.persist(path)?,
            false => file.persist_noclobber(path)?,
        };
        Ok(())
    };
    Ok(put().map_err(|source| at(path, source))?)
}

fn at(path: &Path, source: std::io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        std::io::ErrorKind::AlreadyExists => Error::FileExists { path },
        _ => Error::File { path, source },
    }
}
