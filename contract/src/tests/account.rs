//! Accounts: guardians, moves, desks, delegates, recoveries, emergencies, withdrawals.

use alloy_primitives::{FixedBytes, U256};
use alloy_sol_types::{SolEvent, SolValue};

use super::{host::*, *};

pub(super) const SUCCESSOR: Address = Address::repeat_byte(0x5c);
pub(super) const DELEGATE: Address = Address::repeat_byte(0xde);
pub(super) const DESK: Address = Address::repeat_byte(0xd5);
const SALT: B256 = B256::repeat_byte(0x5a);
const HOUR: u64 = 3_600;
pub(super) const DAY: u64 = 24 * HOUR;

const GUARDIANS: [Address; 3] = [
    Address::repeat_byte(0x61),
    Address::repeat_byte(0x62),
    Address::repeat_byte(0x63),
];

pub(super) fn commitment(guardians: &[Address], threshold: u8) -> FixedBytes<24> {
    let mut bytes: Vec<u8> = guardians
        .iter()
        .flat_map(|guardian| guardian.into_word())
        .collect();
    bytes.extend(U256::from(threshold).abi_encode());
    bytes.extend(SALT);
    FixedBytes::from_slice(&keccak256(bytes)[..24])
}

pub(super) fn named(commitment: FixedBytes<24>) -> set_guardiansCall {
    set_guardiansCall {
        patient: PATIENT,
        round: account().round,
        commitment,
        delayHours: 72,
    }
}

/// Guardians of whom two are enough, whose signatures ecrecover accepts by their first byte.
pub(super) fn guarded(threshold: u8) {
    registered();
    call(PATIENT, named(commitment(&GUARDIANS, threshold))).unwrap();
    set_callee(|to, input| {
        let signer = Address::repeat_byte(input[64]);
        (to.as_slice()[19] == 1 && to.as_slice()[0] == 0).then(|| signer.into_word().to_vec())
    });
}

pub(super) fn recovery(threshold: u8, lock: bool, signers: &[usize]) -> start_recoveryCall {
    let signature = |n: usize| {
        let mut signature = vec![0; 65];
        (signature[0], signature[64]) = (GUARDIANS[n].as_slice()[0], 27);
        if signers.contains(&n) {
            signature.into()
        } else {
            Default::default()
        }
    };
    start_recoveryCall {
        patient: PATIENT,
        successor: SUCCESSOR,
        lock,
        guardians: GUARDIANS.to_vec(),
        threshold,
        salt: SALT,
        deadline: START + DAY,
        signatures: (0..3).map(signature).collect(),
    }
}

fn finish() -> finish_changeCall {
    finish_changeCall { patient: PATIENT }
}

#[test]
fn two_of_three_guardians_move_a_locked_account_and_a_thiefs_deeds_end() {
    guarded(2);
    let on = |round| set_delegateCall {
        patient: PATIENT,
        round,
        delegate: DELEGATE,
        until: START + 90 * DAY,
    };
    assert!(call(PATIENT, on(1)).unwrap(), "the thief's");
    call(STRANGER, recovery(2, true, &[0, 2])).unwrap();
    let ripe = START + 72 * HOUR;
    let locked = ripe + 30 * DAY;
    emitted(&[AccountChanged {
        patient: PATIENT,
        by: STRANGER,
        kind: 4,
        round: 3,
        ripe,
        lockedUntil: locked,
        data: SUCCESSOR.into_word(),
    }
    .encode_log_data()]);
    let lock = || PcacLocked {
        patient: PATIENT,
        until: locked,
    };
    refused(PATIENT, on(3), lock());
    refused(PATIENT, cancel_changeCall { patient: PATIENT }, lock());
    refused(PATIENT, withdraw_imageCall { image: IMAGE }, lock());
    refused(PATIENT, named(commitment(&[SUCCESSOR], 1)), lock());
    refused(
        PATIENT,
        move_accountCall {
            patient: PATIENT,
            round: 3,
            successor: STRANGER,
        },
        lock(),
    );
    call(REQUESTER, request()).unwrap();
    refused(PATIENT, approval(), lock());
    refused(DELEGATE, approval(), lock());
    let denial = deny_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
        reason: String::new(),
    };
    assert!(call(PATIENT, denial).unwrap(), "what takes away goes on");

    set_now(ripe - 1);
    let early = PcacNotRipe {
        ripe,
        now: ripe - 1,
    };
    refused(SUCCESSOR, finish(), early);
    set_now(ripe);
    let other = PcacNotSuccessor {
        caller: PATIENT,
        successor: SUCCESSOR,
    };
    refused(PATIENT, finish(), other);
    call(SUCCESSOR, finish()).unwrap();
    assert_eq!(
        logs()[1],
        AccountMoved {
            patient: PATIENT,
            from: PATIENT,
            to: SUCCESSOR,
        }
        .encode_log_data()
    );
    let now = account();
    assert_eq!((now.acting, now.epoch, now.lockedUntil), (SUCCESSOR, 1, 0));
    assert_eq!(now.commitment, commitment(&GUARDIANS, 2), "they stay");
    let view = delegateCall {
        patient: PATIENT,
        who: DELEGATE,
    };
    assert_eq!(call(STRANGER, view).unwrap(), 0, "void");
    let not = |caller| PcacNotPatient {
        caller,
        acting: SUCCESSOR,
    };
    call(REQUESTER, request()).unwrap();
    refused(PATIENT, approval(), not(PATIENT));
    refused(DELEGATE, approval(), not(DELEGATE));
    assert!(call(SUCCESSOR, approval()).unwrap());
    assert_eq!(
        logs()[2],
        Acted {
            patient: PATIENT,
            by: SUCCESSOR,
        }
        .encode_log_data()
    );
    let sees = |requester| {
        let patient = PATIENT;
        let image = IMAGE;
        call(
            STRANGER,
            is_authorizedCall {
                patient,
                requester,
                image,
            },
        )
        .unwrap()
    };
    assert!(
        sees(SUCCESSOR) && !sees(PATIENT),
        "a replaced key is nobody"
    );
}

#[test]
fn a_recovery_is_refused_for_the_first_reason_in_order() {
    registered();
    let none = PcacBadGuardians {
        commitment: FixedBytes::ZERO,
        found: commitment(&GUARDIANS, 2),
    };
    refused(STRANGER, recovery(2, true, &[0, 1]), none);
    guarded_again();
    let base = || recovery(2, true, &[0, 1]);
    refused(
        STRANGER,
        start_recoveryCall {
            patient: Address::ZERO,
            ..base()
        },
        PcacZero { argument: 0 },
    );
    refused(
        STRANGER,
        start_recoveryCall {
            successor: Address::ZERO,
            ..base()
        },
        PcacZero { argument: 1 },
    );
    for deadline in [START - 1, START + 30 * DAY + 1] {
        refused(
            STRANGER,
            start_recoveryCall { deadline, ..base() },
            PcacExpired {
                deadline,
                now: START,
            },
        );
    }
    let bad = |found| PcacBadGuardians {
        commitment: commitment(&GUARDIANS, 2),
        found,
    };
    let mut swapped = base();
    swapped.guardians.swap(0, 1);
    refused(STRANGER, swapped, bad(FixedBytes::ZERO));
    let mut twice = base();
    twice.guardians[1] = GUARDIANS[0];
    refused(STRANGER, twice, bad(FixedBytes::ZERO));
    refused(
        STRANGER,
        start_recoveryCall {
            threshold: 1,
            ..base()
        },
        bad(commitment(&GUARDIANS, 1)),
    );
    let mut fewer = base();
    fewer.signatures.pop();
    refused(STRANGER, fewer, bad(commitment(&GUARDIANS, 2)));
    refused(
        STRANGER,
        start_recoveryCall {
            successor: PATIENT,
            ..base()
        },
        PcacBadSuccessor { successor: PATIENT },
    );
    refused(
        STRANGER,
        recovery(2, true, &[1]),
        PcacTooFewGuardians {
            signed: U256::from(1),
            threshold: U256::from(2),
        },
    );
    let mut forged = base();
    forged.signatures[2] = forged.signatures[0].clone();
    refused(
        STRANGER,
        forged,
        PcacBadSignature {
            signer: GUARDIANS[2],
        },
    );
    call(STRANGER, base()).unwrap();
}

fn guarded_again() {
    call(PATIENT, named(commitment(&GUARDIANS, 2))).unwrap();
    set_callee(|to, input| {
        let signer = Address::repeat_byte(input[64]);
        (to.as_slice()[19] == 1 && to.as_slice()[0] == 0).then(|| signer.into_word().to_vec())
    });
}

#[test]
fn guardians_whose_word_is_for_the_acting_key_end_a_lock() {
    guarded(2);
    call(STRANGER, recovery(2, true, &[0, 1])).unwrap();
    let stays = start_recoveryCall {
        successor: PATIENT,
        ..recovery(2, false, &[1, 2])
    };
    call(STRANGER, stays).unwrap();
    let now = account();
    assert_eq!((now.pendingKind, now.lockedUntil, now.recovery), (0, 0, 3));
    refused(SUCCESSOR, finish(), PcacNothingPending { patient: PATIENT });
}

#[test]
fn a_single_hostile_guardian_is_beaten_by_other_guardians() {
    guarded(1);
    refused(
        STRANGER,
        recovery(1, true, &[0]),
        PcacBadGuardians {
            commitment: commitment(&GUARDIANS, 1),
            found: commitment(&GUARDIANS, 1),
        },
    );
    call(STRANGER, recovery(1, false, &[0])).unwrap();
    assert_eq!(account().pendingKind, 5);
    let ripe = START + 72 * HOUR;
    let moving = move_accountCall {
        patient: PATIENT,
        round: account().round,
        successor: DELEGATE,
    };
    refused(PATIENT, moving, PcacPending { kind: 5, ripe });
    set_now(START + HOUR);
    call(PATIENT, named(commitment(&[DELEGATE], 1))).unwrap();
    let ripe = START + 73 * HOUR;
    refused(
        STRANGER,
        recovery(1, false, &[1]),
        PcacPending { kind: 1, ripe },
    );
    set_now(ripe);
    call(STRANGER, finish()).unwrap();
    assert_eq!(account().commitment, commitment(&[DELEGATE], 1));
    refused(
        STRANGER,
        start_recoveryCall {
            deadline: ripe,
            ..recovery(1, false, &[1])
        },
        PcacBadGuardians {
            commitment: commitment(&[DELEGATE], 1),
            found: commitment(&GUARDIANS, 1),
        },
    );
}

#[test]
fn a_thief_cannot_swap_guardians_before_they_recover() {
    guarded(2);
    call(PATIENT, named(commitment(&[STRANGER], 1))).unwrap();
    assert_eq!(account().pendingKind, 1);
    set_now(START + DAY);
    call(STRANGER, recovery(2, true, &[0, 1])).unwrap();
    set_now(START + 4 * DAY);
    call(SUCCESSOR, finish()).unwrap();
    assert_eq!(account().commitment, commitment(&GUARDIANS, 2));
}

#[test]
fn what_nobody_finishes_in_its_month_is_nothing() {
    registered();
    let moving = || move_accountCall {
        patient: PATIENT,
        round: account().round,
        successor: SUCCESSOR,
    };
    call(PATIENT, moving()).unwrap();
    assert_eq!((account().pendingKind, account().pendingRipe), (2, START));
    set_now(START + 30 * DAY);
    assert_eq!(account().pendingKind, 0);
    let nothing = PcacNothingPending { patient: PATIENT };
    refused(SUCCESSOR, finish(), nothing);
    let cancel = cancel_changeCall { patient: PATIENT };
    let round = account().round;
    assert!(!call(PATIENT, cancel).unwrap());
    assert_eq!(account().round, round + 1, "a call that gives dies with it");
    call(PATIENT, moving()).unwrap();
    call(SUCCESSOR, finish()).unwrap();
    assert_eq!(account().acting, SUCCESSOR);
}

#[test]
fn the_first_guardians_end_a_move_that_was_prepared() {
    registered();
    let moving = move_accountCall {
        patient: PATIENT,
        round: 0,
        successor: STRANGER,
    };
    call(PATIENT, moving).unwrap();
    call(PATIENT, named(commitment(&GUARDIANS, 2))).unwrap();
    let nothing = PcacNothingPending { patient: PATIENT };
    refused(STRANGER, finish(), nothing);
}

#[test]
fn a_delegate_gives_within_his_time_and_not_to_himself() {
    requested();
    let on = set_delegateCall {
        patient: PATIENT,
        round: 0,
        delegate: DELEGATE,
        until: START + DAY,
    };
    call(PATIENT, on).unwrap();
    let until = |end| approve_IRsCall {
        expiresAt: end,
        ..approval()
    };
    for end in [0, START + DAY + 1] {
        refused(
            DELEGATE,
            until(end),
            PcacBadExpiry {
                expiresAt: end,
                now: START,
                latest: START + DAY,
            },
        );
    }
    call(DELEGATE, request()).unwrap();
    let own = PcacOwnRequest { caller: DELEGATE };
    refused(DELEGATE, approval_of(DELEGATE), own);
    assert!(call(DELEGATE, until(START + DAY)).unwrap());
    assert_eq!(logs().len(), 3, "and who did it");
    set_now(START + 1);
    let again = reshare_IRsCall {
        expiresAt: START + DAY,
        ..reshare()
    };
    assert!(call(DELEGATE, again).unwrap());
    let not = || PcacNotPatient {
        caller: DELEGATE,
        acting: PATIENT,
    };
    refused(DELEGATE, withdraw_imageCall { image: IMAGE }, not());
    let off = set_delegateCall {
        patient: PATIENT,
        round: 99,
        delegate: DELEGATE,
        until: 0,
    };
    assert!(call(PATIENT, off.clone()).unwrap(), "no round is named");
    assert!(!call(PATIENT, off).unwrap());
    let removal = remove_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
    };
    refused(DELEGATE, removal, not());
}

#[test]
fn a_desk_opens_what_is_asked_for_and_is_taken_at_once() {
    registered();
    let desk = |max_hours, desk| set_emergencyCall {
        patient: PATIENT,
        round: account().round,
        desk,
        maxHours: max_hours,
    };
    for hours in [0, 73] {
        let bad = PcacBadHours {
            found: hours.into(),
            least: 1,
            most: 72,
        };
        refused(PATIENT, desk(hours, DESK), bad);
    }
    assert!(call(PATIENT, desk(24, DESK)).unwrap());
    let now = START + 72 * HOUR;
    set_now(now);
    call(STRANGER, finish()).unwrap();
    call(REQUESTER, request()).unwrap();
    let glass = |until| break_glassCall {
        requester: REQUESTER,
        image: IMAGE,
        publicKey: KEY,
        requestedAt: now,
        until,
        reasonCode: B256::repeat_byte(0xb1),
    };
    let not = PcacNotDesk {
        caller: STRANGER,
        desk: DESK,
    };
    refused(STRANGER, glass(now + HOUR), not);
    for until in [now, now + 24 * HOUR + 1] {
        let bad = PcacBadExpiry {
            expiresAt: until,
            now,
            latest: now + 24 * HOUR,
        };
        refused(DESK, glass(until), bad);
    }
    assert!(call(DESK, glass(now + 24 * HOUR)).unwrap());
    assert!(authorized());
    assert!(!call(DESK, glass(now + HOUR)).unwrap());
    assert_eq!(standing().status, 5);
    let removal = remove_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
    };
    assert!(call(PATIENT, removal).unwrap());
    let closed = PcacNoRequest {
        requester: REQUESTER,
        image: IMAGE,
    };
    refused(DESK, glass(now + HOUR), closed);

    let shorter = set_emergencyCall {
        round: 77,
        ..desk(2, DESK)
    };
    assert!(call(PATIENT, shorter).unwrap(), "no round is named");
    assert!(call(PATIENT, desk(9, STRANGER)).unwrap(), "pending");
    assert!(call(PATIENT, desk(0, Address::ZERO)).unwrap());
    let now = account();
    assert_eq!(now.pendingKind, 0, "a pending desk ends too");
    let view = emergencyCall { patient: PATIENT };
    assert!(call(STRANGER, view).unwrap().desk.is_zero());
    assert!(!call(PATIENT, desk(0, Address::ZERO)).unwrap());
}

#[test]
fn a_withdrawn_image_is_nobodys_but_hers() {
    approved();
    let withdraw = withdraw_imageCall { image: IMAGE };
    assert!(call(PATIENT, withdraw.clone()).unwrap());
    assert!(!call(PATIENT, withdraw).unwrap());
    assert_eq!(image_round(), 2, "raised by both");
    assert!(!authorized());
    let stopped = || PcacWithdrawn {
        image: IMAGE,
        flags: 1,
    };
    refused(REQUESTER, request(), stopped());
    set_now(START + 1);
    refused(PATIENT, reshare(), stopped());
    let restore = |round| restore_imageCall {
        image: IMAGE,
        round,
    };
    let stale = PcacRoundChanged {
        wanted: 1,
        round: 2,
    };
    refused(PATIENT, restore(1), stale);
    assert!(call(PATIENT, restore(2)).unwrap());
    assert!(authorized());
}

#[test]
fn a_retracted_image_is_registered_again_by_another_attestation() {
    approved();
    let retract = || retract_imageCall {
        image: IMAGE,
        reason: 3,
    };
    let not = PcacNotAttester { caller: STRANGER };
    refused(STRANGER, retract(), not);
    assert!(call(RADIOLOGIST, retract()).unwrap());
    emitted(&[ImageFlagged {
        image: IMAGE,
        by: RADIOLOGIST,
        flags: 2,
        reason: 3,
        round: 1,
    }
    .encode_log_data()]);
    assert!(!authorized());
    let same_second = PcacTooSoon { retryAt: START + 1 };
    refused(PATIENT, registration(), same_second);
    set_now(START + 1);
    assert!(call(PATIENT, registration()).unwrap());
    let event = ContractCreated::decode_log_data(&logs()[0]).unwrap();
    assert_eq!(event.replaces, START);
    assert!(authorized(), "grants stand");
    let record = call(STRANGER, image_recordCall { image: IMAGE }).unwrap();
    assert_eq!((record.flags, record.registeredAt), (0, START + 1));
}
