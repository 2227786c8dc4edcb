//! Names, identifiers, dates, telephone numbers and UIDs, planted wherever a file has room, and looked for afterwards.

use super::*;

/// What is planted: the first fits every text, the others their own kind.
const NAME: &str = "Zwyx^Quorl";
const PHONE: &str = "+49-555-0199-887";
const DATE: &str = "19870613";
const UID: &str = "1.3.6.1.4.1.99999.87654321";
const NEEDLES: [&str; 8] = [
    "SECRET",
    "Zwyx",
    "Quorl",
    "ZWYX",
    "555-0199",
    "19870613",
    "1.3.6.1.4.1.99999",
    "87654321",
];

/// Plants in every attribute of the dictionary that the table lists and that holds text, here and in two nested items.
fn planted_image() -> InMemDicomObject {
    use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
    let plant = || {
        let mut elements = Vec::new();
        for (text, _) in table::rows(Edition::E2026) {
            let Ok(number) = u32::from_str_radix(text, 16) else {
                continue;
            };
            let tag = Tag((number >> 16) as u16, number as u16);
            let entry = dicom_dictionary_std::StandardDataDictionary.by_tag(tag);
            let Some(vr) = entry.map(|entry| entry.vr().relaxed()) else {
                continue;
            };
            if matches!(tag.group(), 0x0000 | 0x0002) || tag == tags::ENCAPSULATED_DOCUMENT {
                continue;
            }
            let value = match vr {
                VR::SQ => continue,
                VR::DA | VR::DT => DATE,
                VR::UI => UID,
                VR::SH | VR::AE | VR::CS => "Zwyx^Quorl",
                VR::PN => NAME,
                VR::TM | VR::AS | VR::DS | VR::IS => "Zwyx",
                VR::OB | VR::OW | VR::OF | VR::OD | VR::OL | VR::UN => {
                    let value = PrimitiveValue::U8(b"Quorl 87654321  "[..].into());
                    elements.push(InMemElement::new(tag, vr, value));
                    continue;
                }
                VR::LO | VR::LT | VR::ST | VR::UC | VR::UT | VR::UR => PHONE,
                _ => continue,
            };
            elements.push(element(tag, vr, value));
        }
        // Where they do not belong: other VRs, unknown and private attributes, overlay, curve.
        elements.extend([
            element(tags::SLICE_THICKNESS, VR::DS, "Zwyx"),
            element(tags::KVP, VR::LO, NAME),
            element(tags::SCAN_OPTIONS, VR::CS, NAME),
            element(tags::ECHO_TRAIN_LENGTH, VR::UN, NAME),
            element(tags::PATIENT_POSITION, VR::PN, NAME),
            InMemElement::new(
                tags::DISTANCE_SOURCE_TO_DETECTOR,
                VR::OB,
                PrimitiveValue::U8(b"Quorl "[..].into()),
            ),
            element(Tag(0x0018, 0xfff0), VR::LO, NAME),
            element(Tag(0x0011, 0x0010), VR::LO, NAME),
            element(Tag(0x0011, 0x1001), VR::UT, PHONE),
            element(Tag(0x6002, 0x0022), VR::LO, NAME),
            InMemElement::new(
                Tag(0x6002, 0x3000),
                VR::OW,
                PrimitiveValue::U8(b"Quorl 87654321  "[..].into()),
            ),
            element(Tag(0x5002, 0x2500), VR::LO, NAME),
            element(Tag(0x0008, 0x0000), VR::LO, NAME),
            element(Tag(0xfffc, 0xfffc), VR::OB, NAME),
        ]);
        elements
    };
    let leaf = InMemDicomObject::from_element_iter(plant());
    let mut middle = InMemDicomObject::from_element_iter(plant());
    middle.put(sequence(
        tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE,
        vec![leaf.clone()],
    ));
    middle.put(sequence(Tag(0x0011, 0x1002), vec![leaf.clone()]));
    let mut image = image();
    plant().into_iter().for_each(|e| _ = image.put(e));
    image.put(element(tags::SOP_CLASS_UID, VR::UI, CT));
    image.put(element(tags::BURNED_IN_ANNOTATION, VR::CS, "NO"));
    image.put(sequence(
        tags::CONTRIBUTING_SOURCES_SEQUENCE,
        vec![middle, leaf],
    ));
    image
}

fn files() -> Vec<Vec<u8>> {
    SYNTAXES
        .into_iter()
        .map(|syntax| {
            let mut image = planted_image();
            // Behind the pixels, of which there are eight bytes; as many again may be a frame, and are refused.
            image.put(InMemElement::new(
                tags::PIXEL_DATA,
                VR::OB,
                PrimitiveValue::U8(b"\x01\x02\x03\x04\x05\x06\x07\x08Quorl "[..].into()),
            ));
            let meta = FileMetaTableBuilder::new()
                .media_storage_sop_class_uid(CT)
                .media_storage_sop_instance_uid(UID)
                .implementation_class_uid(UID)
                .implementation_version_name("Zwyx^Quorl")
                .source_application_entity_title("Zwyx^Quorl")
                .sending_application_entity_title("Zwyx^Quorl")
                .receiving_application_entity_title("Zwyx^Quorl")
                .private_information_creator_uid(UID)
                .private_information(b"Quorl 87654321  ".to_vec())
                .transfer_syntax(syntax)
                .build()
                .unwrap();
            let mut file = Vec::new();
            image.with_exact_meta(meta).write_all(&mut file).unwrap();
            file[..10].copy_from_slice(NAME.as_bytes());
            assert!(contains(&file, NAME.as_bytes()));
            file
        })
        .collect()
}

#[test]
fn nothing_that_was_planted_is_found() {
    for purpose in ["care", "research"] {
        for (number, file) in files().iter().enumerate() {
            let mut options = options(purpose);
            // The words of descriptions are looked at with the strictest eye when some may stay.
            options.profile.options.extend([
                ProfileOption::CleanDescriptors,
                ProfileOption::CleanStructuredContent,
                ProfileOption::CleanGraphics,
                ProfileOption::RetainSafePrivate,
            ]);
            // What these options keep is kept, planted or not.
            options
                .profile
                .options
                .remove(&ProfileOption::RetainDeviceIdentity);
            options
                .profile
                .options
                .remove(&ProfileOption::RetainPatientCharacteristics);
            let (out, report) = deidentify(file, &options).unwrap();
            let plain = data_set_bytes(&parse(&out));
            let json = serde_json::to_string(&report).unwrap();
            let told = format!("{report} {report:?} {json} {options:?}");
            for needle in NEEDLES {
                assert!(
                    !contains(&plain, needle.as_bytes()),
                    "{purpose} {number} {needle}"
                );
                assert!(
                    !contains(&out, needle.as_bytes()),
                    "{purpose} {number} {needle}"
                );
                assert!(
                    !told.contains(needle),
                    "{purpose} {number} {needle} is told"
                );
            }
            assert!(report.attributes != Attributes::default());
        }
    }
}

#[test]
fn errors_do_not_quote_what_they_refuse() {
    for file in files() {
        for end in (0..file.len()).step_by(13) {
            if let Err(error) = deidentify(&file[..end], &options("care")) {
                let told = format!("{error} {error:?}");
                assert!(
                    NEEDLES.iter().all(|needle| !told.contains(needle)),
                    "{told}"
                );
            }
        }
    }
}
