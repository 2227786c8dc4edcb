//! Sealed images that were changed, opened as a reader opens them: never another plaintext, never a file.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};

use super::{Attested, Target};
use crate::client::{Client, Limits, Result};
use crate::domain::{Address, ImageDigest, Passphrase};
use crate::home::{Config, Home, NewHome};
use crate::seal::{self, BodyVersion};

/// Random flips of bits, unless `PCIM_TEST_FLIPS` says how many.
const FLIPS: usize = 60;
/// Bytes of the payload: several of the chunks that are authenticated one by one.
const PAYLOAD: usize = 13_001;

struct Scene {
    dir: tempfile::TempDir,
    client: Client,
    payload: Vec<u8>,
    attested: Attested,
    header: Vec<u8>,
    body: Vec<u8>,
}

impl Scene {
    async fn new(version: BodyVersion) -> Self {
        let dir = tempfile::tempdir().unwrap();
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
            user_id: None,
            account: None,
        };
        drop(Home::init(&dir.path().join("home"), new).unwrap());
        let home = Home::open(&dir.path().join("home")).unwrap();
        let limits = Limits {
            fetch: Duration::from_millis(1),
            ..Limits::default()
        };
        let client = Client::open(home, passphrase).await.unwrap();
        let client = client.with_limits(limits);
        let payload: Vec<u8> = (0..PAYLOAD).map(|i| (i * 31 + (i >> 8)) as u8).collect();
        let key = &client.keys().unwrap().openpgp;
        let mut body = Vec::new();
        let sealed = seal::seal_body(&mut &payload[..], key, None, version, &mut body).unwrap();
        let header = seal::header_for(&sealed.session_key, version, &key.certificate()).unwrap();
        let attested = Attested {
            radiologist: client.address(),
            seal: sealed.seal,
        };
        fs::create_dir(dir.path().join("out")).unwrap();
        Self {
            dir,
            client,
            payload,
            attested,
            header,
            body,
        }
    }

    async fn store(&self, header: &[u8], body: &[u8]) -> Result<ImageDigest> {
        let node = self.client.node().await?;
        let body = stream::iter([Ok(Bytes::copy_from_slice(body))]).boxed();
        let body = node.add_body(body).await?;
        Ok(node.put_root(header.to_vec(), &body).await?.image)
    }

    /// Opens a root: the payload or nothing at all.
    async fn open(&self, root: &ImageDigest, what: &str) -> Option<String> {
        let out = self.dir.path().join("out");
        let target = Target {
            path: out.join("image"),
            overwrite: false,
        };
        let patient = self.client.address();
        let opened = self
            .client
            .open_attested(&self.attested, root, patient, &target)
            .await;
        let left: Vec<PathBuf> = fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        match opened {
            Ok(_) => {
                assert_eq!(left, [target.path.clone()], "{what}");
                assert!(fs::read(&target.path).unwrap() == self.payload, "{what}");
                fs::remove_file(&target.path).unwrap();
                None
            }
            Err(error) => {
                assert!(left.is_empty(), "{what}: {left:?}");
                Some(error.to_string())
            }
        }
    }

    /// Stores what was changed under its own name, as someone else would, and opens it.
    async fn try_changed(&self, header: &[u8], body: &[u8], what: &str) -> Option<String> {
        match self.store(header, body).await {
            Ok(root) => self.open(&root, what).await,
            Err(error) => Some(error.to_string()),
        }
    }
}

/// Where the packet's parts begin and end (RFC 9580 §4.2).
fn boundaries(packet: &[u8]) -> Vec<usize> {
    let (mut all, mut at) = (vec![0, 1], 1);
    while at < packet.len() {
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
        all.extend([at + octets, at + octets + length]);
        at += octets + length;
        if !more {
            break;
        }
    }
    assert_eq!(at, packet.len(), "one packet");
    all
}

/// Xorshift.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_opens_to_the_payload_or_to_nothing() {
    let flips = std::env::var("PCIM_TEST_FLIPS").ok();
    let flips: usize = flips.map_or(FLIPS, |flips| flips.parse().unwrap());
    let (mut refused, mut harmless) = (0, 0);
    let mut state = 0x1234_5678_9abc_def1;
    for version in [BodyVersion::V1, BodyVersion::V2] {
        let scene = Scene::new(version).await;
        let (header, body) = (&scene.header, &scene.body);
        let whole = scene.store(header, body).await.unwrap();
        assert_eq!(scene.open(&whole, "unchanged").await, None);
        let mut tried = Vec::new();
        for at in boundaries(body) {
            tried.push((header.clone(), body[..at].to_vec(), format!("cut at {at}")));
            for near in [at.saturating_sub(1), at] {
                if near < body.len() {
                    let mut changed = body.clone();
                    changed[near] ^= 1;
                    let what = format!("boundary {at}, byte {near}");
                    tried.push((header.clone(), changed, what));
                }
            }
        }
        let twice = [&body[..], body].concat();
        tried.push((header.clone(), twice, "the body twice".to_owned()));
        let trailing = [&body[..], &[0xd4, 0]].concat();
        tried.push((header.clone(), trailing, "something behind it".to_owned()));
        for at in boundaries(header) {
            tried.push((
                header[..at].to_vec(),
                body.clone(),
                format!("header cut at {at}"),
            ));
        }
        for flip in 0..flips / 2 {
            let bit = 1 << (random(&mut state) % 8);
            // One of three is in the header.
            let (mut header, mut body) = (header.clone(), body.clone());
            let what;
            if flip % 3 == 0 {
                let at = random(&mut state) % header.len();
                header[at] ^= bit;
                what = format!("header byte {at}, bit {bit:#x}");
            } else {
                let at = random(&mut state) % body.len();
                body[at] ^= bit;
                what = format!("body byte {at}, bit {bit:#x}");
            }
            tried.push((header, body, what));
        }
        for (changed_header, changed_body, what) in tried {
            if changed_header == *header && changed_body == *body {
                continue;
            }
            let what = format!("version {version}, {what}");
            match scene
                .try_changed(&changed_header, &changed_body, &what)
                .await
            {
                Some(_) => refused += 1,
                None => harmless += 1,
            }
        }
        on_the_disk(&scene, &whole, &mut state).await;
        scene.client.shutdown().await;
    }
    println!("{refused} changes refused, {harmless} without effect on what is opened");
    assert!(refused > flips * 9 / 10, "{refused}");
}

/// Bits that flip in the blocks on the disk: the blocks are not what their names say.
async fn on_the_disk(scene: &Scene, whole: &ImageDigest, state: &mut u64) {
    let root = scene.client.node().await.unwrap();
    let root = root.get_root(whole, Duration::ZERO).await.unwrap();
    let store = scene.client.home().repo_dir().join("blockstore");
    for cid in [
        whole.to_string(),
        crate::domain::BlockDigest(
            sha2::Digest::finalize(sha2::Digest::chain_update(
                <sha2::Sha256 as sha2::Digest>::new(),
                &root.header,
            ))
            .into(),
        )
        .to_string(),
        root.body.cid.clone(),
    ] {
        let shard = &cid[cid.len() - 3..cid.len() - 1];
        let path = store.join(shard).join(format!("{cid}.data"));
        let good = fs::read(&path).unwrap();
        for _ in 0..5 {
            let mut bad = good.clone();
            let at = random(state) % bad.len();
            bad[at] ^= 1 << (random(state) % 8);
            fs::write(&path, &bad).unwrap();
            let refused = scene.open(whole, "on the disk").await;
            assert!(refused.is_some(), "{cid} byte {at}");
        }
        fs::write(&path, good).unwrap();
    }
    assert_eq!(scene.open(whole, "as before").await, None);
}
