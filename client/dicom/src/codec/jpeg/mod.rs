//! JPEG (ISO/IEC 10918-1, ITU-T T.81) with Huffman codes: sequential of 8 and 12 bits, lossless of 2 to 16.
//!
//! Progressive, hierarchical and arithmetic-coded images are refused by name.

mod header;
mod huffman;
mod lossless;
mod sequential;

use super::decoded::{Decoded, SHORT, Undecodable};
use super::marker::{EOI, SOI, SOS, Segments};
use crate::format::Format;
use header::{Application, FrameHeader, ScanHeader};
use huffman::Tables;
use sequential::{Plane, Quantization};

/// The samples while they are decoded.
enum Samples {
    /// Pixel by pixel.
    Lossless(Vec<u16>),
    /// Component by component, in whole blocks.
    Sequential(Vec<Plane>),
}

/// The bits of a sample, by the frame header.
pub(super) fn precision(data: &[u8], format: &Format) -> Result<u32, Undecodable> {
    let mut segments = Segments::new(data, 1)?;
    loop {
        let segment = segments.next()?;
        match segment.marker {
            0xc4 | 0xc8 | 0xcc => {}
            marker @ 0xc0..=0xcf => {
                return Ok(FrameHeader::of(marker, segment.body, format)?.precision);
            }
            SOI | EOI | SOS => return Err(SHORT),
            _ => {}
        }
    }
}

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Undecodable> {
    let mut segments = Segments::new(data, 1)?;
    let mut application = Application::default();
    let mut tables = Tables::default();
    let mut quantization = Quantization::default();
    let mut interval = 0;
    let mut image: Option<(FrameHeader, Samples)> = None;
    // Each component has one scan.
    let mut missing = vec![true; format.samples];
    while missing.contains(&true) {
        let segment = segments.next()?;
        match segment.marker {
            0xc4 => tables.define(segment.body)?,
            0xdb => quantization.define(segment.body)?,
            0xdd => {
                let &[a, b] = segment.body else {
                    return Err(SHORT);
                };
                interval = usize::from(u16::from_be_bytes([a, b]));
            }
            marker @ (0xe0 | 0xee) => application.read(marker, segment.body),
            marker @ 0xc0..=0xcf => {
                if image.is_some() {
                    return Err("it has two frames");
                }
                let frame = FrameHeader::of(marker, segment.body, format)?;
                let samples = match frame.lossless {
                    true => Samples::Lossless(vec![0; frame.rows * frame.columns * format.samples]),
                    false => Samples::Sequential(sequential::planes(&frame)),
                };
                image = Some((frame, samples));
            }
            SOS => {
                let (frame, samples) = image.as_mut().ok_or("a scan comes before the frame")?;
                let scan = ScanHeader::of(segment.body, frame)?;
                for (number, _, _) in &scan.components {
                    if !std::mem::take(&mut missing[*number]) {
                        return Err("a component has two scans");
                    }
                }
                let coded = segments.coded();
                match samples {
                    Samples::Lossless(samples) => {
                        lossless::scan(coded, frame, &scan, &tables, interval, samples)?;
                    }
                    Samples::Sequential(planes) => sequential::scan(
                        coded,
                        frame,
                        &scan,
                        &tables,
                        &quantization,
                        interval,
                        planes,
                    )?,
                }
            }
            SOI | EOI => return Err("a scan is missing"),
            _ => {}
        }
    }
    let (frame, samples) = image.ok_or(SHORT)?;
    let samples = match samples {
        Samples::Lossless(samples) => samples,
        Samples::Sequential(planes) => sequential::pixels(&frame, &planes)?,
    };
    let width = if frame.precision > 8 { 2 } else { 1 };
    let bytes = match width {
        1 => samples.iter().map(|sample| *sample as u8).collect(),
        _ => samples.iter().flat_map(|s| s.to_le_bytes()).collect(),
    };
    Ok(Decoded {
        bytes,
        width,
        bits: frame.precision,
        colour: application.colour(&frame),
    })
}
