//! Opening a sealed root: fetch, decrypt, verify, and only then give the result its name.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::settle::{Passing, note};
use super::{Client, Error, Result, pipeline};
use crate::domain::{Address, Event, ImageDigest, Seal};
use crate::journal::{Outcome, Piece};
use crate::ledger::EventFilter;
use crate::node::Root;
use crate::seal::Opened;
use crate::{private, seal};

/// Where an opened payload goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file.
    pub path: PathBuf,
    /// Whether a file that is there may be replaced.
    pub overwrite: bool,
}

/// An opened and verified payload.
#[derive(Clone, Debug, Serialize)]
pub struct OpenedFile {
    /// Where it is.
    pub path: PathBuf,
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
    /// The image that this one replaces, as the signer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<ImageDigest>,
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
        if !target.overwrite && target.path.exists() {
            return Err(Error::FileExists {
                path: target.path.clone(),
            });
        }
        let attested = self.attested(image).await?;
        self.open_attested(&attested, root, patient, target).await
    }

    /// [`open_into`](Self::open_into), when the attestation is known.
    pub(super) async fn open_attested(
        &self,
        attested: &Attested,
        root: &ImageDigest,
        patient: Address,
        target: &Target,
    ) -> Result<OpenedFile> {
        let at = |source| file_error(&target.path, source);
        let root = self.node().await?.get_root(root, self.limits.fetch).await?;
        let passing = Passing::begin(self, "open")?;
        let file = private::noted_file_beside(&target.path, |path| {
            let piece = Piece::File(path.to_owned());
            note(&self.journal, passing.operation, Outcome::Failed, &piece)
        })
        .map_err(at)?;
        let (opened, file) = self.open_root(root, file).await?;
        check_seal(attested.seal, &opened)?;
        private::persist(file, &target.path, target.overwrite).map_err(at)?;
        Ok(OpenedFile {
            path: target.path.clone(),
            bytes: opened.payload_len,
            sha256: hex::encode(opened.payload_sha256),
            patient,
            radiologist: attested.radiologist,
            signer: opened.signer.fingerprint(),
            predecessor: opened.predecessor,
        })
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

/// The signature inside must be the attested one.
pub(super) fn check_seal(wanted: Seal, opened: &Opened) -> Result<()> {
    check_seal_of(wanted, opened.seal)
}

/// The seal must be the attested one.
pub(super) fn check_seal_of(wanted: Seal, found: Seal) -> Result<()> {
    match found == wanted {
        true => Ok(()),
        false => Err(Error::SealMismatch { wanted, found }),
    }
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
