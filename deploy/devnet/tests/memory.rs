//! Memory does not grow with the number of transactions, once the blocks to keep are there.
//!
//! `STYLUS_DEVNET_MEMORY_RUNS` sets how many transactions (5,000 else), `STYLUS_DEVNET_MEMORY_BLOCKS` how many blocks are
//! kept (`all` for all of them). Every tenth of the run is printed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::{env, fs};

use alloy_primitives::{Address, Bytes, U256};
use common::{COUNTER, sign::Unsigned};
use k256::ecdsa::SigningKey;
use stylus_devnet::Config;

const FEE: u128 = 100_000_000;

/// The resident set, bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_flat() {
    let runs: u64 =
        env::var("STYLUS_DEVNET_MEMORY_RUNS").map_or(5_000, |text| text.parse().unwrap());
    let blocks = match env::var("STYLUS_DEVNET_MEMORY_BLOCKS").as_deref() {
        Ok("all") => None,
        Ok(text) => Some(text.parse().unwrap()),
        Err(_) => Some(256),
    };
    let config = Config {
        blocks,
        ..Config::default()
    };
    let states = config.states;
    let devnet = stylus_devnet::spawn(config).await.unwrap();
    let key = SigningKey::from_slice(devnet.accounts()[0].private_key.as_slice()).unwrap();
    let (chain, from) = (devnet.chain_id(), devnet.accounts()[0].address);
    let mut nonce = 0;
    let mut send = |tx: Unsigned| {
        let signed = Unsigned { nonce, ..tx }.sign(&key);
        nonce += 1;
        devnet.send_raw(signed).unwrap();
    };
    let pay = Unsigned::pay(chain, 0, Address::repeat_byte(0xb0), FEE);
    send(Unsigned {
        to: None,
        value: U256::ZERO,
        gas_limit: 200_000,
        input: COUNTER.parse().unwrap(),
        ..pay.clone()
    });
    let counter = from.create(0);

    // Payments and logged writes in turn.
    let mut figures = Vec::new();
    let tenth = runs / 10;
    for part in 0..10 {
        for at in 0..tenth {
            send(match at % 2 {
                0 => pay.clone(),
                _ => Unsigned {
                    to: Some(counter),
                    value: U256::ZERO,
                    gas_limit: 100_000,
                    ..pay.clone()
                },
            });
        }
        figures.push(resident());
        println!(
            "{:>7} transactions: {:>6} kB",
            (part + 1) * tenth,
            figures[part as usize] >> 10
        );
    }
    let count = devnet
        .call(from, counter, Bytes::from(vec![0; 32]))
        .unwrap();
    assert_eq!(U256::from_be_slice(&count), U256::from(10 * (tenth / 2)));

    let (settled, last) = (figures[3], figures[9]);
    let per_transaction = last.saturating_sub(settled) / (6 * tenth);
    println!(
        "{per_transaction} bytes a transaction over the last {}; states of {states} blocks",
        6 * tenth
    );
    if blocks.is_some() {
        // A block kept for good takes more than a kilobyte.
        assert!(
            per_transaction < 256,
            "{per_transaction} bytes a transaction"
        );
    }
}
