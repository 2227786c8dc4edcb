#![allow(clippy::unwrap_used)]

use dicom_core::value::{DataSetSequence, PixelFragmentSequence, PrimitiveValue};
use dicom_core::{DataElement, Length, VR};
use dicom_dictionary_std::uids;
use dicom_object::mem::InMemElement;

use super::*;

const KEY: Options = Options { key: [7; 32] };
const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const DEMO: &[u8] = include_bytes!("../../cli/assets/demo.dcm");

fn text(tag: Tag, vr: VR, value: &str) -> InMemElement {
    InMemElement::new(tag, vr, PrimitiveValue::from(value))
}

fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    DataElement::new(tag, VR::SQ, DataSetSequence::new(items, Length::UNDEFINED))
}

/// A small CT image with what identifies people in every place that the profile knows.
fn image() -> InMemDicomObject {
    let inner = InMemDicomObject::from_element_iter([
        text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, CT),
        text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, "1.2.3.4.5"),
        text(tags::PATIENT_NAME, VR::PN, "SECRET^INNER"),
        text(Tag(0x0009, 0x0010), VR::LO, "SECRET CREATOR"),
        text(Tag(0x0009, 0x1001), VR::LO, "SECRET PRIVATE"),
    ]);
    let outer = InMemDicomObject::from_element_iter([
        text(tags::PERFORMING_PHYSICIAN_NAME, VR::PN, "SECRET^MIDDLE"),
        sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![inner]),
    ]);
    InMemDicomObject::from_element_iter([
        text(tags::SOP_CLASS_UID, VR::UI, CT),
        text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4.5"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.4"),
        text(
            tags::FRAME_OF_REFERENCE_UID,
            VR::UI,
            "1.2.840.10008.1.4.1.1",
        ),
        text(tags::MODALITY, VR::CS, "CT"),
        text(tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        text(tags::PATIENT_NAME, VR::PN, "SECRET^OUTER"),
        text(tags::PATIENT_ID, VR::LO, "SECRET-ID"),
        text(tags::PATIENT_COMMENTS, VR::LT, "SECRET COMMENT"),
        text(tags::PATIENT_BIRTH_DATE, VR::DA, "19691231"),
        text(tags::STUDY_DATE, VR::DA, "20011231"),
        text(tags::ACQUISITION_DATE_TIME, VR::DT, "20011231235959"),
        text(tags::INSTITUTION_NAME, VR::LO, "SECRET CLINIC"),
        text(tags::DEVICE_SERIAL_NUMBER, VR::LO, "SECRET-SERIAL"),
        text(tags::SLICE_THICKNESS, VR::DS, "2.5"),
        text(Tag(0x0009, 0x0010), VR::LO, "SECRET CREATOR"),
        text(Tag(0x0009, 0x1001), VR::LO, "SECRET PRIVATE"),
        text(Tag(0x0018, 0xfff0), VR::LO, "SECRET UNKNOWN"),
        text(Tag(0x6000, 0x0022), VR::LO, "SECRET OVERLAY"),
        InMemElement::new(
            Tag(0x6000, 0x3000),
            VR::OW,
            PrimitiveValue::from([0_u16; 4]),
        ),
        text(Tag(0x5000, 0x2500), VR::LO, "SECRET CURVE"),
        sequence(tags::REFERENCED_IMAGE_SEQUENCE, vec![outer]),
        sequence(
            tags::REQUEST_ATTRIBUTES_SEQUENCE,
            vec![InMemDicomObject::from_element_iter([text(
                tags::SCHEDULED_PROCEDURE_STEP_ID,
                VR::SH,
                "SECRET STEP",
            )])],
        ),
        text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        InMemElement::new(tags::ROWS, VR::US, PrimitiveValue::from(2_u16)),
        InMemElement::new(tags::COLUMNS, VR::US, PrimitiveValue::from(2_u16)),
        InMemElement::new(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::from([0x0102_u16, 0x0304, 0xfffe, 0xe000]),
        ),
    ])
}

fn write(data_set: InMemDicomObject, transfer_syntax: &str) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(CT)
        .media_storage_sop_instance_uid("1.2.3.4.5")
        .source_application_entity_title("SECRETAE")
        .transfer_syntax(transfer_syntax)
        .build()
        .unwrap();
    let mut file = Vec::new();
    data_set.with_exact_meta(meta).write_all(&mut file).unwrap();
    file[..6].copy_from_slice(b"SECRET");
    file
}

fn parse(file: &[u8]) -> FileDicomObject<InMemDicomObject> {
    OpenFileOptions::new()
        .read_all()
        .from_reader(Cursor::new(file))
        .unwrap()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

/// The data set without preamble and file meta group, uncompressed.
fn data_set_bytes(object: &FileDicomObject<InMemDicomObject>) -> Vec<u8> {
    let mut meta = object.meta().clone();
    meta.transfer_syntax = uids::EXPLICIT_VR_LITTLE_ENDIAN.to_owned();
    let mut bytes = Vec::new();
    let object = (**object).clone().with_exact_meta(meta);
    object.write_dataset(&mut bytes).unwrap();
    bytes
}

const SYNTAXES: [&str; 4] = [
    uids::IMPLICIT_VR_LITTLE_ENDIAN,
    uids::EXPLICIT_VR_LITTLE_ENDIAN,
    uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.2",
];

#[test]
fn nothing_personal_is_left_in_any_encoding() {
    for syntax in SYNTAXES {
        let (out, report) = deidentify(&write(image(), syntax), &KEY).unwrap();
        let object = parse(&out);
        assert_eq!(object.meta().transfer_syntax(), syntax);
        let plain = data_set_bytes(&object);
        assert!(!contains(&plain, b"SECRET"), "{syntax}");
        assert!(!contains(&out, b"SECRET"), "{syntax}");
        assert!(!contains(&plain, b"1969"), "{syntax}");
        assert!(!contains(&plain, b"2001"), "{syntax}");
        assert!(!contains(&plain, b"1.2.3.4"), "{syntax}");
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
    let (out, _) = deidentify(&write(image(), uids::EXPLICIT_VR_LITTLE_ENDIAN), &KEY).unwrap();
    let object = parse(&out);
    let value = |tag| object.get(tag).map(|e| e.to_str().unwrap().into_owned());
    let (nothing, empty) = (None, Some(String::new()));
    assert_eq!(value(tags::PATIENT_COMMENTS), nothing); // X
    assert_eq!(value(tags::PATIENT_NAME), empty); // Z
    assert_eq!(value(tags::PATIENT_BIRTH_DATE), empty); // Z
    assert_eq!(value(tags::STUDY_DATE), empty); // Z
    assert_eq!(
        value(tags::ACQUISITION_DATE_TIME).as_deref(),
        Some("19000101000000") // X/Z/D
    );
    assert_eq!(value(tags::INSTITUTION_NAME).as_deref(), Some("ANONYMIZED")); // X/Z/D
    assert_eq!(value(tags::SLICE_THICKNESS).as_deref(), Some("2.5")); // not listed
    assert_eq!(value(tags::MODALITY).as_deref(), Some("CT"));
    assert!(object.get(Tag(0x6000, 0x3000)).is_none());
    assert!(object.get(Tag(0x6000, 0x0022)).is_none());
    assert!(object.get(Tag(0x0018, 0xfff0)).is_none());
}

#[test]
fn the_file_says_that_it_was_deidentified() {
    let (out, report) = deidentify(&write(image(), uids::EXPLICIT_VR_LITTLE_ENDIAN), &KEY).unwrap();
    let object = parse(&out);
    let value = |tag| text_of(&object, tag);
    assert_eq!(value(tags::PATIENT_IDENTITY_REMOVED), "YES");
    assert_eq!(value(tags::DEIDENTIFICATION_METHOD), report.profile);
    assert!(report.profile.len() <= 64, "LO holds 64 characters");
    assert_eq!(
        value(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED),
        "REMOVED"
    );
    let method = object
        .get(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE)
        .unwrap();
    let item = &method.items().unwrap()[0];
    assert_eq!(text_of(item, tags::CODE_VALUE), "113100");
    assert_eq!(text_of(item, tags::CODING_SCHEME_DESIGNATOR), "DCM");
    let meta = object.meta();
    assert_eq!(
        meta.media_storage_sop_instance_uid(),
        value(tags::SOP_INSTANCE_UID)
    );
    assert_eq!(meta.media_storage_sop_class_uid(), CT);
    assert_eq!(meta.implementation_class_uid(), IMPLEMENTATION_CLASS_UID);
    assert_eq!(meta.source_application_entity_title(), None);
}

fn text_of(object: &InMemDicomObject, tag: Tag) -> String {
    super::text(object, tag).unwrap()
}

#[test]
fn uids_hold_together_and_change_with_the_key() {
    let file = write(image(), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let (out, _) = deidentify(&file, &KEY).unwrap();
    let object = parse(&out);
    let instance = text_of(&object, tags::SOP_INSTANCE_UID);
    let outer = &object
        .get(tags::REFERENCED_IMAGE_SEQUENCE)
        .unwrap()
        .items()
        .unwrap()[0];
    let inner = &outer
        .get(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE)
        .unwrap()
        .items()
        .unwrap()[0];
    assert_eq!(text_of(inner, tags::REFERENCED_SOP_INSTANCE_UID), instance);
    assert_eq!(text_of(inner, tags::REFERENCED_SOP_CLASS_UID), CT);
    assert_eq!(
        text_of(&object, tags::FRAME_OF_REFERENCE_UID),
        "1.2.840.10008.1.4.1.1"
    );
    assert_eq!(deidentify(&file, &KEY).unwrap().0, out);
    let (other, _) = deidentify(&file, &Options { key: [8; 32] }).unwrap();
    assert_ne!(text_of(&parse(&other), tags::SOP_INSTANCE_UID), instance);
}

#[test]
fn pixels_pass_byte_for_byte() {
    for syntax in SYNTAXES {
        let file = write(image(), syntax);
        let (out, _) = deidentify(&file, &KEY).unwrap();
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
    let (out, report) = deidentify(DEMO, &KEY).unwrap();
    let original = parse(DEMO);
    let pixels = original.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(pixels.len(), 128 * 128 * 2);
    assert!(contains(&out, &pixels));
    assert_eq!(report.modality.as_deref(), Some("CT"));
    assert_eq!(report.burned_in, BurnedIn::Unknown);
    assert!(!contains(&out, b"CompressedSamples"));
}

#[test]
fn what_the_profile_cannot_clean_is_refused() {
    let syntax = uids::EXPLICIT_VR_LITTLE_ENDIAN;
    let with = |elements: Vec<InMemElement>| {
        let mut image = image();
        elements.into_iter().for_each(|e| {
            image.put(e);
        });
        deidentify(&write(image, syntax), &KEY).unwrap_err()
    };
    let class = |uid: &str| with(vec![text(tags::SOP_CLASS_UID, VR::UI, uid)]);
    assert_eq!(
        with(vec![text(tags::BURNED_IN_ANNOTATION, VR::CS, "YES")]),
        Error::BurnedIn
    );
    for free in [
        class("1.2.840.10008.5.1.4.1.1.88.11"),
        class("1.2.840.10008.5.1.4.1.1.88.59"),
        class("1.2.840.10008.5.1.4.1.1.11.1"),
        class("1.2.840.10008.5.1.4.1.1.104.1"),
        with(vec![sequence(tags::CONTENT_SEQUENCE, vec![])]),
        with(vec![sequence(tags::GRAPHIC_ANNOTATION_SEQUENCE, vec![])]),
    ] {
        assert!(matches!(free, Error::FreeContent { .. }), "{free}");
    }
    assert!(matches!(
        class("1.2.840.10008.1.3.10"),
        Error::NotAnImage { .. }
    ));
    assert_eq!(
        class("SECRET"),
        Error::NotAnImage {
            uid: "(not a UID)".to_owned()
        }
    );
    let bit = |n: u16| InMemElement::new(Tag(0x6002, 0x0102), VR::US, PrimitiveValue::from(n));
    assert_eq!(with(vec![bit(12)]), Error::EmbeddedOverlay);

    let mut no_pixels = image();
    no_pixels.remove_element(tags::PIXEL_DATA);
    assert_eq!(
        deidentify(&write(no_pixels.clone(), syntax), &KEY).unwrap_err(),
        Error::Malformed
    );
    // Files that have no pixels by their class are whole, and not images.
    no_pixels.put(text(
        tags::SOP_CLASS_UID,
        VR::UI,
        "1.2.840.10008.5.1.4.1.1.481.3",
    ));
    let file = write(no_pixels, syntax);
    assert!(inspect(&file).is_ok());
    assert!(matches!(
        deidentify(&file, &KEY).unwrap_err(),
        Error::Missing { .. }
    ));
    let mut no_uid = image();
    no_uid.remove_element(tags::SOP_INSTANCE_UID);
    assert_eq!(
        deidentify(&write(no_uid, syntax), &KEY).unwrap_err(),
        Error::Malformed
    );
}

#[test]
fn a_sequence_that_cannot_be_searched_goes() {
    let mut opaque = image();
    opaque.put(InMemElement::new(
        tags::REFERENCED_IMAGE_SEQUENCE,
        VR::UN,
        PrimitiveValue::from(*b"SECRET"),
    ));
    // Text where the standard has a number, and a private sequence in public clothes.
    opaque.put(text(tags::ANATOMIC_REGION_SEQUENCE, VR::LO, "SECRET"));
    let (out, _) = deidentify(&write(opaque, uids::EXPLICIT_VR_LITTLE_ENDIAN), &KEY).unwrap();
    assert!(!contains(&out, b"SECRET"));
}

#[test]
fn what_is_not_whole_dicom_is_refused_without_a_word_of_it() {
    let file = write(image(), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    for (bytes, wanted) in [
        (&b""[..], Error::NotDicom),
        (b"\xff\xd8\xff\xe0 JFIF", Error::NotDicom),
        (&[0; 4096], Error::NotDicom),
    ] {
        assert_eq!(inspect(bytes).unwrap_err(), wanted);
        assert_eq!(deidentify(bytes, &KEY).unwrap_err(), wanted);
    }
    for syntax in SYNTAXES {
        let file = write(image(), syntax);
        let whole = data_set_bytes(&parse(&file));
        for end in 0..file.len() {
            let error = match inspect(&file[..end]) {
                Err(error) => error,
                // The very end of a deflated stream adds nothing to the data set.
                Ok(_) => {
                    assert_eq!(
                        data_set_bytes(&parse(&file[..end])),
                        whole,
                        "{syntax} at {end}"
                    );
                    continue;
                }
            };
            let error = format!("{error} {error:?}");
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
    for end in (132..DEMO.len()).step_by(101) {
        assert!(inspect(&DEMO[..end]).is_err(), "demo cut at {end}");
    }
    let unknown = b"1.2.840.10008.1.2.1\0";
    let at = file.windows(20).position(|w| w == unknown).unwrap();
    let mut other = file.clone();
    other[at..at + 20].copy_from_slice(b"1.2.840.10008.1.2.77");
    assert_eq!(
        inspect(&other).unwrap_err(),
        Error::TransferSyntax {
            uid: "1.2.840.10008.1.2.77".to_owned()
        }
    );
}

#[test]
fn inspection_tells_codes_only() {
    let report = inspect(&write(image(), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    assert_eq!(report.profile, "none");
    assert_eq!(report.modality.as_deref(), Some("CT"));
    for value in [
        "Doe^John",
        "CHEST; John Doe",
        "chest",
        "ABCDEFGHIJKLMNOPQ",
        "",
    ] {
        let mut image = image();
        image.put(text(tags::BODY_PART_EXAMINED, VR::CS, value));
        let report = inspect(&write(image, uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap();
        assert_eq!(report.body_part, None, "{value}");
    }
}

#[test]
fn hostile_lengths_neither_crash_nor_allocate() {
    let file = write(image(), uids::EXPLICIT_VR_LITTLE_ENDIAN);
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
}

#[test]
fn sequences_may_not_nest_without_end() {
    // Explicit VR Little Endian, undefined lengths: sequence header and item header, again and again, before the pixels.
    let header = [
        0x08, 0x00, 0x40, 0x11, b'S', b'Q', 0, 0, 0xff, 0xff, 0xff, 0xff,
    ];
    let item = [0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff];
    let item_end = [0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0];
    let end = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];
    let mut flat = image();
    flat.remove_element(tags::REFERENCED_IMAGE_SEQUENCE);
    let file = write(flat, uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let thickness = [0x18, 0x00, 0x50, 0x00];
    let at = file.windows(4).position(|w| w == thickness).unwrap();
    let nested = |depth: usize| {
        let mut bytes = file[..at].to_vec();
        bytes.extend([header.as_slice(), &item].concat().repeat(depth));
        bytes.extend([item_end.as_slice(), &end].concat().repeat(depth));
        bytes.extend(&file[at..]);
        bytes
    };
    assert!(deidentify(&nested(20), &KEY).is_ok());
    for depth in [40, 100_000] {
        assert_eq!(
            inspect(&nested(depth)).unwrap_err(),
            Error::TooDeep { max: 32 }
        );
    }
}

#[test]
fn compressed_frames_pass_whole_or_not_at_all() {
    let frames: Vec<Vec<u8>> = vec![vec![0xff, 0xd8, 1, 2], vec![0xff, 0xd8, 3, 4, 5, 6]];
    let mut compressed = image();
    compressed.put(DataElement::new(
        tags::PIXEL_DATA,
        VR::OB,
        PixelFragmentSequence::new(vec![0, 12], frames.clone()),
    ));
    let file = write(compressed, uids::JPEG_BASELINE8_BIT);
    let (out, _) = deidentify(&file, &KEY).unwrap();
    let object = parse(&out);
    let pixels = object.get(tags::PIXEL_DATA).unwrap();
    assert_eq!(pixels.fragments().unwrap(), frames);
    assert_eq!(pixels.offset_table().unwrap(), [0, 12]);
    assert_eq!(file[file.len() - 54..], out[out.len() - 54..]);
    for end in 0..file.len() {
        assert!(
            inspect(&file[..end]).is_err(),
            "cut at {end} of {}",
            file.len()
        );
    }
}

/// Runs over a folder of foreign files and writes what came out beside it, for other programs to judge.
#[test]
#[ignore = "needs PCIM_DICOM_FILES, a folder; writes to PCIM_DICOM_OUT"]
fn foreign_files() {
    let (from, to) = (
        std::env::var("PCIM_DICOM_FILES").unwrap(),
        std::env::var("PCIM_DICOM_OUT").unwrap(),
    );
    let mut done = 0;
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_owned();
        let file = std::fs::read(&path).unwrap();
        match deidentify(&file, &KEY) {
            Ok((out, report)) => {
                done += 1;
                println!("{name:?}: {report:?}");
                assert_eq!(deidentify(&file, &KEY).unwrap().0, out);
                std::fs::write(std::path::Path::new(&to).join(&name), out).unwrap();
            }
            Err(error) => println!("{name:?}: refused: {error}"),
        }
    }
    assert!(done > 0);
}
