//! `pcim watch`

mod act;
mod output;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use pcim_client::audit;
use pcim_client::audit::watch::{Alert, Rule, When};
use pcim_client::client::{Client, Error, Watching};
use pcim_client::home::Home;
use pcim_deploy::artifact;
use pcim_deploy::deploy::{Deployed, status};

use crate::context::{Context, interrupted, read_small};
use crate::failure::Usage;
use crate::parse;
use act::{Actor, Revoker};
use output::Output;

/// How soon the chain is asked again after it did not answer; twice as long each time, up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// How often the chain is asked how long the contract's program lives.
const PROGRAM_CHECK: Duration = Duration::from_secs(3600);

/// Be warned of what happens on the chain, by rules of your own
///
/// The rules are a TOML file; client/cli/rules.toml of the sources explains every kind. Each alert is one line on standard
/// output (with --json one JSON document a line), or a program that is run, or a revocation. It begins with what happens
/// from its first start on, and goes on where it stopped: it notes what it has done after it is done. A lost connection, a
/// restart or a reorganisation of the chain loses and repeats nothing. A kill in the middle of an event has its programs
/// run once more at the next start, and its lines written once more; with --out not even that: the file has each line once.
/// Other commands can use the home meanwhile.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The rules
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Append the alerts to this file instead of standard output, each exactly once whatever ends the program
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Begin with the contract's first event, if nothing was watched in this home before
    #[arg(long)]
    from_start: bool,
    /// Ask for the passphrase, so that rules with `revoke` can revoke; without it they only say what they would do
    #[arg(long)]
    unlock: bool,
    /// How often the chain is asked
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse::seconds)]
    every: u32,
    /// Read the rules, see what is new, and end
    #[arg(long)]
    once: bool,
}

impl WatchArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let rules = Rule::read_all(&read_small(&self.rules)?)
            .map_err(|error| Usage(format!("{}: {error}", self.rules.display())))?;
        let revoker = match self.unlock {
            true => Some(self.unlock(context).await?),
            false => None,
        };
        let mut client = context.reader()?;
        client.deployment()?;
        client.let_others_in();
        let told = self.follow(context, &client, rules, revoker).await;
        client.shutdown().await;
        told
    }

    /// Asks for the passphrase, and sees that it is right.
    async fn unlock(&self, context: &Context) -> anyhow::Result<Revoker> {
        let passphrase = context.passphrase("Passphrase: ")?;
        let (dir, given) = (context.home_dir()?, passphrase.clone());
        tokio::task::spawn_blocking(move || Home::open(&dir)?.unlock(&given).map(drop)).await??;
        Ok(Revoker {
            dir: context.home_dir()?,
            overrides: context.overrides()?,
            passphrase,
        })
    }

    async fn follow(
        &self,
        context: &Context,
        client: &Client,
        rules: Vec<Rule>,
        revoker: Option<Revoker>,
    ) -> anyhow::Result<()> {
        let watches_program = rules
            .iter()
            .any(|rule| matches!(rule.when, When::ProgramNearExpiry { .. }));
        let mut watching = client.watch(rules.clone(), self.from_start)?;
        let output = Output::open(context.ui, self.out.as_deref(), &watching)?;
        let mut actor = Actor {
            ui: context.ui,
            rules,
            revoker,
            output,
        };
        // An interrupt waits until what was begun is done.
        let stop = interrupted();
        tokio::pin!(stop);
        let mut retry = FIRST_RETRY;
        let mut checked: Option<Instant> = None;
        loop {
            let pause = match self.turn(&mut watching, &mut actor).await {
                Ok(()) => {
                    retry = FIRST_RETRY;
                    if watches_program && checked.is_none_or(|at| at.elapsed() >= PROGRAM_CHECK) {
                        checked = Some(Instant::now());
                        for alert in program(context, client, &mut watching).await {
                            actor.tell(&alert).await?;
                        }
                    }
                    if self.once {
                        return Ok(());
                    }
                    Duration::from_secs(self.every.into())
                }
                // Of the chain: nothing is lost.
                Err(error) if is_of_chain(&error) && !self.once => {
                    let pause = retry;
                    retry = (retry * 2).min(LONGEST_RETRY);
                    let why = crate::ui::printable(&format!("{error:#}"));
                    context.ui.note(&format!(
                        "note: the chain was not read, next try in {} ms: {why}",
                        pause.as_millis()
                    ));
                    pause
                }
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does what is to be done about everything that is new.
    async fn turn(&self, watching: &mut Watching<'_>, actor: &mut Actor) -> anyhow::Result<()> {
        let new = watching.look().await?;
        let mut quiet = Vec::new();
        for seen in &new {
            if seen.alerts.is_empty() {
                quiet.push(seen);
                continue;
            }
            for alert in &seen.alerts {
                actor.tell(alert).await?;
            }
            watching.done(&[seen], actor.output.written())?;
        }
        if !quiet.is_empty() {
            watching.done(&quiet, None)?;
        }
        watching.settle()?;
        Ok(())
    }
}

/// Whether an error is the chain's, and not this home's.
fn is_of_chain(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(Error::Ledger(_)) => true,
        Some(Error::Audit(error)) => matches!(
            error,
            audit::Error::Ledger(_) | audit::Error::BadLogs { .. } | audit::Error::Restless { .. }
        ),
        _ => false,
    }
}

/// What the rules say to the life of the contract's program; a chain that does not tell is asked the next time.
async fn program(context: &Context, client: &Client, watching: &mut Watching<'_>) -> Vec<Alert> {
    let Ok(deployment) = client.deployment() else {
        return Vec::new();
    };
    let deployed = Deployed {
        rpc_url: &deployment.rpc_url,
        chain_id: deployment.chain_id,
        contract: deployment.contract,
        wasm: artifact::PCAC_WASM,
    };
    match status(&deployed).await {
        Ok(status) => watching.program_left(status.time_left),
        Err(error) => {
            let why = crate::ui::printable(&error.to_string());
            context.ui.note(&format!(
                "note: how long the program lives is not known: {why}"
            ));
            Vec::new()
        }
    }
}
