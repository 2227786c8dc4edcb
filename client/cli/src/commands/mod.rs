//! One file per command: its arguments (their documentation is the help) and what it does.

pub(crate) mod bench;
pub(crate) mod card;
pub(crate) mod consortium;
pub(crate) mod deid;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod devnet;
pub(crate) mod gas;
pub(crate) mod init;
pub(crate) mod node;
pub(crate) mod patient;
pub(crate) mod radiologist;
pub(crate) mod requestor;
pub(crate) mod resume;
pub(crate) mod trace;

use std::io::Write;
use std::path::Path;

use pcim_client::client::{Error, Written};

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
    let put = || -> std::io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".pcim-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        let mut file = builder.tempfile_in(dir.unwrap_or(Path::new(".")))?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        match overwrite {
            true => file.persist(path)?,
            false => file.persist_noclobber(path)?,
        };
        Ok(())
    };
    put().map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::AlreadyExists => Error::FileExists { path },
            _ => Error::File { path, source },
        }
        .into()
    })
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
