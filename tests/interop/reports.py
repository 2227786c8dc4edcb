#!/usr/bin/env python3
"""Reads reports with others' software: FHIR with fhir.resources (R5), CSV with Python's reader.

usage: reports.py DIR     DIR as the test audit::report::tests of the client writes it

What BALP 1.1.3 and PCF 1.1.0 (both for R4) require stands in the tables below, at the place where R5 has it.
"""

import csv
import io
import json
import pathlib
import re
import sys

from fhir.resources.bundle import Bundle

DCM = "http://dicom.nema.org/resources/ontology/DCM"
REST = "http://hl7.org/fhir/restful-interaction"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
PART = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
AUTHZ = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType"
AUTHSERVER = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
PROVIDER = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"


def codes(concepts):
    concepts = concepts if isinstance(concepts, list) else [concepts]
    return {(c["system"], c["code"]) for concept in concepts for c in concept.get("coding", [])}


def agents(event, system, code):
    return [a for a in event["agent"] if (system, code) in codes(a["type"])]


def entities(event, code):
    return [e for e in event["entity"] if (ROLE, code) in codes(e["role"])]


def one(things):
    return len(things) == 1


def known(reference):
    """An identifier, or said to be unknown."""
    if reference.get("extension"):
        return reference["extension"] == [{"url": ABSENT, "valueCode": "unknown"}] and reference["display"]
    identifier = reference["identifier"]
    return identifier["system"] == "urn:ietf:rfc:3986" and re.match(r"(did:pkh:eip155:\d+:0x|ipfs://|urn:uuid:)\w", identifier["value"])


EVERY = [
    # element in BALP (R4)          , what has to be so in R5
    ("recorded 1..1", lambda e: "recorded" in e or "_recorded" in e),
    ("outcome 1..1", lambda e: e["outcome"]["code"]["code"] in ("0", "8")),
    ("source.observer 1..1", lambda e: known(e["source"]["observer"])),
    ("agent.who 1..1", lambda e: all(known(a["who"]) for a in e["agent"])),
    ("agent.requestor", lambda e: one([a for a in e["agent"] if a["requestor"]])),
    ("entity.what 1..1", lambda e: all(known(x["what"]) for x in e["entity"])),
    ("modifierExtension 0..0", lambda e: "modifierExtension" not in e),
]
REST_EVERY = [
    ("type = rest", lambda e: ("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest") in codes(e["category"])),
    ("outcome = 0", lambda e: e["outcome"]["code"]["code"] == "0"),
    ("agent 2..", lambda e: len(e["agent"]) >= 2),
    ("agent[client] 1..1", lambda e: one(agents(e, DCM, "110153"))),
    ("agent[client].network 1..1", lambda e: agents(e, DCM, "110153")[0]["networkUri"]),
    ("agent[server] 1..1", lambda e: one(agents(e, DCM, "110152"))),
    ("agent[server].network 1..1", lambda e: agents(e, DCM, "110152")[0]["networkUri"]),
    ("agent[user] 0..1, requestor", lambda e: agents(e, PART, "AUT")[0]["requestor"]),
    ("agent[user].network 0..0", lambda e: "networkUri" not in agents(e, PART, "AUT")[0]),
    ("entity[data] 1..1", lambda e: one(entities(e, "4"))),
]
PATIENT = [
    ("entity 2..", lambda e: len(e["entity"]) >= 2),
    ("entity[patient] 1..1", lambda e: one(entities(e, "1"))),
    ("entity[patient].what only Patient", lambda e: entities(e, "1")[0]["what"]["type"] == "Patient"),
    ("patient (R5)", lambda e: e["patient"] == entities(e, "1")[0]["what"]),
]
CREATE = [("subtype = create", lambda e: codes(e["code"]) == {(REST, "create")}), ("action = C", lambda e: e["action"] == "C")]
UPDATE = [("subtype = update", lambda e: codes(e["code"]) == {(REST, "update")}), ("action = U", lambda e: e["action"] == "U")]
AUTHORIZATION = [
    ("type = DCM#110113", lambda e: (DCM, "110113") in codes(e["category"])),
    ("subtype from AuthZsubType", lambda e: codes(e["code"]) == {(AUTHZ, "AuthZ-Consent")}),
    ("action = E", lambda e: e["action"] == "E"),
    ("outcomeDesc", lambda e: e["outcome"]["detail"][0]["text"]),
    ("agent[client] 1..1", lambda e: one(agents(e, DCM, "110150"))),
    ("agent[client].network 1..1", lambda e: agents(e, DCM, "110150")[0]["networkUri"]),
    ("agent[user] 1..1, requestor", lambda e: one(agents(e, PART, "IRCP")) and agents(e, PART, "IRCP")[0]["requestor"]),
    ("agent[user].network 0..0", lambda e: "networkUri" not in agents(e, PART, "IRCP")[0]),
    ("agent[userorg] 1..1, no requestor", lambda e: one(agents(e, PROVIDER, "PROV")) and not agents(e, PROVIDER, "PROV")[0]["requestor"]),
    ("agent[authorizer] 1..1", lambda e: one(agents(e, AUTHSERVER, "authserver"))),
    ("val-audit-source", lambda e: agents(e, AUTHSERVER, "authserver")[0]["who"] == e["source"]["observer"]),
    ("entity[consent] 1..*, Consent", lambda e: any(x["what"]["type"] == "Consent" for x in entities(e, "13"))),
    ("entity closed: patient, consent", lambda e: len(e["entity"]) == 2),
]
PATTERNS = {
    "ContractCreated": REST_EVERY + CREATE + PATIENT,
    "RequestedForApproval": REST_EVERY + CREATE + PATIENT,
    "ImageResealed": REST_EVERY + UPDATE + PATIENT,
    "ApprovalLimitSet": REST_EVERY + UPDATE + PATIENT,
    "RadiologistAccredited": REST_EVERY + UPDATE,
    "ConsortiumTransferred": REST_EVERY + UPDATE,
    "Requestaccepted": AUTHORIZATION + PATIENT,
    "Approved": AUTHORIZATION + PATIENT,
    "Reshared": AUTHORIZATION + PATIENT,
    "AuthorizationSuccess": AUTHORIZATION + PATIENT,
    "Requestdenied": AUTHORIZATION + PATIENT,
    "Reason": AUTHORIZATION + PATIENT,
    "UserRemoved": AUTHORIZATION + PATIENT,
    "AuthorizationFailed": AUTHORIZATION + PATIENT,
}
REFUSES = {"Requestdenied", "Reason", "UserRemoved", "AuthorizationFailed"}
CONSENT = [
    # element in PCF (R4)            , what has to be so in R5
    ("status 1..1", lambda c: c["status"] in ("draft", "active", "inactive")),
    ("scope = patient-privacy", lambda c: ("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy") in codes(c["category"])),
    ("category 1..", lambda c: ("http://loinc.org", "59284-0") in codes(c["category"])),
    ("patient 1..1", lambda c: known(c["subject"]) and c["subject"]["type"] == "Patient"),
    ("dateTime 1..1", lambda c: re.fullmatch(r"\d{4}-\d\d-\d\d", c["date"])),
    ("performer 1..", lambda c: all(known(x) for x in c["grantor"]) and c["grantor"]),
    ("organization 1..", lambda c: all(known(x) for x in c["controller"]) and c["controller"]),
    ("source[x] 1..1", lambda c: c["sourceAttachment"][0]["title"].startswith("transaction 0x") and "sourceReference" not in c),
    ("policy.uri 1..1", lambda c: c["policyBasis"]["url"].startswith("did:pkh:eip155:")),
    ("policyRule, verification 0..0", lambda c: "policyText" not in c and "verification" not in c),
    ("provision.type 1..1", lambda c: c["decision"] in ("permit", "deny")),
    ("provision.actor.role = IRCP", lambda c: codes(c["provision"][0]["actor"][0]["role"]) == {(PART, "IRCP")}),
    ("provision.data[instance]", lambda c: c["provision"][0]["data"][0]["meaning"] == "instance" and known(c["provision"][0]["data"][0]["reference"])),
    ("provision.purpose", lambda c: all(p["code"] in ("TREAT", "HRESCH", "HPAYMT", "ETREAT") for p in c["provision"][0].get("purpose", []))),
    ("provision.action, class, code 0..0", lambda c: not {"action", "documentType", "code", "securityLabel", "provision"} & set(c["provision"][0])),
]


def check(what, table, resource):
    for element, holds in table:
        try:
            good = holds(resource)
        except (KeyError, IndexError) as error:
            good, element = False, f"{element} ({error!r})"
        assert good, f"{what}: {element}\n{json.dumps(resource, indent=1)}"
    return len(table)


def bundle(path):
    raw = json.loads(path.read_text())
    Bundle.model_validate(raw)
    resources = [entry["resource"] for entry in raw["entry"]]
    urls = [entry["fullUrl"] for entry in raw["entry"]]
    ids = [resource["id"] for resource in resources]
    assert len(set(urls)) == len(set(ids)) == len(raw["entry"]), "names are not unique"
    assert all(re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", it) for it in ids)
    # FHIR's strings have no controls below 32 but tab and line ends, and none is empty.
    def strings(value):
        if isinstance(value, dict):
            assert value, "an empty object"
            for item in value.values():
                yield from strings(item)
        elif isinstance(value, list):
            assert value, "an empty list"
            for item in value:
                yield from strings(item)
        elif isinstance(value, str):
            yield value
    for text in strings(raw):
        assert text.strip() and not any(ord(c) < 32 for c in text), repr(text)
    return resources


def fhir(directory):
    for name in ("fhir.json", "consent.json"):
        issues = json.loads((directory / name).read_text())["issues"]["issue"]
        assert [issue["details"]["text"][:24] for issue in issues] == ["Not complete: 3 logs of "], issues
    events = bundle(directory / "fhir.json")
    assert len(events) == int((directory / "logs").read_text()), "not one for each log"
    checks, names = 0, set()
    for event in events:
        name = [d["valueString"] for e in event["entity"] for d in e.get("detail", []) if d["type"]["text"] == "event"][0]
        names.add(name)
        checks += check(name, EVERY + PATTERNS[name], event)
        assert (event["outcome"]["code"]["code"] == "8") == (name in REFUSES), name
    assert names == set(PATTERNS), set(PATTERNS) - names
    consents = bundle(directory / "consent.json")
    assert len(consents) == int((directory / "rights").read_text())
    undated = 0
    for consent in consents:
        # A chain whose node told no time cannot date it.
        table = [row for row in CONSENT if "date" in consent or row[0] != "dateTime 1..1"]
        undated += "date" not in consent
        checks += check("Consent", table, consent)
    assert undated <= 1
    kinds = {(c["status"], c["decision"]) for c in consents}
    assert kinds == {("draft", "deny"), ("active", "permit"), ("inactive", "permit"), ("active", "deny")}, kinds
    named = [x for c in consents for p in c["provision"] for x in p["actor"] if "display" in x["reference"]]
    assert named, "no name of a contact"
    references = {x["what"]["identifier"]["value"] for e in events for x in e["entity"] if x["what"]["type"] == "Consent"}
    decided = {c["identifier"][0]["value"] for c in consents if c["status"] != "draft"}
    assert decided <= references, decided - references
    print(f"{len(events)} AuditEvents, {len(consents)} Consents: {checks} required elements")


def tables(directory):
    fields = 0
    for name in ("timeline", "rights", "disclosures", "ehds", "raw"):
        table = json.loads((directory / f"{name}.json").read_text())
        data = (directory / f"{name}.csv").read_bytes().decode()
        header, *rows = csv.reader(io.StringIO(data, newline=""), strict=True)
        assert header == table["columns"]
        assert len(rows) == len(table["rows"])
        for found, wanted in zip(rows, table["rows"], strict=True):
            for field, text in zip(found, wanted, strict=True):
                fields += 1
                assert field == text or field == "'" + text, (field, text)
                assert not field.lstrip().startswith(("=", "+", "-", "@")), field
    print(f"{fields} fields of CSV")


if __name__ == "__main__":
    fhir(pathlib.Path(sys.argv[1]))
    tables(pathlib.Path(sys.argv[1]))
