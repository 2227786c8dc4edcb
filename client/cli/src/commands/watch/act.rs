//! Actions that an alert sets off.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pcim_client::audit::watch::{Action, Alert, Rule};
use pcim_client::home::{self, Home};
use pcim_client::{Actor, Error, Outcome, Overrides};
use pcim_core::Passphrase;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::output::{self, Output};
use crate::ui::{Ui, printable};

/// How often a home that another command has open is tried again, and after how long.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// Carries out the rules' actions.
pub(crate) struct Responder {
    pub(crate) ui: Ui,
    pub(crate) rules: Vec<Rule>,
    pub(crate) revoker: Option<Revoker>,
    pub(crate) output: Output,
}

/// The means to revoke.
pub(crate) struct Revoker {
    pub(crate) dir: PathBuf,
    pub(crate) overrides: Overrides,
    pub(crate) passphrase: Passphrase,
}

impl Responder {
    /// Lists the rules whose program is not there, each with that program: better reported now than when it is needed.
    pub(crate) fn missing_programs(&self) -> Vec<(&str, &str)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = |program: &str| match program.contains('/') {
            true => Path::new(program).is_file(),
            false => std::env::split_paths(&path).any(|dir| dir.join(program).is_file()),
        };
        let programs = self.rules.iter().filter_map(|rule| {
            let program = rule.action.run.first()?;
            (!is_there(program)).then_some((rule.name.as_str(), program.as_str()))
        });
        programs.collect()
    }

    /// Does what the alert's rule wants: writes, runs, revokes. A program that fails and a revocation that is refused are
    /// reported, and hold nothing up; a chain that does not answer a revocation is an error, and the event comes again.
    pub(crate) async fn tell(&mut self, alert: &Alert) -> anyhow::Result<()> {
        let action = self.rules[alert.number].action.clone();
        if action.print {
            self.output.write(alert)?;
        }
        if !action.run.is_empty()
            && let Err(why) = run(&action, alert).await
        {
            let rule = printable(&alert.rule);
            self.ui.note(&format!(
                "note: rule `{rule}`: {}: {why}",
                printable(&action.run[0])
            ));
        }
        if action.revoke {
            self.revoke(alert).await?;
        }
        Ok(())
    }

    async fn revoke(&self, alert: &Alert) -> anyhow::Result<()> {
        let (Some(image), Some(requestor)) = (alert.image, alert.requestor) else {
            return Ok(());
        };
        let what = format!("{requestor} and image {image}");
        let Some(revoker) = &self.revoker else {
            self.ui.note(&format!(
                "note: not revoked, the keys are locked (--unlock): {what}"
            ));
            return Ok(());
        };
        let client = revoker.client().await?;
        let revoked = client.patient().revoke(&image, requestor).await;
        client.shutdown().await;
        match revoked {
            Ok(Outcome::Mined(written)) => self.ui.note(&format!(
                "note: revoked: {what}, transaction {}",
                written.mined.tx
            )),
            // Only --sign-only has calls signed.
            Ok(Outcome::Signed(_)) => {}
            // Done already, or never there.
            Err(Error::NothingToRevoke { .. }) => {
                self.ui.note(&format!("note: nothing to revoke: {what}"))
            }
            Err(error @ (Error::NotMine { .. } | Error::UnknownImage { .. })) => {
                self.ui.note(&format!(
                    "note: not revoked: {}",
                    printable(&error.to_string())
                ));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

impl Revoker {
    /// A client of its own, so that the home is open no longer than it takes.
    async fn client(&self) -> anyhow::Result<Actor> {
        for tried in 1.. {
            match Home::open(&self.dir) {
                Ok(home) => {
                    let client = Actor::open(home, self.passphrase.clone()).await?;
                    return Ok(client.with_overrides(self.overrides.clone()));
                }
                Err(home::Error::Busy { .. }) if tried < TRIES => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the last try returns")
    }
}

/// Runs a rule's program, the alert as one line of JSON on its standard input. No shell; nothing of the passphrase's
/// whereabouts in its environment; its standard output goes nowhere, its standard error is this program's.
async fn run(action: &Action, alert: &Alert) -> Result<(), String> {
    let line = output::json(alert).map_err(|error| error.to_string())? + "\n";
    let mut command = Command::new(&action.run[0]);
    command
        .args(&action.run[1..])
        .env_remove("PCIM_PASSPHRASE_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut stdin = child.stdin.take();
    let work = async {
        if let Some(mut stdin) = stdin.take() {
            // A program that does not read is not wrong.
            let _ = stdin.write_all(line.as_bytes()).await;
        }
        child.wait().await
    };
    let limit = Duration::from_secs(action.limit_seconds);
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("stopped after {} s", limit.as_secs())),
    }
}
