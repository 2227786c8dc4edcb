//! Compressed pixels without decoding them: which bytes are picture, and which only stand beside it.
//!
//! Comments, application data, boxes and bytes behind the end are no picture (T.81 §B.1, T.87 Annex C, T.800 Annexes A and
//! I). The rest must be equal before and after.

use std::ops::Range;

/// A way of compressing, by what its markers look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Markers {
    /// JPEG, JPEG-LS: SOI, segments, scans, EOI.
    Jpeg,
    /// JPEG 2000 and HTJ2K: SOC, main header, tiles, EOC, perhaps in boxes.
    Jpeg2000,
    /// Anything else: all of it is picture.
    Other,
}

impl Markers {
    /// The family of a transfer syntax (PS3.5 §A.4).
    pub(super) fn of(syntax: &str) -> Self {
        let Some(rest) = syntax.strip_prefix("1.2.840.10008.1.2.4.") else {
            return Self::Other;
        };
        match rest.split('.').next().and_then(|n| n.parse::<u32>().ok()) {
            Some(50..=81) => Self::Jpeg,
            Some(90..=93 | 201..=203) => Self::Jpeg2000,
            _ => Self::Other,
        }
    }
}

/// The parts of compressed data that are picture, in their order.
pub(super) fn picture(family: Markers, data: &[u8]) -> Vec<Range<usize>> {
    match family {
        Markers::Jpeg => jpeg(data),
        Markers::Jpeg2000 => jpeg2000(data),
        Markers::Other => std::iter::once(0..data.len()).collect(),
    }
}

fn short(data: &[u8], at: usize) -> Option<usize> {
    let bytes = data.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_be_bytes(*bytes)))
}

fn long(data: &[u8], at: usize) -> Option<usize> {
    let bytes = data.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*bytes)).ok()
}

/// Adds a range; one that goes on where the last ended makes it longer.
fn push(parts: &mut Vec<Range<usize>>, range: Range<usize>) {
    match parts.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ if range.is_empty() => {}
        _ => parts.push(range),
    }
}

fn jpeg(data: &[u8]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = 0;
    // Frames may follow each other.
    while let Some(start) = find(data, at, &[0xff, 0xd8]) {
        push(&mut parts, start..start + 2);
        at = start + 2;
        at = loop {
            let Some(&[0xff, marker]) = data.get(at..).and_then(|rest| rest.first_chunk()) else {
                push(&mut parts, at..data.len());
                return parts;
            };
            match marker {
                0xff => at += 1,
                0xd9 => {
                    push(&mut parts, at..at + 2);
                    break at + 2;
                }
                0xd0..=0xd7 | 0x01 => {
                    push(&mut parts, at..at + 2);
                    at += 2;
                }
                _ => {
                    let length = short(data, at + 2).filter(|length| *length >= 2);
                    let end = length.map(|length| at + 2 + length);
                    let Some(end) = end.filter(|end| *end <= data.len()) else {
                        push(&mut parts, at..data.len());
                        return parts;
                    };
                    if !matches!(marker, 0xe0..=0xef | 0xfe) {
                        push(&mut parts, at..end);
                    }
                    at = end;
                    if marker == 0xda {
                        let end = scan_end(data, at);
                        push(&mut parts, at..end);
                        at = end;
                    }
                }
            }
        };
    }
    parts
}

/// Where the coded data of a scan end: at the next marker but restarts. In JPEG-LS a byte behind FF has its high bit clear,
/// in JPEG it is zero.
fn scan_end(data: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(&[first, second]) = data.get(at..).and_then(|rest| rest.first_chunk()) {
        if first == 0xff && second >= 0x80 && !matches!(second, 0xd0..=0xd7 | 0xff) {
            return at;
        }
        at += 1;
    }
    data.len()
}

fn find(data: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    let rest = data.get(from..)?;
    let found = rest.windows(wanted.len()).position(|at| at == wanted)?;
    Some(from + found)
}

fn jpeg2000(data: &[u8]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = 0;
    // SOC and SIZ follow each other.
    while let Some(start) = find(data, at, &[0xff, 0x4f, 0xff, 0x51]) {
        push(&mut parts, start..start + 2);
        at = codestream(data, start + 2, &mut parts);
    }
    parts
}

/// A codestream behind its SOC; returns where it ends.
fn codestream(data: &[u8], mut at: usize, parts: &mut Vec<Range<usize>>) -> usize {
    while let Some(marker) = short(data, at) {
        if marker == 0xffd9 {
            push(parts, at..at + 2);
            return at + 2;
        }
        let length = short(data, at + 2).filter(|length| *length >= 2);
        let end = length.map(|length| at + 2 + length);
        let Some(end) = end.filter(|end| *end <= data.len() && marker >= 0xff00) else {
            break;
        };
        match marker {
            // Start of a tile-part: how long it is, from this marker on; 0 is to the end.
            0xff90 => {
                let tile = match long(data, at + 6) {
                    Some(0) | None => rposition(data, at, &[0xff, 0xd9]),
                    Some(length) => at.saturating_add(length),
                };
                let tile = tile.min(data.len());
                // Comments in the tile-part's header.
                push(parts, at..end.min(tile));
                let mut header = end;
                while header < tile && short(data, header).is_some_and(|m| m != 0xff93) {
                    let length = short(data, header + 2).filter(|length| *length >= 2);
                    let Some(next) = length.map(|n| header + 2 + n).filter(|n| *n <= tile) else {
                        break;
                    };
                    if short(data, header) != Some(0xff64) {
                        push(parts, header..next);
                    }
                    header = next;
                }
                push(parts, header.min(tile)..tile);
                at = tile.max(end);
            }
            0xff64 => at = end,
            _ => {
                push(parts, at..end);
                at = end;
            }
        }
    }
    push(parts, at.min(data.len())..data.len());
    data.len()
}

fn rposition(data: &[u8], from: usize, wanted: &[u8]) -> usize {
    let rest = data.get(from..).unwrap_or_default();
    let found = rest.windows(wanted.len()).rposition(|at| at == wanted);
    found.map_or(data.len(), |found| from + found)
}

/// Whether two lists of parts hold the same bytes.
pub(super) fn equal(
    a: &[u8],
    a_parts: &[Range<usize>],
    b: &[u8],
    b_parts: &[Range<usize>],
) -> bool {
    let total = |parts: &[Range<usize>]| parts.iter().map(ExactSizeIterator::len).sum::<usize>();
    if total(a_parts) != total(b_parts) {
        return false;
    }
    let (mut a_parts, mut b_parts) = (a_parts.iter().cloned(), b_parts.iter().cloned());
    let (mut left, mut right) = (0..0, 0..0);
    loop {
        if left.is_empty() {
            let Some(next) = a_parts.next() else {
                return true;
            };
            left = next;
        }
        if right.is_empty() {
            let Some(next) = b_parts.next() else {
                return true;
            };
            right = next;
        }
        let length = left.len().min(right.len());
        if a.get(left.start..left.start + length) != b.get(right.start..right.start + length) {
            return false;
        }
        left.start += length;
        right.start += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(family: Markers, data: &[u8]) -> Vec<u8> {
        let parts = picture(family, data);
        parts.into_iter().flat_map(|p| data[p].to_vec()).collect()
    }

    #[test]
    fn comments_and_tails_of_a_jpeg_are_no_picture() {
        let plain = b"\xff\xd8\xff\xc4\0\x04ab\xff\xda\0\x03Z\x01\x02\xff\0\xff\xd0\x05\xff\xd9";
        let full = [
            &plain[..2],
            b"\xff\xe1\0\x07EXIF!",
            &plain[2..8],
            b"\xff\xfe\0\x05hey",
            &plain[8..],
            b"tail\xff",
        ]
        .concat();
        assert_eq!(kept(Markers::Jpeg, &full), plain);
        let two = [plain.as_slice(), b"\0", plain].concat();
        assert_eq!(kept(Markers::Jpeg, &two), plain.repeat(2));
        assert!(equal(
            &full,
            &picture(Markers::Jpeg, &full),
            plain,
            &picture(Markers::Jpeg, plain)
        ));
        let mut other = plain.to_vec();
        other[13] ^= 1;
        assert!(!equal(
            &other,
            &picture(Markers::Jpeg, &other),
            plain,
            &picture(Markers::Jpeg, plain)
        ));
        // Cut anywhere it is read to its end, and nothing is lost.
        for end in 0..full.len() {
            picture(Markers::Jpeg, &full[..end]);
        }
    }

    #[test]
    fn boxes_and_comments_of_a_jpeg_2000_are_no_picture() {
        let tile = b"\xff\x90\0\x0a\0\0\0\0\0\x11\0\x01\xff\x93xyz";
        let plain = [b"\xff\x4f\xff\x51\0\x04ab", tile.as_slice(), b"\xff\xd9"].concat();
        let full = [
            b"\0\0\0\x0cjP  name of a box",
            &plain[..8],
            b"\xff\x64\0\x06\0\x01me",
            &plain[8..],
            b"behind",
        ]
        .concat();
        assert_eq!(kept(Markers::Jpeg2000, &full), plain);
        for end in 0..full.len() {
            picture(Markers::Jpeg2000, &full[..end]);
        }
    }
}
