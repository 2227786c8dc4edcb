//! Handovers: one that is read was attested for this patient, or is to be asked of a contract account; no panic, no hang.
//!
//! `cargo fuzz run handover -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::card::Card;
use pcim_client::papers::handover::{Addressee, Handover, HandoverFacts};
use pcim_core::{Address, ImageDigest, Seal};
use pcim_fuzz::{account, edited, key};
use pcim_ledger::Version;
use pcim_seal::UnlockedKey;
use serde_json::Value;

const IMAGE: ImageDigest = ImageDigest([1; 32]);
const SEAL: Seal = Seal([2; 32]);
/// Ways to change a handover, see [`made`].
const WAYS: u8 = 6;

struct Scene {
    radiologist: UnlockedKey,
    patient: UnlockedKey,
    to: Addressee,
    /// The file, and the JSON in it.
    sealed: Vec<u8>,
    json: Vec<u8>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (account, radiologist, patient) = (account(1), key(), key());
    let to = Addressee {
        patient: Address::repeat_byte(4),
        chain_id: 412_346,
        contract: Address::repeat_byte(5),
    };
    let card = Card::issue(&account, &radiologist, Vec::new()).expect("both keys sign");
    let facts = HandoverFacts {
        version: Version::V2,
        replaces: 0,
        to,
        reader: &patient.certificate(),
        account: None,
        image: IMAGE,
        seal: SEAL,
        description: "CT CHEST",
        predecessor: Some(ImageDigest([3; 32])),
        identity: None,
    };
    let sealed = Handover::issue(facts, card, &account, &radiologist).expect("it is issued");
    let opened = pcim_seal::open_document(&sealed, &patient).expect("it is the patient's");
    let json = opened.peek().to_vec();
    Scene {
        radiologist,
        patient,
        to,
        sealed,
        json,
    }
});

/// A radiologist may write what he likes into a handover that is well sealed.
fn made(scene: &Scene, way: u8, input: &[u8]) -> Vec<u8> {
    let seal = |json: &[u8]| {
        let readers = [&scene.patient.certificate()];
        pcim_seal::encrypt_document(json, &scene.radiologist, &readers).expect("it is encrypted")
    };
    let mut json: Value = serde_json::from_slice(&scene.json).expect("it is JSON");
    match way {
        0 => input.to_vec(),
        1 => edited(&scene.sealed, input),
        2 => seal(input),
        3 => seal(&edited(&scene.json, input)),
        // Some fields, written again.
        4 => {
            if let Ok(Value::Object(fields)) = serde_json::from_slice(input) {
                json.as_object_mut()
                    .expect("it is an object")
                    .extend(fields);
            }
            seal(&serde_json::to_vec(&json).expect("it is JSON"))
        }
        // The attestation, changed below its hex; or another one's, of a contract account.
        _ => {
            let bytes = json["attestation"]
                .as_str()
                .and_then(|text| hex::decode(text).ok());
            let bytes = edited(&bytes.expect("it is hex"), input);
            json["attestation"] = hex::encode(&bytes).into();
            if bytes.len() % 2 == 0 {
                json["account"] = serde_json::json!(Address::repeat_byte(7));
            }
            seal(&serde_json::to_vec(&json).expect("it is JSON"))
        }
    }
}

fuzz_target!(
    init: {
        let scene = &*SCENE;
        let named = br#"{"account":"0x0707070707070707070707070707070707070707","description":"","identity":null}"#;
        pcim_fuzz::write(WAYS, &[(0, &scene.sealed), (2, &scene.json), (4, named)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let scene = &*SCENE;
        let bytes = made(scene, choice % WAYS, input);
        if let Ok(handover) = Handover::open(&bytes, &scene.patient, scene.to) {
            let attested = (handover.image, handover.seal) == (IMAGE, SEAL);
            assert!(attested || !handover.proven);
            assert!(handover.proven || handover.attester != handover.radiologist.address);
            let to = (handover.patient, handover.chain_id, handover.contract);
            assert!(to == (scene.to.patient, scene.to.chain_id, scene.to.contract));
        }
    }
);
