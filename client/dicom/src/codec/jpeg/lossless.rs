//! The lossless process (T.81 Annex H): each sample is predicted from those around it, and the difference is coded.

use super::header::{FrameHeader, ScanHeader};
use super::huffman::{EntropyBits, Table, Tables};
use crate::codec::decoded::Undecodable;

/// Decodes a scan into `samples`, which lie pixel by pixel.
///
/// After a restart the next line is predicted as the first one is. Predictions are of samples before the point transform, in
/// arithmetic modulo 2^16.
pub(super) fn scan(
    coded: &[u8],
    frame: &FrameHeader,
    header: &ScanHeader,
    tables: &Tables,
    interval: usize,
    samples: &mut [u16],
) -> Result<(), Undecodable> {
    let transform = u32::from(header.transform & 15);
    if !(1..=7).contains(&header.first) {
        return Err("its predictor is none");
    }
    if transform >= frame.precision {
        return Err("its point transform leaves no bits");
    }
    if frame
        .components
        .iter()
        .any(|c| (c.across, c.down) != (1, 1))
    {
        return Err("its lossless components are subsampled, which is not supported");
    }
    if !interval.is_multiple_of(frame.columns) {
        return Err("its restart intervals do not end with lines");
    }
    let components = header.components.iter().map(|(number, table, _)| {
        let table = tables.differences.get(*table).and_then(Option::as_ref);
        Some((*number, table?))
    });
    let components: Vec<(usize, &Table)> = components
        .collect::<Option<_>>()
        .ok_or("a scan has no Huffman table")?;
    let (columns, step) = (frame.columns, frame.components.len());
    let line = columns * step;
    let start = 1_i32 << (frame.precision - transform - 1);
    let lines = interval / columns;
    let mut bits = EntropyBits::new(coded);
    for row in 0..frame.rows {
        let restart = lines > 0 && row > 0 && row % lines == 0;
        if restart {
            bits.restart(row / lines - 1)?;
        }
        let first = row == 0 || restart;
        for column in 0..columns {
            for &(number, table) in &components {
                let at = row * line + column * step + number;
                let left = || i32::from(samples[at - step]);
                let above = || i32::from(samples[at - line]);
                let corner = || i32::from(samples[at - line - step]);
                let predicted = match (first, column) {
                    (true, 0) => start,
                    (true, _) => left(),
                    (false, 0) => above(),
                    (false, _) => match header.first {
                        1 => left(),
                        2 => above(),
                        3 => corner(),
                        4 => left() + above() - corner(),
                        5 => left() + ((above() - corner()) >> 1),
                        6 => above() + ((left() - corner()) >> 1),
                        _ => (left() + above()) >> 1,
                    },
                };
                let difference = match bits.code(table)? {
                    16 => 1 << 15,
                    size if size > 16 => return Err("it has a difference of more than 16 bits"),
                    size => bits.signed(size)?,
                };
                samples[at] = (predicted + difference) as u16;
            }
        }
    }
    if transform > 0 {
        for &(number, _) in &components {
            let samples = samples.iter_mut().skip(number).step_by(step);
            samples.for_each(|sample| *sample <<= transform);
        }
    }
    Ok(())
}
