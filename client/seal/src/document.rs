//! Small documents: encrypted and signed (handovers, requests), and detached signatures (contact cards).

use std::fmt;
use std::io::Write;

use sequoia_openpgp as openpgp;

use openpgp::cert::Preferences;
use openpgp::packet::Signature;
use openpgp::parse::stream::{
    DetachedVerifierBuilder, MessageLayer, MessageStructure, VerificationHelper,
};
use openpgp::parse::{PacketParser, PacketParserResult, Parse};
use openpgp::serialize::MarshalInto;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message, Recipient, Signer};
use openpgp::{Cert, Fingerprint, KeyHandle, Packet};
use zeroize::Zeroizing;

use super::cert::{POLICY, usable};
use super::container::{CONTAINER_MIN, Container, Unlock};
use super::header::CIPHER;
use super::{Certificate, Error, Result, UnlockedKey};

/// The most bytes of a document.
pub const DOCUMENT_MAX: usize = 1024 * 1024;
/// The most bytes of an encrypted document: wrapping takes a few per mille, and a header for each reader.
const SEALED_MAX: usize = DOCUMENT_MAX + 256 * 1024;
/// The most bytes of a detached signature.
pub(super) const DETACHED_MAX: usize = 64 * 1024;

/// A decrypted document whose signature has not been verified yet.
///
/// It yields its text for good only to [`verify`](Self::verify). A self-contained document (a handover that holds its
/// signer's card) is verified in two steps: take the certificate out of [`peek`](Self::peek), decide whether to trust
/// it, then `verify` with it.
pub struct Unverified {
    plain: Zeroizing<Vec<u8>>,
    signature: Signature,
    reader: Fingerprint,
}

impl Unverified {
    /// Returns the text, vouched for by nobody: to look for the signer's certificate in it and for nothing else.
    pub fn peek(&self) -> &[u8] {
        &self.plain
    }

    /// Returns the text if `signer` signed it for this reader.
    ///
    /// # Errors
    /// [`Error::Signature`].
    pub fn verify(self, signer: &Certificate) -> Result<Vec<u8>> {
        let mut intended = self.signature.intended_recipients().peekable();
        if intended.peek().is_some() && !intended.any(|fingerprint| *fingerprint == self.reader) {
            return Err(Error::Signature(
                "it was made for another reader".to_owned(),
            ));
        }
        let signature = Packet::from(self.signature.clone())
            .to_vec()
            .map_err(Error::openpgp)?;
        verify_detached(&self.plain, &signature, signer)?;
        Ok(self.plain.to_vec())
    }
}

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unverified({} bytes)", self.plain.len())
    }
}

/// Encrypts a small document (at most 1 MiB) to `readers`, signed by `signer` for these readers only.
///
/// The message is SEIPDv2 if every reader accepts that, else SEIPDv1; binary.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::NoReaders`], [`Error::Unusable`] for the signer or any reader.
pub fn encrypt_document(
    plain: &[u8],
    signer: &UnlockedKey,
    readers: &[&Certificate],
) -> Result<Vec<u8>> {
    encrypt(plain, signer, readers, true)
}

/// Encrypts as [`encrypt_document`] to one reader, whom the message does not name: its holders do not learn whose it is.
///
/// # Errors
/// As [`encrypt_document`].
pub fn encrypt_document_anonymously(
    plain: &[u8],
    signer: &UnlockedKey,
    reader: &Certificate,
) -> Result<Vec<u8>> {
    encrypt(plain, signer, &[reader], false)
}

/// Encrypts a document; its readers' keys are `named` in it, or not.
fn encrypt(
    plain: &[u8],
    signer: &UnlockedKey,
    readers: &[&Certificate],
    named: bool,
) -> Result<Vec<u8>> {
    check_size("document", plain.len(), DOCUMENT_MAX)?;
    if readers.is_empty() {
        return Err(Error::NoReaders);
    }
    let pair = signer.signer()?;
    let mut recipients = Vec::new();
    for reader in readers {
        let found = reader.encryption_key()?;
        recipients.push(match named {
            true => Recipient::from(found),
            false => Recipient::new(usable(&reader.0)?.features(), None, found.key()),
        });
    }
    let mut sealed = Vec::new();
    let message = Encryptor::for_recipients(Message::new(&mut sealed), recipients)
        .symmetric_algo(CIPHER)
        .build()
        .map_err(Error::openpgp)?;
    let mut message = Signer::new(message, pair).map_err(Error::openpgp)?;
    for reader in readers {
        message = message.add_intended_recipient(&reader.0);
    }
    let message = message.build().map_err(Error::openpgp)?;
    let mut message = LiteralWriter::new(message)
        .build()
        .map_err(Error::openpgp)?;
    message.write_all(plain).map_err(Error::Write)?;
    message.finalize().map_err(Error::openpgp)?;
    Ok(sealed)
}

/// Decrypts a small document and verifies it. `signer` is shown the text, vouched for by nobody yet, and names whose
/// signature is wanted: the certificate it expects, or, in a self-contained document, the one it finds and trusts.
///
/// # Errors
/// As [`open_document`]; what `signer` returns; [`Error::Signature`].
pub fn decrypt_document(
    sealed: &[u8],
    reader: &UnlockedKey,
    signer: impl FnOnce(&[u8]) -> Result<Certificate>,
) -> Result<Vec<u8>> {
    let document = open_document(sealed, reader)?;
    let signer = signer(document.peek())?;
    document.verify(&signer)
}

/// Decrypts a small document and leaves verifying it to the caller.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::NotForReader`], [`Error::Damaged`], [`Error::Structure`].
pub fn open_document(sealed: &[u8], reader: &UnlockedKey) -> Result<Unverified> {
    check_size("encrypted document", sealed.len(), SEALED_MAX)?;
    check_framing(sealed)?;
    let mut source = sealed;
    let mut container = Container::open(&mut source, Unlock::Document(reader))?;
    // Nothing inside can be longer than what it came in: compression is refused.
    let mut plain = Zeroizing::new(vec![0; sealed.len()]);
    let mut len = 0;
    loop {
        match container.read(&mut plain[len..])? {
            0 => break,
            n => len += n,
        }
    }
    let contents = container.finish()?;
    check_size("document", len, DOCUMENT_MAX)?;
    plain.truncate(len);
    Ok(Unverified {
        plain,
        signature: contents.signature,
        reader: reader.0.fingerprint(),
    })
}

/// Makes a detached signature over the bytes (contact cards): one binary signature packet.
///
/// # Errors
/// [`Error::Unusable`] if the key cannot sign now.
pub fn sign_detached(data: &[u8], signer: &UnlockedKey) -> Result<Vec<u8>> {
    let mut signature = Vec::new();
    let mut message = Signer::new(Message::new(&mut signature), signer.signer()?)
        .map_err(Error::openpgp)?
        .detached()
        .build()
        .map_err(Error::openpgp)?;
    message.write_all(data).map_err(Error::Write)?;
    message.finalize().map_err(Error::openpgp)?;
    Ok(signature)
}

/// Verifies a detached signature: exactly one, by `signer`, which is valid, alive and not revoked now.
///
/// # Errors
/// [`Error::Signature`], [`Error::Unusable`], [`Error::TooLarge`].
pub fn verify_detached(data: &[u8], signature: &[u8], signer: &Certificate) -> Result<()> {
    check_size("signature", signature.len(), DETACHED_MAX)?;
    usable(&signer.0)?;
    let refuse = |e: Box<dyn std::error::Error + Send + Sync>| Error::Signature(e.to_string());
    DetachedVerifierBuilder::from_bytes(signature)
        .and_then(|builder| builder.with_policy(&POLICY, None, OneSigner(signer)))
        .and_then(|mut verifier| verifier.verify_bytes(data))
        .map_err(|e| refuse(e.into()))
}

/// Says, without any key, whether the bytes have the form of an encrypted document: packets that wrap a key, then one encrypted
/// container, and nothing else.
pub fn is_document(bytes: &[u8]) -> bool {
    let Ok(mut rest) = PacketParser::from_bytes(bytes) else {
        return false;
    };
    let (mut keys, mut containers) = (0, 0);
    while let PacketParserResult::Some(packet) = rest {
        match packet.packet {
            Packet::PKESK(_) if containers == 0 => keys += 1,
            Packet::SEIP(_) => containers += 1,
            _ => return false,
        }
        match packet.next() {
            Ok((_, next)) => rest = next,
            Err(_) => return false,
        }
    }
    keys > 0 && containers == 1
}

pub(super) fn check_size(what: &'static str, found: usize, max: usize) -> Result<()> {
    if found > max {
        return Err(Error::TooLarge { what, found, max });
    }
    Ok(())
}

/// Checks that the container is not cut short.
fn check_framing(sealed: &[u8]) -> Result<()> {
    let mut rest = PacketParser::from_bytes(sealed).map_err(|e| Error::Damaged(e.into()))?;
    while let PacketParserResult::Some(mut packet) = rest {
        let container = matches!(packet.packet, Packet::SEIP(_));
        let body = packet
            .buffer_unread_content()
            .map_err(|e| Error::Damaged(e.into()))?;
        if container && body.len() < CONTAINER_MIN {
            return Err(Error::Structure {
                wanted: "a whole message",
                found: "a part of one".to_owned(),
            });
        }
        rest = packet.next().map_err(|e| Error::Damaged(e.into()))?.1;
    }
    Ok(())
}

/// Wants one good signature by one certificate.
struct OneSigner<'c>(&'c Certificate);

impl VerificationHelper for OneSigner<'_> {
    fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![self.0.0.clone()])
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        let mut results = structure.into_iter().flat_map(|layer| match layer {
            MessageLayer::SignatureGroup { results } => results,
            _ => Vec::new(),
        });
        let refuse = |what: String| Err(openpgp::Error::BadSignature(what).into());
        match (results.next(), results.next()) {
            (Some(Ok(_)), None) => Ok(()),
            (Some(Err(e)), None) => refuse(e.to_string()),
            (None, _) => refuse("none found".to_owned()),
            (Some(_), Some(_)) => refuse("more than one".to_owned()),
        }
    }
}

#[cfg(test)]
impl Unverified {
    /// As if another had decrypted it.
    pub(super) fn pretend_reader(&mut self, reader: &UnlockedKey) {
        self.reader = reader.0.fingerprint();
    }
}
