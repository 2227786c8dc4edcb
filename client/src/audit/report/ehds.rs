//! Accesses by reader, data and time: the three things that Article 9(2) of Regulation (EU) 2025/327 (European Health
//! Data Space) names. It is the patient's own view, not the access service of a Member State.

use crate::audit::report::disclosures::purpose_words;
use crate::audit::report::story::{Told, tell};
use crate::audit::report::text::utc;
use crate::audit::report::text::{utc_or_unknown, years_before};
use crate::audit::report::timeline::described;
use crate::audit::report::{Facts, Table};
use pcim_core::Event;

/// How long the information must be there at the least, Article 9(2).
const YEARS: u64 = 3;

/// Lists the accesses that the chain knows; all of them, or those since `years` before the report.
pub fn accesses(facts: &Facts<'_>, all: bool, wanted: impl Fn(&Told<'_>) -> bool) -> Table {
    let first = if all {
        0
    } else {
        years_before(facts.now, YEARS)
    };
    let mut rows = Vec::new();
    for told in tell(facts.events).into_iter().filter(wanted) {
        let kind = match &told.logged.event {
            Event::Approved { .. } => "could access from then on (approved)",
            Event::EmergencyOpened { .. } => "could access from then on (emergency)",
            Event::Reshared { .. } => "could access from then on (shared again)",
            Event::AuthorizationSuccess { .. } if told.requestor == told.patient => continue,
            Event::AuthorizationSuccess { .. } => "access recorded (authorized)",
            Event::AuthorizationFailed { .. } => "refused (not authorized)",
            Event::UserRemoved { .. } => "could no longer access (removed)",
            _ => continue,
        };
        let (Some(image), Some(requestor)) = (told.image, told.requestor) else {
            continue;
        };
        if told.logged.timestamp.is_some_and(|at| at < first) {
            continue;
        }
        rows.push(vec![
            facts.who(requestor),
            utc_or_unknown(told.logged.timestamp),
            described(image, told.about),
            kind.to_owned(),
            purpose_words(told.purpose).to_owned(),
            told.logged.tx.to_string(),
        ]);
    }
    Table {
        title: "Accesses to my electronic health data".to_owned(),
        remarks: vec![
            "After Article 9(2) of Regulation (EU) 2025/327: who accessed, when, and which data. The patient's own view of \
             the chain; it does not replace what an electronic health data access service owes."
                .to_owned(),
            format!(
                "Since {}. The chain knows who could open an image, from when and until when, and each access that was \
                 recorded on it (by the reader, or asked for by the patient); a reader may have opened an image without \
                 recording it.",
                utc(first)
            ),
            "Names are the reader's own, for addresses whose contact card was verified.".to_owned(),
            facts.origin(),
        ],
        columns: vec!["Who", "When", "What", "Kind", "Purpose", "Transaction"],
        rows,
    }
}
