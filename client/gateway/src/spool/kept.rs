//! Objects in the spool: how they are encrypted, described and opened.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use pcim_dicom::arrival::Arrival;
use pcim_seal::{BodyVersion, Certificate, Sealed, UnlockedKey};
use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use super::segment::{self, Place};
use crate::error::{Error, Result};

/// An object's description, encrypted beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    /// The spool's number of its study.
    pub(crate) study: u64,
    /// When it came, in seconds, unix.
    pub(crate) at: u64,
    /// The sender: its AE title, or the name of its token.
    pub(crate) sender: String,
    /// Its transfer syntax.
    pub(crate) syntax: String,
    /// SHA-256 of its data set, hex.
    pub(crate) sha256: String,
    /// Bytes of its data set.
    pub(crate) bytes: u64,
    pub(crate) arrival: Arrival,
}

/// The department's key: all that is in the spool is encrypted to it, and signed by it.
#[derive(Clone)]
pub(crate) struct Department {
    key: Arc<UnlockedKey>,
    certificate: Certificate,
    version: BodyVersion,
}

impl Department {
    /// Takes a home's key.
    pub(crate) fn new(key: Arc<UnlockedKey>) -> Self {
        let certificate = key.certificate();
        let version = match certificate.accepts_v2() {
            true => BodyVersion::V2,
            false => BodyVersion::V1,
        };
        Self {
            key,
            certificate,
            version,
        }
    }

    /// Encrypts an object into `body`; returns its header.
    pub(crate) fn seal(
        &self,
        object: &mut (dyn Read + Send),
        body: &mut (dyn Write + Send + Sync),
    ) -> Result<Vec<u8>> {
        let claims = pcim_seal::Claims::default();
        let sealed: Sealed = pcim_seal::seal_body(object, &self.key, claims, self.version, body)?;
        let header = pcim_seal::header_for(&sealed.session_key, self.version, &self.certificate)?;
        Ok(header)
    }

    /// Encrypts a document.
    pub(crate) fn encrypt(&self, document: &impl Serialize) -> Result<Vec<u8>> {
        let text = zeroize::Zeroizing::new(serde_json::to_vec(document)?);
        let encrypted = pcim_seal::encrypt_document(&text, &self.key, &[&self.certificate])?;
        Ok(encrypted)
    }

    /// Opens a document that this key encrypted.
    pub(crate) fn decrypt<T: for<'de> Deserialize<'de>>(&self, document: &[u8]) -> Result<T> {
        let signer = |_: &[u8]| Ok(self.certificate.clone());
        let text = pcim_seal::decrypt_document(document, &self.key, signer)?;
        let text = zeroize::Zeroizing::new(text);
        Ok(serde_json::from_slice(&text)?)
    }

    /// Opens an object into a file that is in memory alone.
    pub(crate) fn open(&self, folder: &Path, place: Place) -> io::Result<File> {
        let (header, file) = segment::open(folder, place)?;
        let mut body = file.take(place.lengths.body);
        let memory = rustix::fs::memfd_create("object", MemfdFlags::CLOEXEC)?;
        let mut memory = File::from(memory);
        let damaged = |error: pcim_seal::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        let opened = pcim_seal::open_sealed(&header, &mut body, &self.key, &mut memory);
        let opened = opened.map_err(damaged)?;
        if opened.signer.fingerprint() != self.certificate.fingerprint() {
            let why = "an object in the spool is signed by another key";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        memory.rewind()?;
        Ok(memory)
    }
}

impl From<pcim_seal::Error> for Error {
    fn from(source: pcim_seal::Error) -> Self {
        Self::Seal(Box::new(source))
    }
}
