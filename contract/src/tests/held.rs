//! Calls that were held back, or signed long ago: what gives dies with whatever takes, also when that found nothing to do.

use super::{host::*, *};

const OTHER: Address = Address::repeat_byte(0x07);
const DAY: u64 = 24 * 3_600;

/// A call and its sender, to be sent later.
type Held = (Address, Vec<u8>);
/// A gift: its name, and what makes it after what it needs.
type Give = (&'static str, fn() -> Held);
/// A call that takes: its name, what does it, and which gifts die with it.
type Take = (&'static str, fn(), &'static [&'static str]);

fn held(caller: Address, call: impl SolCall) -> Held {
    (caller, call.abi_encode())
}

fn sent((caller, data): Held) -> Result<Vec<u8>, Vec<u8>> {
    send(caller, &data)
}

/// Everything that gives, each after what it needs.
const GIVES: [Give; 9] = [
    ("approve", || {
        requested();
        held(PATIENT, approval())
    }),
    ("reshare", || {
        approved();
        set_now(START + 1);
        held(PATIENT, reshare())
    }),
    ("reseal", || {
        registered();
        let reseal = reseal_imageCall {
            image: IMAGE,
            root: SHARED,
            emergency: B256::ZERO,
            round: image_round(),
        };
        held(PATIENT, reseal)
    }),
    ("limit", || {
        registered();
        let limit = set_approval_limitCall {
            image: IMAGE,
            approvals: 3,
            windowSeconds: 60,
            round: image_round(),
        };
        held(PATIENT, limit)
    }),
    ("restore", || {
        registered();
        call(PATIENT, withdrawal()).unwrap();
        let restore = restore_imageCall {
            image: IMAGE,
            round: image_round(),
        };
        held(PATIENT, restore)
    }),
    ("guardians", || {
        registered();
        let named = set_guardiansCall {
            patient: PATIENT,
            round: account().round,
            commitment: FixedBytes::repeat_byte(9),
            delayHours: 72,
        };
        held(PATIENT, named)
    }),
    ("move", || {
        registered();
        held(PATIENT, moving())
    }),
    ("desk", || {
        registered();
        let desk = set_emergencyCall {
            patient: PATIENT,
            round: account().round,
            desk: OTHER,
            maxHours: 24,
        };
        held(PATIENT, desk)
    }),
    ("delegate", || {
        registered();
        let on = set_delegateCall {
            patient: PATIENT,
            round: account().round,
            delegate: OTHER,
            until: START + DAY,
        };
        held(PATIENT, on)
    }),
];

fn withdrawal() -> withdraw_imageCall {
    withdraw_imageCall { image: IMAGE }
}

fn moving() -> move_accountCall {
    move_accountCall {
        patient: PATIENT,
        round: account().round,
        successor: OTHER,
    }
}

fn removal() -> remove_IRsCall {
    remove_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
    }
}

/// Everything that takes, and which gifts die with it.
const TAKES: [Take; 9] = [
    (
        "denial",
        || {
            let denial = deny_IRsCall {
                requester: REQUESTER,
                image: IMAGE,
                reason: String::new(),
            };
            call(PATIENT, denial).unwrap();
        },
        &["approve"],
    ),
    (
        "removal",
        || assert!(call(PATIENT, removal()).is_ok()),
        &["approve", "reshare"],
    ),
    (
        "removal by the requestor himself",
        || assert!(call(REQUESTER, removal()).is_ok()),
        &["approve", "reshare"],
    ),
    (
        "withdrawal",
        || assert!(call(PATIENT, withdrawal()).is_ok()),
        &["approve", "reshare", "reseal", "limit", "restore"],
    ),
    (
        "withdrawal and its end",
        || {
            call(PATIENT, withdrawal()).unwrap();
            let restore = restore_imageCall {
                image: IMAGE,
                round: image_round(),
            };
            call(PATIENT, restore).unwrap();
        },
        &["reseal", "limit", "restore"],
    ),
    (
        "retraction",
        || {
            let retract = retract_imageCall {
                image: IMAGE,
                reason: 1,
            };
            call(RADIOLOGIST, retract).unwrap();
        },
        &["approve", "reshare", "reseal", "limit", "restore"],
    ),
    (
        "end of a delegate who is none",
        || {
            let off = set_delegateCall {
                patient: PATIENT,
                round: 0,
                delegate: OTHER,
                until: 0,
            };
            assert!(!call(PATIENT, off).unwrap(), "nothing to do");
        },
        &["guardians", "move", "desk", "delegate"],
    ),
    (
        "end of a desk that is none",
        || {
            let off = set_emergencyCall {
                patient: PATIENT,
                round: 0,
                desk: Address::ZERO,
                maxHours: 0,
            };
            assert!(!call(PATIENT, off).unwrap(), "nothing to do");
        },
        &["guardians", "move", "desk", "delegate"],
    ),
    (
        "cancelling where nothing is pending",
        || {
            let cancel = cancel_changeCall { patient: PATIENT };
            assert!(!call(PATIENT, cancel).unwrap(), "nothing to do");
        },
        &["guardians", "move", "desk", "delegate"],
    ),
];

/// Runs a scene on a host of its own: there is one for each thread.
fn alone<T: Send>(scene: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|threads| threads.spawn(scene).join().unwrap())
}

#[test]
fn what_gives_and_was_held_back_dies_with_whatever_takes() {
    for (give, prepare) in GIVES {
        let good = alone(|| sent(prepare()));
        assert!(good.is_ok(), "{give}, sent at once");
        for (take, takes, kills) in TAKES.iter().filter(|(_, _, kills)| kills.contains(&give)) {
            let late = alone(|| {
                let held = prepare();
                takes();
                sent(held)
            });
            assert!(late.is_err(), "{give} after a {take}, which ends {kills:?}");
        }
    }
}

#[test]
fn the_key_before_gives_nothing_whatever_it_had_signed() {
    for (give, prepare) in GIVES {
        let late = alone(|| {
            let held = prepare();
            call(PATIENT, moving()).unwrap();
            call(OTHER, finish_changeCall { patient: PATIENT }).unwrap();
            sent(held)
        });
        assert!(late.is_err(), "{give} after a move");
    }
}

#[test]
fn a_clock_that_stands_or_goes_back_revives_nothing() {
    approved();
    let earlier = approval_of(REQUESTER);
    call(PATIENT, removal()).unwrap();
    for now in [START, START - 10, START - DAY] {
        set_now(now);
        refused(REQUESTER, request(), PcacTooSoon { retryAt: START + 1 });
        let closed = PcacNoRequest {
            requester: REQUESTER,
            image: IMAGE,
        };
        refused(PATIENT, earlier.clone(), closed);
        assert!(!authorized());
    }
    set_now(START + 1);
    assert!(!call(REQUESTER, request()).unwrap());
    set_now(START - 10);
    call(PATIENT, removal()).unwrap();
    let decided = standing().decidedAt;
    assert_eq!(decided, START + 1, "never before the request");
    refused(REQUESTER, request(), PcacTooSoon { retryAt: START + 2 });
}
