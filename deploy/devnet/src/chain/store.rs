//! The chain on disk: an append-only log of records, flushed before anything is acknowledged.
//!
//! The file is `chain.log`: 16 bytes of magic and chain id, then frames. A frame is a header of
//! 16 bytes (payload length, a checksum of that length, a checksum of the payload) and the
//! payload, one [`LogRecord`] as JSON. Both checksums cover the frame's offset, so a frame counts
//! only where it was written. The remains of a crash, an unfinished last frame or a tail
//! of zeros, is cut off on opening; any other damage is refused, never repaired by guessing.
//! The file is locked while it is open.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, Bytes, keccak256};
use serde::{Deserialize, Serialize};

use super::{block::Receipt, clock::Clock, state::Changes};

/// The file's name inside the state directory.
pub(crate) const FILE: &str = "chain.log";
const MAGIC: [u8; 8] = *b"SDEVNET2";
const PREFIX: u64 = 16;
const HEADER: usize = 16;
/// The longest payload, bytes.
const MAX_PAYLOAD: usize = 64 << 20;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file that was touched.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Another process, or another devnet of this one, has it open.
    #[error("{0} is in use by another devnet")]
    Locked(PathBuf),
    /// The file is not a devnet's log, or of another format.
    #[error("{0} is not a chain log of this version")]
    NotALog(PathBuf),
    /// It belongs to another chain.
    #[error("{path} holds chain {found}, not chain {wanted}")]
    WrongChain {
        /// The log.
        path: PathBuf,
        /// The chain id that was asked for.
        wanted: u64,
        /// The chain id in the file.
        found: u64,
    },
    /// A record other than the last is damaged.
    #[error("{path} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
        /// The damage.
        what: String,
    },
    /// A record is beyond the format's limit.
    #[error("a record of {0} bytes is over the log's limit of {MAX_PAYLOAD}")]
    TooLong(usize),
    /// An earlier write failed half-way and could not be undone.
    #[error("{0} cannot be written since an earlier write failed; restart the devnet")]
    Broken(PathBuf),
}

/// One step of the chain.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LogRecord {
    /// A block, the first being genesis, with the state it wrote.
    Block {
        /** RLP */
        header: Bytes,
        txs: Vec<StoredTx>,
        changes: Changes,
        /// The clock after it.
        clock: Clock,
    },
    /// A direct edit of the state between blocks.
    Edit(Changes),
    /// A transaction held for a later block.
    Queued { raw: Bytes, from: Address },
    /// A held transaction that is held no longer.
    Dropped { from: Address, nonce: u64 },
    /// A direct setting of the clock.
    Clock(Clock),
    /// The blocks after this one are undone.
    RolledBack { to: u64 },
}
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredTx {
    pub(crate) raw: Bytes,
    pub(crate) from: Address,
    pub(crate) receipt: Receipt,
}

/// The open log.
#[derive(Debug)]
pub(crate) struct BlockLog {
    file: File,
    path: PathBuf,
    end: u64,
    broken: bool,
}
impl BlockLog {
    /// Opens or creates the log in `dir` and hands every record in it to `replay`.
    pub(crate) fn open(
        dir: &Path,
        chain_id: u64,
        mut replay: impl FnMut(LogRecord) -> Result<(), String>,
    ) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(io_error(dir))?;
        let path = dir.join(FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error(&path))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::Locked(path.clone()),
            TryLockError::Error(source) => io_error(&path)(source),
        })?;
        let mut log = Self {
            file,
            path,
            end: PREFIX,
            broken: false,
        };
        let length = log.file.metadata().map_err(io_error(&log.path))?.len();
        if length < PREFIX {
            log.create(dir, chain_id)?;
            return Ok(log);
        }
        log.check_prefix(chain_id)?;
        let mut reader = BufReader::new(log.file.try_clone().map_err(io_error(&log.path))?);
        reader
            .seek(SeekFrom::Start(PREFIX))
            .map_err(io_error(&log.path))?;
        while let Some(payload) = log.next_payload(&mut reader, length)? {
            serde_json::from_slice(&payload)
                .map_err(|error| error.to_string())
                .and_then(&mut replay)
                .map_err(|what| log.damaged(what))?;
            log.end += (HEADER + payload.len()) as u64;
        }
        if log.end < length {
            tracing::warn!(from = log.end, to = length, "dropping an unfinished record");
            log.truncate(log.end)?;
        }
        Ok(log)
    }

    /// Where the next record goes.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Writes a record and waits until it is on disk. On an error the log is as before.
    pub(crate) fn append(&mut self, record: &LogRecord) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::Broken(self.path.clone()));
        }
        let payload =
            serde_json::to_vec(record).map_err(|error| io_error(&self.path)(error.into()))?;
        if payload.len() > MAX_PAYLOAD {
            return Err(StoreError::TooLong(payload.len()));
        }
        let mut frame = header(self.end, &payload).to_vec();
        frame.extend_from_slice(&payload);
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&frame))
            .and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // If this fails too, it marks the log broken.
            let _ = self.truncate(self.end);
            return Err(io_error(&self.path)(source));
        }
        self.end += frame.len() as u64;
        Ok(())
    }

    /// Drops every record from `end` on.
    pub(crate) fn truncate(&mut self, end: u64) -> Result<(), StoreError> {
        let cut = self.file.set_len(end).and_then(|()| self.file.sync_data());
        self.broken |= cut.is_err();
        cut.map_err(io_error(&self.path))?;
        self.end = end;
        Ok(())
    }

    /// Cuts off all records.
    pub(crate) fn clear(&mut self) -> Result<(), StoreError> {
        self.truncate(PREFIX)
    }

    fn create(&mut self, dir: &Path, chain_id: u64) -> Result<(), StoreError> {
        let mut prefix = MAGIC.to_vec();
        prefix.extend_from_slice(&chain_id.to_be_bytes());
        self.file
            .set_len(0)
            .and_then(|()| self.file.write_all(&prefix))
            .and_then(|()| self.file.sync_all())
            .map_err(io_error(&self.path))?;
        // The file's name must outlive a crash too; not every system lets a directory be flushed.
        if let Ok(dir) = File::open(dir) {
            let _ = dir.sync_all();
        }
        Ok(())
    }

    fn check_prefix(&mut self, chain_id: u64) -> Result<(), StoreError> {
        let (mut magic, mut found) = ([0; 8], [0; 8]);
        self.file
            .read_exact(&mut magic)
            .and_then(|()| self.file.read_exact(&mut found))
            .map_err(io_error(&self.path))?;
        if magic != MAGIC {
            return Err(StoreError::NotALog(self.path.clone()));
        }
        let found = u64::from_be_bytes(found);
        if found != chain_id {
            return Err(StoreError::WrongChain {
                path: self.path.clone(),
                wanted: chain_id,
                found,
            });
        }
        Ok(())
    }

    /// The payload of the frame at `self.end`; `None` where the log ends or a crash cut it.
    fn next_payload(
        &self,
        reader: &mut impl Read,
        length: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let left = length - self.end;
        if left < HEADER as u64 {
            return Ok(None);
        }
        let mut head = [0; HEADER];
        reader.read_exact(&mut head).map_err(io_error(&self.path))?;
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        if head[4..8] != length_sum(self.end, size) || size as usize > MAX_PAYLOAD {
            if head == [0; HEADER] && only_zeros(reader).map_err(io_error(&self.path))? {
                return Ok(None);
            }
            return Err(self.damaged("bad frame header".into()));
        }
        let left = left - HEADER as u64;
        if left < u64::from(size) {
            return Ok(None);
        }
        let mut payload = vec![0; size as usize];
        reader
            .read_exact(&mut payload)
            .map_err(io_error(&self.path))?;
        if head != header(self.end, &payload) {
            // The last frame may have reached the disk in part only.
            return match left == u64::from(size) {
                true => Ok(None),
                false => Err(self.damaged("bad checksum".into())),
            };
        }
        Ok(Some(payload))
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            offset: self.end,
            what,
        }
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

fn header(offset: u64, payload: &[u8]) -> [u8; HEADER] {
    let size = payload.len() as u32;
    let mut sum = alloy_primitives::Keccak256::new();
    sum.update(offset.to_be_bytes());
    sum.update(payload);
    let mut head = [0; HEADER];
    head[..4].copy_from_slice(&size.to_be_bytes());
    head[4..8].copy_from_slice(&length_sum(offset, size));
    head[8..].copy_from_slice(&sum.finalize()[..8]);
    head
}
fn length_sum(offset: u64, size: u32) -> [u8; 4] {
    let sum = keccak256([&offset.to_be_bytes()[..], &size.to_be_bytes()].concat());
    [sum[0], sum[1], sum[2], sum[3]]
}
fn only_zeros(reader: &mut impl Read) -> io::Result<bool> {
    let mut chunk = [0; 4096];
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(true),
            n if chunk[..n].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn clock(offset: i64) -> LogRecord {
        LogRecord::Clock(Clock {
            offset,
            ..Clock::default()
        })
    }
    /// Opens the log and returns the clock offsets recorded in it.
    fn open(dir: &Path) -> Result<(BlockLog, Vec<i64>), StoreError> {
        let mut seen = Vec::new();
        let log = BlockLog::open(dir, 7, |record| match record {
            LogRecord::Clock(clock) => {
                seen.push(clock.offset);
                Ok(())
            }
            other => Err(format!("unexpected {other:?}")),
        })?;
        Ok((log, seen))
    }
    /// A log of three records in a fresh directory, and the ends of each.
    fn three(dir: &Path) -> Vec<u64> {
        let (mut log, _) = open(dir).unwrap();
        (1..=3)
            .map(|n| {
                log.append(&clock(n)).unwrap();
                log.end()
            })
            .collect()
    }

    #[test]
    fn records_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        three(dir.path());
        let (mut log, seen) = open(dir.path()).unwrap();
        assert_eq!(seen, [1, 2, 3]);
        log.append(&clock(4)).unwrap();
        drop(log);
        assert_eq!(open(dir.path()).unwrap().1, [1, 2, 3, 4]);
    }

    #[test]
    fn a_torn_tail_is_dropped_wherever_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let ends = three(dir.path());
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for cut in ends[1]..ends[2] {
            fs::write(&path, &whole[..cut as usize]).unwrap();
            let (mut log, seen) = open(dir.path()).unwrap();
            assert_eq!(seen, [1, 2], "cut at {cut}");
            log.append(&clock(9)).unwrap();
            drop(log);
            assert_eq!(open(dir.path()).unwrap().1, [1, 2, 9]);
        }
        // A tail that the file system filled with zeros, and a last payload that did not land.
        let mut zeros = whole.clone();
        zeros.extend_from_slice(&[0; 5_000]);
        fs::write(&path, &zeros).unwrap();
        assert_eq!(open(dir.path()).unwrap().1, [1, 2, 3]);
        let mut hollow = whole;
        *hollow.last_mut().unwrap() ^= 1;
        fs::write(&path, &hollow).unwrap();
        assert_eq!(open(dir.path()).unwrap().1, [1, 2]);
    }

    #[test]
    fn damage_before_the_end_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ends = three(dir.path());
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for at in PREFIX..ends[1] {
            let mut bytes = whole.clone();
            bytes[at as usize] ^= 0x55;
            fs::write(&path, &bytes).unwrap();
            assert!(
                matches!(open(dir.path()), Err(StoreError::Damaged { .. })),
                "byte {at}"
            );
        }
    }

    #[test]
    fn one_owner_and_one_chain() {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path()).unwrap();
        assert!(matches!(open(dir.path()), Err(StoreError::Locked(_))));
        drop(log);
        let error = BlockLog::open(dir.path(), 8, |_| Ok(())).unwrap_err();
        assert!(
            error.to_string().ends_with("holds chain 7, not chain 8"),
            "{error}"
        );
        fs::write(dir.path().join(FILE), [b'x'; 64]).unwrap();
        assert!(matches!(open(dir.path()), Err(StoreError::NotALog(_))));
    }

    #[test]
    fn a_dropped_end_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let ends = three(dir.path());
        let (mut log, _) = open(dir.path()).unwrap();
        log.truncate(ends[0]).unwrap();
        log.append(&clock(8)).unwrap();
        drop(log);
        assert_eq!(open(dir.path()).unwrap().1, [1, 8]);
    }
}
