//! OpenPGP (RFC 9580): keys, sealed bodies, headers, signed and encrypted documents.
//! The only place that names `sequoia_openpgp`.

use std::io::{Read, Write};

use crate::domain::{ImageDigest, Passphrase, Seal};

/// A public OpenPGP certificate.
#[derive(Clone)]
pub struct Certificate(());

/// An OpenPGP key as it lies on disk: its secrets locked with a passphrase.
pub struct LockedKey(());

/// An OpenPGP key whose secrets are usable; dropped, they are zeroized.
pub struct UnlockedKey(());

/// The session key of a sealed body; zeroized on drop, never printed.
pub struct SessionKey(());

/// Which container a body is (RFC 9580 §5.13): v2 is AES-256-OCB, v1 for readers whose certificate lacks SEIPDv2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyVersion {
    V1,
    V2,
}

/// What sealing yields beside the body's bytes.
pub struct Sealed {
    pub session_key: SessionKey,
    pub version: BodyVersion,
    pub seal: Seal,
    pub payload_sha256: [u8; 32],
    pub payload_len: u64,
}

/// What opening yields beside the payload's bytes.
pub struct Opened {
    pub seal: Seal,
    pub signer: Certificate,
    pub predecessor: Option<ImageDigest>,
    pub payload_sha256: [u8; 32],
    pub payload_len: u64,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("placeholder")]
    Placeholder,
}
pub type Result<T> = std::result::Result<T, Error>;

impl Certificate {
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self> {
        todo!()
    }
    /// Binary, whole.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
    /// Binary, stripped to keys and required self-signatures: what a requestor publishes (no name, no e-mail).
    pub fn to_published_bytes(&self) -> Vec<u8> {
        todo!()
    }
    /// Upper-case hex.
    pub fn fingerprint(&self) -> String {
        todo!()
    }
    /// Whether a header for a SEIPDv2 body can be made for this certificate.
    pub fn accepts_v2(&self) -> bool {
        todo!()
    }
}

impl LockedKey {
    /// Makes a v6 key (RFC 9580 profile, Ed25519 / X25519), locked; `name` is an optional User ID.
    pub fn generate(_name: Option<&str>, _passphrase: &Passphrase) -> Result<Self> {
        todo!()
    }
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self> {
        todo!()
    }
    /// ASCII-armored, secrets locked.
    pub fn to_armored(&self) -> Vec<u8> {
        todo!()
    }
    pub fn certificate(&self) -> Certificate {
        todo!()
    }
    pub fn unlock(&self, _passphrase: &Passphrase) -> Result<UnlockedKey> {
        todo!()
    }
}

impl UnlockedKey {
    pub fn certificate(&self) -> Certificate {
        todo!()
    }
}

/// Signs and encrypts `payload` into a body (one SEIPD packet, no PKESK), streaming in bounded memory.
pub fn seal_body(
    _payload: &mut dyn Read,
    _signer: &UnlockedKey,
    _predecessor: Option<ImageDigest>,
    _version: BodyVersion,
    _body: &mut (dyn Write + Send + Sync),
) -> Result<Sealed> {
    todo!()
}
/// Re-encrypts the inner packets of a body unchanged under a new session key (`--rekey`, or to change the version).
pub fn reseal_body(
    _body: &mut (dyn Read + Send + Sync),
    _old: &SessionKey,
    _version: BodyVersion,
    _out: &mut (dyn Write + Send + Sync),
) -> Result<Sealed> {
    todo!()
}
/// Makes a header: the PKESK packet that wraps the session key to `reader`.
pub fn header_for(
    _key: &SessionKey,
    _version: BodyVersion,
    _reader: &Certificate,
) -> Result<Vec<u8>> {
    todo!()
}
/// Takes the session key out of a header; strict: PKESK packets of one version and nothing else, at most 1 KiB.
pub fn unwrap_header(_header: &[u8], _reader: &UnlockedKey) -> Result<(SessionKey, BodyVersion)> {
    todo!()
}
/// Decrypts a body, verifies the signature, writes the payload. The caller must discard what was written on error.
pub fn open_body(
    _body: &mut (dyn Read + Send + Sync),
    _key: &SessionKey,
    _payload: &mut dyn Write,
) -> Result<Opened> {
    todo!()
}

/// Encrypts a small document to `readers`, signed by `signer` (handover, request).
pub fn encrypt_document(
    _plain: &[u8],
    _signer: &UnlockedKey,
    _readers: &[&Certificate],
) -> Result<Vec<u8>> {
    todo!()
}
/// Decrypts a small document and verifies it; `signer` names whose signature is wanted.
pub fn decrypt_document(
    _sealed: &[u8],
    _reader: &UnlockedKey,
    _signer: impl FnOnce(&[u8]) -> Result<Certificate>,
) -> Result<Vec<u8>> {
    todo!()
}
/// Makes a detached signature (contact cards).
pub fn sign_detached(_data: &[u8], _signer: &UnlockedKey) -> Result<Vec<u8>> {
    todo!()
}
/// Verifies a detached signature.
pub fn verify_detached(_data: &[u8], _signature: &[u8], _signer: &Certificate) -> Result<()> {
    todo!()
}
