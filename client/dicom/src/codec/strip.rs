//! Frames without what no decoder needs: application segments, comments, bytes behind the end.

use super::decoded::{SHORT, Undecodable};
use super::jpeg2000::Stream;
#[cfg(feature = "modern-codecs")]
use super::jpegxl;
use super::marker::{EOI, SOI, SOS, Segments};
use super::{deflated, rle};
use crate::format::Format;

/// Families of codestreams that are taken apart alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Jpeg,
    JpegLs,
    Jpeg2000,
    Rle,
    JpegXl,
    Deflated,
    Wrapped,
}

impl Family {
    /// The family of a transfer syntax; none for one whose frames are not taken apart.
    pub(crate) fn of(syntax: &str) -> Option<Self> {
        let last = syntax.strip_prefix("1.2.840.10008.1.2.")?;
        Some(match last {
            "5" => Self::Rle,
            "4.50" | "4.51" | "4.52" | "4.53" | "4.54" | "4.55" | "4.56" | "4.57" | "4.58"
            | "4.59" | "4.60" | "4.61" | "4.62" | "4.63" | "4.64" | "4.65" | "4.66" | "4.70" => {
                Self::Jpeg
            }
            "4.80" | "4.81" => Self::JpegLs,
            "4.90" | "4.91" | "4.92" | "4.93" | "4.201" | "4.202" | "4.203" => Self::Jpeg2000,
            "4.110" | "4.111" | "4.112" => Self::JpegXl,
            "8.1" => Self::Deflated,
            "1.98" => Self::Wrapped,
            _ => return None,
        })
    }

    /// Checks whether each fragment is a frame, and says so by nothing of its own.
    pub(crate) fn is_silent(self) -> bool {
        matches!(self, Self::Deflated | Self::Wrapped)
    }

    /// The family's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::JpegLs => "JPEG-LS",
            Self::Jpeg2000 => "JPEG 2000",
            Self::Rle => "RLE",
            Self::JpegXl => "JPEG XL",
            Self::Deflated => "deflated",
            Self::Wrapped => "encapsulated",
        }
    }

    /// Checks whether a fragment begins a frame.
    pub(crate) fn begins(self, fragment: &[u8]) -> bool {
        match self {
            Self::Rle => rle::begins(fragment),
            Self::Jpeg | Self::JpegLs => fragment.starts_with(&[0xff, SOI]),
            Self::JpegXl => {
                fragment.starts_with(&[0xff, 0x0a]) || fragment.starts_with(b"\0\0\0\x0cJXL ")
            }
            Self::Deflated | Self::Wrapped => true,
            Self::Jpeg2000 => {
                fragment.starts_with(&[0xff, 0x4f]) || fragment.starts_with(b"\0\0\0\x0cjP")
            }
        }
    }

    /// The frame without what no decoder needs; none if there is nothing of it.
    ///
    /// # Errors
    /// The frame is cut short or malformed.
    pub(crate) fn stripped(
        self,
        frame: &[u8],
        format: &Format,
    ) -> Result<Option<Vec<u8>>, Undecodable> {
        match self {
            Self::Rle => rle::stripped(frame, format),
            Self::Jpeg => segments(frame, 1, jpeg),
            Self::JpegLs => segments(frame, 0x80, jpegls),
            Self::Jpeg2000 => {
                let stream = Stream::of(frame)?;
                Ok((!stream.whole).then_some(stream.bytes))
            }
            #[cfg(feature = "modern-codecs")]
            Self::JpegXl => jpegxl::stripped(frame),
            #[cfg(not(feature = "modern-codecs"))]
            Self::JpegXl => {
                Err("this program, built without `modern-codecs`, cannot tell where it ends")
            }
            Self::Deflated => deflated::stripped(frame, format),
            Self::Wrapped => deflated::stripped_wrapped(frame, format),
        }
    }
}

/// What stays of a segment.
enum Kept<'a> {
    All,
    /// The first bytes of its parameters, by their number, and these behind them.
    Part(&'a [u8], &'static [u8]),
    Nothing,
}

/// Of JPEG: what is not an application's, and of those JFIF without its thumbnail, Adobe's colours and ICC profiles.
fn jpeg(marker: u8, body: &[u8]) -> Kept<'_> {
    match (marker, body) {
        (0xe0, [b'J', b'F', b'I', b'F', 0, _, _, _, _, _, _, _, 0, 0]) => Kept::All,
        (0xe0, body) if body.starts_with(b"JFIF\0") && body.len() >= 14 => {
            Kept::Part(&body[..12], &[0, 0])
        }
        (0xe2, body) if body.starts_with(b"ICC_PROFILE\0") => Kept::All,
        (0xee, body) if body.starts_with(b"Adobe") && body.len() == 12 => Kept::All,
        (0xee, body) if body.starts_with(b"Adobe") && body.len() > 12 => {
            Kept::Part(&body[..12], &[])
        }
        (0xe0..=0xef | 0xfe, _) => Kept::Nothing,
        (0xf0..=0xfd, _) => Kept::Nothing,
        _ => Kept::All,
    }
}

/// Of JPEG-LS the same, and the colour transform that is not of the standard.
fn jpegls(marker: u8, body: &[u8]) -> Kept<'_> {
    match (marker, body) {
        (0xf7 | 0xf8, _) => Kept::All,
        (0xe8, body) if body.starts_with(b"mrfx") && body.len() == 5 => Kept::All,
        (0xe0..=0xfe, _) => Kept::Nothing,
        _ => Kept::All,
    }
}

fn segments(
    frame: &[u8],
    stuffed: u8,
    kept: fn(u8, &[u8]) -> Kept<'_>,
) -> Result<Option<Vec<u8>>, Undecodable> {
    let mut segments = Segments::new(frame, stuffed)?;
    let mut out = vec![0xff, SOI];
    let (mut changed, mut scans) = (false, 0);
    // Scans may be missing an end of image behind them, and nothing else.
    while segments.position() < frame.len() || scans == 0 {
        let rest = &frame[segments.position()..];
        if scans > 0 && rest.iter().all(|byte| *byte == 0) {
            break;
        }
        let segment = segments.next()?;
        match segment.marker {
            EOI if scans == 0 => return Err(SHORT),
            EOI => {
                out.extend([0xff, EOI]);
                let rest = &frame[segment.end..];
                changed |= !(rest.is_empty() || rest == [0]);
                return Ok(changed.then_some(out));
            }
            SOI => return Err(SHORT),
            SOS => {
                scans += 1;
                out.extend(&frame[segment.start..segment.end]);
                out.extend(segments.coded());
            }
            marker => match kept(marker, segment.body) {
                Kept::All => out.extend(&frame[segment.start..segment.end]),
                Kept::Nothing => changed = true,
                Kept::Part(part, more) => {
                    changed = true;
                    let length = (2 + part.len() + more.len()) as u16;
                    out.extend([0xff, marker]);
                    out.extend(length.to_be_bytes());
                    out.extend(part);
                    out.extend(more);
                }
            },
        }
    }
    Ok(changed.then_some(out))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16 + 2).to_be_bytes();
        [&[0xff, marker], length.as_slice(), body].concat()
    }

    #[test]
    fn segments_that_no_decoder_needs_go() {
        let jfif = b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0";
        let table = segment(0xdb, &[0; 65]);
        let scan = [
            segment(SOS, &[1, 1, 0, 0, 63, 0]),
            vec![1, 0xff, 0, 2, 0xff, 0xd0, 3],
        ]
        .concat();
        let whole = |between: &[u8], behind: &[u8]| {
            [&[0xff, SOI], between, &table, &scan, &[0xff, EOI], behind].concat()
        };
        let strip = |frame: &[u8]| segments(frame, 1, jpeg);
        let icc = segment(0xe2, b"ICC_PROFILE\0\x01\x01profile");
        let adobe = segment(0xee, b"Adobe\0d\0\0\0\0\x01");
        let kept = [segment(0xe0, jfif), icc, adobe].concat();
        assert_eq!(strip(&whole(&kept, &[])), Ok(None));
        assert_eq!(strip(&whole(&kept, &[0])), Ok(None));
        let bare = whole(&[], &[]);
        for (between, behind) in [
            (segment(0xfe, b"Name"), &[][..]),
            (segment(0xe1, b"Exif\0\0Name"), &[]),
            (segment(0xe0, b"JFXX\0Name"), &[]),
            (segment(0xed, b"Photoshop 3.0\0Name"), &[]),
            (Vec::new(), b"Name"),
            (Vec::new(), &bare),
        ] {
            assert_eq!(strip(&whole(&between, behind)), Ok(Some(bare.clone())));
        }
        let mut thumbnail = jfif.to_vec();
        thumbnail[12..].copy_from_slice(&[1, 1]);
        thumbnail.extend(b"RGB");
        let stripped = strip(&whole(&segment(0xe0, &thumbnail), &[]));
        assert_eq!(stripped, Ok(Some(whole(&segment(0xe0, jfif), &[]))));
        let long = segment(0xee, b"Adobe\0d\0\0\0\0\x01Name");
        let short = segment(0xee, b"Adobe\0d\0\0\0\0\x01");
        assert_eq!(strip(&whole(&long, &[])), Ok(Some(whole(&short, &[]))));
        for cut in 0..bare.len() - scan.len() - 2 {
            assert!(strip(&bare[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn jpeg_ls_loses_its_comments() {
        let frame = |between: &[u8]| {
            let start = segment(0xf7, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
            let scan = segment(SOS, &[1, 1, 0, 0, 0, 0]);
            [
                &[0xff, SOI],
                between,
                &start,
                &scan,
                &[1, 0xff, 0x7f, 2, 0xff, EOI],
            ]
            .concat()
        };
        let strip = |frame: &[u8]| segments(frame, 0x80, jpegls);
        let preset = segment(0xf8, &[1; 11]);
        assert_eq!(strip(&frame(&preset)), Ok(None));
        for between in [segment(0xfe, b"Name"), segment(0xe8, b"SPIFF\0Name")] {
            assert_eq!(strip(&frame(&between)), Ok(Some(frame(&[]))));
        }
    }
}
