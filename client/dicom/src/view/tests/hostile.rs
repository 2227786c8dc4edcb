//! Pixel data that are wrong: an error, never a panic, a hang, or memory beyond the limit.

use dicom_core::value::PixelFragmentSequence;

use super::*;
use pcim_core::chance::{Numbers, rounds};

/// A frame of 8 × 8 pixels in RLE.
fn rle() -> Vec<u8> {
    let mut frame = vec![0; 64];
    frame[0] = 1;
    frame[4] = 64;
    for row in 0..8_u8 {
        frame.extend([0xfd, row, 3, row, 1, 2, 3]);
    }
    frame
}

/// A frame of 8 × 8 pixels of 8 bits in JPEG-LS: a run of the value 0 that ends with every line.
fn jpegls() -> Vec<u8> {
    let mut frame = vec![0xff, 0xd8, 0xff, 0xf7, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0];
    frame.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0]);
    frame.extend([0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f, 0xff, 0xd9]);
    frame
}

fn compressed(syntax: &str, frame: Vec<u8>) -> Vec<u8> {
    let mut object = image((8, 8, 1, 8), "MONOCHROME2", &[0; 64], []);
    object.put(DataElement::new(
        tags::PIXEL_DATA,
        VR::OB,
        PixelFragmentSequence::new(vec![], vec![frame]),
    ));
    write(object, syntax)
}

const SYNTAXES: [&str; 5] = [
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
];

#[test]
fn runs_are_unpacked_and_short_ones_refused() {
    let file = compressed(SYNTAXES[0], rle());
    let pixels = seen(&file);
    assert_eq!(pixels.len(), 64);
    let mut short = rle();
    short.truncate(100);
    let image = Image::read(&compressed(SYNTAXES[0], short)).unwrap();
    assert!(matches!(
        image.render(0, None),
        Err(Error::Dicom(crate::Error::Codec { codec: "RLE", .. }))
    ));
    assert_eq!(seen(&compressed(SYNTAXES[3], jpegls())), [0; 64]);
}

#[test]
fn frames_too_large_are_refused_before_memory_is_set_aside() {
    for (columns, rows, frames) in [(65_535, 65_535, "1"), (30_000, 30_000, "99999999999999999")] {
        let mut object = image((columns, 1, 1, 16), "MONOCHROME2", &[0; 8], []);
        object.put(number(tags::ROWS, rows));
        object.put(element(tags::NUMBER_OF_FRAMES, VR::IS, frames));
        assert!(matches!(
            Image::read(&explicit(object)),
            Err(Error::Dicom(crate::Error::TooManyPixels { .. }))
        ));
    }
    let short = image((4000, 4000, 1, 8), "MONOCHROME2", &[0; 8], []);
    let image = Image::read(&explicit(short)).unwrap();
    assert_eq!(
        image.render(0, None).unwrap_err(),
        crate::Error::Malformed.into()
    );
}

#[test]
fn damaged_frames_are_seen_or_refused() {
    let mut numbers = Numbers(0x5eed_2026);
    let mut seeds = vec![
        compressed(SYNTAXES[0], rle()),
        compressed(SYNTAXES[3], jpegls()),
    ];
    for syntax in SYNTAXES {
        seeds.push(compressed(
            syntax,
            (0..200).map(|_| numbers.below(256) as u8).collect(),
        ));
    }
    seeds.push(explicit(image((4, 2, 3, 8), "YBR_FULL_422", &[9; 16], [])));
    // Frames of other programs, from a folder of DICOM files.
    if let Ok(folder) = std::env::var("PCIM_TEST_FUZZ_SEEDS") {
        let files = std::fs::read_dir(folder).unwrap();
        let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        seeds.extend(files.filter(|file| file.len() < 1 << 20));
    }
    let rounds = rounds("PCIM_TEST_FUZZ_ROUNDS", 3000);
    let (mut shown, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut file = seeds[round % seeds.len()].clone();
        for _ in 0..=numbers.below(6) {
            // Mostly in the pixels, which are behind all else.
            let behind = match numbers.below(8) {
                0 => file.len() - 132,
                _ => (file.len() - 132).min(40_000.min(file.len() / 3)),
            };
            let at = file.len() - 1 - numbers.below(behind);
            match numbers.below(4) {
                0 => file[at] = numbers.below(256) as u8,
                1 => file[at] ^= 1 << numbers.below(8),
                2 => file[at] = 0xff,
                _ => {
                    let end = (at + numbers.below(8)).min(file.len());
                    file[at..end].fill(0);
                }
            }
        }
        let picture = Image::read(&file).and_then(|image| image.render(0, None));
        match picture {
            Ok(_) => shown += 1,
            Err(_) => refused += 1,
        }
    }
    println!("{shown} shown, {refused} refused");
    assert!(
        shown > rounds / 20 && refused > rounds / 20,
        "{shown} {refused}"
    );
}
