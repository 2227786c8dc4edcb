//! One body, one header per reader (format.md §4): what an approval writes, and what later readers can do.

use pcim_client::Actor;
use sha2::{Digest, Sha256};

use crate::actors::{BlockFile, DEMO, DOCTOR, STRANGER, World, blocks, card, image_of};

/// Approves two more readers of a picture of `side` × `side` pixels, with the body's blocks away from the patient's
/// disk: what is not there is neither read nor written. Returns what each approval wrote, in bytes.
async fn approve_two_without_the_body(
    world: &mut World,
    readers: &mut [Actor; 2],
    side: u16,
) -> [u64; 2] {
    let content = image_of(side);
    let empty = blocks(&world.patient);
    let (sealed, _) = world.registered(&content).await;
    let image = sealed.image;
    let node = world.patient.node().await.unwrap();
    let root = node
        .get_root(&image, std::time::Duration::ZERO)
        .await
        .unwrap();
    let is_body = |cid: &str, file: &BlockFile| {
        !empty.contains_key(cid)
            && cid != image.to_string()
            && std::fs::read(&file.path).unwrap() != root.header
    };
    let mut body = blocks(&world.patient);
    body.retain(|cid, file| is_body(cid, file));
    assert_eq!(
        body.values().map(|file| file.len).sum::<u64>(),
        root.body.dag_size
    );
    assert!(root.body.file_size > content.len() as u64);

    for reader in readers.iter_mut() {
        world.ask(reader, image).await;
    }
    // Reviewing fetches certificates and documents, so that what comes after is the approvals' own.
    let pending = world.patient.patient().requests().await.unwrap();
    assert_eq!(pending.len(), 2);
    assert!(pending.iter().all(|request| request.document.is_some()));

    let away = world.path(&format!("away-{side}"));
    std::fs::create_dir(&away).unwrap();
    for (cid, file) in &body {
        std::fs::rename(&file.path, away.join(cid)).unwrap();
    }
    let mut costs = [0; 2];
    for (reader, cost) in readers.iter().zip(&mut costs) {
        let before = blocks(&world.patient);
        let decision = world
            .patient
            .patient()
            .approve(&image, reader.address(), 0)
            .await
            .unwrap()
            .mined()
            .unwrap();
        let mut after = blocks(&world.patient);
        assert!(
            before
                .iter()
                .all(|(cid, file)| after.get(cid) == Some(file))
        );
        after.retain(|cid, _| !before.contains_key(cid));
        assert_eq!(after.len(), 2, "a header and a root: {after:?}");
        assert!(after.contains_key(&decision.shared_image.to_string()));
        *cost = after.values().map(|file| file.len).sum();
        assert_eq!(*cost, decision.new_bytes);
    }
    for (cid, file) in &body {
        std::fs::rename(away.join(cid), &file.path).unwrap();
    }
    let now = blocks(&world.patient);
    assert!(body.iter().all(|(cid, file)| now.get(cid) == Some(file)));

    let name = format!("opened-{side}");
    let (opened, bytes) = world.fetched(&readers[1], &image, &name).await;
    assert!(bytes == content);
    assert_eq!(opened.sha256, sealed.payload_sha256);
    costs
}

#[tokio::test(flavor = "multi_thread")]
async fn another_reader_costs_a_header_and_a_root_whatever_the_images_size() {
    let mut world = World::start().await;
    let mut readers = [
        world.actor("second", DOCTOR).await,
        world.actor("third", STRANGER).await,
    ];
    let small = approve_two_without_the_body(&mut world, &mut readers, 224).await;
    let large = approve_two_without_the_body(&mut world, &mut readers, 3200).await;
    for cost in [small, large].concat() {
        assert!(cost <= 2048, "{cost} bytes");
    }
    // The large image's sizes take a few more digits in the root, and that is all.
    assert!(
        small.iter().chain(&large).max().unwrap() - small[0].min(large[0]) <= 16,
        "{small:?} {large:?}"
    );
    println!("new blocks of an approval: {small:?} bytes for 100 KB, {large:?} bytes for 20 MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_reader_needs_neither_the_radiologist_nor_the_first_reader() {
    let mut world = World::start().await;
    let radiologist = card(&world.radiologist).await;
    let (sealed, _) = world.registered(DEMO).await;
    let mut first = world.actor("first", DOCTOR).await;
    world.ask(&mut first, sealed.image).await;
    world
        .patient
        .patient()
        .approve(&sealed.image, first.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    world.fetched(&first, &sealed.image, "first.dcm").await;
    first.shutdown().await;
    let gone = world.actor("stand-in", 7).await;
    std::mem::replace(&mut world.radiologist, gone)
        .shutdown()
        .await;

    let mut later = world.actor("later", STRANGER).await;
    world.ask(&mut later, sealed.image).await;
    let decision = world
        .patient
        .patient()
        .approve(&sealed.image, later.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let (opened, bytes) = world.fetched(&later, &sealed.image, "later.dcm").await;
    assert!(bytes == DEMO);
    assert_eq!(opened.sha256, hex::encode(Sha256::digest(DEMO)));
    assert_eq!(opened.signer, radiologist.certificate.fingerprint());
    assert_eq!(opened.radiologist, radiologist.address);
    assert_eq!(opened.patient, world.patient.address());

    // It is his header, not the patient's, over the same body.
    let node = later.node().await.unwrap();
    let wait = crate::actors::WAIT;
    let his = node.get_root(&decision.shared_image, wait).await.unwrap();
    let hers = node.get_root(&sealed.image, wait).await.unwrap();
    assert_eq!(his.body, hers.body);
    assert_ne!(his.header, hers.header);
}
