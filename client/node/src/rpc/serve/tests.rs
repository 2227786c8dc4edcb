//! Those who hang at the socket do not keep the others out.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{MAX_REQUESTS, Patience, Server};
use crate::{MAX_BLOCK, Node, NodeConfig};

/// Far more than the daemon waits, on a busy machine.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Patience = Patience {
    head: Duration::from_millis(500),
    taken: Duration::from_millis(500),
};

async fn daemon(dir: &Path) -> (Node, Server) {
    let config = NodeConfig {
        repo: dir.join("ipfs"),
        listen: Vec::new(),
        bootstrap: Vec::new(),
        chunk_size: MAX_BLOCK,
    };
    let node = Node::start(config).await.unwrap();
    let socket = dir.join("node.sock");
    let server = node.serve_with(&socket, Duration::ZERO, SHORT).unwrap();
    (node, server)
}

async fn connect(dir: &Path) -> UnixStream {
    let socket = dir.join("node.sock");
    loop {
        match UnixStream::connect(&socket).await {
            Ok(stream) => return stream,
            // As many wait to be let in as the system lets wait.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn post(target: &str) -> Vec<u8> {
    let head = "HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    format!("POST /api/v0/{target} {head}").into_bytes()
}

/// An honest request is answered.
async fn answers(dir: &Path) {
    let answered = async {
        let mut stream = connect(dir).await;
        stream.write_all(&post("repo/stat")).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("NumObjects"), "{answer}");
    };
    tokio::time::timeout(LONG, answered).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_say_nothing_lose_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let (_node, _server) = daemon(dir.path()).await;
    let mut silent = Vec::new();
    for n in 0..MAX_REQUESTS + 20 {
        let mut stream = connect(dir.path()).await;
        if n % 2 == 0 {
            stream.write_all(b"POST /api/v0/id HT").await.unwrap();
        }
        silent.push(stream);
    }
    answers(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_do_not_read_lose_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _server) = daemon(dir.path()).await;
    // More than a socket holds.
    let block = node.put_raw(vec![7; MAX_BLOCK]).await.unwrap();
    let mut deaf = Vec::new();
    for _ in 0..MAX_REQUESTS + 20 {
        let mut stream = connect(dir.path()).await;
        let asked = post(&format!("block/get?arg={block}"));
        // One that is not let in any more has nobody to write to.
        let _ = stream.write_all(&asked).await;
        deaf.push(stream);
    }
    answers(dir.path()).await;
    // The rest had been waiting.
    let mut got = Vec::new();
    let read = deaf[0].read_to_end(&mut got);
    let _ = tokio::time::timeout(LONG, read).await.unwrap();
    assert!(got.len() < MAX_BLOCK, "{}", got.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let (_node, _server) = daemon(dir.path()).await;
    for n in 0..3000 {
        let mut stream = connect(dir.path()).await;
        match n % 3 {
            0 => {}
            1 => stream.write_all(b"POST /api").await.unwrap(),
            _ => stream.write_all(&post("id")).await.unwrap(),
        }
    }
    answers(dir.path()).await;
}
