//! `pcim-dev bench`

use std::path::PathBuf;

use crate::bench::{self, Plan};
use clap::Args;

use pcim_terminal::ui::Ui;

/// Measure sealing, opening, fetching and approving beside what this machine can do
///
/// Each figure is the median of several runs. The files and repositories it needs are made in a folder
/// and deleted again; they belong on the disk whose speed matters. No home and no chain is needed.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// How often each thing is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    runs: u8,
    /// Also a study of 1,142 instances, as one image and as an image each
    #[arg(long)]
    study: bool,
    /// Also an image of 4 GiB; takes 13 GB of disk
    #[arg(long)]
    large: bool,
    /// Everything
    #[arg(long)]
    full: bool,
    /// Where to work
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl BenchArgs {
    pub(crate) async fn run(&self, ui: Ui) -> anyhow::Result<()> {
        let plan = Plan {
            dir: self.dir.clone(),
            runs: self.runs.into(),
            study: self.study || self.full,
            large: self.large || self.full,
        };
        let tell = |what: &str| ui.note(&format!("measuring {what}"));
        let report = bench::run(&plan, tell).await?;
        ui.result(&report, &report.to_string())
    }
}
