//! Figures 5 to 9 of the paper, event by event: request accepted, request denied, authorization success, authorization failed.

use crate::chain::{Chain, Event, IMAGE, IPcac, KEY, SEAL, SHARED};

/// Figure 4, block 1: the image is registered.
#[tokio::test]
async fn create_contract_logs_the_owner_the_radiologist_and_the_seal() {
    let chain = Chain::start().await;
    let done = chain
        .send(&chain.patient, &chain.registration(IMAGE))
        .await
        .unwrap();
    assert!(done.returned);
    let [Event::ContractCreated(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(event.patient, chain.patient.address);
    assert_eq!(event.image, IMAGE);
    assert_eq!(event.radiologist, chain.radiologist.address);
    assert_eq!(event.seal, SEAL);
    assert_eq!(event.info, "CT CHEST");

    let record = chain
        .call(&chain.stranger, &IPcac::image_recordCall { image: IMAGE })
        .await
        .unwrap();
    assert_eq!(record.patient, chain.patient.address);
    assert_eq!(record.registeredAt, chain.now().await);
    assert_eq!((record.approvalLimit, record.windowSeconds), (0, 0));
}

/// Figure 4, blocks 2 and 3: a request.
#[tokio::test]
async fn requesting_access_logs_the_key_and_the_purpose() {
    let chain = Chain::with_image().await;
    let done = chain.send(&chain.doctor, &chain.request()).await.unwrap();
    assert!(!done.returned);
    let [Event::RequestedForApproval(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(event.requester, chain.doctor.address);
    assert_eq!(event.patient, chain.patient.address);
    assert_eq!(event.image, IMAGE);
    assert_eq!(event.publicKey, KEY);
    assert_eq!(event.info, "TREAT");
}

/// Figure 6, case 1: request accepted.
#[tokio::test]
async fn figure_6_request_accepted() {
    let chain = Chain::with_request().await;
    let done = chain
        .send(&chain.patient, &chain.approval(0))
        .await
        .unwrap();
    assert!(done.returned);
    let [Event::Requestaccepted(accepted), Event::Approved(approved)] = done.events.as_slice()
    else {
        panic!("{:?}", done.events)
    };
    assert_eq!(accepted.patient, chain.patient.address);
    assert_eq!(accepted.image, IMAGE);
    assert_eq!(accepted.info, "approved by patient.");
    assert_eq!(approved.requester, chain.doctor.address);
    assert_eq!(approved.image, IMAGE);
    assert_eq!(approved.publicKey, KEY);
    assert_eq!(approved.sharedImage, SHARED);
    assert_eq!(approved.expiresAt, 0);
    assert_eq!(approved.info, "Authorized to access image");
    assert!(chain.authorized().await);
}

/// Figure 7, case 2: request denied.
#[tokio::test]
async fn figure_7_request_denied() {
    let chain = Chain::with_request().await;
    let done = chain.send(&chain.patient, &chain.denial()).await.unwrap();
    assert!(done.returned);
    let [Event::Requestdenied(denied), Event::Reason(reason)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(denied.patient, chain.patient.address);
    assert_eq!(denied.image, IMAGE);
    assert_eq!(denied.info, "Failed to be approved by patient");
    assert_eq!(reason.requester, chain.doctor.address);
    assert_eq!(reason.image, IMAGE);
    assert_eq!(reason.info, "not my doctor");
    assert!(!chain.authorized().await);
}

/// Figure 8, case 3: authorization success.
#[tokio::test]
async fn figure_8_authorization_success() {
    let chain = Chain::with_approval().await;
    for who in [&chain.doctor, &chain.patient] {
        let done = chain.send(who, &chain.trace()).await.unwrap();
        assert!(done.returned);
        let [Event::AuthorizationSuccess(event)] = done.events.as_slice() else {
            panic!("{:?}", done.events)
        };
        assert_eq!(event.requester, chain.doctor.address);
        assert_eq!(event.image, IMAGE);
        assert_eq!(event.info, "Authorized to access image");
        assert_eq!(event.patient, chain.patient.address);
    }
}

/// Figure 9, case 4: authorization failed, here because the requestor was removed (Figure 4, block 7).
#[tokio::test]
async fn figure_9_authorization_failed_after_removal() {
    let chain = Chain::with_approval().await;
    let done = chain.send(&chain.patient, &chain.removal()).await.unwrap();
    assert!(done.returned);
    let [Event::UserRemoved(removed), Event::Reason(reason)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(removed.requester, chain.doctor.address);
    assert_eq!(removed.patient, chain.patient.address);
    assert_eq!(removed.image, IMAGE);
    assert_eq!(removed.info, "removed");
    assert_eq!(reason.requester, chain.doctor.address);
    assert_eq!(reason.image, IMAGE);
    assert_eq!(reason.info, "Contract expired");

    let done = chain.send(&chain.doctor, &chain.trace()).await.unwrap();
    assert!(!done.returned);
    let [Event::AuthorizationFailed(event)] = done.events.as_slice() else {
        panic!("{:?}", done.events)
    };
    assert_eq!(event.requester, chain.doctor.address);
    assert_eq!(event.image, IMAGE);
    assert_eq!(event.info, "Image is not authorized to access");
    assert_eq!(event.patient, chain.patient.address);
    assert!(!chain.authorized().await);
}
