//! `pcim`: patient-centric image management for radiologists, patients and requestors.

mod args;
mod commands;
mod context;
mod failure;
mod global;
mod parse;
mod ui;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use context::Context;
use failure::Failure;
use ui::Ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.global.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::of(&error.into()).tell(ui),
    };
    let context = Context::new(cli.global, ui);
    let result = runtime.block_on(async {
        tokio::select! {
            result = cli.command.run(&context) => result,
            () = context::interrupted(), if !cli.command.ends_on_interrupt() => {
                Err(failure::Interrupted.into())
            }
        }
    });
    // Waits for work on other threads, so that no temporary file stays behind.
    drop(runtime);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Failure::of(&error).tell(context.ui),
    }
}
