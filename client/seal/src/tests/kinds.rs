//! The kinds of key that are made, and those of others with algorithms of RFC 9980.

use super::*;
use openpgp::types::PublicKeyAlgorithmSpecification as Algorithm;
use pcim_core::chance::{Numbers, mutations};
use pcim_core::{LockCost, Passphrase};

const KINDS: [KeyKind; 4] = [
    KeyKind::V4,
    KeyKind::Classic,
    KeyKind::Hybrid,
    KeyKind::PostQuantum,
];

fn made(kind: KeyKind) -> UnlockedKey {
    let passphrase = Passphrase::new("p".to_owned());
    let locked = LockedKey::generate(kind, None, &passphrase, LockCost::LIGHT).unwrap();
    let read = LockedKey::from_bytes(&locked.to_armored()).unwrap();
    read.unlock(&passphrase).unwrap()
}

fn algorithms(key: &UnlockedKey) -> Vec<(u8, String)> {
    let keys = key.0.keys();
    keys.map(|ka| (ka.key().version(), ka.key().pk_algo().to_string()))
        .collect()
}

#[test]
fn a_new_key_withstands_quantum_computers_unless_another_is_asked_for() {
    assert_eq!(KeyKind::default(), KeyKind::Hybrid);
    let of = |version, names: [&str; 2]| names.map(|name| (version, name.to_owned())).to_vec();
    for (kind, wanted, safe) in [
        (KeyKind::V4, of(4, ["EdDSA", "ECDH"]), false),
        (KeyKind::Classic, of(6, ["Ed25519", "X25519"]), false),
        (
            KeyKind::Hybrid,
            of(6, ["Ed25519", "ML-KEM-768+X25519"]),
            true,
        ),
        (
            KeyKind::PostQuantum,
            of(6, ["ML-DSA-65+Ed25519", "ML-KEM-768+X25519"]),
            true,
        ),
    ] {
        let key = made(kind);
        assert_eq!(algorithms(&key), wanted);
        let certificate = key.certificate();
        assert_eq!(certificate.is_post_quantum(), safe, "{kind:?}");
        assert_eq!(certificate.accepts_v2(), kind != KeyKind::V4);
        println!(
            "{kind:?}: published certificate of {} bytes, key file of {}",
            certificate.to_published_bytes().len(),
            key.lock(&Passphrase::new("p".to_owned()), LockCost::LIGHT)
                .unwrap()
                .to_armored()
                .len()
        );
    }
}

/// Every kind signs for every kind: images, documents, detached.
#[test]
fn every_kind_works_with_every_kind() {
    let keys = KINDS.map(|kind| (kind, made(kind)));
    for (by, signer) in &keys {
        for (to, reader) in &keys {
            let certificate = Certificate::from_bytes(&reader.certificate().to_published_bytes());
            let certificate = certificate.unwrap();
            let version = match certificate.accepts_v2() {
                true => BodyVersion::V2,
                false => BodyVersion::V1,
            };
            let (body, sealed) = seal(b"an image", signer, version);
            let header = header_for(&sealed.session_key, version, &certificate).unwrap();
            assert!(header.len() <= 1229, "{by:?} {to:?}: {}", header.len());
            let mut out = Vec::new();
            let opened = open_sealed(&header, &mut &body[..], reader, &mut out).unwrap();
            assert_eq!((&out[..], opened.seal), (&b"an image"[..], sealed.seal));

            let document = encrypt_document(b"a word", signer, &[&certificate]).unwrap();
            let read = decrypt_document(&document, reader, |_| Ok(signer.certificate()));
            assert_eq!(read.unwrap(), b"a word");
        }
        let signature = sign_detached(b"a card", signer).unwrap();
        println!("{by:?}: detached signature of {} bytes", signature.len());
        verify_detached(b"a card", &signature, &signer.certificate()).unwrap();
        assert!(verify_detached(b"a cart", &signature, &signer.certificate()).is_err());
    }
}

/// Old keys get a subkey, and what was sealed to them before opens as before.
#[test]
fn an_old_key_becomes_post_quantum_and_opens_what_it_opened() {
    for kind in [KeyKind::V4, KeyKind::Classic] {
        let old = made(kind);
        let version = match kind {
            KeyKind::V4 => BodyVersion::V1,
            _ => BodyVersion::V2,
        };
        let (body, sealed) = seal(b"an image", &v6(None), version);
        let header = |key: &UnlockedKey| {
            let certificate = key.certificate().to_published_bytes();
            let certificate = Certificate::from_bytes(&certificate).unwrap();
            header_for(&sealed.session_key, version, &certificate).unwrap()
        };
        let new = old.with_post_quantum_subkey().unwrap();
        let passphrase = Passphrase::new("p".to_owned());
        let file = new.lock(&passphrase, LockCost::LIGHT).unwrap().to_armored();
        let new = LockedKey::from_bytes(&file).unwrap().unlock(&passphrase);
        let new = new.unwrap();
        assert_eq!(
            new.certificate().fingerprint(),
            old.certificate().fingerprint()
        );
        assert!(new.certificate().is_post_quantum() && !old.certificate().is_post_quantum());
        for (made, safe) in [(header(&old), false), (header(&new), true)] {
            assert_eq!(is_post_quantum_header(&made).unwrap(), safe, "{kind:?}");
            let mut out = Vec::new();
            open_sealed(&made, &mut &body[..], &new, &mut out).unwrap();
            assert_eq!(out, b"an image");
        }
        assert!(unwrap_header(&header(&new), &old).is_err());
        sign_detached(b"x", &new).unwrap();
    }
}

#[test]
fn a_key_in_clear_is_the_key_and_nothing_else_is_one() {
    let passphrase = Passphrase::new("other".to_owned());
    for kind in KINDS {
        let key = made(kind);
        let bytes = key.expose().unwrap();
        let read = UnlockedKey::from_exposed(&bytes).unwrap();
        assert_eq!(read.certificate(), key.certificate());
        let again = read.lock(&passphrase, LockCost::LIGHT).unwrap();
        let again = LockedKey::from_bytes(&again.to_armored()).unwrap();
        let again = again.unlock(&passphrase).unwrap();
        assert_eq!(*again.expose().unwrap(), *bytes, "{kind:?}");
        let locked = key.lock(&passphrase, LockCost::LIGHT).unwrap().to_armored();
        for wrong in [
            &locked[..],
            &key.certificate().to_bytes(),
            b"",
            &bytes[..40],
        ] {
            let refused = UnlockedKey::from_exposed(wrong);
            assert!(
                matches!(refused, Err(Error::NotALockedKey { .. })),
                "{kind:?}"
            );
        }
    }
}

/// A certificate with these algorithms, as others make them: one key to certify and sign, one to decrypt.
fn foreign(signing: Algorithm, encryption: Algorithm) -> UnlockedKey {
    let builder = CertBuilder::new()
        .set_profile(Profile::RFC9580)
        .unwrap()
        .set_signing_algorithm(signing)
        .set_encryption_algorithm(encryption)
        .add_signing_subkey()
        .add_subkey(
            openpgp::types::KeyFlags::empty()
                .set_transport_encryption()
                .set_storage_encryption(),
            None,
            None,
        );
    UnlockedKey(builder.generate().unwrap().0)
}

#[test]
fn certificates_above_64_kib_are_read_and_published() {
    let key = foreign(Algorithm::slhdsa256s(), Algorithm::mlkem1024_x448());
    let published = key.certificate().to_published_bytes();
    println!("SLH-DSA-256s, ML-KEM-1024+X448: {} bytes", published.len());
    assert!(published.len() > 65_536);
    let certificate = Certificate::from_bytes(&published).unwrap();
    assert!(certificate.is_post_quantum());
    let (body, sealed) = seal(b"x", &v6(None), BodyVersion::V2);
    let header = header_for(&sealed.session_key, BodyVersion::V2, &certificate).unwrap();
    println!("its header: {} bytes", header.len());
    assert!(header.len() > 1229);
    let mut out = Vec::new();
    open_sealed(&header, &mut &body[..], &key, &mut out).unwrap();
    assert_eq!(out, b"x");
}

/// The radiologist's certificate is carried in the signature's hashed area.
#[test]
fn an_image_signed_with_a_certificate_of_slh_dsa_opens() {
    let large = foreign(Algorithm::slhdsa128f(), Algorithm::mlkem768_x25519());
    let mut body = Vec::new();
    let refused = seal_body(&mut &b"x"[..], &large, None, BodyVersion::V2, &mut body);
    assert!(matches!(
        refused.err(),
        Some(Error::TooLarge {
            what: "signer's certificate",
            max: 65_000,
            ..
        })
    ));
    assert!(body.is_empty());
    let signer = foreign(Algorithm::slhdsa128s(), Algorithm::mlkem768_x25519());
    let size = signer.certificate().to_published_bytes().len();
    let (body, sealed) = seal(b"x", &signer, BodyVersion::V2);
    println!("certificate of {size} bytes, body of {}", body.len());
    let (payload, opened) = open(&body, &sealed.session_key).unwrap();
    assert_eq!(payload, b"x");
    assert_eq!(opened.signer, signer.certificate());
}

#[test]
fn mutated_post_quantum_headers_open_as_they_were_or_are_refused() {
    let reader = made(KeyKind::Hybrid);
    let (body, sealed) = seal(b"x", &v6(None), BodyVersion::V2);
    let good = header_for(&sealed.session_key, BodyVersion::V2, &reader.certificate()).unwrap();
    let (mut numbers, mut opened) = (Numbers(0x5eed_2044), 0);
    for round in 0..mutations() {
        let header = numbers.mutated(&good);
        let mut out = Vec::new();
        if open_sealed(&header, &mut &body[..], &reader, &mut out).is_ok() {
            assert_eq!((&header, &out[..]), (&good, &b"x"[..]), "{round}");
            opened += 1;
        }
    }
    println!("{opened} of {} mutated headers opened", mutations());
}

#[test]
fn a_cut_post_quantum_certificate_is_not_encrypted_to() {
    let whole = made(KeyKind::PostQuantum)
        .certificate()
        .to_published_bytes();
    for cut in [1, 40, 1000, 2100, 6000, whole.len() - 1] {
        match Certificate::from_bytes(&whole[..cut]) {
            Err(Error::NotACertificate(_)) => {}
            Ok(read) => assert!(
                matches!(read.check_reader(), Err(Error::Unusable { .. })),
                "{cut}"
            ),
            Err(other) => panic!("{cut}: {other}"),
        }
    }
}
