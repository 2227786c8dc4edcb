//! Identifying values of the files before: every value that the table has removed or replaced, as texts to look for.

use std::collections::{BTreeSet, HashMap};

use crate::deid::ProfileOption;

use super::error::{Error, Result};
use super::scan::{LENGTH_MIN, Texts};
use super::table;
use super::text::{Decoder, Width, encodings, folded, trimmed};
use super::values::{DUMMIES, is_derived, is_own_uid};
use super::walk::{Kind, ROOT, Span, Walked};

/// The most texts that are looked for, each encoding counted.
const TEXTS_MAX: usize = 4_000_000;

/// Attributes by which a person is named or numbered; what is in them is found in everything, kept attributes included.
const PERSONAL: [u32; 12] = [
    0x0008_0050, // Accession Number
    0x0010_0020, // Patient ID
    0x0010_1000, // Other Patient IDs
    0x0010_1040, // Patient's Address
    0x0010_2154, // Patient's Telephone Numbers
    0x0010_2155, // Patient's Telecom Information
    0x0010_1090, // Medical Record Locator
    0x0010_1080, // Military Rank
    0x0010_0050, // Patient's Insurance Plan Code Sequence
    0x0038_0010, // Admission ID
    0x0040_1103, // Person's Telephone Numbers
    0x0040_1102, // Person's Address
];

/// Sequences whose codes name people.
const PEOPLE: [u32; 3] = [0x0040_1101, 0x0008_0051, 0x0010_1002];

/// Words that stand in names of phantoms and tests, and everywhere: alone they name nobody.
const COMMON: &[&str] = &[
    "abdomen",
    "adult",
    "anon",
    "anonymized",
    "anonymous",
    "body",
    "brain",
    "breast",
    "cardiac",
    "chest",
    "child",
    "computed",
    "contrast",
    "data",
    "demo",
    "doctor",
    "female",
    "foot",
    "hand",
    "head",
    "heart",
    "hospital",
    "image",
    "knee",
    "liver",
    "lung",
    "male",
    "mister",
    "name",
    "neck",
    "none",
    "normal",
    "null",
    "original",
    "patient",
    "pelvis",
    "phantom",
    "philips",
    "primary",
    "quality",
    "radiology",
    "removed",
    "sample",
    "scan",
    "series",
    "shoulder",
    "siemens",
    "spine",
    "study",
    "test",
    "thorax",
    "toshiba",
    "unknown",
    "volume",
    "water",
];

/// How sure it is that a value identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Identifiers and numbers of persons: found everywhere.
    Person,
    /// Any other value that goes.
    Value,
    /// A description that goes: looked for whole, where no option cleans it.
    Description,
    /// A day, in several spellings.
    Day,
    /// A UID that is not the standard's.
    Uid,
}

/// A value that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identifier {
    pub(super) class: Class,
    /// The attribute that has it.
    pub(super) tag: u32,
    /// How many characters it has.
    pub(super) length: u16,
    /// Whether it is made of digits alone.
    pub(super) number: bool,
    /// How many different characters it has.
    pub(super) variety: u8,
}

/// The values of all files before.
#[derive(Default)]
pub(super) struct Identifiers {
    pub(super) names: Vec<Identifier>,
    seen: HashMap<String, u32>,
    /// Whether the file at hand was de-identified before: then what stands for its values is no secret.
    again: bool,
    pub(super) texts: Texts,
}

impl Identifiers {
    pub(super) fn name(&self, id: u32) -> Option<&Identifier> {
        self.names.get(id as usize)
    }

    /// Learns the values of a file.
    ///
    /// # Errors
    /// [`Error::TooManyNames`].
    pub(super) fn learn(
        &mut self,
        walked: &Walked<'_>,
        options: &BTreeSet<ProfileOption>,
    ) -> Result<()> {
        let decoder = Decoder::of(walked);
        self.again = walked.text(0x0012_0062) == "YES";
        // By span: the row of the sequence around that takes its content along, if there is one.
        let mut around: Vec<Option<u32>> = Vec::with_capacity(walked.spans.len());
        for span in &walked.spans {
            let outer = match span.parent {
                ROOT => None,
                parent => around.get(parent as usize).copied().flatten(),
            };
            let going = match span.kind {
                Kind::Sequence => goes_whole(span.tag, options).or(outer),
                _ => outer,
            };
            around.push(going);
            if span.kind == Kind::Value && span.end > span.start {
                self.value(walked.value(span), span, outer, &decoder, options);
            }
            if self.texts.len() > TEXTS_MAX {
                return Err(Error::TooManyNames { max: TEXTS_MAX });
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        bytes: &[u8],
        span: &Span,
        around: Option<u32>,
        decoder: &Decoder,
        options: &BTreeSet<ProfileOption>,
    ) {
        let tag = span.tag;
        let row = table::row(tag).filter(|_| tag >> 16 & 1 == 0);
        if row.is_some_and(|row| row.is_kept(options)) {
            return;
        }
        let vr = match &span.vr {
            b"UN" => super::walk::listed(tag),
            vr => *vr,
        };
        match &vr {
            b"PN" => {
                for value in decoder.text(bytes).split('\\') {
                    self.person(value, tag);
                }
                self.raw(bytes, tag);
            }
            b"DA" | b"DT" => self.days(bytes, tag),
            b"UI" if !options.contains(&ProfileOption::RetainUids) => {
                let text = super::text::ascii(bytes);
                for uid in text
                    .split('\\')
                    .map(str::trim)
                    .filter(|uid| is_own_uid(uid))
                {
                    self.add(uid, Class::Uid, tag);
                }
            }
            b"AE" | b"LO" | b"LT" | b"SH" | b"ST" | b"UC" | b"UR" | b"UT" => {
                let class = match row {
                    _ if PERSONAL.contains(&tag) => Class::Person,
                    _ if around.is_some_and(|tag| PEOPLE.contains(&tag)) => Class::Person,
                    Some(row) if row.is_description() => Class::Description,
                    Some(_) => Class::Value,
                    None if around.is_some() => Class::Description,
                    None => return,
                };
                let text = decoder.text(bytes);
                let single = matches!(&vr, b"LT" | b"ST" | b"UT" | b"UR");
                let values: Vec<&str> = match single {
                    true => text.lines().collect(),
                    false => text.split('\\').collect(),
                };
                for value in values {
                    self.add(value, class, tag);
                }
            }
            _ => {}
        }
    }

    /// A name of a person: its components, and each two of them together (PS3.5 §6.2.1).
    fn person(&mut self, name: &str, tag: u32) {
        for group in name.split('=') {
            let parts: Vec<&str> = group
                .split(['^', ' ', ',', ';'])
                .map(|part| part.trim_matches(['.', ' ', '(', ')', '"', '\'']))
                .filter(|part| !part.is_empty())
                .take(8)
                .collect();
            self.add(group, Class::Person, tag);
            for part in &parts {
                if !COMMON.contains(&part.to_lowercase().as_str()) {
                    self.add(part, Class::Person, tag);
                }
            }
            for (first, second) in parts.iter().enumerate().flat_map(|(at, first)| {
                let others = parts
                    .iter()
                    .enumerate()
                    .filter(move |(other, _)| *other != at);
                others.map(move |(_, second)| (first, second))
            }) {
                let both =
                    [first, second].map(|part| COMMON.contains(&part.to_lowercase().as_str()));
                if both == [true, true] {
                    continue;
                }
                for between in [" ", "^", ", ", ",", "_", ""] {
                    self.add(&format!("{first}{between}{second}"), Class::Person, tag);
                }
            }
        }
    }

    /// The bytes as they stand, whatever their character set.
    fn raw(&mut self, bytes: &[u8], tag: u32) {
        for part in bytes.split(|b| matches!(b, b'\\' | b'^' | b'=')) {
            let part = trimmed(part);
            if !part.is_ascii() || part.contains(&0x1b) {
                let id = self.id(Class::Person, tag, &String::from_utf8_lossy(part));
                self.texts.add(id, Width::One, part);
            }
        }
    }

    /// The days of dates and times, as they are written and as people write them.
    fn days(&mut self, bytes: &[u8], tag: u32) {
        for value in super::text::ascii(bytes).split('\\') {
            let value = value.trim();
            let Some(day) = value.get(..8).filter(|day| is_day(day)) else {
                continue;
            };
            if DUMMIES.contains(&day) {
                continue;
            }
            let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
            for text in [
                format!("{year}{month}{day}"),
                format!("{year}-{month}-{day}"),
                format!("{year}/{month}/{day}"),
                format!("{year}.{month}.{day}"),
                format!("{day}.{month}.{year}"),
                format!("{day}/{month}/{year}"),
                format!("{day}-{month}-{year}"),
                format!("{month}/{day}/{year}"),
            ] {
                self.add(&text, Class::Day, tag);
            }
        }
    }

    /// Adds a text in every encoding, if it is long enough to mean something.
    fn add(&mut self, text: &str, class: Class, tag: u32) {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '^');
        // A character of the East says as much as two letters.
        let wide = |c: char| (0x1100..=0xffff).contains(&(c as u32)) || c as u32 > 0x1_ffff;
        let length: usize = text.chars().map(|c| 1 + usize::from(wide(c))).sum();
        let least = match class {
            Class::Description => 8,
            _ => LENGTH_MIN,
        };
        let alone = class == Class::Description && !text.contains(' ');
        let derived = self.again && is_derived(text.as_bytes());
        if length < least || alone || derived || DUMMIES.contains(&text) {
            return;
        }
        if COMMON.contains(&text.to_lowercase().as_str()) || self.seen.contains_key(text) {
            return;
        }
        let id = self.id(class, tag, text);
        let mut ways = vec![text.to_owned()];
        if !text.is_ascii() {
            ways.extend([text.to_uppercase(), text.to_lowercase()]);
            ways.extend(folded(text));
        }
        for (width, bytes) in ways.iter().flat_map(|way| encodings(way)) {
            self.texts.add(id, width, &bytes);
        }
    }

    fn id(&mut self, class: Class, tag: u32, text: &str) -> u32 {
        if let Some(id) = self.seen.get(text) {
            return *id;
        }
        let characters: BTreeSet<char> = text.chars().map(|c| c.to_ascii_lowercase()).collect();
        let id = self.names.len() as u32;
        self.names.push(Identifier {
            class,
            tag,
            length: text.chars().count().min(usize::from(u16::MAX)) as u16,
            number: text.bytes().all(|b| b.is_ascii_digit()),
            variety: characters.len().min(255) as u8,
        });
        self.seen.insert(text.to_owned(), id);
        id
    }
}

/// The row of a sequence that goes with all that is in it.
fn goes_whole(tag: u32, options: &BTreeSet<ProfileOption>) -> Option<u32> {
    let row = table::row(tag)?;
    let cleaned = [
        ProfileOption::CleanStructuredContent,
        ProfileOption::CleanGraphics,
    ];
    let stays = row.is_kept(options)
        || row.basic.contains('U')
        || cleaned
            .iter()
            .any(|option| row.is_cleaned(*option, options));
    (!stays).then_some(tag)
}

/// Whether a text is a day of the calendar, as eight digits.
pub(super) fn is_day(text: &str) -> bool {
    super::days::number(text).is_some()
}
