//! The chain's history as rows, for CSV and for a page: what the text says, a row for each of its entries or requests.

use pcim_client::audit::report::{Table, utc, visible};
use pcim_client::audit::{Entry, Standing};
use pcim_core::Address;

use super::show::{self, Images, Right};
use crate::names;

/// The entries, in the order of the text.
pub(super) fn timeline(entries: &[Entry], known: &Images) -> Table {
    let mut rows = Vec::with_capacity(entries.len());
    for (image, group) in show::by_image(entries) {
        let known = image.and_then(|image| known.get(&image));
        for entry in group {
            rows.push(vec![
                image.map(|image| image.to_string()).unwrap_or_default(),
                known.map(|it| visible(&it.description)).unwrap_or_default(),
                known.map(|it| it.patient.to_string()).unwrap_or_default(),
                known
                    .map(|it| it.radiologist.to_string())
                    .unwrap_or_default(),
                utc(entry.timestamp),
                entry.kind().to_string(),
                show::who(entry)
                    .map(|who| who.to_string())
                    .unwrap_or_default(),
                show::said(entry).unwrap_or_default(),
                show::words(entry).unwrap_or_default(),
                entry.tx.to_string(),
                named(known.map(|it| it.patient)),
                named(known.map(|it| it.radiologist)),
                named(show::who(entry)),
            ]);
        }
    }
    Table {
        title: "What the chain recorded about the images".to_owned(),
        remarks: Vec::new(),
        columns: vec![
            "Image",
            "Kind",
            "Owner",
            "Radiologist",
            "When",
            "Event",
            "Who",
            "Details",
            "Text on the chain",
            "Transaction",
            "Owner's name",
            "Radiologist's name",
            "Who's name",
        ],
        rows,
    }
}

/// Requests and how they stand.
pub(super) fn rights(title: &str, rights: &[Right]) -> Table {
    let rows = rights.iter().map(|right| {
        let decided = Some(right.decided_at).filter(|it| *it != 0);
        let ends = matches!(
            right.standing,
            Standing::Approved | Standing::Expired | Standing::Emergency
        )
        .then(|| show::until(right.expires_at));
        vec![
            right.image.to_string(),
            visible(&right.description),
            right.patient.to_string(),
            right.requestor.to_string(),
            right.standing.to_string(),
            utc(right.requested_at),
            decided.map(utc).unwrap_or_default(),
            ends.unwrap_or_default(),
            visible(&right.notes),
            right.reason.as_deref().map(visible).unwrap_or_default(),
            right.since.tx.to_string(),
            named(Some(right.patient)),
            named(Some(right.requestor)),
        ]
    });
    Table {
        title: title.to_owned(),
        remarks: Vec::new(),
        columns: vec![
            "Image",
            "Kind",
            "Owner",
            "Requestor",
            "Status",
            "Asked",
            "Decided",
            "Ends",
            "For",
            "Patient's words",
            "Transaction",
            "Owner's name",
            "Requestor's name",
        ],
        rows: rows.collect(),
    }
}

/// What the home calls the owner of an address; empty if it does not know him.
fn named(address: Option<Address>) -> String {
    address.and_then(names::name_of).unwrap_or_default()
}
