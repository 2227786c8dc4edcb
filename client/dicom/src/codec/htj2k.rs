//! High-throughput JPEG 2000 (ISO/IEC 15444-15), by a translation of OpenJPEG: what reaches it was taken apart and counted
//! here first, since it is not memory-safe by its language.

use jpeg2k::{DecodeParameters, Image};

use super::decoded::{Decoded, SHORT, Undecodable};
use super::jpeg2000::{Codestream, SAMPLES_MAX, Stream};
use crate::format::Format;

/// The least samples of a code block, as a power of two: each has a structure of its own.
const BLOCK_MIN: u32 = 8;
/// Coding style of a tile, and of a component (§A.6.1, §A.6.2).
const COD: u8 = 0x52;
const COC: u8 = 0x53;

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Undecodable> {
    if format.rows * format.columns * format.samples > SAMPLES_MAX {
        return Err("the frame is larger than this program decodes");
    }
    let stream = Stream::of(data)?;
    let head = Codestream::of(&stream.bytes)?;
    head.agrees(format)?;
    if head.signed != format.signed {
        return Err("its samples have a sign and the image's have none, or the other way round");
    }
    blocks(&stream.bytes)?;
    let image = Image::from_bytes_with(&stream.bytes, DecodeParameters::new().strict(true))
        .map_err(|_| SHORT)?;
    let plane = format.rows * format.columns;
    let components = image.components();
    let like = |c: &jpeg2k::ImageComponent| {
        (c.width() as usize, c.height() as usize) == (format.columns, format.rows)
            && (c.precision(), c.is_signed()) == (head.bits, head.signed)
    };
    if components.len() != format.samples || !components.iter().all(like) {
        return Err("its components are not those of the image");
    }
    let width = if head.bits > 8 { 2 } else { 1 };
    let (least, most) = match head.signed {
        true => (-(1 << (head.bits - 1)), (1 << (head.bits - 1)) - 1),
        false => (0, (1 << head.bits) - 1),
    };
    let mut bytes = vec![0; plane * format.samples * width];
    for (number, component) in components.iter().enumerate() {
        let places = bytes.chunks_exact_mut(width).skip(number);
        for (place, sample) in places.step_by(format.samples).zip(component.data()) {
            let value: i32 = (*sample).clamp(least, most);
            place.copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }
    Ok(Decoded {
        bytes,
        width,
        bits: head.bits,
        colour: None,
    })
}

/// Refuses code blocks so small that there would be millions, in whatever header they are described.
fn blocks(stream: &[u8]) -> Result<(), Undecodable> {
    let small = |at: usize| {
        let log = |at: usize| stream.get(at).map(|n| u32::from(n & 15) + 2);
        log(at)
            .zip(log(at + 1))
            .is_none_or(|(x, y)| x + y < BLOCK_MIN)
    };
    // Marker segments were found to be whole when the stream was taken apart.
    let mut at = 2;
    while let Some(&[0xff, marker, a, b]) = stream.get(at..at + 4) {
        if match marker {
            COD => small(at + 10),
            COC => small(at + 7),
            0x93 | 0xd9 => return Ok(()),
            _ => false,
        } {
            return Err("its code blocks are smaller than this program decodes");
        }
        at += 2 + usize::from(u16::from_be_bytes([a, b]));
    }
    Ok(())
}
