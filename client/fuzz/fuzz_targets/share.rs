//! Shares: what their author changed gives the secret or is refused; letters of strangers do not open; no panic, no hang.
//!
//! `cargo fuzz run share -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::card::Card;
use pcim_client::papers::letter;
use pcim_client::papers::share::{Share, ShareDocument, ShareSet, combine, split};
use pcim_core::{Hex, Secret};
use pcim_fuzz::{account, edited, key};
use pcim_seal::UnlockedKey;

/// Ways to change a share, see below.
const WAYS: u8 = 3;

struct Scene {
    key: UnlockedKey,
    set: ShareSet,
    commitments: Vec<Hex<32>>,
    documents: Vec<ShareDocument>,
    json: Vec<u8>,
    letter: Vec<u8>,
}

const SECRET: [u8; 32] = [0x5a; 32];

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (account, key) = (account(1), key());
    let card = Card::issue(&account, &key, Vec::new()).expect("both keys sign");
    let set = ShareSet {
        name: Hex([9; 16]),
        threshold: 2,
        shares: 3,
    };
    let cut = split(&Secret::new(SECRET), 2, 3).expect("it is cut");
    let commitments = cut.iter().map(Share::commitment).collect();
    let documents: Vec<_> = cut
        .into_iter()
        .map(|share| ShareDocument::new(account.address(), set, share, card.clone()))
        .collect();
    let letter = letter::seal(&documents[0], &key, &key.certificate()).expect("it is sealed");
    Scene {
        json: serde_json::to_vec(&documents[0]).expect("it is JSON"),
        key,
        set,
        commitments,
        documents,
        letter,
    }
});

fuzz_target!(
    init: {
        pcim_fuzz::write(WAYS, &[(0, &SCENE.letter), (1, &SCENE.json)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let scene = &*SCENE;
        let document = match choice % WAYS {
            // A letter as it is.
            0 => letter::open::<ShareDocument>(input, &scene.key).ok().map(|(it, _)| it),
            // Its text, sealed again by its author.
            1 => {
                let text = edited(&scene.json, input);
                let sealed = pcim_seal::encrypt_document(&text, &scene.key, &[&scene.key.certificate()]);
                let sealed = sealed.expect("it is sealed");
                letter::open::<ShareDocument>(&sealed, &scene.key).ok().map(|(it, _)| it)
            }
            _ => serde_json::from_slice(&edited(&scene.json, input)).ok(),
        };
        let Some(document) = document else {
            return;
        };
        let given = [document, scene.documents[2].clone()];
        if let Ok(secret) = combine(&scene.set, &scene.commitments, &given) {
            assert_eq!(secret.expose(), &SECRET);
        }
    }
);
