//! Reading a manifest back: what it says of each series and instance (TID 1600).

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::charset::CharacterSet;
use super::mado::{
    FRAMES, GROUP, INSTANCE_NUMBER, LIBRARY, MODALITY, SERIES_DATE, SERIES_DESCRIPTION,
    SERIES_NUMBER, SERIES_TIME, SERIES_UID,
};
use crate::tree::{DataSet, Element, put, text};

/// A series as its manifest describes it.
#[derive(Default)]
pub(crate) struct Described {
    pub(crate) attributes: DataSet,
    /// By SOP Instance UID.
    pub(crate) instances: BTreeMap<String, DataSet>,
}

/// The series that a manifest describes, by their UIDs; none where it describes nothing.
pub(crate) fn series(manifest: &DataSet) -> BTreeMap<String, Described> {
    let charset = CharacterSet::of(manifest);
    let libraries = content(manifest).iter().filter(|it| is(it, LIBRARY[0]));
    let groups = libraries.flat_map(content).filter(|it| is(it, GROUP[0]));
    groups
        .filter_map(|group| {
            let uid = content(group).iter().find(|it| is(it, SERIES_UID[0]));
            Some((text(uid?, tags::UID)?, described(group, &charset)))
        })
        .collect()
}

fn described(group: &DataSet, charset: &CharacterSet) -> Described {
    let mut found = Described::default();
    let words = |item: &DataSet| {
        let bytes = item.get(&tags::TEXT_VALUE).and_then(Element::as_bytes);
        let text = charset.text(bytes.unwrap_or_default());
        text.trim_matches([' ', '\0']).to_owned()
    };
    for item in content(group) {
        let attributes = &mut found.attributes;
        let mut take = |tag: Tag, vr, value: Option<String>| {
            if let Some(value) = value {
                put(attributes, tag, vr, &value);
            }
        };
        match concept(item).as_deref() {
            Some(code) if code == MODALITY[0] => take(tags::MODALITY, VR::CS, coded(item)),
            Some(code) if code == SERIES_DATE[0] => {
                take(tags::SERIES_DATE, VR::DA, text(item, tags::DATE));
            }
            Some(code) if code == SERIES_TIME[0] => {
                take(tags::SERIES_TIME, VR::TM, text(item, tags::TIME));
            }
            Some(code) if code == SERIES_DESCRIPTION[0] => {
                take(tags::SERIES_DESCRIPTION, VR::LO, Some(words(item)));
            }
            Some(code) if code == SERIES_NUMBER[0] => {
                take(tags::SERIES_NUMBER, VR::IS, Some(words(item)));
            }
            Some(_) => {}
            None => {
                let Some(uid) = referenced(item) else {
                    continue;
                };
                let mut instance = DataSet::new();
                for below in content(item) {
                    match concept(below).as_deref() {
                        Some(code) if code == INSTANCE_NUMBER[0] => {
                            put(&mut instance, tags::INSTANCE_NUMBER, VR::IS, &words(below));
                        }
                        Some(code) if code == FRAMES[0] => {
                            let frames = measured(below).unwrap_or_default();
                            put(&mut instance, tags::NUMBER_OF_FRAMES, VR::IS, &frames);
                        }
                        _ => {}
                    }
                }
                found.instances.insert(uid, instance);
            }
        }
    }
    found
}

fn items(data_set: &DataSet, tag: Tag) -> &[DataSet] {
    let items = data_set.get(&tag).and_then(Element::as_items);
    items.unwrap_or_default()
}

fn content(item: &DataSet) -> &[DataSet] {
    items(item, tags::CONTENT_SEQUENCE)
}

/// The code of an item's concept.
fn concept(item: &DataSet) -> Option<String> {
    let name = items(item, tags::CONCEPT_NAME_CODE_SEQUENCE).first()?;
    text(name, tags::CODE_VALUE)
}

fn is(item: &DataSet, code: &str) -> bool {
    concept(item).as_deref() == Some(code)
}

/// The code that an item has as its value.
fn coded(item: &DataSet) -> Option<String> {
    let code = items(item, tags::CONCEPT_CODE_SEQUENCE).first()?;
    text(code, tags::CODE_VALUE)
}

fn referenced(item: &DataSet) -> Option<String> {
    let reference = items(item, tags::REFERENCED_SOP_SEQUENCE).first()?;
    text(reference, tags::REFERENCED_SOP_INSTANCE_UID)
}

fn measured(item: &DataSet) -> Option<String> {
    let measured = items(item, tags::MEASURED_VALUE_SEQUENCE).first()?;
    text(measured, tags::NUMERIC_VALUE)
}
