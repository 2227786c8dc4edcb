//! Applies the profile to a data set and, through its sequences, to every item.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::{HasLength, Header};
use dicom_core::value::{DataSetSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::Report;
use super::profile::{Action, PROFILE, action};
use super::value::{dummy, map_uid};

/// De-identifies a whole data set and says so in it (PS3.15 §E.1.1, step 6).
pub(super) fn transform(
    data_set: InMemDicomObject,
    key: &[u8; 32],
    report: &mut Report,
) -> InMemDicomObject {
    let mut clean = Transform { key, report }.data_set(data_set);
    let text = |tag, vr, text: &str| InMemElement::new(tag, vr, PrimitiveValue::from(text));
    let method = InMemDicomObject::from_element_iter([
        text(tags::CODE_VALUE, VR::SH, "113100"),
        text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM"),
        text(
            tags::CODE_MEANING,
            VR::LO,
            "Basic Application Confidentiality Profile",
        ),
    ]);
    clean.put(text(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES"));
    clean.put(text(tags::DEIDENTIFICATION_METHOD, VR::LO, PROFILE));
    clean.put(sequence(
        tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
        vec![method],
    ));
    clean.put(text(
        tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
        VR::CS,
        "REMOVED",
    ));
    clean
}

struct Transform<'a> {
    key: &'a [u8; 32],
    report: &'a mut Report,
}

impl Transform<'_> {
    fn data_set(&mut self, data_set: InMemDicomObject) -> InMemDicomObject {
        InMemDicomObject::from_element_iter(
            data_set
                .into_iter()
                .filter_map(|element| self.element(element)),
        )
    }

    fn element(&mut self, element: InMemElement) -> Option<InMemElement> {
        let tag = element.tag();
        if tag.group() % 2 == 1 {
            self.report.private_removed += 1;
            return None;
        }
        let Some(vr) = known_vr(&element) else {
            self.report.removed += 1;
            return None;
        };
        match action(tag, vr) {
            Action::Remove => {
                self.report.removed += 1;
                None
            }
            Action::Empty => {
                self.report.emptied += 1;
                Some(empty(tag, vr))
            }
            Action::Dummy if vr == VR::UI => Some(self.uids(&element)),
            Action::Dummy => {
                self.report.replaced += 1;
                Some(match dummy(vr) {
                    Some(value) => DataElement::new(tag, vr, value),
                    None => sequence(tag, vec![InMemDicomObject::new_empty()]),
                })
            }
            Action::Uid if vr == VR::UI => Some(self.uids(&element)),
            Action::Uid | Action::Keep => self.keep(element, vr),
        }
    }

    /// Keeps an element; the items of a sequence are transformed.
    fn keep(&mut self, element: InMemElement, vr: VR) -> Option<InMemElement> {
        let tag = element.tag();
        if element.items().is_some() {
            let items = element.into_value().into_items().unwrap_or_default();
            let items = items.into_iter().map(|item| self.data_set(item)).collect();
            return Some(sequence(tag, items));
        }
        // A sequence that was not read as one cannot be searched, fragments stand in Pixel Data only.
        let opaque = vr == VR::SQ && !element.is_empty();
        let fragments = element.fragments().is_some() && tag != tags::PIXEL_DATA;
        if opaque || fragments {
            self.report.removed += 1;
            return None;
        }
        Some(element)
    }

    fn uids(&mut self, element: &InMemElement) -> InMemElement {
        let value = match element.value() {
            Value::Primitive(PrimitiveValue::U8(bytes)) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            Value::Primitive(value) => value.to_raw_str().into_owned(),
            _ => String::new(),
        };
        let mapped: Vec<String> = value
            .split('\\')
            .map(|uid| uid.trim_matches([' ', '\0']))
            .map(|uid| match uid {
                "" => String::new(),
                uid => map_uid(self.key, uid),
            })
            .collect();
        self.report.uids += 1;
        DataElement::new(
            element.tag(),
            VR::UI,
            PrimitiveValue::from(mapped.join("\\")),
        )
    }
}

/// The VR to go by: what the dictionary says where the file says nothing (UN). None if the dictionary does not know the
/// attribute, or does not agree that it is a sequence.
fn known_vr(element: &InMemElement) -> Option<VR> {
    let listed = StandardDataDictionary.by_tag(element.tag())?.vr().relaxed();
    if element.vr() == VR::UN {
        return Some(listed);
    }
    let agreed = (listed == VR::SQ) == (element.vr() == VR::SQ);
    agreed.then(|| element.vr())
}

fn empty(tag: Tag, vr: VR) -> InMemElement {
    match vr {
        VR::SQ => sequence(tag, Vec::new()),
        vr => DataElement::empty(tag, vr),
    }
}

fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    DataElement::new(tag, VR::SQ, DataSetSequence::new(items, Length::UNDEFINED))
}
