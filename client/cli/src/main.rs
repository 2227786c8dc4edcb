//! `pcim`: patient-centric image management for radiologists, patients and requestors.

mod agent;
mod args;
mod commands;
mod contacts;
mod context;
mod failure;
mod global;
mod names;
mod parse;
mod version;

use std::process::ExitCode;

use clap::Parser;
use pcim_terminal::ui;

use args::Cli;
use context::Context;
use ui::Ui;

/// Writes that a command line cannot be used, or the help that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    let is_json = std::env::args_os().any(|arg| arg == "--json");
    if !error.use_stderr() || !is_json {
        error.exit();
    }
    let text = error.to_string();
    let line = text.trim_start_matches("error: ").lines().next();
    let usage = failure::Usage(line.unwrap_or_default().to_owned());
    failure::Failure::of(&usage.into()).tell(Ui::new(true))
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ui = Ui::new(cli.global.json);
    let context = Context::new(cli.global, ui);
    let is_cut = !cli.command.ends_on_interrupt();
    pcim_terminal::run(ui, failure::hint, is_cut, cli.command.run(&context))
}
