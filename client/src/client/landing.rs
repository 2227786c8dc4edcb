//! Where an opened payload lands: a temporary file beside its place, which gets its name, or is taken apart into a folder,
//! once everything in it was verified.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use tempfile::{NamedTempFile, TempDir};

use super::opening::file_error;
use super::study::{self, Contents};
use super::{Error, Result};
use crate::private::{self, WriteBehind};

/// Bytes by which it is told what a payload is.
const START: u64 = 512;

/// Where an opened payload goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file, or the folder of a study. A study is kept as a tar if the name ends in `.tar`.
    pub path: PathBuf,
    /// Whether a file that is there may be replaced. A folder never is.
    pub overwrite: bool,
}

impl Target {
    /// Whether a payload is taken apart: the tar itself is then deleted, and need not reach the disk.
    fn takes_apart(&self, contents: &Contents) -> bool {
        let ending = self.path.extension();
        let keeps = ending.is_some_and(|it| it.eq_ignore_ascii_case("tar"));
        *contents == Contents::Tar && !keeps
    }
}

/// A payload that comes in. Dropped, nothing of it is left.
pub(crate) struct Landing {
    target: Target,
    file: WriteBehind,
    begun: bool,
}

/// A payload that is all here and was verified, and has no name yet.
pub(crate) struct Landed {
    target: Target,
    file: NamedTempFile,
    contents: Contents,
    folder: Option<TempDir>,
}

impl Landing {
    pub(crate) fn new(file: NamedTempFile, target: Target) -> Self {
        Self {
            target,
            file: WriteBehind::new(file),
            begun: false,
        }
    }

    /// Says that all is here and verified. `folder` makes an empty folder beside the target, if one is needed.
    pub(crate) fn land(self, folder: impl FnOnce() -> io::Result<TempDir>) -> Result<Landed> {
        let Self { target, file, .. } = self;
        let at = |source| file_error(&target.path, source);
        let file = file.into_file().map_err(at)?;
        let mut start = Vec::new();
        let reopened = file.reopen().map_err(at)?;
        reopened.take(START).read_to_end(&mut start).map_err(at)?;
        let contents = study::contents_of(&start);
        let apart = target.takes_apart(&contents);
        let folder = apart.then(folder).transpose().map_err(at)?;
        Ok(Landed {
            target,
            file,
            contents,
            folder,
        })
    }
}

impl Write for Landing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.begun && self.target.takes_apart(&study::contents_of(bytes)) {
            self.file.never_mind();
        }
        self.begun = true;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Landed {
    /// Gives what was opened its name: a file as it is, or a study by way of its folder, once it agrees with its manifest.
    pub(crate) async fn place(self) -> Result<Contents> {
        let placed = tokio::task::spawn_blocking(move || {
            let Self { target, file, .. } = self;
            let at = |source| file_error(&target.path, source);
            let Some(folder) = self.folder else {
                private::persist(file, &target.path, target.overwrite).map_err(at)?;
                return Ok(self.contents);
            };
            if target.path.exists() {
                let path = target.path;
                return Err(Error::FileExists { path });
            }
            study::unpack_by(file.reopen().map_err(at)?, folder, &target.path)
        });
        placed.await?
    }
}
