//! Payloads to be sealed: one DICOM file as it is, or a study as a tar ([`study`](crate::study)), de-identified on the way.
//!
//! Files are read one at a time; of most only what stands before the pixels is held ([`split`](super::split)), others need
//! the memory of the largest. The same files give the same bytes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Take};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::flow::look::{Looked, look};
use crate::study;
use crate::study::input::{Inputs, Source};
use crate::study::manifest::Manifest;
use crate::study::names::{KEY_OBJECTS, MANIFEST};
use crate::study::parts::{Head, Study};
use crate::study::scan::ScanOptions;
use crate::study::tar;
use pcim_dicom::deid::{self, Report};

/// Reads the payload of a sealed image.
pub struct Payload {
    sources: vec::IntoIter<(Source, Option<Arc<Head>>)>,
    options: Option<deid::Options>,
    /// A tar's own documents; none for a single file.
    archive: Option<Archive>,
    parts: VecDeque<Part>,
    /// Kept only where what is read is not the file as it was given.
    original: Option<Sha256>,
    report: Option<Report>,
    files_read: Arc<AtomicU64>,
    error: Option<Error>,
}

/// The documents of a study, and what is known of its files so far.
struct Archive {
    manifest: Manifest,
    key_objects: Vec<u8>,
    /// The place in the manifest of the file that is read: series, instance.
    place: (usize, usize),
    /// Of the file that is read.
    hash: Sha256,
    ended: bool,
}

/// A part of the payload.
enum Part {
    /// Not of a file's content.
    Frame(io::Cursor<Vec<u8>>),
    /// Of a file's content.
    Bytes(io::Cursor<Vec<u8>>),
    /// Pixels of a file.
    Pixels(Take<File>),
    /// A file is at its end.
    End,
}

/// The sum over the files, known once the payload was read to its end.
pub struct Summary {
    /// SHA-256 of the files as they were given, one after the other; none if the payload is just that.
    pub original_sha256: Option<[u8; 32]>,
    /// The sum of what was done to each file.
    pub report: Option<Report>,
}

impl Payload {
    /// Makes a payload of files of one study; without `options` they are not de-identified, only checked.
    ///
    /// # Errors
    /// Those of reading the files, and of what is no DICOM file or not of one study.
    pub fn new(files: Vec<PathBuf>, options: Option<deid::Options>) -> Result<Self> {
        let wanted = ScanOptions {
            deid: options.as_ref(),
            one_patient: true,
            leave_out: false,
            identity: false,
            stage: None,
        };
        let inputs = Inputs::gather(&files, false)?;
        let mut studies = study::scan(inputs, wanted, &mut |_| {})?;
        match (studies.pop(), studies.len()) {
            (Some(study), 0) => Self::of(&study, options),
            (_, more) => Err(study::Error::SeveralStudies { found: more + 1 }.into()),
        }
    }

    /// A payload of a study that was scanned with the same `options`.
    pub(crate) fn of(study: &Study, options: Option<deid::Options>) -> Result<Self> {
        let archive = match study.is_archive() {
            true => Some(Archive::of(study)?),
            false => None,
        };
        let changed = options.is_some() || archive.is_some();
        let sources = study.instances.iter();
        let sources = sources.map(|it| (it.source.clone(), it.head.clone()));
        Ok(Self {
            sources: sources.collect::<Vec<_>>().into_iter(),
            options,
            archive,
            parts: VecDeque::new(),
            original: changed.then(Sha256::new),
            report: study.report.clone(),
            files_read: Arc::default(),
            error: None,
        })
    }

    /// A payload of bytes as they are.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self {
            sources: Vec::new().into_iter(),
            options: None,
            archive: None,
            parts: VecDeque::from([Part::Frame(io::Cursor::new(bytes))]),
            original: None,
            report: None,
            files_read: Arc::default(),
            error: None,
        }
    }

    /// Counts the files that were read to their end.
    pub(crate) fn files_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.files_read)
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
        let Some((source, head)) = self.sources.next() else {
            return self.end();
        };
        let path = &source.path;
        let at = |source| Error::File {
            path: path.clone(),
            source,
        };
        let file = source.open().map_err(at)?;
        if !source.is_unchanged(&file).map_err(at)? {
            let path = path.clone();
            return Err(study::Error::Changed { path }.into());
        }
        let (content, pixels) = match head {
            Some(head) => self.pass(file, &head).map_err(at)?,
            None => self.clean(path, file)?,
        };
        let size = content.len() as u64 + pixels.as_ref().map_or(0, Take::limit);
        if let Some(archive) = &mut self.archive {
            let header = archive.begin(size);
            self.add(Part::Frame, header);
        }
        self.add(Part::Bytes, content);
        self.parts.extend(pixels.map(Part::Pixels));
        self.parts.push_back(Part::End);
        if self.archive.is_some() {
            self.add(Part::Frame, vec![0; tar::padding(size)]);
        }
        Ok(true)
    }

    /// A file that was looked at before.
    fn pass(&mut self, file: File, head: &Head) -> io::Result<(Vec<u8>, Option<Take<File>>)> {
        let pixels = file.metadata()?.len().saturating_sub(head.original);
        let mut original = Vec::new();
        (&file).take(head.original).read_to_end(&mut original)?;
        self.hash_original(&original);
        Ok((head.sealed.clone(), Some(file.take(pixels))))
    }

    /// A file that is looked at now.
    fn clean(&mut self, path: &Path, file: File) -> Result<(Vec<u8>, Option<Take<File>>)> {
        let looked = look(path, file, self.options.as_ref())?;
        let (clean, report) = looked.clean(path, self.options.as_ref())?;
        // Of files that were looked at before it is known already, all together.
        self.report.get_or_insert(report);
        match &looked {
            Looked::Whole(original) => self.hash_original(original),
            Looked::Split(split) => self.hash_original(&split.before_pixels()),
        }
        looked.into_clean(path, clean)
    }

    /// A tar's own documents and its end.
    fn end(&mut self) -> Result<bool> {
        let Some(archive) = self.archive.as_mut().filter(|archive| !archive.ended) else {
            return Ok(false);
        };
        archive.ended = true;
        let key_objects = std::mem::take(&mut archive.key_objects);
        let manifest = serde_json::to_vec_pretty(&archive.manifest)?;
        for (name, document) in [(KEY_OBJECTS, key_objects), (MANIFEST, manifest)] {
            let size = document.len() as u64;
            self.add(Part::Frame, tar::header(name, size));
            self.add(Part::Frame, document);
            self.add(Part::Frame, vec![0; tar::padding(size)]);
        }
        self.add(Part::Frame, tar::END.to_vec());
        Ok(true)
    }

    fn add(&mut self, kind: fn(io::Cursor<Vec<u8>>) -> Part, bytes: Vec<u8>) {
        self.parts.push_back(kind(io::Cursor::new(bytes)));
    }

    fn hash_original(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.original {
            hash.update(bytes);
        }
    }

    /// Reads from the first part; 0 if it is at its end.
    fn read_part(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (length, of_a_file, of_the_original) = match self.parts.front_mut() {
            None => return Ok(0),
            Some(Part::Frame(bytes)) => (bytes.read(out)?, false, false),
            Some(Part::Bytes(bytes)) => (bytes.read(out)?, true, false),
            Some(Part::Pixels(pixels)) => {
                let length = pixels.read(out)?;
                if length == 0 && pixels.limit() > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                (length, true, true)
            }
            Some(Part::End) => {
                if let Some(archive) = &mut self.archive {
                    archive.finish();
                }
                self.files_read.fetch_add(1, Ordering::Relaxed);
                return Ok(0);
            }
        };
        if of_the_original {
            self.hash_original(&out[..length]);
        }
        if let Some(archive) = self.archive.as_mut().filter(|_| of_a_file) {
            archive.hash.update(&out[..length]);
        }
        Ok(length)
    }
}

impl Archive {
    fn of(study: &Study) -> Result<Self> {
        let (manifest, key_objects) = study.documents()?;
        Ok(Self {
            manifest,
            key_objects,
            place: (0, 0),
            hash: Sha256::new(),
            ended: false,
        })
    }

    /// Begins the next file: its header.
    fn begin(&mut self, size: u64) -> Vec<u8> {
        self.hash = Sha256::new();
        match self.current() {
            Some(file) => {
                file.bytes = size;
                tar::header(&file.file, size)
            }
            None => Vec::new(),
        }
    }

    /// Ends it: its hash is known.
    fn finish(&mut self) {
        let hash = std::mem::take(&mut self.hash).finalize();
        if let Some(file) = self.current() {
            file.sha256 = hex::encode(hash);
        }
        let (series, instance) = self.place;
        let more = self.manifest.series.get(series);
        let more = more.is_some_and(|series| instance + 1 < series.instances.len());
        self.place = match more {
            true => (series, instance + 1),
            false => (series + 1, 0),
        };
    }

    fn current(&mut self) -> Option<&mut study::manifest::File> {
        let (series, instance) = self.place;
        self.manifest
            .series
            .get_mut(series)?
            .instances
            .get_mut(instance)
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
