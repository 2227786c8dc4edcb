//! Files that are valid and odd: nested codes, identifiers of one letter, images that are a line.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn codes_nested_a_thousand_deep_are_refused_at_once() {
    let mut nested = item([
        element(tags::CODE_VALUE, VR::SH, "Q1"),
        element(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "99Q"),
        element(tags::CODE_MEANING, VR::LO, "Zwyx"),
    ]);
    let deep = |depth: usize, nested: InMemDicomObject| {
        let mut nested = nested;
        for _ in 1..depth {
            nested = item([
                element(tags::CODE_VALUE, VR::SH, "Q1"),
                element(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "99Q"),
                sequence(tags::EQUIVALENT_CODE_SEQUENCE, vec![nested]),
            ]);
        }
        image_with([sequence(tags::ANATOMIC_REGION_SEQUENCE, vec![nested])])
    };
    // As deep as is read, a local code takes what hangs on it along.
    let (out, _) = deidentify(&explicit(deep(25, nested.clone())), &options("care")).unwrap();
    assert!(!contains(&out, b"Zwyx") && !contains(&out, b"99Q"));
    nested.put(element(tags::CODE_MEANING, VR::LO, "Zwyx of the bottom"));
    let file = std::thread::Builder::new()
        .stack_size(256 << 20)
        .spawn(move || explicit(deep(1000, nested)))
        .unwrap()
        .join()
        .unwrap();
    let started = Instant::now();
    let refused = deidentify(&file, &options("care")).unwrap_err();
    assert_eq!(refused, crate::Error::TooDeep { max: 32 }.into());
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn identifiers_of_a_letter_take_nothing_along() {
    // Each is a substring of every text, or one letter of it.
    for (name, id) in [
        ("A", "A"),
        ("E^A", "1"),
        ("An^I", "12"),
        ("", "A"),
        ("A^^^Dr", "0"),
    ] {
        let image = image_with([
            element(tags::PATIENT_NAME, VR::PN, name),
            element(tags::PATIENT_ID, VR::LO, id),
            element(tags::ACCESSION_NUMBER, VR::SH, "A"),
            element(tags::STUDY_ID, VR::SH, "1"),
            element(tags::MANUFACTURER, VR::LO, "A Maker An 12"),
            element(tags::CONVOLUTION_KERNEL, VR::SH, "A1 H31s"),
            element(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL"),
        ]);
        let file = explicit(image);
        let (out, _) = deidentify(&file, &options("care")).unwrap();
        let object = parse(&out);
        assert_eq!(
            value(&object, tags::MODALITY).as_deref(),
            Some("CT"),
            "{name} {id}"
        );
        assert_eq!(
            value(&object, tags::BODY_PART_EXAMINED).as_deref(),
            Some("CHEST")
        );
        let kind = value(&object, tags::IMAGE_TYPE);
        assert_eq!(
            kind.as_deref(),
            Some("ORIGINAL\\PRIMARY\\AXIAL"),
            "{name} {id}"
        );
        assert_ne!(value(&object, tags::PATIENT_ID).as_deref(), Some(id));
        let found = crate::check::tests::check_by(options("care").profile.clone(), &file, &out);
        assert!(found.is_clean(), "{name} {id}: {found}");
    }
}

#[test]
fn images_that_are_a_line_are_blanked_and_looked_at() {
    for (rows, columns) in [(1, 60_000), (60_000, 1)] {
        let image = image_with([
            number(tags::ROWS, rows),
            number(tags::COLUMNS, columns),
            InMemElement::new(
                tags::PIXEL_DATA,
                VR::OW,
                PrimitiveValue::U16(vec![0x0123; 60_000].into()),
            ),
        ]);
        let mut options = options("care");
        options.profile.blank = vec!["0,0,9,9".parse().unwrap()];
        let (out, _) = deidentify(&explicit(image), &options).unwrap();
        let object = parse(&out);
        let pixels = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
        assert!(pixels[..18].iter().all(|byte| *byte == 0));
        assert!(pixels[18..].iter().all(|byte| *byte != 0));
        let shown = crate::view::Image::read(&out).unwrap();
        assert_eq!(shown.render(0, None).unwrap().pixels().len(), 60_000);
    }
}
