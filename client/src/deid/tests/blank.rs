//! Regions of compressed pixels, and of pixels that share their chrominance.

use dicom_core::value::PixelFragmentSequence;

use super::*;

fn blanking() -> Options {
    let mut options = options("care");
    options.profile.blank = vec!["0,0,1,1".parse().unwrap()];
    options
}

/// A frame of 2 × 2 pixels of 16 bits in RLE: all of them of this value.
fn frame(value: u16) -> Vec<u8> {
    let mut frame = vec![0; 64];
    (frame[0], frame[4], frame[8]) = (2, 64, 66);
    let [high, low] = value.to_be_bytes();
    frame.extend([0xfd, high, 0xfd, low]);
    frame
}

fn compressed(frames: Vec<Vec<u8>>) -> InMemDicomObject {
    let number = frames.len().to_string();
    image_with([
        element(tags::NUMBER_OF_FRAMES, VR::IS, &number),
        DataElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            PixelFragmentSequence::new(vec![], frames),
        ),
    ])
}

#[test]
fn compressed_frames_are_decoded_blanked_and_stay_uncompressed() {
    let file = write(
        compressed(vec![frame(0x0123), frame(0x0456)]),
        uids::RLE_LOSSLESS,
    );
    let (out, report) = deidentify(&file, &blanking()).unwrap();
    assert_eq!(report.frames_blanked, 2);
    assert!(report.methods.iter().any(|method| method.code == 113_101));
    let object = parse(&out);
    assert_eq!(
        object.meta().transfer_syntax(),
        uids::EXPLICIT_VR_LITTLE_ENDIAN
    );
    let pixels = object.get(tags::PIXEL_DATA).unwrap();
    assert_eq!(pixels.vr(), VR::OW);
    let wanted = [
        0, 0, 0x23, 1, 0x23, 1, 0x23, 1, 0, 0, 0x56, 4, 0x56, 4, 0x56, 4,
    ];
    assert_eq!(*pixels.to_bytes().unwrap(), wanted);
    assert!(object.get(tags::LOSSY_IMAGE_COMPRESSION).is_none());
    let (again, _) = deidentify(&out, &blanking()).unwrap();
    assert!(again == out);
}

#[test]
fn what_cannot_be_decoded_is_not_blanked() {
    let mut short = frame(1);
    short.truncate(66);
    for (frames, syntax) in [
        (vec![frame(1), short], uids::RLE_LOSSLESS),
        (vec![frame(1)], uids::MPEG2MPML),
        (vec![frame(1)], uids::JPEG_BASELINE8_BIT),
    ] {
        let refused = deidentify(&write(compressed(frames), syntax), &blanking()).unwrap_err();
        assert!(matches!(refused, Error::Pixels(_)), "{refused}");
    }
    let mut bomb = compressed(vec![frame(1)]);
    bomb.put(number(tags::ROWS, 8000));
    bomb.put(number(tags::COLUMNS, 8000));
    bomb.put(element(tags::NUMBER_OF_FRAMES, VR::IS, "999999999"));
    let refused = deidentify(&write(bomb, uids::RLE_LOSSLESS), &blanking()).unwrap_err();
    let too_many = |error: &_| matches!(error, crate::dicom::Error::TooManyPixels { .. });
    assert!(matches!(&refused, Error::Pixels(error) if too_many(error)));
}

#[test]
fn shared_chrominance_is_given_to_each_pixel() {
    let image = image_with([
        number(tags::SAMPLES_PER_PIXEL, 3),
        number(tags::PLANAR_CONFIGURATION, 0),
        number(tags::BITS_ALLOCATED, 8),
        number(tags::BITS_STORED, 8),
        number(tags::HIGH_BIT, 7),
        element(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "YBR_FULL_422"),
        InMemElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            PrimitiveValue::U8([1, 2, 3, 4, 5, 6, 7, 8][..].into()),
        ),
    ]);
    let (out, _) = deidentify(&explicit(image), &blanking()).unwrap();
    let object = parse(&out);
    let pixels = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(*pixels, [0, 128, 128, 2, 3, 4, 5, 7, 8, 6, 7, 8]);
    assert_eq!(
        value(&object, tags::PHOTOMETRIC_INTERPRETATION).as_deref(),
        Some("YBR_FULL")
    );
}
