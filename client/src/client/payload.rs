//! What gets sealed: one DICOM file as it is, or several as one tar, de-identified on the way.
//!
//! Files are read one at a time, so that a study needs the memory of its largest file. A tar's entries
//! are numbered (`0001.dcm` …) and carry no names, owners or times: the same files give the same bytes.

use std::io::{self, Read};
use std::path::PathBuf;
use std::vec;

use sha2::{Digest, Sha256};

use super::{Error, Result};
use crate::deid::{self, Report};
use crate::private;

/// Most bytes of one file.
const MAX_FILE_BYTES: usize = 2 << 30;
/// Bytes of a tar block (POSIX.1-1988 ustar).
const TAR_BLOCK: usize = 512;

/// Reads the payload of a sealed image.
pub(super) struct Payload {
    files: vec::IntoIter<PathBuf>,
    options: Option<deid::Options>,
    archive: bool,
    number: usize,
    ended: bool,
    current: io::Cursor<Vec<u8>>,
    original: Sha256,
    report: Option<Report>,
    error: Option<Error>,
}

/// What became of the files, known once the payload was read to its end.
pub(super) struct Summary {
    /// SHA-256 of the payload as it would be without de-identification.
    pub(super) original_sha256: [u8; 32],
    /// The sum of what was done to each file.
    pub(super) report: Option<Report>,
}

impl Payload {
    /// A payload of these files; without `options` they are not de-identified, only checked.
    pub(super) fn new(files: Vec<PathBuf>, options: Option<deid::Options>) -> Result<Self> {
        if files.is_empty() {
            return Err(Error::NoFile);
        }
        Ok(Self {
            archive: files.len() > 1,
            files: files.into_iter(),
            options,
            number: 0,
            ended: false,
            current: io::Cursor::default(),
            original: Sha256::new(),
            report: None,
            error: None,
        })
    }

    /// The reason why reading failed, if it did.
    pub(super) fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    pub(super) fn summary(self) -> Summary {
        Summary {
            original_sha256: self.original.finalize().into(),
            report: self.report,
        }
    }

    /// The next piece of the payload: a file, or a tar's end. `None` after the last.
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(path) = self.files.next() else {
            if self.ended || !self.archive {
                return Ok(None);
            }
            self.ended = true;
            let end = vec![0; 2 * TAR_BLOCK];
            self.original.update(&end);
            return Ok(Some(end));
        };
        self.number += 1;
        let original = private::read_limited(&path, MAX_FILE_BYTES).map_err(|source| {
            let path = path.clone();
            Error::File { path, source }
        })?;
        let result = match &self.options {
            Some(options) => deid::deidentify(&original, options),
            None => deid::inspect(&original).map(|report| (Vec::new(), report)),
        };
        let (content, report) = result.map_err(|source| Error::Dicom { path, source })?;
        match &mut self.report {
            Some(total) => total.merge(report),
            None => self.report = Some(report),
        }
        if self.options.is_none() {
            let framed = self.frame(original);
            self.original.update(&framed);
            return Ok(Some(framed));
        }
        let framed = self.frame(original);
        self.original.update(&framed);
        Ok(Some(self.frame(content)))
    }

    /// A file as it stands in the payload.
    fn frame(&self, content: Vec<u8>) -> Vec<u8> {
        if !self.archive {
            return content;
        }
        let mut header = tar::Header::new_ustar();
        let name = format!("{:04}.dcm", self.number);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let padded = content.len().next_multiple_of(TAR_BLOCK);
        let mut framed = Vec::with_capacity(TAR_BLOCK + padded);
        framed.extend_from_slice(header.as_bytes());
        framed.extend_from_slice(&content);
        framed.resize(TAR_BLOCK + padded, 0);
        framed
    }
}

impl Read for Payload {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.current.read(out)?;
            if length > 0 || out.is_empty() {
                return Ok(length);
            }
            match self.next() {
                Ok(Some(piece)) => self.current = io::Cursor::new(piece),
                Ok(None) => return Ok(0),
                Err(error) => {
                    let text = error.to_string();
                    self.error = Some(error);
                    return Err(io::Error::other(text));
                }
            }
        }
    }
}
