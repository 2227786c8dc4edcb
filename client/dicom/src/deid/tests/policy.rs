//! Refusals, blanked regions, and the options' effects.

use super::*;

const US: &str = "1.2.840.10008.5.1.4.1.1.6.1";
const SR: &str = "1.2.840.10008.5.1.4.1.1.88.11";

fn of_class(class: &str) -> InMemDicomObject {
    image_with([element(tags::SOP_CLASS_UID, VR::UI, class)])
}

#[test]
fn pixels_that_may_show_text_are_refused_until_somebody_has_looked() {
    let mut looked = options("care");
    looked.profile.accept_burned_in = true;
    let yes = image_with([element(tags::BURNED_IN_ANNOTATION, VR::CS, "YES")]);
    let file = explicit(yes);
    assert_eq!(
        deidentify(&file, &options("care")).unwrap_err(),
        Error::BurnedIn
    );
    let (_, report) = deidentify(&file, &looked).unwrap();
    assert!(report.methods.iter().all(|method| method.code != 113_101));

    let unknown = |class: &str, modality: &str| {
        let mut image = of_class(class);
        image.put(element(tags::MODALITY, VR::CS, modality));
        image.remove_element(tags::BURNED_IN_ANNOTATION);
        explicit(image)
    };
    for (class, modality) in [
        (US, "US"),
        (US, "OT"),
        (CT, "US"),
        (CT, "SC"),
        ("1.2.840.10008.5.1.4.1.1.7", "MR"),
        ("1.2.840.10008.5.1.4.1.1.7.4", "CT"),
        ("1.2.840.10008.5.1.4.1.1.12.1", "XA"),
        ("1.2.840.10008.5.1.4.1.1.12.2", "RF"),
        ("1.2.840.10008.5.1.4.1.1.77.1.1.1", "ES"),
        ("1.2.840.10008.5.1.4.1.1.77.1.5.1", "OP"),
        ("1.2.840.10008.5.1.4.1.1.77.1.4", "XC"),
    ] {
        let file = unknown(class, modality);
        let refused = deidentify(&file, &options("research")).unwrap_err();
        assert_eq!(refused, Error::BurnedInUnknown, "{class} {modality}");
        assert!(deidentify(&file, &looked).is_ok(), "{class} {modality}");
        let mut vouched = of_class(class);
        vouched.put(element(tags::MODALITY, VR::CS, modality));
        assert!(deidentify(&explicit(vouched), &options("care")).is_ok());
    }
    assert!(deidentify(&unknown(CT, "CT"), &options("care")).is_ok());
}

#[test]
fn captures_and_labels_of_any_class_are_refused_until_looked_at() {
    let mut looked = options("care");
    looked.profile.accept_burned_in = true;
    let slide = "1.2.840.10008.5.1.4.1.1.77.1.6";
    let cr = "1.2.840.10008.5.1.4.1.1.1";
    let with = |class: &str, burned_in: Option<&str>, marks: &[(Tag, VR, &str)]| {
        let mut image = of_class(class);
        image.remove_element(tags::BURNED_IN_ANNOTATION);
        if let Some(burned_in) = burned_in {
            image.put(element(tags::BURNED_IN_ANNOTATION, VR::CS, burned_in));
        }
        marks
            .iter()
            .for_each(|(tag, vr, value)| _ = image.put(element(*tag, *vr, value)));
        explicit(image)
    };
    let unknown = Some(Error::BurnedInUnknown);
    let label = Some(Error::SpecimenLabel);
    let (kind, conversion, series) = (
        tags::IMAGE_TYPE,
        tags::CONVERSION_TYPE,
        tags::SERIES_DESCRIPTION,
    );
    let specimen = tags::SPECIMEN_LABEL_IN_IMAGE;
    for (class, burned_in, tag, vr, value, refused) in [
        (
            CT,
            None,
            kind,
            VR::CS,
            "DERIVED\\SECONDARY\\SCREEN SAVE",
            &unknown,
        ),
        (
            CT,
            None,
            kind,
            VR::CS,
            "DERIVED\\SECONDARY\\SCREEN_SAVE",
            &unknown,
        ),
        (
            CT,
            Some("NO"),
            kind,
            VR::CS,
            "DERIVED\\SECONDARY\\SCREEN SAVE",
            &None,
        ),
        (
            CT,
            None,
            kind,
            VR::CS,
            "DERIVED\\SECONDARY\\REFORMATTED",
            &None,
        ),
        (CT, None, series, VR::LO, "Dose Report", &unknown),
        (CT, None, series, VR::LO, "Patient Protocol", &unknown),
        (CT, None, series, VR::LO, "Low Dose Chest", &None),
        (CT, None, conversion, VR::CS, "WSD", &unknown),
        (CT, None, conversion, VR::CS, "DI", &unknown),
        (cr, None, conversion, VR::CS, "DF", &unknown),
        (cr, None, conversion, VR::CS, "DI", &None),
        (cr, None, tags::MODALITY, VR::CS, "DOC", &unknown),
        (
            CT,
            None,
            tags::SECONDARY_CAPTURE_DEVICE_ID,
            VR::LO,
            "1",
            &unknown,
        ),
        (
            slide,
            Some("NO"),
            kind,
            VR::CS,
            "ORIGINAL\\PRIMARY\\LABEL\\NONE",
            &label,
        ),
        (
            slide,
            None,
            kind,
            VR::CS,
            "ORIGINAL\\PRIMARY\\LABEL\\NONE",
            &label,
        ),
        (slide, Some("NO"), specimen, VR::CS, "YES", &label),
        (
            slide,
            None,
            kind,
            VR::CS,
            "ORIGINAL\\PRIMARY\\OVERVIEW\\NONE",
            &unknown,
        ),
        (
            slide,
            Some("NO"),
            kind,
            VR::CS,
            "ORIGINAL\\PRIMARY\\OVERVIEW\\NONE",
            &None,
        ),
        (
            slide,
            None,
            kind,
            VR::CS,
            "ORIGINAL\\PRIMARY\\VOLUME\\NONE",
            &None,
        ),
    ] {
        let file = with(class, burned_in, &[(tag, vr, value)]);
        let found = deidentify(&file, &options("care")).err();
        assert_eq!(found, *refused, "{class} {value} {burned_in:?}");
        assert!(deidentify(&file, &looked).is_ok(), "{class} {value}");
    }
}

#[test]
fn what_cannot_be_searched_is_refused() {
    for (class, what) in [
        ("1.2.840.10008.5.1.4.1.1.104.1", "an encapsulated document"),
        ("1.2.840.10008.5.1.4.1.1.104.3", "an encapsulated document"),
        ("1.2.840.10008.5.1.4.1.1.66", "raw data"),
        ("1.2.840.10008.5.1.4.1.1.9.4.1", "a voice recording"),
    ] {
        let refused = deidentify(&explicit(of_class(class)), &options("care")).unwrap_err();
        assert_eq!(refused, Error::FreeContent { what }, "{class}");
    }
    let hidden = image_with([InMemElement::new(
        tags::ENCAPSULATED_DOCUMENT,
        VR::OB,
        PrimitiveValue::from([1_u8, 2]),
    )]);
    assert!(matches!(
        deidentify(&explicit(hidden), &options("care")),
        Err(Error::FreeContent { .. })
    ));
    let mut elsewhere = image_with([element(
        tags::PIXEL_DATA_PROVIDER_URL,
        VR::UR,
        "https://example.org/?name=SECRET",
    )]);
    elsewhere.remove_element(tags::PIXEL_DATA);
    assert!(matches!(
        deidentify(&explicit(elsewhere), &options("care")),
        Err(Error::FreeContent { .. })
    ));
    for class in [
        "1.2.840.10008.5.1.4.39.1",
        "1.2.3.4",
        "1.2.840.10008.1.3.10",
    ] {
        let mut image = of_class(class);
        if class != "1.2.3.4" {
            image.remove_element(tags::PIXEL_DATA);
        }
        assert_eq!(
            deidentify(&explicit(image), &options("care")).unwrap_err(),
            Error::NotAnImage {
                uid: class.to_owned()
            }
        );
    }
    let mut without = image();
    without.remove_element(tags::PIXEL_DATA);
    assert_eq!(
        deidentify(&explicit(without), &options("care")).unwrap_err(),
        crate::Error::Missing {
            attribute: "Pixel Data"
        }
        .into()
    );
}

fn blanked(data_set: InMemDicomObject, blank: &str) -> (FileDicomObject<InMemDicomObject>, Report) {
    let mut options = options("care");
    options.profile.blank = vec![blank.parse().unwrap()];
    let (out, report) = deidentify(&explicit(data_set), &options).unwrap();
    (parse(&out), report)
}

/// An image of 4 × 3 pixels of the bytes 1 to 12, in three frames.
fn frames() -> InMemDicomObject {
    let pixels: Vec<u8> = (0..36).map(|n| n % 12 + 1).collect();
    image_with([
        number(tags::ROWS, 3),
        number(tags::COLUMNS, 4),
        number(tags::BITS_ALLOCATED, 8),
        number(tags::BITS_STORED, 8),
        number(tags::HIGH_BIT, 7),
        element(tags::NUMBER_OF_FRAMES, VR::IS, "3"),
        element(tags::BURNED_IN_ANNOTATION, VR::CS, "YES"),
        InMemElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            PrimitiveValue::U8(pixels.as_slice().into()),
        ),
    ])
}

#[test]
fn regions_are_blanked_in_every_frame_and_claimed() {
    let (object, report) = blanked(frames(), "1,1,2,99");
    let pixels = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    let frame = [1, 2, 3, 4, 5, 0, 0, 8, 9, 0, 0, 12];
    assert_eq!(*pixels, frame.repeat(3));
    assert_eq!(report.frames_blanked, 3);
    assert!(report.methods.iter().any(|method| method.code == 113_101));
    assert_eq!(
        value(&object, tags::BURNED_IN_ANNOTATION).as_deref(),
        Some("NO")
    );
    assert_eq!(value(&object, tags::RECOGNIZABLE_VISUAL_FEATURES), None);

    let mut options = with(&[ProfileOption::CleanVisualFeatures]);
    let claims = |options: &Options| {
        let (out, _) = deidentify(&explicit(image()), options).unwrap();
        value(&parse(&out), tags::RECOGNIZABLE_VISUAL_FEATURES)
    };
    assert_eq!(claims(&options), None, "no pixel pass ran");
    options.profile.blank = vec!["0,0,1,1".parse().unwrap()];
    assert_eq!(claims(&options).as_deref(), Some("NO"));
}

#[test]
fn frames_without_pixels_are_not_counted() {
    let endless = image_with([
        number(tags::ROWS, 0),
        element(tags::NUMBER_OF_FRAMES, VR::IS, "999999999999"),
    ]);
    let mut options = options("care");
    options.profile.blank = vec!["0,0,1,1".parse().unwrap()];
    assert_eq!(
        deidentify(&explicit(endless), &options).unwrap_err(),
        crate::Error::Malformed.into()
    );
}

#[test]
fn what_lies_outside_ultrasound_regions_is_blanked() {
    let long = |tag, n: u32| InMemElement::new(tag, VR::UL, PrimitiveValue::from(n));
    let region = item([
        long(tags::REGION_LOCATION_MIN_X0, 1),
        long(tags::REGION_LOCATION_MIN_Y0, 1),
        long(tags::REGION_LOCATION_MAX_X1, 2),
        long(tags::REGION_LOCATION_MAX_Y1, 2),
    ]);
    let mut image = frames();
    image.put(sequence(tags::SEQUENCE_OF_ULTRASOUND_REGIONS, vec![region]));
    let (object, _) = blanked(image, "ultrasound");
    let pixels = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    let frame = [0, 0, 0, 0, 0, 6, 7, 0, 0, 10, 11, 0];
    assert_eq!(*pixels, frame.repeat(3));

    let mut options = options("care");
    options.profile.blank = vec![Blank::OutsideUltrasoundRegions];
    assert!(matches!(
        deidentify(&explicit(frames()), &options),
        Err(Error::CannotBlank { .. })
    ));
}

#[test]
fn colours_are_blanked_in_both_layouts() {
    for (planar, photometric, black) in [
        (0, "RGB", [0, 0, 0]),
        (1, "RGB", [0, 0, 0]),
        (0, "YBR_FULL", [0, 128, 128]),
        (1, "YBR_FULL", [0, 128, 128]),
    ] {
        let pixels: Vec<u8> = (1..=12).collect();
        let image = image_with([
            number(tags::SAMPLES_PER_PIXEL, 3),
            number(tags::PLANAR_CONFIGURATION, planar),
            number(tags::BITS_ALLOCATED, 8),
            number(tags::BITS_STORED, 8),
            number(tags::HIGH_BIT, 7),
            element(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric),
            InMemElement::new(
                tags::PIXEL_DATA,
                VR::OB,
                PrimitiveValue::U8(pixels.as_slice().into()),
            ),
        ]);
        let (object, _) = blanked(image, "1,0,1,1");
        let found = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
        let mut wanted = pixels;
        let at = if planar == 0 { [3, 4, 5] } else { [1, 5, 9] };
        at.iter()
            .zip(black)
            .for_each(|(at, black)| wanted[*at] = black);
        assert_eq!(*found, wanted, "{planar} {photometric}");
    }
}

#[test]
fn pixels_of_other_forms_go_and_shared_chrominance_is_counted_once() {
    let bytes =
        |tag, value: &[u8]| InMemElement::new(tag, VR::OB, PrimitiveValue::U8(value.into()));
    let subsampled = || {
        image_with([
            number(tags::SAMPLES_PER_PIXEL, 3),
            number(tags::PLANAR_CONFIGURATION, 0),
            number(tags::BITS_ALLOCATED, 8),
            number(tags::BITS_STORED, 8),
            number(tags::HIGH_BIT, 7),
            element(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "YBR_FULL_422"),
            bytes(tags::PIXEL_DATA, b"pixels..HIDDEN"),
            bytes(Tag(0x7f02, 0x0010), b"HIDDEN-2"),
            bytes(Tag(0x7fe0, 0x0020), b"HIDDEN-3"),
        ])
    };
    let (out, _) = deidentify(&explicit(subsampled()), &options("care")).unwrap();
    let object = parse(&out);
    let pixels = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(*pixels, *b"pixels..");
    assert!(!contains(&out, b"HIDDEN"));
    // As much as a frame may be one.
    let mut more = subsampled();
    more.put(bytes(tags::PIXEL_DATA, b"pixels..HIDDEN-1"));
    assert_eq!(
        deidentify(&explicit(more), &options("care")).unwrap_err(),
        crate::Error::PixelLength {
            found: 16,
            wanted: 8
        }
        .into()
    );
    // Where nothing says how many pixels there are, nothing says what lies behind them.
    let mut unsized_image = subsampled();
    unsized_image.remove_element(tags::ROWS);
    assert!(deidentify(&explicit(unsized_image), &options("care")).is_err());
}

#[test]
fn what_lies_beside_the_pixels_goes() {
    let mut pixels = vec![1_u16, 2, 3, 4];
    pixels.extend(
        b"HIDDEN"
            .chunks(2)
            .map(|c| u16::from_le_bytes([c[0], c[1]])),
    );
    let surplus = image_with([InMemElement::new(
        tags::PIXEL_DATA,
        VR::OW,
        PrimitiveValue::U16(pixels.into()),
    )]);
    let (out, report) = deidentify(&explicit(surplus), &options("care")).unwrap();
    assert!(!contains(&out, b"HIDDEN"));
    let object = parse(&out);
    let left = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(*left, [1, 0, 2, 0, 3, 0, 4, 0]);
    assert_eq!(report.cleaned, 1);

    // An overlay in the upper four bits.
    let overlay = image_with([
        number(Tag(0x6002, 0x0010), 2),
        number(Tag(0x6002, 0x0102), 12),
    ]);
    let mut overlay = overlay;
    overlay.remove_element(Tag(0x6002, 0x3000));
    let (out, _) = deidentify(&explicit(overlay), &options("care")).unwrap();
    let object = parse(&out);
    let left = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(*left, [0x02, 0x01, 0x04, 0x03, 0xfe, 0x0f, 0x00, 0x00]);
}

/// A content item of a structured report.
fn content<const N: usize>(
    kind: &str,
    code: &str,
    scheme: &str,
    elements: [InMemElement; N],
) -> InMemDicomObject {
    let concept = item([
        element(tags::CODE_VALUE, VR::SH, code),
        element(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme),
        element(tags::CODE_MEANING, VR::LO, "SECRET meaning"),
    ]);
    let mut item = item(elements);
    item.put(element(tags::VALUE_TYPE, VR::CS, kind));
    item.put(sequence(tags::CONCEPT_NAME_CODE_SEQUENCE, vec![concept]));
    item
}

#[test]
fn reports_lose_names_and_texts_and_keep_their_measurements() {
    let text = |text| element(tags::TEXT_VALUE, VR::UT, text);
    let value_of = |number: &str| {
        let value = item([element(tags::NUMERIC_VALUE, VR::DS, number)]);
        sequence(tags::MEASURED_VALUE_SEQUENCE, vec![value])
    };
    let inner = content(
        "PNAME",
        "121008",
        "DCM",
        [element(tags::PERSON_NAME, VR::PN, "SECRET^DOCTOR")],
    );
    let finding = content(
        "CONTAINER",
        "121070",
        "99SECRET",
        [sequence(tags::CONTENT_SEQUENCE, vec![inner])],
    );
    let mut report = of_class(SR);
    report.remove_element(tags::PIXEL_DATA);
    report.put(sequence(
        tags::CONTENT_SEQUENCE,
        vec![
            content("TEXT", "121071", "99X", [text("SECRET finding")]),
            content("TEXT", "121030", "DCM", [text("SECRET-ID")]),
            content("NUM", "121033", "DCM", [value_of("77.125")]),
            content("NUM", "99", "99X", [value_of("42.5")]),
            finding,
        ],
    ));
    let file = explicit(report);
    for (purpose, items) in [("research", 3), ("care", 4)] {
        let (out, report) = deidentify(&file, &options(purpose)).unwrap();
        assert!(report.methods.iter().any(|method| method.code == 113_104));
        let object = parse(&out);
        let content = object.get(tags::CONTENT_SEQUENCE).unwrap().items().unwrap();
        assert_eq!(content.len(), items);
        assert_eq!(
            value(&content[0], tags::TEXT_VALUE).as_deref(),
            Some("ANONYMIZED")
        );
        for secret in ["SECRET finding", "SECRET^", "SECRET-ID", "SECRET meaning"] {
            // The demographic concept's own meaning is the standard's.
            let kept = purpose == "care" && secret == "SECRET meaning";
            assert!(
                kept || !contains(&out, secret.as_bytes()),
                "{purpose} {secret}"
            );
        }
        assert!(contains(&out, b"42.5"));
        assert_eq!(contains(&out, b"77.125"), purpose == "care");
    }
}

#[test]
fn presentation_states_keep_points_and_lose_texts_and_drawings() {
    let object_of = |kind| item([element(tags::GRAPHIC_TYPE, VR::CS, kind)]);
    let text = item([element(tags::UNFORMATTED_TEXT_VALUE, VR::ST, "SECRET note")]);
    let annotation = item([
        element(tags::GRAPHIC_LAYER, VR::CS, "LAYER"),
        sequence(tags::TEXT_OBJECT_SEQUENCE, vec![text]),
        sequence(
            tags::GRAPHIC_OBJECT_SEQUENCE,
            vec![object_of("POLYLINE"), object_of("CIRCLE")],
        ),
    ]);
    let mut state = of_class("1.2.840.10008.5.1.4.1.1.11.1");
    state.remove_element(tags::PIXEL_DATA);
    state.put(sequence(
        tags::GRAPHIC_ANNOTATION_SEQUENCE,
        vec![annotation],
    ));
    let (out, report) = deidentify(&explicit(state), &options("research")).unwrap();
    let codes: Vec<_> = report.methods.iter().map(|method| method.code).collect();
    assert_eq!(codes, [113_100, 113_103, 113_104]);
    assert!(!contains(&out, b"SECRET") && !contains(&out, b"POLYLINE"));
    let object = parse(&out);
    let annotation = first_item(&object, tags::GRAPHIC_ANNOTATION_SEQUENCE);
    let drawing = first_item(annotation, tags::GRAPHIC_OBJECT_SEQUENCE);
    assert_eq!(
        value(drawing, tags::GRAPHIC_TYPE).as_deref(),
        Some("CIRCLE")
    );
    let text = first_item(annotation, tags::TEXT_OBJECT_SEQUENCE);
    assert_eq!(
        value(text, tags::UNFORMATTED_TEXT_VALUE).as_deref(),
        Some("ANONYMIZED")
    );
}

#[test]
fn safe_private_attributes_stay_with_their_creator() {
    let image = image_with([
        element(Tag(0x7053, 0x0010), VR::LO, "Philips PET Private Group"),
        element(Tag(0x7053, 0x1000), VR::DS, "1.5"),
        element(Tag(0x7053, 0x1003), VR::ST, "SECRET file name"),
        element(Tag(0x7053, 0x1009), VR::DS, "SECRET"),
    ]);
    let file = explicit(image);
    let (out, _) = deidentify(&file, &with(&[ProfileOption::RetainSafePrivate])).unwrap();
    let object = parse(&out);
    assert_eq!(value(&object, Tag(0x7053, 0x1000)).as_deref(), Some("1.5"));
    assert_eq!(
        value(&object, Tag(0x7053, 0x0010)).as_deref(),
        Some("Philips PET Private Group")
    );
    assert!(!contains(&out, b"SECRET"));
    let (out, _) = deidentify(&file, &options("care")).unwrap();
    assert!(parse(&out).get(Tag(0x7053, 0x1000)).is_none());
}

#[test]
fn descriptions_keep_words_of_the_standard() {
    let clean = with(&[ProfileOption::CleanDescriptors]);
    let (out, _) = deidentify(&explicit(image()), &clean).unwrap();
    let object = parse(&out);
    assert_eq!(
        value(&object, tags::STUDY_DESCRIPTION).as_deref(),
        Some("chest")
    );
    let (out, _) = deidentify(&explicit(image()), &options("care")).unwrap();
    assert_eq!(value(&parse(&out), tags::STUDY_DESCRIPTION), None);
}
