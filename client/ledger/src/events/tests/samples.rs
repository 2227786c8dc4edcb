//! Every event of both versions, as logged and as read.

use alloy_primitives::LogData;
use alloy_sol_types::SolEvent;

use super::*;

/// Every event, as the contract would log it and as it should be read.
pub(super) fn all() -> Vec<(LogData, Event)> {
    let (patient, requestor, radiologist) = (PATIENT, READER, Address::repeat_byte(0xd3));
    let image: B256 = IMAGE.0.into();
    let other: B256 = OTHER.0.into();
    let key: B256 = B256::repeat_byte(0x44);
    let info = || String::from("Grüße");
    let attestation = || Bytes::from(vec![0x77; 8_192]);
    let (image_, shared_image, public_key) = (IMAGE, OTHER, BlockDigest(key.0));
    vec![
        (
            sol::ContractCreated {
                patient,
                image,
                radiologist,
                seal: key,
                attestation: attestation(),
                replaces: 8,
                info: info(),
            }
            .encode_log_data(),
            Event::ContractCreated {
                patient,
                image: image_,
                radiologist,
                seal: Seal(key.0),
                attestation: Some(attestation()),
                replaces: Some(8),
                info: info(),
            },
        ),
        (
            sol::RequestedForApproval {
                requester: requestor,
                patient,
                image,
                publicKey: key,
                info: info(),
            }
            .encode_log_data(),
            Event::RequestedForApproval {
                requestor,
                patient,
                image: image_,
                public_key,
                info: info(),
            },
        ),
        (
            sol::Requestaccepted {
                patient,
                image,
                info: info(),
            }
            .encode_log_data(),
            Event::Requestaccepted {
                patient,
                image: image_,
                info: info(),
            },
        ),
        (
            sol::Approved {
                requester: requestor,
                image,
                publicKey: key,
                sharedImage: other,
                expiresAt: u64::MAX,
                info: info(),
            }
            .encode_log_data(),
            Event::Approved {
                requestor,
                image: image_,
                public_key,
                shared_image,
                expires_at: u64::MAX,
                info: info(),
            },
        ),
        (
            sol::Requestdenied {
                patient,
                image,
                info: info(),
            }
            .encode_log_data(),
            Event::Requestdenied {
                patient,
                image: image_,
                info: info(),
            },
        ),
        (
            sol::Reason {
                requester: requestor,
                image,
                info: info(),
            }
            .encode_log_data(),
            Event::Reason {
                requestor,
                image: image_,
                info: info(),
            },
        ),
        (
            sol::AuthorizationSuccess {
                requester: requestor,
                image,
                info: info(),
                patient,
            }
            .encode_log_data(),
            Event::AuthorizationSuccess {
                requestor,
                image: image_,
                info: info(),
                patient,
            },
        ),
        (
            sol::AuthorizationFailed {
                requester: requestor,
                image,
                info: info(),
                patient,
            }
            .encode_log_data(),
            Event::AuthorizationFailed {
                requestor,
                image: image_,
                info: info(),
                patient,
            },
        ),
        (
            sol::UserRemoved {
                requester: requestor,
                patient,
                image,
                info: info(),
            }
            .encode_log_data(),
            Event::UserRemoved {
                requestor,
                patient,
                image: image_,
                info: info(),
            },
        ),
        (
            sol::Reshared {
                requester: requestor,
                image,
                sharedImage: other,
                expiresAt: 9,
            }
            .encode_log_data(),
            Event::Reshared {
                requestor,
                image: image_,
                shared_image,
                expires_at: 9,
            },
        ),
        (
            sol::ImageResealed {
                image,
                root: other,
                emergency: key,
                round: 4,
            }
            .encode_log_data(),
            Event::ImageResealed {
                image: image_,
                root: shared_image,
                emergency: Some(key),
                round: Some(4),
            },
        ),
        (
            sol::ApprovalLimitSet {
                image,
                approvals: 3,
                windowSeconds: 60,
                round: 5,
            }
            .encode_log_data(),
            Event::ApprovalLimitSet {
                image: image_,
                approvals: 3,
                window_seconds: 60,
                round: Some(5),
            },
        ),
        (
            sol::RadiologistAccredited {
                radiologist,
                status: 3,
                since: 77,
            }
            .encode_log_data(),
            Event::RadiologistAccredited {
                radiologist,
                accredited: false,
                status: Some(3),
                since: Some(77),
            },
        ),
        (
            sol::ConsortiumTransferred {
                from: patient,
                to: requestor,
            }
            .encode_log_data(),
            Event::ConsortiumTransferred {
                from: patient,
                to: requestor,
            },
        ),
        (
            sol::ConsortiumOffered {
                from: patient,
                to: requestor,
            }
            .encode_log_data(),
            Event::ConsortiumOffered {
                from: patient,
                to: requestor,
            },
        ),
        (
            sol::ImageImported {
                patient,
                image,
                registeredAt: 6,
                flags: 1,
                tag: 9,
            }
            .encode_log_data(),
            Event::ImageImported {
                patient,
                image: image_,
                registered_at: 6,
                flags: 1,
                tag: 9,
            },
        ),
        (
            sol::ImageFlagged {
                image,
                by: radiologist,
                flags: 2,
                reason: 7,
                round: 6,
            }
            .encode_log_data(),
            Event::ImageFlagged {
                image: image_,
                by: radiologist,
                flags: 2,
                reason: 7,
                round: 6,
            },
        ),
        (
            sol::EmergencyOpened {
                requester: requestor,
                patient,
                image,
                publicKey: key,
                until: 99,
                reasonCode: other,
            }
            .encode_log_data(),
            Event::EmergencyOpened {
                requestor,
                patient,
                image: image_,
                public_key,
                until: 99,
                reason_code: other,
            },
        ),
        (
            sol::Acted {
                patient,
                by: radiologist,
            }
            .encode_log_data(),
            Event::Acted {
                patient,
                by: radiologist,
            },
        ),
        (
            sol::AccountChanged {
                patient,
                by: radiologist,
                kind: 4,
                round: 7,
                ripe: 8,
                lockedUntil: 9,
                data: other,
            }
            .encode_log_data(),
            Event::AccountChanged {
                patient,
                by: radiologist,
                kind: 4,
                round: 7,
                ripe: 8,
                locked_until: 9,
                data: other,
            },
        ),
        (
            sol::AccountMoved {
                patient,
                from: radiologist,
                to: requestor,
            }
            .encode_log_data(),
            Event::AccountMoved {
                patient,
                from: radiologist,
                to: requestor,
            },
        ),
    ]
}

/// Events that version 1 logs otherwise than version 2.
fn first() -> Vec<(LogData, Event)> {
    let (patient, radiologist) = (PATIENT, Address::repeat_byte(0xd3));
    let (image, other): (B256, B256) = (IMAGE.0.into(), OTHER.0.into());
    vec![
        (
            v1::ContractCreated {
                patient,
                image,
                radiologist,
                seal: other,
                info: "CT".into(),
            }
            .encode_log_data(),
            Event::ContractCreated {
                patient,
                image: IMAGE,
                radiologist,
                seal: Seal(other.0),
                attestation: None,
                replaces: None,
                info: "CT".into(),
            },
        ),
        (
            v1::ImageResealed { image, root: other }.encode_log_data(),
            Event::ImageResealed {
                image: IMAGE,
                root: OTHER,
                emergency: None,
                round: None,
            },
        ),
        (
            v1::ApprovalLimitSet {
                image,
                approvals: 3,
                windowSeconds: 60,
            }
            .encode_log_data(),
            Event::ApprovalLimitSet {
                image: IMAGE,
                approvals: 3,
                window_seconds: 60,
                round: None,
            },
        ),
        (
            v1::RadiologistAccredited {
                radiologist,
                accredited: true,
            }
            .encode_log_data(),
            Event::RadiologistAccredited {
                radiologist,
                accredited: true,
                status: None,
                since: None,
            },
        ),
    ]
}

/// The events of both versions.
pub(super) fn every() -> Vec<(LogData, Event)> {
    [all(), first()].concat()
}
