//! The one writer of segments: what waits while it syncs is written together, and synced once.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use pcim_core::private;
use tokio::sync::oneshot;

use super::segment::{self, HEAD, Lengths, Place};

/// Bytes after which a segment is whole.
const SEGMENT: u64 = 64 << 20;
/// Most bytes and records of a group.
const GROUP_BYTES: usize = 32 << 20;
const GROUP: usize = 1024;

/// A record to be made durable.
pub(super) enum Record {
    /// In memory, with its head.
    Bytes(Vec<u8>, Lengths),
    /// In a file of its own, whose head is still to be written.
    Large {
        file: File,
        path: PathBuf,
        lengths: Lengths,
        crc: u32,
    },
}

struct Job {
    record: Record,
    done: oneshot::Sender<io::Result<Place>>,
}

/// Records of each segment that are still needed.
type Needed = Arc<Mutex<HashMap<u64, u64>>>;

/// The writer's handle; the writer ends when it goes.
pub(super) struct Committer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    folder: PathBuf,
    needed: Needed,
}

impl Committer {
    /// Starts the writer, whose first segment has this number. `needed` counts the records that were found.
    pub(super) fn start(folder: &Path, next: u64, needed: HashMap<u64, u64>) -> io::Result<Self> {
        let (jobs, waiting) = channel();
        let needed = Arc::new(Mutex::new(needed));
        let writer = Writer {
            folder: folder.to_owned(),
            next,
            open: None,
            needed: Arc::clone(&needed),
        };
        let thread = std::thread::Builder::new().name("spool".to_owned());
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread.spawn(move || writer.run(&waiting))?),
            folder: folder.to_owned(),
            needed,
        })
    }

    /// Writes a record; returns its place once it is on the disk to stay.
    pub(super) async fn write(&self, record: Record) -> io::Result<Place> {
        let (done, written) = oneshot::channel();
        let job = Job { record, done };
        let stopped = || io::Error::other("the spool's writer has stopped");
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).map_err(|_| stopped())?;
        written.await.map_err(|_| stopped())?
    }

    /// Gives the room of records back; a segment that has no other goes.
    pub(super) fn clear(&self, places: &[Place]) -> io::Result<()> {
        for place in places {
            segment::clear(&self.folder, *place)?;
            let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
            let left = needed.get_mut(&place.segment).map_or(0, |left| {
                *left = left.saturating_sub(1);
                *left
            });
            if left == 0 {
                needed.remove(&place.segment);
                // The one that is written stays.
                let path = segment::path(&self.folder, place.segment, "seg");
                if path.exists() {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

struct Writer {
    folder: PathBuf,
    next: u64,
    /// The segment that is written: its number, its file, its length.
    open: Option<(u64, File, u64)>,
    needed: Needed,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<Job>) {
        while let Ok(first) = waiting.recv() {
            let (mut group, mut bytes) = (vec![first], 0);
            while bytes < GROUP_BYTES && group.len() < GROUP {
                let Ok(job) = waiting.try_recv() else { break };
                if let Record::Bytes(record, _) = &job.record {
                    bytes += record.len();
                }
                group.push(job);
            }
            self.write(group);
        }
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the spool's segment was not closed");
        }
    }

    fn write(&mut self, group: Vec<Job>) {
        let (mut small, mut ends) = (Vec::new(), Vec::new());
        for job in group {
            match job.record {
                Record::Bytes(bytes, lengths) => {
                    small.push(bytes);
                    ends.push((lengths, job.done));
                }
                Record::Large {
                    file,
                    path,
                    lengths,
                    crc,
                } => {
                    let placed = self.large(&file, &path, lengths, crc);
                    if placed.is_err() {
                        // What is left of it is deleted at the next start at the latest.
                        let _ = fs::remove_file(&path);
                    }
                    let _ = job.done.send(placed);
                }
            }
        }
        if ends.is_empty() {
            return;
        }
        let written = self.append(&small);
        let mut offset = *written.as_ref().map_or(&0, |(_, offset)| offset);
        for (lengths, done) in ends {
            let placed = match &written {
                Ok((segment, _)) => Ok(self.place(*segment, offset, lengths)),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            offset += lengths.total();
            let _ = done.send(placed);
        }
    }

    fn place(&self, segment: u64, offset: u64, lengths: Lengths) -> Place {
        let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        *needed.entry(segment).or_default() += 1;
        Place {
            segment,
            offset,
            lengths,
        }
    }

    /// Appends records; returns the segment and where the first of them begins.
    fn append(&mut self, records: &[Vec<u8>]) -> io::Result<(u64, u64)> {
        if self
            .open
            .as_ref()
            .is_some_and(|(_, _, length)| *length >= SEGMENT)
        {
            self.close()?;
        }
        let (segment, mut file, offset) = match self.open.take() {
            Some(open) => open,
            None => {
                let segment = self.next;
                let path = segment::path(&self.folder, segment, "open");
                let file = private::create_new(&path)?;
                private::sync_parent(&path)?;
                self.next += 1;
                (segment, file, 0)
            }
        };
        let mut length = offset;
        let mut write = || -> io::Result<()> {
            for record in records {
                file.write_all(record)?;
                length += record.len() as u64;
            }
            file.sync_data()
        };
        match write() {
            Ok(()) => {
                self.open = Some((segment, file, length));
                Ok((segment, offset))
            }
            Err(error) => {
                // What came before stays; nothing is written behind what failed.
                if file.set_len(offset).is_ok() {
                    self.open = Some((segment, file, offset));
                    self.close()?;
                }
                Err(error)
            }
        }
    }

    /// Makes the segment that is written whole.
    fn close(&mut self) -> io::Result<()> {
        let Some((segment, file, _)) = self.open.take() else {
            return Ok(());
        };
        file.sync_all()?;
        let path = segment::path(&self.folder, segment, "open");
        let needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        if !needed.contains_key(&segment) {
            return fs::remove_file(path);
        }
        let target = segment::path(&self.folder, segment, "seg");
        fs::rename(path, &target)?;
        private::sync_parent(&target)
    }

    fn large(&mut self, file: &File, path: &Path, lengths: Lengths, crc: u32) -> io::Result<Place> {
        use std::os::unix::fs::FileExt;
        file.write_all_at(&segment::head(lengths, crc), 0)?;
        file.sync_all()?;
        let segment = self.next;
        let target = segment::path(&self.folder, segment, "seg");
        fs::rename(path, &target)?;
        private::sync_parent(&target)?;
        self.next += 1;
        Ok(self.place(segment, 0, lengths))
    }
}

/// Puts a small record together.
pub(super) fn record(body: &[u8], header: &[u8], about: &[u8]) -> (Vec<u8>, Lengths) {
    let lengths = Lengths {
        body: body.len() as u64,
        header: header.len() as u32,
        about: about.len() as u32,
    };
    let mut record = Vec::with_capacity(lengths.total() as usize);
    record.extend([0; HEAD]);
    record.extend([body, header, about].concat());
    let crc = crc32fast::hash(&record[HEAD..]);
    record[..HEAD].copy_from_slice(&segment::head(lengths, crc));
    (record, lengths)
}
