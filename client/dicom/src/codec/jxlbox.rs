//! JPEG XL's container (ISO/IEC 18181-2): the codestream taken out of its boxes, without what stands beside it.

use std::borrow::Cow;

use super::decoded::{SHORT, Undecodable};

const SIGNATURE: &[u8; 12] = b"\0\0\0\x0cJXL \r\n\x87\n";
/// The start of a codestream.
const START: [u8; 2] = [0xff, 0x0a];

/// The codestream of a frame: the frame itself, or what its boxes hold of it.
///
/// # Errors
/// The frame is neither, or cut short.
pub(super) fn codestream(frame: &[u8]) -> Result<Cow<'_, [u8]>, Undecodable> {
    if frame.starts_with(&START) {
        return Ok(Cow::Borrowed(frame));
    }
    if !frame.starts_with(SIGNATURE) {
        return Err("it does not begin with a codestream or a JPEG XL signature");
    }
    let mut stream = Vec::new();
    let mut at = SIGNATURE.len();
    // A zero of padding may stand behind the last box.
    while frame.len() - at > 1 {
        let head = frame.get(at..at + 8).ok_or(SHORT)?;
        let said = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let (begin, length) = match said {
            0 => (8, frame.len() - at),
            1 => {
                let long = frame.get(at + 8..at + 16).and_then(<[u8]>::first_chunk);
                let long = long.map(|bytes| u64::from_be_bytes(*bytes)).ok_or(SHORT)?;
                (16, usize::try_from(long).map_err(|_| SHORT)?)
            }
            said => (8, said as usize),
        };
        let end = at.checked_add(length).filter(|_| length >= begin);
        let body = end
            .and_then(|end| frame.get(at + begin..end))
            .ok_or(SHORT)?;
        match &head[4..8] {
            b"jxlc" => stream.extend(body),
            // Behind the part's number.
            b"jxlp" => stream.extend(body.get(4..).ok_or(SHORT)?),
            _ => {}
        }
        at += length;
    }
    match stream.starts_with(&START) {
        true => Ok(Cow::Owned(stream)),
        false => Err(SHORT),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32 + 8).to_be_bytes();
        [&length[..], kind, body].concat()
    }

    #[test]
    fn boxes_beside_the_codestream_go() {
        let stream = [0xff, 0x0a, 1, 2, 3];
        assert!(matches!(codestream(&stream), Ok(Cow::Borrowed(_))));
        let whole = boxed(b"jxlc", &stream);
        let parts = [
            boxed(b"jxlp", &[0, 0, 0, 0, 0xff, 0x0a, 1]),
            boxed(b"jxlp", &[0x80, 0, 0, 1, 2, 3]),
        ];
        let exif = boxed(b"Exif", b"\0\0\0\0Name");
        for file in [
            [&SIGNATURE[..], &whole].concat(),
            [&SIGNATURE[..], &exif, &whole, &exif].concat(),
            [&SIGNATURE[..], &parts[0], &exif, &parts[1], &[0]].concat(),
        ] {
            assert_eq!(codestream(&file).as_deref(), Ok(&stream[..]));
            for cut in 0..file.len() - 5 {
                let short = codestream(&file[..cut]);
                assert!(short.as_deref() != Ok(&stream[..]) || cut + exif.len() >= file.len());
            }
        }
        assert!(codestream(b"JPEG").is_err() && codestream(SIGNATURE).is_err());
    }
}
