//! The spool: objects on their way from a sender to a sealed image. Nothing of it is on disk in clear.
//!
//! | file | content |
//! |---|---|
//! | `lock` | held by the process that works on the spool |
//! | `0000000001.seg` … | objects, encrypted to the department's key and signed by it: [`segment`] |
//! | `studies/1.pgp` … | what is recorded of each study, encrypted the same way |
//!
//! An object is acknowledged when it is on the disk to stay; what waits at the same time is synced together. A kill loses
//! what was not acknowledged, and the sender sends that again; an object that comes again is acknowledged and not kept
//! twice, one that says to be the same and is not is refused, and its study waits for a person.

pub(crate) mod arrive;
mod commit;
mod index;
pub(crate) mod kept;
pub(crate) mod record;
mod segment;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pcim_core::{parallel, private};
use tokio::sync::{Mutex, Semaphore};

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::moment::now;
use crate::status;
use commit::Committer;
use index::{Index, Known};
pub(crate) use index::{Object, Study};
use kept::{Department, Description};
use record::{State, StudyRecord};
use segment::Found;

/// Large objects that are encrypted at the same time; more wait, and so do their senders.
const STREAMS: usize = 16;
/// Most bytes of a study's record.
const RECORD_MAX: usize = 2 << 20;

/// A reason why an object is not taken. None holds a value of the object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the spool is full")]
    Full,
    #[error("the gateway is stopping")]
    Stopping,
    #[error("objects of at most {max} bytes are taken")]
    TooLarge { max: u64 },
    #[error("not understood: {0}")]
    NotUnderstood(&'static str),
    #[error("data set and command name other instances")]
    Mismatch,
    #[error("the same instance came before with other content")]
    Duplicate,
    #[error("the transfer syntax is not taken")]
    Syntax,
    #[error("this application may not store: its [[peer]] needs may = [\"store\"]")]
    NoRight,
    #[error("{0}")]
    Failed(String),
}

impl Refused {
    fn of(error: &pcim_dicom::Error) -> Self {
        match error {
            pcim_dicom::Error::TransferSyntax { .. } => Self::Syntax,
            pcim_dicom::Error::Missing { attribute } => Self::NotUnderstood(attribute),
            _ => Self::NotUnderstood("the data set is malformed"),
        }
    }

    /// The status that says so (PS3.4 §B.2.3); STOW-RS gives it as the failure reason.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Full | Self::Stopping | Self::TooLarge { .. } => status::OUT_OF_RESOURCES,
            Self::NotUnderstood(_) => status::CANNOT_UNDERSTAND,
            Self::Mismatch | Self::Syntax => status::DOES_NOT_MATCH,
            Self::Duplicate => status::DUPLICATE_INSTANCE,
            Self::NoRight => status::NOT_AUTHORIZED,
            Self::Failed(_) => status::PROCESSING_FAILURE,
        }
    }

    fn failed(error: Error) -> Self {
        tracing::warn!(%error, "an object was not kept");
        Self::Failed("it could not be kept".to_owned())
    }

    fn io(error: io::Error) -> Self {
        tracing::warn!(%error, "an object was not written");
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Failed("it could not be written".to_owned()),
        }
    }
}

/// An open spool. Another process can open it once this is dropped.
pub(crate) struct Spool {
    folder: PathBuf,
    department: Department,
    limits: Limits,
    index: Index,
    committer: Committer,
    streams: Arc<Semaphore>,
    parts: AtomicU64,
    /// Held while a study's record is changed.
    records: Mutex<()>,
    _lock: File,
}

impl Spool {
    /// Opens the spool in a folder, which is made if it is not there, and reads what is in it.
    pub(crate) fn open(folder: &Path, department: Department, limits: Limits) -> Result<Self> {
        let studies = folder.join("studies");
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(Error::file(parent))?;
        }
        for folder in [folder, &studies] {
            if !folder.exists() {
                private::create_dir(folder).map_err(Error::file(folder))?;
            }
        }
        let path = folder.join("lock");
        let lock = private::open_or_create(&path).map_err(Error::file(&path))?;
        if lock.try_lock().is_err() {
            let path = folder.to_owned();
            return Err(Error::Busy { path });
        }
        private::sweep(&studies).map_err(Error::file(&studies))?;
        let index = Index::default();
        read_records(&studies, &department, limits.remember, &index)?;
        let (next, found, mut needed) = read_segments(folder)?;
        let open = |_, found: &Found| department.decrypt::<Description>(&found.about);
        let opened = parallel::each(&found, parallel::processors(), open);
        let all_fail = !opened.is_empty() && opened.iter().all(Result::is_err);
        let mut stale = Vec::new();
        for (found, description) in found.iter().zip(opened) {
            // What cannot be read stays where it is.
            *needed.entry(found.place.segment).or_default() += 1;
            let description = match description {
                // Then it is another key's spool.
                Err(error) if all_fail => return Err(error),
                Err(error) => {
                    let segment = found.place.segment;
                    tracing::warn!(segment, %error, "an object of the spool cannot be read");
                    continue;
                }
                Ok(description) => description,
            };
            let mut tables = index.lock();
            let study = tables.studies.get(&description.study);
            match study.is_some_and(|study| study.record.is_settled()) {
                // The program ended between recording and clearing.
                true => stale.push(found.place),
                false => tables.add(found.place, &description),
            }
        }
        let committer = Committer::start(folder, next, needed).map_err(Error::file(folder))?;
        committer.clear(&stale).map_err(Error::file(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            department,
            limits,
            index,
            committer,
            streams: Arc::new(Semaphore::new(STREAMS)),
            parts: AtomicU64::new(0),
            records: Mutex::new(()),
            _lock: lock,
        })
    }

    /// Says whether further objects are taken.
    pub(crate) fn has_room(&self) -> bool {
        let free = rustix::fs::statvfs(&self.folder);
        let free = free.map_or(u64::MAX, |free| free.f_bavail.saturating_mul(free.f_frsize));
        self.used() < self.limits.spool_bytes && free > self.limits.free_bytes
    }

    /// Bytes of the objects in it.
    pub(crate) fn used(&self) -> u64 {
        self.index.lock().used
    }

    /// The numbers of the studies that are such.
    pub(crate) fn numbers_of(&self, is_such: impl Fn(&Study) -> bool) -> Vec<u64> {
        let tables = self.index.lock();
        let found = tables.studies.iter().filter(|(_, study)| is_such(study));
        found.map(|(number, _)| *number).collect()
    }

    /// A study as it is now.
    pub(crate) fn study(&self, number: u64) -> Option<Study> {
        self.index.lock().studies.get(&number).cloned()
    }

    /// Says whether an instance is on the disk to stay, or was sealed; and the study that it waits in.
    pub(crate) fn holds(&self, instance: &str) -> Option<Option<u64>> {
        match self.index.lock().known.get(instance)? {
            Known::Kept { study, .. } => Some(Some(*study)),
            Known::Sealed { .. } => Some(None),
            Known::Coming { .. } => None,
        }
    }

    /// Opens an object into a file that is in memory alone, at its start.
    pub(crate) fn open_object(&self, object: &Object) -> io::Result<File> {
        self.department.open(&self.folder, object.place)
    }

    /// Changes a study's record, on disk first.
    pub(crate) async fn change(
        &self,
        number: u64,
        change: impl FnOnce(&mut StudyRecord),
    ) -> Result<()> {
        let _held = self.records.lock().await;
        let study = self.study(number).ok_or(Error::NoSuchStudy { number })?;
        let mut record = study.record;
        change(&mut record);
        self.write(number, &record)?;
        let settled = record.is_settled();
        let mut tables = self.index.lock();
        match settled {
            true => {
                let places = tables.settle(number, record);
                drop(tables);
                self.committer
                    .clear(&places)
                    .map_err(Error::file(&self.folder))?;
            }
            false => {
                let waits = record.state == State::Waiting;
                if let Some(study) = tables.studies.get_mut(&number) {
                    study.record = record;
                }
                if waits {
                    tables.reopen(number);
                }
            }
        }
        Ok(())
    }

    /// Closes a study that waits, so that objects which come later make a new one; it is to be changed then, or
    /// [opened again](Self::reopen).
    ///
    /// # Errors
    /// [`Error::NoSuchStudy`], [`Error::NotNow`].
    pub(crate) fn close(&self, number: u64) -> Result<Study> {
        let mut tables = self.index.lock();
        let study = tables.studies.get(&number);
        let study = study.ok_or(Error::NoSuchStudy { number })?.clone();
        let state = match (&study.record.state, study.coming, study.objects.len()) {
            (State::Sealed { .. }, ..) => Some("was sealed before"),
            (State::Rejected { .. }, ..) => Some("was rejected"),
            (State::Sealing { .. }, ..) => Some("is being sealed"),
            (_, 1.., _) => Some("is still arriving"),
            (_, _, 0) => Some("has no objects"),
            _ => None,
        };
        match state {
            Some(state) => Err(Error::NotNow { number, state }),
            None => {
                tables.close(number);
                Ok(study)
            }
        }
    }

    /// Has a study take further objects again.
    pub(crate) fn reopen(&self, number: u64) {
        self.index.lock().reopen(number);
    }

    fn write(&self, number: u64, record: &StudyRecord) -> Result<()> {
        let path = record_path(&self.folder.join("studies"), number);
        let encrypted = self.department.encrypt(record)?;
        private::replace(&path, &encrypted).map_err(Error::file(path))
    }

    async fn mark_conflict(&self, number: u64, instance: &str) -> Result<()> {
        self.change(number, |record| {
            let instance = instance.to_owned();
            if !record.conflicts.contains(&instance) {
                record.conflicts.push(instance);
            }
        })
        .await
    }

    fn part_path(&self) -> PathBuf {
        let number = self.parts.fetch_add(1, Ordering::Relaxed);
        segment::path(&self.folder, number, "part")
    }
}

fn record_path(studies: &Path, number: u64) -> PathBuf {
    studies.join(format!("{number}.pgp"))
}

/// Reads the studies' records; those of studies that ended longer ago than they are remembered are deleted.
fn read_records(
    studies: &Path,
    department: &Department,
    remember: Duration,
    index: &Index,
) -> Result<()> {
    for entry in fs::read_dir(studies).map_err(Error::file(studies))? {
        let path = entry.map_err(Error::file(studies))?.path();
        let Some((number, "pgp")) = segment::named(&path) else {
            continue;
        };
        let bytes = private::read_limited(&path, RECORD_MAX).map_err(Error::file(&path))?;
        let record: StudyRecord = department.decrypt(&bytes)?;
        let ended = match &record.state {
            State::Sealed { at, .. } | State::Rejected { at, .. } => Some(*at),
            _ => None,
        };
        let forgotten = ended.is_some_and(|at| now().saturating_sub(at) > remember.as_secs());
        match forgotten {
            true => fs::remove_file(&path).map_err(Error::file(&path))?,
            false => index.lock().add_record(number, record),
        }
    }
    Ok(())
}

/// Reads every segment; makes whole what was being written, and deletes what did not arrive. Returns the number of the next
/// segment, the records, and the segments that are to stay because part of them cannot be read.
fn read_segments(folder: &Path) -> Result<(u64, Vec<Found>, HashMap<u64, u64>)> {
    let (mut next, mut all, mut damaged) = (1, Vec::new(), HashMap::new());
    let entries = fs::read_dir(folder).map_err(Error::file(folder))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry.map_err(Error::file(folder))?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        let at = || Error::file(path.clone());
        let Some((number, ending @ ("open" | "seg" | "part"))) = segment::named(&path) else {
            continue;
        };
        if ending == "part" {
            fs::remove_file(&path).map_err(at())?;
            continue;
        }
        next = next.max(number + 1);
        let is_open = ending == "open";
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(is_open)
            .open(&path)
            .map_err(at())?;
        let length = file.metadata().map_err(at())?.len();
        let (found, end) = segment::scan(&mut file, number, is_open).map_err(at())?;
        if !is_open && end < length {
            // It was whole once: what is behind the fault may still be saved by hand.
            tracing::warn!(
                segment = number,
                at = end,
                "a segment of the spool is damaged"
            );
            damaged.insert(number, 1);
        } else if found.is_empty() {
            fs::remove_file(&path).map_err(at())?;
        } else if is_open {
            let target = segment::path(folder, number, "seg");
            file.set_len(end)
                .and_then(|()| file.sync_all())
                .and_then(|()| fs::rename(&path, &target))
                .and_then(|()| private::sync_parent(&target))
                .map_err(at())?;
        }
        all.extend(found);
    }
    Ok((next, all, damaged))
}

#[cfg(test)]
mod tests;
