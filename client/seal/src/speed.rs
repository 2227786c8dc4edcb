//! How fast this machine's cipher is, to be set beside what sealing achieves.

use std::time::{Duration, Instant};

use openpgp::types::AEADAlgorithm;
use sequoia_openpgp as openpgp;

use super::header::CIPHER;
use super::{BodyVersion, Error, Result, SessionKey};

/// Encrypts `data` with the cipher of every body, AES-256-OCB, in pieces of 64 KiB; tells how long it takes.
///
/// # Errors
/// [`Error::OpenPgp`] if the library lacks the cipher.
pub fn cipher_time(data: &[u8]) -> Result<Duration> {
    const PIECE: usize = 64 * 1024;
    let key = SessionKey::random(BodyVersion::V2)?;
    let nonce = vec![7; AEADAlgorithm::OCB.nonce_size().map_err(Error::openpgp)?];
    let tag = AEADAlgorithm::OCB.digest_size().map_err(Error::openpgp)?;
    let mut out = vec![0; PIECE + tag];
    let started = Instant::now();
    for piece in data.chunks(PIECE) {
        AEADAlgorithm::OCB
            .context(CIPHER, &key.secret, b"", &nonce)
            .and_then(|builder| builder.for_encryption())
            .and_then(|mut cipher| cipher.encrypt_seal(&mut out[..piece.len() + tag], piece))
            .map_err(Error::openpgp)?;
    }
    Ok(started.elapsed())
}
