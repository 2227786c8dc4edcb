//! The only writer to standard output and standard error.
//!
//! Standard output carries the result and nothing else: text, or one JSON document. Notes, prompts and
//! errors go to standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pcim_client::client::{Progress, ProgressSink};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(2);

/// How to talk to the user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    json: bool,
}

impl Ui {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Writes the result: `value` as JSON, or `text`.
    pub(crate) fn result(&self, value: &impl Serialize, text: &str) -> anyhow::Result<()> {
        let mut text = match self.json {
            true => serde_json::to_string_pretty(value)?,
            false => text.to_owned(),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        write(text.as_bytes())
    }

    /// Writes a line of a result that grows; nothing with `--json`.
    pub(crate) fn line(&self, text: &str) -> anyhow::Result<()> {
        match self.json {
            true => Ok(()),
            false => write(format!("{text}\n").as_bytes()),
        }
    }

    /// Whether a terminal reads standard output, and text is wanted.
    pub(crate) fn shows_pictures(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// Writes what makes a terminal show a picture; nothing to anything else.
    pub(crate) fn picture(&self, sequence: &[u8]) -> anyhow::Result<()> {
        match self.shows_pictures() {
            true => write(sequence),
            false => Ok(()),
        }
    }

    /// Writes a remark.
    pub(crate) fn note(&self, text: &str) {
        // A user who closed standard error does not want remarks.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Tells how far a long transfer is, every other second, if somebody looks.
    pub(crate) fn progress(&self) -> ProgressSink {
        let seen = io::stderr().is_terminal();
        let (ui, told) = (*self, Mutex::new(Instant::now()));
        Arc::new(move |progress: Progress| {
            let mut told = told.lock().unwrap_or_else(|held| held.into_inner());
            if seen && told.elapsed() >= PROGRESS {
                *told = Instant::now();
                ui.note(&progress_line(progress));
            }
        })
    }

    /// Writes an error and its hint; returns its exit code.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        self.note(&format!("error: {}", failure.message));
        if let Some(hint) = &failure.hint {
            self.note(&format!("hint: {hint}"));
        }
        ExitCode::from(failure.code)
    }

    /// Asks for a secret on the terminal; `None` if there is none.
    pub(crate) fn ask_secret(&self, prompt: &str) -> anyhow::Result<Option<Zeroizing<String>>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let secret = rpassword::prompt_password(prompt).context("cannot read from the terminal")?;
        Ok(Some(Zeroizing::new(secret)))
    }
}

fn progress_line(progress: Progress) -> String {
    let mib = |bytes: u64| bytes >> 20;
    let (what, done) = (progress.what, mib(progress.bytes));
    match progress.total {
        Some(total) => format!("{what} {done} of {} MiB", mib(total)),
        None => format!("{what} {done} MiB"),
    }
}

/// A stranger's text in one line, without what could steer a terminal: controls, and the characters that turn the
/// direction of writing (Unicode UAX #9), become spaces.
pub(crate) fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(steers, " ")
}

fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
