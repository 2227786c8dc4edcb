//! The bytes that are sent to terminals.

use std::io::Read;

use super::*;

fn gradient(samples: usize) -> Picture {
    let pixels = (0..64 * 40 * samples)
        .map(|n| (n * 7 % 256) as u8)
        .collect();
    match samples {
        3 => Picture::rgb(64, 40, pixels),
        _ => Picture::grey(64, 40, pixels),
    }
}

#[test]
fn a_png_holds_the_pixels_and_nothing_else() {
    for samples in [1, 3] {
        let picture = gradient(samples);
        let png = picture.png();
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
        let (mut at, mut names, mut packed) = (8, Vec::new(), Vec::new());
        while at < png.len() {
            let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
            let (name, content) = (&png[at + 4..at + 8], &png[at + 8..at + 8 + length]);
            names.push(String::from_utf8(name.to_vec()).unwrap());
            let sum = crc32fast::hash(&png[at + 4..at + 8 + length]);
            assert_eq!(png[at + 8 + length..at + 12 + length], sum.to_be_bytes());
            if name == b"IDAT" {
                packed.extend_from_slice(content);
            }
            at += 12 + length;
        }
        assert_eq!(names, ["IHDR", "IDAT", "IEND"]);
        let mut rows = Vec::new();
        let mut inflate = flate2::read::ZlibDecoder::new(&packed[..]);
        inflate.read_to_end(&mut rows).unwrap();
        let mut pixels = Vec::new();
        for row in rows.chunks(1 + 64 * samples) {
            assert_eq!(row[0], 1);
            let mut line = row[1..].to_vec();
            for n in samples..line.len() {
                line[n] = line[n].wrapping_add(line[n - samples]);
            }
            pixels.extend(line);
        }
        assert_eq!(pixels, picture.pixels());
    }
}

#[test]
fn each_protocol_is_framed_as_it_should_be() {
    let picture = gradient(3);
    let text = |protocol| String::from_utf8(inline(&picture, protocol)).unwrap();
    let kitty = text(Protocol::Kitty);
    let parts: Vec<&str> = kitty.trim_end().split_terminator("\x1b\\").collect();
    assert!(parts[0].starts_with("\x1b_Ga=T,f=100,q=2,m="));
    for (number, part) in parts.iter().enumerate() {
        let (keys, data) = part.split_once(';').unwrap();
        assert!(data.len() <= 4096 && data.len().is_multiple_of(4));
        assert_eq!(keys.ends_with("m=0"), number + 1 == parts.len());
    }
    let iterm2 = text(Protocol::Iterm2);
    let size = picture.png().len();
    assert!(iterm2.starts_with(&format!("\x1b]1337;File=inline=1;size={size}:iVBORw0KGgo")));
    assert!(iterm2.ends_with("\x07\n"));
    let sixel = text(Protocol::Sixel);
    assert!(sixel.starts_with("\x1bP0;1q\"1;1;64;40#0;2;0;0;0#1;2;0;0;20"));
    assert!(sixel.ends_with("-\x1b\\\n"));
    // Seven bands of six rows, and in each band every column in some colour.
    assert_eq!(sixel.matches('-').count(), 7);
}
