//! Images that are opened at their index: each instance is what was sealed, or a refusal.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use sha2::{Digest, Sha256};

use super::*;
use crate::flow::landing::Target;
use crate::flow::opening::Attested;
use crate::flow::opening::tests::alone;
use crate::flow::payload::Payload;
use crate::flow::pipeline::{self, Meter};
use crate::study::fuzzing::{index as small_index, indexed, study};
use crate::study::manifest::Manifest;
use crate::unlocked::Actor;
use pcim_dicom::sample::write_instance;
use pcim_seal::{BodyVersion, Claims};

struct Scene {
    dir: tempfile::TempDir,
    actor: Actor,
}

/// A sealed root, and the seal that was attested.
struct Image(ImageDigest, Seal);

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let actor = alone(&dir.path().join("home")).await;
        Self { dir, actor }
    }

    fn key(&self) -> &UnlockedKey {
        &self.actor.unlocked().keys().openpgp
    }

    /// Seals a payload with any index, signed by anyone.
    async fn seal(&self, payload: &[u8], index: Option<[u8; 32]>) -> Image {
        let claims = Claims {
            predecessor: None,
            index,
        };
        let (mut body, version) = (Vec::new(), BodyVersion::V2);
        let sealed = pcim_seal::seal_body(&mut &*payload, self.key(), claims, version, &mut body);
        let sealed = sealed.unwrap();
        let node = self.actor.node().await.unwrap();
        let stored = node.add_body(stream::iter([Ok(Bytes::from(body))]).boxed());
        let stored = stored.await.unwrap();
        let reader = self.key().certificate();
        let header = pcim_seal::header_for(&sealed.session_key, version, &reader).unwrap();
        let root = node.put_root(header, &stored).await.unwrap().image;
        Image(root, sealed.seal)
    }

    /// Seals the small study with an index in place of its own, signed by this actor.
    async fn seal_index(&self, index: &[u8]) -> Image {
        let signature = pcim_seal::sign_index(index, self.key()).unwrap();
        let payload = indexed(index, &signature);
        self.seal(&payload, Some(Sha256::digest(index).into()))
            .await
    }

    async fn open(&self, image: &Image) -> Result<Opened> {
        let Image(root, seal) = *image;
        let own = self.actor.address();
        let origin = Origin {
            image: root,
            patient: own,
            radiologist: own,
            seal,
        };
        let actor = self.actor.unlocked();
        actor.open_attested_at_index(&root, origin).await
    }

    async fn open_whole(&self, image: &Image) -> Result<crate::OpenedFile> {
        let out = tempfile::tempdir_in(self.dir.path()).unwrap();
        let target = Target {
            path: out.path().join("out"),
            overwrite: false,
        };
        let attested = Attested {
            radiologist: self.actor.address(),
            seal: image.1,
            description: String::new(),
        };
        let (actor, patient) = (self.actor.unlocked(), self.actor.address());
        actor
            .open_attested(&image.0, patient, &attested, &target)
            .await
    }
}

fn json(index: &Manifest) -> Vec<u8> {
    serde_json::to_vec(index).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_instance_is_read_by_itself() {
    let scene = Scene::new().await;
    let folder = scene.dir.path().join("study");
    std::fs::create_dir(&folder).unwrap();
    let mut files = Vec::new();
    for number in 0..5 {
        let path = folder.join(format!("{number}.dcm"));
        write_instance(&path, number, 300_000 + 200_000 * number).unwrap();
        files.push(path);
    }
    let payload = Payload::new(files.clone(), None).unwrap();
    let node = scene.actor.node().await.unwrap();
    let keys = scene.actor.unlocked().keys();
    let version = BodyVersion::V2;
    let sealed = pipeline::seal(node, payload, &keys.openpgp, version, Meter::silent());
    let (body, sealed, _) = sealed.await.unwrap();
    let reader = scene.key().certificate();
    let header = pcim_seal::header_for(&sealed.session_key, version, &reader).unwrap();
    let image = Image(
        node.put_root(header, &body).await.unwrap().image,
        sealed.seal,
    );

    let opened = scene.open(&image).await.unwrap();
    let index = opened.index();
    assert_eq!(
        (index.instances(), index.manifest().files().count()),
        (5, 6)
    );
    assert_eq!(opened.signer(), scene.key().certificate().fingerprint());
    let series = &index.manifest().series[0].series_instance_uid;
    assert_eq!(
        (index.series(series), index.series("2.25.99")),
        (Some(1..6), None)
    );
    for number in [5, 1, 3, 2, 4] {
        opened.fetch_ahead(number + 1);
        let instance = opened.instance(number).await.unwrap();
        let uid = &index.file(number).unwrap().sop_instance_uid;
        let whole = files
            .iter()
            .find(|file| std::fs::read(file).unwrap() == **instance);
        assert!(whole.is_some(), "{number}: {uid}");
    }
    let listed = opened.instance(6).await.unwrap();
    assert!(listed[128..].starts_with(b"DICM"));
    for number in [0, 7] {
        let refused = opened.instance(number).await;
        assert!(matches!(refused, Err(Error::NoInstance { found: 5, .. })));
    }
    // All of it opens too, and is the same study.
    let whole = scene.open_whole(&image).await.unwrap();
    assert!(matches!(
        whole.contents,
        crate::study::Contents::Study { instances: 5, .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_an_index_is_opened_whole_as_before() {
    let scene = Scene::new().await;
    let old = scene.seal(&study(), None).await;
    assert!(matches!(scene.open(&old).await, Err(Error::NoIndex { .. })));
    scene.open_whole(&old).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_lies_is_refused_in_part_and_whole() {
    let scene = Scene::new().await;
    let good = small_index();
    let image = scene.seal_index(&json(&good)).await;
    assert!(scene.open(&image).await.unwrap().instance(2).await.unwrap()[..] == [8; 512]);
    scene.open_whole(&image).await.unwrap();

    let changed = |change: &dyn Fn(&mut Manifest)| {
        let mut index = good.clone();
        change(&mut index);
        json(&index)
    };
    let bad: [(&str, Vec<u8>); 8] = [
        (
            "overlaps",
            changed(&|it| it.series[0].instances[1].offset = Some(600)),
        ),
        (
            "is before the first",
            changed(&|it| it.series[0].instances[0].offset = Some(0)),
        ),
        (
            "is behind the end",
            changed(&|it| it.key_objects.bytes = 5000),
        ),
        (
            "is beyond all bounds",
            changed(&|it| it.key_objects.bytes = u64::MAX - 9),
        ),
        ("has no offset", changed(&|it| it.key_objects.offset = None)),
        (
            "names an instance twice",
            changed(&|it| {
                let again = it.series[0].instances[0].sop_instance_uid.clone();
                it.series[0].instances[1].sop_instance_uid = again;
            }),
        ),
        ("is of version 1", changed(&|it| it.version = 1)),
        ("is of a later version", changed(&|it| it.version = 3)),
    ];
    for (what, index) in bad {
        let image = scene.seal_index(&index).await;
        let refused = scene.open(&image).await.err();
        assert!(
            matches!(refused, Some(Error::Study(_))),
            "{what}: {refused:?}"
        );
        assert!(scene.open_whole(&image).await.is_err(), "{what}");
    }

    // An instance of another content than the index says is refused, the others are read.
    let other = changed(&|it| it.series[0].instances[1].sha256 = hex::encode([7; 32]));
    let image = scene.seal_index(&other).await;
    let opened = scene.open(&image).await.unwrap();
    assert!(opened.instance(1).await.is_ok());
    assert!(matches!(opened.instance(2).await, Err(Error::Study(_))));
    assert!(scene.open_whole(&image).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_is_refused_in_part_and_whole() {
    let scene = Scene::new().await;
    let index = json(&small_index());
    let wanted = Some(Sha256::digest(&index).into());
    let own = pcim_seal::sign_index(&index, scene.key()).unwrap();
    let stranger = alone(&scene.dir.path().join("stranger")).await;
    let strangers = pcim_seal::sign_index(&index, &stranger.unlocked().keys().openpgp).unwrap();
    for (signature, named) in [
        (&strangers, wanted),
        (&own[..own.len() / 2].to_vec(), wanted),
        (&own, Some([7; 32])),
    ] {
        let image = scene.seal(&indexed(&index, signature), named).await;
        assert!(scene.open(&image).await.is_err());
        assert!(scene.open_whole(&image).await.is_err());
    }
    // One that the signature does not name is none, and the whole is not what it says to be.
    let image = scene.seal(&indexed(&index, &own), None).await;
    assert!(matches!(
        scene.open(&image).await,
        Err(Error::NoIndex { .. })
    ));
    assert!(scene.open_whole(&image).await.is_err());

    // One that says to be longer than any is not read.
    let mut huge = indexed(&index, &own);
    let size = format!("{:011o}", (128u64 << 20) + 1);
    huge[124..135].copy_from_slice(size.as_bytes());
    let huge = crate::study::fuzzing::summed(&huge);
    let image = scene.seal(&huge, wanted).await;
    assert!(matches!(scene.open(&image).await, Err(Error::Study(_))));

    // Nothing is read of an image that is not the attested one.
    let mut other = scene.seal_index(&index).await;
    other.1 = Seal([7; 32]);
    assert!(matches!(
        scene.open(&other).await,
        Err(Error::SealMismatch { .. })
    ));
}
