//! Table E.1-1 of PS3.15 and the types of PS3.3 as data, by edition of the standard.
//!
//! The table grows with every edition. So that what a later edition lists does not slip through, unlisted attributes that may
//! be personal go ([`suspect`]).
//!
//! Another edition is added in this order: `data/docbook.py PART15.xml DIR` reads the standard; `data/generate.py` writes its two
//! files into `data/EDITION/`, and `words.txt` and `codes.tsv` beside it; [`Edition`] gains a variant with its name; `source`, the
//! array in `row` and `CONTENT` here; the second look, whose tables are its own (`check/data/compact.py`, `EDITION` in
//! `check/table.rs`); docs/dicom.md.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::options::{Edition, ProfileOption};

const CONTENT: &str = include_str!("data/2026d/content.tsv");
const TEXTS: &str = include_str!("data/texts.tsv");
const CODES: &str = include_str!("data/codes.tsv");
const SAFE_PRIVATE: &str = include_str!("data/safe-private.tsv");

/// The tables of one edition. `data/docbook.py` and `data/generate.py` make those of another one.
struct Source {
    profile: &'static str,
    types: &'static str,
}

fn source(edition: Edition) -> Source {
    match edition {
        Edition::E2025 => Source {
            profile: include_str!("data/2025-01/profile.tsv"),
            types: include_str!("data/2025-01/types.tsv"),
        },
        Edition::E2026 => Source {
            profile: include_str!("data/2026d/profile.tsv"),
            types: include_str!("data/2026d/types.tsv"),
        },
    }
}

/// Rows of our own: texts that stand in structured content and graphics only, which the table treats as a whole.
const OWN_ROWS: [(Tag, &str, ProfileOption); 2] = [
    (tags::TEXT_VALUE, "D", ProfileOption::CleanDescriptors),
    (
        tags::UNFORMATTED_TEXT_VALUE,
        "D",
        ProfileOption::CleanDescriptors,
    ),
];

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Column "Basic Prof.".
    pub(super) basic: &'static str,
    /// Whether the option keeps (`K`) or cleans (`C`).
    pub(super) options: Vec<(ProfileOption, char)>,
}

impl Row {
    /// The option's code, if the row has one.
    pub(super) fn option(&self, option: ProfileOption) -> Option<char> {
        let found = self.options.iter().find(|(listed, _)| *listed == option);
        found.map(|(_, code)| *code)
    }
}

/// The Basic Profile's action on an attribute (PS3.15 Table E.1-1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basic {
    /// X: the attribute goes.
    Remove,
    /// Z: the value goes.
    Empty,
    /// D: a value that means nothing replaces it.
    Dummy,
    /// U: another UID replaces it, the same one for the same UID.
    Uid,
}

/// An attribute's type in the definition of its object (PS3.5 §7.4); conditional types count as if the condition held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    /// Must have a value.
    One,
    /// Must be there.
    Two,
    /// May go.
    Three,
    /// The object's definition is not known: what is safe for every type.
    Unknown,
}

/// The row of an attribute; patterns for overlays, curves and private attributes are not asked for here.
pub(super) fn row(edition: Edition, tag: Tag) -> Option<&'static Row> {
    type Rows = HashMap<Tag, Row>;
    fn rows(edition: Edition) -> Rows {
        let own = OWN_ROWS.map(|(tag, basic, option)| {
            let options = vec![(option, 'C')];
            (tag, Row { basic, options })
        });
        let listed = source(edition).profile.lines().filter_map(|line| {
            let (tag, row) = parse_row(line)?;
            Some((parse_tag(tag)?, row))
        });
        own.into_iter().chain(listed).collect()
    }
    static ROWS: [LazyLock<Rows>; 2] = [
        LazyLock::new(|| rows(Edition::E2025)),
        LazyLock::new(|| rows(Edition::E2026)),
    ];
    ROWS[edition as usize].get(&tag)
}

/// The row of a content item (PS3.15 Table E.3.4-1), by coding scheme, code and value type.
pub(super) fn content_row(scheme: &str, code: &str, kind: &str) -> Option<&'static Row> {
    static ROWS: LazyLock<HashMap<String, Row>> = LazyLock::new(|| {
        let lines = CONTENT.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| {
                let mut fields = line.splitn(4, '\t');
                let key = [fields.next()?, fields.next()?, fields.next()?].join("\t");
                let rest = fields.next()?;
                let (basic, options) = rest.split_once('\t').unwrap_or((rest, ""));
                let row = fields_of(basic, options);
                Some((key, row))
            })
            .collect()
    });
    ROWS.get([scheme, code, kind].join("\t").as_str())
}

/// Issuers of identifiers, and organisations behind them, which the table does not list.
const ISSUERS: [Tag; 10] = [
    tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
    tags::ISSUER_OF_ADMISSION_ID_SEQUENCE,
    tags::ISSUER_OF_SERVICE_EPISODE_ID_SEQUENCE,
    tags::ORDER_PLACER_IDENTIFIER_SEQUENCE,
    tags::ORDER_FILLER_IDENTIFIER_SEQUENCE,
    tags::ASSIGNING_FACILITY_SEQUENCE,
    tags::ASSIGNING_JURISDICTION_CODE_SEQUENCE,
    tags::ASSIGNING_AGENCY_OR_DEPARTMENT_CODE_SEQUENCE,
    tags::ISSUER_OF_THE_CONTAINER_IDENTIFIER_SEQUENCE,
    tags::ISSUER_OF_THE_SPECIMEN_IDENTIFIER_SEQUENCE,
];

/// Checks whether the value of a VR is free text.
pub(super) fn is_words(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT
    )
}

/// Checks whether an attribute that the table does not list may be personal: one about the patient, the trial, the request
/// or the visit; a name, a date, an address in the web; an issuer; and every free text that is not known to be harmless, so
/// that what a later edition lists does not slip through.
pub(super) fn suspect(tag: Tag, vr: VR) -> bool {
    static HARMLESS: LazyLock<HashSet<Tag>> = LazyLock::new(|| {
        let lines = TEXTS.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| parse_tag(line.split('\t').next()?))
            .collect()
    });
    // Whether the patient walks upright is an enumerated value that images of animals need.
    let orientation = tag == tags::ANATOMICAL_ORIENTATION_TYPE;
    matches!(tag.group(), 0x0010 | 0x0012 | 0x0032 | 0x0038) && !orientation
        || matches!(vr, VR::PN | VR::DA | VR::DT | VR::TM)
        || (vr == VR::UR && tag != tags::URN_CODE_VALUE)
        || ISSUERS.contains(&tag)
        || is_words(vr) && !HARMLESS.contains(&tag)
}

/// Resolves a code of the Basic Profile by the attribute's type (PS3.15 Table E.1-1a).
pub(super) fn resolve(code: &str, kind: Type) -> Basic {
    match (code, kind) {
        // References stay consistent where they must be there at all: what lists them elsewhere counts on them.
        ("X/Z/U*", Type::One | Type::Two | Type::Unknown) | ("U", _) => Basic::Uid,
        ("Z" | "D" | "Z/D" | "X/Z" | "X/D" | "X/Z/D", Type::One) => Basic::Dummy,
        ("Z/D" | "X/Z" | "X/D" | "X/Z/D", Type::Unknown) | ("D", _) => Basic::Dummy,
        ("Z" | "Z/D", _) => Basic::Empty,
        // What must be there is emptied where the table removes it: the object stays what it is.
        ("X" | "X/Z" | "X/D" | "X/Z/D", Type::Two) => Basic::Empty,
        _ => Basic::Remove,
    }
}

/// The definition of an object: its attributes' types.
#[derive(Clone, Default)]
pub(super) struct Definition {
    modules: Option<Vec<&'static Module>>,
    of_a_patient: bool,
}

type Module = HashMap<Vec<Tag>, Type>;

struct Types {
    /// IOD by class.
    classes: HashMap<&'static str, &'static str>,
    /// Modules by IOD.
    iods: HashMap<&'static str, Vec<&'static str>>,
    modules: HashMap<&'static str, Module>,
}

static TYPES: [LazyLock<Types>; 2] = [
    LazyLock::new(|| read_types(source(Edition::E2025).types)),
    LazyLock::new(|| read_types(source(Edition::E2026).types)),
];

fn read_types(text: &'static str) -> Types {
    let mut types = Types {
        classes: HashMap::new(),
        iods: HashMap::new(),
        modules: HashMap::new(),
    };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        match (fields.next(), fields.next(), fields.next()) {
            (Some("class"), Some(uid), Some(iod)) => {
                types.classes.insert(uid, iod);
            }
            (Some("iod"), Some(iod), Some(modules)) => {
                types.iods.insert(iod, modules.split_whitespace().collect());
            }
            (Some(module), Some(path), Some(kind)) => {
                let path = path.split('/').filter_map(parse_tag).collect();
                let kind = match kind {
                    "1" => Type::One,
                    _ => Type::Two,
                };
                let module = types.modules.entry(module).or_default();
                module.insert(path, kind);
            }
            _ => {}
        }
    }
    types
}

impl Definition {
    /// The definition for a SOP class.
    pub(super) fn of(edition: Edition, class: &str) -> Self {
        let types = &*TYPES[edition as usize];
        let iod = types.classes.get(class).and_then(|iod| types.iods.get(iod));
        let of_a_patient = iod.is_some_and(|names| names.contains(&"patient"));
        let modules = iod.map(|names| {
            let modules = names.iter().filter_map(|name| types.modules.get(name));
            modules.collect()
        });
        Self {
            modules,
            of_a_patient,
        }
    }

    /// Checks whether the tables know the class, and its objects are of a patient.
    pub(super) fn is_of_a_patient(&self) -> bool {
        self.of_a_patient
    }

    /// The type of the attribute at a path of sequences, the attribute last: the strictest of the modules'.
    pub(super) fn kind(&self, path: &[Tag]) -> Type {
        let Some(modules) = &self.modules else {
            return Type::Unknown;
        };
        let kinds = modules.iter().filter_map(|module| module.get(path));
        kinds.min().copied().unwrap_or(Type::Three)
    }

    /// The attributes that must be in an item of the sequence at this path, with their types.
    pub(super) fn children(&self, path: &[Tag]) -> Vec<(Tag, Type)> {
        let modules = self.modules.iter().flatten();
        let mut children: Vec<(Tag, Type)> = modules
            .flat_map(|module| module.iter())
            .filter_map(|(at, kind)| match at.split_last() {
                Some((tag, parents)) if parents == path => Some((*tag, *kind)),
                _ => None,
            })
            .collect();
        children.sort_unstable();
        children.dedup_by_key(|(tag, _)| *tag);
        children
    }
}

/// Checks whether the standard lists a private attribute as safe: group, creator, element within the creator's block.
pub(super) fn safe_private(group: u16, creator: &str, element: u8) -> bool {
    static SAFE: LazyLock<HashMap<(&str, u16), Vec<u8>>> = LazyLock::new(|| {
        let rows = SAFE_PRIVATE.lines().filter(|line| !line.starts_with('#'));
        rows.filter_map(|line| {
            let mut fields = line.split('\t');
            let (creator, group) = (fields.next()?, fields.next()?);
            let elements = fields.next()?.split(' ');
            let elements = elements.filter_map(|text| u8::from_str_radix(text, 16).ok());
            let group = u16::from_str_radix(group, 16).ok()?;
            Some(((creator, group), elements.collect()))
        })
        .collect()
    });
    SAFE.get(&(creator, group))
        .is_some_and(|elements| elements.contains(&element))
}

/// Checks whether a text is a modality of the standard's list.
pub(super) fn is_modality(code: &str) -> bool {
    listed_code(0, code)
}

/// Checks whether a text is a body part of the standard's list.
pub(super) fn is_body_part(code: &str) -> bool {
    listed_code(1, code)
}

fn listed_code(line: usize, code: &str) -> bool {
    let mut lines = CODES.lines().filter(|line| !line.starts_with('#'));
    lines
        .nth(line)
        .is_some_and(|codes| codes.split('\t').any(|listed| listed == code))
}

fn parse_row(line: &'static str) -> Option<(&'static str, Row)> {
    let mut fields = line.split('\t');
    let (tag, basic) = (fields.next()?, fields.next()?);
    Some((tag, fields_of(basic, fields.next().unwrap_or_default())))
}

fn fields_of(basic: &'static str, options: &str) -> Row {
    let options = options.split_whitespace();
    let options = options.filter_map(|option| {
        let (code, action) = option.split_once('=')?;
        let option = ProfileOption::from_code(code.parse().ok()?)?;
        Some((option, action.chars().next()?))
    });
    Row {
        basic,
        options: options.collect(),
    }
}

fn parse_tag(text: &str) -> Option<Tag> {
    let number = u32::from_str_radix(text, 16).ok()?;
    Some(Tag((number >> 16) as u16, number as u16))
}

/// Every row as it is listed, for tests that go through all of them.
#[cfg(test)]
pub(super) fn rows(edition: Edition) -> Vec<(&'static str, Row)> {
    source(edition)
        .profile
        .lines()
        .filter_map(parse_row)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        assert_eq!(rows(Edition::E2025).len(), 621);
        let rows = || rows(Edition::E2026);
        assert_eq!(rows().len(), 657);
        let plain = rows()
            .iter()
            .filter(|(tag, _)| parse_tag(tag).is_some())
            .count();
        assert_eq!(plain, 653);
        let codes = rows()
            .iter()
            .flat_map(|(_, row)| row.options.clone())
            .count();
        assert_eq!(codes, 636);
        for (tag, row) in rows() {
            assert!(
                matches!(
                    row.basic,
                    "X" | "Z" | "D" | "U" | "Z/D" | "X/Z" | "X/D" | "X/Z/D" | "X/Z/U*"
                ),
                "{tag}"
            );
            assert!(
                row.options
                    .iter()
                    .all(|(_, code)| matches!(code, 'K' | 'C')),
                "{tag}"
            );
        }
    }

    #[test]
    fn every_class_has_its_modules() {
        assert_eq!(TYPES[1].classes.len(), 180);
        for (class, iod) in &TYPES[1].classes {
            let modules = &TYPES[1].iods[iod];
            assert!(
                modules.iter().all(|m| TYPES[1].modules.contains_key(m)),
                "{class}"
            );
        }
        let ct = Definition::of(Edition::E2026, "1.2.840.10008.5.1.4.1.1.2");
        assert_eq!(ct.kind(&[tags::PATIENT_NAME]), Type::Two);
        assert_eq!(ct.kind(&[tags::INSTITUTION_NAME]), Type::Three);
        let operators = tags::OPERATOR_IDENTIFICATION_SEQUENCE;
        assert_eq!(ct.kind(&[operators, tags::INSTITUTION_NAME]), Type::One);
        assert_eq!(
            Definition::of(Edition::E2026, "1.2.3").kind(&[tags::PATIENT_NAME]),
            Type::Unknown
        );
    }

    #[test]
    fn compound_codes_follow_the_type() {
        use Basic::{Dummy, Empty, Remove, Uid};
        for (code, wanted) in [
            ("X", [Remove, Empty, Remove, Remove]),
            ("Z", [Dummy, Empty, Empty, Empty]),
            ("D", [Dummy, Dummy, Dummy, Dummy]),
            ("U", [Uid, Uid, Uid, Uid]),
            ("Z/D", [Dummy, Empty, Empty, Dummy]),
            ("X/Z", [Dummy, Empty, Remove, Dummy]),
            ("X/D", [Dummy, Empty, Remove, Dummy]),
            ("X/Z/D", [Dummy, Empty, Remove, Dummy]),
            ("X/Z/U*", [Uid, Uid, Remove, Uid]),
            ("?", [Remove, Remove, Remove, Remove]),
        ] {
            let kinds = [Type::One, Type::Two, Type::Three, Type::Unknown];
            assert_eq!(kinds.map(|kind| resolve(code, kind)), wanted, "{code}");
        }
    }

    #[test]
    fn safe_private_attributes_are_known_by_creator() {
        assert!(safe_private(0x7053, "Philips PET Private Group", 0x09));
        assert!(!safe_private(0x7053, "Philips PET Private Group", 0x0a));
        assert!(!safe_private(0x7053, "SIEMENS MR HEADER", 0x09));
        assert_eq!(
            SAFE_PRIVATE.lines().filter(|l| !l.starts_with('#')).count(),
            29
        );
    }
}
