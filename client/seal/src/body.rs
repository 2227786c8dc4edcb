//! Bodies: the one encrypted container of a sealed image (format.md §4.3), signed by the radiologist inside.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::thread::ScopedJoinHandle;

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
use openpgp::types::{HashAlgorithm, SignatureType};
use sha2::{Digest, Sha256};

use super::container::{Container, Unlock};
use super::header::{CIPHER, unwrap_header};
use super::packing::{FIRST_PIECE, Packing};
use super::stages::{self, PIECE};
use super::unpacking::Unpacking;
use super::verify::{SIGNER_CERTIFICATE, verify};
use super::{BodyVersion, Certificate, Error, Result, SessionKey, UnlockedKey};
use pcim_core::buffers::Buffers;
use pcim_core::{ImageDigest, Seal};

/// Notation with the digest of the image that this one replaces, in hex.
const PREDECESSOR: &str = "predecessor@pcim.invalid";

/// The signature's hash: processors have instructions for it, and everything else here rests on it too.
const HASH: HashAlgorithm = HashAlgorithm::SHA256;
/// The most bytes of a certificate that a signature carries: the library's subpacket areas end at 64 KiB.
const CARRIED_MAX: usize = 65_000;

/// How much payload is held back, at least, until everything is verified.
const HELD_BACK: usize = 1024 * 1024;

/// The result of sealing, beside the body's bytes.
pub struct Sealed {
    /// The key that headers wrap.
    pub session_key: SessionKey,
    /// The container that the body is.
    pub version: BodyVersion,
    /// The value that the radiologist attests: the SHA-256 of the signature packet, see [`Seal`] and the module's documentation.
    pub seal: Seal,
    /// The SHA-256 of the payload.
    pub payload_sha256: [u8; 32],
    /// The payload's length in bytes.
    pub payload_len: u64,
}

/// The result of opening, beside the payload's bytes.
#[derive(Debug)]
pub struct Opened {
    /// To be compared with the attested one.
    pub seal: Seal,
    /// The signer: the certificate inside the signature, by which it verified. Trust in it comes from the
    /// attested seal, not from here.
    pub signer: Certificate,
    /// The image that this one replaces, as the signer says.
    pub predecessor: Option<ImageDigest>,
    /// The container that the body was.
    pub version: BodyVersion,
    /// The SHA-256 of the payload.
    pub payload_sha256: [u8; 32],
    /// The payload's length in bytes.
    pub payload_len: u64,
}

/// Signs and encrypts `payload` into a body (one SEIPD packet, no PKESK), streaming in bounded memory: one thread
/// reads, two hash, one encrypts.
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

    let (template, hash, announcement) = begin(template, &pair)?;
    let mut writer = BodyWriter::start(&session_key, &announcement, body)?;
    let (hash, digest) = std::thread::scope(|scope| -> Result<_> {
        let (to_sign, signing) =
            stages::fold(scope, hash, |hash: &mut Context, piece| hash.update(piece));
        let (to_digest, digesting) =
            stages::fold(scope, Sha256::new(), |digest, piece| digest.update(piece));
        for piece in stages::read(scope, payload, FIRST_PIECE) {
            let piece = piece.map_err(Error::Read)?;
            // The other ends take pieces until these are dropped.
            let _ = to_sign.send(piece.clone());
            let _ = to_digest.send(piece.clone());
            writer.write(&piece)?;
        }
        drop((to_sign, to_digest));
        Ok((joined(signing), joined(digesting)))
    })?;
    let signature = template
        .sign_hash(&mut pair, hash)
        .map_err(Error::openpgp)?;
    writer.finish(session_key, signature, digest)
}

/// Encrypts the inner packets of a body unchanged under a new session key (`--rekey`, or to change the version).
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
    let mut inner = Inner::open(body, old)?;
    let mut writer = BodyWriter::start(&session_key, &inner.announcement()?, out)?;
    let mut hash = inner.hash()?;
    let mut digest = Sha256::new();
    while let Some(piece) = inner.next()? {
        if let Some(hash) = &mut hash {
            hash.update(&piece);
        }
        digest.update(&piece);
        writer.write(&piece)?;
    }
    let (signature, _) = inner.finish(hash)?;
    writer.finish(session_key, signature, digest)
}

/// Decrypts a body, verifies the signature, writes the payload: one thread decrypts, two hash, one writes.
///
/// The last MiB is written only once everything is verified, but what was written before must be discarded by the
/// caller on error.
///
/// # Errors
/// [`Error::Damaged`] for a wrong key or changed or cut bytes; [`Error::Structure`] for anything but one signed message
/// in one container; [`Error::Signature`]; [`Error::VersionMismatch`]; [`Error::Read`] and [`Error::Write`].
pub fn open_body(
    body: &mut (dyn Read + Send + Sync),
    key: &SessionKey,
    payload: &mut (dyn Write + Send),
) -> Result<Opened> {
    let mut inner = Inner::open(body, key)?;
    let sink = &mut *payload;
    let (signature, signer, digest, payload_len) = std::thread::scope(|scope| -> Result<_> {
        let (to_verify, verifying) = inner
            .hash()?
            .map(|hash| stages::fold(scope, hash, |hash: &mut Context, piece| hash.update(piece)))
            .unzip();
        let (to_digest, digesting) =
            stages::fold(scope, Sha256::new(), |digest, piece| digest.update(piece));
        let (to_write, pieces) = stages::channel::<Bytes>();
        let writing = scope.spawn(move || {
            pieces
                .into_iter()
                .try_for_each(|piece| sink.write_all(&piece))
        });
        let mut held = Held::default();
        let mut length = 0;
        let whole = loop {
            match inner.next() {
                Ok(Some(piece)) => {
                    length += piece.len() as u64;
                    // The other ends take pieces until these are dropped.
                    let _ = to_verify.as_ref().map(|it| it.send(piece.clone()));
                    let _ = to_digest.send(piece.clone());
                    // A writer that stopped has an error to tell.
                    if held.pass(piece).any(|piece| to_write.send(piece).is_err()) {
                        break Ok(false);
                    }
                }
                Ok(None) => break Ok(true),
                Err(error) => break Err(error),
            }
        };
        drop((to_verify, to_digest));
        let hash = verifying.map(joined);
        let digest = joined(digesting);
        let good = match whole {
            Ok(true) => inner.finish(hash).map(Some),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        if matches!(good, Ok(Some(_))) {
            for piece in held.pieces {
                let _ = to_write.send(piece);
            }
        }
        drop(to_write);
        let written = joined(writing);
        let good = good?;
        written.map_err(Error::Write)?;
        let (signature, signer) = good.expect("a writer that stopped has failed");
        Ok((signature, signer, digest, length))
    })?;
    payload.flush().map_err(Error::Write)?;
    Ok(Opened {
        seal: seal_of(&signature)?.0,
        signer,
        predecessor: predecessor_of(&signature)?,
        version: key.version,
        payload_sha256: digest.finalize().into(),
        payload_len,
    })
}

/// The newest pieces, which wait.
#[derive(Default)]
struct Held {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Held {
    /// Takes a piece; gives those that need not wait any longer.
    fn pass(&mut self, piece: Bytes) -> impl Iterator<Item = Bytes> {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
        std::iter::from_fn(|| {
            let first = self.pieces.front()?.len();
            if self.bytes - first < HELD_BACK {
                return None;
            }
            self.bytes -= first;
            self.pieces.pop_front()
        })
    }
}

/// The inner packets of a body, of either version.
enum Inner<'a> {
    /// The library reads, hashes and verifies.
    V1(Box<Container<'a>>, Buffers),
    V2(Box<Unpacking<'a>>),
}

impl<'a> Inner<'a> {
    fn open(body: &'a mut (dyn Read + Send + Sync), key: &'a SessionKey) -> Result<Self> {
        Ok(match key.version {
            BodyVersion::V1 => {
                let container = Container::open(body, Unlock::Body(key))?;
                Self::V1(Box::new(container), Buffers::default())
            }
            BodyVersion::V2 => Self::V2(Box::new(Unpacking::open(body, key)?)),
        })
    }

    fn announcement(&self) -> Result<Vec<u8>> {
        match self {
            Self::V1(container, _) => container.announcement(),
            Self::V2(unpacking) => unpacking.announcement(),
        }
    }

    /// Returns the hash that the pieces go into, if they must, for [`finish`](Self::finish).
    fn hash(&self) -> Result<Option<Context>> {
        match self {
            Self::V1(..) => Ok(None),
            Self::V2(unpacking) => unpacking.hash().map(Some),
        }
    }

    /// More of the payload.
    fn next(&mut self) -> Result<Option<Bytes>> {
        match self {
            Self::V1(container, buffers) => {
                let mut buffer = buffers.take(PIECE);
                let read = container.read(&mut buffer)?;
                Ok((read > 0).then(|| buffers.lend(buffer, read)))
            }
            Self::V2(unpacking) => unpacking.next(),
        }
    }

    /// The signature and its signer, if everything is good.
    fn finish(self, hash: Option<Context>) -> Result<(Signature, Certificate)> {
        match (self, hash) {
            (Self::V1(container, _), _) => {
                let contents = container.finish()?;
                let signer = contents.signer;
                let nobody = || Error::Signature("nobody's".to_owned());
                Ok((contents.signature, signer.ok_or_else(nobody)?))
            }
            (Self::V2(unpacking), Some(hash)) => {
                let signature = unpacking.finish()?;
                let signer = verify(&signature, hash)?;
                Ok((signature, signer))
            }
            (Self::V2(_), None) => Err(Error::Signature("nothing was hashed".to_owned())),
        }
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().expect("hashing and writing do not panic")
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

/// Prepares what the signature will say: binary, its signer, and the image that this one replaces. Notations are hashed and not critical, so
/// that other software verifies it too; no intended recipient, so that later readers can.
fn template(signer: &Certificate, predecessor: Option<ImageDigest>) -> Result<SignatureBuilder> {
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

/// Begins what stands before the payload: the hash that it goes into, and the serialized one-pass packet that announces the
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
    packets: Packets<'a>,
    len: u64,
}

enum Packets<'a> {
    /// The library's literal.
    V1(Message<'a>),
    V2(Packing<'a>),
}

impl<'a> BodyWriter<'a> {
    fn start(
        key: &SessionKey,
        announcement: &[u8],
        out: &'a mut (dyn Write + Send + Sync),
    ) -> Result<Self> {
        let packets = match key.version {
            BodyVersion::V1 => {
                let secret = key.secret.clone();
                let encryptor = Encryptor::with_session_key(Message::new(out), CIPHER, secret);
                let encryptor = encryptor.map_err(Error::openpgp)?;
                let mut message = Error::writing(encryptor.build())?;
                message.write_all(announcement).map_err(Error::Write)?;
                Packets::V1(Error::writing(LiteralWriter::new(message).build())?)
            }
            BodyVersion::V2 => Packets::V2(Packing::start(key, announcement, out)?),
        };
        Ok(Self { packets, len: 0 })
    }

    fn write(&mut self, data: &[u8]) -> Result<()> {
        self.len += data.len() as u64;
        match &mut self.packets {
            Packets::V1(literal) => literal.write_all(data).map_err(Error::Write),
            Packets::V2(packing) => packing.put(data),
        }
    }

    fn finish(
        self,
        session_key: SessionKey,
        signature: Signature,
        digest: Sha256,
    ) -> Result<Sealed> {
        let (seal, packet) = seal_of(&signature)?;
        match self.packets {
            Packets::V1(literal) => {
                let mut message = Error::writing(literal.finalize_one())?
                    .expect("the encryptor lies under the literal");
                message.write_all(&packet).map_err(Error::Write)?;
                Error::writing(message.finalize())?;
            }
            Packets::V2(packing) => packing.finish(&packet)?,
        }
        Ok(Sealed {
            version: session_key.version,
            session_key,
            seal,
            payload_sha256: digest.finalize().into(),
            payload_len: self.len,
        })
    }
}
