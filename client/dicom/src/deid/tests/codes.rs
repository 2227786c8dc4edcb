//! Codes, issuers, content items and what an earlier de-identification locked away: planted, and looked for.

use super::*;

const SR: &str = "1.2.840.10008.5.1.4.1.1.88.22";

fn code(value: &str, scheme: &str, meaning: &str) -> InMemDicomObject {
    item([
        element(tags::CODE_VALUE, VR::SH, value),
        element(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme),
        element(tags::CODE_MEANING, VR::LO, meaning),
    ])
}

#[test]
fn local_codes_get_a_code_of_the_key_and_public_ones_stay() {
    // In sequences of every kind, the second inside of an item of another.
    for tag in [
        tags::PROCEDURE_CODE_SEQUENCE,
        tags::PERFORMED_PROTOCOL_CODE_SEQUENCE,
        tags::ANATOMIC_REGION_SEQUENCE,
        tags::VIEW_CODE_SEQUENCE,
        tags::REASON_FOR_REQUESTED_PROCEDURE_CODE_SEQUENCE,
    ] {
        for scheme in ["99ZWYX", "L", "ZWYXHOSP", ""] {
            let local = code("QX77KNEE", scheme, "Knee for Dr Quorl");
            let public = code("72696002", "SCT", "Knee");
            let nested = item([sequence(tag, vec![local.clone()])]);
            let image = image_with([
                sequence(tag, vec![public, local]),
                sequence(tags::REQUEST_ATTRIBUTES_SEQUENCE, vec![nested]),
            ]);
            let (out, report) = deidentify(&explicit(image), &options("care")).unwrap();
            for needle in ["QX77KNEE", "Quorl", "ZWYX"] {
                assert!(
                    !contains(&out, needle.as_bytes()),
                    "{tag} {scheme} {needle}"
                );
            }
            assert!(!format!("{report}").contains("Quorl"));
            let object = parse(&out);
            let Some(codes) = object.get(tag) else {
                continue;
            };
            let codes = codes.items().unwrap();
            assert_eq!(
                value(&codes[0], tags::CODE_VALUE).as_deref(),
                Some("72696002")
            );
            assert_eq!(
                value(&codes[0], tags::CODE_MEANING).as_deref(),
                Some("Knee")
            );
            let scheme = value(&codes[1], tags::CODING_SCHEME_DESIGNATOR);
            assert_eq!(scheme.as_deref(), Some("99ANONYMIZED"));
        }
    }
}

#[test]
fn one_local_code_has_one_pseudonym_for_a_patient() {
    let made = |value: &str| {
        let codes = vec![code(value, "99ZWYX", "Zwyx")];
        let image = image_with([sequence(tags::ANATOMIC_REGION_SEQUENCE, codes)]);
        let (out, _) = deidentify(&explicit(image), &options("care")).unwrap();
        value_of(&out)
    };
    fn value_of(out: &[u8]) -> String {
        let object = parse(out);
        value(
            first_item(&object, tags::ANATOMIC_REGION_SEQUENCE),
            tags::CODE_VALUE,
        )
        .unwrap()
    }
    assert_eq!(made("K1"), made("K1"));
    assert_ne!(made("K1"), made("K2"));
}

#[test]
fn what_was_locked_away_goes_and_is_reported() {
    let locked = item([
        element(
            tags::ENCRYPTED_CONTENT_TRANSFER_SYNTAX_UID,
            VR::UI,
            uids::EXPLICIT_VR_LITTLE_ENDIAN,
        ),
        InMemElement::new(
            tags::ENCRYPTED_CONTENT,
            VR::OB,
            PrimitiveValue::U8(b"Quorl of the CMS"[..].into()),
        ),
    ]);
    let image = image_with([sequence(tags::ENCRYPTED_ATTRIBUTES_SEQUENCE, vec![locked])]);
    let (out, report) = deidentify(&explicit(image), &options("care")).unwrap();
    assert!(!contains(&out, b"Quorl"));
    assert!(
        parse(&out)
            .get(tags::ENCRYPTED_ATTRIBUTES_SEQUENCE)
            .is_none()
    );
    assert!(format!("{report}").contains("EncryptedAttributesSequence"));
}

#[test]
fn issuers_and_organizations_go_under_every_purpose() {
    let issuer = item([
        element(tags::LOCAL_NAMESPACE_ENTITY_ID, VR::UT, "ZWYXHOSP"),
        element(
            tags::UNIVERSAL_ENTITY_ID,
            VR::UT,
            "https://zwyx.example/acc",
        ),
        element(tags::UNIVERSAL_ENTITY_ID_TYPE, VR::CS, "URI"),
    ]);
    let scheme = item([
        element(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "99ZWYX"),
        element(tags::CODING_SCHEME_REGISTRY, VR::LO, "HL7"),
        element(tags::CODING_SCHEME_UID, VR::UI, "1.2.3.4.77777"),
        element(tags::CODING_SCHEME_NAME, VR::ST, "Codes of Zwyx"),
        element(Tag(0x0008, 0x010e), VR::UR, "https://zwyx.example/codes"),
        element(
            tags::CODING_SCHEME_RESPONSIBLE_ORGANIZATION,
            VR::ST,
            "Clinic Zwyx, Quorl Street 5",
        ),
    ]);
    let request = item([
        element(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.4"),
        sequence(
            tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
            vec![issuer.clone()],
        ),
        sequence(tags::ORDER_PLACER_IDENTIFIER_SEQUENCE, vec![issuer.clone()]),
    ]);
    let image = image_with([
        sequence(
            tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
            vec![issuer.clone()],
        ),
        sequence(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, vec![scheme]),
        sequence(tags::REFERENCED_REQUEST_SEQUENCE, vec![request]),
        sequence(tags::ORDER_FILLER_IDENTIFIER_SEQUENCE, vec![issuer]),
    ]);
    for purpose in ["care", "research"] {
        let (out, _) = deidentify(&explicit(image.clone()), &options(purpose)).unwrap();
        for needle in ["ZWYX", "zwyx", "Zwyx", "Quorl"] {
            assert!(!contains(&out, needle.as_bytes()), "{purpose} {needle}");
        }
    }
}

#[test]
fn births_in_reports_go_by_the_codes_of_several_schemes() {
    let dated = |kind: &str, scheme: &str, concept: &str, meaning: &str| {
        let (tag, vr, text) = match kind {
            "DATE" => (tags::DATE, VR::DA, "19870613"),
            "DATETIME" => (tags::DATE_TIME, VR::DT, "19870613101112"),
            _ => (tags::TEXT_VALUE, VR::UT, "19870613"),
        };
        item([
            element(tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS"),
            element(tags::VALUE_TYPE, VR::CS, kind),
            sequence(
                tags::CONCEPT_NAME_CODE_SEQUENCE,
                vec![code(concept, scheme, meaning)],
            ),
            element(tag, vr, text),
        ])
    };
    let concepts = [
        ("DATE", "DCM", "121031", "Subject Birth Date"),
        ("DATE", "LN", "21112-8", "Birth date"),
        ("DATETIME", "LN", "21112-8", "Birth date"),
        ("DATE", "SCT", "184099003", "Date of birth"),
        ("DATE", "SCT", "399753006", "Date of death"),
        ("TEXT", "99X", "77", "Date of Birth of the mother"),
        ("DATE", "99X", "78", "Death date"),
    ];
    let mut image = image();
    image.remove_element(tags::PIXEL_DATA);
    image.put(element(tags::SOP_CLASS_UID, VR::UI, SR));
    image.put(element(tags::PATIENT_BIRTH_DATE, VR::DA, "19870613"));
    let items = concepts.map(|(kind, scheme, concept, meaning)| {
        let below = dated(kind, scheme, concept, meaning);
        item([
            element(tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS"),
            element(tags::VALUE_TYPE, VR::CS, "CONTAINER"),
            sequence(tags::CONTENT_SEQUENCE, vec![below]),
        ])
    });
    image.put(sequence(tags::CONTENT_SEQUENCE, items.to_vec()));
    for purpose in ["care", "research"] {
        let file = explicit(image.clone());
        let (out, _) = deidentify(&file, &options(purpose)).unwrap();
        assert!(!contains(&out, b"19870613"), "{purpose}");
        // None of them moved with the other dates: they are gone.
        let object = parse(&out);
        let content = object.get(tags::CONTENT_SEQUENCE).unwrap().items().unwrap();
        for (container, concept) in content.iter().zip(concepts) {
            let below = container.get(tags::CONTENT_SEQUENCE);
            let left = below.map_or(0, |below| below.items().unwrap().len());
            assert_eq!(left, 0, "{purpose} {concept:?}");
        }
    }
}

#[test]
fn order_numbers_go_wherever_they_stand() {
    let order = [
        (tags::PLACER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST, VR::LO),
        (tags::FILLER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST, VR::LO),
        // Their retired namesakes.
        (Tag(0x0040, 0x2006), VR::SH),
        (Tag(0x0040, 0x2007), VR::SH),
        (Tag(0x0040, 0x2008), VR::PN),
        (tags::REQUESTED_PROCEDURE_ID, VR::SH),
    ];
    let numbers = order.map(|(tag, vr)| element(tag, vr, "ORDER77123"));
    let mut image = image_with(numbers.clone());
    let request = item(numbers);
    image.put(sequence(tags::REFERENCED_REQUEST_SEQUENCE, vec![request]));
    for purpose in ["care", "research"] {
        let file = explicit(image.clone());
        let (out, _) = deidentify(&file, &options(purpose)).unwrap();
        assert!(!contains(&out, b"ORDER77123"), "{purpose}");
    }
}
