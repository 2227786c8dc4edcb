#![allow(clippy::unwrap_used)]

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use serde_json::Value;

use super::*;
use crate::deid::{self, KeyObjects};
use crate::file;
use crate::sample::write_instance;
use crate::tree::{Element, put, text};

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

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";

/// An identifier with these attributes.
fn identifier(attributes: &[(Tag, VR, &str)], syntax: &str) -> Vec<u8> {
    let mut data_set = DataSet::new();
    for (tag, vr, value) in attributes {
        data_set.insert(*tag, Element::bytes(*vr, *value));
    }
    let mut out = Vec::new();
    file::encode(&data_set, file::registered(syntax).unwrap(), &mut out).unwrap();
    out
}

#[test]
fn identifiers_are_answered_at_their_level_with_what_they_ask_for() {
    let level = |level| (tags::QUERY_RETRIEVE_LEVEL, VR::CS, level);
    let all = [listing()];
    for syntax in [EXPLICIT, IMPLICIT] {
        let answers = |attributes: &[(Tag, VR, &str)], has_patients| {
            let bytes = identifier(attributes, syntax);
            let read = SearchIdentifier::read(&bytes, syntax, has_patients).unwrap();
            let answers = read.answers(all.iter(), "PCIM");
            let parse = |bytes: &Vec<u8>| file::read_bare(bytes, syntax).unwrap().0;
            let data_sets: Vec<_> = answers.data_sets.iter().map(parse).collect();
            (data_sets, read.is_partly_matched())
        };
        let series = (tags::SERIES_INSTANCE_UID, VR::UI, "");
        let (found, partly) = answers(
            &[
                level("SERIES"),
                series,
                (tags::INSTITUTION_NAME, VR::LO, ""),
            ],
            false,
        );
        assert_eq!((found.len(), partly), (all[0].series.len(), false));
        let one = &found[0];
        assert_eq!(
            text(one, tags::QUERY_RETRIEVE_LEVEL).as_deref(),
            Some("SERIES")
        );
        assert_eq!(text(one, tags::RETRIEVE_AE_TITLE).as_deref(), Some("PCIM"));
        assert!(text(one, tags::SERIES_INSTANCE_UID).is_some());
        // Asked for and not known: there, and empty. Not asked for: not there.
        assert_eq!(one[&tags::INSTITUTION_NAME].as_bytes(), Some(&[][..]));
        assert!(!one.contains_key(&tags::PATIENT_NAME));

        // A patient once, whatever the count of studies; its attributes alone.
        let study = (tags::STUDY_INSTANCE_UID, VR::UI, "");
        let (found, _) = answers(
            &[level("PATIENT"), study, (tags::PATIENT_ID, VR::LO, "")],
            true,
        );
        assert_eq!(found.len(), 1);
        assert!(text(&found[0], tags::PATIENT_ID).is_some());
        assert_eq!(text(&found[0], tags::STUDY_INSTANCE_UID), None);
        let (found, partly) = answers(
            &[level("STUDY"), (tags::INSTITUTION_NAME, VR::LO, "Clinic")],
            false,
        );
        assert_eq!((found.len(), partly), (1, true));
    }
    for (attributes, has_patients, wanted) in [
        (vec![level("PATIENT")], false, Error::Level),
        (vec![], true, Error::Level),
        (
            vec![level("STUDY"), (tags::STUDY_DATE, VR::DA, "today")],
            false,
            Error::Value {
                name: "00080020".to_owned(),
            },
        ),
    ] {
        let bytes = identifier(&attributes, EXPLICIT);
        let error = SearchIdentifier::read(&bytes, EXPLICIT, has_patients).err();
        assert_eq!(error, Some(wanted));
    }
}

#[test]
fn selections_name_one_of_each_level_above() {
    let level = |level| (tags::QUERY_RETRIEVE_LEVEL, VR::CS, level);
    let study = |uids| (tags::STUDY_INSTANCE_UID, VR::UI, uids);
    let series = |uids| (tags::SERIES_INSTANCE_UID, VR::UI, uids);
    let read = |attributes: &[(Tag, VR, &str)]| {
        Selection::read(&identifier(attributes, EXPLICIT), EXPLICIT, true)
    };
    let two = vec!["1.2".to_owned(), "1.3".to_owned()];
    assert_eq!(
        read(&[level("STUDY"), study("1.2\\1.3")]),
        Ok(Selection::Studies(two.clone()))
    );
    let of_series = Selection::Series {
        study: "1.1".to_owned(),
        series: two,
    };
    assert_eq!(
        read(&[level("SERIES"), study("1.1"), series("1.2\\1.3")]),
        Ok(of_series)
    );
    let patient = (tags::PATIENT_ID, VR::LO, "P 1");
    assert_eq!(
        read(&[level("PATIENT"), patient]),
        Ok(Selection::Patient("P 1".to_owned()))
    );
    let unique = |attribute| Err(Error::Unique { attribute });
    let uid = "Study Instance UID";
    assert_eq!(read(&[level("STUDY")]), unique(uid));
    assert_eq!(read(&[level("STUDY"), study("1.*")]), unique(uid));
    assert_eq!(
        read(&[level("SERIES"), study("1.2\\1.3"), series("1.4")]),
        unique(uid)
    );
    assert_eq!(
        read(&[level("PATIENT"), (tags::PATIENT_ID, VR::LO, "P*")]),
        unique("Patient ID")
    );
    let many = vec!["1.2.3".to_owned(); 20_000];
    let list = failed_instances(&many, EXPLICIT).unwrap();
    assert!(file::read_bare(&list, EXPLICIT).is_ok());
}

#[test]
fn identifiers_that_are_changed_do_no_harm() {
    let all = [listing()];
    let good = identifier(
        &[
            (tags::QUERY_RETRIEVE_LEVEL, VR::CS, "IMAGE"),
            (tags::PATIENT_NAME, VR::PN, "Doe*"),
            (tags::STUDY_INSTANCE_UID, VR::UI, "2.25.2"),
        ],
        EXPLICIT,
    );
    let mut state = 11_u64;
    for _ in 0..3000 {
        let mut bytes = good.clone();
        for _ in 0..2 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 20) as u8;
        }
        if let Ok(read) = SearchIdentifier::read(&bytes, EXPLICIT, true) {
            assert!(read.answers(all.iter(), "PCIM").data_sets.len() <= 4);
        }
        // One that selects nothing is an error.
        let _ = Selection::read(&bytes, EXPLICIT, true);
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
