//! `pcim-dev`: the protocol on a chain of its own, for people who work on it or want to see it.

#![allow(
    clippy::result_large_err,
    reason = "an error ends the program: its size costs nothing"
)]

mod args;
mod bench;
mod commands;
mod gas;
mod hint;

use std::process::ExitCode;

use clap::Parser;
use pcim_terminal::ui::Ui;

use args::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.json);
    pcim_terminal::run(
        ui,
        hint::of,
        !cli.command.ends_on_interrupt(),
        cli.command.run(ui),
    )
}
