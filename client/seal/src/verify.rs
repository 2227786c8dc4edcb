//! The check of a body's signature: made by the certificate that it carries, over what was hashed.

use sequoia_openpgp as openpgp;

use openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use openpgp::crypto::hash::Context;
use openpgp::packet::Signature;
use openpgp::policy::Policy;
use openpgp::types::{RevocationStatus, SignatureType};

use super::cert::POLICY;
use super::{Certificate, Error, Result};

/// Notation with the signer's published certificate in binary (signature subpacket, RFC 9580 §5.2.3.24).
pub(super) const SIGNER_CERTIFICATE: &str = "signer-certificate@pcim.invalid";

/// The certificate that a signature carries; nothing is verified.
pub(super) fn carried(signature: &Signature) -> Result<Certificate> {
    let mut carried = signature.notation(SIGNER_CERTIFICATE);
    match (carried.next(), carried.next()) {
        (Some(bytes), None) => Certificate::from_bytes(bytes),
        _ => Err(Error::Signature(
            "it does not carry its signer's certificate".to_owned(),
        )),
    }
}

/// Verifies a signature over `hash`, into which the data went, by the certificate that it carries: whether key and
/// certificate were valid, alive, unrevoked and meant for signing when it was made, and whether it is acceptable now.
///
/// # Errors
/// [`Error::Signature`], and what makes its certificate unreadable.
pub(super) fn verify(signature: &Signature, hash: Context) -> Result<Certificate> {
    let signer = carried(signature)?;
    verify_by(&signer, signature, hash)?;
    Ok(signer)
}

/// Verifies a signature as [`verify`] does, by another certificate than one that it carries.
///
/// # Errors
/// [`Error::Signature`].
pub(super) fn verify_by(signer: &Certificate, signature: &Signature, hash: Context) -> Result<()> {
    let refuse = |why: String| Error::Signature(why);
    if signature.typ() != SignatureType::Binary {
        return Err(refuse(format!(
            "wanted a binary one, found {}",
            signature.typ()
        )));
    }
    let made = signature
        .signature_creation_time()
        .ok_or_else(|| refuse("it does not tell when it was made".to_owned()))?;
    let mut why = format!("not by certificate {}", signer.fingerprint());
    let issuers = signature.get_issuers();
    if issuers.is_empty() {
        return Err(refuse("it does not tell who made it".to_owned()));
    }
    for key in signer.0.keys().key_handles(issuers) {
        let checked = (|| {
            let key = key.with_policy(&POLICY, made)?;
            key.valid_cert().alive()?;
            key.alive()?;
            let revoked = [
                key.valid_cert().revocation_status(),
                key.revocation_status(),
            ];
            let unusable = |what: &str| openpgp::Error::InvalidKey(what.to_owned());
            if revoked
                .iter()
                .any(|it| matches!(it, RevocationStatus::Revoked(_)))
            {
                return Err(unusable("revoked").into());
            }
            if !key.for_signing() {
                return Err(unusable("not signing capable").into());
            }
            signature.signature_alive(None, None)?;
            signature.verify_hash(key.key(), hash.clone())?;
            POLICY.signature(signature, Default::default())
        })();
        match checked {
            Ok(()) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(refuse(why))
}
