//! `pcim`: patient-centric image management for radiologists, patients and requestors.

mod agent;
mod args;
mod commands;
mod contacts;
mod context;
mod failure;
mod global;
mod parse;

use std::process::ExitCode;

use clap::Parser;
use pcim_terminal::ui;

use args::Cli;
use context::Context;
use ui::Ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.global.json);
    let context = Context::new(cli.global, ui);
    let is_cut = !cli.command.ends_on_interrupt();
    pcim_terminal::run(ui, failure::hint, is_cut, cli.command.run(&context))
}
