//! `pcim doctor`

mod chain;
mod local;
mod reach;

pub(crate) use self::reach::is_here_only;

use clap::Args;
use pcim_client::Session;
use pcim_client::home::Home;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Unwell;
use crate::ui::printable;

/// Look whether this home can do its work, and say what mends it
///
/// Keys and passphrase, network, endpoints and whether they agree, contract, ether, whether others reach this node, followers,
/// backup, disk: a line each. Nothing is changed or sent. The exit code is 1 if something does not work; what may become a
/// trouble (`note`) does not count.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    /// It works, and something about it is to be known.
    Note,
    Bad,
    Skipped,
}

/// A thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, State::Good, found, None)
    }

    fn skipped(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, State::Skipped, found, None)
    }

    fn note(what: &'static str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(what, State::Note, found, Some(remedy))
    }

    fn bad(what: &'static str, found: impl Into<String>, remedy: &str) -> Self {
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

    fn text(&self) -> String {
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

impl DoctorArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let mut findings = local::keys(context, &home);
        let overrides = context.overrides_in(&home)?;
        let session = Session::open(home)?;
        let session = session
            .with_overrides(overrides)
            .with_limits(context.limits());
        findings.extend(chain::findings(&session).await);
        findings.extend(reach::findings(&session).await);
        findings.extend(local::safety(session.home()));
        session.shutdown().await;
        let text: String = findings.iter().map(Finding::text).collect();
        context.ui.result(&findings, &text)?;
        let bad = |finding: &&Finding| finding.state == State::Bad;
        match findings.iter().filter(bad).count() {
            0 => Ok(()),
            count => Err(Unwell { count }.into()),
        }
    }
}
