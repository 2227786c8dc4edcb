//! Colour palettes (PS3.3 §C.7.6.3.1.5, §C.7.9).

use dicom_dictionary_std::tags;
use dicom_encoding::Endianness;

use super::error::{Error, Result};
use crate::file::File;
use crate::lut::LookUp;
use crate::tree::{DataSet, Element};

/// The most entries of a table.
const ENTRIES_MAX: usize = 1 << 16;

/// Red, green and blue, each by a table of its own.
pub(super) struct Palette([LookUp; 3]);

impl Palette {
    pub(super) fn of(file: &File, signed: bool) -> Result<Self> {
        let colours = [
            (
                tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
                tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
                tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            ),
            (
                tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
                tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
                tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            ),
            (
                tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
                tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
                tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            ),
        ];
        let order = file.order();
        let mut tables = Vec::with_capacity(3);
        for (descriptor, data, segmented) in colours {
            let table = match LookUp::of(&file.data_set, descriptor, data, signed, order)? {
                Some(table) => Some(table),
                None => {
                    let described = file.data_set.get(&descriptor).cloned();
                    // The last number of the descriptor.
                    let bits = described.as_ref().and_then(Element::as_bytes);
                    let wide = !bits.is_some_and(|it| it.get(4..6).is_some_and(|b| b.contains(&8)));
                    let segments = file.data_set.get(&segmented);
                    let entries = segments
                        .and_then(Element::as_bytes)
                        .and_then(|bytes| expanded(bytes, wide, order));
                    match (described, entries) {
                        (Some(described), Some(entries)) => {
                            let vr = described.vr;
                            let whole = DataSet::from([
                                (descriptor, described),
                                (data, Element::bytes(vr, entries)),
                            ]);
                            LookUp::of(&whole, descriptor, data, signed, order)?
                        }
                        _ => None,
                    }
                }
            };
            tables.push(table.ok_or(Error::Palette)?);
        }
        let tables = <[LookUp; 3]>::try_from(tables).map_err(|_| Error::Palette)?;
        Ok(Self(tables))
    }

    pub(super) fn at(&self, value: i64) -> [u8; 3] {
        let byte = |table: &LookUp| {
            let entry = u32::from(table.at(value));
            match table.bits {
                0..=8 => entry as u8,
                bits => (entry >> (bits - 8)).min(255) as u8,
            }
        };
        let [red, green, blue] = &self.0;
        [byte(red), byte(green), byte(blue)]
    }
}

/// The entries of a segmented table (§C.7.9.2), in the byte order of the file; segments of an eight-bit table are of bytes.
fn expanded(bytes: &[u8], wide: bool, order: Endianness) -> Option<Vec<u8>> {
    let units: Vec<u16> = match wide {
        true => bytes
            .chunks_exact(2)
            .map(|c| match order {
                Endianness::Little => u16::from_le_bytes([c[0], c[1]]),
                Endianness::Big => u16::from_be_bytes([c[0], c[1]]),
            })
            .collect(),
        false => bytes.iter().map(|byte| u16::from(*byte)).collect(),
    };
    let mut entries: Vec<u16> = Vec::new();
    let mut at = 0;
    while at + 1 < units.len() && entries.len() < ENTRIES_MAX {
        at = segment(&units, at, wide, &mut entries, true)?;
    }
    entries.truncate(ENTRIES_MAX);
    let bytes = entries.iter().flat_map(|entry| match order {
        Endianness::Little => entry.to_le_bytes(),
        Endianness::Big => entry.to_be_bytes(),
    });
    Some(bytes.collect())
}

/// Expands a segment; returns the place of the next one.
fn segment(units: &[u16], at: usize, wide: bool, out: &mut Vec<u16>, outer: bool) -> Option<usize> {
    let (kind, length) = (*units.get(at)?, usize::from(*units.get(at + 1)?));
    if out.len() > ENTRIES_MAX {
        return None;
    }
    match kind {
        0 => {
            out.extend(units.get(at + 2..at + 2 + length)?);
            Some(at + 2 + length)
        }
        1 => {
            let (from, to) = (f64::from(*out.last()?), f64::from(*units.get(at + 2)?));
            let step = (to - from) / length.max(1) as f64;
            out.extend((1..=length).map(|n| (from + step * n as f64).round_ties_even() as u16));
            Some(at + 3)
        }
        // Segments from before, again: as many, from an offset in bytes.
        2 if outer => {
            let (size, bits) = if wide { (2, 16) } else { (4, 8) };
            let offset = units.get(at + 2..at + 2 + size)?.iter().rev();
            let offset = offset.fold(0_usize, |n, unit| n << bits | usize::from(*unit));
            let mut from = if wide { offset / 2 } else { offset };
            for _ in 0..length {
                from = segment(units, from, wide, out, false)?;
            }
            Some(at + 2 + size)
        }
        _ => None,
    }
}
