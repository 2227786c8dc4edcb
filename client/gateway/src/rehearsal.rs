//! A dry run of the rules over files: what would be decided if a sender had sent them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use pcim_dicom::arrival::{Arrival, START_MAX, file_parts};

use crate::error::{Error, Result};
use crate::rules::{Facts, Rules};

/// Most files of a dry run.
const FILES_MAX: usize = 100_000;

/// The decision about a study.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rehearsed {
    /// Study Instance UID.
    pub study_uid: String,
    /// Its files.
    pub files: usize,
    /// The rule that fits.
    pub rule: Option<String>,
    /// The address of the patient that it would be sealed to.
    pub patient: Option<String>,
    /// Why it would wait; none if it would be sealed.
    pub waits: Option<String>,
}

/// The outcome of a dry run.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Rehearsal {
    /// The studies, by their UIDs.
    pub studies: Vec<Rehearsed>,
    /// The files that would be refused, each with the reason.
    pub refused: Vec<(PathBuf, String)>,
}

struct Found {
    arrival: Arrival,
    modalities: Vec<String>,
    mixed: bool,
    files: usize,
}

impl Rehearsal {
    /// Asks the rules about the studies in files and folders, as if this sender had sent them.
    ///
    /// # Errors
    /// [`Error::File`]
    pub fn of(rules: &Rules, paths: &[PathBuf], sender: &str) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            gather(path, &mut files)?;
        }
        let mut studies: BTreeMap<String, Found> = BTreeMap::new();
        let mut refused = Vec::new();
        for path in files {
            let arrival = match look(&path)? {
                Ok(arrival) => arrival,
                Err(why) => {
                    refused.push((path, why));
                    continue;
                }
            };
            let found = studies
                .entry(arrival.study.clone())
                .or_insert_with(|| Found {
                    arrival: arrival.clone(),
                    modalities: Vec::new(),
                    mixed: false,
                    files: 0,
                });
            found.files += 1;
            found.mixed |= !found.arrival.is_same_patient(&arrival);
            if !arrival.modality.is_empty() && !found.modalities.contains(&arrival.modality) {
                found.modalities.push(arrival.modality);
            }
        }
        let decide = |(study_uid, found): (String, Found)| {
            let decision = rules.decide(Facts {
                arrival: &found.arrival,
                sender,
                modalities: &found.modalities,
            });
            let mixed = found
                .mixed
                .then(|| "its objects are of several patients".to_owned());
            Rehearsed {
                study_uid,
                files: found.files,
                rule: decision.rule.map(str::to_owned),
                patient: decision.card.map(|card| card.address.to_string()),
                waits: mixed.or(decision.waits()),
            }
        };
        Ok(Self {
            studies: studies.into_iter().map(decide).collect(),
            refused,
        })
    }
}

fn gather(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let metadata = fs::metadata(path).map_err(Error::file(path))?;
    if !metadata.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(Error::file(path))? {
        let entry = entry.map_err(Error::file(path))?;
        // Links are not followed.
        let kind = entry.file_type().map_err(Error::file(path))?;
        if kind.is_dir() || kind.is_file() {
            entries.push(entry.path());
        }
    }
    entries.sort();
    for entry in entries {
        gather(&entry, files)?;
        if files.len() > FILES_MAX {
            let why = format!("more than {FILES_MAX} files");
            let source = std::io::Error::new(std::io::ErrorKind::FileTooLarge, why);
            return Err(Error::file(path)(source));
        }
    }
    Ok(())
}

/// The identifiers of a file, or why it would be refused.
fn look(path: &Path) -> Result<std::result::Result<Arrival, String>> {
    let mut file = File::open(path).map_err(Error::file(path))?;
    let mut start = Vec::new();
    let limit = 2 * START_MAX as u64;
    let read = (&mut file).take(limit).read_to_end(&mut start);
    read.map_err(Error::file(path))?;
    let whole = (start.len() as u64) < limit;
    let found = file_parts(&start).and_then(|(syntax, place)| {
        let data = start.get(place..).unwrap_or_default();
        Arrival::of(data, &syntax, whole)
    });
    Ok(match found {
        Ok(Some(arrival)) => Ok(arrival),
        Ok(None) => Err("its identifiers do not stand at its start".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}
