//! The mailbox of a node: whom it gives documents to, its limits, and that nothing is lost when it is killed.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use sha2::{Digest, Sha256};

use super::desk::{MailDesk, MailLimits};
use super::store::MailStore;
use super::wire::{MailAnswer, MailId, MailState, Question, Refusal, statement};
use super::{KEPT_SECONDS, MAX_SEALED};
use crate::papers::card::{Card, CardDocument, PushToken};
use crate::papers::mail::{self, MailKind};
use pcim_core::Address;
use pcim_ledger::Account;
use pcim_seal::{KeyKind, UnlockedKey};

const ME: &str = "12D3KooWfollower";
const NOW: u64 = 1_800_000_000;
const TOKEN: PushToken = PushToken([7; 16]);

struct Owner {
    account: Account,
    key: UnlockedKey,
    card: Card,
    document: CardDocument,
}

fn owner() -> Owner {
    let key = UnlockedKey::generate(KeyKind::Classic, None).unwrap();
    let account = Account::generate();
    let document = Card::issue(&account, &key, Vec::new()).unwrap();
    Owner {
        card: Card::verify(&document).unwrap(),
        account,
        key,
        document,
    }
}

fn desk(dir: &Path, limits: MailLimits) -> MailDesk {
    MailDesk::new(
        MailStore::open(&dir.join("mailbox.sqlite")).unwrap(),
        limits,
    )
}

fn ask(desk: &MailDesk, now: u64, peer: &str, question: Question) -> MailAnswer {
    desk.answer_at(now, ME, peer, &question.to_bytes())
}

fn leave(
    desk: &MailDesk,
    now: u64,
    peer: &str,
    to: Address,
    token: PushToken,
    document: &[u8],
) -> MailAnswer {
    let (token, document) = (token.0, document.to_vec());
    ask(
        desk,
        now,
        peer,
        Question::Leave {
            to,
            token,
            document,
        },
    )
}

/// Opens a mailbox as its owner does: the challenge, and what is listed.
fn open(desk: &MailDesk, now: u64, peer: &str, owner: &Owner) -> ([u8; 32], Vec<MailId>) {
    let address = owner.card.address;
    let MailAnswer::Challenge(challenge) =
        ask(desk, now, peer, Question::Challenge { owner: address })
    else {
        panic!("no challenge");
    };
    let token = Sha256::digest(TOKEN.0).into();
    let text = statement(ME, address, &challenge, &token);
    let signature = owner.account.sign_message(&text).unwrap();
    let list = Question::List {
        challenge,
        token,
        signature,
    };
    match ask(desk, now, peer, list) {
        MailAnswer::Listed(listed) => (challenge, listed.iter().map(|it| it.id).collect()),
        other => panic!("{other:?}"),
    }
}

fn id(document: &[u8]) -> MailId {
    Sha256::digest(document).into()
}

/// Bytes that have the form of an encrypted document, each other ones.
fn sealed(number: u64) -> Vec<u8> {
    // A PKESK of version 3 and a container of version 1 (RFC 9580, sections 5.1 and 5.13), of definite length.
    let mut pkesk = vec![3];
    pkesk.extend(number.to_be_bytes());
    pkesk.extend([1, 0, 8, 0xff]);
    let body = [&[1][..], &[9; 64]].concat();
    let packet = |tag: u8, body: &[u8]| {
        let mut packet = vec![0xc0 | tag, body.len() as u8];
        packet.extend_from_slice(body);
        packet
    };
    [packet(1, &pkesk), packet(18, &body)].concat()
}

#[test]
fn a_document_goes_to_its_owner_alone_and_its_sender_learns_when() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(dir.path(), MailLimits::default());
    let (sender, receiver, thief) = (owner(), owner(), owner());
    let to = receiver.card.address;
    let own = (sender.document.clone(), &sender.key);
    let document = mail::seal(MailKind::Handover, b"handover", NOW, own, &receiver.card).unwrap();
    let until = MailAnswer::Left {
        until: NOW + KEPT_SECONDS,
    };
    assert_eq!(leave(&desk, NOW, "a", to, TOKEN, &document), until);
    // Left again because the answer was lost: still one.
    assert_eq!(leave(&desk, NOW + 5, "a", to, TOKEN, &document), until);
    let state = || {
        ask(
            &desk,
            NOW,
            "a",
            Question::State {
                ids: vec![id(&document), [1; 32]],
            },
        )
    };
    assert_eq!(
        state(),
        MailAnswer::States(vec![MailState::Waiting(NOW), MailState::Unknown])
    );

    // Another's box shows nothing, and opens nothing here.
    let (challenge, listed) = open(&desk, NOW, "t", &thief);
    assert!(listed.is_empty());
    let take = |peer, challenge| {
        ask(
            &desk,
            NOW,
            peer,
            Question::Take {
                challenge,
                id: id(&document),
            },
        )
    };
    assert_eq!(take("t", challenge), MailAnswer::Refused(Refusal::Gone));
    let taken = Question::Taken {
        challenge,
        ids: vec![id(&document)],
    };
    assert_eq!(ask(&desk, NOW, "t", taken), MailAnswer::Dropped);
    assert_eq!(
        state(),
        MailAnswer::States(vec![MailState::Waiting(NOW), MailState::Unknown]),
        "not the thief's to drop"
    );

    let (challenge, listed) = open(&desk, NOW, "r", &receiver);
    assert_eq!(listed, [id(&document)]);
    assert_eq!(
        take("t", challenge),
        MailAnswer::Refused(Refusal::Proof),
        "another peer's challenge"
    );
    assert_eq!(take("r", challenge), MailAnswer::Document(document.clone()));
    let opened = mail::open(&document, &receiver.key, to).unwrap();
    assert_eq!(
        (&opened.document[..], opened.sender.address),
        (&b"handover"[..], sender.card.address)
    );
    let taken = Question::Taken {
        challenge,
        ids: listed,
    };
    assert_eq!(ask(&desk, NOW + 9, "r", taken), MailAnswer::Dropped);
    assert_eq!(
        state(),
        MailAnswer::States(vec![MailState::Fetched(NOW + 9), MailState::Unknown])
    );
    assert_eq!(take("r", challenge), MailAnswer::Refused(Refusal::Gone));
    // Neither the document nor anything readable of it is left on the disk: cards and names never were there.
    drop(desk);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [
            &document[100..200],
            b"handover",
            &hex::encode(sender.card.address).into_bytes(),
        ] {
            assert!(!bytes.windows(secret.len()).any(|it| it == secret));
        }
    }
}

#[test]
fn a_challenge_is_fresh_signed_once_and_for_one_node() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(dir.path(), MailLimits::default());
    let receiver = owner();
    let address = receiver.card.address;
    let token = [1; 32];
    let challenge = || match ask(&desk, NOW, "r", Question::Challenge { owner: address }) {
        MailAnswer::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    };
    let signed = |node: &str, challenge: &[u8; 32]| {
        let text = statement(node, address, challenge, &token);
        receiver.account.sign_message(&text).unwrap()
    };
    let list = |now, challenge, signature| {
        ask(
            &desk,
            now,
            "r",
            Question::List {
                challenge,
                token,
                signature,
            },
        )
    };
    let refused = MailAnswer::Refused(Refusal::Proof);
    let unknown = [3; 32];
    assert_eq!(list(NOW, unknown, signed(ME, &unknown)), refused);
    // A node that hands on another's challenge gets a signature that names itself.
    let relayed = challenge();
    assert_eq!(
        list(NOW, relayed, signed("12D3KooWother", &relayed)),
        refused
    );
    assert_eq!(list(NOW, relayed, signed(ME, &relayed)), refused, "one try");
    let late = challenge();
    assert_eq!(list(NOW + 300, late, signed(ME, &late)), refused);
    let good = challenge();
    assert_eq!(
        list(NOW + 299, good, signed(ME, &good)),
        MailAnswer::Listed(Vec::new())
    );
    assert_eq!(list(NOW + 299, good, signed(ME, &good)), refused, "once");
    let over = Question::Take {
        challenge: good,
        id: [0; 32],
    };
    assert_eq!(ask(&desk, NOW + 300, "r", over), refused);
    // A peer that asks for many pushes out its own.
    let first = challenge();
    let other = match ask(&desk, NOW, "x", Question::Challenge { owner: address }) {
        MailAnswer::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    };
    for _ in 0..8 {
        challenge();
    }
    assert_eq!(list(NOW, first, signed(ME, &first)), refused);
    let list = Question::List {
        challenge: other,
        token,
        signature: signed(ME, &other),
    };
    assert_eq!(ask(&desk, NOW, "x", list), MailAnswer::Listed(Vec::new()));
}

#[test]
fn free_keys_fill_no_box_of_one_who_showed_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let limits = MailLimits {
        documents: 3,
        strangers: 4,
        at_once: 1000,
        ..MailLimits::default()
    };
    let desk = desk(dir.path(), limits);
    let receiver = owner();
    let to = receiver.card.address;
    open(&desk, NOW, "r", &receiver);
    let left = |answer| assert!(matches!(answer, MailAnswer::Left { .. }), "{answer:?}");
    for number in 0..3 {
        left(leave(&desk, NOW, "friend", to, TOKEN, &sealed(number)));
    }
    assert_eq!(
        leave(&desk, NOW, "friend", to, TOKEN, &sealed(3)),
        MailAnswer::Refused(Refusal::Receiver)
    );
    // Strangers push out each other.
    for number in 100..200 {
        left(leave(
            &desk,
            NOW,
            &format!("stranger {number}"),
            to,
            PushToken([0; 16]),
            &sealed(number),
        ));
    }
    let (_, listed) = open(&desk, NOW, "r", &receiver);
    let wanted: Vec<_> = (0..3)
        .chain(196..200)
        .map(|number| id(&sealed(number)))
        .collect();
    assert_eq!(listed, wanted);
    // Anything but a sealed document of limited size is not kept.
    for document in [
        b"text".to_vec(),
        vec![9; MAX_SEALED + 1],
        sealed(1)[1..].to_vec(),
    ] {
        let answer = leave(&desk, NOW, "friend", to, TOKEN, &document);
        assert_eq!(answer, MailAnswer::Refused(Refusal::Document));
    }
    assert_eq!(
        desk.answer_at(NOW, ME, "x", b"\x02"),
        MailAnswer::Refused(Refusal::Question)
    );
}

#[test]
fn a_sender_leaves_a_number_at_once_and_then_one_now_and_then() {
    let dir = tempfile::tempdir().unwrap();
    let limits = MailLimits {
        at_once: 5,
        one_in: 30,
        ..MailLimits::default()
    };
    let desk = desk(dir.path(), limits);
    let to = Address::repeat_byte(1);
    let mut number = 0;
    let mut next = |now, peer| {
        number += 1;
        leave(&desk, now, peer, to, TOKEN, &sealed(number))
    };
    for _ in 0..5 {
        assert!(matches!(next(NOW, "a"), MailAnswer::Left { .. }));
    }
    let refused = MailAnswer::Refused(Refusal::Sender);
    assert_eq!(next(NOW + 29, "a"), refused);
    assert!(matches!(next(NOW, "b"), MailAnswer::Left { .. }));
    assert!(matches!(next(NOW + 30, "a"), MailAnswer::Left { .. }));
    assert_eq!(next(NOW + 31, "a"), refused);
    assert!(matches!(next(NOW + 3600, "a"), MailAnswer::Left { .. }));
}

#[test]
fn documents_and_receipts_are_dropped_after_thirty_days() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(dir.path(), MailLimits::default());
    let receiver = owner();
    let document = sealed(1);
    leave(&desk, NOW, "a", receiver.card.address, TOKEN, &document);
    let state = |now| {
        ask(
            &desk,
            now,
            "a",
            Question::State {
                ids: vec![id(&document)],
            },
        )
    };
    let waits = MailAnswer::States(vec![MailState::Waiting(NOW)]);
    assert_eq!(state(NOW + KEPT_SECONDS), waits);
    assert_eq!(
        state(NOW + KEPT_SECONDS + 601),
        MailAnswer::States(vec![MailState::Unknown])
    );
    assert!(
        open(&desk, NOW + KEPT_SECONDS + 601, "r", &receiver)
            .1
            .is_empty()
    );
}

/// Many documents of many senders; what was acknowledged is there after the file is opened again.
#[test]
fn what_was_acknowledged_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let many: u64 = std::env::var("PCIM_MAIL").map_or(400, |text| text.parse().unwrap());
    let receivers: Vec<_> = (0..20).map(|_| owner()).collect();
    let began = std::time::Instant::now();
    let mut slowest = std::time::Duration::ZERO;
    {
        let limits = MailLimits {
            documents: many,
            bytes: u64::MAX,
            ..MailLimits::default()
        };
        let desk = desk(dir.path(), limits);
        for receiver in &receivers {
            open(&desk, NOW, "r", receiver);
        }
        for number in 0..many {
            let to = receivers[number as usize % receivers.len()].card.address;
            let began = std::time::Instant::now();
            let answer = leave(
                &desk,
                NOW,
                &format!("sender {}", number % 1000),
                to,
                TOKEN,
                &sealed(number),
            );
            assert!(
                matches!(answer, MailAnswer::Left { .. }),
                "{number}: {answer:?}"
            );
            slowest = slowest.max(began.elapsed());
        }
    }
    println!(
        "{many} documents of {} senders in {:?}, the slowest in {slowest:?}",
        many.min(1000),
        began.elapsed()
    );
    // A killed process leaves its file as it is, without closing it.
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let desk = desk(copy.path(), MailLimits::default());
    let listed: usize = receivers
        .iter()
        .map(|it| open(&desk, NOW, "r", it).1.len())
        .sum();
    let most = receivers.len() * super::wire::MAX_LISTED;
    assert_eq!(listed, most.min(many as usize));
}
