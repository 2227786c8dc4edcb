//! The paper's Figures 11 and 12, as data and as plots.

use std::path::{Path, PathBuf};

use pcim_client::Error;

use crate::gas::{DEPLOYMENT, FIVE_CALLS, Figures, PATIENTS, Recorded, Timed};

use super::chart::{Bar, Chart, Group, Line};
use super::table::{machine, number};
use pcim_terminal::files::write_result;

/// Writes the four files, each whole or not at all, over earlier ones.
pub(super) fn write(dir: &Path, figures: &Figures) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(dir).map_err(|source| Error::File {
        path: dir.to_owned(),
        source,
    })?;
    let files = [
        ("figure11.csv", times(&figures.times)),
        ("figure11.svg", times_chart(&figures.times).svg()),
        ("figure12.csv", transactions(&figures.transactions)),
        (
            "figure12.svg",
            transactions_chart(&figures.transactions).svg(),
        ),
    ];
    let mut written = Vec::new();
    for (name, content) in files {
        let path = dir.join(name);
        write_result(&path, content.as_bytes(), true)?;
        written.push(path);
    }
    Ok(written)
}

fn patient(patient: Option<usize>) -> String {
    patient.map_or_else(String::new, |patient| patient.to_string())
}

fn times(times: &[Timed]) -> String {
    let measured = machine();
    let mut csv = "operation,patient,runs,median_ms,least_ms,most_ms,measured\n".to_owned();
    for timed in times {
        csv.push_str(&format!(
            "{},{},{},{:.3},{:.3},{:.3},{measured}\n",
            timed.operation,
            patient(timed.patient),
            timed.runs,
            timed.median_ms,
            timed.least_ms,
            timed.most_ms
        ));
    }
    csv
}

fn times_chart(times: &[Timed]) -> Chart {
    let deployment = times.iter().find(|timed| timed.operation == DEPLOYMENT);
    let deployment = deployment.map_or(0.0, |timed| timed.median_ms);
    let runs = times.first().map_or(0, |timed| timed.runs);
    let group = |operation: &&str| Group {
        label: (*operation).to_owned(),
        bars: times
            .iter()
            .filter(|timed| timed.operation == *operation)
            .zip(0..)
            .map(|(timed, series)| Bar {
                value: timed.median_ms,
                series,
            })
            .collect(),
    };
    Chart {
        title: format!("Time to record each event for {PATIENTS} patients, medians of {runs} runs"),
        note: format!(
            "{}; not drawn: the deployment, once for all, {deployment:.1} ms",
            machine()
        ),
        x: "operation",
        y: "milliseconds until the receipt",
        series: (1..=PATIENTS).map(|n| format!("patient {n}")).collect(),
        groups: FIVE_CALLS.iter().map(group).collect(),
        line: None,
    }
}

fn transactions(transactions: &[Recorded]) -> String {
    let mut csv = "transaction,operation,patient,gas_used,block_bytes\n".to_owned();
    for recorded in transactions {
        csv.push_str(&format!(
            "{},{},{},{},{}\n",
            recorded.transaction,
            recorded.operation,
            patient(recorded.patient),
            recorded.gas_used,
            recorded.block_bytes
        ));
    }
    csv
}

fn transactions_chart(transactions: &[Recorded]) -> Chart {
    let (deployment, calls): (Vec<_>, Vec<_>) = transactions
        .iter()
        .partition(|recorded| recorded.operation == DEPLOYMENT);
    let series = |operation: &str| FIVE_CALLS.iter().position(|call| *call == operation);
    let not_drawn: Vec<_> = deployment
        .iter()
        .map(|recorded| {
            let (gas, bytes) = (number(recorded.gas_used), number(recorded.block_bytes));
            format!("; not drawn: transaction 0, the deployment, {gas} gas, {bytes} bytes")
        })
        .collect();
    Chart {
        title: "Gas and block size by number of transactions".to_owned(),
        note: format!(
            "L2 gas, program not in the chain's cache; one transaction to a block{}",
            not_drawn.concat()
        ),
        x: "transaction",
        y: "gas",
        series: FIVE_CALLS.map(str::to_owned).to_vec(),
        groups: calls
            .iter()
            .map(|recorded| Group {
                label: recorded.transaction.to_string(),
                bars: vec![Bar {
                    value: recorded.gas_used as f64,
                    series: series(recorded.operation).unwrap_or_default(),
                }],
            })
            .collect(),
        line: Some(Line {
            y: "block size, bytes",
            values: calls
                .iter()
                .map(|recorded| recorded.block_bytes as f64)
                .collect(),
        }),
    }
}
