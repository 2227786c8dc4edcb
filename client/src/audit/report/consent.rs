//! FHIR R5 `Consent`, one for each image and requestor, after IHE's Privacy Consent on FHIR (PCF 1.1.0, Intermediate).
//!
//! PCF is written for R4. Its requirements stand where R5 has them: `patient` → `subject`, `dateTime` → `date`,
//! `performer` → `grantor`, `organization` → `controller`, `scope` → a second `category`, `policy.uri` → `policyBasis.url`,
//! `provision.type` → `decision`, `provision.actor` as it is. `meta.profile` is not claimed, since the profiles exist for R4
//! alone.
//!
//! | on the chain | status | decision |
//! |---|---|---|
//! | asked for | `draft` | `deny` |
//! | approved | `active` | `permit` |
//! | approved, and over | `inactive` | `permit` |
//! | denied | `active` | `deny` |
//! | removed | `inactive` | `permit` if it had been approved, else `deny` |

use serde_json::{Value, json};

use crate::audit::report::disclosures::purpose_words;
use crate::audit::report::fhir::{
    ACT_REASON, account, actor, bundle, concept, consent_urn, image_reference,
};
use crate::audit::report::story::{Right, rights};
use crate::audit::report::text::utc;
use crate::audit::report::text::{instant, utc_or_unknown};
use crate::audit::report::timeline::described;
use crate::audit::report::{Facts, Table};
use pcim_core::GrantStatus;

/// Writes a `Bundle` of kind `collection` with a `Consent` for each image and requestor.
pub fn consents(facts: &Facts<'_>, wanted: impl Fn(&Right<'_>) -> bool) -> Value {
    let entries = rights(facts.events)
        .into_iter()
        .filter(wanted)
        .map(|right| {
            json!({
                "fullUrl": consent_urn(facts, right.image, right.requestor),
                "resource": consent(facts, &right),
            })
        });
    bundle(facts, entries.collect())
}

fn consent(facts: &Facts<'_>, right: &Right<'_>) -> Value {
    let urn = consent_urn(facts, right.image, right.requestor);
    let approved = right.approved_at.is_some() || matches!(right.status, GrantStatus::Approved);
    let (status, permits) = match right.status {
        // An emergency is nobody's consent.
        GrantStatus::Emergency => ("inactive", false),
        GrantStatus::Approved if right.is_open(facts.now) => ("active", true),
        GrantStatus::Approved => ("inactive", true),
        GrantStatus::Denied => ("active", false),
        GrantStatus::Removed => ("inactive", approved),
        GrantStatus::Requested | GrantStatus::None => ("draft", false),
    };
    let mut provision = json!({
        "actor": [{
            "role": concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP", "information recipient"),
            "reference": actor(facts, "Practitioner", right.requestor),
        }],
        "data": [{ "meaning": "instance", "reference": image_reference(right.image) }],
    });
    if let Some(purpose) = right.purpose {
        provision["purpose"] = json!([{ "system": ACT_REASON, "code": purpose.to_string() }]);
    }
    let mut period = json!({});
    if let Some(start) = right.approved_at.and_then(instant) {
        period["start"] = start.into();
    }
    if let Some(end) = right.ends().and_then(instant) {
        period["end"] = end.into();
    }
    let with_period = period.as_object().is_some_and(|period| !period.is_empty());
    if with_period {
        provision["period"] = period.clone();
    }
    let mut controller = actor(facts, "Organization", facts.contract);
    controller["display"] = "the consortium of the contract Pcac".into();
    let mut consent = json!({
        "resourceType": "Consent",
        "id": urn.trim_start_matches("urn:uuid:"),
        "identifier": [{ "system": "urn:ietf:rfc:3986", "value": urn }],
        "status": status,
        "category": [
            concept("http://loinc.org", "59284-0", "Consent"),
            concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy", "Privacy Consent"),
        ],
        "controller": [controller],
        "sourceAttachment": [{
            "title": format!("transaction {} on chain {}", right.tx, facts.chain_id),
        }],
        "policyBasis": { "url": account(facts, facts.contract) },
        "decision": if permits { "permit" } else { "deny" },
        "provision": [provision],
    });
    if let Some(patient) = right.patient {
        let patient = actor(facts, "Patient", patient);
        consent["grantor"] = json!([patient]);
        consent["subject"] = patient;
    }
    // A date; the moment is the transaction's.
    if let Some(at) = right.at.and_then(instant) {
        consent["date"] = at[..10].into();
    }
    if with_period {
        consent["period"] = period;
    }
    consent
}

/// Lists the same as rows: who may open what, until when, and why.
pub fn rights_table(facts: &Facts<'_>, wanted: impl Fn(&Right<'_>) -> bool) -> Table {
    let rows = rights(facts.events)
        .into_iter()
        .filter(wanted)
        .map(|right| {
            let status = match right.status {
                GrantStatus::Emergency if right.is_open(facts.now) => "may open (emergency)",
                GrantStatus::Approved if right.is_open(facts.now) => "may open",
                GrantStatus::Approved | GrantStatus::Emergency => "expired",
                GrantStatus::Denied => "denied",
                GrantStatus::Removed => "removed",
                GrantStatus::Requested | GrantStatus::None => "has asked",
            };
            let until = match (right.status, right.ends()) {
                (GrantStatus::Approved, None) => "no end".to_owned(),
                (_, Some(end)) => utc(end),
                (_, None) => String::new(),
            };
            vec![
                facts.who(right.requestor),
                described(right.image, right.about),
                status.to_owned(),
                utc_or_unknown(right.at),
                until,
                purpose_words(right.purpose).to_owned(),
                right.tx.to_string(),
            ]
        });
    Table {
        title: "Who may open my images".to_owned(),
        remarks: vec![facts.origin()],
        columns: vec![
            "Who",
            "What",
            "Status",
            "Since",
            "Until",
            "Purpose",
            "Transaction",
        ],
        rows: rows.collect(),
    }
}
