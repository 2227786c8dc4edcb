//! The whole protocol by the facade: the events of each of the paper's figures, and who opens what, until when.

use pcim_client::{Error, Written};
use pcim_core::{Event, GrantStatus};

use crate::actors::{DEMO, DOCTOR, STRANGER, World, blocks, demo_picture, limits};

/// What the demo's file tells of its patient and her visit, as bytes: name, number, other numbers, place, study and UIDs.
const IDENTIFYING: [&[u8]; 8] = [
    b"CompressedSamples",
    b"1CT1",
    b"ABCD1234",
    b"1234ABCD",
    b"JFK IMAGING CENTER",
    b"20040119",
    b"1.3.6.1.4.1.5962",
    b"CLUNIE1",
];

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|at| at == wanted)
}

fn events(written: &Written) -> Vec<&Event> {
    written
        .mined
        .events
        .iter()
        .map(|logged| &logged.event)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_papers_figures_event_by_event() {
    let world = World::start().await;
    let mut a = world.actor("a", DOCTOR).await;
    let mut b = world.actor("b", STRANGER).await;
    let (patient, radiologist) = (world.patient.address(), world.radiologist.address());
    let mut told = Vec::new();

    // Figure 4: create.
    let sealed = world.seal(DEMO, true).await;
    let image = sealed.image;
    assert_eq!(
        sealed.deidentified.as_ref().unwrap().modality.as_deref(),
        Some("CT")
    );
    let registered = world
        .patient
        .patient()
        .register(&sealed.handover, None)
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert_eq!(registered.payload_sha256, sealed.payload_sha256);
    assert!(
        matches!(events(&registered.written)[..], [Event::ContractCreated {
            patient: p, image: i, radiologist: r, seal, info, attestation: Some(_), replaces: Some(0),
        }] if (*p, *i, *r, *seal) == (patient, image, radiologist, sealed.seal) && *info == sealed.description),
        "{registered:?}"
    );
    told.extend(registered.written.mined.events);

    // Figure 5: two requests. Names stay out of the chain, and reach the patient.
    for (requestor, key) in [(&mut a, DOCTOR), (&mut b, STRANGER)] {
        let asked = world.ask(requestor, image).await;
        let requestor = world.chain.devnet.accounts()[key].address;
        assert!(
            matches!(events(&asked.written)[..], [Event::RequestedForApproval {
                requestor: r, patient: p, image: i, public_key, info,
            }] if (*r, *p, *i, *public_key) == (requestor, patient, image, asked.public_key)
                && info.starts_with("TREAT ") && !info.contains("Ada")),
            "{asked:?}"
        );
        told.extend(asked.written.mined.events);
    }
    let pending = world.patient.patient().requests().await.unwrap();
    let names: Vec<_> = pending
        .iter()
        .map(|request| {
            (
                request.requestor,
                request.document.as_ref().unwrap().name.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            (a.address(), Some("Dr. Ada")),
            (b.address(), Some("Dr. Ada"))
        ]
    );
    let early = a.requestor().fetch(&image, &world.target("early")).await;
    assert!(matches!(
        early,
        Err(Error::NotAuthorized {
            status: GrantStatus::Requested,
            ..
        })
    ));

    // Figure 6: accepted.
    let approved = world
        .patient
        .patient()
        .approve(&image, a.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(
        matches!(events(&approved.written)[..], [
            Event::Requestaccepted { patient: p, image: i, info },
            Event::Approved { requestor, shared_image, expires_at: 0, .. },
        ] if (*p, *i, info.as_str()) == (patient, image, "approved by patient.")
            && (*requestor, *shared_image) == (a.address(), approved.shared_image)),
        "{approved:?}"
    );
    told.extend(approved.written.mined.events);

    // Figure 7: denied.
    let denied = world
        .patient
        .patient()
        .deny(&image, b.address(), "not my doctor")
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(
        matches!(events(&denied)[..], [
            Event::Requestdenied { info, .. },
            Event::Reason { requestor, info: reason, .. },
        ] if info == "Failed to be approved by patient"
            && (*requestor, reason.as_str()) == (b.address(), "not my doctor")),
        "{denied:?}"
    );
    told.extend(denied.mined.events);

    // Figure 8: authorization success, and what follows from it.
    let traced = a
        .unlocked()
        .trace(&image, a.address())
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(traced.authorized);
    assert!(
        matches!(events(&traced.written)[..], [Event::AuthorizationSuccess { requestor, info, .. }]
            if (*requestor, info.as_str()) == (a.address(), "Authorized to access image"))
    );
    told.extend(traced.written.mined.events);
    let (opened, bytes) = world.fetched(&a, &image, "by-a.dcm").await;
    assert_eq!(opened.sha256, sealed.payload_sha256);
    assert!(bytes[132..].starts_with(b"\x02\0"), "a DICOM file");
    for value in IDENTIFYING {
        let text = String::from_utf8_lossy(value);
        assert!(contains(DEMO, value), "the original has {text}");
        assert!(
            !contains(&bytes, value),
            "what a requestor opens has {text}"
        );
    }
    assert!(contains(&bytes, demo_picture()), "the picture is unchanged");

    // Figure 9: authorization failed, for the denied and for the removed.
    let traced = b
        .unlocked()
        .trace(&image, b.address())
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(!traced.authorized);
    assert!(matches!(
        events(&traced.written)[..],
        [Event::AuthorizationFailed { .. }]
    ));
    told.extend(traced.written.mined.events);
    let refused = b.requestor().fetch(&image, &world.target("by-b")).await;
    assert!(matches!(
        refused,
        Err(Error::NotAuthorized {
            status: GrantStatus::Denied,
            ..
        })
    ));
    assert!(!world.path("by-b").exists());

    assert!(blocks(&world.patient).contains_key(&approved.shared_image.to_string()));
    let removed = world
        .patient
        .patient()
        .revoke(&image, a.address())
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(
        matches!(events(&removed)[..], [
            Event::UserRemoved { requestor, info, .. },
            Event::Reason { info: reason, .. },
        ] if (*requestor, info.as_str(), reason.as_str()) == (a.address(), "removed", "Contract expired")),
        "{removed:?}"
    );
    told.extend(removed.mined.events);
    assert!(!blocks(&world.patient).contains_key(&approved.shared_image.to_string()));
    let traced = a
        .unlocked()
        .trace(&image, a.address())
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(!traced.authorized);
    told.extend(traced.written.mined.events);
    let refused = a
        .requestor()
        .fetch(&image, &world.target("again-by-a"))
        .await;
    assert!(matches!(
        refused,
        Err(Error::NotAuthorized {
            status: GrantStatus::Removed,
            ..
        })
    ));
    assert!(!world.path("again-by-a").exists());

    // The patient's audit tells the same story, and no more.
    let audit = world.patient.auditor().audit(Some(&image)).await.unwrap();
    let story = |events: Vec<pcim_core::LoggedEvent>| {
        events
            .into_iter()
            .map(|e| (e.block, e.log_index, e.tx, e.event))
            .collect::<Vec<_>>()
    };
    assert_eq!(story(audit), story(told));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_ends_at_its_time_and_can_be_asked_for_again() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let image = sealed.image;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, image).await;
    let end = world.chain.now().await + 3_600;
    world
        .patient
        .patient()
        .approve(&image, doctor.address(), end)
        .await
        .unwrap()
        .mined()
        .unwrap();
    world.fetched(&doctor, &image, "in-time.dcm").await;

    world.chain.later(3_600).await;
    let refused = doctor
        .requestor()
        .fetch(&image, &world.target("late"))
        .await;
    assert!(
        matches!(refused, Err(Error::NotAuthorized { status: GrantStatus::Approved, expires_at, .. }) if expires_at == end),
        "{refused:?}"
    );
    assert!(!world.path("late").exists());
    let again = world
        .patient
        .patient()
        .approve(&image, doctor.address(), 0)
        .await;
    assert!(
        matches!(again, Err(Error::NoOpenRequest { .. })),
        "{again:?}"
    );

    world.ask(&mut doctor, image).await;
    world
        .patient
        .patient()
        .approve(&image, doctor.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let (_, bytes) = world.fetched(&doctor, &image, "again.dcm").await;
    assert!(bytes == DEMO);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_nobody_serves_is_not_reachable_and_nothing_is_left() {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let mut doctor = world.actor("doctor", DOCTOR).await;
    world.ask(&mut doctor, sealed.image).await;
    world
        .patient
        .patient()
        .approve(&sealed.image, doctor.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let World {
        chain,
        patient,
        radiologist,
        ..
    } = world;
    tokio::join!(patient.shutdown(), radiologist.shutdown());

    let doctor = doctor.with_limits(limits(std::time::Duration::from_millis(300)));
    let folder = tempfile::tempdir().unwrap();
    let target = pcim_client::Target {
        path: folder.path().join("opened.dcm"),
        overwrite: false,
    };
    let result = doctor.requestor().fetch(&sealed.image, &target).await;
    assert!(
        matches!(result, Err(Error::Node(pcim_node::Error::Timeout { .. }))),
        "{result:?}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    chain.devnet.shutdown().await;
}
