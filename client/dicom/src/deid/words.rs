//! Descriptions cleaned by an allow-list: the words of the standard's own concept names stay, all else goes.

use std::collections::HashSet;
use std::sync::LazyLock;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::tree::{DataSet, Value};

const WORDS: &str = include_str!("data/words.txt");

/// Words that stand in the file's own names and identifiers: they go, even where they are words of the list.
pub(super) struct Names(HashSet<String>);

impl Names {
    /// Collects them from every name and every text about the patient, the institution and the request.
    pub(super) fn of(data_set: &DataSet) -> Self {
        let mut names = HashSet::new();
        collect(data_set, &mut names);
        Self(names)
    }

    /// The words of a text that may stay; none if no word may.
    pub(super) fn clean(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        // In ISO 2022 what looks like letters may be something else.
        if bytes.contains(&0x1b) {
            return None;
        }
        let kept: Vec<&str> = words(bytes)
            .filter(|word| {
                let word = word.to_ascii_lowercase();
                let listed = is_known(&word) || is_short_term(&word);
                listed && !self.0.contains(&word)
            })
            .collect();
        (!kept.is_empty()).then(|| kept.join(" ").into_bytes())
    }
}

/// Checks whether a word, in small letters, is one of the standard's own.
pub(crate) fn is_known(word: &str) -> bool {
    static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let lines = WORDS.lines();
        lines.filter(|line| !line.starts_with('#')).collect()
    });
    KNOWN.contains(word)
}

/// Runs of ASCII letters and digits; a run that touches other letters is not a word.
fn words(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes
        .split(|b| b.is_ascii() && !b.is_ascii_alphanumeric())
        .filter(|run| !run.is_empty())
        .filter_map(|run| std::str::from_utf8(run).ok().filter(|run| run.is_ascii()))
}

/// T1, L5, 3D and the like.
fn is_short_term(word: &str) -> bool {
    match word.as_bytes() {
        [b'c' | b'd' | b'l' | b's' | b't', digits @ ..] if matches!(digits.len(), 1 | 2) => {
            digits.iter().all(u8::is_ascii_digit)
        }
        [b'2'..=b'4', b'd'] => true,
        _ => false,
    }
}

fn collect(data_set: &DataSet, names: &mut HashSet<String>) {
    for (tag, element) in data_set {
        let named = element.vr == VR::PN
            || matches!(tag.group(), 0x0010 | 0x0038)
            || matches!(
                *tag,
                tags::INSTITUTION_NAME
                    | tags::INSTITUTION_ADDRESS
                    | tags::INSTITUTIONAL_DEPARTMENT_NAME
                    | tags::STATION_NAME
                    | tags::ACCESSION_NUMBER
                    | tags::STUDY_ID
            );
        match &element.value {
            Value::Bytes(bytes) if named => {
                names.extend(words(bytes).map(str::to_ascii_lowercase));
            }
            Value::Items(items) => items.iter().for_each(|item| collect(item, names)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::tree::Element;

    #[test]
    fn only_words_of_the_list_stay() {
        let file = DataSet::from([(tags::PATIENT_NAME, Element::bytes(VR::PN, "Head^Smithers"))]);
        let names = Names::of(&file);
        let clean = |text: &str| {
            names
                .clean(text.as_bytes())
                .map(|b| String::from_utf8(b).unwrap())
        };
        assert_eq!(
            clean("CT chest with contrast, Mrs. Smithers 555-1234").as_deref(),
            Some("chest with contrast")
        );
        // The patient's own name goes, though the list has the word.
        assert_eq!(clean("Head"), None);
        assert_eq!(clean("T1 L5 1234567 T1234").as_deref(), Some("T1 L5"));
        assert_eq!(clean("\u{1b}$Bchest"), None);
        assert_eq!(clean("chestü"), None);
    }
}
