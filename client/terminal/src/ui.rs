//! The only writer to standard output and standard error.
//!
//! Standard output carries the result and nothing else: text, or one JSON document. Notes, prompts and
//! errors go to standard error.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pcim_client::{Progress, ProgressSink};
use pcim_core::text::escaped;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::log;

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(250);
/// Most bytes of a word that is asked for.
const MAX_ANSWER: u64 = 256;
/// Characters of a bar.
const BAR: u64 = 24;
/// Goes to the start of the terminal's line and empties it (ECMA-48).
const EMPTY_LINE: &str = "\r\x1b[K";

/// True if the terminal's last line shows progress, and is to be written over.
static TOLD: AtomicBool = AtomicBool::new(false);

/// How to talk to the user.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    json: bool,
}

impl Ui {
    /// Writes results as JSON, or as text.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Says whether the result is wanted as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Writes a result that is a JSON document already.
    pub fn document(&self, mut document: impl Read) -> anyhow::Result<()> {
        wipe();
        let mut out = io::stdout().lock();
        match io::copy(&mut document, &mut out).and_then(|_| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("cannot write to standard output"),
        }
    }

    /// Writes what must arrive: nobody to read it is an error.
    pub fn stream(&self, bytes: &[u8]) -> anyhow::Result<()> {
        wipe();
        let mut out = io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        written.context("cannot write to standard output")
    }

    /// Writes the result: `value` as JSON, or `text`.
    pub fn result(&self, value: &impl Serialize, text: &str) -> anyhow::Result<()> {
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
    pub fn line(&self, text: &str) -> anyhow::Result<()> {
        match self.json {
            true => Ok(()),
            false => write(format!("{text}\n").as_bytes()),
        }
    }

    /// Says whether a terminal reads standard output, and text is wanted.
    pub fn shows_pictures(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// Writes what makes a terminal show a picture; nothing to anything else.
    pub fn picture(&self, sequence: &[u8]) -> anyhow::Result<()> {
        match self.shows_pictures() {
            true => write(sequence),
            false => Ok(()),
        }
    }

    /// Writes what happened while a command goes on: one line on standard error, JSON or `text`.
    pub fn event(&self, value: &impl Serialize, text: &str) {
        match self.json {
            true => self.note(&serde_json::to_string(value).unwrap_or_else(|e| e.to_string())),
            false => self.note(text),
        }
    }

    /// Writes a remark to a person; nothing with `--json`, whose document says the same.
    pub fn remark(&self, text: &str) {
        if !self.json {
            self.note(text);
        }
    }

    /// Asks for a word on the terminal; `None` if there is none.
    pub fn ask(&self, prompt: &str) -> anyhow::Result<Option<String>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        wipe();
        let mut err = io::stderr().lock();
        let asked = write!(err, "{prompt}").and_then(|()| err.flush());
        asked.context("cannot write to the terminal")?;
        drop(err);
        let mut line = String::new();
        let read = io::stdin().lock().take(MAX_ANSWER).read_line(&mut line);
        read.context("cannot read from the terminal")?;
        Ok(Some(line.trim().to_owned()))
    }

    /// Writes a remark.
    pub fn note(&self, text: &str) {
        wipe();
        log::write(text);
        // A user who closed standard error does not want remarks.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Shows how far a long work is in the terminal's last line, if there is a terminal.
    pub fn progress(&self) -> ProgressSink {
        let seen = io::stderr().is_terminal();
        let told = Mutex::new(Instant::now());
        Arc::new(move |progress: Progress| {
            let mut told = told.lock().unwrap_or_else(|held| held.into_inner());
            if seen && told.elapsed() >= PROGRESS {
                *told = Instant::now();
                TOLD.store(true, Ordering::Relaxed);
                let mut err = io::stderr().lock();
                let line = progress_line(progress);
                // A user who closed standard error does not look.
                let _ = write!(err, "{EMPTY_LINE}{line}").and_then(|()| err.flush());
            }
        })
    }

    /// Asks for a secret on the terminal; `None` if there is none.
    pub fn ask_secret(&self, prompt: &str) -> anyhow::Result<Option<Zeroizing<String>>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let secret = rpassword::prompt_password(prompt).context("cannot read from the terminal")?;
        Ok(Some(Zeroizing::new(secret)))
    }
}

/// Empties the line that tells progress.
fn wipe() {
    if TOLD.swap(false, Ordering::Relaxed) {
        let _ = write!(io::stderr().lock(), "{EMPTY_LINE}");
    }
}

/// Makes the line: the work, a bar where the end is known, files, MiB.
fn progress_line(progress: Progress) -> String {
    let mib = |bytes: u64| bytes >> 20;
    let bytes = progress.total.map(|total| (progress.bytes, total));
    let mut line = progress.what.to_owned();
    if let Some((done, of)) = bytes.or(progress.files) {
        let full = done.min(of) * BAR / of.max(1);
        let (full, empty) = (full as usize, (BAR - full) as usize);
        line.push_str(&format!(" [{}{}]", "#".repeat(full), "-".repeat(empty)));
    }
    if let Some((done, of)) = progress.files {
        line.push_str(&format!(" {done} of {of} files,"));
    }
    match progress.total {
        Some(total) => line.push_str(&format!(" {} of {} MiB", mib(progress.bytes), mib(total))),
        None => line.push_str(&format!(" {} MiB", mib(progress.bytes))),
    }
    line
}

/// Makes a stranger's text one line without anything that could steer a terminal or hide: such characters are written as
/// Rust writes them.
pub fn printable(text: &str) -> String {
    escaped(text.chars())
}

fn write(bytes: &[u8]) -> anyhow::Result<()> {
    wipe();
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_follows_the_bytes_or_else_the_files() {
        let mut progress = Progress {
            what: "sealed",
            bytes: 3 << 20,
            total: None,
            files: Some((5, 10)),
        };
        let half = "#".repeat(12) + &"-".repeat(12);
        let line = progress_line(progress);
        assert_eq!(line, format!("sealed [{half}] 5 of 10 files, 3 MiB"));
        progress.total = Some(6 << 20);
        progress.files = None;
        assert_eq!(
            progress_line(progress),
            format!("sealed [{half}] 3 of 6 MiB")
        );
        progress.total = Some(0);
        assert!(progress_line(progress).contains(&"-".repeat(24)));
        progress.total = None;
        assert_eq!(progress_line(progress), "sealed 3 MiB");
    }
}
