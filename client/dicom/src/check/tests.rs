#![allow(clippy::unwrap_used)]

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::*;
use crate::deid::{Options, Purpose, deidentify};

fn image(pixels: [u16; 4]) -> InMemDicomObject {
    let text = |tag, vr, value: &str| InMemElement::new(tag, vr, PrimitiveValue::from(value));
    let number = |tag, value: u16| InMemElement::new(tag, VR::US, PrimitiveValue::from(value));
    InMemDicomObject::from_element_iter([
        text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2"),
        text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4.5"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.4"),
        text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4.1"),
        text(tags::STUDY_DATE, VR::DA, "20011231"),
        text(tags::SERIES_DATE, VR::DA, "20020101"),
        text(tags::MODALITY, VR::CS, "CT"),
        text(tags::PATIENT_NAME, VR::PN, "Quorlington^Zwyx"),
        text(tags::PATIENT_ID, VR::LO, "87654321-A"),
        text(tags::CONVOLUTION_KERNEL, VR::SH, "B30f"),
        number(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        number(tags::ROWS, 2),
        number(tags::COLUMNS, 2),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 12),
        number(tags::HIGH_BIT, 11),
        number(tags::PIXEL_REPRESENTATION, 0),
        InMemElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(pixels)),
    ])
}

fn write(image: InMemDicomObject) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.2")
        .media_storage_sop_instance_uid("1.2.3.4.5")
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .build()
        .unwrap();
    let mut file = Vec::new();
    image.with_exact_meta(meta).write_all(&mut file).unwrap();
    file
}

fn clean(file: &[u8], purpose: &str) -> InMemDicomObject {
    let options = Options {
        key: [7; 32],
        profile: purpose.parse::<Purpose>().unwrap().into(),
    };
    let (out, _) = deidentify(file, &options).unwrap();
    (*open(&out).unwrap()).clone()
}

fn problems(original: &[u8], result: InMemDicomObject) -> Vec<Problem> {
    let findings = check(original, &write(result));
    findings.iter().map(|(problem, _, _)| problem).collect()
}

#[test]
fn what_the_first_look_lets_pass_the_second_lets_pass() {
    // Bits beside the stored ones go, which changes no pixel.
    let file = write(image([1, 2, 0x1003, 4]));
    for purpose in ["care", "research"] {
        let options = Options {
            key: [7; 32],
            profile: purpose.parse::<Purpose>().unwrap().into(),
        };
        let (out, _) = deidentify(&file, &options).unwrap();
        let findings = check(&file, &out);
        assert!(findings.is_empty(), "{purpose}:\n{findings}");
    }
}

#[test]
fn what_is_put_back_is_found() {
    let file = write(image([1, 2, 3, 4]));
    let text = |tag, vr, value: &str| InMemElement::new(tag, vr, PrimitiveValue::from(value));
    let with = |purpose: &str, element: InMemElement| {
        let mut result = clean(&file, purpose);
        result.put(element);
        problems(&file, result)
    };
    let kernel = |value: &str| text(tags::CONVOLUTION_KERNEL, VR::SH, value);
    assert_eq!(with("care", kernel("B30f")), []);
    assert_eq!(with("care", kernel("B30f Zwyx")), [Problem::Identifier]);
    assert_eq!(with("care", kernel("xQUORLINGTONx")), [Problem::Identifier]);
    assert_eq!(with("care", kernel("87654321-A")), [Problem::Identifier]);
    let name = text(tags::PATIENT_NAME, VR::PN, "Quorlington^Zwyx");
    assert!(with("care", name).contains(&Problem::Row));
    let study = text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.4");
    assert_eq!(with("care", study), [Problem::Uid]);
    let date = text(tags::STUDY_DATE, VR::DA, "20011231");
    assert!(with("research", date.clone()).contains(&Problem::Row));
    let mut apart = clean(&file, "care");
    apart.put(date);
    assert!(problems(&file, apart).contains(&Problem::Date));
    let private = text(Tag(0x0009, 0x0010), VR::LO, "MAKER");
    assert_eq!(with("care", private), [Problem::Private]);
    let overlay = text(Tag(0x6000, 0x0022), VR::LO, "note");
    assert_eq!(with("care", overlay), [Problem::Leftover]);
    let bytes = InMemElement::new(
        tags::ICC_PROFILE,
        VR::OB,
        PrimitiveValue::U8(b"made for Quorlington"[..].into()),
    );
    assert_eq!(with("care", bytes), [Problem::Identifier]);
    let pixels = |pixels: [u16; 4]| {
        InMemElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(pixels))
    };
    assert_eq!(with("care", pixels([1, 2, 3, 5])), [Problem::Pixels]);
    assert_eq!(with("care", pixels([0, 0, 0, 0])), [Problem::Pixels]);
    assert_eq!(check(b"neither", b"nor").iter().count(), 1);
}
