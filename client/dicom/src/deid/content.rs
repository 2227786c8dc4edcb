//! Structured content and graphics (PS3.3 §C.17.3, §C.10.5): which content items are about a person, which drawings are
//! free.

use std::collections::BTreeSet;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::options::ProfileOption;
use crate::tree::{DataSet, Element, text};

/// Concepts (coding scheme DCM) that name or describe a person or an institution, by the option that lets them stay.
const IDENTIFYING: &[(&str, Option<ProfileOption>)] = {
    use ProfileOption::{
        RetainDeviceIdentity as Device, RetainInstitutionIdentity as Institution,
        RetainPatientCharacteristics as Patient,
    };
    &[
        ("121008", None),              // Person Observer Name
        ("121009", Some(Institution)), // Person Observer's Organization Name
        ("121013", Some(Device)),      // Device Observer Name
        ("121016", Some(Device)),      // Device Observer Serial Number
        ("121017", Some(Institution)), // Device Observer Physical Location During Observation
        ("121020", None),              // Placer Number
        ("121021", None),              // Filler Number
        ("121022", None),              // Accession Number
        ("121029", None),              // Subject Name
        ("121030", None),              // Subject ID
        ("121031", None),              // Subject Birth Date
        ("121032", Some(Patient)),     // Subject Sex
        ("121033", Some(Patient)),     // Subject Age
        ("121034", Some(Patient)),     // Subject Species
        ("113870", None),              // Person Name
        ("113871", None),              // Person ID
        ("113872", None),              // Person ID Issuer
        ("113873", Some(Institution)), // Organization Name
    ]
};

/// Checks whether a content item is about the identity of a person, and no option lets it stay.
pub(super) fn identifies(item: &DataSet, options: &BTreeSet<ProfileOption>) -> bool {
    if text(item, tags::VALUE_TYPE).as_deref() == Some("PNAME") {
        return true;
    }
    let concept = item.get(&tags::CONCEPT_NAME_CODE_SEQUENCE);
    let Some(concept) = concept.and_then(|e| e.as_items()).and_then(<[_]>::first) else {
        return false;
    };
    if text(concept, tags::CODING_SCHEME_DESIGNATOR).as_deref() != Some("DCM") {
        return false;
    }
    let code = text(concept, tags::CODE_VALUE).unwrap_or_default();
    IDENTIFYING
        .iter()
        .find(|(listed, _)| *listed == code)
        .is_some_and(|(_, option)| option.is_none_or(|option| !options.contains(&option)))
}

/// Takes out what could be handwriting, and meanings that were not coded by a public scheme.
pub(super) fn strip(item: &mut DataSet) {
    if let Some(objects) = item.remove(&tags::GRAPHIC_OBJECT_SEQUENCE) {
        let items = objects.as_items().unwrap_or_default().iter();
        let plain = items.filter(|object| {
            let kind = text(object, tags::GRAPHIC_TYPE);
            matches!(kind.as_deref(), Some("POINT" | "CIRCLE" | "ELLIPSE"))
        });
        let plain: Vec<DataSet> = plain.cloned().collect();
        if !plain.is_empty() {
            item.insert(tags::GRAPHIC_OBJECT_SEQUENCE, Element::items(plain));
        }
    }
    for tag in [
        tags::CONCEPT_NAME_CODE_SEQUENCE,
        tags::CONCEPT_CODE_SEQUENCE,
    ] {
        let Some(codes) = item.get(&tag).and_then(|e| e.as_items()) else {
            continue;
        };
        let mut codes = codes.to_vec();
        for code in &mut codes {
            let scheme = text(code, tags::CODING_SCHEME_DESIGNATOR).unwrap_or_default();
            if scheme.is_empty() || scheme.starts_with("99") || scheme == "L" {
                code.insert(tags::CODE_MEANING, Element::bytes(VR::LO, "ANONYMIZED"));
            }
        }
        item.insert(tag, Element::items(codes));
    }
}
