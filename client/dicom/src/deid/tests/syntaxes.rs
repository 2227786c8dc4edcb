//! Transfer syntaxes beside the common ones: frames that are deflated, only wrapped or of retired processes, and bits of
//! overlays inside of compressed pixels.

use std::io::Write as _;

use super::blank::{compressed, frame};
use super::*;
use crate::check::Fault;
use crate::check::tests::check_by;

const DEFLATED: &str = "1.2.840.10008.1.2.8.1";
const WRAPPED: &str = "1.2.840.10008.1.2.1.98";

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The faults of the pixels that the second look finds.
fn wrong(before: &[u8], after: &[u8]) -> usize {
    let found = check_by(options("care").profile.clone(), before, after);
    let pixels = found.findings.iter().filter(|it| it.fault == Fault::Pixels);
    pixels.count()
}

#[test]
fn frames_that_are_deflated_or_wrapped_keep_their_pixels_and_lose_their_tails() {
    let native = [1_u8, 2, 3, 4, 5, 6, 7, 8];
    for (syntax, coded) in [(DEFLATED, deflate(&native)), (WRAPPED, native.to_vec())] {
        let tailed = [coded.as_slice(), b"Quorl Name"].concat();
        for (frames, tail) in [
            (vec![coded.clone()], false),
            (vec![coded.clone(), coded.clone()], false),
            (vec![coded.clone(), tailed], true),
        ] {
            let file = write(compressed(frames.clone()), syntax);
            let (out, report) = deidentify(&file, &options("care")).unwrap();
            assert_eq!(contains(&file, b"Quorl"), tail);
            assert!(!contains(&out, b"Quorl"));
            let segments = format!("{report}").contains("PixelData");
            assert_eq!(segments, tail, "{syntax}");
            let object = parse(&out);
            let pixels = object.get(tags::PIXEL_DATA).unwrap().fragments().unwrap();
            assert_eq!(pixels.len(), frames.len());
            for found in pixels {
                assert!(found.starts_with(&coded) && found.len() - coded.len() < 2);
            }
            assert_eq!(wrong(&file, &out), 0);
            let mut blanking = options("care");
            blanking.profile.blank = vec!["0,0,1,1".parse().unwrap()];
            let (out, _) = deidentify(&file, &blanking).unwrap();
            let object = parse(&out);
            let blanked = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
            assert_eq!(blanked[..8], [0, 0, 3, 4, 5, 6, 7, 8]);
        }
        let short = match syntax {
            DEFLATED => deflate(&native[..6]),
            _ => native[..6].to_vec(),
        };
        let short = write(compressed(vec![short]), syntax);
        assert!(matches!(
            deidentify(&short, &options("care")),
            Err(Error::File(crate::Error::Codec { .. }))
        ));
        let bomb = write(compressed(vec![deflate(&[0; 1 << 20])]), syntax);
        let bomb = deidentify(&bomb, &options("care"));
        assert!(syntax == WRAPPED || bomb.is_err());
    }
}

#[test]
fn retired_processes_of_jpeg_pass_without_their_comments_and_are_not_shown() {
    let segment = |marker: u8, body: &[u8]| {
        let length = (body.len() as u16 + 2).to_be_bytes();
        [&[0xff, marker], length.as_slice(), body].concat()
    };
    let plain = |comment: &[u8]| {
        [
            &[0xff, 0xd8],
            comment,
            &segment(0xc9, &[12, 0, 2, 0, 2, 1, 1, 0x11, 0]),
            &segment(0xda, &[1, 1, 0, 0, 63, 0]),
            &[1, 2, 3, 0xff, 0xd9],
        ]
        .concat()
    };
    for last in ["52", "53", "54", "55", "56", "58", "59", "61", "63", "66"] {
        let syntax = format!("1.2.840.10008.1.2.4.{last}");
        let commented = plain(&segment(0xfe, b"Quorl"));
        let file = explicit(compressed(vec![commented]));
        // A syntax that the writer does not know, of the same length as one that it knows.
        let file = replaced(&file, uids::EXPLICIT_VR_LITTLE_ENDIAN, &syntax);
        let (out, _) = deidentify(&file, &options("care")).unwrap();
        assert!(!contains(&out, b"Quorl") && contains(&out, syntax.as_bytes()));
        assert!(contains(&out, &plain(&[])), "{last}");
        let (again, _) = deidentify(&out, &options("care")).unwrap();
        assert!(again == out);
        let shown = crate::view::Image::read(&out).and_then(|image| image.render(0, None));
        let told = shown.unwrap_err().to_string();
        assert!(told.contains("JPEG of a retired process"), "{told}");
    }
}

/// The file with another transfer syntax; the reader does without the file meta group's length.
fn replaced(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let padded = |uid: &str| {
        let mut bytes = uid.as_bytes().to_vec();
        bytes.resize(uid.len().next_multiple_of(2), 0);
        bytes
    };
    let (from, to) = (padded(from), padded(to));
    let at = file.windows(from.len()).position(|w| w == from).unwrap();
    let mut out = file[..at].to_vec();
    out[at - 2] = to.len() as u8;
    out.extend(to);
    out.extend(&file[at + from.len()..]);
    out
}

#[test]
fn overlays_inside_of_compressed_pixels_go_and_the_pixels_stay() {
    // Twelve bits are stored; the fifteenth is an overlay's.
    let mut image = compressed(vec![frame(0x8123)]);
    image.put(number(Tag(0x6000, 0x0010), 2));
    image.put(number(Tag(0x6000, 0x0011), 2));
    image.put(number(Tag(0x6000, 0x0100), 16));
    image.put(number(Tag(0x6000, 0x0102), 15));
    let file = write(image, uids::RLE_LOSSLESS);
    let (out, report) = deidentify(&file, &options("care")).unwrap();
    let object = parse(&out);
    assert!(object.get(Tag(0x6000, 0x0102)).is_none());
    let pixels = object.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
    assert_eq!(*pixels, [0x23, 1, 0x23, 1, 0x23, 1, 0x23, 1]);
    assert!(format!("{report}").contains("PixelData"));
    // Pixels without such bits stay compressed.
    let file = write(compressed(vec![frame(0x0123)]), uids::RLE_LOSSLESS);
    let (out, _) = deidentify(&file, &options("care")).unwrap();
    assert_eq!(parse(&out).meta().transfer_syntax(), uids::RLE_LOSSLESS);
    assert_eq!(wrong(&file, &out), 0);
}

#[test]
fn what_is_not_decoded_is_refused_by_its_name() {
    for (syntax, name) in [
        (uids::MPEG2MPML, "MPEG video"),
        ("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 or JPIP"),
        ("1.2.840.10008.1.2.7.1", "SMPTE ST 2110 video"),
    ] {
        let file = write(compressed(vec![frame(1)]), syntax);
        let shown = crate::view::Image::read(&file).and_then(|image| image.render(0, None));
        let told = shown.unwrap_err().to_string();
        assert!(told.contains(name) && told.contains(syntax), "{told}");
    }
}
