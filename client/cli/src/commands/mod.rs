//! One file per command: its arguments (their documentation is the help) and what it does.

pub(crate) mod card;
pub(crate) mod consortium;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod devnet;
pub(crate) mod init;
pub(crate) mod node;
pub(crate) mod patient;
pub(crate) mod radiologist;
pub(crate) mod requestor;
pub(crate) mod trace;

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use pcim_client::client::Written;

/// Writes a result file in one step; an existing one only with `overwrite`.
fn write_result(path: &Path, content: &[u8], overwrite: bool) -> anyhow::Result<()> {
    let put = || -> std::io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(dir.unwrap_or(Path::new(".")))?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        match overwrite {
            true => file.persist(path)?,
            false => file.persist_noclobber(path)?,
        };
        Ok(())
    };
    put().with_context(|| format!("cannot write {}", path.display()))
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
