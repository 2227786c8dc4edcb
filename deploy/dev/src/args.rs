//! The command line.

use clap::{Parser, Subcommand};
use pcim_terminal::ui::Ui;

use crate::commands::{bench, demo, devnet, faucet, gas};

/// The protocol on a chain of its own: a demonstration, what it costs, how fast it is.
#[derive(Debug, Parser)]
#[command(
    name = "pcim-dev",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage."
)]
pub(crate) struct Cli {
    /// Print the result as one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoArgs),
    Gas(gas::GasArgs),
    Bench(bench::BenchArgs),
    Devnet(devnet::DevnetArgs),
    Faucet(faucet::FaucetArgs),
}

impl Command {
    pub(crate) async fn run(&self, ui: Ui) -> anyhow::Result<()> {
        match self {
            Self::Demo(args) => args.run(ui).await,
            Self::Gas(args) => args.run(ui).await,
            Self::Bench(args) => args.run(ui).await,
            Self::Devnet(args) => args.run(ui).await,
            Self::Faucet(args) => args.run(ui).await,
        }
    }

    /// Whether an interrupt is the ordinary end of the command.
    pub(crate) fn ends_on_interrupt(&self) -> bool {
        matches!(self, Self::Devnet(_))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
