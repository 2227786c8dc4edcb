//! Identifiers of C-FIND (PS3.4 §C.4.1): keys, and the answers that have the attributes which were asked for.

use std::collections::BTreeSet;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::TransferSyntax;

use super::key::Key;
use super::{Error, Match, Query};
use crate::deid::CharacterSet;
use crate::file;
use crate::listing::{Level, Listing, PATIENT, UTF_8};
use crate::reader::listed;
use crate::tree::{DataSet, Element, text};

/// Most answers to one request.
pub const ANSWERS_MAX: usize = 100_000;
/// Most attributes of an identifier.
const ATTRIBUTES_MAX: usize = 1000;

/// A level of DIMSE's query and retrieve services: patients stand above the levels of a listing (PS3.4 §C.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryLevel {
    /// Patients.
    Patient,
    /// Studies, series or instances.
    Of(Level),
}

/// An identifier of C-FIND: a search, and the attributes that its answers have.
#[derive(Clone)]
pub struct SearchIdentifier {
    query: Query,
    level: QueryLevel,
    asked: Vec<(Tag, VR)>,
    syntax: &'static TransferSyntax,
    is_partly: bool,
}

/// The answers to an identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Data sets, each of one match.
    pub data_sets: Vec<Vec<u8>>,
    /// True if more match than are answered.
    pub has_more: bool,
}

impl QueryLevel {
    /// Reads it from an identifier; `has_patients` in a model whose root is the patient.
    pub(super) fn of(data_set: &DataSet, has_patients: bool) -> Result<Self, Error> {
        let level = text(data_set, tags::QUERY_RETRIEVE_LEVEL);
        match level.as_deref() {
            Some("PATIENT") if has_patients => Ok(Self::Patient),
            Some("STUDY") => Ok(Self::Of(Level::Study)),
            Some("SERIES") => Ok(Self::Of(Level::Series)),
            Some("IMAGE") => Ok(Self::Of(Level::Instance)),
            _ => Err(Error::Level),
        }
    }

    /// Its name (PS3.4 §C.6.1.1.1).
    fn name(self) -> &'static str {
        match self {
            Self::Patient => "PATIENT",
            Self::Of(Level::Study) => "STUDY",
            Self::Of(Level::Series) => "SERIES",
            Self::Of(Level::Instance) => "IMAGE",
        }
    }

    /// The level of listings that is searched.
    fn searched(self) -> Level {
        match self {
            Self::Patient => Level::Study,
            Self::Of(level) => level,
        }
    }

    /// Checks whether answers of this level have an attribute.
    fn has(self, tag: Tag) -> bool {
        match self {
            Self::Patient => PATIENT.contains(&tag),
            Self::Of(level) => Level::of(tag).is_some_and(|it| it <= level),
        }
    }

    /// The attribute that tells matches apart.
    fn unique(self) -> Tag {
        match self {
            Self::Patient => tags::PATIENT_ID,
            Self::Of(Level::Study) => tags::STUDY_INSTANCE_UID,
            Self::Of(Level::Series) => tags::SERIES_INSTANCE_UID,
            Self::Of(Level::Instance) => tags::SOP_INSTANCE_UID,
        }
    }
}

impl SearchIdentifier {
    /// Reads an identifier in a transfer syntax without compression. Keys of every level above are taken with it, as in a
    /// relational query.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Level`], [`Error::TooMany`], [`Error::Value`] for a key that no value can match.
    pub fn read(bytes: &[u8], syntax: &str, has_patients: bool) -> Result<Self, Error> {
        let (data_set, syntax) = read(bytes, syntax)?;
        let level = QueryLevel::of(&data_set, has_patients)?;
        let charset = CharacterSet::of(&data_set);
        let mut own = Self {
            query: Query {
                level: level.searched(),
                keys: Vec::new(),
                limit: ANSWERS_MAX,
                offset: 0,
                whole: true,
                warnings: Vec::new(),
            },
            level,
            asked: Vec::new(),
            syntax,
            is_partly: false,
        };
        for (tag, element) in &data_set {
            let is_control = [tags::QUERY_RETRIEVE_LEVEL, tags::SPECIFIC_CHARACTER_SET];
            if is_control.contains(tag) || tag.element() == 0 {
                continue;
            }
            own.asked.push((*tag, own_vr(*tag, element.vr)));
            let value = charset.text(element.as_bytes().unwrap_or_default());
            let value = value.trim_matches([' ', '\0']);
            let is_key = match element.as_items() {
                Some(items) => !items.is_empty(),
                None => !value.is_empty(),
            };
            if !is_key {
                continue;
            }
            match Level::of(*tag) {
                Some(at) if level.has(*tag) => {
                    let name = || format!("{:04X}{:04X}", tag.group(), tag.element());
                    let key = Key::new(*tag, at, value);
                    let key = key.ok_or_else(|| Error::Value { name: name() })?;
                    own.query.keys.push(key);
                }
                _ => own.is_partly = true,
            }
        }
        Ok(own)
    }

    /// Says whether a key is none of this search's and was not matched.
    #[must_use]
    pub fn is_partly_matched(&self) -> bool {
        self.is_partly
    }

    /// Finds the answers, each encoded in the identifier's transfer syntax; `ae` is where they are retrieved.
    pub fn answers<'a>(&self, listings: impl Iterator<Item = &'a Listing>, ae: &str) -> Answers {
        let found = self.query.find(listings);
        let mut answers = Answers {
            has_more: found.remaining > 0,
            ..Answers::default()
        };
        let mut seen = BTreeSet::new();
        for one in &found.matches {
            let patient = [tags::PATIENT_ID, tags::ISSUER_OF_PATIENT_ID];
            let patient = patient.map(|tag| text(one.study, tag));
            if self.level == QueryLevel::Patient && !seen.insert(patient) {
                continue;
            }
            let mut encoded = Vec::new();
            // Nothing in it has a form that cannot be written.
            if file::encode(&self.answer(one, ae), self.syntax, &mut encoded).is_ok() {
                answers.data_sets.push(encoded);
            }
        }
        answers
    }

    fn answer(&self, one: &Match<'_>, ae: &str) -> DataSet {
        let mut answer = DataSet::new();
        let value = |tag: Tag| {
            let of = match Level::of(tag)? {
                Level::Study => Some(one.study),
                Level::Series => one.series,
                Level::Instance => one.instance,
            };
            of.filter(|_| self.level.has(tag))?.get(&tag)?.as_bytes()
        };
        for (tag, vr) in &self.asked {
            let element = match value(*tag) {
                Some(bytes) => Element::bytes(*vr, bytes),
                None => Element::empty(*vr),
            };
            answer.insert(*tag, element);
        }
        let unique = self.level.unique();
        if let Some(bytes) = value(unique) {
            answer.insert(unique, Element::bytes(listed(unique), bytes));
        }
        let is_ascii = |it: &Element| it.as_bytes().is_none_or(<[u8]>::is_ascii);
        if !answer.values().all(is_ascii) {
            let charset = Element::bytes(VR::CS, UTF_8);
            answer.insert(tags::SPECIFIC_CHARACTER_SET, charset);
        }
        let level = Element::bytes(VR::CS, self.level.name());
        answer.insert(tags::QUERY_RETRIEVE_LEVEL, level);
        answer.insert(tags::RETRIEVE_AE_TITLE, Element::bytes(VR::AE, ae));
        answer
    }
}

/// The VR of an answer's attribute: the dictionary's, or the request's for one that it does not know.
fn own_vr(tag: Tag, given: VR) -> VR {
    match listed(tag) {
        VR::UN => given,
        vr => vr,
    }
}

/// Reads the data set of an identifier.
pub(super) fn read(
    bytes: &[u8],
    syntax: &str,
) -> Result<(DataSet, &'static TransferSyntax), Error> {
    let why = |error: crate::Error| Error::Malformed {
        why: error.to_string(),
    };
    let (data_set, syntax) = file::read_bare(bytes, syntax).map_err(why)?;
    match data_set.len() <= ATTRIBUTES_MAX {
        true => Ok((data_set, syntax)),
        false => Err(Error::TooMany {
            max: ATTRIBUTES_MAX,
        }),
    }
}
