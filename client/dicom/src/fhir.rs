//! Studies as FHIR's ImagingStudy, in releases 4 and 5.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde_json::{Map, Value, json};

use crate::listing::{Listing, SeriesListing};
use crate::tree::{DataSet, text};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const CONNECTION: &str = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type";
/// What is said where a series does not say its modality, which FHIR requires: other.
const OTHER: &str = "OT";

/// A release of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Release 4.
    R4,
    /// Release 5.
    R5,
}

/// Writes a study as an ImagingStudy; `service` is the address of the DICOMweb service from which it is retrieved. Its id is
/// the Study Instance UID.
#[must_use]
pub fn imaging_study(listing: &Listing, release: Release, service: &str) -> Value {
    let study = &listing.study;
    let uid = listing.study_uid();
    let subject = match text(study, tags::PATIENT_ID) {
        Some(id) => json!({ "type": "Patient", "identifier": { "value": id } }),
        None => json!({ "type": "Patient", "display": "not stated" }),
    };
    let modalities = text(study, tags::MODALITIES_IN_STUDY).unwrap_or_default();
    let modalities = modalities.split('\\').filter(|it| !it.is_empty());
    let modalities: Vec<_> = modalities.map(|it| release.coded(DCM, it)).collect();
    let instances: usize = listing.series.iter().map(|it| it.instances.len()).sum();
    let series: Vec<_> = listing.series.iter().map(|it| release.series(it)).collect();
    let mut out = json!({
        "resourceType": "ImagingStudy",
        "id": uid,
        "contained": [release.endpoint(service)],
        "identifier": [{ "system": "urn:dicom:uid", "value": format!("urn:oid:{uid}") }],
        "status": "available",
        "subject": subject,
        "endpoint": [{ "reference": "#wado" }],
        "numberOfSeries": listing.series.len(),
        "numberOfInstances": instances,
    });
    for (name, of_study) in [("modality", modalities), ("series", series)] {
        // FHIR has no empty lists.
        if !of_study.is_empty() {
            out[name] = Value::Array(of_study);
        }
    }
    add(
        &mut out,
        "started",
        text(study, tags::STUDY_DATE).and_then(|it| date(&it)),
    );
    add(
        &mut out,
        "description",
        text(study, tags::STUDY_DESCRIPTION),
    );
    out
}

/// Writes studies that were found, with how many there are in all.
#[must_use]
pub fn bundle(studies: Vec<Value>, total: usize, base: &str) -> Value {
    let entry = |study: Value| {
        let id = study["id"].as_str().unwrap_or_default();
        json!({
            "fullUrl": format!("{base}/ImagingStudy/{id}"),
            "search": { "mode": "match" },
            "resource": study,
        })
    };
    let mut out = json!({ "resourceType": "Bundle", "type": "searchset", "total": total });
    if !studies.is_empty() {
        out["entry"] = Value::Array(studies.into_iter().map(entry).collect());
    }
    out
}

/// Writes why a request was refused; the code is one of FHIR's IssueType.
#[must_use]
pub fn outcome(code: &str, why: &str) -> Value {
    let issue = json!({ "severity": "error", "code": code, "diagnostics": why });
    json!({ "resourceType": "OperationOutcome", "issue": [issue] })
}

impl Release {
    /// A code where release 4 has a Coding, and release 5 a CodeableConcept.
    fn coded(self, system: &str, code: &str) -> Value {
        let coding = json!({ "system": system, "code": code });
        match self {
            Self::R4 => coding,
            Self::R5 => json!({ "coding": [coding] }),
        }
    }

    fn endpoint(self, service: &str) -> Value {
        let connection = self.coded(CONNECTION, "dicom-wado-rs");
        let mut out = json!({
            "resourceType": "Endpoint",
            "id": "wado",
            "status": "active",
            "address": service,
        });
        match self {
            Self::R4 => {
                out["connectionType"] = connection;
                out["payloadType"] = json!([{ "text": "DICOM" }]);
            }
            Self::R5 => out["connectionType"] = json!([connection]),
        }
        out
    }

    fn series(self, listed: &SeriesListing) -> Value {
        let series = &listed.series;
        let modality = text(series, tags::MODALITY).unwrap_or_else(|| OTHER.to_owned());
        let instances = listed.instances.iter().map(instance).collect::<Vec<_>>();
        let mut out = json!({
            "uid": text(series, tags::SERIES_INSTANCE_UID).unwrap_or_default(),
            "modality": self.coded(DCM, &modality),
            "numberOfInstances": instances.len(),
        });
        add(&mut out, "number", number(series, tags::SERIES_NUMBER));
        add(
            &mut out,
            "description",
            text(series, tags::SERIES_DESCRIPTION),
        );
        add(
            &mut out,
            "started",
            text(series, tags::SERIES_DATE).and_then(|it| date(&it)),
        );
        if !instances.is_empty() {
            out["instance"] = Value::Array(instances);
        }
        out
    }
}

fn instance(listed: &DataSet) -> Value {
    let class = text(listed, tags::SOP_CLASS_UID).unwrap_or_default();
    let class = json!({ "system": "urn:ietf:rfc:3986", "code": format!("urn:oid:{class}") });
    let mut out = json!({
        "uid": text(listed, tags::SOP_INSTANCE_UID).unwrap_or_default(),
        "sopClass": class,
    });
    add(&mut out, "number", number(listed, tags::INSTANCE_NUMBER));
    out
}

fn add(out: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    let members: Option<&mut Map<_, _>> = out.as_object_mut();
    if let (Some(members), Some(value)) = (members, value) {
        members.insert(name.to_owned(), value.into());
    }
}

/// A number that FHIR's unsignedInt takes.
fn number(data_set: &DataSet, tag: Tag) -> Option<u32> {
    let number = text(data_set, tag)?.trim().parse::<u32>().ok()?;
    (number <= i32::MAX as u32).then_some(number)
}

/// A date of DICOM as one of FHIR; none for one that is none, or is not whole. A time would need its zone.
fn date(text: &str) -> Option<String> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    let (year, month, day) = digits.then(|| (&text[..4], &text[4..6], &text[6..]))?;
    let days = match month {
        "04" | "06" | "09" | "11" => 30,
        "02" => 29,
        _ => 31,
    };
    let is_month = (1..=12).contains(&month.parse::<u8>().ok()?);
    let is_day = (1..=days).contains(&day.parse::<u8>().ok()?);
    (is_month && is_day && year != "0000").then(|| format!("{year}-{month}-{day}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::sample::write_instance;

    #[test]
    fn a_study_is_one_in_both_releases() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.dcm");
        write_instance(&path, 1, 3000).unwrap();
        let listing = Listing::of_file(&std::fs::read(&path).unwrap()).unwrap();
        let service = "https://images.example/dicomweb";
        let of = |release| imaging_study(&listing, release, service);
        for study in [of(Release::R4), of(Release::R5)] {
            assert_eq!(study["id"], "2.25.2");
            assert_eq!(study["identifier"][0]["value"], "urn:oid:2.25.2");
            assert_eq!(study["started"], "2020-01-01");
            assert_eq!(study["subject"]["identifier"]["value"], "12345678");
            assert_eq!(study["contained"][0]["address"], service);
            assert_eq!(study["numberOfInstances"], 1);
            assert_eq!(study["series"][0]["instance"][0]["uid"], "2.25.1000001");
        }
        assert_eq!(of(Release::R4)["modality"][0]["code"], "CT");
        assert_eq!(of(Release::R5)["modality"][0]["coding"][0]["code"], "CT");
        let found = bundle(vec![of(Release::R5)], 3, "https://h/fhir/r5");
        let address = "https://h/fhir/r5/ImagingStudy/2.25.2";
        assert_eq!(
            (&found["total"], &found["entry"][0]["fullUrl"]),
            (&json!(3), &json!(address))
        );
        assert!(bundle(Vec::new(), 0, "").get("entry").is_none());
    }

    #[test]
    fn dates_that_are_none_are_left_out() {
        for (text, wanted) in [
            ("20240229", Some("2024-02-29")),
            ("20240230", None),
            ("20241301", None),
            ("20240100", None),
            ("2024.01.01", None),
            ("202401", None),
            ("", None),
        ] {
            assert_eq!(date(text).as_deref(), wanted, "{text}");
        }
    }
}
