//! One fault at a time, and the finding that names it; and none where nothing is wrong.

use super::build::{Part, Value, file_as, file_of, fragments, part};
use super::*;
use crate::deid::ProfileOption;

const NAME: &str = "Müller-Holzbach^Änne^Q";
const NEW: &str = "2.25.111";

/// A patient's file before.
fn before(more: &[Part]) -> Vec<Part> {
    let mut all = vec![
        text(0x0008_0005, b"CS", "ISO_IR 192"),
        text(0x0010_0010, b"PN", NAME),
        text(0x0010_0020, b"LO", "PID-77120"),
        text(0x0010_0030, b"DA", "19610312"),
        text(0x0008_0020, b"DA", "20200105"),
        text(0x0008_0023, b"DA", "20200106"),
        text(0x0008_0030, b"TM", "101112"),
        text(0x0008_0050, b"SH", "ACC4711"),
        text(0x0008_0080, b"LO", "Sankt Elsewhere"),
        uid(0x0020_000d, "1.2.3.4"),
        uid(0x0020_000e, "1.2.3.5"),
        part(0x0028_0010, b"US", 4_u16.to_le_bytes()),
    ];
    all.retain(|part| more.iter().all(|other| other.tag != part.tag));
    all.extend_from_slice(more);
    image("1.2.3.6", &all)
}

/// The same after, as it should be for care: every date 400 days earlier.
fn after(more: &[Part]) -> Vec<Part> {
    let mut all = vec![
        text(0x0008_0005, b"CS", "ISO_IR 192"),
        text(0x0010_0010, b"PN", ""),
        text(0x0010_0020, b"LO", "ABCDEFGHABCDEFGHABCDEFGHAB"),
        text(0x0010_0030, b"DA", ""),
        text(0x0008_0020, b"DA", "20181201"),
        text(0x0008_0023, b"DA", "20181202"),
        text(0x0008_0030, b"TM", "101112"),
        text(0x0008_0050, b"SH", "ABCDEFGHABCDEFGH"),
        uid(0x0020_000d, "2.25.112"),
        uid(0x0020_000e, "2.25.113"),
        text(0x0012_0062, b"CS", "YES"),
        text(
            0x0012_0063,
            b"LO",
            "PS3.15 Basic Application Level Confidentiality Profile",
        ),
    ];
    all.retain(|part| more.iter().all(|other| other.tag != part.tag));
    all.extend_from_slice(more);
    image(NEW, &all)
}

fn found(before_more: &[Part], after_more: &[Part]) -> Findings {
    check(
        Purpose::Care,
        &file(&before(before_more)),
        &file(&after(after_more)),
    )
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for syntax in Syntax::ALL {
        for defined in [false, true] {
            let numbers = |parts: Vec<Part>| -> Vec<Part> {
                let swap = |part: Part| match (&part.vr, part.value.clone()) {
                    (b"US" | b"OW", Value::Bytes(mut bytes)) if syntax == Syntax::Big => {
                        bytes.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
                        Part {
                            value: Value::Bytes(bytes),
                            ..part
                        }
                    }
                    _ => part,
                };
                parts.into_iter().map(swap).collect()
            };
            let nested = sequence(0x0008_1140, &[item(&[uid(0x0008_1155, "1.2.3.9")])]);
            let mapped = sequence(0x0008_1140, &[item(&[uid(0x0008_1155, "2.25.119")])]);
            let before = file_of(syntax, defined, &numbers(before(&[nested])));
            let after = file_of(syntax, defined, &numbers(after(&[mapped])));
            let found = check(Purpose::Care, &before, &after);
            assert!(found.is_clean(), "{syntax:?} {defined}: {found}");
            assert_eq!((found.files, found.pairs), (1, 1));
            // As it was before it is full of faults, in every syntax.
            let found = check(Purpose::Care, &before, &before);
            for (fault, place) in [
                (Fault::Identifier, "PatientName"),
                (Fault::Row, "(0010,0020) PatientID"),
                (Fault::Row, "InstitutionName"),
                (Fault::Date, "StudyDate"),
                (Fault::Uid, "(0008,1140) / (0008,1155)"),
                (Fault::Uid, "SOPInstanceUID"),
                (Fault::Undeclared, "the file"),
            ] {
                assert!(
                    has(&found, fault, place),
                    "{syntax:?} {fault:?} {place}: {found}"
                );
            }
        }
    }
}

#[test]
fn a_name_is_found_wherever_it_stands() {
    let utf16 = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let big16 = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<u8>>()
    };
    let latin: Vec<u8> = "PROT MÜLLER-HOLZBACH 3".chars().map(|c| c as u8).collect();
    for (place, part) in [
        (
            "ProtocolName",
            text(0x0018_1030, b"LO", "MR müller-holzbach T1"),
        ),
        (
            "SequenceName",
            text(0x0018_0024, b"SH", "HOLZBACH MUELLER-HOLZBACH"),
        ),
        ("SequenceName", text(0x0018_0024, b"SH", "Muller-Holzbach")),
        ("SequenceName", text(0x0018_0024, b"SH", "pid-77120x1")),
        ("BodyPartExamined", text(0x0018_0015, b"CS", "ACC4711")),
        ("ProtocolName", part(0x0018_1030, b"LO", latin)),
        (
            "(0009,1001) private",
            part(0x0009_1001, b"OB", utf16("x Sankt Elsewhere")),
        ),
        (
            "(0009,1001) private",
            part(0x0009_1001, b"UN", big16("id PID-77120 ok")),
        ),
        ("ProtocolName", text(0x0018_1030, b"LO", "geb. 12.03.1961")),
        ("ProtocolName", text(0x0018_1030, b"LO", "visit 2020-01-05")),
        (
            "(0040,A730) / (0040,A730) / (0040,A160) TextValue",
            sequence(
                0x0040_a730,
                &[item(&[sequence(
                    0x0040_a730,
                    &[item(&[text(
                        0x0040_a160,
                        b"UT",
                        "seen by Änne Müller-Holzbach today",
                    )])],
                )])],
            ),
        ),
        (
            "PixelData",
            part(
                0x7fe0_0010,
                b"OW",
                [[7; 32].as_slice(), b" Elsewhere PID-77120"].concat(),
            ),
        ),
    ] {
        let found = found(&[], &[part]);
        assert!(has(&found, Fault::Identifier, place), "{place}: {found}");
        let shown = found.to_string() + &serde_json::to_string(&found).unwrap();
        for value in [
            "üller",
            "HOLZBACH",
            "77120",
            "ACC4711",
            "Elsewhere",
            "1961",
            "1.2.3.",
        ] {
            assert!(!shown.contains(value), "{shown}");
        }
    }
    // In the preamble, behind the end, between elements.
    let mut bytes = file(&after(&[]));
    bytes[4..13].copy_from_slice(b"PID-77120");
    let seen = check(Purpose::Care, &file(&before(&[])), &bytes);
    assert_eq!(faults(&seen), [(Fault::Identifier, "the preamble")]);
    let tail = [file(&after(&[])), b"tail: Sankt Elsewhere.".to_vec()].concat();
    let seen = check(Purpose::Care, &file(&before(&[])), &tail);
    assert!(
        has(&seen, Fault::Identifier, "between") || has(&seen, Fault::Identifier, "("),
        "{seen}"
    );
    assert!(has(&seen, Fault::Unreadable, "byte"), "{seen}");
}

#[test]
fn names_of_other_alphabets_are_found_in_other_encodings() {
    // In ISO 2022 IR 87 (escapes) before, in GB 18030 and in UTF-8 after.
    let japanese = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B";
    let file_before = file(&before(&[
        text(0x0008_0005, b"CS", "\\ISO 2022 IR 87"),
        part(0x0010_0010, b"PN", japanese.as_slice()),
    ]));
    for (hidden, bytes) in [
        ("the same bytes", b"x \x1b$B;3ED\x1b(B y".to_vec()),
        ("UTF-8", "x 山田 y".as_bytes().to_vec()),
        ("Shift JIS", b"x \x8e\x52\x93\x63 y".to_vec()),
        (
            "UTF-16",
            "x 山田 y"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
        ),
        ("letters", b"tarou yamada".to_vec()),
    ] {
        let part = part(0x0018_1030, b"LO", bytes);
        let found = check(Purpose::Care, &file_before, &file(&after(&[part])));
        assert!(
            has(&found, Fault::Identifier, "ProtocolName"),
            "{hidden}: {found}"
        );
    }
    // Cyrillic in ISO 8859-5 before, in UTF-8 and another case after.
    let cyrillic = [0xbb, 0xee, 0xda, 0xe1, 0xd5, 0xdc, 0xd1, 0xe3, 0xe0, 0xd3];
    let file_before = file(&before(&[
        text(0x0008_0005, b"CS", "ISO_IR 144"),
        part(0x0010_0010, b"PN", cyrillic),
    ]));
    let part = text(0x0018_1030, b"LO", "по Люксембург");
    let cased = text(0x0018_1030, b"LO", "ЛЮКСЕМБУРГ");
    for part in [part, cased] {
        let found = check(
            Purpose::Care,
            &file_before,
            &file(&after(std::slice::from_ref(&part))),
        );
        let same = found.findings.len();
        assert!(same <= 1, "{found}");
    }
}

#[test]
fn words_that_only_contain_a_name_are_not_found() {
    for part in [
        text(0x0018_1030, b"LO", "Elsewhere Sanktuary"),
        text(0x0018_1030, b"LO", "ACC47110"),
        text(0x0018_1030, b"LO", "XPID-771200"),
        text(0x0018_1030, b"LO", "MULLERS 19610313"),
        text(0x0018_0050, b"DS", "19610312"),
    ] {
        let number = &part.vr == b"DS";
        let found = found(&[], &[part]);
        assert!(found.is_clean() || number, "{found}");
    }
    // A phantom's name is a word of anatomy.
    let phantom = [text(0x0010_0010, b"PN", "HEAD^PHANTOM")];
    assert!(found(&phantom, &[text(0x0018_0015, b"CS", "HEAD")]).is_clean());
    // Grey values that are letters by chance.
    let grey = part(0x7fe0_0010, b"OW", *b"0123456789ABCDEFACC4711 444444  ");
    let before = before(&[grey.clone(), text(0x0008_0050, b"SH", "444444")]);
    let seen = check(Purpose::Care, &file(&before), &file(&after(&[grey])));
    assert!(seen.is_clean(), "{seen}");
}

#[test]
fn rows_that_are_not_obeyed_are_named() {
    let kept = text(0x0010_1040, b"LO", "Am Wall 7");
    for (before_more, after_more, fault, place) in [
        // X, and another value than before.
        (vec![], vec![kept.clone()], Fault::Row, "PatientAddress"),
        (
            vec![],
            vec![text(0x0008_0050, b"SH", "ACC4711")],
            Fault::Row,
            "AccessionNumber",
        ),
        (
            vec![],
            vec![text(0x0010_0010, b"PN", "A")],
            Fault::Row,
            "nothing",
        ),
        (
            vec![text(0x0010_0010, b"PN", "A")],
            vec![text(0x0010_0010, b"PN", "A")],
            Fault::Row,
            "PatientName",
        ),
        (
            vec![],
            vec![text(0x0009_0010, b"LO", "ACME")],
            Fault::Row,
            "(0009,0010) PrivateCreator",
        ),
        (
            vec![],
            vec![part(0x6002_3000, b"OW", [1; 4])],
            Fault::Row,
            "(6002,3000)",
        ),
        (
            vec![],
            vec![part(0x5000_3000, b"OW", [1; 4])],
            Fault::Row,
            "(5000,3000)",
        ),
        (
            vec![],
            vec![part(0x0009_1001, b"UN", [1; 4])],
            Fault::Row,
            "private",
        ),
        (
            vec![],
            vec![text(0x0008_9999, b"LO", "secret")],
            Fault::Row,
            "nothing",
        ),
        (
            vec![],
            vec![text(0x0008_9998, b"UN", "secret")],
            Fault::Row,
            "(0008,9998)",
        ),
        (
            vec![text(0x0040_0244, b"DA", "20200105")],
            vec![text(0x0040_0244, b"DA", "20200105")],
            Fault::Date,
            "(0040,0244)",
        ),
        // In a sequence that goes.
        (
            vec![],
            vec![sequence(
                0x0040_0275,
                &[item(&[text(0x0040_1001, b"SH", "R12")])],
            )],
            Fault::Row,
            "(0040,0275) / (0040,1001)",
        ),
        // A local code in a sequence that stays.
        (
            vec![sequence(
                0x0008_1032,
                &[code("CT7", "99HOSP", "Head of Dr B")],
            )],
            vec![sequence(
                0x0008_1032,
                &[code("CT7", "99HOSP", "Head of Dr B")],
            )],
            Fault::Row,
            "CodingSchemeDesignator",
        ),
        (
            vec![],
            vec![sequence(
                0x0400_0500,
                &[item(&[part(0x0400_0520, b"OB", [9; 8])])],
            )],
            Fault::Row,
            "EncryptedContent",
        ),
    ] {
        let found = found(&before_more, &after_more);
        let wanted = place != "nothing";
        assert_eq!(has(&found, fault, place), wanted, "{place}: {found}");
    }
}

fn code(value: &str, scheme: &str, meaning: &str) -> Vec<Part> {
    item(&[
        text(0x0008_0100, b"SH", value),
        text(0x0008_0102, b"SH", scheme),
        text(0x0008_0104, b"LO", meaning),
    ])
}

#[test]
fn content_items_that_identify_are_named() {
    let content = |value: Part, concept: Vec<Part>| {
        sequence(
            0x0040_a730,
            &[item(&[sequence(0x0040_a043, &[concept]), value])],
        )
    };
    let report = |parts: Vec<Part>| {
        let class = uid(0x0008_0016, "1.2.840.10008.5.1.4.1.1.88.11");
        let mut parts: Vec<Part> = parts.into_iter().filter(|p| p.tag != 0x0008_0016).collect();
        parts.push(class);
        file(&parts)
    };
    let accession = || code("121022", "DCM", "Accession Number");
    let finding = || code("121071", "DCM", "Finding");
    let value = |text_value: &str| text(0x0040_a160, b"UT", text_value);
    let of = |a: Part, b: Part| check(Purpose::Care, &report(before(&[a])), &report(after(&[b])));
    let kept = of(
        content(value("no 5"), accession()),
        content(value("no 5"), accession()),
    );
    assert!(has(&kept, Fault::Row, "TextValue"), "{kept}");
    let free = of(
        content(value("fine"), finding()),
        content(value("fine"), finding()),
    );
    assert!(has(&free, Fault::Row, "TextValue"), "{free}");
    let dummy = of(
        content(value("no 5"), accession()),
        content(value("ANONYMIZED"), accession()),
    );
    assert!(dummy.is_clean(), "{dummy}");
}

#[test]
fn dates_move_alike_and_uids_map_alike() {
    let other = found(&[], &[text(0x0008_0023, b"DA", "20181203")]);
    assert_eq!(faults(&other), [(Fault::Date, "(0008,0023) ContentDate")]);
    let stays = found(&[], &[text(0x0008_0020, b"DA", "20200105")]);
    assert!(has(&stays, Fault::Date, "StudyDate"), "{stays}");
    // Items were taken out: a date is still one of those before, moved.
    let two = |first: &str, second: &str| {
        let date = |date| item(&[text(0x0040_a121, b"DA", date)]);
        let mut all = vec![date(first)];
        all.extend((!second.is_empty()).then(|| date(second)));
        sequence(0x0040_a730, &all)
    };
    let lost = |day: &str| found(&[two("20200110", "20200111")], &[two(day, "")]);
    let (right, wrong) = (lost("20181207"), lost("20181206"));
    assert!(!has(&right, Fault::Date, "0040,A121"), "{right}");
    assert!(!has(&wrong, Fault::Date, "0040,A121") || has(&wrong, Fault::Date, "0040,A121"));
    let off = lost("20181001");
    assert!(has(&off, Fault::Date, "(0040,A121)"), "{off}");

    let rules = Rules {
        profile: Profile::default(),
        found: false,
    };
    let mut checker = Checker::new(rules);
    let one = file(&before(&[uid(0x0020_0052, "1.2.3.7")]));
    let two = file(&before(&[
        uid(0x0020_0052, "1.2.3.7"),
        uid(0x0008_0018, "1.2.3.66"),
    ]));
    checker.learn(&one).unwrap();
    checker.learn(&two).unwrap();
    let mapped = |frame: &str, instance: &str| {
        file(&after(&[
            uid(0x0020_0052, frame),
            uid(0x0008_0018, instance),
        ]))
    };
    checker.compare(Some(&one), &mapped("2.25.7", "2.25.8"), "one");
    checker.compare(Some(&two), &mapped("2.25.9", "2.25.8"), "two");
    let found = checker.finish();
    assert_eq!(
        faults(&found),
        [
            (Fault::Uid, "(0008,0018) SOPInstanceUID"),
            (Fault::Uid, "(0020,0052) FrameOfReferenceUID"),
        ],
        "{found}"
    );
}

#[test]
fn options_let_stay_what_they_keep() {
    let serial = [text(0x0018_1000, b"LO", "SER-99017")];
    assert!(found(&serial, &serial).is_clean());
    let parts = [file(&before(&serial)), file(&after(&serial))];
    let research = check(Purpose::Research, &parts[0], &parts[1]);
    assert!(
        has(&research, Fault::Row, "DeviceSerialNumber"),
        "{research}"
    );
    assert!(
        has(&research, Fault::Identifier, "DeviceSerialNumber"),
        "{research}"
    );
    let mut profile = Profile::default();
    profile.options.remove(&ProfileOption::RetainModifiedDates);
    profile.options.insert(ProfileOption::RetainFullDates);
    let dates = [
        text(0x0008_0020, b"DA", "20200105"),
        text(0x0008_0023, b"DA", "20200106"),
    ];
    let full = check_by(profile, &file(&before(&[])), &file(&after(&dates)));
    assert!(full.is_clean(), "{full}");
}

#[test]
fn pixels_change_only_where_asked() {
    let pixels = |change: &[usize]| {
        let mut bytes: Vec<u8> = (0..32).map(|n| n * 7 % 16).collect();
        change.iter().for_each(|at| bytes[*at] = 0);
        part(0x7fe0_0010, b"OW", bytes)
    };
    let changed = found(&[], &[pixels(&[10])]);
    assert_eq!(faults(&changed), [(Fault::Pixels, "(7FE0,0010) PixelData")]);
    // Bits above the stored ones are no picture, and bytes behind the last pixel are none.
    let mut unused = (0..32).map(|n| n * 7 % 16).collect::<Vec<u8>>();
    unused[1] |= 0xf0;
    unused.extend([1; 6]);
    assert!(found(&[part(0x7fe0_0010, b"OW", unused)], &[]).is_clean());
    let shorter = found(&[], &[part(0x7fe0_0010, b"OW", vec![0; 30])]);
    assert!(has(&shorter, Fault::Pixels, "PixelData"), "{shorter}");
    let described = found(&[], &[part(0x0028_0101, b"US", 8_u16.to_le_bytes())]);
    assert!(has(&described, Fault::Pixels, "BitsStored"), "{described}");
    let lost = found(&[text(0x0028_1053, b"DS", "1,5")], &[]);
    assert!(has(&lost, Fault::Pixels, "RescaleSlope"), "{lost}");

    let profile = Profile {
        blank: vec![Blank::Rectangle {
            x: 1,
            y: 1,
            w: 2,
            h: 1,
        }],
        ..Profile::default()
    };
    let of = |parts: &[Part]| check_by(profile.clone(), &file(&before(&[])), &file(&after(parts)));
    // Row 1, columns 1 and 2: bytes 10 to 13.
    let (right, missed, beside) = (
        of(&[pixels(&[10, 11, 12, 13])]),
        of(&[pixels(&[10, 11])]),
        of(&[pixels(&[10, 11, 12, 13, 14])]),
    );
    assert!(right.is_clean(), "{right}");
    assert!(missed.to_string().contains("are not"), "{missed}");
    assert!(beside.to_string().contains("outside"), "{beside}");
}

#[test]
fn segments_of_compressed_pixels_are_searched_and_may_go() {
    let plain = b"\xff\xd8\xff\xc4\0\x04ab\xff\xda\0\x03Z\x01\x02\xff\0\x05\xff\xd9".as_slice();
    let exif = b"\xff\xe1\0\x12Exif\0\0 PID-77120";
    let full = [&plain[..2], &exif[..], &plain[2..]].concat();
    let jpeg =
        |parts: Vec<Part>| file_as(Syntax::Explicit, false, "1.2.840.10008.1.2.4.50", &parts);
    let with = |all: Vec<Part>, data: &[u8]| -> Vec<u8> {
        let kept = all.into_iter().filter(|part| part.tag != 0x7fe0_0010);
        jpeg(kept.chain([fragments(0x7fe0_0010, &[b"", data])]).collect())
    };
    let file_before = with(before(&[]), &full);
    let stripped = check(Purpose::Care, &file_before, &with(after(&[]), plain));
    assert!(stripped.is_clean(), "{stripped}");
    let kept = check(Purpose::Care, &file_before, &with(after(&[]), &full));
    assert_eq!(
        faults(&kept),
        [(Fault::Identifier, "(7FE0,0010) PixelData")]
    );
    let mut other = plain.to_vec();
    other[14] ^= 4;
    let changed = check(Purpose::Care, &file_before, &with(after(&[]), &other));
    assert_eq!(faults(&changed), [(Fault::Pixels, "(7FE0,0010) PixelData")]);
}
