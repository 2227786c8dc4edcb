//! The standard's rules of values, windows, tables and colours, on images made for it.

use super::*;

const GREY: (u16, u16, u16, u16) = (4, 1, 1, 8);

#[test]
fn values_are_stretched_windowed_and_inverted() {
    let pixels = [10, 20, 30, 110];
    let plain = |photometric, elements: Vec<InMemElement>| {
        let mut object = image(GREY, photometric, &pixels, []);
        elements.into_iter().for_each(|e| _ = object.put(e));
        seen(&explicit(object))
    };
    assert_eq!(plain("MONOCHROME2", vec![]), [0, 26, 51, 255]);
    assert_eq!(plain("MONOCHROME1", vec![]), [255, 229, 204, 0]);
    let window = |function| {
        vec![
            element(tags::WINDOW_CENTER, VR::DS, "20\\99"),
            element(tags::WINDOW_WIDTH, VR::DS, "11\\1"),
            element(tags::VOILUT_FUNCTION, VR::CS, function),
        ]
    };
    // PS3.3 §C.11.2.1.2.1: ((20 − 19.5) / 10 + 0.5) of 255.
    assert_eq!(plain("MONOCHROME2", window("LINEAR")), [0, 140, 255, 255]);
    assert_eq!(
        plain("MONOCHROME2", window("LINEAR_EXACT")),
        [0, 128, 255, 255]
    );
    assert_eq!(plain("MONOCHROME2", window("SIGMOID")), [7, 128, 248, 255]);
    let rescaled = vec![
        element(tags::RESCALE_SLOPE, VR::DS, "2"),
        element(tags::RESCALE_INTERCEPT, VR::DS, "-20"),
        element(tags::WINDOW_CENTER, VR::DS, "20"),
        element(tags::WINDOW_WIDTH, VR::DS, "41"),
    ];
    assert_eq!(plain("MONOCHROME2", rescaled.clone()), [3, 131, 255, 255]);
    // A window that was asked for overrules the file's.
    let mut object = image(GREY, "MONOCHROME2", &pixels, []);
    rescaled.into_iter().for_each(|e| _ = object.put(e));
    let asked = "100,201".parse().unwrap();
    let picture = Image::read(&explicit(object)).unwrap();
    let picture = picture.render(0, Some(asked)).unwrap();
    assert_eq!(picture.pixels(), [1, 26, 52, 255]);
    for wrong in ["", "1", "1,0", "a,1", "1,nan", "1,2,3"] {
        assert!(wrong.parse::<Window>().is_err(), "{wrong}");
    }
}

#[test]
fn tables_of_modality_and_voi_are_looked_up() {
    let table = |tag, bits: u16, entries: &[u16]| {
        let item = InMemDicomObject::from_element_iter([
            InMemElement::new(
                tags::LUT_DESCRIPTOR,
                VR::US,
                PrimitiveValue::U16([entries.len() as u16, 1, bits][..].into()),
            ),
            InMemElement::new(tags::LUT_DATA, VR::US, PrimitiveValue::U16(entries.into())),
        ]);
        sequence(tag, vec![item])
    };
    let both = image(
        GREY,
        "MONOCHROME2",
        &[0, 1, 2, 9],
        [
            table(tags::MODALITY_LUT_SEQUENCE, 16, &[1, 2, 3]),
            table(tags::VOILUT_SEQUENCE, 12, &[0, 2048, 4095]),
        ],
    );
    assert_eq!(seen(&explicit(both)), [0, 0, 128, 255]);
}

#[test]
fn signed_values_and_unused_bits_are_read_as_meant() {
    // 12 bits with sign: −2048, −1, 0, 2047; the upper four bits are another thing's.
    let pixels = [0x00, 0xf8, 0xff, 0x5f, 0x00, 0xa0, 0xff, 0x37];
    let object = image(
        (4, 1, 1, 16),
        "MONOCHROME2",
        &pixels,
        [
            number(tags::BITS_STORED, 12),
            number(tags::HIGH_BIT, 11),
            number(tags::PIXEL_REPRESENTATION, 1),
        ],
    );
    for syntax in [
        uids::EXPLICIT_VR_LITTLE_ENDIAN,
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
        "1.2.840.10008.1.2.2",
    ] {
        assert_eq!(seen(&write(object.clone(), syntax)), [0, 127, 128, 255]);
    }
}

#[test]
fn colours_become_rgb_in_every_layout() {
    let colour = (2, 1, 3, 8);
    let object = image(colour, "RGB", &[1, 2, 3, 4, 5, 6], []);
    assert_eq!(seen(&explicit(object)), [1, 2, 3, 4, 5, 6]);
    let planes = image(
        colour,
        "RGB",
        &[1, 4, 2, 5, 3, 6],
        [number(tags::PLANAR_CONFIGURATION, 1)],
    );
    assert_eq!(seen(&explicit(planes)), [1, 2, 3, 4, 5, 6]);
    let full = image(colour, "YBR_FULL", &[76, 85, 255, 29, 255, 107], []);
    assert_eq!(seen(&explicit(full)), [254, 0, 0, 0, 0, 254]);
    let shared = image(colour, "YBR_FULL_422", &[76, 150, 85, 255], []);
    assert_eq!(seen(&explicit(shared)), [254, 0, 0, 255, 74, 74]);
    let table = |tag, entries: [u16; 2]| {
        InMemElement::new(tag, VR::OW, PrimitiveValue::U16(entries[..].into()))
    };
    let descriptor =
        |tag| InMemElement::new(tag, VR::US, PrimitiveValue::U16([2, 7, 16][..].into()));
    let palette = image(
        (2, 1, 1, 8),
        "PALETTE COLOR",
        &[7, 8],
        [
            descriptor(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR),
            descriptor(tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR),
            descriptor(tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR),
            table(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA, [0x1000, 0xff00]),
            table(tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA, [0x2000, 0]),
            table(tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA, [0x3000, 0x8000]),
        ],
    );
    assert_eq!(seen(&explicit(palette)), [16, 32, 48, 255, 0, 128]);
}

#[test]
fn frames_are_chosen_bits_and_bytes_alike() {
    // Three frames of three pixels of a bit: they begin inside bytes.
    let bits = image(
        (3, 1, 1, 8),
        "MONOCHROME2",
        &[0b1110_0101, 0],
        [
            number(tags::BITS_ALLOCATED, 1),
            number(tags::BITS_STORED, 1),
            number(tags::HIGH_BIT, 0),
            element(tags::NUMBER_OF_FRAMES, VR::IS, "3"),
        ],
    );
    let image = Image::read(&explicit(bits)).unwrap();
    let frame = |n| image.render(n, None).map(|p| p.pixels().to_vec());
    assert_eq!(frame(0).unwrap(), [255, 0, 255]);
    assert_eq!(frame(1).unwrap(), [0, 0, 255]);
    assert_eq!(frame(2).unwrap(), [255, 255, 0]);
    let missing = crate::Error::NoSuchFrame {
        wanted: 4,
        frames: 3,
    };
    assert_eq!(frame(3).unwrap_err(), missing.into());
}

#[test]
fn pictures_shrink_and_stand_on_a_sheet() {
    let picture = Picture::grey(4, 2, vec![0, 10, 20, 30, 10, 20, 30, 40]);
    let small = picture.fitted(2);
    assert_eq!((small.width(), small.height()), (2, 1));
    assert_eq!(small.pixels(), [10, 30]);
    assert_eq!(picture.fitted(9), picture);
    let colour = Picture::rgb(1, 1, vec![1, 2, 3]);
    let sheet = sheet(&[picture, colour], 2, 2);
    assert_eq!((sheet.width(), sheet.height()), (10, 6));
    assert_eq!(sheet.colour_at(2, 2), [10, 10, 10]);
    assert_eq!(sheet.colour_at(6, 2), [1, 2, 3]);
    assert_eq!(sheet.colour_at(0, 0), [32, 32, 32]);
}

#[test]
fn a_study_is_a_file_or_a_tar_of_files() {
    let file = explicit(image(GREY, "MONOCHROME2", &[0; 4], []));
    assert_eq!(instances(&file).unwrap(), [&file[..]]);
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in [
        ("a.json", &b"{}"[..]),
        ("0001.dcm", &file),
        ("0002.dcm", &file),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append_data(&mut header, name, content).unwrap();
    }
    let payload = builder.into_inner().unwrap();
    assert_eq!(instances(&payload).unwrap(), [&file[..], &file[..]]);
    assert!(instances(b"neither").is_err() && instances(&payload[..600]).is_err());
}
