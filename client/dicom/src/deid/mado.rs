//! The study's Key Object Selection as the manifest of IHE's Manifest-based Access to DICOM Objects (MADO, trial
//! implementation, revision 1.1): PS3.16 TID 2010 with the title "Manifest with Description" and, by TID 1600, a group for
//! each series and in it an entry for each instance.
//!
//! Its codes that DICOM has not numbered yet are those that IHE gave out for the time being (scheme 99IHE). Left out of it
//! are those values that IHE wants of the site and that would name the hospital: Institution Name, and the issuer of an
//! identifier that no issuer gave out. The issuer of pseudonyms is a UID that follows from the patient's.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::error::Result;
use super::kos::{KeyObjects, SeriesReference, content_item, derived_uid, evidence, head, strings};
use super::repeated::Repeated;
use crate::file::{self, File};
use crate::tree::{DataSet, Element, text};

/// The program that makes the document.
const MANUFACTURER: &str = "PCIM";
/// IHE's scheme for codes that DICOM has not numbered yet.
const IHE: &str = "99IHE";

/// A code: value, scheme, meaning.
pub(super) type Code = [&'static str; 3];

const TITLE: Code = ["MADOTEMP001", IHE, "Manifest with Description"];
pub(super) const SERIES_DESCRIPTION: Code = ["MADOTEMP002", IHE, "Series Description"];
pub(super) const SERIES_DATE: Code = ["MADOTEMP003", IHE, "Series Date"];
pub(super) const SERIES_TIME: Code = ["MADOTEMP004", IHE, "Series Time"];
const SERIES_INSTANCES: Code = ["MADOTEMP007", IHE, "Number of Series Related Instances"];
const STUDY_SERIES: Code = ["MADOTEMP009", IHE, "Number of Study Related Series"];
pub(super) const LIBRARY: Code = ["111028", "DCM", "Image Library"];
pub(super) const GROUP: Code = ["126200", "DCM", "Image Library Group"];
pub(super) const MODALITY: Code = ["121139", "DCM", "Modality"];
const REGION: Code = ["123014", "DCM", "Target Region"];
pub(super) const SERIES_NUMBER: Code = ["113607", "DCM", "Series Number"];
pub(super) const SERIES_UID: Code = ["112002", "DCM", "Series Instance UID"];
pub(super) const INSTANCE_NUMBER: Code = ["113609", "DCM", "Instance Number"];
pub(super) const FRAMES: Code = ["121140", "DCM", "Number of Frames"];
const DOCUMENT_TITLE: Code = ["121144", "DCM", "Document Title"];
const DESCRIPTION: Code = ["113012", "DCM", "Key Object Description"];

/// High-level regions (CID IHE-MADO1) and the values of Body Part Examined that lie in them (PS3.16 Annex L).
const REGIONS: [(Code, &[&str]); 9] = [
    (
        ["774007", "SCT", "Head and neck"],
        &[
            "HEAD", "HEADNECK", "NECK", "BRAIN", "SKULL", "FACE", "EYE", "ORBIT", "EAR", "NOSE",
            "JAW", "MANDIBLE", "MAXILLA", "TONGUE", "THYROID", "PAROTID", "SELLA", "IAC", "TMJ",
            "CAROTID", "LARYNX", "PHARYNX", "ZYGOMA", "MASTOID",
        ],
    ),
    (["80891009", "SCT", "Heart"], &["HEART", "CORONARYARTERY"]),
    (["76752008", "SCT", "Breast"], &["BREAST"]),
    (
        ["1141981001", "SCT", "Vertebral Column"],
        &[
            "SPINE", "CSPINE", "TSPINE", "LSPINE", "SSPINE", "COCCYX", "CTSPINE", "LSSPINE",
            "TLSPINE",
        ],
    ),
    (
        ["67734004", "SCT", "Upper trunk"],
        &[
            "CHEST",
            "THORAX",
            "UPPERTRUNK",
            "LUNG",
            "RIB",
            "STERNUM",
            "MEDIASTINUM",
            "CLAVICLE",
            "ESOPHAGUS",
            "AXILLA",
        ],
    ),
    (
        ["63337009", "SCT", "Lower trunk"],
        &[
            "ABDOMEN",
            "PELVIS",
            "ABDOMENPELVIS",
            "LOWERTRUNK",
            "LIVER",
            "KIDNEY",
            "PANCREAS",
            "SPLEEN",
            "STOMACH",
            "COLON",
            "BLADDER",
            "PROSTATE",
            "UTERUS",
            "OVARY",
            "RECTUM",
            "GALLBLADDER",
            "HIP",
            "TESTIS",
        ],
    ),
    (
        ["53120007", "SCT", "Upper limb"],
        &[
            "UPPERLIMB",
            "ARM",
            "UPPERARM",
            "ELBOW",
            "FOREARM",
            "WRIST",
            "HAND",
            "FINGER",
            "THUMB",
            "SHOULDER",
            "HUMERUS",
            "RADIUS",
            "ULNA",
            "SCAPULA",
        ],
    ),
    (
        ["61685007", "SCT", "Lower limb"],
        &[
            "LOWERLIMB",
            "LEG",
            "LOWERLEG",
            "THIGH",
            "KNEE",
            "ANKLE",
            "FOOT",
            "TOE",
            "FEMUR",
            "TIBIA",
            "FIBULA",
            "PATELLA",
            "CALF",
            "CALCANEUS",
        ],
    ),
    (
        ["113257007", "SCT", "Cardiovascular system"],
        &["CARDIOVASCSYS", "AORTA", "ARTERY", "VEIN"],
    ),
];
/// What is said where no region is known: one is required.
const WHOLE_BODY: Code = ["38266002", "SCT", "Entire body"];

/// The attributes of an instance that the manifest describes it by.
#[derive(Clone, Debug, Default)]
pub struct Description {
    class: String,
    instance: String,
    series: String,
    modality: Option<String>,
    body_part: Option<String>,
    series_number: Option<String>,
    series_date: Option<String>,
    series_time: Option<String>,
    series_description: Option<String>,
    instance_number: Option<String>,
    frames: Option<String>,
    /// Of a Key Object Selection the title's code and the description.
    title: Option<[String; 3]>,
    remark: Option<String>,
    charset: Option<Element>,
}

impl Description {
    /// Takes them from a file.
    pub(super) fn of(data_set: &DataSet) -> Self {
        let value = |tag| text(data_set, tag);
        let class = value(tags::SOP_CLASS_UID).unwrap_or_default();
        let listing = class == KeyObjects::CLASS;
        let first = |tag| data_set.get(&tag)?.as_items()?.first();
        let title = first(tags::CONCEPT_NAME_CODE_SEQUENCE).filter(|_| listing);
        let title = title.and_then(|code| {
            let part = |tag| text(code, tag);
            Some([
                part(tags::CODE_VALUE)?,
                part(tags::CODING_SCHEME_DESIGNATOR)?,
                part(tags::CODE_MEANING)?,
            ])
        });
        let content = data_set.get(&tags::CONTENT_SEQUENCE);
        let content = content.and_then(Element::as_items).unwrap_or_default();
        let remark = content.iter().filter(|_| listing).find_map(|item| {
            let concept = item.get(&tags::CONCEPT_NAME_CODE_SEQUENCE)?.as_items()?;
            let code = text(concept.first()?, tags::CODE_VALUE)?;
            text(item, tags::TEXT_VALUE).filter(|_| code == DESCRIPTION[0])
        });
        Self {
            instance: value(tags::SOP_INSTANCE_UID).unwrap_or_default(),
            series: value(tags::SERIES_INSTANCE_UID).unwrap_or_default(),
            modality: value(tags::MODALITY),
            body_part: value(tags::BODY_PART_EXAMINED),
            series_number: value(tags::SERIES_NUMBER),
            series_date: value(tags::SERIES_DATE),
            series_time: value(tags::SERIES_TIME),
            series_description: value(tags::SERIES_DESCRIPTION),
            instance_number: value(tags::INSTANCE_NUMBER),
            frames: value(tags::NUMBER_OF_FRAMES),
            title,
            remark,
            charset: data_set.get(&tags::SPECIFIC_CHARACTER_SET).cloned(),
            class,
        }
    }

    /// A text that can be repeated under the study's character set: its own, or ASCII.
    fn repeatable<'a>(
        &self,
        value: Option<&'a String>,
        charset: Option<&Element>,
    ) -> Option<&'a str> {
        let same = self.charset.as_ref() == charset;
        value.map(String::as_str).filter(|text| {
            text.is_ascii() && !text.contains('\u{1b}') || same && !text.contains('\u{fffd}')
        })
    }

    fn region(&self) -> Option<Code> {
        let part = self.body_part.as_deref()?;
        let found = REGIONS.iter().find(|(_, parts)| parts.contains(&part));
        found.map(|(code, _)| *code)
    }

    fn reference(&self) -> (String, String) {
        (self.class.clone(), self.instance.clone())
    }
}

impl KeyObjects {
    /// Writes the manifest for a study of the described instances, series by series in their order. The same study gives the same bytes.
    ///
    /// # Errors
    /// [`Error::File`](super::Error::File) if the study has no UID.
    pub fn of(study: &Repeated, instances: &[Description]) -> Result<Self> {
        let mut series: Vec<Vec<&Description>> = Vec::new();
        for instance in instances {
            let found = series
                .iter_mut()
                .find(|all| all[0].series == instance.series);
            match found {
                Some(all) => all.push(instance),
                None => series.push(vec![instance]),
            }
        }
        let references: Vec<SeriesReference> = series
            .iter()
            .map(|all| SeriesReference {
                uid: all[0].series.clone(),
                instances: all.iter().map(|instance| instance.reference()).collect(),
            })
            .collect();
        let (mut data_set, [uid, own_instance, own_series]) = head(study, &references)?;
        let charset = study.0.get(&tags::SPECIFIC_CHARACTER_SET);
        let mut put = |tag, element| _ = data_set.insert(tag, element);
        put(tags::MANUFACTURER, Element::bytes(VR::LO, MANUFACTURER));
        put(tags::CONCEPT_NAME_CODE_SEQUENCE, coded(TITLE));
        let proof = Element::items(vec![evidence(&uid, &references)]);
        put(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, proof);
        put(
            tags::REFERENCED_REQUEST_SEQUENCE,
            Element::items(vec![request(study, &uid)]),
        );
        if let Some(id) = text(&study.0, tags::PATIENT_ID)
            && text(&study.0, tags::PATIENT_IDENTITY_REMOVED).as_deref() == Some("YES")
        {
            let issuer = issuer(&id);
            put(
                tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE,
                issuer.clone(),
            );
            let mut other = strings([
                (tags::PATIENT_ID, VR::LO, &id),
                (tags::TYPE_OF_PATIENT_ID, VR::CS, "TEXT"),
            ]);
            other.insert(
                tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE,
                issuer.clone(),
            );
            put(
                tags::OTHER_PATIENT_I_DS_SEQUENCE,
                Element::items(vec![other]),
            );
            if text(&study.0, tags::ACCESSION_NUMBER).is_some() {
                put(tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE, issuer);
            }
        }
        let mut content = vec![library(&series, charset)];
        content.extend(
            references
                .iter()
                .flat_map(|s| &s.instances)
                .map(content_item),
        );
        put(tags::CONTENT_SEQUENCE, Element::items(content));

        let syntax = TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let syntax = syntax.ok_or(crate::Error::Encode)?;
        Ok(Self {
            bytes: file::write(&File::new(data_set, syntax), 0)?,
            instance: own_instance,
            series: own_series,
        })
    }
}

/// The issuer of a patient's pseudonyms.
fn issuer(id: &str) -> Element {
    let uid = derived_uid("issuer", id, std::iter::empty());
    Element::items(vec![strings([
        (tags::UNIVERSAL_ENTITY_ID, VR::UT, &uid),
        (tags::UNIVERSAL_ENTITY_ID_TYPE, VR::CS, "ISO"),
    ])])
}

/// The one request that is known: by its Accession Number.
fn request(study: &Repeated, uid: &str) -> DataSet {
    let accession = text(&study.0, tags::ACCESSION_NUMBER).unwrap_or_default();
    let mut item = strings([
        (tags::STUDY_INSTANCE_UID, VR::UI, uid),
        (tags::ACCESSION_NUMBER, VR::SH, &accession),
        (tags::REQUESTED_PROCEDURE_ID, VR::SH, ""),
        (tags::REQUESTED_PROCEDURE_DESCRIPTION, VR::LO, ""),
        (
            tags::PLACER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST,
            VR::LO,
            "",
        ),
        (
            tags::FILLER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST,
            VR::LO,
            "",
        ),
    ]);
    for tag in [
        tags::REFERENCED_STUDY_SEQUENCE,
        tags::REQUESTED_PROCEDURE_CODE_SEQUENCE,
    ] {
        item.insert(tag, Element::items(Vec::new()));
    }
    item
}

/// The image library (TID 1600): what is in the study, then its series.
fn library(series: &[Vec<&Description>], charset: Option<&Element>) -> DataSet {
    let all = || series.iter().flatten();
    let mut items = Vec::new();
    let mut modalities: Vec<&str> = all().filter_map(|one| one.modality.as_deref()).collect();
    modalities.sort_unstable();
    modalities.dedup();
    items.extend(modalities.into_iter().map(modality));
    let mut regions: Vec<Code> = all().filter_map(|one| one.region()).collect();
    regions.sort_unstable();
    regions.dedup();
    if regions.is_empty() {
        regions.push(WHOLE_BODY);
    }
    items.extend(regions.into_iter().map(|region| code(REGION, region)));
    items.push(number(STUDY_SERIES, series.len(), "series"));
    items.extend(series.iter().map(|all| group(all, charset)));
    container(LIBRARY, items)
}

/// A series and its instances (TID 1600 rows 2 to 4).
fn group(all: &[&Description], charset: Option<&Element>) -> DataSet {
    let first = |of: fn(&Description) -> Option<&String>| all.iter().find_map(|one| of(one));
    let mut items = Vec::new();
    items.extend(first(|one| one.modality.as_ref()).map(|text| modality(text)));
    let is_date = |text: &&String| text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(date) = first(|one| one.series_date.as_ref()).filter(is_date) {
        items.push(item("DATE", SERIES_DATE, (tags::DATE, VR::DA, date)));
    }
    if let Some(time) = first(|one| one.series_time.as_ref()).filter(|text| text.is_ascii()) {
        items.push(item("TIME", SERIES_TIME, (tags::TIME, VR::TM, time)));
    }
    let described = |one: &&&Description| one.series_description.is_some();
    let description = all
        .iter()
        .find(described)
        .and_then(|one| one.repeatable(one.series_description.as_ref(), charset));
    items.extend(description.map(|text| written(SERIES_DESCRIPTION, text)));
    let number_of = first(|one| one.series_number.as_ref());
    items.extend(number_of.map(|text| written(SERIES_NUMBER, text)));
    let uid = (tags::UID, VR::UI, all[0].series.as_str());
    items.push(item("UIDREF", SERIES_UID, uid));
    let region = all.iter().find_map(|one| one.region());
    items.extend(region.map(|region| code(REGION, region)));
    items.push(number(SERIES_INSTANCES, all.len(), "instances"));
    items.extend(all.iter().map(|one| entry(one, charset)));
    container(GROUP, items)
}

/// An instance (TID 1601), described by what lies below it.
fn entry(one: &Description, charset: Option<&Element>) -> DataSet {
    let mut item = content_item(&one.reference());
    let mut below = Vec::new();
    let frames = one.frames.as_deref().and_then(|text| text.parse().ok());
    below.extend(frames.map(|frames: usize| number(FRAMES, frames, "frames")));
    let instance = one.instance_number.as_ref();
    below.extend(instance.map(|text| written(INSTANCE_NUMBER, text)));
    if let Some([value, scheme, meaning]) = &one.title {
        let named = [value.as_str(), scheme, meaning];
        below.push(code(DOCUMENT_TITLE, named));
    }
    let remark = one.repeatable(one.remark.as_ref(), charset);
    below.extend(remark.map(|text| written(DESCRIPTION, text)));
    if !below.is_empty() {
        item.insert(tags::CONTENT_SEQUENCE, Element::items(below));
    }
    item
}

fn coded([value, scheme, meaning]: [&str; 3]) -> Element {
    Element::items(vec![strings([
        (tags::CODE_VALUE, VR::SH, value),
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme),
        (tags::CODE_MEANING, VR::LO, meaning),
    ])])
}

fn named(relation: &str, kind: &str, concept: Code) -> DataSet {
    let mut item = strings([
        (tags::RELATIONSHIP_TYPE, VR::CS, relation),
        (tags::VALUE_TYPE, VR::CS, kind),
    ]);
    item.insert(tags::CONCEPT_NAME_CODE_SEQUENCE, coded(concept));
    item
}

fn container(concept: Code, items: Vec<DataSet>) -> DataSet {
    let mut item = named("CONTAINS", "CONTAINER", concept);
    let separate = Element::bytes(VR::CS, "SEPARATE");
    item.insert(tags::CONTINUITY_OF_CONTENT, separate);
    item.insert(tags::CONTENT_SEQUENCE, Element::items(items));
    item
}

fn item(kind: &str, concept: Code, (tag, vr, value): (Tag, VR, &str)) -> DataSet {
    let mut item = named("HAS ACQ CONTEXT", kind, concept);
    item.insert(tag, Element::bytes(vr, value));
    item
}

fn written(concept: Code, text: &str) -> DataSet {
    item("TEXT", concept, (tags::TEXT_VALUE, VR::UT, text))
}

fn code(concept: Code, value: [&str; 3]) -> DataSet {
    let mut item = named("HAS ACQ CONTEXT", "CODE", concept);
    item.insert(tags::CONCEPT_CODE_SEQUENCE, coded(value));
    item
}

/// A modality by its own code (PS3.16 CID 33).
fn modality(text: &str) -> DataSet {
    code(MODALITY, [text, "DCM", text])
}

fn number(concept: Code, value: usize, unit: &str) -> DataSet {
    let braced = format!("{{{unit}}}");
    let value = value.to_string();
    let mut measured = strings([(tags::NUMERIC_VALUE, VR::DS, &value)]);
    let units = coded([&braced, "UCUM", unit]);
    measured.insert(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, units);
    let mut item = named("HAS ACQ CONTEXT", "NUM", concept);
    item.insert(
        tags::MEASURED_VALUE_SEQUENCE,
        Element::items(vec![measured]),
    );
    item
}

#[cfg(test)]
mod tests;
