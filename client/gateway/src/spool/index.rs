//! The objects and studies of the spool, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pcim_dicom::arrival::Arrival;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::kept::Description;
use super::record::StudyRecord;
use super::segment::Place;

/// An object that is known by its instance.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// On its way to the disk.
    Coming {
        study: u64,
        sha256: [u8; 32],
        changed: Arc<Notify>,
    },
    /// In the spool.
    Kept { study: u64, sha256: [u8; 32] },
    /// Sealed from the spool before.
    Sealed { sha256: [u8; 32] },
}

/// An object in the spool.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) instance: String,
    pub(crate) sha256: String,
    pub(crate) place: Place,
}

/// A study with objects in the spool, or sealed from it.
#[derive(Clone, Debug)]
pub(crate) struct Study {
    /// The identifiers of its first object.
    pub(crate) arrival: Arrival,
    /// Its first sender.
    pub(crate) sender: String,
    pub(crate) objects: Vec<Object>,
    pub(crate) coming: u32,
    pub(crate) bytes: u64,
    /// When its first and its newest object came, in seconds, unix.
    pub(crate) first: u64,
    pub(crate) newest: u64,
    /// True if an object is of another patient than the first.
    pub(crate) mixed: bool,
    /// Every modality of its objects.
    pub(crate) modalities: Vec<String>,
    pub(crate) record: StudyRecord,
}

#[derive(Default)]
pub(super) struct Tables {
    pub(super) known: HashMap<String, Known>,
    pub(super) studies: BTreeMap<u64, Study>,
    /// The study that takes further objects, by Study Instance UID.
    open: HashMap<String, u64>,
    next: u64,
    pub(super) used: u64,
}

/// Shared by everything that works on the spool.
#[derive(Clone, Default)]
pub(super) struct Index(Arc<Mutex<Tables>>);

/// The answer about an object that has arrived.
pub(super) enum Claim {
    New(Claimed),
    Known,
    /// The same object is on its way to the disk.
    Wait(OwnedNotified),
    /// The same instance with other content; of the study, if it waits.
    Other {
        study: Option<u64>,
    },
}

/// A place in the index for an object on its way to the disk; given back if it does not get there.
pub(super) struct Claimed {
    index: Index,
    instance: String,
    study: u64,
    done: bool,
}

impl Index {
    pub(super) fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for an object, unless it is known.
    pub(super) fn claim(
        &self,
        arrival: &Arrival,
        sender: &str,
        sha256: [u8; 32],
        at: u64,
    ) -> Claim {
        let mut tables = self.lock();
        if let Some(known) = tables.known.get(&arrival.instance) {
            return match known {
                Known::Coming {
                    study,
                    sha256: other,
                    ..
                } if *other != sha256 => Claim::Other {
                    study: Some(*study),
                },
                Known::Coming { changed, .. } => Claim::Wait(Arc::clone(changed).notified_owned()),
                Known::Kept { sha256: other, .. } | Known::Sealed { sha256: other }
                    if *other == sha256 =>
                {
                    Claim::Known
                }
                Known::Kept { study, .. } => Claim::Other {
                    study: Some(*study),
                },
                Known::Sealed { .. } => Claim::Other { study: None },
            };
        }
        let study = tables.study_for(arrival, sender, at);
        if let Some(study) = tables.studies.get_mut(&study) {
            study.coming += 1;
        }
        let coming = Known::Coming {
            study,
            sha256,
            changed: Arc::default(),
        };
        tables.known.insert(arrival.instance.clone(), coming);
        Claim::New(Claimed {
            index: self.clone(),
            instance: arrival.instance.clone(),
            study,
            done: false,
        })
    }
}

impl Tables {
    /// The number of the study that takes an object; a new one if none does.
    fn study_for(&mut self, arrival: &Arrival, sender: &str, at: u64) -> u64 {
        if let Some(number) = self.open.get(&arrival.study) {
            return *number;
        }
        self.next += 1;
        let number = self.next;
        self.open.insert(arrival.study.clone(), number);
        let study = Study::new(arrival, sender, at);
        self.studies.insert(number, study);
        number
    }

    /// Adds an object that is in the spool.
    pub(super) fn add(&mut self, place: Place, about: &Description) {
        self.next = self.next.max(about.study);
        let study = self.studies.entry(about.study);
        let study = study.or_insert_with(|| Study::new(&about.arrival, &about.sender, about.at));
        let arrival = &about.arrival;
        study.mixed |= !study.arrival.is_same_patient(arrival);
        if !study.modalities.contains(&arrival.modality) && !arrival.modality.is_empty() {
            study.modalities.push(arrival.modality.clone());
        }
        study.first = study.first.min(about.at);
        study.newest = study.newest.max(about.at);
        study.bytes += about.bytes;
        study.objects.push(Object {
            instance: arrival.instance.clone(),
            sha256: about.sha256.clone(),
            place,
        });
        if !study.record.is_settled() {
            self.open.insert(arrival.study.clone(), about.study);
        }
        let mut sha256 = [0; 32];
        // Written by this program alone.
        let _ = hex::decode_to_slice(&about.sha256, &mut sha256);
        let kept = Known::Kept {
            study: about.study,
            sha256,
        };
        self.known.insert(arrival.instance.clone(), kept);
        self.used += place.lengths.total();
    }

    /// Adds what is recorded of a study.
    pub(super) fn add_record(&mut self, number: u64, record: StudyRecord) {
        self.next = self.next.max(number);
        for (instance, sha256) in record.sealed_instances() {
            self.known.insert(instance, Known::Sealed { sha256 });
        }
        let study = self.studies.entry(number);
        let study = study.or_insert_with(|| Study::new(&record.arrival, &record.sender, record.at));
        study.record = record;
    }

    /// Has objects that come later make a new study.
    pub(super) fn close(&mut self, number: u64) {
        self.open.retain(|_, open| *open != number);
    }

    /// Has a study take further objects again, unless a later one took its place.
    pub(super) fn reopen(&mut self, number: u64) {
        if let Some(study) = self.studies.get(&number) {
            let uid = study.arrival.study.clone();
            self.open.entry(uid).or_insert(number);
        }
    }

    /// Takes a study's objects out, because they are sealed or rejected. Objects that come later make a new study.
    pub(super) fn settle(&mut self, number: u64, record: StudyRecord) -> Vec<Place> {
        let Some(study) = self.studies.get_mut(&number) else {
            return Vec::new();
        };
        let objects = std::mem::take(&mut study.objects);
        study.record = record.clone();
        self.close(number);
        for object in &objects {
            self.known.remove(&object.instance);
            self.used = self.used.saturating_sub(object.place.lengths.total());
        }
        for (instance, sha256) in record.sealed_instances() {
            self.known.insert(instance, Known::Sealed { sha256 });
        }
        objects.iter().map(|object| object.place).collect()
    }
}

impl Study {
    fn new(arrival: &Arrival, sender: &str, at: u64) -> Self {
        Self {
            arrival: arrival.clone(),
            sender: sender.to_owned(),
            objects: Vec::new(),
            coming: 0,
            bytes: 0,
            first: at,
            newest: at,
            mixed: false,
            modalities: Vec::new(),
            record: StudyRecord::of(arrival, sender, at),
        }
    }
}

impl Claimed {
    /// The study that it is of.
    pub(super) fn study(&self) -> u64 {
        self.study
    }

    /// The object is on the disk to stay.
    pub(super) fn kept(mut self, place: Place, about: &Description) {
        self.done = true;
        let mut tables = self.index.lock();
        self.leave(&mut tables);
        tables.add(place, about);
    }

    fn leave(&self, tables: &mut Tables) {
        let known = tables.known.remove(&self.instance);
        if let Some(Known::Coming { changed, .. }) = known {
            changed.notify_waiters();
        }
        if let Some(study) = tables.studies.get_mut(&self.study) {
            study.coming = study.coming.saturating_sub(1);
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut tables = self.index.lock();
        self.leave(&mut tables);
        let empty = tables.studies.get(&self.study);
        if empty.is_some_and(|it| it.coming == 0 && it.objects.is_empty() && it.record.is_plain()) {
            tables.studies.remove(&self.study);
            tables.close(self.study);
        }
    }
}
