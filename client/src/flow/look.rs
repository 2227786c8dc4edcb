//! Looking into a file: what stands before its pixels, de-identified or inspected.

use std::borrow::Cow;
use std::fs::File;
use std::io::Take;
use std::path::Path;

use crate::error::{Error, Result};
use crate::flow::split::Split;
use pcim_core::private;
use pcim_dicom::deid::{self, Facts, Report};

/// Most bytes of a file that is read whole.
const MAX_FILE_BYTES: usize = 2 << 30;

/// A file that was looked at.
pub(crate) enum Looked {
    /// Its pixels pass through.
    Split(Split),
    /// It was read whole.
    Whole(Vec<u8>),
}

/// Looks into a file that is at its start.
pub(crate) fn look(path: &Path, file: File, options: Option<&deid::Options>) -> Result<Looked> {
    let at = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let file = match Split::of(file).map_err(at)? {
        Ok(split) if keeps_pixels(path, &split, options)? => return Ok(Looked::Split(split)),
        Ok(split) => split.into_file().map_err(at)?,
        Err(file) => file,
    };
    let whole = private::read_up_to(file, MAX_FILE_BYTES).map_err(at)?;
    Ok(Looked::Whole(whole))
}

/// Says whether a file's pixels stay as they are, so that they can pass through.
fn keeps_pixels(path: &Path, split: &Split, options: Option<&deid::Options>) -> Result<bool> {
    let Some(options) = options else {
        return Ok(true);
    };
    deid::keeps_pixels(&split.with_one_pixel(), split.pixels.limit(), options).map_err(at(path))
}

impl Looked {
    /// A whole file, with one pixel for all where they pass through.
    pub(crate) fn small(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Split(split) => Cow::Owned(split.with_one_pixel()),
            Self::Whole(whole) => Cow::Borrowed(whole),
        }
    }

    /// De-identifies that file, or only inspects it: then there is nothing to return.
    pub(crate) fn clean(
        &self,
        path: &Path,
        options: Option<&deid::Options>,
    ) -> Result<(Option<Vec<u8>>, Report)> {
        let file = self.small();
        let result = match options {
            Some(options) => deid::deidentify(&file, options).map(|(clean, r)| (Some(clean), r)),
            None => deid::inspect(&file).map(|report| (None, report)),
        };
        result.map_err(at(path))
    }

    /// [`clean`](Self::clean), and what is known of the file before and after.
    pub(crate) fn clean_with_facts(
        &self,
        path: &Path,
        options: Option<&deid::Options>,
    ) -> Result<(Option<Vec<u8>>, Report, [Facts; 2])> {
        let file = self.small();
        let result = match options {
            Some(options) => deid::deidentify_with_facts(&file, options)
                .map(|(clean, report, facts)| (Some(clean), report, facts)),
            None => deid::inspect(&file).and_then(|report| {
                let facts = deid::facts(&file)?;
                Ok((None, report, [facts.clone(), facts]))
            }),
        };
        result.map_err(at(path))
    }

    /// The file as [`clean`](Self::clean) gave it back: what stands before the pixels that pass through, or all of it.
    pub(crate) fn into_clean(
        self,
        path: &Path,
        clean: Option<Vec<u8>>,
    ) -> Result<(Vec<u8>, Option<Take<File>>)> {
        let split = match self {
            Self::Whole(original) => return Ok((clean.unwrap_or(original), None)),
            Self::Split(split) => split,
        };
        let before = match clean {
            Some(small) => split.before_pixels_in(small).map_err(at(path))?,
            None => split.before_pixels(),
        };
        Ok((before, Some(split.pixels)))
    }
}

/// Says of which file an error is.
fn at(path: &Path) -> impl Fn(deid::Error) -> Error {
    |source| Error::Dicom {
        path: path.to_owned(),
        source,
    }
}
