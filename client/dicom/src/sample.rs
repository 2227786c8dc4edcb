//! Synthetic images for tests and measurements: CT instances with identifying attributes, and pixels that do not compress.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use rand::{RngCore, SeedableRng, rngs::SmallRng};

const CT_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";

/// Writes a DICOM file (PS3.10) of `bytes` bytes, an even number; the number makes its UIDs and pixels its own.
///
/// # Errors
/// Those of making and writing the file.
pub fn write_instance(path: &Path, number: u64, bytes: u64) -> io::Result<()> {
    let uid = format!("2.25.{}", 1_000_000 + number);
    let mut meta = Vec::new();
    element(&mut meta, 0x0002, 0x0002, b"UI", CT_IMAGE);
    element(&mut meta, 0x0002, 0x0003, b"UI", &uid);
    element(&mut meta, 0x0002, 0x0010, b"UI", EXPLICIT_LITTLE_ENDIAN);
    element(&mut meta, 0x0002, 0x0012, b"UI", "2.25.1");

    let mut head = vec![0; 128];
    head.extend(b"DICM\x02\x00\x00\x00UL\x04\x00");
    head.extend((meta.len() as u32).to_le_bytes());
    head.extend(meta);
    element(&mut head, 0x0008, 0x0016, b"UI", CT_IMAGE);
    element(&mut head, 0x0008, 0x0018, b"UI", &uid);
    element(&mut head, 0x0008, 0x0020, b"DA", "20200101");
    element(&mut head, 0x0008, 0x0060, b"CS", "CT");
    element(&mut head, 0x0008, 0x0080, b"LO", "General Hospital");
    element(&mut head, 0x0010, 0x0010, b"PN", "Doe^Jane");
    element(&mut head, 0x0010, 0x0020, b"LO", "12345678");
    element(&mut head, 0x0018, 0x0015, b"CS", "CHEST");
    element(&mut head, 0x0020, 0x000d, b"UI", "2.25.2");
    element(&mut head, 0x0020, 0x000e, b"UI", "2.25.3");
    let before = (head.len() + image_pixel(0).len() + 12) as u64;
    let pixels = bytes.saturating_sub(before) & !1;
    head.extend(image_pixel(pixels / 2));
    head.extend(b"\xe0\x7f\x10\x00OW\x00\x00");
    head.extend((pixels as u32).to_le_bytes());

    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&head)?;
    let mut random = SmallRng::seed_from_u64(number);
    let mut piece = vec![0; 1 << 16];
    let mut left = pixels;
    while left > 0 {
        let length = left.min(piece.len() as u64) as usize;
        random.fill_bytes(&mut piece[..length]);
        file.write_all(&piece[..length])?;
        left -= length as u64;
    }
    file.flush()
}

/// The Image Pixel module, as long for any number of frames: a frame is one pixel, so that an image may have any size.
fn image_pixel(frames: u64) -> Vec<u8> {
    let mut module = Vec::new();
    let number = |module: &mut Vec<u8>, element: u16, value: u16| {
        module.extend(0x0028_u16.to_le_bytes());
        module.extend(element.to_le_bytes());
        module.extend(b"US\x02\x00");
        module.extend(value.to_le_bytes());
    };
    number(&mut module, 0x0002, 1);
    element(&mut module, 0x0028, 0x0004, b"CS", "MONOCHROME2");
    element(&mut module, 0x0028, 0x0008, b"IS", &format!("{frames:<12}"));
    for (element, value) in [
        (0x0010, 1),
        (0x0011, 1),
        (0x0100, 16),
        (0x0101, 16),
        (0x0102, 15),
        (0x0103, 0),
    ] {
        number(&mut module, element, value);
    }
    module
}

/// Appends an element with a short value (PS3.5 §7.1.2), padded to an even length.
fn element(out: &mut Vec<u8>, group: u16, number: u16, vr: &[u8; 2], value: &str) {
    let padding = if vr == b"UI" { 0 } else { b' ' };
    let odd = value.len() % 2;
    out.extend(group.to_le_bytes());
    out.extend(number.to_le_bytes());
    out.extend(vr);
    out.extend(((value.len() + odd) as u16).to_le_bytes());
    out.extend(value.as_bytes());
    out.extend(&[padding][..odd]);
}
