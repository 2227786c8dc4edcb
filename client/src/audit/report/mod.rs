//! Reports: the contract's events in the forms that hospitals, patients and regulators know.
//!
//! | report | form |
//! |---|---|
//! | [`audit_events`] | FHIR R5 `AuditEvent`, one for each log, after IHE BALP's patterns |
//! | [`consents`] | FHIR R5 `Consent`, one for each image and requestor, after IHE PCF |
//! | [`disclosures`] | an accounting of disclosures, in the style of 45 CFR 164.528 |
//! | [`accesses`] | who accessed what and when, after Article 9 of Regulation (EU) 2025/327 |
//!
//! All are pure functions of [`Facts`]. Each also has the form of a [`Table`], for CSV and HTML. Texts come from
//! strangers: [`visible`] shows every character that could steer a reader instead of passing it on. Names come from
//! contact cards that were verified ([`Contacts`]); an actor without one is an address.

pub(crate) mod consent;
pub(crate) mod contacts;
pub(crate) mod csv;
pub(crate) mod disclosures;
pub(crate) mod ehds;
pub(crate) mod fhir;
pub(crate) mod html;
pub(crate) mod story;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod timeline;

use pcim_core::{Address, LoggedEvent};

pub use crate::audit::report::consent::{consents, rights_table};
pub use crate::audit::report::contacts::{Contacts, MAX_NAME_CHARS};
pub use crate::audit::report::csv::csv;
pub use crate::audit::report::disclosures::disclosures;
pub use crate::audit::report::ehds::accesses;
pub use crate::audit::report::fhir::audit_events;
pub use crate::audit::report::html::html;
pub use crate::audit::report::story::{Right, Told, rights, tell};
pub use crate::audit::report::text::{instant, utc, visible, visible_json};
pub use crate::audit::report::timeline::timeline;

/// The material of reports.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The chain.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
    /// The contract's events in the order of the chain, from its beginning: what is reported and what came before it.
    pub events: &'a [LoggedEvent],
    /// How many of its logs are not understood, and so not among the events.
    pub unknown: usize,
    /// The last block that was read.
    pub block: u64,
    /// When the report is made, in Unix seconds.
    pub now: u64,
    /// Whom the reader knows.
    pub contacts: &'a Contacts,
}

/// A report as rows of texts. Every text is for the eye: [`visible`] already, escaped for no format yet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Table {
    /// Its kind.
    pub title: String,
    /// Remarks that its reader has to know.
    pub remarks: Vec<String>,
    /// The names of the columns.
    pub columns: Vec<&'static str>,
    /// As many texts in each as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Facts<'_> {
    /// The name that the reader has for an address, and the address; or the address alone.
    fn who(&self, address: Address) -> String {
        match self.contacts.name(address) {
            Some(name) => format!("{name} ({address})"),
            None => address.to_string(),
        }
    }

    /// Where all this stands, for the foot of a report.
    fn origin(&self) -> String {
        let read = format!(
            "Read from contract {} on chain {} up to block {}; made {}.",
            self.contract,
            self.chain_id,
            self.block,
            utc(self.now)
        );
        match self.missing() {
            Some(missing) => format!("{read} {missing}"),
            None => read,
        }
    }

    /// Says how much the report leaves out because it is not understood.
    fn missing(&self) -> Option<String> {
        (self.unknown > 0).then(|| {
            format!(
                "Not complete: {} logs of the contract are not understood by this program and not in here.",
                self.unknown
            )
        })
    }
}
