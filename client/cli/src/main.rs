//! `pcim`: patient-centric image management for radiologists, patients and requestors.

mod agent;
mod args;
mod commands;
mod contacts;
mod context;
mod failure;
mod global;
mod input;
mod names;
mod parse;
mod serving;
mod version;
mod written;

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
    let said = text.split("\n\nUsage").next().unwrap_or_default();
    let words: Vec<_> = said.split_whitespace().collect();
    let line = words.join(" ");
    let usage = failure::Usage(line.trim_start_matches("error: ").to_owned());
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
