//! JPEG (ISO/IEC 10918-1): baseline and sequential of 8 bits, lossless of up to 16.

use jpeg_decoder::{CodingProcess, ColorTransform, Decoder, Error, PixelFormat};

use super::super::format::{Colour, FRAME_MAX, Format};
use super::decoded::{Decoded, Why};

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Why> {
    let head = JpegHeader::of(data)?;
    if (head.columns, head.rows) != (format.columns, format.rows) {
        return Err("its size is not that of the image");
    }
    if head.components != format.samples {
        return Err("its components are not those of the image");
    }
    let mut decoder = Decoder::new(data);
    decoder.set_max_decoding_buffer_size(FRAME_MAX as usize);
    if head.components == 3 {
        // As they are: the image says what they mean.
        decoder.set_color_transform(ColorTransform::RGB);
    }
    decoder.read_info().map_err(why)?;
    let info = decoder.info().ok_or("there is no frame")?;
    if info.coding_process == CodingProcess::DctProgressive {
        return Err("it is progressive");
    }
    let mut bytes = decoder.decode().map_err(why)?;
    let width = match info.pixel_format {
        PixelFormat::L16 => 2,
        _ => 1,
    };
    if width == 2 && cfg!(target_endian = "big") {
        bytes
            .chunks_exact_mut(2)
            .for_each(|sample| sample.swap(0, 1));
    }
    Ok(Decoded {
        bytes,
        width,
        bits: head.precision,
        signed: false,
        colour: head.colour(),
    })
}

fn why(error: Error) -> Why {
    match error {
        Error::Unsupported(jpeg_decoder::UnsupportedFeature::SamplePrecision(_)) => {
            "samples of other than 8 bits are not supported"
        }
        Error::Unsupported(_) => "its process is not supported",
        _ => "it is cut short or malformed",
    }
}

/// The frame header and the segments before it.
struct JpegHeader {
    rows: usize,
    columns: usize,
    precision: u32,
    components: usize,
    /// Whether the components' identifiers spell RGB.
    rgb: bool,
    jfif: bool,
}

impl JpegHeader {
    fn of(data: &[u8]) -> Result<Self, Why> {
        let short = "its header is cut short or malformed";
        let mut jfif = false;
        let mut rest = data.strip_prefix(&[0xff, 0xd8]).ok_or(short)?;
        loop {
            let (marker, length) = match *rest {
                // Fill bytes.
                [0xff, 0xff, ..] => {
                    rest = &rest[1..];
                    continue;
                }
                [0xff, marker, a, b, ..] => (marker, usize::from(u16::from_be_bytes([a, b]))),
                _ => return Err(short),
            };
            let body = rest.get(4..2 + length).ok_or(short)?;
            match (marker, body) {
                // Start of frame, but for the tables' markers between them.
                (0xc0..=0xcf, _) if matches!(marker, 0xc4 | 0xc8 | 0xcc) => {}
                (0xc0..=0xcf, &[precision, y, y2, x, x2, count, ref components @ ..]) => {
                    let names: Vec<u8> = components.chunks(3).map(|c| c[0]).collect();
                    return Ok(Self {
                        rows: usize::from(u16::from_be_bytes([y, y2])),
                        columns: usize::from(u16::from_be_bytes([x, x2])),
                        precision: match precision {
                            1..=16 => precision.into(),
                            _ => return Err("its precision is none"),
                        },
                        components: count.into(),
                        rgb: matches!(names.as_slice(), b"RGB" | b"rgb"),
                        jfif,
                    });
                }
                (0xe0, body) => jfif |= body.starts_with(b"JFIF\0"),
                (0xd8..=0xda, _) => return Err(short),
                _ => {}
            }
            rest = &rest[2 + length..];
        }
    }

    /// The colours that the data themselves claim; else the image says.
    fn colour(&self) -> Option<Colour> {
        match (self.rgb, self.jfif) {
            (true, _) => Some(Colour::Rgb),
            (false, true) => Some(Colour::YbrFull),
            _ => None,
        }
    }
}
