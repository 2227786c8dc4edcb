//! Values of the original that are somewhere in the result.

use std::collections::BTreeSet;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::walk::Leaf;
use super::{Findings, Problem};

/// Attributes whose values name a patient, a visit, a place or a device, besides names and the patient's group.
const NAMING: [Tag; 14] = [
    tags::ACCESSION_NUMBER,
    tags::INSTITUTION_NAME,
    tags::INSTITUTION_ADDRESS,
    tags::STATION_NAME,
    tags::STUDY_ID,
    tags::DEVICE_SERIAL_NUMBER,
    tags::DETECTOR_ID,
    tags::ADMISSION_ID,
    tags::REQUESTED_PROCEDURE_ID,
    tags::SCHEDULED_PROCEDURE_STEP_ID,
    tags::PERFORMED_PROCEDURE_STEP_ID,
    tags::PLACER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST,
    tags::FILLER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST,
    tags::SPECIMEN_IDENTIFIER,
];

/// Looks for the original's naming values in the texts of the result, and in its bytes beside the pixels.
///
/// A value that the result has at the same place stayed by an option: that is the rows' matter.
pub(super) fn search(was: &[Leaf<'_>], is: &[Leaf<'_>], result: &[u8], findings: &mut Findings) {
    let kept: BTreeSet<String> = is
        .iter()
        .filter(|leaf| names(leaf))
        .flat_map(Leaf::texts)
        .collect();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for leaf in was.iter().filter(|leaf| names(leaf)) {
        for text in leaf.texts().into_iter().filter(|text| !kept.contains(text)) {
            let lower = text.to_lowercase();
            match leaf.vr() {
                VR::PN => wanted.extend(lower.split(['^', '=', ' ', ',', '.']).map(str::to_owned)),
                VR::DA => _ = wanted.insert(lower),
                VR::LO | VR::SH | VR::AE | VR::UC => _ = wanted.insert(lower),
                _ => {}
            }
        }
    }
    wanted.retain(|it| it.chars().count() >= 4 && it != "anonymized" && it != "19000101");
    for leaf in is {
        let quiet = matches!(
            leaf.vr(),
            VR::CS | VR::UI | VR::DS | VR::IS | VR::AS | VR::DA | VR::DT | VR::TM
        );
        if quiet {
            continue;
        }
        let texts: Vec<String> = leaf.texts().iter().map(|it| it.to_lowercase()).collect();
        if wanted
            .iter()
            .any(|value| texts.iter().any(|text| stands(text, value)))
        {
            findings.add(Problem::Identifier, leaf.name());
        }
    }
    // Long values are no chance in any bytes: headers, fragments, what no reader sees.
    let long: Vec<&String> = wanted
        .iter()
        .filter(|it| it.len() >= 8 && it.is_ascii())
        .collect();
    let pixels = is.iter().find(|leaf| leaf.path == [(tags::PIXEL_DATA, 0)]);
    let native = pixels.and_then(|leaf| leaf.element.to_bytes().ok());
    let end = result.len() - native.map_or(0, |bytes| bytes.len().min(result.len()));
    let head = result[..end].to_ascii_lowercase();
    let texts: BTreeSet<String> = is
        .iter()
        .flat_map(Leaf::texts)
        .map(|it| it.to_lowercase())
        .collect();
    for value in long {
        // What stands in a text was found there, or is part of one that may stay.
        let seen = texts.iter().any(|text| text.contains(value.as_str()));
        if !seen && memmem(&head, value.as_bytes()) {
            findings.add(Problem::Identifier, "the file, outside of its texts,");
        }
    }
}

/// Checks whether an attribute names somebody or something.
fn names(leaf: &Leaf<'_>) -> bool {
    let tag = leaf.tag();
    leaf.vr() == VR::PN || tag.group() == 0x0010 || NAMING.contains(&tag)
}

/// Whether a value stands in a text: long ones anywhere, short ones between other characters than letters and digits.
fn stands(text: &str, value: &str) -> bool {
    let apart = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = text[at + value.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    };
    text.match_indices(value)
        .any(|(at, _)| value.len() >= 8 || apart(at))
}

/// Whether bytes hold others: by their first, then the rest.
fn memmem(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else {
        return false;
    };
    let mut at = 0;
    while let Some(next) = hay[at..].iter().position(|byte| byte == first) {
        at += next + 1;
        if hay[at..].starts_with(rest) {
            return true;
        }
    }
    false
}
