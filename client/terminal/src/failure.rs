//! From an error to its exit code, its one line and its hint.

use std::io;
use std::process::ExitCode;

use pcim_client::papers::card;
use pcim_client::{Error as E, audit, home};
use pcim_core::hint::{Hint, Hints};
use pcim_deploy::deploy;
use serde_json::json;

use crate::ui::{Ui, printable};

/// Refused or failed.
const FAILED: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;
/// Not authorized.
const NOT_AUTHORIZED: u8 = 4;

/// A failure as the user reads it.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// One line.
    pub message: String,
    /// The next steps: one line each.
    pub hints: Hints,
}

/// The command line or the environment cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The answer is no.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAuthorized(pub String);

/// Something could not be resumed now.
#[derive(Debug, thiserror::Error)]
#[error("`{operation}` is still unfinished: {why}")]
pub struct StillUnfinished {
    /// The operation.
    pub operation: String,
    /// Why.
    pub why: String,
}

/// Another program has the command.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OtherProgram(pub String);

/// The user stopped it.
#[derive(Debug, thiserror::Error)]
#[error(
    "interrupted; `pcim resume`, or the same command again, sees through what was sent to the chain"
)]
pub struct Interrupted;

impl Failure {
    /// Explains an error.
    pub fn of(error: &anyhow::Error) -> Self {
        let (code, hints) = explain(error);
        Self {
            code,
            message: one_line(error),
            hints,
        }
    }

    /// Takes the hints of a program that knows the error better, if it has any.
    #[must_use]
    pub fn with_hints(self, better: Option<Hints>) -> Self {
        let hints = better.unwrap_or(self.hints);
        Self { hints, ..self }
    }

    /// Writes the error and what can be done, with `--json` as one JSON document in one line; returns the exit code.
    pub fn tell(&self, ui: Ui) -> ExitCode {
        if ui.is_json() {
            let value = json!({ "error": self.message, "hints": self.hints, "code": self.code });
            ui.note(&value.to_string());
            return ExitCode::from(self.code);
        }
        ui.note(&format!("error: {}", self.message));
        for hint in &self.hints {
            ui.note(&format!("hint: {hint}"));
        }
        ExitCode::from(self.code)
    }
}

/// The error and its causes, each said once.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
    }
    // Causes quote what was read: nothing of it may steer a terminal.
    printable(&line.replace(['\n', '\r'], " "))
}

/// The exit code, and what can be done.
fn explain(error: &anyhow::Error) -> (u8, Hints) {
    let one = |code, hint: &'static str| (code, vec![hint.into()]);
    if error.is::<Usage>() {
        return one(USAGE, "see `pcim help`, or the command's --help");
    }
    if error.is::<OtherProgram>() {
        return (USAGE, Hints::new());
    }
    if error.is::<NotAuthorized>() {
        let hint = "`pcim requestor status` tells why; the patient decides";
        return one(NOT_AUTHORIZED, hint);
    }
    if error.is::<StillUnfinished>() {
        let hint = "nothing is lost: once the reason is gone, `pcim resume` goes on with it";
        return one(FAILED, hint);
    }
    let code = match error.downcast_ref::<E>() {
        Some(E::NotAuthorized { .. }) => NOT_AUTHORIZED,
        Some(E::NotConfigured { .. } | E::InsecureRpc | E::NoFile | E::Description) => USAGE,
        _ => FAILED,
    };
    (code, hints(error))
}

/// An error of a type that says itself what can be done.
type AsHint = fn(&anyhow::Error) -> Option<&dyn Hint>;

/// The types of errors that come up to the commands and say themselves what can be done.
const HINTING: [AsHint; 8] = [
    as_hint::<E>,
    as_hint::<audit::Error>,
    as_hint::<home::Error>,
    as_hint::<card::Error>,
    as_hint::<pcim_ledger::Error>,
    as_hint::<deploy::Error>,
    as_hint::<pcim_dicom::view::Error>,
    as_hint::<io::Error>,
];

fn as_hint<T: Hint + std::error::Error + Send + Sync + 'static>(
    error: &anyhow::Error,
) -> Option<&dyn Hint> {
    error.downcast_ref::<T>().map(|error| error as &dyn Hint)
}

/// What the error says that can be done.
fn hints(error: &anyhow::Error) -> Hints {
    let hint = HINTING.iter().find_map(|as_hint| as_hint(error));
    hint.map_or_else(Hints::new, Hint::hints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_each_cause_once() {
        let error = anyhow::anyhow!("disk full").context("cannot write x: disk full");
        assert_eq!(one_line(&error), "cannot write x: disk full");
        let error = anyhow::anyhow!("line 1\nline 2").context("outer");
        assert_eq!(one_line(&error), "outer: line 1 line 2");
        let error = anyhow::anyhow!("a\u{1b}[2J\u{200b}\u{202e}b");
        assert_eq!(one_line(&error), r"a\u{1b}[2J\u{200b}\u{202e}b");
    }

    #[test]
    fn codes_follow_the_kind_of_error() {
        assert_eq!(Failure::of(&Usage("x".to_owned()).into()).code, 2);
        assert_eq!(Failure::of(&NotAuthorized("x".to_owned()).into()).code, 4);
        assert_eq!(Failure::of(&anyhow::anyhow!("x")).code, 1);
        let error = home::Error::Busy {
            dir: "h".into(),
            pid: Some(7),
        };
        let failure = Failure::of(&error.into());
        assert_eq!(failure.code, 1);
        assert_eq!(failure.message, "h is open in another process (pid 7)");
        assert_eq!(failure.hints, ["wait until that process ends, or stop it"]);
    }
}
