//! Reads one encrypted container of exactly one signed literal, packet by packet, in bounded memory: documents, and bodies of
//! version 1. Those of version 2 are read by [`Unpacking`](super::unpacking::Unpacking).

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use sequoia_openpgp as openpgp;

use openpgp::crypto::SessionKey as Secret;
use openpgp::packet::header::BodyLength;
use openpgp::packet::{PKESK, SEIP, SKESK, Signature};
use openpgp::parse::PacketParser;
use openpgp::parse::Parse;
use openpgp::parse::stream::{
    DecryptionHelper, Decryptor, DecryptorBuilder, MessageLayer, MessageStructure,
    VerificationHelper,
};
use openpgp::serialize::MarshalInto;
use openpgp::types::{AEADAlgorithm, SymmetricAlgorithm};
use openpgp::{Cert, KeyHandle, Packet};

use super::cert::POLICY;
use super::header::{CIPHER, unwrap};
use super::verify::carried;
use super::{BodyVersion, Certificate, Error, Result, SessionKey, UnlockedKey};

/// The fewest bytes of a container: a one-pass signature, a literal and a signature take more. The decryptor relies on
/// what is shorter having been refused.
pub(super) const CONTAINER_MIN: usize = 100;

/// How much plaintext is held back until the container and the signature are known to be good.
const BUFFER_BYTES: usize = 1024 * 1024;

/// How a container is opened.
pub(super) enum Unlock<'k> {
    /// With the session key, and no PKESK packet before the container. The signature must verify by the
    /// certificate that it carries.
    Body(&'k SessionKey),
    /// With PKESK packets before the container. The signature is handed out unverified.
    Document(&'k UnlockedKey),
}

/// A container being read: the literal's data are to be read to their end, then [`finish`](Self::finish) tells whether
/// they were good.
pub(super) struct Container<'a> {
    decryptor: Decryptor<'a, Helper<'a>>,
    trouble: Trouble,
}

/// The contents of a container beside the literal's data.
pub(super) struct Contents {
    pub(super) signature: Signature,
    /// The certificate that the signature carries; verified for [`Unlock::Body`].
    pub(super) signer: Option<Certificate>,
}

impl<'a> Container<'a> {
    /// Opens the container up to the literal's data.
    pub(super) fn open(
        source: &'a mut (dyn Read + Send + Sync),
        unlock: Unlock<'a>,
    ) -> Result<Self> {
        let trouble = Trouble::default();
        let helper = Helper {
            unlock,
            trouble: trouble.clone(),
            stage: Stage::Start,
            version: None,
            announcement: None,
            signature: None,
            signer: None,
        };
        let mut source = Source {
            inner: source,
            trouble: trouble.clone(),
        };
        let mut start = Vec::new();
        let read = source
            .by_ref()
            .take(CONTAINER_MIN as u64)
            .read_to_end(&mut start);
        if read.map_err(|e| trouble.or(Error::Read(e)))? < CONTAINER_MIN {
            return Err(Error::Structure {
                wanted: "a whole message",
                found: format!("{} bytes", start.len()),
            });
        }
        let source = io::Cursor::new(start).chain(source);
        let decryptor = DecryptorBuilder::from_reader(source)
            .map(|builder| builder.buffer_size(BUFFER_BYTES))
            .and_then(|builder| builder.with_policy(&POLICY, None, helper))
            .map_err(|e| trouble.or(Error::Damaged(e.into())))?;
        Ok(Self { decryptor, trouble })
    }

    /// The one-pass signature packet that announced the signature, as serialized.
    pub(super) fn announcement(&self) -> Result<Vec<u8>> {
        let ops = self.decryptor.helper_ref().announcement.as_ref();
        ops.ok_or_else(|| Error::Signature("none is announced".to_owned()))?
            .to_vec()
            .map_err(Error::openpgp)
    }

    /// Reads on; 0 is the end of the literal's data.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        loop {
            match self.decryptor.read(buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.trouble.or(Error::Damaged(e.into()))),
                Ok(n) => return Ok(n),
            }
        }
    }

    /// Confirms, after the last byte, that the container was whole, held nothing else, and that the signature is good.
    pub(super) fn finish(self) -> Result<Contents> {
        let complete = self.decryptor.message_processed();
        let helper = self.decryptor.into_helper();
        match (helper.stage, helper.signature) {
            (Stage::Checked, Some(signature)) if complete => Ok(Contents {
                signature,
                signer: helper.signer,
            }),
            _ => Err(self.trouble.or(Error::Structure {
                wanted: "one whole signed message",
                found: "a part of one".to_owned(),
            })),
        }
    }
}

/// Where our own errors wait while the library passes its own upwards.
#[derive(Clone, Default)]
struct Trouble(Arc<Mutex<Option<Error>>>);

impl Trouble {
    fn note(&self, error: Error) {
        self.lock().get_or_insert(error);
    }

    fn or(&self, otherwise: Error) -> Error {
        self.lock().take().unwrap_or(otherwise)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells failures of the input from failures of decryption.
struct Source<'a> {
    inner: &'a mut (dyn Read + Send + Sync),
    trouble: Trouble,
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).map_err(|e| {
            let kind = e.kind();
            if kind != io::ErrorKind::Interrupted {
                self.trouble.note(Error::Read(e));
            }
            kind.into()
        })
    }
}

/// The packet that came last; the order is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Encrypted,
    Announced,
    Literal,
    Signed,
    Sealed,
    Checked,
}

struct Helper<'k> {
    unlock: Unlock<'k>,
    trouble: Trouble,
    stage: Stage,
    version: Option<BodyVersion>,
    announcement: Option<Packet>,
    signature: Option<Signature>,
    signer: Option<Certificate>,
}

impl Helper<'_> {
    fn fail<T>(&self, error: Error) -> openpgp::Result<T> {
        self.trouble.note(error);
        Err(openpgp::Error::MalformedMessage("refused".to_owned()).into())
    }

    fn container(&mut self, seip: &SEIP, length: &BodyLength) -> Result<()> {
        // RFC 9580 §4.2.1.4: the first part of a packet in parts has 512 octets or more.
        match length {
            BodyLength::Full(n) if *n as usize >= CONTAINER_MIN => (),
            BodyLength::Partial(n) if *n >= 512 => (),
            other => {
                return Err(Error::Structure {
                    wanted: "a container of sufficient length",
                    found: format!("{other:?}"),
                });
            }
        }
        let version = match seip {
            SEIP::V1(_) => BodyVersion::V1,
            SEIP::V2(v2)
                if v2.symmetric_algo() == CIPHER && v2.aead() == AEADAlgorithm::OCB
                    || matches!(self.unlock, Unlock::Document(_)) =>
            {
                BodyVersion::V2
            }
            SEIP::V2(v2) => {
                return Err(Error::Structure {
                    wanted: "a SEIPDv2 body with AES-256 and OCB",
                    found: format!("{} and {}", v2.symmetric_algo(), v2.aead()),
                });
            }
            other => {
                return Err(Error::Structure {
                    wanted: "a SEIPD packet of version 1 or 2",
                    found: format!("version {}", other.version()),
                });
            }
        };
        match self.unlock {
            Unlock::Body(key) if key.version != version => Err(Error::VersionMismatch {
                key: key.version,
                body: version,
            }),
            _ => {
                self.version = Some(version);
                Ok(())
            }
        }
    }
}

impl VerificationHelper for Helper<'_> {
    /// Admits `[PKESK…] SEIPD[OPS, Literal, Signature, [MDC]]` and nothing else, before a byte of it is used.
    fn inspect(&mut self, pp: &PacketParser<'_>) -> openpgp::Result<()> {
        let document = matches!(self.unlock, Unlock::Document(_));
        let next = match (self.stage, pp.recursion_depth(), &pp.packet) {
            (Stage::Start, 0, Packet::PKESK(_)) if document => Stage::Start,
            (Stage::Start, 0, Packet::SEIP(seip)) => {
                match self.container(seip, pp.header().length()) {
                    Ok(()) => Stage::Encrypted,
                    Err(e) => return self.fail(e),
                }
            }
            (Stage::Encrypted, 1, Packet::OnePassSig(_)) => {
                self.announcement = Some(pp.packet.clone());
                Stage::Announced
            }
            (Stage::Announced, 1, Packet::Literal(_)) => Stage::Literal,
            (Stage::Literal, 1, Packet::Signature(signature)) => {
                self.signature = Some(signature.clone());
                if self.version == Some(BodyVersion::V1) {
                    Stage::Signed
                } else {
                    Stage::Sealed
                }
            }
            #[allow(deprecated)]
            (Stage::Signed, 1, Packet::MDC(_)) => Stage::Sealed,
            (stage, depth, packet) => {
                return self.fail(Error::Structure {
                    wanted: match stage {
                        Stage::Start => "one encrypted container (SEIPD)",
                        Stage::Encrypted => "a one-pass signature",
                        Stage::Announced => "literal data",
                        Stage::Literal => "one signature",
                        Stage::Signed => "a modification detection code",
                        Stage::Sealed | Stage::Checked => "the end",
                    },
                    found: format!("a {} packet at depth {depth}", packet.tag()),
                });
            }
        };
        self.stage = next;
        Ok(())
    }

    fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        if matches!(self.unlock, Unlock::Document(_)) {
            return Ok(Vec::new());
        }
        let none = || Error::Signature("there is none".to_owned());
        match self.signature.as_ref().ok_or_else(none).and_then(carried) {
            Ok(signer) => Ok(vec![self.signer.insert(signer).0.clone()]),
            Err(e) => self.fail(e),
        }
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        if self.stage != Stage::Sealed {
            return self.fail(Error::Structure {
                wanted: "one whole signed message",
                found: format!("its end after stage {:?}", self.stage),
            });
        }
        if matches!(self.unlock, Unlock::Body(_)) {
            let results: Vec<_> = structure
                .iter()
                .filter_map(|layer| match layer {
                    MessageLayer::SignatureGroup { results } => Some(results),
                    _ => None,
                })
                .flatten()
                .collect();
            match results.as_slice() {
                [Ok(_)] => (),
                [Err(e)] => return self.fail(Error::Signature(e.to_string())),
                many => {
                    return self.fail(Error::Signature(format!(
                        "wanted 1 signature, found {}",
                        many.len()
                    )));
                }
            }
        }
        self.stage = Stage::Checked;
        Ok(())
    }
}

impl DecryptionHelper for Helper<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _: &[SKESK],
        hint: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &Secret) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        match self.unlock {
            Unlock::Body(key) => {
                decrypt(Some(CIPHER), &key.secret);
                Ok(None)
            }
            Unlock::Document(reader) => {
                let mut wrapped = false;
                for (cipher, secret) in unwrap(pkesks, reader, hint) {
                    wrapped = true;
                    if decrypt(cipher, &secret) {
                        return Ok(Some(reader.certificate().0));
                    }
                }
                if wrapped {
                    return Ok(None);
                }
                self.fail(Error::NotForReader {
                    fingerprint: reader.0.fingerprint().to_hex(),
                })
            }
        }
    }
}
