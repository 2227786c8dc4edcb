//! Bytes of files changed at random, by a seed: no panic, no hang, and what was planted is found unless it was hit.

use super::build::fragments;
use super::*;

/// A generator that needs no crate (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize
    }
}

#[test]
fn changed_bytes_make_no_harm() {
    let parts = [
        text(0x0010_0010, b"PN", "Grundmann^Eva"),
        text(0x0010_0020, b"LO", "PID-77120"),
        text(0x0008_0020, b"DA", "20200105"),
        sequence(
            0x0008_1140,
            &[item(&[uid(0x0008_1155, "1.2.3.4")]), item(&[])],
        ),
        sequence(0x0040_a730, &[item(&[sequence(0x0040_a730, &[])])]),
    ];
    let encapsulated = [
        &parts[..],
        &[fragments(
            0x7fe0_0010,
            &[
                b"",
                b"\xff\xd8\xff\xfe\0\x08letter\xff\xda\0\x02\x01\xff\xd9",
            ],
        )],
    ]
    .concat();
    let mut random = Random(0x5eed_1234_5678_9abc);
    let bases: Vec<Vec<u8>> = Syntax::ALL
        .iter()
        .flat_map(|syntax| {
            [
                build::file_of(*syntax, true, &image("1.2.3", &parts)),
                build::file_as(
                    *syntax,
                    false,
                    "1.2.840.10008.1.2.4.50",
                    &image("1.2.3", &encapsulated),
                ),
            ]
        })
        .collect();
    let mut found_something = 0;
    for round in 0..4000 {
        let mut bytes = bases[round % bases.len()].clone();
        for _ in 0..=random.next() % 6 {
            let at = random.next() % bytes.len();
            match random.next() % 4 {
                0 => bytes[at] = random.next() as u8,
                1 => bytes[at] ^= 1 << (random.next() % 8),
                2 => bytes.truncate(at.max(140)),
                _ => {
                    let from = random.next() % bytes.len();
                    let piece = bytes[from..(from + 16).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        let before = &bases[random.next() % bases.len()];
        found_something += usize::from(!check(Purpose::Care, before, &bytes).is_clean());
        fuzz(&[before.as_slice(), &bytes].concat());
    }
    assert_eq!(found_something, 4000);
}
