//! Parts of a body: the bytes that the whole has, or a refusal.

use std::cell::RefCell;
use std::ops::Range;

use pcim_core::chance::{Numbers, mutations};

use super::*;
use crate::parts::{Parts, Ranges};

/// Bytes that differ from place to place.
fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + (at >> 8)) as u8).collect()
}

fn part(parts: &Parts<&[u8]>, range: Range<u64>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    parts.read(range, &mut out)?;
    Ok(out)
}

#[test]
fn a_part_is_what_the_whole_has_there() {
    let radiologist = v6(None);
    let (first, literal, outer) = (506, 1 << 18, 1 << 20);
    // Around the ends of the literal's parts and of the container's, and where the last part's length grows.
    let mut lengths = vec![
        0,
        1,
        191,
        192,
        first - 1,
        first,
        first + 1,
        8_000,
        8_384 + first,
    ];
    lengths.extend([
        literal + first - 1,
        literal + first,
        literal + first + 1,
        3 * literal + first,
    ]);
    lengths.extend([outer - 4000, 2 * outer + 77]);
    let mut numbers = Numbers(0x5eed_0101);
    for length in lengths {
        let payload = payload(length);
        let (body, sealed) = seal(&payload, &radiologist, BodyVersion::V2);
        let parts = Parts::open(&body[..], &sealed.session_key).unwrap();
        assert_eq!(parts.seal(), sealed.seal, "{length}");
        assert_eq!(parts.signer(), &radiologist.certificate());
        assert_eq!(parts.claims(), Claims::default());
        assert_eq!(parts.payload_len(), length as u64);
        assert!(
            part(&parts, 0..length as u64).unwrap() == payload,
            "{length}"
        );
        for _ in 0..20 {
            let mut ends = [0, 1].map(|_| numbers.below(length + 1));
            ends.sort_unstable();
            let [from, to] = ends;
            let found = part(&parts, from as u64..to as u64).unwrap();
            assert!(found == payload[from..to], "{length}: {from}..{to}");
        }
        let behind = length as u64 + 1;
        assert!(matches!(
            part(&parts, 0..behind),
            Err(Error::Structure { .. })
        ));
    }
}

#[test]
fn the_last_length_is_found_wherever_it_stands() {
    let radiologist = v6(None);
    let (empty, _) = seal(b"", &radiologist, BodyVersion::V2);
    // Five lengths of the literal and the container and four more tags, on the way to a full part of the container.
    let near = (1 << 20) - empty.len();
    for length in near - 90..near + 12 {
        let payload = payload(length);
        let (body, sealed) = seal(&payload, &radiologist, BodyVersion::V2);
        let parts = Parts::open(&body[..], &sealed.session_key).unwrap();
        assert_eq!(parts.payload_len(), length as u64);
        let end = length as u64;
        assert!(
            part(&parts, end - 9..end).unwrap() == payload[length - 9..],
            "{length}"
        );
    }
}

/// A body that counts what is read of it.
struct Counted<'a>(&'a [u8], RefCell<Vec<Range<u64>>>);

impl Ranges for Counted<'_> {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn range(&self, bytes: Range<u64>) -> io::Result<Box<dyn Read + '_>> {
        self.1.borrow_mut().push(bytes.clone());
        self.0.range(bytes)
    }
}

#[test]
fn a_part_needs_its_own_chunks_alone() {
    let radiologist = v6(None);
    let payload = payload(20 << 20);
    let (body, sealed) = seal(&payload, &radiologist, BodyVersion::V2);
    let parts = Parts::open(Counted(&body, RefCell::default()), &sealed.session_key).unwrap();
    let read = |parts: &Parts<Counted<'_>>| -> u64 {
        let ranges = std::mem::take(&mut *parts.source().1.borrow_mut());
        ranges.iter().map(|range| range.end - range.start).sum()
    };
    assert!(read(&parts) < 4 * ((256 << 10) + 100), "the ends");
    let mut out = Vec::new();
    let middle = 9 << 20;
    parts.read(middle..middle + 1000, &mut out).unwrap();
    assert!(out == payload[middle as usize..][..1000]);
    assert!(read(&parts) <= 2 * ((256 << 10) + 20));
}

#[test]
fn a_body_of_another_layout_or_version_is_only_opened_whole() {
    let radiologist = v6(None);
    let (body, sealed) = seal(&[7; 5000], &radiologist, BodyVersion::V1);
    let refused = Parts::open(&body[..], &sealed.session_key);
    assert!(matches!(refused.err(), Some(Error::Structure { .. })));
    let (body, sealed) = seal(&[7; 5000], &radiologist, BodyVersion::V2);
    // The same packet in two parts.
    let (start, rest) = body[3..].split_at(1024);
    let high = ((rest.len() - 192) >> 8) as u8 + 192;
    let cut = [
        &[0xd2, 224 | 10],
        start,
        &[high, (rest.len() - 192) as u8],
        rest,
    ]
    .concat();
    assert!(open(&cut, &sealed.session_key).is_ok());
    let refused = Parts::open(&cut[..], &sealed.session_key);
    assert!(matches!(refused.err(), Some(Error::Structure { .. })));
}

#[test]
fn an_index_is_its_signers_and_the_signature_names_it() {
    let (radiologist, other) = (v6(None), v4(None));
    let index = b"{ the index }";
    for signer in [&radiologist, &other] {
        let signature = sign_index(index, signer).unwrap();
        verify_index(index, &signature, &signer.certificate()).unwrap();
        for (index, signature) in [
            (&b"{ the_index }"[..], &signature[..]),
            (index, &signature[..signature.len() - 1]),
            (index, &[&signature[..], &signature].concat()),
            (index, b""),
        ] {
            assert!(verify_index(index, signature, &signer.certificate()).is_err());
        }
    }
    let signature = sign_index(index, &other).unwrap();
    let refused = verify_index(index, &signature, &radiologist.certificate());
    assert!(matches!(refused, Err(Error::Signature(_))));

    let claims = Claims {
        predecessor: None,
        index: Some(sha256(index)),
    };
    let mut body = Vec::new();
    let version = BodyVersion::V2;
    let sealed = seal_body(&mut &index[..], &radiologist, claims, version, &mut body).unwrap();
    assert_eq!(open(&body, &sealed.session_key).unwrap().1.claims, claims);
    let parts = Parts::open(&body[..], &sealed.session_key).unwrap();
    assert_eq!(parts.claims(), claims);
}

#[test]
fn mutated_bodies_give_the_same_parts_or_none() {
    let radiologist = v6(None);
    let payload = payload(1_500_000);
    let (body, sealed) = seal(&payload, &radiologist, BodyVersion::V2);
    let mut numbers = Numbers(0x5eed_0102);
    let mut read = 0;
    for _ in 0..mutations() {
        let mut changed = body.clone();
        let at = numbers.below(body.len());
        changed[at] ^= 1 << numbers.below(8);
        if numbers.below(9) == 0 {
            changed.truncate(numbers.below(body.len()));
        }
        let Ok(parts) = Parts::open(&changed[..], &sealed.session_key) else {
            continue;
        };
        if parts.seal() != sealed.seal {
            continue;
        }
        let from = numbers.below(1_400_000);
        if let Ok(found) = part(&parts, from as u64..from as u64 + 100_000) {
            assert!(found == payload[from..][..100_000]);
            read += 1;
        }
    }
    assert!((1..mutations()).contains(&read), "{read} were read");
}
