#![allow(clippy::unwrap_used)]

use super::account::RETENTION;
use super::*;
use pcim_core::Seal;

const PATIENT: Address = Address::repeat_byte(1);
const READER: Address = Address::repeat_byte(2);

fn root(n: u8) -> ImageDigest {
    ImageDigest([n; 32])
}

fn block(n: u8) -> BlockDigest {
    BlockDigest([n; 32])
}

fn registered(image: u8) -> Event {
    Event::ContractCreated {
        patient: PATIENT,
        image: root(image),
        radiologist: PATIENT,
        seal: Seal([0; 32]),
        attestation: None,
        replaces: None,
        info: String::new(),
    }
}

fn requested(image: u8) -> Event {
    let document = format!("TREAT {}", block(8));
    Event::RequestedForApproval {
        requestor: READER,
        patient: PATIENT,
        image: root(image),
        public_key: block(7),
        info: document,
    }
}

fn approved(image: u8, shared: u8, expires_at: u64) -> Event {
    Event::Approved {
        requestor: READER,
        image: root(image),
        public_key: block(7),
        shared_image: root(shared),
        expires_at,
        info: String::new(),
    }
}

fn removed(image: u8) -> [Event; 2] {
    [
        Event::UserRemoved {
            requestor: READER,
            patient: PATIENT,
            image: root(image),
            info: "removed".to_owned(),
        },
        Event::Reason {
            requestor: READER,
            image: root(image),
            info: "Contract expired".to_owned(),
        },
    ]
}

fn resealed(image: u8, to: u8) -> Event {
    Event::ImageResealed {
        image: root(image),
        root: root(to),
        emergency: None,
        round: None,
    }
}

/// The first bytes of what is kept at `now` of events that all came at second 0.
fn kept(events: &[Event], now: u64, here: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let events: Vec<_> = events.iter().map(|event| (0, event.clone())).collect();
    kept_of(&events, now, here)
}

fn kept_of(events: &[(u64, Event)], now: u64, here: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let complete = |digest: &ImageDigest| here.contains(&digest.0[0]);
    let mut chain = Chain::default();
    for (at, event) in events {
        chain.apply(*at, event);
    }
    let wanted = chain.wanted(now, complete);
    (
        wanted.roots.iter().map(|(root, _)| root.0[0]).collect(),
        wanted.blocks.iter().map(|(block, ..)| block.0[0]).collect(),
    )
}

#[test]
fn a_request_an_approval_and_its_end() {
    let mut events = vec![registered(10)];
    assert_eq!(kept(&events, 0, &[]), (vec![10], vec![]));
    events.push(requested(10));
    assert_eq!(kept(&events, 0, &[]), (vec![10], vec![7, 8]));
    events.push(approved(10, 11, 0));
    assert_eq!(kept(&events, 0, &[]), (vec![10, 11], vec![7]));
    events.extend(removed(10));
    assert_eq!(kept(&events, 0, &[]), (vec![10], vec![]));
}

#[test]
fn a_denial_ends_a_request() {
    let denied = Event::Reason {
        requestor: READER,
        image: root(10),
        info: "no".to_owned(),
    };
    let events = [registered(10), requested(10), denied];
    assert_eq!(kept(&events, 0, &[]), (vec![10], vec![]));
}

#[test]
fn an_approval_ends_by_the_chains_clock_and_comes_back() {
    let mut events = vec![registered(10), requested(10), approved(10, 11, 500)];
    assert_eq!(kept(&events, 499, &[]).0, [10, 11]);
    assert_eq!(kept(&events, 500, &[]), (vec![10], vec![]));
    events.extend([requested(10), approved(10, 12, 900)]);
    assert_eq!(kept(&events, 500, &[]).0, [10, 12]);
    let longer = Event::Reshared {
        requestor: READER,
        image: root(10),
        shared_image: root(13),
        expires_at: 0,
    };
    events.push(longer);
    assert_eq!(kept(&events, 1000, &[]).0, [10, 13]);
}

#[test]
fn the_old_root_stays_until_the_new_one_is_here() {
    let events = [registered(10), resealed(10, 20), resealed(10, 30)];
    let late = RETENTION;
    assert_eq!(kept(&events, late, &[]).0, [30]);
    assert_eq!(kept(&events, late, &[10]).0, [30, 10]);
    assert_eq!(kept(&events, late, &[10, 20]).0, [30, 20]);
    assert_eq!(kept(&events, late, &[10, 20, 30]).0, [30]);
}

#[test]
fn what_a_reseal_replaced_stays_thirty_days_if_it_is_here() {
    let events = [
        (0, registered(10)),
        (100, resealed(10, 20)),
        (200, resealed(10, 30)),
    ];
    let here = [10, 20, 30];
    assert_eq!(kept_of(&events, 200, &here).0, [30, 20, 10]);
    assert_eq!(kept_of(&events, 99 + RETENTION, &here).0, [30, 20, 10]);
    assert_eq!(kept_of(&events, 100 + RETENTION, &here).0, [30, 20]);
    assert_eq!(kept_of(&events, 200 + RETENTION, &here).0, [30]);
    // Nobody asks for what is not here.
    assert_eq!(kept_of(&events, 200, &[30]).0, [30]);
}

fn entrusted(object: u8) -> Event {
    Event::ImageResealed {
        image: root(10),
        root: root(10),
        emergency: Some(B256::repeat_byte(object)),
        round: Some(1),
    }
}

#[test]
fn an_emergency_object_stays_thirty_days_after_it_was_replaced() {
    let mut events = vec![(0, registered(10)), (0, entrusted(5))];
    assert_eq!(kept_of(&events, RETENTION, &[10]), (vec![10], vec![5]));
    events.push((100, entrusted(6)));
    assert_eq!(kept_of(&events, 100, &[10]), (vec![10], vec![6, 5]));
    let end = 100 + RETENTION;
    assert_eq!(kept_of(&events, end, &[10]), (vec![10], vec![6]));
    events.push((end, entrusted(0)));
    assert_eq!(kept_of(&events, end, &[10]), (vec![10], vec![6]));
    let end = end + RETENTION;
    assert_eq!(kept_of(&events, end, &[10]), (vec![10], vec![]));
}

fn flagged(flags: u8) -> Event {
    Event::ImageFlagged {
        image: root(10),
        by: PATIENT,
        flags,
        reason: 0,
        round: 1,
    }
}

#[test]
fn a_withdrawn_image_goes_on_the_thirtieth_day_and_a_retracted_one_stays() {
    let mut events = vec![
        (0, registered(10)),
        (0, requested(10)),
        (0, approved(10, 11, 0)),
        (100, flagged(1)),
    ];
    let all = (vec![10, 11], vec![7]);
    assert_eq!(kept_of(&events, 99 + RETENTION, &[10]), all);
    let end = 100 + RETENTION;
    assert_eq!(kept_of(&events, end, &[10]), (vec![], vec![]));
    // Retracted besides: the withdrawal is as old as it was.
    events.push((200, flagged(3)));
    assert_eq!(kept_of(&events, end, &[10]), (vec![], vec![]));
    events.push((300, flagged(2)));
    assert_eq!(kept_of(&events, 20 * end, &[10]), all);
    events.push((400, flagged(1)));
    assert_eq!(kept_of(&events, 399 + RETENTION, &[10]), all);
}

fn changed(kind: u8, ripe: u64) -> Event {
    Event::AccountChanged {
        patient: PATIENT,
        by: READER,
        kind,
        round: 1,
        ripe,
        locked_until: 0,
        data: B256::ZERO,
    }
}

#[test]
fn nothing_goes_under_a_recovery_and_the_days_begin_again_when_the_account_moved() {
    let thief = [
        (0, registered(10)),
        (100, resealed(10, 20)),
        (100, flagged(1)),
    ];
    let here = [10, 20];
    let end = 100 + RETENTION;
    let of = |more: &[(u64, Event)], now| {
        let events = [&thief[..], more].concat();
        kept_of(&events, now, &here).0
    };
    assert_eq!(of(&[], end - 1), [20, 10]);
    assert!(of(&[], end).is_empty());
    // A recovery that began on the last day, and can be finished for thirty days once it is ripe.
    let ripe = end + 1_000;
    let started = (end - 1, changed(4, ripe));
    let lapsed = ripe + RETENTION;
    let pending = [started.clone()];
    assert_eq!(of(&pending, lapsed - 1), [20, 10]);
    assert!(of(&pending, lapsed).is_empty());
    // Cancelled, replaced or ended by the guardians themselves: it protects nothing any more.
    for after in [
        changed(6, 0),
        changed(1, ripe),
        changed(4, 0),
        changed(5, 0),
    ] {
        assert!(of(&[started.clone(), (end, after)], end).is_empty());
    }
    // Delegates and desks that end leave it as it is.
    for after in [changed(8, 0), changed(3, 0)] {
        assert_eq!(of(&[started.clone(), (end, after)], end), [20, 10]);
    }
    let moved = Event::AccountMoved {
        patient: PATIENT,
        from: PATIENT,
        to: READER,
    };
    let finished = [started, (ripe, changed(7, 0)), (ripe, moved)];
    assert_eq!(of(&finished, ripe + RETENTION - 1), [20, 10]);
    assert!(of(&finished, ripe + RETENTION).is_empty());
}

#[test]
fn a_removed_root_does_not_come_back_through_another_image() {
    let mut events = vec![registered(10), requested(10), approved(10, 11, 0)];
    events.extend(removed(10));
    events.extend([registered(40), requested(40), approved(40, 11, 0)]);
    assert_eq!(kept(&events, 0, &[]).0, [10, 40]);
    events.push(resealed(40, 11));
    assert_eq!(kept(&events, 0, &[40]).0, [10, 40]);
}
