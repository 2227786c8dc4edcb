//! The patient's upkeep of an image, the approval limit, tracing and views, and the consortium.

use alloy_primitives::{Address, B256};

use crate::chain::{
    Chain, Event, IMAGE, IPcac, NOBODY, Refusal, Revert, SHARED, assert_refused, digest,
};

const DAY: u64 = 86_400;
const APPROVED: u8 = 2;

// ---- reshare and reseal ----

pub(super) fn reshare(chain: &Chain, shared: B256, expires_at: u64) -> IPcac::reshare_IRsCall {
    IPcac::reshare_IRsCall {
        requester: chain.doctor.address,
        image: IMAGE,
        sharedImage: shared,
        expiresAt: expires_at,
    }
}

#[tokio::test]
async fn resharing_replaces_root_and_expiry_of_an_approval_in_force() {
    let chain = Chain::with_request().await;
    let refused = |result| async {
        assert_refused!(result, Refusal::PcacNotApproved(e) if e.requester == chain.doctor.address && e.image == IMAGE);
    };
    refused(
        chain
            .send(&chain.patient, &reshare(&chain, digest(1), 0))
            .await,
    )
    .await;
    let expires = chain.now().await + DAY;
    chain
        .send(&chain.patient, &chain.approval(expires))
        .await
        .unwrap();
    let done = chain
        .send(&chain.patient, &reshare(&chain, digest(1), expires + DAY))
        .await
        .unwrap();
    assert!(done.returned);
    let [Event::Reshared(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(
        (event.requester, event.image),
        (chain.doctor.address, IMAGE)
    );
    assert_eq!(
        (event.sharedImage, event.expiresAt),
        (digest(1), expires + DAY)
    );
    let grant = chain.grant().await;
    assert_eq!(
        (grant.status, grant.sharedImage, grant.expiresAt),
        (APPROVED, digest(1), expires + DAY)
    );
    chain.later(2 * DAY).await;
    refused(
        chain
            .send(&chain.patient, &reshare(&chain, SHARED, 0))
            .await,
    )
    .await;
}

#[tokio::test]
async fn resealing_announces_the_new_root() {
    let chain = Chain::with_image().await;
    let call = IPcac::reseal_imageCall {
        image: IMAGE,
        root: digest(8),
    };
    let done = chain.send(&chain.patient, &call).await.unwrap();
    let [Event::ImageResealed(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!((event.image, event.root), (IMAGE, digest(8)));
}

// ---- the approval limit ----

fn limit(approvals: u32, window: u32) -> IPcac::set_approval_limitCall {
    IPcac::set_approval_limitCall {
        image: IMAGE,
        approvals,
        windowSeconds: window,
    }
}

/// Requests and approves again (removing first, if need be).
async fn approve_once_more(chain: &Chain) -> Result<bool, Revert> {
    chain.send(&chain.patient, &chain.removal()).await.unwrap();
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    chain
        .send(&chain.patient, &chain.approval(0))
        .await
        .map(|done| done.returned)
}

#[tokio::test]
async fn a_limit_counts_approvals_in_a_window_that_starts_with_the_first() {
    let chain = Chain::with_image().await;
    let done = chain.send(&chain.patient, &limit(2, 3_600)).await.unwrap();
    let [Event::ApprovalLimitSet(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(
        (event.image, event.approvals, event.windowSeconds),
        (IMAGE, 2, 3_600)
    );
    let record = chain
        .call(&chain.stranger, &IPcac::image_recordCall { image: IMAGE })
        .await
        .unwrap();
    assert_eq!((record.approvalLimit, record.windowSeconds), (2, 3_600));

    chain.later(10_000).await;
    assert!(approve_once_more(&chain).await.unwrap());
    let opened = chain.now().await;
    assert!(approve_once_more(&chain).await.unwrap());
    // Resharing is free of the limit.
    chain
        .send(&chain.patient, &reshare(&chain, digest(1), 0))
        .await
        .unwrap();
    assert_refused!(approve_once_more(&chain).await,
        Refusal::PcacApprovalLimitReached(e) if e.limit == 2 && e.retryAt == opened + 3_600);
    // The refused approval left the request open; a later window takes it.
    chain.later(3_600).await;
    assert!(
        chain
            .send(&chain.patient, &chain.approval(0))
            .await
            .unwrap()
            .returned
    );
    assert!(approve_once_more(&chain).await.unwrap());
    assert_refused!(
        approve_once_more(&chain).await,
        Refusal::PcacApprovalLimitReached(_)
    );
}

#[tokio::test]
async fn setting_the_limit_restarts_the_window_and_zero_lifts_it() {
    let chain = Chain::with_image().await;
    chain.send(&chain.patient, &limit(1, 3_600)).await.unwrap();
    assert!(approve_once_more(&chain).await.unwrap());
    assert_refused!(
        approve_once_more(&chain).await,
        Refusal::PcacApprovalLimitReached(_)
    );
    chain.send(&chain.patient, &limit(1, 3_600)).await.unwrap();
    assert!(approve_once_more(&chain).await.unwrap());
    assert_refused!(
        approve_once_more(&chain).await,
        Refusal::PcacApprovalLimitReached(_)
    );
    chain.send(&chain.patient, &limit(0, 0)).await.unwrap();
    for _ in 0..3 {
        assert!(approve_once_more(&chain).await.unwrap());
    }
}

#[tokio::test]
async fn a_limit_fits_24_bits_and_has_a_window() {
    let chain = Chain::with_image().await;
    for (approvals, window) in [(1, 0), (1 << 24, 60), (u32::MAX, u32::MAX)] {
        assert_refused!(chain.send(&chain.patient, &limit(approvals, window)).await,
            Refusal::PcacBadLimit(e) if e.approvals == approvals && e.windowSeconds == window);
    }
    chain
        .send(&chain.patient, &limit((1 << 24) - 1, u32::MAX))
        .await
        .unwrap();
    let record = chain
        .call(&chain.stranger, &IPcac::image_recordCall { image: IMAGE })
        .await
        .unwrap();
    assert_eq!(
        (record.patient, record.approvalLimit, record.windowSeconds),
        (chain.patient.address, (1 << 24) - 1, u32::MAX)
    );
}

// ---- trace and views ----

#[tokio::test]
async fn the_owner_proves_ownership_by_tracing_himself() {
    let chain = Chain::with_image().await;
    let call = IPcac::trace_authorizationCall {
        requester: chain.patient.address,
        ..chain.trace()
    };
    let done = chain.send(&chain.patient, &call).await.unwrap();
    assert!(done.returned);
    let [Event::AuthorizationSuccess(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(
        (event.requester, event.patient),
        (chain.patient.address, chain.patient.address)
    );
}

#[tokio::test]
async fn nobody_traces_into_a_false_history() {
    let chain = Chain::with_approval().await;
    let unknown = IPcac::trace_authorizationCall {
        image: digest(1),
        ..chain.trace()
    };
    assert_refused!(chain.send(&chain.doctor, &unknown).await, Refusal::PcacUnknownImage(e) if e.image == digest(1));
    let wrong = IPcac::trace_authorizationCall {
        patient: chain.stranger.address,
        ..chain.trace()
    };
    assert_refused!(chain.send(&chain.doctor, &wrong).await,
        Refusal::PcacWrongOwner(e) if e.image == IMAGE && e.wanted == chain.stranger.address && e.owner == chain.patient.address);
    assert_refused!(chain.send(&chain.stranger, &chain.trace()).await,
        Refusal::PcacNotRequesterOrPatient(e) if e.caller == chain.stranger.address);
}

#[tokio::test]
async fn the_free_view_never_reverts() {
    let chain = Chain::with_approval().await;
    let truth = IPcac::is_authorizedCall {
        patient: chain.patient.address,
        requester: chain.doctor.address,
        image: IMAGE,
    };
    assert!(chain.call(&chain.stranger, &truth).await.unwrap());
    let owner = IPcac::is_authorizedCall {
        requester: chain.patient.address,
        ..truth.clone()
    };
    assert!(chain.call(&chain.stranger, &owner).await.unwrap());
    for lie in [
        IPcac::is_authorizedCall {
            image: digest(1),
            ..truth.clone()
        },
        IPcac::is_authorizedCall {
            patient: chain.stranger.address,
            ..truth.clone()
        },
        IPcac::is_authorizedCall {
            requester: chain.stranger.address,
            ..truth.clone()
        },
        IPcac::is_authorizedCall {
            image: B256::ZERO,
            patient: Address::ZERO,
            requester: Address::ZERO,
        },
        IPcac::is_authorizedCall {
            image: digest(1),
            patient: Address::ZERO,
            requester: Address::ZERO,
        },
    ] {
        assert!(!chain.call(&chain.stranger, &lie).await.unwrap(), "{lie:?}");
    }
}

#[tokio::test]
async fn requests_name_the_image_and_its_owner() {
    let chain = Chain::with_image().await;
    let unknown = IPcac::requesting_accessCall {
        image: digest(1),
        ..chain.request()
    };
    assert_refused!(chain.send(&chain.doctor, &unknown).await, Refusal::PcacUnknownImage(e) if e.image == digest(1));
    let wrong = IPcac::requesting_accessCall {
        patient: NOBODY,
        ..chain.request()
    };
    assert_refused!(chain.send(&chain.doctor, &wrong).await,
        Refusal::PcacWrongOwner(e) if e.wanted == NOBODY && e.owner == chain.patient.address);
}

// ---- the consortium ----

#[tokio::test]
async fn the_consortium_hands_over_and_keeps_nothing() {
    let chain = Chain::start().await;
    assert_eq!(
        chain
            .call(&chain.stranger, &IPcac::consortiumCall {})
            .await
            .unwrap(),
        chain.consortium.address
    );
    let transfer = IPcac::transfer_consortiumCall {
        to: chain.stranger.address,
    };
    let done = chain.send(&chain.consortium, &transfer).await.unwrap();
    let [Event::ConsortiumTransferred(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(
        (event.from, event.to),
        (chain.consortium.address, chain.stranger.address)
    );
    assert_refused!(chain.send(&chain.consortium, &transfer).await,
        Refusal::PcacNotConsortium(e) if e.caller == chain.consortium.address);
    let accredit = IPcac::accredit_radiologistCall {
        radiologist: NOBODY,
        accredited: true,
    };
    assert_refused!(
        chain.send(&chain.consortium, &accredit).await,
        Refusal::PcacNotConsortium(_)
    );
    chain.send(&chain.stranger, &accredit).await.unwrap();
    assert!(
        chain
            .call(
                &chain.patient,
                &IPcac::is_accreditedCall {
                    radiologist: NOBODY
                }
            )
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_constructor_runs_once() {
    let chain = Chain::start().await;
    let selector = &alloy_primitives::keccak256("stylus_constructor()")[..4];
    let data = [selector, &[0; 12], chain.stranger.address.as_slice()].concat();
    assert!(chain.call_raw(&chain.stranger, data.clone()).await.is_err());
    assert_eq!(
        chain
            .send_raw(&chain.stranger, data)
            .await
            .status
            .unwrap()
            .as_u64(),
        0
    );
    assert_eq!(
        chain
            .call(&chain.stranger, &IPcac::consortiumCall {})
            .await
            .unwrap(),
        chain.consortium.address
    );
}
