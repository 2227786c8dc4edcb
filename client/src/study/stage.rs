//! Files that are written while they are looked at, and get their names once all of them were found good: each is read and
//! de-identified once.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Take};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::study::error::Error;
use crate::study::manifest::Manifest;
use crate::study::names::{KEY_OBJECTS, MANIFEST};
use crate::study::parts::{Measured, Study};
use crate::study::unpack::Contents;
use crate::study::unpack::{appear, contents, make_folder, sync, write};
use pcim_dicom::deid::{Description, KeyObjects, Report};

/// Writes a new file, which is not synced.
pub(super) fn write_new(
    content: Vec<u8>,
    pixels: Option<Take<File>>,
    path: &Path,
) -> io::Result<Measured> {
    let bytes = content.len() as u64 + pixels.as_ref().map_or(0, Take::limit);
    let sha256 = match pixels {
        Some(pixels) => write(&mut Cursor::new(content).chain(pixels), bytes, path),
        None => write(&mut Cursor::new(content), bytes, path),
    };
    let sha256 = sha256.map_err(|error| match error {
        Error::Write(error) => error,
        short => io::Error::new(io::ErrorKind::UnexpectedEof, short.to_string()),
    })?;
    Ok(Measured { bytes, sha256 })
}

impl Study {
    /// Gives the study, which was scanned with a [`stage`](super::ScanOptions::stage) beside `target`, its name: a folder
    /// as it would be opened once sealed, or one file. Returns what it is, and the sum of what was done to the files. It
    /// can be done once.
    ///
    /// # Errors
    /// [`crate::error::Error::FileExists`] if a folder is there, or a file without `overwrite`; [`crate::error::Error::File`].
    pub fn write(
        &self,
        target: &Path,
        overwrite: bool,
    ) -> crate::error::Result<(Contents, Option<&Report>)> {
        let at = |source| crate::error::file_error(target, source);
        let staged = self.instances.iter().map(|it| it.staged.as_ref());
        let staged: Option<Vec<&PathBuf>> = staged.collect();
        let staged = staged.ok_or_else(|| at(io::ErrorKind::NotFound.into()))?;
        if target.exists() && (self.is_archive() || !overwrite) {
            let path = target.to_owned();
            return Err(crate::error::Error::FileExists { path });
        }
        let contents = match staged[..] {
            [file] => one(file, target, overwrite)
                .map_err(at)
                .map(|()| Contents::Dicom),
            _ => self.folder(&staged, target),
        };
        Ok((contents?, self.report.as_ref()))
    }

    fn folder(&self, staged: &[&PathBuf], target: &Path) -> crate::error::Result<Contents> {
        let at = |source| crate::error::file_error(target, source);
        let (manifest, key_objects) = self.documents()?;
        let made = pcim_core::private::temp_dir_beside(target).map_err(at)?;
        let instances = manifest.series.iter().flat_map(|it| &it.instances);
        for (file, staged) in instances.zip(staged) {
            let path = made.path().join(&file.file);
            let folder = path.parent().map_or(Ok(()), make_folder);
            folder
                .and_then(|()| fs::rename(staged, &path))
                .map_err(at)?;
        }
        let listed = made.path().join(&manifest.key_objects.file);
        pcim_core::private::write_new(&listed, &key_objects).map_err(at)?;
        let json = serde_json::to_vec_pretty(&manifest)?;
        pcim_core::private::write_new(&made.path().join(MANIFEST), &json).map_err(at)?;
        sync(made.path(), &manifest).map_err(at)?;
        appear(made, target)?;
        Ok(contents(manifest))
    }

    /// The manifest, without where the files are, and the Key Object Selection Document.
    pub(crate) fn documents(&self) -> crate::error::Result<(Manifest, Vec<u8>)> {
        let repeated = self.repeated.clone().unwrap_or_default();
        let sealed = self.instances.iter().filter_map(|it| it.sealed.as_ref());
        let described: Vec<Description> = sealed.map(|ids| ids.description.clone()).collect();
        let document = KeyObjects::of(&repeated, &described);
        let document = document.map_err(|source| crate::error::Error::Dicom {
            path: KEY_OBJECTS.into(),
            source,
        })?;
        Ok((self.manifest(&document), document.bytes))
    }
}

/// Gives one file its name.
fn one(file: &Path, target: &Path, overwrite: bool) -> io::Result<()> {
    pcim_core::private::sync_files(&[file])?;
    let named = TempPath::try_from_path(file)?;
    match overwrite {
        true => named.persist(target)?,
        false => named.persist_noclobber(target)?,
    }
    pcim_core::private::sync_parent(target)
}
