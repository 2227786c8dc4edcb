//! The detector on pictures made here; skipped with a reason where the model is not at hand.

#![allow(clippy::unwrap_used)]

use super::boxes::{Spot, merged, of_map, turned, words};
use super::*;
use crate::view::Picture;

/// The detector, if `PCIM_TEST_TEXT_MODEL` names its model.
fn detector() -> Option<Detector> {
    let Ok(path) = std::env::var("PCIM_TEST_TEXT_MODEL") else {
        println!("skipped: PCIM_TEST_TEXT_MODEL names no text model");
        return None;
    };
    Some(Detector::of(std::fs::read(path).unwrap()).unwrap())
}

/// Letters of five by seven pixels: enough to write a name and a date.
const GLYPHS: [(char, [u8; 7]); 14] = [
    ('M', [17, 27, 21, 21, 17, 17, 17]),
    ('U', [17, 17, 17, 17, 17, 17, 14]),
    ('E', [31, 16, 16, 30, 16, 16, 31]),
    ('L', [16, 16, 16, 16, 16, 16, 31]),
    ('R', [30, 17, 17, 30, 20, 18, 17]),
    ('H', [17, 17, 17, 31, 17, 17, 17]),
    ('A', [14, 17, 17, 31, 17, 17, 17]),
    ('N', [17, 25, 21, 19, 17, 17, 17]),
    ('S', [15, 16, 16, 14, 1, 1, 30]),
    ('1', [4, 12, 4, 4, 4, 4, 14]),
    ('9', [14, 17, 17, 15, 1, 2, 12]),
    ('6', [6, 8, 16, 30, 17, 17, 14]),
    ('3', [31, 2, 4, 2, 1, 17, 14]),
    ('2', [14, 17, 1, 2, 4, 8, 31]),
];

/// Writes a text with letters of `size` times seven pixels, `level` brighter than the ground.
fn write(pixels: &mut [u8], width: usize, [x, y]: [usize; 2], size: usize, level: u8, text: &str) {
    for (place, letter) in text.chars().enumerate() {
        let Some((_, rows)) = GLYPHS.iter().find(|(known, _)| *known == letter) else {
            continue;
        };
        for (row, column) in (0..7 * size).flat_map(|row| (0..5 * size).map(move |c| (row, c))) {
            if rows[row / size] >> (4 - column / size) & 1 == 1 {
                let at = (y + row) * width + x + place * 6 * size + column;
                pixels[at] = pixels[at].saturating_add(level);
            }
        }
    }
}

/// A smooth body over noise.
fn ground(width: usize, height: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    (0..width * height)
        .map(|at| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let (x, y) = ((at % width) as f32, (at / width) as f32);
            let (dx, dy) = (x / width as f32 - 0.5, y / height as f32 - 0.5);
            let body = 90.0 * (1.0 - 4.0 * (dx * dx + dy * dy)).max(0.0);
            (20.0 + body + (state % 9) as f32) as u8
        })
        .collect()
}

#[test]
fn another_file_is_no_model() {
    for bytes in [Vec::new(), b"ONNX".to_vec(), vec![8; 4_745_517]] {
        assert!(matches!(Detector::of(bytes), Err(Error::OtherModel { .. })));
    }
}

#[test]
fn regions_of_a_map_become_boxes() {
    let mut map = vec![0.0; 64 * 32];
    for (x, y) in (10..30).flat_map(|x| (8..14).map(move |y| (x, y))) {
        map[y * 64 + x] = 0.9;
    }
    // Unsure, and too small.
    map[20 * 64 + 40..][..12].fill(0.4);
    map[25 * 64 + 50] = 1.0;
    let found = of_map(&map, 64, 1);
    assert_eq!(found.len(), 1);
    assert!(found[0].is_word);
    let edges @ [left, upper, right, lower] = found[0].edges;
    assert!(
        left < 10.0 && upper < 8.0 && right > 30.0 && lower > 14.0,
        "{edges:?}"
    );
    assert!(left > 4.0 && lower < 20.0, "{edges:?}");
    let of = |x, y, w, h| TextBox { x, y, w, h };
    let all = vec![
        of(0, 0, 4, 4),
        of(3, 3, 4, 4),
        of(20, 0, 2, 2),
        of(6, 6, 2, 2),
    ];
    assert_eq!(merged(all), [of(0, 0, 8, 8), of(20, 0, 2, 2)]);
}

#[test]
fn a_square_is_a_letter_beside_its_like_and_a_body_alone() {
    let mut map = vec![0.0; 128 * 64];
    for y in 10..40 {
        map[y * 128 + 10..][..30].fill(0.9);
    }
    let found = of_map(&map, 128, 1);
    assert_eq!((found.len(), found[0].is_word), (1, false));
    let of = |x, narrow| Spot {
        place: TextBox {
            x,
            y: 0,
            w: 40,
            h: 40,
        },
        narrow,
        is_word: false,
    };
    let words = |found: &[Spot]| words(found, [128, 64]);
    let (alone, twice, beside) = (of(0, 30.0), of(2, 30.0), of(35, 30.0));
    assert_eq!(words(&[alone]), []);
    assert_eq!(words(&[alone, twice]), [], "the same in another tile");
    assert_eq!(words(&[alone, of(35, 10.0)]), [], "beside something small");
    assert_eq!(words(&[alone, beside]), [alone.place, beside.place]);
}

#[test]
fn a_word_grows_by_a_letter_at_both_ends_within_the_picture() {
    let word = |x, y, w, h| Spot {
        place: TextBox { x, y, w, h },
        narrow: 5.0,
        is_word: true,
    };
    let of = |x, y, w, h| TextBox { x, y, w, h };
    let found = words(&[word(30, 9, 60, 10), word(10, 2, 9, 50)], [100, 64]);
    assert_eq!(found, [of(10, 9, 90, 10), of(10, 0, 9, 64)]);
}

#[test]
fn a_turned_picture_turns_back() {
    let (width, height) = (5, 3);
    for samples in [1, 3] {
        let pixels: Vec<u8> = (0..(width * height * samples) as u8).collect();
        let picture = match samples {
            3 => Picture::of_rgb(width, height, pixels),
            _ => Picture::of_grey(width, height, pixels),
        };
        let other = turned(&picture);
        assert_eq!((other.width(), other.height()), (height, width));
        for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
            let (row, column) = (width - 1 - x, y);
            let there = &other.pixels()[samples * (row * height + column)..][..samples];
            let here = &picture.pixels()[samples * (y * width + x)..][..samples];
            assert_eq!(there, here);
            let pixel = |x: usize, y: usize| TextBox {
                x: x as u32,
                y: y as u32,
                w: 1,
                h: 1,
            };
            assert_eq!(pixel(column, row).turned_back(width as u32), pixel(x, y));
        }
    }
}

#[test]
fn boxes_are_drawn_inside_of_the_picture() {
    let picture = Picture::of_grey(8, 8, vec![9; 64]);
    let box_ = TextBox {
        x: 2,
        y: 2,
        w: 60,
        h: 4,
    };
    let drawn = framed(&picture, &[box_]);
    assert!(drawn.is_colour());
    let at = |x: usize, y: usize| &drawn.pixels()[3 * (8 * y + x)..][..3];
    assert_eq!(
        (at(2, 2), at(7, 3), at(0, 0)),
        (&[255, 0, 0][..], &[255, 0, 0][..], &[9, 9, 9][..])
    );
}

#[test]
fn names_are_found_and_clean_pictures_are_not_blamed() {
    let Some(detector) = detector() else { return };
    let (mut wanted, mut found, mut false_boxes, mut clean) = (0, 0, 0, 0);
    for seed in 0..6_u32 {
        let (width, height) = (512 + 64 * (seed as usize % 3), 480);
        let plain = ground(width, height, seed * 77 + 5);
        let boxes = detector
            .picture(&Picture::of_grey(width, height, plain.clone()))
            .unwrap();
        false_boxes += boxes.len();
        clean += 1;
        for size in [2, 3] {
            let mut pixels = plain.clone();
            let place = [40 + 20 * seed as usize, 60 + 50 * seed as usize];
            write(&mut pixels, width, place, size, 110, "MUELLER HANS");
            let boxes = detector
                .picture(&Picture::of_grey(width, height, pixels))
                .unwrap();
            let middle = TextBox {
                x: (place[0] + 20 * size) as u32,
                y: (place[1] + 3 * size) as u32,
                w: 1,
                h: 1,
            };
            wanted += 1;
            found += usize::from(boxes.iter().any(|one| one.meets(middle)));
        }
    }
    println!("found {found} of {wanted}; {false_boxes} boxes in {clean} clean pictures");
    assert_eq!(found, wanted);
    assert!(5 * false_boxes <= clean, "{false_boxes} in {clean}");
}

#[test]
fn pictures_of_odd_shapes_are_looked_at() {
    let Some(detector) = detector() else { return };
    for (width, height) in [(1, 60_000), (60_000, 1), (1, 1), (33, 31), (1300, 40)] {
        let picture = Picture::of_grey(width, height, vec![0; width * height]);
        assert_eq!(
            detector.picture(&picture).unwrap(),
            [],
            "{width} × {height}"
        );
    }
    let picture = Picture::of_grey(9000, 9000, vec![0; 81_000_000]);
    assert!(matches!(
        detector.picture(&picture),
        Err(Error::TooLarge { .. })
    ));
}

/// An image of this number of frames, each with a name at another place.
fn clip(frames: usize, edge: usize) -> Vec<u8> {
    use crate::check::tests::build::part;
    use crate::check::tests::{file, image, text};
    let mut pixels = Vec::new();
    for frame in 0..frames {
        let mut picture = ground(edge, edge, 3);
        write(
            &mut picture,
            edge,
            [4, 4 + frame % (edge - 12)],
            1,
            200,
            "MUELLER HANS",
        );
        pixels.extend(picture);
    }
    let short = |tag, value: usize| part(tag, b"US", (value as u16).to_le_bytes());
    file(&image(
        "1.2.3.6",
        &[
            text(0x0028_0008, b"IS", &frames.to_string()),
            short(0x0028_0002, 1),
            short(0x0028_0010, edge),
            short(0x0028_0011, edge),
            short(0x0028_0100, 8),
            short(0x0028_0101, 8),
            short(0x0028_0102, 7),
            part(0x7fe0_0010, b"OB", pixels),
        ],
    ))
}

#[test]
fn ten_thousand_frames_of_text_end_in_a_bounded_time() {
    let Some(detector) = detector() else { return };
    let started = std::time::Instant::now();
    let found = detector.image(&clip(10_000, 96)).unwrap();
    println!("{} boxes in {:?}", found.len(), started.elapsed());
    // The text moves, and is smeared in the brightest of many frames: whether it is found is not asked.
    assert!(started.elapsed() < std::time::Duration::from_secs(240));
}
