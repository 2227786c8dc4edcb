//! A Key Object Selection Document (PS3.3 §A.35.4) that lists all instances of a study: its manifest in DICOM's own terms.
//!
//! It repeats the study's patient and study attributes as its files have them, and says nothing else of its own: its UIDs
//! follow from the study's, its date is the study's.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use sha2::{Digest, Sha256};

use super::error::Result;
use super::options::Edition;
use super::repeated::{REPEATED, Repeated};
use super::screen;
use super::table::Definition;
use crate::tree::{DataSet, Element, text};

/// A date where the study tells none.
const NO_DATE: &str = "19000101";

/// The instances of one series.
#[derive(Clone, Debug)]
pub(super) struct SeriesReference {
    /// Series Instance UID.
    pub(super) uid: String,
    /// SOP Class UID and SOP Instance UID of each.
    pub(super) instances: Vec<(String, String)>,
}

/// A Key Object Selection Document.
#[derive(Clone, Debug)]
pub struct KeyObjects {
    /// The file (PS3.10).
    pub bytes: Vec<u8>,
    /// Its SOP Instance UID.
    pub instance: String,
    /// Its Series Instance UID.
    pub series: String,
}

impl KeyObjects {
    /// Its SOP Class UID.
    pub const CLASS: &'static str = uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE;
}

/// The first part of what the document's own UIDs are derived with. Documents of earlier programs, which did not describe
/// the instances, have none.
const KIND: &str = "manifest with description ";

/// All but the title and the content of a document about these instances; with it the UIDs of the study, of the document and
/// of its series.
pub(super) fn head(study: &Repeated, series: &[SeriesReference]) -> Result<(DataSet, [String; 3])> {
    let attribute = "Study Instance UID";
    let uid = text(&study.0, tags::STUDY_INSTANCE_UID);
    let uid = uid.ok_or(crate::Error::Missing { attribute })?;
    let own = |what: &str| {
        let all = series.iter().flat_map(|series| &series.instances);
        let instances = all.map(|(_, instance)| instance.as_str());
        derived_uid(&format!("{KIND}{what}"), &uid, instances)
    };
    let (own_instance, own_series) = (own("instance"), own("series"));

    let mut data_set = study.0.clone();
    let definition = Definition::of(Edition::default(), KeyObjects::CLASS);
    for tag in REPEATED {
        // The definition's attributes are of type 2: there, if empty.
        if definition.kind(&[tag]) < super::table::Type::Three {
            data_set.entry(tag).or_insert(Element::empty(vr_of(tag)));
        }
    }
    let date = text(&study.0, tags::STUDY_DATE);
    let date = date.filter(|date| date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()));
    let mut put = |tag, vr, value: &str| {
        data_set.insert(tag, Element::bytes(vr, value));
    };
    put(tags::SOP_CLASS_UID, VR::UI, KeyObjects::CLASS);
    put(tags::SOP_INSTANCE_UID, VR::UI, &own_instance);
    put(tags::SERIES_INSTANCE_UID, VR::UI, &own_series);
    put(tags::MODALITY, VR::CS, "KO");
    put(tags::SERIES_NUMBER, VR::IS, "0");
    put(tags::INSTANCE_NUMBER, VR::IS, "1");
    put(tags::MANUFACTURER, VR::LO, "");
    put(tags::CONTENT_TIME, VR::TM, "000000");
    put(
        tags::CONTENT_DATE,
        VR::DA,
        date.as_deref().unwrap_or(NO_DATE),
    );
    put(tags::VALUE_TYPE, VR::CS, "CONTAINER");
    put(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
    let mut put = |tag, items| _ = data_set.insert(tag, Element::items(items));
    put(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, vec![]);
    put(tags::CONTENT_TEMPLATE_SEQUENCE, vec![template()]);
    Ok((data_set, [uid, own_instance, own_series]))
}

fn vr_of(tag: Tag) -> VR {
    match tag {
        tags::STUDY_DATE | tags::PATIENT_BIRTH_DATE => VR::DA,
        tags::STUDY_TIME => VR::TM,
        tags::ACCESSION_NUMBER | tags::STUDY_ID => VR::SH,
        tags::REFERRING_PHYSICIAN_NAME | tags::PATIENT_NAME => VR::PN,
        tags::PATIENT_SEX => VR::CS,
        _ => VR::LO,
    }
}

pub(super) fn strings<const N: usize>(values: [(Tag, VR, &str); N]) -> DataSet {
    let element = |(tag, vr, value)| (tag, Element::bytes(vr, value));
    values.map(element).into_iter().collect()
}

fn template() -> DataSet {
    strings([
        (tags::MAPPING_RESOURCE, VR::CS, "DCMR"),
        (tags::TEMPLATE_IDENTIFIER, VR::CS, "2010"),
    ])
}

fn reference((class, instance): &(String, String)) -> DataSet {
    strings([
        (tags::REFERENCED_SOP_CLASS_UID, VR::UI, class),
        (tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, instance),
    ])
}

/// The instances by study and series (PS3.3 Table C.17-3).
pub(super) fn evidence(study: &str, series: &[SeriesReference]) -> DataSet {
    let series = series.iter().map(|series| {
        let instances = series.instances.iter().map(reference).collect();
        let mut item = strings([(tags::SERIES_INSTANCE_UID, VR::UI, &series.uid)]);
        item.insert(tags::REFERENCED_SOP_SEQUENCE, Element::items(instances));
        item
    });
    let series = Element::items(series.collect());
    let mut item = strings([(tags::STUDY_INSTANCE_UID, VR::UI, study)]);
    item.insert(tags::REFERENCED_SERIES_SEQUENCE, series);
    item
}

pub(super) fn content_item(instance: &(String, String)) -> DataSet {
    let kind = match &instance.0 {
        class if screen::is_waveform(class) => "WAVEFORM",
        class if screen::is_image(class) => "IMAGE",
        _ => "COMPOSITE",
    };
    let mut item = strings([
        (tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS"),
        (tags::VALUE_TYPE, VR::CS, kind),
    ]);
    let reference = Element::items(vec![reference(instance)]);
    item.insert(tags::REFERENCED_SOP_SEQUENCE, reference);
    item
}

/// A UID that follows from those of a study and its instances (PS3.5 Annex B.2, UUID version 8).
pub(super) fn derived_uid<'a>(
    what: &'a str,
    study: &'a str,
    instances: impl Iterator<Item = &'a str>,
) -> String {
    let mut hash = Sha256::new_with_prefix("pcim key objects");
    for part in [what, study].into_iter().chain(instances) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&hash.finalize()[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    format!("2.25.{}", u128::from_be_bytes(uuid))
}

/// Checks whether a data set is a document that was made here: its UID follows from those that it lists.
pub(super) fn is_own(data_set: &DataSet) -> bool {
    let items = |data_set: &DataSet, tag| {
        let items = data_set.get(&tag).and_then(Element::as_items);
        items.unwrap_or_default().to_vec()
    };
    let class = text(data_set, tags::SOP_CLASS_UID);
    let evidence = tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE;
    let (Some(KeyObjects::CLASS), [study]) = (class.as_deref(), &items(data_set, evidence)[..])
    else {
        return false;
    };
    let series = items(study, tags::REFERENCED_SERIES_SEQUENCE);
    let listed = series
        .iter()
        .flat_map(|series| items(series, tags::REFERENCED_SOP_SEQUENCE))
        .filter_map(|item| text(&item, tags::REFERENCED_SOP_INSTANCE_UID));
    let listed: Vec<String> = listed.collect();
    let study = text(study, tags::STUDY_INSTANCE_UID).unwrap_or_default();
    let own = text(data_set, tags::SOP_INSTANCE_UID);
    let derived = |kind| {
        let instances = listed.iter().map(String::as_str);
        derived_uid(&format!("{kind}instance"), &study, instances)
    };
    ["", KIND]
        .into_iter()
        .any(|kind| own == Some(derived(kind)))
}
