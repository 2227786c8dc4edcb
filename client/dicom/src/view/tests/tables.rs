//! Look-up tables as they are met: numbers with and without a sign, entries wider than described; padding.

use super::*;

/// A table of three numbers and entries, in an item.
fn item(described: [u16; 3], vr: VR, entries: &[u16]) -> InMemDicomObject {
    let described = match vr {
        VR::SS => PrimitiveValue::I16(described.iter().map(|n| *n as i16).collect()),
        _ => PrimitiveValue::U16(described[..].into()),
    };
    InMemDicomObject::from_element_iter([
        InMemElement::new(tags::LUT_DESCRIPTOR, vr, described),
        InMemElement::new(tags::LUT_DATA, VR::OW, PrimitiveValue::U16(entries.into())),
    ])
}

fn signed(sequences: Vec<InMemElement>) -> InMemDicomObject {
    // −2, −1, 0, 1.
    let pixels = [0xfe, 0xff, 0xff, 0xff, 0, 0, 1, 0];
    let mut image = image(
        (4, 1, 1, 16),
        "MONOCHROME2",
        &pixels,
        [number(tags::PIXEL_REPRESENTATION, 1)],
    );
    sequences.into_iter().for_each(|e| _ = image.put(e));
    image
}

#[test]
fn the_first_value_of_a_table_has_the_sign_of_what_comes_in() {
    let entries = [0, 85, 170, 255];
    let first = 0xfffe;
    for tag in [tags::MODALITY_LUT_SEQUENCE, tags::VOILUT_SEQUENCE] {
        for vr in [VR::US, VR::SS] {
            let table = sequence(tag, vec![item([4, first, 8], vr, &entries)]);
            for syntax in [
                uids::EXPLICIT_VR_LITTLE_ENDIAN,
                uids::IMPLICIT_VR_LITTLE_ENDIAN,
                "1.2.840.10008.1.2.2",
            ] {
                let file = write(signed(vec![table.clone()]), syntax);
                assert_eq!(seen(&file), [0, 85, 170, 255], "{tag} {vr:?} {syntax}");
            }
        }
    }
    // A rescaled value may be negative where a stored one is not.
    let rescaled = image(
        (4, 1, 1, 8),
        "MONOCHROME2",
        &[0, 1, 2, 3],
        [
            element(tags::RESCALE_INTERCEPT, VR::DS, "-2"),
            element(tags::RESCALE_SLOPE, VR::DS, "1"),
            sequence(
                tags::VOILUT_SEQUENCE,
                vec![item([4, first, 8], VR::US, &entries)],
            ),
        ],
    );
    assert_eq!(seen(&explicit(rescaled)), [0, 85, 170, 255]);
    // Where none is negative, a large first value is one.
    let large = image(
        (2, 1, 1, 16),
        "MONOCHROME2",
        &[0x40, 0x9c, 0x41, 0x9c],
        [sequence(
            tags::VOILUT_SEQUENCE,
            vec![item([2, 40_000, 8], VR::US, &[10, 20])],
        )],
    );
    assert_eq!(seen(&explicit(large)), [10, 20]);
}

#[test]
fn entries_may_be_wider_than_described() {
    let table = sequence(
        tags::VOILUT_SEQUENCE,
        vec![item([3, 0, 8], VR::US, &[0, 2048, 4095])],
    );
    let image = image((3, 1, 1, 8), "MONOCHROME2", &[0, 1, 2], [table]);
    assert_eq!(seen(&explicit(image)), [0, 128, 255]);
}

#[test]
fn palettes_are_of_words_bytes_or_segments_of_either() {
    let palette =
        |pixels: &[u8], represented: u16, described: [u16; 3], words: &[u16], segmented| {
            let mut object = image(
                (pixels.len() as u16, 1, 1, 8),
                "PALETTE COLOR",
                pixels,
                [number(tags::PIXEL_REPRESENTATION, represented)],
            );
            for n in 0..3 {
                let data = if segmented { 0x1221 } else { 0x1201 };
                let described = PrimitiveValue::U16(described[..].into());
                object.put(InMemElement::new(
                    Tag(0x0028, 0x1101 + n),
                    VR::US,
                    described,
                ));
                let words = PrimitiveValue::U16(words.into());
                object.put(InMemElement::new(Tag(0x0028, data + n), VR::OW, words));
            }
            let seen = seen(&explicit(object));
            assert!(seen.chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]));
            seen.into_iter().step_by(3).collect::<Vec<u8>>()
        };
    // Words that carry their byte above, though eight bits are described.
    assert_eq!(
        palette(&[0, 1], 0, [2, 0, 8], &[0x1100, 0xff00], false),
        [0x11, 0xff]
    );
    // Bytes, though sixteen bits are described.
    assert_eq!(
        palette(&[0, 3], 0, [4, 0, 16], &[0x2211, 0x4433], false),
        [0x11, 0x44]
    );
    // Pixels with a sign begin at a negative one: −1, 0.
    assert_eq!(
        palette(&[0xff, 0], 1, [2, 0xffff, 8], &[7, 9], false),
        [7, 9]
    );
    // Two entries, then a line of four to 100: of words, and of bytes.
    let of_words = [0, 2, 0x1000, 0x0a00, 1, 4, 0x6400];
    let wanted = [16, 10, 32, 55, 77, 100];
    let pixels = [0, 1, 2, 3, 4, 5];
    assert_eq!(palette(&pixels, 0, [6, 0, 16], &of_words, true), wanted);
    let of_bytes = [0x0200, 0x0a10, 0x0401, 0x0064];
    assert_eq!(
        palette(&pixels, 0, [6, 0, 8], &of_bytes, true),
        [16, 10, 32, 55, 78, 100]
    );
}

#[test]
fn padding_does_not_count_in_the_range_of_values() {
    let padded = |elements: Vec<InMemElement>| {
        let mut object = image((4, 1, 1, 8), "MONOCHROME2", &[10, 20, 30, 255], []);
        elements.into_iter().for_each(|e| _ = object.put(e));
        seen(&explicit(object))
    };
    let one = || number(tags::PIXEL_PADDING_VALUE, 255);
    assert_eq!(padded(vec![]), [0, 10, 21, 255]);
    assert_eq!(padded(vec![one()]), [0, 128, 255, 255]);
    let range = vec![one(), number(tags::PIXEL_PADDING_RANGE_LIMIT, 30)];
    assert_eq!(padded(range), [0, 255, 255, 255]);
    let all = vec![one(), number(tags::PIXEL_PADDING_RANGE_LIMIT, 0)];
    assert_eq!(padded(all), [0, 10, 21, 255]);
}
