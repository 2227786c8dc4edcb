//! What gets sealed: one DICOM file as it is, or several as one tar, de-identified on the way.
//!
//! Files are read one at a time; of most only what stands before the pixels is held ([`split`](super::split)), others need
//! the memory of the largest. A tar's entries are numbered (`0001.dcm` …) and carry no names, owners or times: the same files give the same bytes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Take};
use std::path::{Path, PathBuf};
use std::vec;

use sha2::{Digest, Sha256};

use super::split::Split;
use super::{Error, Result};
use crate::deid::{self, Report};
use crate::private;

/// Most bytes of a file that is read whole.
const MAX_FILE_BYTES: usize = 2 << 30;
/// Bytes of a tar block (POSIX.1-1988 ustar).
const TAR_BLOCK: usize = 512;

/// Reads the payload of a sealed image.
pub(crate) struct Payload {
    files: vec::IntoIter<PathBuf>,
    options: Option<deid::Options>,
    archive: bool,
    number: usize,
    ended: bool,
    parts: VecDeque<Part>,
    /// Kept only where de-identification changes what is read.
    original: Option<Sha256>,
    report: Option<Report>,
    error: Option<Error>,
}

/// A part of the payload.
enum Part {
    Bytes(io::Cursor<Vec<u8>>),
    /// Pixels of a file, and what follows them in the payload as it would be without de-identification.
    Pixels(Take<File>, Vec<u8>),
}

/// What became of the files, known once the payload was read to its end.
pub(crate) struct Summary {
    /// SHA-256 of the payload as it would be without de-identification; none if it is the payload.
    pub(crate) original_sha256: Option<[u8; 32]>,
    /// The sum of what was done to each file.
    pub(crate) report: Option<Report>,
}

impl Payload {
    /// A payload of these files; without `options` they are not de-identified, only checked.
    pub(crate) fn new(files: Vec<PathBuf>, options: Option<deid::Options>) -> Result<Self> {
        if files.is_empty() {
            return Err(Error::NoFile);
        }
        Ok(Self {
            archive: files.len() > 1,
            files: files.into_iter(),
            original: options.is_some().then(Sha256::new),
            options,
            number: 0,
            ended: false,
            parts: VecDeque::new(),
            report: None,
            error: None,
        })
    }

    /// The reason why reading failed, if it did.
    pub(crate) fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    pub(crate) fn summary(self) -> Summary {
        Summary {
            original_sha256: self.original.map(|hash| hash.finalize().into()),
            report: self.report,
        }
    }

    /// Makes the next parts of the payload: a file's, or a tar's end. False after the last.
    fn next(&mut self) -> Result<bool> {
        let Some(path) = self.files.next() else {
            if self.ended || !self.archive {
                return Ok(false);
            }
            self.ended = true;
            let end = vec![0; 2 * TAR_BLOCK];
            self.hash_original(&end);
            self.add(end);
            return Ok(true);
        };
        self.number += 1;
        let at = |source| Error::File {
            path: path.clone(),
            source,
        };
        let file = match File::open(&path).and_then(Split::of).map_err(at)? {
            Ok(split) if self.keeps_pixels(&path, &split)? => {
                self.large(&path, split)?;
                return Ok(true);
            }
            Ok(split) => split.into_file().map_err(at)?,
            Err(file) => file,
        };
        let whole = private::read_up_to(file, MAX_FILE_BYTES).map_err(at)?;
        self.small(&path, whole)?;
        Ok(true)
    }

    /// Whether a file's pixels stay as they are, so that they can pass through.
    fn keeps_pixels(&self, path: &Path, split: &Split) -> Result<bool> {
        let Some(options) = &self.options else {
            return Ok(true);
        };
        deid::keeps_pixels(&split.with_one_pixel(), split.pixels.limit(), options).map_err(
            |source| Error::Dicom {
                path: path.to_owned(),
                source,
            },
        )
    }

    /// A file that is read whole.
    fn small(&mut self, path: &Path, original: Vec<u8>) -> Result<()> {
        let clean = self.clean(path, &original)?;
        let original = self.frame(original);
        self.hash_original(&original);
        let framed = match clean {
            Some(clean) => self.frame(clean),
            None => original,
        };
        self.add(framed);
        Ok(())
    }

    /// A file whose pixels pass through.
    fn large(&mut self, path: &Path, split: Split) -> Result<()> {
        let original = split.before_pixels();
        let clean = match self.clean(path, &split.with_one_pixel())? {
            Some(small) => split
                .before_pixels_in(small)
                .map_err(|source| Error::Dicom {
                    path: path.to_owned(),
                    source,
                })?,
            None => original.clone(),
        };
        let pixels = split.pixels.limit();
        let size = |head: &[u8]| head.len() as u64 + pixels;
        let (header, padding) = self.around(size(&original));
        self.hash_original(&header);
        self.hash_original(&original);
        let after = vec![0; padding];
        let (header, padding) = self.around(size(&clean));
        self.add(header);
        self.add(clean);
        self.parts.push_back(Part::Pixels(split.pixels, after));
        self.add(vec![0; padding]);
        Ok(())
    }

    /// De-identifies a file, or only inspects it: then there is nothing to return.
    fn clean(&mut self, path: &Path, file: &[u8]) -> Result<Option<Vec<u8>>> {
        let result = match &self.options {
            Some(options) => deid::deidentify(file, options).map(|(clean, r)| (Some(clean), r)),
            None => deid::inspect(file).map(|report| (None, report)),
        };
        let (clean, report) = result.map_err(|source| Error::Dicom {
            path: path.to_owned(),
            source,
        })?;
        match &mut self.report {
            Some(total) => total.merge(report),
            None => self.report = Some(report),
        }
        Ok(clean)
    }

    fn add(&mut self, bytes: Vec<u8>) {
        self.parts.push_back(Part::Bytes(io::Cursor::new(bytes)));
    }

    fn hash_original(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.original {
            hash.update(bytes);
        }
    }

    /// A file as it stands in the payload.
    fn frame(&self, content: Vec<u8>) -> Vec<u8> {
        if !self.archive {
            return content;
        }
        let (mut framed, padding) = self.around(content.len() as u64);
        framed.extend_from_slice(&content);
        framed.resize(framed.len() + padding, 0);
        framed
    }

    /// What stands before a file of `size` bytes, and how many zeros after it.
    fn around(&self, size: u64) -> (Vec<u8>, usize) {
        if !self.archive {
            return (Vec::new(), 0);
        }
        let mut header = tar::Header::new_ustar();
        let name = format!("{:04}.dcm", self.number);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let padding = size.next_multiple_of(TAR_BLOCK as u64) - size;
        (header.as_bytes().to_vec(), padding as usize)
    }

    /// Reads from the first part; 0 if it is at its end.
    fn read_part(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.parts.front_mut() {
            None => Ok(0),
            Some(Part::Bytes(bytes)) => bytes.read(out),
            Some(Part::Pixels(pixels, after)) => {
                let length = pixels.read(out)?;
                if length == 0 && pixels.limit() > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                if let Some(hash) = &mut self.original {
                    hash.update(&out[..length]);
                    if length == 0 {
                        hash.update(after);
                    }
                }
                Ok(length)
            }
        }
    }
}

impl Read for Payload {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.read_part(out)? {
                0 => {}
                length => return Ok(length),
            }
            if self.parts.pop_front().is_some() {
                continue;
            }
            match self.next() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => {
                    let text = error.to_string();
                    self.error = Some(error);
                    return Err(io::Error::other(text));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
