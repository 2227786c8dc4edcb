#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};

use crate::flow::payload::Payload;
use crate::flow::pipeline::{Meter, Progress, in_time, open, seal, share};
use pcim_node::{MAX_BLOCK, Node, NodeConfig};
use pcim_seal::{BodyVersion, KeyKind, UnlockedKey, header_for, open_sealed, unwrap_header};

const STALL: Duration = Duration::from_secs(20);
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cli/assets/demo.dcm");

fn key() -> UnlockedKey {
    UnlockedKey::generate(KeyKind::Hybrid, None).unwrap()
}

async fn node(repo: &Path) -> Node {
    let config = NodeConfig {
        repo: repo.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        chunk_size: MAX_BLOCK,
    };
    Node::start(config).await.unwrap()
}

fn watched() -> (Meter, Arc<Mutex<Vec<u64>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let meter = Meter {
        sink: Some(Arc::new(move |progress: Progress| {
            sink.lock().unwrap().push(progress.bytes);
        })),
        ..Meter::silent()
    };
    (meter, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_here_opens_elsewhere_and_progress_is_told() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (keeper, fetcher) = (node(here.path()).await, node(there.path()).await);
    let (radiologist, patient, requestor) = (Arc::new(key()), key(), key());
    let version = BodyVersion::V2;
    // A tar of several files is more than one block.
    let files = vec![DEMO.into(); 40];
    let payload = Payload::new(files, None).unwrap();
    let (meter, seen) = watched();
    let (body, sealed, summary) = seal(&keeper, payload, &radiologist, version, meter)
        .await
        .unwrap();
    assert_eq!(seen.lock().unwrap().last(), Some(&body.file_size));
    assert_eq!(summary.original_sha256, None);

    let header = header_for(&sealed.session_key, version, &patient.certificate()).unwrap();
    let own = keeper.put_root(header, &body).await.unwrap().image;
    let shared = share(&keeper, &own, &patient, &requestor.certificate(), STALL)
        .await
        .unwrap();
    assert!(
        (1..=2048).contains(&shared.new_bytes),
        "{}",
        shared.new_bytes
    );

    // What sharing costs cannot depend on the body: without it, it is the same.
    let bodiless = tempfile::tempdir().unwrap();
    let without = node(bodiless.path()).await;
    let root = keeper.get_root(&own, STALL).await.unwrap();
    without.put_root(root.header, &root.body).await.unwrap();
    let again = share(&without, &own, &patient, &key().certificate(), STALL)
        .await
        .unwrap();
    assert_eq!(again.new_bytes, shared.new_bytes);

    let address = keeper.addresses().await.unwrap().remove(0);
    fetcher.connect(&address).await.unwrap();
    let root = fetcher.get_root(&shared.image, STALL).await.unwrap();
    let (key, _) = unwrap_header(&root.header, &requestor).unwrap();
    let (meter, seen) = watched();
    let (opened, payload) = open(&fetcher, &root.body, key, Vec::new(), (STALL, STALL), meter)
        .await
        .unwrap();
    assert_eq!(payload.len() as u64, sealed.payload_len);
    assert_eq!(
        (opened.payload_sha256, opened.seal),
        (sealed.payload_sha256, sealed.seal)
    );
    let seen = seen.lock().unwrap().clone();
    assert!(
        seen.is_sorted() && seen.last() == Some(&body.file_size),
        "{seen:?}"
    );

    // The fetched root is an OpenPGP message by itself.
    let message = fetcher.read_body(&root.body, STALL).await.unwrap();
    let message: Vec<Bytes> = message.map(Result::unwrap).collect().await;
    let mut again = Vec::new();
    open_sealed(
        &root.header,
        &mut &message.concat()[..],
        &requestor,
        &mut again,
    )
    .unwrap();
    assert!(again == payload);
}

#[tokio::test]
async fn a_stream_that_takes_too_long_is_broken_off() {
    let slow = stream::unfold(0, |n| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((io::Result::Ok(Bytes::from_static(b"x")), n + 1))
    });
    let items: Vec<_> = in_time(slow.boxed(), Duration::from_millis(200))
        .collect()
        .await;
    let (last, before) = items.split_last().unwrap();
    assert!(!before.is_empty() && before.iter().all(Result::is_ok));
    assert_eq!(last.as_ref().unwrap_err().kind(), io::ErrorKind::TimedOut);
    let quick = stream::iter([io::Result::Ok(Bytes::from_static(b"x"))]);
    let items: Vec<_> = in_time(quick.boxed(), Duration::MAX).collect().await;
    assert!(items.len() == 1 && items[0].is_ok());
}
