//! Where a rule ends: limbs that would cancel out, bytes that only look like text, numbers one past their width.

use alloy_sol_types::{SolCall, SolEvent};

use super::{account::*, host::*, *};
use crate::{
    calldata::Args,
    word::{joined, Word},
};

#[test]
fn equal_limbs_do_not_cancel_out() {
    for first in 0..4 {
        for second in 0..first {
            let mut limbs = [0; 4];
            (limbs[first], limbs[second]) = (7, 7);
            let word = Word::from_limbs(limbs);
            assert!(!word.is_zero(), "{limbs:?}");
            assert_eq!(word.to_u64(), None, "{limbs:?}");
        }
    }
}

#[test]
fn eight_continuation_bytes_are_no_text() {
    let mut data = joined(&[Word::number(32), Word::number(8)]);
    data.extend([0x80; 8]);
    assert_eq!(Args::new(&data).text(0), Err(vec![]));
    assert_eq!(Args::new(&data).bytes(0), Ok(&[0x80; 8][..]));
}

#[test]
fn a_limit_and_its_window_have_32_bits() {
    registered();
    let limit = set_approval_limitCall {
        image: IMAGE,
        approvals: 5,
        windowSeconds: 60,
        round: 0,
    };
    for argument in [1, 2, 3] {
        let mut calldata = limit.abi_encode();
        // The lowest bit past the argument's width.
        calldata[4 + 32 * argument + 27] = 1;
        assert_eq!(send(PATIENT, &calldata), Err(vec![]), "{argument}");
    }
    call(PATIENT, limit).unwrap();
}

#[test]
fn the_longest_text_is_logged_whole() {
    registered();
    let notes = "ä".repeat(128);
    let asked = requesting_accessCall {
        notes: notes.clone(),
        ..request()
    };
    assert!(!call(REQUESTER, asked).unwrap());
    let event = RequestedForApproval::decode_log_data(&logs()[0]).unwrap();
    assert_eq!(event.info, notes);
}

#[test]
fn ether_alone_and_calls_without_a_selector_are_not_taken() {
    deployed();
    assert!(bare());
}

#[test]
fn what_gives_on_an_account_names_its_round() {
    guarded(2);
    let stale = || PcacRoundChanged {
        wanted: 0,
        round: 1,
    };
    let (patient, round) = (PATIENT, 0);
    let guardians = set_guardiansCall {
        patient,
        round,
        commitment: commitment(&[SUCCESSOR], 1),
        delayHours: 72,
    };
    refused(PATIENT, guardians.clone(), stale());
    let moving = move_accountCall {
        patient,
        round,
        successor: SUCCESSOR,
    };
    refused(PATIENT, moving, stale());
    let opening = set_emergencyCall {
        patient,
        round,
        desk: DESK,
        maxHours: 1,
    };
    refused(PATIENT, opening, stale());
    let delegate = set_delegateCall {
        patient,
        round,
        delegate: DELEGATE,
        until: START + DAY,
    };
    refused(PATIENT, delegate, stale());
    assert_eq!(account().round, 1, "nothing raised it");
    call(
        PATIENT,
        set_guardiansCall {
            round: 1,
            ..guardians
        },
    )
    .unwrap();
}

#[test]
fn a_lock_ends_with_the_second_that_it_names() {
    guarded(2);
    call(STRANGER, recovery(2, true, &[0, 2])).unwrap();
    let until = account().lockedUntil;
    let guardians = || named(commitment(&[SUCCESSOR], 1));
    set_now(until - 1);
    let patient = PATIENT;
    refused(PATIENT, guardians(), PcacLocked { patient, until });
    set_now(until);
    call(PATIENT, guardians()).unwrap();
}
