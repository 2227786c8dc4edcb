//! PNG files (ISO/IEC 15948): a header, the pixels, an end; nothing that tells who or when.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The filter of every row: each sample less the one to its left.
const SUB: u8 = 1;

/// Encodes rows of pixels of `samples` bytes each, grey (1) or RGB (3).
pub(super) fn encode(width: usize, height: usize, samples: usize, pixels: &[u8]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::with_capacity(13);
    // Edges of an image are of 16 bits, those of a sheet not much longer.
    header.extend((width as u32).to_be_bytes());
    header.extend((height as u32).to_be_bytes());
    let colour = if samples == 3 { 2 } else { 0 };
    header.extend([8, colour, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &header);
    chunk(
        &mut out,
        b"IDAT",
        &compressed(width * samples, samples, pixels),
    );
    chunk(&mut out, b"IEND", &[]);
    out
}

fn compressed(length: usize, samples: usize, pixels: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut filtered = Vec::with_capacity(1 + length);
    for row in pixels.chunks(length) {
        filtered.clear();
        filtered.push(SUB);
        filtered.extend_from_slice(&row[..samples]);
        let pairs = row.iter().zip(&row[samples..]);
        filtered.extend(pairs.map(|(left, value)| value.wrapping_sub(*left)));
        encoder.write_all(&filtered).expect("a vector takes all");
    }
    encoder.finish().expect("a vector takes all")
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) {
    out.extend((content.len() as u32).to_be_bytes());
    out.extend(kind);
    out.extend(content);
    let mut sum = crc32fast::Hasher::new();
    sum.update(kind);
    sum.update(content);
    out.extend(sum.finalize().to_be_bytes());
}
