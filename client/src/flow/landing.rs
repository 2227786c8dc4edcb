//! Where an opened payload lands: a temporary folder beside its place. A study is taken apart into it as it comes, anything
//! else is a file in it; neither gets its name before everything was verified.

use std::io::{self, Write};
use std::path::PathBuf;

use tempfile::{NamedTempFile, TempDir};

use crate::error::file_error;
use crate::error::{Error, Result};
use crate::study::unpack::{self, Contents, Unpacking};
use pcim_core::direct::Direct;
use pcim_core::private;
use pcim_seal::Opened;

/// Bytes by which a payload is recognised.
const START: usize = 512;

/// Where an opened payload goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file, or the folder of a study. A study is kept as a tar if the name ends in `.tar`.
    pub path: PathBuf,
    /// True if a file that is there may be replaced. A folder never is.
    pub overwrite: bool,
}

impl Target {
    fn keeps_tars(&self) -> bool {
        let ending = self.path.extension();
        ending.is_some_and(|it| it.eq_ignore_ascii_case("tar"))
    }
}

/// A payload that comes in. Dropped, nothing of it is left.
pub struct Landing {
    target: Target,
    // Before the folder, so that nothing is written any more when that is deleted.
    coming: Coming,
    made: TempDir,
}

enum Coming {
    /// Too little to tell what it is.
    Start(Vec<u8>),
    File(Direct, Contents),
    Study(Unpacking),
}

/// A payload that is all here and was verified, and has no name yet.
pub struct Landed {
    target: Target,
    contents: Contents,
    /// The file; a study is the folder.
    file: Option<NamedTempFile>,
    made: TempDir,
}

impl Landing {
    /// Begins one that goes by way of `made`, an empty folder beside the target.
    pub fn new(made: TempDir, target: Target) -> Self {
        Self {
            target,
            coming: Coming::Start(Vec::with_capacity(START)),
            made,
        }
    }

    /// Says that all is here and verified. Waits for the disk.
    ///
    /// # Errors
    /// What was wrong with a study, or what the disk refused.
    pub fn land(mut self) -> Result<Landed> {
        let at = |source| file_error(&self.target.path, source);
        if let Coming::Start(start) = &self.coming {
            self.coming = begun(start, &self.target, &self.made).map_err(at)?;
        }
        let (file, contents) = match self.coming {
            Coming::Start(_) => unreachable!("it has begun"),
            Coming::File(file, contents) => (Some(file.into_file().map_err(at)?), contents),
            Coming::Study(unpacking) => (None, unpacking.finish()?),
        };
        Ok(Landed {
            target: self.target,
            contents,
            file,
            made: self.made,
        })
    }
}

/// The kind of what begins so.
fn begun(start: &[u8], target: &Target, made: &TempDir) -> io::Result<Coming> {
    let contents = unpack::contents_of(start);
    let mut coming = match contents {
        Contents::Tar if !target.keeps_tars() => Coming::Study(Unpacking::into(made.path())),
        contents => {
            let file = private::temp_file_beside(&made.path().join("payload"))?;
            Coming::File(Direct::new(file), contents)
        }
    };
    coming.write_all(start)?;
    Ok(coming)
}

impl Write for Coming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Start(start) => {
                let taken = bytes.len().min(START - start.len());
                start.extend(&bytes[..taken]);
                Ok(taken)
            }
            Self::File(file, _) => file.write(bytes),
            Self::Study(unpacking) => unpacking.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.flush(),
            Self::Start(_) | Self::Study(_) => Ok(()),
        }
    }
}

impl Write for Landing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Coming::Start(start) = &self.coming
            && start.len() == START
        {
            self.coming = begun(start, &self.target, &self.made)?;
        }
        self.coming.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.coming.flush()
    }
}

impl Landed {
    /// Refuses a study whose index is another one than its signature names, or was signed by another.
    ///
    /// # Errors
    /// [`Error::Study`], [`Error::Seal`].
    pub fn check_index(&self, opened: &Opened) -> Result<()> {
        match self.contents {
            Contents::Study { .. } => unpack::check_index(self.made.path(), opened),
            _ => Ok(()),
        }
    }

    /// Gives what was opened its name: a file, or the folder of a study. Waits for the disk.
    ///
    /// # Errors
    /// What the disk refused; [`Error::FileExists`] if the name is taken and is not to be replaced.
    pub fn place(self) -> Result<Contents> {
        let Self {
            target,
            contents,
            file,
            made,
        } = self;
        match file {
            Some(file) => private::persist(file, &target.path, target.overwrite)
                .map_err(|source| file_error(&target.path, source))?,
            None if target.path.exists() => {
                let path = target.path;
                return Err(Error::FileExists { path });
            }
            None => unpack::appear(made, &target.path)?,
        }
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::io::{self, Write};
    use std::path::Path;

    use crate::flow::landing::{Contents, Landing, START, Target};
    use crate::study::tar::header;
    use pcim_core::private;

    fn landing(path: &Path) -> Landing {
        let target = Target {
            path: path.to_owned(),
            overwrite: false,
        };
        Landing::new(private::temp_dir_beside(path).unwrap(), target)
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap());
        names
            .map(|it| it.file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_payload_of_any_length_lands_whole_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        for length in [0, 1, START - 1, START, START + 1, 5_000_000] {
            let bytes: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
            let path = dir.path().join(length.to_string());
            let mut landing = landing(&path);
            for piece in bytes.chunks(300.max(length / 9)) {
                landing.write_all(piece).unwrap();
            }
            let landed = landing.land().unwrap();
            assert!(!path.exists(), "{length}");
            assert_eq!(landed.place().unwrap(), Contents::Other);
            assert!(fs::read(&path).unwrap() == bytes, "{length}");
            fs::remove_file(path).unwrap();
            assert_eq!(names(dir.path()), [""; 0], "{length}");
        }
    }

    #[test]
    fn what_stops_coming_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let study = [header("0001/00001.dcm", 9_000_000), vec![1; 8_500_000]].concat();
        for payload in [&study[..], &study[START..], &study[..100]] {
            let mut landing = landing(&dir.path().join("out"));
            landing.write_all(payload).unwrap();
            assert_eq!(names(dir.path()).len(), 1);
            drop(landing);
            assert_eq!(names(dir.path()), [""; 0]);
        }
    }

    #[test]
    fn a_study_that_the_disk_refuses_stops_before_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut landing = landing(&dir.path().join("out"));
        fs::remove_dir(landing.made.path()).unwrap();
        let instance = header("0001/00001.dcm", 90_000_000);
        landing.write_all(&instance).unwrap();
        let refused = (0..1000).find_map(|_| landing.write_all(&[1; 1 << 16]).err());
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::NotFound);
    }
}
