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
use crate::study::names::{INDEX_SIGNATURE, KEY_OBJECTS, MANIFEST, VERSION_INDEX};
use crate::study::parts::{Head, Study};
use crate::study::scan::ScanOptions;
use crate::study::tar;
use pcim_dicom::deid::{self, Report};
use pcim_seal::UnlockedKey;

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

/// A study's own documents, and the files that it promises.
struct Archive {
    /// The files in order, as the index has them.
    promised: vec::IntoIter<Promised>,
    /// The file that is read.
    current: Option<Promised>,
    /// Of the file that is read.
    hash: Sha256,
    /// The index; none once it was signed.
    index: Option<Vec<u8>>,
    /// Behind the instances; none once it was read.
    key_objects: Option<Vec<u8>>,
}

/// A file as the index has it.
struct Promised {
    /// Its name in the study.
    name: String,
    bytes: u64,
    sha256: String,
}

/// A part of the payload.
enum Part {
    /// Not of a file's content.
    Frame(io::Cursor<Vec<u8>>),
    /// Of a file's content.
    Bytes(io::Cursor<Vec<u8>>),
    /// Pixels of a file.
    Pixels(Take<File>),
    /// The file of this name is at its end.
    End(PathBuf),
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

    /// Signs the index of a study, which is read first; returns its SHA-256. A single file has none.
    ///
    /// # Errors
    /// Those of signing.
    pub fn sign(&mut self, signer: &UnlockedKey) -> Result<Option<[u8; 32]>> {
        let Some(index) = self.archive.as_mut().and_then(|it| it.index.take()) else {
            return Ok(None);
        };
        let signature = pcim_seal::sign_index(&index, signer)?;
        let sha256 = Sha256::digest(&index).into();
        self.add_document(MANIFEST, index);
        self.add_document(INDEX_SIGNATURE, signature);
        Ok(Some(sha256))
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
        if self.archive.as_ref().is_some_and(|it| it.index.is_some()) {
            return Err(study::Error::Unsigned.into());
        }
        let Some((source, head)) = self.sources.next() else {
            return Ok(self.end());
        };
        let path = &source.path;
        let at = |source| Error::File {
            path: path.clone(),
            source,
        };
        let changed = || Error::from(study::Error::Changed { path: path.clone() });
        let file = source.open().map_err(at)?;
        if !source.is_unchanged(&file).map_err(at)? {
            return Err(changed());
        }
        let (content, pixels) = match head {
            Some(head) => self.pass(file, &head).map_err(at)?,
            None => self.clean(path, file)?,
        };
        let size = content.len() as u64 + pixels.as_ref().map_or(0, Take::limit);
        if let Some(archive) = &mut self.archive {
            let header = archive.begin(size).ok_or_else(changed)?;
            self.add(Part::Frame, header);
        }
        self.add(Part::Bytes, content);
        self.parts.extend(pixels.map(Part::Pixels));
        self.parts.push_back(Part::End(source.path));
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

    /// A tar's last document and its end. False if they were read.
    fn end(&mut self) -> bool {
        let archive = self.archive.as_mut();
        let Some(document) = archive.and_then(|archive| archive.key_objects.take()) else {
            return false;
        };
        self.add_document(KEY_OBJECTS, document);
        self.add(Part::Frame, tar::END.to_vec());
        true
    }

    fn add_document(&mut self, name: &str, document: Vec<u8>) {
        let size = document.len() as u64;
        self.add(Part::Frame, tar::header(name, size));
        self.add(Part::Frame, document);
        self.add(Part::Frame, vec![0; tar::padding(size)]);
    }

    fn add(&mut self, kind: fn(io::Cursor<Vec<u8>>) -> Part, bytes: Vec<u8>) {
        self.parts.push_back(kind(io::Cursor::new(bytes)));
    }

    fn hash_original(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.original {
            hash.update(bytes);
        }
    }

    /// Keeps an error, to be taken; returns one that a reader gets.
    fn failed(&mut self, error: Error) -> io::Error {
        let text = error.to_string();
        self.error = Some(error);
        io::Error::other(text)
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
            Some(Part::End(path)) => {
                if self.archive.as_mut().is_some_and(|it| !it.finish()) {
                    let path = std::mem::take(path);
                    return Err(self.failed(study::Error::Changed { path }.into()));
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
        let (mut manifest, key_objects) = study.documents()?;
        manifest.version = VERSION_INDEX;
        manifest.place_files();
        let promised = manifest.series.iter().flat_map(|it| &it.instances);
        let promised = promised.map(|file| Promised {
            name: file.file.clone(),
            bytes: file.bytes,
            sha256: file.sha256.clone(),
        });
        Ok(Self {
            promised: promised.collect::<Vec<_>>().into_iter(),
            current: None,
            hash: Sha256::new(),
            index: Some(serde_json::to_vec(&manifest)?),
            key_objects: Some(key_objects),
        })
    }

    /// Begins the next file: its header. None if it is not as long as was promised.
    fn begin(&mut self, size: u64) -> Option<Vec<u8>> {
        self.hash = Sha256::new();
        let promised = self.promised.next().filter(|it| it.bytes == size)?;
        let header = tar::header(&promised.name, size);
        self.current = Some(promised);
        Some(header)
    }

    /// Ends it: returns true if it was what was promised.
    fn finish(&mut self) -> bool {
        let hash = hex::encode(std::mem::take(&mut self.hash).finalize());
        self.current.take().is_some_and(|it| it.sha256 == hash)
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
                Err(error) => return Err(self.failed(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
