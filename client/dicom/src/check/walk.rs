//! The elements of a data set with the sequences that they lie in.

use dicom_core::value::Value;
use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

/// An element that is no sequence.
pub(super) struct Leaf<'a> {
    /// The sequences around, with the numbers of their items; the element last.
    pub(super) path: Vec<(Tag, usize)>,
    pub(super) element: &'a InMemElement,
}

impl Leaf<'_> {
    pub(super) fn tag(&self) -> Tag {
        self.element.header().tag
    }

    pub(super) fn vr(&self) -> VR {
        self.element.vr()
    }

    /// The values as text, decoded, without padding; none for bytes.
    pub(super) fn texts(&self) -> Vec<String> {
        let numbers = matches!(
            self.vr(),
            VR::OB | VR::OW | VR::OD | VR::OF | VR::OL | VR::OV | VR::UN | VR::SQ
        );
        match self.element.value() {
            Value::Primitive(value) if !numbers => {
                let texts = value.to_multi_str();
                let texts = texts
                    .iter()
                    .map(|it| it.trim_matches([' ', '\0']).to_owned());
                texts.filter(|it| !it.is_empty()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The attribute, as a report names it.
    pub(super) fn name(&self) -> String {
        let names = self.path.iter().map(|(tag, _)| crate::deid::label(*tag));
        names.collect::<Vec<_>>().join("/")
    }
}

/// All elements that are no sequences, from the top down.
pub(super) fn leaves(data_set: &InMemDicomObject) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    collect(data_set, &mut Vec::new(), &mut found);
    found
}

fn collect<'a>(
    data_set: &'a InMemDicomObject,
    path: &mut Vec<(Tag, usize)>,
    found: &mut Vec<Leaf<'a>>,
) {
    for element in data_set.iter() {
        let tag = element.header().tag;
        match element.value() {
            Value::Sequence(sequence) => {
                for (number, item) in sequence.items().iter().enumerate() {
                    path.push((tag, number));
                    collect(item, path, found);
                    path.pop();
                }
            }
            _ => {
                path.push((tag, 0));
                found.push(Leaf {
                    path: path.clone(),
                    element,
                });
                path.pop();
            }
        }
    }
}
