//! The segments before the first scan: the frame header, and the colours that an application's segment names.

use crate::codec::decoded::{SHORT, Undecodable};
use crate::format::{Colour, Format};

/// A component of a frame (T.81 §B.2.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub(super) name: u8,
    /// Sampling factors, across and down.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Destination of its quantization table.
    pub(super) table: usize,
}

/// The frame header.
#[derive(Debug)]
pub(super) struct FrameHeader {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) precision: u32,
    pub(super) components: Vec<Component>,
    pub(super) lossless: bool,
}

impl FrameHeader {
    /// Reads the body of a start of frame; it must be what the image says.
    pub(super) fn of(marker: u8, body: &[u8], format: &Format) -> Result<Self, Undecodable> {
        let lossless = match marker {
            0xc0 | 0xc1 => false,
            0xc3 => true,
            0xc2 => return Err("it is progressive, which is not supported"),
            0xc5..=0xc7 => return Err("it is hierarchical, which is not supported"),
            _ => return Err("it has arithmetic codes, which are not supported"),
        };
        let &[precision, y, y2, x, x2, count, ref rest @ ..] = body else {
            return Err(SHORT);
        };
        let rows = usize::from(u16::from_be_bytes([y, y2]));
        let columns = usize::from(u16::from_be_bytes([x, x2]));
        if rows == 0 {
            return Err("its number of lines comes behind the first scan, which is not supported");
        }
        if (columns, rows) != (format.columns, format.rows) {
            return Err("its size is not that of the image");
        }
        if usize::from(count) != format.samples || rest.len() != 3 * format.samples {
            return Err("its components are not those of the image");
        }
        let fits = match (lossless, marker) {
            (true, _) => (2..=16).contains(&precision),
            (false, 0xc0) => precision == 8,
            (false, _) => matches!(precision, 8 | 12),
        };
        if !fits {
            return Err("its precision is none of its process");
        }
        let components = rest.chunks_exact(3).map(|c| Component {
            name: c[0],
            across: usize::from(c[1] >> 4),
            down: usize::from(c[1] & 15),
            table: usize::from(c[2]),
        });
        let components: Vec<Component> = components.collect();
        for (number, component) in components.iter().enumerate() {
            let factors = 1..=4;
            if !factors.contains(&component.across) || !factors.contains(&component.down) {
                return Err("its sampling factors are none");
            }
            let names = components[..number].iter().map(|c| c.name);
            if names.into_iter().any(|name| name == component.name) {
                return Err("two of its components have one name");
            }
        }
        Ok(Self {
            rows,
            columns,
            precision: precision.into(),
            components,
            lossless,
        })
    }

    /// Whether the components' names spell RGB.
    pub(super) fn spells_rgb(&self) -> bool {
        let names = self.components.iter().map(|c| c.name.to_ascii_uppercase());
        names.eq(*b"RGB")
    }
}

/// A scan header (§B.2.3).
pub(super) struct ScanHeader {
    /// Each component's number in the frame, and the destinations of its tables.
    pub(super) components: Vec<(usize, usize, usize)>,
    /// The first coefficient; the predictor of a lossless scan.
    pub(super) first: u8,
    /// The point transform, with what a progressive scan has besides.
    pub(super) transform: u8,
}

impl ScanHeader {
    pub(super) fn of(body: &[u8], frame: &FrameHeader) -> Result<Self, Undecodable> {
        let (&count, rest) = body.split_first().ok_or(SHORT)?;
        let (named, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or(SHORT)?;
        let &[first, _, transform] = rest else {
            return Err(SHORT);
        };
        let components = named.chunks_exact(2).map(|c| {
            let number = frame.components.iter().position(|it| it.name == c[0])?;
            Some((number, usize::from(c[1] >> 4), usize::from(c[1] & 15)))
        });
        let components: Vec<_> = components
            .collect::<Option<_>>()
            .ok_or("a scan has a component that the frame has not")?;
        if components.is_empty() {
            return Err(SHORT);
        }
        Ok(Self {
            components,
            first,
            transform,
        })
    }
}

/// The colours that application segments name.
#[derive(Default)]
pub(super) struct Application {
    jfif: bool,
    /// Adobe's colour transform.
    adobe: Option<u8>,
}

impl Application {
    /// Reads an application segment.
    pub(super) fn read(&mut self, marker: u8, body: &[u8]) {
        match (marker, body) {
            (0xe0, body) if body.starts_with(b"JFIF\0") => self.jfif = true,
            (
                0xee,
                [
                    b'A',
                    b'd',
                    b'o',
                    b'b',
                    b'e',
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    transform,
                    ..,
                ],
            ) => {
                self.adobe = Some(*transform);
            }
            _ => {}
        }
    }

    /// The colours of three components; none if only the image says. JFIF knows no other than YBR, Adobe's segment counts
    /// where it is absent, the components' names come last. Where the two contradict each other the image decides.
    pub(super) fn colour(&self, frame: &FrameHeader) -> Option<Colour> {
        match (self.jfif, self.adobe) {
            (true, Some(0)) => None,
            (true, _) => Some(Colour::YbrFull),
            (false, Some(0)) => Some(Colour::Rgb),
            (false, Some(1)) => Some(Colour::YbrFull),
            _ => frame.spells_rgb().then_some(Colour::Rgb),
        }
    }
}
