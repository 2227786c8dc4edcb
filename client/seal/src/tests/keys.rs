use std::time::{Duration, SystemTime};

use super::*;
use pcim_core::{LockCost, Passphrase};

fn pass(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

#[test]
fn a_key_with_a_stub_in_the_place_of_a_secret_is_refused_for_that() {
    use openpgp::crypto::S2K;
    use openpgp::crypto::mpi::SecretKeyChecksum;
    use openpgp::packet::key::{Encrypted, SecretKeyMaterial};
    use openpgp::parse::Parse;
    use openpgp::serialize::MarshalInto;
    use openpgp::types::SymmetricAlgorithm;
    use openpgp::{Cert, Packet};
    use sequoia_openpgp as openpgp;

    let key = LockedKey::generate(KeyKind::V4, None, &pass("x"), LockCost::LIGHT).unwrap();
    let cert = Cert::from_bytes(&key.to_armored()).unwrap();
    // As GnuPG exports subkeys alone (`gnu-dummy`).
    let dummy = S2K::Private {
        tag: 101,
        parameters: Some(vec![0, b'G', b'N', b'U', 1].into()),
    };
    let none = Vec::new().into_boxed_slice();
    let sum = Some(SecretKeyChecksum::SHA1);
    let stub = Encrypted::new(dummy, SymmetricAlgorithm::AES128, sum, none);
    let primary = cert.primary_key().key().clone().parts_into_public();
    let (primary, _) = primary.add_secret(SecretKeyMaterial::Encrypted(stub));
    let (cert, _) = cert.insert_packets(vec![Packet::from(primary)]).unwrap();
    let file = cert.as_tsk().to_vec().unwrap();
    let refused = LockedKey::from_bytes(&file).err().unwrap().to_string();
    let fingerprint = key.certificate().fingerprint();
    assert!(
        refused.contains(&fingerprint) && refused.contains("a stub"),
        "{refused}"
    );
}

#[test]
fn a_key_is_locked_with_its_passphrase_only() {
    let started = std::time::Instant::now();
    let key = LockedKey::generate(
        KeyKind::Classic,
        Some("Ada"),
        &pass("right"),
        LockCost::LIGHT,
    )
    .unwrap();
    println!("made and locked in {:?}", started.elapsed());
    let file = key.to_armored();
    assert!(file.starts_with(b"-----BEGIN PGP PRIVATE KEY BLOCK-----"));
    let read = LockedKey::from_bytes(&file).unwrap();
    assert_eq!(read.certificate(), key.certificate());
    for wrong in ["wrong", "", "right "] {
        assert!(matches!(
            read.unlock(&pass(wrong)),
            Err(Error::WrongPassphrase { .. })
        ));
    }
    let started = std::time::Instant::now();
    let unlocked = read.unlock(&pass("right")).unwrap();
    println!("unlocked in {:?}", started.elapsed());
    let (body, sealed) = seal(b"hello", &unlocked, BodyVersion::V2);
    let header = header_for(
        &sealed.session_key,
        BodyVersion::V2,
        &unlocked.certificate(),
    )
    .unwrap();
    let mut out = Vec::new();
    open_sealed(&header, &mut &body[..], &unlocked, &mut out).unwrap();
    assert_eq!(out, b"hello");
    assert!(!format!("{key:?}{unlocked:?}{:?}", sealed.session_key).contains("right"));
}

#[test]
fn keys_follow_the_rfc_9580_profile() {
    let key = LockedKey::generate(KeyKind::Classic, None, &pass("p"), LockCost::LIGHT).unwrap();
    let cert = key.certificate();
    assert_eq!(cert.fingerprint().len(), 64);
    assert!(cert.accepts_v2());
    let algorithms: Vec<_> = cert
        .0
        .keys()
        .map(|ka| (ka.key().version(), ka.key().pk_algo().to_string()))
        .collect();
    assert_eq!(
        algorithms,
        [(6, "Ed25519".to_owned()), (6, "X25519".to_owned())]
    );
}

#[test]
fn what_is_not_a_locked_key_is_refused() {
    let open = v6(None);
    let unlocked = openpgp::serialize::MarshalInto::to_vec(&open.0.as_tsk()).unwrap();
    for bytes in [
        &b""[..],
        b"hello",
        &open.certificate().to_bytes(),
        &unlocked,
    ] {
        assert!(matches!(
            LockedKey::from_bytes(bytes),
            Err(Error::NotALockedKey { .. })
        ));
    }
    assert!(matches!(
        LockedKey::from_bytes(&[0; 400_000]),
        Err(Error::TooLarge { .. })
    ));
}

#[test]
fn a_published_certificate_has_no_name_and_still_works() {
    let patient = v6(Some("Ada Lovelace <ada@example.org>"));
    let whole = patient.certificate();
    let bytes = whole.to_published_bytes();
    assert!(!whole.needs_user_id());
    assert!(whole.to_bytes().windows(3).any(|w| w == b"Ada"));
    assert!(!bytes.windows(3).any(|w| w == b"Ada"));
    let published = Certificate::from_bytes(&bytes).unwrap();
    assert_eq!(published.0.userids().count(), 0);
    assert_eq!(published.fingerprint(), whole.fingerprint());
    assert_eq!(published.to_published_bytes(), bytes);
    assert!(published.accepts_v2());
    let (_, sealed) = seal(b"x", &v6(None), BodyVersion::V2);
    let header = header_for(&sealed.session_key, BodyVersion::V2, &published).unwrap();
    assert!(unwrap_header(&header, &patient).is_ok());
}

#[test]
fn a_published_certificate_has_nobody_elses_signatures() {
    let (patient, witness) = (v6(Some("Ada")), v6(Some("Eve")));
    let mut pair = witness.signer().unwrap();
    let ua = patient.0.userids().next().unwrap();
    let certification = ua
        .userid()
        .certify(&mut pair, &patient.0, None, None, None)
        .unwrap();
    let (cert, _) = patient
        .0
        .clone()
        .insert_packets([openpgp::Packet::from(certification)])
        .unwrap();
    let certificate = Certificate(cert.strip_secret_key_material());
    let published = Certificate::from_bytes(&certificate.to_published_bytes()).unwrap();
    let witness = witness.signer().unwrap().public().fingerprint();
    assert!(
        published
            .0
            .into_packets()
            .all(|packet| !matches!(&packet, openpgp::Packet::Signature(s) if s.issuer_fingerprints().any(|f| *f == witness)))
    );
}

#[test]
fn a_v4_certificate_that_needs_its_name_says_so() {
    let ada = v4(Some("Ada"));
    assert!(
        !ada.certificate().needs_user_id(),
        "it has a direct key signature"
    );
    // As GnuPG makes them: flags on the User ID's binding, no direct key signature.
    let packets = ada.0.clone().into_packets().filter(|packet| {
        !matches!(packet, openpgp::Packet::Signature(s) if s.typ() == openpgp::types::SignatureType::DirectKey)
    });
    let cert = openpgp::Cert::from_packets(packets).unwrap();
    let certificate = Certificate(cert.strip_secret_key_material());
    assert!(certificate.needs_user_id());
    let published = Certificate::from_bytes(&certificate.to_published_bytes()).unwrap();
    assert_eq!(published.0.userids().count(), 1);
    assert!(published.check_reader().is_ok());
    let binding = published
        .0
        .userids()
        .next()
        .unwrap()
        .self_signatures()
        .count();
    assert_eq!(binding, 1);
}

#[test]
fn foreign_bytes_are_not_certificates() {
    let key = v6(None).certificate().to_bytes();
    let two = [v6(None).certificate().to_bytes(), key.clone()].concat();
    for (case, bytes) in [&b""[..], b"nonsense", &key[..20], &two]
        .into_iter()
        .enumerate()
    {
        let read = Certificate::from_bytes(bytes);
        assert!(
            matches!(read, Err(Error::NotACertificate(_))),
            "case {case}"
        );
    }
    assert!(matches!(
        Certificate::from_bytes(&[b' '; 262_145]),
        Err(Error::TooLarge {
            found: 262_145,
            max: 262_144,
            ..
        })
    ));
    // A certificate that lost its end on the way can be read and not encrypted to.
    let cut = Certificate::from_bytes(&key[..key.len() / 3]).unwrap();
    assert!(matches!(cut.check_reader(), Err(Error::Unusable { .. })));
    // Secrets in a file given for a certificate are dropped.
    let secret = openpgp::serialize::MarshalInto::to_vec(&v6(None).0.as_tsk()).unwrap();
    assert!(!Certificate::from_bytes(&secret).unwrap().0.is_tsk());
}

/// Asserts that a certificate is refused as a reader, as a signer and in documents, for this reason and before a byte
/// is written.
fn refused(key: &UnlockedKey, why: Unusable, signs: bool) {
    let (_, sealed) = seal(b"x", &v6(None), BodyVersion::V2);
    let reason = |e: Error| match e {
        Error::Unusable { reason, .. } => reason,
        other => panic!("{other}"),
    };
    let certificate = key.certificate();
    let header = header_for(&sealed.session_key, BodyVersion::V2, &certificate);
    assert_eq!(reason(header.unwrap_err()), why);
    let document = encrypt_document(b"x", &v6(None), &[&certificate]);
    assert_eq!(reason(document.unwrap_err()), why);
    if !signs {
        let mut body = Vec::new();
        let sealing = seal_body(
            &mut &b"x"[..],
            key,
            Claims::default(),
            BodyVersion::V2,
            &mut body,
        );
        assert_eq!(reason(sealing.err().unwrap()), why);
        assert!(body.is_empty());
    }
}

#[test]
fn expired_revoked_and_signing_only_certificates_are_refused_first() {
    let build = || CertBuilder::new().set_profile(Profile::RFC9580).unwrap();
    let hour = Duration::from_secs(3600);
    let (expired, _) = build()
        .set_creation_time(SystemTime::now() - 48 * hour)
        .set_validity_period(hour)
        .add_signing_subkey()
        .add_transport_encryption_subkey()
        .generate()
        .unwrap();
    refused(&UnlockedKey(expired), Unusable::NotAlive, false);

    let (cert, revocation) = build()
        .add_signing_subkey()
        .add_transport_encryption_subkey()
        .generate()
        .unwrap();
    let (revoked, _) = cert.insert_packets([revocation]).unwrap();
    refused(&UnlockedKey(revoked), Unusable::Revoked, false);

    let (signing_only, _) = build().add_signing_subkey().generate().unwrap();
    refused(&UnlockedKey(signing_only), Unusable::NoEncryptionKey, true);

    let (reading_only, _) = build()
        .add_transport_encryption_subkey()
        .generate()
        .unwrap();
    let sealing = seal_body(
        &mut &b"x"[..],
        &UnlockedKey(reading_only),
        Claims::default(),
        BodyVersion::V2,
        &mut Vec::new(),
    );
    assert!(matches!(
        sealing,
        Err(Error::Unusable {
            reason: Unusable::NoSigningKey,
            ..
        })
    ));
}

#[test]
fn a_v4_reader_gets_a_v1_header_and_no_v2_one() {
    let (radiologist, reader) = (v6(None), v4(Some("Old")));
    assert!(!reader.certificate().accepts_v2());
    let (_, sealed) = seal(b"x", &radiologist, BodyVersion::V2);
    assert!(matches!(
        header_for(&sealed.session_key, BodyVersion::V2, &reader.certificate()),
        Err(Error::Unusable {
            reason: Unusable::LacksSeipdV2,
            ..
        })
    ));
    assert!(matches!(
        header_for(&sealed.session_key, BodyVersion::V1, &reader.certificate()),
        Err(Error::VersionMismatch { .. })
    ));
    let (body, sealed) = seal(b"old times", &radiologist, BodyVersion::V1);
    let header = header_for(&sealed.session_key, BodyVersion::V1, &reader.certificate()).unwrap();
    let mut out = Vec::new();
    open_sealed(&header, &mut &body[..], &reader, &mut out).unwrap();
    assert_eq!(out, b"old times");
}
