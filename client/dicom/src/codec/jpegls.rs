//! JPEG-LS (ISO/IEC 14495-1, ITU-T T.87), lossless and near-lossless, in its three interleavings.

mod bits;
mod scan;

use super::super::format::Format;
use super::decoded::{Decoded, SHORT, Undecodable};
use super::marker::{EOI, SOI, SOS, Segments};
use scan::{Parameters, Scan};

/// The frame header (§C.2.2).
struct FrameHeader {
    precision: u32,
    rows: usize,
    columns: usize,
    /// Identifiers of the components.
    components: Vec<u8>,
}

/// The bits of a sample, by the frame header.
pub(super) fn precision(data: &[u8], format: &Format) -> Result<u32, Undecodable> {
    let mut segments = Segments::new(data, 0x80)?;
    loop {
        let segment = segments.next()?;
        match segment.marker {
            0xf7 => return Ok(FrameHeader::of(segment.body, format)?.precision),
            SOI | EOI | SOS => return Err(SHORT),
            _ => {}
        }
    }
}

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Undecodable> {
    // Inside a scan a byte of ones is followed by a zero bit.
    let mut segments = Segments::new(data, 0x80)?;
    let mut head: Option<FrameHeader> = None;
    let mut preset: Option<[i32; 5]> = None;
    let mut planes: Vec<Option<Vec<u16>>> = vec![None; format.samples];
    while planes.iter().any(Option::is_none) {
        let segment = segments.next()?;
        match (segment.marker, segment.body) {
            (0xf7, body) => head = Some(FrameHeader::of(body, format)?),
            (0xf8, &[1, ref numbers @ ..]) if numbers.len() == 10 => {
                let number = |n: usize| i32::from(u16::from_be_bytes([numbers[n], numbers[n + 1]]));
                preset = Some([number(0), number(2), number(4), number(6), number(8)]);
            }
            (0xf8, _) => return Err("it has mapping tables"),
            (0xdd, body) if body.iter().any(|b| *b != 0) => {
                return Err("it has restart intervals");
            }
            // A colour transform that is not of the standard.
            (0xe8, body) if body.starts_with(b"mrfx") && body.get(4).is_some_and(|t| *t != 0) => {
                return Err("it has a colour transform");
            }
            (SOS, body) => {
                let head = head.as_ref().ok_or(SHORT)?;
                one_scan(body, head, preset, segments.coded(), &mut planes)?;
            }
            (0xc0..=0xcf | SOI | EOI, _) => return Err(SHORT),
            _ => {}
        }
    }
    let head = head.ok_or(SHORT)?;
    let planes: Vec<Vec<u16>> = planes.into_iter().flatten().collect();
    let width = if head.precision > 8 { 2 } else { 1 };
    let mut bytes = Vec::with_capacity(format.rows * format.columns * format.samples * width);
    for pixel in 0..format.rows * format.columns {
        for plane in &planes {
            bytes.extend_from_slice(&plane[pixel].to_le_bytes()[..width]);
        }
    }
    Ok(Decoded {
        bytes,
        width,
        bits: head.precision,
        colour: None,
    })
}

impl FrameHeader {
    fn of(body: &[u8], format: &Format) -> Result<Self, Undecodable> {
        let &[precision, y, y2, x, x2, count, ref components @ ..] = body else {
            return Err(SHORT);
        };
        let head = Self {
            precision: precision.into(),
            rows: usize::from(u16::from_be_bytes([y, y2])),
            columns: usize::from(u16::from_be_bytes([x, x2])),
            components: components.chunks_exact(3).map(|c| c[0]).collect(),
        };
        if !(2..=16).contains(&precision) {
            return Err("its precision is none");
        }
        if (head.columns, head.rows) != (format.columns, format.rows) {
            return Err("its size is not that of the image");
        }
        if usize::from(count) != format.samples || head.components.len() != format.samples {
            return Err("its components are not those of the image");
        }
        if components.chunks_exact(3).any(|c| c[1] != 0x11) {
            return Err("its components are subsampled");
        }
        Ok(head)
    }
}

/// Decodes a scan of one component or of all (§C.2.3) into their planes.
fn one_scan(
    body: &[u8],
    head: &FrameHeader,
    preset: Option<[i32; 5]>,
    coded: &[u8],
    planes: &mut [Option<Vec<u16>>],
) -> Result<(), Undecodable> {
    let (&count, rest) = body.split_first().ok_or(SHORT)?;
    let count = usize::from(count);
    let (named, rest) = rest.split_at_checked(2 * count).ok_or(SHORT)?;
    let &[near, interleave, transform] = rest else {
        return Err(SHORT);
    };
    if transform != 0 {
        return Err("it has a point transform");
    }
    let numbers = named.chunks_exact(2).map(|c| match c[1] {
        0 => head.components.iter().position(|name| *name == c[0]),
        _ => None,
    });
    let numbers: Vec<usize> = numbers.collect::<Option<_>>().ok_or(SHORT)?;
    let parameters = Parameters::new(head.precision, near.into(), preset)?;
    let mut scan = Scan::new(coded, parameters, head.columns, head.rows, count);
    let decoded = match (interleave, count) {
        (0..=2, 1) | (1, 3) => scan.lines()?,
        (2, 3) => scan.samples()?,
        _ => return Err("its interleaving is none"),
    };
    for (number, plane) in numbers.into_iter().zip(decoded) {
        if planes[number].replace(plane).is_some() {
            return Err(SHORT);
        }
    }
    Ok(())
}
