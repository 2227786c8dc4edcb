//! Codes: those of public coding schemes stay; others can name a hospital or an investigator, and get a code of the key
//! (PS3.3 §8.2).

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::keys::Pseudonyms;
use super::value::trim;
use crate::tree::{DataSet, Element, text};

/// Coding schemes that anybody can look up (PS3.16 §8): DICOM's, clinical terminologies, units, classifications.
const PUBLIC: [&str; 44] = [
    "ACR",
    "BARI",
    "BI",
    "C4",
    "C5",
    "CD2",
    "CVX",
    "DCM",
    "DCMUID",
    "DOCCORE",
    "FMA",
    "HCPCS",
    "HL7",
    "I10",
    "I10C",
    "I10P",
    "I11",
    "I9",
    "I9C",
    "IBSI",
    "ICD10",
    "ICDO3",
    "ISO3166_1",
    "ISO639_1",
    "ISO639_2",
    "ITIS_TSN",
    "LN",
    "MA",
    "MDC",
    "MSH",
    "NCIt",
    "NDC",
    "NEU",
    "PATHLEX",
    "PUBCHEM_CID",
    "RADLEX",
    "RFC5646",
    "RXNORM",
    "SCT",
    "SNM3",
    "SRT",
    "UBERON",
    "UCUM",
    "UMLS",
];
/// SNOMED codes under the designators that were used before it had one.
const SNOMED: [&str; 2] = ["99SDM", "SNOMED-RT"];
/// The scheme of codes that were made here.
const OURS: &str = "99ANONYMIZED";

/// Checks whether a coding scheme is public. Versions stand behind a name in brackets, as in NCDR [2.0b].
pub(super) fn is_public(scheme: &str) -> bool {
    let name = scheme.split(' ').next().unwrap_or_default();
    PUBLIC.contains(&scheme) || SNOMED.contains(&scheme) || name == "NCDR"
}

/// Replaces the code of an item whose scheme is not public; returns whether there was one.
pub(super) fn replace(item: &mut DataSet, keys: &Pseudonyms) -> bool {
    let values = [
        tags::CODE_VALUE,
        tags::LONG_CODE_VALUE,
        tags::URN_CODE_VALUE,
    ];
    let value = values.iter().find_map(|tag| item.get(tag)?.as_bytes());
    let Some(value) = value.map(trim).filter(|value| !value.is_empty()) else {
        return false;
    };
    let scheme = text(item, tags::CODING_SCHEME_DESIGNATOR).unwrap_or_default();
    if is_public(&scheme) || scheme.is_empty() && item.contains_key(&tags::URN_CODE_VALUE) {
        return false;
    }
    // Codes that were made with this key are known again, under their scheme.
    let code = match scheme == OURS {
        true => keys.identifier("code", value),
        false => keys.identifier(&format!("code {scheme}"), value),
    };
    let before = item.clone();
    for tag in values {
        item.remove(&tag);
    }
    for tag in [
        tags::CODING_SCHEME_VERSION,
        tags::CONTEXT_IDENTIFIER,
        tags::CONTEXT_UID,
        tags::CONTEXT_GROUP_EXTENSION_CREATOR_UID,
        tags::EQUIVALENT_CODE_SEQUENCE,
    ] {
        item.remove(&tag);
    }
    item.insert(tags::CODE_VALUE, Element::bytes(VR::SH, code));
    item.insert(tags::CODING_SCHEME_DESIGNATOR, Element::bytes(VR::SH, OURS));
    item.insert(tags::CODE_MEANING, Element::bytes(VR::LO, "ANONYMIZED"));
    *item != before
}
