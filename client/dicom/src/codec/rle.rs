//! RLE Lossless (PS3.5 Annex G): each byte of each sample has a segment of its own, the most significant first.

use super::super::format::Format;
use super::decoded::{Decoded, Undecodable};

/// Bytes before the first segment: how many segments, and where each begins.
const HEADER: usize = 64;

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Undecodable> {
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
        bits: format.allocated,
        colour: None,
    })
}

/// The offsets of the segments; none if it is no header (PS3.5 §G.5).
fn offsets(data: &[u8]) -> Option<Vec<usize>> {
    let word = |n: usize| {
        let bytes = data.get(4 * n..4 * n + 4).and_then(<[u8]>::first_chunk);
        bytes.map(|bytes| u32::from_le_bytes(*bytes) as usize)
    };
    let count = word(0).filter(|count| (1..=15).contains(count))?;
    let offsets: Vec<usize> = (1..=count).map(word).collect::<Option<_>>()?;
    let rising = offsets.windows(2).all(|pair| pair[0] < pair[1]);
    (data.len() >= HEADER && offsets[0] == HEADER && rising).then_some(offsets)
}

/// Checks whether a fragment begins a frame: with the number of segments, and the place of the first.
pub(super) fn begins(fragment: &[u8]) -> bool {
    matches!(fragment, [1..=15, 0, 0, 0, 64, 0, 0, 0, ..])
}

/// The frame without what lies behind the pixels of a segment, and in the unused part of its header; none if nothing does.
pub(super) fn stripped(data: &[u8], format: &Format) -> Result<Option<Vec<u8>>, Undecodable> {
    let offsets = offsets(data).ok_or("the header is cut short or malformed")?;
    if offsets.len() != format.samples * format.width() {
        return Err("the number of segments is not that of the image");
    }
    let mut out = vec![0; HEADER];
    out[..4].copy_from_slice(&(offsets.len() as u32).to_le_bytes());
    for (number, start) in offsets.iter().enumerate() {
        let end = offsets.get(number + 1).copied().unwrap_or(data.len());
        let segment = data.get(*start..end).ok_or("a segment is cut short")?;
        let place = 4 * number + 4;
        let offset = (out.len() as u32).to_le_bytes();
        out[place..place + 4].copy_from_slice(&offset);
        out.extend(packed(segment, format.rows * format.columns)?);
        if out.len() % 2 == 1 {
            out.push(0);
        }
    }
    // Zeros of padding hide nothing.
    let same = data.starts_with(&out) && data[out.len()..].iter().all(|byte| *byte == 0);
    Ok((!same).then_some(out))
}

/// The part of a segment that makes so many bytes; a last run that makes more is shortened.
fn packed(packed: &[u8], length: usize) -> Result<Vec<u8>, Undecodable> {
    let short = "a segment has fewer bytes than the image has pixels";
    let (mut at, mut made) = (0, 0);
    while made < length {
        let head = *packed.get(at).ok_or(short)? as i8;
        let (size, makes) = match head {
            -128 => (1, 0),
            literal @ 0.. => (literal as usize + 2, literal as usize + 1),
            repeat => (2, usize::from(repeat.unsigned_abs()) + 1),
        };
        let run = packed.get(at..at + size).ok_or(short)?;
        if made + makes > length {
            let left = length - made;
            let last = match head {
                0.. => [&[left as u8 - 1], &run[1..=left]].concat(),
                _ if left == 1 => vec![0, run[1]],
                _ => vec![(1 - left as i16) as u8, run[1]],
            };
            return Ok([&packed[..at], &last].concat());
        }
        made += makes;
        at += size;
    }
    Ok(packed[..at].to_vec())
}

/// Unpacks a segment (PS3.5 §G.3.2) to `length` bytes; what follows them is padding.
fn unpack(packed: &[u8], length: usize, out: &mut Vec<u8>) -> Result<(), Undecodable> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_pixels_of_a_segment_goes() {
        let format = Format::plain(1, 4, 1, 8);
        let frame = |header: &[u8], tail: &[u8]| {
            let mut frame = vec![0; HEADER];
            (frame[0], frame[4]) = (1, 64);
            frame[HEADER - header.len()..].copy_from_slice(header);
            frame.extend([0xfd, 7]);
            frame.extend(tail);
            frame
        };
        let bare = frame(&[], &[]);
        assert!(begins(&bare) && !begins(b"Name") && !begins(&[0; 80]));
        assert_eq!(stripped(&bare, &format), Ok(None));
        assert_eq!(stripped(&frame(&[], &[0; 6]), &format), Ok(None));
        assert_eq!(
            stripped(&frame(&[], b"Name"), &format),
            Ok(Some(bare.clone()))
        );
        assert_eq!(stripped(&frame(b"Name", &[]), &format), Ok(Some(bare)));
        let three = Format::plain(1, 3, 1, 8);
        let shorter = stripped(&frame(&[], &[]), &three).map(Option::unwrap_or_default);
        assert_eq!(
            shorter.as_deref().map(|it| &it[HEADER..]),
            Ok(&[0xfe, 7][..])
        );
        assert_eq!(packed(&[3, 1, 2, 3, 4], 2), Ok(vec![1, 1, 2]));
        assert_eq!(packed(&[0xfd, 9], 1), Ok(vec![0, 9]));
        let fewer = Format::plain(1, 5, 1, 8);
        assert!(stripped(&frame(&[], &[]), &fewer).is_err());
    }
}
