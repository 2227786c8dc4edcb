//! Files of other programs, and the repairs that reading them takes; values without which the image would be another one.

use super::*;

fn repaired(report: &Report) -> Vec<String> {
    let text = report.to_string();
    text.lines()
        .filter(|it| it.starts_with("repaired"))
        .map(str::to_owned)
        .collect()
}

/// The place behind the file meta group.
fn body(file: &[u8]) -> usize {
    let length = u32::from_le_bytes(file[140..144].try_into().unwrap()) as usize;
    144 + length
}

#[test]
fn file_meta_groups_are_read_for_their_transfer_syntax() {
    let file = explicit(image());
    let (wanted, report) = deidentify(&file, &options("care")).unwrap();
    assert_eq!(repaired(&report), [""; 0]);
    let start = body(&file);
    let with_length = |length: u32| {
        let mut file = file.clone();
        file[140..144].copy_from_slice(&length.to_le_bytes());
        file
    };
    let long_title = {
        let mut file = file.clone();
        file.splice(
            start..start,
            *b"\x02\x00\x16\x00AE\x1a\x00A_TITLE_OF_MORE_CHARACTERS",
        );
        file
    };
    let zeros = [&file[..], &[0; 10]].concat();
    let line = [&file[..], b"\n"].concat();
    for (bad, repairs) in [
        (with_length(0), 1),
        (with_length(99_999), 1),
        (long_title, 1),
        (file[128..].to_vec(), 1),
        (file[132..].to_vec(), 1),
        // Neither preamble nor meta group: the transfer syntax is missing too.
        (file[start..].to_vec(), 2),
        (zeros, 1),
        (line, 1),
    ] {
        assert!(crate::is_dicom(&bad));
        let (out, report) = deidentify(&bad, &options("care")).unwrap();
        assert_eq!(repaired(&report).len(), repairs, "{report}");
        assert!(out == wanted);
    }
    let implicit = write(image(), uids::IMPLICIT_VR_LITTLE_ENDIAN);
    let (plain, _) = deidentify(&implicit, &options("care")).unwrap();
    let raw = implicit[body(&implicit)..].to_vec();
    let (out, report) = deidentify(&raw, &options("care")).unwrap();
    assert!(out == plain && repaired(&report).len() == 2);
    // Implicit elements behind a group that says explicit ones.
    let mixed = [&file[..start], &raw].concat();
    let (out, report) = deidentify(&mixed, &options("care")).unwrap();
    assert_eq!(repaired(&report).len(), 1);
    let patient = |file: &[u8]| value(&parse(file), tags::PATIENT_ID);
    assert_eq!(patient(&out), patient(&wanted));
    for other in [
        b"Dear Mrs Smith, the".as_slice(),
        &[8; 200],
        b"\x08\0\x08\0",
    ] {
        assert!(!crate::is_dicom(other));
        assert_eq!(inspect(other).unwrap_err(), crate::Error::NotDicom.into());
    }
}

#[test]
fn vrs_that_are_none_are_read_by_the_dictionary() {
    let file = explicit(image());
    let name = b"\x10\x00\x10\x00PN\x0c\x00SECRET^OUTER";
    let at = file.windows(name.len()).position(|it| it == name).unwrap();
    let with = |head: &[u8]| {
        let mut file = file.clone();
        file.splice(at..at + 8, head.iter().copied());
        file
    };
    let (wanted, _) = deidentify(&file, &options("care")).unwrap();
    for head in [
        b"\x10\x00\x10\x00qq\x0c\x00".as_slice(),
        b"\x10\x00\x10\x00--\x0c\x00",
        b"\x10\x00\x10\x00XX\x0c\x00",
        b"\x10\x00\x10\x00OX\0\0\x0c\0\0\0",
        b"\x10\x00\x10\x00\x0c\0\0\0",
    ] {
        let (out, report) = deidentify(&with(head), &options("care")).unwrap();
        assert!(out == wanted, "{head:?}");
        assert_eq!(repaired(&report).len(), 1, "{head:?}");
    }
    assert!(inspect(&with(b"\x10\x00\x10\x00qq\xff\x7f")).is_err());
}

#[test]
fn numbers_with_commas_are_repaired_and_lost_geometry_is_refused() {
    let spaced = |value: &str| explicit(image_with([element(tags::PIXEL_SPACING, VR::DS, value)]));
    let (out, report) = deidentify(&spaced("0,5\\0,5"), &options("care")).unwrap();
    assert_eq!(
        value(&parse(&out), tags::PIXEL_SPACING).as_deref(),
        Some("0.5\\0.5")
    );
    assert_eq!(repaired(&report).len(), 1);
    for lost in ["wide", "0,5,1\\1", "0.5\\SECRET"] {
        let refused = deidentify(&spaced(lost), &options("care")).unwrap_err();
        let attribute = "PixelSpacing".to_owned();
        assert_eq!(refused, Error::Geometry { attribute });
    }
    // No frame is one; chrominance of each pixel is not shared.
    let frames = image_with([element(tags::NUMBER_OF_FRAMES, VR::IS, "0")]);
    let (out, report) = deidentify(&explicit(frames), &options("care")).unwrap();
    assert_eq!(
        value(&parse(&out), tags::NUMBER_OF_FRAMES).as_deref(),
        Some("1")
    );
    assert_eq!(repaired(&report).len(), 1);
    let full = image_with([
        number(tags::SAMPLES_PER_PIXEL, 3),
        number(tags::PLANAR_CONFIGURATION, 0),
        number(tags::BITS_ALLOCATED, 8),
        number(tags::BITS_STORED, 8),
        number(tags::HIGH_BIT, 7),
        element(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "YBR_FULL_422"),
        InMemElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            PrimitiveValue::U8([9; 12][..].into()),
        ),
    ]);
    let (out, _) = deidentify(&explicit(full), &options("care")).unwrap();
    let object = parse(&out);
    assert_eq!(
        value(&object, tags::PHOTOMETRIC_INTERPRETATION).as_deref(),
        Some("YBR_FULL")
    );
    assert_eq!(
        *object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap(),
        [9; 12]
    );
}

#[test]
fn pixels_that_are_too_few_are_refused() {
    let short = image_with([InMemElement::new(
        tags::PIXEL_DATA,
        VR::OW,
        PrimitiveValue::from([1_u16, 2, 3]),
    )]);
    assert_eq!(
        deidentify(&explicit(short), &options("care")).unwrap_err(),
        crate::Error::PixelLength {
            found: 6,
            wanted: 8
        }
        .into()
    );
}

#[test]
fn compressed_frames_lose_what_no_decoder_needs() {
    let frame = blank::frame(7);
    let tail = [frame.as_slice(), b"SECRET"].concat();
    let stray = b"SECRET fragment ".to_vec();
    let compressed = |fragments: Vec<Vec<u8>>, table: Vec<u32>| {
        let image = image_with([
            element(tags::NUMBER_OF_FRAMES, VR::IS, "2"),
            DataElement::new(
                tags::PIXEL_DATA,
                VR::OB,
                dicom_core::value::PixelFragmentSequence::new(table, fragments),
            ),
        ]);
        write(image, uids::RLE_LOSSLESS)
    };
    let plain = compressed(vec![frame.clone(), frame.clone()], vec![0, 76]);
    let (wanted, report) = deidentify(&plain, &options("research")).unwrap();
    assert!(!report.to_string().contains("beside the compressed frames"));
    for (fragments, table) in [
        (vec![tail.clone(), frame.clone()], vec![0, 82]),
        (
            vec![stray.clone(), frame.clone(), frame.clone()],
            vec![24, 100],
        ),
        (
            vec![frame.clone(), vec![], frame.clone(), vec![]],
            vec![0, 84],
        ),
        (
            vec![frame.clone(), frame.clone()],
            vec![0x5345_4352, 0x4554_2020],
        ),
    ] {
        let (out, report) =
            deidentify(&compressed(fragments, table), &options("research")).unwrap();
        assert!(!contains(&out, b"SECRET") && !contains(&out, b"RCES"));
        assert!(
            report.to_string().contains("beside the compressed frames"),
            "{report}"
        );
        let pixels = |file: &[u8]| {
            parse(file)
                .get(tags::PIXEL_DATA)
                .unwrap()
                .fragments()
                .unwrap()
                .concat()
        };
        assert_eq!(pixels(&out), pixels(&wanted));
    }
    for fragments in [vec![frame.clone()], vec![frame.clone(); 3]] {
        let found = fragments.len() as u64;
        let refused = deidentify(&compressed(fragments, vec![]), &options("research")).unwrap_err();
        assert_eq!(
            refused,
            crate::Error::FrameCount { found, wanted: 2 }.into()
        );
    }
}
