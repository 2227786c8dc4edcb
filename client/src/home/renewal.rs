//! Files of a home that are replaced together: all of them or none, wherever the process is killed.
//!
//! Renewed files are written beside the old ones first, in `.renewing`. The rename of that folder to `.renewed` is the
//! instant in which all of them count; from then on each only needs to be moved to its place, which opening the home does
//! if the process that began it was killed.

use std::io;
use std::path::Path;

use pcim_core::private;

/// Renewed files that do not count yet.
pub(super) const RENEWING: &str = ".renewing";
/// Renewed files that count.
pub(super) const RENEWED: &str = ".renewed";

/// Writes renewed files so that they count.
pub(super) fn commit(dir: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
    let (renewing, renewed) = (dir.join(RENEWING), dir.join(RENEWED));
    private::create_dir(&renewing)?;
    for (name, content) in files {
        private::write_new(&renewing.join(name), content)?;
    }
    private::sync_parent(&renewing.join(RENEWED))?;
    std::fs::rename(&renewing, &renewed)?;
    private::sync_parent(&renewed)
}

/// Moves renewed files that count to their places, and deletes those that do not count yet.
pub(super) fn finish(dir: &Path, names: &[&str]) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    gone(std::fs::remove_dir_all(dir.join(RENEWING)))?;
    let renewed = dir.join(RENEWED);
    if !renewed.exists() {
        return Ok(());
    }
    for name in names {
        gone(std::fs::rename(renewed.join(name), dir.join(name)))?;
    }
    private::sync_parent(&renewed)?;
    std::fs::remove_dir(&renewed)?;
    private::sync_parent(&renewed)
}
