//! Homes, files and cards that a command line or the environment names.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pcim_client::papers::card::{Card, MAX_CARD_BYTES};

use crate::failure::Usage;

/// Names the actor's home.
const HOME_VARIABLE: &str = "PCIM_HOME";
/// Most bytes of a small file named on the command line.
const MAX_SMALL_FILE: u64 = 1024 * 1024;

/// The home that is named, or else the one of the environment.
pub(crate) fn home_dir(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = named {
        return Ok(dir.to_owned());
    }
    if let Some(dir) = std::env::var_os(HOME_VARIABLE) {
        return Ok(dir.into());
    }
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let home = home.ok_or_else(|| Usage("no home directory: give --home DIR".to_owned()))?;
    Ok(home.join(".pcim"))
}

/// Reads a file of at most 1 MiB.
pub(crate) fn read_small(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    read_at_most(file, path)
}

/// Reads an open file of at most 1 MiB.
pub(crate) fn read_at_most(file: File, path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(MAX_SMALL_FILE + 1)
        .read_to_end(&mut content)
        .with_context(|| path.display().to_string())?;
    if content.len() as u64 > MAX_SMALL_FILE {
        let text = format!("larger than {MAX_SMALL_FILE} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
            .with_context(|| path.display().to_string());
    }
    Ok(content)
}

/// Reads and verifies a contact card in a file.
pub(crate) fn read_card_file(path: &Path) -> anyhow::Result<Card> {
    let mut content = read_small(path)?;
    content.truncate(MAX_CARD_BYTES + 1);
    Card::read(&content).with_context(|| path.display().to_string())
}
