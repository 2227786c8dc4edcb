//! Every row of the table, under every option, in a generated file.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use table::{Basic, Type};

use super::*;
use crate::tree::{Element, Value};

const PLANTED: &[u8] = b"PLANTED";

/// A value of the VR that means something, and that no dummy is.
fn planted(vr: VR) -> Element {
    let text = match vr {
        VR::DA => "19991231",
        VR::DT => "19991231235958",
        VR::TM => "235958",
        VR::UI => "1.2.3.77",
        VR::AS => "077Y",
        VR::DS | VR::IS => "777",
        VR::SQ => {
            let comment = Element::bytes(VR::LT, PLANTED);
            return Element::items(vec![DataSet::from([(tags::PATIENT_COMMENTS, comment)])]);
        }
        VR::AT | VR::FL | VR::OF | VR::OL | VR::SL | VR::UL => return Element::bytes(vr, *b"PLAN"),
        VR::FD | VR::OD | VR::OV | VR::SV | VR::UV => return Element::bytes(vr, *b"PLANTED!"),
        VR::US | VR::SS | VR::OW => return Element::bytes(vr, *b"PL"),
        _ => "PLANTED",
    };
    Element::bytes(vr, text)
}

/// Runs the attribute, alone in an otherwise empty CT image, through the whole engine.
fn run(tag: Tag, element: &Element, options: &Options) -> Option<Element> {
    let mut file = file::read(&explicit(image())).unwrap();
    file.data_set.insert(tag, element.clone());
    let bytes = file::write(&file, 0).unwrap();
    let (out, report) = deidentify(&bytes, options).unwrap();
    assert!(!format!("{report} {report:?}").contains("PLANTED"));
    let again = deidentify(&out, options).unwrap().0;
    assert!(
        again == out,
        "{tag} changes again: {:?} {:?}",
        file::read(&out).unwrap().data_set.remove(&tag),
        file::read(&again).unwrap().data_set.remove(&tag)
    );
    file::read(&out).unwrap().data_set.remove(&tag)
}

#[test]
fn every_row_does_what_it_says_under_every_option() {
    let definition = Definition::of(Edition::E2026, CT);
    let (mut exercised, mut kept, mut shifted) = (0, 0, 0);
    for (text, row) in table::rows(Edition::E2026) {
        let tag = match text {
            "50xxxxxx" => Tag(0x5002, 0x3000),
            "60xx3000" => Tag(0x6002, 0x3000),
            "60xx4000" => Tag(0x6002, 0x4000),
            "PRIVATE" => Tag(0x0009, 0x1001),
            text => {
                let number = u32::from_str_radix(text, 16).unwrap();
                Tag((number >> 16) as u16, number as u16)
            }
        };
        // Of the file meta group, command and identity: none of a data set, or what makes this file one.
        if matches!(tag.group(), 0x0000 | 0x0002) || tag == tags::SOP_INSTANCE_UID {
            continue;
        }
        // An encapsulated document is refused, whatever the class.
        if tag == tags::ENCAPSULATED_DOCUMENT {
            continue;
        }
        let entry = StandardDataDictionary.by_tag(tag);
        let vr = entry.map_or(VR::LO, |entry| entry.vr().relaxed());
        let before = planted(vr);
        exercised += 1;

        let basic = run(tag, &before, &options("research"));
        let gone = tag.group() % 2 == 1 || matches!(tag.group(), 0x5002 | 0x6002);
        let known = entry.is_some() && !gone;
        match table::resolve(row.basic, definition.kind(&[tag])) {
            _ if !known => assert_eq!(basic, None, "{tag}"),
            Basic::Remove => assert_eq!(basic, None, "{tag}"),
            Basic::Empty => {
                let after = basic.unwrap();
                let pseudonym = after.as_bytes().is_some_and(|b| matches!(b.len(), 16 | 26));
                let empty = Element::empty(after.vr) == after;
                assert!(empty || pseudonym, "{tag} {after:?}");
            }
            Basic::Dummy | Basic::Uid => {
                let after = basic.unwrap();
                assert!(
                    after != before && after != Element::empty(after.vr),
                    "{tag}"
                );
            }
        }
        for option in ProfileOption::ALL {
            let after = run(tag, &before, &with(&[option]));
            let clean = |after: &Option<Element>| {
                let Some(element) = after else { return true };
                match &element.value {
                    Value::Bytes(bytes) => *bytes != before.as_bytes().unwrap_or_default(),
                    Value::Items(items) => items
                        .iter()
                        .all(|i| !i.contains_key(&tags::PATIENT_COMMENTS)),
                    Value::Fragments(_) => false,
                }
            };
            match row.option(option) {
                Some('K') if known && vr == VR::SQ => {
                    kept += 1;
                    assert!(after.is_some() && clean(&after), "{tag} {option}");
                }
                Some('K') if known => {
                    kept += 1;
                    assert_eq!(after.as_ref(), Some(&before), "{tag} {option}");
                }
                Some('C')
                    if known
                        && option == ProfileOption::RetainModifiedDates
                        && matches!(vr, VR::DA | VR::DT) =>
                {
                    shifted += 1;
                    let after = after.unwrap();
                    let bytes = after.as_bytes().unwrap();
                    assert!(
                        value::conforms(vr, bytes) && clean(&Some(after.clone())),
                        "{tag}"
                    );
                    assert!(!bytes.starts_with(b"1900"), "{tag}");
                }
                // Times of a day do not move.
                Some('C') if vr == VR::TM && option == ProfileOption::RetainModifiedDates => {}
                _ => assert!(clean(&after), "{tag} {option}"),
            }
        }
    }
    assert!(exercised >= 615, "{exercised}");
    assert!(kept > 280 && shifted > 100, "{kept} {shifted}");
}

#[test]
fn unknown_objects_get_dummies() {
    let definition = Definition::of(Edition::E2026, "1.2.840.10008.5.1.4.1.1.999");
    for (text, row) in table::rows(Edition::E2026) {
        let Ok(number) = u32::from_str_radix(text, 16) else {
            continue;
        };
        let tag = Tag((number >> 16) as u16, number as u16);
        let kind = definition.kind(&[tag]);
        assert_eq!(kind, Type::Unknown);
        if row.basic.contains('/') {
            let basic = table::resolve(row.basic, kind);
            assert!(matches!(basic, Basic::Dummy | Basic::Uid), "{tag}");
        }
    }
}
