//! `pcim watch`

mod act;
mod output;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use pcim_client::audit::watch::{Rule, When};
use pcim_client::home::Home;
use pcim_client::{Error, Session, Watching};
use pcim_deploy::artifact;
use pcim_deploy::deploy::{Deployed, status};

use crate::context::{Context, Stop, read_small};
use crate::failure::Usage;
use crate::parse;
use crate::ui::printable;
use act::{Responder, Revoker};
use output::Output;

/// How soon the chain is asked again after it did not answer; twice as long each time, up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// How soon it is asked again while something is missing that may come back.
const MISSING: Duration = Duration::from_secs(2);
/// How often the chain is asked how long the contract's program lives.
const PROGRAM_CHECK: Duration = Duration::from_secs(3600);

/// Be warned of what happens on the chain, by rules of your own
///
/// The rules are a TOML file; client/cli/rules.toml of the sources explains every kind. Each alert is one line on standard
/// output (with --json one JSON document a line), or a program that is run, or a revocation. It begins with what happens
/// from its first start on, and goes on where it stopped: it notes what it has done after it is done. A lost connection, a
/// restart or a reorganisation of the chain loses and repeats nothing: an event whose transaction comes back in another
/// block is not reported again; one that does not come back is reported once more as taken back (in JSON a document with
/// the one field `taken_back`, the alert as it was). A kill in the middle of an event has its programs run once more at
/// the next start, and its lines written once more; with --out not even that: the file has each line once, and may be
/// moved away or cut by a program that rotates logs.
///
/// The node tells by WebSocket when the contract has something new: at --ws-url, at `ws_url` of the home's config.toml,
/// or at the RPC's own address. If it does not, it is asked every --every. Other commands can use the home meanwhile.
///
/// An interrupt (SIGINT, SIGTERM) ends it with 0 once what it is about is done: at most one event, with its programs. --once
/// ends with 0 when everything new is done, alerts or none, and with 1 if the chain could not be read: the next run takes it
/// up. Without --once it goes on when the chain is away, and ends with 1 only if the home, the rules' output or the
/// configuration cannot be used.
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
    /// How often the chain is asked, whatever it tells by itself
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse::seconds)]
    every: u32,
    /// The chain's WebSocket endpoint [default: `ws_url` of the configuration, or the RPC's own address]
    #[arg(long, value_name = "URL")]
    ws_url: Option<String>,
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
        // From here on an interrupt waits until what was begun is done.
        let stop = Stop::listen();
        let mut client = context.reader()?;
        client.deployment()?;
        client.let_others_in();
        let told = self.follow(context, &client, rules, revoker, stop).await;
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
        client: &Session,
        rules: Vec<Rule>,
        revoker: Option<Revoker>,
        mut stop: Stop,
    ) -> anyhow::Result<()> {
        let watches_program = rules
            .iter()
            .any(|rule| matches!(rule.when, When::ProgramNearExpiry { .. }));
        let every = Duration::from_secs(self.every.into());
        let mut live = client.auditor().live(every, self.ws_url.as_deref())?;
        let mut watching = client.auditor().watch(rules.clone(), self.from_start)?;
        let output = Output::open(context.ui, self.out.as_deref(), &watching)?;
        let mut responder = Responder {
            ui: context.ui,
            rules,
            revoker,
            output,
        };
        for (rule, program) in responder.missing_programs() {
            let (rule, program) = (printable(rule), printable(program));
            context.ui.note(&format!(
                "note: rule `{rule}`: there is no program {program}"
            ));
        }
        let (mut is_level, mut polls_are_told) = (false, false);
        let mut retry = FIRST_RETRY;
        let mut checked: Option<Instant> = None;
        loop {
            let done = turn(&mut watching, &mut responder, &mut stop).await;
            if watches_program
                && done.as_ref().map_or_else(has_ended, |()| true)
                && checked.is_none_or(|at| at.elapsed() >= PROGRAM_CHECK)
            {
                checked = Some(Instant::now());
                tokio::select! {
                    () = stop.asked() => {}
                    left = program_left(context, client) => {
                        if let Some(left) = left? {
                            tell_of_program(left, &mut watching, &mut responder).await?;
                        }
                    }
                }
            }
            match done {
                Ok(()) if self.once || stop.is_asked() => return Ok(()),
                Ok(()) => {
                    retry = FIRST_RETRY;
                    if !std::mem::replace(&mut is_level, true) {
                        let block = watching.head();
                        let note = format!("note: level with the chain, block {block}");
                        context.ui.note(&note);
                    }
                }
                // Of the chain: nothing is lost.
                Err(error) if may_pass(&error) && !self.once => {
                    is_level = false;
                    let why = printable(&format!("{error:#}"));
                    context.ui.note(&format!(
                        "note: the chain was not read, next try in {} ms: {why}",
                        retry.as_millis()
                    ));
                    tokio::select! {
                        () = stop.asked() => return Ok(()),
                        () = tokio::time::sleep(retry) => {}
                    }
                    retry = (retry * 2).min(LONGEST_RETRY);
                    continue;
                }
                Err(error) => return Err(error),
            }
            live.looked(watching.head());
            tokio::select! {
                () = stop.asked() => return Ok(()),
                () = tokio::time::sleep(MISSING), if watching.is_waiting() => {}
                _ = live.changed() => {}
            }
            if live.is_refused() && !std::mem::replace(&mut polls_are_told, true) {
                context.ui.note(&format!(
                    "note: the node says nothing by WebSocket (--ws-url): it is asked every {} s",
                    self.every
                ));
            }
        }
    }
}

/// Does what is to be done about everything that is new, or, when it is asked to stop, about the event that is under way.
async fn turn(
    watching: &mut Watching<'_>,
    responder: &mut Responder,
    stop: &mut Stop,
) -> anyhow::Result<()> {
    let new = tokio::select! {
        () = stop.asked() => return Ok(()),
        new = watching.look() => new?,
    };
    let mut quiet = Vec::new();
    for seen in &new {
        if stop.is_asked() {
            return Ok(());
        }
        if seen.alerts.is_empty() {
            quiet.push(seen);
            continue;
        }
        responder.output.follow(watching)?;
        for alert in &seen.alerts {
            match seen.taken_back {
                true => responder.output.take_back(alert)?,
                false => responder.tell(alert).await?,
            }
        }
        watching.done(&[seen], responder.output.written())?;
    }
    if !quiet.is_empty() {
        watching.done(&quiet, None)?;
    }
    watching.settle()?;
    Ok(())
}

/// Says whether an error is the chain's, which may answer another time: not this home's, and none of the configuration.
fn may_pass(error: &anyhow::Error) -> bool {
    use pcim_ledger::Error as L;
    match error.downcast_ref() {
        Some(Error::Ledger(
            L::BadUrl { .. } | L::WrongChain { .. } | L::NoContract { .. } | L::NotPcac { .. },
        )) => false,
        Some(error) => error.is_of_chain(),
        None => false,
    }
}

/// Says whether an error says that the contract's program does not run, which is what a rule may be about.
fn has_ended(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref();
    matches!(
        error,
        Some(Error::Ledger(pcim_ledger::Error::NotActivated { .. }))
    )
}

/// How many seconds the contract's program lives; a chain that does not tell is asked the next time.
async fn program_left(context: &Context, client: &Session) -> anyhow::Result<Option<u64>> {
    let deployment = client.deployment()?;
    let deployed = Deployed {
        rpc_url: &deployment.rpc_url,
        chain_id: deployment.chain_id,
        contract: deployment.contract,
        wasm: artifact::PCAC_WASM,
    };
    match status(&deployed).await {
        Ok(status) => Ok(Some(status.time_left)),
        Err(error) => {
            let why = printable(&error.to_string());
            context.ui.note(&format!(
                "note: how long the program lives is not known: {why}"
            ));
            Ok(None)
        }
    }
}

/// Reports the rules' alerts about the life of the contract's program that were not reported yet.
async fn tell_of_program(
    left: u64,
    watching: &mut Watching<'_>,
    responder: &mut Responder,
) -> anyhow::Result<()> {
    for alert in watching.program_left(left)? {
        responder.output.follow(watching)?;
        responder.tell(&alert).await?;
        watching.told_of_program(&alert, responder.output.written())?;
    }
    Ok(())
}
