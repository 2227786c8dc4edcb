//! How a grant moves from state to state, and when it ends.

use alloy_primitives::{B256, FixedBytes, aliases::B128};

use super::upkeep::reshare;
use crate::chain::{Chain, Event, IMAGE, IPcac, KEY, Refusal, SHARED, assert_refused, digest};

const DAY: u64 = 86_400;
const NONE: u8 = 0;
const REQUESTED: u8 = 1;
const APPROVED: u8 = 2;
const DENIED: u8 = 3;
const REMOVED: u8 = 4;

#[tokio::test]
async fn a_request_opens_after_none_denied_removed_and_expiry() {
    let chain = Chain::with_image().await;
    assert_eq!(chain.grant().await.status, NONE);
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    let grant = chain.grant().await;
    assert_eq!(
        (grant.status, grant.requestedAt),
        (REQUESTED, chain.now().await)
    );
    assert_eq!(grant.publicKey, B128::from_slice(&KEY[..16]));
    assert_eq!(grant.sharedImage, B256::ZERO);

    chain.send(&chain.patient, &chain.denial()).await.unwrap();
    assert_eq!(chain.grant().await.status, DENIED);
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    assert_eq!(chain.grant().await.status, REQUESTED);

    chain.send(&chain.patient, &chain.removal()).await.unwrap();
    assert_eq!(chain.grant().await.status, REMOVED);
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    assert_eq!(chain.grant().await.status, REQUESTED);

    let expires = chain.now().await + DAY;
    chain
        .send(&chain.patient, &chain.approval(expires))
        .await
        .unwrap();
    let grant = chain.grant().await;
    assert_eq!(
        (grant.status, grant.decidedAt, grant.expiresAt),
        (APPROVED, chain.now().await, expires)
    );
    assert_eq!(grant.sharedImage, SHARED);
    chain.later(DAY).await;
    let done = chain.send(&chain.doctor, &chain.request()).await.unwrap();
    assert!(!done.returned);
    assert_eq!(done.events.len(), 1);
    assert_eq!(chain.grant().await.status, REQUESTED);
}

#[tokio::test]
async fn an_authorized_requestor_learns_so_and_nothing_changes() {
    let chain = Chain::with_approval().await;
    let before = chain.grant().await;
    let done = chain
        .send(
            &chain.doctor,
            &IPcac::requesting_accessCall {
                publicKey: digest(9),
                ..chain.request()
            },
        )
        .await
        .unwrap();
    assert!(done.returned);
    assert!(done.events.is_empty());
    let after = chain.grant().await;
    assert_eq!(
        (before.status, before.publicKey, before.requestedAt),
        (after.status, after.publicKey, after.requestedAt)
    );
}

#[tokio::test]
async fn an_open_request_takes_a_new_key_and_the_patient_cannot_be_tricked_by_it() {
    let chain = Chain::with_request().await;
    let other = digest(5);
    let done = chain
        .send(
            &chain.doctor,
            &IPcac::requesting_accessCall {
                publicKey: other,
                ..chain.request()
            },
        )
        .await
        .unwrap();
    assert!(!done.returned);
    assert_eq!(done.events.len(), 1);
    assert_refused!(chain.send(&chain.patient, &chain.approval(0)).await,
        Refusal::PcacKeyChanged(e) if e.wanted == KEY && e.requested == FixedBytes::<16>::from_slice(&other[..16]));
    let approval = IPcac::approve_IRsCall {
        publicKey: other,
        ..chain.approval(0)
    };
    assert!(
        chain
            .send(&chain.patient, &approval)
            .await
            .unwrap()
            .returned
    );
}

#[tokio::test]
async fn the_patient_cannot_request_his_own_image() {
    let chain = Chain::with_image().await;
    assert_refused!(
        chain.send(&chain.patient, &chain.request()).await,
        Refusal::PcacOwnImage(_)
    );
}

#[tokio::test]
async fn approving_needs_an_open_request() {
    let chain = Chain::with_image().await;
    let refused = |result| async {
        assert_refused!(result, Refusal::PcacNoRequest(e) if e.requester == chain.doctor.address && e.image == IMAGE);
    };
    refused(chain.send(&chain.patient, &chain.approval(0)).await).await;
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    chain.send(&chain.patient, &chain.denial()).await.unwrap();
    refused(chain.send(&chain.patient, &chain.approval(0)).await).await;
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    chain.send(&chain.patient, &chain.removal()).await.unwrap();
    refused(chain.send(&chain.patient, &chain.approval(0)).await).await;
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    let expires = chain.now().await + DAY;
    chain
        .send(&chain.patient, &chain.approval(expires))
        .await
        .unwrap();
    chain.later(DAY).await;
    refused(chain.send(&chain.patient, &chain.approval(0)).await).await;
}

#[tokio::test]
async fn approving_the_authorized_returns_false_and_changes_nothing() {
    let chain = Chain::with_approval().await;
    let again = IPcac::approve_IRsCall {
        sharedImage: digest(3),
        ..chain.approval(0)
    };
    let done = chain.send(&chain.patient, &again).await.unwrap();
    assert!(!done.returned);
    assert!(done.events.is_empty());
    assert_eq!(chain.grant().await.sharedImage, SHARED);
}

#[tokio::test]
async fn an_approval_carries_its_notes() {
    let chain = Chain::with_request().await;
    let approval = IPcac::approve_IRsCall {
        notes: "HRESCH".into(),
        ..chain.approval(0)
    };
    let done = chain.send(&chain.patient, &approval).await.unwrap();
    let [Event::Requestaccepted(_), Event::Approved(approved)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(approved.info, "HRESCH");
}

#[tokio::test]
async fn denying_without_an_open_request_returns_false() {
    let chain = Chain::with_image().await;
    for _ in 0..2 {
        let done = chain.send(&chain.patient, &chain.denial()).await.unwrap();
        assert!(!done.returned && done.events.is_empty());
        chain.send(&chain.doctor, &chain.request()).await.unwrap();
        assert!(
            chain
                .send(&chain.patient, &chain.denial())
                .await
                .unwrap()
                .returned
        );
    }
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    chain
        .send(&chain.patient, &chain.approval(0))
        .await
        .unwrap();
    assert!(
        !chain
            .send(&chain.patient, &chain.denial())
            .await
            .unwrap()
            .returned
    );
    assert!(chain.authorized().await);
}

#[tokio::test]
async fn removing_ends_requests_and_approvals_expired_or_not_and_nothing_else() {
    let chain = Chain::with_image().await;
    let nothing = async || {
        let done = chain.send(&chain.patient, &chain.removal()).await.unwrap();
        assert!(!done.returned && done.events.is_empty());
    };
    let something = async || {
        let done = chain.send(&chain.patient, &chain.removal()).await.unwrap();
        assert!(done.returned);
        assert_eq!(done.events.len(), 2);
        assert_eq!(chain.grant().await.status, REMOVED);
    };
    nothing().await;
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    something().await;
    nothing().await;
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    chain.send(&chain.patient, &chain.denial()).await.unwrap();
    nothing().await;
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    chain
        .send(&chain.patient, &chain.approval(0))
        .await
        .unwrap();
    something().await;
    chain.send(&chain.doctor, &chain.request()).await.unwrap();
    let expires = chain.now().await + DAY;
    chain
        .send(&chain.patient, &chain.approval(expires))
        .await
        .unwrap();
    chain.later(DAY).await;
    something().await;
}
// ---- expiry ----

#[tokio::test]
async fn an_approval_ends_at_its_second() {
    let chain = Chain::with_request().await;
    let expires = chain.now().await + 1_000;
    chain
        .send(&chain.patient, &chain.approval(expires))
        .await
        .unwrap();
    assert!(chain.authorized().await);
    assert!(
        chain
            .send(&chain.doctor, &chain.trace())
            .await
            .unwrap()
            .returned
    );
    chain.later(1_000).await;
    let done = chain.send(&chain.doctor, &chain.trace()).await.unwrap();
    assert!(!done.returned);
    assert!(matches!(
        done.events.as_slice(),
        [Event::AuthorizationFailed(_)]
    ));
    assert!(!chain.authorized().await);
    assert_eq!(chain.grant().await.status, APPROVED);
}

#[tokio::test]
async fn an_expiry_lies_in_the_future_and_below_2_pow_40() {
    let chain = Chain::with_request().await;
    for expires in [1, chain.now().await, 1 << 40, u64::MAX] {
        assert_refused!(chain.send(&chain.patient, &chain.approval(expires)).await,
            Refusal::PcacBadExpiry(e) if e.expiresAt == expires && e.now >= chain.now().await - 1);
    }
    let last = (1 << 40) - 1;
    assert!(
        chain
            .send(&chain.patient, &chain.approval(last))
            .await
            .unwrap()
            .returned
    );
    assert_eq!(chain.grant().await.expiresAt, last);
    for expires in [1, 1 << 40] {
        let reshare = reshare(&chain, SHARED, expires);
        assert_refused!(chain.send(&chain.patient, &reshare).await, Refusal::PcacBadExpiry(e) if e.expiresAt == expires);
    }
}
