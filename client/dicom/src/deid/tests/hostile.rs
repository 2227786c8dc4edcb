//! Files that are wrong, on purpose or not: an error or a documented repair, never a panic, a hang or a leak.

use super::*;
use pcim_core::chance::{Numbers, rounds};

fn nested(depth: usize) -> Vec<u8> {
    // Explicit VR Little Endian, undefined lengths: sequence header and item header, again and again, before the pixels.
    let header = [
        0x18, 0x00, 0x12, 0x90, b'S', b'Q', 0, 0, 0xff, 0xff, 0xff, 0xff,
    ];
    let item = [0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff];
    let item_end = [0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0];
    let end = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];
    let mut flat = image();
    flat.remove_element(tags::CONTRIBUTING_SOURCES_SEQUENCE);
    let file = explicit(flat);
    let rows = [0x28, 0x00, 0x10, 0x00, b'U', b'S'];
    let at = file.windows(6).position(|w| w == rows).unwrap();
    let mut bytes = file[..at].to_vec();
    bytes.extend([header.as_slice(), &item].concat().repeat(depth));
    bytes.extend([item_end.as_slice(), &end].concat().repeat(depth));
    bytes.extend(&file[at..]);
    bytes
}

#[test]
fn sequences_may_not_nest_without_end() {
    assert!(deidentify(&nested(20), &options("care")).is_ok());
    for depth in [40, 10_000, 100_000] {
        assert_eq!(
            inspect(&nested(depth)).unwrap_err(),
            crate::Error::TooDeep { max: 32 }.into()
        );
    }
}

#[test]
fn broken_files_are_told_from_foreign_ones() {
    assert_eq!(inspect(b"").unwrap_err(), crate::Error::NotDicom.into());
    assert_eq!(
        inspect(&[0; 4096]).unwrap_err(),
        crate::Error::NotDicom.into()
    );
    let file = explicit(image());
    let unknown = b"1.2.840.10008.1.2.1\0";
    let at = file.windows(20).position(|w| w == unknown).unwrap();
    let mut other = file.clone();
    other[at..at + 20].copy_from_slice(b"1.2.840.10008.1.2.77");
    assert_eq!(
        inspect(&other).unwrap_err(),
        crate::Error::TransferSyntax {
            uid: "1.2.840.10008.1.2.77".to_owned()
        }
        .into()
    );
}

#[test]
fn cut_files_are_refused_at_every_byte() {
    for syntax in SYNTAXES {
        let file = write(image(), syntax);
        let whole = data_set_bytes(&parse(&file));
        for end in 0..file.len() {
            // The very end of a deflated stream adds nothing to the data set.
            if inspect(&file[..end]).is_ok() {
                assert!(
                    data_set_bytes(&parse(&file[..end])) == whole,
                    "{syntax} at {end}"
                );
            }
        }
    }
}

#[test]
fn hostile_lengths_neither_crash_nor_allocate() {
    let file = explicit(image());
    let pixels = file.len() - 12;
    assert_eq!(file[pixels..pixels + 4], 8_u32.to_le_bytes());
    for length in [10_u32, 0x7fff_fff0, 0xffff_fff0, 0xffff_ffff] {
        let mut bad = file.clone();
        bad[pixels..pixels + 4].copy_from_slice(&length.to_le_bytes());
        assert!(inspect(&bad).is_err(), "{length:#x}");
    }
    // The same in the file meta group, after its group length: Private Information (0002,0102).
    let mut bad = file[..144].to_vec();
    bad.extend([
        0x02, 0, 0x02, 0x01, b'O', b'B', 0, 0, 0xf0, 0xff, 0xff, 0xff,
    ]);
    bad.extend(&file[144..]);
    assert!(inspect(&bad).is_err());
    // The same under a VR that nobody knows.
    bad[148..150].copy_from_slice(b"05");
    assert!(inspect(&bad).is_err());
}

#[test]
fn deflated_bombs_do_not_go_off() {
    let file = write(image(), uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN);
    let plain = explicit(image());
    let start = |file: &[u8]| {
        let length = u32::from_le_bytes(file[140..144].try_into().unwrap());
        144 + length as usize
    };
    // A data set of 1.5 GiB of zeros, in some megabytes.
    let mut data_set = plain[start(&plain)..plain.len() - 12].to_vec();
    data_set.extend(0x6000_0000_u32.to_le_bytes());
    let syntax = file::read(&file).unwrap().syntax;
    let dicom_encoding::Codec::Dataset(Some(adapter)) = syntax.codec() else {
        panic!("the syntax is deflated");
    };
    let mut bomb = file[..start(&file)].to_vec();
    let mut deflated = adapter.adapt_writer(Box::new(&mut bomb));
    std::io::Write::write_all(&mut deflated, &data_set).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1536 {
        std::io::Write::write_all(&mut deflated, &zeros).unwrap();
    }
    drop(deflated);
    assert!(bomb.len() < 16 << 20);
    assert!(matches!(
        inspect(&bomb),
        Err(Error::File(crate::Error::TooLarge { .. }))
    ));
}

#[test]
fn of_two_equal_tags_the_last_is_taken() {
    let file = explicit(image());
    let rows = [0x28, 0x00, 0x10, 0x00, b'U', b'S'];
    let at = file.windows(6).position(|w| w == rows).unwrap();
    let again = b"\x10\x00\x10\x00PN\x0e\x00SECRET^DOUBLE ";
    let mut twice = file[..at].to_vec();
    twice.extend(again);
    twice.extend(&file[at..]);
    let (out, _) = deidentify(&twice, &options("care")).unwrap();
    assert!(!contains(&out, b"SECRET^"));
    assert_eq!(value(&parse(&out), tags::PATIENT_NAME).as_deref(), Some(""));
}

#[test]
fn sequences_whose_vr_was_lost_are_searched() {
    // One item with a Patient's Name, without VRs.
    let item = b"\xfe\xff\x00\xe0\x16\0\0\0\x10\0\x10\0\x0e\0\0\0SECRET^UNKNOWN";
    let lost = image_with([InMemElement::new(
        tags::CONTRIBUTING_SOURCES_SEQUENCE,
        VR::UN,
        PrimitiveValue::U8(item[..].into()),
    )]);
    let (out, _) = deidentify(&explicit(lost), &options("care")).unwrap();
    assert!(!contains(&out, b"SECRET^"));
    let object = parse(&out);
    let item = first_item(&object, tags::CONTRIBUTING_SOURCES_SEQUENCE);
    assert_eq!(value(item, tags::PATIENT_NAME).as_deref(), Some(""));
}

/// A file in which this stands before Rows, Explicit VR Little Endian.
fn with_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut image = image();
    image.remove_element(tags::CONTRIBUTING_SOURCES_SEQUENCE);
    let mut file = explicit(image);
    let rows = [0x28, 0x00, 0x10, 0x00, b'U', b'S'];
    let at = file.windows(6).position(|w| w == rows).unwrap();
    file.splice(at..at, bytes.iter().copied());
    file
}

const ITEM: [u8; 8] = [0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff];
const ITEM_END: [u8; 8] = [0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0];
const END: [u8; 8] = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];

#[test]
fn unknown_values_without_a_length_are_sequences_without_vrs() {
    // A private sequence and a standard one as UN of undefined length; inside, without VRs: a name, a sequence of
    // undefined length, one of a defined length, a number that stays.
    let name = b"\x10\0\x10\0\x0e\0\0\0SECRET^UNKNOWN".as_slice();
    let thickness = b"\x18\0\x50\0\x04\0\0\x002.5 ";
    let open_sequence = [
        b"\x08\0\x15\x11\xff\xff\xff\xff".as_slice(),
        &ITEM,
        name,
        &ITEM_END,
        &END,
    ]
    .concat();
    let long = b"\xfe\xff\x00\xe0\x16\0\0\0".len() + name.len();
    let sized_sequence = [
        b"\x40\0\x70\xa1".as_slice(),
        &(long as u32).to_le_bytes(),
        b"\xfe\xff\x00\xe0\x16\0\0\0",
        name,
    ]
    .concat();
    let inside = [&open_sequence[..], &sized_sequence, name, thickness].concat();
    let unknown = |tag: &[u8]| {
        [
            tag,
            b"UN\0\0\xff\xff\xff\xff",
            &ITEM,
            &inside,
            &ITEM_END,
            &END,
        ]
        .concat()
    };
    let file = with_bytes(&[unknown(b"\x18\0\x06\x95"), unknown(b"\x19\0\x01\x10")].concat());
    let (out, report) = deidentify(&file, &options("research")).unwrap();
    assert!(!contains(&out, b"SECRET^"));
    let object = parse(&out);
    // What follows is in the file's own encoding again.
    assert_eq!(object.get(tags::ROWS).unwrap().to_int::<u16>().unwrap(), 2);
    assert_eq!(
        object
            .get(tags::PIXEL_DATA)
            .unwrap()
            .to_bytes()
            .unwrap()
            .len(),
        8
    );
    let sequence = object.get(tags::CONTRIBUTING_SOURCES_SEQUENCE).unwrap();
    assert_eq!(sequence.vr(), VR::SQ);
    let item = first_item(&object, tags::CONTRIBUTING_SOURCES_SEQUENCE);
    assert_eq!(value(item, tags::SLICE_THICKNESS).as_deref(), Some("2.5"));
    for inner in [
        tags::REFERENCED_SERIES_SEQUENCE,
        tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE,
    ] {
        assert_eq!(
            value(first_item(item, inner), tags::PATIENT_NAME).as_deref(),
            Some("")
        );
    }
    assert!(object.get(Tag(0x0019, 0x1001)).is_none());
    assert_eq!(report.private_removed, 3);
    assert!(deidentify(&out, &options("research")).unwrap().0 == out);
}

#[test]
fn unknown_values_without_a_length_may_be_cut_or_deep_or_lie() {
    let start = b"\x18\0\x06\x95UN\0\0\xff\xff\xff\xff";
    let deeper = b"\x18\0\x06\x95\xff\xff\xff\xff";
    let mut deep = [start.as_slice(), &ITEM].concat();
    deep.extend([deeper.as_slice(), &ITEM].concat().repeat(50_000));
    assert_eq!(
        inspect(&with_bytes(&deep)).unwrap_err(),
        crate::Error::TooDeep { max: 32 }.into()
    );
    // Never closed; closed twice; a name in Explicit VR, whose VR then is a length beyond the file.
    let open = [start.as_slice(), &ITEM].concat();
    let twice = [start.as_slice(), &ITEM, &ITEM_END, &END, &END].concat();
    let explicit = b"\x10\0\x10\0PN\x0e\0SECRET^EXPLICIT";
    let explicit = [start.as_slice(), &ITEM, explicit, &ITEM_END, &END].concat();
    for bad in [open, twice, explicit] {
        match deidentify(&with_bytes(&bad), &options("care")) {
            Ok((out, _)) => assert!(!contains(&out, b"SECRET^")),
            Err(error) => assert!(!format!("{error} {error:?}").contains("SECRET")),
        }
    }
}

#[test]
fn polyglots_lose_their_other_half() {
    let mut file = explicit(image());
    file[..12].copy_from_slice(b"MZ\x90\0%PDF-1.7");
    let (out, _) = deidentify(&file, &options("care")).unwrap();
    assert_eq!(out[..128], [0; 128]);
}

#[test]
fn damaged_files_are_refused_or_still_come_out_clean() {
    let mut numbers = Numbers(0x5eed_2025);
    let seeds: Vec<Vec<u8>> = SYNTAXES.map(|syntax| write(image(), syntax)).to_vec();
    let rounds = rounds("PCIM_TEST_FUZZ_ROUNDS", 3000);
    let (mut passed, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut file = seeds[round % seeds.len()].clone();
        for _ in 0..=numbers.below(6) {
            let at = 132 + numbers.below(file.len() - 132);
            match numbers.below(5) {
                0 => file[at] = numbers.below(256) as u8,
                1 => file[at] ^= 1 << numbers.below(8),
                2 => file.truncate(at.max(200)),
                3 => {
                    let end = (at + numbers.below(40)).min(file.len());
                    let piece = file[at..end].to_vec();
                    file.splice(at..at, piece);
                }
                _ => {
                    let end = (at + numbers.below(16)).min(file.len());
                    file[at..end].fill(0xff);
                }
            }
        }
        match deidentify(&file, &options("care")) {
            Ok((out, _)) => {
                passed += 1;
                assert_eq!(out[..128], [0; 128]);
                // It is a whole file, and goes through again without a change.
                let (again, report) = deidentify(&out, &options("care")).unwrap();
                assert!(again == out, "round {round}:\n{report}");
            }
            Err(error) => {
                refused += 1;
                assert!(!format!("{error} {error:?}").contains("SECRET"));
            }
        }
    }
    assert!(
        passed > rounds / 20 && refused > rounds / 20,
        "{passed} {refused}"
    );
}
