//! Applies the profile to a data set and, through its sequences, to every item.

use std::collections::{BTreeMap, BTreeSet};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_encoding::Endianness;

use super::keys::{Pseudonyms, is_standard};
use super::options::{Edition, ProfileOption};
use super::report::{Done, Report, Why};
use super::sweep::{Needles, Search};
use super::table::{self, Basic, Definition, Type};
use super::value::{agreed_vr, conforms, dummy, shifted, trim};
use super::words::Names;
use super::{codes, content};
use crate::tree::{DataSet, Element, Value, text};

/// Identifiers for which a pseudonym stands where the profile asks for an empty or a dummy value.
const IDENTIFIERS: [Tag; 8] = [
    tags::ACCESSION_NUMBER,
    tags::STUDY_ID,
    tags::DEVICE_SERIAL_NUMBER,
    tags::CLINICAL_TRIAL_PROTOCOL_ID,
    tags::CLINICAL_TRIAL_SUBJECT_ID,
    tags::CLINICAL_TRIAL_SUBJECT_READING_ID,
    tags::SPECIMEN_IDENTIFIER,
    tags::CONTAINER_IDENTIFIER,
];

/// UIDs that name a vocabulary, not something that was made of a person.
const VOCABULARIES: [Tag; 3] = [
    tags::CODING_SCHEME_UID,
    tags::CONTEXT_UID,
    tags::MAPPING_RESOURCE_UID,
];

/// The elements of group 7FE0 in use (PS3.6): offset tables, the pixels themselves.
const PIXELS: [u16; 6] = [0x0001, 0x0002, 0x0003, 0x0008, 0x0009, 0x0010];

/// Attributes that say how large pixels are, where they lie and what they measure: without one of them the image would be
/// another one.
const GEOMETRY: [Tag; 12] = [
    tags::PIXEL_SPACING,
    tags::IMAGER_PIXEL_SPACING,
    tags::NOMINAL_SCANNED_PIXEL_SPACING,
    tags::IMAGE_POSITION_PATIENT,
    tags::IMAGE_ORIENTATION_PATIENT,
    tags::RESCALE_SLOPE,
    tags::RESCALE_INTERCEPT,
    tags::GRID_FRAME_OFFSET_VECTOR,
    tags::DOSE_GRID_SCALING,
    tags::CONTOUR_DATA,
    tags::SPACING_BETWEEN_SLICES,
    tags::PIXEL_ASPECT_RATIO,
];

/// The transformation of one file.
pub(super) struct Transform<'a> {
    pub(super) options: &'a BTreeSet<ProfileOption>,
    pub(super) edition: Edition,
    pub(super) definition: Definition,
    pub(super) order: Endianness,
    pub(super) keys: &'a Pseudonyms,
    /// Days by which dates move, if they do.
    pub(super) shift: Option<i64>,
    pub(super) names: Names,
    pub(super) report: &'a mut Report,
    /// The first attribute without which the image is another one, and whose value is none.
    pub(super) lost: Option<Tag>,
    /// The values that were taken out.
    pub(super) gone: Needles,
    /// The sequences around, outermost first.
    pub(super) path: Vec<Tag>,
}

/// The treatment of an attribute.
enum Action {
    Basic(Basic),
    Keep,
    /// Dates move.
    Shift,
    /// Words of the list stay.
    Words,
    /// Structured content or graphics: items are cleaned.
    Content,
}

impl Transform<'_> {
    pub(super) fn data_set(&mut self, data_set: DataSet) -> DataSet {
        let creators = Creators::of(&data_set);
        let mut clean = DataSet::new();
        let mut blocks = BTreeSet::new();
        let mut data_set = data_set;
        if !self.path.is_empty() && codes::replace(&mut data_set, self.keys) {
            self.note(Done::Replaced, Why::Scheme);
        }
        for (tag, element) in data_set {
            self.path.push(tag);
            if tag.group() % 2 == 1 {
                if let Some(element) = self.private(tag, element, &creators) {
                    blocks.insert((tag.group(), tag.element() >> 8));
                    clean.insert(tag, element);
                }
            } else if let Some(element) = self.element(tag, element) {
                clean.insert(tag, element);
            }
            self.path.pop();
        }
        for (group, block) in blocks {
            if let Some(creator) = creators.0.get(&Tag(group, block)) {
                clean.insert(Tag(group, block), creator.clone());
            }
        }
        clean
    }

    /// A private attribute stays if the standard lists it as safe and its value is one of its VR.
    fn private(&mut self, tag: Tag, element: Element, creators: &Creators) -> Option<Element> {
        let option = ProfileOption::RetainSafePrivate;
        if self.options.contains(&option) && tag.element() >= 0x1000 {
            let creator = creators.name(tag);
            let within = (tag.element() & 0xff) as u8;
            let safe = creator.is_some_and(|name| table::safe_private(tag.group(), &name, within));
            let plain =
                element.vr != VR::UN && element.as_bytes().is_some_and(|b| conforms(element.vr, b));
            if safe && plain {
                self.note(Done::Kept, Why::Private(Some(option)));
                return Some(element);
            }
        }
        self.remove(Why::Private(None))
    }

    fn element(&mut self, tag: Tag, element: Element) -> Option<Element> {
        match tag {
            // Group lengths (retired) would lie, commands and the file meta group have no place in a data set.
            Tag(_, 0x0000) | Tag(0x0000 | 0x0002, _) => return self.remove(Why::Misplaced),
            // Curves, and whole overlay planes: an overlay without its data means nothing.
            Tag(0x5000..=0x50ff | 0x6000..=0x60ff, _) => return self.remove(Why::Plane),
            // Pixels of other forms (retired): a second image that no pixel pass looks at.
            Tag(0x7f00..=0x7fdf | 0x7fe1..=0x7fff, _) => return self.remove(Why::Plane),
            // What an earlier de-identification locked away.
            tags::ENCRYPTED_ATTRIBUTES_SEQUENCE => return self.remove(Why::Encrypted),
            Tag(0x7fe0, element) if !PIXELS.contains(&element) => return self.remove(Why::Plane),
            _ => {}
        }
        let Some(entry) = StandardDataDictionary.by_tag(tag) else {
            return self.remove(Why::Unknown);
        };
        let listed = entry.vr();
        let (action, why) = self.action(tag, listed);
        match action {
            Action::Basic(Basic::Uid) => self.uid(tag, element, listed, why),
            Action::Basic(basic) => self.basic(basic, tag, &element, listed, why),
            Action::Keep => self.keep(tag, element, listed, why),
            Action::Shift => self.shift(tag, element, listed, why),
            Action::Words => self.words(tag, element, listed, why),
            Action::Content => self.content(tag, element, listed, why),
        }
    }

    /// Decides by the table: a date that moves before what another option keeps, what is kept before what is cleaned, and
    /// the Basic Profile where no option speaks.
    fn action(&self, tag: Tag, listed: VirtualVr) -> (Action, Option<Why>) {
        let vr = listed.relaxed();
        let words = ProfileOption::CleanDescriptors;
        let Some(row) = table::row(self.edition, tag) else {
            return match table::suspect(tag, vr) {
                true if self.options.contains(&words) && is_described(vr) && !is_identity(tag) => {
                    (Action::Words, Some(Why::Unlisted))
                }
                true => (self.basic_action("X/Z/D"), Some(Why::Unlisted)),
                false => (Action::Keep, None),
            };
        };
        let wanted = |code: char| {
            let mut options = row.options.iter().filter(move |(_, found)| *found == code);
            options.find_map(|(option, _)| self.options.contains(option).then_some(*option))
        };
        let by = |option| Some(Why::Row(row.basic, Some(option)));
        let dates = ProfileOption::RetainModifiedDates;
        let is_date = matches!(vr, VR::DA | VR::DT | VR::TM);
        if self.shift.is_some() && is_date && row.option(dates) == Some('C') {
            return (Action::Shift, by(dates));
        }
        if let Some(option) = wanted('K') {
            return (Action::Keep, by(option));
        }
        for option in [
            ProfileOption::CleanStructuredContent,
            ProfileOption::CleanGraphics,
        ] {
            if self.options.contains(&option) && row.option(option) == Some('C') {
                return (Action::Content, by(option));
            }
        }
        let cleans = self.options.contains(&words) && row.option(words) == Some('C');
        if cleans && is_described(vr) {
            return (Action::Words, by(words));
        }
        (
            self.basic_action(row.basic),
            Some(Why::Row(row.basic, None)),
        )
    }

    fn basic_action(&self, code: &'static str) -> Action {
        Action::Basic(table::resolve(code, self.definition.kind(&self.path)))
    }

    /// Applies the Basic Profile where an option's way is not open.
    fn fall_back(
        &mut self,
        tag: Tag,
        element: &Element,
        listed: VirtualVr,
        why: Why,
    ) -> Option<Element> {
        let code = table::row(self.edition, tag).map_or("X/Z/D", |row| row.basic);
        match self.basic_action(code) {
            Action::Basic(Basic::Uid) => self.basic(Basic::Dummy, tag, element, listed, Some(why)),
            Action::Basic(basic) => self.basic(basic, tag, element, listed, Some(why)),
            _ => self.remove(why),
        }
    }

    fn basic(
        &mut self,
        basic: Basic,
        tag: Tag,
        element: &Element,
        listed: VirtualVr,
        why: Option<Why>,
    ) -> Option<Element> {
        let why = why.unwrap_or(Why::Unlisted);
        let vr = listed.relaxed();
        if basic == Basic::Remove {
            self.gone.add(tag, element);
            return self.remove(why);
        }
        let pseudonym = self.pseudonym(tag, element, vr);
        let same = |it: &String| {
            element
                .as_bytes()
                .is_some_and(|bytes| trim(bytes) == it.as_bytes())
        };
        if !pseudonym.as_ref().is_some_and(same) {
            self.gone.add(tag, element);
        }
        if let Some(pseudonym) = pseudonym {
            self.note(Done::Replaced, why);
            return Some(Element::bytes(vr, pseudonym));
        }
        if basic == Basic::Empty {
            self.note(Done::Emptied, why);
            return Some(Element::empty(vr));
        }
        self.note(Done::Replaced, why);
        Some(self.dummy(vr))
    }

    /// The pseudonym of an identifier that has a value.
    fn pseudonym(&self, tag: Tag, element: &Element, vr: VR) -> Option<String> {
        let value = trim(element.as_bytes()?);
        if value.is_empty() || dummy(vr).is_some_and(|dummy| dummy == value) {
            return None;
        }
        // Other IDs of the patient may lie in sequences.
        if tag == tags::PATIENT_ID && self.path.len() == 1 {
            return self.keys.patient().map(str::to_owned);
        }
        let known = IDENTIFIERS.contains(&tag) || tag == tags::PATIENT_ID;
        let fits = matches!(vr, VR::LO | VR::SH);
        (known && fits).then(|| self.keys.identifier(&tag.to_string(), value))
    }

    /// A value that means nothing. A sequence has one item with what such an item must have.
    fn dummy(&mut self, vr: VR) -> Element {
        match vr {
            VR::SQ => {
                let mut item = DataSet::new();
                for (tag, kind) in self.definition.children(&self.path) {
                    let entry = StandardDataDictionary.by_tag(tag);
                    let Some(vr) = entry.map(|entry| entry.vr().relaxed()) else {
                        continue;
                    };
                    self.path.push(tag);
                    let value = match kind {
                        Type::One => self.dummy(vr),
                        _ => Element::empty(vr),
                    };
                    self.path.pop();
                    item.insert(tag, value);
                }
                Element::items(vec![item])
            }
            VR::UI => Element::bytes(vr, self.keys.uid("")),
            vr => Element::bytes(vr, dummy(vr).unwrap_or_default()),
        }
    }

    /// The element under the VR that file and dictionary agree on, if its value is one.
    fn conforming(&self, element: Element, listed: VirtualVr) -> Result<Element, Element> {
        let vr = agreed_vr(element.vr, listed, self.order);
        let is_sequence = element.as_items().is_some();
        match (vr, &element.value) {
            (Some(VR::SQ), Value::Items(_)) => Ok(element),
            (Some(vr), Value::Bytes(bytes)) if vr != VR::SQ && conforms(vr, bytes) => {
                Ok(Element { vr, ..element })
            }
            // An empty sequence may have been written as no bytes.
            (_, Value::Bytes(bytes)) if bytes.is_empty() && !is_sequence => {
                Ok(Element::empty(listed.relaxed()))
            }
            _ => Err(element),
        }
    }

    /// Keeps an element; the items of a sequence are transformed.
    fn keep(
        &mut self,
        tag: Tag,
        element: Element,
        listed: VirtualVr,
        why: Option<Why>,
    ) -> Option<Element> {
        if tag == tags::PIXEL_DATA && matches!(element.value, Value::Fragments(_)) {
            return Some(element);
        }
        let element = match self.conforming(element, listed) {
            Ok(element) => element,
            Err(element) if GEOMETRY.contains(&tag) => {
                self.lost.get_or_insert(tag);
                return self.fall_back(tag, &element, listed, Why::Malformed);
            }
            Err(element) => return self.fall_back(tag, &element, listed, Why::Malformed),
        };
        let retained = why.is_some()
            || self.options.contains(&ProfileOption::RetainUids)
            || VOCABULARIES.contains(&tag);
        if element.vr == VR::UI && !retained && !all_standard(&element) {
            return self.uid(tag, element, listed, why);
        }
        let within = self.within(element);
        let schemes = tag == tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE;
        if schemes && within.as_items().is_none_or(<[_]>::is_empty) {
            return self.remove(Why::Scheme);
        }
        if let Some(why) = why {
            self.note(Done::Kept, why);
        }
        Some(within)
    }

    /// Transforms the items of a sequence.
    fn within(&mut self, element: Element) -> Element {
        match element.value {
            Value::Items(items) => {
                // A coding scheme that is not public names who made it.
                let schemes =
                    self.path.last() == Some(&tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE);
                let stays = |item: &DataSet| {
                    let scheme = text(item, tags::CODING_SCHEME_DESIGNATOR);
                    !schemes || scheme.is_some_and(|scheme| codes::is_public(&scheme))
                };
                let items = items.into_iter().filter(stays);
                let items: Vec<DataSet> = items.collect();
                Element::items(items.into_iter().map(|item| self.data_set(item)).collect())
            }
            _ => element,
        }
    }

    fn shift(
        &mut self,
        tag: Tag,
        element: Element,
        listed: VirtualVr,
        why: Option<Why>,
    ) -> Option<Element> {
        let vr = listed.relaxed();
        let moved = match (element.as_bytes(), self.shift) {
            (Some(bytes), Some(days)) => shifted(vr, bytes, days),
            _ => None,
        };
        let Some(moved) = moved else {
            return self.fall_back(tag, &element, listed, Why::Malformed);
        };
        if element.as_bytes().map(trim) != Some(trim(&moved)) {
            self.gone.add(tag, &element);
        }
        if !moved.is_empty() {
            self.note(Done::Shifted, why.unwrap_or(Why::Unlisted));
        }
        Some(Element::bytes(vr, moved))
    }

    fn words(
        &mut self,
        tag: Tag,
        element: Element,
        listed: VirtualVr,
        why: Option<Why>,
    ) -> Option<Element> {
        let vr = listed.relaxed();
        match element.as_bytes().and_then(|bytes| self.names.clean(bytes)) {
            Some(clean) => {
                self.note(Done::Cleaned, why.unwrap_or(Why::Unlisted));
                Some(Element::bytes(vr, clean))
            }
            None => {
                let code = table::row(self.edition, tag).map_or("X", |row| row.basic);
                self.fall_back(tag, &element, listed, Why::Row(code, None))
            }
        }
    }

    /// Structured content and graphics: what identifies goes item by item, the rest is transformed as any data set.
    fn content(
        &mut self,
        tag: Tag,
        element: Element,
        listed: VirtualVr,
        why: Option<Why>,
    ) -> Option<Element> {
        let Value::Items(items) = element.value else {
            return self.fall_back(tag, &element, listed, Why::Malformed);
        };
        let mut clean = Vec::with_capacity(items.len());
        for mut item in items {
            match content::goes(&item, self.options) {
                true => {
                    self.gone.add_all(&item);
                    self.note(Done::Removed, Why::Concept);
                }
                false => {
                    content::strip(&mut item);
                    clean.push(self.data_set(item));
                }
            }
        }
        self.note(Done::Cleaned, why.unwrap_or(Why::Unlisted));
        Some(Element::items(clean))
    }

    fn uid(
        &mut self,
        tag: Tag,
        element: Element,
        listed: VirtualVr,
        why: Option<Why>,
    ) -> Option<Element> {
        let why = why.unwrap_or(Why::Unlisted);
        if listed.relaxed() == VR::SQ {
            return match self.conforming(element, listed) {
                Ok(element) => Some(self.within(element)),
                Err(_) => self.remove(Why::Malformed),
            };
        }
        let Ok(Element {
            vr: VR::UI,
            value: Value::Bytes(bytes),
        }) = self.conforming(element, listed)
        else {
            // A malformed UID stands for another one all the same.
            self.note(Done::UidsMapped, Why::Malformed);
            return Some(Element::bytes(VR::UI, self.keys.uid(&tag.to_string())));
        };
        let text = String::from_utf8_lossy(trim(&bytes)).into_owned();
        let mapped: Vec<String> = text
            .split('\\')
            .map(|uid| match uid.trim_matches([' ', '\0']) {
                "" => String::new(),
                uid => self.keys.uid(uid),
            })
            .collect();
        let mapped = mapped.join("\\");
        if mapped != text {
            self.gone.add(tag, &Element::bytes(VR::UI, text));
            self.note(Done::UidsMapped, why);
        }
        Some(Element::bytes(VR::UI, mapped))
    }

    /// Takes out what holds a value that was taken out elsewhere.
    pub(super) fn swept(&mut self, data_set: DataSet, search: &mut Search) -> DataSet {
        let mut clean = DataSet::new();
        for (tag, element) in data_set {
            self.path.push(tag);
            let element = match element.value {
                Value::Items(items) => {
                    let items = items.into_iter().map(|item| self.swept(item, search));
                    Some(Element::items(items.collect()))
                }
                _ if search.finds(tag, &element) => self.holder(tag, &element),
                _ => Some(element),
            };
            self.path.pop();
            clean.extend(element.map(|element| (tag, element)));
        }
        clean
    }

    /// What stands for an element that holds an identifier.
    fn holder(&mut self, tag: Tag, element: &Element) -> Option<Element> {
        let why = Why::Identifier;
        // A dummy text is right wherever one must be, and where none must.
        if tag.group().is_multiple_of(2) && table::is_words(element.vr) {
            self.note(Done::Replaced, why);
            return Some(self.dummy(element.vr));
        }
        match self.basic_action("X/Z/D") {
            Action::Basic(Basic::Dummy) if tag.group().is_multiple_of(2) => {
                self.note(Done::Replaced, why);
                Some(self.dummy(element.vr))
            }
            Action::Basic(Basic::Empty) => {
                self.note(Done::Emptied, why);
                Some(Element::empty(element.vr))
            }
            _ => self.remove(why),
        }
    }

    fn remove(&mut self, why: Why) -> Option<Element> {
        self.note(Done::Removed, why);
        None
    }

    fn note(&mut self, done: Done, why: Why) {
        self.report.note(&self.path, done, why);
    }
}

/// Checks whether texts of this VR describe: their words can be looked at.
fn is_described(vr: VR) -> bool {
    matches!(vr, VR::LO | VR::LT | VR::SH | VR::ST | VR::UC | VR::UT)
}

/// Checks whether an attribute is of a group about the patient, the trial, the request or the visit.
fn is_identity(tag: Tag) -> bool {
    matches!(tag.group(), 0x0010 | 0x0012 | 0x0032 | 0x0038)
}

fn all_standard(element: &Element) -> bool {
    let text = String::from_utf8_lossy(element.as_bytes().unwrap_or_default()).into_owned();
    text.split('\\')
        .map(|uid| uid.trim_matches([' ', '\0']))
        .all(|uid| uid.is_empty() || is_standard(uid))
}

/// The private creators of a data set, by the tag that reserves the block (PS3.5 §7.8.1).
struct Creators(BTreeMap<Tag, Element>);

impl Creators {
    fn of(data_set: &DataSet) -> Self {
        let reserving = |tag: &Tag| tag.group() % 2 == 1 && (0x10..=0xff).contains(&tag.element());
        let creators = data_set.iter().filter(|(tag, _)| reserving(tag));
        Self(
            creators
                .map(|(tag, element)| {
                    let bytes = element.as_bytes().unwrap_or_default();
                    (*tag, Element::bytes(VR::LO, bytes))
                })
                .collect(),
        )
    }

    fn name(&self, tag: Tag) -> Option<String> {
        let creator = self.0.get(&Tag(tag.group(), tag.element() >> 8))?;
        Some(String::from_utf8_lossy(trim(creator.as_bytes()?)).into_owned())
    }
}
