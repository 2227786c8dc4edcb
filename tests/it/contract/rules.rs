//! The rules of the contract: who may register, how a grant moves from state to state, limits, expiry, the consortium.

use alloy_primitives::{Address, B256, Bytes, FixedBytes, aliases::B128};
use ethers::types::H160;

use crate::chain::{
    Chain, Event, IMAGE, IPcac, KEY, NOBODY, Refusal, Revert, SEAL, SHARED, assert_refused, digest,
};

const DAY: u64 = 86_400;
const NONE: u8 = 0;
const REQUESTED: u8 = 1;
const APPROVED: u8 = 2;
const DENIED: u8 = 3;
const REMOVED: u8 = 4;

// ---- registration ----

#[tokio::test]
async fn only_the_patient_registers_and_only_once() {
    let chain = Chain::start().await;
    let call = chain.registration(IMAGE);
    assert_refused!(chain.send(&chain.stranger, &call).await,
        Refusal::PcacNotPatient(e) if e.caller == chain.stranger.address && e.patient == chain.patient.address);
    chain.send(&chain.patient, &call).await.unwrap();
    assert_refused!(chain.send(&chain.patient, &call).await,
        Refusal::PcacImageTaken(e) if e.image == IMAGE && e.owner == chain.patient.address);
    let theft = chain.registration_by(IMAGE, chain.stranger.address, &chain.radiologist);
    assert_refused!(chain.send(&chain.stranger, &theft).await,
        Refusal::PcacImageTaken(e) if e.owner == chain.patient.address);
}

#[tokio::test]
async fn an_attestation_binds_image_patient_seal_and_radiologist() {
    let chain = Chain::start().await;
    let good = chain.registration(IMAGE);
    let forgeries: Vec<(&str, Bytes)> = vec![
        (
            "another image",
            chain.attest(&chain.radiologist, digest(1), chain.patient.address, SEAL),
        ),
        (
            "another patient",
            chain.attest(&chain.radiologist, IMAGE, chain.stranger.address, SEAL),
        ),
        (
            "another seal",
            chain.attest(&chain.radiologist, IMAGE, chain.patient.address, digest(2)),
        ),
        (
            "another signer",
            chain.attest(&chain.stranger, IMAGE, chain.patient.address, SEAL),
        ),
        ("nothing", Bytes::new()),
        ("one byte short", good.attestation[..64].to_vec().into()),
        (
            "one byte long",
            [&good.attestation[..], &[0]].concat().into(),
        ),
        (
            "recovery id 29",
            [&good.attestation[..64], &[29]].concat().into(),
        ),
        ("the mirrored s", mirrored(&good.attestation)),
    ];
    for (what, attestation) in forgeries {
        let call = IPcac::create_contractCall {
            attestation,
            ..good.clone()
        };
        let result = chain.send(&chain.patient, &call).await;
        assert!(
            matches!(&result, Err(Revert::Typed(Refusal::PcacBadAttestation(e))) if e.radiologist == chain.radiologist.address),
            "{what}: {result:?}"
        );
    }
    chain.send(&chain.patient, &good).await.unwrap();
}

/// The other signature of the same digest: n − s, and the other recovery id.
fn mirrored(signature: &[u8]) -> Bytes {
    use alloy_primitives::{U256, uint};
    let n: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);
    let s = n - U256::from_be_slice(&signature[32..64]);
    let v = if signature[64] == 27 { 28 } else { 27 };
    [&signature[..32], &s.to_be_bytes::<32>(), &[v]]
        .concat()
        .into()
}

#[tokio::test]
async fn the_radiologist_must_be_accredited_when_the_image_is_registered() {
    let chain = Chain::start().await;
    let by_stranger = chain.registration_by(IMAGE, chain.patient.address, &chain.stranger);
    assert_refused!(chain.send(&chain.patient, &by_stranger).await,
        Refusal::PcacNotAccredited(e) if e.radiologist == chain.stranger.address);
    let withdraw = IPcac::accredit_radiologistCall {
        radiologist: chain.radiologist.address,
        accredited: false,
    };
    let done = chain.send(&chain.consortium, &withdraw).await.unwrap();
    let [Event::RadiologistAccredited(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(
        (event.radiologist, event.accredited),
        (chain.radiologist.address, false)
    );
    assert_refused!(chain.send(&chain.patient, &chain.registration(IMAGE)).await,
        Refusal::PcacNotAccredited(e) if e.radiologist == chain.radiologist.address);
}

/// ERC-1271: an accredited contract account answers the magic value, nothing, another value, or reverts.
#[tokio::test]
async fn a_contract_account_attests_by_erc_1271() {
    let chain = Chain::start().await;
    let accounts = [
        ("the magic value", "631626ba7e60e01b5f5260205ff3", true),
        ("another value", "63deadbeef60e01b5f5260205ff3", false),
        (
            "the magic value and dirty bytes",
            "631626ba7e5f5260205ff3",
            false,
        ),
        ("four bytes only", "631626ba7e60e01b5f5260045ff3", false),
        ("nothing", "00", false),
        ("a revert", "5f5ffd", false),
    ];
    for (n, (what, runtime, accepted)) in (0u64..).zip(accounts) {
        let account = deploy_runtime(&chain, runtime).await;
        let accredit = IPcac::accredit_radiologistCall {
            radiologist: account,
            accredited: true,
        };
        chain.send(&chain.consortium, &accredit).await.unwrap();
        let call = IPcac::create_contractCall {
            radiologist: account,
            attestation: vec![7; 100].into(),
            ..chain.registration(digest(n))
        };
        match chain.send(&chain.patient, &call).await {
            Ok(done) => assert!(accepted && done.returned, "{what}"),
            Err(Revert::Typed(Refusal::PcacBadAttestation(e))) => {
                assert!(!accepted && e.radiologist == account, "{what}")
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// Deploys EVM runtime code, given in hex.
async fn deploy_runtime(chain: &Chain, runtime: &str) -> Address {
    let runtime = hex::decode(runtime).unwrap();
    let length = u8::try_from(runtime.len()).unwrap();
    // PUSH1 length, DUP1, PUSH1 9, PUSH0, CODECOPY, PUSH0, RETURN
    let init = [
        &[0x60, length, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3],
        runtime.as_slice(),
    ]
    .concat();
    let receipt = chain.create(&chain.stranger, init).await;
    Address::from(receipt.contract_address.unwrap_or(H160::zero()).0)
}

// ---- the life of a grant ----

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

// ---- reshare and reseal ----

fn reshare(chain: &Chain, shared: B256, expires_at: u64) -> IPcac::reshare_IRsCall {
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
