//! An accounting of disclosures in the style of 45 CFR 164.528: six years, date, recipient, description, purpose.

use crate::audit::report::story::{Told, tell};
use crate::audit::report::text::utc;
use crate::audit::report::text::{utc_or_unknown, years_before};
use crate::audit::report::timeline::described;
use crate::audit::report::{Facts, Table};
use crate::papers::request::Purpose;
use pcim_core::Event;

/// The years that an accounting goes back, 45 CFR 164.528(b)(1).
const YEARS: u64 = 6;

/// Accounts for the disclosures in the six years before the report. An event whose time is not known is listed.
pub fn disclosures(facts: &Facts<'_>, wanted: impl Fn(&Told<'_>) -> bool) -> Table {
    let first = years_before(facts.now, YEARS);
    let mut rows = Vec::new();
    for told in tell(facts.events).into_iter().filter(wanted) {
        let basis = match &told.logged.event {
            Event::Approved { .. } => "access approved by the patient",
            Event::EmergencyOpened { .. } => "opened in an emergency by the patient's desk",
            Event::Reshared { .. } => "shared again with an approved reader",
            Event::AuthorizationSuccess { .. } if told.requestor != told.patient => {
                "access recorded on the chain"
            }
            _ => continue,
        };
        let (Some(image), Some(requestor)) = (told.image, told.requestor) else {
            continue;
        };
        if told.logged.timestamp.is_some_and(|at| at < first) {
            continue;
        }
        rows.push(vec![
            utc_or_unknown(told.logged.timestamp),
            facts.who(requestor),
            described(image, told.about),
            purpose_words(told.purpose).to_owned(),
            basis.to_owned(),
            told.logged.tx.to_string(),
        ]);
    }
    Table {
        title: "Accounting of disclosures (courtesy report)".to_owned(),
        remarks: vec![
            "A courtesy report in the form of 45 CFR 164.528, not a legal statement: the accounting that a covered entity \
             owes is made by that entity from its own records, and may leave out disclosures for treatment, payment and \
             operations and those that the patient authorized. Here everything is listed that the chain knows."
                .to_owned(),
            format!(
                "Period: {} to {} (six years). An approval is listed at the moment from which the recipient could open the \
                 image; whether and how often he did, the chain knows only where it says \"access recorded\".",
                utc(first),
                utc(facts.now)
            ),
            "Names are the reader's own, for addresses whose contact card was verified. Postal addresses are not known."
                .to_owned(),
            facts.origin(),
        ],
        columns: vec!["Date", "Recipient", "Description", "Purpose", "Basis", "Transaction"],
        rows,
    }
}

/// A purpose of use in words (HL7 v3 ActReason).
pub(super) fn purpose_words(purpose: Option<Purpose>) -> &'static str {
    match purpose {
        Some(Purpose::Treat) => "treatment (TREAT)",
        Some(Purpose::Hresch) => "healthcare research (HRESCH)",
        Some(Purpose::Hpaymt) => "healthcare payment (HPAYMT)",
        Some(Purpose::Etreat) => "emergency treatment (ETREAT)",
        None => "not stated by a known code",
    }
}
