//! Requests and decisions.

use alloy_primitives::{Address, B256};
use alloy_sol_types::SolEvent;

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
        (1, START + 10, 0, 0),
        "another request"
    );
    assert_eq!(now.notesDigest, digest_of("TREAT"));
    assert_eq!(now.publicKey, FixedBytes::repeat_byte(0x99));
    let changed = PcacRequestChanged {
        at: START + 10,
        publicKey: FixedBytes::repeat_byte(0x99),
        notesDigest: digest_of("TREAT"),
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
            acting: PATIENT,
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
                latest: (1 << 40) - 1,
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
    for (bad, argument) in [
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
    .zip([0, 1, 2, 5])
    {
        refused(STRANGER, bad, PcacZero { argument });
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
            acting: PATIENT,
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
    for (n, expires_at) in [None, Some(0), Some(START + 210)].into_iter().enumerate() {
        let start = START + 100 * n as u64;
        set_now(start);
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
        set_now(start + 20);
        refused(
            STRANGER,
            removal(),
            PcacNotPatient {
                caller: STRANGER,
                acting: PATIENT,
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
            (4, start + 20, B256::ZERO)
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
