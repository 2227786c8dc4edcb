//! De-identified copies of single files, each by itself: what is wrong with one does not stop the others.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Result;
use crate::error::file_error;
use crate::flow::look::look;
use pcim_dicom::deid::{self, Report};

/// Files that are written before they are waited for together, and get their names.
const BATCH: usize = 128;

/// De-identifies files, as many at a time as there are processors. The outcome of each is reported in their
/// order: its place, counted from 0. A copy gets its name, which `target` chooses, when it is on the disk to stay; without
/// `overwrite` one that is there is an error.
pub fn copy(
    files: &[PathBuf],
    options: &deid::Options,
    target: impl Fn(usize) -> PathBuf + Sync,
    overwrite: bool,
    tell: &mut dyn FnMut(usize, Result<Report>),
) {
    let mut before = 0;
    for batch in files.chunks(BATCH) {
        let made =
            pcim_core::parallel::each(batch, pcim_core::parallel::processors(), |place, file| {
                make(file, &target(before + place), options)
            });
        let written: Vec<&Path> = made.iter().flatten().map(|(file, _)| file.path()).collect();
        let synced = pcim_core::private::sync_files(&written);
        for made in made {
            let path = target(before);
            let named = made.and_then(|(file, report)| {
                let kind = synced.as_ref().err().map(io::Error::kind);
                match kind.map_or_else(|| put(file, &path, overwrite), |kind| Err(kind.into())) {
                    Ok(()) => Ok(report),
                    Err(error) => Err(file_error(&path, error)),
                }
            });
            tell(before, named);
            before += 1;
        }
    }
}

/// Makes the copy under another name beside its own, with the permissions of any new file.
fn make(path: &Path, target: &Path, options: &deid::Options) -> Result<(NamedTempFile, Report)> {
    let at = |source| crate::error::Error::File {
        path: path.to_owned(),
        source,
    };
    let looked = look(path, File::open(path).map_err(at)?, Some(options))?;
    let (clean, report) = looked.clean(path, Some(options))?;
    let (content, pixels) = looked.into_clean(path, clean)?;
    let write = || -> io::Result<NamedTempFile> {
        let mut file = pcim_core::private::open_file_beside(target)?;
        file.write_all(&content)?;
        if let Some(mut pixels) = pixels {
            // From file to file: the system copies them by itself where it can.
            let wanted = pixels.limit();
            if io::copy(&mut pixels, file.as_file_mut())? != wanted {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(file)
    };
    Ok((write().map_err(|error| file_error(target, error))?, report))
}

fn put(file: NamedTempFile, path: &Path, overwrite: bool) -> io::Result<()> {
    match overwrite {
        true => file.persist(path)?,
        false => file.persist_noclobber(path)?,
    };
    Ok(())
}
