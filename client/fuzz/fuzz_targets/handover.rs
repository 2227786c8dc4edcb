//! Handovers: whatever is read was attested for this patient; no panic, no hang.
//!
//! `cargo fuzz run handover -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "common/actor.rs"]
mod actor;
#[allow(dead_code, missing_docs)]
#[path = "../../src/card.rs"]
mod card;
#[allow(dead_code, missing_docs)]
#[path = "../../src/domain/mod.rs"]
mod domain;
#[path = "common/edits.rs"]
mod edits;
#[allow(dead_code, missing_docs)]
#[path = "../../src/handover.rs"]
mod handover;
#[allow(dead_code)]
#[path = "common/ledger.rs"]
mod ledger;
#[allow(dead_code, missing_docs)]
#[path = "../../src/seal/mod.rs"]
mod seal;

use domain::{Address, ImageDigest, Seal};
use handover::{Addressee, Facts, Handover};
use seal::UnlockedKey;

struct Scene {
    radiologist: UnlockedKey,
    patient: UnlockedKey,
    to: Addressee,
    /// The file, and the JSON in it.
    sealed: Vec<u8>,
    json: Vec<u8>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (account, radiologist, patient) = (ledger::Account::of(1), actor::key(), actor::key());
    let to = Addressee {
        patient: Address::repeat_byte(4),
        chain_id: 412_346,
        contract: Address::repeat_byte(5),
    };
    let card = card::Card::issue(&account, &radiologist, Vec::new()).expect("both keys sign");
    let facts = Facts {
        to,
        reader: &patient.certificate(),
        account: None,
        image: ImageDigest([1; 32]),
        seal: Seal([2; 32]),
        description: "CT CHEST",
        predecessor: Some(ImageDigest([3; 32])),
        identity: None,
    };
    let sealed = Handover::issue(facts, card, &account, &radiologist).expect("it is issued");
    let opened = seal::open_document(&sealed, &patient).expect("it is the patient's");
    let json = opened.peek().to_vec();
    Scene {
        radiologist,
        patient,
        to,
        sealed,
        json,
    }
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else {
        return;
    };
    let scene = &*SCENE;
    let patient = &scene.patient;
    // A radiologist may write what he likes into a handover that is well sealed.
    let seal = |json: &[u8]| {
        let readers = [&patient.certificate()];
        seal::encrypt_document(json, &scene.radiologist, &readers).expect("it is encrypted")
    };
    let bytes = match choice % 4 {
        0 => input.to_vec(),
        1 => edits::edited(&scene.sealed, input),
        2 => seal(input),
        _ => seal(&edits::edited(&scene.json, input)),
    };
    if let Ok(handover) = Handover::open(&bytes, patient, scene.to) {
        let same = (handover.image, handover.seal, handover.patient);
        let attested = same == (ImageDigest([1; 32]), Seal([2; 32]), scene.to.patient);
        assert!(attested || !handover.proven);
    }
});
