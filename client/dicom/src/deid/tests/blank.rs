//! Regions of compressed pixels, and of pixels that share their chrominance.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use dicom_core::value::PixelFragmentSequence;
use serde_json::Value;

use super::*;

fn blanking() -> Options {
    let mut options = options("care");
    options.profile.blank = vec!["0,0,1,1".parse().unwrap()];
    options
}

/// A frame of 2 × 2 pixels of 16 bits in RLE: all of them of this value.
pub(super) fn frame(value: u16) -> Vec<u8> {
    let mut frame = vec![0; 64];
    (frame[0], frame[4], frame[8]) = (2, 64, 66);
    let [high, low] = value.to_be_bytes();
    frame.extend([0xfd, high, 0xfd, low]);
    frame
}

pub(super) fn compressed(frames: Vec<Vec<u8>>) -> InMemDicomObject {
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
        let undecoded = matches!(
            refused,
            Error::Pixels(_)
                | Error::File(crate::Error::Codec { .. } | crate::Error::FrameCount { .. })
        );
        assert!(undecoded, "{refused}");
    }
    // As many frames as there are said to be are not there, or would be too many.
    let mut bomb = compressed(vec![frame(1)]);
    bomb.put(number(tags::ROWS, 8000));
    bomb.put(number(tags::COLUMNS, 8000));
    bomb.put(element(tags::NUMBER_OF_FRAMES, VR::IS, "999999999"));
    let refused = deidentify(&write(bomb, uids::RLE_LOSSLESS), &blanking()).unwrap_err();
    let wanted = crate::Error::FrameCount {
        found: 1,
        wanted: 999_999_999,
    };
    assert_eq!(refused, wanted.into());
    let mut large = image_with([
        number(tags::SAMPLES_PER_PIXEL, 3),
        element(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "YBR_FULL_422"),
        number(tags::BITS_ALLOCATED, 8),
        number(tags::BITS_STORED, 8),
        number(tags::HIGH_BIT, 7),
        number(tags::ROWS, 8000),
        number(tags::COLUMNS, 8000),
        element(tags::NUMBER_OF_FRAMES, VR::IS, "99"),
    ]);
    large.put(number(tags::PLANAR_CONFIGURATION, 0));
    let refused = deidentify(&explicit(large), &blanking()).unwrap_err();
    let too_many = |error: &_| matches!(error, crate::Error::TooManyPixels { .. });
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

/// Blanks the upper left quarter of other people's files of a compression, and lets pydicom decode both. Outside the
/// region the samples of its decoders and ours may differ by so much, on average and at most.
#[track_caller]
fn blanked_as_pydicom_sees(files: &[&str], lossy: bool, mean: f64, most: i64) {
    let Ok(python) = std::env::var("PCIM_TEST_PYTHON") else {
        println!("skipped: PCIM_TEST_PYTHON names no Python with pydicom and pydicom-data");
        return;
    };
    let scripts = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/deid/tests"));
    let listed = Command::new(&python)
        .args([scripts.join("corpus.py").as_os_str(), "list".as_ref()])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut input = String::new();
    for name in files {
        let found = listed
            .lines()
            .find(|path| path.ends_with(&format!("/{name}")));
        let before = found.unwrap_or_else(|| panic!("{name} is not there"));
        let bytes = std::fs::read(before).unwrap();
        let data_set = file::read(&bytes).unwrap().data_set;
        let number = |tag| crate::tree::short(&data_set, tag, dicom_encoding::Endianness::Little);
        let (w, h) = (
            number(tags::COLUMNS).unwrap() / 2,
            number(tags::ROWS).unwrap() / 2,
        );
        let mut options = options("care");
        options.profile.blank = vec![format!("0,0,{w},{h}").parse().unwrap()];
        let (out, report) = deidentify(&bytes, &options).unwrap();
        assert!(report.frames_blanked > 0, "{name}");
        let after = folder.path().join(name);
        std::fs::write(&after, out).unwrap();
        input.push_str(&format!("{before}\t{}\t0,0,{w},{h}\n", after.display()));
    }
    let mut child = Command::new(&python)
        .arg(scripts.join("blank.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(told.lines().count(), files.len(), "{told}");
    for (name, line) in files.iter().zip(told.lines()) {
        println!("{name}: {line}");
        let told: Value = serde_json::from_str(line).unwrap();
        assert_eq!(told["inside"], 0, "{name}: {line}");
        assert_eq!(told["claimed"], true, "{name}: {line}");
        assert_eq!(told["burned_in"], "NO", "{name}: {line}");
        assert_eq!(
            told["syntax"],
            uids::EXPLICIT_VR_LITTLE_ENDIAN,
            "{name}: {line}"
        );
        assert_eq!(told["lossy"], lossy, "{name}: {line}");
        assert!(told["mean"].as_f64().unwrap() <= mean, "{name}: {line}");
        assert!(told["most"].as_i64().unwrap() <= most, "{name}: {line}");
    }
}

#[test]
fn jpeg_baseline_is_blanked() {
    // The decoders differ in how they round.
    blanked_as_pydicom_sees(
        &[
            "SC_rgb_dcmtk_+eb+cr.dcm",
            "SC_rgb_dcmtk_+eb+cy+n1.dcm",
            "SC_rgb_dcmtk_+eb+cy+np.dcm",
            "SC_jpeg_no_color_transform.dcm",
        ],
        true,
        1.0,
        4,
    );
}

#[test]
fn lossless_jpeg_is_blanked() {
    blanked_as_pydicom_sees(
        &[
            "JPEG-LL.dcm",
            "SC_rgb_jpeg_gdcm.dcm",
            "JPGLosslessP14SV1_1s_1f_8b.dcm",
        ],
        false,
        0.0,
        0,
    );
}

#[test]
fn jpeg_ls_is_blanked() {
    blanked_as_pydicom_sees(
        &[
            "MR_small_jpeg_ls_lossless.dcm",
            "emri_small_jpeg_ls_lossless.dcm",
        ],
        false,
        0.0,
        0,
    );
    blanked_as_pydicom_sees(
        &[
            "JPEGLSNearLossless_08.dcm",
            "JPEGLSNearLossless_16.dcm",
            "SC_rgb_jls_lossy_line.dcm",
        ],
        true,
        0.0,
        0,
    );
}

#[test]
fn jpeg_2000_is_blanked() {
    blanked_as_pydicom_sees(
        &[
            "MR_small_jp2klossless.dcm",
            "emri_small_jpeg_2k_lossless.dcm",
            "US1_J2KR.dcm",
        ],
        false,
        0.0,
        0,
    );
    blanked_as_pydicom_sees(
        &["JPEG2000.dcm", "MR2_J2KI.dcm", "SC_rgb_gdcm_KY.dcm"],
        true,
        1.0,
        4,
    );
}

#[test]
fn rle_is_blanked() {
    blanked_as_pydicom_sees(
        &[
            "MR_small_RLE.dcm",
            "SC_rgb_rle_16bit_2frame.dcm",
            "emri_small_RLE.dcm",
            "OBXXXX1A_rle_2frame.dcm",
        ],
        false,
        0.0,
        0,
    );
}
