//! Papers of a recovery: what is read is the same when it is written and read again, and an agreement is its guardian's.
//!
//! `cargo fuzz run recovery -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::recovery::{Agreement, RecoveryRequest};
use pcim_core::{Address, B256};
use pcim_fuzz::{account, edited, write};
use pcim_ledger::{GuardianSet, RecoveryTerms};
use serde_json::Value;

/// Ways to change a paper, see below.
const WAYS: u8 = 5;

static TERMS: LazyLock<RecoveryTerms> = LazyLock::new(|| RecoveryTerms {
    chain_id: 412_346,
    contract: Address::repeat_byte(0xc0),
    patient: Address::repeat_byte(0xaa),
    successor: Address::repeat_byte(0xbb),
    lock: true,
    recovery: 3,
    deadline: 1_790_000_000,
});

static REQUEST: LazyLock<Vec<u8>> =
    LazyLock::new(|| serde_json::to_vec(&RecoveryRequest::new(TERMS.clone())).expect("it is JSON"));

static AGREEMENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let agreement = Agreement::sign(TERMS.clone(), &account(1)).expect("a key signs");
    serde_json::to_vec(&agreement).expect("it is JSON")
});

static SET: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let guardians = [account(1).address(), Address::repeat_byte(0xff)];
    let set = GuardianSet {
        guardians: guardians.to_vec(),
        threshold: 1,
        salt: B256::repeat_byte(7),
    };
    serde_json::to_vec(&set).expect("it is JSON")
});

/// Changes the signature itself: in its hex most changes would end.
fn signed_otherwise(input: &[u8]) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&AGREEMENT).expect("it is JSON");
    let signature = json["signature"]
        .as_str()
        .and_then(|text| hex::decode(text.trim_start_matches("0x")).ok());
    let changed = edited(&signature.expect("it is hex"), input);
    json["signature"] = format!("0x{}", hex::encode(changed)).into();
    json.to_string().into_bytes()
}

fuzz_target!(
    init: write(WAYS, &[(0, &REQUEST[..]), (1, &AGREEMENT[..])]),
    |input: &[u8]| {
        let Some((way, input)) = input.split_first() else {
            return;
        };
        let json = match way % WAYS {
            0 => edited(&REQUEST, input),
            1 => edited(&AGREEMENT, input),
            2 => signed_otherwise(input),
            3 => edited(&SET, input),
            _ => input.to_vec(),
        };
        if let Ok(request) = RecoveryRequest::parse(&json) {
            let again = serde_json::to_vec(&request).expect("it is JSON");
            assert_eq!(RecoveryRequest::parse(&again).expect("what was read is written"), request);
        }
        if let Ok(agreement) = Agreement::parse(&json) {
            if let Ok(signer) = agreement.terms.signer(&agreement.signature) {
                assert_eq!(signer, agreement.guardian);
            }
            let again = serde_json::to_vec(&agreement).expect("it is JSON");
            assert_eq!(Agreement::parse(&again).expect("what was read is written"), agreement);
        }
        // A set that is taken is one that the contract can match.
        if let Ok(set) = serde_json::from_slice::<GuardianSet>(&json)
            && set.check().is_ok()
        {
            assert!(set.guardians.is_sorted() && set.guardians.len() <= 15);
            assert!((1..=set.guardians.len()).contains(&usize::from(set.threshold)));
        }
    }
);
