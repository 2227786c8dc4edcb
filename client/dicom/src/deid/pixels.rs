//! The pixel pass: blanks regions, cuts what lies behind the last pixel, clears bits beside the pixels.

use std::ops::Range;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::Endianness;

use super::decompress;
use super::error::{Error, Result};
use super::options::Blank;
use crate::error::Error as DicomError;
use crate::file::File;
use crate::format::{Stored, clear, frame_count};
use crate::tree::{DataSet, Value, long, short, text};

/// Where the pixels of native (not encapsulated) pixel data lie.
struct Layout {
    rows: usize,
    columns: usize,
    frames: usize,
    samples: usize,
    /// Bits of a sample: 1, 8, 16, 32.
    bits: usize,
    /// Whether each sample has a plane of its own.
    planar: bool,
    /// The bytes that make black, for each sample.
    black: [u8; 3],
}

/// Pixel Data that stand for pixels which pass by as they are: no image is of one black pixel and larger.
const ONE_PIXEL: [u8; 2] = [0; 2];

/// A rectangle that is cut to the frame: columns and rows.
struct Area {
    x: Range<usize>,
    y: Range<usize>,
}

/// Blanks regions in every frame; returns the number of frames.
///
/// # Errors
/// [`Error::CannotBlank`] for compressed pixel data and for layouts whose pixels cannot be separated.
pub(super) fn blank(file: &mut File, regions: &[Blank]) -> Result<u32> {
    let order = file.order();
    let layout = Layout::of(&file.data_set, order)?;
    let areas = regions
        .iter()
        .map(|region| layout.areas(region, &file.data_set, order))
        .collect::<Result<Vec<_>>>()?;
    let pixels = native(&mut file.data_set).ok_or(Error::CannotBlank {
        why: "the pixel data are compressed",
    })?;
    if pixels.len() < layout.bytes().ok_or(DicomError::Malformed)? {
        return Err(DicomError::Malformed.into());
    }
    for area in areas.iter().flatten() {
        layout.fill(pixels, area);
    }
    Ok(layout.frames as u32)
}

/// Refuses pixel data whose number of frames cannot be read: its pixels cannot be separated from the bytes behind them.
pub(super) fn countable(data_set: &DataSet) -> Result<()> {
    let number = text(data_set, tags::NUMBER_OF_FRAMES);
    match number.is_none_or(|number| frame_count(&number).is_some()) {
        true => Ok(()),
        false => Err(DicomError::Malformed.into()),
    }
}

/// Cuts native pixel data behind the last pixel; whether there was more than the padding to an even length.
///
/// # Errors
/// [`Error::File`] if nothing says where the last pixel is, if there are fewer pixels, or if the surplus may be a frame.
pub(super) fn cut_surplus(file: &mut File) -> Result<bool> {
    let order = file.order();
    let mut cut = false;
    for tag in [
        tags::PIXEL_DATA,
        tags::FLOAT_PIXEL_DATA,
        tags::DOUBLE_FLOAT_PIXEL_DATA,
    ] {
        if file
            .data_set
            .get(&tag)
            .is_none_or(|pixels| pixels.as_bytes().is_none_or(<[u8]>::is_empty))
        {
            continue;
        }
        let length = length(&file.data_set, order, tag)?;
        let frame = length / frames(&file.data_set)?.max(1);
        let swapped = swapped(&file.data_set, order);
        let Some(Value::Bytes(pixels)) =
            file.data_set.get_mut(&tag).map(|pixels| &mut pixels.value)
        else {
            continue;
        };
        let wanted = length.next_multiple_of(2);
        let surplus = pixels.get(wanted.min(pixels.len())..).unwrap_or_default();
        let whole = surplus.len() >= frame && surplus.iter().any(|byte| *byte != 0);
        if pixels.len() < length && *pixels != ONE_PIXEL || whole {
            return Err(Error::File(DicomError::PixelLength {
                found: pixels.len() as u64,
                wanted: length as u64,
            }));
        }
        cut |= pixels.len() > wanted;
        pixels.truncate(wanted);
        // In words of the other byte order the last pixel comes after the padding.
        let padding = length - usize::from(swapped);
        if let Some(padding) = pixels.get_mut(padding).filter(|_| length % 2 == 1) {
            cut |= *padding != 0;
            *padding = 0;
        }
    }
    Ok(cut)
}

/// A number that pixels cannot be without.
fn number(
    data_set: &DataSet,
    tag: Tag,
    order: Endianness,
    attribute: &'static str,
) -> Result<usize> {
    let number = short(data_set, tag, order).map(usize::from);
    Ok(number.ok_or(DicomError::Missing { attribute })?)
}

/// The number of frames; one unless the file has another.
fn frames(data_set: &DataSet) -> Result<usize> {
    match text(data_set, tags::NUMBER_OF_FRAMES) {
        Some(text) => Ok(frame_count(&text).ok_or(DicomError::Malformed)?),
        None => Ok(1),
    }
}

/// The bytes of the pixels of all frames (PS3.5 §8.1.1, §8.2; chrominance that pixels share is there once).
fn length(data_set: &DataSet, order: Endianness, tag: Tag) -> Result<usize> {
    let number = |tag, attribute| number(data_set, tag, order, attribute);
    let frames = frames(data_set)?;
    let pixels = number(tags::ROWS, "Rows")? * number(tags::COLUMNS, "Columns")?;
    let bits = match tag {
        tags::FLOAT_PIXEL_DATA => 32,
        tags::DOUBLE_FLOAT_PIXEL_DATA => 64,
        _ => {
            let photometric = text(data_set, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default();
            let halves = match photometric.as_str() {
                shared if shared.ends_with("_422") => 4,
                shared if shared.ends_with("_420") => 3,
                _ => 2 * number(tags::SAMPLES_PER_PIXEL, "Samples per Pixel")?,
            };
            halves * number(tags::BITS_ALLOCATED, "Bits Allocated")? / 2
        }
    };
    let bits = pixels
        .checked_mul(frames)
        .and_then(|n| n.checked_mul(bits))
        .ok_or(DicomError::Malformed)?;
    match bits {
        0 => Err(DicomError::Malformed.into()),
        _ => Ok(bits.div_ceil(8)),
    }
}

/// Checks whether this many bytes are the frames' pixels and nothing else.
pub(super) fn fill(file: &File, bytes: u64) -> bool {
    let layout = Layout::of(&file.data_set, file.order());
    let stored = stored(&file.data_set, file.order());
    if stored.is_ok_and(|stored| stored.is_some()) {
        return false;
    }
    layout.is_ok_and(|layout| layout.bytes().is_some_and(|wanted| wanted as u64 == bytes))
}

/// Bytes of a sample, and the bits of it that are stored; none if those are all, or samples are not whole bytes.
///
/// # Errors
/// [`Error::File`] if the description makes no sense.
fn stored(data_set: &DataSet, order: Endianness) -> Result<Option<(usize, Stored)>> {
    let number = |tag| short(data_set, tag, order).map(u32::from);
    let Some(allocated) = number(tags::BITS_ALLOCATED).filter(|n| matches!(n, 8 | 16 | 32)) else {
        return Ok(None);
    };
    let bits = number(tags::BITS_STORED).unwrap_or(allocated);
    let high = number(tags::HIGH_BIT).unwrap_or(bits.saturating_sub(1));
    let unsupported = |attribute, found: u32| {
        let found = found.into();
        Error::File(DicomError::Unsupported { attribute, found })
    };
    if bits == 0 || bits > allocated {
        return Err(unsupported("Bits Stored", bits));
    }
    if high + 1 < bits || high >= allocated {
        return Err(unsupported("High Bit", high));
    }
    let stored = Stored {
        low: high + 1 - bits,
        bits,
        signed: number(tags::PIXEL_REPRESENTATION) == Some(1),
    };
    Ok((bits < allocated).then_some((allocated as usize / 8, stored)))
}

/// Clears the bits beside the stored ones (PS3.5 §8.1.1), in which overlays and texts can lie; whether they said anything.
/// Compressed pixels that have such bits are decoded, and stay so.
///
/// # Errors
/// [`Error::File`] if the description makes no sense, or compressed pixels do not tell; [`Error::Pixels`] if they have such
/// bits and cannot be decoded.
pub(super) fn clear_unused_bits(file: &mut File) -> Result<bool> {
    let order = file.order();
    if !file.data_set.contains_key(&tags::PIXEL_DATA) {
        return Ok(false);
    }
    let Some((width, stored)) = stored(&file.data_set, order)? else {
        return Ok(false);
    };
    if decompress::has_unused_bits(file)? {
        decompress::decompress(file)?;
        return Ok(true);
    }
    let Some(pixels) = native(&mut file.data_set) else {
        return Ok(false);
    };
    let unused = stored.unused(pixels, width, order);
    if unused {
        clear(pixels, width, stored, order);
    }
    Ok(unused)
}

fn native(data_set: &mut DataSet) -> Option<&mut Vec<u8>> {
    match &mut data_set.get_mut(&tags::PIXEL_DATA)?.value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Checks whether bytes lie in pairs, the second first: they are in words of the other byte order.
fn swapped(data_set: &DataSet, order: Endianness) -> bool {
    let words = data_set
        .get(&tags::PIXEL_DATA)
        .is_some_and(|pixels| pixels.vr == VR::OW);
    let bytes = short(data_set, tags::BITS_ALLOCATED, order).is_some_and(|bits| bits < 16);
    order == Endianness::Big && words && bytes
}

impl Layout {
    fn of(data_set: &DataSet, order: Endianness) -> Result<Self> {
        let number = |tag, attribute| number(data_set, tag, order, attribute);
        let frames = frames(data_set)?;
        let samples = number(tags::SAMPLES_PER_PIXEL, "Samples per Pixel")?;
        let bits = number(tags::BITS_ALLOCATED, "Bits Allocated")?;
        let photometric = text(data_set, tags::PHOTOMETRIC_INTERPRETATION);
        let photometric = photometric.as_deref().unwrap_or_default();
        let subsampled = photometric.ends_with("_422") || photometric.ends_with("_420");
        let swapped = swapped(data_set, order);
        if !matches!(samples, 1 | 3) || !matches!(bits, 1 | 8 | 16 | 32) || subsampled || swapped {
            return Err(Error::CannotBlank {
                why: "samples are packed in a way that this program does not take apart",
            });
        }
        let rows = number(tags::ROWS, "Rows")?;
        let columns = number(tags::COLUMNS, "Columns")?;
        // Without pixels any number of frames would fit.
        if rows == 0 || columns == 0 {
            return Err(DicomError::Malformed.into());
        }
        Ok(Self {
            rows,
            columns,
            frames,
            samples,
            bits,
            planar: samples > 1 && short(data_set, tags::PLANAR_CONFIGURATION, order) == Some(1),
            black: match photometric {
                "YBR_FULL" if bits == 8 => [0, 128, 128],
                _ => [0; 3],
            },
        })
    }

    /// The bytes of all frames.
    fn bytes(&self) -> Option<usize> {
        let samples = self
            .rows
            .checked_mul(self.columns)?
            .checked_mul(self.samples)?;
        let bits = samples.checked_mul(self.frames)?.checked_mul(self.bits)?;
        Some(bits.div_ceil(8))
    }

    fn areas(&self, region: &Blank, data_set: &DataSet, order: Endianness) -> Result<Vec<Area>> {
        match *region {
            Blank::Rectangle { x, y, w, h } => {
                let cut = |start: u32, length: u32, limit: usize| {
                    let end = start.saturating_add(length) as usize;
                    (start as usize).min(limit)..end.min(limit)
                };
                Ok(vec![Area {
                    x: cut(x, w, self.columns),
                    y: cut(y, h, self.rows),
                }])
            }
            Blank::OutsideUltrasoundRegions => self.outside(data_set, order),
        }
    }

    /// Row by row, the runs of columns that lie in no calibrated region (PS3.3 §C.8.5.5).
    fn outside(&self, data_set: &DataSet, order: Endianness) -> Result<Vec<Area>> {
        let missing = Error::CannotBlank {
            why: "the file calibrates no ultrasound region",
        };
        let regions = data_set.get(&tags::SEQUENCE_OF_ULTRASOUND_REGIONS);
        let regions = regions.and_then(|e| e.as_items()).unwrap_or_default();
        let inside = regions
            .iter()
            .map(|region| {
                let at = |tag| long(region, tag, order).map(|n| n as usize);
                let x = at(tags::REGION_LOCATION_MIN_X0)?..at(tags::REGION_LOCATION_MAX_X1)?;
                let y = at(tags::REGION_LOCATION_MIN_Y0)?..at(tags::REGION_LOCATION_MAX_Y1)?;
                // The lower right corner belongs to the region.
                let area = Area {
                    x: x.start.min(self.columns)..x.end.saturating_add(1).min(self.columns),
                    y: y.start.min(self.rows)..y.end.saturating_add(1).min(self.rows),
                };
                (!area.x.is_empty() && !area.y.is_empty()).then_some(area)
            })
            .collect::<Option<Vec<_>>>()
            .filter(|areas| !areas.is_empty())
            .ok_or(missing)?;
        let mut outside = Vec::new();
        for row in 0..self.rows {
            let mut spans: Vec<_> = inside.iter().filter(|a| a.y.contains(&row)).collect();
            spans.sort_unstable_by_key(|area| area.x.start);
            let mut x = 0;
            for area in spans {
                if area.x.start > x {
                    outside.push(Area {
                        x: x..area.x.start,
                        y: row..row + 1,
                    });
                }
                x = x.max(area.x.end);
            }
            if x < self.columns {
                outside.push(Area {
                    x: x..self.columns,
                    y: row..row + 1,
                });
            }
        }
        Ok(outside)
    }

    /// `pixels` has all frames.
    fn fill(&self, pixels: &mut [u8], area: &Area) {
        let plane = self.rows * self.columns;
        for frame in 0..self.frames {
            let first = frame * plane * self.samples;
            for y in area.y.clone() {
                let start = y * self.columns + area.x.start;
                let length = area.x.len();
                match self.planar {
                    true => (0..self.samples).for_each(|sample| {
                        let at = first + sample * plane + start;
                        self.fill_run(pixels, at, length, &self.black[sample..=sample]);
                    }),
                    false => {
                        let at = first + start * self.samples;
                        let black = &self.black[..self.samples];
                        self.fill_run(pixels, at, length * self.samples, black);
                    }
                }
            }
        }
    }

    /// Fills samples, counted from the first of the pixel data, with a repeated pattern.
    fn fill_run(&self, pixels: &mut [u8], at: usize, samples: usize, black: &[u8]) {
        if self.bits == 1 {
            for bit in at..at + samples {
                pixels[bit / 8] &= !(1 << (bit % 8));
            }
            return;
        }
        let width = self.bits / 8;
        let run = &mut pixels[at * width..(at + samples) * width];
        match width {
            1 => run
                .iter_mut()
                .zip(black.iter().cycle())
                .for_each(|(byte, black)| *byte = *black),
            _ => run.fill(0),
        }
    }
}
