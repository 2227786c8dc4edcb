//! The output for an ordinary image.

use dicom_core::value::PixelFragmentSequence;

use super::*;

#[test]
fn nothing_personal_is_left_in_any_encoding() {
    for syntax in SYNTAXES {
        let (out, report) = deidentify(&write(image(), syntax), &options("research")).unwrap();
        let object = parse(&out);
        assert_eq!(object.meta().transfer_syntax(), syntax);
        let plain = data_set_bytes(&object);
        for secret in ["SECRET", "1969", "2001", "032Y", "1.2.3.4"] {
            assert!(!contains(&plain, secret.as_bytes()), "{syntax} {secret}");
            assert!(!contains(&out, secret.as_bytes()), "{syntax} {secret}");
        }
        assert_eq!(out[..128], [0; 128], "{syntax}");
        assert_eq!(report.modality.as_deref(), Some("CT"));
        assert_eq!(report.body_part.as_deref(), Some("CHEST"));
        assert_eq!(report.burned_in, BurnedIn::No);
        assert_eq!(report.private_removed, 4);
        assert!(report.removed > 0 && report.emptied > 0);
        assert!(report.replaced > 0 && report.uids > 0);
    }
}

#[test]
fn each_action_does_what_the_table_says() {
    let (out, _) = deidentify(&explicit(image()), &options("research")).unwrap();
    let object = parse(&out);
    let value = |tag| value(&object, tag);
    let empty = Some(String::new());
    assert_eq!(value(tags::PATIENT_COMMENTS), None); // X
    assert_eq!(value(tags::PATIENT_NAME), empty); // Z
    assert_eq!(value(tags::PATIENT_BIRTH_DATE), empty); // Z
    assert_eq!(value(tags::STUDY_DATE), empty); // Z
    assert_eq!(value(tags::ACQUISITION_DATE_TIME), None); // X/Z/D of type 3
    assert_eq!(value(tags::INSTITUTION_NAME), None); // X/Z/D of type 3
    assert_eq!(value(tags::SLICE_THICKNESS).as_deref(), Some("2.5")); // not listed
    assert_eq!(value(tags::PATIENT_ID).unwrap().len(), 26); // a pseudonym
    assert_eq!(value(tags::ACCESSION_NUMBER).unwrap().len(), 16); // a pseudonym
    assert!(object.get(Tag(0x6000, 0x3000)).is_none());
    assert!(object.get(Tag(0x0018, 0xfff0)).is_none());
}

#[test]
fn care_keeps_intervals_age_and_device() {
    let serial = || element(tags::DEVICE_SERIAL_NUMBER, VR::LO, "SERIAL-7");
    let one_day = image_with([serial()]);
    let other_day = image_with([serial(), element(tags::STUDY_DATE, VR::DA, "20020110")]);
    let day = |image| {
        let (out, report) = deidentify(&explicit(image), &options("care")).unwrap();
        assert!(report.shifted > 0);
        let object = parse(&out);
        let value = |tag| value(&object, tag);
        assert_eq!(value(tags::PATIENT_AGE).as_deref(), Some("032Y"));
        assert_eq!(
            value(tags::DEVICE_SERIAL_NUMBER).as_deref(),
            Some("SERIAL-7")
        );
        assert_eq!(
            value(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED).as_deref(),
            Some("MODIFIED")
        );
        let acquired = value(tags::ACQUISITION_DATE_TIME).unwrap();
        assert!(acquired.ends_with("235959") && !acquired.starts_with("20011231"));
        assert_eq!(value(tags::PATIENT_BIRTH_DATE).as_deref(), Some(""));
        value(tags::STUDY_DATE).unwrap()
    };
    let (first, second) = (day(one_day), day(other_day));
    let days = |text: &str| super::value::shifted(VR::DA, text.as_bytes(), 10).unwrap();
    assert_eq!(days(&first), second.as_bytes());
    assert!(first.as_str() < "20011201", "{first}");
}

#[test]
fn dates_go_where_they_cannot_move() {
    for (id, study_date) in [("", "20011231"), ("SECRET-ID", "Dec 2001")] {
        let image = image_with([
            element(tags::PATIENT_ID, VR::LO, id),
            element(tags::STUDY_DATE, VR::DA, study_date),
        ]);
        let (out, report) = deidentify(&explicit(image), &options("care")).unwrap();
        assert!(!contains(&out, b"Dec") && !contains(&out, study_date.as_bytes()));
        assert_eq!(value(&parse(&out), tags::STUDY_DATE).as_deref(), Some(""));
        let claimed = report.methods.iter().any(|method| method.code == 113_107);
        assert_eq!(claimed, !id.is_empty());
    }
}

#[test]
fn the_file_says_what_was_done_to_it() {
    for (purpose, codes) in [
        ("research", vec!["113100"]),
        ("care", vec!["113100", "113107", "113108", "113109"]),
    ] {
        let (out, report) = deidentify(&explicit(image()), &options(purpose)).unwrap();
        let object = parse(&out);
        let text = |tag| value(&object, tag).unwrap();
        assert_eq!(text(tags::PATIENT_IDENTITY_REMOVED), "YES");
        assert_eq!(text(tags::DEIDENTIFICATION_METHOD), report.profile);
        let methods = object
            .get(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE)
            .unwrap();
        let written: Vec<_> = methods
            .items()
            .unwrap()
            .iter()
            .map(|item| value(item, tags::CODE_VALUE).unwrap())
            .collect();
        assert_eq!(written, codes);
        let told: Vec<_> = report.methods.iter().map(|m| m.code.to_string()).collect();
        assert_eq!(told, codes);
        let meta = object.meta();
        assert_eq!(
            meta.media_storage_sop_instance_uid(),
            text(tags::SOP_INSTANCE_UID)
        );
        assert_eq!(meta.media_storage_sop_class_uid(), CT);
        assert_eq!(
            meta.implementation_class_uid(),
            crate::file::IMPLEMENTATION_CLASS_UID
        );
        assert_eq!(meta.source_application_entity_title(), None);
    }
}

#[test]
fn pseudonyms_hold_together_and_are_unlinkable_across_patients_and_keys() {
    let outer = |out: &[u8]| {
        let object = parse(out);
        let outer = first_item(&object, tags::CONTRIBUTING_SOURCES_SEQUENCE);
        let inner = first_item(outer, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE);
        assert_eq!(
            value(inner, tags::REFERENCED_SOP_CLASS_UID).as_deref(),
            Some(CT)
        );
        assert_eq!(
            value(&object, tags::FRAME_OF_REFERENCE_UID).as_deref(),
            Some("1.2.840.10008.1.4.1.1")
        );
        let instance = value(&object, tags::SOP_INSTANCE_UID).unwrap();
        assert_eq!(
            value(inner, tags::REFERENCED_SOP_INSTANCE_UID),
            Some(instance.clone())
        );
        [
            instance,
            value(&object, tags::STUDY_INSTANCE_UID).unwrap(),
            value(&object, tags::PATIENT_ID).unwrap(),
            value(&object, tags::ACCESSION_NUMBER).unwrap(),
            value(&object, tags::STUDY_DATE).unwrap(),
        ]
    };
    let file = explicit(image());
    let (out, _) = deidentify(&file, &options("care")).unwrap();
    let ours = outer(&out);
    assert!(deidentify(&file, &options("care")).unwrap().0 == out);
    let patient = image_with([element(tags::PATIENT_ID, VR::LO, "OTHER-ID")]);
    let patient = deidentify(&explicit(patient), &options("care")).unwrap();
    let mut key = options("care");
    key.key = [8; 32];
    let key = deidentify(&file, &key).unwrap();
    for others in [outer(&patient.0), outer(&key.0)] {
        for (ours, other) in ours.iter().zip(&others) {
            assert_ne!(ours, other);
        }
    }
}

#[test]
fn once_is_enough() {
    for syntax in SYNTAXES {
        for purpose in ["care", "research"] {
            let (once, _) = deidentify(&write(image(), syntax), &options(purpose)).unwrap();
            let (twice, report) = deidentify(&once, &options(purpose)).unwrap();
            assert!(once == twice, "{syntax} {purpose}\n{report}");
        }
        let all = with(&ProfileOption::ALL);
        let (once, _) = deidentify(&write(image(), syntax), &all).unwrap();
        assert!(deidentify(&once, &all).unwrap().0 == once, "{syntax}");
    }
}

#[test]
fn pixels_pass_byte_for_byte() {
    for syntax in SYNTAXES {
        let image = image_with([number(tags::BITS_STORED, 16), number(tags::HIGH_BIT, 15)]);
        let file = write(image, syntax);
        let (out, _) = deidentify(&file, &options("care")).unwrap();
        let pixels = |file: &[u8]| parse(file).get(tags::PIXEL_DATA).unwrap().clone();
        assert_eq!(
            pixels(&file).to_bytes().unwrap(),
            pixels(&out).to_bytes().unwrap(),
            "{syntax}"
        );
        if syntax != uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
            assert_eq!(file[file.len() - 8..], out[out.len() - 8..], "{syntax}");
        }
    }
    let (out, report) = deidentify(DEMO, &options("care")).unwrap();
    let original = parse(DEMO);
    let pixels = original.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(pixels.len(), 128 * 128 * 2);
    assert!(contains(&out, &pixels));
    assert_eq!(report.burned_in, BurnedIn::Unknown);
    assert!(!contains(&out, b"CompressedSamples"));
}

#[test]
fn compressed_frames_pass_whole_or_not_at_all() {
    let frames: Vec<Vec<u8>> = vec![blank::frame(1), blank::frame(2)];
    let compressed = image_with([
        element(tags::NUMBER_OF_FRAMES, VR::IS, "2"),
        DataElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            PixelFragmentSequence::new(vec![0, 76], frames.clone()),
        ),
    ]);
    let file = write(compressed, uids::RLE_LOSSLESS);
    let (out, _) = deidentify(&file, &options("care")).unwrap();
    let object = parse(&out);
    let pixels = object.get(tags::PIXEL_DATA).unwrap();
    assert_eq!(pixels.fragments().unwrap(), frames);
    assert_eq!(pixels.offset_table().unwrap(), [0, 76]);
    assert_eq!(file[file.len() - 184..], out[out.len() - 184..]);
    for end in 0..file.len() {
        assert!(
            inspect(&file[..end]).is_err(),
            "cut at {end} of {}",
            file.len()
        );
    }
}

#[test]
fn text_of_every_character_set_stays_as_it_is() {
    // Bytes of the character set, in an attribute that stays.
    for (set, bytes) in [
        ("ISO_IR 192", "Größe 大きさ".as_bytes()),
        (
            "GB18030",
            &[0xcd, 0xf5, b' ', 0x81, 0x30, 0x89, 0x37, 0x5c][..],
        ),
        ("\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B"),
        ("\\ISO 2022 IR 149", b"\x1b$)C\xb1\xe8\xb9\xce"),
        ("ISO_IR 100", b"Gr\xf6\xdfe"),
    ] {
        let mut image = image_with([element(tags::SPECIFIC_CHARACTER_SET, VR::CS, set)]);
        image.put(InMemElement::new(
            tags::PROTOCOL_NAME,
            VR::LO,
            PrimitiveValue::U8(bytes.into()),
        ));
        image.put(InMemElement::new(
            tags::SCANNING_SEQUENCE,
            VR::CS,
            PrimitiveValue::from("SE"),
        ));
        image.put(InMemElement::new(
            tags::FILTER_MATERIAL,
            VR::CS,
            PrimitiveValue::from("LEAD"),
        ));
        image.put(InMemElement::new(
            tags::ACQUISITION_START_CONDITION_DATA,
            VR::IS,
            PrimitiveValue::from("1"),
        ));
        image.put(InMemElement::new(
            tags::CONVOLUTION_KERNEL,
            VR::SH,
            PrimitiveValue::U8(bytes.into()),
        ));
        let (out, _) = deidentify(&explicit(image), &options("care")).unwrap();
        assert!(contains(&out, bytes), "{set}");
        assert!(contains(&out, set.as_bytes()), "{set}");
    }
}

#[test]
fn inspection_tells_codes_only() {
    let report = inspect(&explicit(image())).unwrap();
    assert_eq!(report.profile, "none");
    assert_eq!(report.modality.as_deref(), Some("CT"));
    for value in [
        "Doe^John",
        "JOHN DOE",
        "CHEST; John Doe",
        "chest",
        "ABCDEFGHIJKLMNOPQ",
        "",
    ] {
        let image = image_with([
            element(tags::BODY_PART_EXAMINED, VR::CS, value),
            element(tags::MODALITY, VR::CS, value),
        ]);
        let report = inspect(&explicit(image)).unwrap();
        assert_eq!((report.body_part, report.modality), (None, None), "{value}");
    }
}

#[test]
fn the_report_names_attributes_rows_and_options() {
    let (_, report) = deidentify(&explicit(image()), &options("care")).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let entry = |name: &str| {
        let attributes = json["attributes"].as_array().unwrap();
        attributes
            .iter()
            .find(|a| a["name"] == name)
            .unwrap()
            .clone()
    };
    let age = entry("PatientAge");
    assert_eq!(
        (&age["action"], &age["option"]),
        (&"kept".into(), &113_108.into())
    );
    let name = entry("PatientName");
    assert_eq!(
        (&name["action"], &name["why"]),
        (&"emptied".into(), &"Z".into())
    );
    assert_eq!(
        entry("PerformingPhysicianName")["within"][0],
        "ContributingSourcesSequence"
    );
    assert_eq!(json["edition"], "2026d");
    let text = report.to_string();
    assert!(
        text.contains("113108  Retain Patient Characteristics Option"),
        "{text}"
    );
    assert!(text.contains("PatientComments (X)"), "{text}");
}
