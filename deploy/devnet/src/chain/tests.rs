//! The chain without a transaction executed: time, edits, snapshots, held nonces, restarts.
#![allow(clippy::unwrap_used)]

use super::{tx::tests::transfer, *};

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
