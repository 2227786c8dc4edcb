//! A thing that was looked at, and its remedy.

use serde::Serialize;

use crate::ui::printable;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Good,
    /// It works, and something about it is to be known.
    Note,
    Bad,
    Skipped,
}

/// A thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    what: &'static str,
    pub(super) state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    pub(super) fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, State::Good, found, None)
    }

    pub(super) fn skipped(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, State::Skipped, found, None)
    }

    pub(super) fn note(what: &'static str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(what, State::Note, found, Some(remedy))
    }

    pub(super) fn bad(what: &'static str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(what, State::Bad, found, Some(remedy))
    }

    fn new(
        what: &'static str,
        state: State,
        found: impl Into<String>,
        remedy: Option<&str>,
    ) -> Self {
        Self {
            what,
            state,
            found: printable(&found.into()),
            remedy: remedy.map(str::to_owned),
        }
    }

    pub(super) fn text(&self) -> String {
        let mark = match self.state {
            State::Good => "ok",
            State::Note => "note",
            State::Bad => "BAD",
            State::Skipped => "-",
        };
        let mut text = format!("{mark:<4}  {:<11}  {}\n", self.what, self.found);
        if let Some(remedy) = &self.remedy {
            text.push_str(&format!("{:19}> {remedy}\n", ""));
        }
        text
    }
}
