//! Backups: one that is read was signed by its card, one that opens holds what its author sealed; no panic, no hang.
//!
//! `cargo fuzz run backup -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::backup::{Backup, BackupDocument, BackupFacts, HomeContents};
use pcim_client::papers::card::{Card, CardDocument};
use pcim_core::{Hex, Secret};
use pcim_fuzz::{account, edited, key};
use pcim_seal::UnlockedKey;
use serde_json::json;

/// Ways to change a backup, see below.
const WAYS: u8 = 3;

struct Scene {
    key: UnlockedKey,
    card: CardDocument,
    contents: Vec<u8>,
    json: Vec<u8>,
}

fn keys() -> (Secret, Secret) {
    (Secret::new([1; 32]), Secret::new([2; 32]))
}

fn sealed(key: &UnlockedKey, card: &CardDocument, contents: &HomeContents) -> Vec<u8> {
    let facts = BackupFacts {
        card,
        number: 3,
        at: 1_790_000_000,
        set: Hex([9; 16]),
        threshold: Some(2),
        commitments: &[Hex([1; 32]), Hex([2; 32])],
        keys: &[b"a letter".to_vec()],
    };
    let (secret, other) = keys();
    let sealed = BackupDocument::seal(facts, contents, (&secret, &other), key);
    serde_json::to_vec(&sealed.expect("it is sealed")).expect("it is JSON")
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (account, key) = (account(1), key());
    let card = Card::issue(&account, &key, Vec::new()).expect("both keys sign");
    let contents = json!({
        "pcim-contents": 1,
        "openpgp": "0303",
        "deid": "04".repeat(32),
        "config": "name = \"Ada\"\n",
        "files": [{ "name": "contacts/doctor.card", "bytes": "7b7d" }],
    });
    let contents = serde_json::to_vec(&contents).expect("it is JSON");
    let read = serde_json::from_slice(&contents).expect("they are contents");
    Scene {
        json: sealed(&key, &card, &read),
        key,
        card,
        contents,
    }
});

fuzz_target!(
    init: {
        pcim_fuzz::write(WAYS, &[(0, &SCENE.json), (2, &SCENE.contents)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let scene = &*SCENE;
        let (secret, other) = keys();
        let json = match choice % WAYS {
            0 => input.to_vec(),
            1 => edited(&scene.json, input),
            // Other contents, sealed by the author.
            _ => {
                let Ok(contents) = serde_json::from_slice(&edited(&scene.contents, input)) else {
                    return;
                };
                let json = sealed(&scene.key, &scene.card, &contents);
                let backup = Backup::read(&json).expect("what is sealed is read");
                let _ = backup.open(&secret, &other);
                assert!(backup.open(&other, &secret).is_err());
                return;
            }
        };
        let Ok(backup) = Backup::read(&json) else {
            return;
        };
        assert_eq!((backup.number, backup.set), (3, Hex([9; 16])));
        backup.open(&secret, &other).expect("it opens as it was sealed");
    }
);
