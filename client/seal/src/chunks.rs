//! The encryption of a SEIPD packet of version 2 (RFC 9580 §5.13.2): chunks with a tag each, and a last tag over them all.

use sequoia_openpgp as openpgp;

use openpgp::crypto::aead::{Builder, SEIPv2Schedule, Schedule};
use openpgp::types::{AEADAlgorithm, SymmetricAlgorithm};

use super::header::CIPHER;
use super::{Error, Result, SessionKey};

/// Bytes of an authentication tag.
pub(super) const TAG: usize = 16;
/// Bytes of the packet before its first chunk: version, cipher, mode, chunk size, salt.
pub(super) const HEAD: usize = 4 + SALT;

const SALT: usize = 32;
const AEAD: AEADAlgorithm = AEADAlgorithm::OCB;
/// Bytes of a chunk, as the packet tells them: 2^(6 + 12) = 256 KiB. Large ones leave little of the set-up for each; every
/// implementation reads up to 4 MiB.
const SIZE: u8 = 12;
/// The largest chunk that is read: 4 MiB.
const SIZE_MAX: u8 = 16;

/// The chunks of one packet, in order.
pub(super) struct Chunks {
    schedule: SEIPv2Schedule,
    /// Bytes of plaintext in every chunk but the last.
    pub(super) size: usize,
    index: u64,
    length: u64,
}

impl Chunks {
    /// Those of a new packet, and how its body begins.
    pub(super) fn begin(key: &SessionKey) -> Result<(Self, [u8; HEAD])> {
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&[2, CIPHER.into(), AEAD.into(), SIZE]);
        openpgp::crypto::random(&mut head[4..]).map_err(Error::openpgp)?;
        Ok((Self::new(key, &head)?, head))
    }

    /// Those of a packet whose body begins like this.
    pub(super) fn of(key: &SessionKey, head: &[u8; HEAD]) -> Result<Self> {
        let refuse = |wanted, found| Err(Error::Structure { wanted, found });
        let [version, cipher, aead, size, ..] = *head;
        let (cipher, aead) = (SymmetricAlgorithm::from(cipher), AEADAlgorithm::from(aead));
        match version {
            1 => Err(Error::VersionMismatch {
                key: key.version,
                body: super::BodyVersion::V1,
            }),
            2 if (cipher, aead) != (CIPHER, AEAD) => {
                let found = format!("{cipher} and {aead}");
                refuse("a SEIPDv2 body with AES-256 and OCB", found)
            }
            2 if size > SIZE_MAX => {
                let found = format!("2^{}", u32::from(size) + 6);
                refuse("chunks of at most 2^22 bytes", found)
            }
            2 => Self::new(key, head),
            other => {
                let found = format!("version {other}");
                refuse("a SEIPD packet of version 1 or 2", found)
            }
        }
    }

    fn new(key: &SessionKey, head: &[u8; HEAD]) -> Result<Self> {
        let size = 1 << (head[3] + 6);
        let schedule = SEIPv2Schedule::new(&key.secret, CIPHER, AEAD, size, &head[4..]);
        Ok(Self {
            schedule: schedule.map_err(Error::openpgp)?,
            size,
            index: 0,
            length: 0,
        })
    }

    /// Encrypts the next chunk into as many bytes and a tag.
    pub(super) fn seal(&mut self, plain: &[u8], sealed: &mut [u8]) -> Result<()> {
        let mut cipher = self
            .schedule
            .chunk(self.index, &mut |key, nonce, about| {
                with(key, nonce, about)?.for_encryption()
            })
            .map_err(Error::openpgp)?;
        cipher.encrypt_seal(sealed, plain).map_err(Error::openpgp)?;
        self.passed(plain.len());
        Ok(())
    }

    /// Decrypts the next chunk, of as many bytes and a tag; what comes out may be used.
    pub(super) fn open(&mut self, sealed: &[u8], plain: &mut [u8]) -> Result<()> {
        self.open_at(self.index, sealed, plain)?;
        self.passed(plain.len());
        Ok(())
    }

    /// Decrypts the chunk of this number, counted from 0; what comes out may be used.
    pub(super) fn open_at(&self, index: u64, sealed: &[u8], plain: &mut [u8]) -> Result<()> {
        let mut cipher = self
            .schedule
            .chunk(index, &mut |key, nonce, about| {
                with(key, nonce, about)?.for_decryption()
            })
            .map_err(Error::openpgp)?;
        cipher.decrypt_verify(plain, sealed).map_err(damaged)
    }

    /// The tag after the last chunk.
    pub(super) fn seal_end(&self, tag: &mut [u8]) -> Result<()> {
        let mut cipher = self
            .schedule
            .finalizer(self.index, self.length, &mut |key, nonce, about| {
                with(key, nonce, about)?.for_encryption()
            })
            .map_err(Error::openpgp)?;
        cipher.encrypt_seal(tag, b"").map_err(Error::openpgp)
    }

    /// Confirms by the tag after the last chunk that none is missing.
    pub(super) fn open_end(&self, tag: &[u8]) -> Result<()> {
        self.open_end_of(self.index, self.length, tag)
    }

    /// Confirms by the tag after the last chunk how many chunks there are, and how many bytes of plaintext.
    pub(super) fn open_end_of(&self, chunks: u64, length: u64, tag: &[u8]) -> Result<()> {
        let mut cipher = self
            .schedule
            .finalizer(chunks, length, &mut |key, nonce, about| {
                with(key, nonce, about)?.for_decryption()
            })
            .map_err(Error::openpgp)?;
        cipher.decrypt_verify(&mut [], tag).map_err(damaged)
    }

    fn passed(&mut self, bytes: usize) {
        self.index += 1;
        self.length += bytes as u64;
    }
}

fn with<'a>(
    key: &'a openpgp::crypto::SessionKey,
    nonce: &'a [u8],
    about: &'a [u8],
) -> openpgp::Result<Builder<'a>> {
    AEAD.context(CIPHER, key, about, nonce)
}

fn damaged(cause: impl Into<super::error::Cause>) -> Error {
    Error::Damaged(cause.into())
}
