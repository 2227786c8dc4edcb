//! RLE Lossless (PS3.5 Annex G): each byte of each sample has a segment of its own, the most significant first.

use super::super::format::Format;
use super::decoded::{Decoded, Why};

/// Bytes before the first segment: how many segments, and where each begins.
const HEADER: usize = 64;

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Why> {
    let word = |n: usize| {
        let bytes = data.get(4 * n..4 * n + 4).and_then(<[u8]>::first_chunk);
        let word = bytes.map(|bytes| u32::from_le_bytes(*bytes));
        word.and_then(|word| usize::try_from(word).ok())
            .ok_or("the header is cut short")
    };
    let width = format.width();
    let segments = format.samples * width;
    if word(0)? != segments {
        return Err("the number of segments is not that of the image");
    }
    let plane = format.rows * format.columns;
    let mut bytes = vec![0; plane * segments];
    let mut run = Vec::with_capacity(plane.min(128 * data.len()));
    for segment in 0..segments {
        let start = word(1 + segment)?;
        let end = match segment + 1 < segments {
            true => word(2 + segment)?,
            false => data.len(),
        };
        if start < HEADER {
            return Err("a segment lies in the header");
        }
        let packed = data.get(start..end).ok_or("a segment is cut short")?;
        unpack(packed, plane, &mut run)?;
        let (sample, byte) = (segment / width, width - 1 - segment % width);
        let places = bytes.iter_mut().skip(sample * width + byte);
        for (place, value) in places.step_by(segments).zip(&run) {
            *place = *value;
        }
    }
    Ok(Decoded {
        bytes,
        width,
        bits: format.stored,
        signed: false,
        colour: None,
    })
}

/// Unpacks a segment (PS3.5 §G.3.2) to `length` bytes; what follows them is padding.
fn unpack(packed: &[u8], length: usize, out: &mut Vec<u8>) -> Result<(), Why> {
    let short = "a segment has fewer bytes than the image has pixels";
    out.clear();
    let mut rest = packed;
    while out.len() < length {
        let (&head, tail) = rest.split_first().ok_or(short)?;
        rest = match head as i8 {
            // No operation.
            -128 => tail,
            literal @ 0.. => {
                let count = literal as usize + 1;
                let (literal, tail) = tail.split_at_checked(count).ok_or(short)?;
                out.extend_from_slice(literal);
                tail
            }
            repeat => {
                let (&value, tail) = tail.split_first().ok_or(short)?;
                out.resize(out.len() + usize::from(repeat.unsigned_abs()) + 1, value);
                tail
            }
        };
    }
    out.truncate(length);
    Ok(())
}
