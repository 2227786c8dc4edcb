//! Pictures inside a terminal: the escape sequences of three protocols.

use std::str::FromStr;

use super::picture::Picture;

/// The longest edge of a preview, in pixels.
const EDGE: usize = 640;
/// The most base64 characters of a part.
const PART: usize = 4096;
/// Levels of each colour in the palette of a sixel picture of colours, and of grey in one of greys.
const LEVELS: usize = 6;
const GREYS: usize = 64;

/// A protocol by which a terminal takes a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The kitty graphics protocol: kitty, Ghostty, Konsole.
    Kitty,
    /// The inline images of iTerm2, WezTerm and others.
    Iterm2,
    /// Sixel graphics (DEC): xterm, foot, mlterm and others.
    Sixel,
}

impl FromStr for Protocol {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "kitty" => Ok(Self::Kitty),
            "iterm2" => Ok(Self::Iterm2),
            "sixel" => Ok(Self::Sixel),
            _ => Err("wanted kitty, iterm2 or sixel"),
        }
    }
}

/// Writes the sequences that make a terminal show the picture, made small enough for it, with a line's end behind them.
#[must_use]
pub fn inline(picture: &Picture, protocol: Protocol) -> Vec<u8> {
    let small = picture.fitted(EDGE);
    let mut out = match protocol {
        Protocol::Kitty => kitty(&small),
        Protocol::Iterm2 => iterm2(&small),
        Protocol::Sixel => sixel(&small),
    };
    out.push(b'\n');
    out
}

fn kitty(picture: &Picture) -> Vec<u8> {
    let text = base64(&picture.png());
    let mut parts = text.as_bytes().chunks(PART).peekable();
    let mut out = Vec::new();
    // Transmit and show a PNG, and answer nothing.
    let mut keys = "a=T,f=100,q=2,";
    while let Some(part) = parts.next() {
        let more = u8::from(parts.peek().is_some());
        out.extend(format!("\x1b_G{keys}m={more};").as_bytes());
        out.extend(part);
        out.extend(b"\x1b\\");
        keys = "";
    }
    out
}

fn iterm2(picture: &Picture) -> Vec<u8> {
    let png = picture.png();
    let head = format!("\x1b]1337;File=inline=1;size={}:", png.len());
    [head.as_bytes(), base64(&png).as_bytes(), b"\x07"].concat()
}

fn sixel(picture: &Picture) -> Vec<u8> {
    let (width, height) = (picture.width(), picture.height());
    let mut out = format!("\x1bP0;1q\"1;1;{width};{height}").into_bytes();
    let percent = |level: usize, levels: usize| level * 100 / (levels - 1);
    let colours = if picture.is_colour() {
        LEVELS * LEVELS * LEVELS
    } else {
        GREYS
    };
    for colour in 0..colours {
        let [r, g, b] = match picture.is_colour() {
            true => [
                colour / (LEVELS * LEVELS),
                colour / LEVELS % LEVELS,
                colour % LEVELS,
            ]
            .map(|level| percent(level, LEVELS)),
            false => [percent(colour, GREYS); 3],
        };
        out.extend(format!("#{colour};2;{r};{g};{b}").as_bytes());
    }
    let register = |x: usize, y: usize| {
        let nearest = |value: u8, levels: usize| (usize::from(value) * (levels - 1) + 127) / 255;
        let [r, g, b] = picture.colour_at(x, y);
        match picture.is_colour() {
            true => [r, g, b]
                .iter()
                .fold(0, |n, value| n * LEVELS + nearest(*value, LEVELS)),
            false => nearest(r, GREYS),
        }
    };
    // Six rows at a time, colour by colour.
    for top in (0..height).step_by(6) {
        let mut bands: Vec<Option<Vec<u8>>> = vec![None; colours];
        for y in top..(top + 6).min(height) {
            for x in 0..width {
                let band = bands[register(x, y)].get_or_insert_with(|| vec![0; width]);
                band[x] |= 1 << (y - top);
            }
        }
        for (colour, band) in bands.iter().enumerate() {
            let Some(band) = band else { continue };
            out.extend(format!("#{colour}").as_bytes());
            for run in band.chunk_by(|a, b| a == b) {
                let character = 63 + run[0];
                match run.len() {
                    1..=3 => out.resize(out.len() + run.len(), character),
                    length => {
                        out.extend(format!("!{length}").as_bytes());
                        out.push(character);
                    }
                }
            }
            out.push(b'$');
        }
        out.push(b'-');
    }
    out.extend(b"\x1b\\");
    out
}

/// Encodes bytes in base 64 (RFC 4648 §4), padded.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0, |n, at| {
            n << 8 | usize::from(group.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            text.push(match digit <= group.len() {
                true => char::from(DIGITS[number >> (18 - 6 * digit) & 63]),
                false => '=',
            });
        }
    }
    text
}
