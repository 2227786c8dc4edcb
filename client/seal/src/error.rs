//! Errors of OpenPGP data, keys and passphrases.

use std::fmt;
use std::io;

use super::BodyVersion;

/// The cause that the OpenPGP library gives.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The reason why sealing, opening, signing or reading a key failed. Never holds plaintext or secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not one OpenPGP certificate.
    #[error("not an OpenPGP certificate")]
    NotACertificate(#[source] Cause),
    /// The bytes are not one OpenPGP key whose secrets are locked with a passphrase.
    #[error("not an OpenPGP key with locked secrets: {reason}")]
    NotALockedKey {
        /// The reason.
        reason: String,
    },
    /// More bytes than are read of such a thing.
    #[error("{what} of {found} bytes: at most {max} are read")]
    TooLarge {
        /// The thing that was given.
        what: &'static str,
        /// Its size in bytes.
        found: usize,
        /// The most that is accepted, in bytes.
        max: usize,
    },
    /// The passphrase does not unlock the key.
    #[error("wrong passphrase for key {fingerprint}")]
    WrongPassphrase {
        /// The key's fingerprint.
        fingerprint: String,
    },
    /// A certificate or key cannot do what is wanted of it.
    #[error("certificate {fingerprint} {reason}")]
    Unusable {
        /// The certificate's fingerprint.
        fingerprint: String,
        /// The reason.
        reason: Unusable,
    },
    /// A document without readers.
    #[error("no reader given")]
    NoReaders,
    /// A header that is anything but PKESK packets of one version (format.md §4.2).
    #[error("header refused: {0}")]
    Header(String),
    /// Nothing in the header or message is wrapped to this key.
    #[error("not sealed to key {fingerprint}")]
    NotForReader {
        /// The fingerprint of the key that was tried.
        fingerprint: String,
    },
    /// Header and body are of different versions.
    #[error("a session key of a version {key} body does not fit a version {body} body")]
    VersionMismatch {
        /// The version that the session key is for.
        key: BodyVersion,
        /// The version that it was used for.
        body: BodyVersion,
    },
    /// Not the packets that the protocol wants, in their order.
    #[error("unexpected OpenPGP structure: wanted {wanted}, found {found}")]
    Structure {
        /// The packets that may stand there.
        wanted: &'static str,
        /// The packet that stands there.
        found: String,
    },
    /// Cannot be decrypted, or was changed or cut since it was encrypted.
    #[error("cannot be decrypted: damaged, or not encrypted with this key")]
    Damaged(#[source] Cause),
    /// No signature, or one that does not verify.
    #[error("signature refused: {0}")]
    Signature(String),
    /// Reading the input failed.
    #[error("cannot read the input")]
    Read(#[source] io::Error),
    /// Writing the output failed.
    #[error("cannot write the output")]
    Write(#[source] io::Error),
    /// The OpenPGP library failed otherwise.
    #[error("OpenPGP operation failed")]
    OpenPgp(#[source] Cause),
}

/// Result of an OpenPGP operation.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why a certificate cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// No valid self-signature, or algorithms that are no longer accepted.
    Invalid,
    /// Expired, or not yet valid.
    NotAlive,
    /// Revoked.
    Revoked,
    /// No usable key to encrypt to.
    NoEncryptionKey,
    /// No usable key to sign with.
    NoSigningKey,
    /// Cannot read SEIPDv2 bodies: re-seal as SEIPDv1 for it.
    LacksSeipdV2,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => {
                "has no self-signature that is accepted: none verifies, or its key or hash is too weak (RSA below 2048 bits, SHA-1)"
            }
            Self::NotAlive => "has expired or is not valid yet",
            Self::Revoked => "is revoked",
            Self::NoEncryptionKey => "has no usable encryption key",
            Self::NoSigningKey => "has no usable signing key",
            Self::LacksSeipdV2 => "does not accept SEIPDv2 (RFC 9580) messages",
        })
    }
}

impl Error {
    /// Sorts a failure of the writer stack: an I/O error is the output's, anything else the library's.
    pub(super) fn writing<T>(result: sequoia_openpgp::Result<T>) -> Result<T> {
        result.map_err(|e| match e.downcast::<io::Error>() {
            Ok(io) => Self::Write(io),
            Err(other) => Self::OpenPgp(other.into()),
        })
    }

    pub(super) fn openpgp(cause: impl Into<Cause>) -> Self {
        Self::OpenPgp(cause.into())
    }
}
