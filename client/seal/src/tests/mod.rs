//! Seals, opens and attacks bodies, headers, keys and documents.
#![allow(clippy::unwrap_used)]

mod document;
mod forgery;
mod interop;
mod keys;
mod kinds;

use std::io::{self, Read, Write};

use sequoia_openpgp as openpgp;

use openpgp::Profile;
use openpgp::cert::prelude::*;
use openpgp::types::Features;
use sha2::{Digest, Sha256};

use super::*;
use pcim_core::{ImageDigest, Seal};

/// A version 6 key like those that [`LockedKey::generate`] makes, without the cost of locking.
fn v6(name: Option<&str>) -> UnlockedKey {
    let builder = CertBuilder::general_purpose(name).set_profile(Profile::RFC9580);
    UnlockedKey(builder.unwrap().generate().unwrap().0)
}

/// A version 4 key that knows SEIPDv1 only, as older software makes them.
fn v4(name: Option<&str>) -> UnlockedKey {
    let builder = CertBuilder::general_purpose(name)
        .set_profile(Profile::RFC4880)
        .unwrap()
        .set_features(Features::empty().set_seipdv1());
    UnlockedKey(builder.unwrap().generate().unwrap().0)
}

fn seal(payload: &[u8], signer: &UnlockedKey, version: BodyVersion) -> (Vec<u8>, Sealed) {
    let mut body = Vec::new();
    let sealed = seal_body(&mut &payload[..], signer, None, version, &mut body).unwrap();
    (body, sealed)
}

fn open(body: &[u8], key: &SessionKey) -> Result<(Vec<u8>, Opened)> {
    let mut payload = Vec::new();
    let opened = open_body(&mut &body[..], key, &mut payload)?;
    Ok((payload, opened))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Endless-looking bytes without holding them.
struct Pattern(u64);

impl Read for Pattern {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(usize::try_from(self.0).unwrap());
        for (i, b) in buf[..n].iter_mut().enumerate() {
            *b = (self.0 as usize - i) as u8;
        }
        self.0 -= n as u64;
        Ok(n)
    }
}

#[test]
fn what_is_sealed_opens_and_both_sides_see_the_same_seal() {
    let (radiologist, patient) = (v6(Some("Dr. Who")), v6(None));
    for version in [BodyVersion::V2, BodyVersion::V1] {
        for payload in [&b""[..], b"x", &[7; 5000], &vec![9; 3 << 20]] {
            let (body, sealed) = seal(payload, &radiologist, version);
            let header = header_for(&sealed.session_key, version, &patient.certificate()).unwrap();
            assert_eq!(check_header(&header).unwrap(), version);
            let mut out = Vec::new();
            let opened = open_sealed(&header, &mut &body[..], &patient, &mut out).unwrap();
            assert_eq!(out, payload);
            assert_eq!(opened.seal, sealed.seal);
            assert_eq!(opened.version, version);
            assert_eq!(opened.signer, radiologist.certificate());
            assert_eq!(opened.predecessor, None);
            assert_eq!(sealed.payload_sha256, sha256(payload));
            assert_eq!(opened.payload_sha256, sha256(payload));
            assert_eq!(
                (sealed.payload_len, opened.payload_len),
                (payload.len() as u64, payload.len() as u64)
            );
        }
    }
}

#[test]
fn the_signature_tells_the_predecessor_and_no_name() {
    let radiologist = v6(Some("Dr. Who <who@example.org>"));
    let mut body = Vec::new();
    let before = ImageDigest([0xab; 32]);
    let sealed = seal_body(
        &mut &b"new"[..],
        &radiologist,
        Some(before),
        BodyVersion::V2,
        &mut body,
    )
    .unwrap();
    let (_, opened) = open(&body, &sealed.session_key).unwrap();
    assert_eq!(opened.predecessor, Some(before));
    let inside = opened.signer.to_bytes();
    assert_eq!(inside, radiologist.certificate().to_published_bytes());
    assert!(!inside.windows(7).any(|w| w == b"Dr. Who"));
}

#[test]
fn sealing_the_same_payload_twice_shows_nothing_in_common() {
    let radiologist = v6(None);
    let (first, a) = seal(b"the same", &radiologist, BodyVersion::V2);
    let (second, b) = seal(b"the same", &radiologist, BodyVersion::V2);
    assert_ne!(a.seal, b.seal);
    assert_ne!(first, second);
}

#[test]
fn another_reader_costs_one_small_header_and_leaves_the_body() {
    let (radiologist, patient, requestor) = (v6(None), v6(None), v6(None));
    let (body, sealed) = seal(&[1; 100_000], &radiologist, BodyVersion::V2);
    let header = header_for(&sealed.session_key, sealed.version, &patient.certificate()).unwrap();
    let (key, version) = unwrap_header(&header, &patient).unwrap();
    let other = header_for(&key, version, &requestor.certificate()).unwrap();
    assert!(other.len() < 200, "{} bytes", other.len());
    let mut out = Vec::new();
    let opened = open_sealed(&other, &mut &body[..], &requestor, &mut out).unwrap();
    assert_eq!(opened.seal, sealed.seal);
    assert!(matches!(
        unwrap_header(&other, &patient),
        Err(Error::NotForReader { .. })
    ));
}

#[test]
fn resealing_changes_the_key_and_keeps_the_seal() {
    let radiologist = v6(None);
    let payload = vec![3; 2_500_000];
    let (body, sealed) = seal(&payload, &radiologist, BodyVersion::V2);
    for version in [BodyVersion::V2, BodyVersion::V1] {
        let mut fresh = Vec::new();
        let resealed =
            reseal_body(&mut &body[..], &sealed.session_key, version, &mut fresh).unwrap();
        assert_eq!(resealed.seal, sealed.seal);
        assert_eq!(resealed.payload_sha256, sealed.payload_sha256);
        assert_eq!(resealed.payload_len, sealed.payload_len);
        assert!(open(&fresh, &sealed.session_key).is_err());
        assert!(open(&body, &resealed.session_key).is_err());
        let (out, opened) = open(&fresh, &resealed.session_key).unwrap();
        assert_eq!((out, opened.seal), (payload.clone(), sealed.seal));

        // And back again, from either version.
        let mut again = Vec::new();
        let back = reseal_body(
            &mut &fresh[..],
            &resealed.session_key,
            BodyVersion::V2,
            &mut again,
        )
        .unwrap();
        assert_eq!(back.seal, sealed.seal);
        assert!(open(&again, &back.session_key).is_ok());
    }
}

#[test]
fn big_payloads_stream() {
    const LEN: u64 = 24 << 20;
    /// Counts how far the writer has run ahead of the reader.
    struct Meter<'a> {
        inner: Pattern,
        read: &'a std::sync::atomic::AtomicU64,
    }
    impl Read for Meter<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.inner.read(buf)?;
            self.read
                .fetch_add(n as u64, std::sync::atomic::Ordering::Relaxed);
            Ok(n)
        }
    }
    struct Lag<'a> {
        out: Vec<u8>,
        written: u64,
        read: &'a std::sync::atomic::AtomicU64,
        most: u64,
    }
    impl Write for Lag<'_> {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let read = self.read.load(std::sync::atomic::Ordering::Relaxed);
            self.most = self.most.max(read.saturating_sub(self.written));
            self.written += buf.len() as u64;
            self.out.write(buf)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let radiologist = v6(None);
    let read = std::sync::atomic::AtomicU64::new(0);
    let mut body = Lag {
        out: Vec::new(),
        written: 0,
        read: &read,
        most: 0,
    };
    let mut payload = Meter {
        inner: Pattern(LEN),
        read: &read,
    };
    let started = std::time::Instant::now();
    let sealed = seal_body(&mut payload, &radiologist, None, BodyVersion::V2, &mut body).unwrap();
    let sealing = started.elapsed();
    assert_eq!(sealed.payload_len, LEN);
    assert!(
        body.most < 10 << 20,
        "sealing holds back {} bytes",
        body.most
    );

    read.store(0, std::sync::atomic::Ordering::Relaxed);
    struct Counted<'a>(&'a [u8], &'a std::sync::atomic::AtomicU64);
    impl Read for Counted<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.0.read(buf)?;
            self.1
                .fetch_add(n as u64, std::sync::atomic::Ordering::Relaxed);
            Ok(n)
        }
    }
    let mut out = Lag {
        out: Vec::new(),
        written: 0,
        read: &read,
        most: 0,
    };
    let started = std::time::Instant::now();
    let opened = open_body(
        &mut Counted(&body.out, &read),
        &sealed.session_key,
        &mut out,
    )
    .unwrap();
    println!(
        "{} MiB: sealed in {sealing:?}, opened in {:?}",
        LEN >> 20,
        started.elapsed()
    );
    assert_eq!(opened.payload_sha256, sealed.payload_sha256);
    assert!(out.most < 10 << 20, "opening holds back {} bytes", out.most);
}

#[test]
fn failures_of_either_end_are_told_apart_from_damage() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let radiologist = v6(None);
    let version = BodyVersion::V2;
    let sealing = seal_body(&mut Broken, &radiologist, None, version, &mut Vec::new());
    assert!(matches!(sealing, Err(Error::Read(_))));
    let sealing = seal_body(
        &mut Pattern(20 << 20),
        &radiologist,
        None,
        version,
        &mut Broken,
    );
    match sealing {
        Err(Error::Write(e)) => assert_eq!(e.kind(), io::ErrorKind::StorageFull),
        other => panic!("{:?}", other.err()),
    }
    let (body, sealed) = seal(&[5; 3 << 20], &radiologist, version);
    let mut cut_off = (&body[..1 << 20]).chain(Broken);
    match open_body(&mut cut_off, &sealed.session_key, &mut Vec::new()) {
        Err(Error::Read(e)) => assert_eq!(e.to_string(), "unplugged"),
        other => panic!("{other:?}"),
    }
    let full = open_body(&mut &body[..], &sealed.session_key, &mut Broken);
    assert!(matches!(full, Err(Error::Write(_))));
    let full = reseal_body(&mut &body[..], &sealed.session_key, version, &mut Broken);
    assert!(matches!(full, Err(Error::Write(_))));
}

#[test]
fn the_seal_is_the_digest_of_the_signature_packet_as_written() {
    // Decrypted by hand: the packet that lies in the container hashes to the seal.
    use openpgp::parse::{PacketParser, PacketParserResult, Parse};
    use openpgp::types::SymmetricAlgorithm;
    let (body, sealed) = seal(b"image", &v6(None), BodyVersion::V2);
    let sealed_packet = PacketParser::from_bytes(&body).unwrap();
    let mut inner = Vec::new();
    if let PacketParserResult::Some(mut pp) = sealed_packet {
        pp.decrypt(SymmetricAlgorithm::AES256, &sealed.session_key.secret)
            .unwrap();
        pp.read_to_end(&mut inner).unwrap();
    }
    // OPS, Literal (partial or full), Signature: the signature is the tail.
    let found = (0..inner.len()).any(|at| Seal(sha256(&inner[at..])) == sealed.seal);
    assert!(found);
    let mut rest = PacketParser::from_bytes(&inner).unwrap();
    let mut tags = Vec::new();
    while let PacketParserResult::Some(pp) = rest {
        tags.push(pp.packet.tag().to_string());
        rest = pp.next().unwrap().1;
    }
    assert_eq!(tags.len(), 3, "{tags:?}");
}
