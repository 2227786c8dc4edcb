//! The sequential processes (T.81 Annex F): blocks of 8 × 8 samples by their discrete cosine transform, of 8 or 12 bits.

use std::sync::LazyLock;

use super::header::{FrameHeader, ScanHeader};
use super::huffman::{EntropyBits, Table, Tables};
use crate::codec::decoded::{SHORT, Undecodable};

/// The place of each coefficient in its block, in the order of their codes (§A.3.6).
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Quantization tables, by destination; in the order of blocks.
#[derive(Default)]
pub(super) struct Quantization([Option<[f32; 64]>; 4]);

impl Quantization {
    /// Reads the tables of a DQT segment.
    pub(super) fn define(&mut self, mut body: &[u8]) -> Result<(), Undecodable> {
        while let Some((&class, rest)) = body.split_first() {
            let wide = match class >> 4 {
                0 => 1,
                1 => 2,
                _ => return Err("a quantization table is of no precision"),
            };
            let (values, rest) = rest.split_at_checked(64 * wide).ok_or(SHORT)?;
            let mut table = [0.0; 64];
            for (place, value) in ZIGZAG.iter().zip(values.chunks_exact(wide)) {
                let value = value.iter().fold(0, |n, b| n << 8 | u32::from(*b));
                table[usize::from(*place)] = value as f32;
            }
            let place = self.0.get_mut(usize::from(class & 15));
            *place.ok_or("a quantization table has no destination")? = Some(table);
            body = rest;
        }
        Ok(())
    }
}

/// A component while it is decoded: whole blocks.
pub(super) struct Plane {
    samples: Vec<u16>,
    /// Samples of a line.
    width: usize,
    prediction: i32,
}

/// Sets aside the planes of a frame.
pub(super) fn planes(frame: &FrameHeader) -> Vec<Plane> {
    let (most_across, most_down) = most(frame);
    let planes = frame.components.iter().map(|component| {
        let width = frame.columns.div_ceil(8 * most_across) * 8 * component.across;
        let height = frame.rows.div_ceil(8 * most_down) * 8 * component.down;
        Plane {
            samples: vec![0; width * height],
            width,
            prediction: 0,
        }
    });
    planes.collect()
}

/// The greatest sampling factors, across and down.
fn most(frame: &FrameHeader) -> (usize, usize) {
    let components = || frame.components.iter();
    (
        components().map(|c| c.across).max().unwrap_or(1),
        components().map(|c| c.down).max().unwrap_or(1),
    )
}

/// Decodes a scan into the planes of its components.
pub(super) fn scan(
    coded: &[u8],
    frame: &FrameHeader,
    header: &ScanHeader,
    tables: &Tables,
    quantization: &Quantization,
    interval: usize,
    planes: &mut [Plane],
) -> Result<(), Undecodable> {
    // The last coefficient is 63; some write another, and code them all.
    if (header.first, header.transform) != (0, 0) {
        return Err("a scan leaves out coefficients, which is not supported");
    }
    struct Part<'a> {
        number: usize,
        /// Blocks of a unit, across and down.
        across: usize,
        down: usize,
        differences: &'a Table,
        coefficients: &'a Table,
        quantization: &'a [f32; 64],
    }
    let alone = header.components.len() == 1;
    let (most_across, most_down) = most(frame);
    let parts = header.components.iter().map(|&(number, dc, ac)| {
        let component = frame.components[number];
        let whole = |factor| if alone { 1 } else { factor };
        Some(Part {
            number,
            across: whole(component.across),
            down: whole(component.down),
            differences: tables.differences.get(dc)?.as_ref()?,
            coefficients: tables.coefficients.get(ac)?.as_ref()?,
            quantization: quantization.0.get(component.table)?.as_ref()?,
        })
    });
    let parts: Vec<Part<'_>> = parts
        .collect::<Option<_>>()
        .ok_or("a scan has no Huffman or no quantization table")?;
    // A scan of one component has only the blocks that the image needs (§A.2.2).
    let units = |length: usize, factor: usize, most: usize| match alone {
        true => (length * factor).div_ceil(8 * most),
        false => length.div_ceil(8 * most),
    };
    let component = frame.components[header.components[0].0];
    let wide = units(frame.columns, component.across, most_across);
    let high = units(frame.rows, component.down, most_down);
    let middle = 1 << (frame.precision - 1);
    let top = (1 << frame.precision) - 1;
    let mut bits = EntropyBits::new(coded);
    planes.iter_mut().for_each(|plane| plane.prediction = 0);
    for unit in 0..wide * high {
        if interval > 0 && unit > 0 && unit % interval == 0 {
            bits.restart(unit / interval - 1)?;
            planes.iter_mut().for_each(|plane| plane.prediction = 0);
        }
        for part in &parts {
            let plane = &mut planes[part.number];
            for block in 0..part.across * part.down {
                let x = unit % wide * part.across + block % part.across;
                let y = unit / wide * part.down + block / part.across;
                let coefficients = coefficients(
                    &mut bits,
                    part.differences,
                    part.coefficients,
                    part.quantization,
                    &mut plane.prediction,
                )?;
                let levels = inverse(&coefficients);
                for (row, levels) in levels.chunks_exact(8).enumerate() {
                    let at = (8 * y + row) * plane.width + 8 * x;
                    let samples = plane.samples[at..at + 8].iter_mut();
                    for (sample, level) in samples.zip(levels) {
                        *sample = (level.round() as i32 + middle).clamp(0, top) as u16;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Reads the coefficients of a block (§F.2.2).
fn coefficients(
    bits: &mut EntropyBits<'_>,
    differences: &Table,
    others: &Table,
    quantization: &[f32; 64],
    prediction: &mut i32,
) -> Result<[f32; 64], Undecodable> {
    let mut block = [0.0; 64];
    let size = bits.code(differences)?;
    if size > 15 {
        return Err("it has a difference of more than 15 bits");
    }
    *prediction = prediction.wrapping_add(bits.signed(size)?);
    block[0] = *prediction as f32 * quantization[0];
    let mut at = 1;
    while at < 64 {
        let code = bits.code(others)?;
        let (zeros, size) = (usize::from(code >> 4), code & 15);
        match (zeros, size) {
            (15, 0) => at += 16,
            (_, 0) => break,
            _ => {
                at += zeros;
                let place = *ZIGZAG.get(at).ok_or("a block has too many coefficients")?;
                let place = usize::from(place);
                block[place] = bits.signed(size)? as f32 * quantization[place];
                at += 1;
            }
        }
    }
    Ok(block)
}

/// The inverse discrete cosine transform (§A.3.3).
fn inverse(block: &[f32; 64]) -> [f32; 64] {
    static COSINES: LazyLock<[[f32; 8]; 8]> = LazyLock::new(|| {
        let mut cosines = [[0.0; 8]; 8];
        for (x, row) in cosines.iter_mut().enumerate() {
            for (u, value) in row.iter_mut().enumerate() {
                let scale = if u == 0 { 0.125_f64.sqrt() } else { 0.5 };
                let angle = (2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0;
                *value = (scale * angle.cos()) as f32;
            }
        }
        cosines
    });
    let cosines = &*COSINES;
    let (mut half, mut out) = ([0.0; 64], [0.0; 64]);
    for y in 0..8 {
        let line = &block[8 * y..8 * y + 8];
        if line.iter().all(|value| *value == 0.0) {
            continue;
        }
        for x in 0..8 {
            half[8 * y + x] = (0..8).map(|u| cosines[x][u] * line[u]).sum();
        }
    }
    for y in 0..8 {
        for v in 0..8 {
            let factor = cosines[y][v];
            for x in 0..8 {
                out[8 * y + x] += factor * half[8 * v + x];
            }
        }
    }
    out
}

/// The samples of all components, pixel by pixel; those of fewer are spread as libjpeg does.
pub(super) fn pixels(frame: &FrameHeader, planes: &[Plane]) -> Result<Vec<u16>, Undecodable> {
    let (most_across, most_down) = most(frame);
    let step = frame.components.len();
    let mut pixels = vec![0; frame.rows * frame.columns * step];
    for (number, (component, plane)) in frame.components.iter().zip(planes).enumerate() {
        if most_across % component.across != 0 || most_down % component.down != 0 {
            return Err("its sampling factors have no whole ratio, which is not supported");
        }
        let (across, down) = (most_across / component.across, most_down / component.down);
        let width = frame.columns.div_ceil(across);
        let height = frame.rows.div_ceil(down);
        let line = |y: usize| &plane.samples[y * plane.width..y * plane.width + width];
        for row in 0..frame.rows {
            let out = pixels[row * frame.columns * step..].iter_mut();
            let out = out.skip(number).step_by(step).take(frame.columns);
            let own = line(row / down);
            match (across, down) {
                (1, 1) => out.zip(own).for_each(|(pixel, sample)| *pixel = *sample),
                (2, 1 | 2) if width > 2 => {
                    // Three parts of the nearer line, one of the other.
                    let near: Vec<u32> = own.iter().map(|s| u32::from(*s)).collect();
                    let spread = match down {
                        1 => spread(&near, 4, [1, 2]),
                        _ => {
                            let other = match row % 2 {
                                0 => (row / 2).saturating_sub(1),
                                _ => (row / 2 + 1).min(height - 1),
                            };
                            let both = near.iter().zip(line(other));
                            let both: Vec<u32> = both.map(|(a, b)| 3 * a + u32::from(*b)).collect();
                            spread(&both, 16, [8, 7])
                        }
                    };
                    out.zip(spread).for_each(|(pixel, sample)| *pixel = sample);
                }
                _ => {
                    for (column, pixel) in out.enumerate() {
                        *pixel = own[column / across];
                    }
                }
            }
        }
    }
    Ok(pixels)
}

/// Twice as many samples: three parts of the nearer, one of the other; `whole` parts of all make one.
fn spread(line: &[u32], whole: u32, rounding: [u32; 2]) -> Vec<u16> {
    let mut out = Vec::with_capacity(2 * line.len());
    for (at, own) in line.iter().enumerate() {
        let before = if at == 0 { own } else { &line[at - 1] };
        let after = line.get(at + 1).unwrap_or(own);
        out.push(((3 * own + before + rounding[0]) / whole) as u16);
        out.push(((3 * own + after + rounding[1]) / whole) as u16);
    }
    out
}
