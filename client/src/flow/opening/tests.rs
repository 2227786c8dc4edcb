//! Sealed images that were changed, opened as a reader opens them: never another plaintext, never a file.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use sha2::{Digest, Sha256};

use crate::flow::opening::{Attested, Target};
use crate::home::config::Config;
use crate::home::{Home, NewHome};
use crate::limits::Limits;
use crate::unlocked::Actor;
use pcim_core::chance::{Numbers, rounds};
use pcim_core::{Address, BlockDigest, ImageDigest, LockCost, Passphrase};
use pcim_node::BodyRef;
use pcim_seal::{BodyVersion, KeyKind};

/// Random flips of bits in headers, roots and bodies together, unless `PCIM_TEST_FLIPS` says how many.
const FLIPS: usize = 1000;
/// Bytes of the payload: several of the chunks that are authenticated one by one.
const PAYLOAD: usize = 300_001;
/// Bytes of a chunk and of the tag behind it in a body of version 2, and of what stands before the first.
const CHUNK: [usize; 3] = [256 << 10, 16, 36];

struct Scene {
    version: BodyVersion,
    dir: tempfile::TempDir,
    actor: Actor,
    payload: Vec<u8>,
    attested: Attested,
    header: Vec<u8>,
    body: Vec<u8>,
    stored: BodyRef,
    root: ImageDigest,
    /// Changes that were refused, and those that opened to the payload.
    seen: [usize; 2],
}

impl Scene {
    async fn new(version: BodyVersion) -> Self {
        let memory = Path::new("/dev/shm");
        // Thousands of blocks and files that nobody keeps.
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let dir = dir.unwrap();
        let passphrase = Passphrase::new("correct horse".to_owned());
        let new = NewHome {
            config: Config {
                rpc_url: Some("http://127.0.0.1:9".to_owned()),
                chain_id: Some(1),
                contract: Some(Address::repeat_byte(1)),
                listen: Vec::new(),
                ..Config::default()
            },
            passphrase: &passphrase,
            cost: LockCost::LIGHT,
            openpgp: KeyKind::default(),
            user_id: None,
            account: None,
        };
        drop(Home::init(&dir.path().join("home"), new).unwrap());
        let home = Home::open(&dir.path().join("home")).unwrap();
        let limits = Limits {
            fetch: Duration::from_millis(1),
            ..Limits::default()
        };
        let actor = Actor::open(home, passphrase).await.unwrap();
        let actor = actor.with_limits(limits);
        let payload: Vec<u8> = (0..PAYLOAD).map(|i| (i * 31 + (i >> 8)) as u8).collect();
        let key = &actor.unlocked().keys().openpgp;
        let mut body = Vec::new();
        let sealed =
            pcim_seal::seal_body(&mut &payload[..], key, None, version, &mut body).unwrap();
        let header =
            pcim_seal::header_for(&sealed.session_key, version, &key.certificate()).unwrap();
        let attested = Attested {
            radiologist: actor.address(),
            seal: sealed.seal,
            description: String::new(),
        };
        fs::create_dir(dir.path().join("out")).unwrap();
        let stored = add(&actor, &body).await;
        let root = actor
            .node()
            .await
            .unwrap()
            .put_root(header.clone(), &stored);
        let root = root.await.unwrap().image;
        Self {
            version,
            dir,
            actor,
            payload,
            attested,
            header,
            body,
            stored,
            root,
            seen: [0; 2],
        }
    }

    /// Opens a root, to the payload or to nothing at all; tells whether it opened.
    async fn open(&mut self, root: &ImageDigest, what: &str) -> bool {
        let what = format!("version {}, {what}", self.version);
        let out = self.dir.path().join("out");
        let target = Target {
            path: out.join("image"),
            overwrite: false,
        };
        let (actor, patient) = (self.actor.unlocked(), self.actor.address());
        let opened = actor.open_attested(root, patient, &self.attested, &target);
        let opened = opened.await;
        let left: Vec<PathBuf> = fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        match opened {
            Ok(_) => {
                assert_eq!(left, std::slice::from_ref(&target.path), "{what}");
                assert!(fs::read(&target.path).unwrap() == self.payload, "{what}");
                fs::remove_file(&target.path).unwrap();
                self.seen[1] += 1;
                true
            }
            Err(_) => {
                assert!(left.is_empty(), "{what}: {left:?}");
                self.seen[0] += 1;
                false
            }
        }
    }

    /// What somebody gives out who changed the header: whole blocks under names of their own.
    async fn header(&mut self, header: Vec<u8>, what: &str) -> bool {
        let node = self.actor.node().await.unwrap();
        match node.put_root(header, &self.stored).await {
            Ok(stored) => self.open(&stored.image, what).await,
            Err(_) => {
                self.seen[0] += 1;
                false
            }
        }
    }

    /// The same of the body.
    async fn body(&mut self, body: &[u8], what: &str) -> bool {
        let body = add(&self.actor, body).await;
        let node = self.actor.node().await.unwrap();
        let opened = match node.put_root(self.header.clone(), &body).await {
            Ok(stored) => self.open(&stored.image, what).await,
            Err(_) => {
                self.seen[0] += 1;
                false
            }
        };
        if body != self.stored {
            let node = self.actor.node().await.unwrap();
            node.drop_body(&body).await.unwrap();
        }
        opened
    }

    /// The same of the root, which no node of ours would write.
    async fn root(&mut self, root: &[u8], what: &str) -> bool {
        let image = ImageDigest(Sha256::digest(root).into());
        let path = self.path(&image.to_string());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, root).unwrap();
        let opened = self.open(&image, what).await;
        fs::remove_file(path).unwrap();
        opened
    }

    /// A block's file.
    fn path(&self, cid: &str) -> PathBuf {
        let shard = &cid[cid.len() - 3..cid.len() - 1];
        let store = self.actor.home().repo_dir().join("blockstore");
        store.join(shard).join(format!("{cid}.data"))
    }
}

async fn add(actor: &Actor, body: &[u8]) -> BodyRef {
    let body = stream::iter([Ok(Bytes::copy_from_slice(body))]).boxed();
    actor.node().await.unwrap().add_body(body).await.unwrap()
}

/// Where the parts of an OpenPGP packet begin and end (RFC 9580 §4.2), and where its content's octets are.
fn boundaries(packet: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let (mut all, mut content, mut at) = (vec![0, 1], Vec::new(), 1);
    loop {
        let (octets, length, more) = match packet[at] {
            n @ 0..192 => (1, usize::from(n), false),
            n @ 192..224 => {
                let second = usize::from(packet[at + 1]);
                (2, (usize::from(n) - 192) * 256 + second + 192, false)
            }
            255 => {
                let length = u32::from_be_bytes(packet[at + 1..at + 5].try_into().unwrap());
                (5, length as usize, false)
            }
            n => (1, 1 << (n & 31), true),
        };
        content.extend(at + octets..at + octets + length);
        all.extend([at + octets, at + octets + length]);
        at += octets + length;
        if !more {
            break;
        }
    }
    assert_eq!(at, packet.len(), "one packet");
    (all, content)
}

/// The boundaries of a body and of what is in its container: the salt, each chunk and tag; of version 1, where ciphers are
/// not cut into chunks, the random prefix and the last 22 octets.
fn body_boundaries(version: BodyVersion, body: &[u8]) -> Vec<usize> {
    let (mut all, content) = boundaries(body);
    let inner: Vec<usize> = match version {
        BodyVersion::V1 => vec![1, 17, 19, content.len() - 22, content.len() - 20],
        BodyVersion::V2 => {
            let [chunk, tag, before] = CHUNK;
            let starts = (before..content.len()).step_by(chunk + tag);
            let chunks = starts.flat_map(|at| [at, at + chunk]);
            let last = [content.len() - 2 * tag, content.len() - tag];
            (1..5).chain(chunks).chain(last).collect()
        }
    };
    all.extend(inner.iter().filter_map(|at| content.get(*at)));
    all.sort_unstable();
    all.dedup();
    all
}

fn flipped(good: &[u8], numbers: &mut Numbers) -> (Vec<u8>, String) {
    let (at, bit) = (numbers.below(good.len()), numbers.below(8));
    let mut bad = good.to_vec();
    bad[at] ^= 1 << bit;
    (bad, format!("byte {at}, bit {bit}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_opens_to_the_payload_or_to_nothing() {
    let flips = rounds("PCIM_TEST_FLIPS", FLIPS);
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    for version in [BodyVersion::V1, BodyVersion::V2] {
        let started = std::time::Instant::now();
        let mut scene = Scene::new(version).await;
        let whole = scene.root;
        assert!(scene.open(&whole, "unchanged").await);
        let seen = at_boundaries(&mut scene).await;
        let mut harmless = [0; 3];
        let root = fs::read(scene.path(&whole.to_string())).unwrap();
        for flip in 0..flips / 2 {
            let part = flip % 3;
            let (header, body) = (scene.header.clone(), scene.body.clone());
            let good = [&header, &root, &body][part];
            let (bad, what) = flipped(good, &mut numbers);
            let opened = match part {
                0 => scene.header(bad, &format!("header {what}")).await,
                1 => scene.root(&bad, &format!("root {what}")).await,
                _ => scene.body(&bad, &format!("body {what}")).await,
            };
            harmless[part] += usize::from(opened);
        }
        on_the_disk(&mut scene, &mut numbers).await;
        println!(
            "version {version}: {seen} changes at boundaries, {} flips, of which {harmless:?} in header, root, body opened to \
             the payload, {:?}",
            flips / 2,
            started.elapsed(),
        );
        assert_eq!(harmless, [0; 3], "no bit of them is without meaning");
        scene.actor.shutdown().await;
    }
}

/// Cuts and changes at every boundary of header, root and body; tells how many.
async fn at_boundaries(scene: &mut Scene) -> usize {
    let before = scene.seen[0];
    let (header, body) = (scene.header.clone(), scene.body.clone());
    for at in body_boundaries(scene.version, &body) {
        let cut = scene.body(&body[..at], &format!("cut at {at}")).await;
        assert_eq!(cut, at == body.len(), "cut at {at}");
        for near in [at.saturating_sub(1), at] {
            let mut changed = body.clone();
            if near < body.len() {
                changed[near] ^= 1;
                let what = format!("boundary {at}, byte {near}");
                assert!(!scene.body(&changed, &what).await, "{what}");
            }
        }
    }
    for more in [&body[..], &[0xd4, 0], &header, &[0]] {
        assert!(!scene.body(&[&body[..], more].concat(), "extended").await);
    }
    for at in 0..header.len() {
        let what = format!("header cut at {at}");
        assert!(!scene.header(header[..at].to_vec(), &what).await, "{what}");
    }
    for more in [&header[..], &[0xd4, 0], &[0xca, 3, b'P', b'G', b'P']] {
        scene
            .header([&header[..], more].concat(), "header extended")
            .await;
    }
    let root = fs::read(scene.path(&scene.root.to_string())).unwrap();
    for at in 0..root.len() {
        let what = format!("root cut at {at}");
        assert!(!scene.root(&root[..at], &what).await, "{what}");
    }
    scene.seen[0] - before
}

/// Bits that flip in the blocks on the disk: the blocks are not what their names say.
async fn on_the_disk(scene: &mut Scene, numbers: &mut Numbers) {
    let whole = scene.root;
    let header = BlockDigest(Sha256::digest(&scene.header).into());
    for cid in [
        whole.to_string(),
        header.to_string(),
        scene.stored.cid.clone(),
    ] {
        let path = scene.path(&cid);
        let good = fs::read(&path).unwrap();
        for _ in 0..5 {
            let (bad, what) = flipped(&good, numbers);
            fs::write(&path, &bad).unwrap();
            assert!(!scene.open(&whole, "on the disk").await, "{cid} {what}");
        }
        fs::write(&path, good).unwrap();
    }
    assert!(scene.open(&whole, "as before").await);
}
