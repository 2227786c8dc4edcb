//! QIDO-RS (PS3.18 §10.6).

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use pcim_dicom::Level;
use pcim_dicom::query::Query;
use serde_json::Value;

use super::accept::{Offer, accepted, choose};
use super::{Answer, Asked, Web, plain, typed};
use crate::catalogue::Scope;

/// The media types of documents.
pub(super) const JSON: [Offer<'static>; 2] =
    [json("application/dicom+json"), json("application/json")];

const fn json(media: &'static str) -> Offer<'static> {
    Offer {
        media,
        syntax: None,
        parts: false,
        usual: true,
    }
}

/// Answers a search at a level, within the study and the series that the address names.
pub(super) fn search(web: &Web, asked: &Asked, scope: Scope<'_>, level: Level) -> Answer {
    let Some(form) = choose(&accepted(&asked.headers), &JSON) else {
        return plain(
            StatusCode::NOT_ACCEPTABLE,
            "results are application/dicom+json",
        );
    };
    let mut query = match Query::of_parameters(&asked.query, level) {
        Ok(query) => query,
        Err(error) => return plain(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    for (level, uid) in [(Level::Study, scope.study), (Level::Series, scope.series)] {
        if let Some(uid) = uid {
            query = query.within(level, uid);
        }
    }
    let (rows, remaining) = web.catalogue.search(&query, |found| {
        let rows = found.matches.iter().map(|it| it.json(&asked.service));
        (rows.collect::<Vec<_>>(), found.remaining)
    });
    web.metrics.searches.add(1);
    if rows.is_empty() {
        return typed(StatusCode::NO_CONTENT, form.media, Vec::new());
    }
    let mut answer = typed(
        StatusCode::OK,
        form.media,
        Value::Array(rows).to_string().into_bytes(),
    );
    let mut warnings = query.warnings().to_vec();
    if remaining > 0 {
        warnings.push(format!(
            "There are {remaining} additional results that can be requested."
        ));
    }
    for warning in warnings {
        let text = format!("299 {}: {warning}", asked.service);
        if let Ok(text) = HeaderValue::from_str(&text) {
            answer.headers_mut().append(header::WARNING, text);
        }
    }
    answer
}
