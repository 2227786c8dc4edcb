//! Headers: the PKESK packets that wrap a body's session key to one reader (RFC 9580 §5.1, format.md §4.2).

use std::fmt;

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::packet::pkesk::{PKESK3, PKESK6};
use openpgp::packet::{PKESK, Tag};
use openpgp::parse::{PacketParser, PacketParserResult, Parse};
use openpgp::serialize::MarshalInto;
use openpgp::types::SymmetricAlgorithm;

use pcim_core::Secret;
use zeroize::Zeroizing;

use super::cert::{is_post_quantum, unusable};
use super::{BodyVersion, Certificate, Error, Result, UnlockedKey, Unusable};

/// The most bytes that a header may have.
pub(super) const HEADER_MAX: usize = 4096;

/// The cipher of every body.
pub(super) const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;
const KEY_BYTES: usize = 32;

/// The session key of a sealed body, with the container that it is for; zeroized on drop, never printed.
#[derive(Clone)]
pub struct SessionKey {
    pub(super) secret: openpgp::crypto::SessionKey,
    pub(super) version: BodyVersion,
}

impl SessionKey {
    /// A fresh random key.
    pub(super) fn random(version: BodyVersion) -> Result<Self> {
        Ok(Self {
            secret: openpgp::crypto::SessionKey::new(KEY_BYTES).map_err(Error::openpgp)?,
            version,
        })
    }

    /// Returns the container that the key is for.
    pub fn version(&self) -> BodyVersion {
        self.version
    }

    /// Copies the key's bytes, to be cut into shares.
    ///
    /// # Panics
    /// Never: a key has 32 bytes wherever it comes from.
    pub fn to_secret(&self) -> Secret {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(&self.secret);
        Secret::new(*bytes)
    }

    /// Makes a key of the bytes that shares gave back.
    #[must_use]
    pub fn from_secret(secret: &Secret, version: BodyVersion) -> Self {
        Self {
            secret: openpgp::crypto::SessionKey::from(&secret.expose()[..]),
            version,
        }
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// Makes a header: the PKESK packet that wraps the session key to `reader`'s newest encryption key
/// (PKESK v6 for a SEIPDv2 body, v3 for SEIPDv1), anonymous: holders of the block do not learn whose it is.
///
/// # Errors
/// [`Error::VersionMismatch`] if `version` is not the key's; [`Error::Unusable`] if the certificate is invalid,
/// expired, revoked, has no encryption key, or lacks SEIPDv2 when that is wanted.
pub fn header_for(key: &SessionKey, version: BodyVersion, reader: &Certificate) -> Result<Vec<u8>> {
    if key.version != version {
        return Err(Error::VersionMismatch {
            key: key.version,
            body: version,
        });
    }
    let recipient = reader.encryption_key()?;
    let pkesk: PKESK = match version {
        BodyVersion::V2 if !reader.accepts_v2() => {
            return Err(unusable(&reader.0, Unusable::LacksSeipdV2));
        }
        BodyVersion::V2 => {
            let mut pkesk =
                PKESK6::for_recipient(&key.secret, recipient.key()).map_err(Error::openpgp)?;
            pkesk.set_recipient(None);
            pkesk.into()
        }
        BodyVersion::V1 => {
            let mut pkesk = PKESK3::for_recipient(CIPHER, &key.secret, recipient.key())
                .map_err(Error::openpgp)?;
            pkesk.set_recipient(None);
            pkesk.into()
        }
    };
    let header = Packet::from(pkesk).to_vec().map_err(Error::openpgp)?;
    check_size(&header)?;
    Ok(header)
}

/// Takes the session key out of a header; strict: PKESK packets of one version and nothing else, at most 4 KiB.
///
/// # Errors
/// [`Error::TooLarge`] and [`Error::Header`] for anything that is not a header, for every reader;
/// [`Error::NotForReader`] if none of its packets is for this key.
pub fn unwrap_header(header: &[u8], reader: &UnlockedKey) -> Result<(SessionKey, BodyVersion)> {
    let (pkesks, version) = parse(header)?;
    let hint = match version {
        BodyVersion::V1 => None,
        BodyVersion::V2 => Some(CIPHER),
    };
    let secret = unwrap(&pkesks, reader, hint)
        .find(|(cipher, secret)| {
            // A v3 packet says which cipher its key is for, a v6 packet leaves that to the body.
            secret.len() == KEY_BYTES && (version == BodyVersion::V2 || *cipher == Some(CIPHER))
        })
        .map(|(_, secret)| secret)
        .ok_or_else(|| Error::NotForReader {
            fingerprint: reader.0.fingerprint().to_hex(),
        })?;
    Ok((SessionKey { secret, version }, version))
}

/// Checks, without any key, that the bytes are a header (format.md §4.2), and tells for which container.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Header`].
pub fn check_header(header: &[u8]) -> Result<BodyVersion> {
    parse(header).map(|(_, version)| version)
}

/// Tells, without any key, whether a header stays shut when X25519 falls: every packet of it is for a key that combines ML-KEM
/// with a curve.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Header`].
pub fn is_post_quantum_header(header: &[u8]) -> Result<bool> {
    let (pkesks, _) = parse(header)?;
    Ok(pkesks.iter().all(|it| is_post_quantum(it.pk_algo())))
}

/// Every session key that one of the reader's keys takes out of the packets, lazily.
pub(super) fn unwrap(
    pkesks: &[PKESK],
    reader: &UnlockedKey,
    hint: Option<SymmetricAlgorithm>,
) -> impl Iterator<Item = (Option<SymmetricAlgorithm>, openpgp::crypto::SessionKey)> {
    pkesks.iter().flat_map(move |pkesk| {
        reader
            .decryptors()
            .filter(|pair| {
                pkesk
                    .recipient()
                    .is_none_or(|wanted| wanted.aliases(pair.public().key_handle()))
            })
            .filter_map(move |mut pair| pkesk.decrypt(&mut pair, hint))
    })
}

fn check_size(header: &[u8]) -> Result<()> {
    if header.len() > HEADER_MAX {
        return Err(Error::TooLarge {
            what: "header",
            found: header.len(),
            max: HEADER_MAX,
        });
    }
    Ok(())
}

fn parse(header: &[u8]) -> Result<(Vec<PKESK>, BodyVersion)> {
    let refuse = |what: String| Error::Header(what);
    check_size(header)?;
    let mut pkesks = Vec::new();
    let mut rest =
        PacketParser::from_bytes(header).map_err(|_| refuse("not an OpenPGP packet".to_owned()))?;
    while let PacketParserResult::Some(packet) = rest {
        let (packet, next) = packet
            .next()
            .map_err(|_| refuse("cut or malformed".to_owned()))?;
        match packet {
            Packet::PKESK(pkesk) => pkesks.push(pkesk),
            other => return Err(refuse(format!("holds a {} packet", other.tag()))),
        }
        rest = next;
    }
    let version = match pkesks.first().map(PKESK::version) {
        None => return Err(refuse("holds no packet".to_owned())),
        Some(3) => BodyVersion::V1,
        Some(6) => BodyVersion::V2,
        Some(other) => return Err(refuse(format!("holds a version {other} {}", Tag::PKESK))),
    };
    if pkesks.iter().any(|p| p.version() != pkesks[0].version()) {
        return Err(refuse("mixes packet versions".to_owned()));
    }
    // One spelling only: what another parser could read differently is not a header.
    let mut canonical = Vec::with_capacity(header.len());
    for pkesk in &pkesks {
        canonical.extend(
            Packet::from(pkesk.clone())
                .to_vec()
                .map_err(Error::openpgp)?,
        );
    }
    if canonical != header {
        return Err(refuse("not in canonical form".to_owned()));
    }
    Ok((pkesks, version))
}
