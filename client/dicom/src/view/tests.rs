#![allow(clippy::unwrap_used)]

mod corpus;
mod hostile;
mod made;
mod tables;
mod terminal;

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::*;

fn element(tag: Tag, vr: VR, value: &str) -> InMemElement {
    InMemElement::new(tag, vr, PrimitiveValue::from(value))
}

fn number(tag: Tag, value: u16) -> InMemElement {
    InMemElement::new(tag, VR::US, PrimitiveValue::from(value))
}

/// An image of 8 or 16 bits with these pixels, and these elements besides or instead.
fn image<const N: usize>(
    (columns, rows, samples, bits): (u16, u16, u16, u16),
    photometric: &str,
    pixels: &[u8],
    elements: [InMemElement; N],
) -> InMemDicomObject {
    let mut image = InMemDicomObject::from_element_iter([
        element(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.7"),
        element(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3"),
        element(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric),
        number(tags::COLUMNS, columns),
        number(tags::ROWS, rows),
        number(tags::SAMPLES_PER_PIXEL, samples),
        number(tags::BITS_ALLOCATED, bits),
        number(tags::BITS_STORED, bits),
        number(tags::HIGH_BIT, bits - 1),
        number(tags::PIXEL_REPRESENTATION, 0),
        number(tags::PLANAR_CONFIGURATION, 0),
        InMemElement::new(
            tags::PIXEL_DATA,
            if bits > 8 { VR::OW } else { VR::OB },
            match bits > 8 {
                true => PrimitiveValue::U16(
                    pixels
                        .chunks(2)
                        .map(|c| u16::from_le_bytes([c[0], c[1]]))
                        .collect(),
                ),
                false => PrimitiveValue::U8(pixels.into()),
            },
        ),
    ]);
    elements.into_iter().for_each(|e| _ = image.put(e));
    image
}

fn write(image: InMemDicomObject, syntax: &str) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.7")
        .media_storage_sop_instance_uid("1.2.3")
        .transfer_syntax(syntax)
        .build()
        .unwrap();
    let mut file = Vec::new();
    image.with_exact_meta(meta).write_all(&mut file).unwrap();
    file
}

fn explicit(image: InMemDicomObject) -> Vec<u8> {
    write(image, uids::EXPLICIT_VR_LITTLE_ENDIAN)
}

fn seen(file: &[u8]) -> Vec<u8> {
    let picture = Image::read(file).unwrap().render(0, None).unwrap();
    picture.pixels().to_vec()
}

fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    DataElement::new(tag, VR::SQ, DataSetSequence::new(items, Length::UNDEFINED))
}
