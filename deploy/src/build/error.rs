//! Errors of building the contract.

use std::{io, path::PathBuf};

use super::module;
use crate::artifact;

/// The reason why the contract could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No compiler for WASM, and none could be added.
    #[error(
        "no Rust toolchain that can build the contract: tried {tried}; install one of \
         `rustup target add wasm32-unknown-unknown && rustup component add rust-src`, or, on Debian 12 and later, \
         `apt-get install rustc-web cargo-web rust-web-src lld`"
    )]
    NoToolchain {
        /// what was tried and what came of it
        tried: String,
    },
    /// A tool could not be started.
    #[error("cannot run {tool}")]
    Start {
        /// its name
        tool: String,
        /// why
        source: io::Error,
    },
    /// A tool failed.
    #[error("{tool} failed: {output}")]
    Tool {
        /// its name
        tool: String,
        /// the end of what it said
        output: String,
    },
    /// A file could not be read or written.
    #[error("cannot read or write {path}")]
    File {
        /// which
        path: PathBuf,
        /// why
        source: io::Error,
    },
    /// The compiler's module breaks a rule of Stylus chains.
    #[error("the module is not fit for a Stylus chain")]
    Module(#[from] module::Error),
    /// The module is fit but for its size, because the standard library brought its panic messages along.
    #[error(
        "the module is too large with the standard library as shipped; install its sources \
         (`rustup component add rust-src`) so that it can be rebuilt without panic messages"
    )]
    NeedsStdSources(#[source] module::Error),
    /// The sources or an earlier artifact could not be read.
    #[error(transparent)]
    Sources(#[from] artifact::Error),
}

/// Returns what a tool printed, if it succeeded.
pub(super) fn finished(tool: &str, output: std::process::Output) -> Result<String, BuildError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = text(&output.stderr);
    let tail: Vec<&str> = said.lines().rev().take(10).collect();
    Err(BuildError::Tool {
        tool: tool.to_owned(),
        output: format!(
            "{}: {}",
            output.status,
            tail.into_iter().rev().collect::<Vec<_>>().join("\n")
        ),
    })
}
