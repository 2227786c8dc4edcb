//! FHIR R5 `AuditEvent`, one for each log, after the patterns of IHE's Basic Audit Log Patterns (BALP 1.1.3).
//!
//! BALP is written for R4. Its requirements stand where R5 has them: `type` → `category`, `subtype` → `code`,
//! `outcomeDesc` → `outcome.detail`, `purposeOfUse` → `authorization`, `agent.network` → `agent.networkUri`, and the kind of
//! an entity in its role and in `what.type`. `meta.profile` is not claimed, since the profiles exist for R4 alone.
//!
//! | events | pattern |
//! |---|---|
//! | registered, asked for | PatientCreate: the client creates, the contract takes |
//! | sealed again, limit set | PatientUpdate |
//! | accredited, consortium handed over | Update: nobody's record |
//! | accepted, approved, denied, reason, removed, shared again, traced | AuthZconsent: outcome 0 permits, 8 refuses |
//!
//! An emergency is a decision whose code is also DICOM's Emergency Override Started (110127), and its removal's is Emergency Override
//! Stopped (110138); the purpose of use is HL7's BTG, break the glass, from the one to the other.
//!
//! A part that a pattern requires and the chain does not know (the application, the organization) says so by the extension
//! `data-absent-reason`. An address is the identifier `did:pkh:eip155:<chain>:<address>`, an image `ipfs://<CID>`.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::audit::entry::EventKind;
use crate::audit::report::Facts;
use crate::audit::report::story::{Told, tell};
use crate::audit::report::text::instant;
use crate::audit::report::text::visible;
use crate::audit::report::timeline::words;
use pcim_core::{Address, Event, ImageDigest};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://hl7.org/fhir/restful-interaction";
const AUDIT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const OUTCOME: &str = "http://terminology.hl7.org/CodeSystem/audit-event-outcome";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ROLE_CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
const SECURITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/extra-security-role-type";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const AUTHZ: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType";
pub(super) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// Writes a `Bundle` of kind `collection` with an `AuditEvent` for each log.
pub fn audit_events(facts: &Facts<'_>, wanted: impl Fn(&Told<'_>) -> bool) -> Value {
    let entries = tell(facts.events).into_iter().filter(wanted).map(|told| {
        let place = format!("{}:{}", told.logged.tx, told.logged.log_index);
        json!({ "fullUrl": urn(facts, &place), "resource": audit_event(facts, &told) })
    });
    bundle(facts, entries.collect())
}

/// A `Bundle` of kind `collection`; what is not in it because it is not understood is counted in its `issues`.
pub(super) fn bundle(facts: &Facts<'_>, entries: Vec<Value>) -> Value {
    let mut bundle = json!({ "resourceType": "Bundle", "type": "collection" });
    if let Some(now) = instant(facts.now) {
        bundle["timestamp"] = now.into();
    }
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    if let Some(missing) = facts.missing() {
        bundle["issues"] = json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "warning",
                "code": "not-supported",
                "details": { "text": missing },
            }],
        });
    }
    bundle
}

/// Names something on this chain and contract for good: a UUID (RFC 9562, version 8) of its hash.
pub(super) fn urn(facts: &Facts<'_>, what: &str) -> String {
    let text = format!("pcim:{}:{}:{what}", facts.chain_id, facts.contract);
    let hash = Sha256::digest(text);
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let hex = hex::encode(id);
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// An account on the chain, as the URI of a decentralized identifier.
pub(super) fn account(facts: &Facts<'_>, address: Address) -> String {
    format!("did:pkh:eip155:{}:{address}", facts.chain_id)
}

/// A reference by identifier.
fn by_identifier(kind: &str, value: String) -> Value {
    json!({ "type": kind, "identifier": { "system": "urn:ietf:rfc:3986", "value": value } })
}

/// A person or organization by address, named if the reader knows them.
pub(super) fn actor(facts: &Facts<'_>, kind: &str, address: Address) -> Value {
    let mut reference = by_identifier(kind, account(facts, address));
    if let Some(name) = facts.contacts.name(address) {
        reference["display"] = name.into();
    }
    reference
}

pub(super) fn image_reference(image: ImageDigest) -> Value {
    by_identifier("ImagingStudy", format!("ipfs://{image}"))
}

/// The consent that an image and a requestor share, as [`super::consents`] names it.
pub(super) fn consent_urn(facts: &Facts<'_>, image: ImageDigest, requestor: Address) -> String {
    urn(facts, &format!("consent:{image}:{requestor}"))
}

fn unknown(why: &str) -> Value {
    json!({ "extension": [{ "url": ABSENT, "valueCode": "unknown" }], "display": why })
}

pub(super) fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code, "display": display }] })
}

/// Which of BALP's patterns an event follows.
enum Pattern {
    Create,
    Update,
    /// A decision on a right; whether it permits.
    Decision(bool),
}

fn pattern(event: &Event) -> Pattern {
    match event {
        Event::ContractCreated { .. }
        | Event::ImageImported { .. }
        | Event::RequestedForApproval { .. } => Pattern::Create,
        Event::ConsortiumOffered { .. }
        | Event::ImageFlagged { .. }
        | Event::Acted { .. }
        | Event::AccountChanged { .. }
        | Event::AccountMoved { .. }
        | Event::ImageResealed { .. }
        | Event::ApprovalLimitSet { .. }
        | Event::RadiologistAccredited { .. }
        | Event::ConsortiumTransferred { .. } => Pattern::Update,
        Event::Requestaccepted { .. }
        | Event::Approved { .. }
        | Event::EmergencyOpened { .. }
        | Event::Reshared { .. }
        | Event::AuthorizationSuccess { .. } => Pattern::Decision(true),
        Event::Requestdenied { .. }
        | Event::Reason { .. }
        | Event::UserRemoved { .. }
        | Event::AuthorizationFailed { .. } => Pattern::Decision(false),
    }
}

fn audit_event(facts: &Facts<'_>, told: &Told<'_>) -> Value {
    let logged = told.logged;
    let contract = contract(facts);
    let (category, code, action, permitted) = match pattern(&logged.event) {
        Pattern::Create => (rest(), concept(REST, "create", "create"), "C", true),
        Pattern::Update => (rest(), concept(REST, "update", "update"), "U", true),
        Pattern::Decision(permitted) => (
            concept(DCM, "110113", "Security Alert"),
            concept(
                AUTHZ,
                "AuthZ-Consent",
                "Authorization Decision using Roles and Consent",
            ),
            "E",
            permitted,
        ),
    };
    let mut code = code;
    if let Some(coding) = override_code(told) {
        code["coding"]
            .as_array_mut()
            .expect("a concept has codings")
            .push(coding);
    }
    let outcome = match permitted {
        true => json!({ "system": OUTCOME, "code": "0", "display": "Success" }),
        false => json!({ "system": OUTCOME, "code": "8", "display": "Serious failure" }),
    };
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": format!("block-{}-log-{}", logged.block, logged.log_index),
        "category": [category],
        "code": code,
        "action": action,
        "outcome": { "code": outcome, "detail": [{ "text": words(facts, told) }] },
        "agent": agents(facts, told),
        "source": {
            "observer": contract,
            "type": [concept(SOURCE_TYPE, "6", "Security Server")],
        },
        "entity": entities(facts, told),
    });
    match logged.timestamp.and_then(instant) {
        Some(at) => event["recorded"] = at.into(),
        None => {
            event["_recorded"] =
                json!({ "extension": [{ "url": ABSENT, "valueCode": "unknown" }] });
        }
    }
    if let Some(patient) = told.patient {
        event["patient"] = actor(facts, "Patient", patient);
    }
    if let Some(purposes) = purposes(told) {
        event["authorization"] = purposes;
    }
    event
}

/// The beginning or the end of an emergency, as DICOM calls it.
fn override_code(told: &Told<'_>) -> Option<Value> {
    let (code, display) = match told.logged.event {
        Event::EmergencyOpened { .. } => ("110127", "Emergency Override Started"),
        Event::UserRemoved { .. } if told.emergency => ("110138", "Emergency Override Stopped"),
        _ => return None,
    };
    Some(json!({ "system": DCM, "code": code, "display": display }))
}

/// The purposes of use: the request's, and that the glass was broken.
fn purposes(told: &Told<'_>) -> Option<Value> {
    let asked = told
        .purpose
        .map(|purpose| purpose_concept(&purpose.to_string()));
    let broken = told
        .emergency
        .then(|| concept(ACT_REASON, "BTG", "break the glass"));
    let purposes: Vec<_> = asked.into_iter().chain(broken).collect();
    (!purposes.is_empty()).then(|| purposes.into())
}

fn rest() -> Value {
    concept(AUDIT_TYPE, "rest", "Restful Operation")
}

pub(super) fn purpose_concept(code: &str) -> Value {
    json!({ "coding": [{ "system": ACT_REASON, "code": code }] })
}

/// The contract, which decides and records.
fn contract(facts: &Facts<'_>) -> Value {
    let mut reference = by_identifier("Device", account(facts, facts.contract));
    reference["display"] = "the contract Pcac".into();
    reference
}

fn agents(facts: &Facts<'_>, told: &Told<'_>) -> Value {
    let network = format!("urn:eip155:{}", facts.chain_id);
    let application = unknown("the application; the chain does not record it");
    if let Pattern::Decision(_) = pattern(&told.logged.event) {
        let mut user = json!({
            "type": concept(PARTICIPATION, "IRCP", "information recipient"),
            "who": match told.requestor {
                Some(requestor) => actor(facts, "Practitioner", requestor),
                None => unknown("the requestor; another log of the transaction names it"),
            },
            "requestor": true,
        });
        if let Some(purposes) = purposes(told) {
            user["authorization"] = purposes;
        }
        return json!([
            {
                "type": concept(DCM, "110150", "Application"),
                "who": application,
                "requestor": false,
                "networkUri": network,
            },
            user,
            {
                "type": concept(ROLE_CLASS, "PROV", "healthcare provider"),
                "who": unknown("the organization; the chain knows addresses only"),
                "requestor": false,
            },
            {
                "type": concept(SECURITY_ROLE, "authserver", "authorization server"),
                "who": contract(facts),
                "requestor": false,
            },
        ]);
    }
    let (kind, author) = match &told.logged.event {
        Event::RequestedForApproval { requestor, .. } => ("Practitioner", Some(*requestor)),
        Event::ConsortiumTransferred { from, .. } => ("Organization", Some(*from)),
        Event::RadiologistAccredited { .. } => ("Organization", None),
        _ => ("Patient", told.patient),
    };
    json!([
        {
            "type": concept(DCM, "110153", "Source Role ID"),
            "who": application,
            "requestor": false,
            "networkUri": network,
        },
        {
            "type": concept(DCM, "110152", "Destination Role ID"),
            "who": contract(facts),
            "requestor": false,
            "networkUri": network,
        },
        {
            "type": concept(PARTICIPATION, "AUT", "Author"),
            "who": match author {
                Some(author) => actor(facts, kind, author),
                None => unknown("the consortium of that time"),
            },
            "requestor": true,
        },
    ])
}

fn entities(facts: &Facts<'_>, told: &Told<'_>) -> Value {
    let mut entities = Vec::new();
    if let Some(patient) = told.patient {
        entities.push(json!({
            "what": actor(facts, "Patient", patient),
            "role": concept(OBJECT_ROLE, "1", "Patient"),
        }));
    }
    if let Pattern::Decision(_) = pattern(&told.logged.event) {
        // The pattern has no place for more than the patient and the consent.
        let what = match told.image.zip(told.requestor) {
            Some((image, requestor)) => {
                by_identifier("Consent", consent_urn(facts, image, requestor))
            }
            None => {
                let mut what = unknown("the consent; another log of the transaction names it");
                what["type"] = "Consent".into();
                what
            }
        };
        entities.push(json!({
            "what": what,
            "role": concept(OBJECT_ROLE, "13", "Security Resource"),
            "detail": details(told),
        }));
        return entities.into();
    }
    let what = match (&told.logged.event, told.image) {
        (_, Some(image)) => image_reference(image),
        (Event::RadiologistAccredited { radiologist, .. }, _) => {
            actor(facts, "Practitioner", *radiologist)
        }
        (Event::ConsortiumTransferred { to, .. }, _) => actor(facts, "Organization", *to),
        _ => contract(facts),
    };
    entities.push(json!({
        "what": what,
        "role": concept(OBJECT_ROLE, "4", "Domain Resource"),
        "detail": details(told),
    }));
    entities.into()
}

/// Where the log stands, and its text.
fn details(told: &Told<'_>) -> Value {
    let logged = told.logged;
    let detail =
        |what: &str, text: String| json!({ "type": { "text": what }, "valueString": text });
    let mut details = vec![
        detail("event", EventKind::of(&logged.event).name().to_owned()),
        detail("transaction", logged.tx.to_string()),
        detail("block", logged.block.to_string()),
        detail("log", logged.log_index.to_string()),
    ];
    if let Some(image) = told.image {
        details.push(detail("image", format!("ipfs://{image}")));
    }
    // FHIR has no empty strings.
    let text = visible(logged.event.text().unwrap_or_default());
    if !text.trim().is_empty() {
        details.push(detail("text", text));
    }
    if let Some(about) = told
        .about
        .map(visible)
        .filter(|about| !about.trim().is_empty())
    {
        details.push(detail("description", about));
    }
    details.into()
}
