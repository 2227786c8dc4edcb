//! The actors of the benchmark: a node that keeps images, another one that fetches, and the keys in between.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use pcim_client::flow::landing::{Landing, Target};
use pcim_client::flow::payload::Payload;
use pcim_client::flow::pipeline::{self, Meter};
use pcim_client::{Error, Opened, Origin, Result};
use pcim_core::private;
use pcim_core::{Address, ImageDigest};
use pcim_dicom::deid;
use pcim_dicom::sample::write_instance;
use pcim_node::{BodyRef, DEFAULT_CHUNK, Node, NodeConfig};
use pcim_seal::{BodyVersion, KeyKind, UnlockedKey};

/// How long a peer may keep silent.
const STALL: Duration = Duration::from_secs(60);
/// How long a whole image may take.
const TOTAL: Duration = Duration::from_secs(3600);

/// Everything that is needed, made and deleted with it.
pub(super) struct Setting {
    dir: TempDir,
    keeper: Node,
    radiologist: Arc<UnlockedKey>,
    patient: Arc<UnlockedKey>,
    /// How many names were given to files and repositories. Each is new and stays until the end: what is deleted just before
    /// a measurement slows it, since file systems avoid its place for a while.
    names: AtomicUsize,
}

/// An image on the keeper's disk.
pub(super) struct Image {
    digest: ImageDigest,
    body: BodyRef,
    origin: Origin,
    /// How long it took from the first file's first byte until it was durable.
    pub(super) time: Duration,
}

impl Image {
    /// Bytes of the sealed body.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.body.file_size
    }
}

impl Setting {
    pub(super) async fn set(dir: &Path) -> Result<Self> {
        let made = tempfile::Builder::new()
            .prefix("pcim-bench-")
            .tempdir_in(dir);
        let made = made.map_err(at(dir))?;
        Ok(Self {
            keeper: node(&made.path().join("keeper")).await?,
            radiologist: Arc::new(key()?),
            patient: Arc::new(key()?),
            names: AtomicUsize::new(0),
            dir: made,
        })
    }

    /// Where everything is made.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) async fn leave(self) {
        self.keeper.shutdown().await;
    }

    /// The file of an instance, written and synced so that its own writing is over.
    pub(super) fn instance(&self, number: u64, bytes: u64) -> Result<PathBuf> {
        let path = self.dir.path().join(format!("{number}.dcm"));
        write_instance(&path, number, bytes)
            .and_then(|()| File::open(&path)?.sync_all())
            .map_err(at(&path))?;
        Ok(path)
    }

    /// De-identifies, signs, encrypts to the patient and stores.
    pub(super) async fn seal(&self, files: &[PathBuf]) -> Result<Image> {
        let reader = self.patient.certificate();
        let started = Instant::now();
        let payload = Payload::new(
            files.to_vec(),
            Some(deid::Options {
                key: [7; 32],
                profile: deid::Profile::default(),
            }),
        )?;
        let (node, version) = (&self.keeper, BodyVersion::V2);
        let (body, sealed, _) =
            pipeline::seal(node, payload, &self.radiologist, version, Meter::silent()).await?;
        let header = pcim_seal::header_for(&sealed.session_key, version, &reader)?;
        let digest = node.put_root(header, &body).await?.image;
        // Nobody attests it here.
        let origin = Origin {
            image: digest,
            patient: Address::ZERO,
            radiologist: Address::ZERO,
            seal: sealed.seal,
        };
        Ok(Image {
            digest,
            body,
            origin,
            time: started.elapsed(),
        })
    }

    /// Opens an image from the keeper's own disk into a file.
    pub(super) async fn open(&self, image: &Image) -> Result<Duration> {
        let started = Instant::now();
        self.open_from(&self.keeper, image).await?;
        Ok(started.elapsed())
    }

    /// Fetches images onto a new node over loopback and opens them into files, one after the other.
    pub(super) async fn fetch(&self, images: &[&Image]) -> Result<Duration> {
        let fetcher = self.fetcher().await?;
        let started = Instant::now();
        for image in images {
            self.open_from(&fetcher, image).await?;
        }
        let time = started.elapsed();
        fetcher.shutdown().await;
        Ok(time)
    }

    /// Fetches an image's first instance onto a new node over loopback, and verifies it by the image's index.
    pub(super) async fn first_instance(&self, image: &Image) -> Result<Duration> {
        let fetcher = self.fetcher().await?;
        let started = Instant::now();
        let root = fetcher.get_root(&image.digest, STALL).await?;
        let limits = (STALL, TOTAL);
        let opened = Opened::open(&fetcher, &root, &self.patient, image.origin, limits).await?;
        let instance = opened.instance(1).await?;
        let time = started.elapsed();
        assert!(!instance.is_empty(), "an instance has bytes");
        fetcher.shutdown().await;
        Ok(time)
    }

    /// A new node that is connected to the keeper over loopback.
    async fn fetcher(&self) -> Result<Node> {
        let repo = self.dir.path().join(format!("fetcher-{}", self.number()));
        let fetcher = node(&repo).await?;
        for address in self.keeper.addresses().await? {
            fetcher.connect(&address).await?;
        }
        Ok(fetcher)
    }

    /// Makes a header for another reader: time, and bytes of new blocks.
    pub(super) async fn approve(&self, image: &Image) -> Result<(Duration, u64)> {
        let reader = key()?.certificate();
        let started = Instant::now();
        let stored =
            pipeline::share(&self.keeper, &image.digest, &self.patient, &reader, STALL).await?;
        Ok((started.elapsed(), stored.new_bytes))
    }

    fn number(&self) -> usize {
        self.names.fetch_add(1, Ordering::Relaxed)
    }

    /// Syncs what was stored, fetched and opened, and gives its memory back: what comes next uses the same pages, and no disk
    /// that is still busy. New pages can take longer than the work, where a virtual machine's host has to find them.
    pub(super) fn rest(&self) -> Result<()> {
        let root = self.dir.path();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(at(&folder))? {
                let path = entry.map_err(at(&folder))?.path();
                let instance = folder == root && path.extension().is_some_and(|it| it == "dcm");
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() && !instance {
                    let file = File::open(&path).map_err(at(&path))?;
                    sync_and_forget(&file).map_err(at(&path))?;
                }
            }
        }
        Ok(())
    }

    /// Deletes what was opened and fetched, to have the disk back.
    pub(super) fn clear(&self) -> Result<()> {
        let dir = self.dir.path();
        for entry in std::fs::read_dir(dir).map_err(at(dir))? {
            let path = entry.map_err(at(dir))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let deleted = if !name.starts_with("fetcher-") && !name.starts_with("opened-") {
                continue;
            } else if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            deleted.map_err(at(&path))?;
        }
        Ok(())
    }

    /// Deletes an image.
    pub(super) async fn forget(&self, image: &Image) -> Result<()> {
        self.keeper.drop_header(&image.digest).await?;
        Ok(self.keeper.drop_body(&image.body).await?)
    }

    async fn open_from(&self, node: &Node, image: &Image) -> Result<()> {
        let target = self.dir.path().join(format!("opened-{}", self.number()));
        let root = node.get_root(&image.digest, STALL).await?;
        let (key, _) = pcim_seal::unwrap_header(&root.header, &self.patient)?;
        let made = private::temp_dir_beside(&target).map_err(at(&target))?;
        let target = Target {
            path: target,
            overwrite: false,
        };
        let landing = Landing::new(made, target);
        let limits = (STALL, TOTAL);
        let (_, landing) =
            pipeline::open(node, &root.body, key, landing, limits, Meter::silent()).await?;
        let placed = spawn_blocking(|| landing.land()?.place());
        placed.await?.map(drop)
    }
}

/// Waits until a file is on the disk, and gives back the memory that holds its bytes, where the system can.
fn sync_and_forget(file: &File) -> io::Result<()> {
    file.sync_all()?;
    // Advice, which need not be taken.
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    Ok(())
}

async fn node(repo: &Path) -> Result<Node> {
    let config = NodeConfig {
        repo: repo.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        chunk_size: DEFAULT_CHUNK,
    };
    Ok(Node::start(config).await?)
}

fn key() -> Result<UnlockedKey> {
    Ok(UnlockedKey::generate(KeyKind::Hybrid, None)?)
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::File {
        path: path.to_owned(),
        source,
    }
}
