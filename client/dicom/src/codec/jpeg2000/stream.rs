//! Codestreams (ISO/IEC 15444-1 Annex A): taken out of JP2 boxes, without comments, each tile-part with its length, ended by
//! its marker.

use std::ops::Range;

use crate::codec::decoded::{SHORT, Undecodable};

const SOC_SIZ: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
const SOT: u8 = 0x90;
const SOD: u8 = 0x93;
const EOC: [u8; 2] = [0xff, 0xd9];
const TLM: u8 = 0x55;
/// Marker segments that a decoder needs or may use; a comment (COM) is none of them.
const KEPT: [u8; 25] = [
    SOT, 0x50, 0x51, 0x52, 0x53, TLM, 0x56, 0x57, 0x58, 0x59, 0x5c, 0x5d, 0x5e, 0x5f, 0x60, 0x61,
    0x63, // Of Part 2.
    0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79,
];
/// Boxes of a JP2 file that change what its samples mean.
const MEANING: [&[u8; 4]; 3] = [b"pclr", b"cmap", b"cdef"];

/// A codestream that has been taken apart.
pub(in crate::codec) struct Stream {
    /// The codestream, without comments, and with the length of each tile-part.
    pub(in crate::codec) bytes: Vec<u8>,
    /// Everything of the frame is in it, but for a zero behind the end.
    pub(in crate::codec) whole: bool,
}

/// A tile-part: its header from its marker on, and its data from the SOD marker on.
struct Part {
    header: Vec<Range<usize>>,
    data: Range<usize>,
    changed: bool,
}

impl Stream {
    /// Takes the codestream of a frame apart.
    ///
    /// # Errors
    /// The frame is cut short, or a JP2 file with a palette or channels of its own.
    pub(in crate::codec) fn of(frame: &[u8]) -> Result<Self, Undecodable> {
        let start = start(frame)?;
        let data = &frame[start..];
        let mut at = 2;
        let (header, mut changed) = segments(data, &mut at, SOT)?;
        let mut parts = Vec::new();
        while data.get(at..at + 2) == Some(&[0xff, SOT]) {
            let part = part(data, &mut at)?;
            changed |= part.changed;
            parts.push(part);
        }
        let ended = data.get(at..at + 2) == Some(&EOC);
        let end = start + at + if ended { 2 } else { 0 };
        let tail = &frame[end..];
        if parts.is_empty() || !ended && tail.iter().any(|b| *b != 0) {
            return Err(SHORT);
        }
        let moved = parts.iter().any(|part| part.changed);
        let mut bytes = Vec::with_capacity(data.len());
        bytes.extend(&data[..2]);
        for segment in header {
            // Lengths of tile-parts that are no longer theirs may be left out.
            if !(moved && data[segment.start + 1] == TLM) {
                bytes.extend(&data[segment]);
            }
        }
        for part in parts {
            let begin = bytes.len();
            part.header
                .into_iter()
                .for_each(|it| bytes.extend(&data[it]));
            bytes.extend(&data[part.data]);
            let length = u32::try_from(bytes.len() - begin).map_err(|_| SHORT)?;
            bytes[begin + 6..begin + 10].copy_from_slice(&length.to_be_bytes());
        }
        bytes.extend(EOC);
        Ok(Self {
            bytes,
            whole: start == 0 && !changed && ended && (tail.is_empty() || tail == [0]),
        })
    }
}

/// The start of the codestream: of the frame itself, or of the box that holds it (Annex I).
fn start(frame: &[u8]) -> Result<usize, Undecodable> {
    if frame.starts_with(&SOC_SIZ) {
        return Ok(0);
    }
    if !frame.starts_with(b"\0\0\0\x0cjP") {
        return Err("it does not begin with a codestream or a JP2 signature");
    }
    let mut at = 0;
    loop {
        let head = frame.get(at..at + 8).ok_or(SHORT)?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if &head[4..] == b"jp2c" {
            let start = at + if length == 1 { 16 } else { 8 };
            return match frame.get(start..start + 4) == Some(&SOC_SIZ) {
                true => Ok(start),
                false => Err(SHORT),
            };
        }
        let body = frame.get(at + 8..at.checked_add(length).ok_or(SHORT)?);
        let body = body.filter(|_| length >= 8).ok_or(SHORT)?;
        let means = |kind: &&[u8; 4]| body.windows(4).any(|it| it == **kind);
        if &head[4..] == b"jp2h" && MEANING.iter().any(means) {
            return Err("it is a JP2 file with a palette or channels of its own");
        }
        at += length;
    }
}

/// The marker segments up to a marker; those that are kept, and whether others are left out.
fn segments(
    data: &[u8],
    at: &mut usize,
    end: u8,
) -> Result<(Vec<Range<usize>>, bool), Undecodable> {
    let (mut kept, mut changed) = (Vec::new(), false);
    loop {
        let Some(&[0xff, marker]) = data.get(*at..*at + 2) else {
            return Err(SHORT);
        };
        if marker == end {
            return Ok((kept, changed));
        }
        let length = data.get(*at + 2..*at + 4).ok_or(SHORT)?;
        let length = 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length < 4 || data.len() - *at < length {
            return Err(SHORT);
        }
        match KEPT.contains(&marker) {
            true => kept.push(*at..*at + length),
            false => changed = true,
        }
        *at += length;
    }
}

fn part(data: &[u8], at: &mut usize) -> Result<Part, Undecodable> {
    let begin = *at;
    let sot = data.get(begin..begin + 12).ok_or(SHORT)?;
    if sot[2..4] != [0, 10] {
        return Err(SHORT);
    }
    let said = u32::from_be_bytes([sot[6], sot[7], sot[8], sot[9]]) as usize;
    let (header, changed) = segments(data, at, SOD)?;
    // A length of zero is that of the last part, which goes up to the next marker.
    let end = match said {
        0 => {
            let rest = &data[*at + 2..];
            let marker = rest.windows(2).position(|w| w[0] == 0xff && w[1] > 0x8f);
            *at + 2 + marker.unwrap_or(rest.len())
        }
        said => begin.checked_add(said).ok_or(SHORT)?,
    };
    if end < *at + 2 || end > data.len() {
        return Err(SHORT);
    }
    let part = Part {
        header,
        data: *at..end,
        changed,
    };
    *at = end;
    Ok(part)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn stream(length: u8, comment: bool) -> Vec<u8> {
        let comment: &[u8] = if comment {
            b"\xff\x64\0\x08\0\x01Name"
        } else {
            b""
        };
        let mut out = SOC_SIZ.to_vec();
        out.extend([0, 4, 1, 2]);
        out.extend(comment);
        out.extend([0xff, SOT, 0, 10, 0, 0, 0, 0, 0, length, 0, 1]);
        out.extend(comment);
        out.extend([0xff, SOD, 7, 8, 9]);
        out.extend(EOC);
        out
    }

    #[test]
    fn comments_go_and_lengths_are_true() {
        let plain = stream(17, false);
        let taken = Stream::of(&plain).unwrap();
        assert!(taken.whole && taken.bytes == plain);
        for (frame, whole) in [
            (stream(0, false), true),
            (stream(27, true), false),
            (stream(0, true), false),
            ([plain.as_slice(), &[0]].concat(), true),
            ([plain.as_slice(), b"Name"].concat(), false),
            (plain[..plain.len() - 2].to_vec(), false),
        ] {
            let taken = Stream::of(&frame).unwrap();
            assert_eq!((taken.whole, taken.bytes), (whole, plain.clone()));
        }
        let boxed = [
            b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x0cxml Name\0\0\0\0jp2c".as_slice(),
            &plain,
            b"\0",
        ]
        .concat();
        let taken = Stream::of(&boxed).unwrap();
        assert!(!taken.whole && taken.bytes == plain);
        let palette = [
            b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x10jp2h\0\0\0\x08pclr\0\0\0\0jp2c".as_slice(),
            &plain,
        ]
        .concat();
        assert!(Stream::of(&palette).is_err());
        for cut in 0..plain.len() - 2 {
            assert!(Stream::of(&plain[..cut]).is_err(), "{cut}");
        }
    }
}
