#![allow(clippy::unwrap_used)]

use dicom_core::VR;
use dicom_dictionary_std::tags;
use serde_json::Value;

use super::*;
use crate::deid::{self, KeyObjects};
use crate::sample::write_instance;
use crate::tree::put;

/// A study of three instances, as its manifest describes it.
fn listing() -> Listing {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.dcm");
    let (mut all, mut repeated) = (Vec::new(), None);
    for number in 1..=3 {
        write_instance(&path, number, 3000).unwrap();
        let facts = deid::facts(&std::fs::read(&path).unwrap()).unwrap();
        all.push(facts.description.clone());
        repeated = Some(facts.repeated);
    }
    let manifest = KeyObjects::of(&repeated.unwrap(), &all).unwrap();
    let uids: Vec<String> = (1..=3)
        .map(|it| format!("2.25.{}", 1_000_000 + it))
        .collect();
    let class = "1.2.840.10008.5.1.4.1.1.2";
    let instances = uids.iter().map(|uid| (class, uid.as_str())).collect();
    Listing::of_manifest(&[("2.25.3", instances)], &manifest.bytes).unwrap()
}

fn search(listings: &[Listing], level: Level, query: &str) -> (Vec<Value>, usize) {
    let query = Query::of_parameters(query, level).unwrap();
    let found = query.find(listings.iter());
    let rows = found.matches.iter().map(|it| it.json("http://h"));
    (rows.collect(), found.remaining)
}

#[test]
fn a_study_is_found_at_each_level() {
    let all = [listing()];
    let (rows, _) = search(
        &all,
        Level::Study,
        "PatientID=12345678&StudyDate=2019-20200101",
    );
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row["00100010"]["Value"][0]["Alphabetic"], "Doe^Jane");
    assert_eq!(row["00080061"]["Value"], serde_json::json!(["CT", "KO"]));
    assert_eq!(row["00201206"]["Value"][0], 2);
    assert_eq!(row["00201208"]["Value"][0], 4);
    assert_eq!(row["00081190"]["Value"][0], "http://h/studies/2.25.2");
    assert_eq!(row["00080005"]["Value"][0], "ISO_IR 192");

    let (rows, _) = search(&all, Level::Series, "Modality=CT");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["0020000E"]["Value"][0], "2.25.3");
    assert_eq!(rows[0]["00201209"]["Value"][0], 3);
    assert_eq!(rows[0]["00100010"], Value::Null);
    let (rows, _) = search(&all, Level::Series, "Modality=CT&includefield=PatientName");
    assert_eq!(rows[0]["00100010"]["Value"][0]["Alphabetic"], "Doe^Jane");

    let (rows, _) = search(&all, Level::Instance, "0020000E=2.25.3&includefield=all");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1]["00080018"]["Value"][0], "2.25.1000002");
    assert_eq!(
        rows[1]["00081190"]["Value"][0],
        "http://h/studies/2.25.2/series/2.25.3/instances/2.25.1000002"
    );
    assert!(rows[1]["00280008"]["Value"][0].as_u64().unwrap() > 100);
    let query = Query::of_parameters("", Level::Instance).unwrap();
    let query = query.within(Level::Instance, "2.25.1000003");
    assert_eq!(query.find(all.iter()).matches.len(), 1);
    assert!(search(&all, Level::Study, "PatientName=Roe*").0.is_empty());
}

#[test]
fn results_come_in_pages() {
    let all = [listing()];
    for (query, rows, remaining) in [
        ("", 4, 0),
        ("limit=2", 2, 2),
        ("limit=2&offset=3", 1, 0),
        ("limit=0", 0, 4),
        ("offset=10", 0, 0),
    ] {
        let found = search(&all, Level::Instance, query);
        assert_eq!((found.0.len(), found.1), (rows, remaining), "{query}");
    }
}

#[test]
fn queries_that_are_wrong_are_refused_and_others_warned_about() {
    let unknown = |name: &str| Error::Unknown {
        name: name.to_owned(),
    };
    for (query, error) in [
        ("nonsense=1", unknown("nonsense")),
        ("%3Cscript%3E=1", unknown("a parameter")),
        ("includefield=Nothing", unknown("Nothing")),
        ("PatientID=%zz", Error::Encoding),
        ("PatientID=%ff", Error::Encoding),
        ("PatientID=%00", Error::Encoding),
        (
            "limit=1&limit=2",
            Error::Twice {
                name: "limit".into(),
            },
        ),
        (
            "limit=-1",
            Error::Value {
                name: "limit".into(),
            },
        ),
        (
            "fuzzymatching=maybe",
            Error::Value {
                name: "fuzzymatching".into(),
            },
        ),
        (
            "StudyDate=May",
            Error::Value {
                name: "StudyDate".into(),
            },
        ),
    ] {
        assert_eq!(
            Query::of_parameters(query, Level::Study).unwrap_err(),
            error,
            "{query}"
        );
    }
    let many = "includefield=all&".repeat(300);
    assert!(matches!(
        Query::of_parameters(&many, Level::Study),
        Err(Error::TooMany { .. })
    ));
    for query in [
        "fuzzymatching=true",
        "Manufacturer=X",
        "Modality=CT",
        "RequestAttributesSequence.RequestedProcedureID=1",
    ] {
        let query = Query::of_parameters(query, Level::Study).unwrap();
        assert_eq!(query.warnings().len(), 1);
        assert_eq!(query.find([listing()].iter()).matches.len(), 1);
    }
}

#[test]
fn changed_queries_make_no_harm() {
    let all = [listing()];
    let good = b"PatientName=Doe*%5EJane&StudyDate=2019-2021&includefield=00081030,all&limit=5&0020000D=2.25.2";
    let mut state = 7_u64;
    for _ in 0..3000 {
        let mut bytes = good.to_vec();
        for _ in 0..3 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 20) as u8;
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(query) = Query::of_parameters(&text, Level::Instance) {
            let found = query.find(all.iter());
            assert!(found.matches.len() <= 4);
        }
    }
}

#[test]
fn a_hundred_thousand_studies_are_searched_in_a_moment() {
    let one = listing();
    let copy = |number: usize| {
        let mut listing = one.clone();
        let (uid, id) = (format!("2.25.{}", 10 + number), format!("P{number:06}"));
        put(&mut listing.study, tags::STUDY_INSTANCE_UID, VR::UI, &uid);
        put(&mut listing.study, tags::PATIENT_ID, VR::LO, &id);
        listing.series.truncate(1);
        listing
    };
    let all: Vec<_> = (0..100_000).map(copy).collect();
    let began = std::time::Instant::now();
    let (rows, remaining) = search(&all, Level::Study, "PatientID=P0999*&limit=50");
    let took = began.elapsed();
    assert_eq!((rows.len(), remaining), (50, 50));
    println!("100,000 studies: {} ms", took.as_millis());
    // Unoptimised, beside other work; the aim of 100 ms is one of the program as it is built for use.
    assert!(took.as_millis() < 2000, "{took:?}");
}
