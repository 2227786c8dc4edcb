//! Contact cards: whatever is read was signed by both keys; no panic, no hang.
//!
//! `cargo fuzz run card -s none --fuzz-dir client/fuzz`

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
#[allow(dead_code)]
#[path = "common/ledger.rs"]
mod ledger;
#[allow(dead_code, missing_docs)]
#[path = "../../src/seal/mod.rs"]
mod seal;

use card::{Card, CardDocument};

const PEER: &str = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest";

static DOCUMENT: LazyLock<CardDocument> = LazyLock::new(|| {
    let (account, key) = (ledger::Account::of(1), actor::key());
    Card::issue(&account, &key, vec![PEER.to_owned()]).expect("both keys sign")
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else {
        return;
    };
    let good = serde_json::to_vec(&*DOCUMENT).expect("a card is JSON");
    let json = match choice % 4 {
        0 => input.to_vec(),
        1 => edits::edited(&good, input),
        // What stands in hex, changed below the hex.
        field => {
            let field = ["certificate", "openpgp_signature"][usize::from(field - 2)];
            let mut json: serde_json::Value = serde_json::from_slice(&good).expect("it is JSON");
            let bytes = json[field].as_str().and_then(|text| hex::decode(text).ok());
            let bytes = edits::edited(&bytes.expect("it is hex"), input);
            json[field] = hex::encode(bytes).into();
            serde_json::to_vec(&json).expect("it is JSON")
        }
    };
    if let Ok(card) = Card::read(&json) {
        assert_eq!(card.address, ledger::Account::of(1).address());
        assert_eq!(card.peers, [PEER]);
    }
});
