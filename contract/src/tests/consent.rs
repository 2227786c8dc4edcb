//! Requests, decisions, limits and traces.

use alloy_primitives::{Address, FixedBytes, B256};
use alloy_sol_types::{SolCall, SolError, SolEvent};

use super::{host::*, *};

#[test]
fn a_request_opens_and_its_key_can_be_changed_until_it_is_decided() {
    requested();
    emitted(&[RequestedForApproval {
        requester: REQUESTER,
        patient: PATIENT,
        image: IMAGE,
        publicKey: KEY,
        info: "TREAT".into(),
    }
    .encode_log_data()]);
    assert_eq!(standing().status, 1);
    set_now(START + 10);
    let other = B256::repeat_byte(0x99);
    assert!(!call(
        REQUESTER,
        requesting_accessCall {
            publicKey: other,
            ..request()
        }
    )
    .unwrap());
    let now = standing();
    assert_eq!(
        (now.status, now.requestedAt, now.decidedAt, now.expiresAt),
        (1, START, 0, 0)
    );
    assert_eq!(now.publicKey, FixedBytes::repeat_byte(0x99));
    let changed = PcacKeyChanged {
        wanted: KEY,
        requested: FixedBytes::repeat_byte(0x99),
    };
    refused(PATIENT, approval(), changed);
    assert!(call(
        PATIENT,
        approve_IRsCall {
            publicKey: other,
            ..approval()
        }
    )
    .unwrap());
}

#[test]
fn a_request_is_refused_for_the_first_reason_in_order() {
    registered();
    let unknown = B256::repeat_byte(0x77);
    let bad = requesting_accessCall {
        image: unknown,
        patient: STRANGER,
        ..request()
    };
    refused(PATIENT, bad, PcacUnknownImage { image: unknown });
    let bad = requesting_accessCall {
        patient: STRANGER,
        ..request()
    };
    refused(PATIENT, bad.clone(), PcacOwnImage {});
    refused(
        REQUESTER,
        bad,
        PcacWrongOwner {
            image: IMAGE,
            wanted: STRANGER,
            owner: PATIENT,
        },
    );
    refused(PATIENT, request(), PcacOwnImage {});
    for (argument, bad) in [
        requesting_accessCall {
            patient: Address::ZERO,
            ..request()
        },
        requesting_accessCall {
            image: B256::ZERO,
            ..request()
        },
        requesting_accessCall {
            publicKey: B256::ZERO,
            ..request()
        },
    ]
    .into_iter()
    .enumerate()
    {
        refused(
            PATIENT,
            bad,
            PcacZero {
                argument: argument as u8,
            },
        );
    }
}

#[test]
fn an_approval_takes_two_slots_and_two_events() {
    requested();
    let before = slots();
    set_now(START + 5);
    assert!(call(
        PATIENT,
        approve_IRsCall {
            expiresAt: START + 50,
            ..approval()
        }
    )
    .unwrap());
    emitted(&[
        Requestaccepted {
            patient: PATIENT,
            image: IMAGE,
            info: "approved by patient.".into(),
        }
        .encode_log_data(),
        Approved {
            requester: REQUESTER,
            image: IMAGE,
            publicKey: KEY,
            sharedImage: SHARED,
            expiresAt: START + 50,
            info: "Authorized to access image".into(),
        }
        .encode_log_data(),
    ]);
    assert_eq!(slots(), before + 1, "the request's slot and one more");
    let now = standing();
    assert_eq!(
        (now.status, now.decidedAt, now.expiresAt),
        (2, START + 5, START + 50)
    );
    assert_eq!(
        (now.publicKey, now.sharedImage),
        (FixedBytes::repeat_byte(0x4b), SHARED)
    );
    set_now(START + 49);
    assert!(authorized());
    set_now(START + 50);
    assert!(!authorized());
}

#[test]
fn an_approval_carries_the_patients_notes() {
    requested();
    call(
        PATIENT,
        approve_IRsCall {
            notes: "two weeks".into(),
            ..approval()
        },
    )
    .unwrap();
    let event = Approved::decode_log_data(&logs()[1]).unwrap();
    assert_eq!(event.info, "two weeks");
}

#[test]
fn who_is_authorized_is_neither_approved_nor_asked_again() {
    approved();
    let before = standing().abi();
    set_now(START + 9);
    assert!(!call(PATIENT, approval()).unwrap());
    emitted(&[]);
    assert!(call(
        REQUESTER,
        requesting_accessCall {
            publicKey: SEAL,
            ..request()
        }
    )
    .unwrap());
    emitted(&[]);
    assert_eq!(standing().abi(), before);
}

#[test]
fn an_approval_is_refused_for_the_first_reason_in_order() {
    requested();
    set_now(START);
    refused(
        STRANGER,
        approval(),
        PcacNotPatient {
            caller: STRANGER,
            patient: PATIENT,
        },
    );
    for expires_at in [1, START, 1 << 40, u64::MAX] {
        let bad = approve_IRsCall {
            expiresAt: expires_at,
            publicKey: SEAL,
            ..approval()
        };
        refused(
            PATIENT,
            bad,
            PcacBadExpiry {
                expiresAt: expires_at,
                now: START,
            },
        );
    }
    let bad = approve_IRsCall {
        requester: STRANGER,
        ..approval()
    };
    refused(
        PATIENT,
        bad,
        PcacNoRequest {
            requester: STRANGER,
            image: IMAGE,
        },
    );
    for (argument, bad) in [
        approve_IRsCall {
            requester: Address::ZERO,
            ..approval()
        },
        approve_IRsCall {
            image: B256::ZERO,
            ..approval()
        },
        approve_IRsCall {
            publicKey: B256::ZERO,
            ..approval()
        },
        approve_IRsCall {
            sharedImage: B256::ZERO,
            ..approval()
        },
    ]
    .into_iter()
    .enumerate()
    {
        refused(
            STRANGER,
            bad,
            PcacZero {
                argument: argument as u8,
            },
        );
    }
}

#[test]
fn a_denial_says_why_and_needs_an_open_request() {
    registered();
    let denial = || deny_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
        reason: "why?".into(),
    };
    assert!(!call(PATIENT, denial()).unwrap());
    emitted(&[]);
    call(REQUESTER, request()).unwrap();
    refused(
        STRANGER,
        denial(),
        PcacNotPatient {
            caller: STRANGER,
            patient: PATIENT,
        },
    );
    assert!(call(PATIENT, denial()).unwrap());
    emitted(&[
        Requestdenied {
            patient: PATIENT,
            image: IMAGE,
            info: "Failed to be approved by patient".into(),
        }
        .encode_log_data(),
        Reason {
            requester: REQUESTER,
            image: IMAGE,
            info: "why?".into(),
        }
        .encode_log_data(),
    ]);
    assert_eq!(standing().status, 3);
    assert!(!call(PATIENT, denial()).unwrap());
    refused(
        PATIENT,
        approval(),
        PcacNoRequest {
            requester: REQUESTER,
            image: IMAGE,
        },
    );
}

#[test]
fn a_removal_ends_a_request_or_an_approval_and_takes_the_share_along() {
    let removal = || remove_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
    };
    registered();
    assert!(!call(PATIENT, removal()).unwrap());
    for expires_at in [None, Some(0), Some(START + 10)] {
        set_now(START);
        call(REQUESTER, request()).unwrap();
        if let Some(expires_at) = expires_at {
            call(
                PATIENT,
                approve_IRsCall {
                    expiresAt: expires_at,
                    ..approval()
                },
            )
            .unwrap();
        }
        set_now(START + 20);
        refused(
            STRANGER,
            removal(),
            PcacNotPatient {
                caller: STRANGER,
                patient: PATIENT,
            },
        );
        assert!(call(PATIENT, removal()).unwrap());
        emitted(&[
            UserRemoved {
                requester: REQUESTER,
                patient: PATIENT,
                image: IMAGE,
                info: "removed".into(),
            }
            .encode_log_data(),
            Reason {
                requester: REQUESTER,
                image: IMAGE,
                info: "Contract expired".into(),
            }
            .encode_log_data(),
        ]);
        let now = standing();
        assert_eq!(
            (now.status, now.decidedAt, now.sharedImage),
            (4, START + 20, B256::ZERO)
        );
        assert!(!authorized());
        assert!(!call(PATIENT, removal()).unwrap());
    }
}

#[test]
fn a_new_request_follows_denial_removal_and_expiry() {
    requested();
    call(
        PATIENT,
        deny_IRsCall {
            requester: REQUESTER,
            image: IMAGE,
            reason: String::new(),
        },
    )
    .unwrap();
    set_now(START + 1);
    assert!(!call(REQUESTER, request()).unwrap());
    assert_eq!((standing().status, standing().requestedAt), (1, START + 1));
    call(
        PATIENT,
        remove_IRsCall {
            requester: REQUESTER,
            image: IMAGE,
        },
    )
    .unwrap();
    set_now(START + 2);
    assert!(!call(REQUESTER, request()).unwrap());
    call(
        PATIENT,
        approve_IRsCall {
            expiresAt: START + 3,
            ..approval()
        },
    )
    .unwrap();
    set_now(START + 3);
    assert!(!call(REQUESTER, request()).unwrap());
    let now = standing();
    assert_eq!(
        (now.status, now.requestedAt, now.decidedAt, now.expiresAt),
        (1, START + 3, 0, 0)
    );
    assert_eq!(now.sharedImage, B256::ZERO);
}

#[test]
fn a_reshare_needs_an_approval_in_force() {
    approved();
    let other = B256::repeat_byte(0x66);
    let reshare = || reshare_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
        sharedImage: other,
        expiresAt: START + 100,
    };
    refused(
        REQUESTER,
        reshare(),
        PcacNotPatient {
            caller: REQUESTER,
            patient: PATIENT,
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
            now: START,
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
        (now.status, now.expiresAt, now.sharedImage),
        (2, START + 100, other)
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
    let reseal = |image, root| reseal_imageCall { image, root };
    refused(
        STRANGER,
        reseal(IMAGE, root),
        PcacNotPatient {
            caller: STRANGER,
            patient: PATIENT,
        },
    );
    refused(
        PATIENT,
        reseal(root, root),
        PcacUnknownImage { image: root },
    );
    refused(PATIENT, reseal(IMAGE, B256::ZERO), PcacZero { argument: 1 });
    call(PATIENT, reseal(IMAGE, root)).unwrap();
    emitted(&[ImageResealed { image: IMAGE, root }.encode_log_data()]);
}

#[test]
fn a_limit_counts_approvals_and_not_reshares() {
    registered();
    let limit = |approvals, window_seconds| set_approval_limitCall {
        image: IMAGE,
        approvals,
        windowSeconds: window_seconds,
    };
    refused(
        STRANGER,
        limit(1, 1),
        PcacNotPatient {
            caller: STRANGER,
            patient: PATIENT,
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
    }
    .encode_log_data()]);
    let record = call(STRANGER, image_recordCall { image: IMAGE }).unwrap();
    assert_eq!((record.patient, record.registeredAt), (PATIENT, START));
    assert_eq!((record.approvalLimit, record.windowSeconds), (1, 100));

    let approve = |requester: Address| {
        call(requester, request()).unwrap();
        call(
            PATIENT,
            approve_IRsCall {
                requester,
                ..approval()
            },
        )
    };
    assert_eq!(approve(REQUESTER), Ok(true));
    let reshare = reshare_IRsCall {
        requester: REQUESTER,
        image: IMAGE,
        sharedImage: SEAL,
        expiresAt: 0,
    };
    assert!(call(PATIENT, reshare).unwrap());
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
