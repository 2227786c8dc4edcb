//! Structured content and graphics (PS3.3 §C.17.3, §C.10.5): which content items are about a person, which drawings are
//! free.

use std::collections::BTreeSet;

use dicom_dictionary_std::tags;

use super::options::ProfileOption;
use super::table;
use crate::tree::{DataSet, Element, text};

/// Concepts that PS3.15 Table E.3.4-1 does not list, by coding scheme: who somebody is, and when the patient was born or died.
const IDENTIFYING: [(&str, &str); 14] = [
    ("DCM", "121008"), // Person Observer Name
    ("DCM", "121009"), // Person Observer's Organization Name
    ("DCM", "113870"), // Person Name
    ("DCM", "113871"), // Person ID
    ("DCM", "113872"), // Person ID Issuer
    ("DCM", "113873"), // Organization Name
    ("DCM", "121034"), // Subject Species
    ("LN", "21112-8"),
    ("LN", "18185-9"),
    ("SCT", "184099003"),
    ("SCT", "3950001"),
    ("SCT", "399753006"),
    ("SRT", "F-04F9D"),
    ("LN", "81954-0"),
];

/// Checks whether a content item goes: one that the table removes or that names a person, unless an option lets it stay.
///
/// Dates move, and texts are cleaned, attribute by attribute.
pub(super) fn goes(item: &DataSet, options: &BTreeSet<ProfileOption>) -> bool {
    let kind = text(item, tags::VALUE_TYPE).unwrap_or_default();
    if kind == "PNAME" {
        return true;
    }
    let concept = item.get(&tags::CONCEPT_NAME_CODE_SEQUENCE);
    let Some(concept) = concept.and_then(|e| e.as_items()).and_then(<[_]>::first) else {
        return false;
    };
    let scheme = text(concept, tags::CODING_SCHEME_DESIGNATOR).unwrap_or_default();
    let code = text(concept, tags::CODE_VALUE).unwrap_or_default();
    let birth = text(concept, tags::CODE_MEANING)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let birth = matches!(kind.as_str(), "DATE" | "DATETIME" | "TEXT")
        && (birth.contains("birth") || birth.contains("death"));
    match table::content_row(&scheme, &code, &kind) {
        Some(row) => {
            let mut by_option = row.options.iter().map(|(option, _)| option);
            row.basic.starts_with('X') && !by_option.any(|option| options.contains(option))
        }
        None => {
            let kept = match code.as_str() {
                "121009" | "113873" => Some(ProfileOption::RetainInstitutionIdentity),
                "121034" => Some(ProfileOption::RetainPatientCharacteristics),
                _ => None,
            };
            let listed = IDENTIFYING.contains(&(scheme.as_str(), code.as_str()));
            (listed || birth) && kept.is_none_or(|option| !options.contains(&option))
        }
    }
}

/// Takes out what could be handwriting.
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
}
