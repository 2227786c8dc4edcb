//! A study as it was looked at: its instances, in the order in which they are sealed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Take};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::study::input::Source;
use crate::study::manifest::{self, Manifest};
use crate::study::names::{self, KEY_OBJECTS};
use pcim_dicom::deid::{Description, Facts, Identifying, KeyObjects, Repeated, Report};

/// Bytes of pixels that are read at a time.
const PIECE: usize = 1 << 17;
/// Most bytes of a description, as the contract has it.
const MAX_DESCRIPTION_BYTES: usize = 256;

/// The instances of a study, every one of them looked at.
pub struct Study {
    /// In the order in which they are sealed.
    pub(crate) instances: Vec<Instance>,
    /// The attributes that its documents repeat; none of a single file that was not looked at yet.
    pub(crate) repeated: Option<Repeated>,
    /// Codes of the standard's list.
    pub(super) modalities: BTreeSet<String>,
    pub(super) body_parts: BTreeSet<String>,
    /// The pseudonyms with what they stand for; empty unless an identity document was asked for.
    pub(super) identifying: Vec<Pair>,
    /// The sum of what was, or will be, done to its files; none of a single file that was not looked at yet.
    pub(crate) report: Option<Report>,
}

/// A file of a study.
pub(crate) struct Instance {
    pub(crate) source: Source,
    /// As it will be sealed; none of a single file that was not looked at yet.
    pub(crate) sealed: Option<Ids>,
    /// Its UIDs as they were, if an identity document was asked for.
    pub(super) original: Option<Uids>,
    /// Its length and hash as it will be sealed; none of a single file that was not looked at yet.
    pub(super) measured: Option<Measured>,
    /// Where it was written, if it was.
    pub(super) staged: Option<PathBuf>,
    /// The bytes before its pixels, if they were kept.
    pub(crate) head: Option<Arc<Head>>,
}

/// The bytes before a file's pixels, which pass as they are.
pub(crate) struct Head {
    /// Its bytes in the file as it was given.
    pub(crate) original: u64,
    /// As it will be sealed.
    pub(crate) sealed: Vec<u8>,
}

/// A file's class, UIDs and place.
pub(crate) struct Ids {
    pub(crate) class: String,
    pub(crate) uids: Uids,
    pub(super) series_number: Option<i64>,
    pub(super) instance_number: Option<i64>,
    /// The attributes that the manifest describes it by.
    pub(super) description: Description,
}

pub(crate) struct Uids {
    pub(crate) study: String,
    pub(crate) series: String,
    pub(crate) instance: String,
}

impl Study {
    /// A single file that is looked at when it is sealed.
    pub(super) fn unseen(source: Source) -> Self {
        let instance = Instance {
            source,
            sealed: None,
            original: None,
            measured: None,
            staged: None,
            head: None,
        };
        Self {
            instances: vec![instance],
            repeated: None,
            modalities: BTreeSet::new(),
            body_parts: BTreeSet::new(),
            identifying: Vec::new(),
            report: None,
        }
    }

    /// A study of a first file.
    pub(super) fn new(repeated: Repeated, identifying: Vec<Pair>) -> Self {
        Self {
            instances: Vec::new(),
            repeated: Some(repeated),
            modalities: BTreeSet::new(),
            body_parts: BTreeSet::new(),
            identifying,
            report: None,
        }
    }

    pub(super) fn add(&mut self, instance: Instance, report: &Report) {
        self.modalities.extend(report.modality.clone());
        self.body_parts.extend(report.body_part.clone());
        match &mut self.report {
            Some(total) => total.merge(report),
            None => self.report = Some(report.clone()),
        }
        self.instances.push(instance);
    }

    /// Puts the instances in order: series by number and UID, instances by number and UID.
    pub(super) fn sort(&mut self) {
        self.instances.sort_by(|a, b| {
            let key = |instance: &Instance| {
                let ids = instance.sealed.as_ref()?;
                let number = |number: Option<i64>| number.unwrap_or(i64::MAX);
                let (series, own) = (number(ids.series_number), number(ids.instance_number));
                Some((
                    series,
                    ids.uids.series.clone(),
                    own,
                    ids.uids.instance.clone(),
                ))
            };
            key(a).cmp(&key(b))
        });
    }

    /// Counts the files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Says whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Returns the Study Instance UID as it will be sealed; none of a single file that was not looked at yet.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        Some(&self.instances.first()?.sealed.as_ref()?.uids.study)
    }

    /// Says whether it is sealed as a tar.
    pub(crate) fn is_archive(&self) -> bool {
        self.instances.len() > 1
    }

    /// Its instances by series, in order, with the name that each has in the tar.
    pub(crate) fn names(&self) -> Vec<String> {
        let (mut series, mut number) = (0, 0);
        let mut last = None;
        let name = |instance: &Instance| {
            let uid = instance.sealed.as_ref().map(|ids| ids.uids.series.clone());
            if series == 0 || uid != last {
                (series, number, last) = (series + 1, 0, uid);
            }
            number += 1;
            format!("{series:04}/{number:05}.dcm")
        };
        self.instances.iter().map(name).collect()
    }

    /// The manifest of a study whose files were measured.
    pub(crate) fn manifest(&self, key_objects: &KeyObjects) -> Manifest {
        let file = |file: String, class: &str, instance: &str, measured: Measured| manifest::File {
            file,
            sop_class_uid: class.to_owned(),
            sop_instance_uid: instance.to_owned(),
            bytes: measured.bytes,
            sha256: hex::encode(measured.sha256),
            offset: None,
        };
        let instances = self.instances.iter();
        let known = instances.filter_map(|it| Some((it.sealed.as_ref()?, it.measured?)));
        let mut series: Vec<manifest::Series> = Vec::new();
        for (name, (ids, measured)) in self.names().into_iter().zip(known) {
            let instance = file(name, &ids.class, &ids.uids.instance, measured);
            match series.last_mut() {
                Some(last) if last.series_instance_uid == ids.uids.series => {
                    last.instances.push(instance);
                }
                _ => series.push(manifest::Series {
                    series_instance_uid: ids.uids.series.clone(),
                    instances: vec![instance],
                }),
            }
        }
        let (name, instance) = (KEY_OBJECTS.to_owned(), &key_objects.instance);
        let measured = Measured::of(&key_objects.bytes);
        Manifest {
            version: names::VERSION,
            study_instance_uid: self.uid().unwrap_or_default().to_owned(),
            modalities: self.modalities.iter().cloned().collect(),
            body_parts: self.body_parts.iter().cloned().collect(),
            series,
            key_objects: file(name, KeyObjects::CLASS, instance, measured),
        }
    }

    /// Codes for the chain, modalities before body parts, as many as the contract takes; of a single file that was not
    /// looked at before they are in its report.
    pub(crate) fn description(&self, report: Option<&Report>) -> String {
        let seen = report.filter(|_| self.repeated.is_none());
        let seen = seen.map(|report| [&report.modality, &report.body_part]);
        let seen = seen.into_iter().flatten().flatten();
        let codes = self.modalities.iter().chain(&self.body_parts).chain(seen);
        let mut told = String::new();
        for code in codes {
            let space = usize::from(!told.is_empty());
            if told.len() + space + code.len() > MAX_DESCRIPTION_BYTES {
                break;
            }
            told.push_str(&" "[..space]);
            told.push_str(code);
        }
        told
    }
}

impl Ids {
    pub(super) fn of(facts: &Facts) -> Self {
        Self {
            class: facts.class.clone(),
            uids: Uids::of(facts),
            series_number: facts.series_number,
            instance_number: facts.instance_number,
            description: facts.description.clone(),
        }
    }
}

impl Uids {
    pub(super) fn of(facts: &Facts) -> Self {
        Self {
            study: facts.study.clone(),
            series: facts.series.clone(),
            instance: facts.instance.clone(),
        }
    }
}

/// An attribute as it was and as it is sealed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The tag, as `(0010,0010)`.
    pub tag: String,
    /// Its keyword.
    pub name: String,
    /// Its kind.
    pub original: String,
    /// Its pseudonym; none if it was removed.
    pub sealed: Option<String>,
}

/// A file's length and hash.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

impl Measured {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.len() as u64,
            sha256: Sha256::digest(bytes).into(),
        }
    }

    /// Of a file whose pixels, all of them, are read.
    pub(super) fn of_parts(before: &[u8], mut pixels: Take<File>) -> io::Result<Self> {
        let bytes = before.len() as u64 + pixels.limit();
        let mut hash = Sha256::new_with_prefix(before);
        let mut piece = vec![0; PIECE];
        loop {
            match pixels.read(&mut piece)? {
                0 if pixels.limit() > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                0 => break,
                read => hash.update(&piece[..read]),
            }
        }
        let sha256 = hash.finalize().into();
        Ok(Self { bytes, sha256 })
    }
}

/// Pairs what identifies in a file as it was given with what stands there as it is sealed.
pub(super) fn pairs(before: &[Identifying], after: &[Identifying]) -> Vec<Pair> {
    let sealed = |tag: &str| after.iter().find(|found| found.tag == tag);
    let pair = |found: &Identifying| Pair {
        tag: found.tag.clone(),
        name: found.name.to_owned(),
        original: found.value.clone(),
        sealed: sealed(&found.tag).map(|found| found.value.clone()),
    };
    before.iter().map(pair).collect()
}
