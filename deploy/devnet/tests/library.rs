//! The crate as others embed it: how soon it starts, several at a time, what is left when it is gone.
#![allow(clippy::unwrap_used)]

mod common;
#[allow(dead_code)]
#[path = "../examples/counter.rs"]
mod counter;

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use common::{client, devnet, rpc};
use ethers::types::{TransactionRequest, U256};
use serde_json::json;
use stylus_devnet::{Config, Error, spawn};

/// The time that a start may take, on a machine that is not busy with other things.
const START: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_at_once() {
    let mut took = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let devnet = devnet().await;
        let spawned = start.elapsed();
        rpc(&devnet, "eth_blockNumber", json!([])).await;
        took.push((spawned, start.elapsed()));
        devnet.shutdown().await;
    }
    println!("until spawned, and until the first answer: {took:?}");
    // The best of five: other tests run at the same time.
    let best = took.iter().map(|(_, answered)| *answered).min().unwrap();
    assert!(best <= START, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_live_in_one_process_and_know_nothing_of_each_other() {
    let chains = futures::future::join_all((0..4).map(|n| {
        spawn(Config {
            chain_id: 1000 + n,
            ..Config::default()
        })
    }))
    .await;
    let chains: Vec<_> = chains.into_iter().map(Result::unwrap).collect();
    for (n, chain) in chains.iter().enumerate() {
        for _ in 0..=n {
            let to = chain.accounts()[1].address.into_array();
            let transfer = TransactionRequest::pay(ethers::types::Address::from(to), 1);
            common::send(&client(chain, 0), transfer).await;
        }
    }
    for (n, chain) in chains.iter().enumerate() {
        let id = rpc(chain, "eth_chainId", json!([])).await;
        assert_eq!(id, format!("{:#x}", 1000 + n));
        let blocks = rpc(chain, "eth_blockNumber", json!([])).await;
        assert_eq!(blocks, format!("{:#x}", n + 1));
    }
}

/// Binds the address once nobody listens there any more.
async fn becomes_free(address: SocketAddr) -> bool {
    for _ in 0..200 {
        if TcpListener::bind(address).is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

fn address(devnet: &stylus_devnet::Handle) -> SocketAddr {
    devnet.url().replace("http://", "").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_it_frees_the_port_and_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        state_dir: Some(folder.path().into()),
        ..Config::default()
    };
    let first = spawn(config.clone()).await.unwrap();
    let to = first.accounts()[1].address.into_array();
    let transfer = TransactionRequest::pay(ethers::types::Address::from(to), 7);
    common::send(&client(&first, 0), transfer).await;
    // Nobody else may write to the folder meanwhile, and nobody else listen there.
    assert!(matches!(spawn(config.clone()).await, Err(Error::Store(_))));
    let taken = Config {
        port: address(&first).port(),
        ..Config::default()
    };
    assert!(matches!(spawn(taken).await, Err(Error::Listen { .. })));

    let listened = address(&first);
    drop(first);
    assert!(becomes_free(listened).await, "{listened} is still taken");
    let second = spawn(config).await.unwrap();
    let block = rpc(&second, "eth_blockNumber", json!([])).await;
    assert_eq!(block, "0x1");
}

/// Threads of programs, one for each that runs.
fn program_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let names = tasks.flatten().map(|task| task.path().join("comm"));
    names
        .filter_map(|name| std::fs::read_to_string(name).ok())
        .filter(|name| name.trim() == "stylus")
        .count()
}

#[test]
fn dropping_its_runtime_ends_its_threads() {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads() == 0 {
        println!("skipped: this system has no /proc/self/task");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (count, _) = counter::run().await.unwrap();
        assert_eq!(count, U256::from(2));
        // Dropped without a shutdown, with a client connected.
        let devnet = devnet().await;
        rpc(&devnet, "eth_blockNumber", json!([])).await;
    });
    drop(runtime);
    let start = Instant::now();
    while program_threads() > 0 {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "programs still run"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_counts() {
    let (count, [first, second]) = counter::run().await.unwrap();
    assert_eq!(count, U256::from(2));
    // 20,000 for a new slot and 2,900 for one that is changed; both are cold.
    assert_eq!(first - second, U256::from(17_100));
}
