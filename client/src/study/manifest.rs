//! The list of a study's files, sealed with them. One of version 2 is the study's index: it comes before the files, is signed by
//! itself, and tells where each of them is (format.md §5.3).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::study::error::Error;
use crate::study::names::{MAX_FILES, VERSION, VERSION_INDEX};
use crate::study::tar;

/// Most bytes that are read.
pub(crate) const MAX_BYTES: u64 = 128 << 20;

/// A study's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format's version.
    #[serde(rename = "pcim-study")]
    pub version: u32,
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Modality codes of the standard's list, sorted.
    pub modalities: Vec<String>,
    /// Body part codes of the standard's list, sorted.
    pub body_parts: Vec<String>,
    /// In the order of their folders.
    pub series: Vec<Series>,
    /// The Key Object Selection Document that lists the instances.
    pub key_objects: File,
}

/// A series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Series Instance UID.
    pub series_instance_uid: String,
    /// Its files.
    pub instances: Vec<File>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name in the study.
    pub file: String,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// Where its content begins, counted from the end of the index; only in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Manifest {
    /// Reads a manifest of either version.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            #[serde(rename = "pcim-study")]
            version: u32,
        }
        let why = "the manifest cannot be read";
        let bad = |_| Error::Damaged { why };
        let found = serde_json::from_slice::<Versioned>(bytes).map_err(bad)?;
        if ![VERSION, VERSION_INDEX].contains(&found.version) {
            return Err(Error::Version {
                found: found.version,
            });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(bad)?;
        match manifest.is_index() {
            true => manifest.check_index()?,
            false if manifest.files().any(|file| file.offset.is_some()) => {
                let why = "a manifest of version 1 has offsets";
                return Err(Error::Damaged { why });
            }
            false => {}
        }
        Ok(manifest)
    }

    /// Returns true if it is an index, which comes before the files and tells where they are.
    #[must_use]
    pub fn is_index(&self) -> bool {
        self.version == VERSION_INDEX
    }

    /// Fills in where the files are, which follow each other in this order without gaps.
    pub(crate) fn place_files(&mut self) {
        let mut end = 0;
        let instances = self.series.iter_mut().flat_map(|it| &mut it.instances);
        for file in instances.chain([&mut self.key_objects]) {
            let offset = end + tar::BLOCK as u64;
            file.offset = Some(offset);
            end = offset + file.bytes + tar::padding(file.bytes) as u64;
        }
    }

    /// Returns the bytes from the end of the index to the end of the study.
    #[must_use]
    pub fn behind(&self) -> u64 {
        let last = &self.key_objects;
        let end = last.offset.unwrap_or_default() + last.bytes;
        end + (tar::padding(last.bytes) + tar::END.len()) as u64
    }

    /// Refuses an index whose files overlap, have gaps between them, or have a name or a UID twice.
    fn check_index(&self) -> Result<(), Error> {
        let damaged = |why| Err(Error::Damaged { why });
        let (mut end, mut names, mut uids) = (0u64, HashSet::new(), HashSet::new());
        for file in self.files() {
            let Some(offset) = file.offset else {
                return damaged("its index does not say where a file is");
            };
            if end.checked_add(tar::BLOCK as u64) != Some(offset) {
                return damaged("files of its index overlap or do not follow each other");
            }
            let after = offset.checked_add(file.bytes);
            let after = after.and_then(|after| after.checked_next_multiple_of(tar::BLOCK as u64));
            let Some(after) = after.filter(|after| *after < 1 << 62) else {
                return damaged("a file of its index ends beyond all bounds");
            };
            end = after;
            if !names.insert(&file.file) || !uids.insert(&file.sop_instance_uid) {
                return damaged("its index names a file twice");
            }
        }
        match names.len() <= MAX_FILES + 1 {
            true => Ok(()),
            false => damaged("it has too many files"),
        }
    }

    /// Lists every file of the manifest.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        let instances = self.series.iter().flat_map(|series| &series.instances);
        instances.chain([&self.key_objects])
    }
}
