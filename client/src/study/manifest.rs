//! The list of a study's files, sealed with them.

use serde::{Deserialize, Serialize};

use crate::study::error::Error;
use crate::study::names::VERSION;

/// Most bytes that are read.
pub(super) const MAX_BYTES: u64 = 128 << 20;

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
}

impl Manifest {
    /// Reads a manifest.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            #[serde(rename = "pcim-study")]
            version: u32,
        }
        let why = "the manifest cannot be read";
        let bad = |_| Error::Damaged { why };
        let found = serde_json::from_slice::<Versioned>(bytes).map_err(bad)?;
        if found.version != VERSION {
            return Err(Error::Version {
                found: found.version,
            });
        }
        serde_json::from_slice(bytes).map_err(bad)
    }

    /// Lists every file of the manifest.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        let instances = self.series.iter().flat_map(|series| &series.instances);
        instances.chain([&self.key_objects])
    }
}
