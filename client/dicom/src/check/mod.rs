//! A second look at what was de-identified, by other code than that which did it.
//!
//! [`Checker`] learns the files before, then compares each file after with its own:
//!
//! - Every value that the table (PS3.15 Table E.1-1, edition 2026d) has removed or replaced is looked for in every byte
//!   of the files after: in text of any character set and in UTF-16, in sequences, private attributes, file meta group,
//!   preamble, segments of compressed pixels, bytes behind the end. Names also by component. At least four characters,
//!   apart as words, whatever their case. Between pixels, where bytes are letters by chance, at least six; in numbers and
//!   UIDs only what is no number.
//! - Rows are obeyed, by the options that were asked for; codes of local schemes and content items that identify are gone.
//! - Dates of a patient moved by one number of days; UIDs were replaced, each by one and the same.
//! - Pixels are equal but where blanking was asked for, compressed ones byte by byte without comments and application data.
//!
//! It shares no code with the de-identification: a reader of its own, tables of its own. Only pixels that were decoded to be
//! blanked are decoded by the same decoders. It finds text in bytes, not in pictures. Findings repeat no value.
//!
//! Hostile files cost time in proportion to their length: nothing recurses, and lengths are believed only as far as there
//! are bytes.

mod asked;
mod codestream;
mod days;
mod error;
mod findings;
mod history;
mod identifiers;
mod pair;
mod pixels;
mod rules;
mod scan;
mod table;
mod text;
mod values;
mod walk;

use std::collections::BTreeSet;

use crate::deid::{Profile, ProfileOption};

use codestream::Markers;
use findings::{Collected, attribute, place};
use history::History;
use identifiers::{Class, Identifier, Identifiers};
use rules::{Before, Pair};
use scan::Hit;
use text::Width;
use values::{is_dummy, is_own_uid};
use walk::{Kind, Span, Walked};

pub use asked::Rules;
pub use error::{Error, Result};
pub use findings::{Fault, Finding, Findings};
pub use pair::{Sketch, pair};

/// Most places where identifiers were found in one file; then the rest of it is not searched.
const HITS_MAX: u64 = 100_000;

/// Classes of structured reports and of presentation states: what is in them is cleaned item by item.
const REPORTS: &str = "1.2.840.10008.5.1.4.1.1.88.";
const PRESENTATIONS: [&str; 2] = [
    "1.2.840.10008.5.1.4.1.1.11.",
    "1.2.840.10008.5.1.4.1.1.9.100.",
];

/// Attributes whose values are the standard's own words, which may be a person's name as well.
const STRUCTURE: [u32; 8] = [
    0x0008_0005, // Specific Character Set
    0x0008_0060, // Modality
    0x0028_0004, // Photometric Interpretation
    0x0040_a010, // Relationship Type
    0x0040_a040, // Value Type
    0x0040_a050, // Continuity of Content
    0x0040_a130, // Temporal Range Type
    0x0040_a491, // Completion Flag
];

/// Checks files after against files before.
pub struct Checker {
    rules: Rules,
    names: Identifiers,
    history: History,
    collected: Collected,
    totals: Findings,
}

impl Checker {
    /// Begins with no file.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            names: Identifiers::default(),
            history: History::default(),
            collected: Collected::default(),
            totals: Findings {
                edition: table::EDITION,
                ..Findings::default()
            },
        }
    }

    /// Learns a file before: what identifies in it, and what it is paired by. All are learned before any is compared.
    ///
    /// # Errors
    /// [`Error::TooManyNames`].
    pub fn learn(&mut self, file: &[u8]) -> Result<Sketch> {
        let walked = Walked::of(file);
        let options = self.effective(&walked);
        self.names.learn(&walked, &options)?;
        for span in walked.spans.iter().filter(|span| span.vr == *b"UI") {
            let text = text::ascii(walked.value(span));
            let uids = text.split('\\').map(|uid| uid.trim_matches([' ', '\0']));
            let own = uids.filter(|uid| is_own_uid(uid)).map(str::to_owned);
            self.history.uids.extend(own);
        }
        Ok(Sketch::of(&walked))
    }

    /// Tells what a file after is paired by.
    #[must_use]
    pub fn sketch(file: &[u8]) -> Sketch {
        Sketch::of(&Walked::of(file))
    }

    /// Checks a file after. Without a file before it is searched, and its rows are checked as far as they can be.
    pub fn compare(&mut self, before: Option<&[u8]>, after: &[u8], name: &str) {
        self.totals.files += 1;
        self.totals.bytes += after.len() as u64;
        let walked = Walked::of(after);
        self.search(&walked, name);
        if let Some((at, why)) = walked.trouble {
            let place = format!("byte {at}");
            self.collected
                .add(Fault::Unreadable, place, why.to_owned(), name);
            if at == 0 {
                return;
            }
        }
        let file = before.map(|bytes| (bytes, Walked::of(bytes)));
        let known = file
            .as_ref()
            .map(|(_, walked)| (walked, Before::of(walked)));
        let mut options = self.effective(&walked);
        if let Some((before, _)) = &known {
            self.totals.pairs += 1;
            options.extend(self.effective(before));
        }
        if let Some((_, before)) = &known {
            let days = before.days.iter();
            let days = days.map(|(tag, day)| (before.patient.clone(), *tag, *day));
            self.history.days.extend(days);
        }
        let pair = Pair {
            after: &walked,
            before: known.as_ref().map(|(walked, before)| (*walked, before)),
            options,
            name,
        };
        let collected = &mut self.collected;
        pair.check(&mut self.history, &mut |index, fault, why| {
            let path = walked.path(index);
            collected.add(fault, place(&path), why, name);
        });
        self.kept(&pair);
        if let Some((bytes, file)) = &file {
            let raw = [*bytes, after];
            let mut notes = Vec::new();
            let mut note = |text| notes.push(text);
            for wrong in pixels::compare(file, &walked, raw, &self.rules, &mut note) {
                self.collected
                    .add(Fault::Pixels, wrong.place, wrong.why, name);
            }
            for note in notes {
                self.collected.note(format!("{name}: {note}"));
            }
        }
    }

    /// Searches a file that is not DICOM, such as a manifest.
    pub fn search_other(&mut self, file: &[u8], name: &str) {
        self.totals.files += 1;
        self.totals.bytes += file.len() as u64;
        let mut hits = Vec::new();
        self.names.texts.find(file, &mut |hit| {
            hits.push(hit);
            (hits.len() as u64) < HITS_MAX
        });
        self.tell_plain(&hits, "the file", name);
    }

    /// Searches the name of a file after.
    pub fn search_name(&mut self, name: &str) {
        let mut hits = Vec::new();
        self.names.texts.find(name.as_bytes(), &mut |hit| {
            hits.push(hit);
            true
        });
        // Told without the name, which would repeat what was found.
        self.tell_plain(&hits, "the name of a file", "");
    }

    /// Says that a file after has no file before.
    pub fn unpaired(&mut self, name: &str) {
        let why =
            "no file before is of its kind, so that rows, dates and pixels cannot be compared";
        self.collected
            .add(Fault::Unpaired, "the file".to_owned(), why.to_owned(), name);
    }

    /// Says what could not be looked at.
    pub fn note(&mut self, text: String) {
        self.collected.note(text);
    }

    /// Returns everything that was found.
    #[must_use]
    pub fn finish(mut self) -> Findings {
        for lost in std::mem::take(&mut self.history.later) {
            let Some(shift) = self.history.shifts.get(&lost.patient) else {
                continue;
            };
            let before = |day: &i64| (lost.patient.clone(), lost.tag, day - shift);
            if !lost
                .days
                .iter()
                .all(|day| self.history.days.contains(&before(day)))
            {
                let tag = dicom_core::Tag((lost.tag >> 16) as u16, lost.tag as u16);
                let why = "it did not move by as many days as the patient's other dates";
                let (place, why) = (attribute(tag), why.to_owned());
                self.collected.add(Fault::Date, place, why, &lost.file);
            }
        }
        let mut findings = self.totals;
        findings.texts = self.names.texts.len() as u64;
        self.collected.finish(&mut findings);
        findings
    }

    /// The options that take effect for a file.
    fn effective(&self, walked: &Walked<'_>) -> BTreeSet<ProfileOption> {
        let mut options = self.rules.profile.options.clone();
        let class = walked.text(0x0008_0016);
        let presentation = PRESENTATIONS.iter().any(|root| class.starts_with(root));
        if class.starts_with(REPORTS) || presentation {
            options.insert(ProfileOption::CleanStructuredContent);
        }
        if presentation {
            options.insert(ProfileOption::CleanGraphics);
        }
        if options.contains(&ProfileOption::RetainModifiedDates) {
            options.remove(&ProfileOption::RetainFullDates);
        }
        options
    }

    /// Counts texts in attributes that the table does not list.
    fn kept(&mut self, pair: &Pair<'_>) {
        for (index, span) in pair.after.spans.iter().enumerate() {
            let free = matches!(&span.vr, b"LO" | b"LT" | b"SH" | b"ST" | b"UC" | b"UT");
            let coded = matches!(span.tag, 0x0008_0100..=0x0008_0104 | 0x0008_0005);
            let ours = matches!(span.tag >> 16, 0x0002 | 0x0012);
            if free
                && !coded
                && !ours
                && table::row(span.tag).is_none()
                && !is_dummy(pair.after.value(span))
            {
                let path = pair.after.path(index as u32);
                if self.collected.kept.len() < 10_000 {
                    *self.collected.kept.entry(place(&path)).or_default() += 1;
                }
            }
        }
    }

    fn search(&mut self, walked: &Walked<'_>, file: &str) {
        let (mut hits, mut beside) = (0, Beside::default());
        let options = self.effective(walked);
        let Identifiers { names, texts, .. } = &mut self.names;
        let collected = &mut self.collected;
        texts.find(&walked.bytes, &mut |hit| {
            let Some(name) = names.get(hit.id as usize) else {
                return true;
            };
            let index = walked.at(hit.start);
            let span = index.and_then(|index| walked.spans.get(index as usize));
            let counts =
                span.is_none_or(|span| counts(name, &hit, walked, span, &options, &mut beside));
            if !counts {
                return true;
            }
            hits += 1;
            let place = match index {
                Some(index) => place(&walked.path(index)),
                None if hit.start < 128 => "the preamble".to_owned(),
                None => "between the elements".to_owned(),
            };
            collected.add(Fault::Identifier, place, said(name, hit.width), file);
            hits < HITS_MAX
        });
        if hits >= HITS_MAX {
            collected.note(format!("{file}: behind {HITS_MAX} places with identifiers"));
        }
    }

    fn tell_plain(&mut self, hits: &[Hit], place: &str, file: &str) {
        for hit in hits {
            let name = self.names.name(hit.id);
            // A day or a number may be anything here.
            let telling =
                name.filter(|name| name.class != Class::Day && !name.number || name.length >= 8);
            if let Some(name) = telling {
                let why = said(name, hit.width);
                self.collected
                    .add(Fault::Identifier, place.to_owned(), why, file);
            }
        }
    }
}

/// Checks two files that stand in one run of bytes, as fuzzing gives them: the first half before, the second after.
pub fn fuzz(bytes: &[u8]) {
    let (before, after) = bytes.split_at(bytes.len() / 2);
    let mut checker = Checker::new(Rules {
        profile: Profile::default(),
        found: false,
    });
    if checker.learn(before).is_ok() {
        checker.compare(Some(before), after, "after");
        checker.compare(None, before, "before");
    }
    drop(checker.finish());
}

/// What was found, without the value.
fn said(name: &Identifier, width: Width) -> String {
    let tag = dicom_core::Tag((name.tag >> 16) as u16, name.tag as u16);
    let what = match name.class {
        Class::Person => "what names or numbers a person in",
        Class::Value => "the value of",
        Class::Description => "the text of",
        Class::Day => "the day of",
        Class::Uid => "the UID of",
    };
    let how = match width {
        Width::One => "",
        _ => ", in UTF-16",
    };
    format!("holds {what} {}{how}", attribute(tag))
}

/// The parts of the last fragment that are no picture.
#[derive(Default)]
struct Beside {
    start: usize,
    end: usize,
    picture: Vec<std::ops::Range<usize>>,
}

/// Whether a text found in a value is there by more than chance, and is not kept by what was asked for.
fn counts(
    name: &Identifier,
    hit: &Hit,
    walked: &Walked<'_>,
    span: &Span,
    options: &BTreeSet<ProfileOption>,
    beside: &mut Beside,
) -> bool {
    if span.kind == Kind::Fragment {
        let segment = !is_picture(hit, walked, span, beside);
        return match segment {
            true => !name.number || name.length >= 6,
            false => by_more_than_chance(name, hit),
        };
    }
    let vr = match &span.vr {
        b"UN" => walk::listed(span.tag),
        vr => *vr,
    };
    let row = table::row(span.tag);
    let kept = row.is_some_and(|row| {
        let words = ProfileOption::CleanDescriptors;
        row.is_kept(options) || name.class == Class::Description && row.is_cleaned(words, options)
    });
    if kept && name.class != Class::Person {
        return false;
    }
    if STRUCTURE.contains(&span.tag) {
        return false;
    }
    match &vr {
        b"CS" => !is_term(walked.slice(hit.start..hit.end)),
        b"UI" => name.class != Class::Uid && !name.number,
        b"DA" | b"DT" | b"TM" | b"AS" => name.class != Class::Day && !name.number,
        b"DS" | b"IS" => !name.number || name.length >= 8,
        b"OW" | b"OF" | b"OD" | b"OL" | b"OV" | b"US" | b"SS" | b"UL" | b"SL" | b"FL" | b"FD"
        | b"AT" | b"SV" | b"UV" => by_more_than_chance(name, hit),
        _ if span.tag >> 16 == 0x7fe0 => by_more_than_chance(name, hit),
        b"OB" | b"UN" => by_more_than_chance(name, hit) || is_text_around(hit, walked, span),
        _ => true,
    }
}

/// Whether a text of a code is a word of the standard, which may be a person's name as well.
fn is_term(bytes: &[u8]) -> bool {
    let word = String::from_utf8_lossy(bytes).to_lowercase();
    crate::deid::is_known(word.trim())
}

/// Whether bytes that are no text would not be this one by chance: six bytes and more, not one character over and over, no
/// number of fewer than eight digits, which may be grey values.
fn by_more_than_chance(name: &Identifier, hit: &Hit) -> bool {
    let bytes = hit.end - hit.start;
    let length = usize::from(name.length);
    match hit.width {
        _ if name.number => length >= 8 && name.variety >= 3,
        // Characters of several bytes say more each.
        Width::One if bytes > length => bytes >= 6 && name.variety >= 2,
        Width::One => bytes >= 6 && name.variety >= 3,
        _ => length >= 5 && name.variety >= 3,
    }
}

/// Whether the bytes around a text are text too.
fn is_text_around(hit: &Hit, walked: &Walked<'_>, span: &Span) -> bool {
    let start = hit.start.saturating_sub(8).max(span.start);
    let end = (hit.end + 8).min(span.end);
    let around = [walked.slice(start..hit.start), walked.slice(hit.end..end)];
    let text = |b: &u8| matches!(b, 0 | b'\t' | b'\n' | b'\r' | b' '..=b'~');
    around.iter().all(|bytes| bytes.iter().all(text))
}

fn is_picture(hit: &Hit, walked: &Walked<'_>, span: &Span, beside: &mut Beside) -> bool {
    if (beside.start, beside.end) != (span.start, span.end) {
        let family = Markers::of(&walked.syntax);
        *beside = Beside {
            start: span.start,
            end: span.end,
            picture: codestream::picture(family, walked.value(span)),
        };
    }
    let at = hit.start - span.start;
    let next = beside.picture.partition_point(|part| part.start <= at);
    let part = next
        .checked_sub(1)
        .and_then(|index| beside.picture.get(index));
    part.is_some_and(|part| part.end > at)
}

#[cfg(test)]
pub(crate) mod tests;
