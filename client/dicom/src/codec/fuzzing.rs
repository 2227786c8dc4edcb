//! Frames from a fuzzer, to one decoder at a time: nothing but samples of the frame's own size, or an error.

use super::{Codec, Family, decode};
use crate::format::Format;

/// Each decoder's name and the transfer syntax that leads to it.
pub const DECODERS: [(&str, &str); 8] = [
    ("rle", "1.2.840.10008.1.2.5"),
    ("jpeg", "1.2.840.10008.1.2.4.51"),
    ("lossless", "1.2.840.10008.1.2.4.70"),
    ("jpegls", "1.2.840.10008.1.2.4.80"),
    ("jpeg2000", "1.2.840.10008.1.2.4.90"),
    ("htj2k", "1.2.840.10008.1.2.4.201"),
    ("jpegxl", "1.2.840.10008.1.2.4.110"),
    ("deflated", "1.2.840.10008.1.2.8.1"),
];

/// Decodes and strips a frame: rows, columns, and a byte for samples, bits and sign, before it.
///
/// # Panics
/// If a decoder returns something else than the frame, or a stripped frame has other samples.
pub fn frame(syntax: &str, input: &[u8]) {
    let &[rows, columns, kind, ref data @ ..] = input else {
        return;
    };
    let bits = [8, 12, 16, 7][usize::from(kind & 3)];
    let samples = if kind & 4 == 0 { 1 } else { 3 };
    let mut format = Format::plain(
        usize::from(rows).max(1),
        usize::from(columns).max(1),
        samples,
        if bits > 8 { 16 } else { 8 },
    );
    (format.stored, format.high, format.signed) = (bits, bits - 1, kind & 8 != 0);
    if Codec::of(syntax).is_err() {
        return;
    }
    let decoded = decode(syntax, data, &format);
    if let Ok(frame) = &decoded {
        assert_eq!(frame.bytes.len(), format.frame_bytes());
    }
    let family = Family::of(syntax).map(|family| family.stripped(data, &format));
    if let (Ok(frame), Some(Ok(Some(stripped)))) = (decoded, family) {
        let again = decode(syntax, &stripped, &format);
        assert!(again.is_ok_and(|again| again.bytes == frame.bytes));
    }
}
