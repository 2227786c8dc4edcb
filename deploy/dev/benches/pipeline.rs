//! `cargo bench`: the figures of `pcim-dev bench`. Arguments after `--`: `study`, `large`, and a number of runs.

use std::env;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_pcim-dev"));
    bench.arg("bench");
    for argument in env::args().skip(1) {
        match &*argument {
            "study" | "large" => bench.arg(format!("--{argument}")),
            runs if runs.parse::<u8>().is_ok() => bench.args(["--runs", runs]),
            // Cargo's own.
            _ => &mut bench,
        };
    }
    match bench.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: pcim-dev did not start: {error}");
            ExitCode::FAILURE
        }
    }
}
