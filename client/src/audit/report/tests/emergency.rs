//! An access that was opened in an emergency, in FHIR.

use super::*;

#[test]
fn an_emergency_is_an_override_that_starts_and_stops() {
    let mut story = Story {
        events: Vec::new(),
        at: NOW - 30 * DAY,
    };
    story.registered(ADA, SCAN, "CT CHEST");
    story.requested(CLINIC, SCAN, "ETREAT");
    let opened = Event::EmergencyOpened {
        requestor: CLINIC,
        patient: ADA,
        image: SCAN,
        public_key: BlockDigest([8; 32]),
        until: NOW,
        reason_code: B256::ZERO,
    };
    story.tell(DAY, [opened]);
    story.traced(CLINIC, SCAN, true);
    story.removed(CLINIC, SCAN);
    story.requested(CLINIC, SCAN, "TREAT");
    story.approved(CLINIC, SCAN, 0, "");
    story.removed(CLINIC, SCAN);
    let contacts = contacts();
    let bundle = audit_events(&facts(&story.events, &contacts), |_| true);
    let codes = |of: &serde_json::Value| -> Vec<String> {
        let codings = of.as_array().into_iter().flatten();
        let codings = codings.flat_map(|it| it["coding"].as_array().cloned().unwrap_or_default());
        codings
            .map(|it| it["code"].as_str().unwrap().to_owned())
            .collect()
    };
    let told: Vec<_> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let resource = &entry["resource"];
            let code = codes(&serde_json::json!([resource["code"]]));
            (code.join(" "), codes(&resource["authorization"]).join(" "))
        })
        .collect();
    let decision = |code: &str| format!("AuthZ-Consent{code}");
    let (permit, emergency) = (decision(""), "ETREAT BTG".to_owned());
    assert_eq!(told[2], (decision(" 110127"), emergency.clone()));
    assert_eq!(told[3], (permit.clone(), emergency.clone()));
    assert_eq!(told[4], (decision(" 110138"), emergency));
    // Its end is the end: what was asked for again and approved is none.
    for (code, purposes) in &told[5..] {
        assert!(
            !code.contains("1101") && !purposes.contains("BTG"),
            "{code} {purposes}"
        );
    }
    assert_eq!(told.len(), 11);
}
