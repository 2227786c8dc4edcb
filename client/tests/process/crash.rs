//! A process that is killed while it stores leaves whole blocks, what it said was stored, and nothing half-done.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use futures::stream::{self, StreamExt, TryStreamExt};
use multihash_codetable::{Code, MultihashDigest};
use pcim_node::{BodyRef, MAX_BLOCK, Node, NodeConfig};

/// Set to the repository in the process that is killed.
const CHILD: &str = "PCIM_CRASH_TEST";
/// Bytes of each body.
const BODY: usize = 24 * MAX_BLOCK + 5;
/// When the process is killed, in milliseconds after it stored something for the first time.
const MOMENTS: [u64; 8] = [0, 3, 11, 29, 71, 113, 211, 307];

async fn node(repo: &Path) -> Node {
    let config = NodeConfig {
        repo: repo.to_owned(),
        listen: Vec::new(),
        bootstrap: Vec::new(),
        chunk_size: MAX_BLOCK,
    };
    Node::start(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_outlives_a_kill_and_nothing_is_half_there() {
    for moment in MOMENTS {
        let dir = tempfile::tempdir().unwrap();
        let stored = killed_after(dir.path(), Duration::from_millis(moment));
        assert!(!stored.is_empty());

        let node = node(dir.path()).await;
        for (path, bytes) in files(&dir.path().join("blockstore")) {
            let name = path.strip_suffix(".data");
            let cid = Cid::try_from(name.unwrap_or_else(|| panic!("{path} is left"))).unwrap();
            assert_eq!(Code::Sha2_256.digest(&bytes), *cid.hash(), "{path}");
        }
        node.collect_garbage().await.unwrap();
        for body in &stored {
            let read = node
                .read_body(body, Duration::from_millis(100))
                .await
                .unwrap();
            let length = read
                .map_ok(|piece| piece.len())
                .try_fold(0, async |sum, n| Ok(sum + n));
            assert_eq!(length.await.unwrap(), BODY, "killed after {moment} ms");
        }
        node.shutdown().await;
    }
}

/// Runs the process that stores, kills it, and tells what it said was stored.
fn killed_after(repo: &Path, moment: Duration) -> Vec<BodyRef> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::the_process_that_is_killed",
            "--nocapture",
        ])
        .env(CHILD, repo)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let read = |line: &str| {
        let mut words = line.split("stored ").nth(1)?.split(' ');
        Some(BodyRef {
            cid: words.next()?.to_owned(),
            file_size: words.next()?.parse().ok()?,
            dag_size: words.next()?.parse().ok()?,
        })
    };
    let first = lines.find_map(|line| read(&line.unwrap())).unwrap();
    std::thread::sleep(moment);
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    let rest = lines.map_while(Result::ok);
    [first]
        .into_iter()
        .chain(rest.filter_map(|line| read(&line)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_killed() {
    let Some(repo) = std::env::var_os(CHILD) else {
        return;
    };
    let node = node(Path::new(&repo)).await;
    for number in 0_u8.. {
        let piece = move |i: usize| {
            let mut piece = vec![number; MAX_BLOCK.min(BODY - i)];
            piece[0] = (i >> 20) as u8;
            Ok(Bytes::from(piece))
        };
        let pieces = (0..BODY).step_by(MAX_BLOCK).map(piece);
        let body = node.add_body(stream::iter(pieces).boxed()).await.unwrap();
        println!("stored {} {} {} ", body.cid, body.file_size, body.dag_size);
    }
}

/// Names and contents of the files in the folders of a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let shards = fs::read_dir(folder)
        .unwrap()
        .map(|shard| shard.unwrap().path());
    let files = shards.flat_map(|shard| fs::read_dir(shard).unwrap());
    files
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect()
}
