//! Mail and mailboxes: what is read of a question or an answer is written again alike, letters are opened only as they were sealed; a
//! mailbox answers anything, and gives nothing to one who did not sign; no panic, no hang.
//!
//! `cargo fuzz run mail -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::mail::desk::{MailDesk, MailLimits};
use pcim_client::mail::store::MailStore;
use pcim_client::mail::wire::{MailAnswer, Question};
use pcim_client::papers::card::Card;
use pcim_client::papers::mail::{self, MailKind};
use pcim_fuzz::{account, edited, key};
use pcim_seal::UnlockedKey;

/// Ways to use an input: as a question, as an answer, as edits of a letter.
const WAYS: u8 = 3;

struct Scene {
    key: UnlockedKey,
    card: Card,
    letter: Vec<u8>,
    desk: MailDesk,
    _dir: tempfile::TempDir,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (account, key) = (account(1), key());
    let document = Card::issue(&account, &key, Vec::new()).expect("both keys sign");
    let card = Card::verify(&document).expect("it verifies");
    let own = (document, &key);
    let letter = mail::seal(MailKind::Handover, b"handover", 1, own, &card).expect("it is sealed");
    let dir = tempfile::tempdir().expect("a folder");
    let store = MailStore::open(&dir.path().join("mailbox.sqlite")).expect("a store");
    let desk = MailDesk::new(store, MailLimits::default());
    Scene {
        key,
        card,
        letter,
        desk,
        _dir: dir,
    }
});

fuzz_target!(
    init: {
        let scene = &*SCENE;
        let leave = Question::Leave {
            to: scene.card.address,
            token: [1; 16],
            document: scene.letter.clone(),
        };
        let challenge = Question::Challenge { owner: scene.card.address };
        let state = Question::State { ids: vec![[1; 32]; 2] };
        let listed = MailAnswer::Document(scene.letter.clone());
        pcim_fuzz::write(WAYS, &[
            (0, &leave.to_bytes()),
            (0, &challenge.to_bytes()),
            (0, &state.to_bytes()),
            (1, &listed.to_bytes()),
            (2, &[]),
        ]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let scene = &*SCENE;
        match choice % WAYS {
            0 => {
                if let Some(question) = Question::read(input) {
                    assert_eq!(question.to_bytes(), input);
                }
                let answer = scene.desk.answer_at(1_800_000_000, "node", "peer", input);
                assert!(!matches!(answer, MailAnswer::Document(_) | MailAnswer::Listed(_)));
            }
            1 => {
                if let Some(answer) = MailAnswer::read(input) {
                    assert_eq!(MailAnswer::read(&answer.to_bytes()), Some(answer));
                }
            }
            _ => {
                let letter = edited(&scene.letter, input);
                if let Ok(opened) = mail::open(&letter, &scene.key, scene.card.address) {
                    assert_eq!(opened.document, b"handover");
                }
            }
        }
    }
);
