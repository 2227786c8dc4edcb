//! Frames that are deflated, or only wrapped (PS3.5 §A.4.12, §A.4.11): native samples in fragments.

use std::io::Read;

use flate2::bufread::DeflateDecoder;

use super::decoded::{Decoded, SHORT, Undecodable};
use crate::format::Format;

/// Bytes of a frame as its pixels lie before it is deflated: of one bit, packed.
fn native_bytes(format: &Format) -> Result<usize, Undecodable> {
    match (format.subsampled, format.allocated) {
        (true, _) => Err("its pixels share their chrominance"),
        (_, 1) => Ok((format.rows * format.columns * format.samples).div_ceil(8)),
        _ => Ok(format.frame_bytes()),
    }
}

/// Inflates a frame; with it the bytes that were read of it.
fn inflate(data: &[u8], format: &Format) -> Result<(Vec<u8>, usize), Undecodable> {
    let wanted = native_bytes(format)?;
    let mut decoder = DeflateDecoder::new(data);
    let mut out = Vec::with_capacity(wanted);
    let limit = wanted as u64 + 2;
    let read = (&mut decoder).take(limit).read_to_end(&mut out);
    read.map_err(|_| SHORT)?;
    // A zero may make the length even.
    if out.len() < wanted || out.len() > wanted + wanted % 2 {
        return Err("there are fewer or more samples than pixels");
    }
    out.truncate(wanted);
    Ok((out, decoder.total_in() as usize))
}

fn unpacked(native: Vec<u8>, format: &Format) -> Decoded {
    let bytes = match (format.allocated, format.planar) {
        (1, _) => {
            let bit = |n: usize| native[n / 8] >> (n % 8) & 1;
            (0..format.rows * format.columns * format.samples)
                .map(bit)
                .collect()
        }
        (_, true) => {
            let (plane, width) = (format.rows * format.columns, format.width());
            let place = |n: usize| (n % format.samples * plane + n / format.samples) * width;
            (0..plane * format.samples)
                .flat_map(|n| native[place(n)..place(n) + width].to_vec())
                .collect()
        }
        _ => native,
    };
    Decoded {
        bytes,
        width: format.width(),
        bits: format.allocated,
        colour: None,
    }
}

pub(super) fn decode(data: &[u8], format: &Format) -> Result<Decoded, Undecodable> {
    Ok(unpacked(inflate(data, format)?.0, format))
}

/// The frame without what lies behind the deflated data; none if nothing does but a zero.
///
/// # Errors
/// The frame does not inflate to the image's pixels.
pub(super) fn stripped(data: &[u8], format: &Format) -> Result<Option<Vec<u8>>, Undecodable> {
    let (_, used) = inflate(data, format)?;
    let rest = &data[used..];
    Ok((!(rest.is_empty() || rest == [0])).then(|| data[..used].to_vec()))
}

pub(super) fn decode_wrapped(data: &[u8], format: &Format) -> Result<Decoded, Undecodable> {
    let wanted = native_bytes(format)?;
    let native = data
        .get(..wanted)
        .ok_or("there are fewer samples than pixels")?;
    Ok(unpacked(native.to_vec(), format))
}

/// The frame without what lies behind its pixels; none if nothing does but a zero.
///
/// # Errors
/// The frame is shorter than the image's.
pub(super) fn stripped_wrapped(
    data: &[u8],
    format: &Format,
) -> Result<Option<Vec<u8>>, Undecodable> {
    let wanted = native_bytes(format)?;
    let rest = data
        .get(wanted..)
        .ok_or("there are fewer samples than pixels")?;
    Ok((!(rest.is_empty() || rest == [0])).then(|| data[..wanted].to_vec()))
}
