//! Finds many texts in many bytes at once, whatever case their ASCII letters have.
//!
//! Each position costs a few instructions: a bit tells whether any text begins with the four bytes there. Behind it, one
//! search in a sorted list; no input makes it more than that and [`LENGTH_MAX`] steps.

use std::collections::HashMap;

use super::text::Width;

/// The most bytes of a text that are compared; of a longer one its beginning is looked for.
pub(super) const LENGTH_MAX: usize = 64;
/// The least bytes of a text.
pub(super) const LENGTH_MIN: usize = 4;

const SLOTS: u32 = 16;

/// Texts to look for.
#[derive(Default)]
pub(super) struct Texts {
    /// What each text is, by its folded bytes.
    texts: HashMap<Box<[u8]>, Text>,
    /// The texts by their first four bytes, once they are all there.
    sorted: Option<Sorted>,
}

/// Texts in order, and a bit for each hash of four bytes that one of them begins with.
struct Sorted {
    begins: Vec<u64>,
    all: HashMap<u32, Vec<Entry>>,
}

struct Entry {
    bytes: Box<[u8]>,
    text: Text,
    /// The longest other text that this one begins with.
    shorter: Option<u32>,
}

/// A text as it is written in one encoding.
#[derive(Clone, Copy)]
struct Text {
    /// The caller's number.
    id: u32,
    width: Width,
    /// Whether it was cut, so that what follows it does not matter.
    cut: bool,
}

/// A place where a text stands apart as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) id: u32,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) width: Width,
}

fn fold(byte: u8) -> u8 {
    byte | (u8::from(byte.wrapping_sub(b'A') < 26) << 5)
}

fn slot(four: u32) -> usize {
    (four.wrapping_mul(0x9e37_79b1) >> (32 - SLOTS)) as usize
}

fn first_four(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

impl Texts {
    /// Adds a text in one encoding; the first to come keeps the bytes.
    pub(super) fn add(&mut self, id: u32, width: Width, bytes: &[u8]) {
        let cut = bytes.len() > LENGTH_MAX;
        let bytes = &bytes[..bytes.len().min(LENGTH_MAX)];
        if bytes.len() < LENGTH_MIN {
            return;
        }
        let folded: Box<[u8]> = bytes.iter().map(|b| fold(*b)).collect();
        self.texts.entry(folded).or_insert(Text { id, width, cut });
        self.sorted = None;
    }

    /// How many there are, each encoding counted.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Calls `found` for each place where a text stands apart, until it returns false.
    pub(super) fn find(&mut self, bytes: &[u8], found: &mut dyn FnMut(Hit) -> bool) {
        let Self { texts, sorted } = self;
        let sorted = sorted.get_or_insert_with(|| Sorted::of(texts));
        let mut four = 0;
        for (at, byte) in bytes.iter().enumerate() {
            four = four << 8 | u32::from(fold(*byte));
            let slot = slot(four);
            if sorted.begins[slot / 64] >> (slot % 64) & 1 == 0 || at < 3 {
                continue;
            }
            let hit = sorted.at(bytes, at - 3, four);
            if hit.is_some_and(|hit| !found(hit)) {
                return;
            }
        }
    }
}

impl Sorted {
    fn of(texts: &HashMap<Box<[u8]>, Text>) -> Self {
        let mut sorted = Self {
            begins: vec![0; (1 << SLOTS) / 64],
            all: HashMap::new(),
        };
        for (bytes, text) in texts {
            let Some(four) = first_four(bytes) else {
                continue;
            };
            let slot = slot(four);
            sorted.begins[slot / 64] |= 1 << (slot % 64);
            sorted.all.entry(four).or_default().push(Entry {
                bytes: bytes.clone(),
                text: *text,
                shorter: None,
            });
        }
        for entries in sorted.all.values_mut() {
            entries.sort_unstable_by(|a, b| a.bytes.cmp(&b.bytes));
            for index in 1..entries.len() {
                // What this one begins with lies on the way of the one before.
                let mut shorter = Some(index as u32 - 1);
                while let Some(at) = shorter.map(|at| at as usize)
                    && !entries[index].bytes.starts_with(&entries[at].bytes)
                {
                    shorter = entries[at].shorter;
                }
                entries[index].shorter = shorter;
            }
        }
        sorted
    }

    /// The longest text that begins here and stands apart.
    fn at(&self, bytes: &[u8], start: usize, four: u32) -> Option<Hit> {
        let entries = self.all.get(&four)?;
        let mut folded = [0; LENGTH_MAX];
        let rest = &bytes[start..bytes.len().min(start + LENGTH_MAX)];
        for (folded, byte) in folded.iter_mut().zip(rest) {
            *folded = fold(*byte);
        }
        let folded = &folded[..rest.len()];
        // Texts that the bytes begin with are on the way of the last that is not greater.
        let last = entries.partition_point(|entry| *entry.bytes <= *folded);
        let mut next = last.checked_sub(1);
        while let Some(entry) = next.and_then(|index| entries.get(index)) {
            let end = start + entry.bytes.len();
            if folded.starts_with(&entry.bytes) && apart(bytes, start, end, entry.text) {
                let Text { id, width, .. } = entry.text;
                return Some(Hit {
                    id,
                    start,
                    end,
                    width,
                });
            }
            next = entry.shorter.map(|index| index as usize);
        }
        None
    }
}

/// A kind of character beside a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Letter,
    Digit,
    Other,
}

fn kind(unit: Option<u16>) -> Beside {
    match unit.and_then(|unit| u8::try_from(unit).ok()) {
        Some(byte) if byte.is_ascii_alphabetic() => Beside::Letter,
        Some(byte) if byte.is_ascii_digit() => Beside::Digit,
        _ => Beside::Other,
    }
}

/// Whether a text is a word of its own: no letter goes on before or behind its letters, no digit with its digits.
fn apart(bytes: &[u8], start: usize, end: usize, text: Text) -> bool {
    let one = |at: Option<usize>| at.and_then(|at| bytes.get(at)).map(|b| u16::from(*b));
    let two = |at: Option<usize>| {
        let pair = *bytes.get(at?..)?.first_chunk()?;
        Some(match text.width {
            Width::Big => u16::from_be_bytes(pair),
            _ => u16::from_le_bytes(pair),
        })
    };
    let (before, first, last, behind) = match text.width {
        Width::One => (
            one(start.checked_sub(1)),
            one(Some(start)),
            one(end.checked_sub(1)),
            one(Some(end)),
        ),
        _ => (
            two(start.checked_sub(2)),
            two(Some(start)),
            two(end.checked_sub(2)),
            two(Some(end)),
        ),
    };
    let joined = |inner, outer| match (kind(inner), kind(outer)) {
        (Beside::Other, _) | (_, Beside::Other) => false,
        (inner, outer) => inner == outer,
    };
    !joined(first, before) && (text.cut || !joined(last, behind))
}
