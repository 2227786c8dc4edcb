//! Logs of both versions of the contract as events.

use alloy_sol_types::{SolEvent, SolEventInterface};

use super::{MAX_DATA_BYTES, is_known};
use crate::Accreditation;
use crate::abi::v1::IPcac as v1;
use crate::abi::v2::IPcac::IPcacEvents as E;
use pcim_core::{B256, BlockDigest, Event, ImageDigest, Seal};

/// Decodes a log of the contract; `None` if it is no event of the known interfaces.
///
/// # Errors
/// Why a known event could not be read.
pub(crate) fn decode(topics: &[B256], data: &[u8]) -> Result<Option<Event>, String> {
    let Some(&topic) = topics.first().filter(|topic| is_known(**topic)) else {
        return Ok(None);
    };
    if data.len() > MAX_DATA_BYTES {
        let found = data.len();
        return Err(format!("{found} bytes of data, at most {MAX_DATA_BYTES}"));
    }
    let event = of_v1(topic, topics, data).unwrap_or_else(|| {
        let event = E::decode_raw_log(topics, data);
        event.map(of_v2)
    });
    event.map(Some).map_err(|e| e.to_string())
}

/// Version 1, where it differs from version 2.
fn of_v1(topic: B256, topics: &[B256], data: &[u8]) -> Option<alloy_sol_types::Result<Event>> {
    let image = |digest: B256| ImageDigest(digest.0);
    let topics = topics.iter().copied();
    Some(match topic {
        v1::ContractCreated::SIGNATURE_HASH => v1::ContractCreated::decode_raw_log(topics, data)
            .map(|e| Event::ContractCreated {
                patient: e.patient,
                image: image(e.image),
                radiologist: e.radiologist,
                seal: Seal(e.seal.0),
                attestation: None,
                replaces: None,
                info: e.info,
            }),
        v1::ImageResealed::SIGNATURE_HASH => {
            v1::ImageResealed::decode_raw_log(topics, data).map(|e| Event::ImageResealed {
                image: image(e.image),
                root: image(e.root),
                emergency: None,
                round: None,
            })
        }
        v1::ApprovalLimitSet::SIGNATURE_HASH => v1::ApprovalLimitSet::decode_raw_log(topics, data)
            .map(|e| Event::ApprovalLimitSet {
                image: image(e.image),
                approvals: e.approvals,
                window_seconds: e.windowSeconds,
                round: None,
            }),
        v1::RadiologistAccredited::SIGNATURE_HASH => {
            v1::RadiologistAccredited::decode_raw_log(topics, data).map(|e| {
                Event::RadiologistAccredited {
                    radiologist: e.radiologist,
                    accredited: e.accredited,
                    status: None,
                    since: None,
                }
            })
        }
        _ => return None,
    })
}

/// Version 2.
fn of_v2(event: E) -> Event {
    let image = |digest: B256| ImageDigest(digest.0);
    match event {
        E::ContractCreated(e) => Event::ContractCreated {
            patient: e.patient,
            image: image(e.image),
            radiologist: e.radiologist,
            seal: Seal(e.seal.0),
            attestation: Some(e.attestation),
            replaces: Some(e.replaces),
            info: e.info,
        },
        E::RequestedForApproval(e) => Event::RequestedForApproval {
            requestor: e.requester,
            patient: e.patient,
            image: image(e.image),
            public_key: BlockDigest(e.publicKey.0),
            info: e.info,
        },
        E::Requestaccepted(e) => Event::Requestaccepted {
            patient: e.patient,
            image: image(e.image),
            info: e.info,
        },
        E::Approved(e) => Event::Approved {
            requestor: e.requester,
            image: image(e.image),
            public_key: BlockDigest(e.publicKey.0),
            shared_image: image(e.sharedImage),
            expires_at: e.expiresAt,
            info: e.info,
        },
        E::Requestdenied(e) => Event::Requestdenied {
            patient: e.patient,
            image: image(e.image),
            info: e.info,
        },
        E::Reason(e) => Event::Reason {
            requestor: e.requester,
            image: image(e.image),
            info: e.info,
        },
        E::AuthorizationSuccess(e) => Event::AuthorizationSuccess {
            requestor: e.requester,
            image: image(e.image),
            info: e.info,
            patient: e.patient,
        },
        E::AuthorizationFailed(e) => Event::AuthorizationFailed {
            requestor: e.requester,
            image: image(e.image),
            info: e.info,
            patient: e.patient,
        },
        E::UserRemoved(e) => Event::UserRemoved {
            requestor: e.requester,
            patient: e.patient,
            image: image(e.image),
            info: e.info,
        },
        E::Reshared(e) => Event::Reshared {
            requestor: e.requester,
            image: image(e.image),
            shared_image: image(e.sharedImage),
            expires_at: e.expiresAt,
        },
        E::ImageResealed(e) => Event::ImageResealed {
            image: image(e.image),
            root: image(e.root),
            emergency: Some(e.emergency),
            round: Some(e.round),
        },
        E::ApprovalLimitSet(e) => Event::ApprovalLimitSet {
            image: image(e.image),
            approvals: e.approvals,
            window_seconds: e.windowSeconds,
            round: Some(e.round),
        },
        E::RadiologistAccredited(e) => Event::RadiologistAccredited {
            radiologist: e.radiologist,
            accredited: e.status == Accreditation::Accredited as u8,
            status: Some(e.status),
            since: Some(e.since),
        },
        E::ConsortiumTransferred(e) => Event::ConsortiumTransferred {
            from: e.from,
            to: e.to,
        },
        E::ConsortiumOffered(e) => Event::ConsortiumOffered {
            from: e.from,
            to: e.to,
        },
        E::ImageImported(e) => Event::ImageImported {
            patient: e.patient,
            image: image(e.image),
            registered_at: e.registeredAt,
            flags: e.flags,
            tag: e.tag,
        },
        E::ImageFlagged(e) => Event::ImageFlagged {
            image: image(e.image),
            by: e.by,
            flags: e.flags,
            reason: e.reason,
            round: e.round,
        },
        E::EmergencyOpened(e) => Event::EmergencyOpened {
            requestor: e.requester,
            patient: e.patient,
            image: image(e.image),
            public_key: BlockDigest(e.publicKey.0),
            until: e.until,
            reason_code: e.reasonCode,
        },
        E::Acted(e) => Event::Acted {
            patient: e.patient,
            by: e.by,
        },
        E::AccountChanged(e) => Event::AccountChanged {
            patient: e.patient,
            by: e.by,
            kind: e.kind,
            round: e.round,
            ripe: e.ripe,
            locked_until: e.lockedUntil,
            data: e.data,
        },
        E::AccountMoved(e) => Event::AccountMoved {
            patient: e.patient,
            from: e.from,
            to: e.to,
        },
    }
}
