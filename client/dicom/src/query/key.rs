//! Keys: an attribute and what its value must be (PS3.4 §C.2.2.2).

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use crate::listing::Level;
use crate::reader::listed;
use crate::tree::{DataSet, Element};

/// An attribute that must match.
#[derive(Clone, Debug)]
pub(super) struct Key {
    tag: Tag,
    level: Level,
    pattern: Pattern,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
enum Pattern {
    /// Anything, also nothing.
    Any,
    /// One of these, exactly.
    OneOf(Vec<String>),
    /// A text, `*` for any characters, `?` for one.
    Like(String),
    /// A person's name, whatever its case.
    Named(String),
    /// From the first to the last of these dates or times; empty for no bound.
    Between(String, String),
    /// A number.
    Number(f64),
    /// An unsigned short.
    Short(u16),
}

impl Key {
    /// A key of this attribute; none for a value that no such attribute has.
    pub(super) fn new(tag: Tag, level: Level, value: &str) -> Option<Self> {
        Some(Self {
            tag,
            level,
            pattern: Pattern::of(listed(tag), value)?,
        })
    }

    /// The key that a path's UID is.
    pub(super) fn uid(level: Level, uid: &str) -> Self {
        let tag = match level {
            Level::Study => tags::STUDY_INSTANCE_UID,
            Level::Series => tags::SERIES_INSTANCE_UID,
            Level::Instance => tags::SOP_INSTANCE_UID,
        };
        Self {
            tag,
            level,
            pattern: Pattern::OneOf(vec![uid.to_owned()]),
        }
    }

    /// The key that is this text and no pattern.
    pub(super) fn literal(tag: Tag, level: Level, text: &str) -> Self {
        let pattern = Pattern::OneOf(vec![text.to_owned()]);
        Self {
            tag,
            level,
            pattern,
        }
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// Checks whether a data set of the key's level matches.
    pub(super) fn fits(&self, data_set: &DataSet) -> bool {
        let bytes = data_set.get(&self.tag).and_then(Element::as_bytes);
        let bytes = bytes.unwrap_or_default();
        match &self.pattern {
            Pattern::Any => return true,
            Pattern::Short(wanted) => return bytes == wanted.to_le_bytes(),
            _ => {}
        }
        // Listings are in UTF-8.
        let Ok(text) = std::str::from_utf8(bytes) else {
            return false;
        };
        text.split('\\')
            .any(|value| self.pattern.fits(value.trim()))
    }
}

impl Pattern {
    fn of(vr: VR, value: &str) -> Option<Self> {
        let value = value.trim_matches([' ', '\0']);
        if value.is_empty() || value.bytes().all(|b| b == b'*') {
            return Some(Self::Any);
        }
        Some(match vr {
            VR::UI => {
                let uids: Vec<_> = value.split([',', '\\']).map(str::to_owned).collect();
                let is_uid = |uid: &String| {
                    uid.len() <= 64 && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                };
                uids.iter().all(is_uid).then_some(Self::OneOf(uids))?
            }
            VR::DA | VR::TM => {
                let (first, last) = value.split_once('-').unwrap_or((value, value));
                let (first, last) = (moment(vr, first)?, moment(vr, last)?);
                Self::Between(first, last)
            }
            VR::IS | VR::DS => Self::Number(value.parse().ok().filter(|n: &f64| n.is_finite())?),
            VR::US => Self::Short(value.parse().ok()?),
            VR::PN => Self::Named(folded(value)),
            _ => Self::Like(value.to_owned()),
        })
    }

    /// Checks one value of a text.
    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(all) => all.iter().any(|it| it == value),
            Self::Like(pattern) => is_like(pattern, value),
            Self::Named(pattern) => {
                let value = folded(value);
                let mut groups = value.split('=');
                is_like(pattern, &value) || groups.any(|group| is_like(pattern, &folded(group)))
            }
            Self::Between(first, last) => {
                let plain: String = value.chars().filter(|c| !matches!(c, ':' | '.')).collect();
                // A bound that is shorter than the value stands for all that begin with it.
                let upto = plain.get(..last.len()).unwrap_or(&plain);
                !plain.is_empty() && plain >= *first && (last.is_empty() || upto <= last.as_str())
            }
            Self::Number(wanted) => value.parse() == Ok(*wanted),
            Self::Short(_) => false,
        }
    }
}

/// A bound: digits alone, as many as a date or a time may have.
fn moment(vr: VR, text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !matches!(c, ':' | '.')).collect();
    let most = if vr == VR::DA { 8 } else { 12 };
    let digits = plain.bytes().all(|b| b.is_ascii_digit());
    (plain.len() <= most && digits).then_some(plain)
}

/// A name without case and without components that are empty at its end.
fn folded(name: &str) -> String {
    name.trim_end_matches(['^', ' ']).to_lowercase()
}

/// Matches a text against a pattern with `*` and `?`, in time that grows with the product of their lengths at most.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Behind the last star, and where the text went on from it.
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((behind, from)) => {
                    (p, t) = (behind, from + 1);
                    retry = Some((behind, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The attribute that a name stands for: its keyword, or its tag in hexadecimal.
pub(super) fn attribute(name: &str) -> Option<Tag> {
    if name.len() == 8 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
        let number = u32::from_str_radix(name, 16).ok()?;
        return Some(Tag((number >> 16) as u16, number as u16));
    }
    StandardDataDictionary
        .by_name(name)
        .map(|entry| entry.tag())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(vr: VR, pattern: &str, value: &str) -> bool {
        Pattern::of(vr, pattern).is_some_and(|pattern| pattern.fits(value))
    }

    #[test]
    fn values_match_by_their_kind() {
        for (vr, pattern, value, wanted) in [
            (VR::LO, "Chest", "Chest", true),
            (VR::LO, "chest", "Chest", false),
            (VR::LO, "Ch*t", "Chest", true),
            (VR::LO, "Ch*t", "Chest CT", false),
            (VR::LO, "*e?t*", "Chest CT", true),
            (VR::LO, "?hest", "hest", false),
            (VR::LO, "*", "", true),
            (VR::LO, "", "", true),
            (VR::LO, "x*", "", false),
            (
                VR::LO,
                "*a*a*a*a*b",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                false,
            ),
            (VR::PN, "DOE*", "Doe^Jane", true),
            (VR::PN, "doe^jane^^", "Doe^Jane", true),
            (
                VR::PN,
                "山田*",
                "Yamada^Tarou=山田^太郎=やまだ^たろう",
                true,
            ),
            (VR::PN, "jane", "Doe^Jane", false),
            (VR::DA, "20200101", "20200101", true),
            (VR::DA, "20200101-", "20200101", true),
            (VR::DA, "20200102-", "20200101", false),
            (VR::DA, "-20191231", "20200101", false),
            (VR::DA, "20191231-20200101", "20200101", true),
            (VR::DA, "20191231-20200101", "", false),
            (VR::TM, "10-12", "125959.5", true),
            (VR::TM, "10-12", "13", false),
            (VR::TM, "10:00-", "095959", false),
            (VR::UI, "1.2,1.3", "1.3", true),
            (VR::UI, "1.2\\1.3", "1.4", false),
            (VR::IS, "1", "01", true),
            (VR::IS, "1", "2", false),
        ] {
            assert_eq!(fits(vr, pattern, value), wanted, "{vr:?} {pattern} {value}");
        }
        for (vr, value) in [
            (VR::UI, "1.2*"),
            (VR::DA, "yesterday"),
            (VR::DA, "202001011"),
            (VR::IS, "one"),
            (VR::US, "-1"),
            (VR::IS, "NaN"),
        ] {
            assert_eq!(Pattern::of(vr, value), None, "{vr:?} {value}");
        }
    }

    #[test]
    fn attributes_have_two_names() {
        assert_eq!(attribute("PatientName"), Some(tags::PATIENT_NAME));
        assert_eq!(attribute("00100010"), Some(tags::PATIENT_NAME));
        assert_eq!(attribute("Patient Name"), None);
        assert_eq!(attribute("0010001"), None);
    }
}
