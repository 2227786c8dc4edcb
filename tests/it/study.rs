//! Whole studies between actors, and what the pseudonyms stand for: the patient opens both, a researcher the study alone.

use std::fs;
use std::path::{Path, PathBuf};

use pcim_client::study::Contents;
use pcim_client::{Error, SealOptions};
use pcim_core::Event;
use pcim_dicom::deid::Purpose;
use serde_json::Value;

use crate::actors::{DEMO, DOCTOR, World, card};

/// The demo's SOP Instance UID without its last digit, its study's and its series'.
const INSTANCE: &[u8] = b"1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.1232";
/// What tells whose the images are.
const IDENTIFYING: [&str; 6] = [
    "CompressedSamples",
    "1CT1",
    "JFK IMAGING CENTER",
    "20040119",
    "1.3.6.1.4.1.5962",
    "CLUNIE1",
];

/// A folder with three instances of the demo's series.
fn folder(world: &World) -> PathBuf {
    let folder = world.path("CompressedSamples^CT1");
    fs::create_dir(&folder).unwrap();
    let starts: Vec<_> = (0..DEMO.len() - INSTANCE.len())
        .filter(|at| DEMO[*at..].starts_with(INSTANCE))
        .collect();
    assert!(!starts.is_empty());
    for digit in b"123" {
        let mut file = DEMO.to_vec();
        for start in &starts {
            file[start + INSTANCE.len()] = *digit;
        }
        fs::write(folder.join(format!("{digit}")), file).unwrap();
    }
    folder
}

/// Every file below a folder, by its name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn the_patient_opens_the_study_and_its_identity_and_a_researcher_the_study() {
    let world = World::start().await;
    let mut researcher = world.actor("researcher", DOCTOR).await;
    let options = SealOptions {
        profile: Purpose::Research.into(),
        with_identity: true,
        ..SealOptions::default()
    };
    let to = card(&world.patient).await;
    let folder = folder(&world);
    let sealed = world
        .radiologist
        .radiologist()
        .seal(vec![folder], &to, &options)
        .await
        .unwrap();
    assert_eq!(sealed.instances, 3);
    let identity = sealed.identity.as_ref().unwrap();

    // The chain is told of a CT, and of no second image.
    let registered = world
        .patient
        .patient()
        .register(&sealed.handover, None)
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert_eq!(registered.identity, Some(identity.image));
    assert_eq!(registered.payload_sha256, sealed.payload_sha256);
    assert!(matches!(
        &registered.written.mined.events[0].event,
        Event::ContractCreated { image, info, .. } if *image == sealed.image && info.split(' ').next() == Some("CT")
    ));
    assert_eq!(world.patient.auditor().images().await.unwrap().len(), 1);

    // The patient opens both, the second without registering it.
    let study = world
        .patient
        .patient()
        .open_own(&sealed.image, &world.target("own"))
        .await
        .unwrap();
    let wanted = Contents::Study {
        instances: 3,
        series: 1,
        modalities: vec!["CT".to_owned()],
    };
    assert_eq!(study.contents, wanted);
    let target = world.target("who.json");
    let opened = world
        .patient
        .patient()
        .open_handover(&identity.handover, true, &target)
        .await
        .unwrap();
    assert_eq!(opened.contents, Contents::Identity);
    let document: Value = serde_json::from_slice(&fs::read(&opened.path).unwrap()).unwrap();
    assert_eq!(document["media_type"], "application/pcim-identity+json");
    assert_eq!(document["image"], sealed.image.to_string());
    let told = document.to_string();
    for value in IDENTIFYING {
        assert!(told.contains(value) || value == "CLUNIE1", "{value}");
    }
    let manifest = fs::read(world.path("own").join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(
        document["study_instance_uid"]["sealed"],
        manifest["study_instance_uid"]
    );

    // The researcher opens the study and finds nothing of it there.
    world.ask(&mut researcher, sealed.image).await;
    world
        .patient
        .patient()
        .approve(&sealed.image, researcher.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let opened = researcher
        .requestor()
        .fetch(&sealed.image, &world.target("research"))
        .await
        .unwrap();
    assert_eq!(opened.contents, wanted);
    let found = files(&opened.path);
    assert_eq!(found.len(), 6);
    for (name, content) in &found {
        let name = name
            .strip_prefix(&opened.path.display().to_string())
            .unwrap();
        for value in IDENTIFYING {
            let there = content
                .windows(value.len())
                .any(|it| it == value.as_bytes());
            assert!(!there && !name.contains(value), "{name}: {value}");
        }
    }
    let refused = researcher
        .requestor()
        .fetch(&identity.image, &world.target("stolen"))
        .await;
    assert!(
        matches!(refused, Err(Error::UnknownImage { .. })),
        "{refused:?}"
    );

    // Registered it is an image like any other: a grant of the study is none of it.
    let second = world
        .patient
        .patient()
        .register(&identity.handover, None)
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert_eq!((second.description.as_str(), second.identity), ("", None));
    let refused = researcher
        .requestor()
        .fetch(&identity.image, &world.target("stolen"))
        .await;
    assert!(
        matches!(refused, Err(Error::NotAuthorized { .. })),
        "{refused:?}"
    );
    assert!(!world.path("stolen").exists());
    let target = world.target("again.json");
    let opened = world
        .patient
        .patient()
        .open_own(&identity.image, &target)
        .await
        .unwrap();
    assert_eq!(opened.contents, Contents::Identity);

    // A folder that is there is not replaced; a tar is kept where that is asked for.
    let mut target = world.target("own");
    target.overwrite = true;
    let refused = world
        .patient
        .patient()
        .open_own(&sealed.image, &target)
        .await;
    assert!(
        matches!(refused, Err(Error::FileExists { .. })),
        "{refused:?}"
    );
    let target = world.target("own.tar");
    let kept = world
        .patient
        .patient()
        .open_own(&sealed.image, &target)
        .await
        .unwrap();
    assert_eq!(
        (kept.contents, kept.sha256),
        (Contents::Tar, sealed.payload_sha256)
    );
}
