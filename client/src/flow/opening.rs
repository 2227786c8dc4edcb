//! Opening a sealed root: fetch, decrypt, verify, and only then give the result its name.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::error::{Error, Result, file_error};
use crate::flow::landing::{Landing, Target};
use crate::flow::pipeline;
use crate::operation::deed::{Deed, Once};
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::settle::{Passing, note};
use crate::papers::handover;
use crate::session::Session;
use crate::study::unpack::Contents;
use crate::unlocked::Unlocked;
use pcim_core::{Address, BodyRef, Event, ImageDigest, Seal};
use pcim_ledger::{Attestation, Deployment, EventFilter, Ledger};
use pcim_node::Root;
use pcim_seal::{Opened, SessionKey};

/// An opened and verified payload.
#[derive(Clone, Debug, Serialize)]
pub struct OpenedFile {
    /// Where it is.
    #[serde(serialize_with = "pcim_core::text::path")]
    pub path: PathBuf,
    /// Its kind.
    pub contents: Contents,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// The patient who registered the image.
    pub patient: Address,
    /// The radiologist who attested it.
    pub radiologist: Address,
    /// The fingerprint of the certificate that signed it.
    pub signer: String,
    /// The image that this one replaces, as the signer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<ImageDigest>,
}

/// An image's origin, as the chain has it.
pub(crate) struct Attested {
    pub(crate) radiologist: Address,
    pub(crate) seal: Seal,
    /// As registered.
    pub(crate) description: String,
}

impl Session {
    /// The attestation an image was registered with, from the contract's own event. From version 2 on the event carries the
    /// radiologist's signature, and nobody's word is taken for it. An imported image was attested at the predecessor.
    pub(crate) async fn attested(&self, image: &ImageDigest) -> Result<Attested> {
        let ledger = self.ledger().await?;
        if let Some(attested) = self.attested_at(ledger, image).await? {
            return Ok(attested);
        }
        let unknown = Error::UnknownImage { image: *image };
        let contract = ledger.predecessor().await?.ok_or(unknown)?;
        let before = Ledger::connect(Deployment {
            contract,
            ..self.deployment()?
        });
        let attested = self.attested_at(&before.await?, image).await?;
        attested.ok_or(Error::UnknownImage { image: *image })
    }

    /// The latest attestation of an image at one contract.
    async fn attested_at(&self, ledger: &Ledger, image: &ImageDigest) -> Result<Option<Attested>> {
        let filter = EventFilter {
            image: Some(*image),
            events: &["ContractCreated"],
            ..EventFilter::default()
        };
        let events = ledger.events(&filter).await?;
        let found = events.into_iter().rev().find_map(|it| match it.event {
            Event::ContractCreated {
                patient,
                radiologist,
                seal,
                attestation,
                replaces,
                info: description,
                ..
            } => {
                let attested = Attested {
                    radiologist,
                    seal,
                    description,
                };
                Some((patient, attested, attestation, replaces))
            }
            _ => None,
        });
        let Some((patient, attested, signature, replaces)) = found else {
            return Ok(None);
        };
        if let Some(signature) = signature {
            let attestation = Attestation {
                version: ledger.version(),
                chain_id: ledger.deployment().chain_id,
                contract: ledger.deployment().contract,
                image: *image,
                patient,
                seal: attested.seal,
                replaces: replaces.unwrap_or_default(),
            };
            let radiologist = attested.radiologist;
            let signer = attestation.signer(&signature);
            let accepts = ledger.accepts_attestation(radiologist, &attestation, &signature);
            if !matches!(signer, Ok(signer) if signer == radiologist) && !accepts.await? {
                let image = *image;
                return Err(Error::ForgedLog { image, radiologist });
            }
        }
        Ok(Some(attested))
    }

    /// Refuses a signature that a contract account does not take for its attestation.
    pub(crate) async fn attested_by(
        &self,
        account: Address,
        attestation: &Attestation,
        signature: &[u8],
    ) -> Result<()> {
        let ledger = self.ledger().await?;
        let accepts = ledger.accepts_attestation(account, attestation, signature);
        match accepts.await? {
            true => Ok(()),
            false => Err(handover::Error::NotAccepted { account }.into()),
        }
    }
}

impl Unlocked<'_> {
    /// Opens the sealed root `root` of the registered `image` into a file. The file appears only if what
    /// was opened is what the radiologist attested, and whole.
    pub(crate) async fn open_into(
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
    pub(crate) async fn open_attested(
        &self,
        root: &ImageDigest,
        patient: Address,
        attested: &Attested,
        target: &Target,
    ) -> Result<OpenedFile> {
        let nothing = async || Ok(());
        let opened = self.open_after(root, patient, attested, target, nothing);
        Ok(opened.await?.0)
    }

    /// Opens a sealed root that was attested. When all of it is here and verified, `first` is done, and only if that goes
    /// well the result gets its name.
    pub(crate) async fn open_after<T>(
        &self,
        root: &ImageDigest,
        patient: Address,
        attested: &Attested,
        target: &Target,
        first: impl AsyncFnOnce() -> Result<T>,
    ) -> Result<(OpenedFile, T)> {
        check_free(target)?;
        let root = self.node().await?.get_root(root, self.limits.fetch).await?;
        let (key, _) = pcim_seal::unwrap_header(&root.header, &self.keys.openpgp)?;
        self.open_by_key((key, &root.body), patient, attested, target, first)
            .await
    }

    /// Opens a body that was attested by its session key, as [`open_after`](Self::open_after) does.
    pub(crate) async fn open_by_key<T>(
        &self,
        (key, body): (SessionKey, &BodyRef),
        patient: Address,
        attested: &Attested,
        target: &Target,
        first: impl AsyncFnOnce() -> Result<T>,
    ) -> Result<(OpenedFile, T)> {
        check_free(target)?;
        let at = |source| file_error(&target.path, source);
        let passing = Passing::begin(self, Deed::Open(Once::draw()))?;
        let noted = |path: &Path| {
            let piece = Piece::File(path.to_owned());
            note(&self.journal, passing.operation, Verdict::Failed, &piece)
        };
        let made = pcim_core::private::noted_dir_beside(&target.path, noted).map_err(at)?;
        let landing = Landing::new(made, target.clone());
        let (opened, landing) = self.open_body(key, body, landing).await?;
        let wanted = attested.seal;
        let land = move || {
            check_seal(wanted, &opened)?;
            let landed = landing.land()?;
            landed.check_index(&opened)?;
            Ok::<_, Error>((opened, landed))
        };
        let (opened, landed) = spawn_blocking(land).await??;
        let done = first().await?;
        let contents = spawn_blocking(|| landed.place()).await??;
        let opened = OpenedFile {
            path: target.path.clone(),
            contents,
            bytes: opened.payload_len,
            sha256: hex::encode(opened.payload_sha256),
            patient,
            radiologist: attested.radiologist,
            signer: opened.signer.fingerprint(),
            predecessor: opened.claims.predecessor,
        };
        Ok((opened, done))
    }

    /// Opens a sealed root in memory, at most `max` bytes. The payload is given back only if it has the seal that was attested,
    /// and is whole.
    pub(crate) async fn open_sealed_in_memory(
        &self,
        root: &ImageDigest,
        seal: Seal,
        max: u64,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let root = self.node().await?.get_root(root, self.limits.fetch).await?;
        let found = root.body.file_size;
        // The payload is shorter than the body that it is sealed in.
        if found > max {
            return Err(Error::BodyTooLarge { found, max });
        }
        let sink = Memory::of(found as usize);
        let (opened, sink) = self.open_root(root, sink).await?;
        check_seal(seal, &opened)?;
        Ok(sink.into_inner())
    }

    /// Decrypts a root's body into `sink` and verifies its signature. The signer is for the
    /// caller to judge; on an error `sink` is dropped with what was written.
    pub(crate) async fn open_root<W: Write + Send + 'static>(
        &self,
        root: Root,
        sink: W,
    ) -> Result<(Opened, W)> {
        let (key, _) = pcim_seal::unwrap_header(&root.header, &self.keys.openpgp)?;
        self.open_body(key, &root.body, sink).await
    }

    /// Decrypts a body as [`open_root`](Self::open_root) does.
    pub(crate) async fn open_body<W: Write + Send + 'static>(
        &self,
        key: SessionKey,
        body: &BodyRef,
        sink: W,
    ) -> Result<(Opened, W)> {
        let (found, max) = (body.file_size, self.limits.body_bytes);
        if found > max {
            return Err(Error::BodyTooLarge { found, max });
        }
        let limits = (self.limits.fetch, self.limits.total);
        let meter = self.progress("fetched", Some(found));
        let node = self.node().await?;
        pipeline::open(node, body, key, sink, limits, meter).await
    }
}

/// Refuses a target that is there and is not to be replaced.
fn check_free(target: &Target) -> Result<()> {
    let path = &target.path;
    match path.is_dir() || !target.overwrite && path.exists() {
        true => Err(Error::FileExists { path: path.clone() }),
        false => Ok(()),
    }
}

/// A payload in memory, which never grows beyond what was set aside: no copy of it is left behind.
pub(crate) struct Memory(Zeroizing<Vec<u8>>);

impl Memory {
    /// Sets this number of bytes aside.
    pub(crate) fn of(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// Takes what was written.
    pub(crate) fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

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
pub(crate) fn check_seal(wanted: Seal, opened: &Opened) -> Result<()> {
    check_seal_of(wanted, opened.seal)
}

/// The seal must be the attested one.
pub(crate) fn check_seal_of(wanted: Seal, found: Seal) -> Result<()> {
    match found == wanted {
        true => Ok(()),
        false => Err(Error::SealMismatch { wanted, found }),
    }
}

#[cfg(test)]
pub(crate) mod tests;
