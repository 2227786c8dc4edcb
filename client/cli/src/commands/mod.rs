//! One file per command: its arguments (their documentation is the help) and what it does.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod card;
pub(crate) mod consortium;
pub(crate) mod deid;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod devnet;
pub(crate) mod follow;
pub(crate) mod gas;
pub(crate) mod init;
pub(crate) mod node;
pub(crate) mod patient;
pub(crate) mod radiologist;
pub(crate) mod relay;
pub(crate) mod report;
pub(crate) mod reports;
pub(crate) mod requestor;
pub(crate) mod resume;
pub(crate) mod search;
pub(crate) mod sign;
pub(crate) mod trace;
pub(crate) mod view;
pub(crate) mod watch;

use std::io::Write;
use std::path::Path;

use pcim_client::{Error, Written};
use tempfile::NamedTempFile;

/// Writes a result file in one step, with the permissions of any new file; an existing one only with `overwrite`.
fn write_result(path: &Path, content: &[u8], overwrite: bool) -> anyhow::Result<()> {
    write_whole(path, content, overwrite, 0o666)
}

/// Writes a new file in one step that only its owner can read, from the first instant.
fn write_secret(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_whole(path, content, false, 0o600)
}

/// `mode` as for a new file: the process's mask takes its part away.
fn write_whole(path: &Path, content: &[u8], overwrite: bool, mode: u32) -> anyhow::Result<()> {
    let begun = begin(path, mode).and_then(|mut file| file.write_all(content).map(|()| file));
    let file = begun.map_err(|source| at(path, source))?;
    end_result(file, path, overwrite)
}

/// Begins a result file that gets its name at the end, with the permissions of any new file.
fn begin_result(path: &Path) -> anyhow::Result<NamedTempFile> {
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
fn end_result(file: NamedTempFile, path: &Path, overwrite: bool) -> anyhow::Result<()> {
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

/// The lines that tell of a transaction.
fn transaction(written: &Written) -> String {
    let mined = &written.mined;
    let again = match written.resumed {
        true => "  (sent by an earlier attempt)",
        false => "",
    };
    format!(
        "transaction  {}{again}\ngas          {} in block {}\n",
        mined.tx, mined.gas_used, mined.block
    )
}
