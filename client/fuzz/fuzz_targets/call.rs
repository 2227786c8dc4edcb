//! Signed calls: a document that is read is the same when it is written and read again, and names the function it calls. Answers
//! of a relay are read, too.
//!
//! `cargo fuzz run call -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_core::{Address, ImageDigest, U256};
use pcim_fuzz::{account, edited, write};
use pcim_ledger::{Call, Deployment, Nonce, RelayAnswer, RelayCall, RelayTerms};
use serde_json::Value;

/// Fields in hex, which are changed below the hex.
const HEX: [&str; 2] = ["call", "signature"];

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let here = Deployment {
        rpc_url: String::new(),
        chain_id: 412_346,
        contract: Address::repeat_byte(0xc0),
    };
    let call = Call::RemoveIrs {
        requestor: Address::repeat_byte(0xaa),
        image: ImageDigest([1; 32]),
    };
    let signed = account(1).sign_call(&here, &call, Nonce::Free(U256::from(5)), 1_790_000_000);
    signed
        .and_then(|signed| signed.to_json())
        .expect("a key signs")
});

/// Changes the call or the signature itself: in their hex most changes would end.
fn below_hex(field: &str, input: &[u8]) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&GOOD).expect("it is JSON");
    let bytes = json[field]
        .as_str()
        .and_then(|text| hex::decode(&text[2..]).ok());
    let changed = edited(&bytes.expect("it is hex"), input);
    json[field] = format!("0x{}", hex::encode(changed)).into();
    json.to_string().into_bytes()
}

fuzz_target!(
    init: write(8, &[(0, &GOOD[..])]),
    |input: &[u8]| {
        let Some((way, input)) = input.split_first() else {
            return;
        };
        if let Some(answer) = RelayAnswer::read(input) {
            let json = serde_json::to_vec(&answer).expect("it is JSON");
            assert_eq!(RelayAnswer::read(&json), Some(answer));
        }
        let _ = RelayTerms::read(input);
        let json = match way % 4 {
            0 => input.to_vec(),
            1 => edited(&GOOD, input),
            way => below_hex(HEX[usize::from(way) - 2], input),
        };
        if let Ok(call) = RelayCall::parse(&json) {
            let again = call.to_json().and_then(|json| RelayCall::parse(&json));
            assert_eq!(again.expect("what was read is written"), call);
        }
    }
);
