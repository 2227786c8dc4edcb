//! Refusals of the client, with everything else of the protocol in place: nothing reaches the chain or a file.

use std::time::Duration;

use pcim_client::papers::handover::{self, Addressee, Handover, HandoverFacts};
use pcim_client::papers::request::Purpose;
use pcim_client::{AccessRequest, Actor, Error};
use pcim_core::{ImageDigest, Seal};

use crate::actors::{DEMO, DOCTOR, OTHER, World, blocks, card, chain_of, image_of, limits, v4_key};
use crate::chain::{IPcac, v2};

/// Whether nobody registered the image.
async fn unregistered(world: &World, image: &ImageDigest) -> bool {
    let ledger = world.patient.ledger().await.unwrap();
    ledger.image_record(image).await.unwrap().is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_4_requestor_is_told_that_the_body_is_not_for_his_certificate() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut old = world.actor_with("old", DOCTOR, &v4_key()).await;
    let fingerprint = card(&old).await.certificate.fingerprint();
    world.ask(&mut old, image).await;
    let pending = world.patient.patient().requests().await.unwrap();
    assert_eq!(pending[0].document_error, None);

    let before = blocks(&world.patient);
    let refused = world
        .patient
        .patient()
        .approve(&image, old.address(), 0)
        .await;
    assert!(
        matches!(&refused, Err(Error::ReaderLacksV2 { fingerprint: found }) if *found == fingerprint),
        "{refused:?}"
    );
    assert_eq!(blocks(&world.patient), before, "nothing was written");
    // The request is still open: the patient may deny it, or he may ask with a newer key.
    assert_eq!(world.patient.patient().requests().await.unwrap().len(), 1);
    world
        .patient
        .patient()
        .deny(&image, old.address(), "")
        .await
        .unwrap()
        .mined()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_4_patient_and_a_version_4_requestor_share_a_body_of_version_1() {
    let mut world = World::start_with(Some(&v4_key())).await;
    let (sealed, _) = world.registered(DEMO).await;
    let mut old = world.actor_with("old", DOCTOR, &v4_key()).await;
    world.ask(&mut old, sealed.image).await;
    let decision = world
        .patient
        .patient()
        .approve(&sealed.image, old.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(decision.new_bytes <= 2048, "{} bytes", decision.new_bytes);
    let (opened, bytes) = world.fetched(&old, &sealed.image, "opened.dcm").await;
    assert!(bytes == DEMO);
    let signer = card(&world.radiologist).await.certificate.fingerprint();
    assert_eq!(opened.signer, signer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_swapped_after_the_review_is_not_approved() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, image).await;
    let reviewed = world.patient.patient().requests().await.unwrap()[0].public_key;

    let again = IPcac::requesting_accessCall {
        patient: world.patient.address(),
        image: image.to_b256(),
        publicKey: alloy_primitives::B256::repeat_byte(7),
        notes: "TREAT".into(),
    };
    world.chain.later(1).await;
    world.chain.done_2(&world.chain.doctor, &again).await;
    let before = blocks(&world.patient);
    let refused = world
        .patient
        .patient()
        .approve_certificate(&image, doctor.address(), Some(reviewed), 0)
        .await;
    assert!(
        matches!(&refused, Err(Error::CertificateChanged { reviewed: r, requested }) if *r == reviewed && requested != r),
        "{refused:?}"
    );
    assert_eq!(blocks(&world.patient), before, "nothing was written");

    // The old certificate again, in another request: she has to look at it.
    world.ask(&mut doctor, image).await;
    let patient = world.patient.patient();
    let unseen = patient
        .approve_certificate(&image, doctor.address(), Some(reviewed), 0)
        .await;
    assert!(
        matches!(unseen, Err(Error::RequestChanged { .. })),
        "{unseen:?}"
    );
    assert_eq!(patient.requests().await.unwrap().len(), 1);
    patient
        .approve_certificate(&image, doctor.address(), Some(reviewed), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_is_for_its_patient_only() {
    let world = World::start().await;
    let sealed = world.seal(DEMO, true).await;
    let doctor = world.actor("doctor", DOCTOR).await;
    let stolen = doctor.patient().register(&sealed.handover, None).await;
    assert!(
        matches!(&stolen, Err(Error::Handover(error)) if matches!(**error, handover::Error::NotForThisKey(_))),
        "{stolen:?}"
    );
    assert!(unregistered(&world, &sealed.image).await);
    let cut = &sealed.handover[..sealed.handover.len() / 2];
    assert!(matches!(
        world.patient.patient().register(cut, None).await,
        Err(Error::Handover(_))
    ));
    assert!(unregistered(&world, &sealed.image).await);

    world
        .patient
        .patient()
        .register(&sealed.handover, None)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let again = world
        .patient
        .patient()
        .register(&sealed.handover, None)
        .await;
    let patient = world.patient.address();
    assert!(
        matches!(again, Err(Error::ImageTaken { owner, .. }) if owner == patient),
        "{again:?}"
    );
}

/// A handover for the patient by `issuer`, about an image that is not necessarily his.
async fn handover_by(world: &World, issuer: &Actor, image: ImageDigest, seal: Seal) -> Vec<u8> {
    let patient = card(&world.patient).await;
    let facts = HandoverFacts {
        version: pcim_ledger::Version::V2,
        replaces: 0,
        to: Addressee {
            patient: patient.address,
            chain_id: world.chain.devnet.chain_id(),
            contract: world.chain.contract,
        },
        reader: &patient.certificate,
        image,
        seal,
        description: "CT",
        predecessor: None,
        identity: None,
        account: None,
    };
    let keys = issuer.unlocked().keys();
    let card = issuer.unlocked().card().await.unwrap();
    Handover::issue(facts, card, &keys.account, &keys.openpgp).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signature_inside_must_be_the_attesting_radiologists() {
    let world = World::start().await;
    let sealed = world.seal(DEMO, true).await;
    let mallory = world.actor("mallory", OTHER).await;
    let forged = handover_by(&world, &mallory, sealed.image, sealed.seal).await;

    let result = world.patient.patient().register(&forged, None).await;
    let address = mallory.address();
    assert!(
        matches!(result, Err(Error::NotAccredited { radiologist }) if radiologist == address),
        "{result:?}"
    );
    // Accredited, he passes off a colleague's image as his own.
    let accredit = world.chain.accreditation_2(address);
    let consortium = &world.chain.consortium;
    world.chain.done_2(consortium, &accredit).await;
    let radiologist = card(&world.radiologist).await;
    world.patient.dial(&radiologist.peers).await.unwrap();
    let result = world.patient.patient().register(&forged, None).await;
    let (his, signed_by) = (
        card(&mallory).await.certificate.fingerprint(),
        radiologist.certificate.fingerprint(),
    );
    assert!(
        matches!(&result, Err(Error::SignerMismatch { wanted, found }) if *wanted == his && *found == signed_by),
        "{result:?}"
    );
    // Another seal than the image's is refused too.
    let other = Seal([7; 32]);
    let wrong = handover_by(&world, &world.radiologist, sealed.image, other).await;
    let result = world.patient.patient().register(&wrong, None).await;
    assert!(
        matches!(result, Err(Error::SealMismatch { wanted, found }) if (wanted, found) == (other, sealed.seal)),
        "{result:?}"
    );
    assert!(unregistered(&world, &sealed.image).await);
    world
        .patient
        .patient()
        .register(&sealed.handover, None)
        .await
        .unwrap()
        .mined()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_points_to_another_image_is_not_opened() {
    let mut world = World::start().await;
    let (wanted, _) = world.registered(DEMO).await;
    let (other, _) = world.registered(&image_of(64)).await;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, other.image).await;
    let decision = world
        .patient
        .patient()
        .approve(&other.image, doctor.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let asked = world.ask(&mut doctor, wanted.image).await;

    // The contract cannot know what a root holds.
    let ledger = world.patient.ledger().await.unwrap();
    let open = ledger.grant(&wanted.image, doctor.address()).await.unwrap();
    let misleading = v2::IPcac::approve_IRsCall {
        requester: doctor.address(),
        image: wanted.image.0.into(),
        publicKey: asked.public_key.0.into(),
        requestedAt: open.requested_at,
        notesDigest: open.notes_digest.0.into(),
        sharedImage: decision.shared_image.0.into(),
        expiresAt: 0,
        notes: String::new(),
    };
    world.chain.done_2(&world.chain.patient, &misleading).await;
    assert!(doctor.status(&wanted.image, None).await.unwrap().authorized);
    let result = doctor
        .requestor()
        .fetch(&wanted.image, &world.target("opened.dcm"))
        .await;
    assert!(
        matches!(result, Err(Error::SealMismatch { wanted: w, found: f }) if (w, f) == (wanted.seal, other.seal)),
        "{result:?}"
    );
    assert!(!world.path("opened.dcm").exists());
    // The one he was shown opens as what it is.
    world.fetched(&doctor, &other.image, "other.dcm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_block_was_swapped_on_the_serving_node_is_not_opened() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, image).await;
    let decision = world
        .patient
        .patient()
        .approve(&image, doctor.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    // The patient's node serves alone.
    let gone = world.actor("stand-in", OTHER).await;
    std::mem::replace(&mut world.radiologist, gone)
        .shutdown()
        .await;
    // The header and the root come before the damage, so that only the body can fail.
    let node = doctor.node().await.unwrap();
    let root = node
        .get_root(&decision.shared_image, crate::actors::WAIT)
        .await
        .unwrap();

    let body = blocks(&world.patient).remove(&root.body.cid).unwrap();
    let good = std::fs::read(&body.path).unwrap();
    let mut swapped = good.clone();
    swapped[good.len() / 2] ^= 1;
    std::fs::write(&body.path, &swapped).unwrap();

    let result = world
        .patient
        .patient()
        .open_own(&image, &world.target("own.dcm"))
        .await;
    let error = chain_of(&result.unwrap_err());
    assert!(
        error.contains(&root.body.cid) && error.contains("damaged"),
        "{error}"
    );
    assert!(!world.path("own.dcm").exists());

    let doctor = doctor.with_limits(limits(Duration::from_secs(2)));
    let result = doctor
        .requestor()
        .fetch(&image, &world.target("opened.dcm"))
        .await;
    let error = chain_of(&result.unwrap_err());
    assert!(error.contains(&root.body.cid), "{error}");
    assert!(!world.path("opened.dcm").exists());
    assert!(!blocks(&doctor).contains_key(&root.body.cid));

    std::fs::write(&body.path, &good).unwrap();
    let doctor = doctor.with_limits(limits(crate::actors::WAIT));
    let (_, bytes) = world.fetched(&doctor, &image, "opened.dcm").await;
    assert!(bytes == DEMO);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cannot_be_are_refused_before_anything_is_sent() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    let before = world
        .patient
        .ledger()
        .await
        .unwrap()
        .block_number()
        .await
        .unwrap();
    let request = |image| AccessRequest {
        image,
        purpose: Purpose::Treat,
        name: None,
        note: None,
        delegates: Vec::new(),
    };
    let patient = card(&world.patient).await;
    let nothing = ImageDigest([9; 32]);
    let result = doctor.requestor().request(&patient, request(nothing)).await;
    assert!(matches!(result, Err(Error::UnknownImage { image }) if image == nothing));
    // The card of somebody who does not own it.
    let other = card(&world.radiologist).await;
    let result = doctor
        .requestor()
        .request(&other, request(sealed.image))
        .await;
    assert!(matches!(result, Err(Error::NotMine { .. })), "{result:?}");
    let result = doctor
        .patient()
        .approve(&sealed.image, doctor.address(), 0)
        .await;
    assert!(matches!(result, Err(Error::NotMine { .. })), "{result:?}");
    let result = world
        .patient
        .patient()
        .approve(&sealed.image, doctor.address(), 0)
        .await;
    assert!(
        matches!(result, Err(Error::NoOpenRequest { .. })),
        "{result:?}"
    );
    let result = world
        .patient
        .patient()
        .revoke(&sealed.image, doctor.address())
        .await;
    assert!(
        matches!(result, Err(Error::NothingToRevoke { .. })),
        "{result:?}"
    );
    assert_eq!(
        world
            .patient
            .ledger()
            .await
            .unwrap()
            .block_number()
            .await
            .unwrap(),
        before,
        "no transaction was sent"
    );

    world.ask(&mut doctor, sealed.image).await;
    world
        .patient
        .patient()
        .approve(&sealed.image, doctor.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let result = doctor
        .requestor()
        .request(&patient, request(sealed.image))
        .await;
    assert!(
        matches!(result, Err(Error::AlreadyAuthorized { .. })),
        "{result:?}"
    );
    let result = world
        .patient
        .patient()
        .approve(&sealed.image, doctor.address(), 0)
        .await;
    assert!(
        matches!(result, Err(Error::AlreadyAuthorized { .. })),
        "{result:?}"
    );
}
