//! The account of a patient through the client: guardians and recovery, withdrawal, retraction, delegates, emergencies, signed
//! calls, and taking images over from version 1. Real homes, the contract's WASM.

use std::time::Duration;

use pcim_client::papers::recovery::{Agreement, RecoveryRequest};
use pcim_client::{Actor, Desk, Error, Outcome, SignedFate, Signing};
use pcim_core::{B256, GrantStatus, ImageDigest};
use pcim_ledger::{Account, Call, ChangeKind, Error as L, GuardianSet, Nonce, Revert};

use crate::actors::{DEMO, DOCTOR, OTHER, STRANGER, World, card};

const HOUR: u64 = 3600;

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Revert {
    match result {
        Err(Error::Ledger(L::Refused(revert))) => revert,
        other => panic!("not refused: {other:?}"),
    }
}

/// Moves the chain's clock.
async fn pass(world: &World, hours: u64) {
    world.chain.later(hours * HOUR).await;
}

async fn grant(world: &World, image: &ImageDigest, who: &Actor) -> GrantStatus {
    let ledger = world.patient.ledger().await.unwrap();
    ledger.grant(image, who.address()).await.unwrap().status
}

/// Guardians with keys of their own, any two of whom are enough.
fn guardians() -> (Vec<Account>, GuardianSet) {
    let keys: Vec<_> = (0..3).map(|_| Account::generate()).collect();
    let addresses = keys.iter().map(Account::address).collect();
    (keys, GuardianSet::draw(addresses, 2).unwrap())
}

#[tokio::test]
async fn a_stolen_key_is_locked_and_its_account_recovered() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, image).await;
    let patient = world.patient.address();
    let (keys, set) = guardians();
    let owner = world.patient.patient();
    let named = owner.set_guardians(Some(set.clone()), 72).await;
    assert!(named.unwrap().mined().is_some());
    let standing = world.patient.account_of(None).await.unwrap();
    assert_eq!(standing.record.commitment, set.commitment());
    assert_eq!(
        (standing.record.acting, standing.record.hours),
        (patient, 72)
    );

    // Two of three agree, by documents; one alone is not enough.
    let successor = world.actor("successor", OTHER).await;
    let terms = successor
        .recovery_terms(patient, true, 14 * 24 * HOUR)
        .await
        .unwrap();
    let json = serde_json::to_vec(&RecoveryRequest::new(terms.clone())).unwrap();
    let asked = RecoveryRequest::parse(&json).unwrap();
    let agree = |key: &Account| {
        let agreement = Agreement::sign(asked.terms.clone(), key).unwrap();
        let json = serde_json::to_vec(&agreement).unwrap();
        let read = Agreement::parse(&json).unwrap();
        (read.guardian, read.signature.into())
    };
    let (first, second) = (agree(&keys[0]), agree(&keys[2]));
    let alone = successor
        .unlocked()
        .start_recovery(&terms, &set, std::slice::from_ref(&first))
        .await;
    assert!(matches!(alone, Err(Error::Ledger(L::BadGuardians { .. }))));
    let started = successor
        .unlocked()
        .start_recovery(&terms, &set, &[first, second])
        .await;
    started.unwrap();
    let pending = world.patient.account_of(None).await.unwrap().record;
    assert!(pending.locked_until > 0);
    assert_eq!(pending.pending.unwrap().kind, ChangeKind::Recovery);

    // The thief gives nothing, does not withdraw and does not cancel; denying goes on.
    let thief = world.patient.patient();
    let stopped = refused(thief.approve(&image, doctor.address(), 0).await);
    assert!(matches!(stopped, Revert::Locked { .. }), "{stopped}");
    let stopped = refused(thief.withdraw(&image).await);
    assert!(matches!(stopped, Revert::Locked { .. }), "{stopped}");
    let stopped = refused(thief.cancel_change().await);
    assert!(matches!(stopped, Revert::Locked { .. }), "{stopped}");
    let denied = thief.deny(&image, doctor.address(), "").await.unwrap();
    assert!(denied.mined().is_some());

    // Not before the hours have passed.
    let early = successor.unlocked().finish_change(patient).await;
    assert!(
        matches!(early, Err(Error::NotRipe { last: Some(_), .. })),
        "{early:?}"
    );
    pass(&world, 73).await;
    successor.unlocked().finish_change(patient).await.unwrap();
    assert_eq!(successor.patient_address(), patient);
    let moved = successor.account_of(None).await.unwrap();
    assert_eq!(
        (moved.patient, moved.record.acting),
        (patient, successor.address())
    );
    assert!(moved.record.pending.is_none() && moved.record.locked_until == 0);

    // The replaced key is nobody; the successor decides.
    let nobody = refused(world.patient.patient().withdraw(&image).await);
    assert!(matches!(nobody, Revert::NotPatient { .. }), "{nobody}");
    successor.patient().withdraw(&image).await.unwrap();
    let again = successor.unlocked().finish_change(patient).await;
    assert!(
        matches!(again, Err(Error::NothingPending { .. })),
        "{again:?}"
    );
}

#[tokio::test]
async fn what_is_withdrawn_or_retracted_is_nobody_elses_until_it_is_back() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, image).await;
    let me = doctor.address();
    let patient = world.patient.patient();
    patient.approve(&image, me, 0).await.unwrap();
    assert!(doctor.status(&image, None).await.unwrap().authorized);

    patient.withdraw(&image).await.unwrap();
    let standing = doctor.status(&image, None).await.unwrap();
    assert!(!standing.authorized && standing.flags.withdrawn());
    assert!(
        doctor
            .requestor()
            .fetch(&image, &world.target("withdrawn"))
            .await
            .is_err()
    );
    let again = patient.withdraw(&image).await;
    assert!(
        matches!(again, Err(Error::AlreadyFlagged { .. })),
        "{again:?}"
    );
    patient.restore(&image).await.unwrap();
    assert!(doctor.status(&image, None).await.unwrap().authorized);

    world
        .radiologist
        .radiologist()
        .retract(&image, 3)
        .await
        .unwrap();
    assert!(doctor.status(&image, None).await.unwrap().flags.retracted());
    let to = card(&world.patient).await;
    let handover = world
        .radiologist
        .radiologist()
        .reattest(&image, &to, None)
        .await;
    let registered = patient.register(&handover.unwrap(), None).await.unwrap();
    assert!(registered.mined().is_some());
    // The approval stood.
    assert!(doctor.status(&image, None).await.unwrap().authorized);
    let opened = doctor
        .requestor()
        .fetch(&image, &world.target("again.dcm"))
        .await;
    assert_eq!(opened.unwrap().radiologist, world.radiologist.address());
    let twice = world
        .radiologist
        .radiologist()
        .reattest(&image, &to, None)
        .await;
    assert!(matches!(twice, Err(Error::NotRetracted { .. })));
}

#[tokio::test]
async fn a_desk_opens_in_an_emergency_and_the_patient_removes_it() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    let desk = world.actor("desk", STRANGER).await;
    let patient = world.patient.patient();
    let named = Desk {
        address: desk.address(),
        hours: 24,
    };
    patient.set_desk(Some(named)).await.unwrap();
    // Seventy-two hours pass before the desk may do anything.
    world.ask(&mut doctor, image).await;
    let me = doctor.address();
    let opens = async |lasts| {
        let desk = desk.requestor();
        desk.break_glass(&image, me, lasts, B256::repeat_byte(1))
            .await
    };
    let early = refused(opens(HOUR).await);
    assert!(matches!(early, Revert::NotDesk { .. }), "{early}");
    pass(&world, 73).await;
    patient
        .finish_change(world.patient.address())
        .await
        .unwrap();
    let standing = world.patient.account_of(None).await.unwrap();
    assert_eq!(standing.desk, Some(named));

    let long = refused(opens(25 * HOUR).await);
    assert!(
        matches!(
            long,
            Revert::BadExpiry {
                latest: Some(_),
                ..
            }
        ),
        "{long}"
    );
    opens(12 * HOUR).await.unwrap();
    assert_eq!(grant(&world, &image, &doctor).await, GrantStatus::Emergency);
    assert!(doctor.status(&image, None).await.unwrap().authorized);
    patient.revoke(&image, doctor.address()).await.unwrap();
    assert_eq!(grant(&world, &image, &doctor).await, GrantStatus::Removed);
    let none = opens(HOUR).await;
    assert!(matches!(none, Err(Error::NoOpenRequest { .. })), "{none:?}");

    // Given up by the requestor himself.
    world.ask(&mut doctor, image).await;
    opens(HOUR).await.unwrap();
    doctor.requestor().give_up(&image).await.unwrap();
    assert_eq!(grant(&world, &image, &doctor).await, GrantStatus::Removed);
    let nothing = doctor.requestor().give_up(&image).await;
    assert!(matches!(nothing, Err(Error::NothingToRevoke { .. })));
}

#[tokio::test]
async fn what_is_approved_is_the_request_that_was_shown() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, image).await;
    let patient = world.patient.patient();
    assert_eq!(patient.requests().await.unwrap().len(), 1);
    // The same key asks again, with another purpose.
    let open = world.patient.ledger().await.unwrap();
    let key = patient.requests().await.unwrap()[0].public_key;
    let again = Call::RequestingAccess {
        patient: world.patient.address(),
        image,
        public_key: key,
        notes: "HRESCH".to_owned(),
    };
    let shown = open.grant(&image, doctor.address()).await.unwrap();
    let signed = open
        .prepare(&doctor.unlocked().keys().account, &again, None)
        .await
        .unwrap();
    open.submit(&signed, Duration::from_secs(60)).await.unwrap();
    let changed = patient.approve(&image, doctor.address(), 0).await;
    assert!(
        matches!(changed, Err(Error::RequestChanged { reviewed, .. }) if reviewed == shown.requested_at),
        "{changed:?}"
    );
    assert_eq!(patient.requests().await.unwrap().len(), 1);
    patient.approve(&image, doctor.address(), 0).await.unwrap();
    assert_eq!(grant(&world, &image, &doctor).await, GrantStatus::Approved);
}

#[tokio::test]
async fn signed_calls_are_known_have_no_order_and_are_voided() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, image).await;
    let me = doctor.address();
    world
        .patient
        .patient()
        .approve(&image, me, 0)
        .await
        .unwrap();
    let relayer = world.actor("relayer", OTHER).await;

    let now = world.patient.ledger().await.unwrap().now().await.unwrap();
    let signing = |deadline| Signing {
        nonce: None,
        deadline,
    };
    world.patient = world.patient.with_signing(signing(Some(now + HOUR)));
    let short = world.patient.patient().revoke(&image, me).await;
    assert!(
        matches!(short, Err(Error::DeadlineTooSoon { .. })),
        "{short:?}"
    );
    world.patient = world.patient.with_signing(signing(Some(now + 48 * HOUR)));
    let long = world.patient.patient().limit(&image, 1, 60).await;
    assert!(
        matches!(long, Err(Error::DeadlineTooLate { .. })),
        "{long:?}"
    );

    world.patient = world.patient.with_signing(signing(None));
    let removal = match world.patient.patient().revoke(&image, me).await.unwrap() {
        Outcome::Signed(call) => call,
        Outcome::Mined(_) => panic!("sent"),
    };
    let limit = match world.patient.patient().limit(&image, 9, 60).await.unwrap() {
        Outcome::Signed(call) => call,
        Outcome::Mined(_) => panic!("sent"),
    };
    assert_ne!(removal.nonce, limit.nonce);
    let signed = world.patient.signed_calls().await.unwrap();
    let fates: Vec<_> = signed.iter().map(|it| it.fate).collect();
    assert_eq!(fates, [SignedFate::Open, SignedFate::Open]);

    // The later one is void, and the earlier one is done all the same.
    let voided = match world
        .patient
        .unlocked()
        .void_signed(&[limit.nonce])
        .await
        .unwrap()
    {
        Outcome::Signed(call) => call,
        Outcome::Mined(_) => panic!("sent"),
    };
    relayer.relayer().relay(&voided).await.unwrap();
    let found = relayer.relayer().relay(&limit).await.unwrap();
    assert!(
        matches!(found, pcim_client::Relayed::Used { next: None }),
        "{found:?}"
    );
    relayer.relayer().relay(&removal).await.unwrap();
    assert_eq!(grant(&world, &image, &doctor).await, GrantStatus::Removed);
    let found = relayer.relayer().relay(&removal).await.unwrap();
    assert!(matches!(found, pcim_client::Relayed::Found(_)), "{found:?}");
    let unknown = world
        .patient
        .unlocked()
        .void_signed(&[Nonce::Free(pcim_core::U256::ZERO)])
        .await;
    assert!(matches!(unknown, Err(Error::NotSigned { .. })));
}

#[tokio::test]
async fn a_removal_that_is_under_way_is_not_met_by_a_new_approval() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, image).await;
    let me = doctor.address();
    world.patient = world.patient.with_signing(Signing {
        nonce: None,
        deadline: None,
    });
    let removal = match world.patient.patient().revoke(&image, me).await.unwrap() {
        Outcome::Signed(call) => call,
        Outcome::Mined(_) => panic!("sent"),
    };
    let refused = world.patient.patient().approve(&image, me, 0).await;
    assert!(
        matches!(&refused, Err(Error::Outstanding { nonce, .. }) if *nonce == removal.nonce),
        "{refused:?}"
    );
}
