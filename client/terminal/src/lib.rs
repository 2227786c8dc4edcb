//! Tells a program's user what came of a command: the result on standard output, notes and errors on standard
//! error, an exit code, and files that appear whole or not at all.

pub mod failure;
pub mod files;
pub mod log;
mod program;
pub mod ui;
mod warnings;

pub use program::{interrupted, run};
