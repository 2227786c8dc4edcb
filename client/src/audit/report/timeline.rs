//! Every event in words, in the order of the chain.

use crate::audit::report::story::{Told, tell};
use crate::audit::report::text::{utc, utc_or_unknown, visible};
use crate::audit::report::{Facts, Table};
use pcim_core::{Address, B256, Event, ImageDigest};

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
            ..
        } => {
            format!("radiologist accredited: {}", facts.who(*radiologist))
        }
        Event::RadiologistAccredited {
            radiologist,
            status: Some(2),
            since,
            ..
        } => {
            let last = since.map(utc).unwrap_or_default();
            let who = facts.who(*radiologist);
            format!("radiologist retired: {who}, attestations until {last}")
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
        Event::ConsortiumOffered { from, to } if from == to => {
            "consortium's role no longer offered".to_owned()
        }
        Event::ConsortiumOffered { to, .. } => {
            format!("consortium's role offered to {}", facts.who(*to))
        }
        Event::ImageImported { registered_at, .. } => {
            let at = utc(*registered_at);
            format!("image taken over from the contract before, registered {at}")
        }
        Event::ImageFlagged { flags, by, .. } => match flags {
            0 => "image restored".to_owned(),
            flag if flag & 2 != 0 => format!("image retracted by {}", facts.who(*by)),
            _ => "image withdrawn".to_owned(),
        },
        Event::EmergencyOpened { until, .. } => {
            format!("opened in an emergency, until {}", utc(*until))
        }
        Event::Acted { by, .. } => format!("decided by {}", facts.who(*by)),
        Event::AccountChanged {
            kind, ripe, data, ..
        } => account_words(facts, *kind, *ripe, data),
        Event::AccountMoved { from, to, .. } => {
            format!(
                "{} acts for the patient, in place of {}",
                facts.who(*to),
                facts.who(*from)
            )
        }
    }
}

/// A change of an account in words. `data` holds an account in its last 20 bytes, but for guardians.
fn account_words(facts: &Facts<'_>, kind: u8, ripe: u64, data: &B256) -> String {
    let named = Address::from_slice(&data[12..]);
    let who = facts.who(named);
    let when = match ripe {
        0 => String::new(),
        ripe => format!(", from {} at the earliest", utc(ripe)),
    };
    match kind {
        1 if data[8..].iter().all(|byte| *byte == 0) => format!("no guardians{when}"),
        1 => format!("guardians named{when}"),
        2 => format!("account handed to {who}{when}"),
        3 if named == Address::ZERO => format!("no emergency desk{when}"),
        3 => format!("emergency desk: {who}{when}"),
        4 | 5 if ripe == 0 => "recovery ended by the guardians".to_owned(),
        4 | 5 => format!("recovery by guardians to {who}{when}"),
        6 => "pending change of the account cancelled".to_owned(),
        7 => "pending change of the account finished".to_owned(),
        8 => match data[7..12].iter().all(|byte| *byte == 0) {
            true => format!("delegate ended: {who}"),
            false => format!("delegate named: {who}"),
        },
        _ => "guardians taken over from the contract before".to_owned(),
    }
}

/// Describes an image for a report: its kind as registered, and its name.
pub(super) fn described(image: ImageDigest, about: Option<&str>) -> String {
    match about.map(visible).filter(|about| !about.trim().is_empty()) {
        Some(about) => format!("{about}, image {image}"),
        None => format!("image {image}"),
    }
}
