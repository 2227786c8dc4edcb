//! Emergency objects and guardians' papers: what is read gives the key or is refused, and an acceptance is its guardian's; no panic.
//!
//! `cargo fuzz run emergency -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::card::Card;
use pcim_client::papers::emergency::drill::EmergencyDrill;
use pcim_client::papers::emergency::{Custodians, EmergencyFacts, EmergencyObject};
use pcim_client::papers::guardian::{Acceptance, Drill, DrillAnswer};
use pcim_core::{Address, BodyRef, ImageDigest, Secret};
use pcim_fuzz::{account, edited, key, write};
use pcim_ledger::RecoveryTerms;
use pcim_seal::{BodyVersion, SessionKey, UnlockedKey};

/// Ways to change a paper, see below.
const WAYS: u8 = 6;

const KEY: [u8; 32] = [0x5a; 32];
const PATIENT: Address = Address::repeat_byte(0xaa);

struct Scene {
    custodians: [UnlockedKey; 2],
    object: Vec<u8>,
    acceptance: Vec<u8>,
    drill: Drill,
    drill_json: Vec<u8>,
    answer: Vec<u8>,
    emergency_drill: Vec<u8>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (patient, custodians) = (key(), [key(), key()]);
    let card = |number, key: &UnlockedKey| {
        Card::issue(&account(number), key, Vec::new()).expect("both keys sign")
    };
    let cards = vec![card(2, &custodians[0]), card(3, &custodians[1])];
    let facts = EmergencyFacts {
        chain_id: 412_346,
        contract: Address::repeat_byte(0xc0),
        patient: PATIENT,
        image: ImageDigest([7; 32]),
        body: BodyRef {
            cid: "bafkreibody".to_owned(),
            file_size: 5,
            dag_size: 6,
        },
    };
    let session = SessionKey::from_secret(&Secret::new(KEY), BodyVersion::V2);
    let named = Custodians::new(2, cards.clone());
    let object = EmergencyObject::make(&facts, &session, &named, &patient, &card(1, &patient));
    let accepted = Acceptance::sign(PATIENT, &account(9), &custodians[0], cards[0].clone());
    let drill = Drill::new(RecoveryTerms {
        chain_id: 412_346,
        contract: Address::repeat_byte(0xc0),
        patient: PATIENT,
        successor: PATIENT,
        lock: false,
        recovery: 3,
        deadline: 1_790_000_000,
    });
    let answer = DrillAnswer::new(&drill, &account(9), None).expect("a key signs");
    let place = (412_346, Address::repeat_byte(0xc0));
    let images = vec![ImageDigest([7; 32])];
    let emergency = EmergencyDrill::new(place, PATIENT, images, cards[1].clone());
    Scene {
        custodians,
        object: object.expect("it is made"),
        acceptance: serde_json::to_vec(&accepted.expect("both keys sign")).expect("it is JSON"),
        drill_json: serde_json::to_vec(&drill).expect("it is JSON"),
        answer: serde_json::to_vec(&answer).expect("it is JSON"),
        drill,
        emergency_drill: serde_json::to_vec(&emergency).expect("it is JSON"),
    }
});

fuzz_target!(
    init: {
        let scene = &*SCENE;
        let whole = [(0, &scene.object[..]), (1, &scene.acceptance), (2, &scene.drill_json), (3, &scene.answer), (4, &scene.emergency_drill)];
        write(WAYS, &whole);
    },
    |input: &[u8]| {
        let Some((way, input)) = input.split_first() else {
            return;
        };
        let scene = &*SCENE;
        let json = match way % WAYS {
            0 => edited(&scene.object, input),
            1 => edited(&scene.acceptance, input),
            2 => edited(&scene.drill_json, input),
            3 => edited(&scene.answer, input),
            4 => edited(&scene.emergency_drill, input),
            _ => input.to_vec(),
        };
        if let Ok(object) = EmergencyObject::read(&json) {
            let shares: Result<Vec<_>, _> =
                scene.custodians.iter().map(|key| object.own_share(key)).collect();
            if let Ok(shares) = shares
                && let Ok(joined) = object.join(&shares)
            {
                assert_eq!(joined.to_secret().expose(), &KEY);
            }
        }
        if let Ok((acceptance, _)) = Acceptance::parse(&json) {
            assert_eq!(acceptance.guardian, account(9).address());
        }
        if let Ok(drill) = Drill::parse(&json) {
            let again = serde_json::to_vec(&drill).expect("it is JSON");
            assert_eq!(Drill::parse(&again).expect("what was read is written"), drill);
        }
        if let Ok((drill, _)) = EmergencyDrill::parse(&json) {
            let again = serde_json::to_vec(&drill).expect("it is JSON");
            assert_eq!(EmergencyDrill::parse(&again).expect("what was read is written").0, drill);
        }
        if let Ok(answer) = DrillAnswer::parse(&json, &scene.drill) {
            assert_eq!(answer.agreement.terms, scene.drill.terms);
        }
    }
);
