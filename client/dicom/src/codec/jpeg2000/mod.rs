//! JPEG 2000 (ISO/IEC 15444-1), lossless and not.

mod stream;

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::decoded::{Decoded, SHORT, Undecodable};
use crate::format::Format;
pub(super) use stream::Stream;

/// The most samples of a frame: the decoder holds each several times as four bytes.
pub(super) const SAMPLES_MAX: usize = 48 << 20;
/// The most tiles, and code blocks or precincts in a tile's component: structures of their own.
const PARTS_MAX: u64 = 1 << 16;

/// The bits of a sample, by the main header.
pub(super) fn precision(data: &[u8]) -> Result<u32, Undecodable> {
    Ok(Codestream::of(&Stream::of(data)?.bytes)?.bits)
}

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Undecodable> {
    if format.rows * format.columns * format.samples > SAMPLES_MAX {
        return Err("the frame is larger than this program decodes");
    }
    let stream = Stream::of(data)?;
    let data = stream.bytes.as_slice();
    let head = Codestream::of(data)?;
    head.agrees(format)?;
    let settings = DecodeSettings {
        resolve_palette_indices: false,
        strict: true,
        target_resolution: None,
    };
    let malformed = |_| SHORT;
    let image = Image::new(data, &settings).map_err(malformed)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(malformed)?;
    let components = decoded.components();
    let plane = format.rows * format.columns;
    if components.len() != format.samples || components.iter().any(|c| c.samples().len() < plane) {
        return Err("its components are not those of the image");
    }
    let width = if head.bits > 8 { 2 } else { 1 };
    let most = ((1_u32 << head.bits) - 1) as f32;
    let middle = 1 << (head.bits - 1);
    let mut bytes = vec![0; plane * format.samples * width];
    for (number, component) in components.iter().enumerate() {
        let places = bytes.chunks_exact_mut(width).skip(number);
        let places = places.step_by(format.samples);
        for (place, sample) in places.zip(component.samples()) {
            // The decoder's levels all begin at zero.
            let level = sample.round().clamp(0.0, most) as i32;
            let value = if head.signed { level - middle } else { level };
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

/// The main header (§A.5).
pub(super) struct Codestream {
    columns: u64,
    rows: u64,
    components: usize,
    pub(super) bits: u32,
    pub(super) signed: bool,
}

impl Codestream {
    /// Checks that it is as large as the image.
    pub(super) fn agrees(&self, format: &Format) -> Result<(), Undecodable> {
        if (self.columns, self.rows) != (format.columns as u64, format.rows as u64) {
            return Err("its size is not that of the image");
        }
        match self.components == format.samples {
            true => Ok(()),
            false => Err("its components are not those of the image"),
        }
    }

    pub(super) fn of(data: &[u8]) -> Result<Self, Undecodable> {
        let short = "its header is cut short or malformed";
        let size = data.get(6..).ok_or(short)?;
        let long = |at: usize| {
            let bytes = size.get(at..at + 4).and_then(<[u8]>::first_chunk);
            bytes
                .map(|b| u64::from(u32::from_be_bytes(*b)))
                .ok_or(short)
        };
        let [x1, y1, x0, y0] = [long(2)?, long(6)?, long(10)?, long(14)?];
        let [tile_x, tile_y, tile_x0, tile_y0] = [long(18)?, long(22)?, long(26)?, long(30)?];
        let count = size.get(34..36).ok_or(short)?;
        let components = usize::from(u16::from_be_bytes([count[0], count[1]]));
        let parameters = size.get(36..36 + 3 * components).ok_or(short)?;
        let (&[first, ..], false) = (parameters, components == 0) else {
            return Err(short);
        };
        // Components may differ in their subsampling; images in DICOM have none.
        if parameters.chunks_exact(3).any(|c| c != [first, 1, 1]) {
            return Err("its components differ, or are subsampled");
        }
        let bits = u32::from(first & 0x7f) + 1;
        if bits > 16 {
            return Err("its samples have more than 16 bits");
        }
        if x1 <= x0 || y1 <= y0 || tile_x == 0 || tile_y == 0 || tile_x0 > x0 || tile_y0 > y0 {
            return Err(short);
        }
        let tiles = (x1 - tile_x0).div_ceil(tile_x) * (y1 - tile_y0).div_ceil(tile_y);
        if tiles > PARTS_MAX {
            return Err("it has more tiles than this program decodes");
        }
        let head = Self {
            columns: x1 - x0,
            rows: y1 - y0,
            components,
            bits,
            signed: first & 0x80 != 0,
        };
        head.precincts(data, tiles)?;
        Ok(head)
    }

    /// Refuses precincts so small that there would be millions (§A.6.1).
    fn precincts(&self, data: &[u8], tiles: u64) -> Result<(), Undecodable> {
        let short = "its header is cut short or malformed";
        let mut rest = &data[2..];
        while let [0xff, marker, a, b, ..] = *rest {
            if matches!(marker, 0x90 | 0x93 | 0xd9) {
                return Ok(());
            }
            let length = usize::from(u16::from_be_bytes([a, b]));
            let body = rest.get(4..2 + length).ok_or(short)?;
            let sizes = match (marker, body) {
                (0x52, &[style, _, _, _, _, levels, _, _, _, _, ref sizes @ ..])
                    if style & 1 == 1 =>
                {
                    sizes.get(..=usize::from(levels)).ok_or(short)?
                }
                (0x53, &[_, style, levels, _, _, _, _, ref sizes @ ..]) if style & 1 == 1 => {
                    sizes.get(..=usize::from(levels)).ok_or(short)?
                }
                _ => &[],
            };
            for (up, size) in sizes.iter().rev().enumerate() {
                let area = (self.columns >> up.min(32)).max(1) * (self.rows >> up.min(32)).max(1);
                let precinct = 1_u64 << ((size & 15) + (size >> 4));
                if area.div_ceil(precinct) + tiles > 4 * PARTS_MAX {
                    return Err("it has more precincts than this program decodes");
                }
            }
            rest = &rest[2 + length..];
        }
        Err(short)
    }
}
