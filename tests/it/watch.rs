//! A watcher over a chain that is reorganised again and again: its reports, less those that it took back, are the chain's
//! events.
//!
//! `PCIM_WATCH_REORGS` is how many reorganisations (a dozen unless it is set), `PCIM_WATCH_SEED` another walk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use pcim_client::audit::Query;
use pcim_client::audit::watch::Rule;
use pcim_client::home::{Config, Home, NewHome};
use pcim_client::journal::WatchStore;
use pcim_client::{Session, Watching};
use pcim_core::{LockCost, Passphrase};

use crate::actors::WAIT;
use crate::audit::{Dice, many};
use crate::historian::{Historian, Moment};

const RULES: &[u8] = b"[[rule]]\nname = 'everything'\nwhen = 'event'\nof = 'all'\n";
/// How far back the chain goes at most, in moments: each has several events.
const MOMENTS: usize = 5;

/// How often each transaction's event was told, less how often it was taken back.
type Told = BTreeMap<B256, i32>;

/// Does what is to be done about all that is new, or is killed before the end of it.
async fn turn(watching: &mut Watching<'_>, told: &mut Told, dice: &mut Dice) {
    for seen in watching.look().await.unwrap() {
        if dice.below(40) == 0 {
            return;
        }
        assert_eq!(seen.alerts.len(), 1, "{seen:?}");
        let event = seen.alerts[0].event.as_ref().unwrap();
        assert_eq!(event.tx, seen.id.tx, "it is about what was told");
        let count = told.entry(seen.id.tx).or_default();
        *count += if seen.taken_back { -1 } else { 1 };
        assert!(
            matches!(count, 0 | 1),
            "told twice, or taken back untold: {seen:?}"
        );
        watching.done(&[&seen], None).unwrap();
    }
    watching.settle().unwrap();
}

async fn home(history: &Historian, dir: &tempfile::TempDir) -> Session {
    let deployment = history.deployment();
    let config = Config {
        rpc_url: Some(deployment.rpc_url),
        chain_id: Some(deployment.chain_id),
        contract: Some(deployment.contract),
        ..Config::default()
    };
    let path = dir.path().join("home");
    let made = tokio::task::spawn_blocking(move || {
        let new = NewHome {
            config,
            passphrase: &Passphrase::new("never used again".to_owned()),
            user_id: None,
            account: None,
            cost: LockCost::LIGHT,
            openpgp: Default::default(),
        };
        Home::init(&path, new).unwrap()
    });
    Session::open(made.await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_less_what_was_taken_back_is_what_the_chain_says() {
    let rounds = many("PCIM_WATCH_REORGS", 12);
    let seed = many("PCIM_WATCH_SEED", 0x7ea1) as u64;
    let mut dice = Dice(seed | 1);
    let mut history = Historian::start().await;
    let dir = tempfile::tempdir().unwrap();
    let client = home(&history, &dir).await;
    let rules = Rule::read_all(RULES).unwrap();
    let mut watching = client.auditor().watch(rules.clone(), true).unwrap();
    let mut told = Told::new();
    // The numbers of the events on this chain, and how many there were at each moment.
    let mut events: Vec<u64> = Vec::new();
    let mut moments: Vec<(Moment, usize)> = Vec::new();
    let mut height = 0;
    let (mut number, mut came_back, mut restarts) = (0, 0, 0);
    for round in 0..rounds {
        moments.push((history.moment().await, events.len()));
        for _ in 0..1 + dice.below(6) {
            number += 1;
            history.event_of(number);
            events.push(number);
            height += 1;
        }
        if dice.below(4) > 0 {
            turn(&mut watching, &mut told, &mut dice).await;
        }
        if dice.below(3) == 0 {
            drop(watching);
            watching = client.auditor().watch(rules.clone(), true).unwrap();
            restarts += 1;
        }
        if dice.below(3) == 0 {
            continue;
        }
        // A fork: other blocks first, then some of what was there before, in its order.
        let back = moments.len() - 1 - dice.below(moments.len().min(MOMENTS) as u64) as usize;
        let (moment, left) = moments.drain(back..).next().unwrap();
        history.back_to(moment).await;
        let gone = events.split_off(left);
        history.mine(1 + dice.below(3)).await;
        if dice.below(3) == 0 {
            turn(&mut watching, &mut told, &mut dice).await;
        }
        let again = dice.below(gone.len() as u64 + 1) as usize;
        for number in &gone[..again] {
            history.event_of(*number);
            events.push(*number);
        }
        came_back += again;
        // Longer than the one before, at last.
        height += 8;
        history.mine(gone.len() as u64 + 8).await;
        turn(&mut watching, &mut told, &mut dice).await;
        assert!(watching.head() > 0, "round {round} of seed {seed}");
    }
    let start = Instant::now();
    history.mine(height).await;
    loop {
        turn(&mut watching, &mut told, &mut dice).await;
        let open = watching.look().await.unwrap();
        if !watching.is_waiting() && open.is_empty() {
            break;
        }
        assert!(start.elapsed() < WAIT, "seed {seed}: {} open", open.len());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let entries = client
        .auditor()
        .audit_index()
        .unwrap()
        .entries(&Query::default());
    let wanted: BTreeSet<B256> = entries.unwrap().iter().map(|entry| entry.tx).collect();
    assert_eq!(wanted.len(), events.len() + 2, "seed {seed}");
    let standing = told.iter().filter(|(_, count)| **count == 1);
    let standing: BTreeSet<B256> = standing.map(|(tx, _)| *tx).collect();
    assert_eq!(standing, wanted, "seed {seed}");
    // A restart has nothing more to tell; on another chain, which began with another block, everything is new.
    drop(watching);
    let mut watching = client.auditor().watch(rules.clone(), true).unwrap();
    assert_eq!(watching.look().await.unwrap().len(), 0);
    drop(watching);
    let deployment = client.deployment().unwrap();
    let name = format!("{}-{:#x}", deployment.chain_id, deployment.contract);
    let store = WatchStore::open(&client.home().watch_path(&name)).unwrap();
    let (block, _) = store.origin().unwrap().unwrap();
    store.set_origin(block, B256::repeat_byte(9)).unwrap();
    drop(store);
    let mut watching = client.auditor().watch(rules.clone(), true).unwrap();
    assert_eq!(watching.look().await.unwrap().len(), wanted.len());
    let taken_back = told.len() - standing.len();
    eprintln!(
        "{rounds} rounds, {restarts} restarts: {} events stand, {came_back} came back, {taken_back} were taken back",
        standing.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_tells_what_happens_from_then_on() {
    let mut history = Historian::start().await;
    let dir = tempfile::tempdir().unwrap();
    let client = home(&history, &dir).await;
    let rules = Rule::read_all(RULES).unwrap();
    history.event_of(1);
    history.mine(1).await;
    let mut watching = client.auditor().watch(rules.clone(), false).unwrap();
    assert_eq!(watching.look().await.unwrap().len(), 0);
    assert!(!watching.is_waiting(), "nothing of the past is missing");
    // Longer than an event is waited for that may come back.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(watching.look().await.unwrap().len(), 0);
    history.event_of(2);
    history.mine(1).await;
    assert_eq!(watching.look().await.unwrap().len(), 1);
    drop(watching);
    let mut watching = client.auditor().watch(rules, false).unwrap();
    assert_eq!(watching.look().await.unwrap().len(), 1, "it was not done");
}
