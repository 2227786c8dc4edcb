//! The `pcim-dev` program as its users meet it: processes, files, exit codes, a real chain and real nodes.

#![allow(clippy::unwrap_used)]

mod bench;
mod demo;
mod devnet;
mod gas;
mod help;

use std::process::{Command, Stdio};

/// The program, without input.
fn pcim_dev() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pcim-dev"));
    command.stdin(Stdio::null());
    command
}
