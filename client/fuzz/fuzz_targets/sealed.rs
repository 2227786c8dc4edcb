//! Headers and bodies: a message that opens is what was sealed, or what another one signed; no panic, no hang.
//!
//! `cargo fuzz run sealed -s none --fuzz-dir client/fuzz`

#![no_main]

use std::io::Write;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sequoia_openpgp as openpgp;

use openpgp::crypto::{KeyPair, SessionKey};
use openpgp::packet::PKESK;
use openpgp::packet::pkesk::{PKESK3, PKESK6};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::parse::Parse;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::MarshalInto;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message, Signer};
use openpgp::types::{AEADAlgorithm, SignatureType, SymmetricAlgorithm};
use openpgp::{Cert, Packet};

use pcim_fuzz::{edited, key, signer};
use pcim_seal::{BodyVersion, Certificate, Claims, UnlockedKey};

/// Bytes of the payload: more than one of the chunks that the library writes.
const PAYLOAD: [u8; 5000] = [7; 5000];
const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;
const SIGNER: &str = "signer-certificate@pcim.invalid";
const PREDECESSOR: &str = "predecessor@pcim.invalid";
/// Ways to change a message, see [`made`].
const WAYS: u8 = 9;

struct Scene {
    radiologist: UnlockedKey,
    pair: KeyPair,
    reader: UnlockedKey,
    /// Of both versions: header and body that the client sealed.
    sealed: [(Vec<u8>, Vec<u8>); 2],
    /// A session key, and headers of both versions that wrap it.
    secret: SessionKey,
    headers: [Vec<u8>; 2],
    /// One-pass signature, literal and signature, not encrypted.
    inside: Vec<u8>,
    certificate: Vec<u8>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let ((radiologist, pair), reader) = (signer(), key());
    let sealed = [BodyVersion::V1, BodyVersion::V2].map(|version| {
        let (mut body, claims) = (Vec::new(), Claims::default());
        let sealed =
            pcim_seal::seal_body(&mut &PAYLOAD[..], &radiologist, claims, version, &mut body);
        let key = sealed.expect("it is sealed").session_key;
        let header = pcim_seal::header_for(&key, version, &reader.certificate());
        (header.expect("the reader has a key to encrypt to"), body)
    });
    let secret = SessionKey::new(32).expect("keys are made");
    let certificate = radiologist.certificate().to_published_bytes();
    let inside = signed(&pair, &certificate, b"").expect("it is signed");
    Scene {
        headers: headers(&secret, &reader),
        radiologist,
        pair,
        reader,
        sealed,
        secret,
        inside,
        certificate,
    }
});

fn headers(secret: &SessionKey, reader: &UnlockedKey) -> [Vec<u8>; 2] {
    let cert = Cert::from_bytes(&reader.certificate().to_bytes()).expect("it reads");
    let policy = StandardPolicy::new();
    let mut keys = cert
        .keys()
        .with_policy(&policy, None)
        .for_transport_encryption();
    let key = keys
        .next()
        .expect("it has a key to encrypt to")
        .key()
        .clone();
    let v3: PKESK = PKESK3::for_recipient(CIPHER, secret, &key)
        .expect("it is wrapped")
        .into();
    let v6: PKESK = PKESK6::for_recipient(secret, &key)
        .expect("it is wrapped")
        .into();
    [v3, v6].map(|pkesk| Packet::from(pkesk).to_vec().expect("it is serialized"))
}

/// The payload signed with these notations; none if they are longer than a signature may be.
fn signed(pair: &KeyPair, certificate: &[u8], predecessor: &[u8]) -> openpgp::Result<Vec<u8>> {
    let mut template = SignatureBuilder::new(SignatureType::Binary).set_notation(
        SIGNER,
        certificate,
        None,
        false,
    )?;
    if !predecessor.is_empty() {
        template = template.set_notation(PREDECESSOR, predecessor, None, false)?;
    }
    let mut inside = Vec::new();
    let message = Message::new(&mut inside);
    let message = Signer::with_template(message, pair.clone(), template)?.build()?;
    let mut literal = LiteralWriter::new(message).build()?;
    literal.write_all(&PAYLOAD)?;
    literal.finalize()?;
    Ok(inside)
}

/// A body with this inside, as a holder of the session key may write it.
fn encrypted(inside: &[u8], secret: &SessionKey, version: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut encryptor =
        Encryptor::with_session_key(Message::new(&mut body), CIPHER, secret.clone())
            .expect("the key is of the cipher's length");
    if version == 1 {
        encryptor = encryptor.aead_algo(AEADAlgorithm::OCB);
    }
    let mut message = encryptor.build().expect("memory takes it");
    message.write_all(inside).expect("memory takes it");
    message.finalize().expect("memory takes it");
    body
}

/// The same packet, in parts whose lengths are 2 to the power of each of `logs`, the last as long as is left.
fn in_parts(body: &[u8], logs: &[u8]) -> Vec<u8> {
    let content = content(body);
    let (mut out, mut rest) = (vec![body[0]], &content[..]);
    for log in logs.iter().map(|log| log % 13) {
        let Some((part, more)) = rest.split_at_checked(1 << log) else {
            break;
        };
        out.push(224 | log);
        out.extend_from_slice(part);
        rest = more;
    }
    out.push(255);
    out.extend((rest.len() as u32).to_be_bytes());
    out.extend_from_slice(rest);
    out
}

/// The content of a packet that is whole or in parts.
fn content(packet: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), &packet[1..]);
    loop {
        let (length, field, last) = match rest[0] {
            first @ 0..192 => (usize::from(first), 1, true),
            first @ 192..224 => (
                ((usize::from(first) - 192) << 8) + usize::from(rest[1]) + 192,
                2,
                true,
            ),
            255 => (
                u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]) as usize,
                5,
                true,
            ),
            first => (1 << (first & 31), 1, false),
        };
        out.extend_from_slice(&rest[field..field + length]);
        rest = &rest[field + length..];
        if last {
            return out;
        }
    }
}

/// Header and body, and whether they must open.
fn made(scene: &Scene, version: usize, way: u8, input: &[u8]) -> Option<(Vec<u8>, Vec<u8>, bool)> {
    let (header, body) = scene.sealed[version].clone();
    let own = |inside: &[u8]| {
        let body = encrypted(inside, &scene.secret, version);
        (scene.headers[version].clone(), body, false)
    };
    Some(match way {
        0 => (input.to_vec(), body, false),
        1 => (header, input.to_vec(), false),
        2 => (edited(&header, input), body, false),
        3 => (header, edited(&body, input), false),
        4 => own(input),
        5 => own(&edited(&scene.inside, input)),
        6 => {
            let (predecessor, edits) = input.split_at(input.len().min(64));
            own(&signed(&scene.pair, &edited(&scene.certificate, edits), predecessor).ok()?)
        }
        _ => {
            // The first part has 512 bytes or more.
            let good = input.first().is_none_or(|log| log % 13 >= 9);
            (header, in_parts(&body, input), good)
        }
    })
}

fuzz_target!(
    init: {
        let scene = &*SCENE;
        let mut whole = vec![(8, &scene.inside[..]), (9, &scene.inside), (16, &scene.certificate)];
        whole.extend([(12, &[b'a'; 64][..]), (13, &[b'f'; 64])]);
        for (version, (header, body)) in (0..).zip(&scene.sealed) {
            whole.extend([(version, &header[..]), (2 | version, body)]);
        }
        pcim_fuzz::write(2 * WAYS, &whole);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let scene = &*SCENE;
        let (version, way) = (usize::from(choice & 1), (choice >> 1) % WAYS);
        if way == 8 {
            certificate(input);
            certificate(&edited(&scene.certificate, input));
        } else if let Some((header, body, must)) = made(scene, version, way, input) {
            message(scene, &header, &body, must);
        }
    }
);

fn message(scene: &Scene, header: &[u8], body: &[u8], must: bool) {
    let Scene {
        radiologist,
        reader,
        ..
    } = scene;
    let unwrapped = pcim_seal::unwrap_header(header, reader);
    if pcim_seal::check_header(header).is_err() {
        assert!(unwrapped.is_err());
    }
    let open = |header: &[u8], body: &[u8]| {
        let mut out = Vec::new();
        let opened = pcim_seal::open_sealed(header, &mut &*body, reader, &mut out);
        opened.map(|opened| (out, opened))
    };
    let (out, opened) = match open(header, body) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!must, "{error}");
            return;
        }
    };
    if opened.signer == radiologist.certificate() {
        assert!(out == PAYLOAD);
    }
    // A message that opens can be sealed again, and is the same then.
    let (key, version) = unwrapped.expect("it was opened with this key");
    assert!(version == opened.version);
    let mut again = Vec::new();
    let resealed = pcim_seal::reseal_body(&mut &*body, &key, BodyVersion::V2, &mut again);
    let resealed = resealed.expect("it opens");
    assert!(resealed.seal == opened.seal && resealed.payload_sha256 == opened.payload_sha256);
    let header = pcim_seal::header_for(
        &resealed.session_key,
        BodyVersion::V2,
        &reader.certificate(),
    );
    let header = header.expect("the reader has a key to encrypt to");
    let (same, reopened) = open(&header, &again).expect("it opens when it is sealed again");
    assert!(same == out && reopened.seal == opened.seal);
}

/// Reads another one's certificate, and does with it what is done with one.
fn certificate(bytes: &[u8]) {
    let Ok(certificate) = Certificate::from_bytes(bytes) else {
        return;
    };
    let _ = (certificate.check_reader(), certificate.accepts_v2());
    let published = Certificate::from_bytes(&certificate.to_published_bytes());
    assert!(published.expect("what is published reads") == certificate);
}
