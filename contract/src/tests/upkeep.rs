//! Re-shares, re-seals, limits, traces and views.

use alloy_primitives::{Address, FixedBytes, B256};
use alloy_sol_types::{SolError, SolEvent};

use super::{host::*, *};

#[test]
fn a_reshare_needs_an_approval_in_force() {
    approved();
    let other = B256::repeat_byte(0x66);
    let reshare = || reshare_IRsCall {
        sharedImage: other,
        expiresAt: START + 100,
        ..super::reshare()
    };
    refused(PATIENT, reshare(), PcacTooSoon { retryAt: START + 1 });
    set_now(START + 1);
    let stale = reshare_IRsCall {
        decidedAt: START - 1,
        ..reshare()
    };
    let changed = PcacRequestChanged {
        at: START,
        publicKey: FixedBytes::repeat_byte(0x4b),
        notesDigest: FixedBytes::ZERO,
    };
    refused(PATIENT, stale, changed);
    refused(
        REQUESTER,
        reshare(),
        PcacNotPatient {
            caller: REQUESTER,
            acting: PATIENT,
        },
    );
    let past = reshare_IRsCall {
        expiresAt: START,
        ..reshare()
    };
    refused(
        PATIENT,
        past,
        PcacBadExpiry {
            expiresAt: START,
            now: START + 1,
            latest: (1 << 40) - 1,
        },
    );
    assert!(call(PATIENT, reshare()).unwrap());
    emitted(&[Reshared {
        requester: REQUESTER,
        image: IMAGE,
        sharedImage: other,
        expiresAt: START + 100,
    }
    .encode_log_data()]);
    let now = standing();
    assert_eq!(
        (now.status, now.decidedAt, now.expiresAt, now.sharedImage),
        (2, START + 1, START + 100, other)
    );
    set_now(START + 100);
    let late = reshare_IRsCall {
        expiresAt: 0,
        ..reshare()
    };
    refused(
        PATIENT,
        late,
        PcacNotApproved {
            requester: REQUESTER,
            image: IMAGE,
        },
    );
}

#[test]
fn a_reseal_is_the_patients_to_announce() {
    registered();
    let root = B256::repeat_byte(0x12);
    let reseal = |image, root| reseal_imageCall {
        image,
        root,
        emergency: KEY,
        round: 0,
    };
    refused(
        STRANGER,
        reseal(IMAGE, root),
        PcacNotPatient {
            caller: STRANGER,
            acting: PATIENT,
        },
    );
    refused(
        PATIENT,
        reseal(root, root),
        PcacUnknownImage { image: root },
    );
    refused(PATIENT, reseal(IMAGE, B256::ZERO), PcacZero { argument: 1 });
    call(PATIENT, reseal(IMAGE, root)).unwrap();
    emitted(&[ImageResealed {
        image: IMAGE,
        root,
        emergency: KEY,
        round: 1,
    }
    .encode_log_data()]);
    let stale = PcacRoundChanged {
        wanted: 0,
        round: 1,
    };
    refused(PATIENT, reseal(IMAGE, root), stale);
}

#[test]
fn a_limit_counts_approvals_and_not_reshares() {
    registered();
    let limit = |approvals, window_seconds| set_approval_limitCall {
        image: IMAGE,
        approvals,
        windowSeconds: window_seconds,
        round: image_round(),
    };
    refused(
        STRANGER,
        limit(1, 1),
        PcacNotPatient {
            caller: STRANGER,
            acting: PATIENT,
        },
    );
    for (approvals, window_seconds) in [(1, 0), (1 << 24, 1), (u32::MAX, u32::MAX)] {
        let bad = PcacBadLimit {
            approvals,
            windowSeconds: window_seconds,
        };
        refused(PATIENT, limit(approvals, window_seconds), bad);
    }
    call(PATIENT, limit(1, 100)).unwrap();
    emitted(&[ApprovalLimitSet {
        image: IMAGE,
        approvals: 1,
        windowSeconds: 100,
        round: 1,
    }
    .encode_log_data()]);
    let record = call(STRANGER, image_recordCall { image: IMAGE }).unwrap();
    assert_eq!((record.patient, record.registeredAt), (PATIENT, START));
    assert_eq!((record.approvalLimit, record.windowSeconds), (1, 100));

    let approve = |requester: Address| {
        call(requester, request()).unwrap();
        call(PATIENT, approval_of(requester))
    };
    assert_eq!(approve(REQUESTER), Ok(true));
    set_now(START + 1);
    assert!(call(PATIENT, reshare()).unwrap());
    let reached = PcacApprovalLimitReached {
        limit: 1,
        retryAt: START + 100,
    }
    .abi_encode();
    assert_eq!(approve(STRANGER), Err(reached));
    call(PATIENT, limit(1, 200)).unwrap();
    assert_eq!(
        approve(STRANGER),
        Ok(true),
        "setting the limit restarts the window"
    );
    call(PATIENT, limit(0, 0)).unwrap();
    for byte in 1..4 {
        assert_eq!(
            approve(Address::repeat_byte(byte)),
            Ok(true),
            "0 lifts the limit"
        );
    }
}

#[test]
fn a_trace_is_recorded_for_the_requester_and_the_patient_only() {
    approved();
    let trace = |patient, requester| trace_authorizationCall {
        patient,
        requester,
        image: IMAGE,
    };
    refused(
        STRANGER,
        trace(PATIENT, REQUESTER),
        PcacNotRequesterOrPatient { caller: STRANGER },
    );
    refused(
        REQUESTER,
        trace(STRANGER, REQUESTER),
        PcacWrongOwner {
            image: IMAGE,
            wanted: STRANGER,
            owner: PATIENT,
        },
    );
    for caller in [REQUESTER, PATIENT] {
        assert!(call(caller, trace(PATIENT, REQUESTER)).unwrap());
        emitted(&[AuthorizationSuccess {
            requester: REQUESTER,
            image: IMAGE,
            info: "Authorized to access image".into(),
            patient: PATIENT,
        }
        .encode_log_data()]);
    }
    assert!(
        call(PATIENT, trace(PATIENT, PATIENT)).unwrap(),
        "proof of ownership"
    );
    call(
        PATIENT,
        remove_IRsCall {
            requester: REQUESTER,
            image: IMAGE,
        },
    )
    .unwrap();
    assert!(!call(REQUESTER, trace(PATIENT, REQUESTER)).unwrap());
    emitted(&[AuthorizationFailed {
        requester: REQUESTER,
        image: IMAGE,
        info: "Image is not authorized to access".into(),
        patient: PATIENT,
    }
    .encode_log_data()]);
    let unknown = trace_authorizationCall {
        image: KEY,
        ..trace(PATIENT, REQUESTER)
    };
    refused(REQUESTER, unknown, PcacUnknownImage { image: KEY });
}

#[test]
fn the_free_view_is_false_for_what_is_unknown_or_wrong() {
    approved();
    let asked = |patient, requester, image| {
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
    assert!(asked(PATIENT, REQUESTER, IMAGE));
    assert!(asked(PATIENT, PATIENT, IMAGE));
    assert!(!asked(STRANGER, REQUESTER, IMAGE));
    assert!(!asked(PATIENT, STRANGER, IMAGE));
    assert!(!asked(PATIENT, REQUESTER, KEY));
    assert!(!asked(Address::ZERO, Address::ZERO, KEY));
    assert!(!asked(Address::ZERO, Address::ZERO, B256::ZERO));
    let record = call(STRANGER, image_recordCall { image: KEY }).unwrap();
    assert!(record.patient.is_zero());
}
