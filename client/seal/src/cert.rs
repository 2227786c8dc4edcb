//! Public certificates: reading, publishing, and which of their keys may be used now.

use std::fmt;

use sequoia_openpgp as openpgp;

use openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation;
use openpgp::cert::prelude::*;
use openpgp::packet::key::PublicParts;
use openpgp::parse::Parse;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::MarshalInto;
use openpgp::types::{PublicKeyAlgorithm, RevocationStatus};
use openpgp::{Cert, Packet};

use super::{Error, Result, Unusable};

/// The algorithms and signatures that are accepted.
pub(super) static POLICY: StandardPolicy<'static> = StandardPolicy::new();

/// The most bytes that are read of a certificate.
const CERTIFICATE_MAX: usize = 256 * 1024;

/// A public OpenPGP certificate.
#[derive(Clone)]
pub struct Certificate(pub(super) Cert);

impl Certificate {
    /// Reads one certificate, binary or armored, of at most 256 KiB. Secrets in it are dropped.
    ///
    /// Expired and revoked certificates can be read (their old signatures must verify); they are refused when used.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NotACertificate`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > CERTIFICATE_MAX {
            return Err(Error::TooLarge {
                what: "certificate",
                found: bytes.len(),
                max: CERTIFICATE_MAX,
            });
        }
        let cert = Cert::from_bytes(bytes).map_err(|e| Error::NotACertificate(e.into()))?;
        Ok(Self(cert.strip_secret_key_material()))
    }

    /// Returns the certificate in binary, whole.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0
            .to_vec()
            .expect("a parsed certificate serializes into memory")
    }

    /// Returns the certificate in binary, stripped to keys and their own self-signatures and revocations:
    /// what a requestor publishes and what signatures carry. No name, no e-mail, nobody else's signatures.
    ///
    /// Only a certificate that [needs its User ID](Self::needs_user_id) keeps its primary one.
    pub fn to_published_bytes(&self) -> Vec<u8> {
        serialize(if self.needs_user_id() {
            published(&self.0, self.primary_user_id())
        } else {
            published(&self.0, None)
        })
    }

    /// Returns true if the certificate is invalid without its User ID (some version 4 ones), so that publishing it tells the name.
    pub fn needs_user_id(&self) -> bool {
        let bare = Cert::from_packets(published(&self.0, None).into_iter());
        bare.is_ok_and(|cert| cert.with_policy(&POLICY, None).is_err())
            && self.0.with_policy(&POLICY, None).is_ok()
    }

    /// Returns the fingerprint in upper-case hex.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint().to_hex()
    }

    /// Returns true if a header for a SEIPDv2 body can be made for this certificate.
    pub fn accepts_v2(&self) -> bool {
        self.0
            .with_policy(&POLICY, None)
            .ok()
            .and_then(|valid| valid.features())
            .is_some_and(|features| features.supports_seipdv2())
    }

    /// Returns true if what is encrypted to this certificate now stays secret when X25519 falls: the key that would be used
    /// combines ML-KEM with a curve (RFC 9980).
    pub fn is_post_quantum(&self) -> bool {
        self.encryption_key()
            .is_ok_and(|ka| is_post_quantum(ka.key().pk_algo()))
    }

    /// Checks that the certificate can be encrypted to now, without encrypting anything.
    ///
    /// # Errors
    /// [`Error::Unusable`] when it is invalid, expired, revoked or has no encryption key.
    pub fn check_reader(&self) -> Result<()> {
        self.encryption_key().map(|_| ())
    }

    /// The newest key to encrypt to.
    pub(super) fn encryption_key(&self) -> Result<ValidErasedKeyAmalgamation<'_, PublicParts>> {
        usable(&self.0)?
            .keys()
            .supported()
            .alive()
            .revoked(false)
            .for_transport_encryption()
            .for_storage_encryption()
            .max_by_key(|ka| ka.key().creation_time())
            .ok_or_else(|| unusable(&self.0, Unusable::NoEncryptionKey))
    }

    fn primary_user_id(&self) -> Option<&openpgp::packet::UserID> {
        let valid = self.0.with_policy(&POLICY, None).ok()?;
        Some(valid.primary_userid().ok()?.userid())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint())
    }
}

impl PartialEq for Certificate {
    /// Returns true if both are certificates of the same primary key.
    fn eq(&self, other: &Self) -> bool {
        self.0.fingerprint() == other.0.fingerprint()
    }
}
impl Eq for Certificate {}

/// Says whether an algorithm combines ML-KEM with a curve.
pub(super) fn is_post_quantum(algorithm: PublicKeyAlgorithm) -> bool {
    matches!(
        algorithm,
        PublicKeyAlgorithm::MLKEM768_X25519 | PublicKeyAlgorithm::MLKEM1024_X448
    )
}

/// The certificate if it is valid, alive and not revoked now.
pub(super) fn usable(cert: &Cert) -> Result<ValidCert<'_>> {
    let valid = cert
        .with_policy(&POLICY, None)
        .map_err(|_| unusable(cert, Unusable::Invalid))?;
    if let RevocationStatus::Revoked(_) = valid.revocation_status() {
        return Err(unusable(cert, Unusable::Revoked));
    }
    if valid.alive().is_err() {
        return Err(unusable(cert, Unusable::NotAlive));
    }
    Ok(valid)
}

pub(super) fn unusable(cert: &Cert, reason: Unusable) -> Error {
    Error::Unusable {
        fingerprint: cert.fingerprint().to_hex(),
        reason,
    }
}

/// The packets to publish: every key with the signatures it made over itself, and at most one User ID.
fn published(cert: &Cert, keep: Option<&openpgp::packet::UserID>) -> Vec<Packet> {
    let mut packets = Vec::new();
    for ka in cert.keys() {
        let key = ka.key().clone();
        packets.push(if ka.primary() {
            Packet::from(key.role_into_primary())
        } else {
            Packet::from(key.role_into_subordinate())
        });
        packets.extend(ka.self_revocations().cloned().map(Packet::from));
        packets.extend(ka.self_signatures().cloned().map(Packet::from));
        if ka.primary() {
            for ua in cert.userids().filter(|ua| Some(ua.userid()) == keep) {
                packets.push(Packet::from(ua.userid().clone()));
                packets.extend(ua.self_signatures().cloned().map(Packet::from));
            }
        }
    }
    packets
}

fn serialize(packets: Vec<Packet>) -> Vec<u8> {
    packets
        .iter()
        .flat_map(|packet| {
            packet
                .to_vec()
                .expect("a parsed packet serializes into memory")
        })
        .collect()
}
