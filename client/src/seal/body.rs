//! Bodies: the one encrypted container of a sealed image (protocol §4), signed by the radiologist inside.

use std::io::{self, Read, Write};

use bytes::Bytes;
use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::crypto::KeyPair;
use openpgp::crypto::hash::Context;
use openpgp::packet::Signature;
use openpgp::packet::one_pass_sig::{OnePassSig3, OnePassSig6};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::signature::subpacket::NotationDataFlags;
use openpgp::serialize::MarshalInto;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
use openpgp::types::{AEADAlgorithm, HashAlgorithm, SignatureType};
use sha2::{Digest, Sha256};

use super::container::{Container, Contents, SIGNER_CERTIFICATE, Unlock};
use super::header::{CIPHER, unwrap_header};
use super::stages;
use super::{BodyVersion, Certificate, Error, Result, SessionKey, UnlockedKey};
use crate::domain::{ImageDigest, Seal};

/// Notation with the digest of the image that this one replaces, in hex.
const PREDECESSOR: &str = "predecessor@pcim.invalid";

/// The signature's hash: processors have instructions for it, and everything else here rests on it too.
const HASH: HashAlgorithm = HashAlgorithm::SHA256;

/// How much payload is moved at a time.
const STEP_BYTES: usize = 256 * 1024;

/// What sealing yields beside the body's bytes.
pub struct Sealed {
    /// What headers wrap.
    pub session_key: SessionKey,
    /// Which container the body is.
    pub version: BodyVersion,
    /// What the radiologist attests: the SHA-256 of the signature packet, see [`Seal`] and the module's documentation.
    pub seal: Seal,
    /// The SHA-256 of the payload.
    pub payload_sha256: [u8; 32],
    /// The payload's length in bytes.
    pub payload_len: u64,
}

/// What opening yields beside the payload's bytes.
#[derive(Debug)]
pub struct Opened {
    /// To be compared with the attested one.
    pub seal: Seal,
    /// Whose signature it is: the certificate inside the signature, by which it verified. Trust in it comes from the
    /// attested seal, not from here.
    pub signer: Certificate,
    /// The image that this one replaces, as the signer says.
    pub predecessor: Option<ImageDigest>,
    /// Which container the body was.
    pub version: BodyVersion,
    /// The SHA-256 of the payload.
    pub payload_sha256: [u8; 32],
    /// The payload's length in bytes.
    pub payload_len: u64,
}

/// Signs and encrypts `payload` into a body (one SEIPD packet, no PKESK), streaming in bounded memory: it is read, hashed
/// and encrypted by a thread each.
///
/// # Errors
/// [`Error::Unusable`] before the first byte if the key cannot sign now; [`Error::Read`] and [`Error::Write`] for either end.
pub fn seal_body(
    payload: &mut (dyn Read + Send),
    signer: &UnlockedKey,
    predecessor: Option<ImageDigest>,
    version: BodyVersion,
    body: &mut (dyn Write + Send + Sync),
) -> Result<Sealed> {
    let mut pair = signer.signer()?;
    let template = template(&signer.certificate(), predecessor)?;
    let session_key = SessionKey::random(version)?;

    let (template, mut hash, announcement) = begin(template, &pair)?;
    let mut writer = BodyWriter::start(&session_key, &announcement, body)?;
    let (hash, digest) = std::thread::scope(|scope| -> Result<_> {
        let (to_hash, pieces) = stages::channel::<Bytes>();
        let hashing = scope.spawn(move || {
            let mut digest = Sha256::new();
            for piece in pieces {
                hash.update(&piece);
                digest.update(&piece);
            }
            (hash, digest)
        });
        for piece in stages::read(scope, payload) {
            let piece = piece.map_err(Error::Read)?;
            // The other end is taken until this one is dropped.
            let _ = to_hash.send(piece.clone());
            writer.write(&piece)?;
        }
        drop(to_hash);
        Ok(hashing.join().expect("hashing does not fail"))
    })?;
    let signature = template
        .sign_hash(&mut pair, hash)
        .map_err(Error::openpgp)?;
    writer.finish(session_key, signature, digest)
}

/// Re-encrypts the inner packets of a body unchanged under a new session key (`--rekey`, or to change the version).
///
/// The one-pass signature, the payload and the signature stay as they are, so the seal stays too; the body is verified
/// on the way. The caller must discard what was written on error.
///
/// # Errors
/// As [`open_body`].
pub fn reseal_body(
    body: &mut (dyn Read + Send + Sync),
    old: &SessionKey,
    version: BodyVersion,
    out: &mut (dyn Write + Send + Sync),
) -> Result<Sealed> {
    let session_key = SessionKey::random(version)?;
    let mut container = Container::open(body, Unlock::Body(old))?;
    let mut writer = BodyWriter::start(&session_key, &container.announcement()?, out)?;
    let mut digest = Sha256::new();
    let mut step = vec![0; STEP_BYTES];
    loop {
        match container.read(&mut step)? {
            0 => break,
            n => {
                digest.update(&step[..n]);
                writer.write(&step[..n])?;
            }
        }
    }
    writer.finish(session_key, container.finish()?.signature, digest)
}

/// Decrypts a body, verifies the signature, writes the payload: one thread decrypts, another one hashes and writes.
///
/// At least the last MiB is written only once everything is verified, but what was written before must be discarded by
/// the caller on error.
///
/// # Errors
/// [`Error::Damaged`] for a wrong key or changed or cut bytes; [`Error::Structure`] for anything but one signed message
/// in one container; [`Error::Signature`]; [`Error::VersionMismatch`]; [`Error::Read`] and [`Error::Write`].
pub fn open_body(
    body: &mut (dyn Read + Send + Sync),
    key: &SessionKey,
    payload: &mut (dyn Write + Send),
) -> Result<Opened> {
    let mut container = Container::open(body, Unlock::Body(key))?;
    let sink = &mut *payload;
    let (digest, payload_len) = std::thread::scope(|scope| -> Result<_> {
        let (to_write, pieces) = stages::channel::<(Vec<u8>, usize)>();
        let (used, to_fill) = std::sync::mpsc::channel();
        let writing = scope.spawn(move || {
            let (mut digest, mut length) = (Sha256::new(), 0);
            for (step, filled) in pieces {
                let piece = &step[..filled];
                digest.update(piece);
                length += filled as u64;
                sink.write_all(piece)?;
                // Nobody needs it any more after the last piece.
                let _ = used.send(step);
            }
            io::Result::Ok((digest, length))
        });
        let decrypted = loop {
            // A few buffers go round, which stay in the processor's cache.
            let mut step = to_fill.try_recv().unwrap_or_else(|_| vec![0; STEP_BYTES]);
            let n = match container.read(&mut step) {
                Ok(0) => break Ok(()),
                Ok(n) => n,
                Err(error) => break Err(error),
            };
            // A writer that stopped has an error to tell.
            if to_write.send((step, n)).is_err() {
                break Ok(());
            }
        };
        drop(to_write);
        let written = writing.join().expect("hashing and writing do not panic");
        decrypted.and(written.map_err(Error::Write))
    })?;
    let Contents {
        version,
        signature,
        signer,
    } = container.finish()?;
    payload.flush().map_err(Error::Write)?;
    Ok(Opened {
        seal: seal_of(&signature)?.0,
        signer: signer.ok_or_else(|| Error::Signature("nobody's".to_owned()))?,
        predecessor: predecessor_of(&signature)?,
        version,
        payload_sha256: digest.finalize().into(),
        payload_len,
    })
}

/// Opens a sealed root with the reader's key alone: [`unwrap_header`], then [`open_body`].
///
/// # Errors
/// Those of both.
pub fn open_sealed(
    header: &[u8],
    body: &mut (dyn Read + Send + Sync),
    reader: &UnlockedKey,
    payload: &mut (dyn Write + Send),
) -> Result<Opened> {
    let (key, _) = unwrap_header(header, reader)?;
    open_body(body, &key, payload)
}

/// What the signature will say: binary, who signed, and what it replaces. Notations are hashed and not critical, so
/// that other software verifies it too; no intended recipient, so that later readers can.
fn template(signer: &Certificate, predecessor: Option<ImageDigest>) -> Result<SignatureBuilder> {
    let mut template = SignatureBuilder::new(SignatureType::Binary)
        .set_notation(
            SIGNER_CERTIFICATE,
            signer.to_published_bytes(),
            NotationDataFlags::empty(),
            false,
        )
        .map_err(Error::openpgp)?;
    if let Some(image) = predecessor {
        template = template
            .set_notation(
                PREDECESSOR,
                hex::encode(image.0),
                NotationDataFlags::empty().set_human_readable(),
                false,
            )
            .map_err(Error::openpgp)?;
    }
    Ok(template)
}

/// What stands before the payload: the hash that it goes into, and the serialized one-pass packet that announces the
/// signature.
///
/// RFC 9580 §5.2.4: the hash of a version 6 signature starts with its salt, which the one-pass packet tells (§5.4). A
/// version 4 signature has none; it gets a random notation when it is made, which hides the payload as well.
fn begin(
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

fn predecessor_of(signature: &Signature) -> Result<Option<ImageDigest>> {
    let mut named = signature.notation(PREDECESSOR);
    let (Some(value), None) = (named.next(), named.next()) else {
        return match signature.notation(PREDECESSOR).count() {
            0 => Ok(None),
            n => Err(Error::Signature(format!("it names {n} predecessors"))),
        };
    };
    let mut digest = [0; 32];
    hex::decode_to_slice(value, &mut digest)
        .map_err(|_| Error::Signature("its predecessor is not a digest".to_owned()))?;
    Ok(Some(ImageDigest(digest)))
}

/// The seal, and the bytes it is taken over.
fn seal_of(signature: &Signature) -> Result<(Seal, Vec<u8>)> {
    let packet = Packet::from(signature.clone())
        .to_vec()
        .map_err(Error::openpgp)?;
    Ok((Seal(Sha256::digest(&packet).into()), packet))
}

/// Writes one SEIPD packet around a one-pass signature, a literal and a signature.
struct BodyWriter<'a> {
    literal: Message<'a>,
    len: u64,
}

impl<'a> BodyWriter<'a> {
    fn start(
        key: &SessionKey,
        announcement: &[u8],
        out: &'a mut (dyn Write + Send + Sync),
    ) -> Result<Self> {
        let mut encryptor =
            Encryptor::with_session_key(Message::new(out), CIPHER, key.secret.clone())
                .map_err(Error::openpgp)?;
        if key.version == BodyVersion::V2 {
            encryptor = encryptor.aead_algo(AEADAlgorithm::OCB);
        }
        let mut message = Error::writing(encryptor.build())?;
        message.write_all(announcement).map_err(Error::Write)?;
        Ok(Self {
            literal: Error::writing(LiteralWriter::new(message).build())?,
            len: 0,
        })
    }

    fn write(&mut self, data: &[u8]) -> Result<()> {
        self.len += data.len() as u64;
        self.literal.write_all(data).map_err(Error::Write)
    }

    fn finish(
        self,
        session_key: SessionKey,
        signature: Signature,
        digest: Sha256,
    ) -> Result<Sealed> {
        let (seal, packet) = seal_of(&signature)?;
        let mut message = Error::writing(self.literal.finalize_one())?
            .expect("the encryptor lies under the literal");
        message.write_all(&packet).map_err(Error::Write)?;
        Error::writing(message.finalize())?;
        Ok(Sealed {
            version: session_key.version,
            session_key,
            seal,
            payload_sha256: digest.finalize().into(),
            payload_len: self.len,
        })
    }
}
