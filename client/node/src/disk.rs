//! Blocks as files, in the layout that rust-ipfs serves from: `blockstore/<shard>/<cid>.data`.
//!
//! rust-ipfs writes one block at a time and syncs each file and its folder. Here a [`DiskBatch`] writes several at once: a
//! block gets its name only when its bytes are on the disk, and [`DiskBatch::commit`] returns only when the names are too.
//! A process that is killed half-way leaves whole blocks and unfinished files; [`Disk::open`] sweeps the latter away.
//! A block is verified whenever it is read, and one that is written again takes the place of a damaged one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use tokio::task::{JoinSet, spawn_blocking};

use super::storage;
use super::unixfs::cid_of;
use super::{Error, Result};
use pcim_core::buffers::Buffers;

/// Files that are written, and folders that are synced, at the same time: the disk joins their syncs.
const AT_ONCE: usize = 16;
/// Blocks of at least this many bytes are read into buffers that go round.
const LARGE: usize = 256 << 10;
/// Extensions of files that were not finished, rust-ipfs' own included.
const UNFINISHED: [&str; 2] = ["tmp", "recursive_temp"];

/// The blocks on this node's disk.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    repo: PathBuf,
    buffers: Buffers,
}

/// Blocks being written together.
pub(super) struct DiskBatch {
    disk: Disk,
    writing: JoinSet<io::Result<Put>>,
    folders: BTreeSet<PathBuf>,
    new: Vec<Cid>,
}

/// A block that is on the disk.
struct Put {
    cid: Cid,
    /// True if nothing stood in its place before.
    new: bool,
    folder: PathBuf,
}

impl Disk {
    /// Takes a repository whose lock is held, and deletes what an interrupted process did not finish.
    pub(super) fn open(repo: &Path) -> io::Result<Self> {
        let disk = Self {
            repo: repo.to_owned(),
            buffers: Buffers::default(),
        };
        for folder in [disk.root(), repo.join("datastore").join("pins")] {
            for file in files(&folder)? {
                let extension = file.extension().and_then(|name| name.to_str());
                if extension.is_some_and(|name| UNFINISHED.contains(&name)) {
                    fs::remove_file(file)?;
                }
            }
        }
        // The names of the folders that later writes sync what is in.
        for folder in [repo.join("datastore"), repo.to_owned()] {
            match File::open(folder) {
                Ok(folder) => folder.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(disk)
    }

    /// Reads a block of at most `max` bytes and verifies it; `None` if it is not there.
    pub(super) async fn read(&self, cid: &Cid, max: usize) -> Result<Option<Bytes>> {
        let (path, cid, buffers) = (self.path(cid), *cid, self.buffers.clone());
        blocking("reading a block", move || read(&path, &cid, max, &buffers)).await
    }

    pub(super) fn contains(&self, cid: &Cid) -> bool {
        self.path(cid).is_file()
    }

    /// Deletes a block; one that is not there is no error.
    pub(super) async fn remove(&self, cid: &Cid) -> Result<()> {
        let path = self.path(cid);
        let remove = move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        let doing = "deleting a block";
        blocking(doing, move || remove().map_err(Error::io(doing))).await
    }

    /// Every block, its bytes, and when it was written.
    pub(super) async fn list(&self) -> Result<Vec<(Cid, u64, SystemTime)>> {
        let root = self.root();
        let list = move || {
            let mut blocks = Vec::new();
            for path in files(&root)? {
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.and_then(|name| name.strip_suffix(".data"));
                if let Some(cid) = name.and_then(|name| Cid::try_from(name).ok()) {
                    match path.metadata() {
                        Ok(data) => blocks.push((cid, data.len(), data.modified()?)),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Ok(blocks)
        };
        let doing = "listing the blocks";
        blocking(doing, move || list().map_err(Error::io(doing))).await
    }

    pub(super) fn batch(&self) -> DiskBatch {
        DiskBatch {
            disk: self.clone(),
            writing: JoinSet::new(),
            folders: BTreeSet::new(),
            new: Vec::new(),
        }
    }

    /// Makes blocks last that were stored as they came from peers. All of them are here.
    pub(super) async fn sync(&self, cids: &[Cid]) -> Result<()> {
        let files: Vec<_> = cids.iter().map(|cid| self.path(cid)).collect();
        let folders: BTreeSet<_> = files.iter().filter_map(|file| parent(file)).collect();
        sync_all(files).await?;
        sync_all(folders).await?;
        sync_all([self.root()]).await
    }

    /// Makes the names of pins last: rust-ipfs syncs what is in them only.
    pub(super) async fn sync_pins(&self, cids: &[Cid]) -> Result<()> {
        let pins = self.repo.join("datastore").join("pins");
        let shards: BTreeSet<_> = cids.iter().map(|cid| pins.join(shard(cid))).collect();
        sync_all(shards).await?;
        sync_all([pins]).await
    }

    pub(super) fn path(&self, cid: &Cid) -> PathBuf {
        self.root().join(shard(cid)).join(format!("{cid}.data"))
    }

    fn root(&self) -> PathBuf {
        self.repo.join("blockstore")
    }
}

impl DiskBatch {
    /// Takes a block, once there is room for it; the CID is its own.
    ///
    /// # Errors
    /// Those of this block or of an earlier one.
    pub(super) async fn put(&mut self, cid: Cid, bytes: Bytes) -> Result<()> {
        while self.writing.len() >= AT_ONCE {
            self.reap().await?;
        }
        let (path, buffers) = (self.disk.path(&cid), self.disk.buffers.clone());
        let put = move || put(path, cid, &bytes, &buffers);
        self.writing.spawn_blocking(put);
        Ok(())
    }

    /// Waits until every block and its name are on the disk; tells which were not there before.
    pub(super) async fn commit(&mut self) -> Result<Vec<Cid>> {
        while !self.writing.is_empty() {
            self.reap().await?;
        }
        sync_all(std::mem::take(&mut self.folders)).await?;
        sync_all([self.disk.root()]).await?;
        Ok(std::mem::take(&mut self.new))
    }

    /// Gives up; tells which blocks were not there before and are now.
    pub(super) async fn give_up(&mut self) -> Vec<Cid> {
        while !self.writing.is_empty() {
            // The error that led here is the one to tell.
            let _ = self.reap().await;
        }
        std::mem::take(&mut self.new)
    }

    async fn reap(&mut self) -> Result<()> {
        let Some(done) = self.writing.join_next().await else {
            return Ok(());
        };
        let put = done
            .unwrap_or_else(|dead| Err(io::Error::other(dead)))
            .map_err(Error::io("writing blocks"))?;
        self.folders.insert(put.folder);
        if put.new {
            self.new.push(put.cid);
        }
        Ok(())
    }
}

#[async_trait]
impl storage::Batch for DiskBatch {
    async fn put(&mut self, cid: Cid, bytes: Bytes) -> Result<()> {
        DiskBatch::put(self, cid, bytes).await
    }

    async fn commit(&mut self) -> Result<Vec<Cid>> {
        DiskBatch::commit(self).await
    }

    async fn give_up(&mut self) -> Vec<Cid> {
        DiskBatch::give_up(self).await
    }
}

/// Stores what came from a peer, whole or not at all, without waiting for the disk: it is made to last when it is pinned.
pub(super) fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    publish(path, bytes, false)
}

fn put(path: PathBuf, cid: Cid, bytes: &[u8], buffers: &Buffers) -> io::Result<Put> {
    let found = match read(&path, &cid, bytes.len(), buffers) {
        Ok(found) => found.is_some(),
        Err(Error::Io { source, .. }) => return Err(source),
        // Damaged: the good bytes take its place.
        Err(_) => {
            publish(&path, bytes, true)?;
            true
        }
    };
    if found {
        let file = File::open(&path)?;
        // As young as what is new: the writer is about to pin it.
        file.set_modified(SystemTime::now())?;
        file.sync_all()?;
    } else {
        publish(&path, bytes, true)?;
    }
    let folder = parent(&path).unwrap_or_default();
    let new = !found;
    Ok(Put { cid, new, folder })
}

/// Writes a file beside its place and gives it its name when it is whole.
fn publish(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let half = path.with_extension(format!("data.{}.{number}.tmp", std::process::id()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let written = File::create(&half).and_then(|mut file| {
        file.write_all(bytes)?;
        if durable { file.sync_data() } else { Ok(()) }
    });
    let named = written.and_then(|()| fs::rename(&half, path));
    if named.is_err() {
        // A file that cannot be deleted now is swept away at the next start.
        let _ = fs::remove_file(&half);
    }
    named
}

fn read(path: &Path, cid: &Cid, max: usize, buffers: &Buffers) -> Result<Option<Bytes>> {
    let failed = Error::io("reading a block");
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let length = usize::try_from(file.metadata().map_err(&failed)?.len()).unwrap_or(usize::MAX);
    if length > max {
        return Err(Error::TooLarge {
            cid: cid.to_string(),
            found: length,
            max,
        });
    }
    let bytes = if length < LARGE {
        let mut bytes = Vec::with_capacity(length + 1);
        file.read_to_end(&mut bytes).map_err(failed)?;
        bytes.into()
    } else {
        let mut buffer = buffers.take(length);
        file.read_exact(&mut buffer[..length]).map_err(failed)?;
        buffers.lend(buffer, length)
    };
    verified(cid, bytes).map(Some)
}

/// The bytes, if they hash to the CID.
pub(super) fn verified(cid: &Cid, bytes: Bytes) -> Result<Bytes> {
    let found = cid_of(cid.codec(), &bytes);
    if found.hash() != cid.hash() {
        return Err(Error::BlockMismatch {
            wanted: cid.to_string(),
            found: found.to_string(),
        });
    }
    Ok(bytes)
}

/// The folder that rust-ipfs keeps a block or a pin in: the two characters before the CID's last.
fn shard(cid: &Cid) -> String {
    let name = cid.to_string();
    name[name.len() - 3..name.len() - 1].to_owned()
}

/// The files in the folders of a folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        entries => entries?,
    };
    for shard in entries {
        let shard = shard?;
        if shard.file_type()?.is_dir() {
            for file in fs::read_dir(shard.path())? {
                files.push(file?.path());
            }
        }
    }
    Ok(files)
}

/// Syncs files or folders, several at once.
async fn sync_all(paths: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    let doing = "syncing the repository";
    let mut syncing = JoinSet::new();
    for path in paths {
        while syncing.len() >= AT_ONCE
            && let Some(done) = syncing.join_next().await
        {
            flatten(done).map_err(Error::io(doing))?;
        }
        syncing.spawn_blocking(move || File::open(path)?.sync_all());
    }
    while let Some(done) = syncing.join_next().await {
        flatten(done).map_err(Error::io(doing))?;
    }
    Ok(())
}

fn flatten(done: std::result::Result<io::Result<()>, tokio::task::JoinError>) -> io::Result<()> {
    done.unwrap_or_else(|dead| Err(io::Error::other(dead)))
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let dead = |dead| Error::io(doing)(io::Error::other(dead));
    spawn_blocking(work).await.map_err(dead)?
}

fn parent(path: &Path) -> Option<PathBuf> {
    path.parent().map(Path::to_owned)
}
