use super::*;

#[test]
fn a_document_reaches_its_readers_with_its_signer() {
    let (signer, reader, other) = (v6(Some("S")), v6(None), v6(None));
    let (a, b) = (reader.certificate(), other.certificate());
    let sealed = encrypt_document(b"handover", &signer, &[&a, &b]).unwrap();
    for key in [&reader, &other] {
        let plain = decrypt_document(&sealed, key, |_| Ok(signer.certificate())).unwrap();
        assert_eq!(plain, b"handover");
    }
    assert!(matches!(
        open_document(&sealed, &v6(None)),
        Err(Error::NotForReader { .. })
    ));
    assert!(matches!(
        encrypt_document(b"x", &signer, &[]),
        Err(Error::NoReaders)
    ));
}

#[test]
fn a_self_contained_document_is_verified_by_what_it_holds() {
    let (signer, reader) = (v6(None), v6(None));
    let card = signer.certificate().to_published_bytes();
    let sealed = encrypt_document(&card, &signer, &[&reader.certificate()]).unwrap();
    let plain = decrypt_document(&sealed, &reader, Certificate::from_bytes).unwrap();
    assert_eq!(plain, card);

    let document = open_document(&sealed, &reader).unwrap();
    assert!(!format!("{document:?}").contains("PGP"));
    let found = Certificate::from_bytes(document.peek()).unwrap();
    assert_eq!(document.verify(&found).unwrap(), card);
}

#[test]
fn a_document_by_someone_else_is_refused() {
    let (signer, reader, wanted) = (v6(None), v6(None), v6(None));
    let sealed = encrypt_document(b"x", &signer, &[&reader.certificate()]).unwrap();
    assert!(matches!(
        decrypt_document(&sealed, &reader, |_| Ok(wanted.certificate())),
        Err(Error::Signature(_))
    ));
}

#[test]
fn a_document_cannot_be_forwarded_as_if_it_were_for_another() {
    // The reader re-encrypts what he got, signature and all, to another reader.
    let (signer, reader, victim) = (v6(None), v6(None), v6(None));
    let sealed = encrypt_document(b"you are fired", &signer, &[&reader.certificate()]).unwrap();
    let mut unverified = open_document(&sealed, &reader).unwrap();
    unverified.pretend_reader(&victim);
    assert!(matches!(
        unverified.verify(&signer.certificate()),
        Err(Error::Signature(_))
    ));
}

#[test]
fn documents_work_between_versions() {
    let (old, new) = (v4(Some("Old")), v6(None));
    let sealed = encrypt_document(b"to the old", &new, &[&old.certificate()]).unwrap();
    let plain = decrypt_document(&sealed, &old, |_| Ok(new.certificate())).unwrap();
    assert_eq!(plain, b"to the old");
    let sealed = encrypt_document(b"by the old", &old, &[&new.certificate()]).unwrap();
    let plain = decrypt_document(&sealed, &new, |_| Ok(old.certificate())).unwrap();
    assert_eq!(plain, b"by the old");
}

#[test]
fn damaged_and_oversized_documents_are_refused() {
    let (signer, reader) = (v6(None), v6(None));
    let sealed = encrypt_document(&[b'a'; 9000], &signer, &[&reader.certificate()]).unwrap();
    for at in (0..sealed.len()).step_by(23) {
        let mut bad = sealed.clone();
        bad[at] ^= 4;
        assert!(
            decrypt_document(&bad, &reader, |_| Ok(signer.certificate())).is_err(),
            "octet {at}"
        );
        assert!(
            open_document(&sealed[..at], &reader).is_err(),
            "cut at {at}"
        );
    }
    assert!(open_document(&[&sealed[..], &sealed].concat(), &reader).is_err());
    assert!(open_document(b"hello", &reader).is_err());
    let big = vec![0; DOCUMENT_MAX + 1];
    assert!(matches!(
        encrypt_document(&big, &signer, &[&reader.certificate()]),
        Err(Error::TooLarge { .. })
    ));
    let full = encrypt_document(&big[1..], &signer, &[&reader.certificate()]).unwrap();
    assert_eq!(
        decrypt_document(&full, &reader, |_| Ok(signer.certificate()))
            .unwrap()
            .len(),
        DOCUMENT_MAX
    );
    assert!(matches!(
        open_document(&vec![0; 2 << 20], &reader),
        Err(Error::TooLarge { .. })
    ));
}

#[test]
fn detached_signatures_hold_for_their_bytes_and_signer() {
    let signer = v6(Some("S"));
    let published = Certificate::from_bytes(&signer.certificate().to_published_bytes()).unwrap();
    let signature = sign_detached(b"card", &signer).unwrap();
    verify_detached(b"card", &signature, &published).unwrap();
    let twice = [&signature[..], &signature].concat();
    let refused = [
        verify_detached(b"cars", &signature, &published),
        verify_detached(b"card", &signature, &v6(None).certificate()),
        verify_detached(b"card", &signature[..signature.len() - 1], &published),
        verify_detached(b"card", &twice, &published),
        verify_detached(b"card", b"", &published),
        verify_detached(b"card", b"junk", &published),
        verify_detached(b"card", &[0; 70_000], &published),
    ];
    for (case, result) in refused.into_iter().enumerate() {
        assert!(result.is_err(), "case {case}");
    }
}
