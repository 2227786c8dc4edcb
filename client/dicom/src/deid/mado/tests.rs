//! The manifest of a study made here: its content item by item, its evidence, and what dciodvfy says of it.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use super::*;
use crate::check::tests::build::part;
use crate::check::tests::{file, image, item as part_item, sequence, text as part_text, uid};
use crate::deid::{Options, Purpose, deidentify, facts};

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const US_CLIP: &str = "1.2.840.10008.5.1.4.1.1.3.1";

/// A study of two series and a selection of key objects, de-identified.
fn study() -> Vec<Vec<u8>> {
    let instance = |series: &str, number: u32, more: &[_]| {
        let mut parts = vec![
            part_text(0x0010_0010, b"PN", "Grundmann^Eva"),
            part_text(0x0010_0020, b"LO", "PID-77120"),
            part_text(0x0008_0020, b"DA", "20200105"),
            part_text(0x0008_0021, b"DA", "20200106"),
            part_text(0x0008_0030, b"TM", "101112"),
            part_text(0x0008_0031, b"TM", "101213"),
            part_text(0x0008_0050, b"SH", "ACC4711"),
            part_text(0x0018_0015, b"CS", "KNEE"),
            part_text(0x0020_0011, b"IS", series.rsplit('.').next().unwrap()),
            part_text(0x0020_0013, b"IS", &number.to_string()),
            uid(0x0020_000d, "1.2.3.4"),
            uid(0x0020_000e, series),
            part_text(0x0028_0301, b"CS", "NO"),
        ];
        parts.retain(|old: &crate::check::tests::build::Part| {
            more.iter()
                .all(|new: &crate::check::tests::build::Part| new.tag != old.tag)
        });
        parts.extend_from_slice(more);
        file(&image(&format!("{series}.{number}"), &parts))
    };
    let clip = [
        uid(0x0008_0016, US_CLIP),
        part_text(0x0008_0060, b"CS", "US"),
        part_text(0x0018_0015, b"CS", "HEART"),
        part_text(0x0028_0008, b"IS", "2"),
        part(0x7fe0_0010, b"OW", [5; 64]),
    ];
    let code = |value: &str, meaning: &str| {
        part_item(&[
            part_text(0x0008_0100, b"SH", value),
            part_text(0x0008_0102, b"SH", "DCM"),
            part_text(0x0008_0104, b"LO", meaning),
        ])
    };
    let selection = [
        uid(0x0008_0016, KeyObjects::CLASS),
        part_text(0x0008_0060, b"CS", "KO"),
        sequence(0x0040_a043, &[code("113000", "Of Interest")]),
    ];
    let selection: Vec<u8> = {
        let parts = image("1.2.3.7.1", &selection);
        let kept = parts
            .into_iter()
            .filter(|part| part.tag >> 16 != 0x28 && part.tag >> 16 != 0x7fe0);
        let mut kept: Vec<_> = kept.collect();
        kept.extend([
            part_text(0x0010_0010, b"PN", "Grundmann^Eva"),
            part_text(0x0010_0020, b"LO", "PID-77120"),
            uid(0x0020_000d, "1.2.3.4"),
            uid(0x0020_000e, "1.2.3.7"),
        ]);
        file(&kept)
    };
    let options = Options {
        key: [3; 32],
        profile: Purpose::Care.into(),
    };
    [
        instance("1.2.3.5", 1, &[]),
        instance("1.2.3.5", 2, &[]),
        instance("1.2.3.6", 1, &clip),
        selection,
    ]
    .iter()
    .map(|bytes| deidentify(bytes, &options).unwrap().0)
    .collect()
}

fn made() -> (Vec<Vec<u8>>, KeyObjects) {
    let files = study();
    let descriptions: Vec<_> = files
        .iter()
        .map(|bytes| facts(bytes).unwrap().description)
        .collect();
    let repeated = facts(&files[0]).unwrap().repeated;
    let first = KeyObjects::of(&repeated, &descriptions).unwrap();
    let again = KeyObjects::of(&repeated, &descriptions).unwrap();
    assert!(first.bytes == again.bytes);
    (files, first)
}

/// A content item and what lies below it, a line each: relation, kind, concept, value.
fn lines(item: &DataSet, depth: usize, out: &mut Vec<String>) {
    let of = |tag| text(item, tag).unwrap_or_default();
    let coded = |tag| -> String {
        let code = item
            .get(&tag)
            .and_then(|e| e.as_items())
            .and_then(|items| items.first());
        let code = code.map(|code| {
            let part = |tag| text(code, tag).unwrap_or_default();
            format!(
                "{}:{}",
                part(tags::CODING_SCHEME_DESIGNATOR),
                part(tags::CODE_VALUE)
            )
        });
        code.unwrap_or_default()
    };
    let measured = item
        .get(&tags::MEASURED_VALUE_SEQUENCE)
        .and_then(|e| e.as_items());
    let measured = measured.map(|items| text(&items[0], tags::NUMERIC_VALUE).unwrap());
    let value = [
        of(tags::TEXT_VALUE),
        of(tags::DATE),
        of(tags::TIME),
        coded(tags::CONCEPT_CODE_SEQUENCE),
        measured.unwrap_or_default(),
    ];
    out.push(format!(
        "{}{} {} {}",
        " ".repeat(depth),
        of(tags::VALUE_TYPE),
        coded(tags::CONCEPT_NAME_CODE_SEQUENCE),
        value.concat()
    ));
    let below = item.get(&tags::CONTENT_SEQUENCE).and_then(|e| e.as_items());
    below
        .unwrap_or_default()
        .iter()
        .for_each(|item| lines(item, depth + 1, out));
}

#[test]
fn the_study_is_described_series_by_series() {
    let (files, made) = made();
    let data_set = file::read(&made.bytes).unwrap().data_set;
    let mut found = Vec::new();
    lines(&data_set, 0, &mut found);
    let shift = |tag| text(&file::read(&files[0]).unwrap().data_set, tag).unwrap();
    let date = shift(tags::SERIES_DATE);
    let wanted = format!(
        "CONTAINER 99IHE:MADOTEMP001
 CONTAINER DCM:111028
  CODE DCM:121139 DCM:CT
  CODE DCM:121139 DCM:KO
  CODE DCM:121139 DCM:US
  CODE DCM:123014 SCT:61685007
  CODE DCM:123014 SCT:80891009
  NUM 99IHE:MADOTEMP009 3
  CONTAINER DCM:126200
   CODE DCM:121139 DCM:CT
   DATE 99IHE:MADOTEMP003 {date}
   TIME 99IHE:MADOTEMP004 101213
   TEXT DCM:113607 5
   UIDREF DCM:112002
   CODE DCM:123014 SCT:61685007
   NUM 99IHE:MADOTEMP007 2
   IMAGE
    TEXT DCM:113609 1
   IMAGE
    TEXT DCM:113609 2
  CONTAINER DCM:126200
   CODE DCM:121139 DCM:US
   DATE 99IHE:MADOTEMP003 {date}
   TIME 99IHE:MADOTEMP004 101213
   TEXT DCM:113607 6
   UIDREF DCM:112002
   CODE DCM:123014 SCT:80891009
   NUM 99IHE:MADOTEMP007 1
   IMAGE
    NUM DCM:121140 2
    TEXT DCM:113609 1
  CONTAINER DCM:126200
   CODE DCM:121139 DCM:KO
   UIDREF DCM:112002
   NUM 99IHE:MADOTEMP007 1
   COMPOSITE
    TEXT DCM:113609 7
    CODE DCM:121144 DCM:113000
 IMAGE
 IMAGE
 IMAGE
 COMPOSITE"
    );
    let found: Vec<&str> = found.iter().map(|line| line.trim_end()).collect();
    assert_eq!(found.join("\n"), wanted);
    // Every instance stands in the evidence, under its series.
    let items = |data_set: &DataSet, tag| data_set.get(&tag).unwrap().as_items().unwrap().to_vec();
    let evidence = items(
        &data_set,
        tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
    );
    let series = items(&evidence[0], tags::REFERENCED_SERIES_SEQUENCE);
    let counts: Vec<usize> = series
        .iter()
        .map(|series| items(series, tags::REFERENCED_SOP_SEQUENCE).len())
        .collect();
    assert_eq!(counts, [2, 1, 1]);
    // It is known again, so that a study is not listed by its own list.
    let facts = facts(&made.bytes).unwrap();
    assert!(facts.lists_its_study);
    assert_eq!((facts.instance, facts.series), (made.instance, made.series));
    assert!(!super::super::facts(&files[3]).unwrap().lists_its_study);
}

#[test]
fn nothing_of_the_original_stands_in_it() {
    let (_, made) = made();
    let text = String::from_utf8_lossy(&made.bytes).into_owned();
    for original in ["Grundmann", "77120", "ACC4711", "20200105", "1.2.3.5"] {
        assert!(!text.contains(original), "{original}");
    }
    assert!(text.contains("Manifest with Description"));
}

#[test]
fn it_conforms_to_its_definition() {
    let (_, made) = made();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("manifest.dcm");
    std::fs::write(&path, &made.bytes).unwrap();
    let Ok(judged) = Command::new("dciodvfy").arg(&path).output() else {
        println!("skipped: dciodvfy (Debian's dicom3tools) is not installed");
        return;
    };
    let told = String::from_utf8_lossy(&judged.stderr).into_owned();
    let wrong: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("Error"))
        // The judge does not know the value types that CP-2595 adds to the class.
        .filter(|line| {
            let added = ["<NUM>", "<DATE>", "<TIME>"];
            let kind = line.contains("attribute <Value Type>");
            !(kind && added.iter().any(|value| line.contains(value)))
        })
        .collect();
    assert_eq!(wrong, Vec::<&str>::new(), "{told}");
}

#[test]
fn text_in_another_character_set_is_not_repeated_as_if_it_were_the_studys() {
    let mut one = Description {
        series_description: Some("Kn\u{e4}e".to_owned()),
        charset: Some(Element::bytes(VR::CS, "ISO_IR 192")),
        class: CT.to_owned(),
        ..Description::default()
    };
    let told = |one: &Description, charset: Option<&Element>| {
        let mut found = Vec::new();
        lines(&group(&[one], charset), 0, &mut found);
        found.iter().any(|line| line.contains("MADOTEMP002"))
    };
    let utf8 = one.charset.clone();
    assert!(told(&one, utf8.as_ref()));
    assert!(!told(&one, None));
    one.series_description = Some("Knee".to_owned());
    assert!(told(&one, None));
}
