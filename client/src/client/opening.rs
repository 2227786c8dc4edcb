//! Opening a sealed root: fetch, decrypt, verify, and only then give the result its name.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::study::{self, Contents};
use super::{Client, Error, Result, pipeline};
use crate::domain::{Address, Event, ImageDigest, Seal};
use crate::ledger::EventFilter;
use crate::node::Root;
use crate::private::WriteBehind;
use crate::seal::Opened;
use crate::{private, seal};

/// Where an opened payload goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file, or the folder of a study. A study is kept as a tar if the name ends in `.tar`.
    pub path: PathBuf,
    /// Whether a file that is there may be replaced. A folder never is.
    pub overwrite: bool,
}

/// Bytes by which it is told what a payload is.
const START: u64 = 512;

/// An opened and verified payload.
#[derive(Clone, Debug, Serialize)]
pub struct OpenedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub contents: Contents,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// Who registered the image.
    pub patient: Address,
    /// Who attested it.
    pub radiologist: Address,
    /// The fingerprint of the certificate that signed it.
    pub signer: String,
}

/// What the chain says of an image's origin.
pub(super) struct Attested {
    pub(super) radiologist: Address,
    pub(super) seal: Seal,
}

impl Client {
    /// The attestation an image was registered with, from the contract's own event.
    pub(super) async fn attested(&self, image: &ImageDigest) -> Result<Attested> {
        let filter = EventFilter {
            image: Some(*image),
            ..EventFilter::default()
        };
        let events = self.ledger().await?.events(&filter).await?;
        events
            .into_iter()
            .find_map(|logged| match logged.event {
                Event::ContractCreated {
                    radiologist, seal, ..
                } => Some(Attested { radiologist, seal }),
                _ => None,
            })
            .ok_or(Error::UnknownImage { image: *image })
    }

    /// Opens the sealed root `root` of the registered `image` into a file. The file appears only if what
    /// was opened is what the radiologist attested, and whole.
    pub(super) async fn open_into(
        &self,
        image: &ImageDigest,
        root: &ImageDigest,
        patient: Address,
        target: &Target,
    ) -> Result<OpenedFile> {
        let attested = self.attested(image).await?;
        self.open_attested(root, patient, &attested, target).await
    }

    /// Opens a sealed root that was attested.
    pub(super) async fn open_attested(
        &self,
        root: &ImageDigest,
        patient: Address,
        attested: &Attested,
        target: &Target,
    ) -> Result<OpenedFile> {
        let at = |source| file_error(&target.path, source);
        if target.path.is_dir() || !target.overwrite && target.path.exists() {
            return Err(Error::FileExists {
                path: target.path.clone(),
            });
        }
        let root = self.node().await?.get_root(root, self.limits.fetch).await?;
        let file = private::temp_file_beside(&target.path).map_err(at)?;
        let (opened, file) = self.open_root(root, WriteBehind::new(file)).await?;
        check_seal(attested.seal, &opened)?;
        let file = file.into_file().map_err(at)?;
        let contents = place(file, target.clone()).await?;
        Ok(OpenedFile {
            path: target.path.clone(),
            contents,
            bytes: opened.payload_len,
            sha256: hex::encode(opened.payload_sha256),
            patient,
            radiologist: attested.radiologist,
            signer: opened.signer.fingerprint(),
        })
    }

    /// Opens the sealed root `root` of the registered `image` in memory. What was opened is given back only if it is what
    /// the radiologist attested, and whole.
    pub(super) async fn open_in_memory(
        &self,
        image: &ImageDigest,
        root: &ImageDigest,
        max: u64,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let attested = self.attested(image).await?;
        let root = self.node().await?.get_root(root, self.limits.fetch).await?;
        let found = root.body.file_size;
        // The payload is shorter than the body that it is sealed in.
        if found > max {
            return Err(Error::BodyTooLarge { found, max });
        }
        let sink = Memory(Zeroizing::new(Vec::with_capacity(found as usize)));
        let (opened, Memory(bytes)) = self.open_root(root, sink).await?;
        check_seal(attested.seal, &opened)?;
        Ok(bytes)
    }

    /// Decrypts a root's body into `sink` and verifies its signature. Whose signature it is, is for the
    /// caller to judge; on an error `sink` is dropped with what was written.
    pub(super) async fn open_root<W: Write + Send + 'static>(
        &self,
        root: Root,
        sink: W,
    ) -> Result<(Opened, W)> {
        if root.body.file_size > self.limits.body_bytes {
            return Err(Error::BodyTooLarge {
                found: root.body.file_size,
                max: self.limits.body_bytes,
            });
        }
        let (key, _) = seal::unwrap_header(&root.header, &self.keys()?.openpgp)?;
        let limits = (self.limits.fetch, self.limits.total);
        let meter = self.progress("fetched", Some(root.body.file_size));
        let node = self.node().await?;
        pipeline::open(node, &root.body, key, sink, limits, meter).await
    }
}

/// Gives what was opened its name: a file as it is, a study as a folder, once that agrees with its manifest.
async fn place(file: NamedTempFile, target: Target) -> Result<Contents> {
    tokio::task::spawn_blocking(move || {
        let at = |source| file_error(&target.path, source);
        let mut start = Vec::new();
        let mut reader = file.reopen().map_err(at)?;
        (&mut reader)
            .take(START)
            .read_to_end(&mut start)
            .map_err(at)?;
        let contents = study::contents_of(&start);
        let keeps_tar = target
            .path
            .extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("tar"));
        if contents != Contents::Tar || keeps_tar {
            private::persist(file, &target.path, target.overwrite).map_err(at)?;
            return Ok(contents);
        }
        if target.path.exists() {
            let path = target.path;
            return Err(Error::FileExists { path });
        }
        reader.rewind().map_err(at)?;
        study::unpack_to(reader, &target.path)
    })
    .await?
}

/// A payload in memory, which never grows beyond what was set aside: no copy of it is left behind.
struct Memory(Zeroizing<Vec<u8>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.0.capacity() - self.0.len() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The signature inside must be the attested one.
pub(super) fn check_seal(wanted: Seal, opened: &Opened) -> Result<()> {
    if opened.seal != wanted {
        return Err(Error::SealMismatch {
            wanted,
            found: opened.seal,
        });
    }
    Ok(())
}

pub(super) fn file_error(path: &Path, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::AlreadyExists {
        return Error::FileExists {
            path: path.to_owned(),
        };
    }
    Error::File {
        path: path.to_owned(),
        source,
    }
}
