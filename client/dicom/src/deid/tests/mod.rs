#![allow(clippy::unwrap_used)]

mod blank;
mod codes;
mod corpus;
mod docbook;
mod engine;
mod face;
mod folder;
mod hostile;
mod odd;
mod planted;
mod policy;
mod repairs;
mod rows;
mod syntaxes;

use std::io::Cursor;

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_dictionary_std::uids;
use dicom_object::mem::InMemElement;
use dicom_object::{FileDicomObject, FileMetaTableBuilder, InMemDicomObject, OpenFileOptions};

use super::*;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const DEMO: &[u8] = include_bytes!("../../../../cli/assets/demo.dcm");
const SYNTAXES: [&str; 4] = [
    uids::IMPLICIT_VR_LITTLE_ENDIAN,
    uids::EXPLICIT_VR_LITTLE_ENDIAN,
    uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.2",
];

fn options(purpose: &str) -> Options {
    Options {
        key: [7; 32],
        profile: purpose.parse::<Purpose>().unwrap().into(),
    }
}

/// The Basic Profile with these options.
fn with(options: &[ProfileOption]) -> Options {
    let mut all = self::options("research");
    all.profile.options.extend(options);
    all
}

fn element(tag: Tag, vr: VR, value: &str) -> InMemElement {
    InMemElement::new(tag, vr, PrimitiveValue::from(value))
}

fn number(tag: Tag, value: u16) -> InMemElement {
    InMemElement::new(tag, VR::US, PrimitiveValue::from(value))
}

fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    DataElement::new(tag, VR::SQ, DataSetSequence::new(items, Length::UNDEFINED))
}

fn item<const N: usize>(elements: [InMemElement; N]) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(elements)
}

/// A small CT image with what identifies people in every place that the profile knows.
fn image() -> InMemDicomObject {
    let inner = item([
        element(tags::REFERENCED_SOP_CLASS_UID, VR::UI, CT),
        element(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, "1.2.3.4.5"),
        element(tags::PATIENT_NAME, VR::PN, "SECRET^INNER"),
        element(Tag(0x0009, 0x0010), VR::LO, "SECRET CREATOR"),
        element(Tag(0x0009, 0x1001), VR::LO, "SECRET PRIVATE"),
    ]);
    let outer = item([
        element(tags::PERFORMING_PHYSICIAN_NAME, VR::PN, "SECRET^MIDDLE"),
        sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, vec![inner]),
    ]);
    let request = item([element(
        tags::SCHEDULED_PROCEDURE_STEP_ID,
        VR::SH,
        "SECRET STEP",
    )]);
    item([
        element(tags::SOP_CLASS_UID, VR::UI, CT),
        element(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4.5"),
        element(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.4"),
        element(
            tags::FRAME_OF_REFERENCE_UID,
            VR::UI,
            "1.2.840.10008.1.4.1.1",
        ),
        element(tags::MODALITY, VR::CS, "CT"),
        element(tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        element(tags::PATIENT_NAME, VR::PN, "SECRET^OUTER"),
        element(tags::PATIENT_ID, VR::LO, "SECRET-ID"),
        element(tags::PATIENT_COMMENTS, VR::LT, "SECRET COMMENT"),
        element(tags::PATIENT_BIRTH_DATE, VR::DA, "19691231"),
        element(tags::PATIENT_AGE, VR::AS, "032Y"),
        element(tags::STUDY_DATE, VR::DA, "20011231"),
        element(tags::ACQUISITION_DATE_TIME, VR::DT, "20011231235959"),
        element(tags::ACCESSION_NUMBER, VR::SH, "SECRET-ACC"),
        element(tags::STUDY_DESCRIPTION, VR::LO, "SECRET chest"),
        element(tags::INSTITUTION_NAME, VR::LO, "SECRET CLINIC"),
        element(tags::DEVICE_SERIAL_NUMBER, VR::LO, "SECRET-SERIAL"),
        element(tags::SLICE_THICKNESS, VR::DS, "2.5"),
        element(Tag(0x0009, 0x0010), VR::LO, "SECRET CREATOR"),
        element(Tag(0x0009, 0x1001), VR::LO, "SECRET PRIVATE"),
        element(Tag(0x0018, 0xfff0), VR::LO, "SECRET UNKNOWN"),
        element(Tag(0x6000, 0x0022), VR::LO, "SECRET OVERLAY"),
        InMemElement::new(
            Tag(0x6000, 0x3000),
            VR::OW,
            PrimitiveValue::from([0_u16; 4]),
        ),
        element(Tag(0x5000, 0x2500), VR::LO, "SECRET CURVE"),
        sequence(tags::CONTRIBUTING_SOURCES_SEQUENCE, vec![outer]),
        sequence(tags::REQUEST_ATTRIBUTES_SEQUENCE, vec![request]),
        element(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        number(tags::SAMPLES_PER_PIXEL, 1),
        element(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        number(tags::ROWS, 2),
        number(tags::COLUMNS, 2),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 12),
        number(tags::HIGH_BIT, 11),
        number(tags::PIXEL_REPRESENTATION, 0),
        InMemElement::new(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::from([0x0102_u16, 0x0304, 0xfffe, 0xe000]),
        ),
    ])
}

/// The image with these elements besides, or instead.
fn image_with<const N: usize>(elements: [InMemElement; N]) -> InMemDicomObject {
    let mut image = image();
    elements.into_iter().for_each(|e| _ = image.put(e));
    image
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

fn explicit(data_set: InMemDicomObject) -> Vec<u8> {
    write(data_set, uids::EXPLICIT_VR_LITTLE_ENDIAN)
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

/// The value as text; none if the attribute is not there.
fn value(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let element = object.get(tag)?;
    Some(
        element
            .to_str()
            .unwrap()
            .trim_matches([' ', '\0'])
            .to_owned(),
    )
}

fn first_item(object: &InMemDicomObject, tag: Tag) -> &InMemDicomObject {
    &object.get(tag).unwrap().items().unwrap()[0]
}
