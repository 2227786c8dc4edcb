//! The chain without a transaction executed: time, edits, snapshots, held nonces, restarts.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use alloy_primitives::{Address, U256};

use super::{block::Block, tx::tests::transfer, *};
use crate::genesis;

const PRICE: u128 = 100_000_000;

fn chain(dir: Option<&std::path::Path>) -> Chain {
    let config = Config {
        chain_id: 7,
        state_dir: dir.map(Into::into),
        ..Config::default()
    };
    Chain::open(&config, &genesis::dev_accounts().unwrap()).unwrap()
}
fn head(chain: &Chain) -> Arc<Block> {
    chain.read().head().unwrap().clone()
}
fn balance(chain: &Chain, who: Address, at: BlockId) -> U256 {
    let (_, version) = chain.resolve(at).unwrap();
    let account = chain.read().state.account(who, version);
    account.unwrap_or_default().balance
}

#[test]
fn genesis_funds_the_dev_accounts() {
    let chain = chain(None);
    assert_eq!(head(&chain).number(), 0);
    for account in genesis::dev_accounts().unwrap() {
        let wei = balance(&chain, account.address, BlockId::Latest);
        assert_eq!(wei, U256::from(10).pow(U256::from(21)));
    }
}

#[test]
fn time_is_moved_and_never_goes_back() {
    let chain = chain(None);
    let start = head(&chain).timestamp();
    chain.increase_time(3_600).unwrap();
    chain.mine(None).unwrap();
    let later = head(&chain).timestamp();
    assert!(later >= start + 3_600);
    assert!(head(&chain).l1_number() >= 300);
    assert!(matches!(
        chain.set_next_time(start),
        Err(Error::Past { .. })
    ));
    chain.mine(Some(later + 50)).unwrap();
    assert_eq!(head(&chain).timestamp(), later + 50);
    chain.mine(None).unwrap();
    assert!(head(&chain).timestamp() >= later + 50);
}

#[test]
fn a_snapshot_brings_everything_back() {
    let chain = chain(None);
    let who = Address::repeat_byte(5);
    chain.set_balance(who, U256::from(1)).unwrap();
    let before = head(&chain);
    let snapshot = chain.snapshot().unwrap();
    let later = chain.snapshot().unwrap();
    chain.set_balance(who, U256::from(2)).unwrap();
    chain.mine(None).unwrap();
    let undone = head(&chain);
    assert!(chain.revert(snapshot).unwrap());
    assert_eq!(head(&chain), before);
    assert_eq!(balance(&chain, who, BlockId::Latest), U256::from(1));
    assert_eq!(chain.resolve(BlockId::Hash(undone.hash)), None);
    assert!(!chain.revert(snapshot).unwrap());
    assert!(!chain.revert(later).unwrap());
    chain.mine(None).unwrap();
    assert!(head(&chain).serial > undone.serial);
}

#[test]
fn a_transaction_ahead_of_its_nonce_is_held_once() {
    let chain = chain(None);
    let hash = chain.submit(transfer(7, 5, PRICE)).unwrap();
    assert_eq!(head(&chain).number(), 0);
    assert!(chain.read().pool.get(&hash).is_some());
    let again = chain.submit(transfer(7, 5, PRICE)).unwrap_err();
    assert_eq!(again.to_string(), "already known");
    let rival = chain.submit(transfer(7, 5, PRICE + 1)).unwrap_err();
    assert_eq!(rival.to_string(), "replacement transaction underpriced");
    assert_eq!(chain.read().accepted_after(0).collect::<Vec<_>>(), [hash]);
}

#[test]
fn a_restart_brings_everything_back() {
    let dir = tempfile::tempdir().unwrap();
    let who = Address::repeat_byte(5);
    let first = chain(Some(dir.path()));
    first.mine(None).unwrap();
    first.set_balance(who, U256::from(3)).unwrap();
    first.increase_time(1_000).unwrap();
    let held = first.submit(transfer(7, 5, PRICE)).unwrap();
    let snapshot = first.snapshot().unwrap();
    first.mine(None).unwrap();
    first.revert(snapshot).unwrap();
    first.mine(None).unwrap();
    let blocks = first.read().blocks().to_vec();
    first.close();
    assert!(matches!(first.mine(None), Err(Error::Closed)));

    let second = chain(Some(dir.path()));
    let hashes = |blocks: &[Arc<Block>]| blocks.iter().map(|block| block.hash).collect::<Vec<_>>();
    assert_eq!(hashes(second.read().blocks()), hashes(&blocks));
    assert_eq!(second.read().clock.offset, 1_000);
    assert_eq!(balance(&second, who, BlockId::Latest), U256::from(3));
    assert_eq!(balance(&second, who, BlockId::Earliest), U256::ZERO);
    assert!(second.read().pool.get(&held).is_some());
    second.mine(None).unwrap();
    assert_eq!(head(&second).header.parent_hash, blocks[2].hash);
}

#[test]
fn what_is_not_kept_is_forgotten_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        chain_id: 7,
        state_dir: Some(dir.path().into()),
        states: 20,
        blocks: Some(100),
        ..Config::default()
    };
    let open = || Chain::open(&config, &genesis::dev_accounts().unwrap()).unwrap();
    let chain = open();
    let who = Address::repeat_byte(5);
    let step = |chain: &Chain, wei: u64| {
        chain.mine(None).unwrap();
        chain.set_balance(who, U256::from(wei)).unwrap();
    };
    (1..=300).for_each(|wei| step(&chain, wei));
    let check = |chain: &Chain, newest: u64| {
        assert_eq!(head(chain).number(), newest);
        for back in 0..20 {
            let at = BlockId::Number(newest - back);
            assert_eq!(balance(chain, who, at), U256::from(newest - back));
        }
        // Blocks reach further back than states, and the first is always there.
        let (at, gone) = (BlockId::Number(newest - 99), BlockId::Number(newest - 200));
        assert!(chain.find(at).is_some() && chain.resolve(at).is_none());
        assert!(chain.find(gone).is_none());
        let first = chain.find(BlockId::Earliest).unwrap();
        assert_eq!(first.number(), 0);
        assert!(chain.find(BlockId::Hash(first.hash)).is_some());
        assert!(chain.read().blocks().len() < 200);
    };
    check(&chain, 300);

    // A snapshot keeps the blocks it needs, however far the chain goes on.
    let snapshot = chain.snapshot().unwrap();
    (301..=700).for_each(|wei| step(&chain, wei));
    assert!(chain.find(BlockId::Number(300)).is_some());
    assert!(chain.revert(snapshot).unwrap());
    assert_eq!(head(&chain).number(), 300);
    assert_eq!(balance(&chain, who, BlockId::Latest), U256::from(300));
    (301..=500).for_each(|wei| step(&chain, wei));
    check(&chain, 500);

    chain.close();
    check(&open(), 500);
}
