//! JPEG XL (ISO/IEC 18181), lossless and not.

use std::borrow::Cow;
use std::io::Cursor;

use jxl_oxide::{AllocTracker, JxlImage, JxlThreadPool};

use super::decoded::{Decoded, SHORT, Undecodable};
use super::jxlbox;
use crate::format::{Colour, Format};

/// The most samples of a frame: the decoder holds each several times as four bytes.
const SAMPLES_MAX: usize = 48 << 20;
/// The most bytes that the decoder may set aside.
const MEMORY_MAX: usize = 1 << 30;

/// The bits of a sample.
pub(super) fn precision(data: &[u8]) -> Result<u32, Undecodable> {
    let stream = jxlbox::codestream(data)?;
    let image = open(&stream)?;
    bits(&image)
}

fn open(stream: &[u8]) -> Result<JxlImage, Undecodable> {
    JxlImage::builder()
        .pool(JxlThreadPool::none())
        .alloc_tracker(AllocTracker::with_limit(MEMORY_MAX))
        .read(Cursor::new(stream))
        .map_err(|_| SHORT)
}

/// The codestream alone, without boxes and bytes behind its end; none if the frame is that, and at most a zero of padding.
///
/// # Errors
/// It is cut short, or names a frame: the name cannot be taken out.
pub(super) fn stripped(frame: &[u8]) -> Result<Option<Vec<u8>>, Undecodable> {
    let stream = jxlbox::codestream(frame)?;
    let image = open(&stream)?;
    let mut frames = (0..image.num_loaded_frames()).map_while(|number| image.frame(number));
    if frames.any(|frame| !frame.header().name.is_empty()) {
        return Err("it has a name in it, which cannot be taken out");
    }
    if !image.is_loading_done() {
        return Err(SHORT);
    }
    let length = length(&stream);
    let padded = stream.len() == length + 1 && stream[length] == 0;
    let bare = matches!(stream, Cow::Borrowed(_)) && (padded || stream.len() == length);
    Ok((!bare).then(|| stream[..length].to_vec()))
}

/// The bytes of the shortest beginning of a whole codestream that is whole itself.
fn length(stream: &[u8]) -> usize {
    let whole = |length| open(&stream[..length]).is_ok_and(|image| image.is_loading_done());
    let (mut short, mut long) = (0, stream.len());
    // Most have nothing behind their end, or a zero.
    for guess in [stream.len() - 1, stream.len().saturating_sub(2)] {
        match whole(guess) {
            true => long = guess,
            false => {
                short = guess;
                break;
            }
        }
    }
    while long - short > 1 {
        let middle = short + (long - short) / 2;
        match whole(middle) {
            true => long = middle,
            false => short = middle,
        }
    }
    long
}

fn bits(image: &JxlImage) -> Result<u32, Undecodable> {
    let metadata = &image.image_header().metadata;
    match metadata.bit_depth {
        jxl_oxide::image::BitDepth::IntegerSample { bits_per_sample } => match bits_per_sample {
            1..=16 => Ok(bits_per_sample),
            _ => Err("its samples have more than 16 bits"),
        },
        jxl_oxide::image::BitDepth::FloatSample { .. } => Err("its samples are floating-point"),
    }
}

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Undecodable> {
    if format.signed {
        return Err("JPEG XL has no samples with a sign");
    }
    let plane = format.rows * format.columns;
    if plane * format.samples > SAMPLES_MAX {
        return Err("the frame is larger than this program decodes");
    }
    let stream = jxlbox::codestream(data)?;
    let image = open(&stream)?;
    let bits = bits(&image)?;
    let metadata = &image.image_header().metadata;
    if (image.width() as usize, image.height() as usize) != (format.columns, format.rows) {
        return Err("its size is not that of the image");
    }
    if metadata.orientation != 1 {
        return Err("it is turned");
    }
    if !metadata.ec_info.is_empty() || metadata.animation.is_some() || metadata.preview.is_some() {
        return Err("it has channels or pictures beside that of the image");
    }
    if image.num_loaded_keyframes() != 1 || !image.is_loading_done() {
        return Err(SHORT);
    }
    let render = image.render_frame(0).map_err(|_| SHORT)?;
    let mut samples = render.stream_no_alpha();
    let found = (
        samples.width() as usize,
        samples.height() as usize,
        samples.channels() as usize,
    );
    if found != (format.columns, format.rows, format.samples) {
        return Err("its components are not those of the image");
    }
    let mut wide = vec![0_u16; plane * format.samples];
    if samples.write_to_buffer(&mut wide) != wide.len() {
        return Err(SHORT);
    }
    // The whole range of 16 bits is that of the samples.
    let most = (1_u64 << bits) - 1;
    let scaled = |level: &u16| (u64::from(*level) * most + 32_767) / 65_535;
    let width = if bits > 8 { 2 } else { 1 };
    let bytes = match width {
        1 => wide.iter().map(|level| scaled(level) as u8).collect(),
        _ => wide
            .iter()
            .flat_map(|level| (scaled(level) as u16).to_le_bytes())
            .collect(),
    };
    Ok(Decoded {
        bytes,
        width,
        bits,
        // What a JPEG file held as luminance and chrominance is shown as RGB.
        colour: (format.samples == 3).then_some(Colour::Rgb),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Grey, 8 × 8, lossless; by libjxl.
    const STREAM: &str =
        "ff0a414050dc080804010060004b2824c6970a129262d234404f80072c60010b58c0021600";

    #[test]
    fn bytes_behind_the_codestream_go() {
        let stream = hex::decode(STREAM).unwrap();
        assert_eq!(stripped(&stream), Ok(None));
        assert_eq!(stripped(&[&stream[..], &[0]].concat()), Ok(None));
        for tail in [&b"N"[..], b"\0\0", b"Name^Given", &stream, &[7; 5000]] {
            let long = [&stream[..], tail].concat();
            assert_eq!(stripped(&long), Ok(Some(stream.clone())));
        }
        for cut in 0..stream.len() {
            assert!(stripped(&stream[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn boxes_and_what_stands_behind_the_codestream_in_one_go() {
        let stream = hex::decode(STREAM).unwrap();
        for tail in [&b""[..], b"Name"] {
            let length = (8 + stream.len() + tail.len()) as u32;
            let boxed = [
                b"\0\0\0\x0cJXL \r\n\x87\n",
                &length.to_be_bytes()[..],
                b"jxlc",
                &stream,
                tail,
            ]
            .concat();
            assert_eq!(stripped(&boxed), Ok(Some(stream.clone())));
        }
    }
}
