//! One pair of files: rows obeyed, dates moved alike, UIDs replaced, structured content cleaned.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use crate::deid::ProfileOption;

use super::days;
use super::findings::Fault;
use super::history::{History, Lost};
use super::table::{self, TableRow};
use super::text::{ascii, trimmed};
use super::values::{is_derived, is_dummy, is_own_uid};
use super::walk::{Kind, ROOT, Span, Walked, listed};

/// Values longer than this are not compared one by one; their texts are searched all the same.
const VALUE_MAX: usize = 1 << 16;

const CONCEPT_NAME: u32 = 0x0040_a043;
const CODE_VALUE: u32 = 0x0008_0100;
const CODING_SCHEME: u32 = 0x0008_0102;
/// Values of content items (PS3.3 §C.17.3.2).
const CONTENT_VALUES: [u32; 7] = [
    0x0040_a120, // DateTime
    0x0040_a121, // Date
    0x0040_a122, // Time
    0x0040_a123, // Person Name
    0x0040_a124, // UID
    0x0040_a160, // Text Value
    0x0040_a30a, // Numeric Value
];
/// Free texts of structured content and of graphics.
const FREE_TEXTS: [u32; 2] = [0x0040_a160, 0x0070_0006];
/// UIDs that name a vocabulary.
const VOCABULARIES: [u32; 3] = [0x0008_010c, 0x0008_0117, 0x0008_0118];
/// Of the file meta group what tells where a file was (PS3.10 §7.1).
const META: [u32; 5] = [
    0x0002_0016, // Source Application Entity Title
    0x0002_0017, // Sending Application Entity Title
    0x0002_0018, // Receiving Application Entity Title
    0x0002_0100, // Private Information Creator UID
    0x0002_0102, // Private Information
];
/// Enumerated values that a valid file cannot be without (Anatomical Orientation Type).
const ENUMERATED: [u32; 1] = [0x0010_2210];

/// A file before, as far as comparing needs it.
pub(super) struct Before {
    /// The span of an element by the hash of its path.
    spans: HashMap<u64, u32>,
    /// Hashes of the values by tag.
    values: HashMap<u32, HashSet<u64>>,
    /// The patient, by ID and issuer; empty without an ID.
    pub(super) patient: String,
    /// Its dates, by tag.
    pub(super) days: Vec<(u32, i64)>,
    /// Whether it says that it was de-identified already.
    again: bool,
    /// Whether it says that its dates were moved already.
    moved: bool,
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn hash_value(value: &[u8]) -> u64 {
    hash(trimmed(value))
}

fn path_hash(span: &Span, parent: u64) -> u64 {
    hash((parent, span.kind == Kind::Item, span.tag))
}

impl Before {
    pub(super) fn of(walked: &Walked<'_>) -> Self {
        let mut keys: Vec<u64> = Vec::with_capacity(walked.spans.len());
        let mut spans = HashMap::new();
        let mut values: HashMap<u32, HashSet<u64>> = HashMap::new();
        let mut every = Vec::new();
        for (index, span) in walked.spans.iter().enumerate() {
            let parent = match span.parent {
                ROOT => 0,
                parent => keys.get(parent as usize).copied().unwrap_or_default(),
            };
            let key = path_hash(span, parent);
            keys.push(key);
            spans.insert(key, index as u32);
            let value = walked.value(span);
            if matches!(&span.vr, b"DA" | b"DT") && value.len() <= VALUE_MAX {
                let text = ascii(value);
                let numbers = text
                    .split('\\')
                    .filter_map(|v| days::number(v.trim().get(..8)?));
                every.extend(numbers.map(|day| (span.tag, day)));
            }
            if span.kind == Kind::Value && value.len() <= VALUE_MAX {
                values
                    .entry(span.tag)
                    .or_default()
                    .insert(hash_value(value));
            }
        }
        let id = walked.text(0x0010_0020);
        let patient = match id.is_empty() {
            true => String::new(),
            false => format!("{id}\n{}", walked.text(0x0010_0021)),
        };
        let again = walked.text(0x0012_0062) == "YES";
        Self {
            spans,
            values,
            patient,
            days: every,
            again,
            moved: again && walked.text(0x0028_0303) == "MODIFIED",
        }
    }

    fn has(&self, tag: u32, value: &[u8]) -> bool {
        let values = self.values.get(&tag);
        values.is_some_and(|values| values.contains(&hash_value(value)))
    }
}

/// What is checked of one file after.
pub(super) struct Pair<'a> {
    pub(super) after: &'a Walked<'a>,
    /// The file before, if there is one.
    pub(super) before: Option<(&'a Walked<'a>, &'a Before)>,
    pub(super) options: BTreeSet<ProfileOption>,
    /// What the file after is called.
    pub(super) name: &'a str,
}

/// A callback with the span, the fault and why.
pub(super) type Tell<'a> = dyn FnMut(u32, Fault, String) + 'a;

/// What is inherited from the sequences around.
#[derive(Clone, Copy, Default)]
struct Around {
    /// Nothing with a meaning may be in it: its row removes the sequence (X) or empties it (Z).
    gone: bool,
    /// What is in it must be other than before (D).
    replaced: bool,
}

impl Pair<'_> {
    /// Goes through the elements of the file after.
    pub(super) fn check(&self, history: &mut History, tell: &mut Tell<'_>) {
        let concepts = self.concepts();
        let creators = self.creators();
        let spans = &self.after.spans;
        let mut keys: Vec<u64> = Vec::with_capacity(spans.len());
        let mut around: Vec<Around> = Vec::with_capacity(spans.len());
        for (index, span) in spans.iter().enumerate() {
            let (parent, outer) = match span.parent {
                ROOT => (0, Around::default()),
                parent => (keys[parent as usize], around[parent as usize]),
            };
            let mut key = path_hash(span, parent);
            let twin = self.twin(key);
            let mut inner = outer;
            if span.kind == Kind::Sequence {
                // Items were taken out: which is which cannot be told by their number.
                if twin.is_some_and(|twin| twin.items != span.items) {
                    key = hash((key, "other items"));
                }
                inner = self.sequence(span, outer);
            }
            keys.push(key);
            around.push(inner);
            if matches!(span.kind, Kind::Value | Kind::Encapsulated) && span.end > span.start {
                let element = Element {
                    index: index as u32,
                    span,
                    value: self.after.value(span),
                    around: outer,
                    twin: twin.filter(|twin| twin.kind == Kind::Value),
                    concept: concepts.get(&span.parent).copied().flatten(),
                };
                self.element(&element, &creators, history, tell);
            }
        }
        self.declared(tell);
    }

    fn twin(&self, key: u64) -> Option<&Span> {
        let (walked, before) = self.before?;
        walked.spans.get(*before.spans.get(&key)? as usize)
    }

    /// The rows of the content items' concepts, by item.
    fn concepts(&self) -> HashMap<u32, Option<&'static TableRow>> {
        let spans = &self.after.spans;
        let up = |index: u32| Some(spans.get(index as usize)?.parent);
        let mut codes: HashMap<u32, [String; 2]> = HashMap::new();
        for span in spans
            .iter()
            .filter(|span| matches!(span.tag, CODE_VALUE | CODING_SCHEME))
        {
            let sequence =
                up(span.parent).and_then(|index| Some((index, spans.get(index as usize)?)));
            let Some((_, sequence)) = sequence.filter(|(_, s)| s.tag == CONCEPT_NAME) else {
                continue;
            };
            let codes = codes.entry(sequence.parent).or_default();
            codes[usize::from(span.tag == CODING_SCHEME)] = ascii(self.after.value(span));
        }
        let rows = codes.into_iter();
        rows.map(|(item, [code, scheme])| (item, table::concept(&scheme, &code)))
            .collect()
    }

    /// Private creators by the data set and the block that they reserve.
    fn creators(&self) -> HashMap<(u32, u32), String> {
        let reserving = self.after.spans.iter().filter(|span| {
            span.kind == Kind::Value
                && span.tag >> 16 & 1 == 1
                && (0x10..0x100).contains(&(span.tag & 0xffff))
        });
        reserving
            .map(|span| ((span.parent, span.tag), ascii(self.after.value(span))))
            .collect()
    }

    fn sequence(&self, span: &Span, outer: Around) -> Around {
        let Some(row) = table::row(span.tag).filter(|row| !self.stays(row)) else {
            return outer;
        };
        let kind = row.basic;
        Around {
            gone: outer.gone || matches!(kind, "X" | "Z" | "X/Z"),
            replaced: outer.replaced || kind.contains('D'),
        }
    }

    /// Whether an option keeps or cleans what the row is about.
    fn stays(&self, row: &TableRow) -> bool {
        let cleans = [
            ProfileOption::CleanGraphics,
            ProfileOption::CleanStructuredContent,
            ProfileOption::CleanDescriptors,
        ];
        let cleaned = |option: &ProfileOption| row.is_cleaned(*option, &self.options);
        row.is_kept(&self.options) || cleans.iter().any(cleaned)
    }

    fn moves(&self, row: Option<&TableRow>) -> bool {
        let option = ProfileOption::RetainModifiedDates;
        row.is_some_and(|row| row.is_cleaned(option, &self.options))
    }

    fn declared(&self, tell: &mut Tell<'_>) {
        let says = self.after.text(0x0012_0062) == "YES";
        let how = [0x0012_0063, 0x0012_0064];
        let method = how.iter().any(|tag| {
            let span = self.after.root(*tag);
            span.is_some_and(|span| span.items > 0 || span.end > span.start)
        });
        if !says {
            let why = "Patient Identity Removed (0012,0062) does not say YES";
            tell(u32::MAX, Fault::Undeclared, why.to_owned());
        } else if !method {
            let why = "no De-identification Method (0012,0063), (0012,0064)";
            tell(u32::MAX, Fault::Undeclared, why.to_owned());
        }
        let names = |tag| self.after.text(tag);
        if !names(0x0002_0003).is_empty() && names(0x0002_0003) != names(0x0008_0018) {
            let why = "the file meta group names another instance than the data set";
            tell(u32::MAX, Fault::Uid, why.to_owned());
        }
    }

    fn element(
        &self,
        element: &Element<'_>,
        creators: &HashMap<(u32, u32), String>,
        history: &mut History,
        tell: &mut Tell<'_>,
    ) {
        let Element { span, value, .. } = *element;
        let tag = span.tag;
        let mut told = |fault, why: &str| tell(element.index, fault, why.to_owned());
        if tag >> 16 & 1 == 1 {
            return self.private(element, creators, &mut told);
        }
        if META.contains(&tag) && !is_dummy(value) {
            return told(Fault::Row, "the file meta group tells where the file was");
        }
        if tag >> 16 <= 2 && tag != 0x0002_0003 {
            return;
        }
        let vr = match &span.vr {
            b"UN" => listed(tag),
            vr => *vr,
        };
        let row = table::row(tag);
        let dummy = is_dummy(value);
        if vr == *b"UI" {
            return self.uids(element, row, history, &mut told);
        }
        if dummy {
            return;
        }
        if tag == 0x0400_0510 || tag == 0x0400_0520 {
            return told(
                Fault::Row,
                "content that an earlier program encrypted stays",
            );
        }
        let known = row.is_some() || listed(tag) != *b"UN" || vr == *b"OB" || vr == *b"OW";
        if !known && span.vr == *b"UN" {
            return told(
                Fault::Row,
                "an attribute that the standard does not know stays",
            );
        }
        let equal = self.is_equal(element) && !(self.again() && is_derived(value));
        if let Some(concept) = element.concept
            && CONTENT_VALUES.contains(&tag)
            && !self.moves(Some(concept))
            && !self.stays(concept)
            && equal
        {
            let basic = concept.basic;
            return told(
                Fault::Row,
                &format!("the concept's row says {basic}, and the value is as before"),
            );
        }
        if matches!(&vr, b"DA" | b"DT") && self.moves(row) {
            return self.date(element, history, &mut told);
        }
        if row.is_some_and(|row| self.stays(row)) || vr == *b"TM" && self.moves(row) {
            return;
        }
        self.basic(element, row, vr, equal, &mut told);
    }

    /// By the Basic Profile (PS3.15 Table E.1-1a).
    fn basic(
        &self,
        element: &Element<'_>,
        row: Option<&TableRow>,
        vr: [u8; 2],
        equal: bool,
        told: &mut dyn FnMut(Fault, &str),
    ) {
        let tag = element.span.tag;
        match row.map(|row| row.basic) {
            Some("X") if ENUMERATED.contains(&tag) => {}
            Some("X") => told(Fault::Row, "the row says X, and there is a value"),
            Some(basic) if equal && !ENUMERATED.contains(&tag) => told(
                Fault::Row,
                &format!("the row says {basic}, and the value is as before"),
            ),
            Some(_) => {}
            None if element.around.gone && vr != *b"SQ" => {
                told(Fault::Row, "a sequence that its row removes has a value");
            }
            None if element.around.replaced && equal && !is_code(tag) => told(
                Fault::Row,
                "a sequence that its row replaces has a value as before",
            ),
            None if FREE_TEXTS.contains(&tag)
                && equal
                && !self.options.contains(&ProfileOption::CleanDescriptors) =>
            {
                told(Fault::Row, "a free text of structured content is as before");
            }
            None if equal && vr == *b"PN" => {
                told(
                    Fault::Row,
                    "a name that the table does not list is as before",
                );
            }
            None if equal && matches!(&vr, b"DA" | b"DT") && !self.keeps_dates() => {
                told(
                    Fault::Date,
                    "a date that the table does not list is as before",
                );
            }
            None if equal && is_about_the_patient(tag) => told(
                Fault::Row,
                "an attribute about the patient that the table does not list is as before",
            ),
            None if tag == CODING_SCHEME && equal => self.scheme(element, told),
            None => {}
        }
    }

    fn keeps_dates(&self) -> bool {
        self.options.contains(&ProfileOption::RetainFullDates)
    }

    fn again(&self) -> bool {
        self.before.is_some_and(|(_, before)| before.again)
    }

    /// Whether the value is as before: at the same place, or where items moved anywhere under the tag.
    fn is_equal(&self, element: &Element<'_>) -> bool {
        let Some((walked, before)) = self.before else {
            return false;
        };
        match element.twin {
            Some(twin) if trimmed(walked.value(twin)) == trimmed(element.value) => true,
            _ => before.has(element.span.tag, element.value),
        }
    }

    fn private(
        &self,
        element: &Element<'_>,
        creators: &HashMap<(u32, u32), String>,
        told: &mut dyn FnMut(Fault, &str),
    ) {
        let span = element.span;
        let (group, number) = ((span.tag >> 16) as u16, span.tag & 0xffff);
        let keeps = self.options.contains(&ProfileOption::RetainSafePrivate);
        if !keeps {
            return told(Fault::Row, "private attributes go (X), and this one stays");
        }
        if (0x10..0x100).contains(&number) {
            return;
        }
        let block = span.tag & 0xffff_0000 | number >> 8;
        let creator = creators.get(&(span.parent, block)).map(String::as_str);
        let safe = creator
            .is_some_and(|creator| table::is_safe_private(group, creator, (number & 0xff) as u8));
        if !safe {
            told(
                Fault::Row,
                "a private attribute that the standard does not list as safe stays",
            );
        }
    }

    fn scheme(&self, element: &Element<'_>, told: &mut dyn FnMut(Fault, &str)) {
        let designator = ascii(element.value);
        if !table::is_public_scheme(&designator) {
            told(Fault::Row, "a code of a scheme that is not public stays");
        }
    }

    fn date(
        &self,
        element: &Element<'_>,
        history: &mut History,
        told: &mut dyn FnMut(Fault, &str),
    ) {
        let Some((walked, before)) = self.before else {
            return;
        };
        let numbers = |bytes: &[u8]| -> Option<Vec<i64>> {
            let text = ascii(bytes);
            let values = text
                .split('\\')
                .map(str::trim)
                .filter(|value| !value.is_empty());
            values.map(|value| days::number(value.get(..8)?)).collect()
        };
        if before.patient.is_empty() {
            if self.is_equal(element) {
                told(
                    Fault::Date,
                    "without a Patient ID dates go, and this one is as before",
                );
            }
            return;
        }
        let Some(after) = numbers(element.value) else {
            if self.is_equal(element) {
                told(Fault::Date, "no whole date, and as before");
            }
            return;
        };
        let Some(twin) = element.twin.and_then(|twin| numbers(walked.value(twin))) else {
            // It must be one of those before, moved as the others: known when all are.
            history.later.push(Lost {
                patient: before.patient.clone(),
                tag: element.span.tag,
                days: after,
                file: self.name.to_owned(),
            });
            return;
        };
        if twin.len() != after.len() {
            return told(Fault::Date, "another number of dates than before");
        }
        for (from, to) in twin.iter().zip(&after) {
            let by = to - from;
            let first = *history.shifts.entry(before.patient.clone()).or_insert(by);
            if by == 0 && !before.moved {
                told(Fault::Date, "the date did not move");
            } else if by != first {
                told(
                    Fault::Date,
                    "it did not move by as many days as the patient's other dates",
                );
            }
        }
    }

    fn uids(
        &self,
        element: &Element<'_>,
        row: Option<&TableRow>,
        history: &mut History,
        told: &mut dyn FnMut(Fault, &str),
    ) {
        let tag = element.span.tag;
        let kept = row.is_some_and(|row| row.is_kept(&self.options));
        if kept || VOCABULARIES.contains(&tag) || self.options.contains(&ProfileOption::RetainUids)
        {
            return;
        }
        let split = |bytes: &[u8]| -> Vec<String> {
            let text = ascii(bytes);
            text.split('\\')
                .map(|uid| uid.trim_matches([' ', '\0']).to_owned())
                .collect()
        };
        let after = split(element.value);
        for uid in after.iter().filter(|uid| is_own_uid(uid)) {
            let derived = self.again() && uid.starts_with("2.25.");
            if history.uids.contains(uid) && !derived {
                told(Fault::Uid, "a UID of the files before stays");
            }
        }
        if row.is_some_and(|row| row.basic == "X") && after.iter().any(|uid| !uid.is_empty()) {
            told(Fault::Row, "the row says X, and there is a value");
        }
        let Some((walked, before)) = self.before.filter(|_| tag >> 16 != 2) else {
            return;
        };
        let Some(twin) = element.twin.map(|twin| split(walked.value(twin))) else {
            return;
        };
        let both = twin.iter().zip(&after);
        for (from, to) in both.filter(|(from, to)| is_own_uid(from) && is_own_uid(to)) {
            let patient = hash(&before.patient);
            let forth = history
                .forth
                .entry((patient, from.clone()))
                .or_insert_with(|| to.clone());
            let back = history
                .back
                .entry((patient, to.clone()))
                .or_insert_with(|| from.clone());
            if forth != to {
                told(Fault::Uid, "the same UID was replaced by different ones");
            } else if back != from {
                told(Fault::Uid, "different UIDs were replaced by the same one");
            }
        }
    }
}

/// Groups about the patient, the trial, the request and the visit, without what says that the file was de-identified.
fn is_about_the_patient(tag: u32) -> bool {
    matches!(tag >> 16, 0x10 | 0x12 | 0x32 | 0x38) && !matches!(tag, 0x0012_0062..=0x0012_0064)
}

/// Parts of a code of a public vocabulary, which may be equal.
fn is_code(tag: u32) -> bool {
    matches!(tag, 0x0008_0100..=0x0008_0104)
}

/// An element of the file after.
struct Element<'a> {
    index: u32,
    span: &'a Span,
    value: &'a [u8],
    around: Around,
    /// The element at the same place before.
    twin: Option<&'a Span>,
    /// The row of the concept that its content item is about.
    concept: Option<&'static TableRow>,
}
