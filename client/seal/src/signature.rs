//! The signature inside a body: what is prepared before the payload, what it says besides, and the seal over it.

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::crypto::KeyPair;
use openpgp::crypto::hash::Context;
use openpgp::packet::Signature;
use openpgp::packet::one_pass_sig::{OnePassSig3, OnePassSig6};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::signature::subpacket::NotationDataFlags;
use openpgp::serialize::MarshalInto;
use openpgp::types::{HashAlgorithm, SignatureType};
use sha2::{Digest, Sha256};

use super::verify::SIGNER_CERTIFICATE;
use super::{Certificate, Error, Result};
use pcim_core::{ImageDigest, Seal};

/// Notation with the digest of the image that this one replaces, in hex.
const PREDECESSOR: &str = "predecessor@pcim.invalid";
/// Notation with the SHA-256 of the index that the payload begins with, in hex.
const INDEX: &str = "index@pcim.invalid";

/// The signature's hash: processors have instructions for it, and everything else here rests on it too.
const HASH: HashAlgorithm = HashAlgorithm::SHA256;
/// The most bytes of a certificate that a signature carries: the library's subpacket areas end at 64 KiB.
const CARRIED_MAX: usize = 65_000;

/// Statements of a signature beside the payload (format.md §4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The image that this one replaces.
    pub predecessor: Option<ImageDigest>,
    /// The SHA-256 of the index that the payload begins with.
    pub index: Option<[u8; 32]>,
}

/// Prepares what the signature will say: binary, its signer, and what is claimed. Notations are hashed and not critical, so
/// that other software verifies it too; no intended recipient, so that later readers can.
pub(super) fn template(signer: &Certificate, claims: Claims) -> Result<SignatureBuilder> {
    let carried = signer.to_published_bytes();
    if carried.len() > CARRIED_MAX {
        return Err(Error::TooLarge {
            what: "signer's certificate",
            found: carried.len(),
            max: CARRIED_MAX,
        });
    }
    let mut template = SignatureBuilder::new(SignatureType::Binary)
        .set_notation(
            SIGNER_CERTIFICATE,
            carried,
            NotationDataFlags::empty(),
            false,
        )
        .map_err(Error::openpgp)?;
    let predecessor = claims.predecessor.map(|image| image.0);
    for (name, digest) in [(PREDECESSOR, predecessor), (INDEX, claims.index)] {
        if let Some(digest) = digest {
            template = template
                .set_notation(
                    name,
                    hex::encode(digest),
                    NotationDataFlags::empty().set_human_readable(),
                    false,
                )
                .map_err(Error::openpgp)?;
        }
    }
    Ok(template)
}

/// Begins what stands before the payload: the hash that it goes into, and the serialized one-pass packet that announces the
/// signature.
///
/// RFC 9580 §5.2.4: the hash of a version 6 signature starts with its salt, which the one-pass packet tells (§5.4). A
/// version 4 signature has none; it gets a random notation when it is made, which hides the payload as well.
pub(super) fn begin(
    template: SignatureBuilder,
    pair: &KeyPair,
) -> Result<(SignatureBuilder, Context, Vec<u8>)> {
    let key = pair.public();
    let hash = HASH.context().map_err(Error::openpgp)?;
    let mut hash = hash.for_signature(key.version());
    let (template, announcement): (_, Packet) = match key.version() {
        6 => {
            let mut salt = vec![0; HASH.salt_size().map_err(Error::openpgp)?];
            openpgp::crypto::random(&mut salt).map_err(Error::openpgp)?;
            hash.update(&salt);
            let mut ops = OnePassSig6::new(SignatureType::Binary, key.fingerprint());
            ops.set_pk_algo(key.pk_algo());
            ops.set_hash_algo(HASH);
            ops.set_salt(salt.clone());
            ops.set_last(true);
            (template.set_prefix_salt(salt).0, ops.into())
        }
        _ => {
            let mut ops = OnePassSig3::new(SignatureType::Binary);
            ops.set_issuer(key.keyid());
            ops.set_pk_algo(key.pk_algo());
            ops.set_hash_algo(HASH);
            ops.set_last(true);
            (template, ops.into())
        }
    };
    let announcement = announcement.to_vec().map_err(Error::openpgp)?;
    Ok((template, hash, announcement))
}

/// Reads the statements of a signature beside the payload.
///
/// # Errors
/// [`Error::Signature`] if it says one thing twice, or names anything but a digest.
pub(super) fn claims_of(signature: &Signature) -> Result<Claims> {
    Ok(Claims {
        predecessor: digest_in(signature, PREDECESSOR, "predecessor")?.map(ImageDigest),
        index: digest_in(signature, INDEX, "index")?,
    })
}

/// The digest that a notation names, if there is one.
fn digest_in(
    signature: &Signature,
    notation: &str,
    what: &'static str,
) -> Result<Option<[u8; 32]>> {
    let mut named = signature.notation(notation);
    let (Some(value), None) = (named.next(), named.next()) else {
        return match signature.notation(notation).count() {
            0 => Ok(None),
            n => Err(Error::Signature(format!("its {what} is named {n} times"))),
        };
    };
    let mut digest = [0; 32];
    hex::decode_to_slice(value, &mut digest)
        .map_err(|_| Error::Signature(format!("its {what} is not a digest")))?;
    Ok(Some(digest))
}

/// The seal, and the bytes it is taken over.
pub(super) fn seal_of(signature: &Signature) -> Result<(Seal, Vec<u8>)> {
    let packet = Packet::from(signature.clone())
        .to_vec()
        .map_err(Error::openpgp)?;
    Ok((Seal(Sha256::digest(&packet).into()), packet))
}
