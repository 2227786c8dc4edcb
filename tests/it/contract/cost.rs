//! The cost of a call: the canonical calls, with the program cached and not, beside the floor of any program.

use alloy_sol_types::SolCall;
use ethers::types::TransactionReceipt;

use super::worst::intrinsic;
use crate::chain::{Chain, IMAGE, IPcac, SHARED};

/// Gas of a receipt's logs.
fn logs(receipt: &TransactionReceipt) -> u64 {
    let cost = |topics: usize, data: usize| 375 * (1 + topics as u64) + 8 * data as u64;
    let each = receipt.logs.iter();
    each.map(|log| cost(log.topics.len(), log.data.len())).sum()
}

/// A cold read, and a cold slot written from zero, from another value, and to zero.
const READ: u64 = 2_100;
const CREATE: u64 = 22_100;
const CHANGE: u64 = 5_000;
const CLEAR: u64 = 5_000 - 4_800;
const ECRECOVER: u64 = 3_100;

struct Row {
    name: &'static str,
    gas: u64,
    floor: u64,
}

/// The story of one image and one requestor.
async fn story(chain: &Chain) -> Vec<Row> {
    let mut rows = Vec::new();
    let reshare = IPcac::reshare_IRsCall {
        requester: chain.doctor.address,
        image: IMAGE,
        sharedImage: SHARED,
        expiresAt: 4_000_000_000,
    };
    let (patient, doctor) = (&chain.patient, &chain.doctor);
    let calls = [
        (
            "create_contract",
            patient,
            chain.registration(IMAGE).abi_encode(),
            READ + ECRECOVER + CREATE,
        ),
        (
            "requesting_access",
            doctor,
            chain.request().abi_encode(),
            READ + CREATE,
        ),
        (
            "approve_IRs",
            patient,
            chain.approval(0).abi_encode(),
            READ + CHANGE + CREATE,
        ),
        (
            "trace_authorization",
            doctor,
            chain.trace().abi_encode(),
            2 * READ,
        ),
        (
            "reshare_IRs",
            patient,
            reshare.abi_encode(),
            READ + CHANGE + READ + 100,
        ),
        (
            "remove_IRs",
            patient,
            chain.removal().abi_encode(),
            READ + CHANGE + CLEAR,
        ),
        (
            "requesting_access again",
            doctor,
            chain.request().abi_encode(),
            READ + CHANGE,
        ),
        (
            "deny_IRs",
            patient,
            chain.denial().abi_encode(),
            READ + CHANGE,
        ),
    ];
    for (name, who, data, storage) in calls {
        let floor = intrinsic(&data) + storage;
        let receipt = chain.send_raw(who, data).await;
        assert_eq!(receipt.status.unwrap().as_u64(), 1, "{name}");
        rows.push(Row {
            name,
            gas: receipt.gas_used.unwrap().as_u64(),
            floor: floor + logs(&receipt),
        });
    }
    rows
}

#[tokio::test]
async fn calls_cost_little_more_than_what_they_store_and_log() {
    let plain = Chain::start().await;
    let uncached = story(&plain).await;
    let chain = Chain::start().await;
    chain.cache().await;
    let cached = story(&chain).await;

    // What one would deploy instead.
    let mut other = Chain::start().await;
    let twin = match super::machine::twin(&other).await {
        Some(twin) => {
            other.contract = twin;
            story(&other).await
        }
        None => Vec::new(),
    };

    println!(
        "{:<24} {:>8} {:>8} {:>8} {:>8}",
        "gas", "floor", "cached", "uncached", "Solidity"
    );
    for (i, (cached, uncached)) in cached.iter().zip(&uncached).enumerate() {
        let (name, floor) = (cached.name, cached.floor);
        let (cached, uncached) = (cached.gas, uncached.gas);
        let twin = twin.get(i).map_or("-".into(), |row| row.gas.to_string());
        println!("{name:<24} {floor:>8} {cached:>8} {uncached:>8} {twin:>8}");
    }
    let gas = |name| cached.iter().find(|row| row.name == name).unwrap().gas;
    let cycle: u64 = [
        "create_contract",
        "requesting_access",
        "approve_IRs",
        "trace_authorization",
        "remove_IRs",
    ]
    .map(gas)
    .iter()
    .sum();
    println!("{:<24} {:>8} {cycle:>8}", "these five", "");
    for (name, most) in [
        ("create_contract", 60_000),
        ("requesting_access", 53_000),
        ("approve_IRs", 61_000),
        ("trace_authorization", 31_000),
        ("remove_IRs", 36_000),
        ("deny_IRs", 36_000),
    ] {
        assert!(gas(name) <= most, "{name} costs {} of {most}", gas(name));
    }
    assert!(cycle <= 241_000, "{cycle}");
    for row in &cached {
        // The program's own charge and its work.
        let own = row.gas as i64 - row.floor as i64;
        assert!(
            (0..2_000).contains(&own),
            "{}: {own} above the floor",
            row.name
        );
    }
}
