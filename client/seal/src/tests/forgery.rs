//! Everything that an attacker may try without the session key, or with a session key of his own.

use openpgp::Packet;
use openpgp::packet::{Literal, Marker, Tag};
use openpgp::serialize::stream::{
    ArbitraryWriter, Compressor, Encryptor, LiteralWriter, Message, Signer,
};
use openpgp::serialize::{Marshal, MarshalInto};
use openpgp::types::{AEADAlgorithm, CompressionAlgorithm, DataFormat, SymmetricAlgorithm};

use super::*;
use crate::header::HEADER_MAX;
use pcim_core::chance::{Numbers, mutations};

const V: [BodyVersion; 2] = [BodyVersion::V1, BodyVersion::V2];

fn refused(body: &[u8], key: &SessionKey, why: &str) {
    let mut out = Vec::new();
    let result = open_body(&mut &body[..], key, &mut out);
    assert!(result.is_err(), "{why}: opened");
    let resealed = reseal_body(&mut &body[..], key, BodyVersion::V2, &mut Vec::new());
    assert!(resealed.is_err(), "{why}: resealed");
}

/// A body with whatever `fill` writes into the container.
pub(super) fn body_of(
    version: BodyVersion,
    fill: impl FnOnce(Message<'_>),
) -> (Vec<u8>, SessionKey) {
    let key = SessionKey::random(version).unwrap();
    let mut body = Vec::new();
    let mut encryptor = Encryptor::with_session_key(
        Message::new(&mut body),
        SymmetricAlgorithm::AES256,
        key.secret.clone(),
    )
    .unwrap();
    if version == BodyVersion::V2 {
        encryptor = encryptor.aead_algo(AEADAlgorithm::OCB);
    }
    fill(encryptor.build().unwrap());
    (body, key)
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let radiologist = v6(None);
    for version in V {
        let (body, sealed) = seal(&[8; 20_000], &radiologist, version);
        let step = body.len() / 150;
        let places = (0..200)
            .chain((200..body.len()).step_by(step))
            .chain(body.len() - 60..body.len());
        for at in places {
            let mut bad = body.clone();
            bad[at] ^= 1 << (at % 8);
            refused(&bad, &sealed.session_key, &format!("{version} bit at {at}"));
        }
    }
}

#[test]
fn a_cut_or_extended_body_is_refused() {
    let radiologist = v6(None);
    for version in V {
        let (body, sealed) = seal(&[8; 20_000], &radiologist, version);
        let cuts = (0..40)
            .chain((40..body.len()).step_by(997))
            .chain(body.len() - 40..body.len());
        for at in cuts {
            refused(
                &body[..at],
                &sealed.session_key,
                &format!("{version} cut at {at}"),
            );
        }
        let literal = {
            let mut l = Literal::new(DataFormat::Binary);
            l.set_body(b"extra".to_vec());
            Packet::from(l).to_vec().unwrap()
        };
        let marker = Packet::from(Marker::default()).to_vec().unwrap();
        for tail in [
            &b"\0"[..],
            b"x",
            b"\xff\xff\xff\xff",
            &[0; 5000],
            &literal,
            &marker,
            &body,
        ] {
            refused(
                &[&body[..], tail].concat(),
                &sealed.session_key,
                &format!("{version} followed by {} bytes", tail.len()),
            );
            refused(
                &[tail, &body[..]].concat(),
                &sealed.session_key,
                &format!("{version} after {} bytes", tail.len()),
            );
        }
    }
}

#[test]
fn swapped_and_dropped_chunks_are_found() {
    // Chunks of 256 KiB + 16 bytes lie in the body in order, after 38 bytes: tag, length, 36 bytes of the packet's own.
    let (body, sealed) = seal(&[8; 900_000], &v6(None), BodyVersion::V2);
    let n = (256 << 10) + 16;
    let (a, b) = (38, 38 + n);
    let mut swapped = body.clone();
    let first = body[a..a + n].to_vec();
    swapped.copy_within(b..b + n, a);
    swapped[b..b + n].copy_from_slice(&first);
    refused(&swapped, &sealed.session_key, "swapped");
    let mut dropped = body.clone();
    dropped.drain(a..a + n);
    refused(&dropped, &sealed.session_key, "dropped");
}

#[test]
fn a_wrong_session_key_opens_nothing() {
    for version in V {
        let (body, _) = seal(b"secret", &v6(None), version);
        let mut out = Vec::new();
        let wrong = SessionKey::random(version).unwrap();
        assert!(matches!(
            open_body(&mut &body[..], &wrong, &mut out),
            Err(Error::Damaged(_))
        ));
        assert!(out.is_empty());
    }
}

#[test]
fn a_key_of_the_other_version_is_refused() {
    let (body, sealed) = seal(b"secret", &v6(None), BodyVersion::V2);
    let mut key = sealed.session_key.clone();
    key.version = BodyVersion::V1;
    assert!(matches!(
        open(&body, &key),
        Err(Error::VersionMismatch { .. })
    ));
}

#[test]
fn a_header_is_pkesk_packets_and_nothing_else() {
    let (radiologist, patient) = (v6(None), v6(None));
    let (body, sealed) = seal(b"image", &radiologist, BodyVersion::V2);
    let certificate = patient.certificate();
    let good = header_for(&sealed.session_key, BodyVersion::V2, &certificate).unwrap();
    let (_, old) = seal(b"image", &radiologist, BodyVersion::V1);
    let v3 = header_for(&old.session_key, BodyVersion::V1, &certificate).unwrap();
    let whole = [&good[..], &body].concat();
    let marker = Packet::from(Marker::default()).to_vec().unwrap();
    let cases: &[(&str, Vec<u8>)] = &[
        ("empty", vec![]),
        ("a whole message", whole),
        ("a body", body.clone()),
        ("mixed versions", [&good[..], &v3].concat()),
        ("with a marker", [&marker[..], &good].concat()),
        ("with a tail", [&good[..], b"\0"].concat()),
        ("with half a packet", [&good[..], &good[..30]].concat()),
        ("cut", good[..good.len() - 1].to_vec()),
        ("text", b"-----BEGIN PGP MESSAGE-----".to_vec()),
        ("long length form", {
            // The same packet with a five-octet length.
            let mut long = vec![good[0], 0xff, 0, 0, 0, good[1]];
            long.extend(&good[2..]);
            long
        }),
    ];
    for (name, header) in cases {
        assert!(unwrap_header(header, &patient).is_err(), "{name}");
        assert!(check_header(header).is_err(), "{name}");
    }
    let many = good.repeat(HEADER_MAX / good.len() + 1);
    assert!(matches!(
        check_header(&many),
        Err(Error::TooLarge { max: 4096, .. })
    ));
    // Several readers in one header are fine.
    let other = header_for(
        &sealed.session_key,
        BodyVersion::V2,
        &radiologist.certificate(),
    )
    .unwrap();
    let both = [&other[..], &good].concat();
    assert_eq!(check_header(&both).unwrap(), BodyVersion::V2);
    assert!(unwrap_header(&both, &patient).is_ok());
    // A header that hides a message of the attacker's does not change what the body yields.
    assert_eq!(
        open(&body, &unwrap_header(&good, &patient).unwrap().0)
            .unwrap()
            .0,
        b"image"
    );
}

/// Holders of two headers cannot tell whether they are for one reader: the keys of neither stand in them.
#[test]
fn a_header_names_no_reader() {
    for version in [BodyVersion::V1, BodyVersion::V2] {
        let reader = match version {
            BodyVersion::V1 => v4(None),
            BodyVersion::V2 => v6(None),
        };
        let (_, sealed) = seal(b"payload", &reader, version);
        let header = header_for(&sealed.session_key, version, &reader.certificate()).unwrap();
        for key in reader.0.keys() {
            let fingerprint = key.key().fingerprint();
            let named = [fingerprint.as_bytes(), key.key().keyid().as_bytes()]
                .map(|name| header.windows(name.len()).any(|at| at == name));
            assert_eq!(named, [false, false], "{version:?}");
        }
        assert!(unwrap_header(&header, &reader).is_ok());
        assert!(matches!(
            unwrap_header(&header, &v6(None)),
            Err(Error::NotForReader { .. })
        ));
    }
}

#[test]
fn a_flipped_bit_in_a_header_never_yields_the_image() {
    let (radiologist, patient) = (v6(None), v6(None));
    for version in V {
        let (body, sealed) = seal(b"image", &radiologist, version);
        let header = header_for(&sealed.session_key, version, &patient.certificate()).unwrap();
        for at in 0..header.len() {
            let mut bad = header.clone();
            bad[at] ^= 0x10;
            let mut out = Vec::new();
            let result = open_sealed(&bad, &mut &body[..], &patient, &mut out);
            assert!(result.is_err(), "version {version}, octet {at}");
        }
    }
}

#[test]
fn mutated_headers_and_bodies_are_refused_or_open_to_what_was_sealed() {
    let (radiologist, patient) = (v6(None), v6(None));
    let mut numbers = Numbers(0x5eed_2029);
    for version in V {
        let (good, sealed) = seal(&[8; 3000], &radiologist, version);
        let header = header_for(&sealed.session_key, version, &patient.certificate()).unwrap();
        let mut opened = [0; 2];
        for round in 0..mutations() {
            let changed = [
                (numbers.mutated(&header), good.clone()),
                (header.clone(), numbers.mutated(&good)),
            ];
            for (opened, (header, body)) in opened.iter_mut().zip(changed) {
                let mut out = Vec::new();
                if open_sealed(&header, &mut &body[..], &patient, &mut out).is_ok() {
                    assert_eq!(out, [8; 3000], "{version}, {round}");
                    *opened += 1;
                }
            }
        }
        println!(
            "version {version}: {opened:?} of {} each opened",
            mutations()
        );
        // A mutation may change nothing: two flips of a bit.
        assert!(opened.iter().all(|opened| *opened < mutations() / 20));
    }
}

#[test]
fn only_one_signed_literal_is_a_message() {
    let signer = v6(None);
    let signed = |message: Message<'_>, data: &[u8]| {
        let message = Signer::new(message, signer.signer().unwrap())
            .unwrap()
            .build()
            .unwrap();
        let mut literal = LiteralWriter::new(message).build().unwrap();
        literal.write_all(data).unwrap();
        literal.finalize().unwrap();
    };
    type Fill<'a> = Box<dyn Fn(Message<'_>) + 'a>;
    let cases: Vec<(&str, Fill<'_>)> = vec![
        (
            "unsigned",
            Box::new(|message| {
                let mut literal = LiteralWriter::new(message).build().unwrap();
                literal.write_all(b"x").unwrap();
                literal.finalize().unwrap();
            }),
        ),
        (
            "signed, without the signer's certificate",
            Box::new(|message| signed(message, b"x")),
        ),
        (
            "compressed",
            Box::new(|message| {
                signed(
                    Compressor::new(message)
                        .algo(CompressionAlgorithm::Zlib)
                        .build()
                        .unwrap(),
                    b"x",
                )
            }),
        ),
        (
            "encrypted once more",
            Box::new(|message| {
                signed(
                    Encryptor::with_passwords(message, ["p"]).build().unwrap(),
                    b"x",
                )
            }),
        ),
        (
            "signed twice",
            Box::new(|message| {
                let message = Signer::new(message, signer.signer().unwrap())
                    .unwrap()
                    .add_signer(v6(None).signer().unwrap())
                    .unwrap()
                    .build()
                    .unwrap();
                let mut literal = LiteralWriter::new(message).build().unwrap();
                literal.write_all(b"x").unwrap();
                literal.finalize().unwrap();
            }),
        ),
        (
            "not a message",
            Box::new(|message| {
                let mut w = ArbitraryWriter::new(message, Tag::Marker).unwrap();
                w.write_all(b"PGP").unwrap();
                w.finalize().unwrap();
            }),
        ),
        ("empty", Box::new(|message| message.finalize().unwrap())),
    ];
    for version in V {
        for (name, fill) in &cases {
            let (body, key) = body_of(version, fill);
            refused(&body, &key, name);
        }
    }
}

#[test]
fn chunks_of_any_size_open() {
    let payload: Vec<u8> = (0..700_000_u32).map(|i| (i >> 3) as u8).collect();
    let (body, sealed) = seal(&payload, &v6(None), BodyVersion::V2);
    // The library writes chunks of 4 KiB.
    let (small, key) = repack(&inner(&body, &sealed.session_key));
    assert_eq!(
        small[1..]
            .windows(4)
            .filter(|it| *it == [2, 9, 2, 6])
            .count(),
        1
    );
    let (out, opened) = open(&small, &key).unwrap();
    assert!(out == payload && opened.seal == sealed.seal);
    let mut cut = small.clone();
    cut.truncate(small.len() / 2);
    refused(&cut, &key, "half of the chunks");
}

#[test]
fn sizes_at_every_boundary_open_here_and_elsewhere() {
    let radiologist = v6(None);
    let first = 506;
    for size in [
        first - 1,
        first,
        first + 1,
        (256 << 10) - 300,
        first + (256 << 10) - 1,
        first + (256 << 10),
        (1 << 20) - 500,
        (1 << 20) + 500,
    ] {
        let payload: Vec<u8> = (0..size).map(|i| (i * 7 + (i >> 9)) as u8).collect();
        let (body, sealed) = seal(&payload, &radiologist, BodyVersion::V2);
        let (out, opened) = open(&body, &sealed.session_key).unwrap();
        assert!(
            out == payload && opened.payload_len == size as u64,
            "{size} bytes"
        );
        let packets = inner(&body, &sealed.session_key);
        let [
            Packet::OnePassSig(_),
            Packet::Literal(literal),
            Packet::Signature(_),
        ] = &packets[..]
        else {
            panic!("{size} bytes: {packets:?}");
        };
        assert!(literal.body() == payload, "{size} bytes elsewhere");
    }
}

/// The three inner packets of a body, decrypted.
fn inner(body: &[u8], key: &SessionKey) -> Vec<Packet> {
    use openpgp::parse::{PacketParser, PacketParserResult, Parse};
    let mut rest = PacketParser::from_bytes(body).unwrap();
    let mut packets = Vec::new();
    while let PacketParserResult::Some(mut pp) = rest {
        if matches!(pp.packet, Packet::SEIP(_)) {
            pp.decrypt(SymmetricAlgorithm::AES256, &key.secret).unwrap();
        } else {
            pp.buffer_unread_content().unwrap();
        }
        let (packet, next) = pp.recurse().unwrap();
        packets.push(packet);
        rest = next;
    }
    packets.retain(|p| !matches!(p, Packet::SEIP(_)));
    packets
}

fn repack(packets: &[Packet]) -> (Vec<u8>, SessionKey) {
    body_of(BodyVersion::V2, |mut message| {
        for packet in packets {
            packet.serialize(&mut message).unwrap();
        }
        message.finalize().unwrap();
    })
}

#[test]
fn signatures_stay_with_their_payload_and_signer() {
    let (radiologist, other) = (v6(None), v6(None));
    let (body, sealed) = seal(b"left knee", &radiologist, BodyVersion::V2);
    let ours = inner(&body, &sealed.session_key);
    assert_eq!(ours.len(), 3);
    let (again, key) = repack(&ours);
    assert_eq!(open(&again, &key).unwrap().1.seal, sealed.seal);

    let (body, theirs) = seal(b"right knee", &other, BodyVersion::V2);
    let theirs = inner(&body, &theirs.session_key);
    let mut swapped = ours.clone();
    swapped[1] = theirs[1].clone();
    let (body, key) = repack(&swapped);
    assert!(matches!(open(&body, &key), Err(Error::Signature(_))));

    // Another one's signature over the same payload opens, and shows another seal and signer.
    let (body, forged) = seal(b"left knee", &other, BodyVersion::V2);
    let (_, opened) = open(&body, &forged.session_key).unwrap();
    assert_ne!(opened.seal, sealed.seal);
    assert_ne!(opened.signer, radiologist.certificate());

    // Two messages in one container, and a message with its signature missing.
    let (body, key) = repack(&[&ours[..], &theirs[..]].concat());
    refused(&body, &key, "two messages");
    let (body, key) = repack(&ours[..2]);
    refused(&body, &key, "no signature");
    let (body, key) = repack(&ours[1..]);
    refused(&body, &key, "no announcement");
}

#[test]
fn a_signature_that_carries_another_ones_certificate_is_refused() {
    use openpgp::packet::signature::SignatureBuilder;
    use openpgp::types::SignatureType;
    let (radiologist, impostor) = (v6(None), v6(None));
    let template = SignatureBuilder::new(SignatureType::Binary)
        .set_notation(
            "signer-certificate@pcim.invalid",
            radiologist.certificate().to_published_bytes(),
            None,
            false,
        )
        .unwrap();
    let (body, key) = body_of(BodyVersion::V2, |message| {
        let message = Signer::with_template(message, impostor.signer().unwrap(), template)
            .unwrap()
            .build()
            .unwrap();
        let mut literal = LiteralWriter::new(message).build().unwrap();
        literal.write_all(b"x").unwrap();
        literal.finalize().unwrap();
    });
    assert!(matches!(open(&body, &key), Err(Error::Signature(_))));
}
