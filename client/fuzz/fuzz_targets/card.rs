//! Contact cards: a card that is read was signed by both keys; no panic, no hang.
//!
//! `cargo fuzz run card -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::card::Card;
use pcim_fuzz::{account, edited, key};
use pcim_ledger::Account;
use pcim_seal::{Certificate, UnlockedKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

const PEER: &str = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest";
/// Fields in hex, which are changed below the hex.
const HEX: [&str; 3] = ["certificate", "openpgp_signature", "ethereum_signature"];
/// Ways to change a card, see [`made`].
const WAYS: u8 = 7;

struct Scene {
    account: Account,
    key: UnlockedKey,
    json: Vec<u8>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (account, key) = (account(1), key());
    let card = Card::issue(&account, &key, vec![PEER.to_owned()]).expect("both keys sign");
    let json = serde_json::to_vec(&card).expect("a card is JSON");
    Scene { account, key, json }
});

fn made(scene: &Scene, way: u8, input: &[u8]) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&scene.json).expect("it is JSON");
    let changed = |value: &Value| {
        let bytes = value.as_str().and_then(|text| hex::decode(text).ok());
        edited(&bytes.expect("it is hex"), input)
    };
    match way {
        0 => return input.to_vec(),
        1 => return edited(&scene.json, input),
        2..5 => {
            let field = HEX[usize::from(way) - 2];
            json[field] = hex::encode(changed(&json[field])).into();
        }
        // Both keys sign what their owner likes: another certificate of the same key, or other addresses.
        _ => {
            let text = String::from_utf8_lossy(input);
            let (certificate, peers) = match way {
                5 => (changed(&json[HEX[0]]), vec![PEER]),
                _ => {
                    let kept = scene.key.certificate().to_published_bytes();
                    (kept, text.split('\n').take(40).collect())
                }
            };
            let dates = [&json["issued_at"], &json["expires_at"]];
            let statement = statement(scene, &certificate, dates, &peers);
            let openpgp = pcim_seal::sign_detached(&statement, &scene.key).expect("it is signed");
            let ethereum = scene
                .account
                .sign_message(&statement)
                .expect("it is signed");
            json["peers"] = peers.into();
            for (field, bytes) in HEX.iter().zip([&certificate, &openpgp, &ethereum.to_vec()]) {
                json[field] = hex::encode(bytes).into();
            }
        }
    }
    serde_json::to_vec(&json).expect("it is JSON")
}

/// The statement that both keys sign.
fn statement(scene: &Scene, certificate: &[u8], dates: [&Value; 2], peers: &[&str]) -> Vec<u8> {
    let mut text = format!(
        "pcim contact card 2\naddress {:#x}\ncertificate {} sha256 {}\nissued {}\nexpires {}\n",
        scene.account.address(),
        scene.key.certificate().fingerprint(),
        hex::encode(Sha256::digest(certificate)),
        dates[0],
        dates[1],
    );
    for peer in peers {
        text += &format!("peer {peer}\n");
    }
    text.into_bytes()
}

fuzz_target!(
    init: {
        let peers = format!("{PEER}\n{PEER}");
        pcim_fuzz::write(WAYS, &[(0, &SCENE.json), (6, PEER.as_bytes()), (6, peers.as_bytes())]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let (scene, way) = (&*SCENE, choice % WAYS);
        let Ok(card) = Card::read(&made(scene, way, input)) else {
            return;
        };
        assert_eq!(card.address, scene.account.address());
        if way == 6 {
            assert!(card.peers.iter().all(|peer| peer.starts_with('/') && !peer.contains('\n')));
        } else {
            assert_eq!(card.peers, [PEER]);
        }
        let _ = card.certificate.check_reader();
        let published = Certificate::from_bytes(&card.certificate.to_published_bytes());
        assert!(published.expect("what is published reads") == card.certificate);
    }
);
