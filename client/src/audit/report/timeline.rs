//! Every event in words, in the order of the chain.

use crate::audit::report::story::{Told, tell};
use crate::audit::report::text::utc_or_unknown;
use crate::audit::report::text::visible;
use crate::audit::report::{Facts, Table};
use pcim_core::{Event, ImageDigest};

/// Lists what happened, event by event; about some images, or about all.
pub fn timeline(facts: &Facts<'_>, wanted: impl Fn(&Told<'_>) -> bool) -> Table {
    let rows = tell(facts.events).into_iter().filter(wanted).map(|told| {
        vec![
            utc_or_unknown(told.logged.timestamp),
            words(facts, &told),
            told.image
                .map(|image| image.to_string())
                .unwrap_or_default(),
            told.about.map(visible).unwrap_or_default(),
            told.requestor.map(|it| facts.who(it)).unwrap_or_default(),
            visible(told.logged.event.text().unwrap_or_default()),
            format!(
                "block {}, log {}, {}",
                told.logged.block, told.logged.log_index, told.logged.tx
            ),
        ]
    });
    Table {
        title: "What happened to the images".to_owned(),
        remarks: vec![facts.origin()],
        columns: vec![
            "When",
            "What",
            "Image",
            "Kind",
            "Requestor",
            "Text on the chain",
            "Where on the chain",
        ],
        rows: rows.collect(),
    }
}

/// Says in words what happened.
pub(super) fn words(facts: &Facts<'_>, told: &Told<'_>) -> String {
    let until = |expires_at: u64| match expires_at {
        0 => "without end".to_owned(),
        moment => format!("until {}", super::utc(moment)),
    };
    match &told.logged.event {
        Event::ContractCreated { .. } => "registered".to_owned(),
        Event::RequestedForApproval { .. } => match told.purpose {
            Some(purpose) => format!("access asked for ({purpose})"),
            None => "access asked for, no known purpose".to_owned(),
        },
        Event::Requestaccepted { .. } => "request accepted".to_owned(),
        Event::Approved { expires_at, .. } => format!("access approved {}", until(*expires_at)),
        Event::Requestdenied { .. } => "request denied".to_owned(),
        Event::Reason { .. } => "reason given".to_owned(),
        Event::AuthorizationSuccess { .. } => "traced: authorized".to_owned(),
        Event::AuthorizationFailed { .. } => "traced: not authorized".to_owned(),
        Event::UserRemoved { .. } => "access removed".to_owned(),
        Event::Reshared { expires_at, .. } => format!("shared again {}", until(*expires_at)),
        Event::ImageResealed { .. } => "sealed again".to_owned(),
        Event::ApprovalLimitSet { approvals: 0, .. } => "approval limit lifted".to_owned(),
        Event::ApprovalLimitSet {
            approvals,
            window_seconds,
            ..
        } => {
            format!("approval limit set: {approvals} in {window_seconds} s")
        }
        Event::RadiologistAccredited {
            radiologist,
            accredited: true,
        } => {
            format!("radiologist accredited: {}", facts.who(*radiologist))
        }
        Event::RadiologistAccredited { radiologist, .. } => {
            format!(
                "radiologist no longer accredited: {}",
                facts.who(*radiologist)
            )
        }
        Event::ConsortiumTransferred { from, to } => {
            format!(
                "consortium handed over from {} to {}",
                facts.who(*from),
                facts.who(*to)
            )
        }
    }
}

/// Describes an image for a report: its kind as registered, and its name.
pub(super) fn described(image: ImageDigest, about: Option<&str>) -> String {
    match about.map(visible).filter(|about| !about.trim().is_empty()) {
        Some(about) => format!("{about}, image {image}"),
        None => format!("image {image}"),
    }
}
