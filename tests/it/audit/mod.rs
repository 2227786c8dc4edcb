//! The index of the contract's history: as good as one that is read from the beginning, whatever the chain, the process or
//! the provider did meanwhile.

mod providers;
mod proxy;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pcim_client::audit::{Entry, Error, EventKind, ImageQuery, Index, Query, Standing, State};
use pcim_core::GrantStatus;
use pcim_ledger::{Deployment, Ledger};

use crate::historian::{Historian, Moment};
use proxy::Answer;

/// How many reorganisations; 200 by hand.
const REORGS: &str = "PCIM_AUDIT_REORGS";
/// How many kills; 100 by hand.
const KILLS: &str = "PCIM_AUDIT_KILLS";
/// Set to the index's path and the deployment in the process that is killed.
const CHILD: &str = "PCIM_AUDIT_CHILD";
const DEEPEST: usize = 64;

pub(crate) fn many(variable: &str, few: usize) -> usize {
    let told = std::env::var(variable).ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// A small generator of numbers (xorshift), so that a failure can be had again.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn open(path: &Path, deployment: &Deployment) -> Index {
    Index::open(path, deployment.chain_id, deployment.contract).unwrap()
}

fn all(index: &Index) -> Vec<Entry> {
    index.entries(&Query::default()).unwrap()
}

/// The images are as all entries say.
fn images_stand(index: &Index, entries: &[Entry]) {
    let images = index.images(&ImageQuery::default()).unwrap();
    assert_eq!(images, State::replay(entries).images);
}

/// An index that knows nothing of what was before.
async fn rebuilt(ledger: &Ledger) -> Vec<Entry> {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir.path().join("new.sqlite"), ledger.deployment());
    index.sync(ledger).await.unwrap();
    all(&index)
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_without_the_chain() {
    let mut history = Historian::start().await;
    // The constructor's and the accreditation.
    let mut written = 2;
    for _ in 0..12 {
        written += history.image_history();
    }
    let ledger = history.ledger().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.sqlite");
    let index = open(&path, ledger.deployment());
    assert_eq!(index.freshness().unwrap().block, None);
    let synced = index.sync(&ledger).await.unwrap();
    assert_eq!((synced.added, synced.taken_back), (written as u64, 0));
    let again = index.sync(&ledger).await.unwrap();
    assert_eq!((again.added, again.block), (0, synced.block));
    let compared = index.compare(&ledger).await.unwrap();
    assert_eq!(compared.logs, written as u64);

    let images: Vec<_> = (1..=12).map(Historian::image).collect();
    assert_eq!(index.check(&ledger, &images).await.unwrap(), []);

    // From here on there is no chain.
    let (patient, doctor) = (history.patient(), history.requestor(2));
    history.chain.devnet.shutdown().await;
    drop(index);
    let index = open(&path, ledger.deployment());
    let fresh = index.freshness().unwrap();
    assert_eq!(fresh.block, Some(synced.block));
    assert_eq!(fresh.entries, written as u64);
    assert!(fresh.synced_at > 1_700_000_000 && fresh.block_time > 1_700_000_000);

    let entries = all(&index);
    assert!(entries.is_sorted_by_key(|e| (e.block, e.log_index)));
    let state = State::replay(&entries);
    images_stand(&index, &entries);
    assert_eq!(state.images.len(), 12);
    // What an event does not say itself follows from others.
    for entry in &entries {
        if entry.about.image.is_some() {
            assert_eq!(entry.about.patient, Some(patient), "{entry:?}");
            assert!(entry.about.radiologist.is_some(), "{entry:?}");
        }
        if matches!(
            entry.kind(),
            EventKind::Requestaccepted | EventKind::Requestdenied
        ) {
            assert!(entry.about.requestor.is_some(), "{entry:?}");
        }
    }
    let ask = |query: Query| index.entries(&query).unwrap();
    let filtered = |keep: &dyn Fn(&Entry) -> bool| -> Vec<Entry> {
        entries
            .iter()
            .filter(|entry| keep(entry))
            .cloned()
            .collect()
    };
    let image = Some(Historian::image(3));
    let of_image = ask(Query {
        image,
        ..Query::default()
    });
    assert_eq!(of_image, filtered(&|e| e.about.image == image));
    assert_eq!(of_image.len(), 7);
    let of_doctor = ask(Query {
        requestor: Some(doctor),
        ..Query::default()
    });
    assert_eq!(of_doctor, filtered(&|e| e.about.requestor == Some(doctor)));
    let kinds = vec![EventKind::Approved, EventKind::UserRemoved];
    let of_kinds = ask(Query {
        kinds: kinds.clone(),
        patient: Some(patient),
        ..Query::default()
    });
    assert_eq!(of_kinds, filtered(&|e| kinds.contains(&e.kind())));
    let (from, to) = (entries[20].timestamp, entries[60].timestamp);
    let between = ask(Query {
        from: Some(from),
        to: Some(to),
        ..Query::default()
    });
    assert_eq!(between, filtered(&|e| (from..to).contains(&e.timestamp)));
    let last = ask(Query {
        limit: Some(5),
        ..Query::default()
    });
    assert_eq!(last, entries[entries.len() - 5..]);

    // What concerns a party, in any part.
    let latest = |mut entries: Vec<Entry>, limit| entries.split_off(entries.len() - limit);
    for party in [patient, doctor] {
        let concerns = filtered(&|e| {
            let about = &e.about;
            [about.patient, about.requestor, about.radiologist].contains(&Some(party))
        });
        let query = Query {
            party: Some(party),
            ..Query::default()
        };
        assert_eq!(ask(query.clone()), concerns);
        assert_eq!(index.count(&query).unwrap(), concerns.len() as u64);
        let limit = Some(7);
        assert_eq!(ask(Query { limit, ..query }), latest(concerns, 7));
    }
    let images = |query: ImageQuery| index.images(&query).unwrap();
    let asked: BTreeSet<_> = state
        .images
        .values()
        .filter(|image| image.grants.contains_key(&doctor))
        .map(|image| image.image)
        .collect();
    for query in [
        ImageQuery {
            asked_by: Some(doctor),
            ..ImageQuery::default()
        },
        ImageQuery {
            party: Some(doctor),
            ..ImageQuery::default()
        },
        ImageQuery {
            images: Some(asked.iter().copied().collect()),
            patient: Some(patient),
            ..ImageQuery::default()
        },
    ] {
        let found = images(query.clone());
        assert!(!asked.is_empty() && found.keys().eq(&asked), "{query:?}");
        assert!(
            found
                .values()
                .all(|image| *image == state.images[&image.image])
        );
    }
    let mine = ImageQuery {
        patient: Some(patient),
        ..ImageQuery::default()
    };
    assert_eq!(images(mine), state.images);
    let none = ImageQuery {
        images: Some(Vec::new()),
        ..ImageQuery::default()
    };
    assert_eq!(images(none).len(), 0);

    // By standing: as the state has it.
    let mut seen = 0;
    for standing in Standing::ALL {
        let wanted: BTreeSet<_> = state
            .images
            .values()
            .flat_map(|image| image.grants.values().map(|grant| (image.image, grant)))
            .filter(|(_, grant)| grant.standing(fresh.block_time) == standing)
            .map(|(image, grant)| (Some(image), Some(grant.requestor)))
            .collect();
        let found = ask(Query {
            standing: Some(standing),
            ..Query::default()
        });
        let found: BTreeSet<_> = found
            .iter()
            .map(|e| (e.about.image, e.about.requestor))
            .collect();
        assert_eq!(found, wanted, "{standing}");
        seen += wanted.len();
    }
    assert_eq!(seen, 12);
    // What was so before.
    let approved = entries
        .iter()
        .find(|e| e.kind() == EventKind::Approved)
        .unwrap();
    let (image, requestor) = (
        approved.about.image.unwrap(),
        approved.about.requestor.unwrap(),
    );
    let upto = entries.iter().take_while(|e| e.block <= approved.block);
    let then = State::replay(upto);
    assert_eq!(
        then.images[&image].grants[&requestor].status,
        GrantStatus::Approved
    );
    // An entry survives JSON.
    let text = serde_json::to_string(&entries).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Entry>>(&text).unwrap(), entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_read_anew_and_another_contracts_is_refused() {
    let mut history = Historian::start().await;
    history.image_history();
    let ledger = history.ledger().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.sqlite");
    let wanted = rebuilt(&ledger).await;
    for damage in [
        "not SQLite at all, but long enough to be taken for a file",
        "",
    ] {
        std::fs::write(&path, damage).unwrap();
        let index = open(&path, ledger.deployment());
        assert_eq!(index.rebuilt().is_some(), !damage.is_empty());
        index.sync(&ledger).await.unwrap();
        assert_eq!(all(&index), wanted);
    }
    // Pages overwritten in the middle.
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let mut index = open(&path, ledger.deployment());
    assert!(index.rebuilt().is_some());
    index.sync(&ledger).await.unwrap();
    assert_eq!(all(&index), wanted);
    // An earlier version's, and a later one's (`user_version` in SQLite's header).
    for version in [1, 99] {
        drop(index);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[60..64].copy_from_slice(&u32::to_be_bytes(version));
        std::fs::write(&path, bytes).unwrap();
        index = open(&path, ledger.deployment());
        let reason = index.rebuilt().unwrap();
        assert!(reason.contains(&format!("version {version}")), "{reason}");
        index.sync(&ledger).await.unwrap();
        assert_eq!(all(&index), wanted);
    }
    drop(index);
    let other = Index::open(&path, 1, ledger.deployment().contract);
    assert!(
        matches!(other, Err(Error::OtherContract { .. })),
        "{other:?}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_any_reorganisation_the_index_is_that_of_a_rebuild() {
    let rounds = many(REORGS, 10);
    let seed = many("PCIM_AUDIT_SEED", 0x5eed) as u64;
    let mut dice = Dice(seed | 1);
    let mut history = Historian::start().await;
    let ledger = history.ledger().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.sqlite");
    let mut index = open(&path, ledger.deployment());
    let mut moments: Vec<Moment> = Vec::new();
    let mut base = Some(history.moment().await);
    let mut depths = Vec::new();
    for round in 0..rounds {
        // Some blocks, with events and without.
        let steps = 1 + dice.below(12);
        for _ in 0..steps {
            moments.push(history.moment().await);
            match dice.below(4) {
                0 => history.mine(1).await,
                1 => drop(history.image_history()),
                _ => history.event(),
            }
        }
        if dice.below(4) > 0 {
            index.sync(&ledger).await.unwrap();
        }
        // A fork, and a longer chain in its place.
        let depth = 1 + dice.below(DEEPEST as u64) as usize;
        let depth = depth.min(moments.len());
        let back = moments.len() - depth;
        let moment = moments.drain(back..).next().unwrap();
        if round % 100 == 99 {
            // The devnet remembers a thousand moments: now and then everything is taken back.
            history.back_to(base.take().unwrap()).await;
            moments.clear();
            base = Some(history.moment().await);
        } else {
            history.back_to(moment).await;
        }
        depths.push(depth);
        for _ in 0..depth {
            moments.push(history.moment().await);
            match dice.below(6) {
                0 | 1 => history.mine(1).await,
                2 => drop(history.image_history()),
                _ => history.event(),
            }
        }
        let excess = moments.len().saturating_sub(DEEPEST);
        moments.drain(..excess);
        if dice.below(3) == 0 {
            // Another process goes on.
            drop(index);
            index = open(&path, ledger.deployment());
        }
        index.sync(&ledger).await.unwrap();
        let found = all(&index);
        let wanted = rebuilt(&ledger).await;
        assert_eq!(found.len(), wanted.len(), "round {round} of seed {seed}");
        assert_eq!(found, wanted, "round {round} of seed {seed}");
        images_stand(&index, &found);
    }
    depths.sort_unstable();
    eprintln!(
        "{rounds} reorganisations of depths {}..={}, median {}: the index equals a rebuild each time",
        depths[0],
        depths[rounds - 1],
        depths[rounds / 2]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_midst_of_it_loses_nothing() {
    let kills = many(KILLS, 4);
    let mut dice = Dice(0xdead);
    let mut history = Historian::start().await;
    for _ in 0..if kills > 10 { 400 } else { 60 } {
        history.image_history();
    }
    let ledger = history.ledger().await;
    let wanted = rebuilt(&ledger).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.sqlite");
    // So that there are many ranges.
    let proxy = proxy::start(history.deployment().rpc_url, |method, params, result| {
        let number = |name: &str| {
            let text = params[0][name].as_str().unwrap_or("0x0");
            u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
        };
        match method == "eth_getLogs" && number("toBlock") - number("fromBlock") > 20 {
            true => Answer::Error(-32005, "query returned more than 10000 results"),
            false => Answer::Result(result),
        }
    })
    .await;
    let slow = Deployment {
        rpc_url: proxy.url.clone(),
        ..history.deployment()
    };
    let mut midway = 0;
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "audit::the_process_that_is_killed"])
            .env(CHILD, serde_json::to_string(&(&path, &slow)).unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment = 20 + dice.below(800);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        let index = open(&path, ledger.deployment());
        assert_eq!(index.rebuilt(), None, "kill {kill}");
        let here = all(&index);
        // Whole ranges from the beginning, and nothing else.
        assert!(
            wanted.starts_with(&here),
            "kill {kill}: {} entries",
            here.len()
        );
        midway += usize::from(!here.is_empty() && here.len() < wanted.len());
        index.sync(&ledger).await.unwrap();
        assert_eq!(all(&index), wanted, "kill {kill}");
        images_stand(&index, &wanted);
        drop(index);
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("audit.sqlite{end}")));
        }
    }
    eprintln!(
        "{kills} kills, {midway} of them between two ranges: the index equals a rebuild each time"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_killed() {
    let Some(told) = std::env::var_os(CHILD) else {
        return;
    };
    let (path, deployment): (std::path::PathBuf, Deployment) =
        serde_json::from_str(told.to_str().unwrap()).unwrap();
    let ledger = Ledger::connect(deployment).await.unwrap();
    let index = open(&path, ledger.deployment());
    index.sync(&ledger).await.unwrap();
}
