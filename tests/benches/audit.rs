//! The index of 100,000 events of the real contract on the development chain: first synchronisation, a second one, questions,
//! memory.
//!
//! ```console
//! $ cargo bench --bench audit            # 100000 events, medians of five
//! $ cargo bench --bench audit -- 20000
//! ```
#![allow(clippy::unwrap_used, dead_code, unused_imports, unused_macros)]

#[path = "../it/chain.rs"]
mod chain;
#[path = "../it/historian.rs"]
mod historian;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use historian::Historian;
use pcim_client::audit::{EventKind, ImageQuery, Index, Query, Standing};
use pcim_ledger::{Deployment, Ledger};

const RUNS: usize = 5;
/// Set in the process that synchronises: its memory is measured.
const CHILD: &str = "PCIM_AUDIT_BENCH";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to know that it builds.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(told) = std::env::var_os(CHILD) {
        return runtime.block_on(child(told.to_str().unwrap()));
    }
    let wanted: usize = arguments
        .iter()
        .find_map(|word| word.parse().ok())
        .unwrap_or(100_000);
    let started = Instant::now();
    let mut history = runtime.block_on(Historian::start());
    let mut written = 2;
    while written < wanted {
        written += history.image_history();
    }
    println!("{written} events generated in {:.0?}", started.elapsed());

    let deployment = history.deployment();
    let mut runs: Vec<Measured> = (0..RUNS).map(|_| measure(&deployment)).collect();
    let names: Vec<String> = runs[0].iter().map(|(name, _)| name.clone()).collect();
    for name in names {
        let mut values: Vec<f64> = runs
            .iter_mut()
            .map(|run| run.iter().find(|(other, _)| *other == name).unwrap().1)
            .collect();
        values.sort_by(f64::total_cmp);
        println!("| {name} | {:.1} | {values:.1?} |", values[RUNS / 2]);
    }
    runtime.block_on(history.chain.devnet.shutdown());
}

type Measured = Vec<(String, f64)>;

/// One run in a process of its own.
fn measure(deployment: &Deployment) -> Measured {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.sqlite");
    let told = serde_json::to_string(&(&path, deployment)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .env(CHILD, told)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut measured: Measured = serde_json::from_slice(&output.stdout).unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    measured.push(("file, MiB".into(), size as f64 / 1024.0 / 1024.0));
    measured
}

async fn child(told: &str) {
    let (path, deployment): (std::path::PathBuf, Deployment) = serde_json::from_str(told).unwrap();
    let ledger = Ledger::connect(deployment).await.unwrap();
    let open = |path: &Path| {
        let deployment = ledger.deployment();
        Index::open(path, deployment.chain_id, deployment.contract).unwrap()
    };
    let mut measured = Measured::new();
    let mut note = |name: &str, time: Duration| {
        measured.push((format!("{name}, ms"), time.as_secs_f64() * 1e3));
    };
    let started = Instant::now();
    let index = open(&path);
    index.sync(&ledger).await.unwrap();
    note("first synchronisation", started.elapsed());
    drop(index);
    let started = Instant::now();
    let index = open(&path);
    note("opening", started.elapsed());
    index.sync(&ledger).await.unwrap();
    note(
        "second synchronisation, opening included",
        started.elapsed(),
    );
    let sample = index
        .entries(&Query {
            limit: Some(1),
            ..Query::default()
        })
        .unwrap();
    let last = &sample[0];
    let q = Query::default;
    let image = Some(Historian::image(100));
    let requestor = last.about.requestor;
    let patient = last.about.patient;
    let limit = Some(1000);
    let kinds = vec![EventKind::UserRemoved];
    let from = Some(last.timestamp.saturating_sub(10));
    let early = Some(index.of_blocks(0, 400).unwrap().last().unwrap().timestamp + 1);
    let of_image = Query { image, ..q() };
    for (name, query) in [
        ("timeline of an image", of_image.clone()),
        (
            "a requestor's latest 1,000",
            Query {
                requestor,
                limit,
                ..q()
            },
        ),
        (
            "latest 1,000 of a kind",
            Query {
                kinds,
                limit,
                ..q()
            },
        ),
        ("latest 1,000 since a time", Query { from, limit, ..q() }),
        ("latest 1,000 of all", Query { limit, ..q() }),
        (
            "first 1,000 of all",
            Query {
                to: early,
                limit,
                ..q()
            },
        ),
        (
            "a patient's first 1,000 of a kind",
            Query {
                patient,
                kinds: vec![EventKind::RequestedForApproval],
                to: early,
                limit,
                ..q()
            },
        ),
        (
            "latest 1,000 that concern an actor",
            Query {
                party: requestor,
                limit,
                ..q()
            },
        ),
        (
            "latest 1,000 about open requests",
            Query {
                standing: Some(Standing::Requested),
                limit,
                ..q()
            },
        ),
        (
            "latest 1,000 about ended requests",
            Query {
                standing: Some(Standing::Removed),
                limit,
                ..q()
            },
        ),
        (
            "first 1,000 about open requests",
            Query {
                standing: Some(Standing::Requested),
                to: early,
                limit,
                ..q()
            },
        ),
        (
            "latest 1,000 about a requestor's approvals",
            Query {
                standing: Some(Standing::Approved),
                requestor,
                limit,
                ..q()
            },
        ),
    ] {
        let started = Instant::now();
        let found = index.entries(&query).unwrap();
        let elapsed = started.elapsed();
        assert!(!found.is_empty(), "{name}");
        note(name, elapsed);
    }
    for (name, query) in [
        (
            "an image and its requests",
            ImageQuery {
                images: image.map(|image| vec![image]),
                ..ImageQuery::default()
            },
        ),
        (
            "what a requestor asked for, and how it stands",
            ImageQuery {
                asked_by: requestor,
                ..ImageQuery::default()
            },
        ),
        (
            "all images and requests, as they stand",
            ImageQuery::default(),
        ),
    ] {
        let started = Instant::now();
        let found = index.images(&query).unwrap();
        let elapsed = started.elapsed();
        assert!(!found.is_empty(), "{name}");
        note(name, elapsed);
    }
    drop(index);
    let started = Instant::now();
    let index = open(&path);
    index.sync(&ledger).await.unwrap();
    let of_patient = ImageQuery {
        patient,
        ..ImageQuery::default()
    };
    assert!(!index.images(&of_patient).unwrap().is_empty());
    note(
        "who may open a patient's images: opened, synchronised, asked",
        started.elapsed(),
    );
    let some: Vec<_> = (1..=200).map(Historian::image).collect();
    let started = Instant::now();
    assert_eq!(index.check(&ledger, &some).await.unwrap(), []);
    note("comparing 200 images with the contract", started.elapsed());
    let peak = most_memory();
    let started = Instant::now();
    assert!(!index.entries(&q()).unwrap().is_empty());
    note("all entries at once", started.elapsed());
    for (name, peak) in [
        ("most memory, MiB", peak),
        ("with all entries at once, MiB", most_memory()),
    ] {
        measured.push((name.into(), peak));
    }
    println!("{}", serde_json::to_string(&measured).unwrap());
}

/// The most memory that this process has had, in MiB.
fn most_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
    peak.unwrap_or_default() / 1024.0
}
