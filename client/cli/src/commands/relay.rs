//! `pcim relay`

mod serve;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pcim_client::{Actor, Error, RELAY_GAS, Relayed};
use pcim_ledger::{Nonce, RelayCall};
use serde::Serialize;

use crate::context::{Context, read_small};
use crate::failure::{Failure, NotRelayed, Usage};
use crate::ui::printable;

/// Most gas of a run unless another limit is given: a hundred calls of the dearest kind.
const BUDGET: u64 = 100 * RELAY_GAS;
/// Most files that are read at a time.
const MAX_FILES: usize = 10_000;

/// Send calls that others have signed, and pay for them
///
/// Each file holds one signed call, as `--sign-only` writes it; of a directory, every *.json is read. Each call
/// is a transaction of its own; those of one signer are sent in the order of their nonces. A call is done once
/// at most, from any sender and at any number of tries: run the command again to go on after an interruption. The exit
/// code is 1 unless every one of these very calls is on the chain; the others are sent all the same.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RelayArgs {
    #[command(subcommand)]
    task: Option<RelayTask>,
    /// Signed calls; a file named `serve` is given as ./serve
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
    /// Most gas of one call: the contract account that signed it may burn what it is given
    #[arg(long, value_name = "GAS", default_value_t = RELAY_GAS)]
    max_gas: u64,
    /// Most gas of all calls together; those that are left when it is used up are not sent
    #[arg(long, value_name = "GAS", default_value_t = BUDGET)]
    gas_budget: u64,
}

/// The relay as a service.
#[derive(Debug, Subcommand)]
enum RelayTask {
    Serve(serve::ServeArgs),
}

/// The outcome of a file.
#[derive(Serialize)]
struct Report {
    #[serde(serialize_with = "pcim_core::text::path")]
    file: PathBuf,
    /// Without it the file is none.
    #[serde(flatten)]
    call: Option<Named>,
    #[serde(flatten)]
    done: Option<Relayed>,
    /// Why nothing was done.
    error: Option<String>,
    /// The gas that was paid for it, or may have been.
    #[serde(skip)]
    paid: u64,
}

/// Which call it is.
#[derive(Serialize)]
struct Named {
    function: String,
    signer: pcim_core::Address,
    nonce: Nonce,
}

impl Report {
    /// A call for which there is no gas left.
    fn unsent(file: PathBuf, call: RelayCall, left: u64) -> Self {
        Self {
            file,
            call: Some(Named::of(call)),
            done: None,
            error: Some(format!(
                "not sent: {left} gas of this run's --gas-budget is left, less than --max-gas"
            )),
            paid: 0,
        }
    }
}

impl Named {
    fn of(call: RelayCall) -> Self {
        Self {
            function: call.function,
            signer: call.signer,
            nonce: call.nonce,
        }
    }
}

impl RelayArgs {
    /// Says whether it runs until it is interrupted.
    pub(crate) fn serves(&self) -> bool {
        self.task.is_some()
    }

    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if let Some(RelayTask::Serve(args)) = &self.task {
            return args.run(context).await;
        }
        let files = self.files()?;
        let mut calls = Vec::new();
        let mut reports = Vec::new();
        for file in files {
            match read(&file) {
                Ok(call) => calls.push((file, call)),
                Err(error) => reports.push(Report {
                    file,
                    call: None,
                    done: None,
                    error: Some(Failure::of(&error).message),
                    paid: 0,
                }),
            }
        }
        calls.sort_by_key(|(_, call)| (call.signer, call.nonce));
        if !calls.is_empty() {
            let mut limits = context.limits();
            limits.relay_gas = self.max_gas;
            let client = context.client().await?.with_limits(limits);
            let mut left = self.gas_budget;
            for (file, call) in calls {
                let report = match left < self.max_gas {
                    true => Report::unsent(file, call, left),
                    false => relay(&client, file, call, self.max_gas).await,
                };
                left = left.saturating_sub(report.paid);
                reports.push(report);
            }
            client.shutdown().await;
        }
        let text: String = reports.iter().map(line).collect();
        context.ui.result(&reports, &text)?;
        let all = reports.len();
        let is_there = |it: &&Report| {
            matches!(it.done, Some(Relayed::Sent(_) | Relayed::Found(_))) && it.error.is_none()
        };
        match all - reports.iter().filter(is_there).count() {
            0 => Ok(()),
            failed => Err(NotRelayed { failed, all }.into()),
        }
    }

    /// The files that are named, and those of the directories that are, each once.
    fn files(&self) -> anyhow::Result<BTreeSet<PathBuf>> {
        let mut files = BTreeSet::new();
        for path in &self.paths {
            let unreadable = |source| Error::File {
                path: path.clone(),
                source,
            };
            if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
                files.insert(path.clone());
                continue;
            }
            for entry in std::fs::read_dir(path).map_err(unreadable)? {
                let file = entry.map_err(unreadable)?.path();
                if file.extension().is_some_and(|it| it == "json") && file.is_file() {
                    files.insert(file);
                }
                check(&files)?;
            }
            if files.is_empty() {
                return Err(Usage(format!("no *.json in {}", path.display())).into());
            }
        }
        check(&files)?;
        Ok(files)
    }
}

fn check(files: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    if files.len() > MAX_FILES {
        return Err(Usage(format!("more than {MAX_FILES} files at a time")).into());
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<RelayCall> {
    Ok(RelayCall::parse(&read_small(path)?)?)
}

async fn relay(client: &Actor, file: PathBuf, call: RelayCall, most_gas: u64) -> Report {
    let (done, error, paid) = match client.relayer().relay(&call).await {
        Ok(done) => {
            let paid = match &done {
                Relayed::Sent(written) => written.mined.gas_used,
                Relayed::Found(_) | Relayed::Used { .. } => 0,
            };
            (Some(done), None, paid)
        }
        Err(error) => {
            use pcim_ledger::Error as Chain;
            // One that was mined and failed, or may be, has been paid for.
            let paid = match &error {
                Error::Ledger(Chain::Reverted { .. } | Chain::NotMined { .. }) => most_gas,
                _ => 0,
            };
            (None, Some(Failure::of(&error.into()).message), paid)
        }
    };
    Report {
        file,
        call: Some(Named::of(call)),
        done,
        error,
        paid,
    }
}

fn line(report: &Report) -> String {
    let call = report.call.as_ref().map_or_else(String::new, |call| {
        format!(
            "  {} as call {} of {}",
            call.function, call.nonce, call.signer
        )
    });
    let outcome = match (&report.done, &report.error) {
        (Some(Relayed::Sent(written)), _) => {
            let mined = &written.mined;
            format!("relayed      {} ({} gas)", mined.tx, mined.gas_used)
        }
        (Some(Relayed::Found(mined)), _) => {
            format!("done before  {} ({} gas)", mined.tx, mined.gas_used)
        }
        (Some(Relayed::Used { next }), _) => {
            let next = next.map_or_else(String::new, |next| format!("; the next is {next}"));
            format!(
                "not relayed  its number is used or void, and this call is not found on the chain{next}"
            )
        }
        (None, Some(error)) => format!("not relayed  {}", printable(error)),
        (None, None) => String::new(),
    };
    format!("{}{call}\n  {outcome}\n", report.file.display())
}
