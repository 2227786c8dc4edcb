//! Files made to make the check fail, hang or cry wolf.

use std::time::{Duration, Instant};

use super::build::{Part, part};
use super::*;

/// Sequences in each other, as deep as asked, around one text.
fn nested(depth: usize, inner: Part) -> Vec<u8> {
    let mut body = file(&image("2.25.9", &[]));
    // Written by hand: a builder that recurses would overflow before the check does.
    for _ in 0..depth {
        body.extend(b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff");
    }
    let Part { tag, vr, value } = inner;
    let super::build::Value::Bytes(bytes) = value else {
        unreachable!()
    };
    body.extend(((tag >> 16) as u16).to_le_bytes());
    body.extend((tag as u16).to_le_bytes());
    body.extend(vr);
    body.extend((bytes.len() as u16).to_le_bytes());
    body.extend(bytes);
    for _ in 0..depth {
        body.extend(b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0");
    }
    body
}

#[test]
fn a_thousand_sequences_deep_is_read_to_the_ground() {
    let before = file(&image(
        "1.2.3",
        &[text(0x0010_0010, b"PN", "Grundmann^Eva")],
    ));
    let after = nested(1000, text(0x0018_1030, b"LO", "of Grundmann"));
    let found = check(Purpose::Care, &before, &after);
    assert!(has(&found, Fault::Identifier, "994 more"), "{found}");
    assert!(!has(&found, Fault::Unreadable, ""), "{found}");
    // Deeper than is read: said so, and searched all the same.
    let found = check(
        Purpose::Care,
        &before,
        &nested(10_000, text(0x0018_1030, b"LO", "Grundmann")),
    );
    assert!(has(&found, Fault::Unreadable, "byte"), "{found}");
    assert!(has(&found, Fault::Identifier, ""), "{found}");
}

#[test]
fn identifiers_of_a_letter_find_nothing_but_themselves() {
    let before = file(&image(
        "1.2.3",
        &[
            text(0x0010_0010, b"PN", "A^B"),
            text(0x0010_0020, b"LO", "A"),
            text(0x0008_0050, b"SH", "1"),
            text(0x0018_0024, b"SH", "A A A 1 B"),
        ],
    ));
    let declared = [
        text(0x0012_0062, b"CS", "YES"),
        text(0x0012_0063, b"LO", "by hand"),
        text(0x0018_0024, b"SH", "A A A 1 B"),
    ];
    let clean = check(Purpose::Care, &before, &file(&image("2.25.3", &declared)));
    let rows: Vec<_> = faults(&clean)
        .into_iter()
        .filter(|(f, _)| *f == Fault::Identifier)
        .collect();
    assert!(rows.is_empty(), "{clean}");
    let kept = [&declared[..], &[text(0x0010_0020, b"LO", "A")]].concat();
    let kept = check(Purpose::Care, &before, &file(&image("2.25.3", &kept)));
    assert!(has(&kept, Fault::Row, "PatientID"), "{kept}");
}

#[test]
fn many_texts_that_begin_alike_cost_no_more() {
    // 4,000 identifiers of one beginning, and a file that consists of it.
    let ids: Vec<String> = (0..4000)
        .map(|n| format!("{}{n}", "a".repeat(20 + n % 40)))
        .collect();
    let before = file(&image(
        "1.2.3",
        &[text(0x0010_1000, b"LO", &ids.join("\\"))],
    ));
    // An LO may be that long in a file that lies about its length: as UT then.
    let before = match before.len() < 60_000 {
        true => before,
        false => {
            let items: Vec<_> = ids
                .iter()
                .map(|id| item(&[text(0x0010_0020, b"LO", id)]))
                .collect();
            file(&image("1.2.3", &[sequence(0x0010_1002, &items)]))
        }
    };
    let after = file(&image(
        "2.25.3",
        &[part(0x0020_4000, b"UN", vec![b'a'; 1 << 20])],
    ));
    let started = Instant::now();
    let found = check(Purpose::Care, &before, &after);
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
    assert!(found.texts > 4000);
    // One identifier in every word of a long text: counted up to a limit.
    let before = file(&image("1.2.3", &[text(0x0010_0020, b"LO", "abcd")]));
    let after = file(&image(
        "2.25.3",
        &[part(0x0020_4000, b"UT", b"abcd ".repeat(300_000))],
    ));
    let found = check(Purpose::Care, &before, &after);
    assert_eq!(found.findings[0].count, HITS_MAX);
    assert!(found.notes[0].contains("behind 100000 places"), "{found}");
}

#[test]
fn lengths_that_lie_are_told() {
    let whole = file(&image(
        "2.25.3",
        &[sequence(
            0x0008_1140,
            &[item(&[uid(0x0008_1155, "2.25.4")])],
        )],
    ));
    let before = file(&image("1.2.3", &[]));
    for end in 132..whole.len() {
        let found = check(Purpose::Care, &before, &whole[..end]);
        assert!(!found.is_clean());
    }
    for (length, why) in [(u32::MAX - 1, "longer"), (0x7fff_ffff, "longer")] {
        let mut file = whole.clone();
        let at = file.len() - 36;
        file[at..at + 4].copy_from_slice(&length.to_le_bytes());
        let found = check(Purpose::Care, &before, &file);
        assert!(found.to_string().contains(why), "{found}");
    }
    for bytes in [
        b"".as_slice(),
        b"DICM",
        &[0; 200],
        &[0xff; 4096],
        b"\x08\0\x05\0CS",
    ] {
        let found = check(Purpose::Care, bytes, bytes);
        assert!(!found.is_clean(), "{bytes:?}");
    }
}

#[test]
fn unknown_values_that_look_like_sequences_are_bytes() {
    let looks = [
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff".as_slice(),
        b"Grundmann lives here",
    ]
    .concat();
    let inside = [
        b"\xfe\xff\x00\xe0\x14\0\0\0\x18\0\x30\x10\x0c\0\0\0".as_slice(),
        b"by Grundmann",
    ]
    .concat();
    let before = file(&image(
        "1.2.3",
        &[text(0x0010_0010, b"PN", "Grundmann^Eva")],
    ));
    for (bytes, place) in [
        (looks, "(0008,0306)"),
        (inside, "(0008,0306) / (0018,1030) ProtocolName"),
    ] {
        let after = file(&image("2.25.3", &[part(0x0008_0306, b"UN", bytes)]));
        let found = check(Purpose::Care, &before, &after);
        assert!(has(&found, Fault::Identifier, place), "{place}: {found}");
        assert!(!has(&found, Fault::Unreadable, ""), "{found}");
    }
}
