//! The last sweep: every value that was taken out of a file is looked for in all that was kept.
//!
//! Names are looked for word by word, other values whole. Values of fewer than four characters are not looked for, nor are
//! those that are nothing but words of the standard's own vocabulary, except a person's name. Capital and small letters are
//! the same. Short values count only where they stand apart from other letters and digits.

use std::collections::{BTreeSet, HashMap};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::charset::CharacterSet;
use super::value::trim;
use super::words::is_known;
use crate::tree::{DataSet, Element, Value, is_text};

/// The fewest characters of a value that is looked for.
const SHORTEST: usize = 4;
/// The fewest characters of one that is looked for inside of words too.
const INSIDE: usize = 6;
/// The fewest characters of a whole description that is looked for.
const DESCRIPTION: usize = 10;
/// The most values that are looked for; no file has so many that are not repetitions.
const MOST: usize = 4096;
/// Bytes of a compressed frame or of other binary values that are searched: headers and profiles lie there.
const HEAD: usize = 64 << 10;

/// Texts that stand for values that were taken out before.
const DUMMIES: [&str; 2] = ["anonymized", "about:blank"];

/// Words in the names of institutions that name none.
const COMMON: [&str; 16] = [
    "hospital",
    "clinic",
    "klinik",
    "klinikum",
    "center",
    "centre",
    "medical",
    "medicine",
    "university",
    "department",
    "radiology",
    "radiologie",
    "institute",
    "imaging",
    "healthcare",
    "general",
];

/// Values that were taken out.
#[derive(Default)]
pub(super) struct Needles {
    charset: CharacterSet,
    found: BTreeSet<String>,
}

impl Needles {
    pub(super) fn new(charset: CharacterSet) -> Self {
        Self {
            charset,
            found: BTreeSet::new(),
        }
    }

    /// Adds the values of an element, and of all in it.
    pub(super) fn add(&mut self, tag: Tag, element: &Element) {
        match &element.value {
            Value::Items(items) => items.iter().for_each(|item| self.add_all(item)),
            Value::Bytes(bytes) if is_text(element.vr) || element.vr == VR::UI => {
                self.value(tag, element.vr, bytes);
            }
            _ => {}
        }
    }

    /// Adds the values of all elements.
    pub(super) fn add_all(&mut self, data_set: &DataSet) {
        data_set
            .iter()
            .for_each(|(tag, element)| self.add(*tag, element));
    }

    fn value(&mut self, tag: Tag, vr: VR, bytes: &[u8]) {
        let text = self.charset.text(trim(bytes)).to_lowercase();
        let whole = |text: &str, least: usize| {
            let text = text.trim_matches([' ', '\0', '\\']);
            let known = words(text).all(is_known);
            (text.chars().count() >= least && !known && !DUMMIES.contains(&text))
                .then(|| text.to_owned())
        };
        let mut found: Vec<String> = Vec::new();
        match vr {
            VR::PN => found.extend(
                words(&text)
                    .filter(|it| it.chars().count() >= SHORTEST && !DUMMIES.contains(it))
                    .map(str::to_owned),
            ),
            VR::UI => found.extend(text.split('\\').filter_map(|it| whole(it, DESCRIPTION))),
            VR::DA | VR::DT => found.extend(
                text.split('\\')
                    .filter_map(|it| it.trim().get(..8))
                    .filter(|it| it.bytes().all(|b| b.is_ascii_digit()) && *it != "19000101")
                    .map(str::to_owned),
            ),
            VR::TM | VR::AS | VR::CS | VR::DS | VR::IS => {}
            VR::LT | VR::ST | VR::UT => found.extend(whole(&text, DESCRIPTION)),
            _ if names_something(tag) => {
                found.extend(text.split('\\').filter_map(|it| whole(it, SHORTEST)));
            }
            _ => found.extend(text.split('\\').filter_map(|it| whole(it, DESCRIPTION))),
        }
        if tag == tags::INSTITUTION_NAME {
            let own = words(&text).filter(|it| it.chars().count() > SHORTEST);
            let own = own.filter(|it| !COMMON.contains(it) && !is_known(it));
            found.extend(own.map(str::to_owned));
        }
        for needle in found {
            if self.found.len() < MOST {
                self.found.insert(needle);
            }
        }
    }

    /// Ends the collection.
    pub(super) fn search(self) -> Search {
        let (inside, apart) = self.found.into_iter().partition(|it| {
            let short = it.chars().count() < INSIDE;
            // A standard word in a person's name counts only where it stands alone.
            !short && !is_known(it)
        });
        Search {
            charset: self.charset,
            inside,
            apart,
            seen: HashMap::new(),
        }
    }
}

/// Checks whether an attribute's value names a person, a visit, a device or a place even where it is short.
fn names_something(tag: Tag) -> bool {
    matches!(tag.group(), 0x0010 | 0x0012 | 0x0038)
        || matches!(
            tag,
            tags::ACCESSION_NUMBER
                | tags::STUDY_ID
                | tags::STATION_NAME
                | tags::INSTITUTION_NAME
                | tags::DEVICE_SERIAL_NUMBER
                | tags::DETECTOR_ID
                | tags::GANTRY_ID
                | tags::PLATE_ID
                | tags::CASSETTE_ID
                | tags::REQUESTED_PROCEDURE_ID
                | tags::SCHEDULED_PROCEDURE_STEP_ID
                | tags::PERFORMED_PROCEDURE_STEP_ID
                | tags::PLACER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST
                | tags::FILLER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST
                | tags::SPECIMEN_IDENTIFIER
                | tags::CONTAINER_IDENTIFIER
        )
}

/// Runs of letters and digits.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// Looks for values in what was kept.
pub(super) struct Search {
    charset: CharacterSet,
    /// Looked for anywhere.
    inside: Vec<String>,
    /// Looked for apart from other letters and digits.
    apart: Vec<String>,
    /// Texts that were searched before: they repeat from frame to frame.
    seen: HashMap<Vec<u8>, bool>,
}

impl Search {
    /// Checks whether an element holds one of the values.
    pub(super) fn finds(&mut self, tag: Tag, element: &Element) -> bool {
        if self.inside.is_empty() && self.apart.is_empty() {
            return false;
        }
        match &element.value {
            Value::Bytes(bytes) if is_searched(element.vr) => {
                if let Some(found) = self.seen.get(bytes) {
                    return *found;
                }
                let found = self.in_text(bytes, element.vr);
                self.seen.insert(bytes.clone(), found);
                found
            }
            Value::Bytes(bytes)
                if matches!(element.vr, VR::OB | VR::UN) && tag != tags::PIXEL_DATA =>
            {
                self.in_bytes(&bytes[..bytes.len().min(HEAD)])
            }
            _ => false,
        }
    }

    fn in_text(&self, bytes: &[u8], vr: VR) -> bool {
        let text = self.charset.text(trim(bytes)).to_lowercase();
        if vr == VR::CS {
            return self.in_code(&text);
        }
        self.inside.iter().any(|it| text.contains(it.as_str()))
            || self.apart.iter().any(|it| stands(&text, it))
    }

    /// Searches a code: a term of the standard is no name even if a patient has it as one.
    fn in_code(&self, text: &str) -> bool {
        let inside = self.inside.iter().filter(|it| text.contains(it.as_str()));
        let apart = self.apart.iter().filter(|it| stands(text, it));
        inside.chain(apart).any(|it| !is_known(it))
    }

    /// Searches bytes of any kind, for what is long enough to be no chance: as they are, and as UTF-16.
    fn in_bytes(&self, bytes: &[u8]) -> bool {
        let plain = bytes.to_ascii_lowercase();
        let narrow: Vec<u8> = plain.iter().copied().filter(|byte| *byte != 0).collect();
        self.inside.iter().any(|it| {
            let needle = it.as_bytes();
            let holds = |hay: &[u8]| hay.windows(needle.len()).any(|window| window == needle);
            holds(&plain) || holds(&narrow)
        })
    }
}

/// Checks whether values of this VR are searched as text; numbers, dates and UIDs have their own rules.
fn is_searched(vr: VR) -> bool {
    is_text(vr) && !matches!(vr, VR::DS | VR::IS | VR::DA | VR::DT | VR::TM | VR::AS)
}

/// Checks whether a value stands in a text apart from other letters and digits.
fn stands(text: &str, value: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut places = text.match_indices(value);
    places.any(|(at, _)| {
        !letter(text[..at].chars().next_back()) && !letter(text[at + value.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(gone: &[(Tag, VR, &str)]) -> Search {
        let mut needles = Needles::default();
        for (tag, vr, value) in gone {
            needles.add(*tag, &Element::bytes(*vr, *value));
        }
        needles.search()
    }

    #[test]
    fn values_are_found_in_texts_and_bytes() {
        let mut search = search(&[
            (tags::PATIENT_NAME, VR::PN, "Zwyx^Ann^von Quorlington"),
            (tags::PATIENT_ID, VR::LO, "A-12"),
            (tags::ACCESSION_NUMBER, VR::SH, "87654321"),
            (tags::STUDY_DATE, VR::DA, "20011231"),
            (tags::STUDY_DESCRIPTION, VR::LO, "CHEST"),
            (tags::INSTITUTION_NAME, VR::LO, "General Hospital Xanadu"),
        ]);
        for (vr, text, found) in [
            (VR::LO, "fl3d QUORLINGTON z", true),
            (VR::LO, "seqquorlington1", true),
            (VR::LO, "zwyx scan", true),
            (VR::LO, "zwyxing", false),
            (VR::LO, "Ann", false),
            (VR::SH, "id a-12.", true),
            (VR::SH, "id ba-123", false),
            (VR::UT, "order 0087654321", true),
            (VR::LT, "seen 20011231.", true),
            (VR::CS, "CHEST", false),
            (VR::CS, "QUORLINGTON", true),
            (VR::CS, "ZWYX QUORLINGTON", true),
            (VR::CS, "ID_87654321", true),
            (VR::LO, "Chest", false),
            (VR::LO, "made in Xanadu", true),
            (VR::LO, "General Hospital", false),
            (VR::DS, "87654321", false),
        ] {
            let element = Element::bytes(vr, text);
            assert_eq!(search.finds(tags::FILTER_TYPE, &element), found, "{text}");
        }
        let wide: Vec<u8> = "ICC Quorlington"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(search.finds(tags::ICC_PROFILE, &Element::bytes(VR::OB, wide)));
        assert!(!search.finds(
            tags::ICC_PROFILE,
            &Element::bytes(VR::OB, b"ICC Zwyx".as_slice())
        ));
    }

    #[test]
    fn letters_and_standard_words_do_not_take_everything() {
        let mut search = search(&[
            (tags::PATIENT_NAME, VR::PN, "A^B"),
            (tags::PATIENT_ID, VR::LO, "1"),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN, "Chest^Head"),
        ]);
        let mut found = |vr, text: &str| search.finds(tags::FILTER_TYPE, &Element::bytes(vr, text));
        assert!(!found(VR::LO, "A B 1") && !found(VR::CS, "HEAD"));
        assert!(found(VR::LO, "Dr Head") && !found(VR::LO, "forehead"));
    }
}
