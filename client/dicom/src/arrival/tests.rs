#![allow(clippy::unwrap_used)]

use super::*;

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// An element with a short length.
fn element(tag: (u16, u16), vr: &[u8; 2], value: &[u8], with_vr: bool) -> Vec<u8> {
    let mut out = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    match with_vr {
        true => {
            out.extend(vr);
            out.extend((value.len() as u16).to_le_bytes());
        }
        false => out.extend((value.len() as u32).to_le_bytes()),
    }
    out.extend(value);
    out
}

/// A data set with a sequence of undefined length before its identifiers, and pixels behind them.
fn data_set(with_vr: bool) -> Vec<u8> {
    let element = |tag, vr: &[u8; 2], value: &[u8]| element(tag, vr, value, with_vr);
    let mut out = element((0x0008, 0x0005), b"CS", b"ISO_IR 100");
    out.extend(element(
        (0x0008, 0x0016),
        b"UI",
        b"1.2.840.10008.5.1.4.1.1.2\0",
    ));
    out.extend(element((0x0008, 0x0018), b"UI", b"2.25.11\0"));
    out.extend(element((0x0008, 0x0060), b"CS", b"CT"));
    out.extend(match with_vr {
        true => &b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff"[..],
        false => &b"\x08\x00\x40\x11\xff\xff\xff\xff"[..],
    });
    out.extend(b"\xfe\xff\x00\xe0\xff\xff\xff\xff");
    out.extend(element((0x0020, 0x000e), b"UI", b"2.25.99\0"));
    out.extend(b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00");
    out.extend(element((0x0010, 0x0010), b"PN", b"M\xfcller^Eva"));
    out.extend(element((0x0010, 0x0020), b"LO", b"PID-77"));
    out.extend(element((0x0020, 0x000d), b"UI", b"2.25.12\0"));
    out.extend(element((0x0020, 0x000e), b"UI", b"2.25.13\0"));
    out.extend(element((0x0028, 0x0010), b"US", &[1, 0]));
    out
}

fn expected() -> Arrival {
    Arrival {
        class: "1.2.840.10008.5.1.4.1.1.2".to_owned(),
        instance: "2.25.11".to_owned(),
        study: "2.25.12".to_owned(),
        series: "2.25.13".to_owned(),
        modality: "CT".to_owned(),
        patient_name: "Müller^Eva".to_owned(),
        patient_id: "PID-77".to_owned(),
        ..Arrival::default()
    }
}

#[test]
fn identifiers_are_known_before_the_rest_has_come() {
    for (syntax, with_vr) in [(EXPLICIT, true), (IMPLICIT, false)] {
        let whole = data_set(with_vr);
        let rows = whole.len() - 10;
        // Of the next element the tag says that there is nothing more to come.
        for end in 0..whole.len() {
            let found = Arrival::of(&whole[..end], syntax, false).unwrap();
            let known = end >= rows + 4;
            assert_eq!(
                found,
                known.then(expected),
                "{syntax}: {end} of {}",
                whole.len()
            );
        }
        let short = &whole[..rows];
        assert_eq!(Arrival::of(short, syntax, true).unwrap(), Some(expected()));
        assert_eq!(
            Arrival::of(&whole[..rows - 3], syntax, true),
            Err(Error::Malformed)
        );
    }
}

#[test]
fn deflated_identifiers_are_known_before_the_rest_has_come() {
    use std::io::Write;
    let mut deflated = Vec::new();
    let mut out = flate2::write::DeflateEncoder::new(&mut deflated, flate2::Compression::fast());
    out.write_all(&data_set(true)).unwrap();
    out.flush().unwrap();
    out.write_all(&[7; 3000]).unwrap();
    out.finish().unwrap();
    assert_eq!(Arrival::of(&deflated[..40], DEFLATED, false), Ok(None));
    let most = deflated.len() - 5;
    assert_eq!(
        Arrival::of(&deflated[..most], DEFLATED, false),
        Ok(Some(expected()))
    );
}

#[test]
fn a_data_set_that_is_cut_is_not_whole() {
    for (syntax, with_vr) in [(EXPLICIT, true), (IMPLICIT, false)] {
        let whole = data_set(with_vr);
        assert!(is_whole(&whole, syntax));
        assert!(!is_whole(&whole[..whole.len() - 1], syntax));
        assert!(!is_whole(&whole[..whole.len() - 9], syntax));
    }
    assert!(!is_whole(&data_set(true), "1.2.3"));
}

#[test]
fn an_object_without_its_uids_is_refused() {
    let mut whole = data_set(true);
    whole.drain(18..18 + 8 + 26);
    assert_eq!(
        Arrival::of(&whole, EXPLICIT, false),
        Err(Error::Missing {
            attribute: "SOP Class UID"
        })
    );
    assert_eq!(
        Arrival::of(&whole, "1.2.3", false),
        Err(Error::TransferSyntax {
            uid: "1.2.3".to_owned()
        })
    );
}

#[test]
fn a_file_is_made_around_a_data_set_and_taken_apart() {
    let body = data_set(true);
    for sender in ["CT1", "CT12", ""] {
        let mut file = file_start("1.2.840.10008.5.1.4.1.1.2", "2.25.11", EXPLICIT, sender);
        let start = file.len();
        file.extend(&body);
        assert_eq!(file_parts(&file), Ok((EXPLICIT.to_owned(), start)));
        let read = crate::file::read(&file).unwrap();
        assert_eq!(read.repairs.iter().count(), 0);
        assert_eq!(
            text(&read.data_set, tags::SOP_INSTANCE_UID).as_deref(),
            Some("2.25.11")
        );
    }
    assert_eq!(file_parts(b"no file"), Err(Error::NotDicom));
}

#[test]
fn syntaxes_that_cannot_be_read_later_are_not_carried() {
    for syntax in [
        EXPLICIT,
        IMPLICIT,
        DEFLATED,
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.4.53",
    ] {
        assert!(is_carried(syntax), "{syntax}");
    }
    for syntax in ["1.2.3", "1.2.840.10008.1.2.6.1", ""] {
        assert!(!is_carried(syntax), "{syntax}");
    }
}

#[test]
fn changed_starts_make_no_harm() {
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize
    };
    let (mut found, rounds) = (0, 20_000);
    for round in 0..rounds {
        let syntax = [EXPLICIT, IMPLICIT, DEFLATED, "1.2.840.10008.1.2.2"][round % 4];
        let mut bytes = data_set(round % 4 != 1);
        for _ in 0..=next() % 4 {
            let at = next() % bytes.len();
            match next() % 3 {
                0 => bytes[at] = next() as u8,
                1 => bytes[at] ^= 1 << (next() % 8),
                _ => bytes.truncate(at.max(1)),
            }
        }
        found += usize::from(matches!(
            Arrival::of(&bytes, syntax, round % 8 < 4),
            Ok(Some(_))
        ));
        let _ = file_parts(&bytes);
    }
    assert!(found > rounds / 20, "{found}");
}
