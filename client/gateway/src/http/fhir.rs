//! FHIR's ImagingStudy of what may be opened: read by its id, the Study Instance UID, and searched by identifier.

use hyper::StatusCode;
use pcim_dicom::fhir::{Release, bundle, imaging_study, outcome};
use serde_json::Value;

use super::accept::{Offer, accepted, choose};
use super::{Answer, Asked, Web, typed};
use crate::dimse::is_uid;

/// Studies in one answer, and the most of them.
const COUNT: usize = 50;
const COUNT_MAX: usize = 100;

const TYPES: [Offer<'static>; 2] = [json("application/fhir+json"), json("application/json")];

const fn json(media: &'static str) -> Offer<'static> {
    Offer {
        media,
        syntax: None,
        parts: false,
        usual: true,
    }
}

/// A request for studies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought<'a> {
    /// One, by its id.
    Study(&'a str),
    /// Those that fit.
    Search,
}

/// The resource that the parts of a path name; none if there is no such one.
pub(super) fn resource<'a>(parts: &[&'a str]) -> Option<(Release, Sought<'a>)> {
    let ["fhir", release, "ImagingStudy", rest @ ..] = parts else {
        return None;
    };
    let release = match *release {
        "r4" => Release::R4,
        "r5" => Release::R5,
        _ => return None,
    };
    match rest {
        [] => Some((release, Sought::Search)),
        [uid] if is_uid(uid) => Some((release, Sought::Study(uid))),
        _ => None,
    }
}

/// Answers a request.
pub(super) fn answer(web: &Web, asked: &Asked, release: Release, wanted: Sought<'_>) -> Answer {
    let Some(form) = choose(&accepted(&asked.headers), &TYPES) else {
        let why = "resources are application/fhir+json";
        return refused(StatusCode::NOT_ACCEPTABLE, "not-supported", why);
    };
    let study = |listing: &_| imaging_study(listing, release, &asked.service);
    let document: Value = match wanted {
        Sought::Study(uid) => {
            let found = web.catalogue.studies_of(Some(uid), 1, study).0.pop();
            let Some(found) = found else {
                let why = "there is no such study, or it may not be opened now";
                return refused(StatusCode::NOT_FOUND, "not-found", why);
            };
            found
        }
        Sought::Search => {
            let Some((uid, count)) = parameters(&asked.query) else {
                let why = "wanted identifier=urn:oid:UID and _count=N, each once at most";
                return refused(StatusCode::BAD_REQUEST, "invalid", why);
            };
            let (found, total) = web.catalogue.studies_of(uid.as_deref(), count, study);
            let name = match release {
                Release::R4 => "r4",
                Release::R5 => "r5",
            };
            bundle(found, total, &format!("{}/fhir/{name}", asked.service))
        }
    };
    web.metrics.searches.add(1);
    typed(StatusCode::OK, form.media, document.to_string())
}

fn refused(status: StatusCode, code: &str, why: &str) -> Answer {
    let document = outcome(code, why).to_string();
    typed(status, "application/fhir+json", document)
}

/// The study and the count of a query; none if it has other parameters, or values that are none.
fn parameters(query: &str) -> Option<(Option<String>, usize)> {
    let (mut uid, mut count) = (None, None);
    for pair in query.split('&').filter(|it| !it.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = value
            .replace("%3A", ":")
            .replace("%3a", ":")
            .replace("%7C", "|");
        match name {
            "identifier" if uid.is_none() => {
                let value = value.strip_prefix("urn:dicom:uid|").unwrap_or(&value);
                let found = value.strip_prefix("urn:oid:").filter(|it| is_uid(it))?;
                uid = Some(found.to_owned());
            }
            "_count" if count.is_none() => count = Some(value.parse::<usize>().ok()?),
            _ => return None,
        }
    }
    Some((uid, count.unwrap_or(COUNT).min(COUNT_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_whole_or_refused() {
        let uid = |text: &str| Some(text.to_owned());
        for (query, wanted) in [
            ("", Some((None, COUNT))),
            ("_count=1000", Some((None, COUNT_MAX))),
            ("identifier=urn:oid:1.2", Some((uid("1.2"), COUNT))),
            (
                "identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A1.2&_count=0",
                Some((uid("1.2"), 0)),
            ),
            ("identifier=1.2", None),
            ("identifier=urn:oid:x", None),
            ("_count=-1", None),
            ("_count=1&_count=2", None),
            ("patient=1", None),
        ] {
            assert_eq!(parameters(query), wanted, "{query}");
        }
        assert_eq!(
            resource(&["fhir", "r4", "ImagingStudy", "1.2"]),
            Some((Release::R4, Sought::Study("1.2")))
        );
        assert_eq!(resource(&["fhir", "r3", "ImagingStudy"]), None);
        assert_eq!(resource(&["fhir", "r5", "ImagingStudy", "x"]), None);
        assert_eq!(resource(&["fhir", "r5", "Patient"]), None);
    }
}
